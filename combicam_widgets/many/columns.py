"""The table of many photos: which columns there are, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from combicam_widgets.many.task import Explained

TEXT, WHOLE, NUMBER = "text", "whole number", "number"

SHARE, ALONE = "share: ", "alone: "
"""What the columns that belong to a layer begin with."""

_BEFORE: Mapping[str, tuple[str, str]] = {
    "photo": (TEXT, "Name of the photo: its file, or what it is called."),
    "cell": (WHOLE, "Index of the most probable cell, from 0; the cell that is explained."),
    "place": (TEXT, "Where that cell lies, in words."),
    "latitude": (NUMBER, "Centre of the cell in degrees, -90 to 90."),
    "longitude": (NUMBER, "Centre of the cell in degrees, -180 to 180."),
    "probability": (NUMBER, "Probability of the cell, 0 to 1."),
    "true_latitude": (NUMBER, "Where the photo was taken, in degrees, if that was to be kept."),
    "true_longitude": (NUMBER, "Where the photo was taken, in degrees, if that was to be kept."),
    "distance_km": (NUMBER, "Great-circle distance from there to the centre of the cell, in km."),
    "worth": (NUMBER, "Worth of the first candidate's heatmap, mean over the fills."),
}
_AFTER: Mapping[str, tuple[str, str]] = {
    "seen": (TEXT, "What the model recognised, if it names things."),
    "error": (TEXT, "Why there is nothing else in this row; empty if all went well."),
}


def columns(
    layers: Sequence[str], measures: Sequence[str], candidates: Sequence[str], *, alone: bool
) -> dict[str, tuple[str, str]]:
    """List the columns in order, each with its kind and what it means."""
    told = dict(_BEFORE)
    for number, candidate in enumerate(candidates):
        for measure in measures:
            label = measure if number == 0 else f"{measure}: {candidate}"
            told.setdefault(label, (NUMBER, f"{measure.capitalize()} of {candidate}."))
    told["carried_by"] = (TEXT, "The layer with the largest share.")
    for layer in layers:
        told[SHARE + layer] = (NUMBER, "Share of the layer in the first candidate's heatmap, 0-1.")
    if alone:
        for layer in layers:
            told[ALONE + layer] = (NUMBER, "Worth of the layer's map alone, >= 0.")
    return told | dict(_AFTER)


def row_of(found: Explained, names: Sequence[str], place: str) -> dict[str, Any]:
    """Make the row of a photo: every column, None where nothing is known."""
    values: dict[str, Any] = {**found.values, "photo": found.name, "error": found.error}
    if not found.error:
        values["place"] = place
        shares = {n[len(SHARE) :]: v for n, v in found.values.items() if n.startswith(SHARE)}
        most = max(shares, key=lambda name: shares[name], default="")
        values["carried_by"] = most if shares.get(most) else ""
    row = {name: values.get(name) for name in names}
    return {n: None if isinstance(v, float) and np.isnan(v) else v for n, v in row.items()}
