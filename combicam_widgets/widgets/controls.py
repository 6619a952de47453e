"""The toolbar: which model, photo, CAM method and fusion; presets; how the heat is drawn."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from combicam_widgets import cam
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel, list_models
from combicam_widgets.samples import list_samples, sample_info
from combicam_widgets.widgets.colors import COLORMAPS
from combicam_widgets.widgets.presets import PRESETS

NONE = "none"
"""How a menu writes None, which ipywidgets takes for "nothing selected"."""

_OTHER = "(a photo of your own)"


class Controls(w.VBox):
    """Menus, sliders and buttons; no logic.

    Attributes
    ----------
    models : dict
        The models of the menu, or their names in the registry, by the name that is shown.
    samples : dict
        Name of each sample photo by its title.
    model, photo, method, rule, normalize, colormap : ipywidgets.Dropdown
    opacity, keep : ipywidgets.FloatSlider
    upload : ipywidgets.FileUpload
    """

    def __init__(self, on_preset: Callable[[str], None]) -> None:
        self.models: dict[str, GeoModel | str] = {
            name: name for name, info in list_models().items() if info.ready
        }
        self.model = _menu("Model", list(self.models))
        self.samples = {sample_info(name).title: name for name in list_samples()}
        self.photo = _menu("Photo", [*self.samples, _OTHER])
        self.upload = w.FileUpload(
            accept="image/*",
            description="Your photo…",
            tooltip="Open a photo of your own; it stays on this computer",
            layout=w.Layout(width="130px"),
        )
        self.method = _menu("Method", [*cam.METHODS, *cam.SLOW_METHODS])
        self.rule = _menu("Rule", list(cam.rule_names()))
        self.normalize = _menu("Normalise", [n or NONE for n in cam.NORMALIZATIONS])
        self.colormap = _menu("Colours", list(COLORMAPS))
        self.opacity = _slider("Opacity", 0.0, 1.0, "Opacity of the hottest pixels")
        self.keep = _slider("Keep", 0.01, 1.0, "Part of the photo that the evidence shows")
        buttons = [w.Label("Layers:")]
        for name, tip in PRESETS.items():
            button = w.Button(description=name, tooltip=tip, layout=w.Layout(width="auto"))
            button.on_click(lambda _button, name=name: on_preset(name))
            buttons.append(button)
        presets = w.HBox(buttons)
        presets.add_class("ccw-presets")
        menus = w.HBox(
            [self.model, self.photo, self.upload, self.method, self.rule, self.normalize]
        )
        drawing = w.HBox([presets, self.keep, self.opacity, self.colormap])
        for row in (menus, drawing):
            row.add_class("ccw-toolbar")
        super().__init__([menus, drawing])

    def show(self, model: GeoModel, photo: Photo, method: str) -> None:
        """Show which model, photo and method are in view; those from outside get an entry."""
        self.models[model.name] = model
        if model.name not in self.model.options:
            self.model.options = list(self.models)
        self.model.value = model.name
        self.method.value = method
        self.photo.value = photo.name if photo.name in self.samples else _OTHER


def _menu(label: str, options: list[object]) -> w.Dropdown:
    return w.Dropdown(
        description=label,
        options=options,
        style={"description_width": "auto"},
        layout=w.Layout(width="auto", max_width="260px"),
    )


def _slider(label: str, low: float, high: float, tip: str) -> w.FloatSlider:
    return w.FloatSlider(
        description=label,
        min=low,
        max=high,
        step=0.01,
        readout_format=".0%",
        tooltip=tip,
        style={"description_width": "auto"},
        layout=w.Layout(width="220px"),
    )
