"""Which layers carry the answers of many photos: what no single photo shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from combicam_widgets.evaluation.candidates import Candidate
from combicam_widgets.evaluation.figures import chart_template
from combicam_widgets.evaluation.statistics import interval
from combicam_widgets.evaluation.weighing import weightings
from combicam_widgets.geo.places import region_name
from combicam_widgets.geo.prediction import ACCURACY_RADII_KM
from combicam_widgets.labels import only_text
from combicam_widgets.many import storing
from combicam_widgets.many.columns import ALONE, SHARE

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

By: TypeAlias = "str | Callable[[pd.DataFrame], Sequence[object]] | None"
"""What photos are put into groups by."""

ALL, OTHERS = "all photos", "all others"

_SURE = re.compile(r" \d(\.\d+)?$")
"""How sure a model is of what it has seen, behind its name."""

_ROW = 26


def layer_statistics(
    table: pd.DataFrame, layers: Sequence[str], by: By = None, most: int = 12
) -> pd.DataFrame:
    """Tell what each layer brings into the heatmaps of a table's photos; see `Many`."""
    pd = storing.pandas()
    good = table[table.error == ""]
    if not len(good):
        raise ValueError("No photo was explained without an error: there is nothing to count.")
    groups = _gathered(_groups(good, by), most)
    alone = [ALONE + name for name in layers]
    rows = []
    for group, some in good.groupby(groups, observed=True):
        for name in layers:
            shares = some[SHARE + name].to_numpy(float)
            low, high = interval(shares)
            rows.append(
                {
                    "group": group,
                    "layer": name,
                    "photos": len(some),
                    "share": shares.mean(),
                    "low": low,
                    "high": high,
                    "carried": (some.carried_by == name).mean(),
                }
            )
            if set(alone) <= set(table.columns):
                rows[-1]["worth"] = some[ALONE + name].mean()
    return pd.DataFrame(rows)


def learnt_weights(table: pd.DataFrame, layers: Sequence[str]) -> Candidate:
    """Learn one set of weights from the worth of each layer alone; see `Many`."""
    columns = [ALONE + name for name in layers]
    if not set(columns) <= set(table.columns):
        raise ValueError(
            "No layer was measured alone: give explain_many() measures=['layer worth']."
        )
    worths = table.loc[table.error == "", columns].to_numpy(float)
    if not len(worths):
        raise ValueError("No photo was explained without an error: there is nothing to learn from.")
    return replace(weightings(layers, worths.mean(0)[None])[0], name="learnt")


def figure(statistics: pd.DataFrame, what: str = "share") -> go.Figure:
    """Draw statistics of layers: a row per group, a column per layer."""
    import plotly.graph_objects as go  # noqa: PLC0415

    if what not in {"share", "carried", "worth"} or what not in statistics:
        there = [name for name in ("share", "carried", "worth") if name in statistics]
        raise ValueError(f"what must be one of {', '.join(there)}, not {what!r}.")
    layers = list(dict.fromkeys(statistics.layer))
    groups = list(dict.fromkeys(statistics.group))
    values = statistics[what].to_numpy(float).reshape(len(groups), len(layers))
    counts = statistics.photos.to_numpy()[:: len(layers)]
    labels = [only_text(f"{group} ({count})") for group, count in zip(groups, counts, strict=True)]
    words = {
        "share": "mean share of the heatmap",
        "carried": "part of the photos that the layer carries",
        "worth": "mean worth of the layer's map alone",
    }
    drawn = go.Figure(
        go.Heatmap(
            z=values,
            x=[only_text(name) for name in layers],
            y=labels,
            colorscale="Cividis",
            zmin=0,
            text=[[f"{value:.2f}" for value in row] for row in values],
            texttemplate="%{text}",
            textfont={"size": 11},
            hovertemplate="%{y}<br>%{x}: %{z:.3f}<extra></extra>",
            showscale=False,  # the numbers stand in it
            xgap=1,
            ygap=1,
        )
    )
    drawn.update_layout(
        template=chart_template(),
        width=max(560, 190 + 38 * len(layers)),
        height=max(220, 130 + _ROW * len(groups)),
        margin={"t": 20, "b": 90, "l": 10, "r": 10},
    )
    title = f"{words[what]}, by layer in forward order"
    drawn.update_xaxes(title=title, tickangle=-45, type="category")
    drawn.update_yaxes(autorange="reversed", automargin=True, type="category")
    return drawn


def _groups(good: pd.DataFrame, by: By) -> Any:  # noqa: ANN401 - a series
    pd = storing.pandas()
    if by is None:
        return pd.Series(ALL, index=good.index)
    if callable(by):
        return pd.Series(list(by(good)), index=good.index, name="group")
    if by == "error":
        return _by_error(good)
    if by == "class":
        seen = [
            _SURE.sub("", text) or place for text, place in zip(good.seen, good.place, strict=True)
        ]
        return _largest_first(pd.Series(seen, index=good.index))
    if by == "region":
        places = zip(good.latitude, good.longitude, strict=True)
        return _largest_first(pd.Series([_country(*place) for place in places], index=good.index))
    if by in good:
        return _largest_first(good[by])
    raise ValueError(
        f"by must be 'region', 'error', 'class', a column of the table or a function, not {by!r}."
    )


def _gathered(groups: Any, most: int) -> Any:  # noqa: ANN401 - series
    """Put all but the largest groups together."""
    pd = storing.pandas()
    counts = groups.value_counts()
    counts = counts[counts > 0]
    if len(counts) <= most:
        return groups
    kept = list(counts.index[: most - 1])
    names = [*kept, OTHERS]
    values = [group if group in kept else OTHERS for group in groups]
    return pd.Series(pd.Categorical(values, names, ordered=True), index=groups.index)


def _by_error(good: pd.DataFrame) -> Any:  # noqa: ANN401 - a series
    pd = storing.pandas()
    if good.distance_km.isna().all():
        raise ValueError(
            "No distance to a truth is known: give a CSV file with latitude and longitude, or "
            "positions=True."
        )
    edges = [r for r in ACCURACY_RADII_KM if r >= 200]
    names = [f"within {edges[0]:,.0f} km"]
    names += [f"{a:,.0f} to {b:,.0f} km" for a, b in pairwise(edges)]
    names += [f"over {edges[-1]:,.0f} km", "truth not known"]
    kinds = np.searchsorted(edges, good.distance_km.to_numpy(float))
    kinds[good.distance_km.isna()] = len(names) - 1
    values = pd.Categorical([names[kind] for kind in kinds], names, ordered=True)
    return pd.Series(values, index=good.index)


def _largest_first(values: Any) -> Any:  # noqa: ANN401 - a series
    pd = storing.pandas()
    order = values.value_counts(sort=True).index
    return pd.Series(pd.Categorical(values, order, ordered=True), index=values.index)


def _country(latitude: float, longitude: float) -> str:
    region, country = region_name(latitude, longitude)
    return country or region or "the open sea"
