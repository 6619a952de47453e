"""The world as a flat map: what a prediction draws on it, in Web-Mercator coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.geo import (
    CellGrid,
    GeoPrediction,
    Guess,
    cell_raster,
    coastline,
    great_circle_points,
    mercator_y,
)
from combicam_widgets.geo.earth import Floats
from combicam_widgets.geo.flat import cut_line
from combicam_widgets.shown.lines import STEP
from combicam_widgets.shown.memory import remembered
from combicam_widgets.shown.scene import together, top_cells

_NORTH, _SOUTH = 78.0, -58.0
"""What is shown unless something lies beyond: the inhabited Earth."""
_MARGIN = 0.03
_POINTS = 64
_RASTER = 1024


@dataclass(frozen=True)
class Flag:
    """A labelled place.

    Attributes
    ----------
    kind : {"photo", "evidence", "truth"}
    text : str
        The label.
    latitude, longitude : float
        Degrees.
    """

    kind: str
    text: str
    latitude: float
    longitude: float

    def placed(
        self,
        at: tuple[float, float],
        size: tuple[float, float],
        pole: float,
        edges: tuple[float, float, float, float],
    ) -> tuple[tuple[float, float], tuple[float, float]]:
        """Place the label: above for photo, below for evidence, beside for truth; on the map.

        Parameters
        ----------
        at : (x, y)
            The place, y downwards.
        size : (width, height)
            Of the label.
        pole : float
            Length of the pole.
        edges : (left, top, right, bottom)
            Of the map.

        Returns
        -------
        tip, corner : (x, y)
            End of the pole, and the label's left upper corner.
        """
        (x, y), (wide, high), (west, north, east, south) = at, size, edges
        if self.kind == "truth":
            right = x + pole + wide < east
            tip = (x + pole if right else x - pole), y
            left, top = (tip[0] if right else tip[0] - wide), y - high / 2
        else:
            fits = y - pole - high >= north, y + pole + high <= south
            up = fits[0] if self.kind == "photo" else not fits[1]
            tip = x, (y - pole if up else y + pole)
            left, top = x - wide / 2, (tip[1] - high if up else tip[1])
        return tip, (min(max(left, west + 1), east - wide - 1), top)


@dataclass(frozen=True)
class View:
    """The part of the Web-Mercator world that is shown: all longitudes, some latitudes.

    Attributes
    ----------
    top, bottom : float
        Mercator heights as of `mercator_y`: 0 at 85.05 N, 1 at 85.05 S.
    """

    top: float
    bottom: float

    @classmethod
    def around(cls, latitudes: Iterable[float]) -> View:
        """Show the inhabited Earth and these latitudes."""
        y = mercator_y(np.array([_NORTH, _SOUTH]))
        more = mercator_y(np.array([*latitudes, 0.0]))
        top, bottom = min(y[0], more.min() - _MARGIN), max(y[1], more.max() + _MARGIN)
        return cls(max(0.0, float(top)), min(1.0, float(bottom)))

    @property
    def aspect(self) -> float:
        """Width over height."""
        return 1.0 / (self.bottom - self.top)

    def project(self, points: npt.ArrayLike) -> Floats:
        """Turn (longitude, latitude) into (x, y), widths of the map, y counted from its top.

        What lies beyond the top or the bottom is drawn in on the edge.
        """
        longitude, latitude = np.asarray(points, np.float64).reshape(-1, 2).T
        y = np.clip(mercator_y(latitude), self.top, self.bottom) - self.top
        return np.stack([(longitude + 180.0) / 360.0, y], axis=1)


def view_of(snapshot: Snapshot, *, include_position: bool) -> View:
    """Choose a view in which everything that is marked can be seen."""
    marked = [flag.latitude for flag in flags(snapshot, include_position=include_position)]
    marked += [guess.latitude for guess in top_cells(snapshot.prediction)]
    others = [answer.evidence for answer in snapshot.further if answer.evidence is not None]
    marked += [other.best.latitude for other in (*(snapshot.votes or ()), *others)]
    return View.around(marked)


def flags(snapshot: Snapshot, *, include_position: bool) -> list[Flag]:
    """Say which places get a flag: whole photo, evidence and, only if asked for, truth."""
    best = snapshot.prediction.best
    found = [Flag("photo", "whole photo", best.latitude, best.longitude)]
    if snapshot.evidence is not None:
        found.append(evidence_flag(snapshot.evidence))
    if include_position and snapshot.photo.position is not None:
        found.append(Flag("truth", "true place", *snapshot.photo.position))
    return found


def evidence_flag(evidence: GeoPrediction) -> Flag:
    """Mark where the evidence points."""
    return Flag("evidence", "evidence", evidence.best.latitude, evidence.best.longitude)


def path(prediction: GeoPrediction, evidence: GeoPrediction | None) -> list[Floats]:
    """Great circle from the prediction to the evidence's: lines of (longitude, latitude).

    Cut at the antimeridian; none where both are the same place or there is no evidence.
    """
    if evidence is None:
        return []
    here, there = prediction.best, evidence.best
    if here.index == there.index:
        return []
    ends = here.latitude, here.longitude, there.latitude, there.longitude
    return cut_line(great_circle_points(*ends, _POINTS)[:, ::-1])


def cell_rings(cells: CellGrid, index: int) -> list[Floats]:
    """Outline a cell: closed rings of (longitude, latitude) in [-180, 180]."""
    return cells.shapes.rings([index], STEP, cut=True)


@lru_cache(maxsize=1)
def land() -> tuple[tuple[Floats, ...], ...]:
    """Coastline: polygons of closed rings of (longitude, latitude); the first ring is the shore."""
    polygons = coastline()["geometry"]["coordinates"]
    return tuple(tuple(np.array(ring) for ring in polygon) for polygon in polygons)


def shade(prediction: GeoPrediction, view: View) -> npt.NDArray[np.float32]:
    """Shade the view by probability: (H, 1024) float32 in [0, 1], sqrt(p / largest p)."""
    height = np.sqrt(prediction.probabilities / prediction.probabilities.max())
    raster = _raster(prediction.cells)
    rows = slice(round(view.top * _RASTER), round(view.bottom * _RASTER))
    shaded: npt.NDArray[np.float32] = np.where(raster[rows] >= 0, height[raster[rows]], 0)
    return shaded.astype(np.float32)


def votes_by_cell(snapshot: Snapshot) -> list[tuple[Guess, list[int]]]:
    """Group the layers by the cell that each votes for: (cell, places of the layers), in order."""
    found: dict[int, tuple[Guess, list[int]]] = {}
    for place, vote in enumerate(snapshot.votes or ()):
        best = vote.best
        found.setdefault(best.index, (best, []))[1].append(place)
    return list(found.values())


def numbers(places: Sequence[int]) -> str:
    """Write layers by number, counted from 1: "layer 3", "layers 1, 2 and 7"."""
    return f"layer{'s' * (len(places) > 1)} {together([str(place + 1) for place in places])}"


@remembered(at_most=1)
def _raster(cells: CellGrid) -> npt.NDArray[np.int32]:
    return cell_raster(cells, _RASTER)
