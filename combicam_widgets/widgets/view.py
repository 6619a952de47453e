"""From the explorer's state to what is seen; it asks nothing of a model."""

from __future__ import annotations

from combicam_widgets.cam import share_inside
from combicam_widgets.widgets.analysis import Analysis
from combicam_widgets.widgets.parts import Parts
from combicam_widgets.widgets.state import ExplorerState


class View:
    """Draws on the parts.

    Parameters
    ----------
    state : ExplorerState
    parts : Parts
    """

    def __init__(self, state: ExplorerState, parts: Parts) -> None:
        self._state, self._parts = state, parts

    def everything(self) -> None:
        """Draw photo, tiles, map and controls; the heat comes with the next fusion."""
        state, parts = self._state, self._parts
        self.controls()
        parts.diagram.show_photo(state.image)
        parts.overlay.show_photo(state.image)
        self.tiles()
        self.world()

    def controls(self) -> None:
        """Show which model, photo and method are in view, and how the game stands."""
        state, controls = self._state, self._parts.controls
        settings = state.method, state.tile_width
        controls.show(state.model, state.image, *settings, hidden=state.hidden)
        score, saved = (state.game.score_line(include_position=told) for told in (True, False))
        controls.show_game(guessing=state.guessing, score=score, saved=saved)

    def tiles(self) -> None:
        """Draw the layers' maps."""
        state = self._state
        kinds = {layer.name: layer.kind for layer in state.model.architecture.layers}
        self._parts.diagram.show_maps(state.maps, kinds, state.colormap, state.weights)

    def world(self) -> None:
        """Draw the prediction; evidence and votes come when they are known."""
        state, world = self._state, self._parts.world
        world.show_guess(state.guess)
        world.show_truth(state.image.position)
        world.show_prediction(state.prediction, state.maps.target)
        world.show_contrast(state.maps.contrast)
        self.rings()
        comparing = self._parts.controls.comparing.value = state.contrast is not None
        world.set_click_mode(click_hint(state, comparing=comparing))
        if state.hidden:
            world.hide_answers()
        else:
            world.show_answers()

    def rings(self) -> None:
        """Draw the rings, or take them away."""
        state = self._state
        self._parts.world.show_rings(state.prediction if state.show_rings else None)

    def heat(self, analysis: Analysis) -> None:
        """Lay the heatmap over the photo; nobody shall be helped to guess."""
        state, overlay = self._state, self._parts.overlay
        settings = state.weights, state.rule, state.normalize
        opacity = 0.0 if state.hidden else state.opacity
        overlay.named = not state.hidden
        with overlay.at_once():
            overlay.show_layers(
                state.maps.names, lambda size: analysis.contributions(size, *settings)
            )
            overlay.show_outline(state.keep if state.outline and not state.hidden else None)
            overlay.show_heat(state.heatmap, state.colormap, opacity, self.label())
        inside = None if state.box is None else share_inside(state.heatmap, state.box)
        state.set_trait("inside", inside)

    def preview(self, analysis: Analysis) -> None:
        """Show one layer alone, or the fusion again."""
        state, overlay = self._state, self._parts.overlay
        shown = bool(state.preview) and not state.hidden
        self._parts.world.highlight_vote(
            state.maps.names.index(state.preview) if shown and state.votes else None
        )
        if shown:
            alone = state.maps.fuse({state.preview: 1.0}, size=analysis.heatmap_size)
            number = state.maps.names.index(state.preview) + 1
            overlay.preview(alone, f"layer {number} ({state.preview}) alone")
        else:
            overlay.preview(None)

    def label(self) -> str:
        """Name the present fusion in a few words."""
        state = self._state
        on = sum(weight > 0 for weight in state.weights.values())
        return f"{state.method}, {state.rule}, {on} of {len(state.weights)} layers"


def click_hint(state: ExplorerState, *, comparing: bool = False) -> str:
    """Say what a click on the map does."""
    if state.hidden:
        return "Where is it? Click the map to guess"
    if comparing:
        return "Click the cell to compare with"
    if state.model.from_above:
        return "Click the map to look there"
    return "Click a cell to explain it"
