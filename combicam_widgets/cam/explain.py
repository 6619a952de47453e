"""One forward and one backward: the maps of all layers at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias, overload

import numpy as np
import torch
from torch import Tensor, nn

from combicam_widgets.cam.architecture import architecture
from combicam_widgets.cam.axes import Axes, Shape, as_map, checked_axes
from combicam_widgets.cam.maps import Further, LayerMaps
from combicam_widgets.cam.methods import checked_methods, method_maps
from combicam_widgets.cam.passes import (
    Output,
    check_finite,
    checked_batch,
    forward_backward,
    names_of,
    on_device_of,
    picked,
    say_once,
    shaped_scores,
)
from combicam_widgets.cam.replicas import why_closed
from combicam_widgets.cam.scores import ScoreOf, checked_score, class_score
from combicam_widgets.cam.shortage import shortage_told
from combicam_widgets.whole import whole

Targets: TypeAlias = Sequence[int] | Tensor | np.ndarray
"""One class index per photo."""

Layers: TypeAlias = str | Sequence[str | nn.Module] | nn.Module
"""A granularity, or modules or their names."""


Reshape: TypeAlias = Callable[[Tensor], Tensor]
"""From a layer's output to a map (N, K, h, w)."""

_FLOAT16_NORMAL = 2**-14
"""Below this float16 loses digits, and soon everything."""

_PENDING = 2**24
"""Bytes of gradients that wait to be looked at together: one after the other is faster."""

_SMALL = 2**15
"""Numbers in a layer's output, for each method, below which layers of one shape are joined."""


@overload
def explain(
    network: nn.Module,
    batch: Tensor,
    target: int | None = None,
    layers: Layers | None = None,
    method: str | None = None,
    score: str | ScoreOf = "log_probability",
    size: tuple[int, int] | None = None,
    contrast: int | None = None,
    *,
    methods: str | Iterable[str] | None = None,
    keep: bool = False,
    reshape: Reshape | None = None,
    output: Output | None = None,
    exact: bool = False,
) -> LayerMaps: ...
@overload
def explain(
    network: nn.Module,
    batch: Tensor,
    target: Targets,
    layers: Layers | None = None,
    method: str | None = None,
    score: str | ScoreOf = "log_probability",
    size: tuple[int, int] | None = None,
    contrast: Targets | int | None = None,
    *,
    methods: str | Iterable[str] | None = None,
    keep: bool = False,
    reshape: Reshape | None = None,
    output: Output | None = None,
    exact: bool = False,
) -> list[LayerMaps]: ...
def explain(
    network: nn.Module,
    batch: Tensor,
    target: int | Targets | None = None,
    layers: Layers | None = None,
    method: str | None = None,
    score: str | ScoreOf = "log_probability",
    size: tuple[int, int] | None = None,
    contrast: int | Targets | None = None,
    *,
    methods: str | Iterable[str] | None = None,
    keep: bool = False,
    reshape: Reshape | None = None,
    output: Output | None = None,
    exact: bool = False,
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
        Modules whose outputs are maps, (N, K, h, w) or (N, h, w, K), or tokens of which a map can
        be made, (N, T, K), or their names; or a granularity ("stage", "block", "convolution").
        Default: the blocks that `architecture` finds. Finding them, or which axes of named ones
        are the photo's, takes other forward passes once, and is remembered.
    method : str, optional
        The CAM method in view, one of `METHODS` or of your own, see `cam.method`. Default: the
        first of ``methods``, "gradcam" if these are not given either.
    score : str or callable
        What is differentiated: one of `SCORES`, or one of your own, see `cam.score`; or a function
        of the logits (N, C) and the targets (N,) that gives one number per photo.
    size : (H, W), optional
        Size of the heatmaps; default: that of the batch.
    contrast : int or (N,) ints, optional
        Another class: explain why the target *rather than* this one, by differentiating
        score(target) - score(contrast).
    methods : str or iterable of str, optional
        The methods to compute; others are not. Default: all `METHODS`, from the same pass, so that
        `LayerMaps.with_method` switches without another one. One alone is a little faster, on a
        GPU much.
    keep : bool
        Keep each layer's activations and gradients, so that `LayerMaps.with_method` computes any
        other method later, such as one that you are just writing. For the 32 blocks of
        EfficientNet-B4 at 300 px that takes 24 MB per photo. Default: no; another method is
        another pass.
    reshape : callable, optional
        How a map (N, K, h, w) is made of the output of the named ``layers``, and of its gradient,
        where that is not found by a test: it may choose and reorder values, no more. What
        pytorch-grad-cam calls ``reshape_transform``.
    output : str, int or callable, optional
        Which of several outputs of the network are the class scores: the key or attribute, the
        position, or a function of what the network returns. Default: the tensor that it returns,
        its ``logits``, or the only tensor (N, C) among what it returns, which is said once.
    exact : bool
        Compute as PyTorch does, without what makes the pass cheaper: the same to rounding, slower.

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
    torch.OutOfMemoryError, RuntimeError, MemoryError
        There is too little memory; the message says what takes less.
    RuntimeError
        The gradient does not reach the layers (the network detaches it on the way), or the
        network overwrites in place what its own gradient needs.
    """
    score_name, _ = checked_score(score)
    wanted = checked_methods(methods, method)
    batch = on_device_of(network, checked_batch(batch))
    names = layer_names(network, batch, layers)
    chosen, rivals = host_targets(target), host_targets(contrast, "contrast")
    if reshape is not None and (layers is None or isinstance(layers, str)):
        raise ValueError("reshape says how maps are made of layers that you name: layers=[...].")
    passed = _Passed(wanted, keep=keep, reshape=reshape)

    def run(twin: nn.Module, shapes: Mapping[str, Shape]) -> tuple[Tensor, _Asked]:
        passed.begin()
        # A detached copy: a tensor made under inference mode cannot take part in a graph, one that
        # requires grad would undo the cut, and the network may work in place on its input.
        given = twin(batch.detach().clone() if exact else _fresh(batch, twin))
        logits = shaped_scores(picked(given, output), len(batch), partial(say_once, network))
        _check_layers(network, names, shapes, len(batch))
        passed.shapes = shapes
        if reshape is None:
            passed.axes.update(checked_axes(network, batch, shapes))
        targets = checked_targets(chosen, logits)
        value = class_score(score, logits, targets)
        others = None if rivals is None else checked_targets(rivals, logits, "contrast")
        if others is not None:
            value = value - class_score(score, logits, others)
        return value.sum(), _Asked(shapes, logits.detach(), targets, others)

    fewer = ["fewer photos at once"] if len(batch) > 1 else []
    fewer += ["keep=False"] if keep else []
    with shortage_told(
        f"give {' or '.join([*fewer, 'smaller photos'])}, or fewer and later layers"
    ):
        asked = forward_backward(network, names, run, passed.look, exact=exact)
        maps, importances = passed.maps(asked)  # what waits for the device stands from here on
    probabilities = asked.logits.float().softmax(1).cpu().numpy()
    targets = asked.targets.tolist()
    others = None if asked.rivals is None else asked.rivals.tolist()
    results = [
        LayerMaps(
            names=tuple(asked.shapes),
            methods={name: tuple(stack[m] for stack in maps[n]) for m, name in enumerate(wanted)},
            method=method or wanted[0],
            size=size or (batch.shape[2], batch.shape[3]),
            target=targets[n],
            score=score_name,
            probabilities=probabilities[n].copy(),
            importances=importances[:, n].copy(),
            contrast=None if others is None else others[n],
            further=passed.further(n),
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


class _Passed:
    """What goes by in one pass: the maps of its layers, made while they do.

    Everything stays on the network's device, and nothing asks for a value there, so that the
    device is never waited for; what has to be checked is checked in `maps`, after the pass.

    Parameters
    ----------
    methods : sequence of str
    keep : bool
        Whether the layers' activations and gradients are kept.
    reshape : callable, optional
        See `explain`.
    """

    def __init__(self, methods: Sequence[str], *, keep: bool, reshape: Reshape | None) -> None:
        self.axes: dict[str, Axes] = {}
        self.shapes: Mapping[str, Shape] = {}
        self._reshape = reshape
        self._methods = methods
        self._keep = keep
        self.begin()

    def begin(self) -> None:
        """Forget what an earlier pass left."""
        self._pending: list[tuple[str, Tensor, Tensor]] = []
        self._made: dict[str, tuple[Tensor, Tensor]] = {}
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}
        self._too_small: dict[str, Tensor] = {}

    def look(self, name: str, activations: Tensor, gradients: Tensor) -> None:
        """Take in a layer's output and gradient."""
        layer = name, self._as_map(name, activations), self._as_map(name, gradients)
        if self._keep:
            self._kept[name] = layer[1:]
        if gradients.dtype == torch.float16:
            self._too_small[name] = gradients.abs().max() < _FLOAT16_NORMAL
        self._pending.append(layer)
        if sum(gradients.nbytes for _, _, gradients in self._pending) > _PENDING:
            self._flush()

    def _as_map(self, name: str, output: Tensor) -> Tensor:
        if self._reshape is None:
            return as_map(output, self.axes[name])
        given = self._reshape(output)
        if not isinstance(given, Tensor) or given.ndim != 4 or len(given) != len(output):
            shape = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
            raise ValueError(
                f"reshape must make a map (N, K, h, w) of the output {tuple(output.shape)} of "
                f"layer {name!r}, with N = {len(output)}, not {shape}."
            )
        return given

    def _flush(self) -> None:
        for _, alike in groupby(self._pending, self._alike):
            names, activations, gradients = zip(*alike, strict=True)
            maps, importances = method_maps(_joined(activations), _joined(gradients), self._methods)
            of_layers = (
                maps.chunk(len(names), dim=1),
                importances.chunk(len(names)),
            )
            self._made.update(zip(names, zip(*of_layers, strict=True), strict=True))
        self._pending.clear()

    def _alike(self, layer: tuple[str, Tensor, Tensor]) -> object:
        """Tell which layers are worked on together: small ones of one shape.

        Small work costs most to start; large layers would cost more to copy than that.
        """
        name, activations, _ = layer
        is_small = activations.numel() < _SMALL * len(self._methods)
        return activations.shape if is_small else name

    def maps(self, asked: _Asked) -> tuple[list[list[np.ndarray]], np.ndarray]:
        """Check what the pass gave, and take it to the CPU at once.

        Returns
        -------
        maps : list of N lists of (M, h, w) arrays
            The layers in forward order; one photo's maps do not keep those of another alive.
        importances : (L, N) array
        """
        self._flush()
        check_finite(asked.logits)
        for name, is_too_small in self._too_small.items():
            _check_precision(name, is_too_small)
        device, photos = asked.logits.device, len(asked.logits)
        maps, importances = [], []
        for name, shape in asked.shapes.items():
            if name not in self._made:  # no gradient came by: its output does not reach the score
                map_size = self._as_map(name, torch.zeros(shape, device="meta")).shape[2:]
                size = len(self._methods), photos, *map_size
                silent = torch.zeros(size, device=device), torch.zeros(photos, device=device)
                self._made[name] = silent
            maps.append(self._made[name][0].to(device))
            importances.append(self._made[name][1].to(device))
        by_photo = torch.cat([x.transpose(0, 1).flatten(1) for x in maps], dim=1)
        shapes = [(len(self._methods), *x.shape[2:]) for x in maps]
        return (
            [_cut(row, shapes) for row in _to_host(by_photo)],
            torch.stack(importances).cpu().numpy(),
        )

    def further(self, photo: int) -> Further | None:
        """Tell how other methods are computed of what was kept, for one photo."""
        if not self._keep:
            return None
        one = slice(photo, photo + 1)
        layers = {name: (a[one].clone(), g[one].clone()) for name, (a, g) in self._kept.items()}
        blank = {name: x[0][0, photo] for name, x in self._made.items() if name not in layers}
        order = list(self.shapes)

        def maps_of(method: str) -> tuple[np.ndarray, ...]:
            checked_methods(method)
            return tuple(
                method_maps(*layers[name], [method])[0][0, 0].cpu().numpy()
                if name in layers
                else blank[name].cpu().numpy()
                for name in order
            )

        return maps_of


def _to_host(rows: Tensor) -> list[np.ndarray]:
    """Take a tensor to the CPU in one transfer, each of its rows into memory of its own."""
    pinned = rows.is_cuda  # pages that PyTorch keeps for the next time, and copies to at once
    if pinned:
        rows = torch.empty(rows.shape, dtype=rows.dtype, pin_memory=True).copy_(rows)
    host = rows.cpu().numpy()
    return [row.copy() if pinned or len(host) > 1 else row for row in host]


def _cut(numbers: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Cut a row of numbers into arrays of some shapes."""
    parts, end = [], 0
    for shape in shapes:
        start, end = end, end + math.prod(shape)
        parts.append(numbers[start:end].reshape(shape))
    return parts


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


def _check_precision(name: str, is_too_small: Tensor) -> None:
    """Refuse gradients that float16 cannot hold: maps made of them would be zero or noise."""
    if is_too_small:
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


def host_targets(given: Any, argument: str = "target") -> list[int] | int | None:  # noqa: ANN401
    """Read class indices as whole numbers of Python, before the pass; None stays None.

    Raises
    ------
    TypeError
        Something else than whole numbers.
    """
    if given is None:
        return None
    if isinstance(given, Tensor) and given.dtype != torch.bool:
        given = given.tolist()  # one transfer
    indices = []
    for one in list(given) if np.ndim(given) == 1 else [given]:
        index = whole(one)
        if index is None:
            raise TypeError(f"{argument} must be the index of a class, not {one!r}.")
        indices.append(index)
    return indices if np.ndim(given) == 1 else indices[0]


def checked_targets(
    given: Sequence[int] | int | None, logits: Tensor, argument: str = "target"
) -> Tensor:
    """One class index per photo, (N,) int64; None: the most probable ones."""
    if given is None:  # as the probabilities are given out: equal to rounding, the first wins
        return logits.float().softmax(1).argmax(1)
    indices = [given] * len(logits) if isinstance(given, int) else list(given)
    for index in indices:
        if not 0 <= index < logits.shape[1]:
            raise ValueError(
                f"{argument} must be between 0 and {logits.shape[1] - 1}, not {index}."
            )
    if len(indices) != len(logits):
        raise ValueError(f"{argument} must hold one index for each of the {len(logits)} photos.")
    return torch.tensor(indices, device=logits.device)
