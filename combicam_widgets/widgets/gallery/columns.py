"""The columns of a table of photos: sorted, filtered, and written for a page. No widgets here.

`table.js` does the same in the page; what either gives is equal to the last row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from combicam_widgets.geo.given import brief
from combicam_widgets.labels import did_you_mean

Mask = npt.NDArray[np.bool_]
Condition = Any
"""bool, str, tuple of str, or (low, high), each float or None."""

_ROLES = {
    "photo": ("photo", "name", "file", "path"),
    "place": ("place",),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng"),
    "true_latitude": ("true_latitude", "truth_latitude"),
    "true_longitude": ("true_longitude", "truth_longitude"),
    "distance": ("distance_km", "distance", "error_km"),
    "probability": ("probability", "confidence"),
    "worth": ("worth",),
    "error": ("error",),
    "seen": ("seen",),
    "carrier": ("carried by", "carried_by", "carrier"),
}
"""What columns mean, by the names that they may have."""

PRIVATE = ("true_latitude", "true_longitude", "distance")
"""Roles of what says where a photo was taken."""

_LABELS = {
    "distance": "error (km)",
    "error": "what went wrong",
    "true_latitude": "true latitude",
    "true_longitude": "true longitude",
}
_OF_LAYER = re.compile(r"(share|alone)[\s:._/]+(.+)", re.DOTALL)
_LAYER_LABELS = {"share": "share of {}", "alone": "worth of {} alone"}
_CARRIER = "carried by"
_EXACT = 2**53
"""Whole numbers up to this are told apart by a page."""


_AXES = (("distance", "probability", "worth"), ("worth", "probability", "latitude"))
"""What the axes of the scatter show at first: the first column there is."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        As in the table.
    values : (N,) array
        float64 or float32, NaN where nothing is known; or int32 ranks in `words`, -1 for nothing.
    words : tuple of str or None
        Of texts: all that there are, sorted. None: numbers.
    role : str
        What it means, one of "photo", "place", "latitude", "longitude", "true_latitude",
        "true_longitude", "distance", "probability", "worth", "error", "seen", "carrier", "share",
        "alone"; "" if that is not known.
    """

    name: str
    values: npt.NDArray[Any]
    words: tuple[str, ...] | None
    role: str

    @property
    def label(self) -> str:
        """What it is called on the page."""
        if self.role in _LAYER_LABELS and self.layer:
            return _LAYER_LABELS[self.role].format(self.layer)
        return _LABELS.get(self.role, self.name.replace("_", " "))

    @property
    def layer(self) -> str:
        """The layer that it is about, "" for none."""
        found = _OF_LAYER.fullmatch(self.name)
        return found[2] if found else ""

    def keys(self, *, descending: bool = False) -> npt.NDArray[Any]:
        """Give what to sort by, ascending: nothing comes last in either order."""
        keys = -self.values if descending else self.values.copy()
        if self.words is not None:
            keys[self.values < 0] = len(self.words)
        return keys

    def text(self, row: int) -> str:
        """Return the text of a row, "" for nothing; only for texts."""
        rank = int(self.values[row])
        return self.words[rank] if self.words is not None and rank >= 0 else ""

    def where(self, condition: Condition) -> Mask:
        """Tell in which rows a condition holds, checked by `checked`."""
        rows: Mask
        if isinstance(condition, bool):
            rows = self._known() == condition
            return rows
        if self.words is None:
            low, high = condition
            numbers = self.values.astype(np.float64)  # bounds are not rounded, as in the page
            rows = ~np.isnan(numbers)
            if low is not None:
                rows &= numbers >= low
            if high is not None:
                rows &= numbers <= high
            return rows
        if isinstance(condition, str):
            meant = [folded(condition) in folded(word) for word in self.words]
        else:
            meant = [word in condition for word in self.words]
        rows = np.array([*meant, False])[self.values]  # the last is for -1
        return rows

    def _known(self) -> Mask:
        rows: Mask
        if self.words is None:
            rows = ~np.isnan(self.values)
        else:
            rows = np.array([*map(bool, self.words), False])[self.values]
        return rows


class Columns(Mapping[str, Column]):
    """All columns of a table, by name.

    Parameters
    ----------
    columns : sequence of Column
        Of the same length, with different names.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {column.name: column for column in columns}
        self.rows = len(columns[0].values) if columns else 0

    def __getitem__(self, name: str) -> Column:
        return self._columns[name]

    def __iter__(self) -> Any:  # noqa: ANN401
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def find(self, name: object, argument: str) -> Column:
        """Return a column that somebody named.

        Raises
        ------
        TypeError
            This is no name.
        ValueError
            There is no such column, with what may have been meant.
        """
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be the name of a column, not {brief(name)}.")
        if not len(self):
            raise ValueError(f"{argument}: there are no columns before there are photos: many.")
        if name not in self:
            hint = did_you_mean(name, self) or f" The columns are {', '.join(self)}."
            raise ValueError(f"{argument}: there is no column {name!r:.60}.{hint}")
        return self[name]


def columns_of(frame: Any) -> Columns:  # noqa: ANN401
    """Read a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per photo. Numbers and truths stay what they are, whatever else there is becomes
        text.

    Returns
    -------
    Columns
        With "carried by" at the end, the layer with the largest share, where there are shares of
        layers and no such column yet.
    """
    names = [str(name) for name in frame.columns]
    if doubled := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"The table has two columns {doubled!r}: rename one of them.")
    found = [_column(name, frame.iloc[:, i]) for i, name in enumerate(names)]
    shares = [column for column in found if column.role == "share" and column.words is None]
    if shares and not any(column.role == "carrier" for column in found):
        found.append(_carrier(shares))
    return Columns(found)


def first_axes(columns: Columns) -> dict[str, str]:
    """Choose what a scatter shows at first: names of columns for ``x`` and ``y``, or ""."""
    axes: dict[str, str] = {}
    numbers = [column for column in columns.values() if column.words is None]
    # Of photos without a known place, say, no distance is known.
    numbers = [each for each in numbers if not np.isnan(each.values).all()] or numbers
    for axis, roles in zip("xy", _AXES, strict=True):
        left = [column for column in numbers if column.name not in axes.values()]
        fitting = [c for role in roles for c in left if c.role == role] or left or numbers
        axes[axis] = fitting[0].name if fitting else ""
    return axes


def ordered(columns: Columns, sort_by: str) -> npt.NDArray[np.intp]:
    """Sort rows.

    Parameters
    ----------
    columns : Columns
    sort_by : str
        Name of a column, with "-" before it for the largest first; "" for the given order.

    Returns
    -------
    (N,) array of int
        All rows; equal ones in the given order, those of which nothing is known at the end. As
        ``DataFrame.sort_values(kind="stable")`` sorts.
    """
    if not sort_by:
        return np.arange(columns.rows)
    name, descending = direction(columns, sort_by)
    return np.argsort(columns[name].keys(descending=descending), kind="stable")


def direction(columns: Columns, sort_by: str) -> tuple[str, bool]:
    """Take apart what to sort by: a column, and whether the largest comes first."""
    descending = sort_by.startswith("-") and sort_by not in columns
    return (sort_by[1:] if descending else sort_by), descending


def matching(columns: Columns, filters: Mapping[str, Condition], search: str) -> Mask:
    """Tell which rows meet all conditions and hold a text in any of their columns: (N,) bool."""
    rows = np.ones(columns.rows, bool)
    for name, condition in filters.items():
        rows &= columns[name].where(condition)
    for word in folded(search).split():
        found = [c.where(word) for c in columns.values() if c.words is not None]
        rows &= np.logical_or.reduce(found) if found else np.zeros(columns.rows, bool)
    return rows


def checked(columns: Columns, filters: Mapping[Any, Any], argument: str) -> dict[str, Condition]:
    """Check conditions by column.

    Raises
    ------
    TypeError, ValueError
        One of them means nothing.
    """
    return {
        column.name: _condition(column, given, f"{argument}[{column.name!r}]")
        for column, given in (
            (columns.find(name, argument), given) for name, given in filters.items()
        )
    }


def folded(text: str) -> str:
    """Write a text as it is searched: small letters without their accents."""
    apart = unicodedata.normalize("NFKD", text.lower())
    return "".join(letter for letter in apart if not unicodedata.category(letter).startswith("M"))


def for_page(columns: Columns) -> tuple[list[dict[str, Any]], list[bytes]]:
    """Write columns for `table.js`.

    Returns
    -------
    list of dict
        Of each column: name, label, role, type ("f8", "f4" or "i4", little-endian) and words.
    list of bytes
        Its values.
    """
    heads, values = [], []
    for column in columns.values():
        kind = f"{column.values.dtype.kind}{column.values.dtype.itemsize}"
        heads.append(
            {
                "name": column.name,
                "label": column.label,
                "role": column.role,
                "type": kind,
                "words": column.words and [_speakable(word) for word in column.words],
            }
        )
        values.append(column.values.astype(f"<{kind}").tobytes())
    return heads, values


def _speakable(text: str) -> str:
    """Write a text without what UTF-8 does not have; names of files may hold it."""
    return text.encode(errors="replace").decode()


def _column(name: str, series: Any) -> Column:  # noqa: ANN401
    role = next((role for role, names in _ROLES.items() if name.lower() in names), "")
    if not role and (of_layer := _OF_LAYER.fullmatch(name)):
        role = of_layer[1]
    missing = np.asarray(series.isna(), bool)
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iuf" and not (kind in "iu" and _too_large(series)):
        single = str(series.dtype).lower() in {"float32", "float16"}
        values = series.to_numpy(np.float32 if single else np.float64, na_value=np.nan)
        return Column(name, values, None, role)
    if kind == "b":
        series = series.map({True: "yes", False: "no"})
    texts = ["" if nothing else str(value) for value, nothing in zip(series, missing, strict=True)]
    known = sorted({text for text, nothing in zip(texts, missing, strict=True) if not nothing})
    ranks = {word: rank for rank, word in enumerate(known)}
    values = np.array([-1 if no else ranks[t] for t, no in zip(texts, missing, strict=True)])
    return Column(name, values.astype(np.int32), tuple(known), role)


def _too_large(series: Any) -> bool:  # noqa: ANN401
    return len(series) > 0 and max(abs(int(series.min())), abs(int(series.max()))) > _EXACT


def _carrier(shares: Sequence[Column]) -> Column:
    layers = [column.layer for column in shares]
    words = sorted(set(layers))
    table = np.stack([np.asarray(column.values, np.float64) for column in shares])
    known = ~np.isnan(table).all(axis=0)
    most = np.argmax(np.where(np.isnan(table), -np.inf, table), axis=0)
    ranks = np.array([words.index(layer) for layer in layers], np.int32)[most]
    return Column(_CARRIER, np.where(known, ranks, -1).astype(np.int32), tuple(words), "carrier")


def _condition(column: Column, given: Any, argument: str) -> Condition:  # noqa: ANN401
    if isinstance(given, (bool, np.bool_)):
        return bool(given)
    if column.words is not None:
        if isinstance(given, str):
            return given
        if isinstance(given, Sequence) and all(isinstance(word, str) for word in given):
            return tuple(given)
        raise TypeError(
            f"{argument} must be a text to look for, a list of texts, or True or False for "
            f"something or nothing, not {brief(given)}."
        )
    if isinstance(given, str) or not isinstance(given, (Sequence, np.ndarray)) or len(given) != 2:
        raise TypeError(
            f"{argument} must be (low, high), None for no bound, or True or False for something "
            f"or nothing, not {brief(given)}."
        )
    low, high = (_bound(value, argument) for value in given)
    if low is not None and high is not None and low > high:
        raise ValueError(f"{argument} must be (low, high) with low <= high, not {brief(given)}.")
    return low, high


def _bound(value: Any, argument: str) -> float | None:  # noqa: ANN401
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (Real, np.number)):
        raise TypeError(f"{argument} must hold numbers or None, not {brief(value)}.")
    if not np.isfinite(bound := float(value)):
        raise ValueError(f"{argument} must hold finite numbers or None, not {brief(value)}.")
    return bound
