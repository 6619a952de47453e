"""One forward and one backward: the maps of all layers at once."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from combicam_widgets.cam.architecture import architecture
from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.cam.methods import METHODS, method_maps
from combicam_widgets.cam.passes import captured, checked_batch, checked_scores, on_device_of
from combicam_widgets.cam.scores import check_score, class_score


def explain(
    network: nn.Module,
    batch: Tensor,
    target: int | None = None,
    layers: Sequence[str] | None = None,
    method: str = "gradcam",
    score: str = "log_probability",
    size: tuple[int, int] | None = None,
) -> LayerMaps:
    """Compute one class activation map per layer in a single pass.

    Parameters
    ----------
    network : nn.Module
        Any classifier: maps a batch (N, 3, h, w) to class scores (logits, (N, C)). It is left as
        it was: no hook, mode or flag changes, on success or failure.
    batch : Tensor, shape (1, 3, h, w) or (3, h, w)
        One photo, transformed as the network wants it.
    target : int, optional
        Index of the class to explain; default: the most probable one.
    layers : sequence of str, optional
        Names of modules with 4-D outputs; default: those that `architecture` finds.
    method : str
        The CAM method in view, one of `METHODS`. All of them come from the same pass:
        `LayerMaps.with_method` switches without another one.
    score : str
        What is differentiated, one of `SCORES`.
    size : (H, W), optional
        Size of the heatmaps; default: that of the batch.

    Returns
    -------
    LayerMaps

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
        raise ValueError(f"Unknown CAM method {method!r}; the methods are {', '.join(METHODS)}.")
    batch = on_device_of(network, checked_batch(batch))
    if len(batch) != 1:
        raise ValueError(f"One photo at a time, not a batch of {len(batch)}.")
    if layers is None:
        layers = architecture(network, batch).names
    if isinstance(layers, str) or not layers:
        raise ValueError(f"layers must be a list of at least one layer name, not {layers!r}.")
    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        captured(network, layers) as outputs,
    ):
        # A detached copy: a tensor made under inference mode cannot take part in a graph, one that
        # requires grad would undo the cut, and the network may work in place on its input.
        logits = checked_scores(network(batch.detach().clone()), 1)
        idle = [name for name in layers if name not in outputs]
        if idle:
            raise ValueError(
                f"Layer {idle[0]!r} does not run in a pass of the network; leave it out."
            )
        index = _checked_target(target, logits)
        if not logits.requires_grad:
            raise RuntimeError(
                "The gradient of the score does not reach any of the layers: the network "
                "detaches it or runs under torch.no_grad() on the way."
            )
        value = class_score(score, logits, torch.tensor([index], device=logits.device))
        gradients = torch.autograd.grad(value.sum(), list(outputs.values()), allow_unused=True)
    with torch.inference_mode():
        stacks = [
            method_maps(a, torch.zeros_like(a) if g is None else g)[:, 0].cpu().numpy()
            for a, g in zip(outputs.values(), gradients, strict=True)
        ]
        probabilities = logits.float().softmax(1)[0].cpu().numpy()
    return LayerMaps(
        names=tuple(outputs),
        methods={name: tuple(stack[m] for stack in stacks) for m, name in enumerate(METHODS)},
        method=method,
        size=size or (batch.shape[2], batch.shape[3]),
        target=index,
        score=score,
        probabilities=probabilities,
    )


def _checked_target(target: int | None, logits: Tensor) -> int:
    if target is None:
        return int(logits[0].argmax())
    try:
        index = operator.index(target)
    except TypeError:
        index = None
    if index is None or isinstance(target, bool):
        raise TypeError(f"target must be the index of a class, not {target!r}.")
    if not 0 <= index < logits.shape[1]:
        raise ValueError(f"target must be between 0 and {logits.shape[1] - 1}, not {index}.")
    return index
