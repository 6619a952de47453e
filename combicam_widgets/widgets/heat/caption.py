"""The line under the photo with heat, what that picture is called, and the words for both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets as w
import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets.javascript import joined
from combicam_widgets.shown.words import percent
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets.fusion import Fusion

NO_EVIDENCE = "no positive evidence"

_HERE = Path(__file__).parent
_TOP = 3
"""How many of the layers that the heat comes from are named."""


class Caption(Attentive):
    """One line of text; gives the Plotly figure above it a name that a screen reader reads.

    The figure is that of class ``ccw-photo-figure`` in the same ``ccw-overlay``. The page changes
    nothing. Brings the style sheet of the whole overlay along.
    """

    _esm = joined(_HERE / "overlay.js")
    _css = (_HERE / "overlay.css").read_text(encoding="utf-8")

    text = T.Unicode().tag(sync=True)
    """What is said under the picture, as plain text."""

    name = T.Unicode().tag(sync=True)
    """Accessible name of the picture."""

    fusion = T.Instance(Fusion, allow_none=True).tag(sync=True, **w.widget_serialization)
    """Whose heat the page paints by itself, as soon as it changes; None: Python sends pictures."""

    palette = T.Bytes().tag(sync=True)
    """Colours from heat 0 to 1, three bytes each; empty: nothing is painted."""

    opacity = T.Float(1.0).tag(sync=True)
    """Opacity of the hottest pixels, in [0, 1]."""

    keep = T.Float(None, allow_none=True).tag(sync=True)
    """Fraction of the photo, the hottest, that is outlined; None: no outline."""


def pointed_at(heat: int, names: Sequence[str], parts: npt.NDArray[np.floating] | None) -> str:
    """Say from which layers the heat of a pixel comes.

    Parameters
    ----------
    heat : int
        In per cent.
    names : sequence of L str
        Layers in forward order.
    parts : (L,) array or None
        Of one pixel, as `cam.contributions` gives them.
    """
    if parts is None:
        return f"Heat {heat} %. This rule does not divide a pixel's heat among layers."
    said = ", ".join(
        f"{percent(float(parts[i]))} from layer {i + 1} ({names[i]})"
        for i in np.argsort(-parts, kind="stable")[:_TOP]
        if parts[i] > 0
    )
    return f"Heat {heat} %: {said or 'no layer highlights this place'}."


def described(photo: str, heatmap: npt.NDArray[np.floating], label: str, keep: float | None) -> str:
    """Say what a picture of heat shows, to those who do not see it.

    Parameters
    ----------
    photo : str
        Its name; may be empty.
    heatmap : (H, W) array
    label : str
        What the heatmap is; may be empty.
    keep : float or None
        Fraction of the photo that is outlined.
    """
    name = photo or "a photo"
    what = f"{label}. " if label else ""
    if not heatmap.any():
        return f"{what}Heatmap over {name}: {NO_EVIDENCE}"
    row, column = np.unravel_index(np.argmax(heatmap), heatmap.shape)
    across = percent((float(column) + 0.5) / heatmap.shape[1])
    down = percent((float(row) + 0.5) / heatmap.shape[0])
    outlined = f"; the hottest {percent(keep)} outlined" if keep is not None else ""
    return (
        f"{what}Heatmap over {name}, hottest {across} from the left and {down} from the top"
        f"{outlined}"
    )
