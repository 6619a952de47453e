"""The trust panel: whether the heatmap on screen can be believed."""

from combicam_widgets.widgets.trust.panel import TrustPanel
from combicam_widgets.widgets.trust.scores import Scores

__all__ = ["Scores", "TrustPanel"]
