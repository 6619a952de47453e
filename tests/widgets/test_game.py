"""Guess first: scores by the closed formula, and nothing shown too early."""

import math
import re

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic

import combicam_widgets as ccw
from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, GeoPrediction, geoscore
from combicam_widgets.shown.game import POINTS, Game, Round
from combicam_widgets.widgets import Explorer

pytestmark = pytest.mark.usefixtures("at_once")

SPHERE = Geodesic(EARTH_RADIUS_KM * 1000, 0)
CELLS = CellGrid.from_centers([0, 0, 0, 0, 60], [0, 90, 180, -90, 20], names=list("abcde"))
PREDICTION = GeoPrediction([0.1, 0.6, 0.1, 0.1, 0.1], CELLS)


def km(a, b):
    return SPHERE.Inverse(*a, *b)["s12"] / 1000


def test_a_round_is_scored_by_distance():
    played = Round((10.0, 20.0), PREDICTION, (5.0, 80.0))
    assert played.guess_km == pytest.approx(km((10, 20), (5, 80)))
    assert played.model_km == pytest.approx(km((0, 90), (5, 80)))
    expected = [5000 * math.exp(-d / 1492.7) for d in (played.guess_km, played.model_km)]
    assert played.scores == pytest.approx(expected)
    assert f"{expected[0]:,.0f} points" in played.sentence()
    assert "off: 1 point. The model" in Round((-5.0, -35.0), PREDICTION, (5.0, 80.0)).sentence()


def test_distances_and_points_are_said_only_where_the_position_may_be():
    played = Round((10.0, 20.0), PREDICTION, (5.0, 80.0))
    assert played.sentence(include_position=False) == "The model says b (60 %)."
    game = Game().played(played).played(played)
    assert game.score_line(include_position=False) == "2 rounds"
    assert "80.0" not in repr(game)
    unknown = Round((10.0, 20.0), PREDICTION, None)
    assert unknown.sentence(include_position=False) == unknown.sentence()


def test_without_a_truth_nothing_is_scored():
    played = Round((10.0, 20.0), PREDICTION, None)
    assert played.scores is None
    assert played.guess_km == pytest.approx(km((10, 20), (0, 90)))
    assert "not known" in played.sentence()
    assert Game().played(played).totals == (0, 0)
    assert Game().played(played).score_line() == "No round scored yet"


def test_totals_run():
    one, two = Round((5.0, 80.0), PREDICTION, (5.0, 80.0)), Round((0, 0), PREDICTION, (0.0, 90.0))
    game = Game().played(one).played(two)
    assert game.totals == pytest.approx(
        (5000 + 5000 * math.exp(-km((0, 0), (0, 90)) / 1492.7), one.scores[1] + 5000)
    )
    assert game.score_line().startswith("2 rounds: you 5,0")


def test_a_game_has_ten_rounds_and_a_result():
    near, far = Round((5.0, 80.0), PREDICTION, (5.0, 80.0)), Round((0, 0), PREDICTION, (0.0, 90.0))
    game = Game()
    for i in range(9):
        game = game.played(near)
        assert game.score_line().endswith(f"; {9 - i} to go")
    assert not game.over
    assert game.played(near).over
    lost = Game()
    for _ in range(10):
        lost = lost.played(far)
    assert game.played(near).score_line().endswith(". You win!")
    assert lost.score_line().endswith(". The model wins.")
    # The eleventh is the first of another game.
    assert lost.played(near).score_line().startswith("1 round: you 5,000,")


def test_half_of_the_points_are_lost_as_far_off_as_is_said():
    (said,) = re.findall(r"each ([\d,]+) km", POINTS)
    assert geoscore(float(said.replace(",", ""))) == pytest.approx(2500, rel=0.01)


def test_no_photo_comes_twice_in_a_game(model):
    explorer = Explorer(model=model)
    drawn = [explorer.draw_puzzle().name for _ in range(10)]
    assert len(set(drawn)) == 10


def shown(explorer):
    """Return everything that the page would get of the map, the words and the card."""
    return repr(
        [
            explorer.world._world.map.get_state(),
            [layer.get_state() for layer in explorer.world._world.map.layers],
            explorer.world._world._panel.get_state(),
            explorer.world._world._marks.get_state(),
            explorer.world._world._marks.told,
            explorer.world._world._panel.told,
            explorer.status_bar.seen,
            explorer.diagram.fusion.card,
        ]
    )


@pytest.fixture
def guessing(model):
    return Explorer(model=model, image="eiffel_tower", guessing=True)


def test_the_answer_is_hidden_until_somebody_has_guessed(guessing):
    assert guessing.hidden
    place = guessing.prediction.best.place
    guessing.open_card(guessing.maps.names[-1])
    assert place not in shown(guessing)
    assert "Where is this?" in guessing.status
    guessing.guess = (45.0, 5.0)
    assert place in shown(guessing)
    assert place in guessing.status
    (played,) = guessing.game.rounds
    assert played.guess_km == pytest.approx(km((45, 5), guessing.image.position))


def test_the_photo_stands_alone_until_somebody_has_guessed(guessing):
    caption = guessing.heat._overlay._caption
    for _ in range(2):
        assert caption.label == caption.words == caption.photo == ""
        assert caption.palette == b""  # without, nothing is painted or said where somebody points
        assert not any(guessing.diagram.fusion.maps)  # what the page makes the heat of
        assert not guessing.heat.heatmap.any()
        guessing.guess = (45.0, 5.0)
        assert any(guessing.diagram.fusion.maps)
        assert guessing.heat.heatmap is guessing.heatmap
        assert caption.palette
        guessing.next_round()
    assert not any(guessing.diagram.fusion.maps)


def test_the_next_round_is_another_puzzle(guessing):
    guessing.guess = (45.0, 5.0)
    guessing.next_round()
    assert guessing.hidden
    assert guessing.guess is None
    assert guessing.image.position is not None
    assert guessing.prediction.best.place not in shown(guessing)
    guessing.guess = (0.0, 0.0)
    assert len(guessing.game.rounds) == 2
    guessing.guessing = False
    assert guessing.game.rounds == ()
    assert guessing.prediction.best.place in guessing.status


def test_the_name_of_the_photo_is_part_of_the_answer(guessing):
    menu, caption = guessing.controls.photo, guessing.heat._overlay._caption
    for _ in range(2):
        assert menu.value == "(guess where)"
        assert "Heatmap over a photo" in caption.name
        assert caption.photo == ""
        guessing.guess = (45.0, 5.0)
        assert menu.value == guessing.image.name
        assert caption.photo == guessing.image.name
        guessing.next_round()
    guessing.image = "koala"
    guessing.guessing = False
    assert menu.value == "Koala"
    assert "(guess where)" not in menu.options


def test_the_whole_world_is_in_view_to_guess_and_when_the_answer_comes(model, monkeypatch):
    explorer = Explorer(model=model, image="eiffel_tower")
    sent = []
    monkeypatch.setattr(explorer.world._world._marks, "send", sent.append)
    explorer.guessing = True
    explorer.rule = "max"
    assert sent == [{"view": "world"}]
    explorer.guess = (45.0, 5.0)
    assert sent.count({"view": "world"}) == 2


def test_a_click_on_the_map_is_the_guess(guessing):
    guessing._gestures.click_map(12.5, -33.0)
    assert guessing.guess == (12.5, -33.0)
    assert not guessing.hidden


def test_a_photo_of_unknown_place_is_replaced(model):
    explorer = Explorer(model=model, image="koala", guessing=True)
    assert explorer.image.position is not None


@pytest.mark.parametrize("wrong", [(91, 0), (1, 2, 3), ("a", 0)])
def test_a_guess_must_be_a_place(guessing, wrong):
    with pytest.raises(Exception, match=r"guess|latitude|numbers"):
        guessing.guess = wrong
    assert guessing.hidden


def test_puzzles_lie_where_the_model_has_cells():
    from combicam_widgets.widgets.explorer.places import puzzle

    atlas = ccw.load_model("atlas")
    random = np.random.default_rng(3)
    for _ in range(5):
        photo = puzzle(atlas, 1200, random)
        nearest = atlas.cells.distances_km(*photo.position).min()
        assert nearest < 400
