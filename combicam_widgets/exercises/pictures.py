"""Pictures side by side, for the lessons: photos, heatmaps over photos, and small maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from combicam_widgets.images import Photo, to_data_uri

_SIDE = 320
"""Pixels of the longer side of a picture: small enough to travel, large enough to see."""


@dataclass(frozen=True)
class Pictures:
    """Pictures with captions, which a notebook shows side by side."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Pictures({self.html.count('<figure')})"

    def _ipython_display_(self) -> None:
        from IPython.display import display  # noqa: PLC0415  - only a notebook calls this

        # Not as the result of the cell, which nbgrader would read as a number of points.
        display({"text/html": self.html, "text/plain": repr(self)}, raw=True)  # type: ignore[no-untyped-call]


def show(pictures: Mapping[str, Any], columns: int = 4) -> Pictures:
    """Put pictures side by side, as the last value of a cell.

    Parameters
    ----------
    pictures : mapping
        By caption: a photo; a pair (photo, heatmap in [0, 1]), the heat over the photo in grey;
        an (h, w, 3) uint8 array; or an (h, w) array of any values, drawn from its smallest
        (dark) to its largest (bright), each value a square.
    columns : int
        How many stand in a row where there is room.

    Examples
    --------
    >>> show({"the photo": photo, "Combi-CAM": (photo, maps.fuse())})  # doctest: +SKIP
    """
    if not isinstance(pictures, Mapping):
        raise TypeError("Give pictures by their captions: show({'caption': picture}).")
    figures = ""
    for caption, picture in pictures.items():
        words = escape(str(caption))
        source = to_data_uri(_drawn(picture))
        figures += (
            f'<figure style="margin: 4px 0"><img style="width: 100%" src="{source}" '
            f'alt="{words}"><figcaption>{words}</figcaption></figure>'
        )
    width = f"max(120px, calc((100% - {10 * (columns - 1)}px) / {columns}))"
    grid = (
        f"display: grid; gap: 10px; max-width: {columns * _SIDE}px; "
        f"grid-template-columns: repeat(auto-fill, minmax({width}, 1fr))"
    )
    return Pictures(f'<div style="{grid}">{figures}</div>')


def _drawn(picture: object) -> Image.Image:
    if isinstance(picture, tuple) and len(picture) == 2:
        photo, heat = picture
        grey = ImageOps.grayscale(_small(photo.to_pil())).convert("RGB")
        return _blended(grey, np.asarray(heat, np.float32))
    if isinstance(picture, Photo):
        return _small(picture.to_pil())
    values = np.asarray(picture)
    if values.ndim == 3 and values.shape[2] == 3 and values.dtype == np.uint8:
        return _small(Image.fromarray(values))
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise TypeError(
            "A picture is a photo, a pair (photo, heatmap), an (h, w, 3) uint8 array or an (h, w) "
            f"array of numbers, not {type(picture).__name__} of shape {values.shape}."
        )
    heat = values.astype(np.float32)
    heat = (heat - heat.min()) / (np.ptp(heat) or 1)
    drawn = Image.fromarray(_colored(heat))
    scale = max(_SIDE // max(heat.shape), 1)
    return drawn.resize((drawn.width * scale, drawn.height * scale), Image.Resampling.NEAREST)


def _colored(heat: Any) -> Any:  # noqa: ANN401
    from combicam_widgets.shown.colors import levels_of, palette  # noqa: PLC0415  - plotly's

    return palette("inferno")[levels_of(heat)]


def _small(image: Image.Image) -> Image.Image:
    image = image.copy()
    image.thumbnail((_SIDE, _SIDE))
    return image


def _blended(under: Image.Image, heat: Any) -> Image.Image:  # noqa: ANN401
    from combicam_widgets.export.colors import blended  # noqa: PLC0415  - its colours are plotly's

    return blended(under, heat, "inferno", opacity=1)
