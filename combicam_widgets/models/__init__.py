"""Geo models: networks that guess where on Earth a photo was taken."""

from combicam_widgets.models.geo_model import GeoModel, WholePhoto
from combicam_widgets.models.naturalist import Concept, Naturalist
from combicam_widgets.models.registry import list_models, load_model

__all__ = ["Concept", "GeoModel", "Naturalist", "WholePhoto", "list_models", "load_model"]
