import numpy as np
import pytest
import torch
from torch import nn

import combicam_widgets as ccw
from combicam_widgets.models import WholePhoto
from combicam_widgets.widgets import Explorer


@pytest.fixture(scope="session")
def model():
    return ccw.load_model("naturalist")


@pytest.fixture(scope="session")
def small_model():
    """A small network, so that a measurement takes no time."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
        nn.Conv2d(8, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 12),
    )  # fmt: skip
    cells = ccw.CellGrid.from_centers(np.linspace(-60, 60, 12), np.linspace(-170, 170, 12))
    return ccw.GeoModel(network, cells, transform=WholePhoto(48), layers="convolution")


@pytest.fixture
def explorer(model):
    return Explorer(model=model, image="koala")


@pytest.fixture
def at_once(monkeypatch):
    """Do what the page asks for in place, also beside browser tests, which leave a loop running."""

    def no_loop():
        raise RuntimeError("no running event loop")

    monkeypatch.setattr("combicam_widgets.widgets.background.asyncio.get_running_loop", no_loop)
