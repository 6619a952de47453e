"""What a person does on the page, turned into changes of the explorer.

Heavy work runs beside the page, the latest request wins, nothing queues up; an error is shown in
words, and the controls go back to what is on screen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import traitlets as T

from combicam_widgets.imagery import tile
from combicam_widgets.images import FileName, Photo, load_image
from combicam_widgets.widgets import traits
from combicam_widgets.widgets.analysis import Analysis, analyse
from combicam_widgets.widgets.background import Report
from combicam_widgets.widgets.controls import NONE
from combicam_widgets.widgets.parts import Parts
from combicam_widgets.widgets.places import first_picture, picture
from combicam_widgets.widgets.view import click_hint

if TYPE_CHECKING:
    from combicam_widgets.widgets.explorer import Explorer

TUNED = ("rule", "normalize", "keep", "opacity", "colormap")
"""Traits that a control of the same name shows and sets."""

SWITCHED = ("outline", "show_opposite", "show_votes", "show_rings", "online_tiles", "guessing")
"""Traits that a button of the same name switches."""


class Gestures:
    """Listens to the page.

    Parameters
    ----------
    explorer : Explorer
    parts : Parts
    show : callable
        Takes over an analysis, whole.
    fail : callable
        Says what went wrong.
    """

    def __init__(
        self,
        explorer: Explorer,
        parts: Parts,
        show: Callable[[Analysis], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._explorer, self._parts, self._show, self._fail = explorer, parts, show, fail
        self._asked_method: str | None = None  # the slow method that is being worked on

    def listen(self) -> None:
        """Begin to listen; the parts show what the explorer holds."""
        explorer, controls, diagram = self._explorer, self._parts.controls, self._parts.diagram
        for name in (*TUNED, *SWITCHED):
            self._join(name, getattr(controls, name), "value")
        self._join("weights", diagram, "weights")
        self._join("preview", diagram, "preview")
        for control, ask in (
            (controls.model, self._choose_model),
            (controls.photo, self._choose_picture),
            (controls.method, self._choose_method),
            (controls.tile_width, self._widen),
        ):
            control.observe(self._unless_quiet(ask), "value")
        controls.upload.on_file(self._upload)
        for name, button in controls.presets.items():
            self._on_click(button, partial(explorer.use, name))
        controls.comparing.observe(self._unless_quiet(self._begin_or_end_comparing), "value")
        controls.next_round.on_click(lambda _button: self._next_round())
        self._join_compare()
        diagram.on_history(lambda step: self._attempt(getattr(explorer, step)))
        diagram.observe(lambda change: explorer.open_card(change["new"]), "opened")
        self._parts.overlay.on_box(lambda box: self._attempt(lambda: setattr(explorer, "box", box)))
        self._parts.status_bar.on_cancel = self.cancel

    def click_map(self, latitude: float, longitude: float) -> None:
        """Guess, or look there from above, or explain the cell that was clicked."""
        explorer = self._explorer
        if explorer.hidden:
            self._attempt(lambda: setattr(explorer, "guess", (latitude, longitude)))
        elif explorer.model.from_above and not self._parts.controls.comparing.value:
            width = explorer.tile_width
            self._ask(image=lambda: tile(latitude, longitude, width_km=width))
        else:
            cell = explorer.model.cells.at(latitude, longitude)
            if cell is None:
                self._fail(ValueError("There is no cell here; click a place on land."))
            elif self._parts.controls.comparing.value:
                self.choose_contrast(cell)
            else:
                self.choose_cell(cell)

    def choose_cell(self, index: int) -> None:
        """Explain another cell."""
        self._ask(method=self._explorer.method, target=index)

    def choose_contrast(self, index: int | None) -> None:
        """Explain why the target rather than this cell."""
        explorer = self._explorer
        self._ask(method=explorer.method, target=explorer.target, contrast=index)

    def _begin_or_end_comparing(self, on: bool) -> None:  # noqa: FBT001
        """While it is on, a click on the map says which cell the target is compared with."""
        self._parts.world.set_click_mode(click_hint(self._explorer, comparing=on))
        if not on and self._explorer.contrast is not None:
            self.choose_contrast(None)

    def cancel(self) -> None:
        """Stop what is going on."""
        self._parts.asking.cancel()
        self._fail(Exception("Cancelled; what is shown is as before."))

    def _join(self, name: str, widget: w.Widget, trait: str) -> None:
        """Keep the explorer's trait and a widget's the same; the former decides what is allowed."""

        def take(change: Any) -> None:  # noqa: ANN401
            value = None if change["new"] == NONE else change["new"]
            self._attempt(lambda: setattr(self._explorer, name, value))
            show()

        def show(_change: Any = None) -> None:  # noqa: ANN401
            value = getattr(self._explorer, name)
            setattr(widget, trait, NONE if value is None else value)

        show()
        self._explorer.observe(show, name)
        widget.observe(take, trait)

    def _join_compare(self) -> None:
        """Let the button stay pressed as long as a fusion is pinned, whoever pins it."""
        explorer, button = self._explorer, self._parts.controls.pin

        def take(change: Any) -> None:  # noqa: ANN401
            if change["new"] != bool(explorer.pinned):
                self._attempt(explorer.pin if change["new"] else explorer.unpin)
                show()

        def show(_change: Any = None) -> None:  # noqa: ANN401
            button.value = bool(explorer.pinned)

        explorer.observe(show, "pinned")
        button.observe(take, "value")

    def _attempt(self, change: Callable[[], object]) -> None:
        """Change something as the page does; say what is wrong with it."""
        try:
            with self._parts.turns.on_page():
                change()
        except (ValueError, T.TraitError) as error:
            self._fail(error)

    def _on_click(self, button: w.Button, act: Callable[[], object]) -> None:
        button.on_click(lambda _button: self._attempt(act))

    def _unless_quiet(self, handle: Callable[[Any], None]) -> Callable[[Any], None]:
        def unless_quiet(change: Any) -> None:  # noqa: ANN401
            with self._parts.turns.lock:
                if not self._parts.turns.quiet:
                    handle(change["new"])

        return unless_quiet

    def _choose_model(self, name: str) -> None:
        model, now, width = (
            self._parts.controls.models[name],
            self._explorer,
            self._explorer.tile_width,
        )

        def image() -> Photo:
            chosen = traits.as_model(model)
            return (
                now.image
                if chosen.from_above == now.model.from_above
                else first_picture(chosen, width)
            )

        self._ask(model=model, image=image)

    def _choose_picture(self, title: str) -> None:
        if title in self._parts.controls.titles:
            model, width = self._explorer.model, self._explorer.tile_width
            self._ask(image=lambda: picture(model, title, width))

    def _widen(self, width_km: float) -> None:
        explorer = self._explorer
        with self._parts.turns.quietly():
            explorer.tile_width = width_km
        if explorer.model.from_above and explorer.image.position is not None:
            latitude, longitude = explorer.image.position
            self._ask(image=lambda: tile(latitude, longitude, width_km=width_km))

    def _next_round(self) -> None:
        self._ask(image=self._explorer.draw_puzzle)

    def _upload(self, content: bytes, name: str) -> None:
        with self._parts.turns.lock:
            self._ask(image=lambda: load_image(content, name=FileName(name)))

    def _choose_method(self, name: str) -> None:
        if name in self._explorer.maps.methods:
            if self._asked_method is not None:
                self._parts.asking.cancel()  # the slow method that was chosen before
            self._attempt(lambda: setattr(self._explorer, "method", name))
        else:
            explorer = self._explorer
            self._ask(method=name, target=explorer.target, contrast=explorer.contrast)

    def _ask(
        self,
        model: object = None,
        image: Callable[[], Photo] | None = None,
        method: str | None = None,
        target: int | None = None,
        contrast: int | None = None,
    ) -> None:
        explorer = self._explorer
        model = explorer.model if model is None else model
        present = explorer.image
        self._asked_method = asked = method
        method = explorer.method if asked is None else asked

        def ask(report: Report) -> Analysis:
            photo = present if image is None else image()
            return analyse(traits.as_model(model), photo, target, method, contrast, report)

        def done(analysis: Analysis) -> None:
            with self._parts.turns.on_page():
                if asked is None and explorer.method in analysis.maps.methods:
                    # Another method may have been chosen while the photo was looked at.
                    analysis = replace(analysis, maps=analysis.maps.with_method(explorer.method))
                self._show(analysis)

        self._parts.asking.run(ask, done, self._fail, self._parts.status_bar.show_progress)
        explorer.settle()
