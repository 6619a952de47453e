"""The trust panel without a page: what is measured, when, and what it says of it."""

from dataclasses import replace

import numpy as np
import pytest
import traitlets as T

import combicam_widgets as ccw
from combicam_widgets import evaluation
from combicam_widgets.widgets import Explorer
from combicam_widgets.widgets.trust import TrustPanel
from combicam_widgets.widgets.trust import scores as measure
from combicam_widgets.widgets.trust.scores import Measured, Scores, Yardstick, number

pytestmark = pytest.mark.usefixtures("at_once")

MODES = ("blur", "mean colour")


@pytest.fixture(scope="module")
def model(small_model):
    return small_model


@pytest.fixture(scope="module")
def kangaroo(model):
    photo = ccw.sample("kangaroo")
    return photo, model.explain(photo)


@pytest.fixture(scope="module")
def panel(model, kangaroo):
    return TrustPanel(model, *kangaroo)


def made_up(worth, reference, random):
    areas = np.linspace(0, 1, 3)

    def of(values):
        flat = np.full((len(values), 3), 0.5)
        return Measured(areas, flat, flat, np.array(values))

    return Scores(of([worth]), Yardstick(None, of([reference]), of(random)))


def test_the_worth_is_that_of_the_evaluation_with_the_same_fills(panel, model, kangaroo):
    photo, maps = kangaroo
    size = model.view(photo).shape[2:]
    expected = evaluation.worth(model, photo, [maps.fuse(size=tuple(size))], fills=MODES, steps=8)
    assert panel.scores.worth == pytest.approx(float(expected[0]), abs=1e-5)
    assert panel.scores.reference == pytest.approx(panel.scores.worth, abs=1e-6)  # it is that map
    low, high = panel.scores.chance
    assert low < high


def test_a_change_measures_the_new_fusion_and_keeps_the_yardstick(model, kangaroo, monkeypatch):
    photo, maps = kangaroo
    made = []
    of = measure.yardstick
    monkeypatch.setattr(
        "combicam_widgets.widgets.trust.panel.yardstick",
        lambda *given: made.append(given) or of(*given),
    )
    panel = TrustPanel(model, photo, maps)
    before = panel.scores
    panel.weights = {maps.names[-1]: 1}
    assert panel.scores.worth != before.worth
    assert panel.scores.yardstick is before.yardstick
    panel.show(model, photo, maps.with_method("hirescam"), weights=None, rule="mean")
    assert panel.scores.yardstick is before.yardstick
    assert len(made) == 1
    panel.show(model, photo, model.explain(photo, target=3))
    assert panel.scores.yardstick is not before.yardstick
    assert len(made) == 2


def test_what_is_asked_for_is_drawn_and_goes_again(panel):
    panel.measured = True
    curve = panel.chart["lines"][0]["insertion"]
    assert len(curve) == len(panel.chart["areas"]) == 9
    assert curve[-1] == pytest.approx(1, abs=1e-3)  # the whole photo: all of the confidence
    panel.measured = False
    assert not panel.chart
    panel.untrained = True
    mine, nothing = panel.comparison["portraits"]
    assert mine["photo"] == nothing["photo"]
    assert mine["heat"] != nothing["heat"]
    panel.untrained = False
    assert not panel.comparison


def test_nothing_is_told_after_clear(model, kangaroo):
    panel = TrustPanel(model, *kangaroo, measured=True)
    panel.clear()
    assert (panel.scores, panel.marks, panel.chart, panel.verdict) == (None, [], {}, "")


def test_without_heat_there_is_nothing_to_measure(model, kangaroo):
    photo, maps = kangaroo
    silent = tuple(np.zeros_like(x) for x in maps.maps)
    panel = TrustPanel(model, photo, maps)
    panel.maps = replace(maps, methods={maps.method: silent, "gradcam": silent})
    assert panel.scores is None
    assert "no positive evidence" in panel.verdict


def test_wrong_values_are_refused_and_change_nothing(panel):
    before = panel.scores
    with pytest.raises(T.TraitError, match="Unknown layer 'nowhere'"):
        panel.weights = {"nowhere": 1}
    with pytest.raises(T.TraitError, match="At least one layer"):
        panel.weights = dict.fromkeys(panel.maps.names, 0)
    with pytest.raises(T.TraitError, match="rule must be one of"):
        panel.rule = "magic"
    assert panel.scores is before


def test_unknown_options_are_refused(model, kangaroo):
    with pytest.raises(TypeError, match="no option 'wieghts'"):
        TrustPanel(model, *kangaroo, wieghts={})


def test_what_only_looks_like_a_model_or_a_photo_is_refused(model, kangaroo, panel):
    photo, maps = kangaroo
    before = panel.maps
    for show in (TrustPanel, panel.show):
        with pytest.raises(TypeError, match=r"photo must be a Photo, not 'koala': load_image"):
            show(model, "koala", maps)
        with pytest.raises(TypeError, match=r"model must be a GeoModel, not 'naturalist': load_m"):
            show("naturalist", photo, maps)
    assert panel.maps is before


@pytest.mark.parametrize(
    ("worth", "random", "says"),
    [
        (0.0, [-0.1, 0.2], "no better than a map drawn at random"),
        (-0.2, [-0.5, -0.3], "no better than a map drawn at random"),
        (0.15, [-0.1, 0.2], "not clearly better"),
        (0.5, [-0.1, 0.2], "carries much"),
        (0.3, [-0.1, 0.2], "carries some"),
        (0.1, [-0.1, 0.0], "carries little"),
        (1.3, [-0.1, 0.2], "alone convinces the network more than the whole photo does."),
        (2.2, [-1.6, 1.9], "take the number with caution"),
    ],
)
def test_the_words_fit_the_numbers(worth, random, says):
    said = made_up(worth, 0.2, random).sentence()
    assert says in said
    assert ("caution" in said) == (max(random) - min(random) > 1)


def test_numbers_are_written_as_people_read_them():
    assert [number(x) for x in (0.521, -0.034, -0.001, 0)] == [
        "0.52",
        "\N{MINUS SIGN}0.03",
        "0.00",
        "0.00",
    ]


def test_the_explorers_panel_follows_it_and_tells_nothing_before_a_guess(small_model):
    explorer = Explorer(model=small_model, image="kangaroo")
    assert explorer.trust.scores.worth == pytest.approx(explorer.trust.scores.reference, abs=1e-6)
    explorer.weights = {explorer.maps.names[-1]: 1}
    alone = explorer.trust.scores
    assert alone.worth != alone.reference
    explorer.guessing = True
    assert explorer.hidden
    assert (explorer.trust.scores, explorer.trust.marks, explorer.trust.verdict) == (None, [], "")
    explorer.guess = (0, 0)
    assert explorer.trust.scores is not None
    explorer.close()


def test_by_worth_is_one_change_that_undo_takes_back(small_model):
    explorer = Explorer(model=small_model, image="kangaroo")
    expected = evaluation.by_worth(small_model, explorer.image, explorer.maps)
    before = explorer.method, explorer.rule, explorer.weights
    heard = []
    explorer.observe(lambda _change: heard.append(explorer.shown.recipe), "heatmap")
    explorer.use("by worth")
    (recipe,) = heard
    assert (recipe.method, recipe.rule) == (expected.method, expected.rule)
    wanted = expected.weights or dict.fromkeys(explorer.maps.names, 1.0)
    assert explorer.weights == pytest.approx(dict(wanted), abs=1e-6)
    assert explorer.trust.scores.worth > explorer.trust.scores.reference
    explorer.undo()
    assert (explorer.method, explorer.rule, explorer.weights) == before
    explorer.close()


def test_layers_that_are_worth_nothing_change_nothing(small_model, monkeypatch):
    explorer = Explorer(model=small_model, image="kangaroo")
    before = explorer.shown

    def nothing(*_given, **_more):
        raise evaluation.NothingWorth("No layer's map alone carries anything of this answer.")

    monkeypatch.setattr("combicam_widgets.widgets.explorer.requests.by_worth", nothing)
    with pytest.raises(evaluation.NothingWorth, match="carries anything"):
        explorer.use("by worth")
    assert explorer.shown is before
    explorer.guessing = True
    with pytest.raises(ValueError, match="Guess first"):
        explorer.use("by worth")
    explorer.close()


def test_the_page_says_when_worth_finds_nothing_better(small_model, monkeypatch):
    explorer = Explorer(model=small_model, image="kangaroo")
    present = evaluation.Candidate("Combi-CAM", explorer.method, explorer.rule, None)
    monkeypatch.setattr(
        "combicam_widgets.widgets.explorer.requests.by_worth", lambda *_given, **_more: present
    )
    button, bar = explorer.controls.presets["by worth"], explorer.status_bar
    button.click()
    best = f"carries more of this answer than {explorer.shown.label}."
    assert best in bar.seen
    explorer.rule = "max"  # what was said is still true
    assert best in bar.seen
    explorer.image = "koala"
    assert best not in bar.seen
    explorer.rule = "max"
    button.click()
    assert explorer.rule == "sum"
    assert "By worth: " not in bar.seen
    explorer.close()
