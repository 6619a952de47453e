"""Work beside the page: one thread, the most urgent first; of each kind the latest request wins."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import Any, TypeVar

from combicam_widgets.cam import Cancelled
from combicam_widgets.notices import heard_by

T = TypeVar("T")
Progress = Callable[[int, int], object]
"""Called with (done, total)."""

_LOOK_UP = 0.05
"""Seconds between two looks whether what cannot be stopped is still wanted."""


def on_page() -> bool:
    """Whether there is an event loop that could deliver results; not in a plain script."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Report:
    """What a job calls with (done, total) now and then: lets more urgent work go first.

    Calling it, and `check`, raise `Cancelled` once nobody wants the result any more.

    Attributes
    ----------
    check : callable
        Without arguments; the same without progress.
    """

    def __init__(
        self, progress: Progress = lambda _done, _total: None, check: Callable[[], object] = bool
    ) -> None:
        self._progress, self.check = progress, check

    def __call__(self, done: int, total: int) -> None:
        """Tell how far the work is."""
        self.check()
        self._progress(done, total)


class Worker:
    """A thread that does the most urgent of what waits."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._executor: ThreadPoolExecutor | None = None

    def submit(self, urgency: int, work: Callable[[], None]) -> None:
        """Have work done; the smaller ``urgency`` goes first."""
        with self._guard:
            heapq.heappush(self._waiting, (urgency, next(self._order), work))
            if self._executor is None:
                self._executor = ThreadPoolExecutor(1, thread_name_prefix="combicam")
            self._executor.submit(self._do_one)

    def let_by(self, urgency: int) -> None:
        """Do what is more urgent, in the midst of work of that urgency."""
        while self._do_one(urgency):
            pass

    def close(self) -> None:
        """Forget what waits, and let the thread go; new work would get another."""
        with self._guard:
            self._waiting.clear()
            if self._executor is not None:
                self._executor.shutdown(wait=False)
                self._executor = None

    def _do_one(self, before: float = math.inf) -> bool:
        with self._guard:
            if not (self._waiting and self._waiting[0][0] < before):
                return False
            work = heapq.heappop(self._waiting)[2]
        work()
        return True


class Background:
    """One kind of work: a new job replaces the one before, whose result is dropped.

    Results are delivered on the kernel's event loop. Without one (a plain script) jobs run at
    once, in place.

    Parameters
    ----------
    worker : Worker, optional
        Shared with other kinds of work; default: one of its own.
    urgency : int
        The smaller goes first.

    Attributes
    ----------
    lock : context manager
        Held while a result is delivered: who cancels under it is given nothing any more, though
        the cells run in a thread beside that of the event loop.
    warned : list of str
        What jobs beside the page have warned of, also those whose result was dropped: it is said
        once, and Python's own warnings would end on a stream that nobody reads.
    """

    def __init__(self, worker: Worker | None = None, urgency: int = 0) -> None:
        self.lock: AbstractContextManager[Any] = threading.RLock()
        self.warned: list[str] = []
        self._worker = Worker() if worker is None else worker
        self._urgency = urgency
        self._timer: asyncio.TimerHandle | None = None
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
        failed: Callable[[Any], None],
        progress: Progress = lambda _done, _total: None,
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
            _attempt(lambda: job(Report(progress)), done, failed, Exception)
            return

        def deliver(finish: Callable[[], None]) -> None:
            with self.lock:
                if ticket == self._ticket:
                    self._busy = False
                    finish()

        def check() -> None:
            if ticket != self._ticket:
                raise Cancelled("Another request came first.")
            self._worker.let_by(self._urgency)

        def work() -> None:
            if ticket != self._ticket:
                return
            report = Report(lambda *count: loop.call_soon_threadsafe(progress, *count), check)

            def heard() -> T:
                with heard_by(self.warned.append):
                    return job(report)

            _attempt(
                heard,
                lambda result: loop.call_soon_threadsafe(deliver, lambda: done(result)),
                lambda error: loop.call_soon_threadsafe(deliver, lambda: failed(error)),
                BaseException,  # there is nobody above in this thread who would hear of it
            )

        self._busy = True
        self._timer = loop.call_later(delay, self._worker.submit, self._urgency, work)

    def cancel(self) -> None:
        """Forget the present job: it will deliver nothing."""
        self._ticket += 1
        self._busy = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """Forget the present job, and let the thread go; a new job would get another."""
        self.cancel()
        self._worker.close()


def left_behind(work: Callable[[], T], report: Report) -> T:
    """Do what cannot be stopped, such as decoding a picture, and leave it behind if need be.

    It goes on in a thread of its own, but whoever called is free as soon as nobody wants the
    result any more.

    Raises
    ------
    Cancelled
        By ``report``. Otherwise whatever the work raises.
    """
    future: Future[T] = Future()

    def run() -> None:
        _attempt(work, future.set_result, future.set_exception, BaseException)

    # What listens to warnings here listens to them there.
    context = copy_context()
    threading.Thread(
        target=context.run, args=(run,), name="combicam-left-behind", daemon=True
    ).start()
    while not wait([future], _LOOK_UP).done:
        report.check()
    return future.result()


def _attempt(
    job: Callable[[], T],
    done: Callable[[T], object],
    failed: Callable[[BaseException], object],
    kind: type[BaseException],
) -> None:
    try:
        result = job()
    except kind as error:
        failed(error)
    else:
        done(result)
