"""What people see: diagram, overlay, map and the explorer that joins them; no mathematics."""

from combicam_widgets.widgets.explorer.explorer import Explorer
from combicam_widgets.widgets.heat.overlay import overlay
from combicam_widgets.widgets.trust import TrustPanel

__all__ = ["Explorer", "TrustPanel", "overlay"]
