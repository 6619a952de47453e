"""Traits that are fields of the one value that an explorer shows."""

from __future__ import annotations

from typing import Any

import traitlets as T

from combicam_widgets.widgets.explorer.places import picture, titles
from combicam_widgets.widgets.traits import Coerced, as_photo


class Held(T.TraitType[Any, Any]):
    """A trait whose value is a field of the one value that an explorer shows.

    Nothing is kept in the trait: it cannot say something else than the page.
    """

    def get(self, obj: Any, cls: Any = None) -> Any:  # noqa: ANN401, ARG002
        """Read the field."""
        return obj.value_of(self.name)


class Setting(Held, Coerced):
    """A trait that may be set: a change of the value that is shown."""

    def set(self, obj: Any, value: object) -> None:  # noqa: ANN401
        """Ask for a change, which takes effect at once, or raises and changes nothing."""
        obj.change({self.name: self._validate(obj, value)})


class Result(Held):
    """A trait that follows from the others."""

    def __init__(self) -> None:
        super().__init__(read_only=True)

    def set(self, obj: Any, value: object) -> None:  # noqa: ANN401
        """Refuse, but for other maps of the same layers, photo and model."""
        if self.name != "maps":
            raise T.TraitError(f"{self.name} follows from the other traits and cannot be set.")
        obj.change({"maps": value})


class Picture(Setting):
    """A photo: whatever `as_photo` accepts, or a title from the menu of photos or places."""

    def __init__(self) -> None:
        super().__init__(as_photo)

    def validate(self, obj: Any, value: object) -> object:  # noqa: ANN401
        """Turn a title into the picture that the menu would show, anything else into a photo."""
        if isinstance(value, str) and value in titles(obj.model):
            return picture(obj.model, value, obj.tile_width)
        return super().validate(obj, value)
