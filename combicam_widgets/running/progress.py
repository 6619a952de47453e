"""How far a long run is: a bar where somebody looks, or whatever is called."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

Progress: TypeAlias = "Callable[[int, int | None], object] | bool | None"
"""A function of (done, total); True or False: a bar or none; None: a bar where one is seen."""


@contextmanager
def shown(progress: Progress, total: int | None) -> Iterator[Callable[[int], object]]:
    """Show how far a run is, in photos.

    Parameters
    ----------
    progress : callable, bool or None
        Called as ``progress(done, total)``; what it raises stops the run. Else a bar of tqdm, if
        that is installed: None draws it in notebooks and terminals, not into files.
    total : int or None
        None if it is not known.

    Yields
    ------
    callable
        To be called with how many are done.
    """
    if callable(progress):
        yield lambda done: progress(done, total)
        return
    tqdm = _tqdm() if progress or (progress is None and _is_seen()) else None
    if tqdm is None:
        yield lambda _done: None
        return
    with tqdm(total=total, unit="photo") as bar:
        yield lambda done: bar.update(done - bar.n)


def _is_seen() -> bool:
    """Whether somebody looks at a bar: in a notebook, or in a terminal."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or sys.stderr.isatty()


def _tqdm() -> Any:  # noqa: ANN401 - without types, and an extra
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415
    except ImportError:
        return None
    return tqdm
