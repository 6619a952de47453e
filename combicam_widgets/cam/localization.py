"""Does the heat lie where it should? A heatmap against a box that a person has drawn. Pure numpy.

The share of the heat inside a box is the energy-based pointing game of Wang et al.,
"Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks", CVPR Workshops
2020. Whether the hottest pixel lies inside is the pointing game of Zhang et al., "Top-Down Neural
Attention by Excitation Backprop", IJCV 126, 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Box: TypeAlias = tuple[float, float, float, float]
"""(left, top, right, bottom) as fractions of the photo's width and height, from its upper left."""


def share_inside(heatmap: npt.NDArray[np.floating], box: Sequence[float]) -> float:
    """Give the share of all heat that lies inside a box.

    Parameters
    ----------
    heatmap : (H, W) array
        Finite values >= 0.
    box : (left, top, right, bottom)
        Fractions of the photo, 0 <= left < right <= 1 and 0 <= top < bottom <= 1.

    Returns
    -------
    float
        In [0, 1]; 0 if there is no heat. A pixel that the box cuts counts with the part that lies
        inside. Heat that is spread evenly gives `area`: what chance would give.

    Raises
    ------
    TypeError, ValueError
        The heatmap or the box is something else.
    """
    heat = _checked_heatmap(heatmap)
    left, top, right, bottom = checked_box(box)
    total = heat.sum()
    if not total > 0:
        return 0.0
    rows, columns = _covered(heat.shape[0], top, bottom), _covered(heat.shape[1], left, right)
    return float(min(1.0, rows @ heat @ columns / total))


def hottest_inside(heatmap: npt.NDArray[np.floating], box: Sequence[float]) -> bool:
    """Tell whether the hottest pixel lies inside a box, by its centre; False without any heat.

    Same parameters and errors as `share_inside`. Among equals, the earlier in reading order is
    the hottest.
    """
    heat = _checked_heatmap(heatmap)
    left, top, right, bottom = checked_box(box)
    if not heat.any():
        return False
    row, column = np.unravel_index(np.argmax(heat), heat.shape)
    x, y = (column + 0.5) / heat.shape[1], (row + 0.5) / heat.shape[0]
    return bool(left <= x <= right and top <= y <= bottom)


def area(box: Sequence[float]) -> float:
    """Give the part of the photo that a box covers, in (0, 1]."""
    left, top, right, bottom = checked_box(box)
    return (right - left) * (bottom - top)


def checked_box(box: Sequence[float]) -> Box:
    """Return a box as four floats, or say what is wrong with it.

    Raises
    ------
    TypeError
        Not four numbers.
    ValueError
        Outside the photo, without area, or the corners are the wrong way round.
    """
    try:
        left, top, right, bottom = map(float, box)
    except (TypeError, ValueError) as error:
        raise TypeError(f"box must be (left, top, right, bottom), not {box!r}.") from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(
            "box must be (left, top, right, bottom) in fractions of the photo, with "
            f"0 <= left < right <= 1 and 0 <= top < bottom <= 1, not {box!r}."
        )
    return left, top, right, bottom


def _covered(pixels: int, start: float, stop: float) -> npt.NDArray[np.float64]:
    """Tell which part of each of a row of pixels lies between two fractions of the row."""
    edges = np.clip(np.arange(pixels + 1), start * pixels, stop * pixels)
    return np.diff(edges)


def _checked_heatmap(heatmap: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    heat = np.asarray(heatmap, np.float64)
    if heat.ndim != 2 or heat.size == 0:
        raise ValueError(f"The heatmap must have shape (H, W), not {heat.shape}.")
    if not np.isfinite(heat).all() or heat.min() < 0:
        raise ValueError("The heatmap must be finite and not negative.")
    return heat
