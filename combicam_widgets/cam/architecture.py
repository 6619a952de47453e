"""Architecture: the layers of a network that are worth explaining, grouped into stages."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn

from combicam_widgets.cam.axes import (
    CHANNELS_FIRST,
    Axes,
    Grid,
    Shape,
    Size,
    as_map,
    axes_of,
    checked_axes,
    main_output,
    memory_of,
    size_of_map,
    warn_of_assumed,
)
from combicam_widgets.cam.passes import (
    checked_batch,
    forward_backward,
    names_of,
    on_device_of,
    shaped_scores,
)
from combicam_widgets.cam.replicas import (
    Replica,
    add_hook,
    modules_of,
    recordable,
    unwrapped,
    why_closed,
)
from combicam_widgets.cam.strides import Strides, own_stride
from combicam_widgets.notices import warn

_CHAINS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
"""Modules without a forward of their own."""

_REMEMBERED = 64
"""Traces and plans, of photos of different sizes, that are remembered for a network."""


@dataclass(frozen=True)
class Layer:
    """A module whose output is a map, and which takes part in the explanation.

    Attributes
    ----------
    name : str
        Qualified name in the network, for example ``features.3.1``.
    kind : str
        Class of the module, for example ``MBConv``.
    shape : (K, h, w)
        Channels, height and width of its output for the example, whatever their order in it.
    parameters : int
        Number of parameters in the module.
    stride : int
        Pixels of the input from one place of the output to the next: the product of the strides on
        the way, which is more than the ratio of the sizes where borders are cut off.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    parameters: int
    stride: int


@dataclass(frozen=True)
class Stage:
    """A run of consecutive layers with the same spatial resolution (height, width)."""

    resolution: tuple[int, int]
    layers: tuple[Layer, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of its layers, in forward order."""
        return tuple(layer.name for layer in self.layers)


@dataclass(frozen=True)
class Architecture:
    """The stages of a network, in forward order."""

    stages: tuple[Stage, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, in forward order."""
        return tuple(layer for stage in self.stages for layer in stage.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all layers, in forward order."""
        return tuple(layer.name for layer in self.layers)


GRANULARITIES = ("stage", "block", "convolution")
"""How finely `architecture` looks."""


def architecture(
    network: nn.Module,
    example: Tensor,
    granularity: str | Sequence[str | nn.Module] = "block",
) -> Architecture:
    """Find the layers worth explaining, by forward passes of photos of this and of other sizes.

    What was found is remembered, size by size, for as long as the network lives and its modules
    are the same.

    Parameters
    ----------
    network : nn.Module
        Left as it was.
    example : Tensor, shape (N, 3, h, w) or (3, h, w)
    granularity : {"stage", "block", "convolution"} or sequence of str or nn.Module
        - ``block`` (default): modules with a forward of their own around at least two convolutions
          (MBConv, Bottleneck, Inception, ...). A network without blocks, such as VGG, gives the
          last convolution of each resolution: the one before each pooling.
        - ``stage``: the last block of each run of blocks with the same resolution.
        - ``convolution``: every convolution whose output is larger than one pixel.
        - a list of modules or their names: these.

        Modules that run more than once in a pass are left out: they have no one map. So are those
        whose outputs are no maps; maps with their channels last, (N, h, w, K), count.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        There is no layer with a 4-D output, a name is unknown, or a layer runs more than once;
        the blocks of a transformer give tokens, so that only the layers before them were found.
    """
    batch = on_device_of(network, checked_batch(example))
    size = (batch.shape[2], batch.shape[3])
    what = granularity if isinstance(granularity, str) else tuple(names_of(network, granularity))
    remembered = memory_of(network).found
    plan: Architecture | None = remembered.get((size, what))
    if plan is None:
        runs: list[_Run] = remembered.get(size) or _runs(network, batch)
        plan = _planned(network, batch, runs, what)
        for old in list(remembered)[:-_REMEMBERED]:
            remembered.pop(old, None)
        remembered |= {size: runs, (size, what): plan}
    warn_of_assumed(network, plan.names)
    return plan


@dataclass(frozen=True)
class _Run:
    """One run of a module in a pass: what it was given, if that was 4-D, and what it gave.

    ``has_weights`` is true of convolutions, linear layers and what is made of them; ``fed_by``
    names the modules whose output is what it was given, as it is or turned.
    """

    name: str
    kind: str
    parameters: int
    has_weights: bool
    stride: tuple[float, float] | None
    before: Size | None
    shape: Shape
    fed_by: frozenset[str]


@recordable
def _runs(network: nn.Module, batch: Tensor) -> list[_Run]:
    """Run the network once; list the runs of its modules in the order in which they end."""
    runs: list[_Run] = []
    givers: dict[int, tuple[ReferenceType[Tensor], set[str]]] = {}

    def givers_of(tensor: Tensor | None) -> set[str]:
        known, names = givers.get(id(tensor), (None, set()))
        return names if known is not None and known() is tensor else set()

    def note(name: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        first = inputs[0] if inputs else None
        before = None
        if isinstance(first, Tensor) and first.ndim == 4:
            before = first.shape[2], first.shape[3]
        fed_by: set[str] = set()
        if isinstance(first, Tensor):
            fed_by = givers_of(first) | givers_of(first._base)  # noqa: SLF001
        given = main_output(output)
        runs.append(
            _Run(
                name=name,
                kind=type(module).__name__,
                parameters=sum(p.numel() for p in module.parameters()),
                has_weights=not isinstance(module, _CHAINS)
                and any(isinstance(inner, (nn.Conv2d, nn.Linear)) for inner in module.modules()),
                stride=own_stride(module),
                before=before,
                shape=() if given is None else tuple(given.shape),
                fed_by=frozenset(fed_by),
            )
        )
        if given is not None:
            givers[id(given)] = ref(given), {*givers_of(given), name}

    def prepare(modules: Mapping[str, nn.Module]) -> None:
        for name, module in modules.items():
            if name:
                add_hook(
                    module,
                    lambda module, args, output, name=name: note(name, module, args, output),
                )

    with Replica(network, prepare) as twin:
        twin(batch[:1].clone())
    return runs


@dataclass(frozen=True)
class _Trace:
    """What one pass showed of the modules that run exactly once, in the order in which they end.

    Attributes
    ----------
    maps : mapping from str to Layer
        Those whose outputs are maps.
    tokens : mapping from str to _Run
        Those that give several tokens, (1, T, K), of which no map can be made.
    unread : mapping from str to _Run
        Blocks that give tokens, in whatever order or groups, of which no map can be made.
    fed_by : mapping from str to set of str
        Which modules gave them what they were given.
    """

    maps: Mapping[str, Layer]
    tokens: Mapping[str, _Run]
    unread: Mapping[str, _Run]
    fed_by: Mapping[str, frozenset[str]]


def _trace(network: nn.Module, batch: Tensor, runs: Sequence[_Run], named: Sequence[str]) -> _Trace:
    """Tell maps from other outputs, for modules that have weights and for those that are named."""
    counts = Counter(run.name for run in runs)
    once = [run for run in runs if counts[run.name] == 1 and run.shape[:1] == (1,)]
    candidates = {
        run.name: run.shape
        for run in once
        if len(run.shape) in {3, 4} and (run.has_weights or run.name in named)
    }
    axes = axes_of(network, batch[:1], candidates)
    strides = Strides((batch.shape[2], batch.shape[3]))
    maps = {}
    for run in runs:
        pools = len(run.shape) == 4 and run.stride is not None
        order = axes.get(run.name, CHANNELS_FIRST if pools else None)
        if order is None:
            continue
        channels, height, width = size_of_map(run.shape, order)
        before = run.before if order == CHANNELS_FIRST else None
        stride = strides.after(before, run.stride, (height, width))
        if run.name in candidates:
            shape = (channels, height, width)
            maps[run.name] = Layer(run.name, run.kind, shape, run.parameters, stride)
    tokens = {
        run.name: run
        for run in once
        if len(run.shape) == 3 and run.shape[1] > 1 and run.name not in maps
    }
    unread = {
        run.name: run
        for run in once
        if run.has_weights and run.kind != "Linear" and run.name not in maps
        if len(run.shape) in {3, 4} and math.prod(run.shape[1:-1]) > 1
    }
    return _Trace(maps, tokens, unread, {run.name: run.fed_by for run in once})


def _planned(
    network: nn.Module, batch: Tensor, runs: Sequence[_Run], what: str | tuple[str, ...]
) -> Architecture:
    """Choose layers among those that ran: at a granularity, or by their names."""
    trace = _trace(network, batch, runs, () if isinstance(what, str) else what)
    maps = trace.maps
    if not isinstance(what, str):
        unknown = [name for name in what if name not in maps]
        if unknown:
            raise ValueError(
                f"The network has no layer {unknown[0]!r} with a 4-D output that runs exactly once "
                "and gives maps, (N, K, h, w) or (N, h, w, K)."
            )
        names: Sequence[str] = what
        if not names:
            raise ValueError("granularity must hold at least one layer name.")
    elif what == "convolution":
        names = _spatial_convolutions(network, trace)
    elif what in GRANULARITIES:
        names = _blocks(network, trace)
        if len(names) < 2:
            names = names or _last_of_each_resolution(maps, _spatial_convolutions(network, trace))
            _check_that_more_than_a_stem_was_found(trace, names)
        else:
            _warn_of_unread(trace, names)
        names, trace = _with_a_gradient(network, batch, runs, names, trace)
        maps = trace.maps
    else:
        raise ValueError(
            f"granularity must be one of {', '.join(GRANULARITIES)}, or a list of layer names, "
            f"not {what!r}."
        )
    ordered = [name for name in maps if name in set(names)]
    if what == "stage":
        ordered = _last_of_each_resolution(maps, ordered)
    if not ordered:
        raise ValueError(
            why_closed(network)
            or "The network has no layer with a 4-D output (N, K, h, w) and some extent: there is "
            "nothing to map. Class activation maps need a convolutional network."
        )
    stages = groupby((maps[name] for name in ordered), key=lambda layer: layer.shape[1:])
    return Architecture(tuple(Stage(resolution, tuple(run)) for resolution, run in stages))


def _blocks(network: nn.Module, trace: _Trace) -> list[str]:
    """Outermost modules that hold at least two convolutions but no two blocks of their own.

    Blocks of their own feed each other, or stand in a chain.
    """

    def search(name: str, module: nn.Module) -> list[str]:
        chain = isinstance(module, _CHAINS)
        inner: list[str] = []
        in_chains = False
        for child_name, child in module.named_children():
            blocks = search(f"{name}.{child_name}".lstrip("."), unwrapped(child))
            inner += blocks
            in_chains = in_chains or (bool(blocks) and isinstance(child, _CHAINS))
        own = name in trace.maps and not chain and _convolutions(name, module, trace) >= 2
        # Attention and MLP of a transformer's block are branches, whose sums are the maps.
        branches = not in_chains and not any(trace.fed_by[one].intersection(inner) for one in inner)
        return [name] if own and (len(inner) < 2 or branches) else inner

    return search("", unwrapped(network))


def _convolutions(name: str, module: nn.Module, trace: _Trace) -> int:
    """Count the weighted layers inside a module that keep some spatial extent; tokens do."""

    def has_extent(inner: str) -> bool:
        return inner in trace.tokens or (
            inner in trace.maps and max(trace.maps[inner].shape[1:]) > 1
        )

    return sum(
        has_extent(f"{name}.{inner}")
        for inner, leaf in modules_of(module).items()
        if isinstance(leaf, (nn.Conv2d, nn.Linear))
    )


def _check_that_more_than_a_stem_was_found(trace: _Trace, names: Sequence[str]) -> None:
    """Refuse a network of tokens, of which only what comes before its blocks gives maps."""
    weights: Counter[str] = Counter()
    for run in trace.unread.values():
        weights[run.kind] += run.parameters
    if not weights:
        return
    kind, weight = weights.most_common(1)[0]
    blocks = [run for run in trace.unread.values() if run.kind == kind]
    if len(blocks) > 1 and weight > sum(trace.maps[name].parameters for name in names):
        tokens = f"The {len(blocks)} blocks of this network ({kind}) give tokens of shape "
        tokens += f"{blocks[0].shape}, of which no map can be made"
        if not names:
            raise ValueError(f"{tokens}.")
        raise ValueError(
            f"{tokens}; only {names[-1]!r} and the like give maps. To see these all the same, name "
            f'them: layers=["{names[-1]}"].'
        )


def _with_a_gradient(
    network: nn.Module, batch: Tensor, runs: Sequence[_Run], names: Sequence[str], trace: _Trace
) -> tuple[Sequence[str], _Trace]:
    """Put the norm with which the last block begins in its place, if that block is silent.

    Where the head reads the class token alone, nothing comes back to the tokens of places after the
    last attention.
    """
    last = max(names, key=list(trace.maps).index, default="")
    shapes = {run.name: run.shape for run in runs}
    axes = axes_of(network, batch[:1], {last: shapes[last]})[last] if last else None
    if not isinstance(axes, Grid) or shapes[last][1] == axes.rows * axes.columns:
        return names, trace
    inner = [n for n, shape in shapes.items() if n.startswith(f"{last}.") and shape == shapes[last]]
    inside = _trace(network, batch, runs, [*names, *inner])
    inner = [name for name in inner if name in inside.maps]
    heard = _heard(network, batch, [*inner, last])
    if last in heard or not heard:
        return names, trace
    first = next(name for name in inner if name in heard)
    return [*(name for name in names if name != last), first], inside


def _heard(network: nn.Module, batch: Tensor, names: Sequence[str]) -> set[str]:
    """Name the layers to whose places a gradient comes back from the scores."""
    heard: set[str] = set()

    def run(twin: nn.Module, shapes: Mapping[str, Shape]) -> tuple[Tensor, None]:
        scores = shaped_scores(twin(batch[:1].clone()), 1)
        axes.update(checked_axes(network, batch[:1], shapes))
        return (scores * torch.arange(scores.shape[1]).to(scores)).sum(), None

    def look(name: str, _: Tensor, gradients: Tensor) -> None:
        if as_map(gradients, axes[name]).any():
            heard.add(name)

    axes: dict[str, Axes] = {}
    with contextlib.suppress(Exception):  # what is wrong with it is said when it is explained
        forward_backward(network, names, run, look)
    return heard


def _warn_of_unread(trace: _Trace, names: Sequence[str]) -> None:
    """Say which blocks of the kinds that were found are left out."""
    kinds = {trace.maps[name].kind for name in names}
    unread = [run for run in trace.unread.values() if run.kind in kinds]
    if unread:
        warn(
            f"{len(unread)} blocks of this network ({unread[0].kind}) are left out, such as "
            f"{unread[0].name!r}: how their tokens, {unread[0].shape}, lie in the photo could not "
            "be found out. To see these, name them and say it: explain(..., layers=[...], "
            "reshape=...)."
        )


def _spatial_convolutions(network: nn.Module, trace: _Trace) -> list[str]:
    modules = modules_of(network)
    return [
        name
        for name, layer in trace.maps.items()
        if isinstance(modules[name], nn.Conv2d) and max(layer.shape[1:]) > 1
    ]


def _last_of_each_resolution(maps: Mapping[str, Layer], names: Sequence[str]) -> list[str]:
    by_resolution = groupby(names, key=lambda name: maps[name].shape[1:])
    return [list(run)[-1] for _, run in by_resolution]
