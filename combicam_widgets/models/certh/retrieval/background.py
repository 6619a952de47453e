"""Search within cell: look up where photos like this one were taken, in the most probable cell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from combicam_widgets.geo import (
    EARTH_RADIUS_KM,
    CellGrid,
    great_circle_km,
    unit_vectors,
    vector_coordinates,
)
from combicam_widgets.models.certh.checkpoint import advice
from combicam_widgets.models.certh.network import FEATURES
from combicam_widgets.models.checkpoint import check_is_file

_CANDIDATES = 10
_SAME_PLACE_KM = 1.0 * EARTH_RADIUS_KM / 6371.0
"""1 km on the authors' Earth, which has a radius of 6371 km."""

_TIGHTEST = 100
"""Compression makes no numbers smaller than this; a file that says so claims what it has not."""

_ROWS = 1024
"""Feature vectors read at once, 7 MB."""


class Background:
    """Photos with known positions, in the HDF5 file that the authors publish.

    The file holds ``features`` (K, 1792), embeddings, and ``labels`` (K, 2), latitudes and
    longitudes in degrees. It is opened when it is first asked; the labels are read once, of the
    features only what a search needs.

    Parameters
    ----------
    path : Path
    cells : CellGrid
        A photo belongs to the cell with the nearest centre.
    """

    def __init__(self, path: Path, cells: CellGrid) -> None:
        self.path = path
        self.cells = cells

    def candidates(self, cell: int, embedding: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Find the photos of a cell that are most similar to a photo.

        Parameters
        ----------
        cell : int
            Components with the same centre share their photos.
        embedding : (1792,) array
            Of the photo. Similarity is the dot product.

        Returns
        -------
        (n, 2) float64 array
            Positions of the 10 most similar photos, or all if the cell has fewer, most similar
            first; among equals, the earlier in the file.

        Raises
        ------
        ImportError
            h5py is not installed.
        OSError, ValueError
            The file cannot be read, or is not such a collection.
        """
        positions, nearest = self._photos
        centres = self.cells.unit_vectors
        rows = np.flatnonzero((centres == centres[cell]).all(1)[nearest])
        similarities = np.empty(len(rows), np.float32)
        with self._datasets() as (features, _):
            for begin in range(0, len(rows), _ROWS):
                piece = slice(begin, begin + _ROWS)
                vectors = features[rows[piece]].astype(np.float32)
                similarities[piece] = vectors @ embedding.astype(np.float32)
        if not np.isfinite(similarities).all():
            row = rows[~np.isfinite(similarities)][0]
            raise self._wrong(f"row {row} of 'features' holds NaN or infinite values")
        best = np.argsort(-similarities, kind="stable")[:_CANDIDATES]
        return positions[rows[best]]

    @cached_property
    def _photos(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]:
        """Positions (K, 2) of all photos, and the cell (K,) that each is nearest to."""
        # Slow to import, and only a search needs it.
        from scipy.spatial import cKDTree  # noqa: PLC0415

        with self._datasets() as (_, labels):
            positions = labels[:].astype(np.float64)
        try:
            vectors = unit_vectors(positions[:, 0], positions[:, 1])
        except ValueError as error:
            raise self._wrong(f"'labels' are not positions in degrees ({error})") from error
        _, nearest = cKDTree(self.cells.unit_vectors).query(vectors)
        return positions, np.asarray(nearest, np.intp)

    @contextmanager
    def _datasets(self) -> Iterator[tuple[Any, Any]]:
        h5py = _h5py()
        check_is_file(self.path, advice(self.path.name))
        try:
            with h5py.File(self.path, "r") as file:
                features = self._dataset(file, "features", FEATURES)
                labels = self._dataset(file, "labels", 2)
                self._check_rows(len(features), len(labels))
                yield features, labels
        except _OtherFileError:
            raise
        except Exception as error:
            raise self._wrong("it is damaged, cut off or no HDF5 file") from error

    def _check_rows(self, features: int, labels: int) -> None:
        if features != labels:
            raise self._wrong(f"it has {features} rows of 'features' for {labels} of 'labels'")

    def _dataset(self, file: Any, name: str, width: int) -> Any:  # noqa: ANN401  (h5py has no types)
        """Open a dataset that holds its numbers itself; nothing that it points to is opened."""
        h5py = _h5py()
        link = file.get(name, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise self._wrong(f"{name!r} is a link to another place, which is not followed")
        if link is None or file.get(name, getclass=True) is not h5py.Dataset:
            raise self._wrong(f"it has no dataset {name!r}")
        opened = h5py.h5d.open(file.id, name.encode())
        storage = opened.get_create_plist()
        if storage.get_layout() == h5py.h5d.VIRTUAL or storage.get_external_count():
            raise self._wrong(f"{name!r} is stored in other files, which are not opened")
        filters = [storage.get_filter(i) for i in range(storage.get_nfilters())]
        for code, *_, label in filters:
            if not h5py.h5z.filter_avail(code):
                raise self._wrong(
                    f"{name!r} is compressed by {label.decode(errors='replace') or 'a filter'} "
                    f"(HDF5 filter {code}), which is not installed"
                )
        data = h5py.Dataset(opened)
        try:
            dtype = data.dtype
        except (TypeError, ValueError):
            dtype = "numbers of an unknown kind"
        shape = data.shape
        if getattr(dtype, "kind", "") != "f" or not shape or shape[1:] != (width,):
            raise self._wrong(
                f"{name!r} must hold floating numbers of shape (K, {width}), not {dtype} of shape "
                f"{shape}"
            )
        claimed, there = data.nbytes, opened.get_storage_size()
        holds_all = there >= claimed
        if {code for code, *_ in filters} - {h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}:
            pieces = math.prod(
                -(-side // part) for side, part in zip(shape, data.chunks, strict=True)
            )
            holds_all = opened.get_num_chunks() == pieces and there * _TIGHTEST >= claimed
        if not holds_all:
            raise self._wrong(f"{name!r} claims {claimed:,} bytes, but holds {there:,}")
        return data

    def _wrong(self, what: str) -> ValueError:
        return _OtherFileError(
            f"{self.path} is not the background collection: {what}. {advice(self.path.name)}"
        )


class _OtherFileError(ValueError):
    """The file is not the background collection."""


def most_common_place(positions: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Average the largest group of positions.

    Positions up to 1 km apart are in one group, and so are all that a chain of such steps
    connects (DBSCAN with at least 1 sample). Among equally large groups, the one with the
    earliest position wins.

    Parameters
    ----------
    positions : (n, 2) array
        Latitudes and longitudes in degrees, n >= 1.

    Returns
    -------
    latitude, longitude : float
        The direction of the mean of the group's unit vectors, degrees.
    """
    # Slow to import, and only a search needs it.
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    latitude, longitude = positions.T
    distances = great_circle_km(latitude[:, None], longitude[:, None], latitude, longitude)
    _, groups = connected_components(distances <= _SAME_PLACE_KM, directed=False)
    largest = groups == np.bincount(groups).argmax()
    mean = unit_vectors(latitude[largest], longitude[largest]).mean(0)
    where = vector_coordinates(mean)
    return float(where[0]), float(where[1])


def _h5py() -> ModuleType:
    try:
        return import_module("h5py")
    except ImportError as error:
        raise ImportError(
            "The background collection is an HDF5 file: to search it, install h5py, for example "
            "with `pip install combicam_widgets[certh]`."
        ) from error
