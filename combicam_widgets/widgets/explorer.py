"""The explorer: diagram, overlay, map and words, kept in step with each other and with Python."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets as T

from combicam_widgets.cam import Cancelled
from combicam_widgets.cam.maps import weight_vector
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.images import load_image
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.analysis import Analysis, analyse
from combicam_widgets.widgets.background import Background, Report
from combicam_widgets.widgets.controls import NONE, Controls
from combicam_widgets.widgets.diagram import Diagram
from combicam_widgets.widgets.overlay import Overlay
from combicam_widgets.widgets.presets import preset
from combicam_widgets.widgets.state import ExplorerState
from combicam_widgets.widgets.status_bar import StatusBar
from combicam_widgets.widgets.words import sentence
from combicam_widgets.widgets.world import World

_TUNED = ("rule", "normalize", "keep", "opacity", "colormap")
"""Traits that a control of the same name shows and sets."""

_PAINT_FIRST = 0.1
"""Seconds after the last click before the evidence is asked about: the page paints meanwhile."""


class Explorer(ExplorerState):
    """See which layers make a model believe that a photo was taken *there*.

    Whatever the mouse can do, a trait can do, and either shows in the other. Set from Python, a
    trait takes effect before the statement ends, or raises and changes nothing. What is done on
    the page runs beside it, the latest request wins, and an error is shown in words; the last
    good state stays.

    Parameters
    ----------
    model : str or GeoModel
        A name from `list_models`, or a model of your own.
    image : str, path, bytes, array, PIL image or Photo
        A name from `list_samples`, or whatever `load_image` reads.
    **values
        Initial values of the other traits of `ExplorerState`; anything else is refused.

    Examples
    --------
    >>> explorer = Explorer(model="naturalist", image="koala")  # doctest: +SKIP
    >>> explorer.weights = {"blocks.15": 1}  # doctest: +SKIP
    """

    def __init__(
        self,
        model: object = "naturalist",
        image: object = "koala",
        **values: Any,  # noqa: ANN401
    ) -> None:
        known = {"target", "weights", "method", *_TUNED}
        if unknown := sorted(set(values) - known - {"layout"}):
            raise TypeError(
                f"Explorer has no option {unknown[0]!r}; the options are model, image, "
                f"{', '.join(sorted(known))}."
            )
        super().__init__(layout=values.pop("layout", w.Layout()))
        self.add_class("ccw-explorer")
        # JupyterLab may run the page's messages in a thread beside the cells ("subshells").
        self._lock = threading.RLock()
        self._quiet = True  # while set, a changed trait sets nothing else in motion
        self._on_page = False  # while set, a change comes from the page, which shall not wait
        self._asking, self._checking = Background(), Background()
        self._asked_method: str | None = None  # the slow method that is being worked on
        self._controls = Controls(self._preset_from_page)
        self._status_bar = StatusBar(self._cancel)
        self._diagram, self._overlay, self._world = Diagram(), Overlay(), World()
        pictures = w.HBox([self._overlay.figure, self._world.map])
        pictures.add_class("ccw-pictures")
        self.children = [self._controls, self._diagram, pictures, self._status_bar]
        target, weights = values.pop("target", None), values.pop("weights", None)
        for name, value in {"model": model, "image": image, **values}.items():
            setattr(self, name, value)
        self._analysis = analyse(self.model, self.image, target, self.method)
        self._show(self._analysis, weights)
        self._listen()
        self._quiet = False

    def use(self, name: str) -> None:
        """Apply a preset: "last layer", "one per stage", "all" (Combi-CAM) or "invert"."""
        self.weights = preset(name, self._analysis.stages, self.weights)

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

    @T.observe("model", "image", "target", "method")
    def _ask_again(self, change: Any) -> None:  # noqa: ANN401
        name, new, old = change["name"], change["new"], change["old"]
        with self._lock:
            if self._quiet:
                return
            if name == "method" and new in self.maps.methods:
                self.set_trait("maps", self.maps.with_method(new))
                self._controls.show(self.model, self.image, self.method)
                self._draw_tiles()
                self._fuse()
                return
        target = self.target if name in {"target", "method"} else None
        try:
            analysis = analyse(self.model, self.image, target, self.method)
        except Exception:
            with self._quietly():
                setattr(self, name, old)
            raise
        self._asking.cancel()
        self._show(analysis)

    @T.observe("weights", "rule", "normalize", "keep")
    def _fuse_again(self, _change: Any) -> None:  # noqa: ANN401
        with self._lock:
            if not self._quiet:
                self._fuse()

    @T.observe("colormap", "opacity")
    def _draw_again(self, change: Any) -> None:  # noqa: ANN401
        with self._lock:
            if self._quiet:
                return
            self._overlay.show_heat(self.heatmap, self.colormap, self.opacity)
            if change["name"] == "colormap":
                self._draw_tiles()

    # From a state to what is seen.

    def _show(self, analysis: Analysis, weights: Any = None) -> None:  # noqa: ANN401
        """Take over a new analysis, whole, and draw everything."""
        with self._quietly():
            if weights is None and set(self.weights) == set(analysis.maps.names):
                weights = self.weights
            self._analysis = analysis
            self.model, self.image, self.target = analysis.model, analysis.photo, analysis.target
            self.set_trait("prediction", analysis.prediction)
            self.method = analysis.maps.method
            self.set_trait("maps", analysis.maps)
            self.weights = dict.fromkeys(self.maps.names, 1.0) if weights is None else weights
            self._controls.show(self.model, self.image, self.method)
            self._diagram.show_photo(self.image)
            self._draw_tiles()
            self._overlay.show_photo(self.image)
            self._world.show_prediction(self.prediction, self.maps.target)
            self._world.show_truth(self.image.position)
            self._fuse()
        self._settle()

    def _draw_tiles(self) -> None:
        kinds = {layer.name: layer.kind for layer in self.model.architecture.layers}
        self._diagram.show_maps(self.maps, kinds, self.colormap, self.weights)

    def _fuse(self) -> None:
        self._settle()
        settings = self.weights, self.rule, self.normalize
        heatmap = self.maps.fuse(*settings, size=self._analysis.heatmap_size)
        self.set_trait("heatmap", heatmap)
        self.set_trait("shares", self.maps.shares(*settings))
        self._diagram.shares = self.shares
        self._overlay.show_heat(heatmap, self.colormap, self.opacity)
        analysis, keep = self._analysis, self.keep
        if self._on_page:
            self._checking.run(
                lambda _report: analysis.evidence(heatmap, keep),
                self._show_evidence,
                self._fail,
                delay=_PAINT_FIRST,
            )
        else:
            self._checking.cancel()
            self._show_evidence(analysis.evidence(heatmap, keep))

    def _show_evidence(self, evidence: GeoPrediction | None) -> None:
        prediction, target, seen = self.prediction, self.maps.target, self._analysis.seen
        with self._lock:
            self.set_trait("evidence", evidence)
            self._world.show_evidence(prediction, evidence)
            words = sentence(prediction, target, evidence, self.keep, self.image.position, seen)
            self.set_trait("status", words)
            self._settle(self.error)  # what went wrong meanwhile stays on screen

    def _settle(self, error: str = "") -> None:
        """Show the line in words, and with it an error or that work is going on."""
        self.set_trait("error", error)
        self.set_trait("busy", self._asking.busy)
        self._status_bar.show(self.status, error, busy=self.busy)

    def _fail(self, error: Exception) -> None:
        """Say what went wrong; the controls go back to what is on screen."""
        with self._quietly():
            self._controls.show(self.model, self.image, self.method)
        self._settle(str(error) or type(error).__name__)

    def _cancel(self) -> None:
        self._asking.cancel()
        self._fail(Cancelled("Cancelled."))

    # From the page: heavy work runs beside it, the latest request wins, nothing queues up.

    def _listen(self) -> None:
        for name in _TUNED:
            self._join(name, getattr(self._controls, name), "value")
        self._join("weights", self._diagram, "weights")
        for control, ask in (
            (self._controls.model, self._model_from_page),
            (self._controls.photo, self._photo_from_page),
            (self._controls.method, self._method_from_page),
            (self._controls.upload, self._upload_from_page),
        ):
            control.observe(self._unless_quiet(ask), "value")

    def _join(self, name: str, widget: w.Widget, trait: str) -> None:
        """Keep our trait and a widget's the same; ours decides what is allowed."""

        def take(change: Any) -> None:  # noqa: ANN401
            try:
                with self._from_page():
                    setattr(self, name, None if change["new"] == NONE else change["new"])
            except T.TraitError as error:
                self._fail(error)
            show()

        def show(_change: Any = None) -> None:  # noqa: ANN401
            value = getattr(self, name)
            setattr(widget, trait, NONE if value is None else value)

        show()
        self.observe(show, name)
        widget.observe(take, trait)

    def _unless_quiet(self, handle: Callable[[Any], None]) -> Callable[[Any], None]:
        def unless_quiet(change: Any) -> None:  # noqa: ANN401
            with self._lock:
                if not self._quiet:
                    handle(change["new"])

        return unless_quiet

    def _preset_from_page(self, name: str) -> None:
        try:
            with self._from_page():
                self.use(name)
        except (ValueError, T.TraitError) as error:
            self._fail(error)

    def _model_from_page(self, name: str) -> None:
        self._ask_from_page(model=self._controls.models[name])

    def _photo_from_page(self, name: str) -> None:
        if name in self._controls.samples:
            self._ask_from_page(image=self._controls.samples[name])

    def _upload_from_page(self, files: Any) -> None:  # noqa: ANN401
        for file in files[:1]:
            self._ask_from_page(image=(bytes(file["content"]), file["name"]))

    def _method_from_page(self, name: str) -> None:
        if name in self.maps.methods:
            if self._asked_method is not None:
                self._asking.cancel()  # the slow method that was chosen before
            with self._from_page():
                self.method = name
        else:
            self._ask_from_page(method=name, target=self.target)

    def _ask_from_page(
        self,
        model: object = None,
        image: object = None,
        method: str | None = None,
        target: int | None = None,
    ) -> None:
        model = self.model if model is None else model
        image = self.image if image is None else image
        self._asked_method = asked = method
        method = self.method if asked is None else asked

        def ask(report: Report) -> Analysis:
            photo = load_image(image[0], name=image[1]) if isinstance(image, tuple) else image
            return analyse(traits.as_model(model), traits.as_photo(photo), target, method, report)

        def done(analysis: Analysis) -> None:
            with self._from_page():
                if asked is None and self.method in analysis.maps.methods:
                    # Another method may have been chosen while the photo was looked at.
                    analysis = replace(analysis, maps=analysis.maps.with_method(self.method))
                self._show(analysis)

        self._asking.run(ask, done, self._fail, self._status_bar.show_progress)
        self._settle()

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        with self._lock:
            before, self._quiet = self._quiet, True
            try:
                yield
            finally:
                self._quiet = before

    @contextmanager
    def _from_page(self) -> Iterator[None]:
        with self._lock:
            before, self._on_page = self._on_page, True
            try:
                yield
            finally:
                self._on_page = before
