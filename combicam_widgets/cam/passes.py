"""Passes through the user's network: on a `Replica`, so that the network itself stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast
from weakref import WeakSet

import torch
from torch import Tensor, nn

from combicam_widgets.cam.axes import Shape, main_output, memory_of
from combicam_widgets.cam.lighter import Postponement, computed, lighten
from combicam_widgets.cam.replicas import (
    Replica,
    add_hook,
    is_quantised,
    modules_of,
    recordable,
    unwrapped,
    why_closed,
)
from combicam_widgets.notices import warn

_overwriting: WeakSet[nn.Module] = WeakSet()
"""Networks that overwrite the output of a layer in place; see `forward_backward`."""

_prompt: WeakSet[nn.Module] = WeakSet()
"""Networks whose convolutions cannot wait for their batch norms; see `Postponement`."""

_WRAPPED = frozenset(("_orig_mod", "module"))
"""How compiled and data-parallel modules call what they run."""

Answer = TypeVar("Answer")

Output: TypeAlias = str | int | Callable[[Any], Tensor]
"""Which output of a network are the class scores."""


@recordable
def class_scores(network: nn.Module, batch: Tensor, output: Output | None = None) -> Tensor:
    """Run one plain forward pass without gradients.

    Parameters
    ----------
    network : nn.Module
        Maps a batch to class scores (N, C). It is seen in evaluation mode, and left as it was.
    batch : Tensor, shape (N, 3, h, w)
    output : str, int or callable, optional
        See `explain`.

    Returns
    -------
    Tensor, shape (N, C)
        Checked: see `checked_scores`.
    """
    batch = on_device_of(network, checked_batch(batch))
    with Replica(network) as twin:
        given = picked(twin(batch.clone()), output)
    return checked_scores(given, len(batch), partial(say_once, network)).detach()


@recordable
def captured(
    network: nn.Module, layers: Sequence[str], batch: Tensor
) -> tuple[object, dict[str, Tensor]]:
    """Run one plain forward pass, and copy what the named modules give.

    Returns
    -------
    output
        What the network gives.
    outputs : dict of Tensor (N, K, h, w)
        What the modules give, in forward order.

    Raises
    ------
    ValueError
        A name that is no module of the network, or a module that runs more than once in a pass.
    TypeError
        A module whose output is not a 4-D tensor.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str, output: Tensor) -> Tensor:
        outputs[name] = output.detach().clone()
        return output

    with Replica(network, lambda modules: _watch(modules, network, layers, keep)) as twin:
        return twin(batch.detach().clone()), outputs


@recordable
def forward_backward(
    network: nn.Module,
    layers: Sequence[str],
    run: Callable[[nn.Module, Mapping[str, Shape]], tuple[Tensor, Answer]],
    on_layer: Callable[[str, Tensor, Tensor], None],
    *,
    exact: bool = False,
) -> Answer:
    """Make one forward and one backward pass, and show each layer while they go by.

    Each layer's gradient is free again as soon as it has been shown and passed on: memory that
    is used again is what makes a pass fast. The graph is cut below the first layer.

    Parameters
    ----------
    network : nn.Module
    layers : sequence of str
        Names of modules.
    run : callable
        Runs a twin of the network once; returns the number that is differentiated, and whatever
        the caller wants back. Called as ``run(twin, shapes)``: after the twin ran, ``shapes`` holds
        the (N, K, h, w) of each layer's output, in forward order. A network that overwrites a
        layer's output in place is run twice, the first time, and so is one whose convolutions
        cannot be postponed.
    on_layer : callable
        Called as ``on_layer(name, activations, gradients)``, last layer first; both tensors have
        shape (N, K, h, w) and must not be changed. A layer whose output does not reach the score
        is never shown.
    exact : bool
        Whether nothing is made cheaper; see `lighten`.

    Returns
    -------
    object
        What ``run`` returned beside the number.

    Raises
    ------
    ValueError, TypeError
        As `captured`.
    RuntimeError
        No gradient reaches any layer, or the network overwrites what its own gradient needs.
    """
    while True:
        copies = network in _overwriting
        postponement = None if exact or network in _prompt else Postponement()
        try:
            return _forward_backward(
                network,
                layers,
                run,
                on_layer,
                copies=copies,
                exact=exact,
                postponement=postponement,
            )
        except Exception as error:
            if postponement is not None and postponement.failed:
                _prompt.add(network)
            elif not _is_about_overwriting(error):
                raise
            elif not copies:
                _overwriting.add(network)
            else:
                raise RuntimeError(
                    "The network overwrites in place a value that its own gradient needs, so it "
                    "could not be trained either: replace that operation (x += y, relu_, "
                    "inplace=True) by one that makes a new tensor."
                ) from error


def _is_about_overwriting(error: Exception) -> bool:
    """Tell whether autograd complains of an operation in place."""
    return type(error) is RuntimeError and ("inplace" in str(error) or "in-place" in str(error))


def _forward_backward(
    network: nn.Module,
    layers: Sequence[str],
    run: Callable[[nn.Module, Mapping[str, Shape]], tuple[Tensor, Answer]],
    on_layer: Callable[[str, Tensor, Tensor], None],
    *,
    copies: bool,
    exact: bool,
    postponement: Postponement | None,
) -> Answer:
    taps = _Taps(on_layer, copies=copies)

    def prepare(modules: Mapping[str, nn.Module]) -> None:
        if is_quantised(modules.values()):
            raise ValueError(why_closed(network))
        if not exact and not _is_under_autocast(
            network
        ):  # convolutions without their input mix precisions
            lighten(modules, postponement)
        _watch(modules, network, layers, taps.tap, lambda: taps.going_back)

    with Replica(network, prepare) as twin:
        value, answer = run(twin, taps.shapes)
        if postponement is not None:
            postponement.end()
        taps.going_back = True
        if value.requires_grad:
            _straighten(value)
            _go_back(value, taps.tokens)
    if taps.unrecorded - taps.shown or not taps.shown:
        raise RuntimeError(
            "The gradient of the score does not reach any of the layers, or not those that run "
            "first: the network detaches it or runs under torch.no_grad() on the way. If that is "
            "gradient checkpointing, switch it off, or give checkpoint(..., use_reentrant=False)."
        )
    return answer


def _go_back(value: Tensor, tokens: Sequence[Tensor]) -> None:
    try:
        torch.autograd.grad(value, tokens, allow_unused=True)
    except RuntimeError as error:
        if "use_reentrant" not in str(error):
            raise
        raise RuntimeError(
            "The network uses reentrant gradient checkpointing: give checkpoint(..., "
            "use_reentrant=False), or switch it off."
        ) from error


class _Taps:
    """The taps of one pass.

    Attributes
    ----------
    shapes : dict
        Shapes of the layers' outputs, in forward order.
    unrecorded, shown : set of str
        Names of the layers that ran without a graph, and of those whose gradient came by.
    going_back : bool
        Whether the forward pass is over: what gradient checkpointing runs then is no second run.
    """

    def __init__(self, on_layer: Callable[[str, Tensor, Tensor], None], *, copies: bool) -> None:
        self.shapes: dict[str, Shape] = {}
        self.tokens: list[Tensor] = []
        self.unrecorded: set[str] = set()
        self.shown: set[str] = set()
        self.going_back = False
        self._on_layer = on_layer
        self._copies = copies

    def tap(self, name: str, output: Tensor) -> Tensor:
        """Put a tap on the output of a layer; the graph begins at the first."""
        self.shapes.setdefault(name, tuple(output.shape))
        if not torch.is_grad_enabled():
            self.unrecorded.add(name)
        if not self.tokens:
            self.tokens.append(torch.zeros((), device=output.device, requires_grad=True))
        if name == next(iter(self.shapes)):
            output = output.detach()
        show = partial(self._show, name)
        return cast(Tensor, _Tap.apply(output, self.tokens[0], self._copies, show))

    def _show(self, name: str, activations: Tensor, gradients: Tensor) -> None:
        self.shown.add(name)
        self._on_layer(name, activations, gradients)


def _is_under_autocast(network: nn.Module) -> bool:
    parameter = next(network.parameters(), None)
    return parameter is not None and torch.is_autocast_enabled(parameter.device.type)


def _straighten(value: Tensor) -> None:
    """Give each batch norm its gradient in the strides that its input had.

    For one photo, and for maps one pixel high or wide, the strides of tokens and those of a map can
    both be taken for channels last. Where gradient and input differ in this, PyTorch (2.14.1 on a
    CPU) mixes up the places, in instance norms too. Of that kind is
    https://github.com/pytorch/pytorch/issues/175189.
    """
    nodes, seen = [value.grad_fn], {value.grad_fn}
    for node in nodes:
        if node is not None:
            if "BatchNorm" in node.name():
                given = cast(Any, node)._saved_input  # noqa: SLF001
                if 1 in given.shape and _is_dense(given):
                    node.register_prehook(partial(_laid_out, given.stride()))
            new = {before for before, _ in node.next_functions} - seen
            seen |= new
            nodes += new


def _laid_out(strides: tuple[int, ...], gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    first, *rest = gradients
    if first.stride() != strides:
        like = torch.empty_strided(first.shape, strides, dtype=first.dtype, device=first.device)
        first = like.copy_(first)
    return first, *rest


def _is_dense(tensor: Tensor) -> bool:
    """Tell whether each number has a place of its own, without gaps; what is expanded has not."""
    sides = zip(tensor.shape, tensor.stride(), strict=True)
    return tensor.numel() == 1 + sum((side - 1) * stride for side, stride in sides)


class _Tap(torch.autograd.Function):
    """Passes on a layer's output; on the way back, shows it and its gradient.

    The token is what makes the gradient come by even where nothing else wants it.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        output: Tensor,
        token: Tensor,  # noqa: ARG004
        copies: bool,  # noqa: FBT001
        show: Callable[[Tensor, Tensor], None],
    ) -> Tensor:
        ctx.save_for_backward(output)  # a backward pass complains if it was overwritten since
        ctx.show = show
        return output.clone() if copies else output.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        (output,) = ctx.saved_tensors
        ctx.show(output.detach(), gradients[0])
        return (gradients[0] if ctx.needs_input_grad[0] else None), None, None, None


def _watch(
    modules: Mapping[str, nn.Module],
    network: nn.Module,
    layers: Sequence[str],
    replace: Callable[[str, Tensor], Tensor],
    again: Callable[[], bool] = lambda: False,
) -> None:
    """Replace the outputs of the named modules of a replica of the network.

    Each must run once in a pass, unless ``again`` says that the pass is run again.
    """
    unknown = [name for name in layers if name not in modules]
    if unknown:
        raise ValueError(
            why_closed(network)
            or f"The network has no layer {unknown[0]!r}; see combicam_widgets.cam.architecture("
            "...) for the layers it has."
        )
    seen: set[str] = set()

    def hook(name: str, output: object) -> object:
        given = main_output(output)
        if given is None or given.ndim < 3:
            raise TypeError(
                f"Layer {name!r} gives {_kind(output)}; a 4-D tensor is needed, or tokens "
                "(N, T, K)."
            )
        if name in seen and not again():
            raise ValueError(
                f"Layer {name!r} runs more than once in one pass; choose the module around it."
            )
        seen.add(name)
        given = computed(given)
        if isinstance(output, (tuple, list)):
            others = (replace(name, given), *output[1:])
            return list(others) if isinstance(output, list) else tuple.__new__(type(output), others)
        return replace(name, given)

    for name in dict.fromkeys(layers):
        # Before the hooks of the network's owner, which may keep the output for a later layer.
        add_hook(
            modules[name],
            lambda _module, _args, output, name=name: hook(name, output),
            prepend=True,
        )


def names_of(network: nn.Module, layers: Iterable[str | nn.Module] | nn.Module) -> list[str]:
    """Return the names of layers that are given by name or as the modules themselves.

    Raises
    ------
    ValueError
        A module that is none of the network's.
    TypeError
        Something else than names and modules.
    """
    try:
        # Tensors and arrays without axes are iterable by type alone.
        listed = [layers] if isinstance(layers, nn.Module) else list(layers)
    except TypeError as error:
        said = f"not {layers!r:.60}"
        raise TypeError(f"layers must be names or modules of the network, {said}.") from error
    listed = [str(layer) if isinstance(layer, str) else layer for layer in listed]  # NumPy's, too
    plain = [x for x in listed if isinstance(x, str) and not _WRAPPED.intersection(x.split("."))]
    if len(plain) == len(listed):
        return plain
    modules = modules_of(network)
    names = {module: name for name, module in modules.items()}
    return [_name_of(layer, names, modules) for layer in listed]


def _name_of(layer: object, names: Mapping[nn.Module, str], known: Container[str]) -> str:
    if isinstance(layer, str):
        if layer in known:
            return layer
        return ".".join(part for part in layer.split(".") if part not in _WRAPPED)
    if not isinstance(layer, nn.Module):
        raise TypeError(f"layers must hold names or modules of the network, not {layer!r:.60}.")
    if unwrapped(layer) not in names:
        raise ValueError(f"layers holds a {type(layer).__name__} that is no module of the network.")
    return names[unwrapped(layer)]


def checked_batch(batch: object) -> Tensor:
    """Return ``batch`` as a finite floating tensor (N, 3, h, w), or raise what is wrong with it."""
    if not isinstance(batch, Tensor):
        raise TypeError(f"The batch must be a torch tensor (N, 3, h, w), not {_kind(batch)}.")
    if batch.ndim == 3:
        batch = batch[None]
    if batch.ndim != 4 or 0 in batch.shape:
        raise ValueError(f"The batch must have shape (N, 3, h, w), not {tuple(batch.shape)}.")
    if not batch.is_floating_point():
        raise TypeError(f"The batch must be of a floating type, not {batch.dtype}.")
    if not batch.isfinite().all():
        raise ValueError("The batch holds NaN or infinite values; check the image transform.")
    return batch


def checked_scores(output: object, n: int, say: Callable[[str], object] | None = None) -> Tensor:
    """Return the class scores (N, C) in a network's output if they are finite; else raise."""
    scores = shaped_scores(output, n, say)
    check_finite(scores)
    return scores


def check_finite(scores: Tensor) -> None:
    """Refuse class scores that are not finite; on other devices than a CPU this waits for them."""
    if not scores.isfinite().all():
        raise ValueError(
            "The network returned NaN or infinite class scores for this photo: nothing can be "
            "explained. Check its weights and the image transform."
        )


def picked(given: object, output: Output | None) -> object:
    """Pick the class scores out of what a network returned, as ``output`` says."""
    if output is None:
        return given
    if callable(output):
        return output(given)
    try:
        if isinstance(output, str) and not isinstance(given, Mapping):
            return getattr(given, output)
        return cast(Any, given)[output]
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError(
            f"output={output!r} is nothing that the network returns: it gives a "
            f"{type(given).__name__}."
        ) from error


def shaped_scores(output: object, n: int, say: Callable[[str], object] | None = None) -> Tensor:
    """Return the class scores (N, C) in a network's output, or raise what is wrong with it.

    Of objects and dicts with ``logits``, as the networks of Hugging Face give, these are taken; of
    several things, the only one that can be class scores, and ``say`` is told so.
    """
    if isinstance(output, Mapping):
        output = output.get("logits", output)
    elif not isinstance(output, Tensor):
        output = getattr(output, "logits", output)
    if not isinstance(output, Tensor):
        parts = _parts(output)
        fitting = {name: x for name, x in parts.items() if _has_shape_of_scores(x, n)}
        if len(fitting) != 1:
            raise TypeError(
                f"The network returned {_kind(output)} instead of a tensor of class scores (N, C), "
                "or an object with such logits; wrap it in a module whose forward() returns the "
                "scores, or say which of them it is: output=..."
                + (f", one of {', '.join(map(repr, parts))}." if parts else ".")
            )
        ((name, output),) = fitting.items()
        if say is not None and len(parts) > 1:
            say(
                f"Of the {len(parts)} outputs of the network {name!r} is taken for the class "
                f"scores, since no other has their shape; say so with output={name!r}, or name "
                "another one."
            )
    scores = cast(Tensor, output)
    if not _has_shape_of_scores(scores, n):
        raise ValueError(
            f"The network returned shape {tuple(scores.shape)}; class scores (N, C) with N = {n} "
            "and at least 2 classes are needed."
        )
    return scores


def _parts(output: object) -> dict[Any, object]:
    """Name the parts of what a network returned, as ``output`` would."""
    parts: Any = vars(output) if is_dataclass(output) else {}
    if isinstance(output, (tuple, list)):
        parts = dict(enumerate(output))
    elif isinstance(output, Mapping):
        parts = output
    return {name: x for name, x in parts.items() if x is not None}


def _has_shape_of_scores(value: object, n: int) -> bool:
    return isinstance(value, Tensor) and value.ndim == 2 and len(value) == n and value.shape[1] > 1


def say_once(network: nn.Module, message: str) -> None:
    """Warn of something about a network, once."""
    said = memory_of(network).said
    if message not in said:
        warn(message)
        said.add(message)


def on_device_of(network: object, batch: Tensor) -> Tensor:
    """Move a batch to the device and floating type of the network's first parameter."""
    if not isinstance(network, nn.Module):
        exported = type(network).__name__ == "ExportedProgram"
        raise TypeError(
            f"The network must be a torch.nn.Module, not {_kind(network)}."
            + (" Explain the network that was exported." if exported else "")
        )
    parameter = next(network.parameters(), None)
    return batch if parameter is None else batch.to(parameter.device, parameter.dtype)


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
