"""The world map: what the model says of the whole photo, and of the evidence alone."""

from __future__ import annotations

import math
from functools import lru_cache
from html import escape
from typing import Any

import ipyleaflet
import ipywidgets
import numpy as np

from combicam_widgets.geo import (
    CellGrid,
    GeoPrediction,
    coastline,
    great_circle_points,
)
from combicam_widgets.geo.mercator import MAX_LATITUDE, cell_raster
from combicam_widgets.widgets.colors import heat_image
from combicam_widgets.widgets.words import percent

_RASTER = 512
_TOP = 5
_LAND = {"color": "#9aa5a9", "weight": 0.5, "fillColor": "#f7f5ef", "fillOpacity": 1}
_BLUE, _ORANGE = "#0d3b78", "#a34700"
# Leaflet draws vectors above images; only single vectors and images can leave their pane.
_PANES = {"shading": {"zIndex": 410, "pointerEvents": "none"}, "marks": {"zIndex": 420}}
_EVERYWHERE = 330
"""Degrees of longitude that fit into the map when it is first shown."""
_PROBABILITY_COLORS = "blues"


class World:
    """The map and what is drawn on it; needs no internet.

    Attributes
    ----------
    map : ipyleaflet.Map
    """

    def __init__(self) -> None:
        self._shading = ipyleaflet.ImageOverlay(
            url=heat_image(np.zeros((1, 1)), _PROBABILITY_COLORS),
            bounds=((-MAX_LATITUDE, -180), (MAX_LATITUDE, 180)),
            pane="shading",
        )
        self._cells = _line(_BLUE, weight=1)
        self._target = _line(_BLUE, weight=3)
        self._path = _line(_ORANGE, weight=2, dash_array="6 5")
        self._flags = {
            "photo": _flag("photo", "whole photo"),
            "evidence": _flag("evidence", "evidence"),
            "truth": _flag("truth", "true place"),
        }
        self._top = ipywidgets.HTML()
        self.map = ipyleaflet.Map(
            center=(22, 8),
            zoom=0.9,
            zoom_snap=0.1,
            zoom_delta=0.7,
            min_zoom=0.5,
            max_zoom=7,
            scroll_wheel_zoom=False,
            attribution_control=False,
            panes=_PANES,
            layers=[
                ipyleaflet.GeoJSON(data=coastline(), style=_LAND),
                self._shading,
                self._cells,
                self._target,
                self._path,
            ],
            layout=ipywidgets.Layout(flex="1 1 400px", height="440px", min_width="320px"),
        )
        self.map.add(ipyleaflet.WidgetControl(widget=self._top, position="bottomleft"))
        self.map.add_class("ccw-world")
        self.map.observe(self._fit_once, "bounds")

    def show_prediction(self, prediction: GeoPrediction, target: int) -> None:
        """Shade the world, outline the top cells and list them; forget the old evidence."""
        cells = prediction.cells
        top = prediction.top(min(_TOP, len(cells)))
        height = np.sqrt(prediction.probabilities / prediction.probabilities.max())
        raster = _raster(cells)
        self._shading.url = heat_image(
            np.where(raster >= 0, height[raster], 0), _PROBABILITY_COLORS, opacity=0.9
        )
        self._cells.locations = _rings(cells, [guess.index for guess in top])
        self._target.locations = _rings(cells, [target])
        rows = "".join(
            f'<li><meter value="{guess.probability / top[0].probability:.3f}"></meter>'
            f"<span>{percent(guess.probability)} {escape(guess.place)}</span></li>"
            for guess in top
        )
        self._top.value = f'<ol class="ccw-top" aria-label="Most probable cells">{rows}</ol>'
        best = prediction.best
        self._place("photo", (best.latitude, best.longitude))
        self.show_evidence(prediction, None)

    def show_evidence(self, prediction: GeoPrediction, evidence: GeoPrediction | None) -> None:
        """Mark where the evidence alone points, with a line from the full prediction."""
        if evidence is None:
            self._path.locations = []
            self._place("evidence", None)
            return
        here, there = prediction.best, evidence.best
        path = great_circle_points(
            here.latitude, here.longitude, there.latitude, there.longitude, 32
        ).tolist()
        self._path.locations = path if here.index != there.index else []
        self._place("evidence", tuple(path[-1]))

    def show_truth(self, position: tuple[float, float] | None) -> None:
        """Mark where the photo was really taken, if known."""
        self._place("truth", position)

    def _fit_once(self, change: Any) -> None:  # noqa: ANN401
        """Fit the world into the map as soon as the page tells how large it is."""
        (_, west), (_, east) = change["new"]
        self.map.unobserve(self._fit_once, "bounds")
        self.map.zoom += math.log2((east - west) / _EVERYWHERE)

    def _place(self, flag: str, position: tuple[float, float] | None) -> None:
        marker = self._flags[flag]
        if position is None:
            if marker in self.map.layers:
                self.map.remove(marker)
            return
        marker.location = position
        if marker not in self.map.layers:
            self.map.add(marker)


@lru_cache(maxsize=4)
def _raster(cells: CellGrid) -> Any:  # noqa: ANN401
    return cell_raster(cells, _RASTER)


def _line(color: str, weight: int, dash_array: str | None = None) -> ipyleaflet.Polyline:
    return ipyleaflet.Polyline(
        locations=[], color=color, weight=weight, dash_array=dash_array, fill=False, pane="marks"
    )


def _rings(cells: CellGrid, indices: list[int]) -> list[list[tuple[float, float]]]:
    """Outline cells as closed lines of (latitude, longitude)."""
    return [
        [(latitude, longitude) for longitude, latitude in feature["geometry"]["coordinates"][0]]
        for feature in cells.outline_geojson(indices)["features"]
    ]


def _flag(kind: str, text: str) -> ipyleaflet.Marker:
    icon = ipyleaflet.DivIcon(
        html=f'<div class="ccw-flag ccw-flag-{kind}">{escape(text)}</div>',
        icon_size=[0, 0],
        icon_anchor=[0, 0],
    )
    return ipyleaflet.Marker(icon=icon, draggable=False, title=text, alt=text, keyboard=False)
