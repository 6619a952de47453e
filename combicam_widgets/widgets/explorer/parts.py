"""What an explorer consists of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import InitVar, dataclass, field

import ipywidgets as w

from combicam_widgets.widgets._bridge.closing import made_of
from combicam_widgets.widgets.background import Worker
from combicam_widgets.widgets.diagram.component import LayerDiagram
from combicam_widgets.widgets.diagram.widget import anywidget_missing
from combicam_widgets.widgets.explorer.controls import Controls
from combicam_widgets.widgets.explorer.status_bar import StatusBar
from combicam_widgets.widgets.heat.component import HeatOverlay
from combicam_widgets.widgets.trust import TrustPanel
from combicam_widgets.widgets.world.component import WorldMap

NAMES = ("controls", "diagram", "status", "heat", "world", "trust")
"""What may be seen of an explorer, from top to bottom."""


@dataclass(frozen=True)
class Parts:
    """The widgets.

    Attributes
    ----------
    worker : Worker
        Who measures for the trust panel.
    controls, status_bar : Controls, StatusBar
    diagram, heat, world, trust : LayerDiagram, HeatOverlay, WorldMap, TrustPanel
    """

    worker: InitVar[Worker]
    controls: Controls = field(default_factory=Controls)
    diagram: LayerDiagram = field(default_factory=LayerDiagram)
    heat: HeatOverlay = field(init=False)
    world: WorldMap = field(default_factory=WorldMap)
    status_bar: StatusBar = field(default_factory=StatusBar)
    trust: TrustPanel = field(init=False)

    def __post_init__(self, worker: Worker) -> None:
        object.__setattr__(self, "heat", HeatOverlay(fusion=self.diagram.fusion))
        object.__setattr__(self, "trust", TrustPanel(worker=worker))

    def laid_out(self, names: Collection[str] = NAMES) -> list[w.Widget]:
        """Return the widgets from top to bottom; first what to do where half of them is missing."""
        pictures = w.HBox([part for name in ("heat", "world") for part in self._named(name, names)])
        pictures.add_class("ccw-pictures")
        if "diagram" in names:  # a style sheet that looked for it would do so at every change
            self.controls.add_class("ccw-above-tiles")
        work = [self.status_bar.work] if "controls" in names else []
        return [
            anywidget_missing(),
            *self._named("controls", names),
            *self._named("diagram", names),
            *([self.status_bar] if "status" in names else []),
            *work,
            *([pictures] if pictures.children else []),
            *self._named("trust", names),
        ]

    def _named(self, name: str, names: Collection[str]) -> list[w.Widget]:
        return [getattr(self, name)] if name in names else []

    def close(self, around: w.Widget) -> None:
        """Close the widget around the parts with all that it is made of."""
        self.trust.close()
        for component in (self.diagram, self.heat, self.world):
            component.close()
        for widget in made_of(around, self.controls, self.status_bar, self.status_bar.work):
            w.Widget.close(widget)
