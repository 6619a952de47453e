"""What people may give for traits, with readable errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import traitlets as T

from combicam_widgets.geo.earth import check_coordinates
from combicam_widgets.geo.given import brief
from combicam_widgets.images import Photo, load_image
from combicam_widgets.models import GeoModel, load_model
from combicam_widgets.samples import list_samples, sample


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


def as_model(value: object) -> GeoModel:
    """Accept a GeoModel or the name of a shipped one."""
    if isinstance(value, GeoModel):
        return value
    if isinstance(value, str):
        return load_model(value)
    raise TypeError(f"model must be a GeoModel or the name of one, not {type(value).__name__}.")


def as_photo(value: Any) -> Photo:  # noqa: ANN401
    """Accept a Photo, the name of a sample, or whatever `load_image` reads."""
    if not isinstance(value, str) or (value not in list_samples() and _looks_like_path(value)):
        return load_image(value)
    return sample(value)


def _looks_like_path(text: str) -> bool:
    """Whether somebody means a file, rather than a sample whose name they do not quite know."""
    path = os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises for unknown users
    return bool(Path(text).suffix) or os.path.basename(path) != text or os.path.exists(path)  # noqa: PTH110, PTH119


def as_weights(value: object) -> Mapping[str, float]:
    """Accept a mapping; whether it fits the layers is seen when they are known."""
    if not isinstance(value, Mapping):
        raise TypeError(f"weights must be a dict from layer to weight, not {brief(value)}.")
    return dict(value)


def optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Accept None too."""
    return lambda value: None if value is None else check(value)


def instance(name: str, kind: type, *, several: bool = False) -> Callable[[Any], Any]:
    """Accept only things of one kind, or a sequence of them, which becomes a tuple."""

    def check(value: Any) -> Any:  # noqa: ANN401
        listed = tuple(value) if several and isinstance(value, Sequence) else None
        things = (value,) if listed is None else listed
        if (several and listed is None) or not all(isinstance(thing, kind) for thing in things):
            what = f"a sequence of {kind.__name__}" if several else f"a {kind.__name__}"
            raise TypeError(f"{name} must be {what}, not {brief(value)}.")
        return value if listed is None else listed

    return check


def one_of(name: str, options: Callable[[], Sequence[Any]]) -> Callable[[Any], Any]:
    """Accept only the options there are at the time."""

    def check(value: object) -> object:
        known = options()
        if not (value is None or isinstance(value, str)) or value not in known:
            said = ", ".join(map(repr, known))
            raise ValueError(f"{name} must be one of {said}, not {brief(value)}.")
        return known[known.index(value)]

    return check


def fraction(name: str, *, positive: bool = False) -> Callable[[Any], float]:
    """Accept a number in [0, 1], or in (0, 1]."""

    def check(value: Any) -> float:  # noqa: ANN401
        number = _number(name, value, "a number")
        if not (0 < number <= 1 if positive else 0 <= number <= 1):
            raise ValueError(f"{name} must lie between 0 and 1, not {brief(value)}.")
        return number

    return check


def kilometres(name: str, low: float, high: float) -> Callable[[Any], float]:
    """Accept a distance within a range."""

    def check(value: Any) -> float:  # noqa: ANN401
        number = _number(name, value, "a number of km")
        if not low <= number <= high:
            raise ValueError(f"{name} must be {low:,.0f} to {high:,.0f} km, not {brief(value)}.")
        return number

    return check


def pixels(name: str) -> Callable[[Any], int]:
    """Accept a height on the page."""

    def check(value: Any) -> int:  # noqa: ANN401
        number = _number(name, value, "a number of pixels")
        if not 120 <= number <= 4000:
            raise ValueError(f"{name} must be 120 to 4,000 pixels, not {brief(value)}.")
        return round(number)

    return check


def room_height(height: int | None) -> str:
    """Write the height of a picture's room for a page; None: what the page around it says."""
    return "var(--ccw-height, 440px)" if height is None else f"{height}px"


def cell(name: str) -> Callable[[Any], int | None]:
    """Accept the index of a cell, or None; whether there is such a cell, its grid says."""

    def check(value: Any) -> int | None:  # noqa: ANN401
        if value is None:
            return None
        value = _scalar(value)
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
            raise TypeError(f"{name} must be the index of a cell, or None, not {brief(value)}.")
        return int(value)

    return check


def switch(name: str) -> Callable[[Any], bool]:
    """Accept True or False."""

    def check(value: Any) -> bool:  # noqa: ANN401
        value = _scalar(value)
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} must be True or False, not {brief(value)}.")
        return bool(value)

    return check


def text(name: str) -> Callable[[Any], str]:
    """Accept a str."""

    def check(value: Any) -> str:  # noqa: ANN401
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str, not {brief(value)}.")
        return str(value)

    return check


def position(name: str) -> Callable[[Any], tuple[float, float] | None]:
    """Accept (latitude, longitude) in degrees, or None."""

    def check(value: Any) -> tuple[float, float] | None:  # noqa: ANN401
        if value is None:
            return None
        if not _several(value, 2):
            raise ValueError(f"{name} must be (latitude, longitude), not {brief(value)}.")
        latitude, longitude = check_coordinates(*value)
        return float(latitude), float(longitude)

    return check


def box(value: Any) -> tuple[float, float, float, float] | None:  # noqa: ANN401
    """Accept (left, top, right, bottom) as fractions of the photo, or None."""
    if value is None:
        return None
    sides = (
        tuple(_number("box", side, "four numbers") for side in value) if _several(value, 4) else ()
    )
    if not sides or not (0 <= sides[0] < sides[2] <= 1 and 0 <= sides[1] < sides[3] <= 1):
        raise ValueError(
            "box must be (left, top, right, bottom) as fractions of the photo, with left < right "
            f"and top < bottom, not {brief(value)}."
        )
    return sides[0], sides[1], sides[2], sides[3]


def _number(name: str, value: Any, what: str) -> float:  # noqa: ANN401
    """Accept numbers of Python and of numpy, but no truths."""
    value = _scalar(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be {what}, not {brief(value)}.")
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{name} must be {what}; this number is too large.") from error


def _scalar(value: Any) -> Any:  # noqa: ANN401
    """Take out what arrays and tensors without axes hold."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def _several(value: object, count: int) -> bool:
    return (
        isinstance(value, (Sequence, np.ndarray))
        and not isinstance(value, (str, bytes))
        and len(value) == count
    )
