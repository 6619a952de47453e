"""Warnings reach Python where nobody listens, and whoever listens in a thread, and nobody else."""

import threading
import warnings

import pytest

import combicam_widgets as ccw
from combicam_widgets.notices import heard_by, warn

_TINY = ["89c2598998b4cb4b"]  # an S2 cell of the smallest level: questioned


def test_nobody_listens_python_is_warned_at_the_line_that_asked():
    with pytest.warns(UserWarning, match="less than a metre") as caught:
        ccw.CellGrid.from_s2_tokens(_TINY)
    assert [one.filename for one in caught] == [__file__]


def test_who_listens_is_told_and_python_is_not():
    said = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with heard_by(said.append):
            ccw.CellGrid.from_s2_tokens(_TINY)
    assert len(said) == 1
    assert "less than a metre" in said[0]


def test_the_innermost_listens_and_after_it_the_one_before():
    outer, inner = [], []
    with heard_by(outer.append):
        with heard_by(inner.append):
            warn("one")
        warn("two")
    assert (outer, inner) == (["two"], ["one"])
    with pytest.warns(UserWarning, match="three"):
        warn("three")


def test_a_listener_hears_its_own_thread_only():
    said, elsewhere = [], []

    def work():
        with heard_by(elsewhere.append):
            warn("there")

    with heard_by(said.append):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        warn("here")
    assert (said, elsewhere) == (["here"], ["there"])


def test_a_warning_that_is_an_error_is_raised():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="that"):
            warn("that")
