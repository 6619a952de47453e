"""The atlas: it looks at a piece of the Earth from above and says where that is."""

from __future__ import annotations

from pathlib import Path

from combicam_widgets.geo import CellGrid
from combicam_widgets.models.atlas.network import AtlasNetwork
from combicam_widgets.models.checkpoint import REINSTALL, check_tensors, named, read_safetensors
from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.info import ModelInfo
from combicam_widgets.models.transforms import WholePhoto

_HOME = Path(__file__).parent
_SIDE = 96
_HALF = (0.5, 0.5, 0.5)


class Atlas(GeoModel):
    """A residual CNN of 8 blocks, trained end to end on pieces of five maps of the Earth.

    Show it what `combicam_widgets.tile` cuts out of the Blue Marble: pieces 1,000 to 2,000 km wide,
    north up. It says which of 2,338 cells of land, each about 290 km across, the middle lies in.
    """

    looked_at_when_made = False

    INFO = ModelInfo(
        name="atlas",
        summary="trained end to end to tell where on Earth a piece of the Blue Marble lies",
        kind="residual CNN",
        layers=8,
        cells=2338,
        input="96 x 96 px, whole photo",
        megabytes=7.5,
        weights_licence="BSD-3-Clause",
        data_licence="public domain (NASA, NOAA, Natural Earth, T. Patterson)",
    )

    from_above = True

    def __init__(self) -> None:
        with named(_HOME / "cells.npz", REINSTALL) as path:
            cells = CellGrid.load(path)
        network = AtlasNetwork(len(cells))
        weights = _HOME / "weights.safetensors"
        tensors = read_safetensors(weights, REINSTALL)
        expected = {  # the counts of batches are left out: only training needs them
            name: tensor.half()
            for name, tensor in network.state_dict().items()
            if tensor.is_floating_point()
        }
        check_tensors(weights, tensors, expected, REINSTALL)
        network.load_state_dict(tensors)
        super().__init__(
            network=network.eval(),
            cells=cells,
            transform=WholePhoto(_SIDE, mean=_HALF, std=_HALF),
            name=self.INFO.name,
            description=self.INFO.summary,
        )
