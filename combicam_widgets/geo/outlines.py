"""Outlines of cells on the globe: what is one, and the rings that it is made of.

A ring is an open row of vertices (latitude, longitude), joined by great-circle arcs. An outline is
one ring or several, parted by a row of NaN as in most plotting libraries. Many rings travel as one
flat array of vertices with `starts`, the index of each ring's first vertex.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.geo.earth import Floats, check_coordinates
from combicam_widgets.geo.given import as_numbers, as_sequence

_POLE = 90.0 - 1e-7


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


def following(starts: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Index of the vertex that follows each of `count` in its ring, strung together as above."""
    after = np.arange(1, count + 1)
    after[starts + np.diff(starts, append=count) - 1] = starts
    return after


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
