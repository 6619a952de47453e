"""The picture for papers as a plotly figure: text and lines stay vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from combicam_widgets.export.fonts import FAMILY
from combicam_widgets.export.scene import Box, Dot, Lines, Picture, Text, compose
from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.images import to_data_uri
from combicam_widgets.labels import only_text

_QUALITY = 90


def figure(snapshot: Snapshot, *, include_position: bool = False) -> go.Figure:
    """Draw photo, world map and caption side by side, for papers and slides.

    180 mm wide (680 CSS pixels), letters of 7 and 8 points, on white. Needs no internet: the
    shore is drawn from shipped data. Photo and shading are images, everything else is vector.

    Parameters
    ----------
    snapshot : Snapshot
    include_position : bool
        Whether to mark the photo's own position, if it is known, and say how far away it is.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    scene = compose(snapshot, include_position=include_position)
    images: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    traces: list[go.Scatter] = []
    for item in scene.items:
        match item:
            case Picture():
                images.append(_image(item))
            case Lines():
                traces.append(_trace(item))
            case Dot():
                shapes.append(_dot(item))
            case Box():
                shapes.append(_box(item))
            case Text():
                notes.append(_note(item))
    axis = {"visible": False, "fixedrange": True}
    return go.Figure(
        data=traces,
        layout={
            "width": scene.width,
            "height": scene.height,
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0},
            "xaxis": {**axis, "range": [0, scene.width], "constrain": "domain"},
            # At any size one pixel down is as long as one across, as are the photo's.
            "yaxis": {
                **axis,
                "range": [scene.height, 0],
                "scaleanchor": "x",
                "constrain": "domain",
            },
            "paper_bgcolor": "white",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FAMILY},
            "showlegend": False,
            "hovermode": False,
            "dragmode": False,
            "images": images,
            "shapes": shapes,
            "annotations": notes,
        },
    )


def _image(item: Picture) -> dict[str, Any]:
    kind: Any = "jpeg" if item.photographic else "png"
    return {
        "source": to_data_uri(item.image, format=kind, quality=_QUALITY),
        "x": item.x,
        "y": item.y,
        "sizex": item.width,
        "sizey": item.height,
        "xref": "x",
        "yref": "y",
        "sizing": "stretch",
        "layer": "below",
    }


def _trace(item: Lines) -> go.Scatter:
    gap = np.full((1, 2), np.nan)
    points = np.concatenate([part for line in item.lines for part in (line, gap)])[:-1].round(2)
    return go.Scatter(
        x=[None if np.isnan(x) else x for x in points[:, 0].tolist()],
        y=[None if np.isnan(y) else y for y in points[:, 1].tolist()],
        mode="lines",
        line={
            "color": item.color,
            "width": item.width,
            "dash": "5px,4px" if item.dashed else "solid",
        },
        hoverinfo="skip",
    )


def _dot(item: Dot) -> dict[str, Any]:
    return {
        "type": "circle",
        "x0": item.x - item.radius,
        "x1": item.x + item.radius,
        "y0": item.y - item.radius,
        "y1": item.y + item.radius,
        "fillcolor": item.color,
        "line": {"color": "white", "width": 0.8},
    }


def _box(item: Box) -> dict[str, Any]:
    return {
        "type": "rect",
        "x0": item.x,
        "x1": item.x + item.width,
        "y0": item.y,
        "y1": item.y + item.height,
        "fillcolor": item.color,
        "line": {"width": 0},
    }


def _note(item: Text) -> dict[str, Any]:
    return {
        "x": item.x,
        "y": item.y,
        "text": only_text(item.text),
        "font": {"size": item.size, "color": item.color},
        "xanchor": item.anchor,
        "yanchor": "middle",
        "showarrow": False,
        "borderpad": 0,
        "xshift": 0,
    }
