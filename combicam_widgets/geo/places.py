"""Names of places, offline, from GeoNames' cities: a table that `recipes/build_cities.py` wrote."""

import csv
import lzma
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import EARTH_RADIUS_KM, Floats, great_circle_km, unit_vectors

NEAR_KM = 300.0
"""Up to this distance a place is "near" a city; beyond, the distance is told."""

_KNOWN_KM = 50.0
_FARTHER = 1.25
"""The largest city within 50 km, or within 1.25 times the distance of the nearest, is named: not a
suburb, nor the one fishing village that is closest to the middle of an ocean."""


@dataclass(frozen=True, eq=False, repr=False)
class Cities:
    """A table of cities.

    Attributes
    ----------
    latitudes, longitudes : ndarray of float64, shape (N,)
        Degrees.
    populations : ndarray of int64, shape (N,)
    labels : tuple of N str
        Such as "Sydney, Australia".
    """

    latitudes: Floats
    longitudes: Floats
    populations: NDArray[np.int64]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Cities({len(self)})"


@cache
def read_cities() -> Cities:
    """Read the shipped table: the cities of GeoNames with at least 10,000 people."""
    packed = (files(__package__) / "data" / "cities.csv.xz").read_bytes()
    rows = csv.reader(lzma.decompress(packed).decode().splitlines())
    latitudes, longitudes, populations, labels = zip(*rows, strict=True)
    return Cities(
        np.array(latitudes, dtype=np.float64),
        np.array(longitudes, dtype=np.float64),
        np.array(populations, dtype=np.int64),
        labels,
    )


def place_name(latitude: float, longitude: float) -> str:
    """Say in words where a point is.

    It is told from the largest city around: within 50 km, or at most a quarter farther away than
    the nearest. Cities have at least 10,000 people. The first call reads them, in a quarter of a
    second.

    Parameters
    ----------
    latitude, longitude : float
        Degrees.

    Returns
    -------
    str
        "near Sydney, Australia"; or, more than 300 km from every city, "420 km from Papeete,
        French Polynesia".

    Raises
    ------
    TypeError, ValueError
        If they are not a point on the Earth.
    """
    cities = read_cities()
    closeness = _vectors() @ unit_vectors(latitude, longitude)
    nearest = np.arccos(min(1.0, closeness.max()))
    reach = min(np.pi, max(_KNOWN_KM / EARTH_RADIUS_KM, _FARTHER * nearest))
    around = np.flatnonzero(closeness >= np.cos(reach))
    city = int(around[cities.populations[around].argmax()])
    distance = great_circle_km(
        latitude, longitude, float(cities.latitudes[city]), float(cities.longitudes[city])
    )
    return describe_place(distance, cities.labels[city])


def describe_place(distance_km: float, label: str) -> str:
    """Put the distance to a city into words.

    Parameters
    ----------
    distance_km : float
        Kilometres.
    label : str
        The city, such as "Papeete, French Polynesia".

    Returns
    -------
    str
        "near ..." up to 300 km, else "420 km from ...", rounded to 10 km.
    """
    if distance_km <= NEAR_KM:
        return f"near {label}"
    return f"{round(distance_km, -1):,.0f} km from {label}"


@cache
def _vectors() -> Floats:
    cities = read_cities()
    return unit_vectors(cities.latitudes, cities.longitudes)
