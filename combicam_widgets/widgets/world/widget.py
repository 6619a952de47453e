"""The world map: what the model says of the whole photo, and of the evidence alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import ipyleaflet
import ipywidgets
import numpy as np

from combicam_widgets.geo import CellGrid, GeoPrediction, coastline
from combicam_widgets.geo.mercator import MAX_LATITUDE, cell_raster
from combicam_widgets.geo.places import country_outlines
from combicam_widgets.shown.colors import probability_image
from combicam_widgets.shown.lines import Place
from combicam_widgets.shown.memory import remembered
from combicam_widgets.shown.scene import Scene
from combicam_widgets.widgets.traits import room_height
from combicam_widgets.widgets.world.marks import CellList, Marks

_RASTER = 512
_LAND = {
    "color": "#9aa5a9",
    "weight": 0.5,
    "fillColor": "#f7f5ef",
    "fillOpacity": 1,
    "className": "ccw-land",
}
_OUTLINE = "#0d3b78"
_OUTLINES: dict[str, dict[str, Any]] = {
    "top": {"weight": 1},
    "target": {"weight": 3},
    "contrast": {"weight": 3, "dash_array": "5 4"},
}
# Leaflet draws vectors above images; only single vectors and images can leave their pane.
_PANES = {"shading": {"zIndex": 410, "pointerEvents": "none"}, "marks": {"zIndex": 420}}
_VIEW: dict[str, Any] = {"center": (22, 8), "zoom": 0.9}
"""Where the map is until somebody moves it."""

_PRIVATE = ("window_url", "north", "south", "east", "west", "top", "bottom", "left", "right")
_PROBABILITY_COLORS = "blues"
_TILES = "https://tile.openstreetmap.org/{z}/{x}/{y}.png"
_CREDIT = (
    '&copy; <a href="https://www.openstreetmap.org/copyright" target="_blank" rel="noopener">'
    "OpenStreetMap</a> contributors"
)


class LeafletMap(ipyleaflet.Map):
    """A map of which is not saved where somebody has moved it, nor the address of the page.

    Who looks closely at where their photo was taken would leave the place in the notebook. What
    JupyterLab saves, `Marks` keeps clean on the page; this is for what Python saves.
    """

    def _get_embed_state(self, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        embedded: dict[str, Any] = super()._get_embed_state(drop_defaults)
        state = {**embedded["state"], **_VIEW}
        public = {name: value for name, value in state.items() if name not in _PRIVATE}
        return embedded | {"state": public}


class World:
    """The map and what is drawn on it; needs no internet.

    Where the photo was taken, and how far from there something lies, is told to the live page only:
    it is no part of the widgets' state, and so of no saved notebook.

    Parameters
    ----------
    on_click : callable (latitude, longitude), optional
        Called for a click on the map, in degrees, longitude in [-180, 180).
    on_choose : callable (index or None), optional
        Called for a click or Enter on a cell in the list: the same without a mouse; with None for
        the button that leads back to the model's own answer. Without it there is no such button,
        and the list cannot be clicked.
    on_hover_vote : callable (layer index or None), optional
        Called when the mouse or the focus comes to a layer's vote, and with None when it leaves.
    on_contrast : callable (index or None), optional
        Called for a cell in the list that the target is to be compared with; None: no longer.

    Attributes
    ----------
    map : LeafletMap
    """

    def __init__(
        self,
        on_click: Callable[[float, float], object] | None = None,
        on_choose: Callable[[int | None], object] | None = None,
        on_hover_vote: Callable[[int | None], object] | None = None,
        on_contrast: Callable[[int | None], object] | None = None,
    ) -> None:
        self._hidden = False
        self._shaded: GeoPrediction | None = None
        # Widgets: as plain dicts, each of them would be a new one at every change.
        self._cursors = {name: ipyleaflet.MapStyle(cursor=name) for name in ("crosshair", "grab")}
        self._land = ipyleaflet.GeoJSON(data=coastline(), style=_LAND)
        self._credit = ipyleaflet.AttributionControl(position="bottomright", prefix="")
        self._tiles = ipyleaflet.TileLayer(url=_TILES, attribution=_CREDIT, max_zoom=19)
        self._shading = ipyleaflet.ImageOverlay(
            url=_shading(None), bounds=((-MAX_LATITUDE, -180), (MAX_LATITUDE, 180)), pane="shading"
        )
        self._outlines = {
            kind: ipyleaflet.Polyline(
                locations=[], color=_OUTLINE, fill=False, pane="marks", **style
            )
            for kind, style in _OUTLINES.items()
        }
        self.map = LeafletMap(
            **_VIEW,
            zoom_snap=0.1,
            zoom_delta=0.7,
            min_zoom=0.5,
            max_zoom=7,
            scroll_wheel_zoom=False,
            attribution_control=False,
            panes=_PANES,
            default_style=self._cursors["grab"],
            layers=[self._land, self._shading, *self._outlines.values()],
            layout=ipywidgets.Layout(height=room_height(None)),
        )
        self._marks = Marks(map=self.map, private=_PRIVATE, kept=_VIEW)
        self._marks.borders = _borders
        self._panel = CellList(choosable=on_choose is not None, comparable=on_contrast is not None)
        self.map.add(
            ipyleaflet.WidgetControl(widget=self._marks, position="topright", transparent_bg=True)
        )
        self.map.add(ipyleaflet.WidgetControl(widget=self._panel, position="bottomleft"))
        self.map.add_class("ccw-world")
        if on_click is not None:
            self.map.on_interaction(lambda **event: _pass_on(event, on_click))
        self._panel.on_msg(
            lambda _widget, message, _buffers: _tell(
                message, {"chosen": on_choose, "contrasted": on_contrast}
            )
        )
        self._choosable = on_choose is not None
        self._marks.on_msg(lambda _widget, message, _buffers: _tell(message, {"chosen": on_choose}))
        if on_hover_vote is not None:
            self._marks.observe(lambda change: on_hover_vote(change["new"]), "hovered")

    def resize(self, height: int | None) -> None:
        """Make the map so many CSS pixels high; None: see `room_height`."""
        self.map.layout.height = room_height(height)

    def show(self, scene: Scene, *, hidden: bool = False) -> None:
        """Show a scene, whole, in one drawing; what has not changed is not sent again.

        Parameters
        ----------
        scene : Scene
        hidden : bool
            Whether somebody is to guess first: then nothing but their own guess is shown and sent.
            The whole world comes into view when this changes.
        """
        if hidden != self._hidden:
            self._marks.send({"view": "world"})
        self._hidden = hidden
        self._draw(scene.redacted if hidden else scene)

    def highlight_vote(self, layer: int | None) -> None:
        """Make the vote of a layer (its index, 0 to L - 1) stand out; None: of none."""
        self._marks.highlighted = layer

    def set_click_mode(self, text: str | None) -> None:
        """Say on the map what a click does, such as "Click any place".

        Parameters
        ----------
        text : str or None
            One line. None: nothing, and the mouse shows that the map can be dragged.
        """
        self._marks.hint = text or ""
        self.map.default_style = self._cursors["crosshair" if text else "grab"]

    @property
    def aside(self) -> list[ipywidgets.Widget]:
        """Widgets that the map does not show at every moment."""
        return [*self._cursors.values(), self._land, self._tiles, self._credit]

    @property
    def online_tiles(self) -> bool:
        """Whether the map shows OpenStreetMap's tiles; False by default: they are fetched."""
        return self._tiles in self.map.layers

    @online_tiles.setter
    def online_tiles(self, on: bool) -> None:
        if on == self.online_tiles:
            return
        if on:
            self.map.add(self._credit)
            self.map.add(self._tiles)  # the coast stays, until the page sees that tiles come
            self.map.add_class("ccw-online")
        else:
            self.map.remove(self._tiles)
            self.map.remove(self._credit)
            self.map.remove_class("ccw-online")

    def _draw(self, scene: Scene) -> None:
        if scene.prediction is not self._shaded:
            self._shading.url = _shading(scene.prediction)
            self._shaded = scene.prediction
        for kind, lines in scene.outlines().items():
            self._outlines[kind].locations = lines
        best = None if scene.prediction is None else scene.prediction.best
        truth = asdict(scene.of_truth())
        with self._marks.hold_sync():
            self._marks.tell(**_said(truth, ("flags", "lines")))
            self._marks.flags = [asdict(flag) for flag in scene.flags()]
            self._marks.lines = [asdict(line) for line in scene.lines()]
            self._marks.rings = [asdict(ring) for ring in scene.circles()]
            self._marks.votes = [asdict(vote) for vote in scene.marks()]
            self._marks.answer = [] if best is None else [best.latitude, best.longitude]
            self._marks.elsewhere = self._choosable and scene.elsewhere
        with self._panel.hold_sync():
            self._panel.tell(**_said(truth, ("legend",)))
            self._panel.rows = [asdict(row) for row in scene.rows()]
            self._panel.legend = [asdict(key) for key in scene.legend()]


def _said(truth: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: truth[name] for name in names if truth[name]}


def _tell(message: dict[str, Any], listeners: dict[str, Callable[[Any], object] | None]) -> None:
    for name, listener in listeners.items():
        if name in message and listener is not None:
            listener(message[name])


def _pass_on(event: dict[str, Any], on_click: Callable[[float, float], object]) -> None:
    if event.get("type") == "click":
        on_click(*_on_the_map(*event["coordinates"]))


def _on_the_map(latitude: float, longitude: float) -> Place:
    """Bring a longitude into [-180, 180), whichever copy of the world was clicked."""
    return float(latitude), (float(longitude) + 180.0) % 360.0 - 180.0


def _shading(prediction: GeoPrediction | None) -> str:
    if prediction is None:
        return probability_image(np.zeros((1, 1)), _PROBABILITY_COLORS)
    height = np.sqrt(prediction.probabilities / prediction.probabilities.max())
    raster = _raster(prediction.cells)
    shade = np.where(raster >= 0, height[raster], 0)
    return probability_image(shade, _PROBABILITY_COLORS, opacity=0.9)


def _borders() -> tuple[dict[str, Any], list[bytes]]:
    """Write the borders of countries as a message: hundredths of degrees."""
    outlines = country_outlines()
    rings = [ring for _, _, each in outlines for ring in each]
    points = np.rint(100 * np.concatenate(rings)).astype("<i2")
    names = [[name, *(round(x, 2) for x in where), len(each)] for name, where, each in outlines]
    return {"countries": names, "lengths": [len(ring) for ring in rings]}, [points.tobytes()]


@remembered(at_most=1)
def _raster(cells: CellGrid) -> Any:  # noqa: ANN401
    return cell_raster(cells, _RASTER)
