"""The land of the world as polygons, so that a map shows something without the internet."""

import json
from importlib.resources import files
from typing import Any


def coastline() -> dict[str, Any]:
    """Land polygons of the whole world, for a map at continental scale.

    Natural Earth 1:110m, public domain; see `data/CREDITS.md`. Built by
    `recipes/build_coastline.py`.

    Returns
    -------
    dict
        A GeoJSON Feature with one MultiPolygon, a fresh copy at each call: (longitude, latitude)
        to 2 decimals, within [-180, 180]. Land that crosses the antimeridian is cut there, and
        Antarctica reaches down to the pole: fill the polygons and leave their outlines thin.
    """
    text = (files(__package__) / "data" / "coastline.json").read_text(encoding="utf-8")
    land: dict[str, Any] = json.loads(text)
    return land
