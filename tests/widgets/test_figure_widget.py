"""Plotly's figures: the module travels once, and the state is what is seen."""

from pathlib import Path

import numpy as np
import plotly
import pytest
from PIL import Image

from combicam_widgets.images import load_image
from combicam_widgets.widgets._bridge import figure_widget
from combicam_widgets.widgets._bridge.figure_widget import Bundle, FigureWidget, bundle
from combicam_widgets.widgets.heat.overlay import Overlay


@pytest.fixture
def fresh(monkeypatch):
    """No bundle yet, and a list of what bundles send."""
    sent = []

    def send(widget, _content, buffers):
        sent.append((widget, buffers))

    monkeypatch.setattr(figure_widget, "_kept", [])
    monkeypatch.setattr(Bundle, "send", send)
    return sent


def test_state_is_the_figure_as_it_is_now(fresh):
    figure = FigureWidget(layout={"width": 300, "images": [{"name": "photo"}]})
    figure.add_scatter(y=[1, 2])
    with figure.batch_update():
        figure.layout.width = 500
        figure.layout.images[0].source = "data:new"
        figure.data[0].y = np.array([3.0, 4.0])
    state = figure.get_state()
    assert state["_widget_layout"]["width"] == 500
    assert state["_widget_layout"]["images"][0]["source"] == "data:new"
    (trace,) = state["_widget_data"]
    sent = trace["y"]  # as Plotly sends arrays
    assert np.frombuffer(sent["buffer"], sent["dtype"]).tolist() == [3.0, 4.0]
    # One trait alone is what ipywidgets says it is.
    assert set(figure.get_state("module")) == {"module"}


def test_a_page_that_asks_late_gets_photo_and_heat(fresh):
    overlay = Overlay()
    overlay.show_photo(load_image(Image.new("RGB", (40, 30), (200, 10, 10))))
    overlay.show_heat(np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40), "cividis", 0.8)
    photo, heat = overlay.figure.get_state()["_widget_layout"]["images"]
    assert photo["source"] == overlay.figure.layout.images[0].source
    assert photo["source"].startswith("data:image/jpeg")
    assert heat["source"] == overlay.figure.layout.images[1].source


def test_the_module_travels_once_however_many_figures_there_are(fresh):
    figures = [FigureWidget(), FigureWidget()]
    (only,) = {figure.module for figure in figures}
    assert only == f"plotly {plotly.__version__}"
    ((widget, (module,)),) = fresh
    path = Path(plotly.__file__).parent / "package_data" / "widgetbundle.js"
    assert module == path.read_bytes()
    assert len(str(widget.get_state())) < 10_000
    assert all(len(str(figure.get_state())) < 20_000 for figure in figures)


def test_a_younger_page_asks_for_the_module_and_gets_it(fresh):
    widget = bundle()
    assert widget.get_state()["coming"] is False
    fresh.clear()
    widget._handle_custom_msg("wanted", [])
    assert len(fresh) == 1


def test_a_bundle_that_was_closed_is_replaced(fresh):
    first = bundle()
    assert bundle() is first
    first.close()
    assert bundle() is not first
    assert len(fresh) == 2
