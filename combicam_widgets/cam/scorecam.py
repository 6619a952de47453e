"""Score-CAM: how much each channel, used as a mask of the photo, says for the target.

No gradients, but one forward pass per channel: slow work, in batches, with progress and cancel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from combicam_widgets.cam.axes import as_map, checked_axes
from combicam_widgets.cam.explain import (
    Layers,
    check_that_all_ran,
    checked_targets,
    host_targets,
    layer_names,
)
from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.cam.passes import (
    Output,
    captured,
    checked_batch,
    checked_scores,
    on_device_of,
    picked,
    say_once,
)
from combicam_widgets.cam.precision import unlowered
from combicam_widgets.cam.replicas import Replica, recordable
from combicam_widgets.cam.scores import class_score
from combicam_widgets.cam.shortage import shortage_told
from combicam_widgets.cam.upsampling import FLAT
from combicam_widgets.whole import whole

_SCORE = "logit"


class Cancelled(Exception):  # noqa: N818  (no error: somebody asked for it)
    """Slow work was stopped because its ``cancelled`` said so."""


def score_cam(
    network: nn.Module,
    batch: Tensor,
    target: int | None = None,
    layers: Layers | None = None,
    *,
    at_once: int = 16,
    progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    size: tuple[int, int] | None = None,
    output: Output | None = None,
) -> LayerMaps:
    """Compute the Score-CAM map of each layer (Wang et al., CVPR Workshops 2020).

    The map of a layer with activations A (K, h, w) is relu(sum_k w_k A_k). The weights are
    w = softmax_k(z_k) with z_k the *logit* of the target for the photo multiplied by the mask
    N(Up(A_k)): bilinear to the photo's size with aligned corners, stretched to [0, 1].

    It needs no gradients, but one forward pass per channel of each layer, so choose few layers:
    the last one of a ResNet-50 alone has 2,048 channels.

    Parameters
    ----------
    network : nn.Module
        Any classifier: maps a batch (N, 3, h, w) to class scores (logits, (N, C)). It is left as
        it was: no hook, mode or flag changes, on success, failure or cancel.
    batch : Tensor, shape (1, 3, h, w) or (3, h, w)
        One photo, transformed as the network wants it.
    target : int, optional
        Index of the class to explain; default: the most probable one.
    layers : sequence of str or nn.Module, or str, optional
        Modules whose outputs are maps, their names, or a granularity, as for `explain`.
    at_once : int
        Masked photos per forward pass, >= 1. The maps do not depend on it, memory and the wait of
        other threads do. On a CPU fewer can be faster: try 4.
    progress : callable, optional
        Called as ``progress(done, total)`` after each batch, with the numbers of masked photos
        over all layers, in the calling thread.
    cancelled : callable, optional
        Asked before each batch; when it returns true, `Cancelled` is raised.
    size : (H, W), optional
        Size of the heatmaps; default: that of the batch.
    output : str, int or callable, optional
        Which of several outputs of the network are the class scores; see `explain`.

    Returns
    -------
    LayerMaps
        With the one method ``scorecam`` and the score ``logit``. There are no gradients, so
        ``importances`` is zero and the rule ``winsor`` treats all layers alike.

    Raises
    ------
    Cancelled
        ``cancelled`` returned true.
    TypeError, ValueError
        The argument that is wrong, what was given and what to do; as for `explain`.

    Notes
    -----
    The logit is the score of the paper's Algorithm 1 and of the CAM libraries; the score of its
    baseline image is the same for all channels and cancels in the softmax. (Section 3.2 of the
    paper and its authors' code take probabilities, the code as weights without a softmax over
    the channels. Inside that softmax probabilities would be too much alike: no two weights could
    differ by more than a factor of e.)

    Masking is done on the transformed photo: where the mask is 0, so is the network's input, which
    is the mean colour if the transform subtracts it. A channel that is constant (to rounding: a
    contrast below 1e-5 of its largest value) says nothing about *where*; its mask is all zeros
    and it keeps the weight which the definition gives it for that empty photo. A layer in which
    all channels are constant therefore shows their plain average.
    """
    at_once = _checked_count(at_once)
    batch = on_device_of(network, checked_batch(batch)).detach()
    if len(batch) != 1:
        raise ValueError(f"Score-CAM explains one photo at a time, not a batch of {len(batch)}.")
    _stop_if(cancelled)
    names = layer_names(network, batch, layers)
    scores, outputs = captured(network, names, batch)
    logits = checked_scores(picked(scores, output), 1, partial(say_once, network))
    check_that_all_ran(network, names, outputs)
    index = int(checked_targets(host_targets(target), logits)[0])
    probabilities = logits.detach().float().softmax(1)[0].cpu().numpy()
    for name, x in outputs.items():
        if len(x) != len(logits):
            raise ValueError(
                f"Layer {name!r} gives {len(x)} maps for one photo; choose another layer."
            )
    axes = checked_axes(network, batch, {name: tuple(x.shape) for name, x in outputs.items()})
    layer_activations = {name: as_map(x, axes[name])[0].float() for name, x in outputs.items()}
    outputs.clear()
    for name, activations in layer_activations.items():
        if not activations.isfinite().all():
            raise ValueError(
                f"Layer {name!r} gives NaN or infinite values for this photo; leave it out."
            )
    names = tuple(layer_activations)
    done, total = 0, sum(len(activations) for activations in layer_activations.values())
    maps = []
    for name in names:
        activations = layer_activations.pop(name)  # free once its map is there
        channel_scores = []
        for first in range(0, len(activations), at_once):
            _stop_if(cancelled)
            channels = activations[first : first + at_once]
            with shortage_told(f"give a smaller at_once than {at_once}, or a smaller photo"):
                channel_scores.append(_scores(network, batch, channels, index, output))
            done += len(channels)
            if progress is not None:
                progress(done, total)
        weights = torch.cat(channel_scores).softmax(0)
        maps.append(_weighted(activations, weights).relu().cpu().numpy())
    return LayerMaps(
        names=names,
        methods={"scorecam": tuple(maps)},
        method="scorecam",
        size=size or (batch.shape[2], batch.shape[3]),
        target=index,
        score=_SCORE,
        probabilities=probabilities,
        importances=np.zeros(len(names), np.float32),
    )


@unlowered
def _weighted(activations: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("k,khw->hw", weights, activations)


@recordable
def _scores(
    network: nn.Module, photo: Tensor, channels: Tensor, target: int, output: Output | None
) -> Tensor:
    """Score of the photo (1, 3, H, W) seen through each of the channels (n, h, w): (n,)."""
    photos = photo * _masks(channels, (photo.shape[2], photo.shape[3])).to(photo.dtype)
    with Replica(network) as twin:
        given = twin(photos)
    try:
        logits = checked_scores(picked(given, output), len(channels)).detach()
    except ValueError as error:
        raise ValueError(f"With the photo masked by a channel: {error}") from error
    targets = torch.full((len(channels),), target, device=logits.device)
    return class_score(_SCORE, logits, targets).to(channels.device)


def _masks(channels: Tensor, size: tuple[int, int]) -> Tensor:
    """N(Up(channels)): (n, h, w) -> (n, 1, H, W) in [0, 1], all zeros where constant."""
    largest = channels.abs().amax((1, 2), keepdim=True)
    # In units of the largest value, neither huge nor tiny channels leave the range of float32.
    unit = channels / torch.where(largest > 0, largest, 1)
    up = F.interpolate(unit[:, None], size, mode="bilinear", align_corners=True)
    low, high = up.amin((2, 3), keepdim=True), up.amax((2, 3), keepdim=True)
    flat = high - low <= FLAT
    return torch.where(flat, 0, (up - low) / torch.where(flat, 1, high - low))


def _stop_if(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("Score-CAM was cancelled.")


def _checked_count(at_once: int) -> int:
    count = whole(at_once)
    if count is None:
        raise TypeError(f"at_once must be a whole number of photos, not {at_once!r}.")
    if count < 1:
        raise ValueError(f"at_once must be at least 1, not {count}.")
    return count
