"""Tables of cells: S2 cells as published with GeoEstimation (ECCV 2018), or named centres."""

import csv
import io
from collections.abc import Iterator
from os import PathLike
from typing import NamedTuple

import numpy as np

from combicam_widgets import files
from combicam_widgets.geo.earth import Floats, check_coordinates
from combicam_widgets.geo.given import brief
from combicam_widgets.geo.tokens import of_another_system, s2_cell_id

_HEADINGS = (
    ("class_label", "class"),
    ("hex_id", "token"),
    ("latitude_mean", "latitude"),
    ("longitude_mean", "longitude"),
)
_NAMED = ("name", "place")
"""Headings of the column that stands for tokens in a table of centres."""
_PREAMBLE = 9
"""How many lines may stand before the headings; GeoEstimation has two."""


class _Row(NamedTuple):
    line: int
    label: int
    token: str
    latitude: float
    longitude: float


def read_cell_table(
    path: str | PathLike[str],
) -> tuple[list[str] | None, list[str] | None, Floats, Floats]:
    """Read the cells of a network, sorted by class.

    Parameters
    ----------
    path : path-like
        See `CellGrid.from_csv`.

    Returns
    -------
    tokens, names : list of C str, or None
        Either the S2 tokens or, if there is no column of these, the names.
    latitudes, longitudes : ndarray of float64, shape (C,)
        Degrees.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not such a table; the message names the line.
    """
    path = files.source(path)
    try:
        text = files.content(path).decode("utf-8-sig")
    except UnicodeError as error:
        raise ValueError(f"{path.name} is no text in UTF-8: save it as CSV UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    numbered = ((reader.line_num, row) for row in reader)
    try:
        columns, named = _columns(numbered)
        rows = _sorted(numbered, columns, named=named)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{path.name}, line {reader.line_num}: {error}") from error
    for label, row in enumerate(rows):
        if row.label != label:
            raise ValueError(
                f"{path.name}, line {row.line}: classes must be 0, 1, 2 and so on without gaps, "
                f"but there is a class {row.label} and no class {label}"
            )
    tokens = [row.token for row in rows]
    other = None if named else of_another_system(tokens)
    if other is not None:
        raise ValueError(f"{path.name}, line {rows[other[0]].line}: {other[1]}")
    return (
        None if named else tokens,
        tokens if named else None,
        np.array([row.latitude for row in rows]),
        np.array([row.longitude for row in rows]),
    )


def _sorted(
    numbered: Iterator[tuple[int, list[str]]], columns: list[int], *, named: bool
) -> list[_Row]:
    """Parse the rows of a table and sort them by class; classes and S2 cells come once."""
    classes: dict[int, _Row] = {}
    cells: dict[int, _Row] = {}
    for line, entries in numbered:
        if any(map(str.strip, entries)):
            row = _parsed(line, entries, columns)
            earlier = classes.setdefault(row.label, row)
            if earlier is not row:
                raise ValueError(f"class {row.label} is already in line {earlier.line}")
            if not named and (earlier := cells.setdefault(s2_cell_id(row.token), row)) is not row:
                raise ValueError(f"cell {row.token!r} is already in line {earlier.line}")
    if not classes:
        raise ValueError("there are no classes below the headings")
    return [classes[label] for label in sorted(classes)]


def _columns(numbered: Iterator[tuple[int, list[str]]]) -> tuple[list[int], bool]:
    """Find the headings: columns of class, token or name, latitude, longitude; is it a name."""
    other = None
    for line, entries in numbered:
        other = other or next((mark for mark in ";\t|" if _is_apart(entries, mark)), None)
        headings = [heading.strip().lower() for heading in entries]
        found = [[headings.index(n) for n in names if n in headings] for names in _HEADINGS]
        names = [headings.index(n) for n in _NAMED if n in headings]
        named = not found[1] and bool(names)
        if named:
            found[1] = names
        if all(found):
            return [columns[0] for columns in found], named
        if line > _PREAMBLE:
            break
    if other is not None:
        name = "tabs" if other == "\t" else repr(other)
        raise ValueError(
            f"columns are separated by {name}: save the table with commas (and points in numbers)"
        )
    wanted = ", ".join(" or ".join(names) for names in _HEADINGS)
    raise ValueError(f"no headings found; there must be {wanted}; name may stand for the token")


def _is_apart(entries: list[str], mark: str) -> bool:
    """Whether a line would be headings if another mark separated its columns."""
    headings = [heading.strip().lower() for heading in ",".join(entries).split(mark)]
    return all(set(names) & set(headings) for names in (_HEADINGS[0], *_HEADINGS[2:]))


def _parsed(line: int, entries: list[str], columns: list[int]) -> _Row:
    if len(entries) <= max(columns):
        raise ValueError(
            f"there must be at least {max(columns) + 1} columns, got {len(entries)}; "
            "if the file was cut short, copy or download it again"
        )
    label, token, *place = (entries[column].strip() for column in columns)
    if not (label.isascii() and label.isdigit() and len(label) < 16):
        raise ValueError(f"the class must be a whole number from 0, got {brief(label)}")
    try:
        latitude, longitude = (float(part.replace("_", " ")) for part in place)
    except ValueError:
        raise ValueError(f"the centre must be two numbers, got {brief(place)}") from None
    check_coordinates(latitude, longitude)
    return _Row(line, int(label), token, latitude, longitude)
