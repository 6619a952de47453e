"""Where results are kept: in memory, or in a folder that others can read without this package."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from combicam_widgets import files
from combicam_widgets.evaluation.candidates import Candidate
from combicam_widgets.many.columns import NUMBER, WHOLE
from combicam_widgets.many.task import Explained, Packed

FORMAT = "combicam_widgets.Many/1"

_LARGEST = 2**30
"""Bytes of a batch of maps, and numbers in one of its arrays: more is no such file."""

_NEEDS = "pip install 'combicam_widgets[many]'"

Columns = Mapping[str, tuple[str, str]]
Row = dict[str, Any]


class Store(Protocol):
    """Where results go, batch by batch, and come from."""

    def rows(self) -> dict[str, Row]:
        """Give all rows by the names of their photos."""
        ...

    def keep(self, found: Sequence[Explained], rows: Sequence[Row]) -> None:
        """Take a batch in: wholly or not at all."""
        ...

    def packed(self, name: str) -> tuple[Packed, dict[str, Candidate]]:
        """Give the maps of a photo and how its heatmaps are made; LookupError if there are none."""
        ...


class Memory:
    """Keeps everything in memory."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._found: dict[str, Explained] = {}

    def rows(self) -> dict[str, Row]:
        """As `Store`."""
        return dict(self._rows)

    def keep(self, found: Sequence[Explained], rows: Sequence[Row]) -> None:
        """As `Store`."""
        self._rows |= {row["photo"]: row for row in rows}
        self._found |= {each.name: each for each in found}

    def packed(self, name: str) -> tuple[Packed, dict[str, Candidate]]:
        """As `Store`."""
        found = self._found[name]
        if found.packed is None:
            raise LookupError(f"There are no maps of {name!r}: {found.error}")
        return found.packed, dict(found.candidates)


class Folder:
    """A folder of results.

    Each batch is two files of one number in ``shards/``, first the maps, then the rows: what has
    no rows yet was never finished, and is written over.

    Parameters
    ----------
    path : Path
        A folder that `opened` or `made` has looked at.
    columns : mapping
        See `columns.columns`.
    """

    def __init__(self, path: Path, columns: Columns) -> None:
        self.path = path
        self._columns = columns
        self._shards = path / "shards"
        self._home: dict[str, Path] = {}
        self._next = 0
        self._rows: dict[str, Row] = {}
        for file in sorted(self._shards.glob("[0-9]*.parquet")):
            self._take(read_parquet(file, columns), file)
            self._next = int(file.stem) + 1
        self._open = lru_cache(4)(_read_maps)

    def rows(self) -> dict[str, Row]:
        """As `Store`."""
        return dict(self._rows)

    def keep(self, found: Sequence[Explained], rows: Sequence[Row]) -> None:
        """As `Store`; OSError in words if there is no room for it."""
        file = self._shards / f"{self._next:06}.parquet"
        try:
            files.write(_maps_beside(file), _zarr_of(found))
            files.write(file, parquet(rows, self._columns))
        except OSError as error:
            error.add_note(
                f"Nothing that is in {self.path} was changed; make room, and the same call goes on."
            )
            raise
        self._next += 1
        self._take(rows, file)

    def packed(self, name: str) -> tuple[Packed, dict[str, Candidate]]:
        """As `Store`."""
        row = self._rows[name]
        if row["error"]:
            raise LookupError(f"There are no maps of {name!r}: {row['error']}")
        return self._open(_maps_beside(self._home[name]))[name]

    def finish(self, order: Sequence[str]) -> None:
        """Write the whole table, in order."""
        rows = [self._rows[name] for name in order if name in self._rows]
        files.write(self.path / "table.parquet", parquet(rows, self._columns))

    def sweep(self) -> None:
        """Remove what a run that was killed had begun to write."""
        for file in [*self.path.glob(".*.part"), *self._shards.glob(".*.part")]:
            file.unlink(missing_ok=True)

    def describe(self, text: str) -> None:
        """Write down, for whoever opens the folder, what is in it."""
        files.write(self.path / "SCHEMA.md", text.encode())

    def remember(self, places: Mapping[str, str]) -> None:
        """Write which photos there are, in order, and where their files lie."""
        content = {"photos": [{"photo": name, "path": path} for name, path in places.items()]}
        files.write(self.path / "photos.json", json.dumps(content, indent=0).encode())

    def _take(self, rows: Sequence[Row], file: Path) -> None:
        self._rows |= {row["photo"]: row for row in rows}
        self._home |= {row["photo"]: file for row in rows}


def parquet(rows: Sequence[Row], columns: Columns) -> bytes:
    """Write rows as a Parquet file."""
    arrow, pq = _pyarrow()
    kinds = {WHOLE: arrow.int64(), NUMBER: arrow.float64()}
    schema = arrow.schema(
        [
            arrow.field(name, kinds.get(kind, arrow.string()), metadata={"meaning": meaning})
            for name, (kind, meaning) in columns.items()
        ]
    )
    content = io.BytesIO()
    pq.write_table(arrow.Table.from_pylist(list(rows), schema=schema), content)
    return content.getvalue()


def read_parquet(file: Path, columns: Columns) -> list[Row]:
    """Read rows; ValueError if the file is damaged or has other columns."""
    arrow, pq = _pyarrow()
    try:
        table = pq.read_table(io.BytesIO(files.content(file)))
        rows: list[Row] = table.select(list(columns)).to_pylist()
    except (arrow.ArrowException, KeyError) as error:
        raise ValueError(
            f"{file} is cut short or damaged: delete it, and what is missing is worked out again."
        ) from error
    return rows


def _maps_beside(file: Path) -> Path:
    return file.with_name(f"{file.stem}.zarr.zip")


def _zarr_of(found: Sequence[Explained]) -> bytes:
    """Write maps as a Zarr group in a ZIP file: a group per size of view, arrays by resolution."""
    zarr = _zarr()
    alike: dict[tuple[int, int], list[Explained]] = {}
    for each in found:
        if each.packed is not None:
            alike.setdefault(each.packed.view, []).append(each)
    kept: dict[str, Any] = {}
    root = zarr.open_group(
        zarr.storage.MemoryStore(kept), mode="w", zarr_format=3, attributes={"format": FORMAT}
    )
    for (height, width), some in alike.items():
        packs = [each.packed for each in some if each.packed is not None]
        group = root.create_group(
            f"{height}x{width}",
            attributes={
                "photos": [each.name for each in some],
                "sizes": [list(pack.size) for pack in packs],
                "targets": [pack.target for pack in packs],
                "methods": list(packs[0].maps),
                "candidates": [
                    [asdict(candidate) | {"label": label} for label, candidate in c.items()]
                    for c in (each.candidates for each in some)
                ],
            },
        )
        for shape, layers in _by_resolution(packs[0]).items():
            values = np.stack(
                [
                    [np.stack([maps[layer] for layer in layers]) for maps in pack.maps.values()]
                    for pack in packs
                ]
            )
            _put(group, f"maps_{shape[0]}x{shape[1]}", values).attrs["layers"] = layers
        for name in ("scales", "importances", "probabilities"):
            _put(group, name, np.stack([getattr(pack, name) for pack in packs]))
    return _zipped(kept)


def _put(group: Any, name: str, values: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - zarr is an extra
    """Put an array into a group, in one chunk: it is small, and read as a whole."""
    array = group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=values.shape)
    array[...] = values
    return array


def _by_resolution(pack: Packed) -> dict[tuple[int, ...], list[int]]:
    layers: dict[tuple[int, ...], list[int]] = {}
    for number, x in enumerate(next(iter(pack.maps.values()))):
        layers.setdefault(x.shape, []).append(number)
    return layers


def _read_maps(file: Path) -> dict[str, tuple[Packed, dict[str, Candidate]]]:
    """Read what `_zarr_of` wrote: everything in one file of maps, by photo."""
    zarr = _zarr()
    result: dict[str, tuple[Packed, dict[str, Candidate]]] = {}
    try:
        # Arrays of Zarr 2 may hold pickles; those of Zarr 3 cannot.
        store = zarr.storage.MemoryStore(_unzipped(files.content(file, _LARGEST)))
        for name, group in zarr.open_group(store, mode="r", zarr_format=3).groups():
            height, width = map(int, name.split("x"))
            result |= _packs(group, (height, width))
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise ValueError(
            f"{file} is cut short or damaged: delete it and the file of the same number beside it, "
            "and what is missing is worked out again."
        ) from error
    return result


def _packs(
    group: Any,  # noqa: ANN401 - zarr is an extra
    view: tuple[int, int],
) -> dict[str, tuple[Packed, dict[str, Candidate]]]:
    facts = dict(group.attrs)
    if any(array.size > _LARGEST for _, array in group.arrays()):
        raise ValueError("an array is larger than a batch of maps can be")
    arrays = {name: array[...] for name, array in group.arrays()}
    at = {
        layer: (name, number)
        for name, array in group.arrays()
        if name.startswith("maps_")
        for number, layer in enumerate(array.attrs["layers"])
    }
    result = {}
    for i, photo in enumerate(facts["photos"]):
        maps = {
            method: tuple(arrays[at[layer][0]][i, m, at[layer][1]] for layer in range(len(at)))
            for m, method in enumerate(facts["methods"])
        }
        height, width = facts["sizes"][i]
        packed = Packed(
            view=view,
            size=(height, width),
            maps=maps,
            scales=arrays["scales"][i],
            importances=arrays["importances"][i],
            probabilities=arrays["probabilities"][i],
            target=facts["targets"][i],
        )
        made = {each.pop("label"): Candidate(**each) for each in facts["candidates"][i]}
        result[photo] = packed, made
    return result


def _zipped(kept: Mapping[str, Any]) -> bytes:
    """Write what a Zarr store in memory holds as a ZIP file, in which no time stands."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, value in kept.items():
            archive.writestr(zipfile.ZipInfo(name), value.to_bytes())
    return content.getvalue()


def _unzipped(content: bytes) -> dict[str, Any]:
    """Read what `_zipped` wrote; ValueError if it is something else, or far too large."""
    from zarr.core.buffer import default_buffer_prototype  # noqa: PLC0415

    buffer = default_buffer_prototype().buffer
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(each.file_size for each in archive.infolist()) > _LARGEST:
                raise ValueError("more than a batch of maps can be")
            return {name: buffer.from_bytes(archive.read(name)) for name in archive.namelist()}
    except zipfile.BadZipFile as error:
        raise ValueError("no ZIP file") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other runs out of a folder; the lock goes with the process, however that ends.

    Raises
    ------
    RuntimeError
        Another run is at work there.
    """
    with (folder / ".lock").open("a+b") as file:
        try:
            _lock(file.fileno())
        except OSError as error:
            raise RuntimeError(
                f"Another run is at work in {folder}: wait for it, or give another folder."
            ) from error
        yield


if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        import msvcrt  # noqa: PLC0415

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:

    def _lock(descriptor: int) -> None:
        import fcntl  # noqa: PLC0415

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def made(folder: Path, facts: Mapping[str, Any]) -> None:
    """Make a folder for results, or check that what it holds belongs to them.

    Raises
    ------
    ValueError
        It holds something else; nothing in it was touched.
    """
    _pyarrow(), _zarr()
    if folder.is_file():
        raise NotADirectoryError(f"{str(folder)!r} is a file: give a folder")
    said = json.loads(json.dumps({"format": FORMAT, **facts}))
    about = folder / "many.json"
    if about.exists():
        there = _parsed(about)
        differ = [key for key in said if there.get(key) != said[key]]
        if differ:
            told = ", ".join(
                f"{key} was {_brief(there.get(key))} and is {_brief(said[key])}" for key in differ
            )
            raise ValueError(
                f"{folder} holds the results of something else: {told}. Give another folder; "
                "nothing was changed in this one."
            )
    elif folder.exists() and any(each.name != ".lock" for each in folder.iterdir()):
        raise ValueError(
            f"{folder} is not empty, and holds no results of explain_many(): give another folder."
        )
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    if not about.exists():
        files.write(about, json.dumps(said, indent=1).encode())


def opened(folder: Path) -> dict[str, Any]:
    """Read what a folder of results says about itself; ValueError if it is something else."""
    about = folder / "many.json"
    if not about.exists():
        raise FileNotFoundError(f"{folder} holds no results of explain_many(): no many.json in it.")
    facts = _parsed(about)
    if facts.get("format") != FORMAT:
        raise ValueError(f"{folder} is of the format {facts.get('format')!r}, not {FORMAT!r}.")
    return facts


def remembered(folder: Path) -> dict[str, str] | None:
    """Read what `Folder.remember` wrote; None if there is nothing yet."""
    file = folder / "photos.json"
    if not file.exists():
        return None
    return {each["photo"]: each["path"] for each in _parsed(file)["photos"]}


def _parsed(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(files.content(file))
    except ValueError as error:
        raise ValueError(f"{file} is cut short or damaged.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file} is not what explain_many() writes.")  # noqa: TRY004 - of a file
    return found


def _brief(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415
        from pyarrow import parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(f"Folders of results need pyarrow: {_NEEDS}") from error
    return pa, pq


def _zarr() -> Any:  # noqa: ANN401
    try:
        import zarr  # noqa: PLC0415
        import zarr.storage  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(f"Folders of results need zarr: {_NEEDS}") from error
    return zarr


def pandas() -> Any:  # noqa: ANN401
    """Import pandas, or say how to get it."""
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(f"Tables need pandas: {_NEEDS}") from error
    return pd
