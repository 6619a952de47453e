"""Warnings for the person who works here: in Python by `warnings`, on a page by whoever listens."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

_NOT_THE_USER_S = {__name__.partition(".")[0], "contextlib", "functools", "traitlets"}
"""Where a warning is never said to come from: this package, and what calls its functions."""

# Not `warnings.catch_warnings`, which changes what all threads do.
_listener: ContextVar[Callable[[str], object] | None] = ContextVar("listener", default=None)


def warn(message: str) -> None:
    """Tell whoever listens in this thread; else warn, at the line outside the package that asked.

    Parameters
    ----------
    message : str
        What was assumed or left out, and what to give instead.

    Raises
    ------
    UserWarning
        If nobody listens and the person has made errors of warnings.
    """
    listener = _listener.get()
    if listener is None:
        warnings.warn(message, stacklevel=_outside())
    else:
        listener(message)


@contextmanager
def heard_by(listener: Callable[[str], object]) -> Iterator[None]:
    """Give what is warned of in the ``with`` block, in this thread only, to a listener.

    Python's own filters have no say in it.
    """
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def _outside() -> int:
    """Count the frames from the caller up to whoever called this package."""
    frame, level = sys._getframe(1), 1  # noqa: SLF001
    while frame.f_back is not None and _package(frame) in _NOT_THE_USER_S:
        frame, level = frame.f_back, level + 1
    return level


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]
