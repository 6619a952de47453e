"""The cells of a geolocalization network: the patches of the Earth that are its classes."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combicam_widgets import files
from combicam_widgets.geo.archive import read_archive, write_archive
from combicam_widgets.geo.cell_table import read_cell_table
from combicam_widgets.geo.earth import (
    Floats,
    check_centers,
    check_coordinates,
    great_circle_km,
    read_only,
    unit_vectors,
)
from combicam_widgets.geo.geojson import choose_features, feature_cells, read_features
from combicam_widgets.geo.given import as_names, as_whole, brief
from combicam_widgets.geo.outlines import check_outlines
from combicam_widgets.geo.places import place_name
from combicam_widgets.geo.s2 import s2_cells
from combicam_widgets.geo.shapes import Shapes
from combicam_widgets.geo.voronoi import voronoi_outlines


@dataclass(frozen=True, eq=False, repr=False)
class CellGrid:
    """All cells of a network, in class order.

    Attributes
    ----------
    latitudes, longitudes : ndarray of float64, shape (C,)
        Centres in degrees; longitudes in [-180, 180).
    outlines : tuple of C ndarrays of float64, shape (V, 2)
        (latitude, longitude) of the corners, V >= 3, in order, joined by great circles; the ring
        is left open and may run either way round its smaller side. A cell of several rings, such
        as islands or a country around another, has a row of NaN between them and its inside on
        their left: counter-clockwise around land, clockwise around holes. Longitudes are made
        continuous (steps of at most 180 degrees), so they may leave [-180, 180].
    names : tuple of C str or None, or None
        Place name of each cell. None, for a cell or for all: it is looked up when asked for, see
        `name`. Missing names, as tables have them (None, NaN, pandas' NA, no text), become None.

    All arrays are copies and read-only.

    Raises
    ------
    TypeError, ValueError
        If the coordinates are not sane, centres, outlines and names differ in number, or a name is
        not text.
    """

    latitudes: Floats
    longitudes: Floats
    outlines: tuple[Floats, ...]
    names: tuple[str | None, ...] | None = None

    def __post_init__(self) -> None:
        latitudes, longitudes = check_centers(self.latitudes, self.longitudes)
        names = as_names(self.names, len(latitudes))
        object.__setattr__(self, "latitudes", read_only(latitudes))
        object.__setattr__(self, "longitudes", read_only(longitudes))
        object.__setattr__(self, "outlines", check_outlines(self.outlines, longitudes))
        object.__setattr__(self, "names", names)

    @classmethod
    def from_centers(
        cls, latitudes: ArrayLike, longitudes: ArrayLike, names: Iterable[str | None] | None = None
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
        latitudes, longitudes = check_centers(latitudes, longitudes)
        names = as_names(names, len(latitudes))
        return cls(latitudes, longitudes, voronoi_outlines(latitudes, longitudes), names)

    @classmethod
    def from_s2_tokens(
        cls, tokens: Iterable[str], names: Iterable[str | None] | None = None
    ) -> Self:
        """Make a grid of S2 cells (https://s2geometry.io), one per class.

        Parameters
        ----------
        tokens : iterable of C str
            Hexadecimal, such as "89c25", in class order; levels may be mixed.
        names : iterable of str, optional
            Place name of each cell.

        Raises
        ------
        TypeError, ValueError
            If a token is not that of an S2 cell, comes twice, or is rather the code of another
            system, such as H3.

        Warns
        -----
        UserWarning
            If a cell is less than a metre wide: what is taken for a token may be another code.
        """
        latitudes, longitudes, outlines = s2_cells(tokens)
        return cls(latitudes, longitudes, outlines, as_names(names, len(latitudes)))

    @classmethod
    def from_csv(cls, path: str | PathLike[str]) -> Self:
        """Read cells from a table: named centres, or S2 cells as GeoEstimation has them.

        With a column of names instead of tokens, the cells are those of `from_centers`: every
        place belongs to the nearest centre. GeoEstimation: Mueller-Budack et al., ECCV 2018.

        Parameters
        ----------
        path : path-like
            Comma-separated, UTF-8. Headings, in any order and case: `class_label` or `class`
            (0 to C - 1; rows may be in any order), `hex_id` or `token` (S2), or instead `name` or
            `place` (cells without a name may leave it empty), `latitude_mean` or
            `latitude`, `longitude_mean` or `longitude` (the centre in degrees, taken as it is
            even if outside the cell). Other columns, empty lines and up to nine lines before the
            headings are passed over.

        Raises
        ------
        OSError, ValueError
            If there is no such file, or it is not such a table; the message names the line.
        """
        tokens, names, latitudes, longitudes = read_cell_table(path)
        if tokens is None:
            return cls.from_centers(latitudes, longitudes, names)
        return cls(latitudes, longitudes, s2_cells(tokens)[2])

    @classmethod
    def from_geojson(
        cls,
        source: Any,  # noqa: ANN401 - all that has a geo interface
        classes: Iterable[str | int] | None = None,
        key: str = "name",
        names: Iterable[str | None] | None = None,
    ) -> Self:
        """Make a grid of polygons, such as countries, from GeoJSON, geopandas or shapely.

        Centres are centroids on the sphere, or places well inside where those lie outside. Files
        may be cut at the antimeridian (RFC 7946) or not.

        Parameters
        ----------
        source : path-like, str, bytes, dict, object with a `__geo_interface__`, or list
            A GeoJSON file, its text (a str that begins with "{"), what it says, or whatever says
            it of itself: geopandas' frames and series in longitude and latitude, geometries of
            shapely, or a list of such. Each feature is a Polygon or MultiPolygon.
        classes : iterable of str or int, optional
            Class labels in class order, each the value of `key` in exactly one feature, such as a
            column of a table. Default: every feature is a class, in the file's order.
        key : str
            The property that is matched with `classes`, and names the cells.
        names : iterable of str, optional
            Place names in class order. Default: the values of `key`, where there are any.

        Raises
        ------
        OSError, TypeError, ValueError
            If there is no such file or collection, it is not in longitude and latitude, or a class
            belongs not to exactly one feature.
        """
        features, labels = choose_features(read_features(source), classes, key)
        names = as_names(labels if names is None else names, len(features))
        return cls(*feature_cells(features), names)

    @classmethod
    def from_geodataframe(
        cls,
        frame: Any,  # noqa: ANN401 - geopandas is not needed otherwise
        classes: Iterable[str | int] | None = None,
        key: str = "name",
        names: Iterable[str | None] | None = None,
    ) -> Self:
        """Make a grid of the polygons of a geopandas frame, in whatever coordinates they are.

        Parameters
        ----------
        frame : geopandas.GeoDataFrame or geopandas.GeoSeries
            One Polygon or MultiPolygon per row. Without a coordinate system they are taken as
            longitude and latitude.
        classes, key, names
            As `from_geojson`; `key` is a column.

        Raises
        ------
        TypeError
            If it is no such frame.
        ValueError
            As `from_geojson`.
        """
        if not (hasattr(frame, "to_crs") and hasattr(frame, "geometry")):
            if hasattr(frame, "to_crs"):
                raise ValueError("frame has no geometry: give it one by frame.set_geometry(...)")
            raise TypeError(
                f"frame must be a geopandas frame or series, got {type(frame).__name__}; "
                "from_geojson takes files and all else that has a geo interface"
            )
        if frame.crs is not None:
            if not (frame.crs.is_geographic or frame.crs.is_projected):
                raise ValueError(
                    f"frame is in the coordinate system {frame.crs.name!r:.60}, from which nothing "
                    "leads to longitude and latitude: give it the one that it is in, by set_crs()"
                )
            frame = frame.to_crs(4326)
        return cls.from_geojson(frame, classes, key, names)

    def save(self, path: str | PathLike[str], **facts: ArrayLike) -> None:
        """Write the grid to a NumPy archive, without pickle.

        Parameters
        ----------
        path : path-like
            File to write, usually `*.npz`. An existing file is replaced once the new one is whole.
        **facts : array-like, shape (C, ...)
            Further arrays to keep in the same file, one row per cell. `load` passes them over;
            read them with `numpy.load`.

        Raises
        ------
        ValueError
            If a fact does not have one row per cell, takes a name of the grid's own, or would
            need pickle.
        """
        write_archive(path, self.latitudes, self.longitudes, self.outlines, self.names, facts)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a grid that `save` wrote. Nothing is ever unpickled.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        OSError
            If the file cannot be read, such as FileNotFoundError.
        ValueError
            If it is not a grid, damaged, or claims more than it holds.
        """
        file = files.source(path)
        try:
            return cls(*read_archive(file))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a grid that CellGrid.save wrote: {error}") from error

    def __len__(self) -> int:
        return len(self.latitudes)

    def __repr__(self) -> str:
        naming = "named" if self.names is not None else "named when asked"
        return f"CellGrid({len(self)} cells, {naming})"

    def name(self, index: int) -> str:
        """Place name of a cell; if it has none, where it lies, as "central Peru, near Huancayo".

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
        given = None if self.names is None else self.names[index]
        return given or place_name(float(self.latitudes[index]), float(self.longitudes[index]))

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
        index = self.locate(latitude, longitude)
        if index.size != 1:
            raise TypeError("at takes one point; locate takes many")
        return None if index[0] < 0 else int(index[0])

    def locate(self, latitudes: ArrayLike, longitudes: ArrayLike) -> NDArray[np.intp]:
        """Return the indices of the cells that hold some points.

        Edges are great circles, borders belong to the cell. On a common border, or where cells
        overlap, the cell with the nearest centre counts.

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
        latitudes, longitudes = np.broadcast_arrays(*check_coordinates(latitudes, longitudes))
        return self.shapes.locate(latitudes.ravel(), longitudes.ravel(), self.unit_vectors)

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
            Longest straight piece in degrees of arc, at least 0.001: edges are great circles,
            which most maps would draw as straight lines.

        Returns
        -------
        dict
            A GeoJSON FeatureCollection with one Polygon or MultiPolygon per cell, (longitude,
            latitude) to 3 decimals. Longitudes do not jump, so they may leave [-180, 180]; a cell
            at a pole follows the map's edge. `properties` holds the cell's `index`.

        Raises
        ------
        IndexError, ValueError
            If there is no such cell, or max_step is not positive or too small.
        """
        chosen = [self.check_index(index) for index in indices]
        shapes = zip(chosen, self.shapes.geojson(chosen, max_step), strict=True)
        return {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "properties": {"index": index}, "geometry": geometry}
                for index, geometry in shapes
            ],
        }

    def to_geojson(self, max_step: float = 2.0) -> dict[str, Any]:
        """All cells for other programs, such as QGIS, geopandas or geojson.io.

        Parameters
        ----------
        max_step : float
            Longest straight piece in degrees of arc, at least 0.001.

        Returns
        -------
        dict
            A GeoJSON FeatureCollection (RFC 7946) with one Polygon or MultiPolygon per cell in
            class order, (longitude, latitude) to 3 decimals, cut at the antimeridian. `properties`
            holds the cell's `index`, `latitude` and `longitude` (of its centre), and its `name`
            where one was given. Write it with `json.dump`; `from_geojson` reads it again.

        Raises
        ------
        ValueError
            If max_step is not positive or too small.
        """
        names = self.names or (None,) * len(self)
        centers = zip(self.latitudes.tolist(), self.longitudes.tolist(), strict=True)
        shapes = self.shapes.geojson(range(len(self)), max_step, cut=True)
        return {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {"index": i, "name": name, "latitude": lat, "longitude": lon},
                    "geometry": geometry,
                }
                for i, (name, (lat, lon), geometry) in enumerate(
                    zip(names, centers, shapes, strict=True)
                )
            ],
        }

    @cached_property
    def shapes(self) -> Shapes:
        """What the cells hold, worked out from the outlines when first asked for."""
        return Shapes(self.outlines)

    @cached_property
    def unit_vectors(self) -> Floats:
        """Centres as unit vectors, shape (C, 3), read-only."""
        return read_only(unit_vectors(self.latitudes, self.longitudes))

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
        number = as_whole("the index of a cell", index)
        if not 0 <= number < len(self):
            raise IndexError(
                f"there is no cell {brief(index)}; this grid has cells 0 to {len(self) - 1}"
            )
        return number
