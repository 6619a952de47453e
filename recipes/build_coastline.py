"""Build the shipped coastline: combicam_widgets/geo/data/coastline.json.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python recipes/build_coastline.py package/land-110m.json

Natural Earth 1:110m land as cut into TopoJSON by world-atlas, turned back into GeoJSON polygons
that any map draws right: cut at the antimeridian, Antarctica closed along the pole, coordinates
to 2 decimals. Needs the extra `recipes`.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from combicam_widgets.geo.flat import cut_polygon, polygons_of

TARGET = Path(__file__).parents[1] / "combicam_widgets" / "geo" / "data" / "coastline.json"
MAX_BYTES = 150_000
DECIMALS = 2

Line = NDArray[np.float64]


def main() -> None:
    """Read the TopoJSON file named on the command line and write the GeoJSON file."""
    parser = argparse.ArgumentParser(
        description="Build combicam_widgets/geo/data/coastline.json.",
        epilog="To get the file: npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz",
    )
    parser.add_argument("topojson", type=Path, help="package/land-110m.json of world-atlas 2.0.2")
    land = land_polygons(parser.parse_args().topojson)
    polygons = [rings for polygon in land if (rings := rounded_rings(polygon))]
    feature = {
        "type": "Feature",
        "properties": {"name": "land"},
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
    }
    text = json.dumps(feature, separators=(",", ":")) + "\n"
    if len(text) > MAX_BYTES:
        raise SystemExit(f"{len(text)} bytes are more than the {MAX_BYTES} allowed")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET}: {len(polygons)} polygons, {len(text)} bytes")


def land_polygons(path: Path) -> list[shapely.Polygon]:
    """Read the land of a world-atlas file as polygons within longitudes [-180, 180]."""
    return [polygon for _, polygons in features(path, "land") for polygon in polygons]


def features(path: Path, kind: str) -> Iterator[tuple[str, list[shapely.Polygon]]]:
    """Names, "" if there are none, and polygons within [-180, 180] in a world-atlas file."""
    topology = json.loads(path.read_text(encoding="utf-8"))
    arcs = decode_arcs(topology)
    for geometry in topology["objects"][kind]["geometries"]:
        polygons = geometry["arcs"]
        if geometry["type"] == "Polygon":
            polygons = [polygons]
        parts = []
        for indices in polygons:
            rings = [continuous_ring(join_arcs(arcs, ring)) for ring in indices]
            parts += cut_at_antimeridian(rings)
        yield geometry.get("properties", {}).get("name", ""), parts


def decode_arcs(topology: dict[str, Any]) -> list[Line]:
    """Undo TopoJSON's quantisation: its arcs are steps on an integer grid."""
    scale = np.array(topology["transform"]["scale"], dtype=np.float64)
    origin = np.array(topology["transform"]["translate"])
    return [np.cumsum(arc, axis=0) * scale + origin for arc in topology["arcs"]]


def join_arcs(arcs: list[Line], indices: list[int]) -> Line:
    """Join the arcs of a ring; ~i is arc i backwards, ends are shared."""
    pieces = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.concatenate([piece[:-1] for piece in pieces])


def continuous_ring(ring: Line) -> Line:
    """Let longitudes run on past the antimeridian, and close a ring around the south pole."""
    ring = ring.copy()
    ring[1:, 0] -= 360.0 * np.cumsum(np.round(np.diff(ring[:, 0]) / 360.0))
    last_step = ring[0, 0] - ring[-1, 0]
    turn = -round(last_step / 360.0)
    if not turn:
        return ring
    start, end = ring[0], ring[0] + [360.0 * turn, 0.0]
    return np.concatenate([ring, [end, [end[0], -90.0], [start[0], -90.0]]])


def cut_at_antimeridian(rings: list[Line]) -> list[shapely.Polygon]:
    """Make a polygon of an outer ring and its holes, and cut it into its parts of the map."""
    outer, *holes = rings
    for hole in holes:
        hole[:, 0] += 360.0 * np.round((outer[:, 0].mean() - hole[:, 0].mean()) / 360.0)
    whole = polygons_of(shapely.make_valid(shapely.Polygon(outer, holes)))
    return [part for polygon in whole for part in cut_polygon(polygon)]


def rounded_rings(polygon: shapely.Polygon) -> list[list[list[float]]]:
    """Coordinates as GeoJSON wants them, without those that rounding makes equal."""
    polygon = shapely.orient_polygons(polygon)
    rings = []
    for ring in (polygon.exterior, *polygon.interiors):
        points = np.round(shapely.get_coordinates(ring), DECIMALS)
        points = points[np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))]
        if len(points) >= 4:
            rings.append((points + 0.0).tolist())  # + 0.0: no "-0.0" in the file
        elif ring is polygon.exterior:
            return []
    return rings


if __name__ == "__main__":
    main()
