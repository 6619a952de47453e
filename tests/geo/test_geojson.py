"""Grids from GeoJSON: what is read, which feature is which class, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from combicam_widgets.geo import CellGrid, vector_coordinates

FILE = Path(__file__).parent / "countries.geojson"


def box(west, south, east, north):
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def collection(*geometries, **properties):
    features = [
        {
            "type": "Feature",
            "properties": {key: values[i] for key, values in properties.items()},
            "geometry": {"type": kind, "coordinates": coordinates},
        }
        for i, (kind, coordinates) in enumerate(geometries)
    ]
    return {"type": "FeatureCollection", "features": features}


def polygon(*rings):
    return "Polygon", [*rings]


TWO = collection(polygon(box(0, 0, 10, 10)), polygon(box(10, 0, 20, 10)), name=["left", "right"])


def assert_same(grid, other):
    assert grid.names == other.names
    np.testing.assert_array_equal(grid.latitudes, other.latitudes)
    for outline, twin in zip(grid.outlines, other.outlines, strict=True):
        np.testing.assert_array_equal(outline, twin)


@pytest.mark.parametrize(
    "source",
    [
        FILE,
        str(FILE),
        FILE.read_bytes(),
        "\n " + FILE.read_text(encoding="utf-8"),
        json.loads(FILE.read_bytes()),
    ],
    ids=["path", "name of the file", "bytes", "text", "dict"],
)
def test_sources(source):
    grid = CellGrid.from_geojson(source)
    assert len(grid) == 16
    assert "South Africa" in grid.names
    assert_same(grid, CellGrid.from_geojson(FILE))


def test_classes_are_matched_by_name_in_class_order():
    grid = CellGrid.from_geojson(FILE, ["Lesotho", "Chile", "Fiji"])
    assert grid.names == ("Lesotho", "Chile", "Fiji")
    assert [grid.at(*p) for p in [(-29.6, 28.2), (-30, -71), (-17.8, 178), (60, 90)]] == [
        0,
        1,
        2,
        None,
    ]


def test_classes_are_matched_by_another_property_and_named_otherwise():
    grid = CellGrid.from_geojson(FILE, [426, "152"], key="id", names=["the inner one", "Chile"])
    assert [grid.name(grid.at(*p)) for p in [(-29.6, 28.2), (-30, -71)]] == [
        "the inner one",
        "Chile",
    ]


def test_features_without_names_are_named_when_asked():
    grid = CellGrid.from_geojson(TWO, key="label")
    assert grid.names is None
    nameless = collection(polygon(box(0, 0, 1, 1)), polygon(box(5, 0, 6, 1)), name=["a", None])
    grid = CellGrid.from_geojson(nameless)
    assert grid.names == ("a", None)
    assert (grid.name(0), grid.name(1)) == ("a", "off São Tomé and Príncipe, near São Tomé")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            (["Lesoto", "Fiji", "Nowhere"],),
            ValueError,
            r"2 of 3 classes are the 'name' of no feature: 'Lesoto' \(did you mean 'Lesotho'\?\)",
        ),
        ((["Fiji", "Chile", "Fiji"],), ValueError, "classes 0 and 2 are both 'Fiji'"),
        ((["Fiji"], "iso"), ValueError, r"no feature has a property 'iso'; .* \['id', 'name'\]"),
        (("Fiji",), TypeError, "classes must be a list of values of 'name', got 'Fiji'"),
        (([],), ValueError, "classes must hold at least one class"),
        ((["Fiji"], "name", ["a", "b"]), ValueError, "names must be 1, one per cell, got 2"),
    ],
)
def test_bad_classes_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        CellGrid.from_geojson(FILE, *arguments)


def test_a_class_with_two_features_is_refused():
    twice = collection(polygon(box(0, 0, 1, 1)), polygon(box(5, 0, 6, 1)), name=["Georgia"] * 2)
    with pytest.raises(ValueError, match=r"'Georgia' is the 'name' of several features: \[0, 1\]"):
        CellGrid.from_geojson(twice, ["Georgia"])


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ('{"type": ', ValueError, "source is not JSON"),
        (b"[1, 2]", ValueError, "must be a GeoJSON FeatureCollection with features, got 'list'"),
        ({"type": "Feature"}, ValueError, "FeatureCollection with features, got 'Feature'"),
        ({"type": "FeatureCollection", "features": []}, ValueError, "with features"),
        ({"type": "FeatureCollection", "features": [3]}, ValueError, r"features\[0\] is not a"),
        ({"type": "Topology", "objects": {}}, ValueError, "source is TopoJSON; turn it into"),
        (7, TypeError, "source must be a path, JSON as str or bytes, or a dict, got int"),
        ("no/such/file.geojson", FileNotFoundError, "file.geojson"),
    ],
)
def test_bad_sources_are_named(source, error, words):
    with pytest.raises(error, match=words):
        CellGrid.from_geojson(source)


OPEN = [[0, 0], [1, 0], [1, 1], [0, 1]]


@pytest.mark.parametrize(
    ("geometry", "words"),
    [
        (("Point", [0, 0]), "its geometry must be a Polygon or MultiPolygon, got 'Point'"),
        (polygon(OPEN), r"a ring must end where it begins, at \[0.0, 0.0\]"),
        (polygon([[0, 0], [1, 1], [0, 0]]), "a ring must be a list of 4 or more positions"),
        (polygon([[0, 0], [1], [1, 1], [0, 0]]), "4 or more positions"),
        (polygon("ring"), "4 or more positions"),
        (("Polygon", "rings"), "its coordinates must be lists of rings"),
        (polygon(box(0, 50, 20, 95)), "latitude must lie between -90 and 90"),
        (("MultiPolygon", []), "no border around an area"),
        (polygon([[0, 0], [9, 0], [3, 0], [0, 0]]), "no border around an area"),
        (polygon(box(-180, -90, 180, 90)), "no border around an area"),
        (polygon(box(-180, 10, 180, 20)), "an edge all around the Earth needs a corner"),
        (polygon(box(-180, -90, 180, 90), box(20, 20, 30, 30)), "more than half of the Earth"),
    ],
)
def test_bad_geometries_are_named(geometry, words):
    good = polygon(box(0, 0, 1, 1))
    source = collection(good, geometry, name=["a", "Atlantis"])
    with pytest.raises(ValueError, match=r"feature 1 \(Atlantis\): .*" + words):
        CellGrid.from_geojson(source)


def test_a_feature_without_geometry_is_named():
    source = {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": None}]}
    with pytest.raises(ValueError, match="feature 0: its geometry must be a Polygon"):
        CellGrid.from_geojson(source)


def random_points(n, seed):
    lat, lon = vector_coordinates(np.random.default_rng(seed).normal(size=(n, 3)))
    return lat, lon


# Polygons as flat as they come: what GeoJSON means is what shapely says of (longitude, latitude).
FLAT = {
    "along parallels": [box(-120, 40, -60, 49)],
    "a slanted edge": [[[0, 0], [50, 60], [-10, 70], [0, 0]]],
    "an arctic cap": [[[-180, 60], [0, 60], [180, 60], [180, 90], [-180, 90], [-180, 60]]],
    "a wavy cap": [
        [[-180, -50], [-180, -90], [180, -90], [180, -50], [90, -70], [0, -40], [-180, -50]]
    ],
    "a wedge up to the pole": [box(100, 70, 140, 90)],
    "a band": [[[-180, 10], [0, 10], [180, 10], [180, 20], [0, 20], [-180, 20], [-180, 10]]],
    "a hole": [box(10, 10, 40, 40), box(20, 20, 30, 30)],
    "clockwise with a counter-clockwise hole": [box(10, 10, 40, 40)[::-1], box(20, 20, 30, 30)],
    "more than half": [
        [[-180, -30], [0, -30], [180, -30], [180, 90], [-180, 90], [-180, -30]],
        box(0, 0, 9, 9),
    ],
    "the sea": [box(-180, -90, 180, 90), box(-20, -30, 40, 30), box(100, -10, 150, 60)],
}


@pytest.mark.parametrize("name", FLAT)
@pytest.mark.parametrize("turn", [0, 360])
def test_edges_are_straight_in_longitude_and_latitude(name, turn):
    rings = FLAT[name]
    moved = [[[x + turn, y] for x, y in ring] for ring in rings]
    grid = CellGrid.from_geojson(collection(polygon(*moved)))
    expected = shapely.Polygon(rings[0], rings[1:])
    lat, lon = random_points(5000, 3)
    points = shapely.points(lon, lat)
    far = shapely.distance(expected.boundary, points) > 0.01
    held = shapely.contains(expected, points)
    assert held.sum() > 10
    np.testing.assert_array_equal(grid.locate(lat, lon)[far] == 0, held[far])
    assert grid.at(grid.latitudes[0], grid.longitudes[0]) == 0


def test_halves_on_either_side_of_the_antimeridian_become_one():
    halves = ("MultiPolygon", [[box(170, -10, 180, 10)], [box(-180, -10, -165, 10)]])
    uncut = polygon([[170, -10], [-165, -10], [-165, 10], [170, 10], [170, -10]])
    cut, whole = (CellGrid.from_geojson(collection(geometry)) for geometry in (halves, uncut))
    assert not np.isnan(cut.outlines[0]).any()
    assert cut.longitudes[0] == pytest.approx(-177.5)
    assert cut.latitudes[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(cut.unit_vectors, whole.unit_vectors, atol=1e-12)
    lat, lon = random_points(4000, 4)
    np.testing.assert_array_equal(cut.locate(lat, lon), whole.locate(lat, lon))
    assert [cut.at(0, lon) for lon in (170, 180, -180, -165, 169.9, -164.9)] == [0] * 4 + [None] * 2


def test_neighbours_share_their_border_and_leave_no_gap():
    grid = CellGrid.from_geojson(TWO)
    lat = np.random.default_rng(0).uniform(0.1, 9.9, 500)
    for lon in (10 - 1e-11, 10, 10 + 1e-11):
        assert set(grid.locate(lat, np.full(500, lon))) <= {0, 1}
    assert grid.at(5, 9.99) == 0
    assert grid.at(5, 10.01) == 1
    np.testing.assert_allclose(grid.longitudes, [5, 15], atol=1e-6)


def test_the_center_of_a_horseshoe_lies_in_its_widest_part():
    horseshoe = [[0, 0], [30, 0], [30, 30], [28, 30], [28, 10], [2, 10], [2, 30], [0, 30], [0, 0]]
    thin = [[0, 0], [30, 0], [30, 30], [20, 30], [20, 2], [2, 2], [2, 30], [0, 30], [0, 0]]
    grid = CellGrid.from_geojson(collection(polygon(horseshoe), polygon(thin)))
    shapes = [shapely.Polygon(horseshoe), shapely.Polygon(thin)]
    for index, shape in enumerate(shapes):
        center = shapely.Point(grid.longitudes[index], grid.latitudes[index])
        assert shape.contains(center)
        if not shape.contains(shape.centroid):
            assert shapely.distance(shape.boundary, center) > 3.5


def test_altitudes_and_other_members_are_passed_over():
    high = collection(polygon([[*position, 100.0] for position in box(0, 0, 10, 10)]))
    high |= {"crs": None, "bbox": [0, 0, 10, 10]}
    assert_same(
        CellGrid.from_geojson(high), CellGrid.from_geojson(collection(polygon(box(0, 0, 10, 10))))
    )
