"""Charts are read on light and on dark ground."""

import numpy as np
import pandas as pd
import pytest

from combicam_widgets import evaluation
from combicam_widgets.evaluation import figures
from combicam_widgets.many import layers

WHITE, JUPYTERLABS_DARK = (255, 255, 255), (17, 17, 17)


def luminance(color):
    """WCAG 2.2."""
    if isinstance(color, str):
        color = tuple(bytes.fromhex(color[1:]))
    parts = np.array(color) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def drawn():
    random = np.random.default_rng(0)
    values = {name: random.random(9) for name in ("a", "b", "c")}
    rows = [("all", layer, 5, 0.5) for layer in ("x", "y")]
    statistics = pd.DataFrame(rows, columns=["group", "layer", "photos", "share"])
    return {
        "differences": figures.differences(values, "a", "worth"),
        "ranks": figures.ranks(values, True, "worth"),
        "layers": figures.layers(values, "worth"),
        "statistics": layers.figure(statistics),
    }


@pytest.mark.parametrize("ground", [WHITE, JUPYTERLABS_DARK])
def test_text_and_lines_stand_out(ground):
    look = evaluation.chart_template().layout
    assert contrast(look.font.color, ground) > 4
    assert contrast(look.xaxis.linecolor, ground) > 3
    for color in look.colorway:
        assert contrast(color, ground) > 3, color


@pytest.mark.parametrize("kind", ["differences", "ranks", "layers", "statistics"])
def test_every_chart_stands_on_the_notebooks_own_ground(kind):
    figure = drawn()[kind]
    look = figure.layout.template.layout
    assert look.paper_bgcolor == look.plot_bgcolor == "rgba(0, 0, 0, 0)"
    own = [figure.layout.paper_bgcolor, figure.layout.plot_bgcolor, figure.layout.font.color]
    assert own == [None] * 3
    colors = {trace.marker.color for trace in figure.data if trace.type == "scatter"}
    assert colors or kind == "statistics"
    for ground in (WHITE, JUPYTERLABS_DARK):
        for color in colors:
            assert contrast(seen_on(ground, color), ground) > 2


def seen_on(ground, color):
    """A colour that lets some of the ground through."""
    if color.startswith("#"):
        return color
    *rgb, alpha = map(float, color.removeprefix("rgba(").removesuffix(")").split(","))
    return tuple(alpha * np.array(rgb) + (1 - alpha) * np.array(ground))
