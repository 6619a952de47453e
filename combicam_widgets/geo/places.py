"""Names of places, offline: Natural Earth's countries, GeoNames' cities, as recipes wrote them."""

import csv
import json
import lzma
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
import shapely
from numpy.typing import NDArray

from combicam_widgets.geo.earth import (
    EARTH_RADIUS_KM,
    Floats,
    great_circle_km,
    unit_vectors,
    vector_coordinates,
    wrap_longitude,
)

NEAR_KM = 300.0
"""Up to this distance a place is "near" a city; beyond, the distance is told."""

_AT_SEA_KM = 10.0
"""Up to this distance from the shipped borders a place may still be on land."""

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


@dataclass(frozen=True, eq=False, repr=False)
class Countries:
    """A table of countries; what lies far from the rest of a country has a row of its own.

    Attributes
    ----------
    names : tuple of N str
        As in the labels of `Cities`.
    shapes : tuple of N shapely.MultiPolygon
        (longitude, latitude), cut at the antimeridian.
    thirds : tuple of N pairs
        Longitudes, and latitudes, between which lies the middle third of the area; None where the
        direction does not count.
    """

    names: tuple[str, ...]
    shapes: tuple[shapely.MultiPolygon, ...]
    thirds: tuple[tuple[tuple[float, float] | None, tuple[float, float] | None], ...]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Countries({len(self)})"

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Finds the shapes around a point."""
        return shapely.STRtree(self.shapes)

    @cached_property
    def borders(self) -> tuple[Floats, NDArray[np.intp]]:
        """Corners of all borders as unit vectors (K, 3), and whose they are (K,)."""
        corners, owners = shapely.get_coordinates(self.shapes, return_index=True)
        return unit_vectors(corners[:, 1], corners[:, 0]), owners


@cache
def read_countries() -> Countries:
    """Read the shipped table: Natural Earth's countries, 1:50m."""
    packed = (files(__package__) / "data" / "countries.json.xz").read_bytes()
    rows = json.loads(lzma.decompress(packed))
    shapes = [
        shapely.MultiPolygon([(rings[0], rings[1:]) for rings in row["polygons"]]) for row in rows
    ]
    return Countries(
        tuple(row["name"] for row in rows),
        tuple(shapes),
        tuple(tuple(row["thirds"]) for row in rows),
    )


_DETAIL = 0.06
"""Degrees by which simplified borders may be off."""


@cache
def country_outlines() -> tuple[tuple[str, tuple[float, float], tuple[Floats, ...]], ...]:
    """Return name, a place for the name, and simplified rings of each country, for a map.

    Returns
    -------
    tuple of (name, (latitude, longitude), rings)
        The place lies in the largest part of the country; rings are (V, 2) arrays of
        (latitude, longitude), cut at the antimeridian.
    """
    countries = read_countries()
    outlines = []
    for name, shape in zip(countries.names, countries.shapes, strict=True):
        parts = shapely.get_parts(shape.simplify(_DETAIL))
        where = shapely.point_on_surface(max(parts, key=shapely.area))
        rings = tuple(shapely.get_coordinates(part.exterior)[:-1, ::-1] for part in parts)
        outlines.append((name, (where.y, where.x), rings))
    return tuple(outlines)


def region_name(latitude: float, longitude: float) -> tuple[str, str]:
    """Say which part of which country a point lies in.

    Parameters
    ----------
    latitude, longitude : float
        Degrees.

    Returns
    -------
    region, country : str
        "central Switzerland", "Switzerland"; at sea, 10 to 300 km from a coast, "off eastern
        Australia"; both "" farther out.

    Raises
    ------
    TypeError, ValueError
        If they are not a point on the Earth.
    """
    countries = read_countries()
    (here,) = unit_vectors([latitude], [longitude])
    lat, lon = latitude, float(wrap_longitude(np.float64(longitude)))
    around = countries.tree.query(shapely.Point(lon, lat), predicate="intersects")
    off = ""
    if len(around):
        country = int(around[0])
    else:
        corners, owners = countries.borders
        closeness = corners @ here
        nearest = int(closeness.argmax())
        if closeness[nearest] < np.cos(NEAR_KM / EARTH_RADIUS_KM):
            return "", ""
        country = int(owners[nearest])
        off = "off " if closeness[nearest] < np.cos(_AT_SEA_KM / EARTH_RADIUS_KM) else ""
        lat, lon = (float(angle) for angle in vector_coordinates(corners[nearest]))
    name = countries.names[country]
    return off + _part(lat, lon, countries.thirds[country]) + name, name


def _part(
    latitude: float,
    longitude: float,
    thirds: tuple[tuple[float, float] | None, tuple[float, float] | None],
) -> str:
    """Say which part of a country a point in it lies in, as "north-western "."""
    across, along = thirds
    words = []
    if along is not None:
        words.append("south" if latitude < along[0] else "north" if latitude > along[1] else "")
    if across is not None:
        longitude -= 360.0 * round((longitude - sum(across) / 2) / 360.0)
        words.append("west" if longitude < across[0] else "east" if longitude > across[1] else "")
    if not words:
        return ""
    compass = "-".join(filter(None, words))
    return f"{compass}ern " if compass else "central "


def place_name(latitude: float, longitude: float) -> str:
    """Say in words where a point is.

    First the country in which it lies, then the largest city of this country around: within 50
    km, or at most a quarter farther away than the nearest. Cities have at least 10,000 people. The
    first call reads the tables, in about half a second.

    Parameters
    ----------
    latitude, longitude : float
        Degrees.

    Returns
    -------
    str
        "central Switzerland, near Luzern", "off eastern Australia, near Brisbane"; without a city
        within 300 km, "northern Greenland"; more than 300 km from every coast, "420 km from
        Papeete, French Polynesia".

    Raises
    ------
    TypeError, ValueError
        If they are not a point on the Earth.
    """
    region, country = region_name(latitude, longitude)
    known, vectors = _cities_of(country)
    if not len(known):
        return region
    closeness = vectors @ unit_vectors(latitude, longitude)
    nearest = np.arccos(min(1.0, closeness.max()))
    reach = min(np.pi, max(_KNOWN_KM / EARTH_RADIUS_KM, _FARTHER * nearest))
    around = known[closeness >= np.cos(reach)]
    cities = read_cities()
    city = int(around[cities.populations[around].argmax()])
    distance = great_circle_km(
        latitude, longitude, float(cities.latitudes[city]), float(cities.longitudes[city])
    )
    if not region:
        return describe_place(distance, cities.labels[city])
    return with_city(region, country, cities.labels[city]) if distance <= NEAR_KM else region


def with_city(region: str, country: str, label: str) -> str:
    """Put a region and a city of its country into words; see `region_name` and `Cities`."""
    city = label.removesuffix(f", {country}")
    return region if city in {"", country} else f"{region}, near {city}"


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
def _countries_of_cities() -> NDArray[np.str_]:
    return np.array([label.rpartition(", ")[2] for label in read_cities().labels])


@cache
def _cities_of(country: str) -> tuple[NDArray[np.intp], Floats]:
    """Return the cities of a country, or all for "": which they are, and unit vectors."""
    cities = read_cities()
    known = np.flatnonzero(_countries_of_cities() == country) if country else np.arange(len(cities))
    return known, unit_vectors(cities.latitudes[known], cities.longitudes[known])
