"""Fills: what stands where a part of the photo is taken away. Every one leaks something.

A blur keeps colours and layout; a mean colour is like no photo that a network has learnt from;
shuffled patches keep the texture; noise keeps the colours' mean and spread. Rankings change with
the fill (Rong, Leemann et al., ICML 2022), so at least two should agree before anything is said.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from combicam_widgets import cam

FillFunction: TypeAlias = Callable[[Tensor], Tensor]
Fill: TypeAlias = str | FillFunction
"""A name from `FILLS`, or a function from the photo's batch (1, K, h, w) to one like it."""

_PATCHES = 8
"""Patches along the shorter side, when they are shuffled."""


def blurred(batch: Tensor, seed: int = 0) -> Tensor:  # noqa: ARG001
    """Blur as the evidence does: see `combicam_widgets.cam.blur`."""
    return cam.blur(batch)


def mean_colour(batch: Tensor, seed: int = 0) -> Tensor:  # noqa: ARG001
    """Give every pixel the mean of the photo's channel; not zero, which is another colour."""
    return batch.mean((2, 3), keepdim=True).expand_as(batch).clone()


def shuffled(batch: Tensor, seed: int = 0) -> Tensor:
    """Shuffle square patches, eight along the shorter side, in a seeded order.

    Where the sides are no multiples of the patch, the photo is continued by its mirror image first
    and cut afterwards.
    """
    height, width = batch.shape[2:]
    patch = max(min(height, width) // _PATCHES, 1)
    rows, columns = -(-height // patch), -(-width // patch)
    beyond = (0, columns * patch - width, 0, rows * patch - height)
    whole = F.pad(batch, beyond, mode="reflect") if any(beyond) else batch
    order = torch.randperm(rows * columns, generator=_generator(seed)).to(batch.device)
    channels = whole.shape[1]
    patches = whole.reshape(channels, rows, patch, columns, patch).transpose(2, 3)
    mixed = patches.reshape(channels, rows * columns, patch, patch)[:, order]
    mixed = mixed.reshape(channels, rows, columns, patch, patch).transpose(2, 3)
    return mixed.reshape(1, channels, rows * patch, columns * patch)[:, :, :height, :width].clone()


def noise(batch: Tensor, seed: int = 0) -> Tensor:
    """Draw every pixel from a normal distribution with mean and spread of the photo's channel."""
    drawn = torch.randn(batch.shape, generator=_generator(seed)).to(batch)
    mean, deviation = batch.mean((2, 3), keepdim=True), batch.std((2, 3), keepdim=True)
    return mean + deviation * drawn


FILLS = MappingProxyType(
    {"blur": blurred, "mean colour": mean_colour, "shuffled": shuffled, "noise": noise}
)
"""The fills by name. The first three are those that worth is measured with; ``noise`` takes no
part in choosing anything, so that what was chosen can be judged with it."""

CHOOSING = ("blur", "mean colour", "shuffled")
"""The fills that worth is the mean of."""


def filled(batch: Tensor, fill: Fill, seed: int = 0) -> Tensor:
    """Make what is to stand where the photo is taken away.

    Parameters
    ----------
    batch : Tensor, shape (1, K, h, w)
        The photo, transformed.
    fill : str or callable
        A name from `FILLS`, or a function from ``batch`` to a tensor of the same shape.
    seed : int
        For the fills that draw.

    Raises
    ------
    TypeError, ValueError
        An unknown name, or a function that gives something else. What the function itself raises
        is passed on.
    """
    if isinstance(fill, str):
        if fill not in FILLS:
            raise ValueError(f"Unknown fill {fill!r}; the fills are {', '.join(FILLS)}.")
        return FILLS[fill](batch, seed)
    if not callable(fill):
        raise TypeError(f"fill must be a name or a function of the batch, not {fill!r}.")
    result = fill(batch.clone())
    if not isinstance(result, Tensor):
        raise TypeError(f"The fill must give a tensor, not {type(result).__name__}.")
    if result.shape != batch.shape or not result.isfinite().all():
        raise ValueError(
            f"The fill must give finite values of shape {tuple(batch.shape)}, not of shape "
            f"{tuple(result.shape)}."
        )
    return result.to(batch)


def fill_name(fill: Fill) -> str:
    """Give a fill's name for people."""
    return fill if isinstance(fill, str) else getattr(fill, "__name__", type(fill).__name__)


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
