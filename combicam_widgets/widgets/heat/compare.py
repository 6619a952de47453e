"""A pinned heatmap and how the present one differs from it, as panels beside the present one."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets.cam import upsample
from combicam_widgets.images import Photo, to_data_uri
from combicam_widgets.javascript import joined
from combicam_widgets.shown.colors import difference_palette
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets._bridge.closing import made_of
from combicam_widgets.widgets.fusion import Fusion
from combicam_widgets.widgets.heat.pictures import difference_colors, difference_picture

_PHOTO_SIDE = 588

_PIXELS = 144
"""Longer side of the pictures of heat while there are three: they are small, and cost bytes."""

_HERE = Path(__file__).parent


class Panel(Attentive):
    """A photo with a picture laid over it; the page makes that of a difference by itself if it can.

    Not another Plotly figure: each of those sends the whole of Plotly, 5 MB, to the page.
    """

    _esm = joined(_HERE / "panel.js")

    photo = T.Unicode().tag(sync=True)
    """The photo, a data URI."""

    picture = T.Unicode().tag(sync=True)
    """What is laid over it, a data URI."""

    size = T.Tuple(T.Int(), T.Int()).tag(sync=True)
    """Width and height of the photo, of which the proportions count."""

    label = T.Unicode().tag(sync=True)
    """What it is, in the upper left corner."""

    words = T.Unicode().tag(sync=True)
    """Said in the middle; empty: nothing."""

    legend = T.List(T.Unicode()).tag(sync=True)
    """Heading of the legend, then what its values are called, from the lowest; empty: no legend."""

    colors = T.List(T.Unicode()).tag(sync=True)
    """Colours of the legend, from the lowest value."""

    name = T.Unicode().tag(sync=True)
    """Accessible name."""

    fusion = T.Instance(Fusion, allow_none=True).tag(sync=True, **w.widget_serialization)
    """With `pinned`: whose heat, while the page makes it, is compared with what is pinned."""

    pinned = T.Bytes().tag(sync=True)
    """What is painted of a heatmap of the same size, every so many pixels, 0 to 255."""

    every = T.Int(1).tag(sync=True)
    """How many pixels these are apart."""

    opacity = T.Float(1.0).tag(sync=True)
    """Opacity of a difference of 1, in [0, 1]."""

    palette = T.Bytes(difference_palette(127).tobytes()).tag(sync=True)
    """Colours of a difference from -1 to 1, RGBA."""


class Comparison:
    """Panels of the pinned heatmap and of the difference, over the same photo.

    Parameters
    ----------
    photo : Photo
    heatmap : (H, W) array in [0, 1]
        What is pinned.
    label : str
        What it is.
    fusion : Fusion
        What the present heatmap is made of.
    drawn : (H, W) array in [0, 1], optional
        What is painted of the heatmap; default: itself.

    Attributes
    ----------
    heatmap, drawn : (H, W) array in [0, 1]
    label : str
    pinned, difference : Panel
    """

    def __init__(
        self,
        photo: Photo,
        heatmap: npt.NDArray[np.float32],
        label: str,
        fusion: Fusion,
        drawn: npt.NDArray[np.float32] | None = None,
    ) -> None:
        self.heatmap = heatmap
        self.drawn = heatmap if drawn is None else drawn
        self.label = f"pinned: {label}" if label else "pinned"
        given = {
            "photo": to_data_uri(photo, format="jpeg", max_side=_PHOTO_SIDE),
            "size": (photo.width, photo.height),
        }
        self.pinned = Panel(**given, label=self.label)  # its colours are those of the present one
        self.difference = Panel(
            **given,
            label="difference: now minus pinned",
            fusion=fusion,
            legend=["hotter", "pinned", "same", "now"],
            colors=difference_colors(),
        )

    def show_pinned(self, picture: str, words: str, name: str) -> None:
        """Show the picture of the pinned heatmap; what has not changed is not sent again."""
        pinned = self.pinned
        with pinned.hold_sync():
            pinned.picture, pinned.words, pinned.name = picture, words, name

    def follow(self, drawn: npt.NDArray[np.float32], opacity: float) -> None:
        """Show what differs now between what is painted: (H, W) in [0, 1]."""
        pinned, panel = self.drawn, self.difference
        if pinned.shape != drawn.shape:
            pinned = upsample(pinned, (drawn.shape[0], drawn.shape[1]), smooth=True)
        with panel.hold_sync():
            panel.opacity, panel.every = opacity, apart(drawn)
            panel.pinned = np.rint(255 * coarse(pinned)).astype(np.uint8).tobytes()
            if panel.fusion is not None and panel.fusion.in_page:
                panel.picture = panel.words = panel.name = ""
                return
            difference = drawn - pinned
            less, more = (round(100 * float(x)) for x in (difference.min(), difference.max()))
            panel.picture = difference_picture(coarse(difference), opacity)
            panel.words = "" if less or more else "no difference"
            panel.name = f"Difference: from {less} to {more} points of a hundred hotter now"

    def close(self) -> None:
        """Take the panels off the page for good."""
        self.difference.fusion = None  # which goes on
        for widget in made_of(self.pinned, self.difference):
            widget.close()


def apart(heatmap: npt.NDArray[Any]) -> int:
    """Give the distance of the pixels of a heatmap that are seen while it is compared."""
    return math.ceil(int(max(heatmap.shape)) / _PIXELS)


def coarse(heatmap: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Take as many pixels of a heatmap, or of a mask, as are seen while it is compared."""
    every = apart(heatmap)
    return heatmap[::every, ::every]
