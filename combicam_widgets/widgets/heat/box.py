"""The box of what should matter: drawn with the mouse, or given as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets.cam.localization import (
    Box,
    area,
    checked_box,
    hottest_inside,
    share_inside,
)
from combicam_widgets.javascript import joined
from combicam_widgets.shown.words import percent
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets.fusion import Fusion

_HERE = Path(__file__).parent
_ALL: Box = (0.0, 0.0, 1.0, 1.0)
_SIDES = ("Left", "Top", "Right", "Bottom")
_HINT = "Drag over the photo around what should matter, or give its sides in per cent."

OnBox = Callable[[Box | None], object]


def box_sentence(heatmap: npt.NDArray[np.floating], box: Box) -> str:
    """Say how much of the heat lies in a box, against how much chance would put there."""
    if not heatmap.any():
        return "There is no heat to lie inside the box."
    hit = "inside" if hottest_inside(heatmap, box) else "outside"
    return (
        f"{_capital(percent(share_inside(heatmap, box)))} of the heat lies inside the box, "
        f"which is {percent(area(box))} of the photo. The hottest point is {hit}."
    )


class DrawnBox(Attentive):
    """The box on the page, over the photo of the ``ccw-overlay`` that this widget is in.

    Not a shape of Plotly's: a FigureWidget loses the shapes that are drawn on the page.
    """

    _esm = joined(_HERE / "box.js")

    box: Any = T.List(T.Float(), allow_none=True, default_value=None).tag(sync=True)
    """[left, top, right, bottom] in fractions of the photo, or None; the page changes it."""

    fusion = T.Instance(Fusion, allow_none=True).tag(sync=True, **w.widget_serialization)
    """Of whose heat it is said how much lies in the box, while the page makes it."""

    described = T.Bool(default_value=True).tag(sync=True)
    """Whether that is said; else other words are."""

    drawing = T.Bool(default_value=False).tag(sync=True)
    """Whether dragging over the photo draws a box, or moves it."""


class BoxTool(w.HBox):
    """A button that lets a box be drawn over a photo, fields for those who do not draw, words.

    Parameters
    ----------
    on_box : callable
        Called with the box whenever the person has changed it, and with None when it is gone.
    fusion : Fusion
        Of whose heat the page says how much lies in the box.

    Attributes
    ----------
    box : (left, top, right, bottom) or None
    """

    def __init__(self, on_box: OnBox, fusion: Fusion) -> None:
        self.box: Box | None = None
        self._on_box = on_box
        self._quiet = False  # while set, what changes is our own doing
        self.drawn = DrawnBox(fusion=fusion)
        self._toggle = w.ToggleButton(
            description="Draw a box",
            tooltip="Mark what should matter, and see how much of the heat lies inside",
            icon="square-o",
            layout=w.Layout(width="auto"),
        )
        self._fields = [
            w.BoundedFloatText(
                description=f"{side} %",
                min=0,
                max=100,
                step=1,
                style={"description_width": "auto"},
                layout=w.Layout(width=f"{90 + 6 * len(side)}px"),
            )
            for side in _SIDES
        ]
        self._sides = w.HBox(self._fields, layout=w.Layout(flex_flow="row wrap"))
        self._words = w.HTML()
        super().__init__([self._toggle, self.drawn, self._words, self._sides])
        self.add_class("ccw-box")
        self.show(None)
        self._toggle.observe(self._toggled, "value")
        self.drawn.observe(self._dragged, "box")
        for field in self._fields:
            field.observe(self._typed, "value")

    def show(self, box: Box | None, text: str = "") -> None:
        """Show a box and words about it; with None, there is none, but one may be drawn."""
        with self._quietly():
            self.box = box
            self._toggle.value = self._toggle.value or box is not None
            drawing = self._toggle.value
            self._sides.layout.display = "" if drawing else "none"
            for field, value in zip(self._fields, box or _ALL, strict=True):
                field.value = round(100 * value, 1)
            self.drawn.box = None if box is None else list(box)
            self.drawn.drawing = drawing
            self.say(text or (_HINT if drawing else ""))

    def say(self, text: str) -> None:
        """Change the words about the box."""
        html = f'<div class="ccw-box-words" role="status">{escape(text)}</div>' if text else ""
        self._words.value = html
        self._words.layout.display = "" if text else "none"

    # From the page.

    def _toggled(self, change: Any) -> None:  # noqa: ANN401
        if self._quiet:
            return
        had = self.box is not None
        self.show(None)
        if had and not change["new"]:
            self._on_box(None)

    def _dragged(self, change: Any) -> None:  # noqa: ANN401
        if not self._quiet and change["new"] is not None:
            self._on_box(checked_box(change["new"]))

    def _typed(self, _change: Any) -> None:  # noqa: ANN401
        if self._quiet:
            return
        shown = [round(100 * side, 1) for side in self.box or _ALL]
        left, top, right, bottom = (
            side if field.value == rounded else field.value / 100
            for field, side, rounded in zip(self._fields, self.box or _ALL, shown, strict=True)
        )
        if left < right and top < bottom:
            self._on_box((left, top, right, bottom))
        else:
            self.say("Left must be smaller than right, and top smaller than bottom.")

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
