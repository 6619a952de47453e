"""The atlas: it looks at a piece of the Earth from above and says where that is."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load

from combicam_widgets.geo import CellGrid
from combicam_widgets.models.atlas.network import AtlasNetwork
from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.info import ModelInfo
from combicam_widgets.models.transforms import WholePhoto

_HOME = Path(__file__).parent
_SIDE = 96
_HALF = (0.5, 0.5, 0.5)


class Atlas(GeoModel):
    """A residual CNN of 8 blocks, trained end to end on pieces of NASA's Blue Marble.

    Show it what `combicam_widgets.tile` cuts out: pieces 1,000 to 2,000 km wide, north up. It says
    which of 2,338 cells of land, each about 290 km across, the middle lies in.
    """

    INFO = ModelInfo(
        name="atlas",
        summary="trained end to end to tell where on Earth a piece of the Blue Marble lies",
        kind="residual CNN",
        layers=8,
        cells=2338,
        input="96 x 96 px, whole photo",
        megabytes=7.5,
        weights_licence="BSD-3-Clause",
        data_licence="public domain (NASA, Natural Earth)",
    )

    from_above = True

    def __init__(self) -> None:
        cells = CellGrid.load(_HOME / "cells.npz")
        network = AtlasNetwork(len(cells))
        network.load_state_dict(load((_HOME / "weights.safetensors").read_bytes()))
        super().__init__(
            network=network.eval(),
            cells=cells,
            transform=WholePhoto(_SIDE, mean=_HALF, std=_HALF),
            name=self.INFO.name,
            description=self.INFO.summary,
        )
