"""Worth: how much of the answer the map of each layer carries alone; and the fusion by worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

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
"""The CAM method whose maps worth is measured of."""

_STEPS = 4

_ROUNDING = 1e-6
"""Worth below which there is nothing but rounding: an answer that never changes is worth 0."""

_TRIED = 8
"""What `weightings` makes, beside one for each fill."""


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
    found = worth_of_layers(question(model, photo, maps.target), maps, fills, steps, seed, progress)
    result: npt.NDArray[np.float32] = np.maximum(0, found.mean(0)).astype(np.float32)
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
    """Weigh the layers by their worth, in the one of a few ways that is worth most.

    The worth of each layer alone does not say how layers do together, nor how far to trust it. So
    a few candidates are made of it (`weightings`; most of them HiResCAM's maps, rule ``mean`` and
    weights worth^2 or the like), each is fused and measured as the layers were, and the one whose
    heatmap is worth most, as the mean over the fills, is taken.

    Parameters
    ----------
    model, photo, maps, fills, steps, seed, progress
        See `layer_worth`; the maps may have any method in view.

    Returns
    -------
    Candidate
        Called "by worth"; its largest weight is 1, its method and rule are what won.

    Raises
    ------
    NothingWorth
        No layer is worth anything for this photo and target.
    """
    of = maps.with_method(METHOD)
    asks = question(model, photo, of.target)
    each = 2 * len(fills) * (steps - 1)
    layers = each * sum(bool(x.any()) for x in of.maps)
    total = layers + each * (_TRIED + len(fills))
    found = worth_of_layers(asks, of, fills, steps, seed, part(progress, 0, total))
    tried = weightings(of.names, found)
    best = best_of(asks, of, tried, fills, steps, seed, part(progress, layers, total))
    if progress is not None and len(tried) < _TRIED + len(fills):
        progress(total, total)  # a fill with which no layer is worth anything makes no candidate
    return best


def worth_of_layers(
    asks: Question,
    maps: cam.LayerMaps,
    fills: Sequence[Fill],
    steps: int = _STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Floats:
    """Measure what each layer alone is worth with each fill: (F, L), signed; see `layer_worth`."""
    steps = checked_count(steps, "steps", 2)
    size = (asks.batch.shape[2], asks.batch.shape[3])
    alone = [cam.fuse([x], [1.0], size) for x in maps.maps]
    measured = [i for i, heatmap in enumerate(alone) if heatmap.any()]
    result = np.zeros((len(fills), len(maps)))
    heatmaps = [alone[i] for i in measured]
    result[:, measured] = _worth_by_fill(asks, heatmaps, fills, steps, seed, progress)
    return np.where(np.abs(result) < _ROUNDING, 0, result)


def weightings(names: Sequence[str], found: Floats) -> list[Candidate]:
    """Make candidates of the worth that layers have with each fill, (F, L): what `by_worth` tries.

    With w the mean over the fills, negative ones as 0, the first is HiResCAM's mean with weights
    w^2. Then w^8, which is nearly the best layer alone; the three best alike; the fills made equal
    first; each fill on its own; all alike; w^2 with the rule ``max``, and with LayerCAM's maps; and
    Combi-CAM itself, so that it is left for something better only.

    Raises
    ------
    NothingWorth
        No layer is worth anything.
    """
    mean = np.maximum(0, found.mean(0))
    if not mean.any():
        raise NothingWorth(
            "No layer's map alone carries anything of this answer, so there is nothing to weigh "
            "the layers by; keep the weights as they are."
        )
    own = [_unit(np.maximum(0, each)) for each in found]
    three = np.zeros(len(mean))
    three[np.argsort(-mean, kind="stable")[:3]] = 1
    squares, alike = _unit(mean) ** 2, np.ones(len(mean))
    weights = [squares, squares**4, three * (mean > 0), _unit(np.sum(own, axis=0)) ** 2]
    weights += [each**2 for each in own if each.any()]
    tried = [(METHOD, "mean", each) for each in (*weights, alike)]
    tried += [(METHOD, "max", squares), ("layercam", "mean", squares), ("gradcam", "sum", alike)]
    return [
        Candidate("by worth", method, rule, dict(zip(names, each.tolist(), strict=True)))
        for method, rule, each in tried
    ]


def best_of(
    asks: Question,
    maps: cam.LayerMaps,
    tried: Sequence[Candidate],
    fills: Sequence[Fill],
    steps: int = _STEPS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Candidate:
    """Measure candidates on a photo and take the one that is worth most, mean over the fills."""
    size = (asks.batch.shape[2], asks.batch.shape[3])
    heatmaps = [candidate.heatmap(maps, size) for candidate in tried]
    worths = _worth_by_fill(asks, heatmaps, fills, steps, seed, progress).mean(0)
    return tried[int(np.argmax(worths))]


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
        maps = explanation(model, photo, methods=METHOD)
        names = maps.names
        worths.append(layer_worth(model, photo, maps, fills=fills, steps=steps, seed=seed))
        if progress is not None:
            progress(done, len(given))
    return replace(weightings(names, np.mean(worths, axis=0)[None])[0], name="learnt")


def _unit(values: Floats) -> Floats:
    """Divide by the largest; zeros stay zeros."""
    largest = values.max()
    return values / largest if largest > 0 else values


def _worth_by_fill(
    asks: Question,
    heatmaps: Sequence[Heatmap],
    fills: Sequence[Fill],
    steps: int,
    seed: int,
    progress: Progress | None,
) -> Floats:
    """Measure the worth of n heatmaps with each fill: (fills, n)."""
    if isinstance(fills, str):
        raise TypeError(f"fills must be a sequence, such as [{fills!r}], not a str.")
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
