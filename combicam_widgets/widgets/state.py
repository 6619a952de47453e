"""The explorer's traits: what it shows, and what can be set from Python or on the page."""

from __future__ import annotations

import ipywidgets as w
import numpy as np
import traitlets as T

from combicam_widgets import cam
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.colors import COLORMAPS

_METHODS = (*cam.METHODS, *cam.SLOW_METHODS)


class ExplorerState(w.VBox):
    """Traits of the `Explorer`; the read-only ones follow from the others."""

    model = traits.Coerced(traits.as_model)
    """The geo model; a name becomes the model. Another model resets target and weights."""

    image = traits.Coerced(traits.as_photo)
    """The photo that is explained. Another photo resets the target."""

    target = T.Int(None, allow_none=True)
    """Index of the cell that is explained; None (default): the most probable one."""

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

    status = T.Unicode(read_only=True)
    """The line under the pictures, in plain words."""

    error = T.Unicode(read_only=True)
    """What went wrong with the last request, in words; empty if nothing did."""

    busy = T.Bool(False, read_only=True)  # noqa: FBT003
    """Whether a new photo, model or target is being worked on beside the page."""
