"""Heat, its outline, and differences of heat, as small palette images to lay over a photo."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam import upsample
from combicam_widgets.shown.colors import (
    COLORMAPS,
    LEVELS,
    difference_palette,
    heat_palette,
    levels_of,
    palette_image,
)

_SMALL, _FINE = 96, 288
"""Heatmaps with at most so many pixels a side are enlarged to so many."""

_STEPS = 31
"""Steps of a difference on either side of zero: more are sent, but not told apart."""

_LINE = np.array([[255, 255, 255], [0, 0, 0]], np.uint8)
_LINE_ALPHA = np.array([255, 150], np.uint8)


def heat_picture(
    heat: npt.NDArray[np.floating],
    colormap: str = COLORMAPS[0],
    opacity: float = 1.0,
    mask: npt.NDArray[np.bool_] | None = None,
) -> str:
    """Draw heat over a photo as `heat_image` does, and the outline of a mask.

    The outline costs about 100 bytes, as two more colours of the palette: the mask's outermost
    pixels are white, those just outside of it dark, so that it is legible on any photo.

    Parameters
    ----------
    heat : (H, W) array in [0, 1]
        Enlarged if it is small.
    colormap : str
        One of `COLORMAPS`.
    opacity : float
        Opacity of the value 1, in [0, 1].
    mask : (H, W) bool array, optional

    Returns
    -------
    str
        A data URI of a PNG with a palette.
    """
    times = math.ceil(_FINE / max(heat.shape)) if max(heat.shape) <= _SMALL else 1
    if times > 1:
        height, width = heat.shape
        heat = upsample(np.asarray(heat, np.float32), (times * height, times * width), smooth=True)
    levels = levels_of(heat)
    colors, alpha = heat_palette(colormap)[:, :3], opacity * heat_palette(colormap)[:, 3]
    if mask is not None:
        mask = mask.repeat(times, 0).repeat(times, 1)
        levels[_touched(mask) & ~mask] = LEVELS + 1
        levels[mask & ~_surrounded(mask)] = LEVELS
        colors, alpha = np.concatenate([colors, _LINE]), np.concatenate([alpha, _LINE_ALPHA])
    return palette_image(levels, colors, alpha)


def difference_picture(difference: npt.NDArray[np.floating], opacity: float = 1.0) -> str:
    """Draw a difference of heatmaps: blue where it is negative, orange where it is positive.

    Parameters
    ----------
    difference : (H, W) array in [-1, 1]
        Zero is transparent, and the larger the difference, the more opaque it is.
    opacity : float
        Opacity of the values -1 and 1, in [0, 1].

    Returns
    -------
    str
        A data URI of a PNG with a palette.
    """
    levels = np.rint(np.clip(difference, -1, 1) * _STEPS) + _STEPS
    colors = difference_palette(_STEPS)
    return palette_image(levels.astype(np.uint8), colors[:, :3], opacity * colors[:, 3])


def difference_colors(steps: int = 8) -> list[str]:
    """Give the colours of `difference_picture` for -1 to 1, laid on white, for a legend."""
    rgba = difference_palette(steps).astype(float)
    mixed = 255 + rgba[:, 3:] / 255 * (rgba[:, :3] - 255)
    return ["rgb({} {} {})".format(*color) for color in np.rint(mixed).astype(int).tolist()]


def _touched(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which pixels are in a mask, or beside, above or below one of it."""
    around = np.pad(mask, 1)
    beside = around[1:-1, :-2] | around[1:-1, 2:] | around[:-2, 1:-1] | around[2:, 1:-1]
    touched: npt.NDArray[np.bool_] = mask | beside
    return touched


def _surrounded(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which pixels are in a mask with all four neighbours; there are none beyond the edge."""
    around = np.pad(mask, 1)
    beside = around[1:-1, :-2] & around[1:-1, 2:] & around[:-2, 1:-1] & around[2:, 1:-1]
    surrounded: npt.NDArray[np.bool_] = mask & beside
    return surrounded
