"""Kept replicas: made and lightened once, for all passes while a network stays what it is.

To make a replica and to lighten it takes 2 % of a pass of EfficientNet-B4 on a CPU, and more of one
on a GPU, which waits for Python. So a replica that its pass has not changed is kept, and used again
if every module of the network still holds the very same objects, and the same memory. It shares the
weights, so that it follows whatever changes them; what was computed of them is computed anew.
Networks with hooks, with wrapped parts, or with attributes that might hold anything get a new
replica for each pass.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Any, cast
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn

from combicam_widgets.cam.lighter import Postponement, lighten
from combicam_widgets.cam.replicas import (
    Replica,
    attributes_of_its_author,
    has_hooks,
    take_off_hooks,
    unwrapped,
)

_SIMPLE = frozenset(
    (bool, int, float, str, type(None), type, torch.Size, torch.dtype, torch.device)
)
"""Kinds that hold no modules, and nothing that holds a network."""

_DEEP = 4
"""Lists in lists in lists are looked at to this depth."""

_kept: WeakKeyDictionary[nn.Module, dict[bool, Kept]] = WeakKeyDictionary()
"""Replicas by their networks, and by whether they are lightened."""


def replica_of(network: nn.Module, *, light: bool = False, waits: bool = False) -> Kept:
    """Return a replica for one pass: the kept one if it still is one of the network.

    Parameters
    ----------
    network : nn.Module
    light : bool
        Whether passes that record a graph are made cheaper; see `lighten`.
    waits : bool
        Whether convolutions may wait for what is done with their output; see `Postponement`.
    """
    kept = _kept.get(network, {}).pop(light, None)  # no other thread can take it now
    if kept is None or not kept.is_of(network, waits=waits):
        kept = Kept(network, light=light, waits=waits)
    return kept


class Kept(Replica):
    """A replica for this pass and perhaps for later ones; see `replica_of`.

    Attributes
    ----------
    named : dict of str to nn.Module
        Its modules by their names in the network; none if it is not lightened.
    postponement : Postponement or None
        What convolutions of the pass wait by.
    """

    def __init__(self, network: nn.Module, *, light: bool, waits: bool) -> None:
        self.named: Mapping[str, nn.Module] = {}
        self.postponement = Postponement() if waits else None
        self._is_light = light
        self._renew: Callable[[], object] = lambda: None
        self._network = ref(network)
        modules = list(network.modules())
        self._is_simple = _is_simple(modules)
        self._held = _held(modules) if self._is_simple else []
        # Whoever knew the network itself, from what is remembered for it, would keep it alive.
        self._others = modules[1:]
        super().__init__(network, self._prepare if light else None)
        twins = [self._twins[id(module)] for module in modules] if self._is_simple else []
        self._shared = list(zip(_parameters(modules), _parameters(twins), strict=False))

    def _prepare(self, named: Mapping[str, nn.Module]) -> None:
        self.named = named
        self._renew = lighten(named, self.postponement)

    def is_of(self, network: nn.Module, *, waits: bool) -> bool:
        """Tell whether this is a replica of the network as it is now; if so, get it ready."""
        modules = [network, *self._others]
        held = _held(modules)
        if (
            waits != (self.postponement is not None)
            or len(held) != len(self._held)
            or not all(map(operator.is_, held, self._held))
            or any(map(has_hooks, modules))
            or not all(twin.is_set_to(one) and not twin.requires_grad for one, twin in self._shared)
        ):
            return False
        self._originals[id(self._twin)] = network
        self._renew()
        return True

    def __exit__(self, kind: object = None, *_: object) -> None:
        if kind is None:
            for twin in filter(has_hooks, self.named.values() if self._is_simple else ()):
                take_off_hooks(twin, cast(nn.Module, self._originals[id(twin)]))
        super().__exit__()
        network = self._network()
        if kind is None and self._is_simple and self.is_untouched and network is not None:
            self._originals.pop(id(self._twin))
            _kept.setdefault(network, {})[self._is_light] = self


def _parameters(modules: Iterable[nn.Module]) -> list[Tensor]:
    return [p for m in modules for p in m._parameters.values() if p is not None]  # noqa: SLF001


def _held(modules: Iterable[nn.Module]) -> list[Any]:
    """List the names of all attributes of modules, and what they are."""
    held: list[Any] = []
    for module in modules:
        attributes = vars(module)
        held.append(type(module))
        held += attributes
        held += attributes.values()
        for name in ("_parameters", "_buffers", "_modules"):
            if content := attributes[name]:
                held += content
                held += content.values()
            else:
                held.append(None)
    return held


def _is_simple(modules: Iterable[nn.Module]) -> bool:
    """Tell whether nothing is reached but by attributes, each of which holds one simple thing."""
    return not any(
        isinstance(module, torch.jit.ScriptModule)
        or unwrapped(module) is not module
        or has_hooks(module)
        or not all(map(_is_dense, module._parameters.values()))  # noqa: SLF001
        or not all(map(_is_simple_value, attributes_of_its_author(module)))
        for module in modules
    )


def _is_dense(parameter: Tensor | None) -> bool:
    """Tell whether it can be said of a parameter where its numbers are."""
    return parameter is None or (
        type(parameter) is nn.Parameter and parameter.layout is torch.strided
    )


def _is_simple_value(value: object, depth: int = 0) -> bool:
    inside: Iterable[object] = ()
    if isinstance(value, (tuple, list, set, frozenset)):
        inside = value
    elif isinstance(value, dict):
        inside = (*value, *value.values())
    elif isinstance(value, partial):  # of a class, such as that of a norm
        inside = (value.func, value.args, value.keywords)
    else:
        return type(value) in _SIMPLE or isinstance(value, Enum)
    return depth < _DEEP and all(_is_simple_value(each, depth + 1) for each in inside)
