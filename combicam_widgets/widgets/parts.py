"""What an explorer consists of."""

from __future__ import annotations

from dataclasses import dataclass, field

import ipywidgets as w

from combicam_widgets.widgets.background import Background
from combicam_widgets.widgets.closing import made_of
from combicam_widgets.widgets.controls import Controls
from combicam_widgets.widgets.diagram import Diagram, anywidget_missing
from combicam_widgets.widgets.overlay import Overlay
from combicam_widgets.widgets.status_bar import StatusBar
from combicam_widgets.widgets.turns import Turns
from combicam_widgets.widgets.world import World


@dataclass(frozen=True)
class Parts:
    """The widgets, and the work that goes on beside the page.

    Attributes
    ----------
    world : World
    controls, diagram, overlay, status_bar : Controls, Diagram, Overlay, StatusBar
    turns : Turns
    asking, checking, surveying, carding : Background
        For a new analysis; for the evidence; for the votes of all layers, and of one.
    """

    world: World
    controls: Controls = field(default_factory=Controls)
    diagram: Diagram = field(default_factory=Diagram)
    overlay: Overlay = field(default_factory=Overlay)
    status_bar: StatusBar = field(default_factory=StatusBar)
    turns: Turns = field(default_factory=Turns)
    asking: Background = field(default_factory=Background)
    checking: Background = field(default_factory=Background)
    surveying: Background = field(default_factory=Background)
    carding: Background = field(default_factory=Background)

    def __post_init__(self) -> None:
        for work in self._works():
            work.lock = self.turns.lock

    def _works(self) -> tuple[Background, ...]:
        return self.asking, self.checking, self.surveying, self.carding

    def laid_out(self) -> list[w.Widget]:
        """Return the widgets from top to bottom; first what to do where half of them is missing."""
        pictures = w.HBox([self.overlay.view, self.world.map])
        pictures.add_class("ccw-pictures")
        above = anywidget_missing(), self.controls, self.status_bar.work
        return [*above, self.diagram, pictures, self.status_bar]

    def close(self, around: w.Widget) -> None:
        """End the work, and close the widget around the parts with all that it is made of."""
        for work in self._works():
            work.close()
        bars = self.status_bar, self.status_bar.work
        inside = self.controls, self.diagram, self.overlay.view, self.world.map, *bars
        for widget in made_of(around, *inside, *self.world.aside):
            w.Widget.close(widget)
