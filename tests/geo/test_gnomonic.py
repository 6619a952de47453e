"""The views against geographiclib on a sphere, and against what the projection promises."""

import math

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic

from combicam_widgets.geo import EARTH_RADIUS_KM, great_circle_km, unit_vectors
from combicam_widgets.geo.gnomonic import gnomonic_grid

SPHERE = Geodesic(EARTH_RADIUS_KM * 1000, 0)

VIEWS = {
    "Paris": (48.86, 2.35, 1500, 0),
    "Fiji, over the antimeridian": (-18, 179.9, 1500, 0),
    "the same, longitude beyond 180": (-18, 539.9, 1500, 0),
    "Madagascar, turned": (-19, 47, 1000, 33),
    "turned to the left": (35, -120, 2000, -100),
    "over the north pole": (86, 25, 2200, 0),
    "the north pole": (90, 70, 1500, 0),
    "the south pole, turned": (-90, -110, 1500, 12),
    "small": (10, 20, 1e-3, 0),
    "a continent": (-25, 134, 5000, 180),
    "nearly a hemisphere": (20, 30, 20000, 5),
}


def by_bearing_and_distance(latitude, longitude, width_km, side, heading):
    """Walk to every pixel: Snyder 1987, eq. 22-3 ff., backwards, by geographiclib."""
    reach = math.tan(width_km / 2 / EARTH_RADIUS_KM)
    places = np.empty((side, side, 2))
    for i in range(side):
        for j in range(side):
            right = reach * ((2 * j + 1) / side - 1)
            up = reach * (1 - (2 * i + 1) / side)
            bearing = math.degrees(math.atan2(right, up)) + heading
            metres = math.atan(math.hypot(right, up)) * EARTH_RADIUS_KM * 1000
            end = SPHERE.Direct(latitude, longitude, bearing, metres)
            places[i, j] = end["lat2"], end["lon2"]
    return places[..., 0], places[..., 1]


@pytest.mark.parametrize("side", [1, 4, 7])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_every_pixel_is_where_a_walk_ends(view, side):
    latitude, longitude, width_km, heading = view
    found = gnomonic_grid(latitude, longitude, width_km, side, heading)
    expected = by_bearing_and_distance(latitude, longitude, width_km, side, heading)
    assert found[0].shape == found[1].shape == (side, side)
    np.testing.assert_allclose(great_circle_km(*found, *expected), 0, atol=1e-6)
    assert np.abs(found[0]).max() <= 90
    assert np.abs(found[1]).max() <= 180


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_pixel_in_the_middle_is_the_place(view):
    latitude, longitude, width_km, heading = view
    latitudes, longitudes = gnomonic_grid(latitude, longitude, width_km, 9, heading)
    middle = great_circle_km(latitudes[4, 4], longitudes[4, 4], latitude, longitude)
    assert middle == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_the_width_is_measured_on_the_ground(view):
    """From edge to edge, which is the first and the last pixel and half a pixel at each end."""
    latitude, longitude, width_km, heading = view
    width_km = min(width_km, 5000)
    latitudes, longitudes = gnomonic_grid(latitude, longitude, width_km, 301, heading)
    row = latitudes[150], longitudes[150]
    steps = great_circle_km(row[0][1:], row[1][1:], row[0][:-1], row[1][:-1])
    assert steps.sum() + (steps[0] + steps[-1]) / 2 == pytest.approx(width_km, rel=1e-4)
    column = latitudes[:, 150], longitudes[:, 150]
    height = great_circle_km(column[0][0], column[1][0], column[0][-1], column[1][-1])
    assert height == pytest.approx(steps.sum(), rel=1e-6)


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_great_circles_are_straight(view):
    """Three pixels on a line lie in one plane through the centre of the Earth."""
    latitude, longitude, width_km, heading = view
    rays = unit_vectors(*gnomonic_grid(latitude, longitude, width_km, 9, heading))
    lines = [
        (rays[:, 0], rays[:, 3], rays[:, 8]),
        (rays[0], rays[5], rays[8]),
        (rays[0, 0], rays[3, 3], rays[7, 7]),
        (rays[0, 8], rays[2, 7], rays[4, 6]),
    ]
    for a, b, c in lines:
        volume = (np.cross(a, b) * c).sum(-1)
        assert np.abs(volume).max() < 1e-14


def test_north_is_up_and_east_is_right():
    latitudes, longitudes = gnomonic_grid(10, 20, 1000, 5)
    assert (np.diff(latitudes[:, 2]) < 0).all()
    assert (np.diff(longitudes, axis=1) > 0).all()
    np.testing.assert_allclose(longitudes[:, 2], 20)


def test_a_quarter_turn_turns_the_picture():
    """When east is up, what was on the right is on top."""
    straight = unit_vectors(*gnomonic_grid(35, -120, 2000, 8))
    turned = unit_vectors(*gnomonic_grid(35, -120, 2000, 8, heading=90))
    np.testing.assert_allclose(turned, np.rot90(straight), atol=1e-14)


@pytest.mark.parametrize("heading", [0, 40, -170])
def test_a_full_turn_changes_nothing(heading):
    once = unit_vectors(*gnomonic_grid(35, -120, 2000, 8, heading))
    again = unit_vectors(*gnomonic_grid(35, -120, 2000, 8, heading + 360))
    np.testing.assert_allclose(again, once, atol=1e-14)


@pytest.mark.parametrize("latitude", [-40, 0, 71])
def test_the_antimeridian_is_a_meridian_like_any_other(latitude):
    at_greenwich = gnomonic_grid(latitude, 0, 2000, 8)
    beyond = gnomonic_grid(latitude, 180, 2000, 8)
    np.testing.assert_allclose(beyond[0], at_greenwich[0], atol=1e-12)
    np.testing.assert_allclose(beyond[1] % 360, at_greenwich[1] + 180, atol=1e-12)


def test_a_pole_looks_as_when_one_comes_along_the_meridian():
    latitudes, longitudes = gnomonic_grid(90, 30, 1000, 3)
    assert latitudes[1, 1] == pytest.approx(90)
    assert longitudes[2, 1] == pytest.approx(30)
    assert longitudes[1, 2] == pytest.approx(120)
    assert longitudes[0, 1] == pytest.approx(-150)
    assert longitudes[1, 0] == pytest.approx(-60)
    latitudes, longitudes = gnomonic_grid(-90, 30, 1000, 3)
    assert latitudes[1, 1] == pytest.approx(-90)
    assert longitudes[0, 1] == pytest.approx(30)
    assert longitudes[1, 2] == pytest.approx(120)


def test_a_batch_is_its_views_one_by_one():
    latitudes, longitudes, widths, headings = np.array(list(VIEWS.values()), float).T
    batch = gnomonic_grid(latitudes, longitudes, widths, 6, headings)
    assert batch[0].shape == batch[1].shape == (len(VIEWS), 6, 6)
    for k, (lat, lon, width, heading) in enumerate(VIEWS.values()):
        alone = unit_vectors(*gnomonic_grid(lat, lon, width, 6, heading))
        np.testing.assert_allclose(unit_vectors(batch[0][k], batch[1][k]), alone, atol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ((10, 20, 1000, 5), (5, 5)),
        (([10], 20, 1000, 5), (1, 5, 5)),
        ((10, [20, 30, 40], 1000, 5), (3, 5, 5)),
        ((10, 20, [1000, 2000], 5), (2, 5, 5)),
        ((10, 20, 1000, 5, [1, 2, 3, 4]), (4, 5, 5)),
        (([[10], [20]], [30, 40, 50], 1000, 1), (2, 3, 1, 1)),
        ((np.empty(0), np.empty(0), 1000, 5), (0, 5, 5)),
    ],
)
def test_shapes_broadcast(arguments, shape):
    latitudes, longitudes = gnomonic_grid(*arguments)
    assert latitudes.shape == longitudes.shape == shape
    assert latitudes.dtype == longitudes.dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((91, 0, 1000, 5), ValueError, "latitude must lie between"),
        ((0, math.nan, 1000, 5), ValueError, "longitude must be finite"),
        (("north", 0, 1000, 5), TypeError, "latitude must be a number"),
        ((0, 0, 0, 5), ValueError, "width_km must be above 0 and below 20015, got 0"),
        ((0, 0, -5, 5), ValueError, "got -5"),
        ((0, 0, math.nan, 5), ValueError, "got nan"),
        ((0, 0, 20016, 5), ValueError, "got 20016"),
        ((0, 0, [1000, 0], 5), ValueError, "got 0"),
        ((0, 0, 1000, 0), ValueError, "side must be at least 1 pixel, got 0"),
    ],
)
def test_what_makes_no_view_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        gnomonic_grid(*arguments)
