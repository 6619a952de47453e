"""Colours of heat and probability, as small palette images.

How opaque heat is follows from `heat_opacity` wherever heat is laid over a photo; the page gets it
with the colours, in `heat_palette`.
"""

from __future__ import annotations

import base64
import io
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import plotly.colors
from PIL import Image

COLORMAPS = ("inferno", "cividis", "viridis", "magma", "plasma")
"""Lightness-monotone colour maps that stay legible with colour blindness; the default first."""

LEVELS = 128
"""Number of colours in an image; more would be sent but not seen."""

LESS, MORE = "#1f6fe0", "#e66100"
"""Blue and orange, where heat is less and more: told apart with every kind of colour blindness."""

CLEAR, SOLID = 0.25, 0.9
"""Heat up to which the photo stays clear, and from which heat is as opaque as it gets."""


@lru_cache(maxsize=16)
def palette(colormap: str, levels: int = LEVELS) -> npt.NDArray[np.uint8]:
    """Sample a colour map: (levels, 3) uint8, from low to high; read-only."""
    colors = plotly.colors.sample_colorscale(
        colormap, np.linspace(0, 1, levels).tolist(), colortype="tuple"
    )
    sampled = np.round(255 * np.array(colors)).astype(np.uint8)
    sampled.flags.writeable = False
    return sampled


def heat_opacity(heat: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """How opaque heat is over a photo: nothing up to `CLEAR`, all from `SOLID`, no edge between.

    Parameters
    ----------
    heat : array in [0, 1]

    Returns
    -------
    array of the same shape, in [0, 1]
        ``t^2 (3 - 2 t)`` with t from 0 to 1 between the two ("smoothstep").
    """
    part = np.clip((np.asarray(heat) - CLEAR) / (SOLID - CLEAR), 0, 1)
    opacity: npt.NDArray[np.floating] = part * part * (3 - 2 * part)
    return opacity


@lru_cache(maxsize=16)
def heat_palette(colormap: str, levels: int = LEVELS) -> npt.NDArray[np.uint8]:
    """Give the colours of heat over a photo: (levels, 4) uint8, RGB and opacity; read-only."""
    opacity = np.rint(255 * heat_opacity(np.linspace(0, 1, levels))).astype(np.uint8)
    sampled = np.column_stack([palette(colormap, levels), opacity])
    sampled.flags.writeable = False
    return sampled


def difference_opacity(difference: npt.ArrayLike) -> npt.NDArray[np.floating]:
    """How opaque a difference of heat, in [-1, 1], is: its root, since most are small."""
    opacity: npt.NDArray[np.floating] = np.sqrt(np.abs(np.asarray(difference)))
    return opacity


@lru_cache(maxsize=4)
def difference_palette(steps: int) -> npt.NDArray[np.uint8]:
    """Give the colours of a difference from -1 to 1: (2 steps + 1, 4) uint8, RGBA; read-only."""
    values = np.arange(-steps, steps + 1) / steps
    less, more = (list(bytes.fromhex(color[1:])) for color in (LESS, MORE))
    colors = np.where(values[:, None] < 0, less, more)
    sampled = np.column_stack([colors, np.rint(255 * difference_opacity(values))]).astype(np.uint8)
    sampled.flags.writeable = False
    return sampled


def heat_image(
    heat: npt.NDArray[np.floating], colormap: str = COLORMAPS[0], opacity: float = 1.0
) -> str:
    """Draw heat as a picture to lay over a photo: cold is clear, the hotter the more opaque.

    Parameters
    ----------
    heat : (H, W) array in [0, 1]
    colormap : str
        One of `COLORMAPS`.
    opacity : float
        Opacity of the value 1, in [0, 1].

    Returns
    -------
    str
        A data URI of a PNG with a palette.
    """
    colors = heat_palette(colormap)
    return palette_image(levels_of(heat), colors[:, :3], opacity * colors[:, 3])


def probability_image(
    shade: npt.NDArray[np.floating], colormap: str = COLORMAPS[0], opacity: float = 1.0
) -> str:
    """Draw shades of a map as `heat_image` does, but as opaque as they are large: none vanishes.

    Parameters
    ----------
    shade : (H, W) array in [0, 1]
    colormap, opacity
        As in `heat_image`.
    """
    alpha = 255 * opacity * np.linspace(0, 1, LEVELS)
    return palette_image(levels_of(shade), palette(colormap), alpha)


def levels_of(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Round values in [0, 1] to numbers of colours, 0 to `LEVELS` - 1; others go to the ends."""
    levels: npt.NDArray[np.uint8] = np.rint(np.clip(values, 0, 1) * (LEVELS - 1)).astype(np.uint8)
    return levels


def palette_image(
    levels: npt.NDArray[np.uint8], colors: npt.NDArray[np.uint8], alpha: npt.NDArray[np.floating]
) -> str:
    """Write numbers of colours as a PNG.

    Parameters
    ----------
    levels : (H, W) uint8 array
    colors : (n, 3) uint8 array
    alpha : (n,) array in [0, 255]

    Returns
    -------
    str
        A data URI.
    """
    image = Image.fromarray(levels, "P")
    image.putpalette(colors.tobytes())
    file = io.BytesIO()
    image.save(file, "PNG", transparency=np.rint(alpha).astype(np.uint8).tobytes())
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
