"""Modules that another library imports too early: imported when it first uses them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def postponed(name: str) -> Iterator[None]:
    """While the ``with`` block runs, whoever imports a module gets a stand-in for it.

    The stand-in imports the module when it is first asked for something, and passes on what it
    has. After the block, imports of the module are what they always were. A module that is
    imported already, or is not installed, is left alone.

    Parameters
    ----------
    name : str
        A module at the top level.
    """
    if name in sys.modules or importlib.util.find_spec(name) is None:
        yield
        return
    sys.modules[name] = stand_in = _StandIn(name)
    try:
        yield
    finally:
        if sys.modules.get(name) is stand_in:
            del sys.modules[name]


class _StandIn(ModuleType):
    def __getattr__(self, attribute: str) -> Any:  # noqa: ANN401
        if sys.modules.get(self.__name__) is self:  # the block still runs
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), attribute)
