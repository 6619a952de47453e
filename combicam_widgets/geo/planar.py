"""From polygons on a flat map, as GeoJSON has them, to rings on the globe.

On the flat map an edge is straight in longitude and latitude (RFC 7946, section 3.1.1), the world
ends at the antimeridian, and a pole is an edge of it. On the globe edges are great circles, the
antimeridian is a line like any other, and a pole is a point.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, wrap_longitude

_STEP = 1.0
"""Degrees. An edge of this length leaves its great circle by less than 500 m."""

_NOTHING = 1e-17
"""Steradians: a few square centimetres."""


def sphere_rings(polygons: Sequence[Sequence[Floats]]) -> list[Floats]:
    """Turn flat polygons into rings on the globe, with the inside on the left.

    What was cut at the antimeridian is joined again, and so is all else that shares an edge.

    Parameters
    ----------
    polygons : sequence of sequences of ndarray, shape (V, 2)
        Open rings of (latitude, longitude) in degrees; latitudes in [-90, 90]. Of each polygon
        the largest ring goes around it, the others are holes, whichever way they run. A step in
        longitude of more than 180 degrees is meant the short way round, as in files that are not
        cut at the antimeridian; one of 360 is none at all.

    Returns
    -------
    list of ndarray of float64, shape (V, 2)
        (latitude, longitude) of great-circle rings, with a vertex every degree or oftener where
        edges do not follow a meridian.

    Raises
    ------
    ValueError
        If no border remains: there is no area, or it is the whole Earth.
    """
    edges = [_edges(ring) for rings in polygons for ring in _oriented(rings)]
    rings = _joined([own for own in edges if len(own)])
    if not rings:
        raise ValueError(
            "there is no border around an area; an edge all around the Earth needs a corner "
            "on its way"
        )
    return [_dense(ring) for ring in rings]


def _oriented(rings: Sequence[Floats]) -> list[Floats]:
    """Have the inside of a polygon on the left of all its rings; none if it has no inside."""
    areas = np.array([_area(ring) for ring in rings])
    if np.abs(areas).max(initial=0.0) < _NOTHING:
        return []
    # Files that were cut or joined at a pole may name a hole first.
    outside = np.arange(len(rings)) == np.abs(areas).argmax()
    return [
        ring if left else ring[::-1]
        for ring, left in zip(rings, (areas > 0) == outside, strict=True)
    ]


def _area(ring: Floats) -> float:
    """Signed area in steradians, positive if the inside is on the left."""
    latitude, longitude = ring.T
    steps = np.roll(longitude, -1) - longitude
    along_pole = (np.abs(latitude) == 90.0) & (np.abs(np.roll(latitude, -1)) == 90.0)
    turns = 0
    if (np.abs(steps)[~along_pole] > 180.0).any():
        steps = _shorter(steps)
        turns = round(float(steps.sum()) / 360.0)
    height = np.sin(np.radians(latitude))
    area = -float((np.radians(steps) * (height + np.roll(height, -1))).sum()) / 2
    if not turns:
        return area
    # Around a pole: the smaller side is inside.
    left = area + 2 * np.pi
    return left if left <= 2 * np.pi else left - 4 * np.pi


def _shorter(steps: Floats) -> Floats:
    """Go the short way round; half a turn stays as it is."""
    shorter: Floats = np.where(
        np.abs(steps) > 180.0, steps - 360.0 * np.round(steps / 360.0), steps
    )
    return shorter


def _edges(ring: Floats) -> Floats:
    """Return the edges of a ring on the globe: from and to (latitude, longitude), step east."""
    (lat1, lon1), (lat2, lon2) = ring.T, np.roll(ring, -1, axis=0).T
    # To a pole leads the meridian of the other end.
    from_pole, to_pole = np.abs(lat1) == 90.0, np.abs(lat2) == 90.0
    steps = np.where(from_pole | to_pole, 0.0, _shorter(lon2 - lon1))
    lon1, lon2 = np.where(from_pole, lon2, lon1), np.where(to_pole, lon1, lon2)
    edges: Floats = np.stack([lat1, lon1, lat2, lon2, steps], axis=1)
    kept: Floats = edges[(lat1 != lat2) | (steps != 0.0)]
    return kept


def _joined(rings: list[Floats]) -> list[Floats]:
    """Drop the edges that are run both ways, which are no border; string together what remains."""
    if not rings:
        return []
    edges = np.concatenate(rings)
    starts, ends = _numbered(edges)
    many = len(edges) * 2
    # From a place to the one half a turn away, there is an edge to the east and one to the west.
    half = np.where(np.abs(edges[:, 4]) == 180.0, np.sign(edges[:, 4]), 0.0).astype(np.intp)
    codes = (starts * many + ends) * 3 + half
    runs, first, counts = np.unique(codes, return_index=True, return_counts=True)
    back = ((ends * many + starts) * 3 - half)[first]
    place = np.minimum(np.searchsorted(runs, back), len(runs) - 1)
    counts = counts - np.where(runs[place] == back, counts[place], 0)
    if counts.sum() == len(edges):
        return rings
    kept = np.repeat(first, np.maximum(counts, 0))
    leaving: dict[int, list[int]] = {}
    for edge in kept.tolist():
        leaving.setdefault(int(starts[edge]), []).append(edge)
    joined = []
    for start, waiting in leaving.items():
        while waiting:
            path = [waiting.pop()]
            while ends[path[-1]] != start:
                path.append(leaving[int(ends[path[-1]])].pop())
            joined.append(edges[path])
    return joined


def _numbered(edges: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Give numbers to the places where edges start and end; a pole is a single place."""
    latitude = np.concatenate([edges[:, 0], edges[:, 2]])
    longitude = wrap_longitude(np.concatenate([edges[:, 1], edges[:, 3]]))
    longitude = np.where(np.abs(latitude) == 90.0, 0.0, longitude)
    _, numbers = np.unique(latitude + 1j * longitude, return_inverse=True)
    starts, ends = np.split(numbers.astype(np.intp), 2)
    return starts, ends


def _dense(ring: Floats) -> Floats:
    """Put vertices on the edges, as (latitude, longitude), where they do not follow a meridian."""
    lat1, lon1, lat2, _, steps = ring.T
    reach = np.where(steps == 0.0, 0.0, np.maximum(np.abs(steps), np.abs(lat2 - lat1)))
    pieces = np.maximum(np.ceil(reach / _STEP), 1).astype(np.intp)
    edge = np.repeat(np.arange(len(ring)), pieces)
    along = (np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[edge]
    latitude = lat1[edge] + along * (lat2 - lat1)[edge]
    return np.stack([latitude, lon1[edge] + along * steps[edge]], axis=1)
