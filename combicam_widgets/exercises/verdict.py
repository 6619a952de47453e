"""What a check says, and how an answer is compared: right, a usual mistake, or what differs.

The right answer is never said, nor a number from which it could be read.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Variants = Sequence[tuple[str, Callable[..., Any]]]
"""Usual mistakes: what to say of each, and how it comes about."""

_CLOSE = 1e-4
"""Relative tolerance: answers may be float32, and added up in another order."""


class NotYet(AssertionError):  # noqa: N818  - what people read is its name
    """An answer that is not right yet; the message says what is wrong, and never the answer."""

    def _render_traceback_(self) -> list[str]:
        # IPython shows this instead of a traceback through our code, which nobody has to read.
        return [f"Not yet: {self}"]


class Right(str):
    """What is said of a right answer; shown without quotes as the last value of a cell."""

    __slots__ = ()

    def __new__(cls, words: str) -> Self:
        """Say that it is right, and some words."""
        return super().__new__(cls, f"Right. {words}")

    def __repr__(self) -> str:
        return str(self)

    def _ipython_display_(self) -> None:
        # nbgrader would read the *result* of a cell as a number of points.
        print(self)  # noqa: T201


def numbers(answer: object, what: str = "answer") -> Floats:
    """Read an answer as an array of finite numbers.

    Takes numbers, (nested) lists, arrays and tensors; truths count as 0 and 1.

    Raises
    ------
    NotYet
        There is nothing yet, or it is not numbers, or not all of them are finite.
    """
    if answer is None or answer is Ellipsis:
        raise NotYet(f"There is no {what} yet: put yours in the place of the three dots.")
    if callable(answer) and not hasattr(answer, "__array__"):
        raise NotYet(f"The {what} is a function; give the value that it returns.")
    if isinstance(answer, Mapping):
        answer = list(answer.values())
    if hasattr(answer, "detach"):  # a tensor, which may still be part of a graph
        answer = answer.detach()
    try:
        array = np.asarray(answer)
    except (TypeError, ValueError):  # rows of different lengths, or something that cannot be read
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        kind = type(answer).__name__
        raise NotYet(f"The {what} must be numbers, and this is of type {kind}.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise NotYet(
            f"There are values in the {what} that are not finite numbers (NaN or infinite): "
            "was something divided by zero?"
        )
    return array


def call(function: object, *inputs: Any) -> object:  # noqa: ANN401
    """Call a learner's function with copies of the inputs.

    Raises
    ------
    NotYet
        It is no function, it stops with an error, returns nothing, or changes its inputs.
    """
    if function is None or function is Ellipsis:
        raise NotYet("There is no function yet.")
    if not callable(function):
        raise NotYet("Give the function itself, without calling it: check(f), not check(f(x)).")
    copies = [x.copy() if isinstance(x, np.ndarray | list | dict) else x for x in inputs]
    try:
        result = function(*copies)
    except NotImplementedError:
        raise NotYet("The function is still to be written.") from None
    except Exception as error:
        where = _where(function, error)
        shapes = ", ".join(str(x.shape) for x in inputs if isinstance(x, np.ndarray))
        given = f" It was called with arrays of the shapes {shapes}." if shapes else ""
        raise NotYet(
            f"The function stops{where} with {type(error).__name__}: {error}.{given}"
        ) from error
    if result is None or result is Ellipsis:
        raise NotYet("The function returns nothing: is there a `return` with a value at its end?")
    for name, (before, after) in enumerate(zip(inputs, copies, strict=True), 1):
        if isinstance(before, np.ndarray) and not np.array_equal(before, np.asarray(after)):
            raise NotYet(
                f"The function changes its input number {name}. Whoever calls it still needs it: "
                "make a new array instead (`x = x - 1`, not `x -= 1`)."
            )
    return result


def _where(function: Callable[..., Any], error: Exception) -> str:
    """Say in which line of the learner's own code an error arose, in or below their function."""
    own = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [x.line for x in traceback.extract_tb(error.__traceback__)[1:] if x.filename == own]
    return f" at `{lines[-1]}`" if lines and lines[-1] else ""


def close(a: object, b: object, tolerance: float = _CLOSE) -> bool:
    """Whether two arrays of numbers are the same, up to rounding."""
    one, other = np.asarray(a, float), np.asarray(b, float)
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return False
    scale = max(float(np.abs(other).max(initial=0)), 1e-12)
    return bool((np.abs(one - other) <= tolerance * scale).all())


def judge(
    answer: object,
    right: object,
    usual: Sequence[tuple[str, object]],
    what: str,
    tolerance: float = _CLOSE,
) -> None:
    """Compare one answer; return if it is right.

    Parameters
    ----------
    answer : object
        Whatever the learner gave.
    right : array of numbers
    usual : sequence of (words, answer)
        Usual mistakes: what to say, and the answer that it is said of.
    what : str
        What the answer is, for people.
    tolerance : float
        As a part of the largest value.

    Raises
    ------
    NotYet
        Says the first thing that is wrong.
    """
    given, wanted = numbers(answer, what), np.asarray(right, float)
    if close(given, wanted, tolerance):
        return
    for words, wrong in usual:
        if close(given, wrong, tolerance):
            raise NotYet(words)
    raise NotYet(_difference(given, wanted, what))


def judge_function(
    function: object,
    cases: list[tuple[Any, ...]],
    right: Callable[..., Any],
    usual: Variants,
    what: str,
) -> None:
    """Compare a learner's function with the right one on several inputs.

    A usual mistake is only said if it explains the answers to all inputs.

    Raises
    ------
    NotYet
        Says the first thing that is wrong.
    """
    given = [call(function, *case) for case in cases]
    read = [numbers(answer, what) for answer in given]
    wanted = [np.asarray(right(*case), float) for case in cases]
    if all(map(close, read, wanted)):
        return
    for words, wrong in usual:
        with np.errstate(all="ignore"):
            if all(close(a, wrong(*case)) for a, case in zip(read, cases, strict=True)):
                raise NotYet(words)
    for answer, truth in zip(read, wanted, strict=True):
        if not close(answer, truth):
            raise NotYet(_difference(answer, truth, what))


def names_of(answer: object, what: str, known: Iterable[str] = ()) -> list[str]:
    """Read an answer as a list of names, each at most once; ``known``: none is any.

    Raises
    ------
    NotYet
        There is nothing yet, or it is no list of names, or one of them is unknown or double.
    """
    if answer is None or answer is Ellipsis:
        raise NotYet("There is no list yet: put yours in the place of the three dots.")
    if isinstance(answer, str):
        raise NotYet(f"Give a list of names, also of one: [{answer!r}].")
    if not isinstance(answer, Iterable):
        raise NotYet(f"Give a list of names, not a {type(answer).__name__}.")
    names, there = list(answer), list(known)
    if not names:
        raise NotYet(f"The list is empty: name a {what}.")
    for name in names:
        if not isinstance(name, str):
            raise NotYet(f"Give names, not {name!r}.")
        if there and name not in there:
            raise NotYet(f"There is no {what} {name!r}; the first is {there[0]!r}.")
    if len(set(names)) < len(names):
        raise NotYet(f"A {what} is named twice: it would count double.")
    return names


def _difference(given: Floats, wanted: Floats, what: str) -> str:
    """Say in what an answer differs from the right one, without giving that away."""
    turned = given.ndim == 2 and close(given.T, wanted)
    if given.shape != wanted.shape and not turned:
        return f"The {what} has the shape {given.shape} and should have {wanted.shape}."
    several, factor = given.size > 1, _factor(given, wanted)
    seen = [
        (turned, "is transposed: rows and columns have changed places"),
        (not turned and close(-given, wanted), "has the wrong sign"),
        (
            not turned and close(np.maximum(given, 0), wanted),
            "still holds negative values: what speaks against, too (relu missing)",
        ),
        (
            factor is not None,
            (
                f"is right but for a factor, {factor or 0:.3g} everywhere: is a sum where a mean "
                "belongs, or the other way round? Percent, where parts of 1 belong?"
            ),
        ),
        (
            several and close(given - given.mean(), wanted.reshape(given.shape) - wanted.mean()),
            "is right but for a constant that is added everywhere",
        ),
        (
            several and close(np.sort(given, axis=None), np.sort(wanted, axis=None)),
            "has the right values in the wrong places",
        ),
        ((wanted >= 0).all() and (given < 0).any(), "has negative values, and should have none"),
    ]
    for applies, words in seen:
        if applies:
            return f"The {what} {words}."
    if several:
        place = np.unravel_index(np.abs(given - wanted).argmax(), given.shape)
        at = ", ".join(str(int(i)) for i in place)
        return f"The {what} differs most at [{at}], where yours is {given[place]:.4g}."
    return f"The {what} is too {'large' if given.item() > wanted.item() else 'small'}."


def _factor(given: Floats, wanted: Floats) -> float | None:
    """Return by which constant the answer is too large, if that is all; None for single numbers."""
    if wanted.size < 2 or given.shape != wanted.shape or not np.abs(wanted).max():
        return None
    factor = float((given * wanted).sum() / (wanted * wanted).sum())
    return factor if factor > 0 and close(given, factor * wanted) else None
