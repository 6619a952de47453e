"""Which cells hold which points: half-spaces for convex cells, winding numbers for the others."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, unit_vectors
from combicam_widgets.geo.flat import flat_polygons
from combicam_widgets.geo.given import as_numbers, brief
from combicam_widgets.geo.outlines import (
    edge_normals,
    flat_ring,
    inside,
    ring_starts,
)
from combicam_widgets.geo.winding import Regions

_BEND = 1e-9
"""How far a convex ring may bend inwards: rounded corners do, by less than a centimetre."""
_FINEST = 0.001
"""Degrees of arc: 100 m. No map shows more, and the Earth's circumference has 360,000 of them."""
_PIECE = 1_000_000
"""Products of edges and points computed at once, 8 MB."""

Indices = NDArray[np.intp]


class Shapes:
    """The shapes of all cells of a grid.

    Parameters
    ----------
    outlines : sequence of C ndarrays, shape (V, 2)
        (latitude, longitude) in degrees; rings are parted by a row of NaN.

    Attributes
    ----------
    convex : ndarray of int, shape (K,)
        Cells with one convex ring, smaller than a hemisphere.
    general : ndarray of int, shape (G,)
        All others.
    """

    def __init__(self, outlines: Sequence[Floats]) -> None:
        self._outlines = outlines
        single = [i for i, outline in enumerate(outlines) if not np.isnan(outline).any()]
        convex = _are_convex([outlines[i] for i in single])
        self.convex = np.array(single, dtype=np.intp)[convex]
        self.general = np.setdiff1d(np.arange(len(outlines)), self.convex)
        rings = [outlines[i] for i in self.convex.tolist()]
        self._starts = ring_starts(rings)
        vertices = np.concatenate([np.zeros((0, 2)), *rings])
        self._normals = edge_normals(unit_vectors(*vertices.T), self._starts[: len(rings)])

    @cached_property
    def regions(self) -> Regions:
        """The cells `general`, in that order. There must be some."""
        return Regions([self._outlines[i] for i in self.general.tolist()])

    def holds(self, points: Floats, longitudes: Floats) -> NDArray[np.bool_]:
        """Which cells hold which points, borders included.

        Parameters
        ----------
        points : ndarray, shape (N, 3)
            Unit vectors.
        longitudes : ndarray, shape (N,)
            Of the same points, in [-180, 180).

        Returns
        -------
        ndarray of bool, shape (C, N)
        """
        if not len(self.general):
            return inside(self._normals, self._starts, points)
        held = np.empty((len(self._outlines), len(points)), dtype=np.bool_)
        held[self.general] = self.regions.holds(points, longitudes)
        if len(self.convex):
            held[self.convex] = inside(self._normals, self._starts, points)
        return held

    def locate(self, points: Floats, longitudes: Floats, centers: Floats) -> Indices:
        """Find the cell of each point; where there are several, that with the nearest centre.

        Parameters
        ----------
        points : ndarray, shape (N, 3)
            Unit vectors.
        longitudes : ndarray, shape (N,)
            Of the same points, in [-180, 180).
        centers : ndarray, shape (C, 3)
            Unit vectors.

        Returns
        -------
        ndarray of int, shape (N,)
            0 to C - 1; -1 outside all cells.
        """
        found = np.empty(len(points), dtype=np.intp)
        step = max(1, _PIECE // max(len(self._normals), len(self._outlines)))
        for begin in range(0, len(points), step):
            some = slice(begin, begin + step)
            held = self.holds(points[some], longitudes[some])
            closeness = np.where(held, centers @ points[some].T, -2.0)
            found[some] = np.where(held.any(axis=0), closeness.argmax(axis=0), -1)
        return found

    def geojson(self, indices: Iterable[int], max_step: float) -> dict[str, Any]:
        """Outlines of a few cells for a flat map; see `CellGrid.outline_geojson`."""
        step = as_numbers("max_step", max_step)
        if step.ndim or not step > 0:
            raise ValueError(f"max_step must be positive, got {brief(max_step)}")
        if step < _FINEST:
            raise ValueError(f"max_step must be at least {_FINEST} degrees, got {brief(max_step)}")
        max_step = float(step)
        features = [
            {
                "type": "Feature",
                "properties": {"index": index},
                "geometry": self._geometry(index, max_step),
            }
            for index in indices
        ]
        return {"type": "FeatureCollection", "features": features}

    def _geometry(self, index: int, max_step: float) -> dict[str, Any]:
        outline = self._outlines[index]
        place = int(np.searchsorted(self.general, index))
        if place < len(self.general) and self.general[place] == index:
            north, south = bool(self.regions.north[place]), bool(self.regions.south[place])
            outline = outline[::-1] if self.regions.turned[place] else outline
            polygons = flat_polygons(outline, max_step, north=north, south=south)
        else:
            polygons = [[flat_ring(outline, max_step)]]
        coordinates = [[_closed(ring) for ring in polygon] for polygon in polygons]
        if len(coordinates) == 1:
            return {"type": "Polygon", "coordinates": coordinates[0]}
        return {"type": "MultiPolygon", "coordinates": coordinates}


def _closed(ring: Floats) -> list[list[float]]:
    """Positions (longitude, latitude), the last like the first."""
    positions: list[list[float]] = np.round(ring[:, ::-1], 3).tolist()
    return [*positions, positions[0]]


def _are_convex(rings: Sequence[Floats]) -> NDArray[np.bool_]:
    """Which rings have all their corners on the inner side of all their edges."""
    convex = np.zeros(len(rings), dtype=np.bool_)
    lengths = np.array([len(ring) for ring in rings])
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        vertices = np.stack([rings[i] for i in alike.tolist()])
        corners = unit_vectors(vertices[..., 0], vertices[..., 1])
        normals = edge_normals(corners.reshape(-1, 3), np.arange(len(alike)) * length)
        normals = normals.reshape(corners.shape)
        # The corner after each edge tells for nearly all rings, and a country has many edges.
        after = (normals * np.roll(corners, -2, axis=1)).sum(axis=-1).min(axis=1) >= -_BEND
        products = normals[after] @ corners[after].swapaxes(1, 2)
        convex[alike[after]] = products.min(axis=(1, 2)) >= -_BEND
    return convex
