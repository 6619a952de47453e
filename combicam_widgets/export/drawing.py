"""The picture for papers as a file of pixels, drawn by Pillow: no browser, no plotting program."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from itertools import chain
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

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
    scale = checked("scale", scale, _SCALES)
    picture = draw_scene(compose(snapshot, include_position=include_position), scale)
    content = io.BytesIO()
    asked = Path(path).suffix.lower()  # a link may lead to a file of another name
    picture.save(content, **_FORMATS[asked or ".png"])
    files.write(file, content.getvalue())


def checked(name: str, value: object, limits: tuple[float, float]) -> float:
    """Return a number that lies within limits; TypeError or ValueError if it does not."""
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, got {value!r}")
    return number


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
            box = np.array([item.x, item.y, item.x + item.width, item.y + item.height]) * scale
            left, top, right, bottom = box.round().astype(int).tolist()
            kind = Image.Resampling.LANCZOS if item.photographic else Image.Resampling.BICUBIC
            canvas.paste(item.image.resize((right - left, bottom - top), kind), (left, top))
        case Lines():
            whole = chain.from_iterable(map(_dashes, item.lines)) if item.dashed else item.lines
            wide = max(1, round(item.width * scale * _FINE))
            line = partial(ImageDraw.ImageDraw.line, fill=255, width=wide, joint="curve")
            _paint(canvas, scale, line, list(whole), item.width, item.color)
        case Dot():
            middle = np.array([[item.x, item.y]])
            for radius, color in ((item.radius + 0.8, "#ffffff"), (item.radius, item.color)):
                circle = partial(_circle, radius=radius * scale * _FINE)
                _paint(canvas, scale, circle, [middle], 2 * radius, color)
        case Box():
            corners = np.array([[item.x, item.y], [item.x + item.width, item.y + item.height]])
            _paint(canvas, scale, _rectangle, [corners], 0, item.color)
        case Text():
            ImageDraw.Draw(canvas).text(
                (item.x * scale, item.y * scale),
                item.text,
                fill=item.color,
                font=font(item.size * scale),
                anchor=_ANCHORS[item.anchor],
            )


def _paint(
    canvas: Image.Image,
    scale: float,
    shape: Callable[[ImageDraw.ImageDraw, list[float]], None],
    lines: list[Floats],
    width: float,
    color: str,
) -> None:
    """Draw a shape enlarged, reduce it, and paint one colour through it."""
    points = np.concatenate(lines) * scale
    margin = width * scale + 2
    low = np.floor(points.min(axis=0) - margin).clip(0)
    high = np.ceil(points.max(axis=0) + margin).clip(low + 1, [*canvas.size])
    mask = Image.new("L", tuple(((high - low) * _FINE).astype(int).tolist()))
    for line in lines:
        shape(ImageDraw.Draw(mask), ((line * scale - low) * _FINE).ravel().tolist())
    left, top = low.astype(int).tolist()
    canvas.paste(color, (left, top), mask.reduce(_FINE))


def _circle(draw: ImageDraw.ImageDraw, middle: list[float], radius: float) -> None:
    x, y = middle
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _rectangle(draw: ImageDraw.ImageDraw, corners: list[float]) -> None:
    left, top, right, bottom = corners
    draw.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), fill=255)


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
