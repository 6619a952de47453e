"""Letters for drawn pictures: one family, measured so that text fits where it is put."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from PIL import ImageFont

FAMILY = "Liberation Sans, Arial, Helvetica, sans-serif"
"""The same letters in plotly and CSS; the first two are equally wide."""

_FILES = ("LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf", "DejaVuSans.ttf")
_PLAIN = {0x2013: "-", 0x2014: "-", 0xB7: "-", 0xD7: "x", 0x2026: "..."}
_PLAIN |= {0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}
"""Dashes, middle dot, times, ellipsis and quotation marks in the letters of a typewriter."""


@lru_cache(maxsize=32)
def font(size: float) -> ImageFont.FreeTypeFont:
    """Load the system's font of the family; if there is none, the plain one that Pillow holds."""
    for file in _FILES:
        try:
            return ImageFont.truetype(file, size)
        except OSError:
            continue
    own = ImageFont.load_default(size)
    if isinstance(own, ImageFont.FreeTypeFont):
        return own
    raise ImportError(
        "Pillow was built without FreeType, so it cannot draw text: install Pillow from PyPI."
    )


def drawable(text: str) -> str:
    """Keep to the letters that the font has: the plain one knows only those of English."""
    text = " ".join(text.split())
    if font(10).getname()[0] != "Aileron":
        return text
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return (
        "".join(c for c in plain if not unicodedata.combining(c))
        .encode("ascii", "replace")
        .decode()
    )


def width(text: str, size: float) -> float:
    """Width of a line in pixels."""
    return float(font(100).getlength(text)) * size / 100


def wrapped(text: str, size: float, room: float) -> Iterator[str]:
    """Break a text into lines that are at most ``room`` pixels wide; long words are cut."""
    line = ""
    # A number and its unit stay together.
    words = " ".join(text.split()).replace(" %", "\0%").split(" ")
    for word in (each.replace("\0", " ") for each in words):
        while width(word, size) > room:
            cut = next(
                n for n in range(len(word), 0, -1) if n == 1 or width(word[:n], size) <= room
            )
            if line:
                yield line
            line = ""
            yield word[:cut]
            word = word[cut:]  # noqa: PLW2901  (the rest of it)
        longer = f"{line} {word}".strip()
        if line and width(longer, size) > room:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def shortened(text: str, size: float, room: float) -> str:
    """Cut a text to one line of ``room`` pixels, with an ellipsis where something is left out."""
    if width(text, size) <= room:
        return text
    dots = drawable("…")
    shorter = (text[:n].rstrip(" ,") + dots for n in range(len(text) - 1, 0, -1))
    return next((each for each in shorter if width(each, size) <= room), dots)
