"""Passes through the user's network: on a `Replica`, so that the network itself stays as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast
from weakref import WeakSet

import torch
from torch import Tensor, nn

from combicam_widgets.cam.lighter import lighten
from combicam_widgets.cam.replicas import Replica

_overwriting: WeakSet[nn.Module] = WeakSet()
"""Networks that overwrite the output of a layer in place; see `forward_backward`."""

Shape: TypeAlias = tuple[int, ...]
Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")


def recordable(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Run a function in autograd's default mode: in no_grad no gradient could be computed.

    And what a network keeps of a pass under inference mode could never be trained on. That nothing
    is recorded in vain is the replicas' doing: their parameters are frozen.
    """

    @wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer:
        if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
            return function(*args, **kwargs)
        # Whatever is entered and left by Python can be interrupted between its lines; this cannot.
        guard: Any = torch._C._InferenceMode(False)  # noqa: FBT003, SLF001  (positional only)
        try:
            guard.__enter__()
            return function(*args, **kwargs)
        finally:
            guard.__exit__(None, None, None)

    return run


@recordable
def class_scores(network: nn.Module, batch: Tensor) -> Tensor:
    """Run one plain forward pass without gradients.

    Parameters
    ----------
    network : nn.Module
        Maps a batch to class scores (N, C). It is seen in evaluation mode, and left as it was.
    batch : Tensor, shape (N, 3, h, w)

    Returns
    -------
    Tensor, shape (N, C)
        Checked: see `checked_scores`.
    """
    batch = on_device_of(network, checked_batch(batch))
    with Replica(network) as twin:
        return checked_scores(twin(batch.clone()), len(batch)).detach()


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

    with Replica(network, lambda twin: _watch(twin, layers, keep)) as twin:
        return twin(batch.detach().clone()), outputs


@recordable
def forward_backward(
    network: nn.Module,
    layers: Sequence[str],
    run: Callable[[nn.Module, Mapping[str, Shape]], tuple[Tensor, Answer]],
    on_layer: Callable[[str, Tensor, Tensor], None],
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
        layer's output in place is run twice, the first time.
    on_layer : callable
        Called as ``on_layer(name, activations, gradients)``, last layer first; both tensors have
        shape (N, K, h, w) and must not be changed. A layer whose output does not reach the score
        is never shown.

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
    if network not in _overwriting:
        try:
            return _forward_backward(network, layers, run, on_layer, copies=False)
        except RuntimeError as error:
            if not _is_about_overwriting(error):
                raise
    try:
        answer = _forward_backward(network, layers, run, on_layer, copies=True)
    except RuntimeError as error:
        if not _is_about_overwriting(error):
            raise
        raise RuntimeError(
            "The network overwrites in place a value that its own gradient needs, so it could "
            "not be trained either: replace that operation (x += y, relu_, inplace=True) by "
            "one that makes a new tensor."
        ) from error
    _overwriting.add(network)
    return answer


def _is_about_overwriting(error: RuntimeError) -> bool:
    """Tell whether autograd complains of an operation in place."""
    return type(error) is RuntimeError and ("inplace" in str(error) or "in-place" in str(error))


def _forward_backward(
    network: nn.Module,
    layers: Sequence[str],
    run: Callable[[nn.Module, Mapping[str, Shape]], tuple[Tensor, Answer]],
    on_layer: Callable[[str, Tensor, Tensor], None],
    *,
    copies: bool,
) -> Answer:
    shapes: dict[str, Shape] = {}
    tokens: list[Tensor] = []

    def tap(name: str, output: Tensor) -> Tensor:
        shapes[name] = tuple(output.shape)
        if not tokens:
            tokens.append(torch.zeros((), device=output.device, requires_grad=True))
            output = output.detach()
        return cast(Tensor, _Tap.apply(output, tokens[0], copies, partial(on_layer, name)))

    def prepare(twin: nn.Module) -> None:
        lighten(twin)
        _watch(twin, layers, tap)

    with Replica(network, prepare) as twin:
        value, answer = run(twin, shapes)
        if not value.requires_grad:
            raise RuntimeError(
                "The gradient of the score does not reach any of the layers: the network "
                "detaches it or runs under torch.no_grad() on the way."
            )
        torch.autograd.grad(value, tokens, allow_unused=True)
    return answer


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
    twin: nn.Module, layers: Sequence[str], replace: Callable[[str, Tensor], Tensor]
) -> None:
    """Replace the outputs of the named modules of a replica."""
    modules = dict(twin.named_modules())
    unknown = [name for name in layers if name not in modules]
    if unknown:
        raise ValueError(
            f"The network has no layer {unknown[0]!r}; see combicam_widgets.cam.architecture(...) "
            "for the layers it has."
        )
    seen: set[str] = set()

    def hook(name: str, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise TypeError(f"Layer {name!r} gives {_kind(output)}; a 4-D tensor is needed.")
        if name in seen:
            raise ValueError(
                f"Layer {name!r} runs more than once in one pass; choose the module around it."
            )
        seen.add(name)
        return replace(name, output)

    for name in dict.fromkeys(layers):
        # Before the hooks of the network's owner, which may keep the output for a later layer.
        modules[name].register_forward_hook(
            lambda _module, _args, output, name=name: hook(name, output), prepend=True
        )


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


def checked_scores(output: object, n: int) -> Tensor:
    """Return the network's output if it is class scores (N, C), finite; else raise."""
    if not isinstance(output, Tensor):
        raise TypeError(
            f"The network returned {_kind(output)} instead of a tensor of class scores (N, C); "
            "wrap it in a module whose forward() returns only the scores."
        )
    if output.ndim != 2 or len(output) != n or output.shape[1] < 2:
        raise ValueError(
            f"The network returned shape {tuple(output.shape)}; class scores (N, C) with N = {n} "
            "and at least 2 classes are needed."
        )
    if not output.isfinite().all():
        raise ValueError(
            "The network returned NaN or infinite class scores for this photo: nothing can be "
            "explained. Check its weights and the image transform."
        )
    return output


def on_device_of(network: object, batch: Tensor) -> Tensor:
    """Move a batch to the device and floating type of the network's first parameter."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"The network must be a torch.nn.Module, not {_kind(network)}.")
    parameter = next(network.parameters(), None)
    return batch if parameter is None else batch.to(parameter.device, parameter.dtype)


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"
