"""Names that come from outside: written for whoever draws them, and those that were misspelt."""

from collections.abc import Iterable
from difflib import get_close_matches
from html import escape

__all__ = ["did_you_mean", "only_text"]

_LONGEST = 100
"""Letters of a name that are compared; that takes a time that grows with their square."""


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Ask whether other names were meant, however they are capitalised.

    Parameters
    ----------
    name : str
        What there is not.
    known : iterable of str
        What there is.
    cutoff : float
        How similar names must be, in [0, 1]; see `difflib.get_close_matches`.

    Returns
    -------
    str
        A sentence with a space before it, most similar first, or nothing.
    """
    names = {each.lower(): each for each in known}
    close = get_close_matches(name[:_LONGEST].lower(), names, cutoff=cutoff)
    return f" Did you mean {' or '.join(repr(names[match]) for match in close)}?" if close else ""


def only_text(text: str) -> str:
    """Write a text so that Plotly shows it as it is: neither its few HTML tags nor TeX."""
    return escape(text, quote=False).replace("$", "&#36;")
