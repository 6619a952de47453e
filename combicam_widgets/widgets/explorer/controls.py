"""The toolbar: which model, photo, CAM method and fusion; presets; what is shown and how."""

from __future__ import annotations

from itertools import count
from typing import cast

import ipywidgets as w

from combicam_widgets import cam
from combicam_widgets.imagery import WIDTHS_KM
from combicam_widgets.images import Photo, picture_endings
from combicam_widgets.models import GeoModel, list_models
from combicam_widgets.shown.colors import COLORMAPS
from combicam_widgets.shown.presets import PRESETS
from combicam_widgets.shown.state import Shown
from combicam_widgets.shown.words import explained
from combicam_widgets.widgets.explorer.places import groups, is_place, titles
from combicam_widgets.widgets.explorer.rule_menu import MethodMenu, RuleMenu, ScoreMenu
from combicam_widgets.widgets.explorer.upload import Upload
from combicam_widgets.widgets.explorer.words import Words

NONE = "none"
"""How a menu writes None, which ipywidgets takes for "nothing selected"."""

TUNED = ("rule", "normalize", "keep", "opacity", "colormap")
"""Traits that a control of the same name shows and sets."""

SWITCHES = {
    "outline": ("Outline", "Draw the border of what the evidence shows"),
    "pin": ("Compare", "Keep this fusion beside the ones that follow, or let it go"),
    "show_opposite": (
        "The rest",
        "The opposite: what the model says of the photo without its evidence",
    ),
    "comparing": (
        "Why not there",
        "Contrast: click another cell, and see what speaks for this place rather than for that",
    ),
    "show_votes": (
        "Votes",
        "Layer votes: where the model points when it sees only what one layer found",
    ),
    "show_rings": (
        "Rings",
        "How much probability lies within 25, 200, 750 and 2,500 km of the best cell",
    ),
    "online_tiles": ("Online map", "Fetch OpenStreetMap's tiles from the internet"),
    "guessing": ("Guess first", "Say where it is before the model does"),
}
"""Buttons that are pressed or not: what stands on them, and what they do. In their order."""

SWITCHED = tuple(name for name in SWITCHES if name not in {"pin", "comparing"})
"""Traits that a button of the same name switches."""

_EVERYDAY = ("last layer", "one per stage", "all")
"""Presets that are always in reach."""

_PUZZLE = "(guess where)"


class Controls(w.VBox):
    """Menus, sliders and buttons; no logic.

    Attributes
    ----------
    models : dict
        The models of the menu, or their names in the registry, by the name that is shown.
    titles : tuple of str
        What the model in view can be shown, as the menu names it.
    own : dict
        Photos from outside that can be chosen again, by their entry in the menu.
    model, photo, method, score, rule, normalize, colormap : ipywidgets.Dropdown
    opacity, keep, tile_width : ipywidgets.FloatSlider
    upload : Upload
    presets : dict
        A button for each of `PRESETS`.
    more : ipywidgets.ToggleButton
        Opens the rows of what is not needed every day.
    start_over : ipywidgets.Button
    outline, pin, ... : ipywidgets.ToggleButton
        One for each of `SWITCHES`.
    next_round : ipywidgets.Button
    """

    def __init__(self) -> None:
        self.models: dict[str, GeoModel | str] = {
            name: name for name, info in list_models().items() if info.ready
        }
        self.titles: tuple[str, ...] = ()
        self.own: dict[str, Photo] = {}
        self.model = _menu("Model", list(self.models))
        self.photo = _menu("Photo", [_PUZZLE])
        self.photo.layout.max_width = "190px"
        self.photo.add_class("ccw-photos")
        self.upload = Upload(
            accept=",".join(["image/*", *picture_endings()]),
            description="Your photo…",
            hint="Open a photo of your own; it stays on this computer",
        )
        self.tile_width = w.FloatSlider(
            description="Width",
            min=max(500, WIDTHS_KM[0]),
            max=min(3000, WIDTHS_KM[1]),
            step=100,
            value=1500,
            readout_format=",.0f",
            continuous_update=False,
            tooltip="How wide a piece of the Earth the model sees, in km",
            style={"description_width": "auto"},
            layout=w.Layout(width="220px"),
        )
        self.method = MethodMenu(description="Method", **_menu_look())
        self.score = ScoreMenu(description="Score", **_menu_look())
        self.rule = RuleMenu(description="Rule", **_menu_look())
        self.normalize = _menu("Normalise", [n or NONE for n in cam.NORMALIZATIONS])
        self.colormap = _menu("Colours", list(COLORMAPS))
        self.opacity = _slider("Opacity", 0.0, 1.0, "Opacity of the hottest pixels")
        self.keep = _slider(
            "Keep",
            0.01,
            1.0,
            "Evidence: so much of the photo, the hottest, is all that the model gets to see",
        )
        self.presets = {name: _button(name, tip) for name, tip in PRESETS.items()}
        for name, words in SWITCHES.items():
            setattr(self, name, _switch(*words))
        self.next_round = _button("Next round", "Another photo to guess")
        self.more = _switch("More", "Method, rule, colours, what the evidence shows, the map …")
        self.more.add_class("ccw-opens")
        self.start_over = _button("Start over", "Everything as it was when this was opened")
        self._explained = Words(look="ccw-explained")
        self._score = Words(look="ccw-score")
        self._round = w.HBox([self.next_round, self._score], layout={"align_items": "center"})
        presets = [button for name, button in self.presets.items() if name in _EVERYDAY]
        others = [button for name, button in self.presets.items() if name not in _EVERYDAY]
        everyday = [self.model, self.photo, self.upload, *presets, self.guessing, self.more]
        choices = [self.method, self.score, self.rule, self.normalize]
        of_maps = [self.tile_width, *choices, *others, self.pin, self.start_over]
        switches = [getattr(self, name) for name in SWITCHES if name not in {"guessing", "pin"}]
        rows = [
            everyday,
            of_maps,
            [self.colormap, self.opacity, self.keep, *switches],
        ]
        boxes = [w.HBox(row) for row in rows]
        for box in (*boxes, self._round):
            box.add_class("ccw-toolbar")
        boxes[0].add_class("ccw-everyday")
        further = w.VBox([*boxes[1:], self._explained])
        further.add_class("ccw-further")
        super().__init__([boxes[0], self._round, further])
        self.add_class("ccw-controls")

    def show(self, shown: Shown, *, choices: bool = True) -> None:
        """Show the settings and how the game stands; models and photos from outside get an entry.

        Without ``choices``, model, photo, method and the like stay as somebody has set them.
        """
        for name in (*TUNED, "comparing"):
            value = getattr(shown, name)
            control = getattr(self, name)
            if isinstance(control, w.FloatSlider):
                _make_room(control, value)
            control.value = NONE if value is None else value
        self.pin.value = bool(shown.pinned)
        self._explained.say("", saved=explained(shown.method, shown.rule, shown.normalize))
        if choices:
            self._show_choices(shown)
        asking = self.show_votes.add_class if shown.voting else self.show_votes.remove_class
        asking("ccw-asking")
        _show_if(self._round, shown.guessing)
        score, saved = (shown.game.score_line(include_position=told) for told in (True, False))
        self._score.say(score, saved=saved)

    def _show_choices(self, shown: Shown) -> None:
        model = shown.model
        self.models[model.name] = cast(GeoModel, model)
        if model.name not in self.model.options:
            self.model.options = list(self.models)
        self.model.value = model.name
        self.method.show(shown.method)
        self.score.show(shown.maps.score)
        for name in SWITCHED:
            getattr(self, name).value = getattr(shown, name)
        self.titles = titles(model)
        self.own = _labelled(shown.own_photos, self.titles)
        mine = [label for label, photo in self.own.items() if not is_place(photo)]
        places = [label for label, photo in self.own.items() if is_place(photo)]
        puzzle = [_PUZZLE] if shown.hidden else []
        grouped = [*groups(model), ("My photos", mine), ("Places on the map", places)]
        entries = (*self.titles, *mine, *places, *puzzle)
        if self.photo.options != entries:
            self.photo.options = entries
        self.upload.groups = [[title, len(listed)] for title, listed in grouped if listed]
        self.photo.value = _PUZZLE if shown.hidden else _entry(shown.image, self.own)
        self.photo.description = "Place" if model.from_above else "Photo"
        _make_room(self.tile_width, shown.tile_width)
        self.tile_width.value = shown.tile_width
        _show_if(self.tile_width, model.from_above)


def _labelled(photos: tuple[tuple[int, Photo], ...], titles: tuple[str, ...]) -> dict[str, Photo]:
    """Name photos from outside for the menu, each differently.

    The menu is saved with the notebook: names of files stay out of it, numbers and sizes tell
    those photos apart.
    """
    named: dict[str, Photo] = {}
    for mine, photo in photos:
        size = f"{photo.width} x {photo.height}"
        name = photo.public_name or f"your photo {mine} ({size})"
        name = f"place {mine} on the map" if is_place(photo) else name
        taken = {*titles, *named}
        more = (f"{name} ({number})" for number in count(2))
        label = name if name not in taken else next(label for label in more if label not in taken)
        named[label] = photo
    return named


def _entry(photo: Photo, own: dict[str, Photo]) -> str:
    """Return the menu's entry of a photo."""
    return next((label for label, mine in own.items() if mine is photo), str(photo.name))


def _make_room(slider: w.FloatSlider, value: float) -> None:
    """Let a slider reach a value: it would show, and report, another one instead."""
    slider.min, slider.max = min(slider.min, value), max(slider.max, value)


def _show_if(widget: w.Widget, condition: bool) -> None:  # noqa: FBT001
    widget.layout.display = "" if condition else "none"


def _menu(label: str, options: list[object]) -> w.Dropdown:
    return w.Dropdown(description=label, options=options, **_menu_look())


def _menu_look() -> dict[str, object]:
    return {
        "style": {"description_width": "auto"},
        "layout": w.Layout(width="auto", max_width="260px"),
    }


def _slider(label: str, low: float, high: float, tip: str) -> w.FloatSlider:
    return w.FloatSlider(
        description=label,
        min=low,
        max=high,
        step=0.01,
        readout_format=".0%",
        tooltip=tip,
        style={"description_width": "auto"},
        layout=w.Layout(width="150px"),
    )


def _button(label: str, tip: str) -> w.Button:
    return w.Button(description=label, tooltip=tip, layout=w.Layout(width="auto"))


def _switch(label: str, tip: str) -> w.ToggleButton:
    return w.ToggleButton(description=label, tooltip=tip, layout=w.Layout(width="auto"))
