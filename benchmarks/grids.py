"""Grids of cells: loading, finding cells, drawing the world, writing GeoJSON."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import combicam_widgets
from benchmarks.measure import table, together
from combicam_widgets.geo import CellGrid, cell_raster, vector_coordinates

_MODELS = Path(combicam_widgets.__file__).parent / "models"
_PLACES = 100_000
_SIZE = 1024


def main() -> None:
    """Print a row per grid: the shipped ones, and random centres, as many as CERTH has and more."""
    latitudes, longitudes = _random(_PLACES)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        files = {"naturalist": _MODELS / "naturalist" / "cells.npz"}
        files["atlas"] = _MODELS / "atlas" / "cells.npz"
        for count in (31_145, 100_000):
            file = files[f"random centres, {count:,}"] = Path(folder) / f"{count}.npz"
            CellGrid.from_centers(*_random(count)).save(file)
        for name, file in files.items():
            cells = CellGrid.load(file)
            cells.locate([0.0], [0.0])
            rounds = 3 if len(cells) < 50_000 else 1
            jobs = {
                "load": lambda file=file: CellGrid.load(file),
                "first": lambda cells=cells: _again(cells).locate([0.0], [0.0]),
                "locate": lambda cells=cells: cells.locate(latitudes, longitudes),
                "raster": lambda cells=cells: cell_raster(cells, _SIZE),
                "geojson": lambda cells=cells: cells.to_geojson(),
            }
            took = together(jobs, rounds)
            rows.append([name, f"{len(cells):,}", *(f"{took[job] * 1e3:,.0f}" for job in jobs)])
    header = ["grid", "cells", "load", "first place", f"locate {_PLACES:,} places"]
    table("Grids, milliseconds", [*header, f"raster {_SIZE} px", "to_geojson"], rows)


def _random(count: int) -> tuple[np.ndarray, np.ndarray]:
    return vector_coordinates(np.random.default_rng(count).normal(size=(count, 3)))


def _again(cells: CellGrid) -> CellGrid:
    """Return the same grid, which has not worked out anything yet."""
    return CellGrid(cells.latitudes, cells.longitudes, cells.outlines)
