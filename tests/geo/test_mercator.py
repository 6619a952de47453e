"""The raster of the world against `CellGrid.locate` at the centres of its pixels."""

import numpy as np
import pytest

from combicam_widgets.geo import MAX_LATITUDE, CellGrid, cell_raster, mercator_y, vector_coordinates
from combicam_widgets.geo.flat import flat_paths

SIZE = 256


def pixel_centers(size=SIZE):
    """Latitude of each row and longitude of each column, by the inverse projection."""
    y = (np.arange(size) + 0.5) / size
    latitudes = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y))))
    return latitudes, (np.arange(size) + 0.5) / size * 360 - 180


def inner(raster):
    """Pixels whose eight neighbours are of the same cell: away from borders."""
    padded = np.pad(raster, ((1, 1), (0, 0)), mode="edge")
    padded = np.pad(padded, ((0, 0), (1, 1)), mode="wrap")
    size = len(raster)
    shifts = [(i, j) for i in range(3) for j in range(3)]
    return np.all([padded[i : i + size, j : j + size] == raster for i, j in shifts], axis=0)


def square(north, south, west, east):
    return np.array([(south, west), (south, east), (north, east), (north, west)])


def cap(sign):
    return np.array([(sign * 50, lon) for lon in range(-180, 180, 45)])


def random_grid(n):
    return CellGrid.from_centers(*vector_coordinates(np.random.default_rng(n).normal(size=(n, 3))))


GRIDS = {
    "4 cells": lambda: random_grid(4),
    "60 cells": lambda: random_grid(60),
    "500 cells": lambda: random_grid(500),
    "across the antimeridian": lambda: CellGrid([0], [180], [square(30, -30, 150, -150)]),
    "around the north pole": lambda: CellGrid([90], [0], [cap(1)]),
    "around the south pole": lambda: CellGrid([-90], [0], [cap(-1)[::-1]]),
    "a corner at the pole": lambda: CellGrid([60], [120], [[(40, 80), (40, 160), (90, 0)]]),
    "first corner at the pole": lambda: CellGrid([60], [-170], [[(90, 0), (40, 150), (40, -130)]]),
    "an edge over the pole": lambda: CellGrid([60], [0], [[(60, -90), (20, 0), (60, 90)]]),
    "the same the other way round": lambda: CellGrid([60], [0], [[(60, 90), (20, 0), (60, -90)]]),
    "an edge over the south pole": lambda: CellGrid(
        [-60], [175], [[(-60, 85), (-20, 175), (-60, -95)]]
    ),
}


@pytest.mark.parametrize("name", GRIDS)
def test_raster_agrees_with_the_cells(name):
    grid = GRIDS[name]()
    raster = cell_raster(grid, SIZE)
    latitudes, longitudes = pixel_centers()
    rng = np.random.default_rng(0)
    rows, columns = rng.integers(0, SIZE, (2, 6000))
    exact = grid.locate(latitudes[rows], longitudes[columns])
    away = inner(raster)[rows, columns]
    assert away.mean() > 0.3
    np.testing.assert_array_equal(raster[rows, columns][away], exact[away])
    # On the borders the odd pixel may differ: edges are drawn in straight pieces.
    assert (raster[rows, columns] != exact).mean() < 0.001
    # Every cell is somewhere, and nothing else is.
    assert set(np.unique(exact)) <= set(np.unique(raster)) <= {-1, *range(len(grid))}


@pytest.mark.parametrize("name", GRIDS)
def test_many_rings_are_flattened_as_each_alone(name):
    outlines = GRIDS[name]().outlines
    for many, outline in zip(flat_paths(outlines, 1.5), outlines, strict=True):
        np.testing.assert_allclose(many, flat_paths([outline], 1.5)[0], atol=1e-9)


def test_no_rings_at_all():
    assert flat_paths([]) == []


def test_raster_of_a_rectangle_of_meridians_and_equator():
    octant = CellGrid([30], [40], [[(0, 0), (0, 90), (90, 0)]])
    raster = cell_raster(octant, 64)
    expected = np.full((64, 64), -1)
    expected[:32, 32:48] = 0
    np.testing.assert_array_equal(raster, expected)
    assert raster.dtype == np.int32


def test_mercator_y():
    assert mercator_y(0) == pytest.approx(0.5)
    np.testing.assert_allclose(mercator_y([MAX_LATITUDE, -MAX_LATITUDE]), [0, 1], atol=1e-12)
    latitudes, _ = pixel_centers()
    np.testing.assert_allclose(mercator_y(latitudes), (np.arange(SIZE) + 0.5) / SIZE, atol=1e-12)
    assert np.isfinite(mercator_y([90, -90])).all()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="size must be at least 16 pixels, got 0"):
        cell_raster(GRIDS["4 cells"](), 0)
    with pytest.raises(ValueError, match="latitude must lie between"):
        mercator_y(91)
