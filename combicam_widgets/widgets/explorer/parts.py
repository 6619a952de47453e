"""What an explorer consists of."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import ipywidgets as w

from combicam_widgets.widgets._bridge.closing import made_of
from combicam_widgets.widgets.background import Background, Worker
from combicam_widgets.widgets.diagram.widget import Diagram, anywidget_missing
from combicam_widgets.widgets.explorer.controls import Controls
from combicam_widgets.widgets.explorer.status_bar import StatusBar
from combicam_widgets.widgets.heat.overlay import Overlay
from combicam_widgets.widgets.trust import TrustPanel
from combicam_widgets.widgets.world.widget import World


@dataclass(frozen=True)
class Parts:
    """The widgets, and the work that goes on beside the page.

    Attributes
    ----------
    world : World
    controls, diagram, overlay, status_bar : Controls, Diagram, Overlay, StatusBar
    lock : threading.RLock
        Held by whoever takes over a new value. JupyterLab may run the page's messages in a thread
        beside the cells.
    worker : Worker
    warned : list of str
        What was warned of beside the page, and is still to be told there.
    trust : TrustPanel
    checking, carding, surveying, asking : Background
        For the evidence, for the votes of one layer and of all, for a new analysis; in the order
        of their urgency.
    """

    world: World
    controls: Controls = field(default_factory=Controls)
    diagram: Diagram = field(default_factory=Diagram)
    overlay: Overlay = field(init=False)
    status_bar: StatusBar = field(default_factory=StatusBar)
    lock: threading.RLock = field(default_factory=threading.RLock)
    worker: Worker = field(default_factory=Worker)
    warned: list[str] = field(default_factory=list)
    trust: TrustPanel = field(init=False)
    checking: Background = field(init=False)
    carding: Background = field(init=False)
    surveying: Background = field(init=False)
    asking: Background = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "overlay", Overlay(self.diagram))
        object.__setattr__(self, "trust", TrustPanel(worker=self.worker))
        for urgency, name in enumerate(("checking", "carding", "surveying", "asking")):
            work = Background(self.worker, urgency)
            work.lock, work.warned = self.lock, self.warned
            object.__setattr__(self, name, work)

    def laid_out(self) -> list[w.Widget]:
        """Return the widgets from top to bottom; first what to do where half of them is missing."""
        pictures = w.HBox([self.overlay.view, self.world.map])
        pictures.add_class("ccw-pictures")
        above = anywidget_missing(), self.controls, self.status_bar.work
        return [*above, self.diagram, pictures, self.status_bar, self.trust]

    def close(self, around: w.Widget) -> None:
        """End the work, and close the widget around the parts with all that it is made of."""
        for work in (self.checking, self.carding, self.surveying, self.asking):
            work.close()
        self.trust.close()
        bars = self.status_bar, self.status_bar.work
        inside = self.controls, self.diagram, self.overlay.view, self.world.map, *bars
        for widget in made_of(around, *inside, *self.world.aside):
            w.Widget.close(widget)
