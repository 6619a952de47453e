"""Cell grids from hostile tokens, tables, polygons, centres and archives."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import decimal
import io
import json
import tempfile
import warnings
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import shapely

from benchmarks.fuzz import bounded_memory, damaged
from combicam_widgets.geo import CellGrid, cell_raster

_TOKENS = (
    *("8744", "364", "89c6c74", "0f", "67", "4876055", "89c25", "14", "1c", "04"),
    *("2ef59bd352b93ac3", "89c259c4c0000001", "0f00000000000000"),
)
_CODES = (
    *("8928308280fffff", "08928308280fffff", "85283473fffffff", "9q8yyk8ytpxr", "u4pruydqqvj"),
    *("849VCWC8+R9", "33TWN1234567890", "0231010301213", "JO62qm", "9926584489608216576", "DE89"),
    *("0x89c25", "0000000000089c25", "8.74E+03", "filled.count.soap", "⓪"),
)
_NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 5, 89.9999999999, 90, 91, -90, 180, -180, 360, 540, 1e9, 1e300, 5e-324, -0.0),
    *(10**400, -(10**400), 2**63, 2**64, float("nan"), float("inf"), True, "1.5", "", None, 1 + 2j),
    *(np.float32(3), np.int8(4), np.array(1) > 0, np.datetime64("2026-01-01"), decimal.Decimal(1)),
    *(dt.date(2026, 1, 1), [], {}, [1, [2]], (1, 2), b"1", np.array([1.0]), range(3)),
)
_BOX = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
_GEOMETRIES: tuple[Any, ...] = (
    {"type": "Polygon", "coordinates": [_BOX]},
    {"type": "Polygon", "coordinates": [_BOX, [[2, 2], [2, 4], [4, 4], [2, 2]]]},
    {"type": "Polygon", "coordinates": [[[170, -10], [-165, -10], [-165, 10], [170, -10]]]},
    {
        "type": "MultiPolygon",
        "coordinates": [
            [[[170, -10], [180, -10], [180, 10], [170, -10]]],
            [[[-180, -10], [-165, -10], [-165, 10], [-180, -10]]],
        ],
    },
    {
        "type": "Polygon",
        "coordinates": [[[-180, 60], [0, 60], [180, 60], [180, 90], [-180, 90], [-180, 60]]],
    },
)
_CENTERS = [(0, 0), (0, 90), (60, 180), (-60, -90), (30, 40), (-27.5, 153), (51.5, -0.1)]
_TABLE = (
    "num_images: 4723695\nmin_concept_probability: ---\n"
    "class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean\n"
    "0,8744,3376,39.28162046949048,-107.94343695171831\n"
    "1,364,2728,35.9593396631232,108.13288446407641\n"
    "2,89c6c74,235,39.98461821276593,-75.21640030212768\n"
)


def attempt(rng: np.random.Generator) -> None:
    """Make a grid of something hostile; what is accepted must be a grid, and is used as one."""
    ways = (
        *(_from_tokens, _from_geojson, _from_frame, _from_table),
        *(_from_centers, _from_cells, _from_archive),
    )
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), bounded_memory():
        warnings.simplefilter("ignore")
        path = Path(folder) / "cells"
        try:
            grid = ways[rng.integers(len(ways))](rng, path)
        except (TypeError, ValueError) as error:
            _check_words(error)
        else:
            _check(grid, rng, path)


def _check_words(error: Exception) -> None:
    words = str(error)
    if not 15 <= len(words) <= 1500:
        raise AssertionError(f"a message of {len(words)} characters: {words[:200]!r}") from error


def _check(grid: CellGrid, rng: np.random.Generator, path: Path) -> None:
    count = len(grid)
    if not (np.abs(grid.latitudes) <= 90).all() or not (np.abs(grid.longitudes) <= 180).all():
        raise AssertionError("a centre is not on the Earth")
    for outline in grid.outlines:
        gap = np.isnan(outline).all(axis=1)
        if outline.ndim != 2 or not (np.abs(outline[~gap, 0]) <= 90).all():
            raise AssertionError("an outline is not on the Earth")
    if grid.names is not None and (
        len(grid.names) != count or not all(n is None or (n and type(n) is str) for n in grid.names)
    ):
        raise AssertionError(f"these are no names: {grid.names!r}")
    if not all(grid.name(index) for index in range(min(count, 3))):
        raise AssertionError("a cell has an empty name")
    if rng.random() < 0.2:
        grid.save(path)
        _check_same(grid, CellGrid.load(path))
    for act in (
        lambda: grid.at(_number(rng), _number(rng)),
        lambda: grid.distances_km(_number(rng), _number(rng)),
        lambda: grid.locate(rng.uniform(-90, 90, 9), rng.uniform(-180, 180, 9)),
        lambda: grid.outline_geojson(range(min(count, 9)), max_step=_number(rng)),
        lambda: cell_raster(grid, 16),
    ):
        try:
            act()
        except (TypeError, ValueError) as error:
            _check_words(error)


def _check_same(grid: CellGrid, other: CellGrid) -> None:
    same = (
        grid.names == other.names
        and np.array_equal(grid.latitudes, other.latitudes)
        and np.array_equal(grid.longitudes, other.longitudes)
        and len(grid.outlines) == len(other.outlines)
        and all(
            np.array_equal(a, b, equal_nan=True)
            for a, b in zip(grid.outlines, other.outlines, strict=True)
        )
    )
    if not same:
        raise AssertionError("the grid came back as another one")


def _number(rng: np.random.Generator) -> Any:  # noqa: ANN401
    if rng.random() < 0.5:
        return float(rng.uniform(-90, 90))
    return _NUMBERS[rng.integers(len(_NUMBERS))]


def _held(rng: np.random.Generator, values: list[Any]) -> Any:  # noqa: ANN401
    """Put values into one of the things that people keep them in, or into something else."""
    holders = [
        *(list, tuple, list, tuple, iter, dict.fromkeys),
        *(lambda x: np.array(x, object), lambda x: np.array([str(v) for v in x])),
        *(lambda x: str(x)[:20], lambda x: [x], lambda x: np.array(len(x)), _series, _index),
    ]
    try:
        return holders[rng.integers(len(holders))](values)
    except (OverflowError, RecursionError, TypeError, ValueError):  # not all fits into all
        return values


def _series(values: list[Any]) -> Any:  # noqa: ANN401
    import pandas as pd

    return pd.Series(values)


def _index(values: list[Any]) -> Any:  # noqa: ANN401
    import pandas as pd

    return pd.Index(values)


def _names(rng: np.random.Generator, count: int) -> Any:  # noqa: ANN401
    if rng.random() < 0.4:
        return None
    pool = ("Rome", "Ōtautahi", None, float("nan"), "", " ", np.str_("Nuuk"), "\ud800", "a\0", 7)
    some = pool if rng.random() < 0.3 else pool[:7]
    count += int(rng.integers(-1, 2)) if rng.random() < 0.1 else 0
    return _held(rng, [some[rng.integers(len(some))] for _ in range(count)])


def _from_tokens(rng: np.random.Generator, _: Path) -> CellGrid:
    pool: list[Any] = [*_TOKENS]
    if rng.random() < 0.6:
        pool += [*_CODES, *_NUMBERS]
    tokens = [pool[rng.integers(len(pool))] for _ in range(rng.integers(1, 5))]
    if rng.random() < 0.3:
        tokens += ["".join(rng.choice(list("0123456789abcdefABCDEF g"), rng.integers(0, 18)))]
    grid = CellGrid.from_s2_tokens(_held(rng, tokens), _names(rng, len(tokens)))
    tiny = {token for token in tokens if isinstance(token, str) and len(token) > 12}
    if tiny & {*_CODES} and not tiny - {*_CODES}:
        raise AssertionError(f"taken for S2: {tokens}")
    return grid


def _from_geojson(rng: np.random.Generator, path: Path) -> CellGrid:
    chosen = rng.integers(len(_GEOMETRIES), size=rng.integers(1, 4)).tolist()
    labels: list[Any] = ["a", "b", 3]
    features = [
        {"type": "Feature", "properties": {"name": labels[i]}, "geometry": _GEOMETRIES[g]}
        for i, g in enumerate(chosen)
    ]
    source: Any = json.loads(json.dumps({"type": "FeatureCollection", "features": features}))
    for _ in range(rng.integers(0, 4)):
        _spoil(rng, source)
    shape = rng.integers(6)
    if shape == 1:
        source = _Interface(source)
    elif shape == 2:
        source = source.get("features")
    elif shape > 2:
        try:
            source = json.dumps(source, default=str)
        except RecursionError:
            source = '{"features": ' + "[" * 3000
        if shape > 3:
            source = damaged(source.encode(), rng)
        if shape == 5:
            path.write_bytes(source)
            source = path
    some = labels[: len(chosen)] + [_number(rng)] * int(rng.random() < 0.3)
    classes = _held(rng, some) if rng.random() < 0.4 else None
    key = "name" if rng.random() < 0.8 else _number(rng)
    return CellGrid.from_geojson(source, classes, key, _names(rng, len(chosen)))


def _from_frame(rng: np.random.Generator, _: Path) -> CellGrid:
    pool: list[Any] = [
        *map(shapely.geometry.shape, _GEOMETRIES),
        shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]),  # crosses itself
        shapely.Polygon([(0, 0, 5), (10, 0, 5), (10, 10, 5)]),
        shapely.Polygon([(0, 0), (1e300, 0), (1e300, 1e300)]),
        shapely.Polygon([(4e5, 5e6), (5e5, 5e6), (5e5, 6e6)]),
        *(shapely.Polygon(), shapely.MultiPolygon(), shapely.Point(1, 2), shapely.Point(), None),
        shapely.GeometryCollection([shapely.box(0, 0, 1, 1)]),
        shapely.LinearRing([(0, 0), (1, 0), (1, 1)]),
    ]
    some = pool if rng.random() < 0.4 else pool[: len(_GEOMETRIES)]
    chosen = [some[rng.integers(len(some))] for _ in range(rng.integers(0, 4))]
    labels = [("a", "b", 3, None, float("nan"))[rng.integers(5)] for _ in chosen]
    systems = (None, 4326, 4326, 3857, 32633, 3031, "ESRI:54030", 4978, 5773, 'LOCAL_CS["here"]')
    system = systems[rng.integers(len(systems))]
    frame: Any = geopandas.GeoDataFrame({"name": labels, "geometry": chosen}, crs=system)
    way = rng.random()
    if way < 0.2:
        frame = frame.geometry
    elif way < 0.3:
        frame = frame.set_index("name", drop=False)
    elif way < 0.4:
        frame = frame.rename_geometry("shape")
    elif way < 0.45:
        frame = geopandas.GeoDataFrame({"name": labels})  # without geometry
    elif way < 0.5:
        frame = frame.rename(columns={"name": ("a", "b")[rng.integers(2)]})
    classes = _held(rng, labels) if rng.random() < 0.4 else None
    key = "name" if rng.random() < 0.8 else _number(rng)
    make = CellGrid.from_geojson if rng.random() < 0.2 else CellGrid.from_geodataframe
    return make(frame, classes, key, _names(rng, len(chosen)))


class _Interface:
    def __init__(self, says: object) -> None:
        self.__geo_interface__ = says


def _spoil(rng: np.random.Generator, source: Any) -> None:  # noqa: ANN401
    """Replace something within nested lists and dicts, or take it away, or nest it deeply."""
    places: list[tuple[Any, Any]] = []
    stack = [source]
    while stack:
        node = stack.pop()
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            places.append((node, key))
            if isinstance(value, list | dict):
                stack.append(value)
    if not places:
        return
    node, key = places[rng.integers(len(places))]
    way = rng.random()
    if way < 0.15:
        del node[key]
    elif way < 0.2:
        deep: Any = node[key]
        for _ in range(3000):
            deep = [deep]
        node[key] = deep
    elif way < 0.3:
        node[key] = places[rng.integers(len(places))][1]
    else:
        node[key] = copy.deepcopy(_NUMBERS[rng.integers(len(_NUMBERS))])  # it may be changed next


def _from_table(rng: np.random.Generator, path: Path) -> CellGrid:
    rows = list(csv.reader(io.StringIO(_TABLE)))
    for _ in range(rng.integers(0, 4)):
        row = rows[rng.integers(2, len(rows))]
        pool = [*_CODES, *_TOKENS, "1_0", "-0", "1e400", "nan", "9" * 5000, "²", '"', "a\0b", ""]
        row[rng.integers(len(row))] = str(pool[rng.integers(len(pool))])
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(damaged(content, rng) if rng.random() < 0.5 else content)
    return CellGrid.from_csv(path)


def _from_centers(rng: np.random.Generator, _: Path) -> CellGrid:
    latitudes, longitudes = (list(x) for x in zip(*_CENTERS, strict=True))
    for values in (latitudes, longitudes):
        if rng.random() < 0.5:
            values[rng.integers(len(values))] = _number(rng)
    if rng.random() < 0.5:
        latitudes, longitudes = _held(rng, latitudes), _held(rng, longitudes)
    return CellGrid.from_centers(latitudes, longitudes, _names(rng, len(_CENTERS)))


def _from_cells(rng: np.random.Generator, _: Path) -> CellGrid:
    outlines: Any = [[(0, 0), (0, 90), (90, 0)], [(0, 0), (0, 5), (5, 5), (5, 0)]]
    for _ in range(rng.integers(0, 3)):
        _spoil(rng, outlines)
    return CellGrid([30, 2], [40, _number(rng)], _held(rng, outlines), _names(rng, 2))


def _from_archive(rng: np.random.Generator, path: Path) -> CellGrid:
    grid, content = _saved(bool(rng.integers(2)))
    if rng.random() < 0.6:
        path.write_bytes(damaged(content, rng))
        again = CellGrid.load(path)
        _check_same(grid, again)
        return again
    with np.load(io.BytesIO(content)) as archive:
        arrays = dict(archive)
    key = str(rng.choice(list(arrays)))
    arrays[key] = _other_array(rng, arrays[key])
    save = np.savez_compressed if rng.random() < 0.3 else np.savez
    with path.open("wb") as file:
        save(file, allow_pickle=True, **arrays)
    if rng.random() < 0.5:
        claim_more(rng, path)
    return CellGrid.load(path)


@cache
def _saved(named: bool) -> tuple[CellGrid, bytes]:  # noqa: FBT001 - a key
    """Return a grid and its file; packing takes longer than all else."""
    names = ["one", None, "Ōtautahi"] if named else None
    squares = [np.array([(0, w), (0, w + 9), (9, w + 9), (9, w)], float) for w in (0, 20, 40)]
    grid = CellGrid([4, 4, 4], [4, 24, 44], squares, names)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells"
        grid.save(path, area_km2=[1.0, 2.0, 3.0])
        return grid, path.read_bytes()


def _other_array(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    ways = (
        lambda: array[:-1],
        lambda: array[None],
        lambda: np.full(array.shape, _number(rng)),
        lambda: array.astype(rng.choice(["i1", "u8", "f2", "c16", "U3", "S3", "M8[s]", "?"])),
        lambda: np.zeros((int(rng.choice([0, 10**3, 3 * 10**6])), 2)),
        lambda: np.zeros(int(rng.choice([0, 10**3, 3 * 10**6])), array.dtype),
        lambda: np.array([None] * len(array), object),
        lambda: np.array(["x" * int(rng.choice([0, 1, 10**5]))] * len(array)),
    )
    try:
        with np.errstate(all="ignore"):
            return ways[rng.integers(len(ways))]()
    except (OverflowError, TypeError, ValueError):  # not every array can be all of these
        return array.ravel()[:0]


def claim_more(rng: np.random.Generator, path: Path) -> None:
    """Have the header of an array in an archive claim another shape or type than is there."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = str(rng.choice(list(members)))
    claims = (
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000,), }",
        b"{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4, 5), }",
        b"{'descr': '<U1000000000', 'fortran_order': False, 'shape': (3,), }",
        b"{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -3), }",
        b"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,), }",
        b"(" * 5000,
    )
    header = claims[rng.integers(len(claims))] + b"\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    members[name] = start + members[name][10 + int.from_bytes(members[name][8:10], "little") :]
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in members.items():
            archive.writestr(each, content)
