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
import s2geometry as s2
import shapely
from build_cities import geonames
from build_coastline import land_polygons
from numpy.typing import NDArray

from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, great_circle_km, place_name
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

    ids = all_cells()
    centers = np.array([degrees(cell.ToPoint()) for cell in ids])
    outlines = [corners(cell) for cell in ids]
    area = np.array([s2.S2Cell(cell).ExactArea() for cell in ids]) * EARTH_RADIUS_KM**2
    land_km2 = land_areas(CellGrid(centers[:, 0], centers[:, 1], tuple(outlines)), land)

    is_land = (land_km2 >= MIN_LAND_FRACTION * area) | (land_km2 >= MIN_LAND_KM2)
    is_sea = near_sea_bumps(centers) & ~is_land
    kept = np.flatnonzero(is_land | is_sea)

    names, inhabited = name_cells([ids[i] for i in kept], centers[kept])
    grid = CellGrid(*centers[kept].T, tuple(outlines[i] for i in kept), names)
    path = HOME / "cells.npz"
    grid.save(
        path,
        tokens=np.array([ids[i].ToToken() for i in kept]),
        area_km2=area[kept].astype(np.float32),
        land_fraction=np.clip(land_km2 / area, 0, 1)[kept].astype(np.float32),
        inhabited=inhabited,
    )
    print(
        f"{path}: {len(grid)} cells, {is_land.sum()} with land and {is_sea.sum()} of the sea, "
        f"{inhabited.sum()} inhabited, {path.stat().st_size} bytes"
    )


def all_cells() -> list[s2.S2CellId]:
    """All cells of the level, in the order of their ids."""
    cells = [s2.S2CellId.Begin(LEVEL)]
    while (following := cells[-1].next()) != s2.S2CellId.End(LEVEL):
        cells.append(following)
    return cells


def degrees(point: s2.S2Point) -> tuple[float, float]:
    """Latitude and longitude of a point of the sphere."""
    place = s2.S2LatLng(point)
    return place.lat().degrees(), place.lng().degrees()


def corners(cell: s2.S2CellId) -> Floats:
    """Return the four corners of a cell, (latitude, longitude)."""
    square = s2.S2Cell(cell)
    return np.array([degrees(square.GetVertex(i)) for i in range(4)])


def land_areas(grid: CellGrid, land: list[shapely.Polygon]) -> Floats:
    """Land in every cell in km2, exactly, in the equal-area projection (longitude, sine)."""

    def equal_area(points: Floats) -> Floats:
        return np.stack([points[:, 0], np.sin(np.radians(points[:, 1]))], axis=1)

    # Repeated on either side, for cells that lie across the antimeridian.
    world = [shapely.transform(polygon, equal_area) for polygon in land]
    worlds = [shapely.make_valid(p) for turn in (-360, 0, 360) for p in shifted(world, turn)]
    tree = shapely.STRtree(worlds)
    areas = np.zeros(len(grid))
    for index, flat in enumerate(grid.shapes.flat(range(len(grid)), 0.25)):
        parts = shapely.make_valid(shapely.transform(np.array(flat), equal_area))
        ring = shapely.union_all(parts)
        nearby = np.take(worlds, tree.query(ring, predicate="intersects"))
        areas[index] = shapely.area(shapely.intersection(nearby, ring)).sum()
    return areas * np.radians(1.0) * EARTH_RADIUS_KM**2


def shifted(polygons: list[shapely.Polygon], turn: float) -> list[shapely.Polygon]:
    """Return the same polygons some degrees farther east."""
    return [
        shapely.transform(polygon, lambda points: np.add(points, (turn, 0))) for polygon in polygons
    ]


def near_sea_bumps(centers: Floats) -> NDArray[np.bool_]:
    """Which centres lie in a part of the sea that the gazetteer names."""
    near = np.zeros(len(centers), dtype=bool)
    with (HOME / "gazetteer.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["realm"] == "sea":
                reach = max(MIN_SEA_KM, SEA_SPREADS * float(row["spread_km"]))
                bump = float(row["latitude"]), float(row["longitude"])
                near |= great_circle_km(*centers.T, *bump) <= reach
    return near


def name_cells(
    ids: list[s2.S2CellId], centers: Floats
) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Name cells; and which have a city."""
    cities = geonames()
    inside: dict[int, list[int]] = defaultdict(list)
    for city, place in enumerate(zip(cities.latitudes, cities.longitudes, strict=True)):
        leaf = s2.S2CellId(s2.S2LatLng.FromDegrees(*map(float, place)))
        inside[leaf.parent(LEVEL).id()].append(city)
    names = (
        name_cell(cities, inside[cell.id()], *map(float, center))
        for cell, center in zip(ids, centers, strict=True)
    )
    return tuple(names), np.array([bool(inside[cell.id()]) for cell in ids])


def name_cell(cities: Cities, own: list[int], latitude: float, longitude: float) -> str:
    """Name a cell after where its centre lies, and the largest of its cities in that country."""
    region, country = region_name(latitude, longitude)
    own = [city for city in own if cities.labels[city].rpartition(", ")[2] == country]
    if not own:
        return place_name(latitude, longitude)
    largest = max(own, key=lambda city: (cities.populations[city], -city))
    return with_city(region, country, cities.labels[largest])


if __name__ == "__main__":
    main()
