"""Distances and arcs against geographiclib on a sphere, an independent implementation."""

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given
from hypothesis import strategies as st

from combicam_widgets.geo import (
    EARTH_RADIUS_KM,
    circle_points,
    geoscore,
    great_circle_km,
    great_circle_points,
    unit_vectors,
    vector_coordinates,
)
from combicam_widgets.geo.earth import check_coordinates, wrap_longitude

SPHERE = Geodesic(EARTH_RADIUS_KM * 1000, 0)
HALF_WAY_ROUND = np.pi * EARTH_RADIUS_KM

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180, exclude_max=True)


def oracle_km(lat1, lon1, lat2, lon2):
    return SPHERE.Inverse(lat1, lon1, lat2, lon2)["s12"] / 1000


@pytest.mark.parametrize(
    "pair",
    [
        (0, 0, 0, 0),
        (90, 0, -90, 50),
        (90, 12, 90, 170),
        (12, 34, -12, -146),
        (12, 34, -12.0000001, -146),
        (0, 179.9999, 0, -179.9999),
        (45, -180, 45, 180),
        (51.5, -0.12, 51.5 + 1e-9, -0.12),
        (0, 0, 0, 1e-10),
        (-33.87, 151.21, 48.86, 2.35),
    ],
)
def test_distance_in_hard_places(pair):
    assert great_circle_km(*pair) == pytest.approx(oracle_km(*pair), rel=1e-9, abs=1e-12)


def test_distance_of_random_pairs():
    rng = np.random.default_rng(1)
    lat1, lat2 = rng.uniform(-90, 90, (2, 500))
    lon1, lon2 = rng.uniform(-180, 180, (2, 500))
    expected = [oracle_km(*pair) for pair in zip(lat1, lon1, lat2, lon2, strict=True)]
    np.testing.assert_allclose(great_circle_km(lat1, lon1, lat2, lon2), expected, rtol=1e-12)


def test_distance_broadcasts_and_keeps_scalars_plain():
    table = great_circle_km([[0], [10]], [[0], [0]], [0, 10, 20], 0)
    np.testing.assert_allclose(
        table, np.abs(np.subtract.outer([0, 10], [0, 10, 20])) * 111.195, 1e-5
    )
    assert type(great_circle_km(0, 0, 1, 1)) is float
    assert type(geoscore(0)) is float


@given(latitudes, longitudes, latitudes, longitudes, st.integers(-3, 3))
def test_distance_laws(lat1, lon1, lat2, lon2, turns):
    there = great_circle_km(lat1, lon1, lat2, lon2)
    assert 0 <= there <= HALF_WAY_ROUND * (1 + 1e-15)
    assert great_circle_km(lat1, lon1, lat1, lon1) == 0
    assert great_circle_km(lat2, lon2, lat1, lon1) == there
    again = great_circle_km(lat1, lon1, lat2, lon2 + 360 * turns)
    assert again == pytest.approx(there, abs=1e-8)


@given(latitudes, longitudes)
def test_vectors_and_back(lat, lon):
    vector = unit_vectors(lat, lon)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-15)
    back = vector_coordinates(7.5 * vector)
    assert great_circle_km(lat, lon, *map(float, back)) < 1e-8


def test_axes():
    np.testing.assert_allclose(unit_vectors([0, 0, 90], [0, 90, 7]), np.eye(3), atol=1e-15)


@given(st.floats(-1e6, 1e6))
def test_wrapped_longitude_is_the_same_meridian(lon):
    wrapped = float(wrap_longitude(lon))
    assert -180 <= wrapped < 180
    assert ((wrapped - lon + 180) % 360) - 180 == pytest.approx(0, abs=1e-9)
    assert wrap_longitude(wrapped) == wrapped


@given(latitudes, longitudes, latitudes, longitudes)
def test_arc_is_even_unbroken_and_ends_where_it_should(lat1, lon1, lat2, lon2):
    arc = great_circle_points(lat1, lon1, lat2, lon2, 9)
    legs = great_circle_km(*arc[:-1].T, *arc[1:].T)
    whole = great_circle_km(lat1, lon1, lat2, lon2)
    np.testing.assert_allclose(legs, whole / 8, rtol=1e-6, atol=1e-5)
    assert great_circle_km(*map(float, arc[0]), lat1, lon1) < 1e-4
    assert great_circle_km(*map(float, arc[-1]), lat2, lon2) < 1e-4
    assert (np.abs(np.diff(arc[:, 1])) <= 180).all()


def test_arc_across_the_antimeridian_does_not_jump():
    arc = great_circle_points(35, 140, 38, -122, 50)
    assert arc[-1, 1] == pytest.approx(238)
    assert (np.diff(arc[:, 1]) > 0).all()
    line = SPHERE.InverseLine(35, 140, 38, -122)
    expected = [line.Position(line.s13 * i / 49) for i in range(50)]
    np.testing.assert_allclose(arc[:, 0], [p["lat2"] for p in expected], atol=1e-9)


def test_arc_to_a_pole_keeps_its_meridian():
    np.testing.assert_allclose(great_circle_points(60, 25, 90, -100, 4)[:, 1], 25)


def test_circle_points_lie_on_the_circle_clockwise():
    expected = [SPHERE.Direct(10, 175, azimuth, 2_000_000) for azimuth in (0, 90, 180, 270)]
    ring = circle_points(10, 175, 2000, 4)
    np.testing.assert_allclose(ring[:, 0], [p["lat2"] for p in expected], atol=1e-9)
    np.testing.assert_allclose((ring[:, 1] - [p["lon2"] for p in expected]) % 360, 0, atol=1e-9)
    assert (np.abs(np.diff(ring[:, 1])) < 90).all()


def test_circle_around_a_pole_goes_all_the_way_round():
    ring = circle_points(88, 30, 1000, 72)
    assert np.ptp(ring[:, 1]) > 350
    assert (np.abs(np.diff(ring[:, 1])) < 20).all()
    np.testing.assert_allclose(great_circle_km(88, 30, *ring.T), 1000)


def test_geoscore():
    assert geoscore(0) == 5000
    np.testing.assert_allclose(geoscore([1492.7, 2 * 1492.7]), 5000 * np.exp([-1.0, -2.0]))


@pytest.mark.parametrize(
    ("latitude", "longitude", "error", "words"),
    [
        (90.1, 0, ValueError, "latitude must lie between -90 and 90 degrees, got 90.1"),
        (151, -33, ValueError, "swapped"),
        (np.nan, 0, ValueError, "latitude must be finite, got nan"),
        (0, np.inf, ValueError, "longitude must be finite, got inf"),
        ("12N", 0, TypeError, "latitude must be a number"),
        (None, 0, TypeError, "latitude must be a number"),
        ([0, 1], [1, 2, 3], ValueError, r"fit together, got \(2,\) and \(3,\)"),
        ([[1], [2, 3]], 0, TypeError, "latitude must be a number"),
        (0, 1j, TypeError, "longitude must be a number"),
    ],
)
def test_bad_coordinates_are_named(latitude, longitude, error, words):
    with pytest.raises(error, match=words):
        check_coordinates(latitude, longitude)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: great_circle_points(0, 0, 1, 1, 1), "n must be at least 2"),
        (lambda: circle_points(0, 0, 100, 2), "n must be at least 3"),
        (lambda: circle_points(0, 0, -1), "radius_km must not be negative"),
        (lambda: circle_points(0, 0, 21_000), "at most 20015"),
        (lambda: geoscore([3, -2]), "distance_km must not be negative, got -2"),
        (lambda: vector_coordinates([0, 0, 0]), "no direction"),
        (lambda: vector_coordinates([1, 0]), "shape"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
