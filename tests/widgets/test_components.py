"""Components alone, linked, and in an explorer: their traits are their whole interface."""

import itertools
import json

import ipywidgets as w
import numpy as np
import pytest
import tiny
from ipywidgets.widgets.widget import _instances as widgets_alive
from traitlets import TraitError

import combicam_widgets as ccw
from combicam_widgets.cam.localization import share_inside
from combicam_widgets.shown.analysis import heatmap_size


@pytest.fixture(scope="module")
def model():
    return tiny.model()


@pytest.fixture(scope="module")
def photo():
    return tiny.photo(1)


@pytest.fixture(scope="module")
def maps(model, photo):
    return model.explain(photo)


@pytest.fixture(scope="module")
def other(model):
    photo = tiny.photo(2)
    return photo, model.explain(photo)


def fused(maps, *recipe):
    return maps.fuse(*recipe, size=heatmap_size(*maps.size))


# The diagram.


def test_a_diagram_shows_all_layers_on_and_their_shares(maps):
    diagram = ccw.LayerDiagram(maps)
    assert diagram.weights == dict.fromkeys(maps.names, 1.0)
    assert diagram.shares == pytest.approx(maps.shares())
    diagram.rule = "max"
    diagram.weights = {maps.names[0]: 2, maps.names[-1]: 1}
    assert diagram.weights == {n: {0: 2, len(maps) - 1: 1}.get(i, 0) for i, n in enumerate(maps)}
    assert diagram.shares == pytest.approx(maps.shares(diagram.weights, "max"))


def test_a_diagram_takes_changes_back(maps):
    diagram = ccw.LayerDiagram(maps)
    first, last = maps.names[0], maps.names[-1]
    assert not diagram.can_undo
    diagram.undo()  # there is nothing to do
    diagram.solo(first)
    diagram.use("last layer")
    diagram.rule = "mean"
    diagram.undo()
    assert (diagram.rule, diagram.weights[last]) == ("sum", 1)
    diagram.undo()
    assert [n for n, x in diagram.weights.items() if x] == [first]
    assert diagram.can_redo
    diagram.redo()
    diagram.redo()
    assert (diagram.rule, [n for n, x in diagram.weights.items() if x]) == ("mean", [last])
    diagram.undo()
    diagram.use("all")
    assert not diagram.can_redo


def test_presets_of_a_diagram(maps):
    diagram = ccw.LayerDiagram(maps)
    diagram.use("one per stage")
    sizes = [x.shape for x in maps.maps]
    ends = [i for i, size in enumerate(sizes) if i + 1 == len(sizes) or sizes[i + 1] != size]
    assert list(diagram.weights.values()) == [float(i in ends) for i in range(len(sizes))]
    with pytest.raises(ValueError, match="Unknown preset 'most'"):
        diagram.use("most")
    with pytest.raises(ValueError, match="Give the diagram layer maps first"):
        ccw.LayerDiagram().use("all")


def test_what_a_person_does_on_a_diagram_is_heard(maps):
    diagram, clicked = ccw.LayerDiagram(maps), []
    diagram.on_click(clicked.append)
    weights = dict(diagram.weights) | {maps.names[1]: 0.0}
    diagram.fusion.set_state({"weights": weights, "gesture": "click 1"})
    assert (diagram.weights, clicked) == (weights, [maps.names[1]])
    diagram.fusion.set_state({"opened": maps.names[0]})
    assert diagram.selected == maps.names[0]
    assert dict(diagram.fusion.card["facts"]) == {"map": "{} x {}".format(*maps.maps[0].shape)}
    for weight in (0.1, 0.2):  # a drag is one step
        diagram.fusion.set_state(
            {"weights": weights | {maps.names[1]: weight}, "gesture": "drag 2"}
        )
    assert clicked[1:] == [maps.names[1]] * 2
    diagram.fusion._handle_custom_msg({"do": "undo"}, [])
    assert diagram.weights == weights
    diagram.on_click(clicked.append, remove=True)
    diagram.fusion._handle_custom_msg({"do": "undo"}, [])
    assert diagram.weights[maps.names[1]] == 1
    assert len(clicked) == 3


def test_cards_say_what_the_architecture_knows(model, maps, photo):
    diagram = ccw.LayerDiagram(maps, photo=photo, architecture=model.architecture)
    diagram.selected = maps.names[0]
    (layer,) = (x for x in model.architecture.layers if x.name == maps.names[0])
    assert dict(diagram.fusion.card["facts"])["kind"] == layer.kind
    assert diagram.fusion.card["photo"].startswith("data:image/webp")
    with pytest.raises(TraitError, match=r"architecture must be a cam\.Architecture"):
        diagram.architecture = 3


# The overlay.


def test_heat_is_fused_as_the_traits_say(photo, maps):
    heat = ccw.HeatOverlay(photo, maps)
    np.testing.assert_array_equal(heat.heatmap, fused(maps))
    heat.update(rule="max", normalize="minmax", weights={maps.names[0]: 1, maps.names[2]: 0.5})
    expected = fused(maps, {maps.names[0]: 1, maps.names[2]: 0.5}, "max", "minmax")
    np.testing.assert_array_equal(heat.heatmap, expected)
    assert not heat.heatmap.flags.writeable
    heat.box = (0, 0, 0.5, 0.5)
    assert heat.inside == share_inside(expected, (0, 0, 0.5, 0.5))
    heat.box = None
    assert heat.inside is None


def test_the_order_in_which_traits_are_set_does_not_matter(photo, maps):
    values = {"photo": photo, "maps": maps, "weights": {maps.names[1]: 1}, "rule": "mean"}
    expected = fused(maps, {maps.names[1]: 1}, "mean")
    for order in itertools.permutations(values):
        heat = ccw.HeatOverlay()
        for name in order:
            setattr(heat, name, values[name])
        np.testing.assert_array_equal(heat.heatmap, expected)
        heat.close()


def test_pinning_keeps_a_heatmap_until_there_is_another_photo(photo, maps, other):
    heat = ccw.HeatOverlay(photo, maps)
    heat.pin()
    assert heat.pinned == f"gradcam, sum, {len(maps)} of {len(maps)} layers"
    heat.weights = {maps.names[0]: 1}
    assert heat.pinned.startswith("gradcam, sum, ")
    heat.unpin()
    assert heat.pinned == ""
    heat.pin()
    heat.update(photo=other[0], maps=other[1])
    assert heat.pinned == ""
    with pytest.raises(TraitError, match="no heatmap to pin"):
        ccw.HeatOverlay(photo).pin()


def test_clicks_on_the_photo_are_heard(photo, maps):
    heat, clicked = ccw.HeatOverlay(photo, maps), []

    def hear(x, y):
        clicked.append((x, y))

    heat.on_click(hear)
    heat._overlay._caption._handle_custom_msg({"clicked": [0.25, 0.5]}, [])
    heat.on_click(hear, remove=True)
    heat._overlay._caption._handle_custom_msg({"clicked": [0.5, 0.5]}, [])
    assert clicked == [(0.25, 0.5)]


# The map.


def test_a_map_shows_a_prediction_and_lets_go_of_it(model, photo, other):
    prediction, another = model.predict(photo), model.predict(other[0])
    world = ccw.WorldMap(prediction, truth=(1.5, 2.5))
    rows = world._world._panel.rows
    assert [row["index"] for row in rows if row["role"] == "explained"] == [prediction.best.index]
    world.update(target=1, contrast=2, evidence=another, votes=[another, prediction])
    assert world.votes == (another, prediction)
    assert len(world._world._marks.votes) >= 1
    world.prediction = another
    assert (world.target, world.contrast, world.evidence, world.votes) == (None, None, None, ())
    assert world.truth == (1.5, 2.5)


def test_the_truth_is_in_no_state(model, photo):
    world = ccw.WorldMap(model.predict(photo), truth=(12.34567, -67.89012))
    state = json.dumps([x.get_state() for x in widgets_alive.values()], default=str)
    assert "12.345" not in state
    assert "12.345" in json.dumps(world._world._marks.told)
    world.hidden = True
    assert "12.345" not in json.dumps(world._world._marks.told)


def test_what_a_person_does_on_a_map_is_heard(model, photo):
    world, clicked = ccw.WorldMap(model.predict(photo)), []

    def hear(*place):
        clicked.append(place)

    world.on_click(hear)
    click = {"event": "interaction", "type": "click", "coordinates": [10.0, 370.0]}
    world.map._handle_custom_msg(click, [])
    world._world._panel._handle_custom_msg({"chosen": 2}, [])
    assert world.target == 2
    world._world._panel._handle_custom_msg({"contrasted": 1}, [])
    assert world.contrast == 1
    world.on_click(hear, remove=True)
    world.map._handle_custom_msg(click, [])
    assert clicked == [(10.0, 10.0)]


# All of them.


@pytest.mark.parametrize("kind", [ccw.LayerDiagram, ccw.HeatOverlay, ccw.WorldMap])
def test_bad_values_are_refused_and_nothing_is_lost(kind, model, photo, maps):
    made = kind(
        **({"prediction": model.predict(photo)} if kind is ccw.WorldMap else {"maps": maps})
    )
    before = {name: made.value_of(name) for name in made.held()}
    wrong = {
        "photo": 3,
        "maps": "gradcam",
        "weights": {"no layer": 1} if kind is not ccw.WorldMap else 3,
        "rule": "most",
        "preview": "no layer" if kind is not ccw.WorldMap else 3,
        "selected": "no layer",
        "box": (0, 0, 2, 2),
        "opacity": 2,
        "target": 10**6,
        "prediction": 3,
        "votes": 3,
        "truth": (100, 0),
    }
    tried = 0
    for name, value in wrong.items():
        if name in before:
            with pytest.raises(TraitError):
                setattr(made, name, value)
            with pytest.raises(TraitError):
                made.update(hidden=True, **{name: value})
            tried += 1
    assert tried >= 5
    assert all(before[name] is made.value_of(name) for name in before)
    with pytest.raises(TypeError, match=r"has no option 'wieghts'\. Did you mean 'weights'"):
        kind(wieghts={})
    with pytest.raises(AttributeError, match="Did you mean 'hidden'"):
        made.hiden = True


@pytest.mark.parametrize("kind", [ccw.LayerDiagram, ccw.HeatOverlay, ccw.WorldMap])
def test_closing_frees_everything(kind, photo, maps):
    ccw.HeatOverlay(photo, maps)  # what is made once stays
    before = set(widgets_alive)
    made = kind(**({} if kind is ccw.WorldMap else {"maps": maps, "photo": photo}))
    w.VBox([made]).close()
    made.close()
    made.close()
    assert {type(x).__name__ for n, x in widgets_alive.items() if n not in before} <= {
        "Layout",  # of the box around it
    }


def test_observers_hear_when_all_is_in_place(photo, maps):
    heat, heard = ccw.HeatOverlay(photo, maps), []
    heat.observe(
        lambda change: heard.append((change["name"], heat.rule, heat.heatmap)),
        ["rule", "weights", "heatmap"],
    )
    heat.update(rule="mean", weights={maps.names[0]: 1})
    expected = fused(maps, {maps.names[0]: 1}, "mean")
    assert sorted(name for name, *_ in heard) == ["heatmap", "rule", "weights"]
    for _, rule, heatmap in heard:
        assert rule == "mean"
        np.testing.assert_array_equal(heatmap, expected)


# Linked.


def test_linked_components_follow_each_other_both_ways(model, photo, maps, other):
    diagram, heat = ccw.LayerDiagram(maps, photo=photo), ccw.HeatOverlay()
    trust = ccw.TrustPanel(model, photo, maps)
    made = ccw.link(diagram, heat, trust)
    assert {"photo", "maps", "weights", "rule", "normalize"} <= set(made.names)
    np.testing.assert_array_equal(heat.heatmap, fused(maps))
    heat.weights = {maps.names[0]: 1}
    assert diagram.weights == heat.weights == trust.weights
    diagram.rule = "max"
    assert heat.rule == trust.rule == "max"
    np.testing.assert_array_equal(heat.heatmap, fused(maps, heat.weights, "max"))
    heat.update(photo=other[0], maps=other[1], weights={maps.names[1]: 1})
    assert diagram.maps is trust.maps is other[1]
    assert diagram.photo is trust.photo is other[0]
    assert diagram.weights == heat.weights
    # On the page, heat is made of what the diagram holds.
    assert heat._overlay._caption.fusion is diagram.fusion
    with pytest.raises(TraitError):
        diagram.weights = {"no layer": 1}
    assert diagram.weights == heat.weights
    made.unlink()
    diagram.use("all")
    assert heat.weights != diagram.weights
    # Nor does the page go on to paint what the diagram holds.
    painted = heat._overlay._caption.fusion
    assert painted is not diagram.fusion
    assert (painted.weights, painted.about) == (heat.weights, diagram.fusion.about)
    assert painted.maps == diagram.fusion.maps


def test_what_an_observer_changes_meanwhile_is_passed_on(photo, maps):
    diagram, heat, last = ccw.LayerDiagram(maps), ccw.HeatOverlay(photo), ccw.LayerDiagram()
    ccw.link(diagram, heat, last)
    heat.observe(lambda _change: setattr(heat, "rule", "max"), "weights")
    diagram.solo(maps.names[0])
    assert diagram.rule == heat.rule == last.rule == "max"
    assert diagram.weights == heat.weights == last.weights


def test_hidden_maps_are_not_on_the_page(photo, maps):
    first = maps.names[0]
    diagram = ccw.LayerDiagram(maps, photo=photo, selected=first, vote="Lumbre", preview=first)
    heat = ccw.HeatOverlay(photo, maps, preview=first)
    heat.pin()
    for made in (diagram, heat):
        made.hidden = True
    own = heat._overlay._caption.fusion
    blank = diagram.fusion.stages[0]["layers"][0]["picture"]
    for fusion in (diagram.fusion, own):
        assert not any(fusion.maps)
        assert not any(fusion.importances)
        assert fusion.preview == ""
    assert {layer["picture"] for s in diagram.fusion.stages for layer in s["layers"]} == {blank}
    assert not any(diagram.fusion.shares.values())
    assert "Lumbre" not in str(diagram.fusion.card)
    assert len(heat._overlay._figures.children) == 1
    assert diagram.maps is heat.maps is maps  # Python has them
    for made in (diagram, heat):
        made.hidden = False
    assert any(own.maps)
    assert diagram.fusion.shares == pytest.approx(maps.shares())
    assert len(heat._overlay._figures.children) == 3


def test_a_diagram_survives_the_overlay_that_followed_it(photo, maps):
    diagram, heat = ccw.LayerDiagram(maps, photo=photo), ccw.HeatOverlay()
    ccw.link(diagram, heat)
    heat.close()
    assert diagram.fusion.comm is not None


def test_what_cannot_be_linked_is_said(photo, maps):
    heat, world = ccw.HeatOverlay(photo, maps), ccw.WorldMap()
    with pytest.raises(ValueError, match="at least two"):
        ccw.link(heat)
    with pytest.raises(ValueError, match="No two of HeatOverlay, WorldMap have the trait 'rule'"):
        ccw.link(heat, world, names=["rule"])


def test_weights_of_two_models_follow_where_layers_have_the_same_name(photo, maps):
    some = ccw.LayerDiagram(maps)
    renamed = ccw.LayerDiagram(
        ccw.cam.LayerMaps(
            names=("else", *maps.names[1:]),
            methods=maps.methods,
            method=maps.method,
            size=maps.size,
            target=maps.target,
            score=maps.score,
            probabilities=maps.probabilities,
            importances=maps.importances,
        )
    )
    ccw.link(some, renamed, names=["weights"])
    some.solo(maps.names[1])
    assert renamed.weights == {"else": 1.0, **{n: some.weights[n] for n in maps.names[1:]}}


def test_composed_explorers_follow_each_other(model):
    left, right = (ccw.Explorer(model=model, image=tiny.photo(seed)) for seed in (1, 2))
    box = ccw.compose([left, right])
    assert [room.children[0] for room in box.children] == [left, right]
    left.use("last layer")
    assert right.weights == left.weights
    right.undo()
    assert left.weights == right.weights == dict.fromkeys(left.maps.names, 1.0)
    assert left.image is not right.image
    alone = ccw.compose([left, right], sync=None)
    assert len(alone.children) == 2


# In an explorer.


def test_parts_of_an_explorer_are_components(model):
    explorer = ccw.Explorer(model=model, image=tiny.photo(1))
    assert explorer.heat.heatmap is explorer.heatmap
    assert explorer.diagram.shares == explorer.shares
    assert explorer.world.prediction is explorer.prediction
    explorer.heat.opacity = 0.5
    explorer.diagram.weights = {explorer.maps.names[0]: 1}
    explorer.world.target = 2
    assert (explorer.opacity, explorer.target) == (0.5, 2)
    assert explorer.weights == explorer.diagram.weights == explorer.heat.weights
    explorer.diagram.undo()
    assert explorer.weights == dict.fromkeys(explorer.maps.names, 1.0)
    explorer.heat.pin()
    assert explorer.pinned
    another = tiny.photo(4)
    explorer.heat.photo = another
    assert explorer.image is another is explorer.diagram.photo
    for part, name in [("world", "prediction"), ("world", "truth"), ("heat", "hidden")]:
        with pytest.raises(TraitError, match=f"{name} follows from the explorer"):
            setattr(getattr(explorer, part), name, None if name != "hidden" else True)


def test_observers_of_parts_hear_when_the_explorer_is_whole(model):
    explorer, heard = ccw.Explorer(model=model, image=tiny.photo(1)), []
    explorer.heat.observe(
        lambda _change: heard.append((explorer.heat.heatmap, explorer.heatmap)), "heatmap"
    )
    explorer.rule = "max"
    ((theirs, mine),) = heard
    assert theirs is mine


def test_only_the_parts_that_are_wanted_are_seen(model):
    explorer = ccw.Explorer(model=model, image=tiny.photo(1), parts=["diagram", "heat"])
    *_, diagram, pictures = explorer.children
    assert diagram is explorer.diagram
    assert pictures.children == (explorer.heat,)
    with pytest.raises(ValueError, match="parts must be a sequence of controls"):
        ccw.Explorer(model=model, parts=["maps"])
    with pytest.raises(ValueError, match="not 'heat'"):
        ccw.Explorer(model=model, parts="heat")
