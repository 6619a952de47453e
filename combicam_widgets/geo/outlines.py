"""Outlines of cells on the globe: which side is inside, and how to draw them on a flat map.

An outline is an open ring of vertices (latitude, longitude), joined by great-circle arcs, around
a convex patch smaller than a hemisphere. Many outlines travel as one flat array of vertices with
`starts`, the index of each ring's first vertex.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.geo.earth import Floats, check_coordinates, unit_vectors, vector_coordinates

_POLE = 90.0 - 1e-7
_SIDE_TOLERANCE = 1e-12
"""How far outside an edge still counts as on it, in radians (a hundredth of a millimetre)."""


def check_outlines(outlines: Iterable[ArrayLike], longitudes: Floats) -> tuple[Floats, ...]:
    """Turn outlines into read-only arrays without jumps, or say what is wrong with them.

    Parameters
    ----------
    outlines : iterable of C array-likes, shape (V, 2)
        (latitude, longitude) of the vertices of each ring.
    longitudes : ndarray, shape (C,)
        Of the centres: each ring comes to lie near its own.

    Raises
    ------
    TypeError, ValueError
        If they are not C rings of at least 3 points on the Earth.
    """
    rings = [np.asarray(ring, dtype=np.float64) for ring in outlines]
    if len(rings) != len(longitudes):
        raise ValueError(f"outlines must be {len(longitudes)}, one per cell, got {len(rings)}")
    for index, ring in enumerate(rings):
        if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3:
            raise ValueError(
                "an outline must have shape (V, 2) with V >= 3 corners (latitude, longitude); "
                f"that of cell {index} has shape {ring.shape}"
            )
    vertices = np.concatenate(rings)
    check_coordinates(vertices[:, 0], vertices[:, 1])
    starts = ring_starts(rings)
    vertices = unwrap_rings(vertices, starts, longitudes)
    vertices.flags.writeable = False
    return tuple(np.split(vertices, starts[1:]))


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
    following = np.arange(1, len(vectors) + 1)
    following[starts + lengths - 1] = starts
    normals = np.cross(vectors, vectors[following])
    norms = np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.divide(normals, norms, out=np.zeros_like(normals), where=norms > 1e-12)
    inner = np.repeat(np.add.reduceat(vectors, starts, axis=0), lengths, axis=0)
    inwards: Floats = np.sign((normals * inner).sum(axis=1, keepdims=True)) * normals
    return inwards


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
    held: NDArray[np.bool_] = innermost >= -_SIDE_TOLERANCE
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


def flat_ring(outline: Floats, max_step: float = 1.0) -> Floats:
    """Turn an outline into a polygon that is right on a map with straight meridians.

    Great-circle arcs are curves there: they get points in between. A pole is the whole upper or
    lower edge of such a map: a cell that touches or holds it is led along that edge.

    Parameters
    ----------
    outline : ndarray, shape (V, 2)
        (latitude, longitude) of the vertices.
    max_step : float
        Longest straight piece, in degrees of arc.

    Returns
    -------
    ndarray of float64, shape (P, 2)
        (latitude, longitude) of an open polygon, in the order of the outline, without jumps.
    """
    corners = unit_vectors(outline[:, 0], outline[:, 1])
    ring = _densified(corners, max_step)
    latitude, longitude = vector_coordinates(ring)
    poles = np.abs(latitude) >= _POLE
    if poles.any():
        latitude, longitude = _opened_at_pole(latitude, longitude, poles)
    steps = (np.diff(longitude, append=longitude[0]) + 180.0) % 360.0 - 180.0
    turn = round(steps.sum() / 360.0)
    if turn:
        # Half a turn goes either way round: over a pole that is touched, the way that closes.
        halves = np.flatnonzero(np.abs(steps) > 180.0 - 1e-6)[:1]
        steps[halves] -= 360.0 * turn
        turn = round(steps.sum() / 360.0)
    longitude = longitude[0] + np.concatenate([[0.0], np.cumsum(steps)])
    longitude += 360.0 * np.round((outline[0, 1] - longitude[0]) / 360.0)
    if turn:
        north = inside(edge_normals(corners, np.array([0])), np.array([0]), np.eye(3)[2:])
        edge = 90.0 if north[0, 0] else -90.0
        latitude = np.concatenate([latitude, [latitude[0], edge, edge]])
        longitude = np.concatenate([longitude, [longitude[-1], longitude[0]]])
    else:
        longitude = longitude[:-1]
    return np.stack([latitude, longitude], axis=1)


def _densified(corners: Floats, max_step: float) -> Floats:
    """Points along the arcs between unit vectors, each arc's end left to the next."""
    ends = np.roll(corners, -1, axis=0)
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
    return first * corners[edge] + second * ends[edge]


def _opened_at_pole(
    latitude: Floats, longitude: Floats, poles: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Replace a vertex at a pole by the two ends of its piece of the map's edge."""
    copies = np.where(poles, 2, 1)
    source = np.repeat(np.arange(len(latitude)), copies)
    first = np.cumsum(copies) - copies
    opened = longitude[source]
    opened[first[poles]] = np.roll(longitude, 1)[poles]
    opened[first[poles] + 1] = np.roll(longitude, -1)[poles]
    return latitude[source], opened
