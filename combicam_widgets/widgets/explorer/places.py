"""What there is to look at: photos for models of the ground, places for models from above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from combicam_widgets.geo import vector_coordinates
from combicam_widgets.imagery import tile
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel
from combicam_widgets.samples import list_samples, sample, sample_info
from combicam_widgets.shown.analysis import Model

PLACES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "Italy": (42.0, 13.0),
        "Amazon": (-3.5, -60.0),
        "Cape of Good Hope": (-32.5, 21.0),
        "Great Lakes": (44.5, -84.5),
        "Himalaya": (29.5, 84.0),
        "Iceland": (64.8, -18.5),
        "Japan": (36.5, 138.0),
        "Madagascar": (-19.5, 46.5),
        "New Zealand": (-42.0, 172.5),
        "Nile delta": (29.0, 31.5),
        "Patagonia": (-48.0, -71.0),
        "Sahara": (23.0, 5.0),
    }
)
"""Places (latitude, longitude) in degrees to look at from above, the first one first."""

_KOALA = "Koala"


def titles(model: Model) -> tuple[str, ...]:
    """List what a model can be shown, the first picture first."""
    return tuple(PLACES) if model.from_above else tuple(_samples())


def picture(model: GeoModel, title: str, width_km: float) -> Photo:
    """Return one of the pictures that `titles` lists.

    Parameters
    ----------
    model : GeoModel
    title : str
    width_km : float
        How wide a piece of the Earth is, for a model that looks from above.
    """
    if model.from_above:
        return replace(tile(*PLACES[title], width_km=width_km), name=title)
    return sample(_samples()[title])


def first_picture(model: GeoModel, width_km: float) -> Photo:
    """Return what a model is shown before anything was chosen."""
    return picture(model, titles(model)[0] if model.from_above else _KOALA, width_km)


def puzzle(model: GeoModel, width_km: float, random: np.random.Generator) -> Photo:
    """Draw a picture whose place is known, to be guessed.

    From above: a place on land, all cells equally likely. On the ground: a monument.
    """
    if model.from_above:
        cells = model.cells
        place = cells.unit_vectors[random.integers(len(cells))] + random.normal(0, 0.01, 3)
        latitude, longitude = vector_coordinates(place)
        return tile(float(latitude), float(longitude), width_km=width_km)
    monuments = [name for name in list_samples() if sample_info(name).position is not None]
    return sample(str(random.choice(monuments)))


def _samples() -> dict[str, str]:
    """Names of the sample photos by their titles."""
    return {sample_info(name).title: name for name in list_samples()}
