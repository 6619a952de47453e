"""The line under the photo with heat, and what that picture is called."""

from __future__ import annotations

from pathlib import Path

import anywidget
import traitlets as T

_STATIC = Path(__file__).parent / "static"


class Caption(anywidget.AnyWidget):
    """One line of text; gives the Plotly figure above it a name that a screen reader reads.

    The figure is that of class ``ccw-photo-figure`` in the same ``ccw-overlay``. The page changes
    nothing. Brings the style sheet of the whole overlay along.
    """

    _esm = _STATIC / "overlay.js"
    _css = _STATIC / "overlay.css"

    text = T.Unicode().tag(sync=True)
    """What is said under the picture, as plain text."""

    name = T.Unicode().tag(sync=True)
    """Accessible name of the picture."""
