"""Axes: which two axes of a layer's output are the photo's height and width. Tested, not guessed.

Convolutional blocks give (N, K, h, w), window transformers (N, h, w, K); others cut a map into
patches, (N, K, pixels, patches), or relate all places to all others. Read along the wrong axes,
each of them looks like a map. So the network sees the photo in another height and in another
width: the axis that changes with the one alone, and the axis that changes with the other alone,
are the ones. What was found is remembered for as long as the network lives and its modules are the
same.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn

from combicam_widgets.cam.replicas import Replica, add_hook, modules_of, recordable, unwrapped

Shape: TypeAlias = tuple[int, ...]
Size: TypeAlias = tuple[int, int]

Axes: TypeAlias = tuple[int, int, int]
"""Positions of channels, rows and columns in a layer's output, whose first axis are the photos."""

CHANNELS_FIRST: Axes = (1, 2, 3)
CHANNELS_LAST: Axes = (3, 1, 2)

_PACKAGE = str(Path(__file__).parents[1])

_SPATIAL = (
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.BatchNorm2d,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.AdaptiveMaxPool2d,
)
"""Modules that take channels first by definition."""


class Memory:
    """What is known about a network.

    Attributes
    ----------
    axes : dict
        The axes of layers, by name; None for those that give no maps.
    assumed : set of str
        Names of the layers whose axes could not be tested, until that was said.
    found : dict
        What searches have found; they choose the keys.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = [ref(module) for module in modules]
        self.axes: dict[str, Axes | None] = {}
        self.assumed: set[str] = set()
        self.found: dict[Any, Any] = {}

    def is_of(self, modules: Sequence[nn.Module]) -> bool:
        """Tell whether these are the modules that it knows."""
        return len(modules) == len(self._modules) and all(
            known() is module for known, module in zip(self._modules, modules, strict=True)
        )


_memories: WeakKeyDictionary[nn.Module, Memory] = WeakKeyDictionary()


def memory_of(network: nn.Module) -> Memory:
    """Return what is known about a network: nothing, after a module was exchanged."""
    network = unwrapped(network)
    modules = list(network.modules())
    memory = _memories.get(network)
    if memory is None or not memory.is_of(modules):
        memory = _memories[network] = Memory(modules)
    return memory


@recordable
def axes_of(
    network: nn.Module, batch: Tensor, shapes: Mapping[str, Shape]
) -> dict[str, Axes | None]:
    """Find the axes of layers; None for those whose outputs are no maps.

    Parameters
    ----------
    network : nn.Module
    batch : Tensor, shape (N, 3, h, w)
    shapes : mapping from str to tuple of int
        Shapes of the layers' outputs for this batch, with four axes.
    """
    memory = memory_of(network)
    untested = {name: shape[1:] for name, shape in shapes.items() if name not in memory.axes}
    if untested:
        modules = modules_of(network)
        found = _tested(network, batch, untested)
        for name, shape in untested.items():
            axes = found.get(name, "unclear")
            if isinstance(axes, str):
                size = (batch.shape[2], batch.shape[3])
                axes = _likely(shape, size, modules[name], ran=axes == "constant")
                if not (axes == CHANNELS_FIRST and _is_spatial(modules[name])):
                    memory.assumed.add(name)
            memory.axes[name] = axes
    return {name: memory.axes[name] for name in shapes}


def _tested(
    network: nn.Module, batch: Tensor, shapes: Mapping[str, Shape]
) -> dict[str, Axes | Literal["unclear", "constant"] | None]:
    """Find the axes of layers by photos of other sizes, as far as the network takes them."""
    found: dict[str, Axes | Literal["unclear", "constant"] | None] = {}
    for name, shape in shapes.items():
        if sorted(shape)[:2] == [1, 1]:  # pooled
            found[name] = CHANNELS_LAST if shape[2] > 1 else CHANNELS_FIRST
    for heights, widths in _other_sizes(batch):
        untested = [name for name in shapes if found.get(name, "unclear") == "unclear"]
        if not untested:
            break
        by_height = _shapes_in(heights, network, batch, untested)
        by_width = _shapes_in(widths, network, batch, untested)
        for name in by_height.keys() & by_width.keys():
            found[name] = _compared(shapes[name], by_height[name], by_width[name])
    return found


def _other_sizes(batch: Tensor) -> Iterator[tuple[Size, Size]]:
    """Give pairs of sizes to try, the one of another height, the other of another width.

    About half as large first: less work, and nothing that a network looks up by position can be
    missing, which would be the end of all work on a GPU.
    """
    height, width = batch.shape[2], batch.shape[3]
    if min(height, width) > 1:
        yield (_smaller(height), width), (height, _smaller(width))
    if batch.device.type == "cpu":
        yield (height + 32, width), (height, width + 32)
        yield (2 * height, width), (height, 2 * width)  # whole windows, whatever their size


def _smaller(side: int) -> int:
    """Halve a side; to a multiple of usual strides, which is all that some networks take."""
    whole = -(-side // 128) * 64
    return whole if whole <= 0.75 * side else side // 2


class _EnoughSeen(BaseException):
    """Ends a pass; no error, so that no network catches it."""


def _shapes_in(
    size: Size, network: nn.Module, batch: Tensor, names: Collection[str]
) -> dict[str, Shape]:
    """Run the network on a photo of another size, and note the shapes of the named layers.

    Those that it does not come to, because it wants the one size only, are missing.
    """
    shapes: dict[str, Shape] = {}

    def note(name: str, output: object) -> None:
        shapes[name] = tuple(output.shape) if isinstance(output, Tensor) else ()
        if len(shapes) == len(names):
            raise _EnoughSeen

    def prepare(modules: Mapping[str, nn.Module]) -> None:
        for name in names:
            add_hook(modules[name], lambda _module, _args, output, name=name: note(name, output))

    rows, columns = (
        torch.arange(new, device=batch.device) % old
        for new, old in zip(size, batch.shape[2:], strict=True)
    )
    photo = batch[:1, :, rows][..., columns].detach()
    with contextlib.suppress(Exception, _EnoughSeen), Replica(network, prepare, noticed=False) as x:
        x(photo)
    return shapes


def _compared(
    before: Shape, by_height: Shape, by_width: Shape
) -> Axes | Literal["unclear", "constant"] | None:
    """Tell which axis changes with the photo's height alone and which one with its width alone."""
    if len(by_height) != 4 or len(by_width) != 4 or by_height[0] != 1 or by_width[0] != 1:
        return None
    pairs = list(zip(before, by_height[1:], by_width[1:], strict=True))
    rows = [axis for axis, (old, new, _) in enumerate(pairs, 1) if new != old]
    columns = [axis for axis, (old, _, new) in enumerate(pairs, 1) if new != old]
    if not rows and not columns:
        return "constant"
    single = [axis for axis, sizes in enumerate(pairs, 1) if set(sizes) == {1}]
    if len(single) == 1:  # a strip: pooled over the height, or over the width
        rows, columns = rows or single, columns or single
    if len(rows) > 1 or len(columns) > 1 or rows == columns:
        return None
    if not rows or not columns:
        return "unclear"
    return 6 - rows[0] - columns[0], rows[0], columns[0]


def _likely(shape: Shape, size: Size, module: nn.Module, *, ran: bool) -> Axes | None:
    """Tell the axes by the proportions, if these and the kind of module leave no choice.

    What ``ran`` with photos of other sizes, but is always of the same size itself, need not have
    the proportions of the photo.
    """
    if isinstance(module, _SPATIAL):
        return CHANNELS_FIRST
    sides = (shape[1], shape[2]), (shape[0], shape[1])
    if ran:
        first, last = (_ratio(*map_size, size) < 2 for map_size in sides)
        return CHANNELS_LAST if last and not first else CHANNELS_FIRST
    first, last = (_divides(*map_size, size) for map_size in sides)
    if first and (not last or _is_spatial(module)):
        return CHANNELS_FIRST
    return CHANNELS_LAST if last and not first else None


def _ratio(rows: int, columns: int, photo: Size) -> float:
    """Compare the proportions: 1 if they are the same, larger if not."""
    ratio = rows * photo[1] / (columns * photo[0])
    return max(ratio, 1 / ratio)


def _divides(rows: int, columns: int, photo: Size) -> bool:
    """Tell whether the photo is cut into rows and columns of the same whole number of pixels."""
    height, width = photo
    return height % rows == width % columns == 0 and height // rows == width // columns


def _is_spatial(module: nn.Module) -> bool:
    return any(isinstance(inner, _SPATIAL) for inner in module.modules())


def checked_axes(network: nn.Module, batch: Tensor, shapes: Mapping[str, Shape]) -> dict[str, Axes]:
    """As `axes_of`, but refuse layers that give no maps, and say what had to be assumed."""
    axes = {}
    for name, order in axes_of(network, batch, shapes).items():
        if order is None:
            raise ValueError(
                f"Layer {name!r} gives an output of shape {shapes[name]} in which no two axes are "
                "the photo's height and width: there is no map in it. Choose another layer, for "
                "example the module around it."
            )
        axes[name] = order
    warn_of_assumed(network, axes)
    return axes


def warn_of_assumed(network: nn.Module, names: Iterable[str]) -> None:
    """Say, once for a network, which axes were taken for granted."""
    memory = _memories.get(unwrapped(network))
    if memory is None or not memory.assumed:
        return
    assumed = [name for name in names if name in memory.assumed]
    memory.assumed.clear()
    if not assumed:
        return
    order = "(N, K, h, w)" if memory.axes[assumed[0]] == CHANNELS_FIRST else "(N, h, w, K)"
    others = f" and {len(assumed) - 1} more layers" if assumed[1:] else ""
    warnings.warn(
        f"It could not be tested which axes of {assumed[0]!r}{others} are the photo's height and "
        "width: the network takes no photos of other sizes, or gives the same sizes for them. By "
        f"their proportions the axes are taken to be {order}; if that is wrong, name other layers: "
        "layers=[...].",
        stacklevel=_outside(),
    )


def _outside() -> int:
    """Count the frames from the caller up to whoever called this package."""
    frame, level = sys._getframe(1), 1  # noqa: SLF001
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    return level
