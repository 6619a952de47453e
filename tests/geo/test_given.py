"""What people give: names with gaps, numbers of every kind, and what is neither."""

import itertools
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

from combicam_widgets.geo import (
    CellGrid,
    GeoPrediction,
    cell_raster,
    circle_points,
    geoscore,
    great_circle_km,
    great_circle_points,
)
from combicam_widgets.geo.given import as_numbers, brief

LATITUDES, LONGITUDES = [-27.5, 0, 60, -60], [153, 90, 180, -90]
OCTANT = [(0, 0), (0, 90), (90, 0)]
BRISBANE = "eastern Australia, near Brisbane"

GAPS = {
    "None": [None, "Rome", "Nuuk", None],
    "no text": ["", "Rome", "Nuuk", "  "],
    "NaN": [float("nan"), "Rome", "Nuuk", np.float32("nan")],
    "pandas NA": [pd.NA, "Rome", "Nuuk", pd.NaT],
    "a series": pd.Series([None, "Rome", "Nuuk", float("nan")]),
    "a series of strings": pd.Series([None, "Rome", "Nuuk", None], dtype="string"),
    "categories": pd.Series([None, "Rome", "Nuuk", None], dtype="category"),
    "an index": pd.Index([None, "Rome", "Nuuk", None]),
    "an array": np.array(["", "Rome", "Nuuk", ""]),
    "an array of objects": np.array([None, "Rome", "Nuuk", np.nan], dtype=object),
    "numpy's texts": [np.str_(""), np.str_("Rome"), np.str_("Nuuk"), None],
    "a tuple": (None, "Rome", "Nuuk", None),
    "an iterator": iter([None, "Rome", "Nuuk", None]),
}


def by_centers(names):
    return CellGrid.from_centers(LATITUDES, LONGITUDES, names)


def by_tokens(names):
    return CellGrid.from_s2_tokens(["6b91", "89c25", "0f", "67"], names)


def by_cells(names):
    return CellGrid(LATITUDES, LONGITUDES, [OCTANT] * 4, names)


def by_geojson(names):
    return CellGrid.from_geojson(squares(["a", "b", "c", "d"]), names=names)


def squares(labels):
    """Unit squares along the equator, the first one near Brisbane."""
    corners = [(153, -28), (20, 0), (40, 0), (60, 0)]
    rings = [[[w, s], [w + 1, s], [w + 1, s + 1], [w, s + 1], [w, s]] for w, s in corners]
    features = [
        {
            "type": "Feature",
            "properties": {"name": label},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for label, ring in zip(labels, rings, strict=True)
    ]
    return {"type": "FeatureCollection", "features": features}


WAYS = [by_centers, by_tokens, by_cells, by_geojson]


@pytest.mark.parametrize("gaps", GAPS)
def test_names_with_gaps(gaps):
    grid = by_centers(GAPS[gaps])
    assert grid.names == (None, "Rome", "Nuuk", None)
    assert all(name is None or type(name) is str for name in grid.names)
    assert (grid.name(0), grid.name(1)) == (BRISBANE, "Rome")


@pytest.mark.parametrize("make", WAYS)
def test_every_way_to_a_grid_takes_names_with_gaps(make):
    assert make([None, "Rome", float("nan"), "Nuuk"]).names == (None, "Rome", None, "Nuuk")
    assert make([None, "", float("nan"), pd.NA]).names is None
    with pytest.raises(TypeError, match=r"names\[2\] must be text or None, got 7"):
        make(["a", "b", 7, "d"])


@pytest.mark.parametrize("missing", [None, float("nan"), "", "absent"])
def test_a_property_with_gaps(missing):
    source = squares(["a", missing, "c", 4])
    if missing == "absent":
        del source["features"][1]["properties"]["name"]
    grid = CellGrid.from_geojson(source)
    assert grid.names == ("a", None, "c", "4")


def test_the_best_cell_without_a_name_is_told_by_its_place():
    grid = by_centers(pd.Series([None, "Rome", "Nuuk", "Lima"]))
    best = GeoPrediction([1.0, 0, 0, 0], grid).best
    assert best.place == BRISBANE
    assert repr(GeoPrediction([1.0, 0, 0, 0], grid)).startswith("GeoPrediction(-27.5, 153.0: 1.00")
    assert repr(GeoPrediction([0, 1.0, 0, 0], grid)).startswith("GeoPrediction(Rome: 1.00")


def test_gaps_are_saved_and_loaded(tmp_path):
    by_centers([None, "Ōtautahi", "Nuuk", None]).save(tmp_path / "cells.npz")
    assert CellGrid.load(tmp_path / "cells.npz").names == (None, "Ōtautahi", "Nuuk", None)


def test_the_keys_of_a_mapping_are_names_in_their_order():
    assert by_centers({"d": (1, 2), "a": (3, 4), "c": None, "b": 5}).names == ("d", "a", "c", "b")


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        ("abcd", TypeError, "names must be a list with one name per cell, got 'abcd'"),
        (b"abcd", TypeError, "list with one name per cell"),
        ({"a", "b", "c", "d"}, TypeError, "list with one name per cell"),
        (dict.fromkeys(range(4), "a"), TypeError, "names\\[0\\]"),
        (5, TypeError, "list with one name per cell, got 5"),
        (np.array("abcd"), TypeError, "list with one name per cell"),
        (["a", "b"], ValueError, "names must be 4, one per cell, got 2"),
        (["a"] * 5, ValueError, "names must be 4, one per cell, got 5"),
        (itertools.repeat("a"), ValueError, "names must be 4, one per cell, got 4 and more"),
        ([True, "b", "c", "d"], TypeError, r"names\[0\] must be text or None, got True"),
        (["a", 1.5, "c", "d"], TypeError, r"names\[1\] must be text or None, got 1.5"),
        (["a", b"b", "c", "d"], TypeError, r"names\[1\] must be text or None, got b'b'"),
        (["a", "b", ["c"], "d"], TypeError, r"names\[2\] must be text or None, got \['c'\]"),
        (["a", "b", "c", "\ud800"], ValueError, r"names\[3\] holds half a character"),
        (["a\0", "b", "c", "d"], ValueError, r"names\[0\] holds half a character or a NUL"),
    ],
)
def test_what_are_no_names(names, error, words):
    with pytest.raises(error, match=words):
        by_centers(names)


KINDS = {
    "a list": list,
    "a tuple": tuple,
    "an array": np.array,
    "float32": lambda x: np.array(x, np.float32),
    "objects": lambda x: np.array(x, object),
    "scalars": lambda x: [np.float32(x[0]), *x[1:]],
    "a series": pd.Series,
    "an index": pd.Index,
    "nullable numbers": lambda x: pd.array(x, dtype="Float64"),
    "a tensor": torch.tensor,
    "tensors": lambda x: [torch.tensor(v) for v in x],
    "fractions": lambda x: [Fraction(v) for v in x],
}


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_every_kind(kind):
    grid = CellGrid.from_centers(KINDS[kind](LATITUDES), KINDS[kind](LONGITUDES))
    np.testing.assert_array_equal(grid.latitudes, LATITUDES)
    np.testing.assert_array_equal(grid.longitudes, [153, 90, -180, -90])


WRONG = [
    ([True, 0, 60, -60], TypeError, r"must be a number or an array of numbers, got \[True"),
    ([np.True_, 0, 60, -60], TypeError, "a number or an array of numbers"),
    (["1.5", 0, 60, -60], TypeError, r"got \['1.5', 0"),
    (np.array(["1"] * 4), TypeError, "a number or an array of numbers"),
    (np.array([1j] * 4), TypeError, "a number or an array of numbers"),
    ([1 + 0j, 0, 60, -60], TypeError, "a number or an array of numbers"),
    ([None, 0, 60, -60], TypeError, "a number or an array of numbers"),
    (pd.Series([1, True, 2, 3], dtype=object), TypeError, "a number or an array of numbers"),
    (pd.Timestamp("2026-01-01"), TypeError, "a number or an array of numbers"),
    (np.array(["2026-01-01"] * 4, "M8[D]"), TypeError, "a number or an array of numbers"),
    ([[1], [2, 3]], TypeError, "a number or an array of numbers"),
    (torch.ones(4, requires_grad=True), TypeError, "a number or an array of numbers"),
    ([10**400, 0, 60, -60], ValueError, r"must be finite, got \[a whole number of 1329 bits, 0"),
    ([0.5, -(10**5000), 60, -60], ValueError, "must be finite, got"),
    ([float("nan"), 0, 60, -60], ValueError, "must be finite, got nan"),
    (pd.array([1, None, 2, 3], dtype="Int64"), ValueError, "must be finite, got nan"),
    (np.ma.array([1.0, 2, 3, 4], mask=[0, 1, 0, 0]), ValueError, "must be finite, got nan"),
    ([np.inf, 0, 60, -60], ValueError, "must be finite, got inf"),
]


@pytest.mark.parametrize(("values", "error", "words"), WRONG)
def test_what_are_no_numbers(values, error, words):
    for arguments, name in (((values, LONGITUDES), "latitude"), ((LATITUDES, values), "longitude")):
        with pytest.raises(error, match=f"{name} {words}" if "must" in words else words):
            CellGrid.from_centers(*arguments)
    with pytest.raises(error):
        CellGrid(LATITUDES, LONGITUDES, [[values, values]] * 4)
    with pytest.raises(error):
        GeoPrediction(values, by_centers(None))


def test_projected_coordinates_are_called_so():
    with pytest.raises(ValueError, match="got 5e\\+06; are latitude and longitude metres of a"):
        CellGrid.from_centers([5e6] * 4, LONGITUDES)
    with pytest.raises(ValueError, match="got 153; are latitude and longitude swapped"):
        CellGrid.from_centers(LONGITUDES, LATITUDES)


HUGE = 10**400


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda grid: grid.at(HUGE, 0), ValueError, "latitude must be finite"),
        (lambda grid: grid.at([1, 2], 0), TypeError, "at takes one point"),
        (lambda grid: grid.at([], 0), TypeError, "at takes one point"),
        (lambda grid: grid.locate([0], ["0"]), TypeError, "longitude must be a number"),
        (lambda grid: grid.name(HUGE), IndexError, "there is no cell a whole number of 1329 bits"),
        (lambda grid: grid.name("0"), TypeError, "index of a cell must be a whole number, got '0'"),
        (lambda grid: grid.outline_geojson([0], HUGE), ValueError, "max_step must be finite"),
        (lambda grid: grid.outline_geojson([0], 1e-9), ValueError, "at least 0.001 degrees"),
        (lambda grid: grid.outline_geojson([0], np.nan), ValueError, "must be positive, got nan"),
        (lambda grid: grid.outline_geojson([0], "1"), TypeError, "max_step must be a number"),
        (lambda grid: cell_raster(grid, 16.0), TypeError, "size must be a whole number, got 16.0"),
        (
            lambda _: great_circle_points(0, 0, 1, 1, HUGE),
            ValueError,
            "n must be at most 1,000,000",
        ),
        (lambda _: great_circle_points(0, 0, 1, 1, 9.0), TypeError, "n must be a whole number"),
        (lambda _: circle_points(0, 0, 5, HUGE), ValueError, "n must be at most 1,000,000"),
        (lambda _: circle_points(0, 0, HUGE), ValueError, "radius_km must be finite"),
        (lambda _: geoscore(HUGE), ValueError, "distance_km must be finite"),
        (lambda _: great_circle_km(0, 0, 0, HUGE), ValueError, "longitude must be finite"),
        (lambda grid: GeoPrediction([1, 0, 0, 0], grid).top(HUGE), ValueError, "k must be 1 to 4"),
        (lambda grid: GeoPrediction([1, 0, 0, 0], grid).top(2.0), TypeError, "k must be a whole"),
        (lambda grid: GeoPrediction([1, 0, 0, 0], grid).density(HUGE), ValueError, "radius_km"),
    ],
)
def test_numbers_beyond_all_bounds(act, error, words):
    with pytest.raises(error, match=words):
        act(by_centers(None))


def test_numbers_of_numpy_are_numbers():
    grid = by_centers(None)
    place = (np.float32(-27.5), np.int16(153))
    assert grid.at(*place) == grid.at(np.array(-27.5), 153) == 0
    assert grid.name(np.uint8(0)) == grid.name(np.array(0)) == BRISBANE
    assert grid.distances_km(*place)[0] == pytest.approx(0, abs=1e-9)
    prediction = GeoPrediction(np.array([1, 0, 0, 0], np.float16), grid)
    assert len(prediction.top(np.int8(2))) == 2
    assert prediction.density(np.float32(750)) == 1
    assert len(circle_points(*place, np.float64(5), np.int64(7))) == 7
    assert len(great_circle_points(*place, 0, 0, np.int64(7))) == 7
    assert len(grid.outline_geojson(np.array([0, 1]), np.float32(2))["features"]) == 2
    assert cell_raster(grid, np.int64(16)).shape == (16, 16)


def test_what_nests_deeply_is_refused_and_quoted_briefly():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TypeError, match="must be a number") as caught:
        as_numbers("latitude", deep)
    assert len(str(caught.value)) < 200
    assert len(brief("x" * 10**6)) < 100
    assert len(brief([list(range(1000))] * 1000)) < 500
    assert brief(3) == "3"
