"""A photo with something laid over it, in one Plotly figure that is changed in place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from combicam_widgets.images import Photo, to_data_uri
from combicam_widgets.labels import only_text
from combicam_widgets.shown.colors import COLORMAPS
from combicam_widgets.widgets._bridge.figure_widget import FigureWidget
from combicam_widgets.widgets.heat.pictures import heat_picture

_GRID = 28
"""Hover values are looked up on a grid of at most so many points a side: more cost bytes."""

_PHOTO_SIDE = 800

BAR = 62
"""Width that the colour bar takes, in CSS pixels."""

_LEAST = 160
"""Least length of the colour bar in CSS pixels: words beside it must not meet."""

_LEGIBLE = "#808080"
"""Grey that is legible on the light and the dark theme."""

_NOTHING = heat_picture(np.zeros((1, 1)))
_NOTE = {
    "showarrow": False,
    "font": {"color": "#ffffff", "size": 11},
    "bgcolor": "rgba(0,0,0,0.7)",
    "borderpad": 3,
}


class PhotoFigure:
    """Photo and heat are two layout images, which are fast to repaint.

    The colour bar belongs to an empty trace. What a plain figure says, values where somebody
    points and words, is made by `speaking`; on a page with widgets the `Caption` says it.

    Parameters
    ----------
    kind : type
        Figure or FigureWidget.
    size : (width, height)
        In CSS pixels, the same for all photos. On a page with widgets, `over_photo.js` fits what
        is seen of it into the room that there is.

    Attributes
    ----------
    figure : plotly.graph_objects.Figure
        Of that kind.
    """

    def __init__(self, kind: type[go.Figure], size: tuple[int, int]) -> None:
        self._colors, self._picture, self._size = COLORMAPS[0], "", size
        self.figure = kind(
            data=[
                go.Scatter(
                    x=[None],
                    y=[None],
                    mode="markers",
                    hoverinfo="skip",
                    showlegend=False,
                    marker={
                        "color": [0],
                        "colorscale": COLORMAPS[0],
                        "cmin": 0,
                        "cmax": 1,
                        "showscale": True,
                        "colorbar": {
                            "title": {"text": "heat"},
                            "thickness": 12,
                            "outlinewidth": 0,
                            "tickvals": [0, 0.5, 1],
                            "ticktext": ["0", "½", "1"],
                        },
                    },
                ),
            ],
            layout={
                "template": "none",  # its styles are all for what is not drawn here
                "width": size[0],
                "height": size[1],
                "margin": {"l": 0, "r": BAR, "t": 0, "b": 0},
                "xaxis": {
                    "visible": False,
                    "fixedrange": True,
                    "constrain": "domain",
                    "constraintoward": "right",  # beside the colour bar
                },
                # Like x: a range that grew to fit one size would shrink the photo at the next.
                "yaxis": {
                    "visible": False,
                    "fixedrange": True,
                    "scaleanchor": "x",
                    "constrain": "domain",
                },
                "font": {"color": _LEGIBLE},
                "paper_bgcolor": "rgba(0,0,0,0)",
                "plot_bgcolor": "rgba(0,0,0,0)",
                "images": [{"name": "photo"}, {"name": "heat 0"}],
                "dragmode": False,
            },
        )

    def show_photo(self, photo: Photo, about: int = 0) -> None:
        """Put another photo in, and take away what was laid over the old one.

        The image of the heat is called "heat" and the number ``about``.
        """
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
        self._picture = _NOTHING
        room = self._size[0] - BAR, self._size[1]
        scale = min(room[0] / photo.width, room[1] / photo.height)
        with self.figure.batch_update():
            self.figure.layout.images = [
                {**box, "name": "photo", "source": source, "layer": "below"},
                # Not "below" as well: Plotly drops a second image with the same box and layer.
                {**box, "name": f"heat {about}", "source": _NOTHING, "layer": "above"},
            ]
            # Not another size of the figure: Plotly would draw it whole, and may lose its layout if
            # it is just being put on the page.
            self.figure.data[0].marker.colorbar.len = max(_LEAST, scale * photo.height) / room[1]
            self.figure.update_layout(
                xaxis_range=[0, photo.width],
                yaxis_range=[photo.height, 0],
            )

    def lay_over(self, picture: str | None) -> None:
        """Lay a picture over the photo, a data URI; None: the page paints it."""
        if picture is None:
            self._picture = ""  # whatever comes next is another one
        elif self._picture != picture:
            self._picture = picture
            if isinstance(self.figure, FigureWidget):
                self.figure.repaint(1, picture)
            else:
                self.figure.layout.images[1].source = picture

    def speaking(self, values: npt.NDArray[np.floating], words: str) -> go.Figure:
        """Return the figure, with values where somebody points, and words in the middle.

        Parameters
        ----------
        values : (H, W) array in [0, 1]
        words : str
            May be empty.
        """
        photo = self.figure.layout.images[0]
        places: dict[str, float] = {}
        indices = []
        for axis, pixels, side in zip("yx", values.shape, (photo.sizey, photo.sizex), strict=True):
            points = min(_GRID, pixels)
            step = (pixels - 1) / (points - 1) if points > 1 else 1
            places |= {f"{axis}0": side * 0.5 / pixels, f"d{axis}": side * step / pixels}
            indices.append(np.rint(np.arange(points) * step).astype(int))
        self.figure.add_heatmap(
            # As bytes: a list of numbers would be five times as long.
            z=np.rint(100 * values[np.ix_(*indices)]).astype(np.int8),
            opacity=0,
            showscale=False,
            hovertemplate="heat %{z} %<extra></extra>",
            **places,
        )
        if words:
            place = {"x": photo.sizex / 2, "y": photo.sizey / 2}
            self.figure.add_annotation(text=only_text(words), **_NOTE, **place)
        return self.figure

    def show_colors(self, colormap: str) -> None:
        """Set the colours of the colour bar."""
        if self._colors != colormap:
            self._colors = colormap
            self.figure.data[0].marker.colorscale = colormap
