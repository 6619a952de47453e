"""Many photos: photos a second against a loop that somebody writes by hand, and memory."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import torch
from distributed import Client, LocalCluster

import combicam_widgets as ccw
from benchmarks.measure import table, together
from combicam_widgets import cam

_BATCH = 8
_ROUNDS = 2
_TILES = 2000


def main() -> None:
    """Print how fast the ways to explain photos are, and what memory a long run takes."""
    torch.set_num_threads(1)  # as on the workers: else two processes would fight for the cores
    with tempfile.TemporaryDirectory() as folder:
        files = _written(Path(folder))
        _speed(files, Path(folder))
    _memory()


def _speed(files: list[Path], folder: Path) -> None:
    """Compare ways with as many processes and threads; what the cores allow is made by hand."""
    model = ccw.load_model("naturalist")
    explained = partial(ccw.explain_many, batch=_BATCH, progress=False)
    numbers = iter(range(1000))

    def into_a_folder() -> None:
        explained(model, files, out=folder / f"out{next(numbers)}")

    start = time.perf_counter()
    with (
        LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as two,
        Client(two) as client,
        ProcessPoolExecutor(2, get_context("spawn")) as pool,
    ):
        client.run(ccw.load_model, "naturalist")  # so that everything is imported
        started = time.perf_counter() - start

        def halves() -> None:
            list(pool.map(_by_name, [files[::2], files[1::2]]))

        ways: dict[str, tuple[int, int, Callable[[], object]]] = {
            "one at a time, by hand": (1, 1, partial(_one_at_a_time, model, files)),
            "batches, by hand": (1, 1, partial(_batches, model, files)),
            "batches, by hand, two threads": (1, 2, partial(_batches, model, files)),
            "batches, by hand, two processes": (2, 1, halves),
            "explain_many": (1, 1, partial(explained, model, files)),
            "explain_many, into a folder": (1, 1, into_a_folder),
            "explain_many, two threads": (1, 2, partial(explained, model, files)),
            "explain_many, Dask": (2, 1, partial(explained, model, files, client=client)),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        jobs = {
            name: partial(_with_threads, threads, job, spent[name])
            for name, (_, threads, job) in ways.items()
        }
        times = together(jobs, _ROUNDS)
    alone, hand = times["explain_many"], times["batches, by hand"]
    table(
        f"{len(files)} photos, naturalist ({started:.0f} s to start the workers)",
        [
            "way",
            "processes x threads",
            "photos a second",
            "of batches by hand",
            "of explain_many",
            "cores in use",
            "processor ms a photo",
        ],
        [
            [
                name,
                f"{ways[name][0]} x {ways[name][1]}",
                f"{len(files) / seconds:.1f}",
                f"{hand / seconds:.2f}",
                f"{alone / seconds:.2f}",
                f"{median(spent[name][1:]) / seconds:.2f}",
                f"{1e3 * median(spent[name][1:]) / len(files):.0f}",
            ]
            for name, seconds in times.items()
        ],
    )


def _with_threads(threads: int, job: Callable[[], object], spent: list[float]) -> None:
    """Do a job with some threads of torch; note the seconds of processor of all processes."""
    before = _processor_seconds()
    torch.set_num_threads(threads)
    try:
        job()
    finally:
        torch.set_num_threads(1)
    spent.append(_processor_seconds() - before)


def _processor_seconds() -> float:
    this = psutil.Process()
    return sum(
        each.cpu_times().user + each.cpu_times().system
        for each in [this, *this.children(recursive=True)]
    )


def _by_name(files: list[Path]) -> None:
    """Explain in batches, in a process of its own."""
    torch.set_num_threads(1)
    _batches(ccw.load_model("naturalist"), files)


def _one_at_a_time(model: ccw.GeoModel, files: list[Path]) -> None:
    for file in files:
        maps = model.explain(ccw.load_image(file), methods=["gradcam"])
        maps.shares()


def _batches(model: ccw.GeoModel, files: list[Path]) -> list[tuple[object, ...]]:
    """Explain in batches, as one does it who knows the package, and keep what `Many` has."""
    found = []
    for first in range(0, len(files), _BATCH):
        alike: dict[torch.Size, list[torch.Tensor]] = {}
        for file in files[first : first + _BATCH]:
            view = model.transform(ccw.load_image(file).to_pil())
            alike.setdefault(view.shape, []).append(view)
        for views in alike.values():
            for some in (views[i : i + 8] for i in range(0, len(views), 8)):
                batch = torch.stack(some)
                maps = cam.explain(model.network, batch, None, model.layers, methods=["gradcam"])
                for each in maps if isinstance(maps, list) else [maps]:
                    small = [x.astype(np.float16) for x in each.maps]
                    found.append((model.prediction_of(each).best, each.shares(), small))
    return found


def _memory() -> None:
    """Explain tiles from a generator, into a folder, and look at the memory on the way."""
    model = ccw.load_model("atlas")
    process = psutil.Process(os.getpid())
    seen: dict[int, float] = {}

    def look(done: int, _total: int | None) -> None:
        if done % 500 == 0 and done:
            gc.collect()
            seen[done] = process.memory_info().rss / 2**20

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        ccw.explain_many(model, _tiles(_TILES), batch=20, out=Path(folder) / "out", progress=look)
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    seconds = time.perf_counter() - start
    table(
        f"{_TILES} tiles, atlas, into a folder: {_TILES / seconds:.0f} tiles a second, "
        f"{size / 2**20:.0f} MB on the disk",
        ["tiles", "memory"],
        [[str(done), f"{mb:.0f} MB"] for done, mb in seen.items()],
    )


def _tiles(count: int) -> Iterator[ccw.Photo]:
    """Give tiles that differ: a few of them, shifted, for cutting takes longer than explaining."""
    random = np.random.default_rng(0)
    some = [ccw.tile(*place, side=128).pixels for place in ((48, 2), (-20, 45), (36, 138))]
    for i in range(count):
        shift = random.integers(0, 128, 2)
        yield ccw.Photo(np.roll(some[i % len(some)], tuple(shift), (0, 1)), name=f"tile {i}")


def _written(folder: Path) -> list[Path]:
    files = []
    for name in ccw.list_samples():
        files.append(folder / f"{name}.jpg")
        ccw.sample(name).to_pil().save(files[-1], quality=90)
    return files
