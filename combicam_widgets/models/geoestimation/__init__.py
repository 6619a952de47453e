"""The model ``geoestimation``, from files that some still have: see MODEL_CARD.md."""

from combicam_widgets.models.geoestimation.model import GeoEstimation

__all__ = ["GeoEstimation"]
