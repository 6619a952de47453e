"""Names that come from outside, written for whoever draws them."""

from html import escape

__all__ = ["only_text"]


def only_text(text: str) -> str:
    """Write a text so that Plotly shows it as it is: neither its few HTML tags nor TeX."""
    return escape(text, quote=False).replace("$", "&#36;")
