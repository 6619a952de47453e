"""Cell grids in NumPy archives, without pickle."""

import io
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets import files
from combicam_widgets.archives import Archive
from combicam_widgets.geo.earth import Floats

_LEAST = 8 * 2**20
"""Bytes that the arrays of a small file may have: checking a grid takes several times as much."""
_OWN = ("latitudes", "longitudes", "outline_vertices", "outline_lengths", "names")


def write_archive(
    path: str | PathLike[str],
    latitudes: Floats,
    longitudes: Floats,
    outlines: tuple[Floats, ...],
    names: tuple[str | None, ...] | None,
    facts: Mapping[str, ArrayLike],
) -> None:
    """Write the arrays of a grid to a file; see `CellGrid.save`."""
    arrays: dict[str, NDArray[Any]] = {
        "latitudes": latitudes,
        "longitudes": longitudes,
        "outline_vertices": np.concatenate(outlines),
        "outline_lengths": np.array([len(outline) for outline in outlines], dtype=np.int32),
    }
    if names is not None:
        arrays["names"] = np.array([name or "" for name in names], dtype=np.str_)
    for key, fact in facts.items():
        rows = np.asarray(fact)
        if key in _OWN:
            raise ValueError(f"{key!r} is a name of the grid's own; call the fact otherwise")
        if rows.ndim == 0 or len(rows) != len(latitudes):
            raise ValueError(f"{key} must have {len(latitudes)} rows, got shape {rows.shape}")
        if rows.dtype.hasobject:
            raise ValueError(f"{key} holds Python objects, which would need pickle")
        arrays[key] = rows
    file, content = files.destination(path), io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    files.write(file, content.getvalue())


def read_archive(
    path: Path,
) -> tuple[Floats, Floats, tuple[Floats, ...], tuple[str, ...] | None]:
    """Read the arrays of a grid from a file; see `CellGrid.load`."""
    with Archive(path, least=_LEAST) as archive:
        vertices, lengths = archive.numbers("outline_vertices"), archive.numbers("outline_lengths")
        if lengths.ndim != 1 or lengths.dtype.kind not in "iu" or lengths.min(initial=3) < 3:
            raise ValueError("outline_lengths must be whole numbers from 3")
        if lengths.sum(dtype=np.float64) != len(vertices):
            raise ValueError(f"{len(vertices)} corners for outlines of {lengths.sum()}")
        outlines = tuple(np.split(vertices, np.cumsum(lengths)[:-1]))
        names = tuple(archive.texts("names")) if "names" in archive.names else None
        return archive.numbers("latitudes"), archive.numbers("longitudes"), outlines, names
