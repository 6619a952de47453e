"""What a page that is handed out holds: photos, and what other fusions of them would say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from combicam_widgets.export import Answer, Snapshot
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.shown.presets import preset
from combicam_widgets.shown.state import Shown, derive

LIKE_THE_FIRST = ("weights", "rule", "normalize", "keep", "opacity", "colormap")
"""Settings that all photos of a page share."""


def hand_out(shown: Shown) -> Snapshot:
    """Freeze what is shown, and ask what each preset and each layer alone would say.

    Costs a forward pass for each layer, and one for each preset of several layers.
    """
    votes = shown.votes or shown.analysis.votes(shown.keep)
    return Snapshot.of(shown, votes, _further(shown, votes))


def _further(shown: Shown, votes: Sequence[GeoPrediction]) -> list[Answer]:
    plain = derive(shown, {"guessing": False, "show_opposite": False})
    several = [
        preset(name, shown.analysis.stages, shown.weights) for name in ("one per stage", "all")
    ]
    answers = [_answer(plain, weights) for weights in several if weights != shown.weights]
    # The hottest part of one layer's heat is the same whatever the rule.
    alone = derive(plain, {"rule": "sum", "normalize": None})
    for name, vote in zip(shown.maps.names, votes, strict=True):
        answers.append(_answer(alone, {name: 1.0}, vote))
    return answers


def _answer(
    shown: Shown, weights: Mapping[str, float], evidence: GeoPrediction | None = None
) -> Answer:
    now = derive(shown, {"weights": weights})
    if not now.heatmap.any():
        evidence = None
    elif evidence is None:
        evidence = now.analysis.evidence(now.heatmap, now.keep)
    said = replace(now, evidence=evidence, answered=now.question)
    return Answer(
        weights=said.weights,
        evidence=evidence,
        status=said.public_status,
        status_with_truth=said.status,
    )
