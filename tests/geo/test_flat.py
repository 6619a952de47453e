"""Cutting at the antimeridian, against shapely."""

import itertools

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import translate

from combicam_widgets.geo import CellGrid, cell_raster
from combicam_widgets.geo.flat import cut_line, cut_polygon


def ring(middle, radii, height=1.0):
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    x, y = np.cos(angles) * radii, np.sin(angles) * radii * height
    return np.stack([middle[0] + x, middle[1] + y], axis=1)


def expected(rings):
    """What shapely leaves of a polygon in the world, once it is moved there."""
    whole = shapely.Polygon(rings[0], rings[1:])
    world = shapely.box(-180, -90, 180, 90)
    parts = [translate(whole, 360 * turn).intersection(world) for turn in (-2, -1, 0, 1, 2)]
    return shapely.union_all(parts)


def check(rings):
    polygons = cut_polygon(shapely.Polygon(rings[0], rings[1:]))
    parts = [[np.array(r.coords) for r in (p.exterior, *p.interiors)] for p in polygons]
    assert all(shapely.is_valid(polygon) for polygon in polygons)
    difference = shapely.symmetric_difference(shapely.union_all(polygons), expected(rings))
    assert difference.area < 1e-6
    whole = shapely.Polygon(rings[0], rings[1:])
    assert sum(p.area for p in polygons) == pytest.approx(whole.area)
    for outer, *holes in parts:
        assert shapely.is_ccw(shapely.LinearRing(outer))
        assert not any(shapely.is_ccw(shapely.LinearRing(hole)) for hole in holes)
        assert all((piece[0] == piece[-1]).all() for piece in (outer, *holes))
    return parts


radii = st.lists(st.floats(2, 30), min_size=4, max_size=24)


@given(radii, st.floats(-400, 400), st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_star_is_cut_as_shapely_cuts_it(radii, longitude, clockwise):
    shape = ring((longitude, 5), np.array(radii))
    check([shape[::-1] if clockwise else shape])


@pytest.mark.parametrize("longitude", [170, 175, 180, 185, -180, -172, 0])
def test_holes_are_cut_too(longitude):
    outer, hole = ring((longitude, 0), np.full(30, 20.0)), ring((longitude, 1), np.full(20, 9.0))
    parts = check([outer, hole])
    assert len(parts) == (2 if abs(longitude) > 160 else 1)


def test_a_comb_across_the_border_gives_each_tooth():
    x = [170, 190, 190, 175, 175, 190, 190, 170]
    y = [0, 0, 5, 5, 10, 10, 15, 15]
    parts = check([np.array([x, y], float).T])
    assert len(parts) == 3


def test_what_crosses_itself_is_cut_too():
    """A bow tie: both of its triangles."""
    corners = np.array([(160.0, 0), (190, 10), (190, 0), (160, 10)])
    parts = cut_polygon(shapely.Polygon(corners))
    assert all(shapely.is_valid(part) for part in parts)
    west, _, east, _ = shapely.MultiPolygon(parts).bounds
    assert (west, east) == (-180, 180)
    assert sum(part.area for part in parts) == pytest.approx(2 * 15 * 10 / 2)
    tie = CellGrid([5], [175], [corners[:, ::-1]])
    assert tie.to_geojson()["features"][0]["geometry"]["type"] == "MultiPolygon"
    assert (cell_raster(tie, 64) == 0).any()


def test_what_is_within_stays_as_it_is():
    square = np.array([[170.0, 0], [180, 0], [180, 10], [170, 10]])
    (part,) = cut_polygon(shapely.Polygon(square))
    corners = part.exterior.coords[:-1]
    assert {tuple(c) for c in corners} == {tuple(c) for c in square}


def test_a_line_goes_on_where_it_left():
    line = np.array([[170.0, 0], [190, 10], [200, 0]])
    first, second = cut_line(line)
    np.testing.assert_allclose(first, [[170, 0], [180, 5]])
    np.testing.assert_allclose(second, [[-180, 5], [-170, 10], [-160, 0]])


def test_a_line_westwards():
    first, second = cut_line(np.array([[-170.0, 0], [-190, 20]]))
    np.testing.assert_allclose(first, [[-170, 0], [-180, 10]])
    np.testing.assert_allclose(second, [[180, 10], [170, 20]])


def test_a_line_that_touches_the_border_is_whole():
    line = np.array([[0.0, 0], [-180, 5], [0, 10]])
    (piece,) = cut_line(line)
    np.testing.assert_array_equal(piece, line)


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(-80, 80)), min_size=2, max_size=9))
@settings(max_examples=150, deadline=None)
def test_any_line_stays_in_the_world_and_keeps_its_length(points):
    line = np.array(points)
    pieces = cut_line(line)
    length = np.hypot(*np.diff(line, axis=0).T).sum()
    assert sum(np.hypot(*np.diff(p, axis=0).T).sum() for p in pieces) == pytest.approx(length)
    assert all((np.abs(p[:, 0]) <= 180).all() for p in pieces)
    for one, other in itertools.pairwise(pieces):
        gap = one[-1] - other[0]
        assert abs(gap[0]) == pytest.approx(360)
        assert gap[1] == 0


def even_grid(count):
    steps = np.arange(count)
    latitudes = np.degrees(np.arcsin((2 * steps + 1) / count - 1))
    return CellGrid.from_centers(latitudes, steps * (np.sqrt(5) - 1) / 2 % 1 * 360 - 180)


@pytest.mark.parametrize("step", [0.25, 1, 5])
def test_cells_on_the_map_are_sound_and_lose_nothing_where_they_are_cut(step):
    cut = 0
    for parts in even_grid(1500).shapes.flat(range(1500), step):
        for polygon in parts:
            assert polygon.is_valid, shapely.is_valid_reason(polygon)
            pieces = cut_polygon(polygon)
            assert sum(piece.area for piece in pieces) == pytest.approx(polygon.area, rel=1e-9)
            west, _, east, _ = shapely.MultiPolygon(pieces).bounds
            assert -180 <= west < east <= 180
            cut += len(pieces) > 1
    assert cut > 20
