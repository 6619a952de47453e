"""From what is shown, as a value, to the parts that show it; asks nothing of a model."""

from __future__ import annotations

from typing import Any, cast

from combicam_widgets.models import GeoModel
from combicam_widgets.shown.state import Shown, same
from combicam_widgets.shown.words import percent
from combicam_widgets.widgets.component import Component
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

    def show(self, shown: Shown) -> list[tuple[Component, dict[str, Any]]]:
        """Show a value from which secrets have been taken out.

        If that is interrupted, the next call draws everything anew.

        Returns
        -------
        list of (Component, dict)
            What the traits of each component were before.
        """
        parts = self._parts
        components: list[Component] = [parts.diagram, parts.heat, parts.world]
        told = [(each, {n: each.value_of(n) for n in each.held()}) for each in components]
        before, self._before = self._before, None
        self.drawing = True
        try:
            self._components(shown)
            self._controls(shown, before)
            self._words(shown)
            self._trust(shown, before)
        finally:
            self.drawing = False
        self._before = shown
        return told

    def _components(self, shown: Shown) -> None:
        parts = self._parts
        for component, more in (
            (parts.diagram, _of_diagram(shown)),
            (parts.heat, {"pinned_fusion": shown.pinned_fusion}),
            (parts.world, _of_world(shown)),
        ):
            of_same_name = {n: getattr(shown, n) for n in component.held() if hasattr(shown, n)}
            component.show({**of_same_name, "photo": shown.image, **more})

    def _controls(self, shown: Shown, before: Shown | None) -> None:
        # A menu shows what was chosen there while that is being worked on.
        choices = ("model", "image", "method", "score", "tile_width", "hidden", "own_photos")
        asked = shown.busy and not _changed(shown, before, *choices, "guessing")
        self._parts.controls.show(shown, choices=not asked)

    def _words(self, shown: Shown) -> None:
        asking = "The layers are being asked for their votes…" if shown.voting else ""
        self._parts.status_bar.show(
            "\n".join(shown.said),
            shown.error,
            busy=shown.busy,
            asking=asking,
            notice=shown.notice,
            saved="\n".join(shown.public_said),
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
    return "Click any place: what speaks for it?"


def _changed(shown: Shown, before: Shown | None, *names: str) -> bool:
    return before is None or not all(
        same(getattr(shown, name), getattr(before, name)) for name in names
    )


def _of_diagram(shown: Shown) -> dict[str, Any]:
    """Name what a diagram calls otherwise, or shows in words."""
    past = shown.past
    return {
        "architecture": shown.model.architecture,
        "selected": shown.opened,
        "vote": _card_words(shown),
        "can_undo": past.can_undo,
        "can_redo": past.can_redo,
    }


def _of_world(shown: Shown) -> dict[str, Any]:
    """Name what a map calls otherwise; while hidden, the value that is shown has no answers."""
    return {
        "target": shown.maps.target,
        "truth": shown.image.position,
        "rings": shown.show_rings,
        "hint": click_hint(shown),
    }


def _card_words(shown: Shown) -> str | None:
    if shown.vote is None:
        return None
    return f"{shown.vote.best.place} ({percent(shown.vote.best.probability)})"
