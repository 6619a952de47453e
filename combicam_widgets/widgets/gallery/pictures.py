"""Small pictures of many photos: made when the page asks for them, remembered, given up in time."""

from __future__ import annotations

import io
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from combicam_widgets.export.colors import blended
from combicam_widgets.images import Photo, load_image
from combicam_widgets.images.pixels import reduced
from combicam_widgets.widgets.background import Background, Report

SIDE = 176
"""Longer side of a small picture, in pixels: sharp on a screen of twice the usual density."""

_QUALITY = 80
_OPACITY = 0.75
_ACROSS, _STEP = 4, SIDE + 8
_PATIENCE = 2.0
_KEPT = 3000
"""How many small pictures are remembered: about 20 MB."""


@dataclass(frozen=True)
class Look:
    """How heat is seen on small pictures.

    Attributes
    ----------
    heat : bool
        Whether it is.
    colormap : str
    """

    heat: bool
    colormap: str


@dataclass(frozen=True)
class Small:
    """A small picture, or why there is none.

    Attributes
    ----------
    jpeg : bytes
        Without any metadata; empty if there is no picture.
    problem : str
        Why there is none, or no heat on it, in words; "" if nothing went wrong.
    credit : str
        Whom to thank for the photo, and its licence; "" if unknown.
    name : str
        What a photo with a credit is called; "" for others, which may be somebody's files.
    """

    jpeg: bytes
    problem: str = ""
    credit: str = ""
    name: str = ""


class Pictures:
    """Small pictures of a collection.

    Parameters
    ----------
    photo : callable
        Gives the photo of a row: a Photo, or whatever `load_image` reads.
    heatmap : callable or None
        Gives the heat of a row, (h, w) in [0, 1]; or None.
    send : callable
        Called on the event loop with (row, look, Small) once a picture is there.
    """

    def __init__(
        self,
        photo: Callable[[int], Any],
        heatmap: Callable[[int], Any] | None,
        send: Callable[[int, Look, Small], object],
    ) -> None:
        self._photo, self._heatmap, self._send = photo, heatmap, send
        self._made: OrderedDict[tuple[int, Look], Small] = OrderedDict()
        self._work = Background()

    def want(self, rows: Sequence[int], look: Look) -> None:
        """Send the pictures of these rows, in this order, and forget what was wanted before."""
        self._work.cancel()
        missing = []
        for row in rows:
            known = self._made.get((row, look))
            if known is None:
                missing.append(row)
            else:
                self._made.move_to_end((row, look))
                self._send(row, look, known)
        if not missing:
            return

        def make(report: Report) -> None:
            for done, row in enumerate(missing, 1):
                report.check()
                self._made[row, look] = self.made(row, look)
                report(done, len(missing))

        def ready(done: int, _total: int) -> None:
            row = missing[done - 1]
            if (small := self._made.get((row, look))) is not None:
                self._send(row, look, small)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)

        self._work.run(make, lambda _nothing: None, lambda _error: None, ready)

    def made(self, row: int, look: Look, side: int = SIDE, quality: int = _QUALITY) -> Small:
        """Make a picture of a row, whatever goes wrong with it."""
        try:
            photo = as_photo(self._photo(row))
        except Exception as error:  # noqa: BLE001  (said on the page, in place of the picture)
            return Small(b"", _words(error))
        image = Image.fromarray(reduced(photo.pixels, side))
        problem = ""
        if look.heat and self._heatmap is not None:
            try:
                heat = self._heatmap(row)
                if heat is not None:
                    image = blended(image, _heat(heat), look.colormap, _OPACITY)
            except Exception as error:  # noqa: BLE001  (the photo is shown without)
                problem = f"No heat: {_words(error)}"
        out = io.BytesIO()
        image.save(out, "JPEG", quality=quality)
        return Small(out.getvalue(), problem, photo.credit, photo.credit and photo.public_name)

    def sheet(self, rows: Sequence[int], look: Look) -> bytes:
        """Put the pictures of some rows beside each other, as a JPEG; what fails is left out.

        As many as can be made in `_PATIENCE` seconds, `_ACROSS` side by side.
        """
        until, made = time.monotonic() + _PATIENCE, []
        for row in rows:
            if time.monotonic() > until:
                break
            self._made[row, look] = small = self._made.get((row, look)) or self.made(row, look)
            if small.jpeg:
                made.append(Image.open(io.BytesIO(small.jpeg)))
        down = -(-len(made) // _ACROSS)
        sheet = Image.new("RGB", (_ACROSS * _STEP, max(down, 1) * _STEP), "white")
        for i, image in enumerate(made):
            left, top = (_STEP - image.width) // 2, (_STEP - image.height) // 2
            sheet.paste(image, (left + i % _ACROSS * _STEP, top + i // _ACROSS * _STEP))
        out = io.BytesIO()
        sheet.save(out, "JPEG", quality=_QUALITY)
        return out.getvalue()

    def close(self) -> None:
        """Forget what was wanted, and let the thread go."""
        self._work.close()


def as_photo(given: Any) -> Photo:  # noqa: ANN401
    """Accept a Photo, or whatever `load_image` reads."""
    return given if isinstance(given, Photo) else load_image(given)


def _heat(given: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401
    heat = np.asarray(given, np.float32)
    if heat.ndim != 2 or not heat.size or not np.isfinite(heat).all():
        raise ValueError(f"heat must be finite numbers of shape (h, w), not {heat.shape}.")
    return heat.clip(0, 1)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
