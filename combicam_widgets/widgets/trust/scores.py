"""Whether a heatmap can be believed: what is measured, as pure functions, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam import LayerMaps
from combicam_widgets.evaluation import COMBI_CAM, Question, question, reveal
from combicam_widgets.evaluation.asking import Progress
from combicam_widgets.evaluation.controls import smooth_random
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel

_FILLS = ("blur", "mean colour")
"""Two at least, since rankings change with the fill; these two are the quickest to make."""

_STEPS = 8
_RANDOM = 4
_MUCH, _SOME = 0.4, 0.15

_CLEARLY_ABOVE = 1.05
"""Share of the confidence that is seen to be more than all of it."""

_WIDE = 1.0
"""Distance between the worths of random maps: nearly any part of the photo changes the answer."""

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, eq=False)
class Measured:
    """How much of the answer each of n heatmaps carries, mean over two fills.

    Attributes
    ----------
    areas : (S + 1,) array
        Part of the photo, 0 to 1.
    insertion, deletion : (n, S + 1) arrays
        Confidence in the target, as a share of that for the whole photo, with the hottest part of
        each area shown alone, or taken away.
    worth : (n,) array
        The area between the two; about 0 for chance.
    """

    areas: npt.NDArray[np.float64]
    insertion: npt.NDArray[np.float64]
    deletion: npt.NDArray[np.float64]
    worth: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Yardstick:
    """What heatmaps of one photo and target are compared with, measured once.

    Attributes
    ----------
    question : Question
    reference : Measured
        Of Combi-CAM over all layers, n = 1.
    random : Measured
        Of smooth random maps, n = 4.
    """

    question: Question
    reference: Measured
    random: Measured


@dataclass(frozen=True, eq=False, repr=False)
class Scores:
    """The heatmap on screen beside those that it is compared with.

    Attributes
    ----------
    shown : Measured
        Of the heatmap on screen, n = 1.
    yardstick : Yardstick
    """

    shown: Measured
    yardstick: Yardstick

    @property
    def worth(self) -> float:
        """Of the heatmap on screen."""
        return float(self.shown.worth[0])

    @property
    def reference(self) -> float:
        """Of Combi-CAM: Grad-CAM, all layers, plain sum."""
        return float(self.yardstick.reference.worth[0])

    @property
    def chance(self) -> tuple[float, float]:
        """Lowest and highest worth of the random maps."""
        worth = self.yardstick.random.worth
        return float(worth.min()), float(worth.max())

    def sentence(self) -> str:
        """Say in one line what the numbers mean."""
        by_chance, (_, best) = float(self.yardstick.random.worth.mean()), self.chance
        if self.worth <= max(by_chance, 0.0):
            return (
                f"Worth {number(self.worth)}: no better than a map drawn at random. What is hot "
                "here does not carry the answer."
            )
        if self.worth <= best:
            return f"Worth {number(self.worth)}: not clearly better than maps drawn at random."
        much = "much" if self.worth >= _MUCH else "some" if self.worth >= _SOME else "little"
        carries = (
            "alone convinces the network more than the whole photo does"
            if self.worth > 1
            else f"carries {much} of the answer"
        )
        caution = (
            " Random maps differ widely on this photo: take the number with caution."
            if np.ptp(self.chance) > _WIDE
            else ""
        )
        return f"Worth {number(self.worth)}: what is hot here {carries}.{caution}"

    def __repr__(self) -> str:
        low, high = map(number, self.chance)
        return (
            f"Scores(worth {number(self.worth)}, Combi-CAM {number(self.reference)}, "
            f"random maps {low} to {high})"
        )


def yardstick(
    model: GeoModel, photo: Photo, maps: LayerMaps, progress: Progress | None = None
) -> Yardstick:
    """Measure Combi-CAM and a few random maps: some 140 forward passes.

    Parameters
    ----------
    model : GeoModel
    photo : Photo
    maps : LayerMaps
        Of this photo.
    progress : callable, optional
        Called as ``progress(done, total)``; what it raises stops the work.
    """
    asks = question(model, photo, maps.target)
    size = (asks.batch.shape[2], asks.batch.shape[3])
    combi_cam = COMBI_CAM.heatmap(maps, size)
    chance = [smooth_random(size, seed=seed) for seed in range(_RANDOM)]
    both = measured(asks, [combi_cam, *chance], progress)
    return Yardstick(asks, _part(both, slice(0, 1)), _part(both, slice(1, None)))


def measured(
    asks: Question,
    heatmaps: Sequence[npt.NDArray[np.float32]],
    progress: Progress | None = None,
) -> Measured:
    """Measure heatmaps with two fills: 28 forward passes for each."""
    curves = [
        reveal(
            asks.ask,
            asks.batch,
            heatmaps,
            fill,
            steps=_STEPS,
            probability=asks.probability,
            progress=progress,
        )
        for fill in _FILLS
    ]
    return Measured(
        areas=curves[0].areas,
        insertion=np.mean([c.inserted for c in curves], 0) / asks.probability,
        deletion=np.mean([c.deleted for c in curves], 0) / asks.probability,
        worth=np.mean([c.worth for c in curves], 0),
    )


def marks(scores: Scores) -> list[dict[str, object]]:
    """Put the numbers on a scale: what `trust.js` draws."""
    low, high = scores.chance
    return [
        {
            "kind": "shown",
            "label": "this heatmap",
            "value": scores.worth,
            "text": number(scores.worth),
        },
        {
            "kind": "reference",
            "label": "Combi-CAM, all layers",
            "value": scores.reference,
            "text": number(scores.reference),
        },
        {
            "kind": "random",
            "label": "random maps",
            "low": low,
            "high": high,
            "text": f"{number(low)} to {number(high)}",
        },
    ]


def chart(scores: Scores) -> dict[str, object]:
    """Draw the curves behind the numbers: what `trust.js` draws."""
    names = ("insertion", "deletion")
    lines = {"shown": scores.shown, "reference": scores.yardstick.reference}
    chance = scores.yardstick.random
    highest = max(getattr(of, name).max() for of in lines.values() for name in names)
    shown, gone = (_halfway(getattr(scores.shown, name)[0]) for name in names)
    return {
        "areas": scores.shown.areas.tolist(),
        "lines": [
            {"kind": kind, **{name: getattr(of, name)[0].round(4).tolist() for name in names}}
            for kind, of in lines.items()
        ],
        "band": {
            name: {
                "low": getattr(chance, name).min(0).round(4).tolist(),
                "high": getattr(chance, name).max(0).round(4).tolist(),
            }
            for name in names
        },
        "insertion": f"with the hottest half, {shown} of the confidence",
        "deletion": f"without the hottest half, {gone} of the confidence",
        "words": (
            "The photo appears bit by bit, the hottest parts first, and disappears in the same "
            "order. 100 % is the confidence in the whole photo. A good heatmap brings the answer "
            "back early and, taken away, loses it early. Worth is the area between the two curves: "
            "about 0 for a map that knows nothing, 1 for one that carries it all. Solid: this "
            "heatmap; dashed: Combi-CAM; grey: random maps. What is missing is once blurred and "
            "once one plain colour; each curve is the mean of both."
            + (
                " Above 100 %, a part of the photo convinces the network more than all of it."
                if highest > _CLEARLY_ABOVE
                else ""
            )
        ),
    }


def number(worth: float) -> str:
    """Write a worth as people read it: "0.52", "-0.03" (with a minus sign)."""
    text = f"{abs(worth):.2f}"
    return f"{_MINUS}{text}" if worth < 0 and float(text) else text


def _halfway(curve: npt.NDArray[np.float64]) -> str:
    return f"{100 * curve[len(curve) // 2]:.0f} %"


def _part(of: Measured, which: slice) -> Measured:
    return Measured(of.areas, of.insertion[which], of.deletion[which], of.worth[which])
