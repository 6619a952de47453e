"""Cells of any shape: against S2 on the sphere, and against shapely on the flat map.

`countries.geojson` has 16 countries of Natural Earth 1:110m (public domain) as world-atlas 2.0.2
ships them, to 2 decimals: rings run on across the antimeridian and around the south pole.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import s2geometry as s2
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from combicam_widgets.geo import (
    CellGrid,
    cell_raster,
    great_circle_km,
    unit_vectors,
    vector_coordinates,
)

FILE = Path(__file__).parent / "countries.geojson"
SIZE = 256
GAP = (np.nan, np.nan)


def random_points(n, seed):
    return vector_coordinates(np.random.default_rng(seed).normal(size=(n, 3)))


# --- on the sphere, against S2 -------------------------------------------------------------------


def around(center, bearings, radii):
    """Points at some bearings and distances (degrees) from a place, counter-clockwise."""
    lon = np.radians(center[1])
    east = np.array([-np.sin(lon), np.cos(lon), 0])
    up = unit_vectors(*center)
    north = np.cross(up, east)
    b, r = np.radians(bearings)[:, None], np.radians(radii)[:, None]
    return np.stack(
        vector_coordinates(
            np.cos(r) * up + np.sin(r) * (np.cos(b) * east + np.sin(b) * north),
        ),
        axis=1,
    )


def s2_polygon(rings):
    loops = [
        s2.S2Loop([s2.S2LatLng.FromDegrees(a, b).ToPoint() for a, b in ring.tolist()])
        for ring in rings
    ]
    for loop in loops:
        loop.Normalize()
    polygon = s2.S2Polygon()
    polygon.InitNested(loops)
    return polygon


def s2_holds(polygon, latitudes, longitudes):
    return [
        polygon.Contains(s2.S2LatLng.FromDegrees(a, b).ToPoint())
        for a, b in zip(latitudes.tolist(), longitudes.tolist(), strict=True)
    ]


PLACES = [(90, 0), (-90, 0), (0, 180), (65, -179.5), (89, 40), (-70, 100), (0, 0), (20, 30)]


@st.composite
def stars(draw):
    """A star with bays, which may hold a star-shaped hole, and an island on the other side."""
    center = draw(st.sampled_from(PLACES))
    many = draw(st.integers(3, 9))
    radii = np.array(draw(st.lists(st.floats(8, 75), min_size=many, max_size=many)))
    bearings = np.arange(many) * 360 / many + draw(st.floats(0, 90))
    rings = [around(center, bearings, radii)]
    if draw(st.booleans()):
        rings.append(around(center, bearings, radii * 0.3)[::-1])
    if draw(st.booleans()):
        rings.append(around((-center[0], center[1] + 180), bearings, radii * 0.1))
    return rings


def joined(rings):
    return np.concatenate([part for ring in rings for part in (ring, [GAP])][:-1])


@given(rings=stars(), backwards=st.booleans())
@settings(deadline=None, max_examples=150)
def test_regions_agree_with_s2(rings, backwards):
    polygon = s2_polygon(rings)
    outline = joined(rings)
    if backwards and len(rings) == 1:
        outline = outline[::-1]
    grid = CellGrid([0], [0], [outline])
    lat, lon = random_points(400, 1)
    np.testing.assert_array_equal(grid.locate(lat, lon) == 0, s2_holds(polygon, lat, lon))
    shapes = grid.shapes
    assert shapes.areas[0] == pytest.approx(polygon.GetArea(), rel=1e-9)
    center = polygon.GetCentroid()
    np.testing.assert_allclose(shapes.centroids[0], [center.x(), center.y(), center.z()], atol=1e-9)
    assert (grid.at(90, 0) == 0) == s2_holds(polygon, np.array([90.0]), np.array([0.0]))[0]
    assert (grid.at(-90, 0) == 0) == s2_holds(polygon, np.array([-90.0]), np.array([0.0]))[0]


@pytest.mark.parametrize("turn", np.linspace(0, 119, 60).tolist())
def test_a_hole_around_a_pole_is_seen_once_from_every_meridian(turn):
    """A ring around a pole lies on every meridian; none may count it twice."""
    bearings = np.arange(3) * 120 + turn
    for pole in (90, -90):
        outer, hole = (around((pole, 0), bearings, np.full(3, far)) for far in (8.0, 2.4))
        grid = CellGrid([pole], [0], [joined([outer, hole[::-1]])])
        assert grid.at(pole, 0) is None
        assert (grid.locate([pole * 0.999] * 721, np.linspace(-180, 180, 721)) == -1).all()
        assert (grid.locate([pole / 90 * 86.5] * 721, np.linspace(-180, 180, 721)) == 0).all()


def test_convex_rings_take_the_short_way_and_mean_the_same():
    lat, lon = random_points(500, 2)
    octant = np.array([(0, 0), (0, 90), (90, 0)])
    with_corner = np.array([(0, 0), (0, 90), (45, 89.999), (90, 0)])
    short, long = (CellGrid([30], [40], [ring]) for ring in (octant, with_corner))
    np.testing.assert_array_equal(short.locate(lat, lon), long.locate(lat, lon))
    for grid in (short, long):
        # Borders and corners belong to the cell.
        assert [grid.at(*p) for p in [(0, 0), (0, 45), (0, 90), (30, 0)]] == [0, 0, 0, 0]
        assert [grid.at(*p) for p in [(-1e-9, 45), (30, -1e-9), (0, -1e-9)]] == [None] * 3


def test_neighbours_leave_no_gap_and_share_their_borders():
    """Three zigzags from pole to pole part the Earth."""
    lat = np.array([-90, -50, -20, 10, 40, 70, 90])
    east = np.array([0, 20, -10, 25, -15, 10, 0])
    lines = [
        np.stack([lat, east * size + lon], axis=1) for lon, size in [(60, 1), (179, -2), (-60, 1)]
    ]
    cells = [
        np.concatenate([b, a[-2:0:-1]]) for a, b in zip(lines, [*lines[1:], lines[0]], strict=True)
    ]
    grid = CellGrid([0, 0, 0], [120, -120, 0], cells)
    assert grid.shapes.areas.sum() == pytest.approx(4 * np.pi)
    random = random_points(3000, 3)
    assert (np.bincount(grid.shapes.holds(*random)[1], minlength=3000) == 1).all()
    assert set(grid.locate(*random)) == {0, 1, 2}
    points = np.concatenate([line[1:-1] for line in lines])
    _, held = grid.shapes.holds(points[:, 0], (points[:, 1] + 180) % 360 - 180)
    np.testing.assert_array_equal(np.bincount(held), np.full(len(points), 2))
    assert grid.at(90, 10) is not None
    assert_drawn_right(grid)


def test_a_sea_is_what_its_holes_leave():
    lands = [around(c, np.arange(0, -360, -40), np.full(9, 20)) for c in [(0, 180), (90, 0)]]
    sea = CellGrid([-40], [0], [joined(lands)])
    polygon = s2_polygon([ring[::-1] for ring in lands])
    lat, lon = random_points(800, 4)
    np.testing.assert_array_equal(sea.locate(lat, lon) < 0, s2_holds(polygon, lat, lon))
    assert_drawn_right(sea)


# --- drawing -------------------------------------------------------------------------------------


def flat_shapes(grid, index):
    """What `outline_geojson` draws, on three maps side by side."""
    (feature,) = grid.outline_geojson([index], max_step=0.25)["features"]
    kind, coordinates = feature["geometry"]["type"], feature["geometry"]["coordinates"]
    polygons = []
    for rings in coordinates if kind == "MultiPolygon" else [coordinates]:
        # Holes may share the edge of the map with the land around them: cut them out one by one.
        land, *holes = [shapely.make_valid(shapely.Polygon(ring)) for ring in rings]
        assert shapely.is_ccw(shapely.LinearRing(rings[0]))
        polygons.append(shapely.difference(land, shapely.union_all(holes)))
    whole = shapely.union_all(polygons)
    assert whole.area == pytest.approx(sum(polygon.area for polygon in polygons))
    return [shapely.affinity.translate(whole, turn) for turn in (-360, 0, 360)]


def assert_drawn_right(grid):
    """Outlines and raster say the same as `locate`, away from borders."""
    lat, lon = random_points(1500, 5)
    exact = grid.locate(lat, lon)
    for index in range(len(grid)):
        shapes = flat_shapes(grid, index)
        points = shapely.points(lon, lat)
        held = np.any([shapely.contains(shape, points) for shape in shapes], axis=0)
        borders = [shapely.distance(shape.boundary, points) for shape in shapes]
        far = np.min(borders, axis=0) > 0.02
        assert far.sum() > 1000
        np.testing.assert_array_equal(held[far], exact[far] == index)
    raster = cell_raster(grid, SIZE)
    y = (np.arange(SIZE) + 0.5) / SIZE
    latitudes = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * y))))
    longitudes = (np.arange(SIZE) + 0.5) / SIZE * 360 - 180
    rows, columns = np.random.default_rng(6).integers(0, SIZE, (2, 3000))
    exact = grid.locate(latitudes[rows], longitudes[columns])
    assert (raster[rows, columns] != exact).mean() < 0.001


@given(rings=stars())
@settings(deadline=None, max_examples=12)
def test_regions_are_drawn_right(rings):
    assert_drawn_right(CellGrid([0], [0], [joined(rings)]))


# --- countries, against shapely on the flat map --------------------------------------------------


@pytest.fixture(scope="module")
def uncut():
    return json.loads(FILE.read_text(encoding="utf-8"))


def cut(feature):
    """Cut a feature at the antimeridian and lead it along the pole, as RFC 7946 wants it."""
    geometry = feature["geometry"]
    polygons = geometry["coordinates"]
    pieces = []
    for rings in [polygons] if geometry["type"] == "Polygon" else polygons:
        flat = []
        for ring in map(np.array, rings):
            lon = np.degrees(np.unwrap(np.radians(ring[:, 0])))
            along = [(lon[-1], -90), (lon[0], -90)] if abs(lon[-1] - lon[0]) > 1 else []
            flat.append([*zip(lon, ring[:, 1], strict=True), *along])
        whole = shapely.Polygon(flat[0], flat[1:])
        for turn in (-360, 0, 360):
            world = shapely.box(-180 + turn, -90, 180 + turn, 90)
            piece = shapely.affinity.translate(whole.intersection(world), -turn)
            pieces += [p for p in shapely.get_parts(piece) if isinstance(p, shapely.Polygon)]
    return shapely.MultiPolygon([p for p in pieces if p.area])


@pytest.fixture(scope="module")
def flat(uncut):
    return [cut(feature) for feature in uncut["features"]]


@pytest.fixture(scope="module")
def rfc(uncut, flat):
    return {
        "type": "FeatureCollection",
        "features": [
            {**feature, "geometry": json.loads(shapely.to_geojson(geometry))}
            for feature, geometry in zip(uncut["features"], flat, strict=True)
        ],
    }


@pytest.fixture(scope="module", params=["uncut", "rfc"])
def countries(request):
    return CellGrid.from_geojson(request.getfixturevalue(request.param))


def test_points_lie_in_the_countries_that_shapely_says(countries, flat):
    lat, lon = random_points(20_000, 7)
    points = shapely.points(lon, lat)
    found = countries.locate(lat, lon)
    for index, country in enumerate(flat):
        # Beside edges, which are straight on one map and great circles on the other.
        far = shapely.distance(country.boundary, points) > 0.01
        held = shapely.contains(country, points)
        np.testing.assert_array_equal(found[far] == index, held[far])
    assert (found >= 0).mean() > 0.07


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (66.5, -172, "Russia"),
        (66.5, 180, "Russia"),
        (66.5, -180, "Russia"),
        (54.7, 20.9, "Russia"),
        (-16.6, 179.4, "Fiji"),
        (-90, 0, "Antarctica"),
        (-89.9, -180, "Antarctica"),
        (-86, 540, "Antarctica"),
        (-29.6, 28.2, "Lesotho"),
        (-29, 24, "South Africa"),
        (4, -53, "France"),
        (0, -30, None),
        (90, 0, None),
        (80, 180, None),
    ],
)
def test_places_on_islands_in_holes_at_poles_and_at_the_antimeridian(
    countries, latitude, longitude, name
):
    index = countries.at(latitude, longitude)
    assert (None if index is None else countries.name(index)) == name


def test_cut_countries_are_joined_again(countries):
    """Where a country was cut there is no border: its rings are those of the uncut file."""
    counts = {
        countries.name(i): int(np.isnan(outline[:, 0]).sum()) + 1
        for i, outline in enumerate(countries.outlines)
    }
    assert counts["Antarctica"] == 8
    assert counts["Lesotho"] == 1
    assert counts["South Africa"] == 2


def test_areas_are_those_of_an_equal_area_map(countries, flat):
    for index, area in enumerate(countries.shapes.areas):
        equal_area = shapely.transform(
            shapely.segmentize(flat[index], 0.5),
            lambda p: np.stack([np.radians(p[:, 0]), np.sin(np.radians(p[:, 1]))], axis=1),
        )
        assert area == pytest.approx(equal_area.area, rel=2e-3)


def test_centers_are_centroids_or_well_inside(countries, flat):
    found = countries.locate(countries.latitudes, countries.longitudes)
    np.testing.assert_array_equal(found, range(len(countries)))
    # The centroid by brute force: the mean of evenly strewn points inside.
    strewn = np.stack(random_points(200_000, 8))
    elsewhere = []
    for index, country in enumerate(flat):
        inside = strewn[:, shapely.contains_xy(country, strewn[1], strewn[0])]
        lat, lon = vector_coordinates(unit_vectors(*inside).mean(axis=0))
        center = countries.latitudes[index], countries.longitudes[index]
        away = great_circle_km(lat, lon, *center)
        area_km2 = inside.shape[1] / 200_000 * 5.1e8
        if away > 3 * np.sqrt(area_km2 / inside.shape[1]) + 30:
            elsewhere.append(countries.name(index))
            assert not shapely.contains_xy(country, lon, lat)
            # Well inside: no narrow strip along the border.
            assert shapely.distance(country.boundary, shapely.Point(center[::-1])) > 0.2
    assert elsewhere


def test_countries_are_drawn_right(countries):
    assert_drawn_right(countries)


def test_countries_are_saved_and_loaded(countries, tmp_path):
    countries.save(tmp_path / "cells.npz")
    again = CellGrid.load(tmp_path / "cells.npz")
    assert again.names == countries.names
    for outline, other in zip(countries.outlines, again.outlines, strict=True):
        np.testing.assert_array_equal(outline, other)
    lat, lon = random_points(500, 9)
    np.testing.assert_array_equal(countries.locate(lat, lon), again.locate(lat, lon))
