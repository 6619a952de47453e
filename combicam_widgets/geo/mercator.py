"""The world as a square picture: cells in the Web-Mercator projection of online maps."""

from typing import overload

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from combicam_widgets.geo.earth import Floats, check_coordinates
from combicam_widgets.geo.flat import cut_polygon
from combicam_widgets.geo.given import as_whole
from combicam_widgets.geo.grid import CellGrid

MAX_LATITUDE = 85.0511287798066
"""Where the Web-Mercator world ends, so that it is a square."""

_ALMOST_POLE = 89.9
_STEP_DEGREES = 1.0
_FINE_STEP_DEGREES = 0.25
_FINER = 3
"""Pillow counts every pixel that a polygon touches as inside. Drawing this much finer and keeping
the middle pixels makes that margin small."""


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
        Index of the cell at each pixel, -1 where there is none. Row 0 is at 85.0511 N, column 0
        at 180 W. Borders are right to a pixel; where cells overlap, the later one is seen.

    Raises
    ------
    ValueError
        If size is too small.
    """
    size = as_whole("size", size)
    if size < 16:
        raise ValueError(f"size must be at least 16 pixels, got {size}")
    convex = _convex_raster(cells, size)
    return np.maximum(convex, _general_raster(cells, size)) if len(cells.shapes.general) else convex


def _convex_raster(cells: CellGrid, size: int) -> NDArray[np.int32]:
    """Draw the convex cells as polygons, which is quickest where there are thousands."""
    fine = size * _FINER
    image = Image.new("I", (fine, fine), -1)
    draw = ImageDraw.Draw(image)
    convex = cells.shapes.convex.tolist()
    flat = cells.shapes.flat(convex, _STEP_DEGREES)
    owners = [index for index, own in zip(convex, flat, strict=True) for _ in own]
    rings = [polygon.exterior for own in flat for polygon in own]
    # Pillow's whole numbers are the centres of pixels.
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    x = (vertices[:, 0] + 180.0) / 360.0 * fine - 0.5
    y = mercator_y(vertices[:, 1]) * fine - 0.5
    corners = np.split(np.stack([x, y], axis=1), np.flatnonzero(np.diff(ring)) + 1)
    west, _, east, _ = shapely.bounds(rings).reshape(-1, 4).T
    worlds = np.array([[-1], [0], [1]])
    seen = (east + 360.0 * worlds >= -180.0) & (west + 360.0 * worlds <= 180.0)
    for place, turn in np.argwhere(seen.T).tolist():
        moved = corners[place] + [(turn - 1) * fine, 0]
        draw.polygon(moved.ravel().tolist(), fill=owners[place])
    return np.asarray(image, dtype=np.int32)[_FINER // 2 :: _FINER, _FINER // 2 :: _FINER].copy()


def _general_raster(cells: CellGrid, size: int) -> NDArray[np.int32]:
    """Fill the cells of other shapes pixel by pixel, whatever holes they have."""
    general = cells.shapes.general.tolist()
    raster = np.full((size, size), -1, dtype=np.int32)
    longitudes = (np.arange(size) + 0.5) / size * 360.0 - 180.0
    heights = np.pi * (1 - 2 * (np.arange(size) + 0.5) / size)
    latitudes = np.degrees(np.arctan(np.sinh(heights)))
    for index, flat in zip(general, cells.shapes.flat(general, _FINE_STEP_DEGREES), strict=True):
        for polygon in (part for whole in flat for part in cut_polygon(whole)):
            west, south, east, north = polygon.bounds
            columns = slice(*np.searchsorted(longitudes, [west, east]).tolist())
            rows = slice(*np.searchsorted(-latitudes, [-north, -south]).tolist())
            shapely.prepare(polygon)
            inside = shapely.contains_xy(polygon, longitudes[columns], latitudes[rows, None])
            raster[rows, columns][inside] = index
    return raster
