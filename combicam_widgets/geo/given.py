"""What people give: numbers, whole numbers and names, in whatever their tables hold them.

NumPy takes True for 1, "1.5" for 1.5 and 1 + 2j for 1; here they are refused.
"""

import re
import reprlib
import sys
from collections.abc import Iterable, Mapping, Sized
from collections.abc import Set as AbstractSet
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.whole import whole

_UNFIT = re.compile("[\0\ud800-\udfff]")
"""What no file and no page can hold: NUL, and halves of characters."""
_LONGEST = 80
"""Characters of a value that a message quotes."""


class _Brief(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _LONGEST

    def repr_int(self, x: int, _level: int) -> str:
        """Python refuses to write out numbers of more than 4,300 digits."""
        return repr(x) if abs(x) < 10**20 else f"a whole number of {x.bit_length()} bits"


_brief = _Brief()


def brief(value: object) -> str:
    """Quote a value in a message, however long or deep it is."""
    return _brief.repr(value)


def as_numbers(
    name: str, values: ArrayLike, what: str = "a number or an array of numbers"
) -> NDArray[np.float64]:
    """Turn numbers into an array.

    Parameters
    ----------
    name, what : str
        The argument's name and what it should be, for the message.
    values : array-like
        Real numbers, as Python, NumPy, pandas or torch have them, of any shape.

    Returns
    -------
    ndarray of float64
        A copy; may hold NaN and infinities. Values that NumPy masks are NaN.

    Raises
    ------
    TypeError
        If one of the values is not a real number.
    ValueError
        If one is too large for float64.
    """
    if type(values) is np.ndarray and values.dtype == np.float64:  # thousands of outlines
        return values.copy()
    try:
        if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "iuf":
            values = np.ma.filled(values.astype(np.float64), np.nan)
        array, kinds = np.asarray(values), set()
        if array.dtype.kind == "O" or not hasattr(values, "__array__"):
            flat = np.asarray(values, object).ravel().tolist()
            missing = [_is_pandas_na(value) for value in flat]
            kinds = {type(value) for value, none in zip(flat, missing, strict=True) if not none}
            if any(missing):  # before version 3, pandas makes objects of whole numbers with gaps
                array = np.where(np.reshape(missing, array.shape), np.nan, array)
        real = array.dtype.kind == "O" and all(issubclass(kind, Real) for kind in kinds)
        if (real or array.dtype.kind in "iuf") and not kinds & {bool, np.bool_}:
            with np.errstate(over="ignore"):  # infinite, then
                return array.astype(np.float64)
    except OverflowError:
        raise ValueError(f"{name} must be finite, got {brief(values)}") from None
    except (RuntimeError, TypeError, ValueError):  # ragged rows; tensors that cannot be arrays
        pass
    raise TypeError(f"{name} must be {what}, got {brief(values)}")


def as_whole(name: str, value: object) -> int:
    """Return a whole number as int, or say that it is none (TypeError). Truths are none."""
    number = whole(value)
    if number is None:
        raise TypeError(f"{name} must be a whole number, got {brief(value)}")
    return number


def as_sequence(name: str, what: str, values: Iterable[Any]) -> Iterable[Any]:
    """Return something that holds one value per class in order, or say that it does not.

    Parameters
    ----------
    name, what : str
        The argument's name and what it should be, for the message.
    values : iterable

    Raises
    ------
    TypeError
        If it is a single text, has no order, or is not iterable.
    """
    single = not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0
    if single or isinstance(values, str | bytes | bytearray | Mapping | AbstractSet):
        raise TypeError(f"{name} must be {what}, got {brief(values)}")
    return values


def is_missing(value: object) -> bool:
    """Whether a value stands for none: None, NaN, pandas' NA and NaT, or no visible text."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    pandas = sys.modules.get("pandas")
    return value is None or _is_pandas_na(value) or (pandas is not None and value is pandas.NaT)


def _is_pandas_na(value: object) -> bool:
    pandas = sys.modules.get("pandas")  # whoever has its values has imported it
    return pandas is not None and value is pandas.NA


def as_text(name: str, value: object) -> str | None:
    """Return a text that can be shown and saved; None for a missing one, see `is_missing`.

    Raises
    ------
    TypeError
        If it is something else.
    ValueError
        If it holds half a character or a NUL.
    """
    if is_missing(value):
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text or None, got {brief(value)}")
    if _UNFIT.search(value):
        raise ValueError(f"{name} holds half a character or a NUL, got {brief(value)}")
    return str(value)


def as_names(names: Iterable[object] | None, count: int) -> tuple[str | None, ...] | None:
    """Return one name per cell, None where it is missing; None if there is no name at all.

    Parameters
    ----------
    names : iterable of str, optional
        Of a mapping, its keys.
    count : int
        How many cells there are.

    Raises
    ------
    TypeError
        If they are no list, or one is not text.
    ValueError
        If there are not as many as cells.
    """
    if names is None:
        return None
    if isinstance(names, Mapping):
        names = list(names)  # in their order
    given = list(islice(as_sequence("names", "a list with one name per cell", names), count + 1))
    if len(given) != count:
        got = len(names) if isinstance(names, Sized) else min(len(given), count)
        more = " and more" if not isinstance(names, Sized) and len(given) > count else ""
        raise ValueError(f"names must be {count}, one per cell, got {got}{more}")
    texts = tuple(as_text(f"names[{index}]", name) for index, name in enumerate(given))
    return texts if any(text is not None for text in texts) else None
