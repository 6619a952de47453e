"""Work beside the page: one job at a time, the latest request wins, nothing queues up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, TypeAlias, TypeVar

from combicam_widgets.cam import Cancelled

T = TypeVar("T")
Report: TypeAlias = Callable[[int, int], None]
"""What a job calls with (done, total); raises `Cancelled` once nobody wants the result."""


class Background:
    """Runs jobs in a thread of its own and delivers results on the kernel's event loop.

    A new job replaces the one that waits; the result of one that already runs is dropped. Without
    an event loop (a plain script) jobs run at once, in place.

    Attributes
    ----------
    lock : context manager
        Held while a result is delivered: who cancels under it is given nothing any more, though
        the cells run in a thread beside that of the event loop.
    """

    def __init__(self) -> None:
        self.lock: AbstractContextManager[Any] = threading.RLock()
        self._executor: ThreadPoolExecutor | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: Future[None] | None = None
        self._ticket = 0
        self._busy = False

    @property
    def busy(self) -> bool:
        """Whether a result is still to come."""
        return self._busy

    def run(
        self,
        job: Callable[[Report], T],
        done: Callable[[T], None],
        failed: Callable[[Exception], None],
        progress: Report = lambda _done, _total: None,
        delay: float = 0.0,
    ) -> None:
        """Run a job, then deliver what it gave.

        Parameters
        ----------
        job : callable
            Gets a `Report` to call now and then, which leads to ``progress`` and stops the job
            when it was cancelled or replaced.
        done, failed, progress : callable
            Called on the event loop with the result, the exception, or (done, total).
        delay : float
            Seconds to wait, counted from the last call, before the job starts.
        """
        self.cancel()
        ticket = self._ticket
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            _attempt(lambda: job(progress), done, failed)
            return

        def deliver(finish: Callable[[], None]) -> None:
            with self.lock:
                if ticket == self._ticket:
                    self._busy = False
                    finish()

        def report(count: int, total: int) -> None:
            if ticket != self._ticket:
                raise Cancelled("Another request came first.")
            loop.call_soon_threadsafe(progress, count, total)

        def work() -> None:
            _attempt(
                lambda: job(report),
                lambda result: loop.call_soon_threadsafe(deliver, lambda: done(result)),
                lambda error: loop.call_soon_threadsafe(deliver, lambda: failed(error)),
            )

        def start() -> None:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="combicam")
            self._waiting = self._executor.submit(work)

        self._busy = True
        self._timer = loop.call_later(delay, start)

    def cancel(self) -> None:
        """Forget the present job: it will deliver nothing."""
        self._ticket += 1
        self._busy = False
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting is not None:
            self._waiting.cancel()

    def close(self) -> None:
        """Forget the present job, and let the thread go; a new job would get another."""
        self.cancel()
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None


def _attempt(
    job: Callable[[], T], done: Callable[[T], object], failed: Callable[[Exception], object]
) -> None:
    try:
        result = job()
    except Exception as error:  # noqa: BLE001  (whatever a user's network raises is shown)
        failed(error)
    else:
        done(result)
