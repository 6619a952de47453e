"""Modules that are imported when something is first asked of them, not before."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import Loader
from threading import RLock
from types import ModuleType
from typing import Any


def postpone(name: str) -> None:
    """Let a module be imported only when it is first used, whoever imports it meanwhile.

    Nothing else changes: whoever asks it for anything gets the whole module, or the error that
    importing it raises. One that is imported already, or is not installed, stays as it is.

    Parameters
    ----------
    name : str
        A module at the top level.

    Notes
    -----
    The module's own ``__getattr__`` (PEP 562) imports it. `importlib.util.LazyLoader` does not
    help: to it, another library's ``import`` of the same module already counts as use. If the first
    use is to import a submodule, that one's file may be run twice.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    module.__dict__["__getattr__"] = _importing(module, spec.loader)
    sys.modules[name] = module


def _importing(module: ModuleType, loader: Loader) -> Callable[[str], Any]:
    # Whoever imports a part of a package asks for its path, and so gets the whole package first.
    path = module.__dict__.pop("__path__", None)
    lock, begun = RLock(), False

    def first_use(attribute: str) -> Any:  # noqa: ANN401
        nonlocal begun
        with lock:  # other threads wait until the module is whole
            if not begun:
                begun = True
                if path is not None:
                    module.__dict__["__path__"] = path
                try:
                    loader.exec_module(module)
                except BaseException:
                    sys.modules.pop(module.__name__, None)  # as a failed import does
                    raise
                if module.__dict__.get("__getattr__") is first_use:
                    del module.__dict__["__getattr__"]
        if module.__dict__.get("__getattr__") is not first_use or attribute in module.__dict__:
            return getattr(module, attribute)
        message = f"module {module.__name__!r} has no attribute {attribute!r}"
        raise AttributeError(message, name=attribute, obj=module)

    return first_use
