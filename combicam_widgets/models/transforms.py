"""Image transforms: from a photo to what a network sees, and whether that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from combicam_widgets.whole import whole

Transform: TypeAlias = Callable[[Image.Image], Tensor]
"""From an RGB PIL image to a float tensor (K, h, w); K is 3 for most networks."""

Channels: TypeAlias = npt.NDArray[np.float32]
"""One number for each of the three channels."""

_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
_STD = np.array((0.229, 0.224, 0.225), np.float32)
"""ImageNet's."""

_LONGEST = 8
"""A strip longer than this, to 1, is squeezed by `ShorterSide`."""

_STRIDE = 32
"""Sides are multiples of the stride of the usual networks, so that their grids fit the photo."""

_LARGEST = 10_000
"""Pixels along a side; no network sees more."""

_FEW_CHANNELS = 4
"""Grey, grey with opacity, RGB, RGB with opacity."""

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
    side : int or (height, width)
        A number: the photo is scaled to about ``side * side`` pixels; sides become multiples of
        32. A pair: the photo is squeezed into exactly this size, whatever its proportions, for a
        network that takes no other (fully connected layers, most vision transformers).
    mean, std : three floats
        Normalisation of the channels in [0, 1]; default: ImageNet's.

    Raises
    ------
    TypeError, ValueError
        ``side`` is no number of pixels, or no pair of them; ``mean`` or ``std`` are not three
        finite numbers, or a deviation is not positive.

    Examples
    --------
    >>> WholePhoto((224, 224))(Image.new("RGB", (640, 480))).shape
    torch.Size([3, 224, 224])
    """

    def __init__(
        self,
        side: int | tuple[int, int] = 224,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
    ) -> None:
        self.side = _checked_side(side)
        self.mean, self.std = _three_numbers("mean", mean), _three_numbers("std", std)
        if not (self.std > 0).all():
            raise ValueError(f"std must hold positive numbers, not {std!r}.")

    def __call__(self, image: Image.Image) -> Tensor:
        """Turn an RGB image into a float32 tensor (3, h, w)."""
        size = self._size(image.width, image.height)
        return _normalised(image.resize(size, Image.Resampling.BICUBIC), self.mean, self.std)

    def __repr__(self) -> str:
        return f"WholePhoto({self.side})"

    def _size(self, *sides: int) -> tuple[int, int]:
        """Width and height of the result, for those of the photo."""
        if isinstance(self.side, tuple):
            height, width = self.side
            return width, height
        scale = self.side / math.sqrt(math.prod(sides)) / _STRIDE
        longest = max(1, round((self.side / _STRIDE) ** 2))
        width, height = (min(max(1, round(side * scale)), longest) * _STRIDE for side in sides)
        return width, height


class ShorterSide:
    """Scales a photo so that its shorter side has some number of pixels; nothing is cropped.

    Bilinear, with ImageNet's mean and deviation, as torchvision's ``Resize(side)``, ``ToTensor()``
    and ``Normalize()`` do it. Only a strip longer than 1 : 8 is squeezed to that, lest a thin
    panorama fill the memory.

    Parameters
    ----------
    side : int
        Pixels.
    """

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self, image: Image.Image) -> Tensor:
        """Turn an RGB image into a float32 tensor (3, h, w)."""
        shorter = min(image.size)
        size = [min(self.side * side // shorter, self.side * _LONGEST) for side in image.size]
        return _normalised(image.resize(size, Image.Resampling.BILINEAR), _MEAN, _STD)

    def __repr__(self) -> str:
        return f"ShorterSide({self.side})"


def _normalised(image: Image.Image, mean: Channels, std: Channels) -> Tensor:
    """Turn an RGB image into a float32 tensor (3, h, w) of the same size."""
    return torch.from_numpy((np.asarray(image, np.float32) / 255 - mean) / std).permute(2, 0, 1)


def _checked_side(side: object) -> int | tuple[int, int]:
    pair = isinstance(side, (tuple, list, np.ndarray)) and len(side) == 2
    numbers = []
    for number in side if pair else (side,):  # type: ignore[attr-defined]  # a pair is iterable
        pixels = whole(number)
        if pixels is None:
            raise TypeError(f"side must be a number of pixels or (height, width), not {side!r}.")
        if not 1 <= pixels <= _LARGEST:
            raise ValueError(f"side must be 1 to {_LARGEST} pixels, not {side!r}.")
        numbers.append(pixels)
    return (numbers[0], numbers[1]) if pair else numbers[0]


def _three_numbers(argument: str, given: object) -> Channels:
    must = f"{argument} must be three finite numbers, one for each channel, not {given!r}."
    try:
        numbers = np.array(given, np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(must) from error
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise ValueError(must)
    return numbers


def checked_view(view: object) -> Tensor:
    """Return what a transform gave if it is a finite floating tensor (K, h, w).

    Returns
    -------
    Tensor
        A copy without a graph, since a transform may fill the same tensor again.

    Raises
    ------
    TypeError
        It is no tensor, or of whole numbers; the message says what to add to the transform.
    ValueError
        It has another shape, or holds NaN or infinite values.
    """
    must = "The transform must give a tensor (channels, h, w)"
    if isinstance(view, (np.ndarray, Image.Image)):
        raise TypeError(
            f"{must}, not {type(view).__name__}: end it with torchvision's ToTensor(), or with "
            "torch.from_numpy(pixels).permute(2, 0, 1) / 255, and normalise."
        )
    if not isinstance(view, Tensor):
        raise TypeError(f"{must}, not {type(view).__name__}.")
    shape = tuple(view.shape)
    if len(shape) != 3 or 0 in shape or _channels_last(shape):
        raise ValueError(f"{must}, not {shape}{_advice(shape)}.")
    if view.layout != torch.strided or view.is_meta:
        raise TypeError(f"{must} that holds its numbers, not a sparse or empty one: to_dense().")
    if not view.is_floating_point():
        raise TypeError(
            f"The transform must give a tensor of a floating type, not {view.dtype}: divide by 255 "
            "and normalise the channels as for the training of the network."
        )
    if not view.isfinite().all():
        raise ValueError(
            "The transform gave NaN or infinite values; does it divide by a deviation that is 0?"
        )
    return view.detach().clone()


def _channels_last(shape: tuple[int, ...]) -> bool:
    """Tell (h, w, channels) from (channels, h, w): no photo is so few pixels wide."""
    return len(shape) == 3 and shape[2] <= _FEW_CHANNELS < min(shape[:2])


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 4:
        return ": give one photo without the batch dimension (no unsqueeze(0), no [None])"
    if _channels_last(shape):
        return ": the channels come first; add .permute(2, 0, 1)"
    if len(shape) == 2:
        return ": it is grey; add the channel in front, [None], for a network of grey photos"
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
        From an RGB PIL image to a float tensor (K, h, w). Channels that hold something else than
        the photo, such as where a pixel lies, do not count.
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
    # To numpy before float64, which not every device has (Apple's MPS).
    view = checked_view(transform(card.convert("RGB"))).float().cpu().numpy().astype(np.float64)
    height, width = view.shape[1:]
    whole = np.asarray(card.resize((width, height), Image.Resampling.BILINEAR), np.float64)
    if not whole.std():
        return True
    correlations = [
        abs(np.corrcoef(channel.ravel(), whole.ravel())[0, 1]) for channel in view if channel.std()
    ]
    return max(correlations, default=1.0) >= _IN_PLACE
