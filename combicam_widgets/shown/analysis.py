"""What a model says of a photo, and what else it can be asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam.contributions import contributions
from combicam_widgets.cam.fusion import Normalization
from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.geo import CellGrid, GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.shown.memory import remembered

_HEATMAP_SIDE = 288
"""Heat is smooth: more pixels cost bytes and time at every click, and show nothing."""


def heatmap_size(height: int, width: int) -> tuple[int, int]:
    """Give the size (H, W) of heatmaps on the page: a photo's shape, not larger than needed."""
    scale = min(1.0, _HEATMAP_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


@remembered(1)
def blank(maps: LayerMaps) -> LayerMaps:
    """Keep of layer maps only what tells neither the answer nor where to look for it."""
    count = len(maps.probabilities)
    return replace(
        maps,
        methods={maps.method: tuple(np.zeros_like(x) for x in maps.maps)},
        target=0,
        contrast=None,
        probabilities=np.full(count, 1 / count, np.float32),
        importances=np.zeros_like(maps.importances),
        further=None,
    )


class Model(Protocol):
    """What is read off a `GeoModel`, and asked of it."""

    name: str
    from_above: bool
    cells: CellGrid

    @property
    def architecture(self) -> Any:  # noqa: ANN401
        """Stages and layers."""

    def evidence(
        self,
        photo: Photo,
        heatmap: npt.NDArray[np.floating],
        keep: float | None = 0.3,
        *,
        opposite: bool = False,
    ) -> GeoPrediction:
        """Ask again about a part of the photo."""

    def layer_votes(
        self, photo: Photo, maps: LayerMaps, keep: float = 0.3
    ) -> tuple[GeoPrediction, ...]:
        """Ask where the evidence of each layer alone points."""


@dataclass(frozen=True, eq=False, repr=False)
class Analysis:
    """What a model says about a photo, and the layer maps that explain it.

    Attributes
    ----------
    model : GeoModel
    photo : Photo
    target : int or None
        The cell that was asked for; None: the most probable one.
    prediction : GeoPrediction
        Of the whole photo.
    maps : LayerMaps
    seen : str
        What the model recognised, in words; may be empty.
    """

    model: Model
    photo: Photo
    target: int | None
    prediction: GeoPrediction
    maps: LayerMaps
    seen: str

    @cached_property
    def redacted(self) -> Analysis:
        """The same without what tells where the photo was taken, or where to look for it."""
        cells = self.prediction.cells
        nothing = np.full(len(cells), 1 / len(cells), np.float32)
        return Analysis(
            model=self.model,
            photo=Photo(self.photo.pixels),
            target=None,
            prediction=GeoPrediction(nothing, cells),
            maps=blank(self.maps),
            seen="",
        )

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """Size (H, W) of the heatmaps on the page: the photo's shape, not larger than needed."""
        return heatmap_size(self.photo.height, self.photo.width)

    @property
    def stages(self) -> list[tuple[str, ...]]:
        """Layer names by stage, in forward order."""
        return [stage.names for stage in self.model.architecture.stages]

    def evidence(self, heatmap: npt.NDArray[np.float32], keep: float) -> GeoPrediction | None:
        """Ask the model about the hottest part of the photo; None if nothing is hot."""
        return self.model.evidence(self.photo, heatmap, keep) if heatmap.any() else None

    def opposite(self, heatmap: npt.NDArray[np.float32], keep: float) -> GeoPrediction:
        """Ask the model about the photo without its hottest part."""
        return self.model.evidence(self.photo, heatmap, keep, opposite=True)

    def contributions(
        self,
        size: tuple[int, int],
        weights: Mapping[str, float],
        rule: str,
        normalize: Normalization,
    ) -> npt.NDArray[np.float32] | None:
        """Divide each pixel's heat among the layers; see `cam.contributions`."""
        return contributions(
            self.maps.maps,
            [weights[name] for name in self.maps.names],
            size,
            rule,
            normalize,
            self.maps.importances,
        )

    def vote(self, layer: str, keep: float) -> GeoPrediction:
        """Ask where the evidence of one layer alone points."""
        heatmap = self.maps.fuse({layer: 1.0}, size=self.heatmap_size)
        return self.model.evidence(self.photo, heatmap, keep)

    def votes(self, keep: float) -> tuple[GeoPrediction, ...]:
        """Ask where the evidence of each layer alone points."""
        return self.model.layer_votes(self.photo, self.maps, keep)
