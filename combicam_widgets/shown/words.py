"""What is seen, in one line of plain English (escaped for a page by whoever shows it)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.geo import GeoPrediction, great_circle_km

NO_EVIDENCE = "The layers that are on hold no positive evidence for this place."


_USUAL = {"log_probability", "probability"}
"""Scores that need no word: their heatmaps are the same by Combi-CAM's rule."""


def method_words(maps: LayerMaps) -> str:
    """Name the CAM method, and the score if that is not a usual one: "gradcam of logit"."""
    is_usual = maps.score in _USUAL or maps.method == "scorecam"
    return maps.method if is_usual else f"{maps.method} of {maps.score}"


def sentence(
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
) -> str:
    """Say where, how sure, what the evidence keeps, and how far from the truth.

    "Sees koala (0.93): near Melbourne, Australia (22 %, 60 % within 750 km); the hottest 30 % alone
    keeps 34 % of the confidence and still points there."

    Parameters
    ----------
    prediction : GeoPrediction
        Of the whole photo.
    target : int
        The cell that is explained.
    evidence : GeoPrediction or None
        Of the highlighted part; None if there is no positive evidence.
    keep : float
        Fraction of the photo that was shown.
    position : (latitude, longitude) or None
        Where the photo was really taken.
    seen : str
        What the model recognised, for example "koala 0.89".
    opposite : GeoPrediction or None
        Of the photo without the highlighted part; None if that was not asked.
    contrast : int or None
        The cell that the target is compared with.
    asked : bool
        Whether it is known what the evidence says; else nothing is said of it.
    """
    best = prediction.best
    place = best.place if seen else best.place[:1].upper() + best.place[1:]
    parts = [
        (f"Sees {_certainty_apart(seen)}: " if seen else "")
        + f"{place} ({percent(best.probability)}, "
        + f"{percent(prediction.density(750))} within 750 km)"
    ]
    there = "there"
    if target != best.index:
        there = "the first place"
        explained = prediction.guess(target)
        parts.append(f"explained instead: {explained.place} ({percent(explained.probability)})")
    if contrast is not None:
        parts.append(f"why there rather than {prediction.guess(contrast).place}")
    if not asked:
        pass
    elif evidence is None:
        parts.append(NO_EVIDENCE.rstrip("."))
    else:
        parts.append(
            f"the hottest {percent(keep)} alone "
            + _kept(kept_confidence(prediction, evidence, target), " of the confidence")
            + _where_to(prediction, evidence, there)
        )
    if opposite is not None:
        parts.append(
            f"the rest {_kept(kept_confidence(prediction, opposite, target))}"
            + _where_to(prediction, opposite, there)
        )
    if position is not None:
        parts.append(f"truly taken {distance(prediction.distance_to(*position))} away")
    return "; ".join(parts) + "."


def kept_confidence(prediction: GeoPrediction, evidence: GeoPrediction, target: int) -> float:
    """Give p(target | evidence) / p(target | photo): above 1 when the evidence alone is clearer."""
    return float(evidence.probabilities[target] / prediction.probabilities[target])


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


def _kept(share: float, of_what: str = "") -> str:
    """Say how much confidence is kept; that it can be more than all needs words of its own."""
    kept = f"{percent(share)}{of_what} and "
    return f"keeps {kept}" if share < 1.005 else f"makes it surer: {kept}"


def _certainty_apart(seen: str) -> str:
    """Put the number behind a name in brackets: "koala 0.93" becomes "koala (0.93)"."""
    return re.sub(r" ([01]\.\d+)$", r" (\1)", seen)


def _where_to(prediction: GeoPrediction, evidence: GeoPrediction, there: str) -> str:
    here, now = prediction.best, evidence.best
    if here.index == now.index:
        return "still points there" if there == "there" else f"still points to {there}"
    km = great_circle_km(here.latitude, here.longitude, now.latitude, now.longitude)
    return f"points {distance(km)} from {there}, {now.place}"
