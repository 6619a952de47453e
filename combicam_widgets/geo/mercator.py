"""The world as a square picture: cells in the Web-Mercator projection of online maps."""

from typing import overload

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.geo.earth import Floats, check_coordinates
from combicam_widgets.geo.flat import cut_polygon
from combicam_widgets.geo.given import as_whole
from combicam_widgets.geo.grid import CellGrid

MAX_LATITUDE = 85.0511287798066
"""Where the Web-Mercator world ends, so that it is a square."""

_ALMOST_POLE = 89.9
_STEP_DEGREES = 0.5
"""Longest straight piece of an edge, in degrees of arc: nowhere on the picture a pixel off."""


@overload
def mercator_y(latitude: float) -> float: ...
@overload
def mercator_y(latitude: ArrayLike) -> Floats: ...
def mercator_y(latitude: ArrayLike) -> Floats | float:
    """Height of a latitude in the square Web-Mercator world, counted from the top.

    Parameters
    ----------
    latitude : array-like
        Degrees. The poles, which are infinitely far away, are drawn in at 89.9 degrees.

    Returns
    -------
    ndarray of float64 or float
        0 at 85.0511 N, 0.5 on the equator, 1 at 85.0511 S; outside [0, 1] beyond those.

    Raises
    ------
    TypeError, ValueError
        If a latitude is not a number from -90 to 90.
    """
    latitude, _ = check_coordinates(latitude, 0.0)
    phi = np.radians(np.clip(latitude, -_ALMOST_POLE, _ALMOST_POLE))
    y = 0.5 - np.arctanh(np.sin(phi)) / (2 * np.pi)
    return y if np.ndim(y) else float(y)


def cell_raster(cells: CellGrid, size: int = 512) -> NDArray[np.int32]:
    """Draw all cells into one picture of the Web-Mercator world.

    Look probabilities up in it (`probabilities[raster]` where it is >= 0) to shade the world
    without sending outlines to a page.

    Parameters
    ----------
    cells : CellGrid
    size : int
        Width and height in pixels, at least 16.

    Returns
    -------
    ndarray of int32, shape (size, size)
        Index of the cell at the middle of each pixel, -1 where there is none. Row 0 is at 85.0511
        N, column 0 at 180 W. Where cells overlap, the later one is seen.

    Raises
    ------
    ValueError
        If size is too small.
    """
    size = as_whole("size", size)
    if size < 16:
        raise ValueError(f"size must be at least 16 pixels, got {size}")
    raster = np.full((size, size), -1, dtype=np.int32)
    longitudes = (np.arange(size) + 0.5) / size * 360.0 - 180.0
    heights = np.pi * (1 - 2 * (np.arange(size) + 0.5) / size)
    latitudes = np.degrees(np.arctan(np.sinh(heights)))
    flat = cells.shapes.flat(range(len(cells)), _STEP_DEGREES)
    owned = [
        (index, part)
        for index, polygons in enumerate(flat)
        for polygon in polygons
        for part in cut_polygon(polygon)
    ]
    parts = [part for _, part in owned]
    shapely.prepare(parts)
    west, south, east, north = shapely.bounds(parts).reshape(-1, 4).T
    lefts, rights = np.searchsorted(longitudes, [west, east]).tolist()
    tops, bottoms = np.searchsorted(-latitudes, [-north, -south]).tolist()
    for (index, part), left, right, top, bottom in zip(
        owned, lefts, rights, tops, bottoms, strict=True
    ):
        x, y = longitudes[left:right], latitudes[top:bottom, None]
        raster[top:bottom, left:right][shapely.intersects_xy(part, x, y)] = index
    return raster
