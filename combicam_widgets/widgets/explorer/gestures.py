"""What a person does on the page, turned into changes of what the explorer shows.

Heavy work runs beside the page, the latest request wins, nothing queues up; an error is shown in
words, and the controls go back to what is on screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import traitlets as T

from combicam_widgets.imagery import tile
from combicam_widgets.images import FileName, load_image, to_data_uri
from combicam_widgets.shown.presets import BY_WORTH
from combicam_widgets.shown.state import Asked, Shown, derive, same
from combicam_widgets.widgets._bridge.interrupts import between_cells
from combicam_widgets.widgets.background import Report
from combicam_widgets.widgets.explorer.controls import NONE, SWITCHED, TUNED
from combicam_widgets.widgets.explorer.parts import Parts
from combicam_widgets.widgets.explorer.places import picture, thumbnail
from combicam_widgets.widgets.explorer.questions import QUESTIONS, Question
from combicam_widgets.widgets.explorer.requests import ASKED, Request, request_for
from combicam_widgets.widgets.explorer.view import View
from combicam_widgets.widgets.held import Result

if TYPE_CHECKING:
    from combicam_widgets.widgets.explorer.explorer import Explorer


_THUMBNAIL = 56
"""Longer side of the pictures in the menu of photos, in pixels."""

_CALLED = {"photo": "image", "selected": "opened", "rings": "show_rings"}
"""What the explorer calls otherwise than its parts."""

_WATER = "There is no land here. The model {} was never taught water: do not believe its answer."

_BEST_ALREADY = "By worth: no fusion that was tried carries more of this answer than {}."
"""True until the model is asked anew, whatever is shown meanwhile."""


class Gestures:
    """Listens to the page.

    Parameters
    ----------
    explorer : Explorer
    parts : Parts
    view : View
    """

    def __init__(self, explorer: Explorer, parts: Parts, view: View) -> None:
        self._explorer, self._parts, self._view = explorer, parts, view
        self._jobs = explorer.jobs
        self._slow_method = False  # whether what is being worked on is a method that was chosen
        self._asked: dict[str, Asked] = {}  # what each kind of work has been asked last

    def listen(self) -> None:
        """Begin to listen; the parts show what the explorer holds."""
        explorer, controls, parts = self._explorer, self._parts.controls, self._parts
        for name in (*TUNED, *SWITCHED):
            if name != "guessing":
                self._take(getattr(controls, name), "value", partial(self._set, name))
        for component in (parts.diagram, parts.heat, parts.world):
            component.belongs_to(self._asked_of, self._heard, self._jobs.lock)
        parts.world.on_click(self.click_map)
        parts.world.on_vote(self._point_at_vote)
        self._take(controls.model, "value", self._choose_model)
        self._take(controls.photo, "value", self._choose_picture)
        self._take(controls.method, "value", self._choose_method)
        self._take(controls.score, "value", lambda name: self.change({"score": name}))
        self._take(controls.tile_width, "value", self._widen)
        self._take(controls.comparing, "value", self._begin_or_end_comparing)
        self._take(controls.guessing, "value", self._begin_or_end_guessing)
        self._take(controls.pin, "value", lambda on: self.change({"pin": on}))
        controls.upload.on_file(self._upload)
        controls.upload.pictures = self._pictures
        for name, button in controls.presets.items():
            self._on_click(button, partial(self._use, name))
        self._on_click(controls.start_over, explorer.start_over)
        self._on_click(controls.next_round, lambda: self.change({"image": explorer.draw_puzzle}))
        self._parts.status_bar.on_cancel = self.cancel
        between_cells(self._interrupted)

    # One change from the page.

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Change what is shown, as the page does: nobody waits for a model."""
        explorer = self._explorer
        news = explorer.news(wanted)
        if set(ASKED) & set(wanted) and not set(ASKED) & set(news):
            self._stop_asking()  # who comes back to what is shown wants nothing else any more
        request = request_for(explorer.shown, news, explorer.draw_puzzle)
        if request is None:
            self._commit(explorer.derived(news, None))
        else:
            self._ask(request, news)

    def _commit(self, shown: Shown) -> None:
        """Show a value, and ask beside the page what is still to be asked about it."""
        try:
            self._explorer.commit(shown)
        finally:
            self._ask_questions()

    def _ask(self, request: Request, wanted: Mapping[str, Any]) -> None:
        explorer, asking = self._explorer, self._jobs.asking
        self._slow_method = "method" in wanted

        def ask(report: Report) -> tuple[Any, Shown, Shown]:
            analysis = explorer.look(request, report)
            base = explorer.shown
            shown = explorer.derived(wanted, analysis)
            evidence = QUESTIONS[0]
            if evidence.open(shown) is not None:
                shown = derive(shown, evidence.ask(shown))
            return analysis, base, shown

        def done(result: tuple[Any, Shown, Shown]) -> None:
            self._slow_method = False
            analysis, base, shown = result
            if explorer.shown is not base:  # something else has changed meanwhile
                shown = explorer.derived(wanted, analysis)
            self._commit(derive(shown, {"busy": False, **self._warned()}))

        asking.run(
            ask,
            lambda result: self._attempt(lambda: done(result)),
            self.fail,
            self._parts.status_bar.show_progress,
        )
        if asking.busy:
            self._commit(derive(explorer.shown, {"busy": True, "error": ""}))

    def _ask_questions(self) -> None:
        """Ask what is open and not yet being asked; drop what nobody wants to know any more."""
        shown = self._explorer.shown
        for question in QUESTIONS:
            work, asked = getattr(self._jobs, question.work), question.open(shown)
            if asked is None:
                work.cancel()
            elif not (work.busy and same(self._asked.get(question.work), asked)):
                self._asked[question.work] = asked
                self._run(question, shown)

    def _run(self, question: Question, shown: Shown) -> None:
        def done(answer: dict[str, Any]) -> None:
            self._asked.pop(question.work, None)
            explorer = self._explorer
            change = {**answer, **self._warned()}
            self._attempt(lambda: explorer.commit(derive(explorer.shown, change)))

        def failed(error: BaseException) -> None:
            self._asked.pop(question.work, None)
            self.fail(error)

        work = getattr(self._jobs, question.work)
        work.run(lambda _report: question.ask(shown), done, failed, delay=question.delay)

    def forget_questions(self) -> None:
        """Drop what is being asked: somebody else has asked it."""
        self._asked.clear()
        for question in QUESTIONS:
            getattr(self._jobs, question.work).cancel()

    def fail(self, error: BaseException) -> None:
        """Say what went wrong; the controls go back to what is on screen."""
        words = str(error) or type(error).__name__
        busy = self._jobs.asking.busy
        self._explorer.commit(derive(self._explorer.shown, {"error": words, "busy": busy}))

    def _warned(self) -> dict[str, str]:
        """Take what was warned of meanwhile; returns a change for `derive`."""
        said, self._jobs.warned[:] = tuple(self._jobs.warned), []
        return {"notice": "\n".join(dict.fromkeys(said))} if said else {}

    def _stop_asking(self) -> None:
        self._jobs.asking.cancel()
        self._explorer.commit(derive(self._explorer.shown, {"busy": False}))

    def cancel(self) -> None:
        """Stop what is going on."""
        with self._jobs.lock:
            self._jobs.asking.cancel()
            self.fail(Exception("Cancelled; what is shown is as before."))

    def _interrupted(self) -> None:
        """Stop what goes on when the kernel is interrupted, as the button does."""
        with self._jobs.lock:
            if self._jobs.asking.busy:
                self.cancel()

    def _attempt(self, change: Callable[[], object]) -> None:
        """Change something as the page does; say what is wrong with it."""
        with self._jobs.lock:
            try:
                change()
            except Exception as error:  # noqa: BLE001  (whatever it is, the person is told)
                self.fail(error)

    def _take(self, widget: w.Widget, trait: str, act: Callable[[Any], object]) -> None:
        """Act when somebody changes a part, but not when we do."""

        def take(change: Any) -> None:  # noqa: ANN401
            with self._jobs.lock:
                if not self._view.drawing:
                    self._attempt(lambda: act(change["new"]))

        widget.observe(take, trait)

    def _on_click(self, button: w.Button, act: Callable[[], object]) -> None:
        button.on_click(lambda _button: self._attempt(act))

    # What each gesture means.

    def _set(self, name: str, value: Any) -> None:  # noqa: ANN401
        value = None if value == NONE else value
        trait = self._explorer.traits()[name] if self._explorer.has_trait(name) else None
        checked = value if trait is None else trait._validate(self._explorer, value)  # noqa: SLF001
        self.change({name: checked})

    def _asked_of(self, wanted: Mapping[str, Any]) -> None:
        """Change what somebody has set in a component; raises what is wrong with it."""
        explorer = self._explorer
        change = {_CALLED.get(name, name): value for name, value in wanted.items()}
        if "step" in change:
            change |= explorer.step(change.pop("step"))
        for name in change:
            trait = explorer.traits().get(name)
            if isinstance(trait, Result) or not (trait or name in {"opened", "pin", "past"}):
                raise T.TraitError(f"{name} follows from the explorer, and cannot be set here.")
        explorer.change(change)

    def _heard(self, wanted: Mapping[str, Any]) -> None:
        """Change what a person has done in a component, on the page."""
        change = {_CALLED.get(name, name): value for name, value in wanted.items()}
        with self._jobs.lock:
            self._attempt(lambda: self.change(change | self._stepped(change)))

    def _stepped(self, change: dict[str, Any]) -> dict[str, Any]:
        return self._explorer.step(change.pop("step")) if "step" in change else {}

    def _point_at_vote(self, layer: int | None) -> None:
        explorer = self._explorer
        self._parts.diagram.highlight("" if layer is None else explorer.maps.names[layer])

    def _use(self, name: str) -> None:
        explorer, asking = self._explorer, self._jobs.asking
        if name != BY_WORTH:
            self.change(explorer.preset(name))
            return

        def done(change: dict[str, Any]) -> None:
            best = "" if explorer.news(change) else _BEST_ALREADY.format(explorer.shown.label)
            said = {"notice": best} if best else {}
            wanted = {**change, "busy": False, **said, **self._warned()}
            self._attempt(lambda: self._commit(explorer.derived(wanted, None)))

        asking.run(
            partial(explorer.preset, name), done, self.fail, self._parts.status_bar.show_progress
        )
        if asking.busy:
            self._commit(derive(explorer.shown, {"busy": True, "error": ""}))

    def click_map(self, latitude: float, longitude: float) -> None:
        """Guess, or look there from above, or explain the cell that was clicked."""
        self._attempt(lambda: self._click_map(latitude, longitude))

    def _click_map(self, latitude: float, longitude: float) -> None:
        shown = self._explorer.shown
        if shown.hidden:
            self.change({"guess": (latitude, longitude)})
        elif shown.model.from_above and not shown.comparing:
            width = shown.tile_width
            water = shown.model.cells.at(latitude, longitude) is None
            said = {"notice": _WATER.format(shown.model.name)} if water else {}
            self.change({"image": lambda _model: tile(latitude, longitude, width_km=width), **said})
        else:
            cell = shown.model.cells.at(latitude, longitude)
            if cell is None:
                raise ValueError("There is no cell here; click a place on land.")
            self.change({"contrast" if shown.comparing else "target": cell})

    def _begin_or_end_comparing(self, on: bool) -> None:  # noqa: FBT001
        """While it is on, a click on the map says which cell the target is compared with."""
        self.change({"comparing": on} if on else {"comparing": False, "contrast": None})

    def _begin_or_end_guessing(self, on: bool) -> None:  # noqa: FBT001
        """Begin with another picture: the present one was looked at already, with its answer."""
        more = {"image": self._explorer.draw_puzzle} if on else {}
        self.change({"guessing": on, **more})

    def _choose_model(self, name: str) -> None:
        self.change({"model": self._parts.controls.models[name]})

    def _choose_picture(self, title: str) -> None:
        controls, shown = self._parts.controls, self._explorer.shown
        if title in controls.own:
            self.change({"image": controls.own[title]})
        elif title in controls.titles:
            self.change({"image": lambda model: picture(model, title, shown.tile_width)})

    def _widen(self, width_km: float) -> None:
        explorer = self._explorer
        if width_km == explorer.tile_width:
            return
        self._set("tile_width", width_km)
        if explorer.model.from_above and explorer.image.position is not None:
            latitude, longitude = explorer.image.position
            self.change({"image": lambda _model: tile(latitude, longitude, width_km=width_km)})

    def _upload(self, content: bytes, name: str) -> None:
        self._attempt(
            lambda: self.change({"image": lambda _: load_image(content, name=FileName(name))})
        )

    def _pictures(self, titles: Sequence[str]) -> dict[str, str]:
        """Give small pictures of entries of the menu of photos."""
        controls, model = self._parts.controls, self._explorer.model
        found = {}
        for title in titles:
            if title in {*controls.own, *controls.titles}:
                photo = controls.own.get(title) or thumbnail(model, title)
                found[title] = to_data_uri(photo, format="jpeg", max_side=_THUMBNAIL)
        return found

    def _choose_method(self, name: str) -> None:
        if self._slow_method:
            self._slow_method = False
            self._stop_asking()  # the slow method that was chosen before
        self.change({"method": name})
