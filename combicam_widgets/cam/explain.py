"""One forward and one backward: the maps of all layers at once."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, TypeAlias, overload

import numpy as np
import torch
from torch import Tensor, nn

from combicam_widgets.cam.architecture import architecture
from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.cam.methods import METHODS, SLOW_METHODS, method_maps
from combicam_widgets.cam.passes import captured, checked_batch, checked_scores, on_device_of
from combicam_widgets.cam.scores import check_score, class_score

Targets: TypeAlias = Sequence[int] | Tensor | np.ndarray
"""One class index per photo."""


@overload
def explain(
    network: nn.Module,
    batch: Tensor,
    target: int | None = None,
    layers: str | Sequence[str] | None = None,
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
    layers: str | Sequence[str] | None = None,
    method: str = "gradcam",
    score: str = "log_probability",
    size: tuple[int, int] | None = None,
    contrast: Targets | int | None = None,
) -> list[LayerMaps]: ...
def explain(
    network: nn.Module,
    batch: Tensor,
    target: int | Targets | None = None,
    layers: str | Sequence[str] | None = None,
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
    layers : sequence of str, or str, optional
        Names of modules with 4-D outputs, or a granularity ("stage", "block", "convolution");
        default: the blocks that `architecture` finds. Finding them takes one forward pass more.
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
        returns something else than finite class scores, and layers that cannot be explained.
    RuntimeError
        The gradient does not reach the layers (the network detaches it on the way).
    """
    check_score(score)
    if method not in METHODS:
        hint = " Use score_cam(), which needs many passes." if method in SLOW_METHODS else ""
        raise ValueError(
            f"Unknown CAM method {method!r}; the methods are {', '.join(METHODS)}.{hint}"
        )
    batch = on_device_of(network, checked_batch(batch))
    names = layer_names(network, batch, layers)
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        captured(network, names) as outputs,
    ):
        # A detached copy: a tensor made under inference mode cannot take part in a graph, one that
        # requires grad would undo the cut, and the network may work in place on its input.
        logits = checked_scores(network(_fresh(batch)), len(batch))
        if idle := [name for name in names if name not in outputs]:
            raise ValueError(
                f"Layer {idle[0]!r} does not run in a pass of the network; leave it out."
            )
        for name, output in outputs.items():
            if len(output) != len(batch):
                raise ValueError(
                    f"Layer {name!r} gives {len(output)} maps per channel for {len(batch)} photos: "
                    "it mixes photos or cuts them up; leave it out."
                )
        targets = checked_targets(target, logits)
        if not logits.requires_grad:
            raise RuntimeError(
                "The gradient of the score does not reach any of the layers: the network "
                "detaches it or runs under torch.no_grad() on the way."
            )
        value = class_score(score, logits, targets)
        rivals = None if contrast is None else checked_targets(contrast, logits, "contrast")
        if rivals is not None:
            value = value - class_score(score, logits, rivals)
        gradients = torch.autograd.grad(value.sum(), list(outputs.values()), allow_unused=True)
    with torch.inference_mode():
        stacks, importances = [], []
        for a, g in zip(outputs.values(), gradients, strict=True):
            gradient = torch.zeros_like(a) if g is None else g
            stacks.append(method_maps(a, gradient).cpu().numpy())
            importances.append(gradient.float().mean((1, 2, 3)).relu().cpu().numpy())
        probabilities = logits.float().softmax(1).cpu().numpy()
    results = [
        LayerMaps(
            names=tuple(outputs),
            methods={
                # Copies: one photo's maps must not keep those of the whole batch alive.
                name: tuple(stack[m, n].copy() for stack in stacks)
                for m, name in enumerate(METHODS)
            },
            method=method,
            size=size or (batch.shape[2], batch.shape[3]),
            target=int(targets[n]),
            score=score,
            probabilities=probabilities[n].copy(),
            importances=np.array([values[n] for values in importances]),
            contrast=None if rivals is None else int(rivals[n]),
        )
        for n in range(len(batch))
    ]
    one = len(results) == 1 and (target is None or np.ndim(target) == 0)
    return results[0] if one else results


def _fresh(batch: Tensor) -> Tensor:
    """Copy a batch; on a CPU with channels last, in which depthwise convolutions are faster."""
    layout = torch.channels_last if batch.device.type == "cpu" else torch.preserve_format
    return batch.detach().clone(memory_format=layout)


def layer_names(
    network: nn.Module, batch: Tensor, layers: str | Sequence[str] | None
) -> Sequence[str]:
    """Names of the layers to explain: those given, or those found at a granularity."""
    if layers is None or isinstance(layers, str):
        return architecture(network, batch, "block" if layers is None else layers).names
    if not layers:
        raise ValueError(f"layers must hold at least one layer name, not {layers!r}.")
    return layers


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
