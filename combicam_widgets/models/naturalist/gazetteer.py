"""The gazetteer: where in the world each ImageNet class is at home.

``gazetteer.csv`` holds common knowledge about classes, one von Mises-Fisher bump a row: native
ranges of animals and plants, where buildings, vehicles, dress and food are typical. Classes
without a row spread over inhabited land.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, unit_vectors
from combicam_widgets.models.checkpoint import REINSTALL, named

CLASSES = 1000
"""Number of ImageNet classes."""

_NOTHING_IS_IMPOSSIBLE = 1e-4
"""Part of every class that is spread over all cells, so that no probability is zero."""

_AT_ONCE = 64
"""Bumps computed together: few enough for the processor's cache."""

_DATA = resources.files("combicam_widgets.models.naturalist")


@dataclass(frozen=True)
class Bump:
    """One place where a class is at home.

    Attributes
    ----------
    index : int
        ImageNet class, 0 to 999.
    region : str
        The place in words.
    latitude, longitude : float
        Centre, degrees.
    spread_km : float
        Standard deviation along each axis.
    weight : float
        Relative weight within the class, > 0.
    realm : str
        ``land`` or ``sea``.
    """

    index: int
    region: str
    latitude: float
    longitude: float
    spread_km: float
    weight: float
    realm: str


@dataclass(frozen=True, eq=False)
class Habitat:
    """The cells of the naturalist and what is known about each.

    Attributes
    ----------
    cells : CellGrid
    area_km2, land_fraction : (C,) float arrays
    inhabited : (C,) bool array
    """

    cells: CellGrid
    area_km2: npt.NDArray[np.floating]
    land_fraction: npt.NDArray[np.floating]
    inhabited: npt.NDArray[np.bool_]


def read_bumps() -> tuple[Bump, ...]:
    """Read the shipped gazetteer, in the order of the file."""
    with _named("gazetteer.csv") as path:
        return tuple(
            Bump(
                index=int(row["index"]),
                region=row["region"],
                latitude=float(row["latitude"]),
                longitude=float(row["longitude"]),
                spread_km=float(row["spread_km"]),
                weight=float(row["weight"]),
                realm=row["realm"],
            )
            for row in csv.DictReader(_lines(path), strict=True)
        )


def read_classes() -> tuple[str, ...]:
    """Read the English names of the ImageNet classes, in class order; a few names occur twice."""
    with _named("classes.txt") as path:
        names = tuple(_lines(path))
        if len(names) != CLASSES:
            raise ValueError(f"it has {len(names)} lines instead of {CLASSES}")
        return names


def read_habitat() -> Habitat:
    """Read the shipped cells: S2 cells of level 4 that hold land, or seas of the gazetteer."""
    with _named("cells.npz") as path:
        cells = CellGrid.load(path)
        with np.load(path, allow_pickle=False) as facts:
            rows = [facts[name] for name in ("area_km2", "land_fraction", "inhabited")]
        if any(len(row) != len(cells) for row in rows):
            raise ValueError("its facts are not as many as its cells")
        return Habitat(cells, *rows)


@contextmanager
def _named(name: str) -> Iterator[Path]:
    with resources.as_file(_DATA / name) as path, named(path, REINSTALL):
        yield path


def _lines(path: Path) -> list[str]:
    """Read the lines of a file whose last line ends as the others do, unless it is cut off."""
    text = path.read_text(encoding="utf-8")
    if not text.endswith("\n"):
        raise ValueError("its last line is cut off")
    return text.splitlines()


def cell_given_class(bumps: tuple[Bump, ...], habitat: Habitat) -> npt.NDArray[np.float32]:
    """Tabulate p(cell | class).

    A bump is the von Mises-Fisher density exp(kappa (cos d - 1)) with kappa = (R / s)^2, times the
    land (or sea) area of each cell. s^2 = spread^2 + A / 12, since a cell of area A is not a
    point: it blurs the bump by the variance of a square of that area.

    Returns
    -------
    (1000, C) float32 array
        Rows sum to 1.
    """
    centres = unit_vectors(habitat.cells.latitudes, habitat.cells.longitudes)
    land = habitat.area_km2 * habitat.land_fraction
    sea = habitat.area_km2 - land
    table = np.zeros((CLASSES, len(habitat.cells)))
    for begin in range(0, len(bumps), _AT_ONCE):
        some = bumps[begin : begin + _AT_ONCE]
        middles = unit_vectors([b.latitude for b in some], [b.longitude for b in some])
        spreads = np.array([[b.spread_km] for b in some])
        on_land = np.array([[b.realm == "land"] for b in some])
        variance = np.square(spreads) + habitat.area_km2 / 12
        density = np.exp(EARTH_RADIUS_KM**2 / variance * (middles @ centres.T - 1)) / variance
        mass = density * np.where(on_land, land, sea)
        mass *= np.array([[b.weight] for b in some]) / mass.sum(1, keepdims=True)
        np.add.at(table, [b.index for b in some], mass)
    anywhere = land * habitat.inhabited
    table[table.sum(1) == 0] = anywhere
    table /= table.sum(1, keepdims=True)
    everywhere = habitat.area_km2 / habitat.area_km2.sum()
    table += _NOTHING_IS_IMPOSSIBLE * (everywhere - table)
    return table.astype(np.float32)
