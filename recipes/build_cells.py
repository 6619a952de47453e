"""Build the cells of the naturalist: combicam_widgets/models/naturalist/cells.npz.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python recipes/build_cells.py package/land-50m.json

S2 cells of level 4, about 500 km across: those with land, and those of the sea that the gazetteer
of the naturalist points to (its rows with realm "sea"). Run it again when those rows change.
Needs the extra `recipes`.

The file is a `CellGrid` with four more arrays, one row per cell:

    tokens         the S2 token, as text
    area_km2       area, float32
    land_fraction  0 to 1, float32
    inhabited      whether GeoNames knows a place in it, bool
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import shapely
from build_cities import geonames
from build_coastline import land_polygons
from numpy.typing import NDArray

from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, great_circle_km, place_name
from combicam_widgets.geo.flat import cut_polygon
from combicam_widgets.geo.places import Cities, region_name, with_city

HOME = Path(__file__).parents[1] / "combicam_widgets" / "models" / "naturalist"
LEVEL = 4
MIN_LAND_FRACTION = 0.01
MIN_LAND_KM2 = 2000.0
SEA_SPREADS = 1.2
MIN_SEA_KM = 400.0

Floats = NDArray[np.float64]


def main() -> None:
    """Read the land named on the command line and the gazetteer, write the cells."""
    parser = argparse.ArgumentParser(
        description="Build combicam_widgets/models/naturalist/cells.npz.",
        epilog="To get the file: npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz",
    )
    parser.add_argument("topojson", type=Path, help="package/land-50m.json of world-atlas 2.0.2")
    land = land_polygons(parser.parse_args().topojson)

    tokens = np.array(all_tokens(LEVEL))
    world = CellGrid.from_s2_tokens(tokens.tolist())
    area = world.shapes.areas * EARTH_RADIUS_KM**2
    land_km2 = land_areas(world, land)
    is_land = (land_km2 >= MIN_LAND_FRACTION * area) | (land_km2 >= MIN_LAND_KM2)
    is_sea = near_sea_bumps(world) & ~is_land
    kept = np.flatnonzero(is_land | is_sea)
    grid, inside = named_cells(world, kept)
    inhabited = np.array([bool(inside[cell]) for cell in kept.tolist()])
    path = HOME / "cells.npz"
    grid.save(
        path,
        tokens=tokens[kept],
        area_km2=area[kept].astype(np.float32),
        land_fraction=np.clip(land_km2 / area, 0, 1)[kept].astype(np.float32),
        inhabited=inhabited,
    )
    print(
        f"{path}: {len(grid)} cells, {is_land.sum()} with land and {is_sea.sum()} of the sea, "
        f"{inhabited.sum()} inhabited, {path.stat().st_size} bytes"
    )


def all_tokens(level: int) -> list[str]:
    """All S2 cells of a level in the order of their ids: a face, quarters, and a 1 at the end."""
    return [f"{(2 * i + 1) << 60 - 2 * level:016x}".rstrip("0") for i in range(6 * 4**level)]


def land_areas(grid: CellGrid, land: list[shapely.Polygon]) -> Floats:
    """Land in every cell in km2, exactly, in the equal-area projection (longitude, sine)."""

    def equal_area(points: Floats) -> Floats:
        return np.stack([points[:, 0], np.sin(np.radians(points[:, 1]))], axis=1)

    world = shapely.make_valid(shapely.transform(np.array(land), equal_area))
    tree = shapely.STRtree(world)
    areas = np.zeros(len(grid))
    for index, flat in enumerate(grid.shapes.flat(range(len(grid)), 0.25)):
        parts = np.array([part for polygon in flat for part in cut_polygon(polygon)])
        cell = shapely.union_all(shapely.make_valid(shapely.transform(parts, equal_area)))
        nearby = world[tree.query(cell, predicate="intersects")]
        areas[index] = shapely.area(shapely.intersection(nearby, cell)).sum()
    return areas * np.radians(1.0) * EARTH_RADIUS_KM**2


def near_sea_bumps(grid: CellGrid) -> NDArray[np.bool_]:
    """Which cells have their centre in a part of the sea that the gazetteer names."""
    near = np.zeros(len(grid), dtype=bool)
    with (HOME / "gazetteer.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["realm"] == "sea":
                reach = max(MIN_SEA_KM, SEA_SPREADS * float(row["spread_km"]))
                bump = float(row["latitude"]), float(row["longitude"])
                near |= great_circle_km(grid.latitudes, grid.longitudes, *bump) <= reach
    return near


def named_cells(world: CellGrid, kept: NDArray[np.intp]) -> tuple[CellGrid, dict[int, list[int]]]:
    """Keep some cells, named; also tell which cities lie in each cell of the whole world."""
    cities = geonames()
    inside = cities_inside(world, cities)
    grid = CellGrid(
        world.latitudes[kept],
        world.longitudes[kept],
        tuple(world.outlines[i] for i in kept),
        [name_cell(world, cell, cities, inside[cell]) for cell in kept.tolist()],
    )
    return grid, inside


def cities_inside(grid: CellGrid, cities: Cities) -> dict[int, list[int]]:
    """Which cities lie in which cell."""
    inside: dict[int, list[int]] = defaultdict(list)
    for city, cell in enumerate(grid.locate(cities.latitudes, cities.longitudes).tolist()):
        inside[cell].append(city)
    return inside


def name_cell(grid: CellGrid, cell: int, cities: Cities, inside: list[int]) -> str:
    """Name a cell after where its centre lies, and the largest of its cities in that country."""
    center = float(grid.latitudes[cell]), float(grid.longitudes[cell])
    region, country = region_name(*center)
    own = [city for city in inside if cities.labels[city].rpartition(", ")[2] == country]
    if not own:
        return place_name(*center)
    largest = max(own, key=lambda city: (cities.populations[city], -city))
    return with_city(region, country, cities.labels[largest])


if __name__ == "__main__":
    main()
