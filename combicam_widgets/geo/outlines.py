"""Outlines of cells on the globe: which side is inside, and how to draw them on a flat map.

A ring is an open row of vertices (latitude, longitude), joined by great-circle arcs. An outline is
one ring or several, parted by a row of NaN as in most plotting libraries. Many rings travel as one
flat array of vertices with `starts`, the index of each ring's first vertex.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.geo.earth import Floats, check_coordinates, unit_vectors, vector_coordinates
from combicam_widgets.geo.given import as_numbers, as_sequence

_POLE = 90.0 - 1e-7
SIDE_TOLERANCE = 1e-12
"""How far outside an edge still counts as on it, in radians (a hundredth of a millimetre)."""


def check_outlines(outlines: Iterable[ArrayLike], longitudes: Floats) -> tuple[Floats, ...]:
    """Turn outlines into read-only arrays without jumps, or say what is wrong with them.

    Parameters
    ----------
    outlines : iterable of C array-likes, shape (V, 2)
        (latitude, longitude) of the vertices; rows of NaN between rings.
    longitudes : ndarray, shape (C,)
        Of the centres: each ring comes to lie near that of its cell.

    Raises
    ------
    TypeError, ValueError
        If they are not C outlines, each ring with at least 3 points on the Earth.
    """
    listed = as_sequence("outlines", "a list with one outline per cell", outlines)
    given = [as_numbers(f"outlines[{index}]", outline) for index, outline in enumerate(listed)]
    if len(given) != len(longitudes):
        raise ValueError(f"outlines must be {len(longitudes)}, one per cell, got {len(given)}")
    for index, outline in enumerate(given):
        _check_corners(index, outline)
    vertices = np.concatenate(given)
    gap = _gaps(vertices)
    starts = ring_starts(given)
    near = longitudes
    if gap.any():
        split = [rings_of(outline) for outline in given]
        for index, rings in enumerate(split):
            for ring in rings:
                _check_corners(index, ring)
        near = np.repeat(longitudes, [len(rings) for rings in split])
        starts = ring_starts([ring for rings in split for ring in rings])
    check_coordinates(vertices[~gap, 0], vertices[~gap, 1])
    vertices[~gap] = unwrap_rings(vertices[~gap], starts, near)
    vertices.flags.writeable = False
    return tuple(np.split(vertices, ring_starts(given)[1:]))


def _check_corners(index: int, ring: Floats) -> None:
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3:
        raise ValueError(
            "an outline must have shape (V, 2) with V >= 3 corners (latitude, longitude); "
            f"that of cell {index} has shape {ring.shape}"
        )


def rings_of(outline: Floats) -> list[Floats]:
    """Return the rings of an outline, each of shape (V, 2)."""
    gap = _gaps(outline)
    if not gap.any():
        return [outline]
    ends = [*np.flatnonzero(gap).tolist(), len(outline)]
    return [outline[a:b] for a, b in zip([0, *(end + 1 for end in ends)], ends, strict=False)]


def _gaps(outline: Floats) -> NDArray[np.bool_]:
    """Which rows part rings."""
    return np.isnan(outline[:, 0]) & np.isnan(outline[:, 1])


def outline_of(rings: Sequence[Floats]) -> Floats:
    """Return the outline made of some rings: the inverse of `rings_of`."""
    gap = np.full((1, 2), np.nan)
    return np.concatenate([part for ring in rings for part in (ring, gap)][:-1])


def ring_starts(rings: Sequence[Floats]) -> NDArray[np.intp]:
    """Return where each ring starts when all are strung together, shape (C,)."""
    return np.cumsum([0, *(len(ring) for ring in rings[:-1])], dtype=np.intp)


def edge_normals(vectors: Floats, starts: NDArray[np.intp]) -> Floats:
    """Return unit normals of the planes through the edges of all rings, pointing inwards.

    Parameters
    ----------
    vectors : ndarray, shape (E, 3)
        Unit vectors of the vertices of all rings, one ring after the other.
    starts : ndarray of int, shape (C,)
        Index of each ring's first vertex.

    Returns
    -------
    ndarray of float64, shape (E, 3)
        Row e belongs to the edge from vertex e to the next of its ring. A point x of the sphere
        lies inside a ring where normals @ x >= 0 for all its edges. Edges without length have
        the normal 0, which every point passes.
    """
    lengths = np.diff(starts, append=len(vectors))
    normals = np.cross(vectors, vectors[_following(starts, len(vectors))])
    norms = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, norms, out=np.zeros_like(normals), where=norms > 1e-12)
    inner = np.repeat(np.add.reduceat(vectors, starts, axis=0), lengths, axis=0)
    inwards: Floats = np.sign((normals * inner).sum(axis=1, keepdims=True)) * normals
    return inwards


def _following(starts: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Index of the vertex that follows each of `count` in its ring."""
    following = np.arange(1, count + 1)
    following[starts + np.diff(starts, append=count) - 1] = starts
    return following


def inside(normals: Floats, starts: NDArray[np.intp], points: Floats) -> NDArray[np.bool_]:
    """Which rings hold which points, borders included.

    Parameters
    ----------
    normals : ndarray, shape (E, 3)
        From `edge_normals`.
    starts : ndarray of int, shape (C,)
    points : ndarray, shape (N, 3)
        Unit vectors.

    Returns
    -------
    ndarray of bool, shape (C, N)
    """
    innermost = np.minimum.reduceat(normals @ points.T, starts, axis=0)
    held: NDArray[np.bool_] = innermost >= -SIDE_TOLERANCE
    return held


def unwrap_rings(vertices: Floats, starts: NDArray[np.intp], near: Floats) -> Floats:
    """Make the longitudes of every ring continuous.

    Parameters
    ----------
    vertices : ndarray, shape (E, 2)
        (latitude, longitude) of all rings, one ring after the other.
    starts : ndarray of int, shape (C,)
        Index of each ring's first vertex.
    near : ndarray, shape (C,)
        A longitude that each ring shall be close to: its centre's.

    Returns
    -------
    ndarray of float64, shape (E, 2)
        The same vertices; consecutive longitudes differ by at most 180 degrees and may leave
        [-180, 180]. Vertices at a pole, which lie on every meridian, take the one of the vertex
        before. A ring around a pole does not close: one step is missing to the full turn.
    """
    lengths = np.diff(starts, append=len(vertices))
    before = np.arange(-1, len(vertices) - 1)
    before[starts] = starts + lengths - 1
    latitude, longitude = vertices[:, 0], vertices[:, 1]
    longitude = np.where(np.abs(latitude) >= _POLE, longitude[before], longitude)
    turns = np.round((longitude - longitude[before]) / 360.0)
    turns[starts] = 0.0
    turns = np.cumsum(turns)
    longitude = longitude - 360.0 * (turns - np.repeat(turns[starts], lengths))
    middle = np.maximum.reduceat(longitude, starts) + np.minimum.reduceat(longitude, starts)
    away = np.round((middle / 2 - near) / 360.0)
    longitude = longitude - 360.0 * np.repeat(away, lengths)
    return np.stack([latitude, longitude], axis=1)


def flat_ring(ring: Floats, max_step: float = 1.0) -> Floats:
    """Turn a convex ring into a polygon that is right on a map with straight meridians.

    Great-circle arcs are curves there: they get points in between. A pole is the whole upper or
    lower edge of such a map: a cell that touches or holds it is led along that edge.

    Parameters
    ----------
    ring : ndarray, shape (V, 2)
        (latitude, longitude) of the vertices.
    max_step : float
        Longest straight piece, in degrees of arc.

    Returns
    -------
    ndarray of float64, shape (P, 2)
        (latitude, longitude) of an open polygon, in the order of the ring, without jumps.
    """
    path = flat_path(ring, max_step)
    if round((path[-1, 1] - path[0, 1]) / 360.0) == 0:
        return path[:-1]
    corners = unit_vectors(ring[:, 0], ring[:, 1])
    north = inside(edge_normals(corners, np.array([0])), np.array([0]), np.eye(3)[2:])
    edge = 90.0 if north[0, 0] else -90.0
    return np.concatenate([path, [(edge, path[-1, 1]), (edge, path[0, 1])]])


def flat_rings(rings: Sequence[Floats], max_step: float = 1.0) -> list[Floats]:
    """Turn many convex rings into polygons like `flat_ring`, most of them at once.

    Parameters
    ----------
    rings : sequence of ndarrays, shape (V, 2)
        (latitude, longitude) of the vertices.
    max_step : float
        Longest straight piece, in degrees of arc.

    Returns
    -------
    list of ndarrays of float64, shape (P, 2)
    """
    if not rings:
        return []
    starts, vertices = ring_starts(rings), np.concatenate(rings)
    corners = unit_vectors(vertices[:, 0], vertices[:, 1])
    points, edge = _densified(corners, corners[_following(starts, len(corners))], max_step)
    latitude, longitude = vector_coordinates(points)
    firsts = np.searchsorted(edge, starts)
    following = longitude[_following(firsts, len(longitude))]
    steps = (following - longitude + 180.0) % 360.0 - 180.0
    turns = np.round(np.add.reduceat(steps, firsts) / 360.0)
    polar = np.logical_or.reduceat(np.abs(latitude) >= _POLE, firsts) | (turns != 0)
    # Continuous from each ring's first vertex on, as that one was given.
    walked = np.cumsum(steps) - steps
    worlds = np.round((vertices[starts, 1] - longitude[firsts]) / 360.0)
    begin = longitude[firsts] + 360.0 * worlds - walked[firsts]
    longitude = walked + np.repeat(begin, np.diff(firsts, append=len(walked)))
    flat = np.split(np.stack([latitude, longitude], axis=1), firsts[1:])
    for index in np.flatnonzero(polar).tolist():
        flat[index] = flat_ring(rings[index], max_step)
    return flat


def flat_path(ring: Floats, max_step: float, *, oriented: bool = False) -> Floats:
    """Follow a ring on a map with straight meridians, without jumps.

    Parameters
    ----------
    ring : ndarray, shape (V, 2)
        (latitude, longitude) of the vertices.
    max_step : float
        Longest straight piece, in degrees of arc.
    oriented : bool
        Whether the inside is on the left, which tells how wide a corner at a pole is. If not, it
        is less than half a turn.

    Returns
    -------
    ndarray of float64, shape (P, 2)
        (latitude, longitude); the last is the first again, a turn farther for a ring around a
        pole.
    """
    corners = unit_vectors(ring[:, 0], ring[:, 1])
    points, _ = _densified(corners, np.roll(corners, -1, axis=0), max_step)
    latitude, longitude = vector_coordinates(points)
    poles = np.abs(latitude) >= _POLE
    if poles.any():
        latitude, longitude = opened_at_pole(latitude, longitude, poles)
    steps = (np.diff(longitude, append=longitude[0]) + 180.0) % 360.0 - 180.0
    if oriented:
        along = (np.abs(latitude) >= _POLE) & (np.abs(np.roll(latitude, -1)) >= _POLE)
        turns = np.where(latitude > 0, np.ceil(steps / 360.0), np.floor(steps / 360.0))
        steps -= np.where(along, 360.0 * turns, 0.0)
    turn = round(steps.sum() / 360.0)
    if turn:
        # Half a turn goes either way round: over a pole that is touched, the way that closes.
        halves = np.flatnonzero(np.abs(steps) > 180.0 - 1e-6)[:1]
        steps[halves] -= 360.0 * turn
    longitude = longitude[0] + np.concatenate([[0.0], np.cumsum(steps)])
    longitude += 360.0 * np.round((ring[0, 1] - longitude[0]) / 360.0)
    return np.stack([np.append(latitude, latitude[0]), longitude], axis=1)


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


def opened_at_pole(
    latitude: Floats, longitude: Floats, poles: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Replace a vertex at a pole by the two ends of its piece of the map's edge.

    Parameters
    ----------
    latitude, longitude : ndarray, shape (V,)
        Vertices of a ring in degrees.
    poles : ndarray of bool, shape (V,)
        Which of them are at a pole.

    Returns
    -------
    latitude, longitude : ndarray of float64
        The same ring; each vertex at a pole comes twice, with the longitudes of its neighbours.
    """
    copies = np.where(poles, 2, 1)
    source = np.repeat(np.arange(len(latitude)), copies)
    first = np.cumsum(copies) - copies
    opened = longitude[source]
    opened[first[poles]] = np.roll(longitude, 1)[poles]
    opened[first[poles] + 1] = np.roll(longitude, -1)[poles]
    return latitude[source], opened
