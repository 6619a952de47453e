"""From what is shown, as a value, to the parts that show it; asks nothing of a model."""

from __future__ import annotations

from typing import Any, cast

from combicam_widgets.models import GeoModel
from combicam_widgets.shown.scene import Scene
from combicam_widgets.shown.state import Shown, same
from combicam_widgets.shown.words import percent
from combicam_widgets.widgets.explorer.parts import Parts


class View:
    """Hands each value to each part, once; what is shown already is not drawn again.

    Parameters
    ----------
    parts : Parts

    Attributes
    ----------
    drawing : bool
        While set, what a part says has changed is our own doing, and nobody's wish.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._before: Shown | None = None
        self.drawing = False
        self._photos = 0  # how many were shown so far

    def show(self, shown: Shown) -> None:
        """Show a value from which secrets have been taken out.

        If that is interrupted, the next call draws everything anew.
        """
        before, self._before = self._before, None
        self.drawing = True
        try:
            self._diagram(shown, before)
            self._photo_and_heat(shown, before)
            self._world(shown, before)
            self._controls(shown, before)
            self._words(shown)
            self._trust(shown, before)
        finally:
            self.drawing = False
        self._before = shown

    def _photo_and_heat(self, shown: Shown, before: Shown | None) -> None:
        overlay, analysis = self._parts.overlay, shown.analysis
        recipe = shown.weights, shown.rule, shown.normalize
        new_photo = before is None or shown.image is not before.image
        new_pin = before is None or shown.pinned_fusion is not before.pinned_fusion
        looks = ("heatmap", "colormap", "opacity", "outline", "keep", "preview", "label", "hidden")
        with overlay.at_once():
            if new_photo:
                overlay.show_photo(shown.image, self._photos)
            if shown.hidden:
                overlay.hide_heat()
            elif new_photo or _changed(shown, before, *looks):
                overlay.show_layers(
                    shown.maps.names, lambda size: analysis.contributions(size, *recipe)
                )
                overlay.show_outline(shown.keep if shown.outline else None)
                overlay.show_heat(shown.heatmap, shown.colormap, shown.opacity, shown.label)
                overlay.preview(*_alone(shown))
            if new_pin or (new_photo and shown.pinned_fusion is not None):
                overlay.unpin()
                if shown.pinned_fusion is not None:
                    overlay.pin(shown.pinned_fusion.heatmap, shown.pinned_fusion.label)
            if new_photo or _changed(shown, before, "box"):
                overlay.show_box(shown.box)
        if shown.answered is not None and same(shown.answered, shown.question):
            overlay.show_values()

    def _diagram(self, shown: Shown, before: Shown | None) -> None:
        diagram, past = self._parts.diagram, shown.past
        if before is None or shown.image is not before.image:
            self._photos += 1
            diagram.show_photo(shown.image)
        if _changed(shown, before, "maps", "colormap", "hidden"):
            kinds = {layer.name: layer.kind for layer in shown.model.architecture.layers}
            diagram.show_maps(shown.maps, kinds, shown.colormap, shown.weights, hidden=shown.hidden)
        with diagram.hold_sync():
            if _changed(shown, before, "image", "maps", "rule", "normalize"):
                size = shown.analysis.heatmap_size
                recipe = shown.rule, shown.normalize
                diagram.show_fusion(shown.maps, size, self._photos, *recipe)
            diagram.weights, diagram.shares = dict(shown.weights), dict(shown.shares)
            diagram.preview, diagram.opened = shown.preview, shown.opened
            diagram.can_undo, diagram.can_redo = past.can_undo, past.can_redo
        cards = ("opened", "vote", "maps", "colormap", "image", "hidden")
        if shown.opened and _changed(shown, before, *cards):
            layer = next(x for x in shown.model.architecture.layers if x.name == shown.opened)
            diagram.show_card(layer, shown.maps, shown.image, shown.colormap, _card_words(shown))

    def _world(self, shown: Shown, before: Shown | None) -> None:
        world = self._parts.world
        said = ("prediction", "maps", "evidence", "opposite", "votes", "show_rings", "guess")
        weighed = ("weights",) if shown.votes else ()
        if _changed(shown, before, *said, *weighed, "image", "hidden"):
            world.show(_scene(shown), hidden=shown.hidden)
        world.set_click_mode(click_hint(shown))
        layer = shown.maps.names.index(shown.preview) if shown.preview and shown.votes else None
        world.highlight_vote(layer)
        world.online_tiles = shown.online_tiles

    def _controls(self, shown: Shown, before: Shown | None) -> None:
        # A menu shows what was chosen there while that is being worked on.
        choices = ("model", "image", "method", "score", "tile_width", "hidden", "own_photos")
        asked = shown.busy and not _changed(shown, before, *choices, "guessing")
        self._parts.controls.show(shown, choices=not asked)

    def _words(self, shown: Shown) -> None:
        asking = "The layers are being asked for their votes…" if shown.voting else ""
        self._parts.status_bar.show(
            shown.status,
            shown.error,
            busy=shown.busy,
            asking=asking,
            notice=shown.notice,
            saved=shown.public_status,
        )

    def _trust(self, shown: Shown, before: Shown | None) -> None:
        trust, recipe = self._parts.trust, ("maps", "weights", "rule", "normalize", "colormap")
        if not _changed(shown, before, *recipe, "hidden"):
            return
        if shown.hidden:
            trust.clear()
        else:
            values = {name: getattr(shown, name) for name in recipe}
            trust.show(cast(GeoModel, shown.model), shown.image, **values)


def click_hint(shown: Shown) -> str:
    """Say what a click on the map does."""
    if shown.hidden:
        return "Where is it? Click the map to guess"
    if shown.comparing:
        return "Click the cell to compare with"
    if shown.model.from_above:
        return "Click the map to look there"
    return "Click a cell to explain it"


def _changed(shown: Shown, before: Shown | None, *names: str) -> bool:
    return before is None or not all(
        same(getattr(shown, name), getattr(before, name)) for name in names
    )


def _alone(shown: Shown) -> tuple[Any, str]:
    """Return the map of the layer that is shown alone, and what it is."""
    if not shown.preview:
        return None, ""
    number = shown.maps.names.index(shown.preview) + 1
    alone = shown.maps.fuse({shown.preview: 1.0}, size=shown.analysis.heatmap_size)
    return alone, f"layer {number} ({shown.preview}) alone"


def _scene(shown: Shown) -> Scene:
    if shown.hidden:
        return Scene(guess=shown.guess)
    numbers = tuple(str(i + 1) for i in range(len(shown.votes)))
    return Scene(
        prediction=shown.prediction,
        target=shown.maps.target,
        evidence=shown.evidence,
        opposite=shown.opposite,
        contrast=shown.contrast,
        truth=shown.image.position,
        guess=shown.guess,
        rings=shown.prediction if shown.show_rings else None,
        votes=shown.votes,
        numbers=numbers,
        weights=tuple(shown.weights.values()) if shown.votes else (),
    )


def _card_words(shown: Shown) -> str | None:
    if shown.hidden:
        return "hidden until you have guessed"
    if shown.vote is None:
        return None
    return f"{shown.vote.best.place} ({percent(shown.vote.best.probability)})"
