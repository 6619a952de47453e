"""The explorer's traits: what it shows, and what can be set from Python or on the page."""

from __future__ import annotations

from typing import Any

import ipywidgets as w

from combicam_widgets import cam
from combicam_widgets.imagery import WIDTHS_KM
from combicam_widgets.shown.colors import COLORMAPS
from combicam_widgets.shown.state import Shown
from combicam_widgets.widgets import held, traits
from combicam_widgets.widgets._bridge.spelling import Spelled
from combicam_widgets.widgets.diagram.widget import NEEDS_WIDGETS
from combicam_widgets.widgets.explorer.picture import Picture


class ExplorerState(held.OneValue, Spelled, w.VBox):
    """Traits of the `Explorer`: fields of the one value that is shown. The read-only ones follow.

    Observers are told when everything is in place: what they read belongs together. What an
    observer raises is raised where the trait was set, or shown in words if that was on the page.
    """

    model = held.Setting(traits.as_model)
    """The geo model; a name becomes the model. Another model resets target and weights."""

    image = Picture()
    """The photo that is explained; a name from the menu ("Madagascar") becomes the photo. Another
    photo resets target, contrast, box and guess. A model that looks from above gets a place of its
    own when it replaces one that does not."""

    tile_width = held.Setting(traits.kilometres("tile_width", *WIDTHS_KM), default_value=1500.0)
    """How wide the pieces of the Earth are that a model from above is shown, in km."""

    target = held.Setting(traits.cell("target"), default_value=None)
    """Index of the cell that is explained; None (default): the most probable one."""

    contrast = held.Setting(traits.cell("contrast"), default_value=None)
    """Index of another cell: explain why the target rather than this one. None (default)."""

    weights = held.Setting(traits.as_weights)
    """Weight of each layer, >= 0, to six decimals; 0 means off, and so are layers not named.
    Default: all 1. What is read is a read-only dict: assign another one to change it."""

    method = held.Setting(traits.one_of("method", cam.method_names), default_value=cam.METHODS[0])
    """The CAM method, one of `cam.method_names`: built in, your own (see `cam.method`), or slow."""

    score = held.Setting(traits.one_of("score", cam.score_names), default_value=cam.SCORES[0])
    """The number whose gradient is explained, one of `cam.score_names`: built in, or your own (see
    `cam.score`). Score-CAM always weighs by ``logit``."""

    rule = held.Setting(traits.one_of("rule", cam.rule_names), default_value="sum")
    """The fusion rule, one of `cam.rule_names`; ``sum`` (default) is Combi-CAM."""

    normalize = held.Setting(
        traits.one_of("normalize", lambda: cam.NORMALIZATIONS), default_value=None
    )
    """What is done to each map before the rule: None (default), ``minmax`` or ``max``."""

    keep = held.Setting(traits.fraction("keep", positive=True), default_value=0.3)
    """Fraction of the photo, the hottest, that the evidence shows; in (0, 1]. Default 0.3."""

    opacity = held.Setting(traits.fraction("opacity"), default_value=0.8)
    """Opacity of the hottest pixels of the overlay, in [0, 1]. Default 0.8."""

    colormap = held.Setting(
        traits.one_of("colormap", lambda: COLORMAPS), default_value=COLORMAPS[0]
    )
    """Colour map of the heat."""

    outline = held.Setting(traits.switch("outline"), default_value=False)
    """Whether the border of what the evidence shows is drawn on the photo."""

    preview = held.Setting(traits.text("preview"), default_value="")
    """Name of a layer that is shown alone for the moment; "" (default): the fusion."""

    box = held.Setting(traits.box, default_value=None)
    """What should matter: (left, top, right, bottom) of the photo, each in [0, 1]; or None."""

    show_opposite = held.Setting(traits.switch("show_opposite"), default_value=False)
    """Whether the model is also asked about the photo without the evidence."""

    show_votes = held.Setting(traits.switch("show_votes"), default_value=False)
    """Whether the map shows where the evidence of each layer alone points."""

    show_rings = held.Setting(traits.switch("show_rings"), default_value=False)
    """Whether the map shows how much probability lies how near to the best cell."""

    online_tiles = held.Setting(traits.switch("online_tiles"), default_value=False)
    """Whether the map fetches OpenStreetMap's tiles from the internet. Default: no."""

    guessing = held.Setting(traits.switch("guessing"), default_value=False)
    """Whether answers stay hidden until somebody has guessed; see `guess` and `next_round`."""

    guess = held.Setting(traits.position("guess"), default_value=None)
    """Where somebody thinks the photo was taken, (latitude, longitude) in degrees; or None."""

    game = held.Result()
    """The rounds of guessing so far."""

    height = held.Setting(traits.optional(traits.pixels("height")), default_value=None)
    """Height of photo and map in CSS pixels; None (default): so that all is seen together on a
    laptop's screen."""

    simple = held.Setting(traits.switch("simple"), default_value=False)
    """Whether only the choice of network and photo is offered, and diagram, photo, map and sentence
    are shown."""

    presentation = held.Setting(traits.switch("presentation"), default_value=False)
    """Whether everything is large and controls are few: for a projector."""

    prediction = held.Result()
    """What the model says of the whole photo."""

    maps = held.Setting(traits.instance("maps", cam.LayerMaps))
    """The layer maps of the method in view; may be replaced by others of the same layers."""

    shares = held.Result()
    """Share of each layer in the heatmap; sums to 1, or all 0 without positive evidence."""

    heatmap = held.Result()
    """The fused heatmap: (H, W) float32 in [0, 1], in the photo's shape, at most 288 px a side;
    `LayerMaps.fuse` gives it in full size."""

    evidence = held.Result()
    """What the model says of the evidence alone; None if there is no positive evidence."""

    opposite = held.Result()
    """What the model says of the photo without the evidence; None unless `show_opposite`."""

    votes = held.Result()
    """One GeoPrediction per layer, from its evidence alone; empty unless `show_votes`."""

    inside = held.Result()
    """Share of the heat that lies inside the `box`, in [0, 1]; None without one."""

    pinned = held.Result()
    """What the present fusion is compared with, in words; "" if nothing is pinned."""

    status = held.Result()
    """The line above the pictures, in plain words. If it is known where the photo was taken, it
    says how far away that is; `public_status` does not."""

    error = held.Result()
    """What went wrong with the last request, in words; empty if nothing did."""

    busy = held.Result()
    """Whether a new photo, model or target is being worked on beside the page."""

    _shown: Shown | None = None

    @property
    def hidden(self) -> bool:
        """Whether the answers are hidden, since somebody is to guess first."""
        return self._shown is not None and self._shown.hidden

    @property
    def public_status(self) -> str:
        """The status without anything of the photo's own position: what is saved and exported."""
        return "" if self._shown is None else self._shown.public_status

    def value_of(self, name: str) -> Any:  # noqa: ANN401
        """Read a trait: from what is shown, or from what is about to be."""
        if self._held is not None and name in self._held:
            return self._held[name]
        if self._shown is None:
            return self.traits()[name].default_value
        return getattr(self._shown, name)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Show the widget; where no widgets are shown, say so, and say at least what it says."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        return bundle | {"text/plain": repr(self), "text/html": NEEDS_WIDGETS}

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.public_status}"
