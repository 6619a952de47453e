"""Evidence: the photo as seen through the heatmap. What is not highlighted is blurred away."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from combicam_widgets.cam.precision import unlowered

_SOFT_EDGE = 0.012
"""Softening of the mask's edges: standard deviation as a fraction of the shorter side."""


def blur(batch: Tensor) -> Tensor:
    """Blur a batch beyond recognition: B(x), a Gaussian as wide as 1/4 of the shorter side.

    Parameters
    ----------
    batch : Tensor, shape (N, 3, h, w)

    Returns
    -------
    Tensor, shape (N, 3, h, w)
    """
    width = max(min(batch.shape[2:]) // 4, 1) | 1
    return _gaussian(batch, width, 0.15 * width + 0.35)


def hottest(heatmap: npt.NDArray[np.floating], keep: float) -> npt.NDArray[np.bool_]:
    """Mask the fraction ``keep`` of the pixels with the largest heat.

    Pixels without heat are never kept, so the mask can be smaller; among equals, the earlier in
    reading order wins.

    Parameters
    ----------
    heatmap : (H, W) array in [0, 1]
    keep : float
        Fraction of all pixels, in (0, 1].

    Returns
    -------
    (H, W) bool array
    """
    heat = _checked_heatmap(heatmap)
    if not 0 < keep <= 1:
        raise ValueError(f"keep must be a fraction in (0, 1], not {keep!r}.")
    mask = np.zeros(heat.size, bool)
    count = max(1, round(keep * heat.size))
    mask[np.argsort(-heat, axis=None, kind="stable")[:count]] = True
    return mask.reshape(heat.shape) & (heat > 0)


def keep_evidence(
    batch: Tensor, blurred: Tensor, heatmap: npt.NDArray[np.floating], keep: float = 0.3
) -> Tensor:
    """Show only the hottest part of the photo: x' = M' x + (1 - M') B(x), edges softened.

    Parameters
    ----------
    batch, blurred : Tensor, shape (1, 3, h, w)
        The transformed photo and its `blur`.
    heatmap : (H, W) array in [0, 1]
        Any size; resized to the batch.
    keep : float
        Fraction of the pixels to keep, in (0, 1].

    Returns
    -------
    Tensor, shape (1, 3, h, w)
    """
    heat = _resized(heatmap, batch)
    mask = torch.from_numpy(hottest(heat[0, 0].numpy(), keep))[None, None]
    mask = mask.to(batch.dtype).to(batch.device)  # some devices know no float64
    deviation = max(0.5, _SOFT_EDGE * min(batch.shape[2:]))
    mask = _gaussian(mask, 2 * round(3 * deviation) + 1, deviation)
    return torch.lerp(blurred, batch, mask)


def soft_evidence(batch: Tensor, blurred: Tensor, heatmap: npt.NDArray[np.floating]) -> Tensor:
    """Show the photo in proportion to the heat: x' = M x + (1 - M) B(x).

    Same parameters as `keep_evidence`.
    """
    mask = _resized(heatmap, batch).to(batch.dtype).to(batch.device)
    return torch.lerp(blurred, batch, mask)


def _resized(heatmap: npt.NDArray[np.floating], batch: Tensor) -> Tensor:
    heat = torch.from_numpy(np.array(_checked_heatmap(heatmap), np.float32))[None, None]
    heat = F.interpolate(heat, batch.shape[2:], mode="bilinear", align_corners=True)
    return heat.clamp(0, 1)  # rounding can leave [0, 1]


def _checked_heatmap(heatmap: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    try:
        heat = np.asarray(heatmap, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(
            f"The heatmap must be an array (H, W) of numbers, not a {type(heatmap).__name__}."
        ) from error
    if heat.ndim != 2 or heat.size == 0:
        raise ValueError(f"The heatmap must have shape (H, W), not {heat.shape}.")
    if not np.isfinite(heat).all() or heat.min() < 0 or heat.max() > 1:
        raise ValueError("The heatmap must be finite and lie in [0, 1].")
    return heat


@unlowered
def _gaussian(x: Tensor, width: int, deviation: float) -> Tensor:
    """Blur the last two axes, as one matrix product each."""
    matrices = (_gaussian_matrix(side, width, deviation) for side in x.shape[2:])
    rows, columns = (matrix.to(x.dtype).to(x.device) for matrix in matrices)
    return rows @ x @ columns.T


@lru_cache(maxsize=32)
def _gaussian_matrix(side: int, width: int, deviation: float) -> Tensor:
    """Blur one axis; at the borders, what lies inside counts in full."""
    distance = np.abs(np.subtract.outer(np.arange(side), np.arange(side)))
    weights = np.where(distance <= width // 2, np.exp(-0.5 * (distance / deviation) ** 2), 0)
    return torch.from_numpy(weights / weights.sum(1, keepdims=True))
