"""Strides: how many pixels of the photo lie between neighbouring places of a layer."""

from __future__ import annotations

from torch import nn

from combicam_widgets.cam.axes import Size

_Pair = tuple[float, float]


class Strides:
    """Follows the stride through one pass, from one resolution to the next.

    The ratio of the sizes is not enough: Inception-v3 turns 299 px into 8, a ratio of 37, with a
    stride of 32, because convolutions without padding cut borders off. What that changes in a
    single step is small and rounds away; convolutions and poolings say their stride themselves.

    Parameters
    ----------
    photo : (h, w)
        Size of what the network sees; its stride is 1.
    """

    def __init__(self, photo: Size) -> None:
        self._known: dict[Size, _Pair] = {photo: (1.0, 1.0)}

    def after(self, before: Size | None, own: _Pair | None, size: Size) -> int:
        """Return the stride of what a module gave, at least 1; call it in the order of the pass.

        Parameters
        ----------
        before : (h, w), optional
            Size of the map that the module was given, if it was a map.
        own : (vertical, horizontal), optional
            The stride of the module, see `own_stride`.
        size : (h, w)
            Size of the map that it gave.
        """
        if size not in self._known and before is not None:
            self._known[size] = self._smaller(before, own or _ratio(before, size))
        return max(1, round(max(self._of(size))))

    def _of(self, size: Size) -> _Pair:
        """Stride of a resolution; a new one is compared with the nearest that is not smaller."""
        if size not in self._known:
            larger = [s for s in self._known if s[0] >= size[0] and s[1] >= size[1]]
            before = min(larger or self._known, key=lambda s: s[0] * s[1])
            self._known[size] = self._smaller(before, _ratio(before, size))
        return self._known[size]

    def _smaller(self, before: Size, by: _Pair) -> _Pair:
        there = self._of(before)
        return there[0] * by[0], there[1] * by[1]


def own_stride(module: nn.Module) -> _Pair | None:
    """Return the stride that a convolution or pooling says it has; None for other modules."""
    if not isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)):
        return None
    stride = module.stride
    return (stride, stride) if isinstance(stride, int) else (stride[0], stride[1])


def _ratio(before: Size, after: Size) -> _Pair:
    """Return how many places become one, or one how many, to whole numbers."""
    down, right = (a / b for a, b in zip(before, after, strict=True))
    return _whole(down), _whole(right)


def _whole(ratio: float) -> float:
    return round(ratio) if ratio >= 1 else 1 / round(1 / ratio)
