"""Cells of any shape on a flat map: polygons with holes, poles that are edges."""

from collections.abc import Sequence

import numpy as np

from combicam_widgets.geo.earth import Floats
from combicam_widgets.geo.outlines import flat_path, rings_of


def flat_polygons(
    outline: Floats, max_step: float, *, north: bool, south: bool
) -> list[list[Floats]]:
    """Turn an outline of any shape into polygons that are right on a map with straight meridians.

    Parameters
    ----------
    outline : ndarray, shape (V, 2)
        (latitude, longitude); rings are parted by a row of NaN, the inside is on their left.
    max_step : float
        Longest straight piece, in degrees of arc.
    north, south : bool
        Whether the poles are inside.

    Returns
    -------
    list of lists of ndarray of float64, shape (P, 2)
        Open rings of (latitude, longitude), without jumps. The first of each polygon goes around
        it counter-clockwise, the others clockwise around its holes. What holds a pole or runs
        around one is closed along the edge of the map; there holes may touch it.
    """
    paths = [flat_path(ring, max_step, oriented=True) for ring in rings_of(outline)]
    islands = [path for path in paths if abs(path[-1, 1] - path[0, 1]) < 180.0]
    rings = [path[:-1] for path in islands]
    if len(islands) < len(paths) or (north and south):
        west = _free_meridian(rings)
        rings = [ring - np.array([0.0, _turns_from(west, ring)]) for ring in rings]
        # Closed along one and the same edge, that of the pole inside if there is just one, rings
        # around the poles are land or hole as they should be.
        edge = 90.0 if north and not south else -90.0
        around = [path for path in paths if abs(path[-1, 1] - path[0, 1]) >= 180.0]
        rings += [_closed_along(edge, path, west) for path in around]
        if north and south:
            # The whole map is land, before the holes are cut.
            east = west + 360.0
            rings.append(np.array([(-90.0, west), (-90.0, east), (90.0, east), (90.0, west)]))
    if len(rings) == 1:
        return [rings if _area(rings[0]) > 0 else [rings[0][::-1]]]
    areas = [_area(ring) for ring in rings]
    polygons = [[rings[i]] for i in np.argsort(areas) if areas[i] > 0]
    for ring, area in zip(rings, areas, strict=True):
        if area <= 0:
            _cut_hole(polygons, ring)
    return polygons


def _free_meridian(rings: Sequence[Floats]) -> float:
    """Find a meridian that crosses no ring, the antimeridian if possible."""
    spans = [(ring[:, 1].min(), np.ptp(ring[:, 1])) for ring in rings]
    for west in range(-180, 180):
        if all((start - west) % 360.0 + span <= 360.0 for start, span in spans):
            return float(west)
    return -180.0


def _turns_from(west: float, ring: Floats) -> float:
    """Degrees, in whole turns, by which a ring lies east of the map that begins at a meridian."""
    return float((ring[:, 1].min() - west) // 360.0 * 360.0)


def _closed_along(edge: float, path: Floats, west: float) -> Floats:
    """Cut a path around the Earth at a meridian and close it along an edge of the map."""
    latitude, longitude = path.T
    worlds = np.floor((longitude - west) / 360.0)
    crossings = np.flatnonzero(np.diff(worlds))
    meridians = west + 360.0 * np.maximum(worlds[crossings], worlds[crossings + 1])
    along = (meridians - longitude[crossings]) / np.diff(longitude)[crossings]
    heights = latitude[crossings] + along * np.diff(latitude)[crossings]
    # From the crossing next to the edge, nothing is in the way to it.
    best = int(np.abs(edge - heights).argmin())
    cut, start = crossings[best] + 1, (heights[best], meridians[best])
    turn = np.array([0.0, longitude[-1] - longitude[0]])
    end = np.array(start) + turn
    open_path = np.concatenate([[start], path[cut:-1], path[:cut] + turn, [end]])
    closed = np.concatenate([open_path, [(edge, end[1]), (edge, start[1])]])
    first = min(start[1], end[1])
    shifted: Floats = closed - np.array([0.0, first - west])
    return shifted


def _cut_hole(polygons: list[list[Floats]], hole: Floats) -> None:
    """Give a hole to the first polygon that it lies in, perhaps a turn away."""
    for polygon in polygons:
        for turn in (0.0, 360.0, -360.0):
            turned = hole + np.array([0.0, turn])
            if _lies_in(turned, polygon[0]):
                polygon.append(turned)
                return


def _area(ring: Floats) -> float:
    """Signed area on the flat map, positive if the ring runs counter-clockwise."""
    latitude, longitude = ring.T
    heights = latitude + np.roll(latitude, -1)
    return -float((heights * (np.roll(longitude, -1) - longitude)).sum()) / 2


def _lies_in(ring: Floats, around: Floats) -> bool:
    """Whether most vertices of a ring (the others may touch) lie inside another."""
    latitude, longitude = ring[:: max(1, len(ring) // 16)].T[:, :, None]
    (lat1, lon1), (lat2, lon2) = around.T, np.roll(around, -1, axis=0).T
    crossed = (lat1 > latitude) != (lat2 > latitude)
    height = np.where(lat1 == lat2, 1.0, lat2 - lat1)
    east = lon1 + (latitude - lat1) / height * (lon2 - lon1) > longitude
    return bool(((crossed & east).sum(axis=1) % 2).mean() > 0.5)
