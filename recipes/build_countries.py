"""Build the table of countries: combicam_widgets/geo/data/countries.json.xz.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python recipes/build_countries.py package/countries-50m.json

Natural Earth 1:50m, coordinates to 2 decimals. A country is called as in `cities.csv.xz`: as most
of the cities in it are. What is left of the western and the eastern third of its area, and of the
southern and the northern one, is "central", and so are 50 km around it; a direction in which it is
narrow does not count, nor any in a small country, nor in islands far from the rest. Needs the extra
`recipes`.
"""

import argparse
import json
import lzma
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from build_cities import geonames
from build_coastline import features, rounded_rings

from combicam_widgets.geo import EARTH_RADIUS_KM

TARGET = Path(__file__).parents[1] / "combicam_widgets" / "geo" / "data" / "countries.json.xz"
SMALL_KM2 = 20_000.0
NARROW = 0.25
"""Of the middle third, against the other direction."""
FAR_DEGREES = 5.0
BLURRED_KM = 50.0

_NOBODY_LIVES_THERE = {
    "Ashmore and Cartier Is.": "Ashmore and Cartier Islands",
    "Br. Indian Ocean Ter.": "British Indian Ocean Territory",
    "Fr. S. Antarctic Lands": "French Southern Territories",
    "Heard I. and McDonald Is.": "Heard and McDonald Islands",
    "Macao": "Macau",
    "Pitcairn Is.": "Pitcairn Islands",
    "St-Martin": "Saint Martin",
    "Vatican": "Vatican City",
}


def main() -> None:
    """Read the TopoJSON file named on the command line and write the table."""
    parser = argparse.ArgumentParser(
        description="Build combicam_widgets/geo/data/countries.json.xz.",
        epilog="To get the file: npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz",
    )
    parser.add_argument("topojson", type=Path, help="package/countries-50m.json of world-atlas")
    content = packed(countries(parser.parse_args().topojson))
    TARGET.write_bytes(content)
    print(f"{TARGET}: {len(content)} bytes")


def countries(path: Path) -> list[dict[str, Any]]:
    """Rows of the table: name, thirds and polygons, the main part of each country first."""
    cities = geonames()
    of_cities = np.array([label.rpartition(", ")[2] for label in cities.labels])
    tree = shapely.STRtree(shapely.points(cities.longitudes, cities.latitudes))

    def called(geometry: Any, otherwise: str) -> str:  # noqa: ANN401 - shapely's are untyped
        inside = tree.query(geometry, predicate="contains")
        common = Counter(of_cities[inside].tolist()).most_common(1)
        return common[0][0] if common else otherwise

    polygons: dict[str, list[shapely.Polygon]] = defaultdict(list)
    for name, parts in features(path, "countries"):
        whole = called(shapely.MultiPolygon(parts), _NOBODY_LIVES_THERE.get(name, name))
        for part in parts:  # French Guiana is one of France's
            polygons[called(part, whole)].append(part)
    return [
        {"name": name, "thirds": thirds, "polygons": list(filter(None, map(rounded_rings, parts)))}
        for name, own in sorted(polygons.items())
        for thirds, parts in in_parts(own)
    ]


def in_parts(polygons: list[shapely.Polygon]) -> Iterator[tuple[list[Any], list[shapely.Polygon]]]:
    """Part a country where nothing joins it, the largest part first.

    Yields the thirds of each part, [[west, east], [south, north]], None where none counts, and its
    polygons. Longitudes of the thirds may leave [-180, 180].
    """
    middle = _middle(polygons)

    def moved(xy: Any) -> Any:  # noqa: ANN401
        """No gap at the antimeridian, and equal areas."""
        turned = (xy[:, 0] - middle + 180.0) % 360.0 - 180.0 + middle
        return np.stack([turned, np.degrees(np.sin(np.radians(xy[:, 1])))], axis=1)

    flat = [shapely.make_valid(shapely.transform(polygon, moved)) for polygon in polygons]
    around = shapely.union_all(shapely.buffer(flat, FAR_DEGREES / 2, quad_segs=2))
    wholes = [[] for _ in shapely.get_parts(around)]
    for index, part in zip(
        *shapely.STRtree(shapely.get_parts(around)).query(flat, "intersects"), strict=True
    ):
        wholes[part].append(index)
    wholes.sort(key=lambda own: -sum(flat[index].area for index in own))
    for rank, own in enumerate(wholes):
        counts = thirds(shapely.union_all([flat[i] for i in own])) if rank == 0 else [None, None]
        yield counts, [polygons[i] for i in own]


def thirds(whole: Any) -> list[list[float] | None]:  # noqa: ANN401
    """Longitudes and latitudes of the middle third, None where the direction does not count."""
    x, y = (_thirds(whole, axis) for axis in (0, 1))
    latitudes = np.degrees(np.arcsin(np.radians(y)))
    tall, wide = np.ptp(latitudes), np.ptp(x) * np.cos(np.radians(latitudes.mean()))
    around_pole = whole.bounds[1] < np.degrees(np.sin(np.radians(-85.0)))
    if around_pole or whole.area * np.radians(1.0) ** 2 * EARTH_RADIUS_KM**2 < SMALL_KM2:
        return [None, None]
    slack = np.degrees(BLURRED_KM / EARTH_RADIUS_KM) * np.array([-1.0, 1.0])
    east = slack / np.cos(np.radians(latitudes.mean()))
    return [
        np.round(values, 2).tolist() if one > NARROW * other else None
        for values, one, other in ((x + east, wide, tall), (latitudes + slack, tall, wide))
    ]


def _middle(polygons: list[shapely.Polygon]) -> float:
    """Longitude in the middle of all, as a direction."""
    turns = np.exp(1j * np.radians([polygon.centroid.x for polygon in polygons]))
    return float(np.degrees(np.angle((turns * [polygon.area for polygon in polygons]).sum())))


def _thirds(whole: Any, axis: int) -> Any:  # noqa: ANN401
    """Below which x, or y, a third and two thirds of an area lie."""
    low, high = whole.bounds[axis], whole.bounds[axis + 2]
    box = list(whole.bounds)
    found = []
    for share in (1 / 3, 2 / 3):
        begin, end = low, high
        for _ in range(20):
            box[axis + 2] = (begin + end) / 2
            below = shapely.intersection(whole, shapely.box(*box)).area < share * whole.area
            begin, end = (box[axis + 2], end) if below else (begin, box[axis + 2])
        found.append((begin + end) / 2)
    return np.array(found)


def packed(table: list[dict[str, Any]]) -> bytes:
    """Turn countries into what the file holds."""
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
    return lzma.compress(text.encode(), preset=9)


if __name__ == "__main__":
    main()
