"""Polygons from geopandas, shapely and whatever has a geo interface; and what hides in GeoJSON."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from combicam_widgets.geo import CellGrid

BOXES = [shapely.box(0, 0, 10, 10), shapely.box(10, 0, 20, 10), shapely.box(20, 0, 30, 10)]
LAKE = shapely.Polygon(shapely.box(0, 0, 10, 10).exterior, [shapely.box(2, 2, 4, 4).exterior])
ISLES = shapely.MultiPolygon([shapely.box(170, -10, 180, 10), shapely.box(-180, -10, -165, 10)])
PLAIN = json.loads(
    json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(box)}
                for box in BOXES
            ],
        }
    )
)


@pytest.fixture
def frame():
    labels = {"name": ["left", None, "right"], "code": [7, 8, 9], "where": ["a", "b", "c"]}
    return gpd.GeoDataFrame(labels, geometry=BOXES, crs=4326)


def assert_same(grid, other):
    np.testing.assert_array_equal(grid.latitudes, other.latitudes)
    np.testing.assert_array_equal(grid.longitudes, other.longitudes)
    for outline, twin in zip(grid.outlines, other.outlines, strict=True):
        np.testing.assert_array_equal(outline, twin)


class Interface:
    def __init__(self, says):
        self.__geo_interface__ = says


def test_a_frame_is_what_it_says_in_geojson(frame):
    grid = CellGrid.from_geojson(frame)
    assert_same(grid, CellGrid.from_geojson(PLAIN))
    assert_same(grid, CellGrid.from_geojson(frame.to_json()))
    assert grid.names == ("left", None, "right")
    assert [grid.at(5, x) for x in (5, 15, 25, 35)] == [0, 1, 2, None]


def test_a_frame_with_classes_from_a_column(frame):
    table = pd.DataFrame({"class": [9, 7, 8]})
    grid = CellGrid.from_geojson(frame, table["class"], key="code", names=frame["where"])
    assert [grid.at(5, x) for x in (5, 15, 25)] == [1, 2, 0]
    assert grid.names == ("a", "b", "c")
    gaps = pd.Series([9, 7, None])[:2]  # a column with gaps holds 9.0
    frame["code"] = frame["code"].astype(float)
    assert CellGrid.from_geojson(frame, gaps, key="code").names == ("9", "7")
    with pytest.raises(ValueError, match=r"classes\[1\] is missing"):
        CellGrid.from_geojson(frame, pd.Series([9, None]), key="code")


@pytest.mark.parametrize(
    "source",
    [
        gpd.GeoSeries(BOXES),
        gpd.GeoSeries(BOXES, crs="OGC:CRS84"),
        BOXES,
        tuple(BOXES),
        np.array(BOXES),
        [Interface(shapely.geometry.mapping(box)) for box in BOXES],
        PLAIN["features"],
        Interface(PLAIN),
        Interface({**PLAIN, "features": tuple(PLAIN["features"])}),
        PLAIN | {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}},
        PLAIN | {"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4326"}}},
        "\ufeff" + json.dumps(PLAIN),
        "\ufeff\n ".encode() + json.dumps(PLAIN).encode(),
    ],
    ids=lambda source: type(source).__name__,
)
def test_whatever_has_polygons(source):
    if isinstance(source, bytes):
        source = b"\n" + source.removeprefix("\ufeff\n ".encode())
    assert_same(CellGrid.from_geojson(source, names=["a", "b", "c"]), CellGrid.from_geojson(PLAIN))


@pytest.mark.parametrize("shape", [BOXES[0], LAKE, ISLES], ids=["box", "lake", "isles"])
def test_a_single_geometry_is_a_grid_of_one_cell(shape):
    grid = CellGrid.from_geojson(shape)
    mapping = shapely.geometry.mapping(shape)
    assert len(grid) == 1
    for source in (mapping, [shape], {"type": "Feature", "properties": None, "geometry": mapping}):
        assert_same(grid, CellGrid.from_geojson(source))
    assert_same(grid, CellGrid.from_geojson(json.dumps(mapping)))
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(-12, 12, 500), rng.uniform(-180, 180, 500)
    held = shapely.contains_xy(shape, lon, lat)
    np.testing.assert_array_equal(grid.locate(lat, lon) == 0, held)


def test_arrays_as_coordinates():
    ring = np.array(BOXES[0].exterior.coords)
    grid = CellGrid.from_geojson({"type": "Polygon", "coordinates": [ring.astype(np.float32)]})
    assert_same(grid, CellGrid.from_geojson(BOXES[0]))


@pytest.mark.parametrize("system", [3857, 32633, "ESRI:54009", 4807])
def test_other_coordinate_systems_are_refused_in_words(frame, system):
    with pytest.raises(ValueError, match=r"source is in the coordinate system .*to_crs\(4326\)"):
        CellGrid.from_geojson(frame.to_crs(system))
    with pytest.raises(ValueError, match="coordinate system"):
        CellGrid.from_geojson(frame.geometry.to_crs(system))
    there_and_back = CellGrid.from_geojson(frame.to_crs(system).to_crs(4326))
    np.testing.assert_allclose(there_and_back.longitudes, [5, 15, 25], atol=1e-6)


@pytest.mark.parametrize("system", [4326, "OGC:CRS84", 4269, 4258, None])
def test_systems_that_are_longitude_and_latitude(system):
    grid = CellGrid.from_geojson(gpd.GeoSeries(BOXES, crs=system))
    assert_same(grid, CellGrid.from_geojson(PLAIN))


@pytest.mark.parametrize(
    "crs",
    [
        {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}},
        {"type": "link", "properties": {"href": "x"}},
        {"type": "name"},
        "EPSG:3857",
        3857,
        [10**400],
    ],
)
def test_old_geojson_in_another_system_is_refused(crs):
    with pytest.raises(ValueError, match="source is in the coordinate system"):
        CellGrid.from_geojson(PLAIN | {"crs": crs})


def test_metres_without_a_system_are_refused(frame):
    metres = frame.to_crs(3857).set_crs(None, allow_override=True)
    with pytest.raises(ValueError, match=r"feature 0: positions are .* degrees, got \(5113194"):
        CellGrid.from_geojson(metres.translate(4e6))
    with pytest.raises(ValueError, match="turn metres of a projection into degrees first"):
        CellGrid.from_geojson(metres)


def test_frames_without_polygons_are_refused(frame):
    with pytest.raises(ValueError, match=r"source has no polygons: .*geometry"):
        CellGrid.from_geojson(gpd.GeoDataFrame({"name": ["a"]}))
    with pytest.raises(TypeError, match="got DataFrame; geopandas' frames and shapely's"):
        CellGrid.from_geojson(pd.DataFrame({"name": ["a"]}))
    frame.loc[1, "geometry"] = None
    with pytest.raises(ValueError, match="feature 1: its geometry must be a Polygon or Multi"):
        CellGrid.from_geojson(frame)
    with pytest.raises(ValueError, match=r"feature 0: its geometry must be .* got 'Point'"):
        CellGrid.from_geojson(gpd.GeoSeries([shapely.Point(0, 0)]))
    with pytest.raises(ValueError, match=r"source\[1\] is not a GeoJSON Feature or a polygon"):
        CellGrid.from_geojson([BOXES[0], shapely.Point(0, 0)])
    with pytest.raises(ValueError, match="no border around an area"):
        CellGrid.from_geojson(shapely.Polygon())
    with pytest.raises(TypeError, match="got list"):
        CellGrid.from_geojson([])


def changed(change):
    source = json.loads(json.dumps(PLAIN))
    change(source["features"][1])
    return source


def put(value):
    def change(feature):
        feature["geometry"]["coordinates"][0][2][1] = value

    return change


NUMBERS = [True, "1.5", None, 1 + 2j, [1], {}, 10**400, float("nan"), float("inf"), 1e9, 95, []]


@pytest.mark.parametrize("value", NUMBERS, ids=str)
def test_coordinates_that_are_no_numbers(value):
    with pytest.raises(
        ValueError, match=r"feature 1: (its positions|positions|latitude|longitude)"
    ):
        CellGrid.from_geojson(changed(put(value)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.update(properties=[1]), r"the properties of features\[1\] must be an object"),
        (lambda f: f.update(properties="name"), r"the properties of features\[1\]"),
        (lambda f: f.update(type=["Feature"]), r"features\[1\] is not a GeoJSON Feature"),
        (lambda f: f["geometry"].update(type=["Polygon"]), r"feature 1: .* got \['Polygon'\]"),
        (lambda f: f["geometry"].update(type={}), "feature 1: its geometry must be a Polygon"),
        (lambda f: f.update(geometry=[1]), "feature 1: its geometry must be a Polygon"),
        (lambda f: f["geometry"].update(coordinates=None), "feature 1: its coordinates must be"),
        (lambda f: f["geometry"].update(coordinates=[5]), "feature 1: its coordinates|a ring"),
        (lambda f: f["geometry"].update(coordinates={"a": 1}), "feature 1: its coordinates"),
        (lambda f: f["geometry"].update(coordinates=[[{"x": 1}] * 5]), "feature 1: a ring must"),
        (lambda f: f["geometry"].update(coordinates=[["abcd"] * 5]), "feature 1: a ring must"),
        (lambda f: f["geometry"]["coordinates"][0].insert(1, [5]), "feature 1: a ring must"),
        (lambda f: f["geometry"]["coordinates"][0].insert(1, None), "feature 1: a ring must"),
    ],
)
def test_structures_that_are_none(change, words):
    with pytest.raises(ValueError, match=words):
        CellGrid.from_geojson(changed(change))


@pytest.mark.parametrize("value", [True, [1], {"en": "x"}, ("a",)])
def test_labels_that_are_neither_text_nor_number(value):
    source = changed(lambda feature: feature.update(properties={"name": value}))
    with pytest.raises(TypeError, match="the 'name' of feature 1 must be text or a number"):
        CellGrid.from_geojson(source)
    assert CellGrid.from_geojson(source, key="label").names is None


@pytest.mark.parametrize(
    ("classes", "error", "words"),
    [
        (["a", None], ValueError, r"classes\[1\] is missing"),
        ([["a"]], TypeError, r"classes\[0\] must be text or a number, got \['a'\]"),
        ([True], TypeError, r"classes\[0\] must be text or a number"),
        ([10**400], ValueError, r"classes\[0\] must be finite"),
        ({"a", "b"}, TypeError, "classes must be a list of values of 'name'"),
        (5, TypeError, "classes must be a list of values of 'name', got 5"),
        ([f"no {i}" for i in range(1000)], ValueError, "1000 of 1000 classes .*'no 4', ...$"),
    ],
)
def test_classes_that_are_none(classes, error, words):
    source = changed(lambda feature: feature.update(properties={"name": "a"}))
    with pytest.raises(error, match=words) as caught:
        CellGrid.from_geojson(source, classes)
    assert len(str(caught.value)) < 500


def test_keys_that_are_none():
    source = changed(lambda feature: feature.update(properties={"name": "a", 5: "b"}))
    with pytest.raises(TypeError, match=r"key must be the name of a property, got \['name'\]"):
        CellGrid.from_geojson(source, ["a"], key=["name"])
    with pytest.raises(ValueError, match=r"key may be one of \[5, 'name'\]"):
        CellGrid.from_geojson(source, ["a"], key="iso")
    assert CellGrid.from_geojson(source, ["b"], key=5).names == ("b",)


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


def test_what_nests_deeply_is_refused():
    text = json.dumps(PLAIN)[:-1] + ', "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    for source in (text, text.encode()):
        with pytest.raises(ValueError, match="source is not GeoJSON: it is nested too deeply"):
            CellGrid.from_geojson(source)
    for change in (put(nested(50_000)), lambda f: f["geometry"].update(coordinates=nested(50_000))):
        with pytest.raises(ValueError, match="feature 1:"):
            CellGrid.from_geojson(changed(change))


def test_a_file_that_was_cut_short_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "countries.geojson"
    path.write_text(json.dumps(PLAIN)[:-40])
    with pytest.raises(
        ValueError, match=r"countries\.geojson is not JSON: .*cut short, copy or down"
    ):
        CellGrid.from_geojson(path)
    path.write_bytes(b"PK\x03\x04\xff\xff")
    with pytest.raises(ValueError, match=r"countries\.geojson is not JSON: .*geopandas\.read_file"):
        CellGrid.from_geojson(str(path))
    path.write_text('{"type": "Point"}')
    with pytest.raises(ValueError, match=r"countries\.geojson must be a GeoJSON FeatureCollection"):
        CellGrid.from_geojson(path)
    with pytest.raises(ValueError, match="source is not JSON"):
        CellGrid.from_geojson("[1, 2")


@pytest.mark.parametrize(
    "corners",
    [
        [(0, 90), (90, 90), (180, 90)],
        [(0, 90), (0, 80), (0, 90), (0, 70)],
        [(-180, 90), (45, 90), (45, 60), (45, 90)],
        [(10, -90), (20, -90), (20, -60), (20, -90)],
    ],
)
def test_polygons_at_a_pole_without_an_area_are_refused(corners):
    ring = [list(corner) for corner in [*corners, corners[0]]]
    with pytest.raises(ValueError, match="feature 1: there is no border around an area"):
        CellGrid.from_geojson(changed(lambda f: f["geometry"].update(coordinates=[ring])))


@pytest.mark.parametrize("system", [4326, 3857, "ESRI:54009", None])
def test_a_frame_in_any_coordinates(frame, system):
    given = frame.set_crs(None, allow_override=True) if system is None else frame.to_crs(system)
    grid = CellGrid.from_geodataframe(given, [9, 7], key="code", names=given["where"][[2, 0]])
    assert [grid.at(5, x) for x in (5, 15, 25)] == [1, None, 0]
    assert grid.names == ("c", "a")
    np.testing.assert_allclose(grid.longitudes, [25, 5], atol=1e-6)
    with pytest.raises(TypeError, match="got DataFrame; from_geojson takes files"):
        CellGrid.from_geodataframe(pd.DataFrame({"name": ["a"]}))


def test_all_cells_as_geojson_are_read_again_by_others():
    rng = np.random.default_rng(0)
    lat, lon = np.degrees(np.arcsin(rng.uniform(-1, 1, 60))), rng.uniform(-180, 180, 60)
    grid = CellGrid.from_centers(lat, lon, ["one", *[None] * 59])
    collection = json.loads(json.dumps(grid.to_geojson(0.5)))
    shapes = [shapely.geometry.shape(f["geometry"]) for f in collection["features"]]
    assert all(shape.is_valid for shape in shapes)
    west, south, east, north = shapely.total_bounds(shapes)
    assert (west, south, east, north) == (-180, -90, 180, 90)
    assert shapely.union_all(shapes, grid_size=1e-3).area == pytest.approx(360 * 180, rel=1e-4)
    frame = gpd.GeoDataFrame.from_features(collection, crs=4326)
    assert frame["index"].tolist() == list(range(60))
    again = CellGrid.from_geodataframe(frame)
    assert again.names == grid.names
    lat, lon = rng.uniform(-90, 90, 3000), rng.uniform(-180, 180, 3000)
    assert (again.locate(lat, lon) == grid.locate(lat, lon)).mean() > 0.998


@pytest.mark.parametrize("system", [5773, 'LOCAL_CS["here"]'])  # heights; a building's own metres
def test_systems_that_do_not_lead_to_the_earth_are_named(system):
    frame = gpd.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=system)
    with pytest.raises(ValueError, match="from which nothing leads to longitude and latitude") as e:
        CellGrid.from_geodataframe(frame)
    assert frame.crs.name in str(e.value)


def test_a_frame_without_geometry_says_so():
    with pytest.raises(ValueError, match="frame has no geometry"):
        CellGrid.from_geodataframe(gpd.GeoDataFrame({"name": ["a"]}))
