"""Tokens of S2 cells, and the codes of other systems that are taken for them."""

import warnings

import numpy as np
import pandas as pd
import pytest
import s2geometry as s2

from combicam_widgets.geo import CellGrid

# Cells of H3 in San Francisco and New York, as its documentation has them.
H3 = ["8928308280fffff", "85283473fffffff", "8a2a1072b59ffff", "8001fffffffffff"]


def h3_index(rng, resolution):
    """Number of an H3 cell by its bits: mode 1, resolution, one of 122 cells, 3 bits a level."""
    digits = [int(digit) for digit in rng.integers(0, 7, resolution)] + [7] * (15 - resolution)
    digits[-1] = digits[-1] or 1  # of a zero at the end, nobody could say whose it is
    number = 1
    for value, bits in [(0, 3), (resolution, 4), (int(rng.integers(122)), 7)]:
        number = number << bits | value
    for digit in digits:
        number = number << 3 | digit
    return number


def s2_tokens(level, count, seed):
    rng = np.random.default_rng(seed)
    places = np.degrees(np.arcsin(rng.uniform(-1, 1, count))), rng.uniform(-180, 180, count)
    cells = (
        s2.S2CellId(s2.S2LatLng.FromDegrees(float(a), float(b))).parent(level)
        for a, b in zip(*places, strict=True)
    )
    return list(dict.fromkeys(cell.ToToken() for cell in cells))


@pytest.mark.parametrize("token", H3)
@pytest.mark.parametrize("form", ["{}", "0{}", "{} "])
def test_indices_of_h3_are_refused_by_name(token, form):
    given = form.format(token)
    with pytest.raises(ValueError, match=r"tokens\[1\]: .*H3 index.*from_geojson.*from_centers"):
        CellGrid.from_s2_tokens(["89c25", given, "67"])
    with pytest.raises(ValueError, match="H3"):
        CellGrid.from_s2_tokens([given.upper()])


@pytest.mark.parametrize("resolution", range(16))
def test_h3_of_every_resolution_is_refused(resolution):
    rng = np.random.default_rng(resolution)
    for _ in range(50):
        tokens = [f"{h3_index(rng, resolution):{form}}" for form in ("x", "016x")]
        for token in tokens:
            with pytest.raises(ValueError, match="H3"):
                CellGrid.from_s2_tokens([token, "89c25"])


def test_h3_in_decimals_is_refused():
    for number in (617700169958293503, np.uint64(617700169958293503), "617700169958293503"):
        with pytest.raises((TypeError, ValueError), match="H3 cell 8928308280fffff"):
            CellGrid.from_s2_tokens([number])


@pytest.mark.parametrize("level", [0, 2, 5, 10, 15, 20, 24, 26, 27, 28, 29, 30])
def test_tokens_of_s2_are_none_of_them(level):
    tokens = s2_tokens(level, 1500, level)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if level <= 23 else "ignore")
        grid = CellGrid.from_s2_tokens(tokens)
        assert len(grid) == len(tokens)
        for token in tokens[:50]:
            CellGrid.from_s2_tokens([token])
            CellGrid.from_s2_tokens([token.ljust(16, "0"), "89c25"])


def test_the_first_cells_along_the_curve_are_cells():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for level in range(31):
            token = s2.S2CellId.FromFacePosLevel(0, 0, level).ToToken()
            CellGrid.from_s2_tokens([token, "89c25"])


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("9q8yyk8ytpxr", "looks like a geohash"),
        ("u4pruydqqvj", "looks like a geohash"),
        ("849VCWC8+R9", "looks like a plus code"),
        ("33TWN1234567890", "looks like an MGRS reference"),
        ("4QFJ12345678", "looks like an MGRS reference"),
        ("JO62qm", "looks like a Maidenhead locator"),
        ("filled.count.soap", "looks like a what3words address"),
        ("0231010301213", "is rather a quadkey"),
        ("0231010301212", "looks like a quadkey"),
        ("02310103012130123012", "looks like a quadkey"),
        ("9926584489608216576", "number of an S2 cell, whose token is '89c25'"),
        ("-8520159584101335040", "number of an S2 cell, whose token is '89c25'"),
        ("8.74E+03", "looks like a number that a spreadsheet has made of a token"),
        ("0x89c25", "leave out the 0x"),
        ("0000000000089c25", "zeros on the wrong side; '89c25' is the token"),
    ],
)
def test_codes_of_other_systems_are_refused_by_name(token, words):
    for tokens in ([token], ["67", token]):
        with pytest.raises(
            ValueError, match=rf"tokens\[{len(tokens) - 1}\]: '{token[:1]}.*{words}"
        ):
            CellGrid.from_s2_tokens(tokens)


def test_short_quadkeys_are_known_by_their_company():
    with pytest.raises(ValueError, match=r"tokens\[0\]: '0231' is rather a quadkey"):
        CellGrid.from_s2_tokens(["0231", "0213", "1301", "1021"])
    assert len(CellGrid.from_s2_tokens(["0231", "0213", "1301", "89c25"])) == 4
    assert len(CellGrid.from_s2_tokens(["1", "3"])) == 2


@pytest.mark.parametrize("kind", [int, np.int64, np.uint64])
def test_numbers_of_s2_cells_are_refused_with_their_token(kind):
    cell = s2.S2CellId.FromToken("6b914")
    with pytest.raises(TypeError, match=r"tokens\[0\].*must be text.* whose token is '6b914'"):
        CellGrid.from_s2_tokens([kind(cell.id())])
    beyond = s2.S2CellId.FromToken("89c25").id()  # as databases with signed numbers have it
    with pytest.raises(TypeError, match="whose token is '89c25'"):
        CellGrid.from_s2_tokens([beyond - 2**64])


@pytest.mark.parametrize(
    "token",
    [
        None,
        float("nan"),
        pd.NA,
        8744.0,
        True,
        b"89c25",
        ["89c25"],
        pytest.param(-(10**5000), id="huge"),
    ],
)
def test_what_is_not_text_is_refused(token):
    with pytest.raises(TypeError, match=r"tokens\[1\]: an S2 token must be text such as '89c25'"):
        CellGrid.from_s2_tokens(["67", token])


@pytest.mark.parametrize("tokens", [{"67", "89c25"}, {"67": 0}, b"67", 5, None, np.array("67")])
def test_what_is_no_list_is_refused(tokens):
    with pytest.raises(TypeError, match="tokens must be a list with one S2 token per class"):
        CellGrid.from_s2_tokens(tokens)


@pytest.mark.parametrize("kind", [tuple, np.array, pd.Series, pd.Index, iter])
def test_tokens_are_taken_from_tables(kind):
    grid = CellGrid.from_s2_tokens(kind(["89c25", "0f", "67"]))
    assert (grid.at(40.7, -74.0), grid.at(11.6, -9.8), grid.at(13.9, 145)) == (0, 1, 2)


def test_a_cell_of_centimetres_is_questioned_where_it_is_given():
    with pytest.warns(
        UserWarning, match=r"tokens\[1\] is an S2 cell of level 30, less than a"
    ) as w:
        CellGrid.from_s2_tokens(["89c25", "89c259c4c0000001"])
    assert w[0].filename == __file__


def test_a_table_of_h3_is_refused_by_its_line(tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text("class,token,latitude,longitude\n1,67,14,145\n0,8928308280fffff,37.8,-122.4\n")
    with pytest.raises(ValueError, match=r"cells\.csv, line 3: '8928308280fffff' is an H3 index"):
        CellGrid.from_csv(path)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("0,67,1_0,145", r"the centre must be two numbers, got \['1_0', '145'\]"),
        ("0,67,1e400,145", "latitude must be finite"),
        (f"{'9' * 5000},67,14,145", "the class must be a whole number from 0, got '99999"),
        ("²,67,14,145", "the class must be a whole number"),
        ("0,67,14", "at least 4 columns, got 3; if the file was cut short, copy"),
        ("0,9q8yyk,14,145", "it looks like a geohash"),
        ("0,6\0007,14,145", "line 2:"),
    ],
)
def test_bad_rows_are_named(tmp_path, row, words):
    path = tmp_path / "cells.csv"
    path.write_text(f"class,token,latitude,longitude\n{row}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"cells\.csv, line 2: .*" + words.removeprefix("line 2:")):
        CellGrid.from_csv(path)


@pytest.mark.parametrize("load", [CellGrid.from_csv, CellGrid.load, CellGrid.from_geojson])
def test_paths_that_are_none(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("~/none.npz", tmp_path / "none.npz", "~nobody-at-all/none.npz"):
        with pytest.raises(FileNotFoundError, match="none"):
            load(path)
    for path in ("", "\0", "x" * 5000):
        with pytest.raises(ValueError, match="path must name a file"):
            load(path)
    with pytest.raises(TypeError, match="path"):
        load(7)
