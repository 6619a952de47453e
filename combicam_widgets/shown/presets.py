"""Presets: weights that answer a question, as pure functions of the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BY_WORTH = "by worth"
"""The preset that asks the model, many times, instead of only looking at the stages."""

PRESETS = {
    "last layer": "Only the deepest layer, as in plain Grad-CAM",
    "one per stage": "The last layer of each resolution",
    "all": "All layers: Combi-CAM",
    BY_WORTH: "Each layer by how much of the answer its map carries alone, which is measured "
    "for this photo: method, rule and weights (some seconds)",
    "invert": "Switch on what is off, and off what is on",
}
"""Names of the presets, with one line each."""


def preset(
    name: str, stages: Sequence[Sequence[str]], weights: Mapping[str, float]
) -> dict[str, float]:
    """Give the weights of a preset.

    Parameters
    ----------
    name : str
        One of `PRESETS`, but for `BY_WORTH`; see `requests.weigh_by_worth`.
    stages : sequence of sequences of str
        Layer names by stage, in forward order.
    weights : mapping
        The present weights.

    Returns
    -------
    dict
        0 or 1 for every layer.

    Raises
    ------
    ValueError
        Unknown name; or inverting would leave nothing on.
    """
    layers = [layer for stage in stages for layer in stage]
    match name:
        case "last layer":
            on = {layers[-1]}
        case "one per stage":
            on = {stage[-1] for stage in stages}
        case "all":
            on = set(layers)
        case "invert":
            on = {layer for layer in layers if not weights[layer] > 0}
            if not on:
                raise ValueError("All layers are on: inverting would leave none.")
        case _:
            raise ValueError(f"Unknown preset {name!r:.60}; the presets are {', '.join(PRESETS)}.")
    return {layer: float(layer in on) for layer in layers}
