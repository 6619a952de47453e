"""Many photos: photos a second against a loop that somebody writes by hand, and memory."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import torch
from distributed import Client, LocalCluster

import combicam_widgets as ccw
from benchmarks.measure import table, together
from combicam_widgets import cam

_BATCH = 16
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
    model = ccw.load_model("naturalist")
    numbers = iter(range(1000))

    def into_a_folder() -> None:
        out = folder / f"out{next(numbers)}"
        ccw.explain_many(model, files, batch=_BATCH, out=out, progress=False)

    start = time.perf_counter()
    with (
        LocalCluster(2, threads_per_worker=1, processes=True, dashboard_address=None) as two,
        Client(two) as client,
    ):
        client.run(ccw.load_model, "naturalist")  # so that everything is imported
        started = time.perf_counter() - start
        everywhere = partial(ccw.explain_many, batch=_BATCH, progress=False)
        jobs = {
            "one at a time, by hand": partial(_one_at_a_time, model, files),
            "batches, by hand": partial(_batches, model, files),
            "explain_many": partial(everywhere, model, files),
            "explain_many, into a folder": into_a_folder,
            "explain_many, 2 Dask workers": partial(everywhere, model, files, client=client),
        }
        times = together(jobs, _ROUNDS)
    by_hand = times["batches, by hand"]
    table(
        f"{len(files)} photos, naturalist, one thread ({started:.0f} s to start the workers)",
        ["way", "photos a second", "of batches by hand"],
        [
            [name, f"{len(files) / seconds:.1f}", f"{by_hand / seconds:.2f}"]
            for name, seconds in times.items()
        ],
    )


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
    for name in ccw.list_samples()[::2]:
        files.append(folder / f"{name}.jpg")
        ccw.sample(name).to_pil().save(files[-1], quality=90)
    return files
