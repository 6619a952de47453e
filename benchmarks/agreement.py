"""The raw maps against those of the peers, layer by layer; see docs/methods.md."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torchvision import models

from benchmarks.measure import table
from benchmarks.ways import peers_maps
from combicam_widgets import cam

_LOUD = 1e6
"""Factor of the scores beside which the constants that the peers add to denominators vanish."""

Differences = dict[tuple[str, str], float]


def main() -> None:
    """Print how far apart the maps are in double and single precision."""
    torch.manual_seed(0)
    single, photo = models.resnet50().eval(), torch.rand(1, 3, 224, 224)
    double = copy.deepcopy(single).double()
    loud = copy.deepcopy(double)
    with torch.no_grad():
        for parameter in loud.fc.parameters():
            parameter.mul_(_LOUD)
    columns = [
        differences(double, photo.double()),
        differences(loud, photo.double()),
        differences(single, photo),
    ]
    table(
        "Largest difference of raw maps, relative to the map's maximum (resnet50, logit)",
        ["library", "method", "float64", f"float64, scores x {_LOUD:.0e}", "float32"],
        [[*key, *(f"{column[key]:.1e}" for column in columns)] for key in sorted(columns[0])],
    )


def differences(network: nn.Module, photo: torch.Tensor) -> Differences:
    """Compare every fifth block, with every method of every peer."""
    ours = cam.explain(network, photo, score="logit")
    largest: Differences = {}
    for name in ours.names[::5]:
        for key, theirs in peers_maps(network, photo, name, ours.target).items():
            mine = torch.from_numpy(ours.with_method(key[1])[name].copy())
            scale = float(theirs.max()) or 1.0
            apart = float((mine - theirs).abs().max()) / scale
            largest[key] = max(largest.get(key, 0.0), apart)
    return largest
