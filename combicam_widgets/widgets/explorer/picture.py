"""The trait that holds the photo of an explorer."""

from __future__ import annotations

from typing import Any

import traitlets as T

from combicam_widgets.widgets.explorer.handing_in import check_image
from combicam_widgets.widgets.explorer.places import picture, titles
from combicam_widgets.widgets.held import Setting
from combicam_widgets.widgets.traits import as_photo


class Picture(Setting):
    """A photo: whatever `as_photo` accepts, or a title from the menu of photos or places."""

    def __init__(self) -> None:
        super().__init__(as_photo)

    def validate(self, obj: Any, value: object) -> object:  # noqa: ANN401
        """Turn a title into the picture that the menu would show, anything else into a photo."""
        try:
            check_image(value)
        except ValueError as error:
            raise T.TraitError(str(error)) from error
        if isinstance(value, str) and value in titles(obj.model):
            return picture(obj.model, value, obj.tile_width)
        return super().validate(obj, value)
