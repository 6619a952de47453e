"""What the explorer asks a model, as pure functions that may run beside the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam import LayerMaps, contributions
from combicam_widgets.cam.fusion import Normalization
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel

_HEATMAP_SIDE = 288
"""Heat is smooth: more pixels cost bytes and time at every click, and show nothing."""


@dataclass(frozen=True, eq=False)
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

    model: GeoModel
    photo: Photo
    target: int | None
    prediction: GeoPrediction
    maps: LayerMaps
    seen: str

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """Size (H, W) of the heatmaps on the page: the photo's shape, not larger than needed."""
        scale = min(1.0, _HEATMAP_SIDE / max(self.photo.height, self.photo.width))
        return max(1, round(self.photo.height * scale)), max(1, round(self.photo.width * scale))

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


def analyse(
    model: GeoModel,
    photo: Photo,
    target: int | None,
    method: str,
    contrast: int | None = None,
    report: Callable[[int, int], None] | None = None,
) -> Analysis:
    """Ask a model about a photo: one forward and one backward (and what naming things takes).

    ``report`` is called with (done, total) by methods that need many passes.
    """
    maps = model.explain(photo, target, method, contrast=contrast, progress=report)
    return Analysis(model, photo, target, model.prediction_of(maps), maps, model.seen(photo))
