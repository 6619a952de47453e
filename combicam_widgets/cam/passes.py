"""Passes through the user's network, which is left exactly as it was found.

While a pass runs, the network is in evaluation mode with frozen parameters; hooks, training
modes and ``requires_grad`` flags are put back whatever happens. Passes through the same network
wait for each other, so that threads never see each other's hooks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn

from combicam_widgets.cam.lighter import lighter

_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_locks_guard = threading.Lock()

_overwriting: WeakSet[nn.Module] = WeakSet()
"""Networks that overwrite the output of a layer in place; see `passed`."""

Shape: TypeAlias = tuple[int, ...]
Answer = TypeVar("Answer")


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """Hold a network in evaluation mode with frozen parameters, then restore it.

    Training modes are set module by module (no call of ``train()``, which networks override) and
    each module gets its own mode back.
    """
    with _locks_guard:
        # The innermost network of a wrapper that says what its modules are (`AsLogits`).
        lock = _locks.setdefault(next(network.modules()), threading.RLock())
    with lock:
        modules = list(network.modules())
        training = [module for module in modules if module.training]
        wanting = [p for m in modules for p in m._parameters.values() if p is not None]  # noqa: SLF001
        wanting = [parameter for parameter in wanting if parameter.requires_grad]
        try:
            for module in training:
                module.training = False
            for parameter in wanting:
                parameter.requires_grad_(False)  # noqa: FBT003  (torch takes it by position only)
            yield
        finally:
            for module in training:
                module.training = True
            for parameter in wanting:
                parameter.requires_grad_(True)  # noqa: FBT003


def class_scores(network: nn.Module, batch: Tensor) -> Tensor:
    """Run one plain forward pass without gradients.

    Parameters
    ----------
    network : nn.Module
        Maps a batch to class scores (N, C).
    batch : Tensor, shape (N, 3, h, w)

    Returns
    -------
    Tensor, shape (N, C)
        Checked: see `checked_scores`.
    """
    batch = on_device_of(network, checked_batch(batch))
    with at_rest(network), without_gradients():
        return checked_scores(network(batch.clone()), len(batch))


@contextmanager
def without_gradients() -> Iterator[None]:
    """Record no graph. Not inference mode: what the network keeps could never be trained on."""
    with torch.inference_mode(mode=False), torch.no_grad():
        yield


@contextmanager
def captured(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Capture copies of the outputs of the named modules, in forward order.

    Inside the ``with`` block, run the network once; the yielded dictionary then holds each layer's
    4-D output, detached.

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

    with _hooked(network, layers, keep):
        yield outputs


def passed(
    network: nn.Module,
    layers: Sequence[str],
    run: Callable[[Mapping[str, Shape]], tuple[Tensor, Answer]],
    look: Callable[[str, Tensor, Tensor], None],
) -> Answer:
    """Make one forward and one backward pass, and look at each layer while they go by.

    Each layer's gradient is free again as soon as it has been looked at and passed on: memory that
    is used again is what makes a pass fast. The graph is cut below the first layer.

    Parameters
    ----------
    network : nn.Module
    layers : sequence of str
        Names of modules.
    run : callable
        Runs the network once; returns the number that is differentiated, and whatever the caller
        wants back. Called as ``run(shapes)``: after the network ran, ``shapes`` holds the
        (N, K, h, w) of each layer's output, in forward order. A network that overwrites a layer's
        output in place is run twice, the first time.
    look : callable
        Called as ``look(name, activations, gradients)``, last layer first; both tensors have shape
        (N, K, h, w) and must not be changed. A layer whose output does not reach the score is
        never looked at.

    Returns
    -------
    object
        What ``run`` returned beside the number.

    Raises
    ------
    ValueError, TypeError
        As `captured`.
    RuntimeError
        No gradient reaches any layer.
    """
    if network not in _overwriting:
        try:
            return _passed(network, layers, run, look, copies=False)
        except RuntimeError:
            pass  # most likely a layer's output was overwritten; if not, it comes again
    answer = _passed(network, layers, run, look, copies=True)
    _overwriting.add(network)
    return answer


def _passed(
    network: nn.Module,
    layers: Sequence[str],
    run: Callable[[Mapping[str, Shape]], tuple[Tensor, Answer]],
    look: Callable[[str, Tensor, Tensor], None],
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
        return cast(Tensor, _Tap.apply(output, tokens[0], copies, partial(look, name)))

    with (
        torch.inference_mode(mode=False),
        torch.enable_grad(),
        _hooked(network, layers, tap),
        lighter(network),
    ):
        value, answer = run(shapes)
        if not value.requires_grad:
            raise RuntimeError(
                "The gradient of the score does not reach any of the layers: the network "
                "detaches it or runs under torch.no_grad() on the way."
            )
        try:
            torch.autograd.grad(value, tokens, allow_unused=True)
        except RuntimeError as error:
            if "inplace" not in str(error):
                raise
            raise RuntimeError(
                "The network overwrites in place a value that its own gradient needs, so it could "
                "not be trained either: replace that operation (x += y, relu_, inplace=True) by "
                "one that makes a new tensor."
            ) from error
    return answer


class _Tap(torch.autograd.Function):
    """Passes on a layer's output; on the way back, has a look at its gradient.

    The token is what makes the gradient come by even where nothing else wants it.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        output: Tensor,
        token: Tensor,  # noqa: ARG004
        copies: bool,  # noqa: FBT001
        look: Callable[[Tensor, Tensor], None],
    ) -> Tensor:
        ctx.save_for_backward(output)  # a backward pass complains if it was overwritten since
        ctx.look = look
        return output.clone() if copies else output.detach()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        with torch.inference_mode():
            ctx.look(*ctx.saved_tensors, gradients[0])
        return (gradients[0] if ctx.needs_input_grad[0] else None), None, None, None


@contextmanager
def _hooked(
    network: nn.Module, layers: Sequence[str], replace: Callable[[str, Tensor], Tensor]
) -> Iterator[None]:
    """Hold a network at rest while the outputs of the named modules are replaced."""
    modules = dict(network.named_modules())
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

    handles = []
    with at_rest(network):
        try:
            for name in dict.fromkeys(layers):
                handles.append(  # noqa: PERF401  (each must be removable if the next one fails)
                    modules[name].register_forward_hook(
                        lambda _module, _args, output, name=name: hook(name, output)
                    )
                )
            yield
        finally:
            for handle in handles:
                handle.remove()


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
