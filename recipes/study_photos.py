"""The photos of the study: which ones anything was chosen on, and which ones it is judged on."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import combicam_widgets as ccw
from combicam_widgets.geo.coastline import coastline

CHOSEN_ON = (
    *("giraffe", "jaguar", "kangaroo", "koala", "lemur", "panda", "polar_bear", "scarlet_macaw"),
    *("ajanta_cave", "cabrillo", "chateau_de_chenonceau", "eiffel_tower"),
    *("great_stupa", "mont_st_michel", "petra", "schwerin_palace"),
)
"""Sample photos on which something was chosen or learnt, or that were looked at while choosing."""

JUDGED_TILES, CHOSEN_TILES = 300, 60
_SEEDS = {"judged": 2026, "chosen on": 11}
_PIXELS_PER_DEGREE = 8


def samples(part: str) -> Mapping[str, ccw.Photo]:
    """Load the sample photos that are "judged", or "chosen on"."""
    names = [name for name in ccw.list_samples() if (name in CHOSEN_ON) == (part == "chosen on")]
    return {name: ccw.sample(name) for name in names}


def tiles(part: str) -> Mapping[str, ccw.Photo]:
    """Cut tiles, 1,500 km wide, around places; each km2 of land is equally likely."""
    random = np.random.default_rng(_SEEDS[part])
    count = JUDGED_TILES if part == "judged" else CHOSEN_TILES
    land = _land()
    found: dict[str, ccw.Photo] = {}
    while len(found) < count:
        latitude = float(np.degrees(np.arcsin(random.uniform(-1, 1))))
        longitude = float(random.uniform(-180, 180))
        row = int((90 - latitude) * _PIXELS_PER_DEGREE)
        column = int((longitude + 180) * _PIXELS_PER_DEGREE)
        if land[min(row, land.shape[0] - 1), min(column, land.shape[1] - 1)]:
            found[f"{latitude:.2f}, {longitude:.2f}"] = ccw.tile(latitude, longitude)
    return found


def _land() -> NDArray[np.bool_]:
    size = 360 * _PIXELS_PER_DEGREE, 180 * _PIXELS_PER_DEGREE
    image = Image.new("1", size)
    draw = ImageDraw.Draw(image)
    for rings in coastline()["geometry"]["coordinates"]:
        for ring, colour in zip(rings, [1] + [0] * len(rings), strict=False):
            points = [
                ((x + 180) * _PIXELS_PER_DEGREE, (90 - y) * _PIXELS_PER_DEGREE) for x, y in ring
            ]
            draw.polygon(points, fill=colour)
    return np.asarray(image)
