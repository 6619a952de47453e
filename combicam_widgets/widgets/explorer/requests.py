"""What a model is to be asked for a change that arithmetic on layer maps cannot make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from combicam_widgets.cam import METHODS, SCORES, SLOW_METHODS, LayerMaps
from combicam_widgets.evaluation import by_worth
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel
from combicam_widgets.shown.analysis import Analysis
from combicam_widgets.shown.state import Shown
from combicam_widgets.widgets.explorer.places import first_picture

PhotoOf: TypeAlias = Photo | Callable[[GeoModel], Photo]
"""A photo, or how to get one for a model."""

ASKED = ("model", "image", "target", "contrast", "score")
"""What cannot be changed without asking a model."""


@dataclass(frozen=True)
class Request:
    """A question to a model.

    Attributes
    ----------
    model : GeoModel or str
    image : Photo or callable
    target, contrast : int or None
    method, score : str
    """

    model: Any
    image: PhotoOf
    target: int | None
    contrast: int | None
    method: str
    score: str


def request_for(shown: Shown, wanted: Mapping[str, Any], puzzle: PhotoOf) -> Request | None:
    """Return what a model is to be asked for a change; None: nothing.

    Another photo or model is asked about anew; a model that sees another kind of picture gets one.
    Who begins to guess gets a ``puzzle`` if it is not known where the present photo was taken. Maps
    of a method of somebody's own are made anew, since its code may be another one by now.
    """
    wanted = dict(wanted)
    if wanted.get("guessing") and shown.image.position is None:
        wanted.setdefault("image", puzzle)
    method = wanted.get("method", shown.method)
    known = set(shown.maps.methods)
    if "method" in wanted:
        known &= {*METHODS, *SLOW_METHODS}
    if not set(ASKED) & set(wanted) and method in known:
        return None
    anew = "image" in wanted or "model" in wanted
    model = wanted.get("model", shown.model)
    return Request(
        model,
        wanted.get("image") or _kept_or_first(shown),
        wanted.get("target", None if anew else shown.target),
        wanted.get("contrast", None if anew else shown.contrast),
        method,
        wanted.get("score", shown.score),
    )


def analyse(
    model: GeoModel,
    photo: Photo,
    target: int | None,
    method: str,
    contrast: int | None = None,
    score: str = SCORES[0],
    report: Callable[[int, int], None] | None = None,
) -> Analysis:
    """Ask a model about a photo: one forward and one backward (and what naming things takes).

    ``report`` is called with (done, total) by methods that need many passes.
    """
    maps: LayerMaps = model.explain(photo, target, method, score, contrast, report)
    return Analysis(model, photo, target, model.prediction_of(maps), maps, model.seen(photo))


def weigh_by_worth(
    analysis: Analysis, report: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Measure what each layer is worth; returns a change of method, rule and weights.

    ``report`` is called with (done, total) passes.

    Raises
    ------
    NothingWorth
        No layer alone carries anything of the answer.
    """
    model = cast(GeoModel, analysis.model)
    best = by_worth(model, analysis.photo, analysis.maps, progress=report)
    weights = dict.fromkeys(analysis.maps.names, 1.0) if best.weights is None else best.weights
    return {"method": best.method, "rule": best.rule, "normalize": None, "weights": weights}


def _kept_or_first(shown: Shown) -> Callable[[GeoModel], Photo]:
    def photo(model: GeoModel) -> Photo:
        if model.from_above == shown.model.from_above:
            return shown.image
        return first_picture(model, shown.tile_width)

    return photo
