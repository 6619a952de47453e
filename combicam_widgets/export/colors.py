"""Colours of an export: heat over a photo, and what marks what on the world map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor

from combicam_widgets.shown.colors import LESS, MORE, difference_opacity, heat_opacity, palette

LEVELS = 256
"""Number of colours that a colour map is sampled at: twice as many as are sent to a notebook."""

INK, QUIET = "#212121", "#5f6368"
"""Text, and text of lesser weight."""

SEA, LAND, SHORE = "#dfe8ec", "#f7f5ef", "#9aa5a9"

SHADE = "#0b4f9e"
"""Probability: the more opaque the larger. Cells are outlined in the colour of `FLAGS["photo"]`."""

FLAGS = {"photo": "#0d3b78", "evidence": "#a34700", "truth": "#1b5e20", "vote": "#6a3d78"}
"""Blue, orange, green, purple: told apart by their labels and their sides too."""


def differing(
    photo: Image.Image, difference: npt.NDArray[np.floating], opacity: float
) -> Image.Image:
    """Lay a difference of heatmaps over a photo: `LESS` where negative, `MORE` where positive.

    Parameters
    ----------
    photo : PIL image, mode RGB
    difference : (H, W) array in [-1, 1]
        Any size; resized to the photo. Opaque as the square root of it, since most are small.
    opacity : float
        Opacity of the values -1 and 1, in [0, 1].
    """
    values = Image.fromarray(np.asarray(difference, np.float32)).resize(
        photo.size, Image.Resampling.BICUBIC
    )
    value = np.asarray(values).clip(-1, 1)[..., None]
    less, more = (np.array(ImageColor.getrgb(color)) for color in (LESS, MORE))
    alpha = opacity * difference_opacity(value)
    grey = np.asarray(photo.convert("L"))[..., None]
    pixels = grey * (1 - alpha) + np.where(value < 0, less, more) * alpha
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def blended(
    photo: Image.Image, heat: npt.NDArray[np.floating], colormap: str, opacity: float
) -> Image.Image:
    """Lay heat over a photo as the notebook does: cold is clear, the hotter the more opaque.

    Parameters
    ----------
    photo : PIL image, mode RGB
    heat : (H, W) array in [0, 1]
        Any size; resized to the photo.
    colormap : str
        One of `COLORMAPS`.
    opacity : float
        Opacity of the value 1, in [0, 1].
    """
    values = Image.fromarray(np.asarray(heat, np.float32)).resize(
        photo.size, Image.Resampling.BICUBIC
    )
    value = np.asarray(values).clip(0, 1)
    color = palette(colormap, LEVELS)[np.rint(value * (LEVELS - 1)).astype(np.intp)]
    alpha = opacity * heat_opacity(value)[..., None]
    pixels = np.asarray(photo) * (1 - alpha) + color * alpha
    return Image.fromarray(np.rint(pixels).astype(np.uint8))
