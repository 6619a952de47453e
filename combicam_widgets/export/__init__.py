"""Out of the notebook: what an explorer shows, as figure, PNG, GeoJSON, or one page that works.

All are functions of a `Snapshot`. None of them writes the photo's own position unless asked to.
"""

from combicam_widgets.export.drawing import as_jpeg, save_png
from combicam_widgets.export.features import to_geojson
from combicam_widgets.export.figure import figure
from combicam_widgets.export.page import to_html
from combicam_widgets.export.paper import Panel, save, save_panels
from combicam_widgets.export.snapshot import Answer, Snapshot

__all__ = [
    "Answer",
    "Panel",
    "Snapshot",
    "as_jpeg",
    "figure",
    "save",
    "save_panels",
    "save_png",
    "to_geojson",
    "to_html",
]
