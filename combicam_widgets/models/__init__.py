"""Geo models: networks that guess where on Earth a photo was taken.

The shipped models are imported on first use (PEP 562): loading one does not import the others.
"""

import importlib
from typing import TYPE_CHECKING, Any

from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.info import ModelInfo, ModelList
from combicam_widgets.models.registry import list_models, load_model
from combicam_widgets.models.transforms import WholePhoto

if TYPE_CHECKING:
    from combicam_widgets.models.atlas import Atlas
    from combicam_widgets.models.certh import Certh
    from combicam_widgets.models.geoestimation import GeoEstimation
    from combicam_widgets.models.naturalist import Concept, Naturalist

_HOMES = {
    "Atlas": "atlas",
    "Certh": "certh",
    "Concept": "naturalist",
    "GeoEstimation": "geoestimation",
    "Naturalist": "naturalist",
}

__all__ = [
    "Atlas",
    "Certh",
    "Concept",
    "GeoEstimation",
    "GeoModel",
    "ModelInfo",
    "ModelList",
    "Naturalist",
    "WholePhoto",
    "list_models",
    "load_model",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
