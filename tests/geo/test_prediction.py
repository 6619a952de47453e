"""Reading a prediction, with sums done by hand."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from combicam_widgets.geo import CellGrid, GeoPrediction

# Five cells on the equator, 1 degree = 111.195 km apart as listed.
LONGITUDES = [0, 0.1, 5, 20, 170]
NAMES = ["near A", "near B", "near C", "near D", "near E"]
RING = np.array([(-1, -1), (-1, 1), (1, 0)])
CELLS = CellGrid([0] * 5, LONGITUDES, [np.add(RING, (0, lon)) for lon in LONGITUDES], NAMES)
NAMELESS = CellGrid(CELLS.latitudes, CELLS.longitudes, CELLS.outlines)


@pytest.fixture
def prediction():
    return GeoPrediction([0.4, 0.1, 0.2, 0.25, 0.05], CELLS)


def test_best(prediction):
    best = prediction.best
    assert (best.index, best.latitude, best.longitude, best.place) == (0, 0, 0, "near A")
    assert best.probability == pytest.approx(0.4)


def test_the_first_of_equals_is_best():
    assert GeoPrediction([0.2] * 5, CELLS).best.index == 0
    assert [g.index for g in GeoPrediction([0.2] * 5, CELLS).top(3)] == [0, 1, 2]


def test_top(prediction):
    assert [guess.index for guess in prediction.top()] == [0, 3, 2, 1, 4]
    assert [guess.place for guess in prediction.top(2)] == ["near A", "near D"]
    assert prediction.top(1) == (prediction.best,)


def test_densities_by_hand(prediction):
    # Distances from the best cell: 0, 11, 556, 2224 and 18903 km.
    expected = {1: 0.4, 25: 0.5, 200: 0.5, 750: 0.7, 2500: 0.95}
    assert prediction.densities() == pytest.approx(expected)
    assert prediction.density(20_016) == pytest.approx(1)
    assert prediction.density(0) == pytest.approx(0.4)


def test_distance_to(prediction):
    assert prediction.distance_to(0, -90) == pytest.approx(90 * 111.19508, rel=1e-6)


def test_repr_says_where_and_how_sure(prediction):
    assert repr(prediction) == "GeoPrediction(near A: 0.40; 0.95 within 2500 km)"


def test_repr_does_not_load_place_names(monkeypatch):
    monkeypatch.delattr("combicam_widgets.geo.grid.place_name")
    shown = repr(GeoPrediction([0, 0, 0, 1, 0], NAMELESS))
    assert shown == "GeoPrediction(0.0, 20.0: 1.00; 1.00 within 2500 km)"


def test_probabilities_are_a_read_only_float32_copy():
    given_array = np.array([1.0, 0, 0, 0, 0])
    prediction = GeoPrediction(given_array, CELLS)
    given_array[0] = 0
    assert prediction.probabilities.dtype == np.float32
    assert prediction.probabilities[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        prediction.probabilities[0] = 0


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(lambda p: sum(p) > 1e-3))
def test_density_grows_with_the_radius(weights):
    prediction = GeoPrediction(np.array(weights) / np.sum(weights), CELLS)
    densities = [*prediction.densities().values(), prediction.density(20_016)]
    assert densities == sorted(densities)
    assert densities[0] >= prediction.best.probability - 1e-6
    assert densities[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("probabilities", "error", "words"),
    [
        ([1.0], ValueError, r"shape \(5,\), one per cell, got \(1,\)"),
        ([[0.2] * 5], ValueError, r"got \(1, 5\)"),
        ([0.5, np.nan, 0.5, 0, 0], ValueError, "finite, got nan at 1"),
        ([0.5, 0, 0.5, 0, np.inf], ValueError, "finite, got inf at 4"),
        ([3.0, -2.0, 0, 0, 0], ValueError, "negative, got -2 at 1; are these scores"),
        ([0.2, 0.2, 0.2, 0.2, 0], ValueError, "add up to 1, got 0.8"),
        (["a"] * 5, TypeError, "must be numbers"),
    ],
)
def test_bad_probabilities_are_named(probabilities, error, words):
    with pytest.raises(error, match=words):
        GeoPrediction(probabilities, CELLS)


def test_bad_cells_are_named():
    with pytest.raises(TypeError, match="cells must be a CellGrid, got list"):
        GeoPrediction([1.0], [0])


@pytest.mark.parametrize("k", [0, -1, 6])
def test_bad_k_is_named(prediction, k):
    with pytest.raises(ValueError, match=f"k must be 1 to 5, the number of cells, got {k}"):
        prediction.top(k)


@pytest.mark.parametrize(
    ("radius", "error"),
    [(-1, ValueError), (np.nan, ValueError), ("1", TypeError), ([1], TypeError)],
)
def test_bad_radius_is_named(prediction, radius, error):
    with pytest.raises(error, match="radius_km must"):
        prediction.density(radius)


def test_bad_index_is_named(prediction):
    with pytest.raises(IndexError, match="no cell 5; this grid has cells 0 to 4"):
        prediction.guess(5)


def test_importing_the_room_is_cheap():
    import subprocess

    program = (
        "import sys, combicam_widgets.geo; "
        "print([m for m in ('scipy', 'torch', 'reverse_geocode', 'plotly') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
