"""The layers of a network as tiles that can be switched, alone in a cell or in an explorer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import traitlets as T

from combicam_widgets.cam import LayerMaps
from combicam_widgets.shown.history import History
from combicam_widgets.shown.presets import preset
from combicam_widgets.shown.readonly import ReadOnlyDict
from combicam_widgets.shown.state import same
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.component import Wanted, changed
from combicam_widgets.widgets.diagram.widget import Diagram
from combicam_widgets.widgets.fusing import RECIPE, Fusing, size_of
from combicam_widgets.widgets.held import Result, Setting
from combicam_widgets.widgets.photo_numbers import number_of

_UNDONE = RECIPE[1:]
"""What is undone and redone together."""

_OF_PAGE = {"weights": "weights", "preview": "preview", "opened": "selected"}
"""What the page changes on the diagram, and the traits that follow."""


class LayerDiagram(Fusing):
    """The layers of a network as tiles: their maps, weights, and shares of the heatmap.

    A click switches a layer, a drag or the arrow keys weigh it; "?" on the page lists all gestures.

    Parameters
    ----------
    maps : LayerMaps, optional
    **values
        Initial values of the other traits.

    Examples
    --------
    >>> diagram = LayerDiagram(model.explain(photo), photo=photo)  # doctest: +SKIP
    >>> diagram.solo("blocks.15")  # doctest: +SKIP
    """

    shares = Result()
    """Share of each layer in the heatmap; sums to 1, or all 0 without positive evidence."""

    selected = Setting(traits.text("selected"), default_value="")
    """Name of the layer whose card is open; "" (default): none."""

    architecture = Setting(lambda given: given, default_value=None)
    """The network's `cam.Architecture`, for what tiles and cards say of a layer besides its map;
    None (default): they say less."""

    vote = Setting(traits.optional(traits.text("vote")), default_value="")
    """What the card says of where the layer that is selected points, in words; None: that it is
    being asked; "" (default): nothing."""

    can_undo = Result()
    """Whether there is a change to take back."""

    can_redo = Result()
    """Whether there is a change that was taken back."""

    def __init__(self, maps: LayerMaps | None = None, **values: Any) -> None:  # noqa: ANN401
        self._drawing = False
        self._clicked: list[Callable[[str], object]] = []
        super().__init__({**({} if maps is None else {"maps": maps}), **values})

    def undo(self) -> None:
        """Take the last change of weights, rule and normalisation back, if there is one."""
        self.change({"step": "undo"})

    def redo(self) -> None:
        """Make the change again that was taken back last, if there is one."""
        self.change({"step": "redo"})

    def solo(self, name: str) -> None:
        """Leave one layer on; raises `traitlets.TraitError` if there is no such layer."""
        self.weights = {name: 1.0}

    def use(self, name: str) -> None:
        """Apply a preset: "last layer", "one per stage", "all" (Combi-CAM) or "invert"."""
        if self.maps is None:
            raise ValueError("Give the diagram layer maps first: diagram.maps = model.explain(…).")
        self.weights = preset(name, _stages(self.maps), self.weights)

    def on_click(self, callback: Callable[[str], object], remove: bool = False) -> None:  # noqa: FBT001, FBT002
        """Call a function with the name of each layer that a person switches or weighs.

        Parameters
        ----------
        callback : callable
            Called with a name, when the change is in place.
        remove : bool
            Whether to call it no longer instead.
        """
        if remove:
            self._clicked.remove(callback)
        else:
            self._clicked.append(callback)

    @property
    def fusion(self) -> Diagram:
        """What the page fuses: other components may paint the same heat."""
        return self._diagram

    def highlight(self, name: str) -> None:
        """Put a ring around a layer's tile; "": around none."""
        self._diagram.highlight = name

    def _made(self) -> None:
        self._diagram = Diagram()
        self._diagram.observe(self._from_page, [*_OF_PAGE])
        self._diagram.on_history(lambda way: self._hear({"step": way}))
        self.children = [self._diagram]

    def _settled(self, now: Wanted, wanted: Wanted) -> dict[str, Any]:
        wanted, past = dict(wanted), now.get("past") or History()
        gesture, way = wanted.pop("gesture", None), wanted.pop("step", "")
        if way:
            past = past.copy()
            if not (past.can_undo if way == "undo" else past.can_redo):
                return {}
            wanted |= past.undo() if way == "undo" else past.redo()
        settled = super()._settled(now, wanted)
        after = {**now, **settled}
        if after["maps"] is not None:
            selected = after["selected"]
            if selected not in {"", *after["maps"].names}:
                if "selected" in wanted:
                    raise ValueError(f"There is no layer {selected!r}.")
                settled["selected"] = ""
            if now["maps"] is None or after["maps"].names != now["maps"].names:
                past = History()
            past = past.copy()
            past.push({name: after[name] for name in _UNDONE}, gesture)
            if not all(same(after[name], now[name]) for name in RECIPE):
                recipe = (after[name] for name in _UNDONE)
                settled["shares"] = ReadOnlyDict(after["maps"].shares(*recipe))
        else:
            settled["shares"] = ReadOnlyDict({})
        undone = {"can_undo": past.can_undo, "can_redo": past.can_redo}
        return {**settled, **undone, "past": past}

    def _draw_what_is_seen(self, before: Wanted, now: Wanted) -> None:
        self._drawing = True
        try:
            self._draw_tiles(before, now)
        finally:
            self._drawing = False

    def _draw_tiles(self, before: Wanted, now: Wanted) -> None:
        diagram, maps, photo = self._diagram, now["maps"], now["photo"]
        if maps is None:
            return
        layers = {} if now["architecture"] is None else _by_name(now["architecture"])
        if changed(before, now, "photo"):
            diagram.show_photo(photo)
        if changed(before, now, "maps", "colormap", "hidden"):
            kinds = {name: layer.kind for name, layer in layers.items()}
            looks = now["colormap"], now["weights"]
            diagram.show_maps(maps, kinds, *looks, hidden=now["hidden"])
        with diagram.hold_sync():
            if changed(before, now, "photo", "maps", "rule", "normalize"):
                recipe = now["rule"], now["normalize"]
                diagram.show_fusion(maps, size_of(maps), number_of(photo), *recipe)
            diagram.weights, diagram.shares = dict(now["weights"]), dict(now["shares"])
            diagram.preview, diagram.opened = now["preview"], now["selected"]
            diagram.can_undo, diagram.can_redo = now["can_undo"], now["can_redo"]
        selected = now["selected"]
        shown = "selected", "vote", "maps", "colormap", "photo", "hidden"
        if selected and changed(before, now, *shown):
            look = photo, now["colormap"], now["vote"]
            diagram.show_card(layers.get(selected) or selected, maps, *look)

    def _from_page(self, change: Any) -> None:  # noqa: ANN401
        """Take all that a message has changed as one change; nothing of it is put back first.

        What this is about is given: a cell beside this thread may just have had it put back.
        """
        with self._lock:
            if self._drawing:
                return
            diagram, new = self._diagram, {change["name"]: change["new"]}
            said = {name: getattr(diagram, name) for name in _OF_PAGE} | new
            gesture = {"gesture": diagram.gesture_of(said["weights"])}
            before = dict(self.weights or {})
            self._hear({_OF_PAGE[name]: value for name, value in said.items()} | gesture)
        if change["name"] == "weights":
            for name in (n for n, x in said["weights"].items() if before.get(n) != x):
                for callback in tuple(self._clicked):
                    callback(name)


def _stages(maps: LayerMaps) -> list[tuple[str, ...]]:
    """Group layers that follow each other and have maps of one size."""
    stages: list[tuple[str, ...]] = []
    last: tuple[int, ...] = ()
    for name, x in zip(maps.names, maps.maps, strict=True):
        if x.shape == last:
            stages[-1] = (*stages[-1], name)
        else:
            stages.append((name,))
        last = x.shape
    return stages


def _by_name(architecture: Any) -> dict[str, Any]:  # noqa: ANN401
    try:
        return {layer.name: layer for layer in architecture.layers}
    except AttributeError as error:
        raise T.TraitError(
            f"architecture must be a cam.Architecture, not {type(architecture).__name__}."
        ) from error
