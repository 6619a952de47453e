"""The picture for papers as a file of pixels, drawn by Pillow: no browser, no plotting program."""

from __future__ import annotations

import io
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image, ImageDraw

from combicam_widgets import files
from combicam_widgets.export.fonts import font
from combicam_widgets.export.scene import Box, Dot, Item, Lines, Picture, Scene, Text, compose
from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.geo.earth import Floats

_FINE = 3
"""Lines are drawn this much larger and reduced, which makes their edges smooth."""
_DASH, _SPACE = 5.0, 4.0
_SCALES = 0.5, 8.0
_FORMATS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "optimize": True},
    ".jpg": {"format": "JPEG", "quality": 92, "subsampling": 0, "optimize": True},
    ".jpeg": {"format": "JPEG", "quality": 92, "subsampling": 0, "optimize": True},
    ".webp": {"format": "WEBP", "quality": 92, "method": 6},
}
"""How Pillow writes a picture, by the ending of its file's name; the first without one."""
_ANCHORS = {"left": "lm", "center": "mm", "right": "rm"}


def save_png(
    snapshot: Snapshot,
    path: str | PathLike[str],
    scale: float = 2,
    *,
    include_position: bool = False,
) -> None:
    """Write the picture of `figure` to a file, without any metadata.

    Parameters
    ----------
    snapshot : Snapshot
    path : path-like
        Its ending says what is written: ".png", which is sharpest, also without an ending; ".jpg",
        ".jpeg" or ".webp". An existing file is replaced once the new one is whole.
    scale : float
        Pixels per CSS pixel, 0.5 to 8. The picture is 180 mm wide, 680 CSS pixels: 2 gives 192
        dots per inch, 3.125 gives 300.
    include_position : bool
        Whether to show the photo's own position, if it is known.

    Raises
    ------
    TypeError, ValueError
        If the scale is no number or out of range, or the path has another ending.
    OSError
        If nothing can be written there.
    """
    file = files.destination(path, tuple(_FORMATS))
    low, high = _SCALES
    given: object = scale
    if isinstance(given, bool) or not isinstance(given, Real):
        raise TypeError(f"scale must be a number, got {scale!r}")
    if not low <= scale <= high:
        raise ValueError(f"scale must lie between {low:g} and {high:g}, got {scale!r}")
    picture = draw_scene(compose(snapshot, include_position=include_position), float(scale))
    content = io.BytesIO()
    asked = Path(path).suffix.lower()  # a link may lead to a file of another name
    picture.save(content, **_FORMATS[asked or ".png"])
    files.write(file, content.getvalue())


def as_jpeg(snapshot: Snapshot, scale: float = 0.8) -> bytes:
    """Return the same as the bytes of a JPEG, for outputs that are kept in notebooks."""
    content = io.BytesIO()
    picture = draw_scene(compose(snapshot, include_position=False), scale)
    picture.save(content, "JPEG", quality=80)
    return content.getvalue()


def draw_scene(scene: Scene, scale: float) -> Image.Image:
    """Draw a scene on white: a PIL image of mode RGB, ``scale`` times its size."""
    canvas = Image.new("RGB", (round(scene.width * scale), round(scene.height * scale)), "white")
    for item in scene.items:
        _draw(item, canvas, scale)
    return canvas


def _draw(item: Item, canvas: Image.Image, scale: float) -> None:
    match item:
        case Picture():
            _draw_picture(item, canvas, scale)
        case Lines():
            _draw_lines(item, canvas, scale)
        case Dot():
            _draw_dot(item, canvas, scale)
        case Box():
            _draw_box(item, canvas, scale)
        case Text():
            _draw_text(item, canvas, scale)


def _draw_picture(item: Picture, canvas: Image.Image, scale: float) -> None:
    left, top = round(item.x * scale), round(item.y * scale)
    right, bottom = round((item.x + item.width) * scale), round((item.y + item.height) * scale)
    kind = Image.Resampling.LANCZOS if item.photographic else Image.Resampling.BICUBIC
    canvas.paste(item.image.resize((right - left, bottom - top), kind), (left, top))


def _draw_lines(item: Lines, canvas: Image.Image, scale: float) -> None:
    wide = max(1, round(item.width * scale * _FINE))
    lines = [line for whole in item.lines for line in (_dashes(whole) if item.dashed else [whole])]
    with _Stencil(lines, item.width, item.color, canvas, scale) as draw:
        for line in lines:
            draw.line(draw.moved(line), fill=255, width=wide, joint="curve")


def _draw_dot(item: Dot, canvas: Image.Image, scale: float) -> None:
    middle = np.array([[item.x, item.y]])
    for radius, color in ((item.radius + 0.8, "#ffffff"), (item.radius, item.color)):
        with _Stencil([middle], 2 * radius, color, canvas, scale) as draw:
            x, y = draw.moved(middle)
            r = radius * scale * _FINE
            draw.ellipse((x - r, y - r, x + r, y + r), fill=255)


def _draw_box(item: Box, canvas: Image.Image, scale: float) -> None:
    corners = np.array([[item.x, item.y], [item.x + item.width, item.y + item.height]])
    with _Stencil([corners], 0, item.color, canvas, scale) as draw:
        left, top, right, bottom = draw.moved(corners)
        draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=255)


def _draw_text(item: Text, canvas: Image.Image, scale: float) -> None:
    place = item.x * scale, item.y * scale
    letters = font(item.size * scale)
    ImageDraw.Draw(canvas).text(
        place, item.text, fill=item.color, font=letters, anchor=_ANCHORS[item.anchor]
    )


class _Stencil:
    """Draws a shape enlarged, reduces it, and paints one colour through it."""

    def __init__(
        self, lines: list[Floats], width: float, color: str, canvas: Image.Image, scale: float
    ) -> None:
        points = np.concatenate(lines) * scale
        margin = width * scale + 2
        low = np.floor(points.min(axis=0) - margin).clip(0)
        high = np.ceil(points.max(axis=0) + margin).clip(low + 1, [*canvas.size])
        self._low, self._scale = low, scale
        self._size = (high - low).astype(int)
        self._canvas, self._color = canvas, color
        self._mask = Image.new("L", tuple((self._size * _FINE).tolist()), 0)
        self._draw = ImageDraw.Draw(self._mask)
        self.line, self.ellipse = self._draw.line, self._draw.ellipse
        self.rectangle = self._draw.rectangle

    def moved(self, line: Floats) -> list[float]:
        """From the scene's coordinates to the stencil's."""
        moved: list[float] = ((line * self._scale - self._low) * _FINE).ravel().tolist()
        return moved

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        mask = self._mask.resize(tuple(self._size.tolist()), Image.Resampling.BOX)
        paint = Image.new("RGB", mask.size, self._color)
        self._canvas.paste(paint, tuple(self._low.astype(int).tolist()), mask)


def _dashes(line: Floats) -> list[Floats]:
    """Break a line into dashes of equal length."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    dashes = []
    for begin in np.arange(0.0, along[-1], _DASH + _SPACE):
        end = min(begin + _DASH, along[-1])
        inner = along[(along > begin) & (along < end)]
        at = np.concatenate([[begin], inner, [end]])
        dashes.append(np.stack([np.interp(at, along, axis) for axis in line.T], axis=1))
    return dashes
