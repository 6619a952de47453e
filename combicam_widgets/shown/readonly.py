"""Containers that can be read like any other, and not be changed."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

K = TypeVar("K")
V = TypeVar("V")


class ReadOnlyDict(dict[K, V]):
    """A dict that says what to do instead when somebody tries to change it in place.

    It equals a dict with the same items, and becomes one by ``dict(it)`` or ``it | more``.
    """

    def _refuse(self, *_given: object, **_more: object) -> NoReturn:
        raise TypeError(
            "What is shown cannot be changed in place. Give another dict instead, such as "
            "explorer.weights = {**explorer.weights, name: value} for the weights."
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self),)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copy an array so that it cannot be made writeable again, not even on purpose."""
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)
