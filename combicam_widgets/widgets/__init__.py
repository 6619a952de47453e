"""What people see: diagram, overlay, map and the explorer that joins them; no mathematics."""

from combicam_widgets.widgets.diagram.component import LayerDiagram
from combicam_widgets.widgets.explorer.explorer import Explorer
from combicam_widgets.widgets.heat.component import HeatOverlay
from combicam_widgets.widgets.heat.overlay import overlay
from combicam_widgets.widgets.linking import compose, link
from combicam_widgets.widgets.opening import Gallery
from combicam_widgets.widgets.trust import TrustPanel
from combicam_widgets.widgets.world.component import WorldMap

__all__ = [
    "Explorer",
    "Gallery",
    "HeatOverlay",
    "LayerDiagram",
    "TrustPanel",
    "WorldMap",
    "compose",
    "link",
    "overlay",
]
