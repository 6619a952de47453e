"""The architecture diagram: stages as columns, one tile per layer, everything clickable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets.cam import LayerMaps, minmax, upsample
from combicam_widgets.images import Photo, to_data_uri
from combicam_widgets.widgets.colors import heat_image

_STATIC = Path(__file__).parent / "static"
_THUMBNAIL = 96


class Diagram(anywidget.AnyWidget):
    """Tiles of all layers, with their maps, weights and shares.

    The page changes only `weights`; everything else is shown as Python sets it.
    """

    _esm = _STATIC / "diagram.js"
    _css = _STATIC / "diagram.css"

    stages: T.List[dict[str, Any]] = T.List().tag(sync=True)
    """Stages in forward order: ``{"label": str, "layers": [{"name", "detail", "picture",
    "silent"}]}``. See `show_maps`."""

    photo = T.Unicode().tag(sync=True)
    """Small picture of the photo, a data URI, drawn under each layer's map."""

    weights = T.Dict(value_trait=T.Float(), key_trait=T.Unicode()).tag(sync=True)
    """Weight of each layer, >= 0; 0 means off."""

    shares = T.Dict(value_trait=T.Float(), key_trait=T.Unicode()).tag(sync=True)
    """Share of each layer in the fused map, in [0, 1]."""

    def show_photo(self, photo: Photo) -> None:
        """Put a photo under the maps."""
        self.photo = to_data_uri(photo, format="webp", max_side=_THUMBNAIL)

    def show_maps(
        self, maps: LayerMaps, kinds: Mapping[str, str], colormap: str, weights: Mapping[str, float]
    ) -> None:
        """Draw new tiles.

        Parameters
        ----------
        maps : LayerMaps
            Each tile shows its map stretched to its own maximum.
        kinds : mapping from layer name to str
            What kind of module each layer is.
        colormap : str
        weights : mapping from layer name to float
        """
        stages: list[dict[str, Any]] = []
        for name, x in zip(maps.names, maps.maps, strict=True):
            label = f"{x.shape[0]} x {x.shape[1]}"
            if not stages or stages[-1]["label"] != label:
                stages.append({"label": label, "layers": []})
            silent = not x.any()
            stages[-1]["layers"].append(
                {
                    "name": name,
                    "detail": f"{kinds[name]}, map of {label}",
                    "picture": heat_image(_thumbnail(x, maps.size), colormap),
                    "silent": silent,
                }
            )
        with self.hold_sync():
            self.stages = stages
            self.weights = dict(weights)


def _thumbnail(x: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    scale = _THUMBNAIL / max(size)
    return minmax(upsample(x, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))))
