"""The shipped coastline, and the recipe that made it on a tiny world."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from combicam_widgets import geo

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def land():
    return shapely.from_geojson(json.dumps(geo.coastline()["geometry"]))


@pytest.fixture(scope="module")
def recipe():
    spec = importlib.util.spec_from_file_location(
        "build_coastline", ROOT / "recipes" / "build_coastline.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("latitude", "longitude", "is_land"),
    [
        (-25, 134, True),
        (47, 2, True),
        (67, 179, True),
        (67.5, -179, True),
        (-80, -175, False),
        (-80, 20, True),
        (-88, 179.9, True),
        (-89.9, -179.9, True),
        (42, 51, False),
        (0, -140, False),
        (30, 180, False),
        (60, -170, False),
    ],
)
def test_land_and_sea(land, latitude, longitude, is_land):
    assert land.intersects(shapely.Point(longitude, latitude)) == is_land


def test_nothing_is_drawn_across_the_map(land):
    for polygon in land.geoms:
        for ring in (polygon.exterior, *polygon.interiors):
            points = shapely.get_coordinates(ring)
            long = np.abs(np.diff(points[:, 0])) > 20
            # Only the lower edge of the map is a long line.
            assert (points[:-1][long, 1] == -90).all()
            assert (points[1:][long, 1] == -90).all()


def test_polygons_are_closed_and_on_the_map():
    feature = geo.coastline()
    assert feature["geometry"]["type"] == "MultiPolygon"
    for polygon in feature["geometry"]["coordinates"]:
        for ring in polygon:
            assert ring[0] == ring[-1]
            lon, lat = np.array(ring).T
            assert np.abs(lon).max() <= 180
            assert np.abs(lat).max() <= 90


def test_land_covers_29_percent_of_the_earth(land):
    equal_area = shapely.transform(
        land, lambda points: np.stack([points[:, 0], np.sin(np.radians(points[:, 1]))], axis=1)
    )
    assert sum(p.area for p in equal_area.geoms) / (360 * 2) == pytest.approx(0.29, abs=0.01)


def test_each_call_gives_a_copy():
    geo.coastline()["geometry"].clear()
    assert geo.coastline()["geometry"]


def test_the_file_is_small():
    file = Path(geo.__file__).parent / "data" / "coastline.json"
    assert file.stat().st_size <= 150_000


# Quantised to whole degrees: an island across the antimeridian of two arcs, the second used
# backwards, with a lake; and a continent around the south pole.
TOPOLOGY = {
    "transform": {"scale": [1, 1], "translate": [-180, -90]},
    "arcs": [
        [[350, 90], [0, 10], [-340, 0]],
        [[350, 90], [-340, 0], [0, 10]],
        [[354, 93], [3, 0], [0, 3], [-3, -3]],
        [[0, 20], [120, 10], [120, -10], [119, 0], [-359, 0]],
    ],
    "objects": {
        "land": {
            "geometries": [
                {"type": "MultiPolygon", "arcs": [[[0, -2], [2]]]},
                {"type": "Polygon", "arcs": [[3]]},
            ]
        }
    },
}


def test_recipe_decodes_cuts_and_closes(recipe, tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(TOPOLOGY))
    land = shapely.union_all(recipe.land_polygons(path))
    inside = {(175, 5), (-175, 5), (0, -80), (179.9, -89), (-179.9, -89), (-60, -61)}
    outside = {(176.9, 4), (0, 5), (165, 5), (-165, 5), (175, 15), (0, 0), (60, -50)}
    assert {p for p in inside | outside if land.intersects(shapely.Point(p))} == inside
    assert land.bounds == (-180, -90, 180, 10)


def test_recipe_builds_the_file_it_says(recipe, tmp_path, monkeypatch, capsys):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(TOPOLOGY))
    monkeypatch.setattr(recipe, "TARGET", tmp_path / "data" / "coastline.json")
    monkeypatch.setattr("sys.argv", ["build_coastline.py", str(path)])
    recipe.main()
    feature = json.loads((tmp_path / "data" / "coastline.json").read_text())
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert "3 polygons" in capsys.readouterr().out
