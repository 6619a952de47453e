"""Tokens of S2 cells, told apart from the codes of other systems.

A token is the cell's 64-bit number in hexadecimal digits, without the zeros at the end. Codes of
other systems may happen to be tokens, too: of cells a few centimetres wide, somewhere else.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from combicam_widgets.geo.given import as_sequence, brief

_LEVELS = 30
_INSTEAD = "give the outlines of its cells to from_geojson, or their centres to from_centers"

_LOOKS = (
    ("a number with Python's prefix: leave out the 0x", r"0x[0-9a-fA-F]+"),
    ("a plus code", r"(?i)[2-9CFGHJMPQRVWX0]{2,8}\+[2-9CFGHJMPQRVWX]*"),
    ("an MGRS reference", r"\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z]{2}(\d\d){0,5}"),
    ("a Maidenhead locator", r"[A-R]{2}\d\d([A-Xa-x]{2}(\d\d)?)?"),
    ("a what3words address", r"(///)?[^\W\d]+\.[^\W\d]+\.[^\W\d]+"),
    ("a quadkey", r"[0-3]{3,}"),
    ("a geohash", r"(?=.*[g-z])[0-9b-hjkmnp-z]{4,12}"),
    ("a number that a spreadsheet has made of a token: read it as text", r"\d+([.,]\d+)?E\+\d+"),
)
"""What is no token may look like one of these; the first that fits is named."""


def s2_cell_id(token: object) -> int:
    """Return the 64-bit number of a cell.

    Parameters
    ----------
    token : str
        1 to 16 hexadecimal digits, in lower or upper case.

    Raises
    ------
    TypeError
        If it is not text.
    ValueError
        If there is no such cell.
    """
    if not isinstance(token, str):
        number = int(token) if isinstance(token, int | np.integer) else 0
        hint = _number_of(number) or "read the column of a table as text, or zeros and e's are lost"
        raise TypeError(f"an S2 token must be text such as '89c25', got {brief(token)}; {hint}")
    digits = token.strip()
    number = int(digits.ljust(16, "0"), 16) if re.fullmatch(r"[0-9a-fA-F]{1,16}", digits) else 0
    if not _is_cell(number):
        raise ValueError(f"{brief(token)} is not the token of an S2 cell{_looks_like(digits)}")
    return number


def s2_cell_ids(tokens: Iterable[str]) -> list[int]:
    """Return the numbers of some cells, one per class.

    Parameters
    ----------
    tokens : iterable of C str

    Returns
    -------
    list of C int

    Raises
    ------
    TypeError, ValueError
        If a token is not one, or comes twice, or if they are rather codes of another system.
    """
    given: list[str] = []
    first: dict[int, int] = {}
    listed = as_sequence("tokens", "a list with one S2 token per class", tokens)
    for index, token in enumerate(listed):
        try:
            number = s2_cell_id(token)
        except (TypeError, ValueError) as error:
            raise type(error)(f"tokens[{index}]: {error}") from None
        if first.setdefault(number, index) != index:
            raise ValueError(f"tokens {first[number]} and {index} are both {token!r}")
        given.append(token)
    if not first:
        raise ValueError("tokens must hold at least one S2 token")
    other = of_another_system(given)
    if other is not None:
        raise ValueError(f"tokens[{other[0]}]: {other[1]}")
    return [*first]


def s2_level(number: int) -> int:
    """Return the level of a cell: 0 for a sixth of the Earth, 30 for a centimetre."""
    return _LEVELS - ((number & -number).bit_length() - 1) // 2


def s2_ancestors(tokens: Iterable[str], among: Iterable[str]) -> list[int]:
    """Find, for each of some S2 cells, which one of others it lies in, or is.

    Parameters
    ----------
    tokens, among : iterable of str
        Of cells; the others do not overlap.

    Returns
    -------
    list of int
        Indices in `among`; -1 where a cell lies in none.
    """
    others = {s2_cell_id(token): index for index, token in enumerate(among)}
    found = []
    for number in map(s2_cell_id, tokens):
        while number not in others and s2_level(number):
            end = (number & -number) << 2
            number = number & -end | end  # noqa: PLW2901
        found.append(others.get(number, -1))
    return found


def of_another_system(tokens: Sequence[str]) -> tuple[int, str] | None:
    """Index of a token that is rather the code of another system, and what it is; None if none is.

    Parameters
    ----------
    tokens : sequence of C str
        Tokens of S2 cells. They are judged together: of cells 4 cm wide, one in 1,400 looks like
        H3, but not those beside it; and hardly one token of another system comes alone.
    """
    digits = [token.strip() for token in tokens]
    tiny = [index for index, token in enumerate(digits) if len(token.rstrip("0")) > 12]
    if tiny and all(_is_h3(int(digits[index], 16)) for index in tiny):
        return tiny[0], f"{digits[tiny[0]]!r} is an H3 index, not an S2 token; {_INSTEAD}"
    quarters = [re.fullmatch("[0-3]{3,}", token) is not None for token in digits]
    telling = [len(token.strip("0")) for token in digits]
    together = all(quarters) and sum(telling) >= 12
    for index, token in enumerate(digits):
        if quarters[index] and (together or telling[index] >= 11):
            return index, f"{token!r} is rather a quadkey than an S2 token; {_INSTEAD}"
        shorter = token.lstrip("0")
        if len(token) == 16 and 3 <= len(shorter) <= 10 and token[-1] != "0":
            return index, f"{token!r} has its zeros on the wrong side; {shorter!r} is the token"
    return None


def _is_cell(number: int) -> bool:
    """Whether the closing 1 stands above an even number of bits; 6 and 7 are no faces."""
    return number >> 61 < 6 and bool(number & -number & 0x1555555555555555)


def _is_h3(number: int) -> bool:
    """Whether this is the number of an H3 cell (https://h3geo.org/docs/core-library/h3Indexing)."""
    unused = 15 - (number >> 52 & 15)
    quarters = [number >> 3 * place & 7 for place in range(15)]
    return (
        number >> 56 == 0x08
        and number >> 45 & 127 < 122
        and all(quarter == 7 for quarter in quarters[:unused])
        and 7 not in quarters[unused:]
    )


def _number_of(number: int) -> str:
    """Say which cell a decimal number is, or nothing."""
    unsigned = number % 2**64 if -(2**63) <= number < 2**64 else 0
    if _is_h3(unsigned):
        return f"this is the number of the H3 cell {unsigned:x}; {_INSTEAD}"
    if abs(number) > 10**15 and _is_cell(unsigned):
        token = f"{unsigned:016x}".rstrip("0")
        return f"this is the number of an S2 cell, whose token is {token!r}"
    return ""


def _looks_like(digits: str) -> str:
    """Say what a text is that is no token, as the end of a sentence, if it can be told."""
    if re.fullmatch("[0-9a-fA-F]{15,16}", digits) and _is_h3(int(digits, 16)):
        return f"; it is an H3 index; {_INSTEAD}"
    decimal = re.fullmatch("-?[0-9]{17,20}", digits) and not re.fullmatch("[0-3]+", digits)
    number = _number_of(int(digits)) if decimal else ""
    if number:
        return f"; {number}"
    looks = (f"; it looks like {what}" for what, form in _LOOKS if re.fullmatch(form, digits))
    return next(looks, "")
