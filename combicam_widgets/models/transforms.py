"""Image transforms: from a photo to what a network sees, and whether that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Transform: TypeAlias = Callable[[Image.Image], Tensor]
"""From an RGB PIL image to a float tensor (3, h, w)."""

_STRIDE = 32
"""Sides are multiples of the stride of the usual networks, so that their grids fit the photo."""

_SQUARES = 12
"""Squares of the test card along each side."""

_IN_PLACE = 0.9
"""Correlation above which the test card is where it was: a crop takes at most 1.5 % off a side."""


class WholePhoto:
    """The usual transform: the whole photo in its proportions, with as many pixels as a square.

    Nothing is cropped, so the heatmap covers the photo. Networks trained on squares are most sure
    of themselves when the number of pixels stays the same and the sides are multiples of 32. A
    strip too long for that, 1 : 49 and beyond for a side of 224, is squeezed.

    Parameters
    ----------
    side : int
        The photo is scaled to about ``side * side`` pixels; sides become multiples of 32.
    mean, std : three floats
        Normalisation of the channels in [0, 1]; default: ImageNet's.
    """

    def __init__(
        self,
        side: int = 224,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        self.side = side
        self.mean, self.std = np.array(mean, np.float32), np.array(std, np.float32)

    def __call__(self, image: Image.Image) -> Tensor:
        """Turn an RGB image into a float32 tensor (3, h, w)."""
        scale = self.side / math.sqrt(image.width * image.height) / _STRIDE
        longest = max(1, round((self.side / _STRIDE) ** 2))
        size = [
            min(max(1, round(side * scale)), longest) * _STRIDE
            for side in (image.width, image.height)
        ]
        pixels = np.asarray(image.resize((size[0], size[1]), Image.Resampling.BICUBIC), np.float32)
        return torch.from_numpy((pixels / 255 - self.mean) / self.std).permute(2, 0, 1)


def checked_view(view: object) -> Tensor:
    """Return what a transform gave if it is a finite floating tensor (3, h, w).

    Raises
    ------
    TypeError
        It is no tensor, or of whole numbers; the message says what to add to the transform.
    ValueError
        It has another shape, or holds NaN or infinite values.
    """
    must = "The transform must give a tensor (3, h, w)"
    if isinstance(view, (np.ndarray, Image.Image)):
        raise TypeError(
            f"{must}, not {type(view).__name__}: end it with torchvision's ToTensor(), or with "
            "torch.from_numpy(pixels).permute(2, 0, 1) / 255, and normalise."
        )
    if not isinstance(view, Tensor):
        raise TypeError(f"{must}, not {type(view).__name__}.")
    shape = tuple(view.shape)
    if len(shape) != 3 or shape[0] != 3 or 0 in shape:
        raise ValueError(f"{must}, not {shape}{_advice(shape)}.")
    if not view.is_floating_point():
        raise TypeError(
            f"The transform must give a tensor of a floating type, not {view.dtype}: divide by 255 "
            "and normalise the channels as for the training of the network."
        )
    if not view.isfinite().all():
        raise ValueError(
            "The transform gave NaN or infinite values; does it divide by a deviation that is 0?"
        )
    return view


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return ": give one photo without the batch dimension (no unsqueeze(0), no [None])"
    if len(shape) == 3 and shape[2] == 3:
        return ": the channels come first; add .permute(2, 0, 1)"
    if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1):
        return ": it is grey; keep the three channels of the RGB photo"
    return ""


def keeps_place(transform: Transform, size: tuple[int, int]) -> bool:
    """Tell whether a transform leaves everything where it is in the photo.

    Heatmaps are stretched over the whole photo. So a change of scale or proportions is right,
    such as squeezing a photo into a square; a crop, a border, a mirror or a rotation is not: the
    heatmap would lie beside what it explains. The shape of the result cannot tell the two apart,
    therefore a test card goes through the transform and is compared with the card itself.

    Parameters
    ----------
    transform : callable
        From an RGB PIL image to a float tensor (3, h, w).
    size : (width, height)
        Size of the photo in pixels, in the order of PIL.

    Returns
    -------
    bool
        True also if the result holds no pattern at all, so that nothing can be said.
    """
    squares = np.random.default_rng(0).integers(0, 2, (_SQUARES, _SQUARES), np.uint8) * 255
    card = Image.fromarray(squares).resize(size, Image.Resampling.NEAREST)
    if not np.asarray(card).std():
        return True
    view = checked_view(transform(card.convert("RGB"))).detach().double().mean(0).cpu().numpy()
    height, width = view.shape
    whole = np.asarray(card.resize((width, height), Image.Resampling.BILINEAR), np.float64)
    if not view.std() or not whole.std():
        return True
    correlation = np.corrcoef(view.ravel(), whole.ravel())[0, 1]
    return bool(abs(correlation) >= _IN_PLACE)
