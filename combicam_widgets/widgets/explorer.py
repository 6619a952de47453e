"""The explorer: diagram, overlay, map and words, kept in step with each other and with Python."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets as T

from combicam_widgets import export
from combicam_widgets.cam.maps import weight_vector
from combicam_widgets.images import Photo
from combicam_widgets.widgets.analysis import Analysis, analyse
from combicam_widgets.widgets.closing import whole_or_not_at_all
from combicam_widgets.widgets.game import Game, Round
from combicam_widgets.widgets.gestures import SWITCHED, TUNED, Gestures
from combicam_widgets.widgets.history import History
from combicam_widgets.widgets.overlay import Overlay
from combicam_widgets.widgets.parts import Parts
from combicam_widgets.widgets.places import first_picture, puzzle
from combicam_widgets.widgets.presets import preset
from combicam_widgets.widgets.questions import Questions
from combicam_widgets.widgets.state import ExplorerState
from combicam_widgets.widgets.take_along import TakeAlong
from combicam_widgets.widgets.view import View
from combicam_widgets.widgets.world import World


class Explorer(TakeAlong, ExplorerState):
    """See which layers make a model believe that a photo was taken *there*.

    Whatever the mouse can do, a trait can do, and either shows in the other. Set from Python, a
    trait takes effect before the statement ends, or raises and changes nothing. What is done on
    the page runs beside it, the latest request wins, and an error is shown in words; the last
    good state stays.

    Parameters
    ----------
    model : str or GeoModel
        A name from `list_models`, or a model of your own.
    image : str, path, bytes, array, PIL image or Photo, optional
        A name from `list_samples` or from the menu ("Madagascar", for a model that looks from
        above), or whatever `load_image` reads. Default: the koala, or Italy from above.
    **values
        Initial values of the other traits of `ExplorerState`; anything else is refused.

    Examples
    --------
    >>> explorer = Explorer(model="naturalist", image="koala")  # doctest: +SKIP
    >>> explorer.weights = {"blocks.15": 1}  # doctest: +SKIP
    """

    @whole_or_not_at_all()
    def __init__(
        self,
        model: object = "naturalist",
        image: object = None,
        **values: Any,  # noqa: ANN401
    ) -> None:
        known = {"target", "contrast", "weights", "method", "tile_width", "box", *TUNED, *SWITCHED}
        if unknown := sorted(set(values) - known - {"layout"}):
            raise TypeError(
                f"Explorer has no option {unknown[0]!r}; the options are model, image, "
                f"{', '.join(sorted(known))}."
            )
        super().__init__(layout=values.pop("layout", w.Layout()))
        self.add_class("ccw-explorer")
        self._parts = parts = Parts(
            overlay=Overlay(),  # first: the page reads Plotly while the rest is being made
            world=World(
                self._click_map, self._choose_cell, self._hover_vote, self._choose_contrast
            ),
        )
        self._turns = parts.turns
        self._view = View(self, parts)
        self._questions = Questions(self, parts, self.settle, self._fail)
        self._gestures = Gestures(self, parts, self._show, self._fail)
        self._past: History[dict[str, float]] = History()
        try:
            self._open(model, image, values)
        except BaseException:
            self.close()
            raise

    def _open(self, model: object, image: object, values: dict[str, Any]) -> None:
        """Show the first photo, with the given values of other traits."""
        parts = self._parts
        target, contrast = values.pop("target", None), values.pop("contrast", None)
        weights = values.pop("weights", None)
        later = {name: values.pop(name) for name in ("guessing", "box") if name in values}
        for name, value in {"model": model, **values}.items():
            setattr(self, name, value)
        self.image = first_picture(self.model, self.tile_width) if image is None else image
        self._analysis = analyse(self.model, self.image, target, self.method, contrast)
        self.children = parts.laid_out()
        self._show(self._analysis, weights)
        self._gestures.listen()
        parts.world.online_tiles = self.online_tiles
        self._turns.quiet = False
        for name, value in later.items():
            setattr(self, name, value)

    def close(self) -> None:
        """Take the explorer off the page, and all of its widgets out of the kernel's memory."""
        if self.comm is None:
            return
        if hasattr(self, "_parts"):
            self._parts.close(self)
        else:  # it was never finished
            super().close()

    def use(self, name: str) -> None:
        """Apply a preset: "last layer", "one per stage", "all" (Combi-CAM) or "invert"."""
        self.weights = preset(name, self._analysis.stages, self.weights)

    def undo(self) -> None:
        """Take the last change of the weights back; does nothing if there is none."""
        if self._past.can_undo:
            self.weights = self._past.undo()

    def redo(self) -> None:
        """Make the change of the weights again that was taken back last."""
        if self._past.can_redo:
            self.weights = self._past.redo()

    def pin(self) -> None:
        """Keep the present fusion to compare the ones that follow with."""
        self.set_trait("pinned", self._view.label())
        self._parts.overlay.pin(self.heatmap, self.pinned)

    def unpin(self) -> None:
        """Compare no longer."""
        self.set_trait("pinned", "")
        self._parts.overlay.unpin()

    def next_round(self) -> None:
        """Show another picture to be guessed."""
        self.image = self.draw_puzzle()

    def draw_puzzle(self) -> Photo:
        """Draw a picture whose place is known."""
        return puzzle(self.model, self.tile_width, np.random.default_rng())

    def open_card(self, name: str) -> None:
        """Fill the card of a layer in the diagram."""
        self._questions.fill_card(self._analysis, name)

    def _snapshot(self, *, votes: bool = False) -> export.Snapshot:
        """Freeze what is shown, with the answers that belong to it; votes are asked for if need be.

        Raises
        ------
        RuntimeError
            Somebody is to guess first, and an export would tell.
        """
        with self._turns.lock:
            if self.hidden:
                raise RuntimeError(
                    "The answers are hidden until somebody has guessed, and an export would tell "
                    "them: set explorer.guess, or explorer.guessing = False, and export then."
                )
            self._questions.answer_now(self._analysis)
            given = self.votes or (self._analysis.votes(self.keep) if votes else ())
            return export.Snapshot.of(self, given)

    # A trait was set: it takes effect at once, or raises and changes nothing.

    @T.validate("weights")
    def _complete_weights(self, proposal: Any) -> dict[str, float]:  # noqa: ANN401
        names = self._analysis.maps.names
        try:
            vector = weight_vector(names, proposal["value"])
        except (TypeError, ValueError) as error:
            raise T.TraitError(str(error)) from error
        if not vector.any():
            raise T.TraitError("At least one layer must stay on.")
        return dict(zip(names, np.round(vector.astype(float), 6).tolist(), strict=True))

    @T.validate("preview")
    def _known_layer(self, proposal: Any) -> str:  # noqa: ANN401
        name = str(proposal["value"])
        if name and name not in self.maps.names:
            raise T.TraitError(f"There is no layer {name!r} to preview.")
        return name

    @T.observe("model", "image", "target", "contrast", "method")
    def _ask_again(self, change: Any) -> None:  # noqa: ANN401
        name, new, old = change["name"], change["new"], change["old"]
        with self._turns.lock:
            if self._turns.quiet:
                return
            if name == "method" and new in self.maps.methods:
                self._analysis = replace(self._analysis, maps=self.maps.with_method(new))
                self.set_trait("maps", self._analysis.maps)
                with self._turns.quietly():  # a photo may be chosen and still be looked at
                    self._parts.controls.method.value = new
                self._view.tiles()
                self._fuse()
                self._ask_the_layers()
                return
        target = self.target if name in {"target", "contrast", "method"} else None
        contrast = self.contrast if name in {"target", "contrast", "method"} else None
        image = self.image
        if name == "model" and new.from_above != old.from_above:
            image = first_picture(new, self.tile_width)
        try:
            analysis = analyse(self.model, image, target, self.method, contrast)
        except Exception:
            with self._turns.quietly():
                setattr(self, name, old)
            raise
        self._parts.asking.cancel()
        self._show(analysis)

    @T.observe("weights", "rule", "normalize", "keep")
    def _fuse_again(self, change: Any) -> None:  # noqa: ANN401
        with self._turns.lock:
            if not self._turns.quiet:
                if change["name"] == "weights":
                    self._remember()
                    self._questions.dim_votes()
                self._fuse()
                if change["name"] == "keep":
                    self._ask_the_layers()

    @T.observe("colormap", "opacity", "outline", "preview", "box")
    def _draw_again(self, change: Any) -> None:  # noqa: ANN401
        with self._turns.lock:
            if self._turns.quiet:
                return
            match change["name"]:
                case "preview":
                    self._view.preview(self._analysis)
                    return
                case "box":
                    self._parts.overlay.show_box(self.box)
                case "colormap":
                    self._view.tiles()
                    self.open_card(self._parts.diagram.opened)
            self._view.heat(self._analysis)

    @T.observe("show_opposite", "show_votes", "show_rings", "online_tiles")
    def _switch(self, change: Any) -> None:  # noqa: ANN401
        with self._turns.lock:
            if self._turns.quiet:
                return
            match change["name"]:
                case "show_opposite":
                    self._questions.check(self._analysis)
                case "show_votes":
                    self._questions.survey(self._analysis)
                case "show_rings":
                    self._view.rings()
                case _:
                    self._parts.world.online_tiles = self.online_tiles

    @T.observe("guessing")
    def _begin_or_end(self, change: Any) -> None:  # noqa: ANN401
        if self._turns.quiet:
            return
        with self._turns.quietly():
            self.guess = None
            self.set_trait("game", Game())
        # On the page the present picture was looked at already, with its answer.
        if change["new"] and (self._turns.from_page or self.image.position is None):
            self.image = self.draw_puzzle()
        else:
            self._show(self._analysis)

    @T.observe("guess")
    def _reveal(self, _change: Any) -> None:  # noqa: ANN401
        with self._turns.lock:
            if self._turns.quiet:
                return
            if self.guessing and self.guess is not None:
                played = Round(self.guess, self.prediction, self.image.position)
                self.set_trait("game", self.game.played(played))
            self._show(self._analysis)

    # From an analysis to what is seen.

    def _show(self, analysis: Analysis, weights: Any = None) -> None:  # noqa: ANN401
        """Take over an analysis, whole, and draw everything."""
        with self._turns.quietly():
            old, self._analysis = self._analysis, analysis
            if weights is None and set(self.weights) == set(analysis.maps.names):
                weights = self.weights
            if analysis.photo is not old.photo or analysis.model is not old.model:
                self.guess, self.box = None, None
                self.unpin()
            self.model, self.image, self.target = analysis.model, analysis.photo, analysis.target
            self.contrast, self.preview = analysis.maps.contrast, ""
            self.set_trait("prediction", analysis.prediction)
            self.method = analysis.maps.method
            self.set_trait("maps", analysis.maps)
            self.weights = dict.fromkeys(self.maps.names, 1.0) if weights is None else weights
            if analysis.model is not old.model:
                self._past = History()
            self._remember()
            self._view.everything()
            self._fuse()
            self._ask_the_layers()
        self.settle()

    def _fuse(self) -> None:
        self.settle()
        settings = self.weights, self.rule, self.normalize
        heatmap = self.maps.fuse(*settings, size=self._analysis.heatmap_size)
        self.set_trait("heatmap", heatmap)
        self.set_trait("shares", self.maps.shares(*settings))
        self._parts.diagram.shares = self.shares
        self._view.heat(self._analysis)
        self._questions.check(self._analysis)

    def _ask_the_layers(self) -> None:
        """Ask for what single layers say: all of them if that is shown, and the one of the card."""
        self._questions.survey(self._analysis)
        self.open_card(self._parts.diagram.opened)

    def _remember(self) -> None:
        diagram, past = self._parts.diagram, self._past
        past.push(self.weights, diagram.gesture_of(self.weights))
        diagram.can_undo, diagram.can_redo = past.can_undo, past.can_redo

    def settle(self, error: str = "") -> None:
        """Show the line in words, and with it an error or that work is going on."""
        self.set_trait("error", error)
        self.set_trait("busy", self._parts.asking.busy)
        voting = self._parts.surveying.busy
        self._parts.controls.show_voting(asking=voting)
        asking = "The layers are being asked for their votes…" if voting else ""
        self._parts.status_bar.show(
            self.status, error, busy=self.busy, asking=asking, saved=self.public_status
        )

    def _fail(self, error: Exception) -> None:
        """Say what went wrong; the controls go back to what is on screen."""
        with self._turns.quietly():
            self._view.controls()
        self.settle(str(error) or type(error).__name__)

    # The map is made before there is anything to listen to it.

    def _click_map(self, latitude: float, longitude: float) -> None:
        self._gestures.click_map(latitude, longitude)

    def _choose_cell(self, index: int) -> None:
        self._gestures.choose_cell(index)

    def _choose_contrast(self, index: int | None) -> None:
        self._gestures.choose_contrast(index)

    def _hover_vote(self, layer: int | None) -> None:
        self._parts.diagram.highlight = "" if layer is None else self.maps.names[layer]
