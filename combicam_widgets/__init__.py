"""See which layers of a CNN make it believe that a photo was taken *there*.

Names are loaded on first use (PEP 562), so that importing the package needs neither torch
nor plotly nor ipyleaflet.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from combicam_widgets.geo import CellGrid, GeoPrediction
    from combicam_widgets.imagery import tile
    from combicam_widgets.images import Photo, load_image
    from combicam_widgets.many import Many, explain_many, read_many
    from combicam_widgets.models import GeoModel, list_models, load_model
    from combicam_widgets.samples import list_samples, sample
    from combicam_widgets.widgets import (
        Explorer,
        Gallery,
        HeatOverlay,
        LayerDiagram,
        TrustPanel,
        WorldMap,
        compose,
        link,
        overlay,
    )

__version__ = "0.1.0"

_HOMES = {
    "CellGrid": "geo",
    "Explorer": "widgets",
    "Gallery": "widgets",
    "GeoModel": "models",
    "GeoPrediction": "geo",
    "Photo": "images",
    "HeatOverlay": "widgets",
    "LayerDiagram": "widgets",
    "Many": "many",
    "WorldMap": "widgets",
    "compose": "widgets",
    "explain_many": "many",
    "link": "widgets",
    "TrustPanel": "widgets",
    "list_models": "models",
    "list_samples": "samples",
    "load_image": "images",
    "load_model": "models",
    "overlay": "widgets",
    "read_many": "many",
    "sample": "samples",
    "tile": "imagery",
}
_ROOMS = (
    *("cam", "evaluation", "exercises", "export", "geo", "imagery", "images", "many", "models"),
    *("running", "samples", "widgets"),
)

__all__ = [
    "CellGrid",
    "Explorer",
    "Gallery",
    "GeoModel",
    "GeoPrediction",
    "HeatOverlay",
    "LayerDiagram",
    "Many",
    "Photo",
    "TrustPanel",
    "WorldMap",
    "compose",
    "explain_many",
    "link",
    "list_models",
    "list_samples",
    "load_image",
    "load_model",
    "overlay",
    "read_many",
    "sample",
    "tile",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    if name in _ROOMS:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS, "__version__"])
