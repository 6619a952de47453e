"""How a model gets to another machine: as facts and tensors, never as code.

Nothing is pickled. Objects are written as the name of their class and what is in them, functions as
their names, arrays as safetensors; what has no name in a module that the other machine can import,
such as a function written in a notebook, does not travel, and is told of.
"""

from __future__ import annotations

import base64
import contextlib
import enum
import functools
import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from combicam_widgets.geo import CellGrid

_HOMELESS = ("torch", "torch.nn.functional", "builtins", "math")
"""Where functions written in C are looked for that do not say where they are at home."""

_HEAP = 1 << 9
"""Flag of classes that are written in Python."""

_PLAIN = (type(None), bool, int, float, str)

_SEQUENCES: dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}


_TOLD: Mapping[str, tuple[tuple[type, ...], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "torch": (
        (torch.dtype, torch.memory_format),
        lambda value: str(value).removeprefix("torch."),
        lambda name: getattr(torch, name),
    ),
    "device": ((torch.device,), str, torch.device),
    "size": ((torch.Size,), list, torch.Size),
    "bytes": ((bytes,), lambda value: base64.b64encode(value).decode(), base64.b64decode),
    "path": ((Path,), str, Path),  # of what is read where it is needed
}
"""Values that are told in a word: which kinds, how they are written, and how they are read."""


def packed(**things: object) -> tuple[str, bytes]:
    """Write objects, such as a GeoModel, as JSON and the bytes of their tensors.

    Raises
    ------
    TypeError
        Something in it cannot travel; the message says what and where, and what to do.
    """
    writer = _Writer()
    text = json.dumps({name: writer.written(thing, name) for name, thing in things.items()})
    return text, save(writer.tensors)


def unpacked(text: str, tensors: bytes) -> dict[str, Any]:
    """Make the objects that `packed` wrote; ImportError if a module of their classes is missing."""
    reader = _Reader(load(tensors))
    return {name: reader.read(said) for name, said in json.loads(text).items()}


class _Writer:
    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._met: dict[int, tuple[int, object]] = {}  # held, so that no other gets its id

    def written(self, value: Any, where: str) -> Any:  # noqa: ANN401, PLR0911
        if type(value) in _PLAIN:
            return value
        if id(value) in self._met:
            return {"again": self._met[id(value)][0]}
        if type(value) in _SEQUENCES:
            inside = [self.written(each, f"{where}[{i}]") for i, each in enumerate(value)]
            return {_SEQUENCES[type(value)]: inside}
        for told, (kinds, write, _) in _TOLD.items():
            if isinstance(value, kinds):
                return {told: write(value)}
        if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
            return {"named": self._name(value, where)}
        if isinstance(value, enum.Enum):
            return {"enum": self._name(type(value), where), "name": value.name}
        number = len(self._met)
        self._met[id(value)] = number, value
        return {"number": number, **self._object(value, where)}

    def _object(self, value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
        if isinstance(value, Tensor):
            return self._tensor(value, where)
        if isinstance(value, (np.ndarray, np.generic)):
            array = np.asarray(value)
            if array.dtype.kind not in "biuf":
                raise self._refusal(where, f"an array of type {array.dtype}")
            told = self._kept(torch.from_numpy(np.array(array)))
            return {"array": told, "scalar": isinstance(value, np.generic)}
        if type(value) in (dict, MappingProxyType) or isinstance(value, dict):
            kind = None if type(value) in (dict, MappingProxyType) else type(value)
            return {
                "mapping": None if kind is None else self._name(kind, where),
                "proxy": isinstance(value, MappingProxyType),
                "items": [
                    [self.written(key, f"{where} (a key)"), self.written(x, f"{where}[{key!r}]")]
                    for key, x in value.items()
                ],
            }
        if isinstance(value, CellGrid):
            rings = [torch.from_numpy(np.array(ring)) for ring in value.outlines]
            return {
                "cells": [
                    self._kept(torch.from_numpy(np.array(value.latitudes))),
                    self._kept(torch.from_numpy(np.array(value.longitudes))),
                    self._kept(torch.cat(rings)),
                ],
                "lengths": [len(ring) for ring in rings],
                "names": None if value.names is None else list(value.names),
            }
        if isinstance(value, functools.partial):
            parts = value.func, value.args, value.keywords
            return {"partial": [self.written(part, f"{where} (a partial)") for part in parts]}
        return self._instance(value, where)

    def _tensor(self, value: Tensor, where: str) -> dict[str, Any]:
        if type(value) not in (Tensor, nn.Parameter) or value.layout != torch.strided:
            raise self._refusal(where, f"a {type(value).__name__} of layout {value.layout}")
        return {
            "tensor": self._kept(value.detach()),
            "parameter": isinstance(value, nn.Parameter),
            "requires_grad": value.requires_grad,
            # How numbers lie in memory decides in which order they are added up.
            "strides": list(value.stride()) if _is_dense(value) else None,
            "device": value.device.type,
        }

    def _instance(self, value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401
        kind = type(value)
        own = "__getstate__" in {name for base in kind.__mro__[:-1] for name in vars(base)}
        state = value.__getstate__() if own else getattr(value, "__dict__", None)
        if not isinstance(state, Mapping) or kind.__flags__ & _HEAP == 0:
            raise self._refusal(where, f"a {kind.__name__}")
        name = self._name(kind, where)
        # What is worked out when it is first asked for is worked out again there.
        asked = {
            key: x
            for key, x in state.items()
            if not isinstance(getattr(kind, key, None), functools.cached_property)
        }
        inside = {key: self.written(x, f"{where}.{key}") for key, x in asked.items()}
        return {"instance": name, "state": inside}

    def _kept(self, tensor: Tensor) -> str:
        name = str(len(self.tensors))
        self.tensors[name] = tensor.cpu().contiguous().clone()
        return name

    def _name(self, value: Any, where: str) -> str:  # noqa: ANN401
        """Name a class or a function so that it can be imported again."""
        home = getattr(value, "__module__", None)
        names = [f"{home}:{value.__qualname__}", *(f"{c}:{value.__name__}" for c in _HOMELESS)]
        for name in names if home != "__main__" else ():
            with contextlib.suppress(AttributeError, ImportError, ValueError):
                if _found(name) is value:
                    return name
        what = "the class" if isinstance(value, type) else "the function"
        raise self._refusal(where, f"{what} {value.__qualname__!r} of {home}")

    @staticmethod
    def _refusal(where: str, what: str) -> TypeError:
        return TypeError(
            f"This cannot be sent to other machines: {where} is {what}, which they could not "
            "import. Put classes and functions into a module that the workers have, too, or get "
            'from client.upload_file("module.py"); functions need a name.'
        )


class _Reader:
    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = tensors
        self._made: dict[int, Any] = {}

    def read(self, said: Any) -> Any:  # noqa: ANN401
        if isinstance(said, _PLAIN):
            return said
        if "again" in said:
            return self._made[said["again"]]
        if "number" in said:
            return self._object(said["number"], said)
        (kind, value), *more = said.items()
        if more:
            return _found(said["enum"])[said["name"]]
        sequence = next((made for made, name in _SEQUENCES.items() if name == kind), None)
        if sequence is not None:
            return sequence(self.read(each) for each in value)
        return _found(value) if kind == "named" else _TOLD[kind][2](value)

    def _object(self, number: int, said: Mapping[str, Any]) -> Any:  # noqa: ANN401
        if "instance" in said:
            kind = _found(said["instance"])
            made = kind.__new__(kind)
            self._made[number] = made  # before what is in it, which may lead back to it
            state = {key: self.read(x) for key, x in said["state"].items()}
            if hasattr(kind, "__setstate__"):
                made.__setstate__(state)
            else:
                vars(made).update(state)
            return made
        if "items" in said:
            mapping: Any = {} if said["mapping"] is None else _found(said["mapping"])()
            self._made[number] = mapping
            for key, x in said["items"]:
                mapping[self.read(key)] = self.read(x)
            made = MappingProxyType(mapping) if said["proxy"] else mapping
        elif "tensor" in said:
            made = self._tensor(said)
        elif "array" in said:
            array = self._tensors[said["array"]].numpy()
            made = array[()] if said["scalar"] else array
        elif "cells" in said:
            latitudes, longitudes, rings = (self._tensors[name].numpy() for name in said["cells"])
            outlines = np.split(rings, np.cumsum(said["lengths"])[:-1])
            made = CellGrid(latitudes, longitudes, tuple(outlines), said["names"])
        else:
            function, given, named = (self.read(part) for part in said["partial"])
            made = functools.partial(function, *given, **named)
        self._made[number] = made
        return made

    def _tensor(self, said: Mapping[str, Any]) -> Tensor:
        tensor = self._tensors[said["tensor"]]
        if said["strides"] is not None:
            tensor = torch.empty_strided(tensor.shape, said["strides"], dtype=tensor.dtype).copy_(
                tensor
            )
        if said["device"] == "cuda" and torch.cuda.is_available():
            tensor = tensor.cuda()
        if said["parameter"]:
            return nn.Parameter(tensor, requires_grad=said["requires_grad"])
        return tensor.requires_grad_(said["requires_grad"])


def _is_dense(tensor: Tensor) -> bool:
    return bool(torch.ops.aten.is_non_overlapping_and_dense(tensor))


def _found(name: str) -> Any:  # noqa: ANN401 - a class or a function
    home, _, path = name.partition(":")
    return functools.reduce(getattr, path.split("."), importlib.import_module(home))
