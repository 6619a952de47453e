"""What the page fuses by itself: the layer maps of one photo, and how they are to be fused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import traitlets as T

from combicam_widgets.cam import LayerMaps
from combicam_widgets.javascript import joined
from combicam_widgets.shown.page_rules import page_knows
from combicam_widgets.widgets._bridge.attentive import Attentive

_HERE = Path(__file__).parent
_GRID = 28
"""Heat that is given is known at so many places a side, at most: more cost bytes."""


class Fusion(Attentive):
    """Maps and recipe; the page makes heat and shares of them (`fused.js`), kernel or not.

    The maps travel once per photo and method; after that a click costs the new weights. Python
    makes the same heat for itself, and its value is the one that counts.
    """

    _esm = joined(_HERE / "_bridge" / "only_state.js")

    about = T.Int().tag(sync=True)
    """Which photo the maps are of: heat is laid over no other."""

    maps = T.Bytes().tag(sync=True)
    """The layers' maps one after the other, float32, little-endian; empty: nothing to fuse."""

    shapes = T.List(T.List(T.Int())).tag(sync=True)
    """[h, w] of each map."""

    names = T.List(T.Unicode()).tag(sync=True)
    """Layers in forward order."""

    importances = T.List(T.Float()).tag(sync=True)
    """One number per layer, for the rule ``winsor``."""

    size = T.List(T.Int()).tag(sync=True)
    """[H, W] of the heatmap."""

    weights = T.Dict(value_trait=T.Float(), key_trait=T.Unicode()).tag(sync=True)
    """Weight of each layer, >= 0; 0 means off."""

    rule = T.Unicode("sum").tag(sync=True)
    """The fusion rule; empty: one that only Python knows."""

    normalize = T.Unicode(None, allow_none=True).tag(sync=True)
    """What is done to each map before: None, ``minmax`` or ``max``."""

    given = T.Bytes().tag(sync=True)
    """The heat on a coarse grid, in per cent, where only Python can fuse it; see `give_heat`."""

    given_shape = T.List(T.Int()).tag(sync=True)
    """[rows, columns] of that grid."""

    preview = T.Unicode().tag(sync=True)
    """Layer that is pointed at, to be shown alone meanwhile; empty (default): none."""

    @property
    def in_page(self) -> bool:
        """Whether the page makes the heat by itself."""
        return bool(self.maps and self.rule)

    def give_heat(self, heatmap: npt.NDArray[np.floating] | None) -> None:
        """Give the page what it cannot make, for where somebody points.

        Parameters
        ----------
        heatmap : (H, W) array in [0, 1], or None
            None: the page makes it, or there is nothing to be known.
        """
        values = np.zeros((0, 0), np.uint8)
        if heatmap is not None:
            rows, columns = (
                np.rint((np.arange(n) + 0.5) * side / n - 0.5).astype(int)
                for side in heatmap.shape
                for n in [min(_GRID, side)]
            )
            values = np.rint(100 * heatmap[np.ix_(rows, columns)]).astype(np.uint8)
        with self.hold_sync():
            self.given, self.given_shape = values.tobytes(), list(values.shape)

    def show_fusion(
        self, maps: LayerMaps, size: tuple[int, int], about: int, rule: str, normalize: str | None
    ) -> None:
        """Give the page what to fuse, and how; what it has already is not sent again.

        Parameters
        ----------
        maps : LayerMaps
        size : (H, W)
            Of the heatmap.
        about : int
            Which photo the maps are of.
        rule : str
        normalize : str or None
        """
        with self.hold_sync():
            self.maps = b"".join(np.ascontiguousarray(x, "<f4").tobytes() for x in maps.maps)
            self.shapes = [list(x.shape) for x in maps.maps]
            self.names = list(maps.names)
            self.importances = maps.importances.astype(float).tolist()
            self.size, self.about = list(size), about
            self.rule, self.normalize = rule if page_knows(rule) else "", normalize
