"""Cell grids: Voronoi cells against nearest centres, areas against geographiclib."""

import pickle

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic

from benchmarks import fuzz
from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, unit_vectors, vector_coordinates

SPHERE = Geodesic(EARTH_RADIUS_KM * 1000, 0)
WHOLE_EARTH_KM2 = 4 * np.pi * EARTH_RADIUS_KM**2

OCTANT = [(0, 0), (0, 90), (90, 0)]


def random_points(n, seed):
    return vector_coordinates(np.random.default_rng(seed).normal(size=(n, 3)))


def regular_points():
    """Centres with poles, the antimeridian and many places where four cells meet."""
    lat, lon = np.meshgrid([-60, -30, 0, 30, 60], np.arange(-180, 180, 30))
    return np.append(lat.ravel(), [90, -90]), np.append(lon.ravel(), [0, 0])


def clustered_points():
    rng = np.random.default_rng(8)
    return 48.85 + rng.uniform(-0.05, 0.05, 30), 2.35 + rng.uniform(-0.05, 0.05, 30)


LAYOUTS = {
    "four": lambda: random_points(4, 1),
    "few": lambda: random_points(9, 2),
    "many": lambda: random_points(300, 3),
    "regular": regular_points,
    "one city": clustered_points,
}


@pytest.fixture(params=LAYOUTS)
def grid(request):
    return CellGrid.from_centers(*LAYOUTS[request.param]())


def area_km2(outline):
    polygon = SPHERE.Polygon()
    for lat, lon in outline:
        polygon.AddPoint(lat, lon)
    return abs(polygon.Compute(reverse=False, sign=True)[2]) / 1e6


def test_voronoi_cells_hold_the_points_nearest_to_their_centers(grid):
    lat, lon = random_points(2000, 11)
    nearest = (unit_vectors(grid.latitudes, grid.longitudes) @ unit_vectors(lat, lon).T).argmax(0)
    np.testing.assert_array_equal(grid.locate(lat, lon), nearest)


def test_voronoi_cells_cover_the_earth_once(grid):
    total = sum(area_km2(ring) for ring in grid.outlines)
    assert total == pytest.approx(WHOLE_EARTH_KM2, rel=1e-9)


def test_centers_lie_in_their_cells(grid):
    np.testing.assert_array_equal(grid.locate(grid.latitudes, grid.longitudes), range(len(grid)))


def test_outlines_are_continuous_and_near_their_center(grid):
    for ring, center in zip(grid.outlines, grid.longitudes, strict=True):
        assert len(ring) >= 3
        edges = unit_vectors(*ring.T) - unit_vectors(*np.roll(ring, 1, axis=0).T)
        assert np.linalg.norm(edges, axis=1).min() > 1e-9
        assert (np.abs(np.diff(ring[:, 1])) <= 180).all()
        assert abs(ring[:, 1].min() + ring[:, 1].max() - 2 * center) <= 360


def test_at_knows_outside_borders_and_poles():
    octant = CellGrid([30], [40], [np.array(OCTANT)])
    assert octant.at(10, 20) == 0
    assert octant.at(10, 380) == 0
    assert octant.at(90, -120) == 0
    assert octant.at(0, 45) == 0
    assert octant.at(-0.001, 45) is None
    assert octant.at(10, -0.001) is None


def test_where_cells_overlap_the_nearest_center_counts():
    both = CellGrid([20, 40], [45, 45], [np.array(OCTANT)] * 2)
    assert (both.at(10, 45), both.at(50, 45)) == (0, 1)


def test_longitudes_are_unwrapped_whatever_way_they_were_given():
    ring = np.array([(-10, 170), (-10, -170), (10, 190), (10, 530)])
    for center in (-179.0, 179.0):
        (outline,) = CellGrid([0], [center], [ring]).outlines
        np.testing.assert_allclose((outline - [0, center])[:, 1], [-10, 10, 10, -10], atol=1.5)


def test_arrays_are_copies_and_read_only():
    latitudes = np.array([30.0])
    grid = CellGrid(latitudes, [40], [np.array(OCTANT)])
    latitudes[0] = 0
    assert grid.latitudes[0] == 30
    for array in (grid.latitudes, grid.longitudes, grid.outlines[0], grid.unit_vectors):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_distances_from_centers():
    grid = CellGrid([0, 0], [10, -170], [np.array(OCTANT)] * 2)
    np.testing.assert_allclose(
        grid.distances_km(0, 0), np.radians([10, 170]) * EARTH_RADIUS_KM, rtol=1e-12
    )


def test_names_are_given_or_looked_up():
    where = ([-27.5, 0], [153, 0], [np.array(OCTANT)] * 2)
    assert CellGrid(*where, ["here", "there"]).name(1) == "there"
    assert CellGrid(*where).name(0) == "eastern Australia, near Brisbane"


def test_repr():
    assert repr(CellGrid([30], [40], [np.array(OCTANT)], ["x"])) == "CellGrid(1 cells, named)"


def test_geojson_is_closed_and_follows_great_circles():
    grid = CellGrid([30], [40], [np.array(OCTANT)])
    collection = grid.outline_geojson([0], max_step=1)
    (feature,) = collection["features"]
    ring = np.array(feature["geometry"]["coordinates"][0])
    assert (collection["type"], feature["properties"]) == ("FeatureCollection", {"index": 0})
    np.testing.assert_array_equal(ring[0], ring[-1])
    # An octant is the rectangle 0..90 x 0..90 of a map with straight meridians.
    assert np.abs(ring).min() == 0
    x, y = ring.T
    assert abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2) == pytest.approx(90 * 90)


def test_geojson_of_a_cell_around_a_pole_follows_the_edge_of_the_map():
    cap = np.array([(60, lon) for lon in range(-180, 180, 30)])
    for sign in (1, -1):
        grid = CellGrid([sign * 90], [0], [cap * [sign, 1]])
        (feature,) = grid.outline_geojson([0])["features"]
        lon, lat = np.array(feature["geometry"]["coordinates"][0]).T
        assert np.ptp(lon) == pytest.approx(360)
        assert lat[lat * sign > 89.999].tolist() == [sign * 90, sign * 90]


@pytest.mark.parametrize("step", [1, 7, 30])
@pytest.mark.parametrize("turned", [1, -1])
@pytest.mark.parametrize("pole", [1, -1])
def test_geojson_of_a_cell_with_an_edge_over_a_pole_is_half_a_map_wide(pole, turned, step):
    ring = np.array([(60, -90), (20, 0), (60, 90)])[::turned] * [pole, 1]
    grid = CellGrid([pole * 60], [0], [ring])
    (feature,) = grid.outline_geojson([0], max_step=step)["features"]
    lon, _ = np.array(feature["geometry"]["coordinates"][0]).T
    assert (lon.min(), lon.max()) == (-90, 90)


def test_geojson_without_curves_is_the_outline():
    ring = np.array([(-10, 170), (-10, -170), (10, -170), (10, 170)])
    (feature,) = CellGrid([0], [180], [ring]).outline_geojson([0], max_step=90)["features"]
    expected = [[-190, -10], [-170, -10], [-170, 10], [-190, 10], [-190, -10]]
    assert feature["geometry"]["coordinates"] == [expected]


@pytest.mark.parametrize("names", [None, "given"])
def test_save_and_load(tmp_path, names):
    lat, lon = random_points(40, 5)
    names = names and [f"Ōtautahi {i}" for i in range(40)]
    grid = CellGrid.from_centers(lat, lon, names)
    path = tmp_path / "cells.grid"
    grid.save(path, area_km2=np.arange(40.0), inhabited=[True] * 40)
    again = CellGrid.load(path)
    np.testing.assert_array_equal(again.latitudes, lat)
    np.testing.assert_array_equal(again.longitudes, lon)
    for ring, expected in zip(again.outlines, grid.outlines, strict=True):
        np.testing.assert_array_equal(ring, expected)
    assert again.names == grid.names
    with np.load(path, allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["area_km2"], np.arange(40.0))
        assert archive["inhabited"].all()


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a file was unpickled",)


def write_pickle(path):
    path.write_bytes(pickle.dumps(Bomb()))


def write_object_array(path):
    with path.open("wb") as file:
        np.savez(file, outline_vertices=np.array([Bomb()]), outline_lengths=np.array([1]))


def write_half(path):
    CellGrid([30], [40], [np.array(OCTANT)]).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def write_wrong_lengths(path):
    with path.open("wb") as file:
        np.savez(file, outline_vertices=np.array(OCTANT), outline_lengths=np.array([4]))


def write_single_array(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    "write",
    [
        write_pickle,
        write_object_array,
        write_half,
        write_wrong_lengths,
        write_single_array,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not a grid"),
        lambda path: np.savez(path, other=1),
    ],
)
def test_files_that_are_not_grids_are_refused(tmp_path, write):
    path = tmp_path / "cells.npz"
    write(path)
    with pytest.raises(ValueError, match=r"cells\.npz is not a grid that CellGrid.save wrote"):
        CellGrid.load(path)


def small_grid():
    squares = [[(0, w), (0, w + 9), (9, w + 9), (9, w)] for w in (0, 20, 40)]
    return CellGrid([4, 4, 4], [4, 24, 44], squares, ["one", None, "Ōtautahi"])


def rewritten(path, **others):
    small_grid().save(path)
    with np.load(path) as archive:
        arrays = dict(archive) | others
    with path.open("wb") as file:
        np.savez_compressed(file, **{key: x for key, x in arrays.items() if x is not None})


def test_files_of_the_version_before_are_read(tmp_path):
    path = tmp_path / "cells.npz"
    grid = small_grid()
    np.savez_compressed(
        path,
        latitudes=grid.latitudes,
        longitudes=grid.longitudes,
        outline_vertices=np.concatenate(grid.outlines),
        outline_lengths=np.array([4, 4, 4], dtype=np.int32),
        names=np.array(["one", "two", "three"]),
        area_km2=np.arange(3.0),
    )
    again = CellGrid.load(path)
    assert again.names == ("one", "two", "three")
    for ring, expected in zip(again.outlines, grid.outlines, strict=True):
        np.testing.assert_array_equal(ring, expected)


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"outline_lengths": np.array([-4, 8, 8])}, "outline_lengths must be whole numbers from 3"),
        ({"outline_lengths": np.array([2, 5, 5])}, "outline_lengths must be whole numbers from 3"),
        ({"outline_lengths": np.array([4.0, 4, 4])}, "outline_lengths must be whole numbers"),
        ({"outline_lengths": np.array(12)}, "outline_lengths must be whole numbers"),
        ({"outline_lengths": np.array([4, 4, 5])}, "12 corners for outlines of 13"),
        ({"outline_lengths": np.array([4, 4, 2**64 - 4], np.uint64)}, "12 corners for outlines"),
        ({"outline_lengths": np.array([6, 6])}, "outlines must be 3, one per cell, got 2"),
        ({"outline_vertices": np.zeros((12, 3))}, r"shape \(V, 2\)"),
        ({"outline_vertices": np.zeros(12)}, r"shape \(V, 2\)"),
        ({"outline_vertices": np.full((12, 2), np.inf)}, "latitude must be finite"),
        ({"outline_vertices": np.full((12, 2), "1")}, "holds text where numbers should be"),
        ({"latitudes": np.array([True] * 3)}, "latitude must be a number or an array of numbers"),
        ({"latitudes": np.array([4, 4])}, "latitude and longitude must have shapes that fit"),
        ({"longitudes": None}, "it has no longitudes"),
        ({"names": np.array(["a", "b"])}, "names must be 3, one per cell, got 2"),
        ({"names": np.array([1, 2, 3])}, "names holds numbers where text should be"),
        ({"names": np.array(["a", "b", "\ud800"])}, r"names\[2\] holds half a character"),
    ],
)
def test_contents_that_are_no_grid_are_refused(tmp_path, others, words):
    path = tmp_path / "cells.npz"
    rewritten(path, **others)
    with pytest.raises(ValueError, match=r"cells\.npz is not a grid that .* wrote: .*" + words):
        CellGrid.load(path)


@pytest.mark.parametrize("change", [1, 0x55, 0xFF])
def test_one_byte_changed_is_found_or_changes_nothing(tmp_path, change):
    path = tmp_path / "cells.npz"
    grid = small_grid()
    grid.save(path)
    content = path.read_bytes()
    for place in range(0, len(content), 2):
        path.write_bytes(content[:place] + bytes([content[place] ^ change]) + content[place + 1 :])
        try:
            again = CellGrid.load(path)
        except ValueError as error:
            assert str(error).startswith(f"{path} is not a grid")  # noqa: PT017 - of many
        else:
            assert again.names == grid.names
            np.testing.assert_array_equal(again.latitudes, grid.latitudes)
            np.testing.assert_array_equal(again.longitudes, grid.longitudes)
            np.testing.assert_array_equal(again.outlines, grid.outlines)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_file_that_was_cut_short_is_named_with_what_to_do(tmp_path, part):
    path = tmp_path / "cells.npz"
    small_grid().save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ValueError, match=r"cells\.npz is not .* cut short or damaged; copy, down"):
        CellGrid.load(path)


def test_an_archive_that_unfolds_to_gigabytes_is_refused_before_it_does(tmp_path):
    path = tmp_path / "cells.npz"
    count = 1_000_000
    rewritten(
        path,
        latitudes=np.zeros(count),
        longitudes=np.zeros(count),
        outline_vertices=np.zeros((3 * count, 2)),
        outline_lengths=np.full(count, 3, np.int32),
        names=None,
    )
    assert path.stat().st_size < 100_000
    with fuzz.bounded_memory(20), pytest.raises(ValueError, match="would take far more memory"):
        CellGrid.load(path)


def test_a_grid_of_equal_boxes_with_one_long_name_is_read(tmp_path):
    south, west = (x.ravel() for x in np.mgrid[-88:88:4, -180:180:4].astype(float))
    corners = [(south, west), (south, west + 4), (south + 4, west + 4), (south + 4, west)]
    outlines = np.stack([np.stack(corner, axis=1) for corner in corners], axis=1)
    names = [f"cell {index}" for index in range(len(south))]
    names[7] = "x" * 3000  # as NumPy pads them, 48 MB of names
    CellGrid(south + 2, west + 2, list(outlines), names).save(tmp_path / "cells.npz")
    with fuzz.bounded_memory(25):
        again = CellGrid.load(tmp_path / "cells.npz")
    assert again.names == tuple(names)
    np.testing.assert_array_equal(again.outlines[5], outlines[5])


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        CellGrid.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("latitudes", "longitudes", "words"),
    [
        ([0, 10, 20], [0, 10, 20], "at least 4 centers, got 3"),
        ([0, 10, 20, 10, 0], [0, 50, 20, 50, 0], "0 and 4 are both at 0, 0"),
        ([0, 10, 90, 20, 90], [0, 50, 20, 50, 0], "2 and 4 are both at 90, 20"),
        ([0, 10, 20, 5], [0, 50, -180, 180], None),
        ([0, 0, 0, 0, 0], [0, 20, 90, 180, 270], "on one circle"),
        ([50, 50, 50, 50], [0, 20, 90, 180], "on one circle"),
        ([0, 10, 20, 95], [0, 10, 20, 30], "latitude must lie between"),
        ([0, 10, 20, np.nan], [0, 10, 20, 30], "latitude must be finite"),
        ([0, 10, 20, 30], [0, 10, 20], "shapes"),
        (5, 5, "two lists of the same length"),
    ],
)
def test_bad_centers_are_named(latitudes, longitudes, words):
    if words is None:
        assert len(CellGrid.from_centers(latitudes, longitudes)) == len(latitudes)
        return
    with pytest.raises(ValueError, match=words):
        CellGrid.from_centers(latitudes, longitudes)


@pytest.mark.parametrize(
    ("outlines", "names", "words"),
    [
        ([], None, "outlines must be 1, one per cell, got 0"),
        ([OCTANT[:2]], None, r"that of cell 0 has shape \(2, 2\)"),
        ([[(0, 0), (0, 95), (95, 0)]], None, "latitude must lie between"),
        ([OCTANT], ["a", "b"], "names must be 1, one per cell, got 2"),
        ([[*OCTANT, (np.nan, np.nan), (1, 1)]], None, r"that of cell 0 has shape \(1, 2\)"),
        ([[*OCTANT, (np.nan, np.nan)]], None, r"that of cell 0 has shape \(0, 2\)"),
        ([[*OCTANT, (np.nan, 5)]], None, "latitude must be finite"),
    ],
)
def test_bad_cells_are_named(outlines, names, words):
    with pytest.raises(ValueError, match=words):
        CellGrid([0], [0], outlines, names)


@pytest.mark.parametrize(
    ("index", "error"), [(1, IndexError), (-1, IndexError), (0.0, TypeError), (True, TypeError)]
)
def test_bad_indices_are_named(index, error):
    grid = CellGrid([30], [40], [np.array(OCTANT)], ["x"])
    with pytest.raises(error, match="cell"):
        grid.name(index)
    with pytest.raises(error, match="cell"):
        grid.outline_geojson([index])


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"names": ["x"]}, "'names' is a name of the grid's own"),
        ({"area": [1, 2]}, r"area must have 1 rows, got shape \(2,\)"),
        ({"area": 1}, "area must have 1 rows"),
        ({"area": [None]}, "would need pickle"),
    ],
)
def test_bad_facts_are_named(tmp_path, facts, words):
    grid = CellGrid([30], [40], [np.array(OCTANT)])
    with pytest.raises(ValueError, match=words):
        grid.save(tmp_path / "cells.npz", **facts)
    assert not (tmp_path / "cells.npz").exists()


def test_bad_step_is_named():
    with pytest.raises(ValueError, match="max_step must be positive, got 0"):
        CellGrid([30], [40], [np.array(OCTANT)]).outline_geojson([0], max_step=0)
