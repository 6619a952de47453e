"""Whole numbers, as people give them."""

import operator
from typing import Any


def whole(value: Any) -> int | None:  # noqa: ANN401 - whatever somebody gives
    """Return a whole number as int; None for anything else.

    Those of NumPy and torch count, too. Truths do not, though Python and old NumPy take them for 0
    and 1.
    """
    if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None
