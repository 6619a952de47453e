"""A model that answers in a millisecond, and photos for it."""

import numpy as np
import torch
from torch import nn

import combicam_widgets as ccw
from combicam_widgets.geo import CellGrid

PLACES = ("Lumbre", "Ostrava", "Quilmes", "Zanzibar")


def model(name="tiny", seed=0):
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )
    cells = CellGrid.from_centers([0, 10, 60, -60], [0, 120, -120, 10], names=PLACES)
    return ccw.GeoModel(network, cells, ccw.models.WholePhoto(64), ["0", "2", "4"], name=name)


def photo(seed, position=None, name=None, credit=""):
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 48, 3), np.uint8)
    return ccw.images.Photo(pixels, position, name or f"noise {seed}", credit)
