"""The world map: what the model says of the whole photo, and of the evidence alone."""

from __future__ import annotations

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
_EMPTY: dict[str, Any] = {"type": "FeatureCollection", "features": []}
_LAND = {"color": "#9aa5a9", "weight": 0.5, "fillColor": "#f7f5ef", "fillOpacity": 1}
_OTHER_TOP = {"color": "#0d3b78", "weight": 1, "fillOpacity": 0}
_BEST = {"color": "#0d3b78", "weight": 3, "fillOpacity": 0}
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
        )
        self._cells = ipyleaflet.GeoJSON(data=_EMPTY, style=_OTHER_TOP)
        self._best = ipyleaflet.GeoJSON(data=_EMPTY, style=_BEST)
        self._line = ipyleaflet.Polyline(
            locations=[], color="#a34700", weight=2, dash_array="6 5", fill=False
        )
        self._flags = {
            "photo": _flag("photo", "whole photo"),
            "evidence": _flag("evidence", "evidence"),
            "truth": _flag("truth", "true place"),
        }
        self._top = ipywidgets.HTML()
        self.map = ipyleaflet.Map(
            center=(15, 10),
            zoom=1.2,
            zoom_snap=0.1,
            zoom_delta=0.7,
            min_zoom=0.5,
            max_zoom=7,
            scroll_wheel_zoom=False,
            attribution_control=False,
            layers=[
                ipyleaflet.GeoJSON(data=coastline(), style=_LAND),
                self._shading,
                self._cells,
                self._best,
                self._line,
            ],
            layout=ipywidgets.Layout(flex="1 1 420px", height="400px", min_width="320px"),
        )
        self.map.add(ipyleaflet.WidgetControl(widget=self._top, position="bottomleft"))
        self.map.add_class("ccw-world")

    def show_prediction(self, prediction: GeoPrediction, target: int) -> None:
        """Shade the world, outline the top cells and list them; forget the old evidence."""
        cells = prediction.cells
        top = prediction.top(min(_TOP, len(cells)))
        height = np.sqrt(prediction.probabilities / prediction.probabilities.max())
        raster = _raster(cells)
        self._shading.url = heat_image(
            np.where(raster >= 0, height[raster], 0), _PROBABILITY_COLORS, opacity=0.9
        )
        self._cells.data = cells.outline_geojson([guess.index for guess in top])
        self._best.data = cells.outline_geojson([target])
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
            self._line.locations = []
            self._place("evidence", None)
            return
        here, there = prediction.best, evidence.best
        path = great_circle_points(
            here.latitude, here.longitude, there.latitude, there.longitude, 32
        ).tolist()
        self._line.locations = path if here.index != there.index else []
        self._place("evidence", tuple(path[-1]))

    def show_truth(self, position: tuple[float, float] | None) -> None:
        """Mark where the photo was really taken, if known."""
        self._place("truth", position)

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


def _flag(kind: str, text: str) -> ipyleaflet.Marker:
    icon = ipyleaflet.DivIcon(
        html=f'<div class="ccw-flag ccw-flag-{kind}">{escape(text)}</div>',
        icon_size=[0, 0],
        icon_anchor=[0, 0],
    )
    return ipyleaflet.Marker(icon=icon, draggable=False, title=text, alt=text, keyboard=False)
