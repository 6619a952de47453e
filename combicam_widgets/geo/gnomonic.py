"""Square pieces of the Earth, seen from straight above: the gnomonic projection."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.geo.earth import EARTH_RADIUS_KM, Floats, check_coordinates, unit_vectors
from combicam_widgets.geo.given import as_numbers, as_whole


def gnomonic_grid(
    latitude: ArrayLike,
    longitude: ArrayLike,
    width_km: ArrayLike,
    side: int,
    heading: ArrayLike = 0.0,
) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of the pixels of square views centred on some places.

    The gnomonic projection looks from the centre of the Earth on a plane that touches it in the
    middle of the view: great circles are straight, and there is no preferred direction, so a
    place near a pole looks as it would at the equator (Snyder, Map Projections, 1987, ch. 22).

    Parameters
    ----------
    latitude, longitude : array-like, shape (...)
        Middle of each view in degrees. Its shape and those of `width_km` and `heading` broadcast
        together.
    width_km : array-like, shape (...)
        Distance on the ground between the middles of the left and the right edge, above 0 and
        below a hemisphere's 20,015.
    side : int
        Pixels along an edge, at least 1.
    heading : array-like, shape (...)
        Direction that is up, in degrees clockwise from north. At a pole, north is as it is when
        one comes along the meridian `longitude`.

    Returns
    -------
    latitudes, longitudes : ndarray of float64, shape (..., side, side)
        Degrees, of the pixels' centres; rows from top to bottom. Longitudes lie in [-180, 180].

    Raises
    ------
    TypeError, ValueError
        As `check_coordinates`; if a width or `side` is out of range.
    """
    width = as_numbers("width_km", width_km)
    wrong = ~((width > 0) & (width < np.pi * EARTH_RADIUS_KM))
    if wrong.any():
        raise ValueError(f"width_km must be above 0 and below 20015, got {width[wrong].flat[0]:g}")
    side = as_whole("side", side)
    if side < 1:
        raise ValueError(f"side must be at least 1 pixel, got {side}")
    latitude, longitude = check_coordinates(latitude, longitude)
    middle = unit_vectors(latitude, longitude)
    east, north = _tangents(latitude, longitude)
    turn = np.radians(as_numbers("heading", heading))[..., None]
    right = np.cos(turn) * east - np.sin(turn) * north
    up = np.sin(turn) * east + np.cos(turn) * north

    steps = (np.arange(side) + 0.5) / side * 2 - 1
    reach = np.tan(width / (2 * EARTH_RADIUS_KM))[..., None, None, None]
    rays = (
        middle[..., None, None, :]
        + reach * steps[None, :, None] * right[..., None, None, :]
        - reach * steps[:, None, None] * up[..., None, None, :]
    )
    x, y, z = np.moveaxis(rays, -1, 0)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _tangents(latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
    """Return unit vectors to the east and to the north, shape (..., 3)."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    zero: NDArray[np.float64] = np.zeros(np.broadcast(lat, lon).shape)
    east = np.stack([-np.sin(lon) + zero, np.cos(lon) + zero, zero], axis=-1)
    north = np.stack(
        [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat) + zero], axis=-1
    )
    return east, north
