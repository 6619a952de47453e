"""Replicas: passes run on a twin of the network, so that the network itself is never touched.

A replica is the tree of modules once more, around the same weights. It is in evaluation mode, its
parameters are frozen, and hooks and cheaper methods are put on it alone. So there is nothing to
undo, whatever interrupts a pass; no thread sees what another one does; and whoever runs, trains
or copies the network meanwhile finds it as it is.
"""

from __future__ import annotations

import copy
import operator
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import partial, singledispatch, wraps
from types import CellType, FunctionType, MethodType
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast
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
_hooks_of = operator.itemgetter(*_HOOKS)

_CONTENTS = ("_parameters", "_buffers", "_modules")

_EMPTY: dict[str, Any] = {}

_TORCH_S_OWN = frozenset(vars(nn.Module()))
"""What PyTorch keeps in every module; the rest is its author's."""

_NUMBERS = ("transposed", "_reversed_padding_repeated_twice")
"""Attributes of convolutions that PyTorch does not list among their constants."""

_NOTHING = object()

Children: TypeAlias = dict[str, nn.Module | None]
"""The modules right below one, by their names."""

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
        Called before the twin runs, to put hooks and other methods on it, with its modules by their
        names in the network; those that are scripted are left out, since they have no twins.
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
        prepare: Callable[[Mapping[str, nn.Module]], object] | None = None,
        *,
        noticed: bool = True,
    ) -> None:
        self._noticed = noticed
        self._twins: dict[int, Any] = {}
        self._originals: dict[int, object] = {}
        blanks: list[tuple[nn.Module, nn.Module, Children]] = []
        self._twin = self._blank_of(network, blanks)
        for module, twin, children in blanks:
            object.__setattr__(twin, "__dict__", self._state(module, children))
        if prepare is not None:
            named = modules_of(self._twin).items()
            prepare({name: twin for name, twin in named if not _is_scripted(twin)})
        # PyTorch's own modules assign nothing in evaluation.
        own = [each for each in blanks if not is_of_torch(type(each[0]))] if noticed else []
        self._before = [(vars(module), *_noted(vars(twin))) for module, twin, _ in own]

    def __enter__(self) -> nn.Module:
        return self._twin

    def __exit__(self, *_: object) -> None:
        for network_s, now, before, contents in self._before:
            if not _is_same(now, before):
                self._give_back(network_s, before, now)
            for name, content in zip(_CONTENTS, contents, strict=True):
                if not _is_same(now[name], content):
                    self._give_back(network_s[name], content, now[name])

    def _give_back(
        self, network_s: dict[str, Any], before: dict[str, Any], now: dict[str, Any]
    ) -> None:
        """Change what is the network's as its twin's has changed since."""
        for name in before.keys() - now.keys():
            network_s.pop(name, None)
        for name, value in now.items():
            if value is not before.get(name, _NOTHING):
                recorded = isinstance(value, Tensor) and value.grad_fn is not None
                network_s[name] = value.detach() if recorded else _with(value, self._originals)

    def _blank_of(
        self, module: nn.Module, blanks: list[tuple[nn.Module, nn.Module, Children]]
    ) -> nn.Module:
        """Give a module's twin, without attributes yet; list it and all below, with children."""
        if id(module) in self._twins:
            return cast(nn.Module, self._twins[id(module)])
        if not is_of_torch(type(module)) and _is_scripted(module):
            if getattr(module, "training", False):  # frozen ones do not know
                raise ValueError(
                    "The network, or a part of it, is scripted (TorchScript) and in training mode: "
                    "call its eval() first."
                )
            self._twins[id(module)] = module  # it has no attributes in Python
            return module
        if (inner := _inner(module)) is not None:
            twin = self._twins[id(module)] = self._blank_of(inner, blanks)
            return twin
        twin = self._twins[id(module)] = object.__new__(type(module))
        self._originals[id(twin)] = module
        children: Children = {}
        blanks.append((module, twin, children))
        for name, child in module._modules.items():  # noqa: SLF001
            children[name] = None if child is None else self._blank_of(child, blanks)
        return twin

    def _state(self, module: nn.Module, children: Children) -> dict[str, Any]:
        """Make the attributes of a module's twin."""
        state = vars(module).copy()
        state.pop("_compiled_call_impl", None)  # module.compile() has put it there
        state["training"] = False
        kind = type(module)
        own = not is_of_torch(kind)
        if (parameters := state["_parameters"]) or own:
            state["_parameters"] = {n: self._frozen(p) for n, p in parameters.items()}
        if (buffers := state["_buffers"]) or own:
            state["_buffers"] = {n: _usable(b) for n, b in buffers.items()}
        if children or own:
            state["_modules"] = children
        if any(_hooks_of(state)):  # empty ones are shared, see `add_hook`
            for name in _HOOKS:
                hooks = state[name].items() if self._noticed else ()
                state[name] = OrderedDict((key, _with(hook, self._twins)) for key, hook in hooks)
        plain = _plain_attributes(kind)
        if not state.keys() <= plain:
            for name in state.keys() - plain:
                if type(state[name]) not in _HOLD_NOTHING:
                    state[name] = _with(state[name], self._twins)
        return state

    def _frozen(self, parameter: Tensor | None) -> Tensor | None:
        if parameter is None or not (parameter.requires_grad or parameter.is_inference()):
            return parameter
        twin: Tensor | None = self._twins.get(id(parameter))
        if twin is None:
            if is_lazy(parameter):
                raise ValueError(
                    "The network has parameters that have no shape yet (lazy modules): run it "
                    "once on a photo first."
                )
            twin = _parameter(_usable(parameter))
            self._twins[id(parameter)] = twin
            self._originals[id(twin)] = parameter
        return twin


def _parameter(values: Tensor) -> nn.Parameter:
    """Make a parameter that wants no gradient around the same values."""
    if type(values) in {Tensor, nn.Parameter}:  # what nn.Parameter does with them, in half the time
        made: nn.Parameter = cast(Any, Tensor)._make_subclass(nn.Parameter, values, False)  # noqa: FBT003, SLF001
        return made
    return nn.Parameter(values, requires_grad=False)


def is_of_torch(kind: type) -> bool:
    """Tell whether modules of a kind are PyTorch's own, and nothing but that."""
    return kind.__module__.startswith("torch.nn.modules.")


def _plain_attributes(kind: type) -> frozenset[str]:
    """Names of attributes that hold no modules or methods: of PyTorch's kinds, all usual ones."""
    if not is_of_torch(kind):
        return _TORCH_S_OWN
    if kind not in _usual:
        _usual[kind] = _TORCH_S_OWN.union(_NUMBERS, getattr(kind, "__constants__", ()))
    return _usual[kind]


_usual: dict[type, frozenset[str]] = {}


def _noted(
    attributes: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Return a module's attributes, and copies of what they and its contents are now."""
    contents = [attributes[name] for name in _CONTENTS]
    return attributes, attributes.copy(), [x.copy() if x else _EMPTY for x in contents]


def _is_same(now: dict[str, Any], before: dict[str, Any]) -> bool:
    """Tell whether nothing was assigned or deleted."""
    return len(now) == len(before) and all(map(operator.is_, now.values(), before.values()))


def add_hook(
    twin: nn.Module, hook: Callable[..., object], *, prepend: bool = False, before: bool = False
) -> None:
    """Set a hook on a module of a replica, after its forward pass or before.

    ``register_forward_hook`` alone would reach the network: a twin of a module without hooks
    shares its empty dictionaries, since to make thousands of them for each pass takes time.
    """
    for name in _HOOKS:
        vars(twin)[name] = vars(twin)[name].copy()
    if before:
        twin.register_forward_pre_hook(hook, prepend=prepend)
    else:
        twin.register_forward_hook(hook, prepend=prepend)


def unwrapped(network: nn.Module) -> nn.Module:
    """Return what a compiled or data-parallel module runs; other modules as they are."""
    inner = _inner(network)
    return network if inner is None else unwrapped(inner)


def modules_of(network: nn.Module) -> dict[str, nn.Module]:
    """Return the modules of a network by the names that they have in its replicas."""
    found: dict[str, nn.Module] = {}
    known: set[int] = set()

    def walk(name: str, module: nn.Module) -> None:
        module = unwrapped(module)
        if id(module) in known:
            return
        known.add(id(module))
        found[name] = module
        before = f"{name}." if name else ""
        usual = type(module).named_children is nn.Module.named_children
        children = module._modules.items() if usual else module.named_children()  # noqa: SLF001
        for child, below in children:
            if below is not None:
                walk(before + child, below)

    walk("", network)
    return found


def _inner(module: nn.Module) -> nn.Module | None:
    if is_of_torch(type(module)):
        return None
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return cast(nn.Module, module.module)
    return None if _is_scripted(module) else module._modules.get("_orig_mod")  # noqa: SLF001


def why_closed(network: nn.Module) -> str | None:
    """Say why nothing can look at the layers of a network, or no gradient comes to them, if so."""
    network = unwrapped(network)
    if _is_scripted(network):
        return (
            "The network is scripted or traced (TorchScript): its layers run outside Python, where "
            "nothing can look at them. Explain the network that it was made of."
        )
    if is_quantised(network.modules()):
        return (
            "The network is quantised: it has no gradients. Explain the network that it was made "
            "of, in floating point."
        )
    nodes = getattr(getattr(network, "graph", None), "nodes", ())
    is_written_out = any(str(getattr(node, "target", "")).startswith("aten.") for node in nodes)
    if is_written_out or type(network).__module__.startswith("torch.export"):
        return (
            "The network was exported: its layers are written out as single operations. Explain "
            "the network that it was made of."
        )
    return None


def is_quantised(modules: Iterable[nn.Module]) -> bool:
    """Tell whether some modules compute in integers, through which no gradients come."""
    return any(".quantized" in kind.__module__ for kind in set(map(type, modules)))


def _is_scripted(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule)


_AnyTensor = TypeVar("_AnyTensor", Tensor, Tensor | None)


def _usable(tensor: _AnyTensor) -> _AnyTensor:
    """Return a tensor that a graph may keep: one that was made under inference mode may not be."""
    return tensor if tensor is None or not tensor.is_inference() else tensor.clone()


_HOLD_NOTHING = frozenset((bool, int, float, str, type(None), Tensor))


_Whole: TypeAlias = Callable[[list[Any]], Any]


def _with(value: Any, others: Mapping[int, object], inside: tuple[int, ...] = ()) -> Any:  # noqa: ANN401
    """Put others in the place of the objects with these ids, in whatever holds them.

    Where there is nothing to put, the value itself is returned, not a copy.
    """
    if id(value) in others:
        return others[id(value)]
    if type(value) in {list, tuple} and _HOLD_NOTHING.issuperset(map(type, value)):
        return value  # the most frequent case, and a list of numbers may be long
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
