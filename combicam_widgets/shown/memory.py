"""Remembering what was worked out of a thing, for as long as that thing lives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")


def remembered(at_most: int) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Remember the decorated function's last values, and no longer than its first argument lives.

    Unlike `functools.lru_cache` it keeps nothing alive: a grid that nobody else holds goes, with
    all that was worked out of it. So the values must not hold that argument.

    Parameters
    ----------
    at_most : int
        Number of values that are kept for one first argument; the oldest goes first.
    """

    def decorate(function: Callable[..., T]) -> Callable[..., T]:
        kept: WeakKeyDictionary[Any, OrderedDict[tuple[Any, ...], T]] = WeakKeyDictionary()

        @wraps(function)
        def remembering(of: Any, *rest: Any) -> T:  # noqa: ANN401
            known = kept.setdefault(of, OrderedDict())
            try:
                return known[rest]
            except KeyError:
                value = known[rest] = function(of, *rest)
            while len(known) > at_most:
                known.popitem(last=False)
            return value

        return remembering

    return decorate
