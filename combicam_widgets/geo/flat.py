"""The flat map with straight meridians: great circles drawn on it, and cuts where it ends.

A pole is a whole edge of such a map, and the antimeridian is two of them. Points are (longitude,
latitude) here, as shapely and GeoJSON have them.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, unit_vectors, vector_coordinates
from combicam_widgets.geo.outlines import following, ring_starts

_POLE = 90.0 - 1e-7
_SAME = 1e-9
"""Degrees: ends of paths that are this close meet."""
_WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)


def flat_paths(rings: Sequence[Floats], max_step: float = 1.0) -> list[Floats]:
    """Follow rings of great-circle arcs on the map, without jumps.

    Parameters
    ----------
    rings : sequence of R ndarrays, shape (V, 2)
        (latitude, longitude) of the vertices.
    max_step : float
        Longest straight piece in degrees of arc: great circles are curves on the map.

    Returns
    -------
    list of R ndarrays of float64, shape (P, 2)
        (longitude, latitude); the last point is the first again, a turn of 360 degrees farther
        where a ring runs around a pole. A ring that touches a pole is led along the map's edge.
        The first longitude is the ring's own.
    """
    if not rings:
        return []
    corners, starts = _over_poles(rings)
    vectors = unit_vectors(*corners.T)
    points, edge = _densified(vectors, vectors[following(starts, len(vectors))], max_step)
    latitude, longitude = vector_coordinates(points)
    starts = np.searchsorted(edge, starts)
    polar = np.abs(latitude) >= _POLE
    if polar.any():
        latitude, longitude, starts = _opened_at_poles(latitude, longitude, starts, polar)
    after = following(starts, len(longitude))
    steps = (longitude[after] - longitude + 180.0) % 360.0 - 180.0
    walked = np.cumsum(steps) - steps
    first = np.array([ring[0, 1] for ring in rings])
    worlds = 360.0 * np.round((first - longitude[starts]) / 360.0)
    begin = longitude[starts] + worlds - walked[starts]
    flat = np.stack(
        [walked + np.repeat(begin, np.diff(starts, append=len(walked))), latitude], axis=1
    )
    # Whole turns: a path that misses its first point by a rounding error would cross itself there.
    turns = np.round(np.add.reduceat(steps, starts) / 360.0)
    lasts = flat[starts] + np.stack([360.0 * turns, np.zeros(len(starts))], axis=1)
    ends = np.append(starts[1:], len(flat))
    return np.split(np.insert(flat, ends, lasts, axis=0), ends[:-1] + np.arange(1, len(ends)))


def runs_around_pole(path: Floats) -> bool:
    """Whether a path from `flat_paths` ends a turn farther than it began."""
    return abs(float(path[-1, 0] - path[0, 0])) >= 180.0


def cut_line(line: Floats) -> list[Floats]:
    """Cut a line where it leaves the map, and continue it on the other side.

    Parameters
    ----------
    line : (N, 2) array
        (longitude, latitude) in degrees, N >= 2; longitudes do not jump, so they may leave
        [-180, 180].

    Returns
    -------
    list of (M, 2) arrays
        In order, longitudes in [-180, 180]; joined end to end on the globe.
    """
    longitude, steps = line[:, 0], np.diff(line[:, 0])
    times = [np.arange(len(line), dtype=np.float64)]
    low, high = np.floor((np.array([longitude.min(), longitude.max()]) + 180.0) / 360.0)
    for border in np.arange(low, high + 1) * 360.0 - 180.0:
        before = np.flatnonzero((longitude[:-1] < border) != (longitude[1:] < border))
        times.append(before + (border - longitude[before]) / steps[before])
    time = np.unique(np.concatenate(times))
    points = np.stack([np.interp(time, times[0], axis) for axis in line.T], axis=1)
    middles = (points[:-1, 0] + points[1:, 0]) / 2
    worlds = np.floor((middles + 180.0) / 360.0)
    for i in np.flatnonzero(np.diff(points[:, 0]) == 0.0):  # along the antimeridian, perhaps
        worlds[i] = worlds[max(i - 1, 0)]
    ends = [0, *(np.flatnonzero(np.diff(worlds)) + 1).tolist(), len(worlds)]
    pieces = []
    for begin, end in pairwise(ends):
        piece = points[begin : end + 1] - [360.0 * worlds[begin], 0.0]
        piece[:, 0] = piece[:, 0].clip(-180.0, 180.0)
        pieces.append(piece)
    return [piece for piece in pieces if np.ptp(piece, axis=0).any()]


def cut_polygon(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """Cut a polygon into its parts on the map, as RFC 7946 (section 3.1.9) wants it.

    Parameters
    ----------
    polygon : shapely.Polygon
        (longitude, latitude); longitudes do not jump, so they may leave [-180, 180].

    Returns
    -------
    list of shapely.Polygon
        Within [-180, 180]; counter-clockwise, their holes clockwise.
    """
    west, _, east, _ = polygon.bounds
    if west >= -180.0 and east <= 180.0:
        return [shapely.orient_polygons(polygon)]
    whole = shapely.make_valid(polygon)  # one that crosses itself cannot be cut
    parts: list[shapely.Polygon] = []
    for turn in np.arange(np.floor((west + 180.0) / 360.0), np.floor((east + 180.0) / 360.0) + 1):
        moved = shapely.transform(whole, lambda xy, x=360.0 * turn: xy - [x, 0.0])
        parts += polygons_of(shapely.intersection(moved, _WORLD))
    return parts


def polygons_of(geometry: Any) -> list[shapely.Polygon]:  # noqa: ANN401 - shapely's are untyped
    """Return the polygons of a geometry or of some, oriented; lines and points are dropped."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return list(shapely.orient_polygons(parts[shapely.area(parts) > 0]))


def faces_between(paths: Sequence[Floats]) -> NDArray[Any]:
    """Part the map along some paths.

    Parameters
    ----------
    paths : sequence of ndarrays, shape (P, 2)
        From `flat_paths`.

    Returns
    -------
    ndarray of shapely.Polygon
        All the faces: together the whole map. It begins at the antimeridian, or farther east if
        that cuts none of the rings that do not run around a pole.
    """
    west = _free_meridian([path for path in paths if not runs_around_pole(path)])
    frame = shapely.box(west, -90.0, west + 360.0, 90.0)
    lines = []
    for path in paths:
        low, high = np.floor((np.array([path[:, 0].min(), path[:, 0].max()]) - west) / 360.0)
        lines += [
            shapely.LineString(path - [360.0 * turn, 0.0]) for turn in np.arange(low, high + 1)
        ]
    inside = shapely.intersection(lines, frame)
    borders = shapely.union_all([*inside, frame.exterior], grid_size=_SAME)
    faces: NDArray[Any] = shapely.get_parts(shapely.polygonize([borders]))
    return faces


def _free_meridian(paths: Sequence[Floats]) -> float:
    """Find a meridian that crosses no path, the antimeridian if possible."""
    spans = [(path[:, 0].min(), np.ptp(path[:, 0])) for path in paths]
    for west in range(-180, 180):
        if all((start - west) % 360.0 + span <= 360.0 for start, span in spans):
            return float(west)
    return -180.0


def _over_poles(rings: Sequence[Floats]) -> tuple[Floats, NDArray[np.intp]]:
    """Join rings into one array, with the pole as a corner where an edge runs over it."""
    corners, starts = np.concatenate(rings), ring_starts(rings)
    after = corners[following(starts, len(corners))]
    half = np.abs(np.abs((after - corners)[:, 1] % 360.0) - 180.0) < 1e-9
    over = np.flatnonzero(half & (np.abs([corners[:, 0], after[:, 0]]) < _POLE).all(axis=0))
    poles = np.where((corners + after)[over, 0] < 0, -90.0, 90.0)
    starts = starts + np.searchsorted(over, starts)
    return np.insert(corners, over + 1, np.stack([poles, np.zeros(len(over))], axis=1), 0), starts


def _densified(corners: Floats, ends: Floats, max_step: float) -> tuple[Floats, NDArray[np.intp]]:
    """Points along arcs between unit vectors without their ends; and the arc of each point."""
    arcs = np.arctan2(np.linalg.norm(np.cross(corners, ends), axis=1), (corners * ends).sum(axis=1))
    pieces = np.maximum(np.ceil(np.degrees(arcs) / max_step - 1e-9), 1).astype(np.intp)
    edge = np.repeat(np.arange(len(corners)), pieces)
    step = np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    along = (step / pieces[edge])[:, None]
    arc = arcs[edge][:, None]
    # Between points that coincide there is only the first, with weight 1.
    sine = np.maximum(np.sin(arc), 1e-300)
    first = np.where(along == 0, 1.0, np.sin((1 - along) * arc) / sine)
    second = np.where(along == 0, 0.0, np.sin(along * arc) / sine)
    return first * corners[edge] + second * ends[edge], edge


def _opened_at_poles(
    latitude: Floats, longitude: Floats, starts: NDArray[np.intp], polar: NDArray[np.bool_]
) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Replace each vertex at a pole by two, on the meridians that lead to it and away from it."""
    after = following(starts, len(longitude))
    before = np.argsort(after)
    copies = np.where(polar, 2, 1)
    source = np.repeat(np.arange(len(latitude)), copies)
    first = np.cumsum(copies) - copies
    opened = longitude[source]
    opened[first[polar]] = longitude[before[polar]]
    opened[first[polar] + 1] = longitude[after[polar]]
    exact = np.where(polar, np.copysign(90.0, latitude), latitude)
    return exact[source], opened, first[starts]
