"""Grids from S2 tokens and tables, against Google's own S2 library."""

from contextlib import nullcontext

import numpy as np
import pytest
import s2geometry as s2

from combicam_widgets.geo import CellGrid, unit_vectors, vector_coordinates

HEADINGS = "class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean"
PREAMBLE = "num_images: 4723695\nmin_concept_probability: ---\n"
# Rows of cells_50_5000.csv.
ROWS = [
    "0,8744,3376,39.28162046949048,-107.94343695171831",
    "1,364,2728,35.9593396631232,108.13288446407641",
    "2,89c6c74,235,39.98461821276593,-75.21640030212768",
    "3,0f,4952,11.614377453150261,-9.831330920436127",
    "4,67,709,13.897449370944996,145.0139619746122",
    "5,4876055,4338,51.501124251728825,-0.17537936768095863",
]


def descend(cell, rng, cells):
    """Cut cells into quarters here and there: a partition of mixed levels."""
    if cell.level() < 9 and rng.random() < (1.0 if cell.level() < 1 else 0.3):
        for quarter in range(4):
            descend(cell.child(quarter), rng, cells)
    else:
        cells.append(cell)


@pytest.fixture(scope="module")
def partition():
    cells = []
    for face in range(6):
        descend(s2.S2CellId.FromFacePosLevel(face, 0, 0), np.random.default_rng(face), cells)
    assert len({cell.level() for cell in cells}) >= 5
    return cells


@pytest.fixture(scope="module")
def grid(partition):
    return CellGrid.from_s2_tokens([cell.ToToken() for cell in partition])


def vector(point):
    return np.array([point.x(), point.y(), point.z()])


def assert_same_places(latitudes, longitudes, points):
    vectors = np.array([vector(point) for point in points])
    found = unit_vectors(latitudes, longitudes)
    np.testing.assert_allclose(found, vectors, rtol=0, atol=2e-15)


def test_corners_and_centers_are_those_of_s2(partition, grid):
    assert_same_places(grid.latitudes, grid.longitudes, [cell.ToPoint() for cell in partition])
    for outline, cell in zip(grid.outlines, partition, strict=True):
        assert_same_places(*outline.T, [s2.S2Cell(cell).GetVertex(i) for i in range(4)])


@pytest.mark.parametrize("level", range(31))
def test_cells_of_every_level(level):
    lat, lon = vector_coordinates(np.random.default_rng(level).normal(size=(12, 3)))
    cells = [
        s2.S2CellId(s2.S2LatLng.FromDegrees(float(a), float(b))).parent(level)
        for a, b in zip(lat, lon, strict=True)
    ]
    cells = list({cell.id(): cell for cell in cells}.values())
    with nullcontext() if level <= 23 else pytest.warns(UserWarning, match="less than a metre"):
        grid = CellGrid.from_s2_tokens(cell.ToToken() for cell in cells)
    assert_same_places(grid.latitudes, grid.longitudes, [cell.ToPoint() for cell in cells])
    for outline, cell in zip(grid.outlines, cells, strict=True):
        assert_same_places(*outline.T, [s2.S2Cell(cell).GetVertex(i) for i in range(4)])


def test_points_lie_in_the_cells_that_s2_says(partition, grid):
    lat, lon = vector_coordinates(np.random.default_rng(1).normal(size=(3000, 3)))
    owners = {cell.id(): index for index, cell in enumerate(partition)}
    expected = []
    for a, b in zip(lat.tolist(), lon.tolist(), strict=True):
        leaf = s2.S2CellId(s2.S2LatLng.FromDegrees(a, b))
        parents = (leaf.parent(level).id() for level in range(31))
        expected.append(next(owners[parent] for parent in parents if parent in owners))
    np.testing.assert_array_equal(grid.locate(lat, lon), expected)


def test_tokens_in_order_with_names_in_either_case_and_with_zeros():
    grid = CellGrid.from_s2_tokens(["89C25", "0f00000000000000"], ["New York", "Guinea"])
    again = CellGrid.from_s2_tokens(["89c25", "0f"])
    assert (grid.name(0), grid.name(1)) == ("New York", "Guinea")
    np.testing.assert_array_equal(grid.latitudes, again.latitudes)
    assert (grid.at(40.7, -74.0), grid.at(11.6, -9.8)) == (0, 1)


@pytest.mark.parametrize(
    ("tokens", "error", "words"),
    [
        (["89c25", "89c22"], ValueError, r"tokens\[1\]: '89c22' is not the token of an S2 cell"),
        (["x"], ValueError, r"tokens\[0\]: 'x' is not"),
        ([""], ValueError, r"tokens\[0\]: '' is not"),
        (["d"], ValueError, "'d' is not the token"),
        (["0"], ValueError, "'0' is not the token"),
        (["89c2500000000000000"], ValueError, "is not the token"),
        (["1", "5", "10"], ValueError, "tokens 0 and 2 are both '10'"),
        ([8744], TypeError, r"tokens\[0\]: an S2 token must be text such as '89c25', got 8744"),
        ("89c25", TypeError, "tokens must be a list with one S2 token per class"),
        ([], ValueError, "at least one"),
    ],
)
def test_bad_tokens_are_named(tokens, error, words):
    with pytest.raises(error, match=words):
        CellGrid.from_s2_tokens(tokens)


@pytest.fixture
def table(tmp_path):
    def write(*rows, headings=HEADINGS, preamble="", encoding="utf-8"):
        path = tmp_path / "cells.csv"
        path.write_text(preamble + "\n".join([headings, *rows]) + "\n", encoding=encoding)
        return path

    return write


@pytest.mark.parametrize("order", [range(6), [5, 2, 0, 4, 1, 3]])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_of_geoestimation(table, order, encoding):
    path = table(*(ROWS[i] for i in order), preamble=PREAMBLE, encoding=encoding)
    grid = CellGrid.from_csv(path)
    fields = [row.split(",") for row in ROWS]
    expected = CellGrid.from_s2_tokens(row[1] for row in fields)
    np.testing.assert_array_equal(grid.latitudes, [float(row[3]) for row in fields])
    np.testing.assert_array_equal(grid.longitudes, [float(row[4]) for row in fields])
    for ring, other in zip(grid.outlines, expected.outlines, strict=True):
        np.testing.assert_array_equal(ring, other)
    np.testing.assert_array_equal(grid.locate(grid.latitudes, grid.longitudes), range(6))


def test_other_headings_spaces_and_empty_lines(table):
    headings = " Latitude ,TOKEN,longitude, Class"
    grid = CellGrid.from_csv(table("13.9, 67 ,145, 1", "", "39.3,8744,-107.9,0", headings=headings))
    assert grid.latitudes.tolist() == [39.3, 13.9]
    assert (grid.at(39.3, -107.9), grid.at(13.9, 145)) == (0, 1)


def test_grids_of_s2_cells_are_saved_and_loaded(grid, tmp_path):
    grid.save(tmp_path / "cells.npz")
    again = CellGrid.load(tmp_path / "cells.npz")
    for ring, other in zip(grid.outlines, again.outlines, strict=True):
        np.testing.assert_array_equal(ring, other)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([ROWS[0], ROWS[0]], "line 3: class 0 is already in line 2"),
        ([ROWS[0], ROWS[1].replace("1,364", "1,8744")], "line 3: cell '8744' is already in line 2"),
        ([ROWS[0], ROWS[2]], "line 3: .* there is a class 2 and no class 1"),
        ([ROWS[1]], "line 2: .* there is a class 1 and no class 0"),
        (["-1,8744,1,2,3"], "line 2: the class must be a whole number from 0, got '-1'"),
        (["0.0,8744,1,2,3"], "line 2: the class must be a whole number from 0, got '0.0'"),
        ([ROWS[0], "", "1,zz,1,2,3"], "line 4: 'zz' is not the token of an S2 cell"),
        (["0,8744,1,2"], "line 2: there must be at least 5 columns, got 4"),
        (["0,8744,1,north,3"], r"line 2: the centre must be two numbers, got \['north', '3'\]"),
        (["0,8744,1,95,3"], "line 2: latitude must lie between"),
        (["0,8744,1,2,nan"], "line 2: longitude must be finite"),
        ([], "line 1: there are no classes below the headings"),
    ],
)
def test_bad_rows_are_named(table, rows, words):
    with pytest.raises(ValueError, match=r"cells\.csv, " + words):
        CellGrid.from_csv(table(*rows))


@pytest.mark.parametrize("headings", [HEADINGS.replace("hex_id", "cell"), "", ROWS[0]])
def test_missing_headings_are_named(table, headings):
    with pytest.raises(ValueError, match="no headings found; there must be class_label or class,"):
        CellGrid.from_csv(table(*ROWS, headings=headings))


@pytest.mark.parametrize(
    ("mark", "words"), [(";", "separated by ';'"), ("\t", "separated by tabs"), ("|", r"by '\|'")]
)
def test_other_separators_are_named(table, mark, words):
    rows = [row.replace(",", mark) for row in ROWS]
    with pytest.raises(ValueError, match=words):
        CellGrid.from_csv(table(*rows, headings=HEADINGS.replace(",", mark)))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_named(table, encoding):
    rows = ["0,Z\u00fcrich,47.4,8.5", "1,Oslo,59.9,10.8"]
    path = table(*rows, headings="class,name,latitude,longitude", encoding=encoding)
    with pytest.raises(ValueError, match=r"cells\.csv is no text in UTF-8: save it"):
        CellGrid.from_csv(path)


def test_a_missing_table_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        CellGrid.from_csv(tmp_path / "none.csv")


def test_a_table_of_named_centers(table):
    headings = "Class,name,latitude,longitude"
    rows = ["1,Oslo,59.9,10.8", "0,Rome,41.9,12.5", "2,,-33.9,18.4", "3,Lima,-12,-77"]
    grid = CellGrid.from_csv(table(*rows, headings=headings))
    assert grid.names == ("Rome", "Oslo", None, "Lima")
    assert [grid.at(*p) for p in [(48, 12), (70, 20), (-20, 25), (-5, -60)]] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="line 2: the centre must be two numbers"):
        CellGrid.from_csv(table("0,Rome,x,12", headings=headings))
    both = "class,name,token,latitude,longitude"
    named = CellGrid.from_csv(table("0,x,8744,39.3,-107.9", headings=both))
    assert len(named.outlines[0]) == 4
