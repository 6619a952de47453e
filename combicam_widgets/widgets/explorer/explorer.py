"""The explorer: diagram, overlay, map and words, kept in step with each other and with Python."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from html import escape
from typing import Any

import ipywidgets as w
import numpy as np
import traitlets as T

from combicam_widgets import cam, export
from combicam_widgets.geo.given import brief
from combicam_widgets.images import Photo
from combicam_widgets.memory import give_back
from combicam_widgets.models import GeoModel
from combicam_widgets.shown.analysis import Analysis
from combicam_widgets.shown.game import ROUNDS
from combicam_widgets.shown.presets import BY_WORTH, preset
from combicam_widgets.shown.state import Shown, derive, first, redacted, same
from combicam_widgets.widgets._bridge.closing import whole_or_not_at_all
from combicam_widgets.widgets._bridge.interrupts import interrupts_wait
from combicam_widgets.widgets._bridge.spelling import check_options
from combicam_widgets.widgets.background import Report, left_behind
from combicam_widgets.widgets.component import Component
from combicam_widgets.widgets.diagram.component import LayerDiagram
from combicam_widgets.widgets.explorer.controls import Controls
from combicam_widgets.widgets.explorer.gestures import Gestures
from combicam_widgets.widgets.explorer.hand_out import LIKE_THE_FIRST, hand_out
from combicam_widgets.widgets.explorer.handing_in import state_of
from combicam_widgets.widgets.explorer.jobs import Jobs
from combicam_widgets.widgets.explorer.parts import NAMES, Parts
from combicam_widgets.widgets.explorer.places import first_picture, is_place, puzzle, titles
from combicam_widgets.widgets.explorer.questions import QUESTIONS
from combicam_widgets.widgets.explorer.requests import (
    ASKED,
    Request,
    analyse,
    request_for,
    weigh_by_worth,
)
from combicam_widgets.widgets.explorer.state import ExplorerState
from combicam_widgets.widgets.explorer.status_bar import StatusBar
from combicam_widgets.widgets.explorer.take_along import TakeAlong
from combicam_widgets.widgets.explorer.view import View
from combicam_widgets.widgets.heat.component import HeatOverlay
from combicam_widgets.widgets.held import Setting
from combicam_widgets.widgets.traits import as_model
from combicam_widgets.widgets.trust import TrustPanel
from combicam_widgets.widgets.world.component import WorldMap

_OWN_PHOTOS = 8
"""How many photos from outside, and how many places, can be chosen again."""

_LATER = {"preview", "guess", "maps"}
"""Traits that are set once there is a photo."""


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
    parts : sequence of str
        What is seen, of "controls", "diagram", "heat", "world", "status" and "trust"; default:
        all. Each part can also be shown somewhere else: `diagram`, `heat`, `world`, `trust`.
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
        parts: Sequence[str] = NAMES,
        **values: Any,  # noqa: ANN401
    ) -> None:
        traits = Explorer.class_traits().items()
        settings = {name for name, trait in traits if isinstance(trait, Setting)}
        check_options(Explorer, values, settings - _LATER | {"parts", "layout"})
        if isinstance(parts, str) or (unknown := [name for name in parts if name not in NAMES]):
            wrong = parts if isinstance(parts, str) else unknown[0]
            raise ValueError(f"parts must be a sequence of {', '.join(NAMES)}, not {wrong!r}.")
        super().__init__(layout=values.pop("layout", w.Layout()))
        self.add_class("ccw-explorer")
        self._jobs = Jobs()
        self._parts, self._seen = Parts(self.jobs.worker), tuple(parts)
        self._view = View(self._parts)
        self._gestures = Gestures(self, self._parts, self._view)
        self._drawn: tuple[str, ...] = ()  # names of the latest puzzles
        try:
            self._open(model, image, values)
        except BaseException:
            self.close()
            raise

    def _open(self, model: object, image: object, values: dict[str, Any]) -> None:
        """Show the first photo, with the given values of other traits."""
        wanted: dict[str, Any] = {}
        self._held = wanted  # collects what the traits let pass
        try:
            for name, value in {"model": model, **values}.items():
                setattr(self, name, value)
            if image is not None:
                self.image = image
            if wanted.get("guessing") and (image is None or self.image.position is None):
                wanted["image"] = self.draw_puzzle()
        finally:
            self._held = None
        geo_model: GeoModel = wanted.pop("model")
        photo = wanted.pop("image", None) or first_picture(
            geo_model, wanted.get("tile_width", 1500.0)
        )
        target, contrast = wanted.pop("target", None), wanted.pop("contrast", None)
        method = wanted.pop("method", cam.METHODS[0])
        score = wanted.pop("score", cam.SCORES[0])
        analysis = analyse(geo_model, photo, target, method, contrast, score)
        wanted |= self._own_photos((), analysis)
        with _as_trait_error("weights" in wanted):
            shown = first(analysis, wanted)
        self.children = self._parts.laid_out(self._seen)
        self._beginning = self._answered(shown)
        self.commit(self._beginning)
        self._gestures.listen()

    def close(self) -> None:
        """Take the explorer off the page, and all of its widgets out of the kernel's memory."""
        if self.comm is None:
            return
        if hasattr(self, "_parts"):
            self.jobs.close()
            self._parts.close(self)
        else:  # it was never finished
            super().close()

    def state(self) -> dict[str, Any]:
        """Return what brings this view back, a few words of JSON: ``Explorer(**state)``.

        To be handed in and compared: model, photo, method, rule, the weights that are not 0, and
        whatever else is not as at first. Nothing of the photo's position or of its file is in it:
        a photo of one's own is named by its size and a fingerprint of its pixels, and has to be
        given again.

        Raises
        ------
        RuntimeError
            Somebody is to guess first: the photo's name would tell.
        """
        if self.hidden:
            raise RuntimeError("Guess first: the state names the photo, which would tell.")
        defaults = {name: trait.default_value for name, trait in self.held().items()}
        return state_of(self.shown, defaults)

    def use(self, name: str) -> None:
        """Apply a preset: "last layer", "one per stage", "all" (Combi-CAM), "by worth" or "invert".

        "by worth" measures for some seconds how much of the answer each layer's map carries alone,
        and sets method, rule and weights; see `combicam_widgets.evaluation.by_worth`.
        """
        self.change(self.preset(name))

    def preset(self, name: str, report: Report | None = None) -> dict[str, Any]:
        """Return the change that a preset makes; see `use`."""
        if name != BY_WORTH:
            return {"weights": preset(name, self._analysis.stages, self.weights)}
        if self.hidden:
            raise ValueError("Guess first: what the layers are worth would tell where to look.")
        return weigh_by_worth(self._analysis, report)

    def undo(self) -> None:
        """Take the last change of weights, rule, method and normalisation back, if there is one."""
        self.change(self.step("undo"))

    def redo(self) -> None:
        """Make the change again that was taken back last, if there is one."""
        self.change(self.step("redo"))

    def step(self, way: str) -> dict[str, Any]:
        """Return the change that undoing or redoing makes; empty if there is nothing to do."""
        past = self.shown.past.copy()
        if not (past.can_undo if way == "undo" else past.can_redo):
            return {}
        recipe = past.undo() if way == "undo" else past.redo()
        return {**vars(recipe), "past": past}

    def start_over(self) -> None:
        """Show what was shown in the beginning, with all settings as they were then."""
        with self.jobs.lock:
            self.jobs.asking.cancel()
            self._gestures.forget_questions()
            own = self._own_photos(self.shown.own_photos, self._beginning.analysis)
            self.commit(replace(self._beginning, **{"own_photos": self.shown.own_photos, **own}))

    def pin(self) -> None:
        """Keep the present fusion to compare the ones that follow with."""
        self.change({"pin": True})

    def unpin(self) -> None:
        """Compare no longer."""
        self.change({"pin": False})

    def next_round(self) -> None:
        """Show another picture to be guessed."""
        self.image = self.draw_puzzle()

    def draw_puzzle(self, model: GeoModel | None = None) -> Photo:
        """Draw a picture whose place is known, for the present model or another one."""
        wanted = model or self.model
        photo = puzzle(wanted, self.tile_width, np.random.default_rng(), self._drawn)
        self._drawn = (*self._drawn, str(photo.name))[-ROUNDS:]
        return photo

    def open_card(self, name: str) -> None:
        """Open the card of a layer in the diagram; "" closes it."""
        self.change({"opened": name})

    # One value, one commit.

    def change(self, wanted: Mapping[str, Any]) -> None:
        """Change what is shown; takes effect before it returns, or raises and changes nothing.

        Parameters
        ----------
        wanted : mapping
            Values by the names of traits, checked already, and whatever else `derive` takes.
        """
        if self._held is not None:
            self._held.update(wanted)
            return
        if not (wanted := self.news(wanted)):
            return
        request = request_for(self.shown, wanted, self.draw_puzzle)
        analysis = None if request is None else self.look(request)
        with self.jobs.lock:
            shown = self._answered(self.derived(wanted, analysis))
            if analysis is not None:
                self.jobs.asking.cancel()
                shown = derive(shown, {"busy": False})
            self._gestures.forget_questions()
            self.commit(shown)

    def news(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Leave out of a change what is so already."""
        shown = self.shown
        return {
            name: value
            for name, value in wanted.items()
            if not (hasattr(shown, name) and same(getattr(shown, name), value))
        }

    def look(self, request: Request, report: Report | None = None) -> Analysis:
        """Ask a model; with a ``report``, a picture that takes long to read is left behind."""
        model = as_model(request.model)
        photo = request.image
        if not isinstance(photo, Photo):
            read = partial(photo, model)
            photo = read() if report is None else left_behind(read, report)
        asked = request.target, request.method, request.contrast, request.score
        return analyse(model, photo, *asked, report)

    def derived(self, wanted: Mapping[str, Any], analysis: Analysis | None) -> Shown:
        """Derive the next value from the present one, an analysis and what was wanted beside it."""
        shown = self.shown
        change = {name: value for name, value in wanted.items() if name not in ASKED}
        if analysis is not None:
            # Another method may have been chosen while the photo was looked at.
            if "method" not in change and shown.method in analysis.maps.methods:
                change["method"] = shown.method
            change |= {"analysis": analysis, **self._own_photos(shown.own_photos, analysis)}
        with _as_trait_error(bool({"weights", "preview", "maps"} & set(change))):
            return derive(shown, change)

    def commit(self, shown: Shown) -> None:
        """Show a value: all traits have it at once, each part is handed it once, observers hear.

        If that is interrupted, all is as it was before. What an observer raises is raised at the
        end: then the value is in place, and the other observers have heard of it.
        """
        with self.jobs.lock:
            before = self._shown
            try:
                with interrupts_wait():
                    self._shown = shown
                    told = self._view.show(redacted(shown))
                    self._look(shown)
            except BaseException:
                self._shown = before
                if before is not None:
                    with interrupts_wait():
                        self._view.show(redacted(before))
                raise
            if before is not None:
                self._tell(before, told)

    def _tell(self, before: Shown, parts: Sequence[tuple[Component, Mapping[str, Any]]]) -> None:
        """Tell observers of what has changed here, and in the parts, given what they were."""
        failed: list[Exception] = []
        mine = {name: getattr(before, name) for name in self.held()}
        for widget, values in ((self, mine), *parts):
            try:
                widget.tell(values)
            except Exception as error:  # noqa: BLE001  (raised below, when all have heard)
                failed.append(error)
        if failed:
            raise failed[0]

    def _look(self, shown: Shown) -> None:
        """Lay it out as is asked for; the style sheet knows these names."""
        for name in ("simple", "presentation", "hidden"):
            change = self.add_class if getattr(shown, name) else self.remove_class
            change(f"ccw-{name}")

    def _answered(self, shown: Shown) -> Shown:
        """Ask all that is still to be asked about a value, in place."""
        for question in QUESTIONS:
            if question.open(shown) is not None:
                shown = derive(shown, question.ask(shown))
        return shown

    @property
    def shown(self) -> Shown:
        """All that is shown, as one value."""
        if self._shown is None:
            raise RuntimeError("The explorer is still being made.")
        return self._shown

    @property
    def jobs(self) -> Jobs:
        """The work that goes on beside the page; ``explorer.jobs.busy`` says whether any does."""
        return self._jobs

    @property
    def controls(self) -> Controls:
        """The rows of menus and buttons."""
        return self._parts.controls

    @property
    def status_bar(self) -> StatusBar:
        """The line in words."""
        return self._parts.status_bar

    @property
    def diagram(self) -> LayerDiagram:
        """The tiles of the layers; what is set there is set here."""
        return self._parts.diagram

    @property
    def heat(self) -> HeatOverlay:
        """The photo with the heatmap; what is set there is set here."""
        return self._parts.heat

    @property
    def world(self) -> WorldMap:
        """The map; what is set there is set here."""
        return self._parts.world

    @property
    def trust(self) -> TrustPanel:
        """The panel that says how much of the answer the heatmap carries."""
        return self._parts.trust

    @property
    def _analysis(self) -> Analysis:
        return self.shown.analysis

    def _own_photos(
        self, known: tuple[tuple[int, Photo], ...], analysis: Analysis
    ) -> dict[str, Any]:
        """Remember a photo that no menu has, to be chosen again."""
        photo = analysis.photo
        # Who gives a photo of their own the name of one in the menu gives it no credit.
        listed = photo.credit and photo.name in titles(analysis.model)
        if listed or any(photo is mine for _, mine in known):
            return {}
        alike = [entry for entry in known if is_place(entry[1]) == is_place(photo)]
        gone = alike[:1] if len(alike) == _OWN_PHOTOS else []
        number = known[-1][0] + 1 if known else 1
        return {"own_photos": (*(x for x in known if x not in gone), (number, photo))}

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401
        """Show the widget; where none are shown, a picture of it, and how to see more."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if self._shown is None or self.hidden:
            return bundle
        picture = base64.b64encode(export.as_jpeg(self._snapshot())).decode()
        give_back()
        seen = f'<img alt="{escape(repr(self))}" src="data:image/jpeg;base64,{picture}">'
        return bundle | {"image/jpeg": picture, "text/html": seen + bundle["text/html"]}

    def _snapshot(self, *, votes: bool = False) -> export.Snapshot:
        """Freeze what is shown, with the answers that belong to it; votes are asked for if need be.

        Raises
        ------
        RuntimeError
            Somebody is to guess first, and an export would tell.
        """
        shown = self._told()
        given = shown.votes or (shown.analysis.votes(shown.keep) if votes else ())
        return export.Snapshot.of(shown, given)

    def _hand_out(self, photos: Sequence[Any]) -> list[export.Snapshot]:
        shown = self._told()
        if isinstance(photos, str | bytes | Photo) or not isinstance(photos, Sequence):
            raise TypeError(f"photos must be a sequence of photos, not {brief(photos)}.")
        settings = {name: getattr(shown, name) for name in LIKE_THE_FIRST}
        found = [shown]
        for given in photos:
            try:
                photo: Any = Explorer.image.validate(self, given)
            except T.TraitError as error:
                raise ValueError(str(error)) from error
            look = analyse(self.model, photo, None, shown.method, None, shown.score)
            found.append(self._answered(first(look, settings)))
        return [hand_out(each) for each in found]

    def _told(self) -> Shown:
        """Return what is shown once all that is still asked about it is answered."""
        with self.jobs.lock:
            if self.hidden:
                raise RuntimeError(
                    "The answers are hidden until somebody has guessed, and an export would tell "
                    "them: set explorer.guess, or explorer.guessing = False, and export then."
                )
            shown = self._answered(self.shown)
            if shown is not self._shown:
                self._gestures.forget_questions()
                self.commit(shown)
            return shown


@contextmanager
def _as_trait_error(expected: bool) -> Iterator[None]:  # noqa: FBT001
    """Say that a value which does not fit the layers is a wrong value of a trait."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if not expected:
            raise
        raise T.TraitError(str(error)) from error
