"""Architecture: the layers of a network that are worth explaining, grouped into stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from torch import Tensor, nn

from combicam_widgets.cam.passes import checked_batch, on_device_of, recordable
from combicam_widgets.cam.replicas import Replica
from combicam_widgets.cam.strides import Strides


@dataclass(frozen=True)
class Layer:
    """A module with a 4-D output that takes part in the explanation.

    Attributes
    ----------
    name : str
        Qualified name in the network, for example ``features.3.1``.
    kind : str
        Class of the module, for example ``MBConv``.
    shape : (K, h, w)
        Channels, height and width of its output for the example.
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
    network: nn.Module, example: Tensor, granularity: str | Sequence[str] = "block"
) -> Architecture:
    """Find the layers worth explaining, by one forward pass.

    Parameters
    ----------
    network : nn.Module
        Left as it was.
    example : Tensor, shape (N, 3, h, w) or (3, h, w)
    granularity : {"stage", "block", "convolution"} or sequence of str
        - ``block`` (default): modules with a forward of their own around at least two convolutions
          (MBConv, Bottleneck, Inception, ...). A network without blocks, such as VGG, gives the
          last convolution of each resolution: the one before each pooling.
        - ``stage``: the last block of each run of blocks with the same resolution.
        - ``convolution``: every convolution whose output is larger than one pixel.
        - a list of module names: these.

        Modules that run more than once in a pass are left out: they have no one map.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        There is no layer with a 4-D output, a name is unknown, or a layer runs more than once;
        the blocks give their channels last, (N, h, w, K), as those of window transformers do.
    """
    runs = _trace(network, on_device_of(network, checked_batch(example)))
    if not isinstance(granularity, str):
        unknown = [name for name in granularity if name not in runs]
        if unknown:
            raise ValueError(
                f"The network has no layer {unknown[0]!r} with a 4-D output that runs exactly once."
            )
        names = list(granularity)
        if not names:
            raise ValueError("granularity must hold at least one layer name.")
    elif granularity == "convolution":
        names = _spatial_convolutions(network, runs)
    elif granularity in GRANULARITIES:
        names = _blocks(network, runs) or _last_of_each_resolution(
            runs, _spatial_convolutions(network, runs)
        )
    else:
        raise ValueError(
            f"granularity must be one of {', '.join(GRANULARITIES)}, or a list of layer names, "
            f"not {granularity!r}."
        )
    _refuse_channels_last(network, runs, names)
    ordered = [name for name in runs if name in set(names)]
    if granularity == "stage":
        ordered = _last_of_each_resolution(runs, ordered)
    chosen = [runs[name] for name in ordered]
    if not chosen:
        raise ValueError(
            "The network has no layer with a 4-D output (N, K, h, w) and some extent: there is "
            "nothing to map. Class activation maps need a convolutional network."
        )
    stages = groupby(chosen, key=lambda layer: layer.shape[1:])
    return Architecture(tuple(Stage(resolution, tuple(run)) for resolution, run in stages))


@recordable
def _trace(network: nn.Module, example: Tensor) -> dict[str, Layer]:
    """Modules that run exactly once and give a 4-D tensor, in the order in which they finish."""
    runs: dict[str, Layer] = {}
    counts: dict[str, int] = {}
    strides = Strides(example)

    def note(name: str, module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        counts[name] = counts.get(name, 0) + 1
        if isinstance(output, Tensor) and output.ndim == 4 and len(output) == 1:
            _, channels, height, width = output.shape
            runs[name] = Layer(
                name=name,
                kind=type(module).__name__,
                shape=(channels, height, width),
                parameters=sum(p.numel() for p in module.parameters()),
                stride=strides.after(module, inputs, output),
            )

    def prepare(twin: nn.Module) -> None:
        for name, module in twin.named_modules():
            if name:
                module.register_forward_hook(
                    lambda module, args, output, name=name: note(name, module, args, output)
                )

    with Replica(network, prepare) as twin:
        twin(example[:1].clone())
    return {name: layer for name, layer in runs.items() if counts[name] == 1}


def _blocks(network: nn.Module, runs: dict[str, Layer]) -> list[str]:
    """Outermost modules that hold at least two convolutions but no two blocks of their own."""

    def search(name: str, module: nn.Module) -> list[str]:
        inner = [
            block
            for child_name, child in module.named_children()
            for block in search(f"{name}.{child_name}".lstrip("."), child)
        ]
        chain = isinstance(module, (nn.Sequential, nn.ModuleList, nn.ModuleDict))
        own = name in runs and not chain and _convolutions(name, module, runs) >= 2
        return [name] if own and len(inner) < 2 else inner

    return search("", network)


def _convolutions(name: str, module: nn.Module, runs: dict[str, Layer]) -> int:
    """Count the weighted layers inside a module that keep some spatial extent."""
    return sum(
        f"{name}.{inner}" in runs and max(runs[f"{name}.{inner}"].shape[1:]) > 1
        for inner, leaf in module.named_modules()
        if isinstance(leaf, (nn.Conv2d, nn.Linear))
    )


def _refuse_channels_last(network: nn.Module, runs: dict[str, Layer], names: Sequence[str]) -> None:
    """Refuse blocks without convolutions that normalize the last axis of outputs like their own."""
    modules = dict(network.named_modules())
    for name in names:
        inside = {f"{name}.{inner}": m for inner, m in modules[name].named_modules()}
        if any(isinstance(module, nn.Conv2d) for module in inside.values()):
            continue
        for inner, module in inside.items():
            alike = inner in runs and runs[inner].shape == runs[name].shape
            if alike and isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
                raise ValueError(
                    f"Layer {name!r} gives its channels last, (N, h, w, K): its maps would be read "
                    "along the wrong axes. Name modules that give (N, K, h, w), for example a "
                    "permutation after it: layers=[...]."
                )


def _spatial_convolutions(network: nn.Module, runs: dict[str, Layer]) -> list[str]:
    modules = dict(network.named_modules())
    return [
        name
        for name, layer in runs.items()
        if isinstance(modules[name], nn.Conv2d) and max(layer.shape[1:]) > 1
    ]


def _last_of_each_resolution(runs: dict[str, Layer], names: Sequence[str]) -> list[str]:
    by_resolution = groupby(names, key=lambda name: runs[name].shape[1:])
    return [list(run)[-1] for _, run in by_resolution]
