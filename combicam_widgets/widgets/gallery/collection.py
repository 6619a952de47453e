"""What a gallery shows: a table of photos, and their pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from combicam_widgets.geo.given import brief

Source = Callable[[int], Any] | Sequence[Any]


class Collection(Protocol):
    """Many explained photos, such as `explain_many` gives; more of it is used where there is more.

    ``heatmap(row)`` gives the heat of a photo, (h, w) in [0, 1], ``drawn(row)`` what is painted of
    it; ``model`` is what explains it.
    """

    def table(self) -> Any:  # noqa: ANN401
        """Return a pandas.DataFrame with one row per photo."""

    def photo(self, row: int) -> Any:  # noqa: ANN401
        """Return the photo of a row: a Photo, or whatever `load_image` reads."""


class Framed:
    """A plain table with its pictures, as a collection.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per photo.
    photos, heatmaps : callable or sequence
        Gives the photo, or the heat, of a row counted from 0.
    """

    def __init__(self, frame: Any, photos: Source, heatmaps: Source | None = None) -> None:  # noqa: ANN401
        if not is_frame(frame):
            raise TypeError(f"photos go with a pandas.DataFrame, not with {brief(frame)}.")
        for name, source in (("photos", photos), ("heatmaps", heatmaps)):
            if source is None or callable(source):
                continue
            if not isinstance(source, Sequence) or isinstance(source, (str, bytes)):
                raise TypeError(f"{name} must be a function or a sequence, not {brief(source)}.")
            if len(source) != len(frame):
                raise ValueError(f"{len(frame)} rows and {len(source)} {name}: they must agree.")
        self._frame, self._photos, self._heatmaps = frame, photos, heatmaps

    def table(self) -> Any:  # noqa: ANN401
        """Return the table."""
        return self._frame

    def photo(self, row: int) -> Any:  # noqa: ANN401
        """Return the photo of a row."""
        return _of(self._photos, row)

    def heatmap(self, row: int) -> Any:  # noqa: ANN401
        """Return the heat of a row; None without any."""
        return None if self._heatmaps is None else _of(self._heatmaps, row)


def is_frame(value: object) -> bool:
    """Tell whether this is a table, without importing pandas."""
    return hasattr(value, "columns") and hasattr(value, "iloc")


def as_collection(value: Any) -> Any:  # noqa: ANN401
    """Accept what has a table and photos.

    Raises
    ------
    TypeError
        It has not; says what to give.
    """
    if callable(getattr(value, "table", None)) and callable(getattr(value, "photo", None)):
        return value
    if is_frame(value):
        raise TypeError("A table alone has no pictures: give photos, Gallery(frame, photos=...).")
    raise TypeError(
        f"many must have table() and photo(row), as explain_many gives it, not {brief(value)}."
    )


def _of(source: Source, row: int) -> Any:  # noqa: ANN401
    return source(row) if callable(source) else source[row]
