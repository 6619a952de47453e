"""One forward and one backward: the maps of all layers at once."""

from __future__ import annotations

import operator
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias, overload

import numpy as np
import torch
from torch import Tensor, nn

from combicam_widgets.cam.architecture import architecture
from combicam_widgets.cam.axes import Axes, Shape, checked_axes
from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.cam.methods import METHODS, SLOW_METHODS, method_maps
from combicam_widgets.cam.passes import (
    checked_batch,
    checked_scores,
    forward_backward,
    names_of,
    on_device_of,
)
from combicam_widgets.cam.replicas import why_closed
from combicam_widgets.cam.scores import check_score, class_score

Targets: TypeAlias = Sequence[int] | Tensor | np.ndarray
"""One class index per photo."""

Layers: TypeAlias = str | Sequence[str | nn.Module] | nn.Module
"""A granularity, or modules or their names."""


_FLOAT16_NORMAL = 2**-14
"""Below this float16 loses digits, and soon everything."""

_PENDING = 2**24
"""Bytes of gradients that wait to be looked at together: one after the other is faster."""

_SMALL = 2**18
"""Numbers in a layer's output below which layers of the same shape are worked on together."""


@overload
def explain(
    network: nn.Module,
    batch: Tensor,
    target: int | None = None,
    layers: Layers | None = None,
    method: str = "gradcam",
    score: str = "log_probability",
    size: tuple[int, int] | None = None,
    contrast: int | None = None,
) -> LayerMaps: ...
@overload
def explain(
    network: nn.Module,
    batch: Tensor,
    target: Targets,
    layers: Layers | None = None,
    method: str = "gradcam",
    score: str = "log_probability",
    size: tuple[int, int] | None = None,
    contrast: Targets | int | None = None,
) -> list[LayerMaps]: ...
def explain(
    network: nn.Module,
    batch: Tensor,
    target: int | Targets | None = None,
    layers: Layers | None = None,
    method: str = "gradcam",
    score: str = "log_probability",
    size: tuple[int, int] | None = None,
    contrast: int | Targets | None = None,
) -> LayerMaps | list[LayerMaps]:
    """Compute one class activation map per layer in a single pass.

    Parameters
    ----------
    network : nn.Module
        Any classifier: maps a batch (N, 3, h, w) to class scores (logits, (N, C)). It is left as
        it was: no hook, mode or flag changes, on success or failure.
    batch : Tensor, shape (N, 3, h, w) or (3, h, w)
        Photos, transformed as the network wants them.
    target : int or (N,) ints, optional
        Index of the class to explain, for all photos or one for each; default: each photo's most
        probable one.
    layers : sequence of str or nn.Module, or str, optional
        Modules whose outputs are maps, (N, K, h, w) or (N, h, w, K), or their names; or a
        granularity ("stage", "block", "convolution"). Default: the blocks that `architecture`
        finds. Finding them, or which axes of named ones are the photo's, takes other forward
        passes once, and is remembered.
    method : str
        The CAM method in view, one of `METHODS`. All of them come from the same pass:
        `LayerMaps.with_method` switches without another one.
    score : str
        What is differentiated, one of `SCORES`.
    size : (H, W), optional
        Size of the heatmaps; default: that of the batch.
    contrast : int or (N,) ints, optional
        Another class: explain why the target *rather than* this one, by differentiating
        score(target) - score(contrast).

    Returns
    -------
    LayerMaps, or list of N LayerMaps
        A list if the batch holds several photos or ``target`` is a sequence; each photo's maps
        are those that it gets alone.

    Raises
    ------
    TypeError, ValueError
        The argument that is wrong, what was given and what to do; among them a network that
        returns something else than finite class scores, layers that cannot be explained, and a
        float16 network whose gradients underflow.
    RuntimeError
        The gradient does not reach the layers (the network detaches it on the way), or the
        network overwrites in place what its own gradient needs.
    """
    check_score(score)
    if method not in METHODS:
        hint = " Use score_cam(), which needs many passes." if method in SLOW_METHODS else ""
        raise ValueError(
            f"Unknown CAM method {method!r}; the methods are {', '.join(METHODS)}.{hint}"
        )
    batch = on_device_of(network, checked_batch(batch))
    names = layer_names(network, batch, layers)
    looked: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def run(twin: nn.Module, shapes: Mapping[str, Shape]) -> tuple[Tensor, _Asked]:
        looked.clear()
        pending.clear()
        # A detached copy: a tensor made under inference mode cannot take part in a graph, one that
        # requires grad would undo the cut, and the network may work in place on its input.
        logits = checked_scores(twin(_fresh(batch, twin)), len(batch))
        _check_layers(network, names, shapes, len(batch))
        axes.update(checked_axes(network, batch, shapes))
        targets = checked_targets(target, logits)
        value = class_score(score, logits, targets)
        rivals = None if contrast is None else checked_targets(contrast, logits, "contrast")
        if rivals is not None:
            value = value - class_score(score, logits, rivals)
        return value.sum(), _Asked(shapes, logits.detach(), targets, rivals)

    axes: dict[str, Axes] = {}
    pending: list[tuple[str, Tensor, Tensor]] = []

    def look(name: str, activations: Tensor, gradients: Tensor) -> None:
        order = (0, *axes[name])
        pending.append((name, activations.permute(order), gradients.permute(order)))
        if sum(gradients.nbytes for _, _, gradients in pending) > _PENDING:
            flush()

    def flush() -> None:
        for _, alike in groupby(pending, _alike):
            names, activations, gradients = zip(*alike, strict=True)
            for name, gradient in zip(names, gradients, strict=True):
                _check_precision(name, gradient)
            maps, importances = method_maps(_joined(activations), _joined(gradients))
            of_layers = (
                np.split(maps.cpu().numpy(), len(names), axis=1),
                np.split(importances.cpu().numpy(), len(names)),
            )
            looked.update(zip(names, zip(*of_layers, strict=True), strict=True))
        pending.clear()

    asked = forward_backward(network, names, run, look)
    flush()
    for name, shape in asked.shapes.items():
        _, rows, columns = axes[name]
        silent = np.zeros((len(METHODS), shape[0], shape[rows], shape[columns]), np.float32)
        looked.setdefault(name, (silent, np.zeros(shape[0], np.float32)))
    maps = [looked[name] for name in asked.shapes]
    probabilities = asked.logits.float().softmax(1).cpu().numpy()
    results = [
        LayerMaps(
            names=tuple(asked.shapes),
            methods={
                # Copies: one photo's maps must not keep those of the whole batch alive.
                name: tuple(stack[m, n].copy() for stack, _ in maps)
                for m, name in enumerate(METHODS)
            },
            method=method,
            size=size or (batch.shape[2], batch.shape[3]),
            target=int(asked.targets[n]),
            score=score,
            probabilities=probabilities[n].copy(),
            importances=np.array([importances[n] for _, importances in maps]),
            contrast=None if asked.rivals is None else int(asked.rivals[n]),
        )
        for n in range(len(batch))
    ]
    one = len(results) == 1 and (target is None or np.ndim(target) == 0)
    return results[0] if one else results


@dataclass(frozen=True, eq=False)
class _Asked:
    """What a forward pass gave, and which classes are explained."""

    shapes: Mapping[str, Shape]
    logits: Tensor
    targets: Tensor
    rivals: Tensor | None


def _alike(layer: tuple[str, Tensor, Tensor]) -> object:
    """Tell which layers are worked on together: small ones of one shape.

    Small work costs most to start; large layers would cost more to copy than that.
    """
    name, activations, _ = layer
    return activations.shape if activations.numel() < _SMALL else name


def _joined(layers: Sequence[Tensor]) -> Tensor:
    """Put the photos of several layers behind each other: (L * N, K, h, w)."""
    return layers[0] if len(layers) == 1 else torch.cat(list(layers))


def check_that_all_ran(network: nn.Module, names: Sequence[str], ran: Container[str]) -> None:
    """Refuse layers that did not run in a pass of the network."""
    if idle := [name for name in names if name not in ran]:
        raise ValueError(
            why_closed(network)
            or f"Layer {idle[0]!r} does not run in a pass of the network; leave it out."
        )


def _check_layers(
    network: nn.Module, names: Sequence[str], shapes: Mapping[str, Shape], photos: int
) -> None:
    """Refuse layers that did not run, or that do not give maps for each photo."""
    check_that_all_ran(network, names, shapes)
    for name, (count, *_) in shapes.items():
        if count != photos:
            raise ValueError(
                f"Layer {name!r} gives {count} maps per channel for {photos} photos: "
                "it mixes photos or cuts them up; leave it out."
            )


def _check_precision(name: str, gradients: Tensor) -> None:
    """Refuse gradients that float16 cannot hold: maps made of them would be zero or noise."""
    if gradients.dtype == torch.float16 and gradients.abs().max() < _FLOAT16_NORMAL:
        raise ValueError(
            f"The gradients of layer {name!r} are too small for float16, in which the network "
            "computes: explain network.float() or network.bfloat16() instead, without autocast."
        )


def _fresh(batch: Tensor, network: nn.Module) -> Tensor:
    """Copy a batch; with channels last for depthwise convolutions on a CPU, which it speeds up."""
    depthwise = any(
        isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
        for module in network.modules()
    )
    fast = depthwise and batch.device.type == "cpu"
    return batch.detach().clone(
        memory_format=torch.channels_last if fast else torch.preserve_format
    )


def layer_names(network: nn.Module, batch: Tensor, layers: Layers | None) -> Sequence[str]:
    """Names of the layers to explain: those given, or those found at a granularity."""
    if layers is None or isinstance(layers, str):
        return architecture(network, batch, "block" if layers is None else layers).names
    names = names_of(network, layers)
    if not names:
        raise ValueError(f"layers must hold at least one layer name, not {layers!r}.")
    return names


def checked_targets(
    given: Any,  # noqa: ANN401
    logits: Tensor,
    argument: str = "target",
) -> Tensor:
    """One class index per photo, (N,) int64; None: the most probable ones."""
    if given is None:  # as the probabilities are given out: equal to rounding, the first wins
        return logits.float().softmax(1).argmax(1)
    listed = list(given) if np.ndim(given) == 1 else [given] * len(logits)
    indices = []
    for one in listed:
        try:
            index = operator.index(one)
        except TypeError:
            index = None
        if index is None or isinstance(one, bool) or getattr(one, "dtype", None) == torch.bool:
            raise TypeError(f"{argument} must be the index of a class, not {one!r}.")
        if not 0 <= index < logits.shape[1]:
            raise ValueError(
                f"{argument} must be between 0 and {logits.shape[1] - 1}, not {index}."
            )
        indices.append(index)
    if len(indices) != len(logits):
        raise ValueError(f"{argument} must hold one index for each of the {len(logits)} photos.")
    return torch.tensor(indices, device=logits.device)
