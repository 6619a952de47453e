"""What there is to look at: photos for models of the ground, places for models from above."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from combicam_widgets.geo import vector_coordinates
from combicam_widgets.imagery import CREDIT, tile
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

_UNFAIR = {
    *("aula_palatina", "cabrillo", "castillo_de_san_marcos", "castle_clinton", "fort_sumter"),
    *("george_washington_birthplace", "rang_ghar", "schwerin_palace", "trier_imperial_baths"),
    *("meidum_pyramid", "rocamadour", "worms_cathedral"),
}
"""Monuments that few people know, and whose looks do not tell where they stand."""


def titles(model: Model) -> tuple[str, ...]:
    """List what a model can be shown, the first picture first."""
    return tuple(PLACES) if model.from_above else tuple(_samples())


def groups(model: Model) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Sort what `titles` lists under headings, in the same order."""
    if model.from_above:
        return (("Places", tuple(PLACES)),)
    kinds: dict[str, list[str]] = {"animal": [], "monument": []}
    for title, name in _samples().items():
        kinds[sample_info(name).kind].append(title)
    taught = " (it was never taught these)" if model.name == "naturalist" else ""
    return (
        ("Animals", tuple(kinds["animal"])),
        (f"Landmarks{taught}", tuple(kinds["monument"])),
    )


def is_place(photo: Photo) -> bool:
    """Whether a photo is a piece of the shipped Earth, looked at by a click on the map."""
    return photo.credit == CREDIT


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


def puzzle(
    model: GeoModel, width_km: float, random: np.random.Generator, drawn: Collection[str] = ()
) -> Photo:
    """Draw a picture whose place is known, to be guessed.

    From above: a place on land, all cells equally likely. On the ground: a monument that people
    may know, or whose style tells; none with a name among those ``drawn`` already.
    """
    if model.from_above:
        cells = model.cells
        place = cells.unit_vectors[random.integers(len(cells))] + random.normal(0, 0.01, 3)
        latitude, longitude = vector_coordinates(place)
        return tile(float(latitude), float(longitude), width_km=width_km)
    fair = [
        name
        for name in list_samples()
        if sample_info(name).position is not None
        and name not in _UNFAIR
        and sample_info(name).title not in drawn
    ]
    return sample(str(random.choice(fair)))


def thumbnail(model: Model, title: str) -> Photo:
    """Return a picture of the menu, as it is known by its title."""
    return tile(*PLACES[title], width_km=1500) if model.from_above else sample(_samples()[title])


def _samples() -> dict[str, str]:
    """Names of the sample photos by their titles."""
    return {sample_info(name).title: name for name in list_samples()}
