"""Pixels of every mode to 8-bit RGB, reduced and upright, band by band.

Pillow holds a decoded picture in up to four bytes a pixel, 320 MB for the largest that is allowed.
So whatever comes after is done with bands of it, and adds little.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from combicam_widgets.images.photo import MAX_SIDE_KEPT, ImageError

Picture = Image.Image | npt.NDArray[np.uint8]
"""Decoded pixels: a loaded PIL image, or an array as `check_array` accepts."""

_BAND_PIXELS = 1_000_000


def size_of(picture: Picture) -> tuple[int, int]:
    """(width, height) of a picture, in pixels."""
    if isinstance(picture, Image.Image):
        return picture.size
    return int(picture.shape[1]), int(picture.shape[0])


def reduced_size(size: tuple[int, int], longest: int | None = MAX_SIDE_KEPT) -> tuple[int, int]:
    """(width, height) of a picture whose longer side is reduced to at most `longest` pixels."""
    scale = min(1.0, (longest or max(size)) / max(*size, 1))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def reduced(
    picture: Picture,
    longest: int | None = MAX_SIDE_KEPT,
    *,
    keep_alpha: bool = False,
    what: str = "The picture",
) -> npt.NDArray[np.uint8]:
    """Turn a picture into RGB, its longer side at most `longest` pixels (None: as it is).

    Returns an (h, w, 3) array, or (h, w, 4) for what is transparent if that is to be kept; else
    transparency is laid on white. Values out of range raise `ImageError`, which calls the picture
    `what`.
    """
    width, height = size_of(picture)
    new_width, new_height = reduced_size((width, height), longest)
    light = _light_factor(picture, what)
    # What is more than twice too large is shrunk by a whole factor first, which is faster.
    factor = max(1, max(width, height) // (2 * max(new_width, new_height)))
    narrow: npt.NDArray[np.uint8] | None = None
    for start, stop in _spans(height, width, factor):
        band = _to_rgb(_eight_bits(_rows(picture, start, stop), light), keep_alpha=keep_alpha)
        band = band.reduce(factor).resize(
            (new_width, -(-band.height // factor)),
            Image.Resampling.LANCZOS,
            box=(0, 0, width / factor, -(-band.height // factor)),
        )
        if narrow is None:
            narrow = np.empty((-(-height // factor), new_width, len(band.mode)), np.uint8)
        narrow[start // factor : -(-stop // factor)] = np.asarray(band)
    assert narrow is not None  # noqa: S101 - for mypy
    if new_height == len(narrow):
        return narrow
    # First along the rows, then along the columns, is how Pillow does it, too.
    small = np.empty((new_height, *narrow.shape[1:]), np.uint8)
    for start, stop in _spans(new_width, len(narrow)):
        part = Image.fromarray(narrow[:, start:stop])
        small[:, start:stop] = part.resize(
            (stop - start, new_height),
            Image.Resampling.LANCZOS,
            box=(0, 0, stop - start, height / factor),
        )
    return small


def upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Undo an EXIF orientation: 1 = upright, 2 to 8 = mirrored, turned or both."""
    if orientation in {5, 6, 7, 8}:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in {2, 3, 6, 7} else pixels


def _spans(length: int, across: int, multiple: int = 1) -> Iterator[tuple[int, int]]:
    """Cut a length into spans of about `_BAND_PIXELS`, each so many pixels across."""
    step = max(1, _BAND_PIXELS // across // multiple) * multiple
    for start in range(0, length, step):
        yield start, min(start + step, length)


def _rows(picture: Picture, start: int, stop: int) -> Image.Image:
    if isinstance(picture, Image.Image):
        return picture.crop((0, start, picture.width, stop))
    return Image.fromarray(picture[start:stop])


def _is_deep(picture: Picture) -> bool:
    return isinstance(picture, Image.Image) and (
        picture.mode in {"I", "F"} or picture.mode.startswith("I;16")
    )


def _light_factor(picture: Picture, what: str) -> float:
    """By what the values of a deep picture are multiplied to become 0..255; 1 for others."""
    if not _is_deep(picture):
        return 1.0
    assert isinstance(picture, Image.Image)  # noqa: S101 - for mypy
    extremes = [
        (float(values.min()), float(values.max()))
        for start, stop in _spans(picture.height, picture.width)
        for values in [np.asarray(_rows(picture, start, stop))]
    ]
    low, high = np.min(extremes), np.max(extremes)
    top = 255 if picture.mode == "F" else 65535
    # Written so that NaN, which compares as false, is refused too.
    if not (low >= 0 and high <= top):
        has = f"{what} (mode {picture.mode}) has values outside 0..{top}, or NaN"
        raise ImageError(f"{has}: scale them to 0..{top}")
    if picture.mode == "F":
        return 255.0 if high <= 1 else 1.0
    return 1.0 if picture.mode == "I" and high <= 255 else 1 / 257


def _eight_bits(band: Image.Image, factor: float) -> Image.Image:
    if not _is_deep(band):
        return band
    values = np.asarray(band).astype(np.float32) * np.float32(factor)
    return Image.fromarray(np.rint(values).astype(np.uint8))


def _to_rgb(image: Image.Image, *, keep_alpha: bool) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":  # Pillow knows no shorter way
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return rgba if keep_alpha else Image.alpha_composite(white, rgba).convert("RGB")
