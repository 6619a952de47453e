"""Cells from GeoJSON (RFC 7946): countries, states, or any other polygons."""

import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from combicam_widgets.geo.earth import (
    Floats,
    check_coordinates,
    unit_vectors,
    vector_coordinates,
)
from combicam_widgets.geo.outlines import outline_of
from combicam_widgets.geo.planar import sphere_rings
from combicam_widgets.geo.winding import Regions

Feature = dict[str, Any]


def read_features(source: str | bytes | PathLike[str] | dict[str, Any]) -> list[Feature]:
    """Return the features of a GeoJSON FeatureCollection.

    Parameters
    ----------
    source : path-like, str, bytes or dict
        A file, the JSON itself, or what it says. A str that begins with "{" is JSON.

    Raises
    ------
    TypeError
        If the source is of another kind.
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a FeatureCollection with features.
    """
    if isinstance(source, str) and not source.lstrip().startswith("{"):
        source = Path(source)
    if isinstance(source, PathLike):
        source = Path(source).read_bytes()
    if isinstance(source, str | bytes):
        try:
            source = json.loads(source)
        except ValueError as error:
            raise ValueError(f"source is not JSON: {error}") from error
    elif not isinstance(source, dict):
        raise TypeError(
            f"source must be a path, JSON as str or bytes, or a dict, got {type(source).__name__}"
        )
    kind = source.get("type") if isinstance(source, dict) else type(source).__name__
    if kind == "Topology":
        raise ValueError(
            "source is TopoJSON; turn it into GeoJSON first, for example with mapshaper.org"
        )
    features = source.get("features") if isinstance(source, dict) else None
    if kind != "FeatureCollection" or not isinstance(features, list) or not features:
        raise ValueError(f"source must be a GeoJSON FeatureCollection with features, got {kind!r}")
    for index, feature in enumerate(features):
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise ValueError(f"features[{index}] is not a GeoJSON Feature")
    return features


def choose_features(
    features: Sequence[Feature], classes: Iterable[str | int] | None, key: str
) -> tuple[list[Feature], tuple[str, ...] | None]:
    """Put features into class order and name them.

    Parameters
    ----------
    features : sequence of dict
    classes : iterable of str or int, optional
        Value of the property `key` for each class. None: every feature is a class.
    key : str

    Returns
    -------
    features : list of C dicts
    names : tuple of C str, or None
        The values; None if not every feature has one and no classes were asked for.

    Raises
    ------
    TypeError, ValueError
        If classes are no list, repeat, or do not each belong to exactly one feature.
    """
    values = [(feature.get("properties") or {}).get(key) for feature in features]
    if classes is None:
        return list(features), None if None in values else tuple(map(str, values))
    if isinstance(classes, str):
        raise TypeError(f"classes must be a list of values of {key!r}, got {classes!r}")
    wanted = [str(label) for label in classes]
    if not wanted:
        raise ValueError("classes must hold at least one class")
    owners = _owners(features, values, key)
    missing = [label for label in wanted if label not in owners]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(wanted)} classes are the {key!r} of no feature: "
            + ", ".join(_with_hint(label, list(owners)) for label in missing)
        )
    for place, label in enumerate(wanted):
        if len(owners[label]) > 1:
            raise ValueError(f"{label!r} is the {key!r} of several features: {owners[label]}")
        if wanted.index(label) != place:
            raise ValueError(f"classes {wanted.index(label)} and {place} are both {label!r}")
    return [features[owners[label][0]] for label in wanted], tuple(wanted)


def _owners(features: Sequence[Feature], values: list[Any], key: str) -> dict[str, list[int]]:
    """Which features have which value of a property."""
    owners: dict[str, list[int]] = {}
    for index, value in enumerate(values):
        if value is not None:
            owners.setdefault(str(value), []).append(index)
    if not owners:
        given = sorted({name for feature in features for name in feature.get("properties") or {}})
        raise ValueError(f"no feature has a property {key!r}; key may be one of {given}")
    return owners


def feature_cells(features: Sequence[Feature]) -> tuple[Floats, Floats, tuple[Floats, ...]]:
    """Centres and outlines of polygons.

    Parameters
    ----------
    features : sequence of C dicts
        GeoJSON Features with Polygons or MultiPolygons.

    Returns
    -------
    latitudes, longitudes : ndarray of float64, shape (C,)
        Degrees: the centroid of each area on the sphere, or, where that lies outside, the place
        that is farthest from the border, of a few dozen inside.
    outlines : tuple of C ndarrays of float64, shape (V, 2)
        (latitude, longitude); rings are parted by a row of NaN, the inside is on the left.

    Raises
    ------
    ValueError
        If a feature has no such geometry, bad coordinates or no area, or covers more than half
        of the Earth with a single ring.
    """
    outlines = []
    for index, feature in enumerate(features):
        try:
            outlines.append(outline_of(sphere_rings(_polygons(feature))))
        except (TypeError, ValueError) as error:
            raise ValueError(f"feature {_label(feature, index)}: {error}") from error
    regions = Regions(outlines)
    for index in np.flatnonzero(regions.turned).tolist():
        raise ValueError(
            f"feature {_label(features[index], index)}: a single ring must not hold more than "
            "half of the Earth"
        )
    centroids = regions.centroids
    centroids[np.linalg.norm(centroids, axis=1) == 0.0] = 1.0  # anywhere: there is no middle
    latitudes, longitudes = vector_coordinates(centroids)
    held = regions.holds(unit_vectors(latitudes, longitudes), longitudes)
    for index in range(len(features)):
        if not held[index, index]:
            latitudes[index], longitudes[index] = regions.inner_place(index)
    return latitudes, longitudes, tuple(outlines)


def _polygons(feature: Feature) -> list[list[Floats]]:
    """Read the rings of a feature: open, (latitude, longitude)."""
    geometry = feature.get("geometry")
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if not isinstance(geometry, dict) or kind not in {"Polygon", "MultiPolygon"}:
        raise ValueError(f"its geometry must be a Polygon or MultiPolygon, got {kind!r}")
    polygons = geometry.get("coordinates")
    if kind == "Polygon":
        polygons = [polygons]
    if not isinstance(polygons, list) or not all(isinstance(rings, list) for rings in polygons):
        raise ValueError("its coordinates must be lists of rings")
    return [[_ring(positions) for positions in rings] for rings in polygons if rings]


def _ring(positions: Any) -> Floats:  # noqa: ANN401 - anything may stand in a file
    try:
        ring = np.array([position[:2] for position in positions], dtype=np.float64)
    except (TypeError, ValueError):
        ring = np.zeros(0)
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 4:
        raise ValueError("a ring must be a list of 4 or more positions [longitude, latitude]")
    check_coordinates(ring[:, 1], ring[:, 0])
    if (ring[0] != ring[-1]).any():
        raise ValueError(f"a ring must end where it begins, at {ring[0].tolist()}")
    return ring[:-1, ::-1]


def _label(feature: Feature, index: int) -> str:
    """Name a feature in a message."""
    properties = feature.get("properties") or {}
    name = next((str(properties[k]) for k in ("name", "NAME") if properties.get(k)), None)
    return f"{index} ({name})" if name else str(index)


def _with_hint(label: str, known: list[str]) -> str:
    """Quote a label, with what may have been meant."""
    close = get_close_matches(label, known, n=2)
    return repr(label) + (f" (did you mean {' or '.join(map(repr, close))}?)" if close else "")
