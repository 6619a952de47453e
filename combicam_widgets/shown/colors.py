"""Colours of heat and probability, as small palette images."""

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


@lru_cache(maxsize=16)
def palette(colormap: str, levels: int = LEVELS) -> npt.NDArray[np.uint8]:
    """Sample a colour map: (levels, 3) uint8, from low to high; read-only."""
    colors = plotly.colors.sample_colorscale(
        colormap, np.linspace(0, 1, levels).tolist(), colortype="tuple"
    )
    sampled = np.round(255 * np.array(colors)).astype(np.uint8)
    sampled.flags.writeable = False
    return sampled


def heat_image(
    heat: npt.NDArray[np.floating], colormap: str = COLORMAPS[0], opacity: float = 1.0
) -> str:
    """Draw values as a picture that is the more opaque the larger the value.

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
    levels = np.rint(np.asarray(heat) * (LEVELS - 1)).astype(np.uint8)
    image = Image.fromarray(levels, "P")
    image.putpalette(palette(colormap).tobytes())
    alpha = np.rint(255 * opacity * np.linspace(0, 1, LEVELS)).astype(np.uint8)
    file = io.BytesIO()
    image.save(file, "PNG", transparency=alpha.tobytes())
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
