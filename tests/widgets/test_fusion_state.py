"""What the page is given to fuse by itself."""

from __future__ import annotations

import numpy as np
import pytest

from combicam_widgets import cam
from combicam_widgets.shown.page_rules import RULES, page_knows
from combicam_widgets.widgets.fusion import Fusion


@pytest.fixture(scope="module")
def maps(small_model):
    from combicam_widgets import sample

    return small_model.explain(sample("koala"))


def test_the_maps_are_those_of_python_bit_for_bit(maps):
    fusion = Fusion()
    assert not fusion.in_page
    fusion.show_fusion(maps, (12, 16), 3, "max", "minmax")
    assert fusion.in_page
    values = np.frombuffer(fusion.maps, "<f4")
    ends = np.cumsum([h * w for h, w in fusion.shapes])
    for x, shape, part in zip(maps.maps, fusion.shapes, np.split(values, ends[:-1]), strict=True):
        assert list(x.shape) == shape
        np.testing.assert_array_equal(x.ravel(), part)
    assert (fusion.names, fusion.size, fusion.about) == (list(maps.names), [12, 16], 3)
    assert (fusion.rule, fusion.normalize) == ("max", "minmax")


def test_a_toggle_sends_the_weights_and_nothing_else(maps, monkeypatch):
    fusion, sent = Fusion(), []
    fusion.show_fusion(maps, (12, 16), 1, "sum", None)
    monkeypatch.setattr(fusion, "send_state", lambda key=None: sent.append(key))
    fusion.show_fusion(maps, (12, 16), 1, "sum", None)
    assert not any(sent)
    fusion.weights = dict.fromkeys(maps.names, 1.0)
    assert [key for key in sent if key] == ["weights"]


@pytest.mark.usefixtures("rules_as_they_were")
def test_a_rule_of_one_s_own_is_left_to_python(maps):
    assert all(map(page_knows, RULES))

    @cam.fusion_rule("mine")
    def mine(stack):
        return stack.weighted_sum()

    assert not page_knows("mine")
    fusion = Fusion()
    fusion.show_fusion(maps, (12, 16), 1, "mine", None)
    assert fusion.rule == ""
    assert not fusion.in_page
