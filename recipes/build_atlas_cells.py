"""Build the cells of the atlas: combicam_widgets/models/atlas/cells.npz.

    python recipes/build_atlas_cells.py

Of 6,000 cells of equal area around the points of a Fibonacci lattice on the sphere (Gonzalez,
Mathematical Geosciences 42, 2010), about 290 km across, those with land. Needs npm, for the land
(see `imagery.py`), and the extra `recipes`.

The file is a `CellGrid` with one more array, one row per cell:

    land_fraction  0 to 1, float32
"""

import argparse
from pathlib import Path

import numpy as np
from build_cells import land_areas, named_cells
from build_coastline import land_polygons
from imagery import LAND
from numpy.typing import NDArray

from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid

TARGET = Path(__file__).parents[1] / "combicam_widgets" / "models" / "atlas" / "cells.npz"
CELLS = 6000
MIN_LAND_KM2 = 500.0


def main() -> None:
    """Fetch the land, write the cells."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    world = CellGrid.from_centers(*fibonacci_lattice(CELLS))
    land_km2 = land_areas(world, land_polygons(LAND.fetch()))
    kept = np.flatnonzero(land_km2 >= MIN_LAND_KM2)
    grid, _ = named_cells(world, kept)
    area = 4 * np.pi * EARTH_RADIUS_KM**2 / CELLS
    grid.save(TARGET, land_fraction=np.clip(land_km2[kept] / area, 0, 1).astype(np.float32))
    print(f"{TARGET}: {len(grid)} cells of {area:,.0f} km2, {TARGET.stat().st_size} bytes")


def fibonacci_lattice(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Latitudes and longitudes of evenly spread points, from the south pole to the north."""
    steps = np.arange(count)
    latitudes = np.degrees(np.arcsin((2 * steps + 1) / count - 1))
    turns = steps * (np.sqrt(5) - 1) / 2
    return latitudes, (turns % 1.0) * 360 - 180


if __name__ == "__main__":
    main()
