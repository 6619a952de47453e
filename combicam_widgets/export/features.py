"""What the model says, as GeoJSON for maps of one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any, TypeAlias

from combicam_widgets import files
from combicam_widgets.export import world_view
from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.geo import Guess
from combicam_widgets.geo.earth import Floats, wrap_longitude
from combicam_widgets.shown.lines import STEP
from combicam_widgets.shown.scene import top_cells

Feature: TypeAlias = dict[str, Any]

_DECIMALS = 3
"""About 100 m, far finer than any cell."""


def to_geojson(
    snapshot: Snapshot,
    path: str | PathLike[str] | None = None,
    *,
    include_position: bool = False,
) -> dict[str, Any]:
    """Give prediction, evidence and votes as a GeoJSON FeatureCollection (RFC 7946).

    Neither the photo nor its name is in it, and its position only if asked for. Polygons and
    lines are cut at the antimeridian; coordinates are (longitude, latitude) to 3 decimals. What
    a feature is stands in its property ``role``:

    ============= ===================== ==========================================================
    role          geometry              further properties
    ============= ===================== ==========================================================
    ``top cell``  Polygon, MultiPolygon ``rank`` (from 1), and those of a cell
    ``target``    Polygon, MultiPolygon those of a cell: the one that is explained
    ``evidence``  Polygon, MultiPolygon those of a cell: the best one for the evidence alone;
                                        its ``probability`` too is that for the evidence
    ``vote``      Point                 those of a cell, for the evidence of a single layer;
                                        ``layer``, its name
    ``path``      LineString,           ``distance_km``; from the best cell to the evidence's,
                  MultiLineString       along the great circle
    ``truth``     Point                 ``distance_km`` from the best cell's centre
    ============= ===================== ==========================================================

    A cell has ``index`` (its class), ``probability``, ``place`` (its name), ``latitude`` and
    ``longitude`` (its centre). The collection itself has the members ``model``, ``recipe`` (how
    the heatmap was made), ``keep`` (the fraction of the photo that is the evidence) and
    ``sentence``.

    Parameters
    ----------
    snapshot : Snapshot
    path : path-like, optional
        A file to write it to as well; must end in ".geojson" or ".json", if it has an ending. An
        existing file is replaced once the new one is whole.
    include_position : bool
        Whether to add the photo's own position, if it is known, and name its distance.

    Returns
    -------
    dict
        Ready for `json.dumps`.

    Raises
    ------
    TypeError, ValueError
        The path is none, or has another ending.
    OSError
        Nothing can be written there.
    """
    file = None if path is None else files.destination(path, (".geojson", ".json"))
    collection = {
        "type": "FeatureCollection",
        "model": snapshot.model,
        "recipe": snapshot.recipe,
        "keep": snapshot.keep,
        "sentence": snapshot.caption(include_position=include_position),
        "features": list(_features(snapshot, include_position)),
    }
    if file is not None:
        files.write(file, json.dumps(collection, allow_nan=False).encode())
    return collection


def _features(snapshot: Snapshot, include_position: bool) -> Iterator[Feature]:  # noqa: FBT001
    prediction, evidence = snapshot.prediction, snapshot.evidence
    for rank, guess in enumerate(top_cells(prediction), 1):
        yield _feature(_area(guess), role="top cell", rank=rank, **_facts(guess))
    target = prediction.guess(snapshot.target)
    yield _feature(_area(target), role="target", **_facts(target))
    if evidence is not None:
        yield _feature(_area(evidence.best), role="evidence", **_facts(evidence.best))
    for layer, vote in zip(snapshot.maps.names, snapshot.votes or (), strict=False):
        best = vote.best
        point = _point(best.latitude, best.longitude)
        yield _feature(point, role="vote", layer=layer, **_facts(best))
    lines = world_view.path(prediction, evidence)
    if evidence is not None and lines:
        km = round(prediction.distance_to(evidence.best.latitude, evidence.best.longitude), 1)
        yield _feature(_way(lines), role="path", distance_km=km)
    if include_position and snapshot.photo.position is not None:
        km = round(prediction.distance_to(*snapshot.photo.position), 1)
        yield _feature(_point(*snapshot.photo.position), role="truth", distance_km=km)


def _feature(geometry: dict[str, Any], **properties: object) -> Feature:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _facts(guess: Guess) -> dict[str, object]:
    return {
        "index": guess.index,
        "probability": round(guess.probability, 6),
        "place": guess.place,
        "latitude": round(guess.latitude, _DECIMALS),
        "longitude": round(guess.longitude, _DECIMALS),
    }


def _area(guess: Guess) -> dict[str, Any]:
    (area,) = guess.cells.shapes.geojson([guess.index], STEP, cut=True)
    return area


def _way(lines: Sequence[Floats]) -> dict[str, Any]:
    first, *more = [(line.round(_DECIMALS) + 0.0).tolist() for line in lines]
    if not more:
        return {"type": "LineString", "coordinates": first}
    return {"type": "MultiLineString", "coordinates": [first, *more]}


def _point(latitude: float, longitude: float) -> dict[str, Any]:
    x = round(float(wrap_longitude(longitude)), _DECIMALS)
    return {"type": "Point", "coordinates": [x, round(latitude, _DECIMALS)]}
