"""Private names of other packages that `_bridge` relies on: each is there, and is what it was.

When one of these fails, the package in question has changed: read the module that is named, look
how the package does it now, and move its bound in `setup.cfg`.
"""

import inspect
from pathlib import Path

import anywidget
import ipyleaflet
import ipywidgets
import plotly
import plotly.graph_objects as go
import pytest
import traitlets
from ipywidgets.widgets import widget as ipywidgets_widget
from plotly.basewidget import BaseFigureWidget

BUNDLE = Path(plotly.__file__).parent / "package_data" / "widgetbundle.js"
ANYWIDGET = Path(anywidget.__file__).parent / "nbextension" / "index.js"


@pytest.mark.parametrize(
    "name",
    [
        *("addTraces", "deleteTraces", "moveTraces", "restyle", "relayout", "update", "animate"),
        *("removeLayoutProps", "removeTraceProps"),
    ],
)
def test_plotly_tells_its_figures_in_these_traits(name):
    """For figure.js, which remembers what comes before there is anybody to hear it."""
    assert f"_py2js_{name}" in BaseFigureWidget.class_trait_names(sync=True)
    assert f"_py2js_{name}" in BUNDLE.read_text(encoding="utf-8")


def test_a_plotly_figure_is_made_of_these():
    """For figure_widget.py: the state is what is seen now; and for its quiet mode bar."""
    figure = go.FigureWidget(layout={"images": [{"source": "x", "name": "heat"}]})
    assert {"_widget_data", "_widget_layout", "_config"} <= set(figure.trait_names())
    assert figure._layout["images"][0]["source"] == "x"
    assert figure._layout_obj._props is figure._layout
    assert figure._data == []
    figure.close()


@pytest.mark.parametrize("name", ["_fullLayout", "_imgSrc", "imagelayer", "plotly_afterplot"])
def test_a_drawn_figure_has_these(name):
    """For plotly_images.js, which repaints one image without drawing all of a figure anew."""
    assert name in BUNDLE.read_text(encoding="utf-8")


def test_anywidget_hears_python_in_this_method():
    """For attentive.js: a model that was slow to begin is made to hear again."""
    text = ANYWIDGET.read_text(encoding="utf-8")
    # The first releases of 0.9 wait for no model, and leave nothing to repair.
    assert ("_handle_comm_msg" in text) == (".ready" in text)

    class Some(anywidget.AnyWidget):
        _esm, _css = "export default {}", "p {}"

    assert {"_esm", "_css", "_anywidget_id"} <= set(Some().keys)


def test_ipywidgets_keeps_its_widgets_here():
    """For closing.py, attentive.py and the embedding of figures and maps."""
    widget = ipywidgets.HTML()
    assert ipywidgets_widget._instances[widget.model_id] is widget
    assert "_model_id" in inspect.getsource(ipywidgets.Widget.open)
    assert set(widget._get_embed_state()) >= {"model_name", "model_module", "state"}
    assert list(inspect.signature(ipywidgets.Widget._get_embed_state).parameters) == (
        ["self", "drop_defaults"]
    )
    assert list(inspect.signature(ipywidgets.Widget.get_state).parameters) == (
        ["self", "key", "drop_defaults"]
    )
    widget.close()
    assert widget.comm is None


def test_traitlets_keeps_values_here():
    """For closing.py, which makes no default in order to close it; and for checks of traits."""

    class Some(traitlets.HasTraits):
        number = traitlets.Int(3)

    some = Some()
    some.number = 5
    assert some._trait_values["number"] == 5
    assert some.traits()["number"]._validate(some, 7) == 7


def test_a_leaflet_map_keeps_these_of_where_it_was_moved():
    """For world/widget.py: none of them is saved."""
    told = {"window_url", "north", "south", "east", "west", "top", "bottom", "left", "right"}
    assert told <= set(ipyleaflet.Map().keys)
