"""The heatmap over the photo, alone in a cell or in an explorer."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import plotly.graph_objects as go

from combicam_widgets.cam import LayerMaps
from combicam_widgets.cam.localization import share_inside
from combicam_widgets.images import ImageSource
from combicam_widgets.shown.readonly import read_only
from combicam_widgets.shown.state import Pinned
from combicam_widgets.shown.words import fusion_label
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.component import Wanted, changed
from combicam_widgets.widgets.fusing import RECIPE, Fusing, seen, size_of
from combicam_widgets.widgets.fusion import Fusion
from combicam_widgets.widgets.heat.overlay import Overlay
from combicam_widgets.widgets.held import Result, Setting
from combicam_widgets.widgets.photo_numbers import number_of

_LOOKS = ("heatmap", "colormap", "opacity", "outline", "keep", "preview", "hidden")


class HeatOverlay(Fusing):
    """A photo with the heatmap that its layer maps are fused to, and what can be asked about it.

    Pointing at a place says from which layers its heat comes; a box can be drawn around what
    should matter, and it is said how much of the heat lies inside.

    Parameters
    ----------
    photo : Photo, path, bytes, PIL image or (H, W, 3) uint8 array, optional
    maps : LayerMaps, optional
        Of this photo.
    **values
        Initial values of the other traits.

    Examples
    --------
    >>> heat = HeatOverlay(photo, model.explain(photo), rule="max")  # doctest: +SKIP
    >>> heat.weights = {"blocks.15": 1}  # doctest: +SKIP
    """

    _room = MappingProxyType({"flex": "1.25 1 330px", "min_width": "240px"})

    opacity = Setting(traits.fraction("opacity"), default_value=0.8)
    """Opacity of the hottest pixels, in [0, 1]. Default 0.8."""

    keep = Setting(traits.fraction("keep", positive=True), default_value=0.3)
    """Fraction of the photo, the hottest, that is outlined; in (0, 1]. Default 0.3."""

    outline = Setting(traits.switch("outline"), default_value=False)
    """Whether the border of the hottest part is drawn on the photo."""

    box = Setting(traits.box, default_value=None)
    """What should matter: (left, top, right, bottom) of the photo, each in [0, 1]; or None."""

    height = Setting(traits.optional(traits.pixels("height")), default_value=None)
    """Height of the room for the photo in CSS pixels; None (default): as the page has room."""

    heatmap = Result()
    """The fused heatmap: (H, W) float32 in [0, 1], in the photo's shape, at most 288 px a side;
    `LayerMaps.fuse` gives it in full size. None without maps."""

    inside = Result()
    """Share of the heat that lies inside the `box`, in [0, 1]; None without one."""

    pinned = Result()
    """What the present heatmap is compared with, in words; "" if nothing is pinned."""

    def __init__(
        self,
        photo: ImageSource | None = None,
        maps: LayerMaps | None = None,
        *,
        fusion: Fusion | None = None,
        **values: Any,  # noqa: ANN401
    ) -> None:
        self._fusion = Fusion() if fusion is None else fusion
        self._lent = fusion is not None
        given = {"photo": photo, "maps": maps}
        super().__init__({name: x for name, x in given.items() if x is not None} | values)

    def pin(self) -> None:
        """Keep the present heatmap beside those that follow, with the difference."""
        self.change({"pin": True})

    def unpin(self) -> None:
        """Compare no longer."""
        self.change({"pin": False})

    def on_click(self, callback: Callable[[float, float], object], remove: bool = False) -> None:  # noqa: FBT001, FBT002
        """Call a function with each place (x, y) of the photo that a person clicks.

        Parameters
        ----------
        callback : callable
            Called with two numbers in [0, 1], from the photo's upper left corner.
        remove : bool
            Whether to call it no longer instead.
        """
        self._overlay.on_click(callback, remove=remove)

    @property
    def figure(self) -> go.FigureWidget:
        """The photo with the present heat, as a Plotly figure."""
        return self._overlay.figure

    def paint_what(self, fusion: Fusion | None) -> None:
        """Let the page paint the heat of what another component fuses.

        Parameters
        ----------
        fusion : Fusion or None
            Of the same maps, which that component keeps as they are here. None: no longer.
        """
        own = None if self._lent else self._fusion
        self._fusion, self._lent = fusion or Fusion(), fusion is not None
        if not self._lent and self.maps is not None:
            self._show_fusion({}, seen(self._now))
        self._overlay.paint_what(self._fusion)
        if own is not None:
            own.close()

    def close(self) -> None:
        """Take it off the page, and all that it is made of out of the kernel's memory."""
        if self.comm is not None and self._lent:
            self._overlay.let_go()
        super().close()

    def _made(self) -> None:
        self._overlay = Overlay(self._fusion, self)
        self._overlay.on_box(lambda box: self._hear({"box": box}))

    def _settled(self, now: Wanted, wanted: Wanted) -> dict[str, Any]:
        wanted = dict(wanted)
        pin = wanted.pop("pin", None)
        settled = super()._settled(now, wanted)
        after = {**now, **settled}
        maps = after["maps"]
        if maps is None:
            settled["heatmap"] = None
        elif now.get("heatmap") is None or changed(now, after, *RECIPE):
            recipe = after["weights"], after["rule"], after["normalize"]
            settled["heatmap"] = read_only(maps.fuse(*recipe, size=size_of(maps)))
        if changed(now, after, "photo"):
            settled = {"box": None, "pinned_fusion": None} | settled
        after |= settled
        if pin is not None:
            if pin and after["heatmap"] is None:
                raise ValueError("There is no heatmap to pin yet: give photo and maps first.")
            settled["pinned_fusion"] = _pinned(after) if pin else None
        heat, box = after["heatmap"], after["box"]
        settled["inside"] = None if box is None or heat is None else share_inside(heat, box)
        fusion = settled.get("pinned_fusion", now.get("pinned_fusion"))
        return {
            **settled,
            "pinned_fusion": fusion,
            "pinned": "" if fusion is None else fusion.label,
        }

    def _draw_what_is_seen(self, before: Wanted, now: Wanted) -> None:
        overlay, photo, maps = self._overlay, now["photo"], now["maps"]
        new_photo = changed(before, now, "photo")
        pinned, new_pin = now.get("pinned_fusion"), changed(before, now, "pinned_fusion")
        if not self._lent and maps is not None:
            self._show_fusion(before, now)
        overlay.resize(now["height"])
        with overlay.at_once():
            if new_photo and photo is not None:
                overlay.show_photo(photo, number_of(photo))
            if photo is None or maps is None:
                return
            if now["hidden"]:
                overlay.hide_heat()
            elif new_photo or changed(before, now, *_LOOKS):
                overlay.show_outline(now["keep"] if now["outline"] else None)
                looks = now["colormap"], now["opacity"]
                # What the page fuses, it makes smooth by itself.
                drawn = None if self._fusion.in_page else _drawn(now)
                overlay.show_heat(now["heatmap"], *looks, _label(now), drawn)
                overlay.preview(*((None, "") if self._fusion.in_page else _alone(now)))
            if new_pin or (new_photo and pinned is not None):
                overlay.unpin()
                if pinned is not None:
                    overlay.pin(pinned.heatmap, pinned.label, pinned.drawn)
            if new_photo or changed(before, now, "box"):
                overlay.show_box(now["box"])

    def _show_fusion(self, before: Wanted, now: Wanted) -> None:
        fusion, maps = self._fusion, now["maps"]
        with fusion.hold_sync():
            if changed(before, now, "photo", "maps", "rule", "normalize"):
                recipe = now["rule"], now["normalize"]
                fusion.show_fusion(maps, size_of(maps), number_of(now["photo"]), *recipe)
            fusion.weights, fusion.preview = dict(now["weights"]), now["preview"]


def _label(now: Wanted) -> str:
    return fusion_label(now["maps"], now["rule"], now["weights"])


def _pinned(now: Wanted) -> Pinned:
    return Pinned(now["heatmap"], _label(now), drawn=_drawn(now))


def _drawn(now: Wanted) -> np.ndarray:
    """Return what is painted of the heatmap: the same without the kinks of interpolation."""
    maps, recipe = now["maps"], (now["weights"], now["rule"], now["normalize"])
    return read_only(maps.fuse(*recipe, size=size_of(maps), smooth=True))


def _alone(now: Wanted) -> tuple[np.ndarray | None, str]:
    """Return the map of the layer that is shown alone, and what it is."""
    name, maps = now["preview"], now["maps"]
    if not name:
        return None, ""
    alone = maps.fuse({name: 1.0}, size=size_of(maps), smooth=True)
    return alone, f"layer {maps.names.index(name) + 1} ({name}) alone"
