"""Passes through the user's network, which is left exactly as it was found.

While a pass runs, the network is in evaluation mode with frozen parameters; hooks, training
modes and ``requires_grad`` flags are put back whatever happens. Passes through the same network
wait for each other, so that threads never see each other's hooks.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from combicam_widgets.cam.lighter import lighter

_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_locks_guard = threading.Lock()


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
    """Capture the outputs of the named modules, with the graph cut below the first of them.

    Inside the ``with`` block, run the network once with gradients enabled; the yielded dictionary
    then holds each layer's 4-D output in forward order, ready for `torch.autograd.grad`.

    The network goes on with a copy of each captured output, so an in-place activation after the
    layer cannot overwrite it.

    Raises
    ------
    ValueError
        A name that is no module of the network, or a module that runs more than once in a pass.
    TypeError
        A module whose output is not a 4-D tensor.
    """
    modules = dict(network.named_modules())
    unknown = [name for name in layers if name not in modules]
    if unknown:
        raise ValueError(
            f"The network has no layer {unknown[0]!r}; see combicam_widgets.cam.architecture(...) "
            "for the layers it has."
        )
    outputs: dict[str, Tensor] = {}

    def keep(name: str, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.ndim != 4:
            raise TypeError(f"Layer {name!r} gives {_kind(output)}; a 4-D tensor is needed.")
        if name in outputs:
            raise ValueError(
                f"Layer {name!r} runs more than once in one pass; choose the module around it."
            )
        if not output.requires_grad:
            output = output.detach().requires_grad_()
        outputs[name] = output
        return output.clone()

    handles = []
    with at_rest(network), lighter(network):
        try:
            for name in dict.fromkeys(layers):
                handles.append(  # noqa: PERF401  (each must be removable if the next one fails)
                    modules[name].register_forward_hook(
                        lambda _module, _args, output, name=name: keep(name, output)
                    )
                )
            yield outputs
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
