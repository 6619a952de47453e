"""Replicas: passes run on a twin of the network, so that the network itself is never touched.

A replica is the tree of modules once more, around the same weights. It is in evaluation mode, its
parameters are frozen, and hooks and cheaper methods are put on it alone. So there is nothing to
undo, whatever interrupts a pass; no thread sees what another one does; and whoever runs, trains
or copies the network meanwhile finds it as it is.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import partial, singledispatch
from types import CellType, FunctionType, MethodType
from typing import Any, TypeAlias, cast
from weakref import ReferenceType, ref

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

_HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)
_CONTENTS = ("_parameters", "_buffers", "_modules", *_HOOKS)

_TORCH_S_OWN = frozenset(vars(nn.Module()))
"""What PyTorch keeps in every module; the rest is its author's."""

_NOTHING = object()


class Replica:
    """A twin of a network, for the passes of one ``with`` block.

    What modules assign to themselves while they run (counters, caches) goes to the network when
    the block ends, as if it had run itself. What is reached by other ways than attributes,
    containers in them, methods and the variables of functions in them has no twin: it runs as it
    is.

    Parameters
    ----------
    network : nn.Module
        Compiled and data-parallel modules, in it too, are seen as what they run.
    prepare : callable, optional
        Called with the twin before it runs, to put hooks and other methods on it.
    noticed : bool
        False: the network's owner is not to notice the passes. Hooks of theirs do not run, and
        what modules assign to themselves is dropped.

    Raises
    ------
    ValueError
        The network has parameters that have no shape yet, or a scripted part in training mode.
    """

    def __init__(
        self,
        network: nn.Module,
        prepare: Callable[[nn.Module], object] | None = None,
        *,
        noticed: bool = True,
    ) -> None:
        self._noticed = noticed
        self._twins: dict[int, object] = {}
        self._originals: dict[int, object] = {}
        modules = list(_tree(network, set()))
        pairs = [(module, _blank(module)) for module in modules if not _is_wrapper(module)]
        for module, twin in pairs:
            self._know(module, twin)
        for module in modules:
            self._twins[id(module)] = self._twins[id(unwrapped(module))]
        for module, twin in pairs:
            if twin is not module:
                object.__setattr__(twin, "__dict__", self._state(module))
        self._twin = cast(nn.Module, self._twins[id(network)])
        if prepare is not None:
            prepare(self._twin)
        self._before = [
            (module, twin, vars(twin).copy(), [vars(twin)[name].copy() for name in _CONTENTS])
            for module, twin in pairs
            # PyTorch's own modules assign nothing in evaluation.
            if noticed and not type(module).__module__.startswith("torch.")
        ]

    def __enter__(self) -> nn.Module:
        return self._twin

    def __exit__(self, *_: object) -> None:
        for module, twin, attributes, contents in self._before:
            self._give_back(vars(module), attributes, vars(twin))
            for name, before in zip(_CONTENTS, contents, strict=True):
                self._give_back(vars(module)[name], before, vars(twin)[name])

    def _give_back(
        self, network_s: dict[str, object], before: dict[str, object], now: dict[str, object]
    ) -> None:
        """Change what is the network's as its twin's has changed since."""
        for name in before.keys() - now.keys():
            network_s.pop(name, None)
        for name, value in now.items():
            if value is not before.get(name, _NOTHING):
                if isinstance(value, Tensor) and id(value) not in self._originals:
                    network_s[name] = value.detach()
                else:
                    network_s[name] = _with(value, self._originals)

    def _know(self, original: object, twin: object) -> None:
        self._twins[id(original)] = twin
        self._originals[id(twin)] = original

    def _state(self, module: nn.Module) -> dict[str, Any]:
        """Make the attributes of a module's twin."""
        state = vars(module).copy()
        state.pop("_compiled_call_impl", None)  # module.compile() has put it there
        state["training"] = False
        state["_parameters"] = {n: self._frozen(p) for n, p in state["_parameters"].items()}
        state["_buffers"] = {
            n: b if b is None else _usable(b) for n, b in state["_buffers"].items()
        }
        state["_modules"] = {n: self._twins.get(id(m)) for n, m in state["_modules"].items()}
        for name in _HOOKS:
            hooks = state[name]
            state[name] = hooks.copy() if self._noticed else type(hooks)()
            for key, hook in state[name].items():
                state[name][key] = _with(hook, self._twins)
        for name in state.keys() - _TORCH_S_OWN:
            state[name] = _with(state[name], self._twins)
        return state

    def _frozen(self, parameter: Tensor | None) -> Tensor | None:
        if parameter is None:
            return None
        if id(parameter) not in self._twins:
            if is_lazy(parameter):
                raise ValueError(
                    "The network has parameters that have no shape yet (lazy modules): run it "
                    "once on a photo first."
                )
            self._know(parameter, nn.Parameter(_usable(parameter), requires_grad=False))
        return cast(Tensor, self._twins[id(parameter)])


def unwrapped(module: nn.Module) -> nn.Module:
    """Return what a compiled or data-parallel module runs; other modules as they are."""
    while _is_wrapper(module):
        (module,) = cast(Mapping[str, nn.Module], module._modules).values()  # noqa: SLF001
    return module


def _is_wrapper(module: nn.Module) -> bool:
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return True
    return not _is_scripted(module) and list(module._modules) == ["_orig_mod"]  # noqa: SLF001


def _is_scripted(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)


def _tree(module: nn.Module, seen: set[nn.Module]) -> Iterator[nn.Module]:
    """Walk through a module and all in it; its ``modules()`` may show something else."""
    if module not in seen:
        seen.add(module)
        yield module
        if not _is_scripted(module):
            for child in module._modules.values():  # noqa: SLF001
                if child is not None:
                    yield from _tree(child, seen)


def _blank(module: nn.Module) -> nn.Module:
    """Make a module without attributes; what is scripted has none in Python and is its own twin."""
    if not _is_scripted(module):
        return object.__new__(type(module))
    if module.training:
        raise ValueError(
            "The network, or a part of it, is scripted (TorchScript) and in training mode: call "
            "its eval() first."
        )
    return module


def _usable(tensor: Tensor) -> Tensor:
    """Return a tensor that a graph may keep: one that was made under inference mode may not be."""
    return tensor.clone() if tensor.is_inference() else tensor


_Whole: TypeAlias = Callable[[list[Any]], Any]


def _with(value: Any, others: Mapping[int, object], inside: tuple[int, ...] = ()) -> Any:  # noqa: ANN401
    """Put others in the place of the objects with these ids, in whatever holds them.

    Where there is nothing to put, the value itself is returned, not a copy.
    """
    if id(value) in others:
        return others[id(value)]
    if not isinstance(value, _HOLDERS) or id(value) in inside:
        return value
    if isinstance(value, FunctionType):  # what torch.compile has made of a function
        value = getattr(value, "_torchdynamo_orig_callable", value)
    parts, whole = _taken_apart(value)
    changed = [_with(part, others, (*inside, id(value))) for part in parts]
    return value if all(map(operator.is_, parts, changed)) else whole(changed)


@singledispatch
def _taken_apart(value: Any) -> tuple[list[Any], _Whole]:  # noqa: ANN401
    """List the parts of what can hold modules, and tell how the like is made of other parts."""
    raise TypeError(f"A {type(value).__name__} holds nothing.")


@_taken_apart.register
def _dict(value: dict) -> tuple[list[Any], _Whole]:  # type: ignore[type-arg]
    def whole(parts: list[Any]) -> Any:  # noqa: ANN401
        new = copy.copy(value)
        new.clear()
        new.update(zip(parts[: len(value)], parts[len(value) :], strict=True))
        return new

    return [*value, *value.values()], whole


@_taken_apart.register
def _list(value: list) -> tuple[list[Any], _Whole]:  # type: ignore[type-arg]
    def whole(parts: list[Any]) -> Any:  # noqa: ANN401
        new = copy.copy(value)
        new[:] = parts
        return new

    return list(value), whole


@_taken_apart.register
def _tuple(value: tuple) -> tuple[list[Any], _Whole]:  # type: ignore[type-arg]
    return list(value), lambda parts: tuple.__new__(type(value), parts)


@_taken_apart.register(set)
@_taken_apart.register(frozenset)
def _set(value: Any) -> tuple[list[Any], _Whole]:  # noqa: ANN401
    return list(value), type(value)


@_taken_apart.register
def _method(value: MethodType) -> tuple[list[Any], _Whole]:
    return [value.__self__], lambda parts: MethodType(value.__func__, *parts)


@_taken_apart.register
def _partial(value: partial) -> tuple[list[Any], _Whole]:  # type: ignore[type-arg]
    parts = [value.func, value.args, value.keywords]
    return parts, lambda parts: partial(parts[0], *parts[1], **parts[2])


@_taken_apart.register
def _reference(value: ReferenceType) -> tuple[list[Any], _Whole]:  # type: ignore[type-arg]
    return [value()], lambda parts: ref(*parts)


@_taken_apart.register
def _function(value: FunctionType) -> tuple[list[Any], _Whole]:
    """List a function's defaults, the variables around it, and modules that it calls by name."""
    around = value.__globals__
    named = {n: around[n] for n in value.__code__.co_names if isinstance(around.get(n), nn.Module)}
    cells = [cell for cell in value.__closure__ or () if _is_filled(cell)]

    def whole(parts: list[Any]) -> FunctionType:
        defaults, named_defaults, named, *contents = parts
        new_cells = dict(zip(map(id, cells), map(CellType, contents), strict=True))
        closure = tuple(new_cells.get(id(cell), cell) for cell in value.__closure__ or ())
        new = FunctionType(value.__code__, {**around, **named}, value.__name__, defaults, closure)
        new.__kwdefaults__ = named_defaults
        vars(new).update(vars(value))
        return new

    contents = [cell.cell_contents for cell in cells]
    return [value.__defaults__, value.__kwdefaults__, named, *contents], whole


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


_HOLDERS = tuple(kind for kind in _taken_apart.registry if kind is not object)
