"""Cells from GeoJSON (RFC 7946): countries, states, or any other polygons."""

import json
from collections.abc import Hashable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from typing import Any, TypeGuard

import numpy as np

from combicam_widgets import files
from combicam_widgets.geo.earth import (
    Floats,
    check_coordinates,
    vector_coordinates,
)
from combicam_widgets.geo.given import as_numbers, as_sequence, as_text, brief, is_missing
from combicam_widgets.geo.outlines import outline_of
from combicam_widgets.geo.planar import sphere_rings
from combicam_widgets.geo.shapes import Shapes

Feature = Mapping[str, Any]

_DEGREES = 720.0
"""Longitudes may go on past 180, by a turn or two; whatever is farther is no angle."""
_LIKE_WGS84 = {"4326", "4979", "4258", "4269", "CRS84", "CRS84h", "CRS83"}
"""WGS 84 by its codes, and the European and American systems within two metres of it."""
_LONGEST_LIST = 5
"""Missing classes that a message names."""


def read_features(source: Any) -> list[Feature]:  # noqa: ANN401 - all that has a geo interface
    """Return the features of a GeoJSON FeatureCollection.

    Parameters
    ----------
    source : path-like, str, bytes, mapping, object with a `__geo_interface__`, or list
        See `CellGrid.from_geojson`.

    Raises
    ------
    TypeError
        If the source is of another kind.
    OSError
        If the file cannot be read, such as FileNotFoundError.
    ValueError
        If it is not a FeatureCollection with features, or not in longitude and latitude.
    """
    if isinstance(source, PathLike) or (isinstance(source, str) and not _is_text(source)):
        path = files.source(source)
        return _features(_parsed(files.content(path), path.name), path.name)
    if isinstance(source, str | bytes):
        text = source.removeprefix("\ufeff") if isinstance(source, str) else source
        return _features(_parsed(text, "source"), "source")
    if _is_list(source) and len(source):
        return [_feature(item, f"source[{index}]") for index, item in enumerate(source)]
    return _features(_interface(source, "source"), "source")


def _is_text(source: str) -> bool:
    """Whether a str is JSON rather than the name of a file."""
    return source.lstrip("\ufeff \t\r\n")[:1] in {"{", "["} or "\n" in source


def _parsed(text: str | bytes, name: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"{name} is not GeoJSON: it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(
            f"{name} is not JSON: {error}; if the file was cut short, copy or download it again, "
            "and if it is of another format, read it with geopandas.read_file and give the result"
        ) from error


def _interface(source: Any, name: str) -> object:  # noqa: ANN401
    """Return what a mapping or an object with a geo interface says in the words of GeoJSON."""
    if isinstance(source, Mapping):
        return source
    try:
        interface = source.__geo_interface__
    except AttributeError as error:
        if hasattr(type(source), "__geo_interface__"):
            raise ValueError(f"{name} has no polygons: {error}") from error
        raise TypeError(
            f"{name} must be a path, JSON as str or bytes, or a dict, got {type(source).__name__}; "
            "geopandas' frames and shapely's geometries are taken as well"
        ) from None
    _check_system(getattr(source, "crs", None), name)
    return interface


def _check_system(system: Any, name: str) -> None:  # noqa: ANN401
    """Refuse coordinates that are not longitude and latitude.

    Parameters
    ----------
    system : pyproj.CRS, mapping, str or None
        Of a table, or a member `crs` as GeoJSON had it before RFC 7946.
    name : str
        Of the source, for the message.
    """
    if system is None:
        return
    if isinstance(system, Mapping) and isinstance(system.get("properties"), Mapping):
        system = system["properties"].get("name")
    authority = system.to_authority() if hasattr(system, "to_authority") else None
    code = system.rpartition(":")[2] if isinstance(system, str) else brief(system)
    if (authority[1] if authority else code) not in _LIKE_WGS84:
        raise ValueError(
            f"{name} is in the coordinate system {brief(getattr(system, 'name', system))}; "
            "longitude and latitude are needed: with geopandas, give frame.to_crs(4326)"
        )


def _features(source: object, name: str) -> list[Feature]:
    kind = source.get("type") if isinstance(source, Mapping) else type(source).__name__
    if kind == "Topology":
        raise ValueError(
            f"{name} is TopoJSON; turn it into GeoJSON first, for example with mapshaper.org"
        )
    if isinstance(source, Mapping):
        _check_system(source.get("crs"), name)
        if kind in ("Polygon", "MultiPolygon") or (kind == "Feature" and "geometry" in source):
            return [_feature(source, name)]
        features = source.get("features")
        if kind == "FeatureCollection" and isinstance(features, list | tuple) and features:
            return [_feature(item, f"features[{index}]") for index, item in enumerate(features)]
    raise ValueError(f"{name} must be a GeoJSON FeatureCollection with features, got {brief(kind)}")


def _feature(item: object, name: str) -> Feature:
    """Check that something is a Feature, or make one of a polygon."""
    if isinstance(item, Mapping) or hasattr(item, "__geo_interface__"):
        item = _interface(item, name)
    kind = item.get("type") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or kind not in ("Feature", "Polygon", "MultiPolygon"):
        raise ValueError(f"{name} is not a GeoJSON Feature or a polygon, got {brief(item)}")
    if kind != "Feature":
        return {"geometry": item}
    if not isinstance(item.get("properties") or {}, Mapping):
        raise ValueError(f"the properties of {name} must be an object")  # noqa: TRY004 - of a file
    return item


def choose_features(
    features: Sequence[Feature], classes: Iterable[object] | None, key: Hashable
) -> tuple[list[Feature], tuple[str | None, ...]]:
    """Put features into class order and name them.

    Parameters
    ----------
    features : sequence of mappings
    classes : iterable of str or int, optional
        Value of the property `key` for each class. None: every feature is a class.
    key : str

    Returns
    -------
    features : list of C mappings
    names : tuple of C str or None
        The values; None where a feature has none.

    Raises
    ------
    TypeError, ValueError
        If classes are no list, repeat, or do not each belong to exactly one feature.
    """
    if not isinstance(key, Hashable):
        raise TypeError(f"key must be the name of a property, got {brief(key)}")
    values = [
        _label(_properties(feature).get(key), f"the {brief(key)} of {_called(feature, index)}")
        for index, feature in enumerate(features)
    ]
    if classes is None:
        return list(features), tuple(values)
    listed = as_sequence("classes", f"a list of values of {brief(key)}", classes)
    wanted: list[str] = []
    for place, given in enumerate(listed):
        label = _label(given, f"classes[{place}]")
        if label is None:
            raise ValueError(f"classes[{place}] is missing; each class needs a label")
        wanted.append(label)
    if not wanted:
        raise ValueError("classes must hold at least one class")
    owners = _owners(features, values, key)
    missing = [label for label in wanted if label not in owners]
    if missing:
        more = ", ..." if len(missing) > _LONGEST_LIST else ""
        raise ValueError(
            f"{len(missing)} of {len(wanted)} classes are the {brief(key)} of no feature: "
            + ", ".join(_with_hint(label, list(owners)) for label in missing[:_LONGEST_LIST])
            + more
        )
    places: dict[str, int] = {}
    for place, label in enumerate(wanted):
        if len(owners[label]) > 1:
            raise ValueError(
                f"{brief(label)} is the {brief(key)} of several features: {brief(owners[label])}"
            )
        if places.setdefault(label, place) != place:
            raise ValueError(f"classes {places[label]} and {place} are both {brief(label)}")
    return [features[owners[label][0]] for label in wanted], tuple(wanted)


def _properties(feature: Feature) -> Mapping[Any, Any]:
    properties: Mapping[Any, Any] = feature.get("properties") or {}
    return properties


def _label(value: object, name: str) -> str | None:
    """Turn a label into text; None if it is missing, see `is_missing`.

    Whole numbers are the same however a table holds them: a column with gaps has 426.0 for 426.
    """
    if is_missing(value) or isinstance(value, str):
        return as_text(name, value)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be text or a number, got {brief(value)}")
    number = float(as_numbers(name, value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    return str(int(number)) if number.is_integer() else str(number)


def _owners(
    features: Sequence[Feature], values: Sequence[str | None], key: Hashable
) -> dict[str, list[int]]:
    """Which features have which value of a property."""
    owners: dict[str, list[int]] = {}
    for index, value in enumerate(values):
        if value is not None:
            owners.setdefault(value, []).append(index)
    if not owners:
        given = sorted({name for feature in features for name in _properties(feature)}, key=str)
        raise ValueError(
            f"no feature has a property {brief(key)}; key may be one of {brief(given)}"
        )
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
        inside that is farthest from the border.
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
            raise ValueError(f"{_called(feature, index)}: {error}") from error
    regions = Shapes(outlines)
    for index in np.flatnonzero(regions.turned).tolist():
        raise ValueError(
            f"{_called(features[index], index)}: a single ring must not hold more than "
            "half of the Earth"
        )
    centroids = regions.centroids
    centroids[np.linalg.norm(centroids, axis=1) == 0.0] = 1.0  # anywhere: there is no middle
    latitudes, longitudes = vector_coordinates(centroids)
    cells, points = regions.holds(latitudes, longitudes)
    for index in np.setdiff1d(range(len(outlines)), cells[cells == points]).tolist():
        try:
            latitudes[index], longitudes[index] = regions.inner_place(index)
        except ValueError as error:
            raise ValueError(f"{_called(features[index], index)}: {error}") from error
    return latitudes, longitudes, tuple(outlines)


def _polygons(feature: Feature) -> list[list[Floats]]:
    """Read the rings of a feature: open, (latitude, longitude)."""
    geometry = feature.get("geometry")
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if not isinstance(geometry, Mapping) or kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(f"its geometry must be a Polygon or MultiPolygon, got {brief(kind)}")
    polygons = geometry.get("coordinates")
    if kind == "Polygon":
        polygons = [polygons]
    if not _is_list(polygons) or not all(map(_is_list, polygons)):
        raise ValueError("its coordinates must be lists of rings")
    return [[_ring(positions) for positions in rings] for rings in polygons if len(rings)]


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _ring(positions: Any) -> Floats:  # noqa: ANN401 - anything may stand in a file
    if not _is_list(positions) or len(positions) < 4 or not all(map(_is_position, positions)):
        raise ValueError("a ring must be a list of 4 or more positions [longitude, latitude]")
    ring = as_numbers("its positions", [tuple(position[:2]) for position in positions])
    if np.abs(ring).max() > _DEGREES:
        raise ValueError(
            f"positions are longitude and latitude in degrees, got {brief(positions[0])}; "
            "turn metres of a projection into degrees first, with geopandas: frame.to_crs(4326)"
        )
    check_coordinates(ring[:, 1], ring[:, 0])
    if (ring[0] != ring[-1]).any():
        raise ValueError(f"a ring must end where it begins, at {ring[0].tolist()}")
    return ring[:-1, ::-1]


def _is_position(position: object) -> bool:
    return _is_list(position) and len(position) >= 2


def _called(feature: Feature, index: int) -> str:
    """Name a feature in a message."""
    properties = _properties(feature)
    names = (properties.get(key) for key in ("name", "NAME"))
    name = next((name for name in names if isinstance(name, str) and name), None)
    return f"feature {index} ({name[:40]})" if name else f"feature {index}"


def _with_hint(label: str, known: list[str]) -> str:
    """Quote a label, with what may have been meant."""
    close = get_close_matches(label[:100], known, n=2)
    means = f" (did you mean {' or '.join(map(brief, close))}?)" if close else ""
    return brief(label) + means
