"""The engine for many photos: batches in order, the next one read while one is worked on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from combicam_widgets.cam import Registered
from combicam_widgets.running.given import Given

Prepared = TypeVar("Prepared")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class Task(Protocol[Prepared, Result_co]):
    """What is done with each batch: a value that knows no batch before or after it.

    The same photos in the same batch give the same result, whoever works on them.
    """

    def prepare(self, model: Any, batch: Sequence[Given]) -> Prepared:  # noqa: ANN401
        """Read the photos; runs beside the network. Never raises because of a photo."""
        ...

    def work(self, model: Any, prepared: Prepared) -> Result_co:  # noqa: ANN401
        """Ask the network."""
        ...

    def registered(self) -> Registered:
        """Tell which methods and rules that somebody registered it needs, wherever it runs."""
        ...

    def failed(self, batch: Sequence[Given], error: str) -> Result_co:
        """Say of photos that nothing can be worked out, and why."""
        ...


@dataclass(frozen=True, eq=False)
class Batch(Generic[Result]):
    """One batch and what came of it."""

    photos: tuple[Given, ...]
    result: Result


def batches(photos: Iterable[Given], size: int) -> Iterator[tuple[Given, ...]]:
    """Cut photos into batches of a size, the last one smaller."""
    rest = iter(photos)
    while batch := tuple(islice(rest, size)):
        yield batch


def run(
    model: Any,  # noqa: ANN401 - a GeoModel, or any network
    photos: Iterable[tuple[Given, ...]],
    task: Task[Prepared, Result],
    client: Any = None,  # noqa: ANN401 - distributed is an extra
) -> Generator[Batch[Result], None, None]:
    """Work on batches: on this machine in the given order, or on a Dask cluster as they get done.

    Parameters
    ----------
    model : GeoModel or nn.Module
    photos : iterable of tuples of Given
        Taken one at a time, so that it may be a generator.
    task : Task
    client : distributed.Client, optional

    Yields
    ------
    Batch
        Closing the generator stops the work.
    """
    if client is not None:
        from combicam_widgets.running import cluster  # noqa: PLC0415

        yield from cluster.run(model, photos, task, client)
        return
    with (
        ThreadPoolExecutor(1, "reading photos") as reader,
        closing(_ahead(reader, lambda batch: task.prepare(model, batch), photos)) as prepared,
    ):
        for batch, waiting in prepared:
            yield Batch(batch, task.work(model, waiting.result()))


def _ahead(
    reader: ThreadPoolExecutor,
    prepare: Callable[[tuple[Given, ...]], Prepared],
    photos: Iterable[tuple[Given, ...]],
) -> Generator[tuple[tuple[Given, ...], Future[Prepared]], None, None]:
    """Read one batch ahead, no more: only two are held."""
    waiting: list[tuple[tuple[Given, ...], Future[Prepared]]] = []
    try:
        for batch in photos:
            waiting.append((batch, reader.submit(prepare, batch)))
            if len(waiting) > 1:
                yield waiting.pop(0)
        yield from waiting
    finally:
        for _, future in waiting:
            future.cancel()
