"""What is in a folder of results, in words: for people who do not have this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def schema(facts: Mapping[str, Any], columns: Mapping[str, tuple[str, str]]) -> str:
    """Describe a folder of results, as Markdown."""
    layers = "\n".join(f"{number}. `{name}`" for number, name in enumerate(facts["layers"]))
    rows = "\n".join(
        f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in columns.items()
    )
    return f"""# Photos explained with `{facts["model"]}`

Written by combicam_widgets {facts["version"]}, and readable without it: Parquet, Zarr 3 and JSON.
`photos.json` holds the paths of the photos: leave it out when you pass the folder on.

| file | what it holds |
|---|---|
| `table.parquet` | one row per photo, in the given order; written when a run ends |
| `shards/*.parquet` | the same rows, as they came; of two for one photo the later counts |
| `shards/*.zarr.zip` | the maps of the photos in the file of the same number |
| `many.json` | model, layers, candidates and settings that all rows have in common |
| `photos.json` | the photos in order, and their paths |

## Columns

| column | kind | meaning |
|---|---|---|
{rows}

What is missing is null.

## Maps

Each `shards/*.zarr.zip` is a Zarr group in a ZIP file:
`zarr.open_group(zarr.storage.ZipStore(path, mode="r"), mode="r")`.
In it there is a group for each size of what the network saw, called "height x width", such as
`224x224`; its attributes are lists with one entry per photo: `photos` (names), `sizes` (height and
width of the photo in pixels), `targets` (the cell that is explained), `candidates` (for each
heatmap: method, rule and weights of the layers); and `methods`, the CAM methods. Its arrays:

| array | shape | meaning |
|---|---|---|
| `maps_HxW` | (photos, methods, layers, H, W), float16 | maps of the layers with that resolution |
| `scales` | (photos, methods, all layers), float32 | what the maps are multiplied by |
| `importances` | (photos, all layers), float32 | relu of the mean gradient of each layer |
| `probabilities` | (photos, cells), float32 | softmax probability of every cell |

The attribute `layers` of `maps_HxW` tells which layers, as positions in the list below. Each map is
divided by its largest value, which is its scale: 0 for a layer without positive evidence.
A map lies over the whole photo, its first and last pixels in the photo's corners.

## Layers, in forward order

{layers}
"""
