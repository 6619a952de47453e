"""Cells of any shape, such as countries: bays, islands, lakes, poles, the antimeridian.

Every question is answered along a meridian. Coming from the north pole, the winding number of a
region (how often it covers a place) changes where an edge crosses the meridian: the inside lies on
the left, so an edge that runs west begins the inside and one that runs east ends it. An edge holds
its western end but not its eastern one, and longitudes are compared, never subtracted, so that
nothing slips through between two edges.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, unit_vectors, vector_coordinates, wrap_longitude
from combicam_widgets.geo.outlines import SIDE_TOLERANCE, opened_at_pole, ring_starts, rings_of

_POLE = 90.0 - 1e-9
_PIECE = 1_000_000
"""Products of edges and points computed at once, 8 MB."""
_STRIPS = 1024
"""Into how many strips of longitude the edges are sorted, at most."""
_SCANS = 48
"""Meridians on which a place inside is looked for."""

Indices = NDArray[np.intp]


class Regions:
    """Patches of the Earth, each bounded by one ring or several.

    A single ring may run either way round: it holds its smaller side. Where there are more, the
    inside is on the left: counter-clockwise around land, clockwise around lakes.

    Parameters
    ----------
    outlines : sequence of G ndarrays, shape (V, 2)
        (latitude, longitude) in degrees; rings are parted by a row of NaN.

    Attributes
    ----------
    areas : ndarray of float64, shape (G,)
        Steradians; the whole Earth has 4 pi.
    centroids : ndarray of float64, shape (G, 3)
        Directions of the centroids of the areas; of any length, short where they mean little.
    north, south : ndarray of bool, shape (G,)
        Whether the poles are inside.
    turned : ndarray of bool, shape (G,)
        Whether the inside is on the right: a single ring that was given clockwise.
    """

    def __init__(self, outlines: Sequence[Floats]) -> None:
        split = [rings_of(outline) for outline in outlines]
        rings = [_opened(ring) for rings in split for ring in rings]
        lengths = np.array([len(ring) for ring in rings])
        starts = ring_starts(rings)
        owners = np.repeat(np.arange(len(split)), [len(rings) for rings in split])
        self._cells = np.repeat(owners, lengths)
        begin = np.concatenate(rings)
        following = np.arange(1, len(begin) + 1)
        following[starts + lengths - 1] = starts
        end = begin[following]

        self._begin, self._end = unit_vectors(*begin.T), unit_vectors(*end.T)
        normals = np.cross(self._begin, self._end)
        norms = np.linalg.norm(normals, axis=1)
        normals = np.divide(normals, norms[:, None], out=normals, where=norms[:, None] > 1e-15)
        self._cosines = (self._begin * self._end).sum(axis=1)
        east = (end[:, 1] - begin[:, 1] + 180.0) % 360.0 - 180.0

        areas, north, south = self._integrals(begin[:, 0], end[:, 0], np.radians(east))
        self.centroids = self._per_cell(normals * np.arctan2(norms, self._cosines)[:, None] / 2)
        self.turned = (np.bincount(owners) == 1) & (areas > 2 * np.pi)
        self.areas = np.where(self.turned, 4 * np.pi - areas, areas)
        self.centroids[self.turned] *= -1
        self.north, self.south = north ^ self.turned, south ^ self.turned

        # +1 where an edge runs east around its inside, -1 westwards, 0 along a meridian.
        self._signs = np.sign(east).astype(np.intp) * np.where(self.turned, -1, 1)[self._cells]
        self._normals = np.where(east[:, None] < 0, -normals, normals)  # northwards
        self._at_north_pole = (begin[:, 0] >= _POLE) & (end[:, 0] >= _POLE)
        self._west = np.where(east < 0, end[:, 1], begin[:, 1])
        self._east = np.where(east < 0, begin[:, 1], end[:, 1])
        self._sort_into_strips()

    def holds(self, points: Floats, longitudes: Floats) -> NDArray[np.bool_]:
        """Which regions hold which points, borders included.

        Parameters
        ----------
        points : ndarray, shape (N, 3)
            Unit vectors.
        longitudes : ndarray, shape (N,)
            Of the same points, in [-180, 180).

        Returns
        -------
        ndarray of bool, shape (G, N)
        """
        held = np.repeat(self.north[:, None], len(points), axis=1)
        for edges, here in self._by_strip(longitudes):
            cells, starts = np.unique(self._cells[edges], return_index=True)
            step = max(1, _PIECE // len(edges))
            for some in np.split(here, range(step, len(here), step)):
                covered, on = self._reached(edges, longitudes[some])
                sides = self._normals[edges] @ points[some].T
                crossed = covered & ((sides < 0) | self._at_north_pole[edges, None])
                border = on & (np.abs(sides) <= SIDE_TOLERANCE)
                border[border] = self._between(edges, points[some], border)
                changes = np.add.reduceat(crossed * self._signs[edges, None], starts, axis=0)
                inside = self.north[cells, None] - changes > 0
                inside |= np.logical_or.reduceat(border, starts, axis=0)
                held[np.ix_(cells, some)] = inside
        return held

    def crossings(self, longitude: float) -> tuple[Indices, Floats, Indices]:
        """Where the edges cross a meridian.

        Parameters
        ----------
        longitude : float
            Degrees, in [-180, 180).

        Returns
        -------
        cells : ndarray of int, shape (K,)
            Which region the edge belongs to, in ascending order.
        latitudes : ndarray of float64, shape (K,)
            Degrees.
        changes : ndarray of int, shape (K,)
            What is added to the winding number from north to south.
        """
        strip = self._strip(np.array([longitude]))[0]
        edges = self._sorted[self._bounds[strip] : self._bounds[strip + 1]]
        covered, _ = self._reached(edges, np.array([longitude]))
        edges = edges[covered[:, 0] & (self._signs[edges] != 0)]
        x, y, z = self._normals[edges].T
        lam = np.radians(longitude)
        latitudes = np.degrees(np.arctan2(-(x * np.cos(lam) + y * np.sin(lam)), z))
        latitudes = np.where(self._at_north_pole[edges], 90.0, latitudes)
        return self._cells[edges], latitudes, -self._signs[edges]

    def places_inside(self, cell: int) -> Floats:
        """Return unit vectors of some places inside a region, shape (P, 3).

        They are the middles of what the region covers of some meridians: at least one, unless it
        covers nothing.
        """
        own = self._cells == cell
        spans = (self._east[own] - self._west[own]) % 360.0
        west = self._west[own][spans > 0]
        order = np.argsort(west)
        west, spans = west[order], spans[spans > 0][order]
        if not len(west):
            return np.zeros((0, 3))
        # Between as many edges, spread evenly over the outline, some meridian crosses the inside.
        chosen = np.unique(np.linspace(0, len(west) - 1, _SCANS).round().astype(np.intp))
        places = []
        for longitude in wrap_longitude(west[chosen] + spans[chosen] / 2):
            cells, latitudes, changes = self.crossings(float(longitude))
            here = cells == cell
            order = np.argsort(-latitudes[here], kind="stable")
            levels = self.north[cell] + np.cumsum([0, *changes[here][order]])
            ends = np.concatenate([[90.0], latitudes[here][order], [-90.0]])
            middles = (ends[:-1] + ends[1:])[levels > 0] / 2
            places.append(unit_vectors(middles, np.full(len(middles), longitude)))
        return np.concatenate(places)

    def inner_place(self, cell: int) -> tuple[float, float]:
        """Latitude and longitude of a place well inside a region, in degrees.

        The one of `places_inside` that is farthest from the border. ValueError if the region
        covers nothing.
        """
        places = self.places_inside(cell)
        if not len(places):
            raise ValueError("there is no border around an area")
        own = self._cells == cell
        first, second, normals = self._begin[own], self._end[own], self._normals[own]
        cosines = self._cosines[own]

        def cosine_to_border(place: Floats) -> float:
            feet = place - (normals @ place)[:, None] * normals
            feet /= np.linalg.norm(feet, axis=1, keepdims=True)
            along = np.minimum((feet * first).sum(axis=1), (feet * second).sum(axis=1)) >= cosines
            return float(max((first @ place).max(), (feet[along] @ place).max(initial=-1.0)))

        latitude, longitude = vector_coordinates(min(places, key=cosine_to_border))
        return float(latitude), float(longitude)

    def _integrals(
        self, lat1: Floats, lat2: Floats, east: Floats
    ) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
        """Areas left of the edges, and which of them hold the poles."""
        t1, t2 = np.tan(np.radians(lat1) / 2), np.tan(np.radians(lat2) / 2)
        # Karney, Algorithms for geodesics, Journal of Geodesy 87 (2013), eq. 64.
        below = 2 * np.arctan2(np.tan(east / 2) * (t1 + t2), 1 + t1 * t2)
        areas = -self._per_cell(below)
        turns = np.round(self._per_cell(east) / (2 * np.pi))
        # Rings that together run around a pole hold it. If they do not, either both poles are
        # outside or both inside, which makes an area of 4 pi less.
        north = np.where(turns == 0, areas < 0, turns > 0)
        south = np.where(turns == 0, areas < 0, turns < 0)
        return areas + 2 * np.pi * (north.astype(np.float64) + south), north, south

    def _per_cell(self, parts: Floats) -> Floats:
        """Add up what belongs to the edges of each region."""
        sums = np.zeros((self._cells[-1] + 1, *parts.shape[1:]))
        np.add.at(sums, self._cells, parts)
        return sums

    def _sort_into_strips(self) -> None:
        self._strips = int(np.clip(len(self._cells) // 16, 1, _STRIPS))
        first, last = self._strip(self._west), self._strip(self._east)
        counts = (last - first) % self._strips + 1
        edges = np.repeat(np.arange(len(counts)), counts)
        offsets = np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts)
        strips = (first[edges] + offsets) % self._strips
        order = np.argsort(strips, kind="stable")
        self._sorted = edges[order]
        self._bounds = np.searchsorted(strips[order], np.arange(self._strips + 1))

    def _strip(self, longitudes: Floats) -> Indices:
        return np.floor((longitudes + 180.0) / 360.0 * self._strips).astype(np.intp) % self._strips

    def _by_strip(self, longitudes: Floats) -> Iterator[tuple[Indices, Indices]]:
        """Edges and points that share a strip of longitude."""
        strips = self._strip(longitudes)
        order = np.argsort(strips, kind="stable")
        present, starts = np.unique(strips[order], return_index=True)
        for strip, here in zip(present, np.split(order, starts[1:]), strict=True):
            edges = self._sorted[self._bounds[strip] : self._bounds[strip + 1]]
            if len(edges):
                yield edges, here

    def _reached(
        self, edges: Indices, longitudes: Floats
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which edges hold which longitudes: without, and with their eastern ends."""
        west, east = self._west[edges, None], self._east[edges, None]
        past, before = longitudes >= west, longitudes < east
        across = west > east
        covered = np.where(across, past | before, past & before)
        return covered, covered | (longitudes == east)

    def _between(
        self, edges: Indices, points: Floats, pairs: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Of pairs (edge, point) on one great circle: does the point lie on the edge itself."""
        edge, point = np.nonzero(pairs)
        edge, here = edges[edge], points[point]
        least = self._cosines[edge] - SIDE_TOLERANCE
        near_first = (here * self._begin[edge]).sum(axis=1) >= least
        near_second = (here * self._end[edge]).sum(axis=1) >= least
        both: NDArray[np.bool_] = near_first & near_second
        return both


def _opened(ring: Floats) -> Floats:
    """Bring longitudes into [-180, 180) and give each pole the longitudes on either side of it."""
    latitude, longitude = ring[:, 0], wrap_longitude(ring[:, 1])
    # An edge of half a turn runs over the nearer pole.
    over = np.flatnonzero(np.abs(longitude - np.roll(longitude, -1)) == 180.0)
    over = over[(np.abs(latitude) < _POLE)[over] & (np.abs(np.roll(latitude, -1)) < _POLE)[over]]
    nearer = np.where(latitude[over] + np.roll(latitude, -1)[over] < 0, -90.0, 90.0)
    latitude = np.insert(latitude, over + 1, nearer)
    longitude = np.insert(longitude, over + 1, 0.0)
    poles = np.abs(latitude) >= _POLE
    if poles.any():
        latitude, longitude = opened_at_pole(latitude, longitude, poles)
    return np.stack([latitude, longitude], axis=1)
