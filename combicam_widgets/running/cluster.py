"""The engine on a Dask cluster: the model once per worker, photos a batch at a time."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar, cast

import torch

from combicam_widgets.running.engine import Batch, Task
from combicam_widgets.running.given import Given, reason
from combicam_widgets.running.travel import packed, unpacked

try:
    from distributed import KilledWorker, WorkerPlugin, as_completed, get_worker
except ImportError as missing:
    raise ImportError("client= needs dask: pip install 'combicam_widgets[dask]'.") from missing

Prepared = TypeVar("Prepared")
Result = TypeVar("Result")

_AHEAD = 2
"""Batches that wait for each thread of the cluster: enough that none has nothing to do."""

_RETRIES = 3

_TRIM, _MMAP = -1, -3
"""Names of two settings of glibc's ``mallopt``."""

_KEPT, _SMALL = 2**30, 2**25
"""Bytes that a worker keeps, and below which memory is taken from those; the largest allowed."""


class _ModelPlugin(WorkerPlugin):
    """Holds the model on a worker. It travels with the scheduler, so that whoever comes gets it.

    What is scattered is lost with the worker that holds it; this is not.
    """

    def __init__(self, name: str, text: str, tensors: bytes) -> None:
        self.name = name
        self._packed: tuple[str, bytes] | None = (text, tensors)

        self.error = ""
        self.model: Any = None
        self.task: Any = None
        self.network: Any = None

    def setup(self, worker: Any) -> None:  # noqa: ANN401, ARG002
        """Make the model; what goes wrong is told by the first task."""
        self.network = threading.Lock()
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)  # workers share cores; threads that wait for each other crawl
        _hold_memory(_KEPT)
        try:
            if self._packed is not None:
                there = unpacked(*self._packed)
                there["registered"].register()
                self.model, self.task = there["model"], there["task"]
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends the run in words)
            self.error = reason(error)
        self._packed = None

    def teardown(self, worker: Any) -> None:  # noqa: ANN401, ARG002
        """Leave torch as it was: the worker may be a thread of somebody's process."""
        torch.set_num_threads(self._threads)
        _hold_memory(int(os.environ.get("MALLOC_TRIM_THRESHOLD_", _KEPT)))


class WorkerError(RuntimeError):
    """The workers cannot have the model; the message says why."""


def run(
    model: Any,  # noqa: ANN401 - a GeoModel, or any network
    photos: Iterable[tuple[Given, ...]],
    task: Task[Prepared, Result],
    client: Any,  # noqa: ANN401 - untyped
) -> Generator[Batch[Result], None, None]:
    """Work on batches on a cluster; see `engine.run`. They come as they get done.

    A worker that dies loses nothing: its batches go to others. Should batches die with one worker
    after the other, their photos are tried in the end, one by one and nothing beside, and what
    still does it gets a result that says so.
    """
    if not hasattr(client, "register_plugin") or getattr(client, "asynchronous", False):
        raise TypeError(f"client must be a distributed.Client, not {type(client).__name__}.")
    rest = iter(photos)
    first = next(rest, None)  # before the model is packed: it may be fitted to its first photo
    if first is None:
        return
    name = f"combicam_widgets-{token_hex(8)}"
    things = packed(model=model, task=task, registered=task.registered())
    client.register_plugin(_ModelPlugin(name, *things), name=name)
    try:
        yield from _answers(name, chain([first], rest), task, client)
    finally:
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # the cluster may be gone
            client.unregister_worker_plugin(name)


def _answers(
    name: str,
    rest: Iterator[tuple[Given, ...]],
    task: Task[Prepared, Result],
    client: Any,  # noqa: ANN401 - untyped
) -> Generator[Batch[Result], None, None]:
    """Keep the workers busy, and give what they answer."""
    reach = _Reach(client)
    waiting: dict[Any, tuple[Given, ...]] = {}
    suspects: deque[Given] = deque()
    done: Any = as_completed()  # type: ignore[no-untyped-call]

    def submit(batch: tuple[Given, ...]) -> None:
        future = client.submit(_work, name, reach.sendable(batch), pure=False, retries=_RETRIES)
        waiting[future] = batch
        done.add(future)

    def fill() -> None:
        room = _AHEAD * max(1, sum(client.nthreads().values())) - len(waiting)
        for batch in islice(rest, max(0, room)):
            submit(batch)

    try:
        fill()
        while waiting or suspects:
            alone = not waiting
            if alone:
                submit((suspects.popleft(),))
            future = next(done)
            batch = waiting.pop(future)
            try:
                yield Batch(batch, future.result())
            except KilledWorker as error:
                if alone:
                    yield Batch(batch, task.failed(batch, reason(error)))
                else:  # perhaps only one that waited beside the one that did it
                    suspects.extend(batch)
            fill()
    finally:
        client.cancel(list(waiting))


def _work(name: str, batch: tuple[Given, ...]) -> Any:  # noqa: ANN401 - whatever the task gives
    plugin = cast("_ModelPlugin", get_worker().plugins[name])
    if plugin.error:
        raise WorkerError(f"A worker cannot have the model: {plugin.error}")
    torch.set_num_threads(1)  # of this thread
    prepared = plugin.task.prepare(plugin.model, batch)
    with plugin.network:
        return plugin.task.work(plugin.model, prepared)


def _hold_memory(size: int) -> None:
    """Let a worker keep freed memory for its next batch.

    Dask starts its workers with MALLOC_TRIM_THRESHOLD_, by which they give it back at once: 16
    photos then take ``naturalist`` 1.9 s of processor instead of 1.1 s, since the memory of every
    layer is fetched anew.
    """
    if "MALLOC_TRIM_THRESHOLD_" in os.environ:
        with contextlib.suppress(OSError, AttributeError):  # another C library
            libc = ctypes.CDLL(None)
            libc.mallopt(_TRIM, size)
            libc.mallopt(_MMAP, _SMALL)


class _Reach:
    """Which folders all workers see: photos in others are sent as bytes."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - untyped
        self._client = client
        self._folders: dict[Path, bool] = {}

    def sendable(self, batch: tuple[Given, ...]) -> tuple[Given, ...]:
        """Give photos as workers can read them."""
        return tuple(
            given if given.path and self._is_seen(Path(given.path)) else given.in_hand()
            for given in batch
        )

    def _is_seen(self, path: Path) -> bool:
        if path.parent not in self._folders:
            if not path.exists():
                return True  # nobody sees it, and its row says so
            seen = self._client.run(path.exists)
            self._folders[path.parent] = all(seen.values())
        return self._folders[path.parent]
