"""Lines on the world map: cut where the map ends, so that nothing runs across it or beside it."""

from __future__ import annotations

from math import floor
from typing import Any

import numpy as np
import numpy.typing as npt

from combicam_widgets.geo import (
    MAX_LATITUDE,
    CellGrid,
    GeoPrediction,
    circle_points,
    great_circle_points,
)
from combicam_widgets.geo.flat import cut_line
from combicam_widgets.shown.memory import remembered

Place = tuple[float, float]
"""(latitude, longitude) in degrees."""

_ROUND = 120
"""Points of a ring: a multiple of 8, so that labels can sit at the points of the compass."""

_ARC = 32
"""Pieces of an arc: each is at most 5.6 degrees long and nowhere 8 km off. More cost bytes at every
click, and are not seen."""

STEP = 2.0
"""Longest straight piece of an outline, in degrees of arc."""

_FROM_THE_MIDDLE = sorted(range(4, _ARC, 4), key=lambda i: abs(i - _ARC // 2))


def cut(points: npt.ArrayLike) -> list[list[Place]]:
    """Cut a line at the antimeridian and at the map's upper and lower edge.

    Parameters
    ----------
    points : (N, 2) array-like of (latitude, longitude)
        Degrees. Longitudes may leave [-180, 180] and go on, but never jump by 180 or more.

    Returns
    -------
    list of lists of (latitude, longitude)
        Pieces of at least two points, to 3 decimals, with longitudes in [-180, 180]. What lies
        beyond 85.05 degrees, where the map ends, is left out.
    """
    line = np.array(points, dtype=np.float64).reshape(-1, 2)
    if not len(line):
        return []
    seen = np.abs(line[:, 0]) <= MAX_LATITUDE
    runs = np.split(line, np.flatnonzero(np.diff(seen)) + 1)
    runs = [run for run in runs[not seen[0] :: 2] if len(run) > 1]
    pieces = [piece for run in runs for piece in cut_line(run[:, ::-1])]
    return [[(y, x) for x, y in piece.round(3).tolist()] for piece in pieces]


def arc(start: Place, end: Place) -> tuple[list[list[Place]], list[Place]]:
    """Draw the shorter great circle between two places.

    Returns
    -------
    pieces : list of lists of (latitude, longitude)
        See `cut`.
    spots : list of (latitude, longitude)
        Where a label may sit, the best first: around the middle.
    """
    points = great_circle_points(*start, *end, _ARC + 1)
    return cut(points), _on_the_map(points[_FROM_THE_MIDDLE])


@remembered(at_most=8)
def ring(prediction: GeoPrediction, radius_km: float) -> tuple[list[list[Place]], list[Place]]:
    """Draw the circle around the best cell's centre, like `arc`; labels sit on it."""
    best = prediction.best
    points = circle_points(best.latitude, best.longitude, radius_km, _ROUND)
    # Around a pole the ring does not come back to its first longitude but to the next world's.
    turn = 360.0 * np.round((points[-1, 1] - points[0, 1]) / 360.0)
    closed = np.vstack([points, points[0] + [0.0, turn]])
    eighth = _ROUND // 8
    return cut(closed), _on_the_map(points[[i * eighth for i in (4, 0, 2, 6, 3, 5, 1, 7)]])


@remembered(at_most=32)
def outlines(cells: CellGrid, indices: tuple[int, ...]) -> list[list[Place]]:
    """Outline cells as closed lines, islands and holes included; see `cut`."""
    rings = cells.shapes.rings(indices, STEP)
    return [piece for ring in rings for piece in cut(ring[:, ::-1])]


def _on_the_map(points: Any) -> list[Place]:  # noqa: ANN401
    return [
        (round(latitude, 3), round(longitude - 360.0 * _world(longitude), 3))
        for latitude, longitude in points.tolist()
        if abs(latitude) <= MAX_LATITUDE
    ]


def _world(longitude: float) -> int:
    """Count worlds eastwards: 0 is the one from -180 to 180."""
    return floor((longitude + 180.0) / 360.0)
