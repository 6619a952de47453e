"""The cells of a geolocalization network: the patches of the Earth that are its classes."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets.geo.earth import (
    Floats,
    check_coordinates,
    great_circle_km,
    unit_vectors,
)
from combicam_widgets.geo.outlines import (
    check_outlines,
    edge_normals,
    flat_ring,
    inside,
    ring_starts,
)
from combicam_widgets.geo.places import place_name
from combicam_widgets.geo.voronoi import voronoi_outlines

_ARRAYS = ("latitudes", "longitudes", "outline_vertices", "outline_lengths")
_PIECE = 1_000_000
"""Products of edges and points computed at once by `locate`, 8 MB."""


@dataclass(frozen=True, eq=False, repr=False)
class CellGrid:
    """All cells of a network, in class order.

    Attributes
    ----------
    latitudes, longitudes : ndarray of float64, shape (C,)
        Centres in degrees; longitudes in [-180, 180).
    outlines : tuple of C ndarrays of float64, shape (V, 2)
        (latitude, longitude) of the corners, V >= 3, in order, joined by great circles; the ring
        is left open. Cells are convex and smaller than a hemisphere. Longitudes are made
        continuous (steps of at most 180 degrees), so they may leave [-180, 180].
    names : tuple of C str, or None
        Place name of each cell. None: they are looked up when asked for, see `name`.

    All arrays are copies and read-only.

    Raises
    ------
    TypeError, ValueError
        If the coordinates are not sane, or centres, outlines and names differ in number.
    """

    latitudes: Floats
    longitudes: Floats
    outlines: tuple[Floats, ...]
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        latitudes, longitudes = _check_centers(self.latitudes, self.longitudes)
        names = None if self.names is None else tuple(self.names)
        if names is not None and len(names) != len(latitudes):
            raise ValueError(f"names must be {len(latitudes)}, one per cell, got {len(names)}")
        object.__setattr__(self, "latitudes", _frozen(latitudes))
        object.__setattr__(self, "longitudes", _frozen(longitudes))
        object.__setattr__(self, "outlines", check_outlines(self.outlines, longitudes))
        object.__setattr__(self, "names", names)

    @classmethod
    def from_centers(
        cls, latitudes: ArrayLike, longitudes: ArrayLike, names: Iterable[str] | None = None
    ) -> Self:
        """Make the grid in which every place belongs to the nearest centre.

        The outlines are the Voronoi cells of the centres on the sphere; together they cover it.

        Parameters
        ----------
        latitudes, longitudes : array-like, shape (C,)
            Centres in degrees, in class order: at least 4, all different, not all on one circle.
        names : iterable of str, optional
            Place name of each cell.

        Raises
        ------
        TypeError, ValueError
            If the coordinates are not sane, or no such grid exists.
        """
        latitudes, longitudes = _check_centers(latitudes, longitudes)
        outlines = voronoi_outlines(latitudes, longitudes)
        return cls(latitudes, longitudes, outlines, None if names is None else tuple(names))

    def save(self, path: str | PathLike[str], **facts: ArrayLike) -> None:
        """Write the grid to a NumPy archive, without pickle.

        Parameters
        ----------
        path : path-like
            File to write, usually `*.npz`.
        **facts : array-like, shape (C, ...)
            Further arrays to keep in the same file, one row per cell. `load` passes them over;
            read them with `numpy.load`.

        Raises
        ------
        ValueError
            If a fact does not have one row per cell, takes a name of the grid's own, or would
            need pickle.
        """
        arrays: dict[str, NDArray[Any]] = {
            "latitudes": self.latitudes,
            "longitudes": self.longitudes,
            "outline_vertices": np.concatenate(self.outlines),
            "outline_lengths": np.array([len(ring) for ring in self.outlines], dtype=np.int32),
        }
        if self.names is not None:
            arrays["names"] = np.array(self.names, dtype=np.str_)
        for key, fact in facts.items():
            rows = np.asarray(fact)
            if key in (*_ARRAYS, "names"):
                raise ValueError(f"{key!r} is a name of the grid's own; call the fact otherwise")
            if rows.ndim == 0 or len(rows) != len(self):
                raise ValueError(f"{key} must have {len(self)} rows, got shape {rows.shape}")
            if rows.dtype.hasobject:
                raise ValueError(f"{key} holds Python objects, which would need pickle")
            arrays[key] = rows
        with Path(path).open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a grid that `save` wrote. Nothing is ever unpickled.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is not a grid.
        """
        try:
            return cls(*_read(path))
        except (BadZipFile, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
            raise ValueError(f"{path} is not a grid that CellGrid.save wrote: {error}") from error

    def __len__(self) -> int:
        return len(self.latitudes)

    def __repr__(self) -> str:
        naming = "named" if self.names is not None else "named when asked"
        return f"CellGrid({len(self)} cells, {naming})"

    def name(self, index: int) -> str:
        """Place name of a cell, such as "near Brisbane, Australia".

        Parameters
        ----------
        index : int
            0 to C - 1.

        Raises
        ------
        IndexError
            If there is no such cell.
        """
        index = self.check_index(index)
        if self.names is not None:
            return self.names[index]
        return place_name(float(self.latitudes[index]), float(self.longitudes[index]))

    def at(self, latitude: float, longitude: float) -> int | None:
        """Index of the cell that holds a point, None outside all cells.

        Parameters
        ----------
        latitude, longitude : float
            Degrees.

        Raises
        ------
        TypeError, ValueError
            If they are not a point on the Earth.
        """
        index = int(self.locate([latitude], [longitude])[0])
        return None if index < 0 else index

    def locate(self, latitudes: ArrayLike, longitudes: ArrayLike) -> NDArray[np.intp]:
        """Return the indices of the cells that hold some points.

        A point is tested against the great circles of all edges. On a common border, or where
        cells overlap, the cell with the nearest centre counts.

        Parameters
        ----------
        latitudes, longitudes : array-like, shape (N,)
            Degrees.

        Returns
        -------
        ndarray of int, shape (N,)
            0 to C - 1; -1 outside all cells.

        Raises
        ------
        TypeError, ValueError
            If they are not points on the Earth.
        """
        points = unit_vectors(latitudes, longitudes).reshape(-1, 3)
        normals, starts = self._edges
        found = np.empty(len(points), dtype=np.intp)
        step = max(1, _PIECE // len(normals))
        for begin in range(0, len(points), step):
            piece = points[begin : begin + step]
            held = inside(normals, starts, piece)
            closeness = np.where(held, self.unit_vectors @ piece.T, -2.0)
            found[begin : begin + step] = np.where(held.any(axis=0), closeness.argmax(axis=0), -1)
        return found

    def distances_km(self, latitude: float, longitude: float) -> Floats:
        """Great-circle distances from a point to all centres.

        Parameters
        ----------
        latitude, longitude : float
            Degrees.

        Returns
        -------
        ndarray of float64, shape (C,)
            Kilometres.

        Raises
        ------
        TypeError, ValueError
            If they are not a point on the Earth.
        """
        return great_circle_km(self.latitudes, self.longitudes, latitude, longitude)

    def outline_geojson(self, indices: Iterable[int], max_step: float = 2.0) -> dict[str, Any]:
        """Outlines of a few cells for a map.

        Parameters
        ----------
        indices : iterable of int
            Cells, each 0 to C - 1.
        max_step : float
            Longest straight piece in degrees of arc: edges are great circles, which most maps
            would draw as straight lines.

        Returns
        -------
        dict
            A GeoJSON FeatureCollection with one closed Polygon per cell, (longitude, latitude)
            to 3 decimals. Longitudes do not jump, so they may leave [-180, 180]; a cell at a
            pole follows the map's edge. `properties` holds the cell's `index`.

        Raises
        ------
        IndexError
            If there is no such cell.
        ValueError
            If max_step is not positive.
        """
        if not max_step > 0:
            raise ValueError(f"max_step must be positive, got {max_step}")
        features = []
        for index in map(self.check_index, indices):
            ring = np.round(flat_ring(self.outlines[index], max_step)[:, ::-1], 3).tolist()
            features.append(
                {
                    "type": "Feature",
                    "properties": {"index": index},
                    "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                }
            )
        return {"type": "FeatureCollection", "features": features}

    @cached_property
    def unit_vectors(self) -> Floats:
        """Centres as unit vectors, shape (C, 3), read-only."""
        return _frozen(unit_vectors(self.latitudes, self.longitudes))

    def check_index(self, index: int) -> int:
        """Return the index as a plain int.

        Parameters
        ----------
        index : int

        Raises
        ------
        TypeError
            If it is not a whole number.
        IndexError
            If it is not 0 to C - 1. Negative ones are refused: they are mistakes more often
            than they count from the end.
        """
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            raise TypeError(f"a cell is given by its index, a whole number, got {index!r}")
        if not 0 <= index < len(self):
            raise IndexError(f"there is no cell {index}; this grid has cells 0 to {len(self) - 1}")
        return int(index)

    @cached_property
    def _edges(self) -> tuple[Floats, NDArray[np.intp]]:
        vertices = np.concatenate(self.outlines)
        starts = ring_starts(self.outlines)
        return edge_normals(unit_vectors(vertices[:, 0], vertices[:, 1]), starts), starts


def _read(
    path: str | PathLike[str],
) -> tuple[Floats, Floats, tuple[Floats, ...], tuple[str, ...] | None]:
    archive = np.load(path, allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise TypeError("it holds a single array")
    with archive:
        vertices, lengths = archive["outline_vertices"], archive["outline_lengths"]
        if lengths.sum() != len(vertices):
            raise ValueError(f"{len(vertices)} corners for outlines of {lengths.sum()}")
        outlines = tuple(np.split(vertices, np.cumsum(lengths)[:-1]))
        names = tuple(archive["names"].tolist()) if "names" in archive else None
        return archive["latitudes"], archive["longitudes"], outlines, names


def _frozen(array: Floats) -> Floats:
    array = array.copy()
    array.flags.writeable = False
    return array


def _check_centers(latitudes: ArrayLike, longitudes: ArrayLike) -> tuple[Floats, Floats]:
    latitudes, longitudes = check_coordinates(latitudes, longitudes)
    if latitudes.ndim != 1 or latitudes.shape != longitudes.shape or not len(latitudes):
        raise ValueError(
            "latitudes and longitudes must be two lists of the same length, "
            f"got shapes {latitudes.shape} and {longitudes.shape}"
        )
    return latitudes, longitudes
