"""Which cells hold which places, exactly; and their shapes on a flat map.

Seen from the middle of the Earth, great circles are straight: a ring that fits into a hemisphere
is a plane polygon in the gnomonic projection around its own middle, without poles or antimeridian.
There shapely says what lies inside.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, unit_vectors, vector_coordinates
from combicam_widgets.geo.flat import (
    cut_polygon,
    faces_between,
    flat_paths,
    polygons_of,
    runs_around_pole,
)
from combicam_widgets.geo.given import as_numbers, brief
from combicam_widgets.geo.outlines import following, ring_starts, rings_of

_ON = 1e-12
"""How far outside an edge still counts as on it, in radians (a hundredth of a millimetre)."""
_FLATTEST = 0.05
"""Cosine of the farthest corner from a ring's middle: at 87 degrees planes still are precise."""
_FINEST = 0.001
"""Degrees of arc: 100 m. No map shows more, and the Earth's circumference has 360,000 of them."""
_ASIDE = np.array([0.31, -0.53, 0.79]) / np.linalg.norm([0.31, -0.53, 0.79])
"""Some place that is neither a corner nor opposite to one."""
_PIECE = 1_000_000
"""Products of edges and points computed at once, 8 MB."""

Indices = NDArray[np.intp]


class Shapes:
    """The shapes of all cells of a grid.

    A single ring may run either way round: it holds its smaller side. Where there are more, the
    inside is on the left: counter-clockwise around land, clockwise around holes.

    Parameters
    ----------
    outlines : sequence of C ndarrays, shape (V, 2)
        (latitude, longitude) in degrees; rings are parted by a row of NaN.

    Attributes
    ----------
    areas : ndarray of float64, shape (C,)
        Steradians; the whole Earth has 4 pi.
    centroids : ndarray of float64, shape (C, 3)
        Directions of the centroids of the areas; of any length, short where they mean little.
    turned : ndarray of bool, shape (C,)
        Whether the cell is a single ring with its inside on the right.
    """

    def __init__(self, outlines: Sequence[Floats]) -> None:
        self._outlines = outlines
        split = [rings_of(outline) for outline in outlines]
        counts = np.array([len(rings) for rings in split])
        rings = [ring for own in split for ring in own]
        self._owners = np.repeat(np.arange(len(split)), counts)
        self._starts = ring_starts(rings)
        self._begin = unit_vectors(*np.concatenate(rings).T)
        self._end = self._begin[following(self._starts, len(self._begin))]
        self._ring = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
        self._normals = np.cross(self._begin, self._end)
        self._middles = self._find_middles()

        lefts = self._areas_on_the_left()
        self._single = single = (counts == 1)[self._owners]
        self.turned = np.zeros(len(split), dtype=np.bool_)
        self.turned[self._owners[single]] = lefts[single] < 0
        sides = np.where(single & (lefts < 0), -1, 1)
        norms = np.linalg.norm(self._normals, axis=1)
        turns = np.arctan2(norms, (self._begin * self._end).sum(axis=1))
        self._normals = np.divide(
            self._normals, norms[:, None], out=self._normals, where=norms[:, None] > 1e-15
        )
        arms = self._normals * (turns * sides[self._ring] / 2)[:, None]
        self.centroids = np.zeros((len(split), 3))
        np.add.at(self.centroids, self._owners[self._ring], arms)

        # A ring that is not in front of its middle holds what is on its left, the others their
        # small side: as an island if that is on the left, or as a hole.
        self._fits: NDArray[np.bool_] = np.any(self._middles != 0, axis=1)
        self._signs = np.where(single | ~self._fits | (lefts >= 0), 1, -1)
        lefts = np.where(single, np.abs(lefts), lefts)
        self._flip = ~self._fits & single & self.turned[self._owners]
        lefts = np.where(self._fits, lefts, lefts % (4 * np.pi))
        areas = np.bincount(self._owners, lefts, len(split))
        self._base = -np.floor(areas / (4 * np.pi)).astype(np.intp)
        self.areas = areas + 4 * np.pi * self._base

        self._polygons, self._planes = self._project()

    def holds(self, latitudes: Floats, longitudes: Floats) -> tuple[Indices, Indices]:
        """Which cells hold which points, borders included.

        Parameters
        ----------
        latitudes, longitudes : ndarray, shape (N,)
            Degrees; longitudes in [-180, 180).

        Returns
        -------
        cells, points : ndarray of int, shape (K,)
            All pairs of a cell and a point in it, each once, in no order.
        """
        points = unit_vectors(latitudes, longitudes)
        tree, rings = self._tree
        at, found = tree.query(shapely.points(longitudes, latitudes))
        axes = np.einsum("kij,kj->ki", self._planes[rings[found]], points[at])
        front = axes[:, 2] > _FLATTEST / 2
        at, ring = at[front], rings[found[front]]
        x, y = (axes[front, :2] / axes[front, 2:]).T
        inside = shapely.intersects_xy(self._polygons[ring], x, y)
        on = ~inside | ~self._single[ring]  # what a single ring holds needs no look at its border
        on[on] = shapely.dwithin(self._borders[ring[on]], shapely.points(x[on], y[on]), _ON)
        # Pairs as numbers: of each, how often the cell's rings wind around the point.
        pairs = self._owners[ring] * len(points) + at
        wound, times, borders = [pairs[inside]], [self._signs[ring[inside]]], [pairs[on]]
        for cell in np.flatnonzero(self._base).tolist():
            wound.append(cell * len(points) + np.arange(len(points)))
            times.append(np.full(len(points), self._base[cell]))
        for giant in np.flatnonzero(~self._fits).tolist():
            held, edge = self._beside(giant, points)
            cell = int(self._owners[giant])
            wound.append(cell * len(points) + np.flatnonzero(held))
            times.append(np.ones(int(held.sum()), dtype=np.intp))
            borders.append(cell * len(points) + np.flatnonzero(edge))
        pairs, inverse = np.unique(np.concatenate(wound), return_inverse=True)
        within = np.bincount(inverse, np.concatenate(times), len(pairs)) > 0.5
        return np.divmod(np.union1d(pairs[within], np.concatenate(borders)), len(points))

    def locate(self, latitudes: Floats, longitudes: Floats, centers: Floats) -> Indices:
        """Find the cell of each point; where there are several, that with the nearest centre.

        Parameters
        ----------
        latitudes, longitudes : ndarray, shape (N,)
            Degrees; longitudes in [-180, 180).
        centers : ndarray, shape (C, 3)
            Unit vectors.

        Returns
        -------
        ndarray of int, shape (N,)
            0 to C - 1; -1 outside all cells.
        """
        cells, points = self.holds(latitudes, longitudes)
        found = np.full(len(latitudes), -1, dtype=np.intp)
        found[points] = cells
        several = np.bincount(points, minlength=len(found))[points] > 1
        if several.any():
            cells, points = cells[several], points[several]
            places = unit_vectors(latitudes[points], longitudes[points])
            away = -(centers[cells] * places).sum(axis=1)
            order = np.lexsort((-cells, -away, -points))  # the last one written counts
            found[points[order]] = cells[order]
        return found

    def flat(self, indices: Iterable[int], max_step: float) -> list[list[shapely.Polygon]]:
        """Draw cells on the map with straight meridians.

        Parameters
        ----------
        indices : iterable of int
        max_step : float
            Longest straight piece, in degrees of arc.

        Returns
        -------
        list of lists of shapely.Polygon
            Of each cell its parts, (longitude, latitude), counter-clockwise around them and
            clockwise around holes. Longitudes do not jump, so they may leave [-180, 180]; what
            holds a pole is closed along the edge of the map.
        """
        wanted = list(indices)
        split = [rings_of(self._outlines[index]) for index in wanted]
        paths = flat_paths([ring for rings in split for ring in rings], max_step)
        flat: list[list[shapely.Polygon]] = [[] for _ in wanted]
        alone, place = [], 0
        for number, (index, rings) in enumerate(zip(wanted, split, strict=True)):
            own = paths[place : place + len(rings)]
            place += len(rings)
            if len(own) == 1 and not runs_around_pole(own[0]):
                alone.append((number, own[0]))
            else:
                faces = faces_between(own)
                faces = faces[self._hold_middles(index, faces)]
                flat[number] = polygons_of(shapely.union_all(faces))
        if alone:
            ring = np.repeat(np.arange(len(alone)), [len(path) for _, path in alone])
            vertices = np.concatenate([path for _, path in alone])
            filled = shapely.polygons(shapely.linearrings(vertices, indices=ring))
            for (number, _), polygon in zip(alone, shapely.orient_polygons(filled), strict=True):
                flat[number] = [polygon]
        return flat

    def rings(self, indices: Iterable[int], max_step: float, *, cut: bool = False) -> list[Floats]:
        """Outline cells on the map: closed rings (longitude, latitude), as of `flat`.

        With `cut` they lie in [-180, 180], cut at the antimeridian.
        """
        polygons = [polygon for own in self.flat(indices, max_step) for polygon in own]
        if cut:
            polygons = [part for polygon in polygons for part in cut_polygon(polygon)]
        return [
            shapely.get_coordinates(ring)
            for polygon in polygons
            for ring in (polygon.exterior, *polygon.interiors)
        ]

    def geojson(
        self, indices: Iterable[int], max_step: float, *, cut: bool = False
    ) -> list[dict[str, Any]]:
        """Geometries for a flat map; see `CellGrid.outline_geojson` and `CellGrid.to_geojson`."""
        step = as_numbers("max_step", max_step)
        if step.ndim or not step > 0:
            raise ValueError(f"max_step must be positive, got {brief(max_step)}")
        if step < _FINEST:
            raise ValueError(f"max_step must be at least {_FINEST} degrees, got {brief(max_step)}")
        if not np.isfinite(step):
            raise ValueError("max_step must be finite")
        geometries = []
        for polygons in self.flat(indices, float(step)):
            if cut:
                polygons = [part for polygon in polygons for part in cut_polygon(polygon)]  # noqa: PLW2901
            coordinates = [_positions(polygon) for polygon in polygons]
            if len(coordinates) == 1:
                geometries.append({"type": "Polygon", "coordinates": coordinates[0]})
            else:
                geometries.append({"type": "MultiPolygon", "coordinates": coordinates})
        return geometries

    def inner_place(self, index: int) -> tuple[float, float]:
        """Latitude and longitude of the place that is farthest from a cell's border, in degrees.

        ValueError if the cell covers nothing.
        """
        (polygons,) = self.flat([index], 1.0)
        polygons = [polygon for polygon in polygons if polygon.is_valid and polygon.area > 0]
        if not polygons:
            raise ValueError("there is no border around an area")
        largest = shapely.MultiPolygon(polygons)
        # East-west distances as they are on the ground, about.
        narrow = np.array([max(0.1, np.cos(np.radians(largest.centroid.y))), 1.0])
        largest = shapely.transform(largest, lambda xy: xy * narrow)
        circle = shapely.maximum_inscribed_circle(largest, tolerance=0.01)
        longitude, latitude = shapely.get_coordinates(circle)[0] / narrow
        return float(latitude), float(longitude)

    def _find_middles(self) -> Floats:
        """Return unit vectors from which the rings are in front; zero where that is not so."""
        middles: Floats = np.add.reduceat(self._begin, self._starts, axis=0)
        norms = np.linalg.norm(middles, axis=1, keepdims=True)
        middles = np.divide(middles, norms, out=np.zeros_like(middles), where=norms > 1e-9)
        front = np.minimum.reduceat((self._begin * middles[self._ring]).sum(axis=1), self._starts)
        middles[front <= _FLATTEST] = 0.0
        return middles

    def _areas_on_the_left(self) -> Floats:
        """Signed areas of all rings, of triangles around their middles, in (-2 pi, 2 pi]."""
        seen = np.any(self._middles != 0, axis=1, keepdims=True)
        apex = np.where(seen, self._middles, _ASIDE)[self._ring]
        height = (apex * self._normals).sum(axis=1)
        width = 1 + (self._begin * self._end + self._end * apex + apex * self._begin).sum(axis=1)
        areas = np.add.reduceat(2 * np.arctan2(height, width), self._starts)
        whole = 4 * np.pi * np.ceil((areas - 2 * np.pi) / (4 * np.pi))
        folded: Floats = areas - whole
        return folded

    def _project(self) -> tuple[NDArray[Any], Floats]:
        """Project each ring on the plane that touches the Earth in its middle.

        Returns the polygons, empty for rings that do not fit, and the axes of the planes (x, y and
        the view), shape (R, 3, 3).
        """
        middles = np.where(self._fits.reshape(-1, 1), self._middles, [1.0, 0.0, 0.0])
        aside = np.where(np.abs(middles[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
        x = np.cross(aside, middles)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        planes = np.stack([x, np.cross(middles, x), middles], axis=1)
        chosen = self._fits[self._ring]
        axes = np.einsum("kij,kj->ki", planes[self._ring[chosen]], self._begin[chosen])
        corners = axes[:, :2] / axes[:, 2:]
        polygons = np.full(len(planes), shapely.Polygon(), dtype=object)
        if len(corners):
            _, order = np.unique(self._ring[chosen], return_inverse=True)
            rings = shapely.linearrings(corners, indices=order)
            polygons[self._fits] = shapely.polygons(rings)
        self._borders = shapely.boundary(polygons)
        shapely.prepare(polygons)
        shapely.prepare(self._borders)
        return polygons, planes

    @cached_property
    def _tree(self) -> tuple[shapely.STRtree, Indices]:
        """Boxes of (longitude, latitude) around the rings that fit, and the ring of each box."""
        rings = np.flatnonzero(self._fits)
        latitude, longitude = vector_coordinates(self._middles[rings])
        cosines = (self._begin * self._middles[self._ring]).sum(axis=1)
        nearest = np.minimum.reduceat(cosines, self._starts)[rings]
        radius = np.arccos(nearest.clip(-1.0, 1.0)) + 1e-7
        high = np.degrees(radius)
        sine = np.sin(radius) / np.maximum(np.cos(np.radians(latitude)), 1e-12)
        polar = np.abs(latitude) + high >= 90.0
        wide = np.where(polar, 180.0, np.degrees(np.arcsin(sine.clip(0, 1)))) + 1e-7
        longitude = np.where(polar, 0.0, longitude)
        turns = np.repeat([-360.0, 0.0, 360.0], len(rings))
        west, east = np.tile(longitude - wide, 3) + turns, np.tile(longitude + wide, 3) + turns
        seen = (east >= -180.0) & (west <= 180.0)
        seen &= (turns == 0.0) | ~np.tile(polar, 3)  # all around, but only once
        boxes = shapely.box(west, np.tile(latitude - high, 3), east, np.tile(latitude + high, 3))
        return shapely.STRtree(boxes[seen]), np.tile(rings, 3)[seen]

    def _beside(self, ring: int, points: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which points a ring of more than a hemisphere holds, and which are on its border.

        Inside is what the arc to a place just left of an edge reaches by an even number of
        crossings.
        """
        own = self._ring == ring
        begin, end, normals = self._begin[own], self._end[own], self._normals[own]
        lengths = np.arccos((begin * end).sum(axis=1).clip(-1.0, 1.0))
        longest = int(lengths.argmax())
        place = (0.47 * begin + 0.53 * end)[longest]
        place = place / max(float(np.linalg.norm(place)), 1e-300)
        place = place + (-1e-6 if self._flip[ring] else 1e-6) * normals[longest]
        beyond = normals @ place >= 0
        held, on = np.empty((2, len(points)), dtype=np.bool_)
        step = max(1, _PIECE // len(begin))
        for some in (slice(first, first + step) for first in range(0, len(points), step)):
            sides = points[some] @ normals.T
            across = np.cross(points[some], place)
            first, second = across @ begin.T >= 0, across @ end.T >= 0
            left = sides >= 0
            crossed = (left != beyond) & (first != second) & (left == second)
            held[some] = crossed.sum(axis=1) % 2 == 0
            near = np.minimum(points[some] @ begin.T, points[some] @ end.T)
            between = near >= np.cos(lengths) - _ON
            on[some] = ((np.abs(sides) <= _ON) & between).any(axis=1)
        return held, on

    def _hold_middles(self, index: int, faces: NDArray[Any]) -> NDArray[np.bool_]:
        """Which faces of the map a cell holds."""
        longitude, latitude = shapely.get_coordinates(shapely.point_on_surface(faces)).T
        alone = Shapes([self._outlines[index]])
        held = np.zeros(len(faces), dtype=np.bool_)
        held[alone.holds(latitude, (longitude + 180.0) % 360.0 - 180.0)[1]] = True
        return held


def _positions(polygon: shapely.Polygon) -> list[list[list[float]]]:
    """Rings of positions (longitude, latitude) to 3 decimals."""
    rings = [polygon.exterior, *polygon.interiors]
    return [(shapely.get_coordinates(ring).round(3) + 0.0).tolist() for ring in rings]
