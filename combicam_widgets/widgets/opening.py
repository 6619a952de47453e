"""The gallery joined with the explorer, in which its photos are opened."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from combicam_widgets.models import GeoModel
from combicam_widgets.widgets.explorer.explorer import Explorer
from combicam_widgets.widgets.gallery import PhotoGallery
from combicam_widgets.widgets.gallery.pictures import as_photo
from combicam_widgets.widgets.traits import as_model


class Gallery(PhotoGallery):  # noqa: D101  (documented where it is alone)
    __doc__ = PhotoGallery.__doc__

    def _explored(self, row: int) -> w.Widget | None:
        """Show the photo of a row in an explorer, the same one each time."""
        model = self._explaining()
        wanted: dict[str, Any] = {"model": model, "image": as_photo(self.many.photo(row))}
        wanted |= _recipe(self.many, row, model)
        explorer: Explorer | None = self.explorer
        if explorer is None or explorer.comm is None:
            return Explorer(**wanted)
        if explorer.model is model:
            del wanted["model"]
        explorer.update(**wanted)
        return explorer

    def _explaining(self) -> GeoModel:
        """Return the model that explains the photos: the one given, or that of the collection."""
        many = self.many
        known = self.model or getattr(many, "model", None)
        known = known or dict(getattr(many, "facts", {})).get("model")
        if known is None:
            raise ValueError(
                "it is not known which model explains these photos; say so, gallery.model = ..."
            )
        try:
            model = as_model(known)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"the model {known!r:.60} explained these photos, and is not known by that name; "
                "give it, gallery.model = ..."
            ) from error
        if tuple(getattr(many, "layers", model.layers)) != tuple(model.layers):
            raise ValueError(
                f"the model {model.name!r} has other layers than the one that explained these "
                "photos; give that one, gallery.model = ..."
            )
        return model


def _recipe(many: Any, row: int, model: GeoModel) -> dict[str, Any]:  # noqa: ANN401
    """Return what makes the heatmap that the small picture shows, if that is known."""
    if not callable(getattr(many, "candidate", None)):
        return {}
    candidate = many.candidate(row)
    if candidate.method == "scorecam":  # takes a pass for each map: who wants it asks for it
        return {}
    weights = dict.fromkeys(model.layers, 1.0) if candidate.weights is None else candidate.weights
    named = {name: float(weights.get(name, 0.0)) for name in model.layers}
    return {"method": candidate.method, "rule": candidate.rule, "weights": named}
