"""Axes: which two axes of a layer's output are the photo's height and width. Tested, not guessed.

Convolutional blocks give (N, K, h, w), window transformers (N, h, w, K); others cut a map into
patches, (N, K, pixels, patches), or relate all places to all others. Read along the wrong axes,
each of them looks like a map. So the network sees the photo in another height and in another
width: the axis that changes with the one alone, and the axis that changes with the other alone,
are the ones. A network that takes one size only sees the photo with other things in some places:
what changes must be there. What was found is remembered for as long as the network lives and its
modules are the same.
"""

from __future__ import annotations

import contextlib
import operator
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from combicam_widgets.cam.replicas import Replica, add_hook, modules_of, recordable, unwrapped
from combicam_widgets.notices import warn

Shape: TypeAlias = tuple[int, ...]
Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """How tokens (N, T, K) make a map.

    Attributes
    ----------
    before : int
        How many tokens stand before those of the photo's places: class and register tokens.
    rows, columns : int
        Size of the map; its places follow each other row by row.
    """

    before: int
    rows: int
    columns: int


Axes: TypeAlias = tuple[int, int, int] | Grid
"""Positions of channels, rows and columns in a layer's output, whose first axis are the photos; or
how its tokens make a map."""

CHANNELS_FIRST: Axes = (1, 2, 3)
CHANNELS_LAST: Axes = (3, 1, 2)


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


def as_map(output: Tensor, axes: Axes) -> Tensor:
    """Read a layer's output as a map, (N, K, h, w); a view of it."""
    if isinstance(axes, Grid):
        places = output[:, axes.before : axes.before + axes.rows * axes.columns]
        rows = places.reshape(len(places), axes.rows, axes.columns, -1)
        return rows.permute(0, 3, 1, 2)
    return output.permute(0, *axes)


def size_of_map(shape: Shape, axes: Axes) -> tuple[int, int, int]:
    """Return channels, height and width of the map in an output of this shape."""
    if isinstance(axes, Grid):
        return shape[2], axes.rows, axes.columns
    channels, rows, columns = axes
    return shape[channels], shape[rows], shape[columns]


def main_output(output: object) -> Tensor | None:
    """Return what a module gives: a tensor, or the first of a tuple without others."""
    if isinstance(output, (tuple, list)) and output:
        first, *others = output
        output = first if all(other is None for other in others) else None
    return output if isinstance(output, Tensor) else None


class Memory:
    """What is known about a network.

    Attributes
    ----------
    axes : dict
        The axes of layers, by name; None for those that give no maps.
    grids : dict
        The same of layers that give tokens, by name and the photo's size.
    assumed : set of str
        Names of the layers whose axes could not be tested, until that was said.
    said : set of str
        What was warned of once.
    found : dict
        What searches have found; they choose the keys.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self._modules = [ref(module) for module in modules]
        self.axes: dict[str, Axes | None] = {}
        self.grids: dict[tuple[str, Size], Grid | None] = {}
        self.assumed: set[str] = set()
        self.said: set[str] = set()
        self.found: dict[Any, Any] = {}

    def is_of(self, modules: Sequence[nn.Module]) -> bool:
        """Tell whether these are the modules that it knows."""
        known = [module() for module in self._modules]
        return len(known) == len(modules) and all(map(operator.is_, known, modules))


_memories: WeakKeyDictionary[nn.Module, Memory] = WeakKeyDictionary()


def memory_of(network: nn.Module) -> Memory:
    """Return what is known about a network: nothing, after a module was exchanged."""
    network = unwrapped(network)
    modules = list(modules_of(network).values())
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
        Shapes of the layers' outputs for this batch; those with four axes, (N, ...), or three,
        (N, T, K), can be maps.
    """
    memory = memory_of(network)
    size = (batch.shape[2], batch.shape[3])
    tokens = {name: shape[1] for name, shape in shapes.items() if len(shape) == 3}
    unread = {name: count for name, count in tokens.items() if (name, size) not in memory.grids}
    if unread:
        grids = _grids_of(network, batch, unread)
        memory.grids |= {(name, size): grids.get(name) for name in unread}
    maps = {name: shape for name, shape in shapes.items() if len(shape) == 4}
    untested = {name: shape[1:] for name, shape in maps.items() if name not in memory.axes}
    if untested:
        modules = modules_of(network)
        found = _tested(network, batch, untested)
        guesses = {
            name: _likely(shape, size, modules[name], ran=found.get(name) == "constant")
            for name, shape in untested.items()
            if isinstance(found.get(name, "unclear"), str)
        }
        doubtful = [
            name
            for name, axes in guesses.items()
            if axes is not None and not (axes == CHANNELS_FIRST and _is_spatial(modules[name]))
        ]
        seen = _in_place(network, batch, doubtful) if doubtful else {}
        for name in doubtful:
            if name not in seen and set(seen.values()) != {guesses[name]}:  # as all that are clear
                memory.assumed.add(name)
        tested = {name: axes for name, axes in found.items() if not isinstance(axes, str)}
        memory.axes |= tested | guesses | seen
    return {
        name: memory.axes[name] if name in maps else memory.grids.get((name, size))
        for name in shapes
    }


_MOST_EXTRA = 16
"""Class and register tokens that a network may have."""

_LOOKED_AT = 12
"""Modules that give so many tokens which are asked how these lie."""

_SHARP = 4
"""How many times more than the mean of all tokens one changes, where places have not mixed."""


def _grids_of(network: nn.Module, batch: Tensor, counts: Mapping[str, int]) -> dict[str, Grid]:
    """Tell how the tokens of layers lie in the photo: tested, not guessed.

    The network sees the photo, and the photo with another top right corner, with another bottom
    left one, and with another place inside. The tokens that change most must be those of these
    corners, or next to them, in most of the first layers with so many tokens: places mix from layer
    to layer, and in attention. Where clearly others change, tokens lie in another order (Hiera's).
    """
    size = (batch.shape[2], batch.shape[3])
    grids = {n: side for n in set(counts.values()) if (side := _sides(n, size)) is not None}
    if not grids:
        return {}
    changes = _changes(network, batch, grids, counts)
    found: dict[int, Grid] = {}
    for count, side in grids.items():
        votes = Counter(_before(count, side, changed) for changed in changes.places[count])
        agree = {before: n for before, n in votes.items() if before is not None}
        if agree and 3 * max(agree.values()) >= votes.total():
            found[count] = Grid(max(agree, key=agree.__getitem__), *side)
    # Where attention has mixed all places, tokens lie as they do elsewhere in the network.
    known = {count - grid.rows * grid.columns: grid for count, grid in found.items()}
    for count, side in grids.items():
        like = known.get(count - side[0] * side[1])
        if count not in found and like is not None:
            found[count] = Grid(like.before, *side)
    clear: dict[int, list[bool]] = defaultdict(list)
    for name, in_order in changes.in_order.items():
        clear[counts[name]].append(in_order)
    mostly = {count: 2 * sum(clear[count]) >= len(clear[count]) for count in found}
    return {
        name: found[count]
        for name, count in counts.items()
        if count in found and changes.in_order.get(name, mostly[count])
    }


def _before(count: int, grid: Size, changed: tuple[int, int]) -> int | None:
    """Tell how many tokens stand before the map, by those that change with its two corners."""
    rows, columns = grid
    extra = count - rows * columns
    top_right, bottom_left = columns - 1, (rows - 1) * columns
    exact = changed[0] - top_right
    if 0 <= exact <= extra and changed[1] == exact + bottom_left:
        return exact
    if min(grid) < 4:
        return None
    # Patches that overlap can change their neighbours more.
    near = [
        before
        for before in {0, extra}
        for right, left in [(changed[0] - before, changed[1] - before)]
        if 0 <= right < 2 * columns and right % columns >= columns - 2
        if (rows - 2) * columns <= left < rows * columns and left % columns <= 1
    ]
    return near[0] if len(near) == 1 else None


def _sides(count: int, photo: Size) -> Size | None:
    """Return the map in the photo's proportions that so many tokens can be: the largest."""
    height, width = photo
    sides = [(rows, max(2, round(rows * width / height))) for rows in range(2, count // 2 + 1)]
    fitting = [side for side in sides if side[0] * side[1] <= count]
    if not fitting:
        return None
    rows, columns = max(fitting, key=lambda side: side[0] * side[1])
    extra = count - rows * columns
    return (rows, columns) if extra <= min(_MOST_EXTRA, rows * columns) else None


@dataclass(frozen=True)
class _Changes:
    """Which tokens change with places of the photo.

    Attributes
    ----------
    places : dict
        By the number of tokens: those that change most with the top right corner and with the
        bottom left one, for each of the first modules that give so many.
    in_order : dict
        Whether they are where they are in the photo, by the names of modules where this is clear.
    """

    places: dict[int, list[tuple[int, int]]]
    in_order: dict[str, bool]


def _changes(
    network: nn.Module, batch: Tensor, grids: Mapping[int, Size], names: Collection[str]
) -> _Changes:
    """Look how tokens change with the photo, by the grids in which so many of them may lie."""
    finest = max(grids.values())
    photos, places = _changed_in_places(batch, finest)
    found = _Changes(defaultdict(list), {})

    def note(name: str, output: object) -> None:
        tokens = main_output(output)
        if tokens is None or tokens.ndim != 3 or len(tokens) != len(photos):
            return
        count = tokens.shape[1]
        grid, seen = grids.get(count), found.places[count]
        if grid is None or (len(seen) >= _LOOKED_AT and name not in names):
            return
        changes = (tokens[1:].float() - tokens[:1].float()).norm(dim=2)
        if len(seen) < _LOOKED_AT:
            top_right, bottom_left, _ = changes.argmax(1).tolist()
            seen.append((top_right, bottom_left))
        in_order = _are_in_order(changes, grid, _rescaled(places, finest, grid))
        if name in names and in_order is not None:
            found.in_order[name] = in_order

    def prepare(modules: Mapping[str, nn.Module]) -> None:
        for name, module in modules.items():
            add_hook(module, lambda _module, _args, output, name=name: note(name, output))

    with contextlib.suppress(Exception), Replica(network, prepare, noticed=False) as twin:
        twin(photos)
    return found


def _changed_in_places(batch: Tensor, grid: Size) -> tuple[Tensor, list[tuple[int, int]]]:
    """Return a photo, and after it the same with noise in the top right, bottom left and inside."""
    places = [(0, grid[1] - 1), (grid[0] - 1, 0), (grid[0] // 2, grid[1] // 3)]
    photos = batch[:1].detach().repeat(1 + len(places), 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    for photo, (row, column) in zip(photos[1:], places, strict=True):
        y, x = (
            slice(at * side // n, -(-(at + 1) * side // n))
            for at, side, n in zip((row, column), batch.shape[2:], grid, strict=True)
        )
        noise = torch.randn(photo[:, y, x].shape, generator=generator).to(photo)
        photo[:, y, x] = batch[:1].mean() + 3 * (batch[:1].std() + 0.1) * noise
    return photos, places


def _are_in_order(changes: Tensor, grid: Size, places: Sequence[tuple[int, int]]) -> bool | None:
    """Tell whether tokens change most at these places, or clearly at others; None: unclear.

    Parameters
    ----------
    changes : Tensor, shape (P, T)
        How much each token changes with each of the places.
    grid : (rows, columns)
    places : sequence of (row, column)
    """
    extra = torch.arange(changes.shape[1] - grid[0] * grid[1] + 1)
    most, mean = changes.amax(1), changes.mean(1)
    if not (most > _SHARP * mean).all():
        return None
    around = [(_around(place, grid)[:, None] + extra).flatten() for place in places]
    here = torch.stack(
        [change[at.to(change.device)].max() for change, at in zip(changes, around, strict=True)]
    )
    if (here == most).all():
        return True
    return None if (here >= mean).all() else False


def _rescaled(places: Sequence[tuple[int, int]], old: Size, new: Size) -> list[tuple[int, int]]:
    """Return where places of one grid lie in another."""
    return [(row * new[0] // old[0], column * new[1] // old[1]) for row, column in places]


def _around(place: tuple[int, int], grid: Size) -> Tensor:
    """Return the positions of a place and its neighbours in a grid, row by row."""
    row, column = place
    positions = torch.arange(grid[0] * grid[1]).reshape(grid)
    return positions[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].flatten()


_COARSE = 8
"""Rows and columns of the places in which a photo is changed to see where a map changes."""


def _in_place(network: nn.Module, batch: Tensor, names: Collection[str]) -> dict[str, Axes]:
    """Find the axes of layers by where their outputs change with places of the photo."""
    photos, places = _changed_in_places(batch, (_COARSE, _COARSE))
    found: dict[str, Axes] = {}

    def note(name: str, output: object) -> None:
        given = main_output(output)
        if given is None or given.ndim != 4 or len(given) != len(photos):
            return
        changes = given[1:].float() - given[:1].float()
        fitting = []
        for channels, rows, columns in ((1, 2, 3), (2, 1, 3), (3, 1, 2)):
            maps = changes.norm(dim=channels)
            if _change_there(maps, places):
                fitting.append((channels, rows, columns))
            if _change_there(maps.mT, places):
                fitting.append((channels, columns, rows))
        if len(fitting) == 1:
            found[name] = fitting[0]

    def prepare(modules: Mapping[str, nn.Module]) -> None:
        for name in names:
            add_hook(modules[name], lambda _module, _args, output, name=name: note(name, output))

    with contextlib.suppress(Exception), Replica(network, prepare, noticed=False) as twin:
        twin(photos)
    return found


def _change_there(changes: Tensor, places: Sequence[tuple[int, int]]) -> bool:
    """Tell whether maps (P, h, w) change in these of 8 x 8 places, and half as much elsewhere."""
    grid = min(changes.shape[1], _COARSE), min(changes.shape[2], _COARSE)
    coarse = F.adaptive_max_pool2d(changes[:, None], grid).flatten(1)
    for change, place in zip(coarse, _rescaled(places, (_COARSE, _COARSE), grid), strict=True):
        there = _around(place, grid)
        elsewhere = change.index_fill(0, there.to(change.device), 0)
        if not change.max() > 2 * elsewhere.max():
            return False
    return True


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
        given = main_output(output)
        shapes[name] = () if given is None else tuple(given.shape)
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
                "example the module around it, or say with reshape= how a map is made of it."
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
    warn(
        f"It could not be tested which axes of {assumed[0]!r}{others} are the photo's height and "
        "width: the network takes no photos of other sizes, or gives the same sizes for them, and "
        "with a place of the photo not one place of theirs changes. By their proportions the axes "
        f"are taken to be {order}; if that is wrong, name other layers: layers=[...]."
    )
