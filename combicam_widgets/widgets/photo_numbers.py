"""Numbers by which the page tells photos apart."""

from __future__ import annotations

from itertools import count

from combicam_widgets.images import Photo
from combicam_widgets.shown.memory import remembered

_numbers = count(1)


def number_of(photo: Photo | None) -> int:
    """Give a photo its number, always the same as long as it lives; 0: no photo."""
    return 0 if photo is None else _number_of(photo)


@remembered(1)
def _number_of(_photo: Photo) -> int:
    return next(_numbers)
