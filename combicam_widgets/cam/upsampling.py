"""Stretching and upsampling of maps. Pure numpy.

Upsampling is bilinear with aligned corners, written as two small matrix products; for looking at,
it may be cubic, since bilinear hills have ridges along rows and columns.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Map: TypeAlias = npt.NDArray[np.float32]
Size: TypeAlias = tuple[int, int]

FLAT = 1e-5
"""Contrast, relative to the largest value, below which a map holds nothing but rounding."""


def minmax(x: npt.NDArray[np.floating]) -> Map:
    """Stretch to [0, 1]; all zeros where max = min to rounding (``N`` in the formulas)."""
    low, high = x.min(), x.max()
    if not high - low > FLAT * max(high, -low):
        return np.zeros(x.shape, np.float32)
    return np.asarray((x - low) / (high - low), np.float32)


def by_maximum(x: Map) -> Map:
    """Divide by the maximum; all zeros if there is nothing positive."""
    high = x.max()
    return x / high if high > 0 else np.zeros_like(x)


def upsample(x: Map, size: Size, *, smooth: bool = False) -> Map:
    """Resize a (h, w) map to ``size`` bilinearly with aligned corners (``Up`` in the formulas).

    With ``smooth``, by cubic convolution within the map's range: for pictures, not for numbers.
    """
    between = _cubic if smooth else _interpolation
    rows, columns = between(size[0], x.shape[0]), between(size[1], x.shape[1])
    # Some builds of BLAS now and then raise the flag of invalid numbers where all are finite.
    with np.errstate(invalid="ignore"):
        # The cheaper order of the two products: widen the short side last.
        resized = np.asarray(rows @ (x @ columns.T))
    return resized.clip(x.min(), x.max()) if smooth else resized


def mean_upsampled(x: Map, size: Size) -> float:
    """Mean of ``upsample(x, size)`` without upsampling."""
    rows, columns = _interpolation(size[0], x.shape[0]), _interpolation(size[1], x.shape[1])
    return float(rows.mean(0, dtype=np.float64) @ x @ columns.mean(0, dtype=np.float64))


@lru_cache(maxsize=256)
def _cubic(fine: int, coarse: int) -> Map:
    """Matrix (fine, coarse) of Keys' cubic convolution (1981), a = -1/2; the edge goes on beyond.

    It goes through the coarse points as straight lines do, but without a kink there.
    """
    left, rest = np.divmod(np.arange(fine) * (coarse - 1), max(fine - 1, 1))
    t = rest / max(fine - 1, 1)
    parts = [
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    ]
    matrix = np.zeros((fine, coarse))
    for step, part in enumerate(parts, -1):
        np.add.at(matrix, (np.arange(fine), (left + step).clip(0, coarse - 1)), part)
    result = matrix.astype(np.float32)
    result.flags.writeable = False
    return result


@lru_cache(maxsize=256)
def _interpolation(fine: int, coarse: int) -> Map:
    """Matrix (fine, coarse) that interpolates linearly with aligned corners."""
    # Whole numbers: where a fine point lies on a coarse one, a zero must stay exactly zero, because
    # the rule `product` would lift a rounding error of 1e-16 to 0.3 (32 layers).
    left, rest = np.divmod(np.arange(fine) * (coarse - 1), max(fine - 1, 1))
    right = np.minimum(left + 1, coarse - 1)
    matrix = np.zeros((fine, coarse))
    np.add.at(matrix, (np.arange(fine), left), 1 - rest / max(fine - 1, 1))
    np.add.at(matrix, (np.arange(fine), right), rest / max(fine - 1, 1))
    result = matrix.astype(np.float32)
    result.flags.writeable = False
    return result
