"""A network that counts what it is asked, and photos of noise, for the tests of many photos."""

import numpy as np
import torch
from torch import nn

import combicam_widgets as ccw
from combicam_widgets.models.transforms import WholePhoto


class Counting(nn.Module):
    """A small network that counts the photos that it is asked about."""

    def __init__(self, classes=4, scale=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1, stride=2), nn.ReLU())
        self.head = nn.Linear(6, classes)
        with torch.no_grad():
            self.head.weight.mul_(scale)
        self.photos = 0

    def forward(self, x):
        self.photos += len(x)
        return self.head(self.second(self.first(x)).mean((2, 3)))


def a_model(scale=1.0):
    cells = ccw.CellGrid.from_centers(
        [0, 0, 60, -60], [0, 90, 180, -90], ["Gulf of Guinea", "Indian Ocean", "north", "south"]
    )
    network = Counting(scale=scale).eval()
    return ccw.GeoModel(network, cells, WholePhoto(64), ["first", "second"], name="tiny")


def some_photos(n, sizes=((40, 60), (60, 40), (50, 50))):
    random = np.random.default_rng(0)
    return [
        ccw.Photo(random.integers(0, 256, (*sizes[i % len(sizes)], 3), np.uint8), (i, -i), f"p{i}")
        for i in range(n)
    ]
