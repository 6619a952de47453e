"""The gallery joined with the explorer, in which its photos are opened."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from combicam_widgets.widgets.explorer.explorer import Explorer
from combicam_widgets.widgets.gallery import PhotoGallery
from combicam_widgets.widgets.gallery.pictures import as_photo
from combicam_widgets.widgets.traits import as_model


class Gallery(PhotoGallery):  # noqa: D101  (documented where it is alone)
    __doc__ = PhotoGallery.__doc__

    def _explored(self, row: int) -> w.Widget | None:
        """Show the photo of a row in an explorer, the same one each time."""
        model = self.model or getattr(self.many, "model", None)
        if model is None:
            raise ValueError(
                "it is not known which model explains these photos; say so, gallery.model = ..."
            )
        wanted: dict[str, Any] = {
            "model": as_model(model),
            "image": as_photo(self.many.photo(row)),
        }
        explorer: Explorer | None = self.explorer
        if explorer is None or explorer.comm is None:
            return Explorer(**wanted)
        if explorer.model is wanted["model"]:
            del wanted["model"]
        explorer.update(**wanted)
        return explorer
