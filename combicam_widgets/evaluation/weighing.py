"""Worth: how much of the answer the map of each layer carries alone; and the fusion by worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from combicam_widgets import cam
from combicam_widgets.evaluation.asking import Floats, Progress, Question, part, question
from combicam_widgets.evaluation.candidates import Candidate
from combicam_widgets.evaluation.explaining import explanation
from combicam_widgets.evaluation.fills import CHOOSING, Fill
from combicam_widgets.evaluation.revealing import Heatmap, checked_count, reveal
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel

METHOD = "hirescam"
"""The CAM method whose maps are fused by worth."""

_STEPS = 4


class NothingWorth(ValueError):  # noqa: N818  (an answer about the photo, not a mistake)
    """No layer's map alone carries anything of the answer: there is nothing to weigh by."""


def worth(
    model: GeoModel | nn.Module,
    photo: Photo | Tensor,
    heatmaps: Sequence[Heatmap],
    *,
    target: int | None = None,
    fills: Sequence[Fill] = CHOOSING,
    steps: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> Floats:
    """Measure how much of the answer heatmaps carry: (insertion - deletion) / p, mean over fills.

    Parameters
    ----------
    model, photo, target
        See `question`.
    heatmaps : sequence of n (H, W) arrays in [0, 1]
    fills : sequence of str or callable
        What stands where the photo is taken away; see `fills.filled`.
    steps, seed, progress
        See `reveal`.

    Returns
    -------
    (n,) float64 array
        About 0 for a random order, negative for one that is worse than that. It can exceed 1
        where a part of the photo convinces more than the whole.
    """
    steps = checked_count(steps, "steps", 2)
    asks = question(model, photo, target)
    return np.asarray(_worth_by_fill(asks, heatmaps, fills, steps, seed, progress).mean(0))


def layer_worth(
    model: GeoModel | nn.Module,
    photo: Photo | Tensor,
    maps: cam.LayerMaps,
    *,
    fills: Sequence[Fill] = CHOOSING,
    steps: int = _STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """Measure how much of the answer the map of each layer carries alone.

    worth_l = max(0, mean over fills of (insertion_l - deletion_l) / p), of the heatmap
    H_l = Up(N(L_l)).

    Parameters
    ----------
    model, photo
        See `question`.
    maps : LayerMaps
        Of this photo; the method in view is the one that is measured, its target what is asked.
    fills : sequence of str or callable
        What stands where the photo is taken away; see `fills.filled`.
    steps : int
        Steps of area, >= 2.
    seed : int
        For the order of ties, and for fills that draw.
    progress : callable, optional
        Called as ``progress(done, total)``, in passes; what it raises stops the work.

    Returns
    -------
    (L,) float32 array, >= 0
        Weights for `LayerMaps.fuse`, in forward order.

    Notes
    -----
    The whole photo and the empty one are shared by all layers, and a layer without contrast is
    worth 0 without being asked: at most 2 L (steps - 1) passes for each fill, and one or two more.
    """
    steps = checked_count(steps, "steps", 2)
    asks = question(model, photo, maps.target)
    size = (asks.batch.shape[2], asks.batch.shape[3])
    alone = [cam.fuse([x], [1.0], size) for x in maps.maps]
    measured = [i for i, heatmap in enumerate(alone) if heatmap.any()]
    result = np.zeros(len(maps), np.float32)
    if measured:
        heatmaps = [alone[i] for i in measured]
        found = _worth_by_fill(asks, heatmaps, fills, steps, seed, progress)
        result[measured] = np.maximum(0, found.mean(0))
    return result


def by_worth(
    model: GeoModel | nn.Module,
    photo: Photo | Tensor,
    maps: cam.LayerMaps,
    *,
    fills: Sequence[Fill] = CHOOSING,
    steps: int = _STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Candidate:
    """Weigh each layer by its worth: maps by HiResCAM, rule ``mean``, weights worth^2.

    Parameters
    ----------
    model, photo, maps, fills, steps, seed, progress
        See `layer_worth`; the maps may have any method in view.

    Returns
    -------
    Candidate
        Called "by worth"; its weights are scaled so that the largest is 1.

    Raises
    ------
    NothingWorth
        No layer is worth anything for this photo and target.
    """
    of = maps.with_method(METHOD)
    found = layer_worth(model, photo, of, fills=fills, steps=steps, seed=seed, progress=progress)
    return _weighed("by worth", maps.names, found)


def learn_weights(
    model: GeoModel | nn.Module,
    photos: Iterable[Photo | Tensor],
    *,
    fills: Sequence[Fill] = CHOOSING,
    steps: int = _STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Candidate:
    """Learn one set of weights per model from photos: no extra pass when it is used.

    Parameters
    ----------
    model, fills, steps, seed
        See `layer_worth`.
    photos : iterable of Photo, or of Tensor for a module
        To learn from. Judge the weights on others.
    progress : callable, optional
        Called as ``progress(done, total)``, in photos; what it raises stops the work.

    Returns
    -------
    Candidate
        Called "learnt": maps by HiResCAM, rule ``mean``, weights (mean worth over the photos)^2,
        the largest of them 1.

    Raises
    ------
    NothingWorth
        No layer is worth anything on any of the photos.
    ValueError
        There are no photos.
    """
    given = list(photos)
    if not given:
        raise ValueError("There must be at least one photo to learn from.")
    worths = []
    names: tuple[str, ...] = ()
    for done, photo in enumerate(given, 1):
        maps = explanation(model, photo).with_method(METHOD)
        names = maps.names
        worths.append(layer_worth(model, photo, maps, fills=fills, steps=steps, seed=seed))
        if progress is not None:
            progress(done, len(given))
    return _weighed("learnt", names, np.mean(worths, axis=0))


def _weighed(name: str, layers: Sequence[str], found: npt.NDArray[np.floating]) -> Candidate:
    """Make the candidate with weights worth^2, the largest of them 1."""
    if not found.any():
        raise NothingWorth(
            "No layer's map alone carries anything of this answer, so there is nothing to weigh "
            "the layers by; keep the weights as they are."
        )
    weights = (found / found.max()) ** 2
    return Candidate(name, METHOD, "mean", dict(zip(layers, weights.tolist(), strict=True)))


def _worth_by_fill(
    asks: Question,
    heatmaps: Sequence[Heatmap],
    fills: Sequence[Fill],
    steps: int,
    seed: int,
    progress: Progress | None,
) -> Floats:
    """Measure the worth of n heatmaps with each fill: (fills, n)."""
    if not fills:
        raise ValueError("fills must hold at least one fill.")
    each = 2 * len(heatmaps) * (steps - 1)
    return np.array(
        [
            reveal(
                asks.ask,
                asks.batch,
                heatmaps,
                fill,
                steps=steps,
                seed=seed,
                probability=asks.probability,
                progress=part(progress, i * each, len(fills) * each),
            ).worth
            for i, fill in enumerate(fills)
        ]
    )
