"""What components that fuse layer maps have in common."""

from __future__ import annotations

from typing import Any

from combicam_widgets import cam
from combicam_widgets.cam import LayerMaps
from combicam_widgets.shown.analysis import blank, heatmap_size
from combicam_widgets.shown.colors import COLORMAPS
from combicam_widgets.shown.readonly import ReadOnlyDict
from combicam_widgets.shown.state import complete_weights
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.component import Component, Wanted
from combicam_widgets.widgets.held import Setting

RECIPE = ("maps", "weights", "rule", "normalize")
"""What a heatmap is made of."""


class Fusing(Component):
    """A component that shows layer maps, or what they are fused to."""

    photo = Setting(traits.optional(traits.as_photo), default_value=None)
    """The photo that the maps are of; whatever `load_image` reads, or a sample's name."""

    maps = Setting(traits.optional(traits.instance("maps", LayerMaps)), default_value=None)
    """The layer maps; maps of other layers switch all of them on."""

    weights = Setting(traits.optional(traits.as_weights), default_value=None)
    """Weight of each layer, >= 0, to six decimals; 0 means off, and so are layers not named.
    None (default): all 1. What is read is a read-only dict: assign another one to change it."""

    rule = Setting(traits.one_of("rule", cam.rule_names), default_value="sum")
    """The fusion rule, one of `cam.rule_names`; ``sum`` (default) is Combi-CAM."""

    normalize = Setting(traits.one_of("normalize", lambda: cam.NORMALIZATIONS), default_value=None)
    """What is done to each map before the rule: None (default), ``minmax`` or ``max``."""

    colormap = Setting(traits.one_of("colormap", lambda: COLORMAPS), default_value=COLORMAPS[0])
    """Colour map of the heat."""

    preview = Setting(traits.text("preview"), default_value="")
    """Name of a layer that is shown alone for the moment; "" (default): the fusion."""

    hidden = Setting(traits.switch("hidden"), default_value=False)
    """Whether maps and heat are kept from the page, since somebody is to guess first."""

    def _settled(self, now: Wanted, wanted: Wanted) -> dict[str, Any]:
        """Check and complete what the fusion is made of."""
        settled = dict(wanted)
        maps = wanted.get("maps", now["maps"])
        weights = wanted.get("weights", now["weights"])
        if maps is not None:
            named, new = set(weights or ()), now["maps"] is None
            fits = named <= set(maps.names) if new else named == set(maps.names)
            if weights is None or not ("weights" in wanted or fits):
                weights = dict.fromkeys(maps.names, 1.0)
            settled["weights"] = complete_weights(maps.names, weights)
            preview = wanted.get("preview", now["preview"])
            if preview not in {"", *maps.names}:
                if "preview" in wanted:
                    raise ValueError(f"There is no layer {preview!r}.")
                settled["preview"] = ""
        elif weights is not None:
            settled["weights"] = ReadOnlyDict(weights)
        return settled

    def _draw(self, before: Wanted, now: Wanted) -> None:
        self._draw_what_is_seen(seen(before), seen(now))

    def _draw_what_is_seen(self, before: Wanted, now: Wanted) -> None:
        """Show a value, of which nothing is kept from the page any more."""
        raise NotImplementedError


def seen(value: Wanted) -> Wanted:
    """Take out what is hidden while somebody is to guess first."""
    maps = value.get("maps")
    if not value.get("hidden") or maps is None:
        return value
    vote = "" if value.get("vote") == "" else "hidden until you have guessed"
    nothing = {"preview": "", "pinned_fusion": None, "vote": vote}
    known = {name: x for name, x in nothing.items() if name in value}
    zeros = {"shares": dict.fromkeys(maps.names, 0.0)} if "shares" in value else {}
    return {**value, "maps": blank(maps), **known, **zeros}


def size_of(maps: LayerMaps) -> tuple[int, int]:
    """Give the size (H, W) of the heatmaps on the page."""
    return heatmap_size(*maps.size)
