"""The menus of fusion rules, CAM methods and scores follow the registries."""

import gc
import weakref

import numpy as np
import pytest
from traitlets import TraitError

from combicam_widgets import cam
from combicam_widgets.cam import methods, rules, scores
from combicam_widgets.widgets.explorer.rule_menu import RuleMenu

pytestmark = pytest.mark.usefixtures("rules_as_they_were")


def register(name):
    @cam.fusion_rule(name, "the first map that is on")
    def first(stack):
        return next(iter(stack.upsampled()))[1]


@pytest.mark.parametrize("chosen", ["sum", "max", "winsor"])
def test_a_rule_registered_later_is_offered_and_the_choice_stays(chosen):
    menu = RuleMenu(description="Rule")
    menu.value = chosen
    heard = []
    menu.observe(heard.append, ["value", "index", "label"])
    register("late")
    assert set(menu.options) == set(cam.rule_names())
    assert menu.options[-1] == "late"
    assert (menu.value, menu.label) == (chosen, chosen)
    assert menu.options[menu.index] == chosen
    assert heard == []
    assert menu.get_state()["_options_labels"][-1] == "late"
    menu.value = "late"
    assert menu.options[menu.index] == "late"
    assert {change["name"] for change in heard} == {"value", "index", "label"}


def test_a_rule_that_is_written_anew_is_not_offered_twice():
    menu = RuleMenu()
    register("mine")
    register("mine")
    assert list(menu.options).count("mine") == 1


def test_an_open_explorer_offers_it_and_fuses_with_it(explorer):
    register("late")
    explorer.rule = "late"
    assert explorer.controls.rule.value == "late"
    first = explorer.model.layers[0]
    alone = explorer.maps.fuse({first: 1}, rule="sum", size=explorer.heatmap.shape)
    np.testing.assert_allclose(explorer.heatmap, alone, atol=1e-5)


def test_a_menu_that_is_gone_is_not_told():
    menu = RuleMenu()
    gone = weakref.ref(menu)
    menu.close()
    del menu
    gc.collect()
    register("late")
    assert gone() is None
    assert all(listener() is not None for listener in rules.when_rules_change._methods)


def test_a_method_of_ones_own_is_offered_and_explains(explorer, monkeypatch):
    monkeypatch.setattr(methods, "_own", {})
    before = explorer.maps.with_method("hirescam")

    @cam.method("late")
    def late(a, g):
        return 2 * (a * g).sum(0)

    menu = explorer.controls.method
    assert menu.options[-1] == "late"
    assert explorer.method == menu.value == "gradcam"
    explorer.method = "late"
    assert menu.value == explorer.maps.method == "late"
    for name in before:
        expected = 2 * before[name]
        np.testing.assert_allclose(explorer.maps[name], expected, atol=1e-5 * expected.max())
    explorer.method = "layercam"
    assert explorer.maps.method == "layercam"


def test_a_method_that_is_written_anew_is_computed_anew(explorer, monkeypatch):
    monkeypatch.setattr(methods, "_own", {})
    for factor in (1, 3):
        cam.method("mine")(lambda a, g, factor=factor: factor * (a * g).sum(0))
        explorer.method = "hirescam"
        plain = explorer.maps
        explorer.method = "mine"
        for name in plain:
            tolerance = 1e-5 * plain[name].max()
            np.testing.assert_allclose(
                explorer.maps[name], factor * plain[name], atol=factor * tolerance
            )


def test_a_score_is_chosen_in_the_menu_and_from_python(explorer, monkeypatch, at_once):
    monkeypatch.setattr(scores, "_own", {})
    menu = explorer.controls.score
    assert explorer.score == menu.value == explorer.maps.score == "log_probability"

    @cam.score("double")
    def double(logits, target):
        return 2 * logits.gather(1, target[:, None])[:, 0]

    assert menu.options == (*cam.SCORES, "double")
    explorer.method, explorer.target = "layercam", 7
    heard = []
    explorer.observe(heard.append, "score")
    explorer.score = "double"
    assert explorer.score == menu.value == "double"
    assert [change["new"] for change in heard] == ["double"]
    assert (explorer.method, explorer.target) == ("layercam", 7)
    assert explorer.controls.method.value == "layercam"
    twice = explorer.maps
    menu.value = "logit"
    assert (explorer.score, explorer.error) == ("logit", "")
    for name in twice:
        np.testing.assert_allclose(twice[name], 2 * explorer.maps[name], rtol=1e-4, atol=1e-9)
    explorer.image = "panda"
    assert explorer.score == explorer.maps.score == menu.value == "logit"
    assert explorer.shown.label == "layercam of logit, sum, 16 of 16 layers"
    with pytest.raises(TraitError, match="score must be one of 'log_probability'"):
        explorer.score = "triple"
    assert explorer.score == "logit"


def test_maps_of_a_score_that_nobody_registered_are_shown_as_such(explorer):
    maps = explorer.model.explain(explorer.image, score=lambda z, c: z.gather(1, c[:, None])[:, 0])
    explorer.set_trait("maps", maps)
    assert explorer.score == explorer.controls.score.value == "<lambda>"
