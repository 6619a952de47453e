"""A gallery in one file that needs nothing else: no kernel, no internet."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from combicam_widgets.export.sealed import filled, sealed
from combicam_widgets.javascript import joined
from combicam_widgets.widgets.gallery.columns import PRIVATE, Column, Columns, first_axes
from combicam_widgets.widgets.gallery.page import told
from combicam_widgets.widgets.gallery.pictures import Look, Pictures, Small

MOST = 100
"""How many photos a page holds."""

_SIDE = 320
_HERE = Path(__file__).parent
_TELLING = re.compile(r"true|truth|gps|exif|distance|\bkm\b|_km\b", re.IGNORECASE)
"""Names of columns that may say where a photo was taken."""

_FAILED = "could not be explained"
"""What is said instead of an error, which may name a file."""


@dataclass(frozen=True)
class Told:
    """What a page says.

    Attributes
    ----------
    positions : bool
        Where photos were taken, and how far from there the answers lie.
    names : bool
        How photos are called, and what was wrong with which file.
    """

    positions: bool
    names: bool


def page(
    columns: Columns,
    rows: npt.NDArray[np.integer],
    pictures: Pictures,
    look: Look,
    axes: Mapping[str, str],
    title: str,
    tells: Told,
) -> str:
    """Give the text of the page.

    Parameters
    ----------
    columns : Columns
    rows : (K,) int array
        What it shows, in this order; at most `MOST` of them.
    pictures : Pictures
        What makes the pictures.
    look : Look
    axes : mapping
        Columns of the scatter, as ``x`` and ``y``; others where these are left out.
    title : str
    tells : Told
    """
    rows = rows[:MOST]
    made = [pictures.made(int(row), look, _SIDE) for row in rows]
    kept = public(columns, rows, tells)
    if not tells.names:
        kept = _named(kept, [small.name for small in made])
    head, values = told(kept)
    state: dict[str, Any] = {
        "sort_by": "",
        "filters": {},
        "search": "",
        "brush": None,
        "selected": None,
    }
    chosen = dict(axes) if kept.keys() >= set(axes.values()) else first_axes(kept)
    data = {
        **head,
        "values": [base64.b64encode(column).decode() for column in values],
        "pictures": [_picture(small, tells) for small in made],
        "state": {**state, **chosen, "heat": look.heat, "colormap": look.colormap},
    }
    return sealed(
        title=title,
        body=filled(_HERE / "handout.html", title=escape(title)),
        style=_text("gallery.css") + _text("handout.css"),
        script=joined(_HERE / "handout.js"),
        data=data,
    )


def public(columns: Columns, rows: npt.NDArray[np.integer], tells: Told) -> Columns:
    """Keep the rows and columns that a page may show, and of errors only that there was one."""
    kept = []
    for column in columns.values():
        telling = column.role in PRIVATE or bool(_TELLING.search(column.name))
        if (telling and not tells.positions) or (column.role == "photo" and not tells.names):
            continue
        part = _only_used(replace(column, values=column.values[rows]))
        if column.role == "error" and part.words and not tells.names:
            happened = np.array([*map(bool, part.words), False])[part.values]
            part = replace(part, values=np.where(happened, 0, -1), words=(_FAILED,))
            part = replace(part, values=part.values.astype(np.int32))
        kept.append(part)
    return Columns(kept)


def _only_used(column: Column) -> Column:
    """Leave out the texts of rows that are not there."""
    if column.words is None:
        return column
    used = np.unique(column.values[column.values >= 0])
    ranks = np.full(len(column.words) + 1, -1, np.int32)  # the last is for -1
    ranks[used] = np.arange(len(used))
    words = tuple(column.words[rank] for rank in used)
    return replace(column, values=ranks[column.values], words=words)


def _named(columns: Columns, names: Sequence[str]) -> Columns:
    """Call photos by their names where these are known to be no secret."""
    words = tuple(sorted({*names} - {""}))
    if not words:
        return columns
    ranks = np.array([words.index(name) if name else -1 for name in names], np.int32)
    return Columns([Column("photo", ranks, words, "photo"), *columns.values()])


def _picture(small: Small, tells: Told) -> dict[str, str]:
    code = base64.b64encode(small.jpeg).decode()
    problem = small.problem if tells.names or not small.problem else _FAILED
    url = f"data:image/jpeg;base64,{code}" if code else ""
    return {"url": url, "problem": problem, "credit": small.credit}


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
