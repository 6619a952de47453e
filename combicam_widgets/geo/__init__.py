"""The Earth: distances, cells, predictions, places and the coastline."""

from combicam_widgets.geo.coastline import coastline
from combicam_widgets.geo.earth import (
    EARTH_RADIUS_KM,
    circle_points,
    geoscore,
    great_circle_km,
    great_circle_points,
    unit_vectors,
    vector_coordinates,
)
from combicam_widgets.geo.grid import CellGrid
from combicam_widgets.geo.mercator import MAX_LATITUDE, cell_raster, mercator_y
from combicam_widgets.geo.places import place_name
from combicam_widgets.geo.prediction import ACCURACY_RADII_KM, GeoPrediction, Guess

__all__ = [
    "ACCURACY_RADII_KM",
    "EARTH_RADIUS_KM",
    "MAX_LATITUDE",
    "CellGrid",
    "GeoPrediction",
    "Guess",
    "cell_raster",
    "circle_points",
    "coastline",
    "geoscore",
    "great_circle_km",
    "great_circle_points",
    "mercator_y",
    "place_name",
    "unit_vectors",
    "vector_coordinates",
]
