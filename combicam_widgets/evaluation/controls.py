"""Controls: heatmaps that know nothing of the answer. A measure that they win measures nothing."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from combicam_widgets import cam

Map = npt.NDArray[np.float32]

_COARSE = 6
"""Independent values along the shorter side of a smooth random map."""

_WIDTH = 0.5
"""Standard deviation of the centred Gaussian, in half sides."""


def smooth_random(size: tuple[int, int], seed: int = 0) -> Map:
    """Draw a smooth random map: seeded uniform values, six along the shorter side, interpolated."""
    least = min(size)
    coarse = [max(2, round(_COARSE * side / least)) for side in size]
    values = np.random.default_rng(seed).random(coarse, np.float32)
    return cam.minmax(cam.upsample(values, size))


def centred(size: tuple[int, int]) -> Map:
    """Give a Gaussian in the middle: a strong rival, since photographers aim."""
    rows, columns = (np.linspace(-1, 1, side) if side > 1 else np.zeros(1) for side in size)
    return cam.minmax(np.exp(-0.5 * (rows[:, None] ** 2 + columns**2) / _WIDTH**2))


def uniform(size: tuple[int, int]) -> Map:
    """Give the same heat everywhere: a random order, once ties are broken."""
    return np.full(size, 0.5, np.float32)


def edges(batch: Tensor) -> Map:
    """Give the photo's own edges (Sobel, mean over channels): what shallow layers look like.

    Parameters
    ----------
    batch : Tensor, shape (1, K, h, w)
    """
    grey = batch.detach().float().cpu().mean(1, keepdim=True)
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    kernels = torch.stack([kernel, kernel.T])[:, None]
    slopes = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernels)
    return cam.minmax(slopes.norm(dim=1)[0].numpy())


def controls(batch: Tensor, seed: int = 0) -> MappingProxyType[str, Map]:
    """Make all four for a photo's batch (1, K, h, w): name -> (h, w) map in [0, 1]."""
    size = (batch.shape[2], batch.shape[3])
    return MappingProxyType(
        {
            "random": smooth_random(size, seed),
            "centre": centred(size),
            "uniform": uniform(size),
            "edges": edges(batch),
        }
    )
