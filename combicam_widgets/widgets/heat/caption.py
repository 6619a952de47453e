"""What is said of the photo with heat."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as w
import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets.javascript import joined
from combicam_widgets.shown.words import percent
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets._bridge.styles import styles
from combicam_widgets.widgets.fusion import Fusion

NO_EVIDENCE = "no positive evidence"

_HERE = Path(__file__).parent


class Caption(Attentive):
    """What is said of the photo with heat: under it, in it, and to those who do not see it.

    The figure is that of class ``ccw-photo-figure`` in the same ``ccw-overlay``. The page makes
    heat and words of what `fusion` holds, says where heat that is pointed at comes from, and sends
    ``{"clicked": [x, y]}``, in fractions of the photo. Brings the style sheet of the overlay along.
    """

    _esm = joined(_HERE / "overlay.js")
    _css = styles(_HERE / "overlay.css")

    fusion = T.Instance(Fusion, allow_none=True).tag(sync=True, **w.widget_serialization)
    """Whose heat the page paints by itself, as soon as it changes, while it can make it."""

    photo = T.Unicode().tag(sync=True)
    """Name of the photo; may be empty."""

    label = T.Unicode().tag(sync=True)
    """What heat it is, in the upper left corner; may be empty."""

    words = T.Unicode().tag(sync=True)
    """What is said in the middle of a picture that Python has made; may be empty."""

    name = T.Unicode().tag(sync=True)
    """Accessible name of a picture that Python has made."""

    palette = T.Bytes().tag(sync=True)
    """Colours from heat 0 to 1, as `heat_palette`; empty: there is no heat to see or to ask for."""

    opacity = T.Float(1.0).tag(sync=True)
    """Opacity of the hottest pixels, in [0, 1]."""

    keep = T.Float(None, allow_none=True).tag(sync=True)
    """Fraction of the photo, the hottest, that is outlined; None: no outline."""


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
