"""Undo and redo against a plain list of states, and the rule that a gesture is one step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from combicam_widgets.shown.history import History


def filled(*states, limit=100):
    history = History(limit)
    for state in states:
        history.push(state)
    return history


def everything(history):
    """Present state and all before it, latest first; leaves the history at its beginning."""
    states = []
    while history.can_undo:
        states.append(history.undo())
    return states


def test_nothing_to_undo_at_first():
    history = History()
    assert not history.can_undo
    assert not history.can_redo
    history.push({"a": 1.0})
    assert not history.can_undo
    with pytest.raises(LookupError, match="nothing to undo"):
        history.undo()
    with pytest.raises(LookupError, match="nothing to redo"):
        history.redo()


def test_a_new_state_forgets_what_was_undone():
    history = filled(1, 2, 3)
    assert [history.undo(), history.undo()] == [2, 1]
    assert history.redo() == 2
    assert history.can_redo
    history.push(9)
    assert not history.can_redo
    assert everything(history) == [2, 1]


def test_what_undo_gives_may_be_pushed_again():
    history = filled(1, 2, 3)
    history.push(history.undo())
    assert history.can_redo
    assert history.redo() == 3


def test_a_gesture_is_one_step():
    history = filled(1.0)
    for weight in (1.1, 1.2, 1.3):
        history.push(weight, "drag 1")
    for weight in (1.4, 1.5):
        history.push(weight, "drag 2")
    assert history.undo() == 1.3
    assert history.undo() == 1.0
    assert history.redo() == 1.3
    assert history.redo() == 1.5


def test_the_state_in_which_a_gesture_began_stays():
    history = History()
    history.push(1.0, "drag 1")
    history.push(1.1, "drag 1")
    assert history.undo() == 1.0


def test_a_gesture_that_goes_back_leaves_no_step():
    history = filled(0, 1)
    for weight in (2, 3, 1):
        history.push(weight, "drag 1")
    assert history.undo() == 0
    history = filled(0, 1)
    for weight in (2, 1, 5):  # through the beginning and on
        history.push(weight, "drag 1")
    assert everything(history) == [1, 0]


def test_undo_ends_a_gesture():
    history = filled(1)
    history.push(2, "drag 1")
    history.push(3, "drag 2")
    history.undo()
    history.push(4, "drag 1")
    assert everything(history) == [2, 1]


def test_old_steps_are_forgotten():
    history = filled(*range(10), limit=3)
    assert everything(history) == [8, 7, 6]
    with pytest.raises(ValueError, match="at least 1, got 0"):
        History(0)


@given(st.lists(st.one_of(st.integers(0, 3), st.sampled_from(["undo", "redo"]))))
def test_it_is_a_list_with_a_place_in_it(asked):
    history, states, place = History(), [], -1
    for ask in asked:
        if ask == "undo":
            assert history.can_undo == (place > 0)
            if place > 0:
                place -= 1
                assert history.undo() == states[place]
        elif ask == "redo":
            assert history.can_redo == (place + 1 < len(states))
            if place + 1 < len(states):
                place += 1
                assert history.redo() == states[place]
        else:
            history.push(ask)
            if not states or states[place] != ask:
                states, place = [*states[: place + 1], ask], place + 1
