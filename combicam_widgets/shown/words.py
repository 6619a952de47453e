"""What is seen, in plain English (escaped for a page by whoever shows it)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.cam.rules import get_rule
from combicam_widgets.geo import GeoPrediction

NO_EVIDENCE = "The layers that are on hold no positive evidence for this place."


_USUAL = {"log_probability", "probability"}
"""Scores that need no word: their heatmaps are the same by Combi-CAM's rule."""


def method_words(maps: LayerMaps) -> str:
    """Name the CAM method, and the score if that is not a usual one: "gradcam of logit"."""
    is_usual = maps.score in _USUAL or maps.method == "scorecam"
    return maps.method if is_usual else f"{maps.method} of {maps.score}"


_METHODS = {
    "gradcam": "each channel of a layer counts by its mean gradient",
    "gradcam++": "each channel counts by its positive gradients, so that all occurrences count",
    "xgradcam": "each channel counts by its mean gradient where it is active",
    "hirescam": "each pixel counts by its own gradient, with both signs",
    "layercam": "each pixel counts by its own gradient, if that is positive",
    "scorecam": "each channel counts by the score of the photo masked by it (slow: many passes)",
}
_NORMALIZATIONS: dict[str | None, str] = {
    None: "the maps stay as they are, so a layer that found much counts more",
    "minmax": "each map is stretched to 0 to 1 first, so all layers count alike",
    "max": "each map is divided by its largest value first, so all layers count alike",
}


def explained(method: str, rule: str, normalize: str | None) -> str:
    """Say what a method, a rule and a normalisation do, for where they are chosen."""
    what = _METHODS.get(method, "a method of your own")
    summary = get_rule(rule).summary or "a rule of your own"
    return f"{method}: {what}. {rule}: {summary}. Normalise: {_NORMALIZATIONS[normalize]}."


def sentences(
    prediction: GeoPrediction,
    target: int,
    evidence: GeoPrediction | None,
    keep: float,
    position: tuple[float, float] | None,
    seen: str = "",
    opposite: GeoPrediction | None = None,
    contrast: int | None = None,
    *,
    asked: bool = True,
    pinned: float | None = None,
) -> tuple[str, ...]:
    """Say where, and how sure from what to what; then, in further sentences, all else.

    "Sees koala: near Melbourne, Australia (22 % with the whole photo, 19 % with the evidence, its
    hottest 30 %)." All percentages are of the place that is explained. They are probabilities,
    never ratios of two: many times next to nothing is still next to nothing.

    Parameters
    ----------
    prediction : GeoPrediction
        Of the whole photo.
    target : int
        The cell that is explained.
    evidence : GeoPrediction or None
        Of the evidence; None if there is no positive evidence.
    keep : float
        Fraction of the photo that was shown.
    position : (latitude, longitude) or None
        Where the photo was really taken.
    seen : str
        What the model recognised, for example "koala 0.89".
    opposite : GeoPrediction or None
        Of the photo without the evidence; None if that was not asked.
    contrast : int or None
        The cell that the target is compared with.
    asked : bool
        Whether it is known what the evidence says; else nothing is said of it.
    pinned : float or None
        Probability of the target with the evidence of the fusion that is pinned; None: none is.
    """
    best, explained = prediction.best, prediction.guess(target)
    instead = "" if target == best.index else "explained instead: "
    shares = [f"{percent(explained.probability)} with the whole photo"]
    if pinned is not None:
        shares.append(f"pinned {percent(pinned)}")
    if asked and evidence is not None:
        now = "" if pinned is None else "now "
        kept = percent(float(evidence.probabilities[target]))
        shares.append(f"{now}{kept} with the evidence, its hottest {percent(keep)}")
    if opposite is not None:
        shares.append(f"{percent(float(opposite.probabilities[target]))} with the rest")
    thing, certainty = _recognised(seen)
    sees = f"Sees {thing}{'; ' if instead else ': '}" if seen else ""
    head = f"{sees}{instead}{explained.place} ({', '.join(shares)})"
    moved = evidence is not None and asked and evidence.best.index != best.index
    if asked and evidence is None:
        head += f": {NO_EVIDENCE[:1].lower()}{NO_EVIDENCE[1:-1]}"
    elif moved and evidence is not None and not instead:
        head += f"; the evidence points {_where_to(prediction, evidence, 'there')}"
    more = [f"Certainty of {thing}: {certainty}."] if certainty else []
    most = (
        "There"
        if not instead
        else f"Most probable is {best.place} with {percent(best.probability)}; there"
    )
    more.append(f"{most} and within 750 km lie {percent(prediction.density(750))}.")
    if contrast is not None:
        other = prediction.guess(contrast)
        more.append(
            f"The heat says why there rather than {other.place} ({percent(other.probability)})."
        )
    for name, answer in (("evidence", evidence if asked else None), ("rest", opposite)):
        if answer is not None and (instead or name == "rest" or not moved):
            more.append(f"The {name} {_points(prediction, answer)}.")
    if position is not None:
        more.append(f"It was truly taken {distance(prediction.distance_to(*position))} away.")
    return f"{head[:1].upper()}{head[1:]}.", *more


def distance(km: float) -> str:
    """Write a distance as people say it: "120 km", "1,340 km"."""
    rounded = round(km, -1) if km >= 100 else round(km)
    return f"{rounded:,.0f} km"


def fusion_label(maps: LayerMaps, rule: str, weights: Mapping[str, float]) -> str:
    """Say in a few words what a fusion is: "gradcam, sum, 15 of 16 layers"."""
    on = sum(weight > 0 for weight in weights.values())
    return f"{method_words(maps)}, {rule}, {on} of {len(weights)} layers"


def percent(fraction: float) -> str:
    """Write a fraction as people say it: "81 %", "less than 1 %"."""
    if 0 < fraction < 0.01:
        return "less than 1 %"
    return f"{100 * fraction:.0f} %"


def _recognised(seen: str) -> tuple[str, str]:
    """Take the number off a name: "koala 0.93" is a koala, to 93 %."""
    found = re.fullmatch(r"(.*) ([01]\.\d+)", seen)
    return (found[1], percent(float(found[2]))) if found else (seen, "")


def _points(prediction: GeoPrediction, answer: GeoPrediction) -> str:
    if answer.best.index == prediction.best.index:
        return "still points to the most probable place"
    return "points " + _where_to(prediction, answer, "the model's own answer")


def _where_to(prediction: GeoPrediction, evidence: GeoPrediction, own: str) -> str:
    """Say where else an answer lies, and how far from the model's own, as the map's line does."""
    now = evidence.best
    km = prediction.distance_to(now.latitude, now.longitude)
    return f"{distance(km)} from {own}, {now.place}"
