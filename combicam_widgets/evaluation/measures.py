"""All measures of one heatmap, as one value that a person can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from combicam_widgets.evaluation.asking import FLOOR, Ask, Floats, Progress, question
from combicam_widgets.evaluation.fills import CHOOSING, Fill
from combicam_widgets.evaluation.imputing import road
from combicam_widgets.evaluation.masking import area_gain, masked, saco
from combicam_widgets.evaluation.revealing import Heatmap, resized, reveal
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel

_ROAD_AREAS = (0.2, 0.5, 0.8)


@dataclass(frozen=True, eq=False)
class FillMeasures:
    """What was measured with one fill.

    Attributes
    ----------
    fill : str
        What stood where the photo was taken away.
    areas, inserted, deleted : (S + 1,) float64 arrays
        The curves: part of the photo, and the target's probability, in [0, 1].
    insertion, deletion : float
        Areas below the curves, in [0, 1]: raw, not divided by p. Higher and lower are better.
    worth : float
        (insertion - deletion) / p: 0 for chance, higher is better; may exceed 1.
    drop : float
        max(0, p - o) / p in [0, 1] with o = probability seen through the heatmap; lower is better.
    increase : float
        1 where o > p, else 0.
    gain : float
        max(0, o - p) / (1 - p) in [0, 1]; higher is better.
    saco : float
        In [-1, 1]: whether more heat matters more.
    area_gain : float
        What the hottest 30 % keeps beyond smooth random areas of that size, divided by p.
    """

    fill: str
    areas: Floats
    inserted: Floats
    deleted: Floats
    insertion: float
    deletion: float
    worth: float
    drop: float
    increase: float
    gain: float
    saco: float
    area_gain: float


@dataclass(frozen=True, eq=False, repr=False)
class Measures:
    """How right a heatmap is, by several measures that need not agree.

    Attributes
    ----------
    target : int
        Index of the class that is explained.
    probability : float
        p, its probability for the whole photo, in [0, 1].
    fills : tuple of FillMeasures
        What depends on what stands where the photo is taken away.
    road : float
        ROAD, (LeRF - MoRF) / 2 over the areas 20, 50 and 80 %, in [-0.5, 0.5]: higher is better.
    complexity : float
        Mean of the heatmap, in [0, 1]: lower is sparser, which is not yet better.
    """

    target: int
    probability: float
    fills: tuple[FillMeasures, ...]
    road: float
    complexity: float

    @property
    def worth(self) -> float:
        """(insertion - deletion) / p, mean over the fills."""
        return self._mean("worth")

    @property
    def insertion(self) -> float:
        """Area below the insertion curve, raw, mean over the fills; in [0, 1]."""
        return self._mean("insertion")

    @property
    def deletion(self) -> float:
        """Area below the deletion curve, raw, mean over the fills; in [0, 1]."""
        return self._mean("deletion")

    @property
    def drop(self) -> float:
        """Average drop max(0, p - o) / p, mean over the fills; in [0, 1]."""
        return self._mean("drop")

    @property
    def increase(self) -> float:
        """Share of the fills with which o > p; in [0, 1]."""
        return self._mean("increase")

    @property
    def gain(self) -> float:
        """Average gain max(0, o - p) / (1 - p), mean over the fills; in [0, 1]."""
        return self._mean("gain")

    @property
    def saco(self) -> float:
        """SaCo, mean over the fills; in [-1, 1]."""
        return self._mean("saco")

    @property
    def area_gain(self) -> float:
        """What the hottest 30 % keeps beyond chance, divided by p, mean over the fills."""
        return self._mean("area_gain")

    def of(self, fill: str) -> FillMeasures:
        """Give what was measured with one fill, by its name."""
        for each in self.fills:
            if each.fill == fill:
                return each
        names = ", ".join(each.fill for each in self.fills)
        raise ValueError(f"Nothing was measured with the fill {fill!r}, only with {names}.")

    def _mean(self, measure: str) -> float:
        return float(np.mean([getattr(each, measure) for each in self.fills]))

    def __repr__(self) -> str:
        names = [each.fill for each in self.fills]
        width = max(9, *(len(name) for name in names)) + 2
        floored = f", which counts as {FLOOR:g}" if self.probability < FLOOR else ""
        lines = [
            f"Measures for class {self.target}, p = {self.probability:.3g}{floored}",
            " " * 18 + "".join(f"{name:>{width}}" for name in [*names, "mean"]),
        ]
        for label, name in _ROWS.items():
            values = [getattr(each, name) for each in self.fills] + [getattr(self, name)]
            lines.append(f"{label:18}" + "".join(f"{value:>{width}.3f}" for value in values))
        lines.append(f"ROAD {self.road:.3f}   complexity {self.complexity:.3f}")
        return "\n".join(lines)


_ROWS = {
    "insertion, higher": "insertion",
    "deletion, lower": "deletion",
    "worth, higher": "worth",
    "drop, lower": "drop",
    "increase, higher": "increase",
    "gain, higher": "gain",
    "SaCo, higher": "saco",
    "area gain, higher": "area_gain",
}


def measure(
    model: GeoModel | nn.Module,
    photo: Photo | Tensor,
    heatmap: Heatmap,
    *,
    target: int | None = None,
    fills: Sequence[Fill] = CHOOSING,
    steps: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
) -> Measures:
    """Measure one heatmap: about 50 passes for each fill.

    Parameters
    ----------
    model : GeoModel or nn.Module
        A module maps a batch (N, K, h, w) to class scores (logits, (N, C)).
    photo : Photo, or Tensor of shape (1, K, h, w)
        A photo for a geo model; transformed, for a module.
    heatmap : (H, W) array
        Finite, in [0, 1], of any size: it is resized to the batch.
    target : int, optional
        Index of the class that the heatmap explains; default: the most probable one.
    fills : sequence of str or callable
        What stands where the photo is taken away; see `fills.filled`.
    steps : int
        Steps of insertion and deletion, >= 1.
    seed : int
        For the order of ties, what is drawn and the random areas.
    progress : callable, optional
        Called as ``progress(done, total)``, in fills and ROAD; what it raises stops the work.

    Returns
    -------
    Measures

    Raises
    ------
    TypeError, ValueError
        The argument that is wrong, what was given and what to do.
    """
    if not fills:
        raise ValueError("fills must hold at least one fill.")
    asks = question(model, photo, target)
    heat = resized(heatmap, asks.batch)
    measured = []
    for done, fill in enumerate(fills):
        measured.append(_with_fill(asks.ask, asks.batch, heat, fill, steps, seed))
        if progress is not None:
            progress(done + 1, len(fills) + 1)
    combined = road(asks.ask, asks.batch, [heat], areas=_ROAD_AREAS, seed=seed).combined[0]
    if progress is not None:
        progress(len(fills) + 1, len(fills) + 1)
    return Measures(
        target=asks.target,
        probability=asks.probability,
        fills=tuple(measured),
        road=float(combined),
        complexity=float(heat.mean(dtype=np.float64)),
    )


def _with_fill(
    ask: Ask, batch: Tensor, heat: Heatmap, fill: Fill, steps: int, seed: int
) -> FillMeasures:
    curves = reveal(ask, batch, [heat], fill, steps=steps, seed=seed)
    seen = masked(ask, batch, [heat], fill, seed=seed)
    return FillMeasures(
        fill=curves.fill,
        areas=curves.areas,
        inserted=curves.inserted[0],
        deleted=curves.deleted[0],
        insertion=float(curves.insertion[0]),
        deletion=float(curves.deletion[0]),
        worth=float(curves.worth[0]),
        drop=float(seen.drop[0]),
        increase=float(seen.increase[0]),
        gain=float(seen.gain[0]),
        saco=saco(ask, batch, heat, fill, seed=seed),
        area_gain=float(area_gain(ask, batch, [heat], fill, seed=seed)[0]),
    )
