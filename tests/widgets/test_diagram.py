"""The diagram's Python side: what it sends to the page, and what it makes of what comes back."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

import combicam_widgets as ccw
from combicam_widgets.widgets.diagram.widget import NEEDS_WIDGETS, Diagram


@pytest.fixture(scope="session")
def maps(model):
    return model.explain(ccw.sample("koala"))


@pytest.fixture
def diagram(maps):
    diagram = Diagram()
    fill(diagram, maps)
    return diagram


def fill(diagram, maps):
    diagram.show_maps(
        maps, dict.fromkeys(maps.names, "Block"), "inferno", dict.fromkeys(maps.names, 1.0)
    )


def picture(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1])))


def test_stages_hold_all_layers_in_forward_order(diagram, maps):
    layers = [layer for stage in diagram.stages for layer in stage["layers"]]
    assert [layer["name"] for layer in layers] == list(maps.names)
    for stage in diagram.stages:
        for layer in stage["layers"]:
            height, width = maps[layer["name"]].shape
            assert stage["label"] == f"{width} x {height}"
    labels = [stage["label"] for stage in diagram.stages]
    assert len(labels) == len(set(labels))


def test_the_card_tells_what_a_layer_is_and_shows_its_map(diagram, model, maps):
    photo = ccw.sample("koala")
    layer = model.architecture.layers[-1]
    diagram.show_card(layer, maps, photo, "inferno")
    card = diagram.card
    assert card["name"] == layer.name
    assert card["vote"] is None
    facts = dict(card["facts"])
    height, width = maps[layer.name].shape
    assert facts["map"] == f"{width} x {height}, from {layer.shape[0]} channels"
    module_ = model.network.get_submodule(layer.name)
    count = sum(parameter.numel() for parameter in module_.parameters())
    assert int(facts["parameters"].replace(",", "")) == count
    assert facts["stride"] == f"{layer.stride} pixels"
    # The hottest pixel of the picture lies where the map is highest, within one of its cells.
    heat = np.asarray(picture(card["picture"]).convert("RGBA"))[..., 3]
    assert max(heat.shape) == 360
    assert heat.max() == 255
    row, column = np.unravel_index(maps[layer.name].argmax(), (height, width))
    top, left = np.unravel_index(heat.argmax(), heat.shape)
    assert abs((top + 0.5) / heat.shape[0] - (row + 0.5) / height) < 1 / height
    assert abs((left + 0.5) / heat.shape[1] - (column + 0.5) / width) < 1 / width
    assert picture(card["photo"]).size == (heat.shape[1], heat.shape[0])
    diagram.show_card(layer, maps, photo, "inferno", vote="Sydney (12 %)")
    assert diagram.card == {**card, "vote": "Sydney (12 %)"}


def test_new_maps_end_what_was_about_the_old_ones(diagram, model, maps):
    layer = model.architecture.layers[3]
    diagram.show_card(layer, maps, ccw.sample("koala"), "inferno")
    diagram.opened, diagram.highlight, diagram.preview = layer.name, "gone", "gone"
    fill(diagram, maps)
    assert diagram.card == {}
    assert (diagram.opened, diagram.highlight, diagram.preview) == (layer.name, "", "")


def test_a_gesture_belongs_to_the_weights_it_came_with(diagram, maps):
    assert diagram.gesture_of(diagram.weights) is None
    weights = {**diagram.weights, maps.names[0]: 0.5}
    diagram.set_state({"gesture": "drag-1", "weights": weights})
    assert diagram.gesture_of(weights) == "drag-1"
    assert diagram.gesture_of({**weights, maps.names[0]: 0.6}) is None


def test_weights_and_gesture_from_the_page_arrive_together(diagram, maps):
    seen = []
    diagram.observe(lambda change: seen.append(diagram.gesture_of(change["new"])), "weights")
    for order in (("gesture", "weights"), ("weights", "gesture")):
        name = f"{order[0]} first"
        state = {"gesture": name, "weights": {**diagram.weights, maps.names[0]: len(seen) + 2.0}}
        diagram.set_state({key: state[key] for key in order})
    assert seen == ["gesture first", "weights first"]


def test_undo_and_redo_are_asked_for_by_message(diagram):
    asked = []
    diagram.on_history(asked.append)
    for content in ({"do": "undo"}, {"do": "redo"}, {"do": "harm"}, {}, "undo", None):
        diagram._handle_custom_msg(content, [])
    assert asked == ["undo", "redo"]


def test_a_page_without_widgets_says_so(diagram):
    bundle, _ = diagram._repr_mimebundle_()
    assert bundle["text/html"] == NEEDS_WIDGETS
    assert "pip install ipywidgets anywidget" in NEEDS_WIDGETS
    assert "application/vnd.jupyter.widget-view+json" in bundle
