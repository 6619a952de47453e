"""Networks that take photos of one size only: those with fully connected layers, most ViTs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional as F

from combicam_widgets.cam.passes import captured, on_device_of
from combicam_widgets.cam.shortage import is_out_of_memory

MISFITS = (RuntimeError, AssertionError, ValueError, IndexError)
"""What networks raise about a size that they do not take."""

_USUAL = (224, 256, 384, 299, 448, 512, 336, 518, 288, 320, 240, 192, 160, 128, 96, 64, 32, 28)
"""Sides of the squares that networks are trained on, the most usual first."""

_NAMES = ("image_size", "img_size", "input_size")
"""Where networks of torchvision, timm and Hugging Face keep the size that they were made for."""

_LARGEST = 2048
"""Pixels along a side up to which a size is tried."""

_ABOUT_SHAPES = re.compile(
    r"size|shape|dimension|channel|height|width|resolution|\d ?x ?\d", re.IGNORECASE
)


class MisfitError(ValueError):
    """The network does not take what the transform gives."""


def refusal(network: nn.Module, view: Tensor) -> Exception | None:
    """Return what a network raises about a view (1, K, h, w); None if it takes it."""
    try:
        output, _ = captured(network, (), on_device_of(network, view))
    except MISFITS as error:
        return None if is_out_of_memory(error) else error
    if isinstance(output, Tensor) and output.ndim == 2 and len(output) != 1:
        # What x.view(-1, features) does to too large a photo.
        return ValueError(f"it returned shape {tuple(output.shape)} for one photo")
    return None


def is_about_shapes(error: Exception) -> bool:
    """Tell whether a network complains about the shape of what it was given."""
    return isinstance(error, AssertionError) or bool(_ABOUT_SHAPES.search(str(error)))


def size_that_fits(network: nn.Module, view: Tensor) -> tuple[int, int] | None:
    """Try sizes: those that the network says it was made for, then the usual squares.

    Parameters
    ----------
    network : nn.Module
    view : Tensor, shape (1, K, h, w)
        A transformed photo.

    Returns
    -------
    (height, width) or None
        The first that the network takes.
    """
    for size in dict.fromkeys([*_declared(network), *((side, side) for side in _USUAL)]):
        if refusal(network, F.interpolate(view.float(), size)) is None:
            return size
    return None


def _declared(network: nn.Module) -> Iterator[tuple[int, int]]:
    for module in network.modules():
        for home in (module, getattr(module, "config", None)):
            for name in _NAMES:
                yield from _size(getattr(home, name, None))
        for name in ("pretrained_cfg", "default_cfg"):
            settings = getattr(module, name, None)
            if isinstance(settings, dict):
                yield from _size(settings.get("input_size"))


def _size(given: object) -> Iterator[tuple[int, int]]:
    """Yield a size that is given as a side, (height, width) or (channels, height, width)."""
    sides = given[-2:] if isinstance(given, (tuple, list)) else (given, given)
    match tuple(sides):
        case (int(height), int(width)) if min(sides) > 0 and max(sides) <= _LARGEST:
            yield height, width
