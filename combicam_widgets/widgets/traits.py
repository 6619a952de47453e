"""A trait that turns what people give into what the explorer holds, with readable errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import traitlets as T

from combicam_widgets.geo.earth import check_coordinates
from combicam_widgets.images import Photo, load_image
from combicam_widgets.models import GeoModel, load_model
from combicam_widgets.samples import list_samples, sample
from combicam_widgets.widgets.places import picture, titles


class Coerced(T.TraitType[Any, Any]):
    """A trait whose values go through a function that may refuse them.

    Parameters
    ----------
    coerce : callable
        From what was given to what is kept; raises TypeError, ValueError, OSError or ImportError
        with a message for people, which becomes the message of the TraitError.
    """

    def __init__(self, coerce: Callable[[Any], Any], **kwargs: Any) -> None:  # noqa: ANN401
        self._coerce = coerce
        super().__init__(**kwargs)

    def validate(self, _obj: object, value: object) -> object:
        """Coerce a value."""
        try:
            return self._coerce(value)
        except (TypeError, ValueError, OSError, ImportError) as error:
            raise T.TraitError(str(error)) from error


class Picture(Coerced):
    """A photo: whatever `as_photo` accepts, or a title from the menu of photos or places."""

    def __init__(self) -> None:
        super().__init__(as_photo)

    def validate(self, obj: Any, value: object) -> object:  # noqa: ANN401
        """Turn a title into the picture that the menu would show, anything else into a photo."""
        if isinstance(value, str) and value in titles(obj.model):
            return picture(obj.model, value, obj.tile_width)
        return super().validate(obj, value)


def as_model(value: object) -> GeoModel:
    """Accept a GeoModel or the name of a shipped one."""
    if isinstance(value, GeoModel):
        return value
    if isinstance(value, str):
        return load_model(value)
    raise TypeError(f"model must be a GeoModel or the name of one, not {type(value).__name__}.")


def as_photo(value: Any) -> Photo:  # noqa: ANN401
    """Accept a Photo, the name of a sample, or whatever `load_image` reads."""
    if isinstance(value, str) and not Path(value).suffix:
        if value not in list_samples() and Path(value).exists():
            return load_image(value)
        return sample(value)
    return load_image(value)


def one_of(name: str, options: Callable[[], Sequence[Any]]) -> Callable[[Any], Any]:
    """Accept only the options there are at the time."""

    def check(value: object) -> object:
        if value not in options():
            known = ", ".join(map(repr, options()))
            raise ValueError(f"{name} must be one of {known}, not {value!r}.")
        return value

    return check


def fraction(name: str, *, positive: bool = False) -> Callable[[Any], float]:
    """Accept a number in [0, 1], or in (0, 1]."""

    def check(value: Any) -> float:  # noqa: ANN401
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number, not {value!r}.")
        if not (0 < value <= 1 if positive else 0 <= value <= 1):
            raise ValueError(f"{name} must lie between 0 and 1, not {value!r}.")
        return float(value)

    return check


def kilometres(name: str, low: float, high: float) -> Callable[[Any], float]:
    """Accept a distance within a range."""

    def check(value: Any) -> float:  # noqa: ANN401
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{name} must be a number of km, not {value!r}.")
        if not low <= value <= high:
            raise ValueError(f"{name} must be {low:,.0f} to {high:,.0f} km, not {value!r}.")
        return float(value)

    return check


def position(name: str) -> Callable[[Any], tuple[float, float] | None]:
    """Accept (latitude, longitude) in degrees, or None."""

    def check(value: Any) -> tuple[float, float] | None:  # noqa: ANN401
        if value is None:
            return None
        pair = tuple(value)
        if len(pair) != 2:
            raise ValueError(f"{name} must be (latitude, longitude), not {value!r}.")
        latitude, longitude = check_coordinates(*pair)
        return float(latitude), float(longitude)

    return check


def box(value: Any) -> tuple[float, float, float, float] | None:  # noqa: ANN401
    """Accept (left, top, right, bottom) as fractions of the photo, or None."""
    if value is None:
        return None
    sides = tuple(map(float, value))
    if len(sides) != 4 or not (0 <= sides[0] < sides[2] <= 1 and 0 <= sides[1] < sides[3] <= 1):
        raise ValueError(
            "box must be (left, top, right, bottom) as fractions of the photo, with left < right "
            f"and top < bottom, not {value!r}."
        )
    return sides
