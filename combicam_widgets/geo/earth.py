"""Distances, directions and circles on a spherical Earth.

Angles are degrees, distances kilometres. Latitudes run from -90 to 90, longitudes from -180 to
180 (any other longitude is the same meridian and is taken as such).
"""

from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.geo.given import as_numbers, as_whole, brief

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth (IUGG), the radius of every sphere in this package."""

_GEOSCORE_SCALE_KM = 1492.7
_POLE = 90.0 - 1e-9
_MOST_POINTS = 1_000_000
"""On an arc or a circle: one every 40 m of the longest."""

Floats = NDArray[np.float64]


def wrap_longitude(longitude: ArrayLike) -> Floats:
    """Bring longitudes into [-180, 180).

    Parameters
    ----------
    longitude : array-like
        Degrees, any shape.

    Returns
    -------
    ndarray of float64
        The same meridians; values already in range come back unchanged to the last bit.
    """
    longitude = np.asarray(longitude, dtype=np.float64)
    inside = (longitude >= -180.0) & (longitude < 180.0)
    wrapped = np.mod(longitude + 180.0, 360.0) - 180.0
    # A tiny negative angle plus 360 rounds to 360.
    wrapped = np.where(wrapped >= 180.0, -180.0, wrapped)
    return np.where(inside, longitude, wrapped)


def check_coordinates(latitude: ArrayLike, longitude: ArrayLike) -> tuple[Floats, Floats]:
    """Turn coordinates into arrays, or say what is wrong with them.

    Parameters
    ----------
    latitude, longitude : array-like
        Degrees; shapes that broadcast together.

    Returns
    -------
    latitude, longitude : ndarray of float64
        Latitudes in [-90, 90], longitudes wrapped into [-180, 180).

    Raises
    ------
    TypeError
        If they are not numbers.
    ValueError
        If one is not finite, a latitude lies beyond a pole, or the shapes do not fit.
    """
    latitude = _finite("latitude", latitude)
    longitude = _finite("longitude", longitude)
    beyond = np.abs(latitude) > 90.0
    if beyond.any():
        got = latitude[beyond].flat[0]
        hint = "swapped?" if abs(got) <= 360.0 else "metres of a projection? Degrees are needed"
        raise ValueError(
            f"latitude must lie between -90 and 90 degrees, got {got:g}; "
            f"are latitude and longitude {hint}"
        )
    try:
        np.broadcast_shapes(latitude.shape, longitude.shape)
    except ValueError:
        raise ValueError(
            "latitude and longitude must have shapes that fit together, "
            f"got {latitude.shape} and {longitude.shape}"
        ) from None
    return latitude, wrap_longitude(longitude)


def check_centers(latitudes: ArrayLike, longitudes: ArrayLike) -> tuple[Floats, Floats]:
    """Turn two lists of the same length into coordinates; see `check_coordinates`."""
    latitudes, longitudes = check_coordinates(latitudes, longitudes)
    if latitudes.ndim != 1 or latitudes.shape != longitudes.shape or not len(latitudes):
        raise ValueError(
            "latitudes and longitudes must be two lists of the same length, "
            f"got shapes {latitudes.shape} and {longitudes.shape}"
        )
    return latitudes, longitudes


def read_only(array: Floats) -> Floats:
    """Return a copy that cannot be changed."""
    array = array.copy()
    array.flags.writeable = False
    return array


def check_distance(name: str, km: float) -> float:
    """Return a distance as float, or say what is wrong with it.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    km : float
        Kilometres.

    Raises
    ------
    TypeError
        If it is not a number.
    ValueError
        If it is negative or not finite.
    """
    value = _finite(name, km)
    if value.ndim:
        raise TypeError(f"{name} must be one number, got an array of shape {value.shape}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value:g}")
    return float(value)


def _check_points(n: int, least: int, why: str = "") -> int:
    """Return how many points are asked for as int, or say what is wrong with it."""
    count = as_whole("n", n)
    if count < least:
        raise ValueError(f"n must be at least {least}{why}, got {brief(n)}")
    if count > _MOST_POINTS:
        raise ValueError(f"n must be at most {_MOST_POINTS:,}, got {brief(n)}")
    return count


@overload
def great_circle_km(lat1: float, lon1: float, lat2: float, lon2: float) -> float: ...
@overload
def great_circle_km(
    lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike
) -> Floats: ...
def great_circle_km(
    lat1: ArrayLike, lon1: ArrayLike, lat2: ArrayLike, lon2: ArrayLike
) -> Floats | float:
    """Great-circle distance between points, broadcasting like any ufunc.

    The haversine of the distance and that of the distance to the antipode are both sums of
    squares, so their ratio is precise for points a millimetre apart as well as for antipodes.

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : array-like
        Degrees.

    Returns
    -------
    ndarray of float64 or float
        Kilometres, 0 to 20015.1; a float when all four are numbers.

    Raises
    ------
    TypeError, ValueError
        As `check_coordinates`.
    """
    lat1, lon1 = check_coordinates(lat1, lon1)
    lat2, lon2 = check_coordinates(lat2, lon2)
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    half = np.radians(lon2 - lon1) / 2
    product = np.cos(phi1) * np.cos(phi2)
    near = np.sin((phi2 - phi1) / 2) ** 2 + product * np.sin(half) ** 2
    far = np.sin((phi2 + phi1) / 2) ** 2 + product * np.cos(half) ** 2
    distance = 2 * EARTH_RADIUS_KM * np.arctan2(np.sqrt(near), np.sqrt(far))
    return distance if np.ndim(distance) else float(distance)


def unit_vectors(latitude: ArrayLike, longitude: ArrayLike) -> Floats:
    """Points on the unit sphere: x towards 0 N 0 E, y towards 0 N 90 E, z towards the north pole.

    Parameters
    ----------
    latitude, longitude : array-like
        Degrees; shapes that broadcast together to (...).

    Returns
    -------
    ndarray of float64, shape (..., 3)

    Raises
    ------
    TypeError, ValueError
        As `check_coordinates`.
    """
    latitude, longitude = check_coordinates(latitude, longitude)
    phi, lam = np.broadcast_arrays(np.radians(latitude), np.radians(longitude))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def vector_coordinates(vectors: ArrayLike) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of directions: the inverse of `unit_vectors`.

    Parameters
    ----------
    vectors : array-like, shape (..., 3)
        Of any length but zero.

    Returns
    -------
    latitude, longitude : ndarray of float64, shape (...)
        Degrees; longitudes in [-180, 180).

    Raises
    ------
    ValueError
        If the last axis is not 3 long, or a vector is zero or not finite.
    """
    vectors = _finite("vectors", vectors)
    if vectors.ndim == 0 or vectors.shape[-1] != 3:
        raise ValueError(f"vectors must have shape (..., 3), got {vectors.shape}")
    if not vectors.any(axis=-1).all():
        raise ValueError("a zero vector has no direction")
    x, y, z = np.moveaxis(vectors, -1, 0)
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    return latitude, wrap_longitude(np.degrees(np.arctan2(y, x)))


def great_circle_points(lat1: float, lon1: float, lat2: float, lon2: float, n: int = 64) -> Floats:
    """Evenly spaced points along the shorter arc between two places, both ends included.

    Parameters
    ----------
    lat1, lon1, lat2, lon2 : float
        Degrees. Between antipodes, where every direction is shortest, the arc runs over the
        north pole.
    n : int
        How many points, 2 to 1,000,000.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        (latitude, longitude); longitudes go on past 180 or -180 instead of jumping, so that a
        map draws one unbroken line.

    Raises
    ------
    TypeError, ValueError
        As `check_coordinates`, and if n is out of range.
    """
    n = _check_points(n, 2, " (both ends)")
    start, end = unit_vectors([lat1, lat2], [lon1, lon2])
    angle = great_circle_km(lat1, lon1, lat2, lon2) / EARTH_RADIUS_KM
    ahead = end - (start @ end) * start
    if np.linalg.norm(ahead) < 1e-12:
        ahead = np.array([0.0, 0.0, 1.0]) - start[2] * start
        if np.linalg.norm(ahead) < 1e-12:
            ahead = np.array([1.0, 0.0, 0.0])
    ahead /= np.linalg.norm(ahead)
    along = np.linspace(0.0, angle, n)[:, None]
    latitude, longitude = vector_coordinates(np.cos(along) * start + np.sin(along) * ahead)
    latitude[[0, -1]] = lat1, lat2
    longitude[[0, -1]] = wrap_longitude([lon1, lon2])
    return np.stack([latitude, _unwrapped(latitude, longitude)], axis=-1)


def circle_points(latitude: float, longitude: float, radius_km: float, n: int = 128) -> Floats:
    """Points at one distance from a place, clockwise from due north; the ring is left open.

    Parameters
    ----------
    latitude, longitude : float
        The centre in degrees.
    radius_km : float
        Kilometres, 0 to half the circumference of the Earth (20015).
    n : int
        How many points, 3 to 1,000,000.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        (latitude, longitude); longitudes never jump. Around a pole they run through 360 degrees.

    Raises
    ------
    TypeError, ValueError
        As `check_coordinates`; if the radius or n is out of range.
    """
    radius_km = check_distance("radius_km", radius_km)
    if radius_km > np.pi * EARTH_RADIUS_KM:
        raise ValueError(f"radius_km must be at most 20015, half the Earth, got {radius_km:g}")
    n = _check_points(n, 3)
    centre = unit_vectors(latitude, longitude)
    lam = np.radians(check_coordinates(latitude, longitude)[1])
    east = np.array([-np.sin(lam), np.cos(lam), 0.0])
    north = np.cross(centre, east)
    bearing = np.linspace(0.0, 2 * np.pi, n, endpoint=False)[:, None]
    aside = np.cos(bearing) * north + np.sin(bearing) * east
    angle = radius_km / EARTH_RADIUS_KM
    lat, lon = vector_coordinates(np.cos(angle) * centre + np.sin(angle) * aside)
    return np.stack([lat, _unwrapped(lat, lon)], axis=-1)


@overload
def geoscore(distance_km: float) -> float: ...
@overload
def geoscore(distance_km: ArrayLike) -> Floats: ...
def geoscore(distance_km: ArrayLike) -> Floats | float:
    """Points for a guess, as in the game GeoGuessr: 5000 exp(-d / 1492.7 km).

    Parameters
    ----------
    distance_km : array-like
        Distance between guess and truth in kilometres, >= 0.

    Returns
    -------
    ndarray of float64 or float
        0 to 5000, of the same shape.

    Raises
    ------
    TypeError, ValueError
        If a distance is not a number, not finite or negative.
    """
    distance_km = _finite("distance_km", distance_km)
    if (distance_km < 0).any():
        raise ValueError(f"distance_km must not be negative, got {distance_km.min():g}")
    score = 5000.0 * np.exp(-distance_km / _GEOSCORE_SCALE_KM)
    return score if np.ndim(score) else float(score)


def _finite(name: str, values: ArrayLike) -> Floats:
    array = as_numbers(name, values)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)].flat[0]}")
    return array


def _unwrapped(latitude: Floats, longitude: Floats) -> Floats:
    """Make the longitudes of a path continuous; a pole takes the meridian of its neighbour."""
    longitude = longitude.copy()
    polar = np.abs(latitude) >= _POLE
    if polar.any() and not polar.all():
        away = np.flatnonzero(~polar)
        here = np.flatnonzero(polar)
        longitude[here] = longitude[away[np.abs(here[:, None] - away).argmin(axis=1)]]
    turns = np.cumsum(np.round(np.diff(longitude) / 360.0))
    longitude[1:] -= 360.0 * turns
    return longitude
