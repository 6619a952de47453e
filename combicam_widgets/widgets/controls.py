"""The toolbar: which model, photo, CAM method and fusion; presets; what is shown and how."""

from __future__ import annotations

import ipywidgets as w

from combicam_widgets import cam
from combicam_widgets.imagery import WIDTHS_KM
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel, list_models
from combicam_widgets.widgets.colors import COLORMAPS
from combicam_widgets.widgets.places import titles
from combicam_widgets.widgets.presets import PRESETS
from combicam_widgets.widgets.rule_menu import RuleMenu
from combicam_widgets.widgets.upload import Upload
from combicam_widgets.widgets.words import Words

NONE = "none"
"""How a menu writes None, which ipywidgets takes for "nothing selected"."""

_OWN_PHOTO, _OWN_PLACE, _PUZZLE = "(a photo of your own)", "(a place on the map)", "(guess where)"


class Controls(w.VBox):
    """Menus, sliders and buttons; no logic.

    Attributes
    ----------
    models : dict
        The models of the menu, or their names in the registry, by the name that is shown.
    titles : tuple of str
        What the model in view can be shown, as the menu names it.
    model, photo, method, rule, normalize, colormap : ipywidgets.Dropdown
    opacity, keep, tile_width : ipywidgets.FloatSlider
    upload : Upload
    presets : dict
        A button for each of `PRESETS`.
    outline, pin, show_opposite, show_votes, show_rings, online_tiles, guessing, comparing :
        ipywidgets.ToggleButton
    next_round : ipywidgets.Button
    """

    def __init__(self) -> None:
        self.models: dict[str, GeoModel | str] = {
            name: name for name, info in list_models().items() if info.ready
        }
        self.titles: tuple[str, ...] = ()
        self.model = _menu("Model", list(self.models))
        self.photo = _menu("Photo", [_OWN_PHOTO])
        self.photo.layout.max_width = "200px"
        self.upload = Upload(
            accept="image/*",
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
        self.method = _menu("Method", [*cam.METHODS, *cam.SLOW_METHODS])
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
        self.outline = _switch("Outline", "Draw the border of what the evidence shows")
        self.pin = _switch("Compare", "Keep this fusion beside the ones that follow, or let it go")
        self.show_opposite = _switch(
            "The rest", "The opposite: what the model says of the photo without its evidence"
        )
        self.show_votes = _switch(
            "Votes", "Layer votes: where the model points when it sees only what one layer found"
        )
        self.show_rings = _switch(
            "Rings", "How much probability lies within 25, 200, 750 and 2,500 km of the best cell"
        )
        self.comparing = _switch(
            "Why not there",
            "Contrast: click another cell, and see what speaks for the place that is explained "
            "rather than for that one",
        )
        self.online_tiles = _switch("Online map", "Fetch OpenStreetMap's tiles from the internet")
        self.guessing = _switch("Guess first", "Say where it is before the model does")
        self.next_round = _button("Next round", "Another photo to guess")
        self._score = Words(look="ccw-score")
        layers = w.HBox([w.Label("Layers:"), *self.presets.values()])
        self._round = w.HBox([self.next_round, self._score])
        of_photo = [self.model, self.photo, self.upload, self.tile_width, layers]
        of_heat = [self.method, self.rule, self.normalize, self.opacity, self.colormap, self.pin]
        of_answer = [self.keep, self.outline, self.show_opposite, self.comparing]
        of_map = [self.show_votes, self.show_rings, self.online_tiles, self.guessing, self._round]
        rows = [of_photo, of_heat, [*of_answer, *of_map]]
        for first in (self.show_votes, self.guessing):  # of what belongs together
            first.add_class("ccw-apart")
        boxes = [w.HBox(row) for row in rows]
        for box in (*boxes, layers, self._round):
            box.add_class("ccw-toolbar")
        super().__init__(boxes)

    def show(
        self,
        model: GeoModel,
        photo: Photo,
        method: str,
        tile_width: float,
        *,
        hidden: bool = False,
    ) -> None:
        """Show which model, photo and method are in view; those from outside get an entry.

        While the answers are ``hidden``, so is the name of the photo.
        """
        self.models[model.name] = model
        if model.name not in self.model.options:
            self.model.options = list(self.models)
        self.model.value = model.name
        self.method.value = method
        other = _OWN_PLACE if model.from_above else _OWN_PHOTO
        if hidden:
            other = _PUZZLE
        self.titles = titles(model)
        if self.photo.options != (*self.titles, other):
            self.photo.options = [*self.titles, other]
        self.photo.value = photo.name if photo.name in self.titles and not hidden else other
        self.photo.description = "Place" if model.from_above else "Photo"
        self.tile_width.value = tile_width
        _show_if(self.tile_width, model.from_above)

    def show_voting(self, *, asking: bool) -> None:
        """Show on the button whether the layers are still being asked for their votes."""
        change = self.show_votes.add_class if asking else self.show_votes.remove_class
        change("ccw-asking")

    def show_game(self, *, guessing: bool, score: str, saved: str) -> None:
        """Show the running score while the person guesses first; ``saved`` is without points."""
        _show_if(self._round, guessing)
        self._score.say(score, saved=saved)


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
        layout=w.Layout(width="190px"),
    )


def _button(label: str, tip: str) -> w.Button:
    return w.Button(description=label, tooltip=tip, layout=w.Layout(width="auto"))


def _switch(label: str, tip: str) -> w.ToggleButton:
    return w.ToggleButton(description=label, tooltip=tip, layout=w.Layout(width="auto"))
