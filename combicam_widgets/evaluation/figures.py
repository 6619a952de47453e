"""The figures of a study. Only here does the evaluation draw, and only when it is asked to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from combicam_widgets.evaluation.statistics import Floats, interval, mean_ranks
from combicam_widgets.labels import only_text

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ROW = 26
"""Height of a candidate's row in pixels."""

_DOT = {"color": "rgba(50, 135, 215, 0.7)", "size": 5}
_ORANGE = "#D55E00"
_MEAN = {"color": _ORANGE, "symbol": "diamond", "size": 8}
_GREY, _GRID, _CLEAR = "#7b7b7b", "rgba(128, 128, 128, 0.3)", "rgba(0, 0, 0, 0)"


def chart_template() -> go.layout.Template:
    """Give charts that stand on the notebook's own ground, be that light or dark.

    The ground is clear, and the grey of text and axes stands out from white and from JupyterLab's
    dark ground alike, 4 to 1.

    Examples
    --------
    >>> figure.update_layout(template=chart_template())  # doctest: +SKIP
    """
    import plotly.graph_objects as go  # noqa: PLC0415

    axis = {
        "gridcolor": _GRID,
        "zerolinecolor": _GRID,
        "linecolor": _GREY,
        "tickcolor": _GREY,
        "title": {"standoff": 15},
        "automargin": True,
    }
    colors = ["#0072B2", _ORANGE, "#009E73", "#CC79A7", "#888888"]
    return go.layout.Template(
        layout={
            "paper_bgcolor": _CLEAR,
            "plot_bgcolor": _CLEAR,
            "font": {"color": _GREY},
            "colorway": colors,
            "xaxis": axis,
            "yaxis": axis,
        }
    )


def differences(values: Mapping[str, Floats], reference: str, measure: str) -> go.Figure:
    """Draw a dot per photo and candidate, its difference to the reference; mean and interval."""
    import plotly.graph_objects as go  # noqa: PLC0415

    paired = {n: x - values[reference] for n, x in values.items() if n != reference}
    paired = {n: x[np.isfinite(x)] for n, x in paired.items()}
    ordered = sorted(paired, key=lambda name: paired[name].mean())
    random = np.random.default_rng(0)
    figure = go.Figure()
    for row, name in enumerate(ordered):
        x = paired[name]
        figure.add_scatter(
            x=x,
            y=row + random.uniform(-0.25, 0.25, len(x)),
            mode="markers",
            marker=_DOT,
            name=only_text(name),
        )
    means = np.array([paired[name].mean() for name in ordered])
    low, high = np.array([interval(paired[name]) for name in ordered]).T
    figure.add_scatter(
        x=means,
        y=list(range(len(ordered))),
        mode="markers",
        marker=_MEAN,
        name="mean, 95 %",
        error_x={"array": high - means, "arrayminus": means - low, "color": _ORANGE},
    )
    figure.add_vline(0, line={"dash": "dot", "color": _GREY})
    return _laid_out(figure, ordered, f"{measure}: difference to {reference}, one dot per photo")


def ranks(values: Mapping[str, Floats], higher_is_better: bool, measure: str) -> go.Figure:  # noqa: FBT001
    """Draw mean ranks; bars as long as the critical difference that do not overlap differ."""
    import plotly.graph_objects as go  # noqa: PLC0415

    found, critical = mean_ranks(values, higher_is_better)
    ordered = sorted(found, key=lambda name: -found[name])
    figure = go.Figure(
        go.Scatter(
            x=[found[name] for name in ordered],
            y=list(range(len(ordered))),
            mode="markers",
            marker=_MEAN,
            error_x={"array": [critical / 2] * len(ordered), "color": "#0072B2", "thickness": 4},
        )
    )
    title = f"{measure}: mean rank (1 is best); bars that do not overlap differ (Nemenyi, 5 %)"
    return _laid_out(figure, ordered, title)


def layers(values: Mapping[str, Floats], measure: str) -> go.Figure:
    """Draw what each layer alone is worth, in forward order: dots, mean and interval."""
    import plotly.graph_objects as go  # noqa: PLC0415

    whole = {only_text(name): x[np.isfinite(x)] for name, x in values.items()}
    means = np.array([x.mean() for x in whole.values()])
    low, high = np.array([interval(x) for x in whole.values()]).T
    figure = go.Figure()
    for name, x in whole.items():
        figure.add_scatter(x=[name] * len(x), y=x, mode="markers", marker=_DOT)
    figure.add_scatter(
        x=list(whole),
        y=means,
        mode="markers+lines",
        marker=_MEAN,
        line={"color": _ORANGE, "width": 1},
        error_y={"array": high - means, "arrayminus": means - low, "color": _ORANGE},
    )
    figure.add_hline(0, line={"dash": "dot", "color": _GREY})
    figure.update_layout(template=chart_template(), showlegend=False, width=900, height=360)
    figure.update_yaxes(title=only_text(f"{measure} of the layer alone"))
    return figure


def _laid_out(figure: go.Figure, ordered: list[str], title: str) -> go.Figure:
    figure.update_layout(
        template=chart_template(),
        showlegend=False,
        width=900,
        height=110 + _ROW * len(ordered),
        margin={"t": 30, "b": 60, "l": 190},
    )
    figure.update_xaxes(title=only_text(title))
    figure.update_yaxes(
        tickvals=list(range(len(ordered))), ticktext=[only_text(n) for n in ordered]
    )
    return figure
