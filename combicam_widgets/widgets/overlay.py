"""The heatmap over the photo, drawn by one Plotly figure that is changed in place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from combicam_widgets.images import Photo, to_data_uri
from combicam_widgets.widgets.colors import heat_image

_WIDTH, _HEIGHT = 500, 440
"""Size of the figure in CSS pixels, the same for all photos so that nothing jumps."""

_HOVER_GRID = 28
"""Hover values are looked up on a grid of this many points a side: a larger one costs bytes."""

_PHOTO_SIDE = 800
_LEGIBLE = "#808080"
"""Grey that is legible on the light and the dark theme."""

_NOTHING = heat_image(np.zeros((1, 1)))


class Overlay:
    """Photo, heat and hover values.

    Photo and heat are two layout images (fast to repaint); hover comes from a small transparent
    heatmap trace; the colour bar belongs to an empty trace.

    Attributes
    ----------
    figure : plotly.graph_objects.FigureWidget
    """

    def __init__(self) -> None:
        self.figure = go.FigureWidget(
            data=[
                go.Heatmap(
                    z=[[0.0, 0.0], [0.0, 0.0]],
                    opacity=0,
                    showscale=False,
                    hovertemplate="heat %{z:.2f}<extra></extra>",
                ),
                go.Scatter(
                    x=[None],
                    y=[None],
                    mode="markers",
                    hoverinfo="skip",
                    showlegend=False,
                    marker={
                        "color": [0],
                        "cmin": 0,
                        "cmax": 1,
                        "showscale": True,
                        "colorbar": {
                            "title": {"text": "heat"},
                            "thickness": 12,
                            "tickvals": [0, 0.5, 1],
                        },
                    },
                ),
            ],
            layout={
                "width": _WIDTH,
                "height": _HEIGHT,
                "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
                "xaxis": {"visible": False, "fixedrange": True, "constrain": "domain"},
                "yaxis": {"visible": False, "fixedrange": True, "scaleanchor": "x"},
                "font": {"color": _LEGIBLE},
                "paper_bgcolor": "rgba(0,0,0,0)",
                "plot_bgcolor": "rgba(0,0,0,0)",
                "images": [{"name": "photo"}, {"name": "heat"}],
                "dragmode": False,
            },
        )
        self.figure._config = {"displayModeBar": False}  # noqa: SLF001  (plotly has no public way)

    def show_photo(self, photo: Photo) -> None:
        """Put another photo under the heat and take the old heat away."""
        box = {
            "xref": "x",
            "yref": "y",
            "x": 0,
            "y": 0,
            "sizex": photo.width,
            "sizey": photo.height,
            "sizing": "stretch",
        }
        source = to_data_uri(photo, format="jpeg", max_side=_PHOTO_SIDE)
        with self.figure.batch_update():
            self.figure.layout.images = [
                {**box, "name": "photo", "source": source, "layer": "below"},
                # Not "below" as well: Plotly drops a second image with the same box and layer.
                {**box, "name": "heat", "source": _NOTHING, "layer": "above"},
            ]
            self.figure.update_layout(
                xaxis_range=[0, photo.width],
                yaxis_range=[photo.height, 0],
            )
            step = (photo.width / _HOVER_GRID, photo.height / _HOVER_GRID)
            self.figure.update_traces(
                {"x0": step[0] / 2, "dx": step[0], "y0": step[1] / 2, "dy": step[1]},
                selector={"type": "heatmap"},
            )

    def show_heat(self, heatmap: npt.NDArray[np.float32], colormap: str, opacity: float) -> None:
        """Lay a heatmap (H, W) in [0, 1] over the photo."""
        rows, columns = (
            np.linspace(0, side - 1, _HOVER_GRID).round().astype(int) for side in heatmap.shape
        )
        values = np.round(heatmap[np.ix_(rows, columns)].astype(float), 2).tolist()
        with self.figure.batch_update():
            self.figure.layout.images[1].source = heat_image(heatmap, colormap, opacity)
            self.figure.data[0].z = values
            if self.figure.data[1].marker.colorscale != colormap:
                self.figure.data[1].marker.colorscale = colormap
