"""A moment in which an interrupt waits, and interrupts that reach no cell."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from weakref import WeakMethod


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Hold Ctrl-C back while the ``with`` block runs, and raise KeyboardInterrupt at its end.

    For moments, not for work. In other threads than the main one nobody is interrupted anyway.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[FrameType | None] = []
    try:
        signal.signal(signal.SIGINT, lambda _number, frame: came.append(frame))
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        before(signal.SIGINT, came[0])


_LOOK = 0.25
"""Seconds between two looks whether the kernel is idle."""

_LOOKS = 240


class _BetweenCells:
    """Hears SIGINT where ipykernel ignores it: while no cell runs (`IPKernelApp.init_signal`).

    While one runs, ipykernel puts Python's handler in, and then back what it found.
    """

    def __init__(self) -> None:
        self._acts: list[WeakMethod[Callable[[], object]]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def call(self, act: Callable[[], object]) -> None:
        self._acts = [known for known in self._acts if known() is not None]
        self._acts.append(WeakMethod(act))

    def listen(self, loop: asyncio.AbstractEventLoop, looks: int = _LOOKS) -> None:
        handler = signal.getsignal(signal.SIGINT)
        if handler is signal.SIG_IGN:
            self._loop = loop
            signal.signal(signal.SIGINT, self._hear)
        elif handler != self._hear and looks:
            loop.call_later(_LOOK, self.listen, loop, looks - 1)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._act)  # not in the midst of anything else

    def _act(self) -> None:
        for known in self._acts:
            act = known()
            if act is not None:
                act()


_between_cells = _BetweenCells()


def between_cells(act: Callable[[], object]) -> None:
    """Call a method, which is not kept alive, when the kernel is interrupted while no cell runs.

    A cell that runs is what is interrupted. Where somebody else minds SIGINT, or there is no event
    loop, nothing happens: scripts end, as they should.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    _between_cells.call(act)
    loop.call_later(_LOOK, _between_cells.listen, loop)
