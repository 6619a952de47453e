"""Small snapshots made by hand: no network is asked."""

import numpy as np

from combicam_widgets import CellGrid, GeoPrediction, Photo
from combicam_widgets.cam import LayerMaps
from combicam_widgets.export import Snapshot

POSITION = (48.85837, 2.294481)
NAMES = ("stem", "block.1", "block.2", "head")
HOSTILE = "</script><img src=x onerror=alert(1)>"

# Fiji's cell lies across the antimeridian.
CELLS = CellGrid.from_centers(
    [48, 40, -18, -25, 0, -33, 60, 20],
    [2, -100, 179, 135, 20, -65, 100, 78],
    ["Paris", "Kansas", "Fiji", "Alice Springs", "Congo", "Pampas", "Siberia", "India"],
)


def prediction(*order, cells=CELLS):
    """The first cell is the most probable one; each has half as much as the one before."""
    order = [*order, *(i for i in range(len(cells)) if i not in order)]
    p = np.empty(len(cells))
    p[order] = 0.5 ** np.arange(len(cells))
    return GeoPrediction((p / p.sum()).astype(np.float32), cells)


def make_maps(names=NAMES, seed=0):
    random = np.random.default_rng(seed)
    shapes = [(24, 32), (12, 16), (12, 16), (6, 8)]
    maps = tuple(random.random(shape, np.float32) ** 3 for shape in shapes)
    probabilities = prediction(2, 0).probabilities.copy()
    importances = random.random(4, np.float32)
    asked = "gradcam", (96, 128), 2, "log_probability"
    return LayerMaps(names, {"gradcam": maps}, *asked, probabilities, importances)


def make_snapshot(names=NAMES, **changes):
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (96, 128, 3), np.uint8)
    facts = {
        "photo": Photo(pixels, position=POSITION, name="a day out", credit="Ann, CC0"),
        "model": "mine",
        "stages": ((names[0],), names[1:3], (names[3],)),
        "maps": make_maps(names),
        "weights": dict.fromkeys(names, 1.0),
        "rule": "sum",
        "normalize": None,
        "keep": 0.3,
        "colormap": "inferno",
        "opacity": 0.8,
        "prediction": prediction(2, 0),
        "evidence": prediction(1),
        "votes": tuple(prediction(i) for i in (0, 4, 4, 2)),
        "status": "Fiji (50 %, 50 % within 750 km).",
        "status_with_truth": "Fiji (50 %, 50 % within 750 km); truly taken 16,200 km away.",
        **changes,
    }
    if "heatmap" not in facts:
        recipe = facts["weights"], facts["rule"], facts["normalize"]
        facts["heatmap"] = facts["maps"].fuse(*recipe, size=(72, 96))
    return Snapshot(**facts)
