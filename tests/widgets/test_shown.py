"""Laws of the one value: order and origin do not matter, undo is the inverse, secrets are gone."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from combicam_widgets.shown.history import History
from combicam_widgets.shown.readonly import ReadOnlyDict
from combicam_widgets.shown.state import derive, first, redacted, same
from combicam_widgets.widgets.explorer.requests import analyse

NAMES = ("0", "2", "4")
TRUTH = (12.34567, -67.89012)
MODEL = tiny.model()
PHOTO = tiny.photo(1, TRUTH, "a secret garden", "a credit")
ANALYSIS = analyse(MODEL, PHOTO, None, "gradcam")
BEGINNING = first(ANALYSIS, {})

weights = st.dictionaries(st.sampled_from(NAMES), st.floats(0.001, 3), min_size=1)
values = {
    "weights": weights,
    "method": st.sampled_from(list(ANALYSIS.maps.methods)),
    "rule": st.sampled_from(["sum", "mean", "max", "layercam", "product", "winsor"]),
    "normalize": st.sampled_from([None, "minmax", "max"]),
    "keep": st.floats(0.01, 1),
    "box": st.sampled_from([None, (0.1, 0.2, 0.7, 0.9)]),
    "outline": st.booleans(),
    "preview": st.sampled_from(["", *NAMES]),
    "show_votes": st.booleans(),
}
changes = st.fixed_dictionaries({}, optional=values)
FIELDS = ("weights", "method", "rule", "normalize", "keep", "box", "outline", "preview", "inside")


def alike(one, other):
    np.testing.assert_array_equal(one.heatmap, other.heatmap)
    assert one.shares == other.shares
    assert [getattr(one, name) for name in FIELDS] == [getattr(other, name) for name in FIELDS]


@settings(max_examples=40, deadline=None)
@given(changes, st.randoms())
def test_one_change_or_many_in_any_order_give_the_same_value(change, random):
    names = list(change)
    random.shuffle(names)
    step_by_step = BEGINNING
    for name in names:
        step_by_step = derive(step_by_step, {name: change[name]})
    alike(derive(BEGINNING, change), step_by_step)


@settings(max_examples=40, deadline=None)
@given(st.lists(changes, max_size=5))
def test_heat_and_shares_follow_from_the_settings_alone(steps):
    shown = BEGINNING
    for step in steps:
        shown = derive(shown, step)
    recipe = dict(shown.weights), shown.rule, shown.normalize
    size = shown.heatmap.shape
    np.testing.assert_array_equal(shown.heatmap, shown.maps.fuse(*recipe, size=size))
    assert shown.shares == shown.maps.shares(*recipe)
    total = sum(shown.shares.values())
    assert total == pytest.approx(1, abs=1e-5) or total == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(changes, max_size=5))
def test_undo_is_the_inverse_and_redo_that_of_undo(steps):
    shown, passed = BEGINNING, [BEGINNING]
    for step in steps:
        shown = derive(shown, step)
        if shown.recipe != passed[-1].recipe:
            passed.append(shown)
    for before in passed[-2::-1]:
        past = shown.past.copy()
        shown = derive(shown, {**vars(past.undo()), "past": past})
        np.testing.assert_array_equal(shown.heatmap, before.heatmap)
    assert not shown.past.can_undo
    for after in passed[1:]:
        past = shown.past.copy()
        shown = derive(shown, {**vars(past.redo()), "past": past})
        np.testing.assert_array_equal(shown.heatmap, after.heatmap)


def test_a_value_is_never_changed():
    before = {name: getattr(BEGINNING, name) for name in FIELDS}
    derive(BEGINNING, {"weights": {"2": 1}, "rule": "max", "pin": True, "keep": 0.9})
    assert {name: getattr(BEGINNING, name) for name in FIELDS} == before
    assert not BEGINNING.past.can_undo


def answered(shown):
    analysis = shown.analysis
    votes = {"votes": analysis.votes(shown.keep), "surveyed": shown.survey}
    evidence = analysis.evidence(shown.heatmap, shown.keep)
    return derive(
        shown, {"evidence": evidence, "opposite": None, "answered": shown.question, **votes}
    )


def test_answers_are_taken_only_by_those_who_asked():
    shown = answered(derive(BEGINNING, {"show_votes": True}))
    assert len(shown.votes) == 3
    assert shown.evidence is not None
    other = derive(shown, {"weights": {"2": 1}})
    assert not same(other.question, shown.question)
    late = derive(other, {"evidence": None, "opposite": None, "answered": shown.question})
    assert late.evidence is shown.evidence
    assert late.answered is other.answered
    photo = derive(shown, {"analysis": analyse(MODEL, tiny.photo(2), None, "gradcam")})
    assert (photo.evidence, photo.votes) == (None, ())
    assert "hottest" not in photo.status
    assert "hottest" in shown.status


def test_what_is_redacted_holds_nothing_of_the_answer():
    shown = answered(derive(BEGINNING, {"show_votes": True, "pin": True, "preview": "2"}))
    hidden = redacted(replace(shown, guessing=True))
    assert hidden.hidden
    # The network and its grid are the model's, and the same for all photos.
    bare = replace(hidden, analysis=replace(hidden.analysis, model=None))
    fields = {name: value for name, value in vars(bare).items() if name != "analysis"}
    fields |= {name: v for name, v in vars(bare.analysis).items() if name != "prediction"}
    fields["probabilities"] = bare.prediction.probabilities
    content = pickle.dumps(fields)
    secrets = [
        *(np.float64(x).tobytes() for x in TRUTH),
        *(np.float64(x).tobytes()[::-1] for x in TRUTH),
        *(repr(x).encode() for x in TRUTH),
        b"secret garden",
        b"a credit",
        shown.prediction.probabilities.tobytes(),
        shown.evidence.probabilities.tobytes(),
        shown.votes[0].probabilities.tobytes(),
        shown.heatmap.tobytes(),
        *(x.tobytes() for maps in shown.maps.methods.values() for x in maps),
    ]
    whole_content = pickle.dumps({**vars(shown), "analysis": None, "photo": vars(shown.image)})
    assert any(secret in whole_content for secret in secrets)
    assert [secret for secret in secrets if secret in content] == []
    assert np.ptp(hidden.prediction.probabilities) == 0
    assert not any(hidden.shares.values())
    assert hidden.status.startswith("Where is this? Click the place on the map. 5,000 points for")
    assert redacted(shown) is shown


def test_a_round_is_played_by_a_guess():
    hidden = derive(BEGINNING, {"guessing": True})
    assert hidden.hidden
    told = derive(hidden, {"guess": (1.0, 2.0)})
    assert not told.hidden
    assert len(told.game.rounds) == 1
    again = derive(told, {"analysis": analyse(MODEL, tiny.photo(3), None, "gradcam")})
    assert again.hidden
    assert derive(again, {"guessing": False}).game.rounds == ()


def test_a_read_only_dict_is_a_dict_for_everybody_else():
    kept = ReadOnlyDict({"a": 1.0})
    assert kept == {"a": 1.0}
    assert pickle.loads(pickle.dumps(kept)) == kept
    assert kept | {"b": 2} == {"a": 1.0, "b": 2}
    with pytest.raises(TypeError, match="in place"):
        kept["a"] = 2
    with pytest.raises(TypeError, match="in place"):
        del kept["a"]


def test_a_copied_history_goes_its_own_way():
    one = History()
    one.push(1)
    one.push(2)
    other = one.copy()
    assert other.undo() == 1
    other.push(3)
    assert one.can_undo
    assert not one.can_redo
    assert one.undo() == 1
    assert one.redo() == 2


def test_a_notice_stays_until_a_model_is_asked_anew():
    shown = derive(BEGINNING, {"analysis": ANALYSIS, "notice": "The size was assumed."})
    assert shown.notice == "The size was assumed."
    shown = derive(shown, {"keep": 0.5, "error": "No."})
    assert shown.notice == "The size was assumed."
    other = analyse(MODEL, PHOTO, 2, "gradcam")
    assert derive(shown, {"analysis": other}).notice == ""


def test_what_there_is_not_cannot_be_changed():
    with pytest.raises(TypeError, match="There is nothing called 'wieghts' to change"):
        derive(BEGINNING, {"rule": "max", "wieghts": {}})
