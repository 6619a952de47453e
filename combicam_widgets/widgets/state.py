"""The explorer's traits: what it shows, and what can be set from Python or on the page."""

from __future__ import annotations

from typing import Any

import ipywidgets as w
import numpy as np
import traitlets as T

from combicam_widgets import cam
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.imagery import WIDTHS_KM
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.colors import COLORMAPS
from combicam_widgets.widgets.diagram import NEEDS_WIDGETS
from combicam_widgets.widgets.game import Game

_METHODS = (*cam.METHODS, *cam.SLOW_METHODS)


class ExplorerState(w.VBox):
    """Traits of the `Explorer`; the read-only ones follow from the others."""

    model = traits.Coerced(traits.as_model)
    """The geo model; a name becomes the model. Another model resets target and weights."""

    image = traits.Picture()
    """The photo that is explained; a name from the menu ("Madagascar") becomes the photo. Another
    photo resets target, contrast, box and guess. A model that looks from above gets a place of its
    own when it replaces one that does not."""

    tile_width = traits.Coerced(traits.kilometres("tile_width", *WIDTHS_KM), default_value=1500.0)
    """How wide the pieces of the Earth are that a model from above is shown, in km."""

    target = T.Int(None, allow_none=True)
    """Index of the cell that is explained; None (default): the most probable one."""

    contrast = T.Int(None, allow_none=True)
    """Index of another cell: explain why the target rather than this one. None (default)."""

    weights = T.Dict()
    """Weight of each layer, >= 0; 0 means off, and so are layers not named. Default: all 1."""

    method = traits.Coerced(traits.one_of("method", lambda: _METHODS), default_value=_METHODS[0])
    """The CAM method, one of `cam.METHODS` or, slow, of `cam.SLOW_METHODS`."""

    rule = traits.Coerced(traits.one_of("rule", cam.rule_names), default_value="sum")
    """The fusion rule, one of `cam.rule_names`; ``sum`` (default) is Combi-CAM."""

    normalize = traits.Coerced(
        traits.one_of("normalize", lambda: cam.NORMALIZATIONS), default_value=None
    )
    """What is done to each map before the rule: None (default), ``minmax`` or ``max``."""

    keep = traits.Coerced(traits.fraction("keep", positive=True), default_value=0.3)
    """Fraction of the photo, the hottest, that the evidence shows; in (0, 1]. Default 0.3."""

    opacity = traits.Coerced(traits.fraction("opacity"), default_value=0.8)
    """Opacity of the hottest pixels of the overlay, in [0, 1]. Default 0.8."""

    colormap = traits.Coerced(
        traits.one_of("colormap", lambda: COLORMAPS), default_value=COLORMAPS[0]
    )
    """Colour map of the heat."""

    outline = T.Bool(False)  # noqa: FBT003
    """Whether the border of what the evidence shows is drawn on the photo."""

    preview = T.Unicode()
    """Name of a layer that is shown alone for the moment; "" (default): the fusion."""

    box = traits.Coerced(traits.box, default_value=None)
    """What should matter: (left, top, right, bottom) of the photo, each in [0, 1]; or None."""

    show_opposite = T.Bool(False)  # noqa: FBT003
    """Whether the model is also asked about the photo without the highlighted part."""

    show_votes = T.Bool(False)  # noqa: FBT003
    """Whether the map shows where the evidence of each layer alone points."""

    show_rings = T.Bool(False)  # noqa: FBT003
    """Whether the map shows how much probability lies how near to the best cell."""

    online_tiles = T.Bool(False)  # noqa: FBT003
    """Whether the map fetches OpenStreetMap's tiles from the internet. Default: no."""

    guessing = T.Bool(False)  # noqa: FBT003
    """Whether answers stay hidden until somebody has guessed; see `guess` and `next_round`."""

    guess = traits.Coerced(traits.position("guess"), default_value=None)
    """Where somebody thinks the photo was taken, (latitude, longitude) in degrees; or None."""

    game = T.Instance(Game, (), read_only=True)
    """The rounds of guessing so far."""

    prediction = T.Instance(GeoPrediction, read_only=True)
    """What the model says of the whole photo."""

    maps = T.Instance(cam.LayerMaps, read_only=True)
    """The layer maps of the method in view."""

    shares = T.Dict(read_only=True)
    """Share of each layer in the heatmap; sums to 1, or all 0 without positive evidence."""

    heatmap = T.Instance(np.ndarray, read_only=True)
    """The fused heatmap: (H, W) float32 in [0, 1], in the photo's shape, at most 288 px a side;
    `LayerMaps.fuse` gives it in full size."""

    evidence = T.Instance(GeoPrediction, allow_none=True, read_only=True)
    """What the model says of the evidence alone; None if there is no positive evidence."""

    opposite = T.Instance(GeoPrediction, allow_none=True, read_only=True)
    """What the model says of the photo without the evidence; None unless `show_opposite`."""

    votes = T.Tuple(read_only=True)
    """One GeoPrediction per layer, from its evidence alone; empty unless `show_votes`."""

    inside = T.Float(None, allow_none=True, read_only=True)
    """Share of the heat that lies inside the `box`, in [0, 1]; None without one."""

    pinned = T.Unicode(read_only=True)
    """What the present fusion is compared with, in words; "" if nothing is pinned."""

    status = T.Unicode(read_only=True)
    """The line under the pictures, in plain words. If it is known where the photo was taken, it
    says how far away that is; `public_status` does not."""

    public_status = ""
    """The same without anything of the photo's own position: what is saved and exported."""

    error = T.Unicode(read_only=True)
    """What went wrong with the last request, in words; empty if nothing did."""

    busy = T.Bool(False, read_only=True)  # noqa: FBT003
    """Whether a new photo, model or target is being worked on beside the page."""

    @property
    def hidden(self) -> bool:
        """Whether the answers are hidden, since somebody is to guess first."""
        return self.guessing and self.guess is None

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Show the widget; where no widgets are shown, say so, and say at least what it says."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": repr(self), "text/html": NEEDS_WIDGETS}

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.public_status}"
