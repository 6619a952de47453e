"""Cut lines and polygons at the antimeridian, as RFC 7946 (section 3.1.9) and flat maps want."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from combicam_widgets.geo.earth import Floats

_EAST = 180.0


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
    turns = np.ceil((line[:, 0] - _EAST) / 360.0)
    pieces: list[list[Floats]] = [[line[0] - [360.0 * turns[0], 0.0]]]
    for i in range(1, len(line)):
        here, step = turns[i - 1], int(np.sign(turns[i] - turns[i - 1]))
        while here != turns[i]:
            border = _EAST + 360.0 * (here if step > 0 else here - 1)
            point = _at(border, line[i - 1], line[i])
            pieces[-1].append(point - [360.0 * here, 0.0])
            here += step
            pieces.append([point - [360.0 * here, 0.0]])
        pieces[-1].append(line[i] - [360.0 * here, 0.0])
    whole: list[Floats] = []
    for piece in map(np.array, pieces):
        if not np.ptp(piece, axis=0).any():
            continue
        if whole and (whole[-1][-1] == piece[0]).all():  # it only touched the border
            whole[-1] = np.concatenate([whole[-1], piece[1:]])
        else:
            whole.append(piece)
    return whole


def cut_polygon(rings: Sequence[Floats]) -> list[list[Floats]]:
    """Cut a polygon into its parts on the map.

    Parameters
    ----------
    rings : sequence of (N, 2) arrays
        (longitude, latitude) in degrees, open or closed; the first goes around the polygon, the
        others around holes, whichever way they run. Longitudes do not jump, so they may leave
        [-180, 180].

    Returns
    -------
    list of lists of (M, 2) arrays
        Closed rings with longitudes in [-180, 180]: of each part one counter-clockwise around it,
        then those of its holes, clockwise.
    """
    whole = [_turned(_open(ring), left=i == 0) for i, ring in enumerate(rings)]
    longitudes = np.concatenate(whole)[:, 0]
    first = int(np.ceil((longitudes.min() - _EAST) / 360.0))
    last = int(np.floor((longitudes.max() + _EAST) / 360.0))
    parts: list[list[Floats]] = []
    for turn in range(first, last + 1):
        moved = [ring - [360.0 * turn, 0.0] for ring in whole]
        # Mirrored, the eastern border is the western one, and rings run the other way round.
        west = [ring[::-1] * [-1.0, 1.0] for ring in _west_of_border(moved)]
        both = [ring[::-1] * [-1.0, 1.0] for ring in _west_of_border(west)]
        parts += _grouped([ring for ring in both if abs(_area(ring)) > 0])
    return [[np.concatenate([ring, ring[:1]]) for ring in part] for part in parts]


def _open(ring: Floats) -> Floats:
    return ring[:-1] if (ring[0] == ring[-1]).all() else ring


def _area(ring: Floats) -> float:
    """Twice the signed area on the flat map, positive if counter-clockwise."""
    x, y = ring.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _turned(ring: Floats, *, left: bool) -> Floats:
    return ring if (_area(ring) > 0) == left else ring[::-1]


def _at(longitude: float, start: Floats, end: Floats) -> Floats:
    part = (longitude - start[0]) / (end[0] - start[0])
    return np.array([longitude, start[1] + part * (end[1] - start[1])])


def _west_of_border(rings: Sequence[Floats]) -> list[Floats]:
    """Cut away what lies east of 180 degrees; the inside is on the left of all rings."""
    kept, chains = [], []
    for ring in rings:
        inside = ring[:, 0] <= _EAST
        if inside.all():
            kept.append(ring)
        elif inside.any():
            chains += _chains(ring, inside)
    # Along the border the inside stays on the left if one goes north to the next way in.
    while chains:
        path = [chains.pop()]
        while True:
            leaves = path[-1][-1][1]
            ways = [(c[0][1], i) for i, c in enumerate(chains) if c[0][1] >= leaves]
            back = path[0][0][1]
            nearest = min(ways, default=(np.inf, -1))
            if leaves <= back <= nearest[0] or nearest[1] < 0:
                break
            path.append(chains.pop(nearest[1]))
        ring = np.concatenate(path)
        if len(np.unique(ring, axis=0)) >= 3:
            kept.append(ring)
    return kept


def _chains(ring: Floats, inside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Floats]:
    """List the runs of vertices west of the border, with the points where they cross it."""
    start = int(np.flatnonzero(~inside)[0])
    ring, inside = np.roll(ring, -start, axis=0), np.roll(inside, -start)
    chains: list[list[Floats]] = []
    for i in range(len(ring)):
        j = (i + 1) % len(ring)
        if inside[j] and not inside[i]:
            chains.append([_at(_EAST, ring[i], ring[j])])
        if inside[j]:
            chains[-1].append(ring[j])
        if inside[i] and not inside[j]:
            chains[-1].append(_at(_EAST, ring[i], ring[j]))
    return [np.array(chain) for chain in chains]


def _grouped(rings: Sequence[Floats]) -> list[list[Floats]]:
    """Put each hole, a clockwise ring, behind the smallest ring around it."""
    parts = [[ring] for ring in sorted(rings, key=_area) if _area(ring) > 0]
    for hole in (ring for ring in rings if _area(ring) < 0):
        # A corner of a hole may touch the ring around it, and count as outside.
        around = [sum(_holds(part[0], corner) for corner in hole) for part in parts]
        parts[int(np.argmax(np.array(around) * 2 > len(hole)))].append(hole)
    return parts


def _holds(ring: Floats, point: Floats) -> bool:
    """Whether a point is inside, by the crossings of a ray (even-odd rule)."""
    (x1, y1), (x2, y2) = ring.T, np.roll(ring, -1, axis=0).T
    crosses = (y1 > point[1]) != (y2 > point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x1 + (point[1] - y1) / (y2 - y1) * (x2 - x1)
    return bool((crosses & (point[0] < at)).sum() % 2)
