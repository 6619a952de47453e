"""Drop, gain, SaCo and areas against closed forms on a linear model."""

import numpy as np
import pytest
import torch
from evaluated import LinearAnswer

from combicam_widgets import evaluation

SIZE = 5, 8
WEIGHTS = np.arange(40).reshape(1, *SIZE) / np.arange(40).sum()
PHOTO = torch.ones(1, 1, *SIZE)
HEAT = np.arange(40).reshape(SIZE) / 39


def black(batch):
    return torch.zeros_like(batch)


def test_drop_and_gain_by_hand():
    half = LinearAnswer(WEIGHTS / 2)
    heatmaps = [HEAT, np.ones(SIZE), np.zeros(SIZE)]
    found = evaluation.masked(half, PHOTO, heatmaps, black)
    kept = (WEIGHTS[0] * HEAT).sum()
    np.testing.assert_allclose(found.kept, [kept / 2, 0.5, 0], atol=1e-7)
    np.testing.assert_allclose(found.drop, [1 - kept, 0, 1], atol=1e-6)
    np.testing.assert_allclose(found.increase, [0, 0, 0])
    np.testing.assert_allclose(found.gain, 0, atol=1e-7)


def test_a_part_that_convinces_more_than_the_whole_is_a_gain():
    weights = np.where(np.arange(40).reshape(1, *SIZE) < 20, 0.03, -0.01)  # 0.6 - 0.2 = p
    found = evaluation.masked(LinearAnswer(weights), PHOTO, [1.0 * (weights[0] > 0)], black)
    np.testing.assert_allclose(found.kept, 0.6)
    np.testing.assert_allclose((found.drop, found.increase, found.gain), [[0], [1], [1 / 3]])


def test_drop_with_another_fill_is_another_drop():
    found = [
        evaluation.masked(LinearAnswer(WEIGHTS), PHOTO, [HEAT], fill).drop[0]
        for fill in (black, "mean colour")
    ]
    assert found[0] > 0.3
    assert found[1] == pytest.approx(0, abs=1e-6)  # the photo is of one colour


def test_saco_is_one_where_more_heat_matters_more_and_minus_one_where_less():
    ask = LinearAnswer(WEIGHTS)
    assert evaluation.saco(ask, PHOTO, HEAT, black) == 1
    assert evaluation.saco(ask, PHOTO, 1 - HEAT, black) == -1
    assert evaluation.saco(ask, PHOTO, np.full(SIZE, 0.5), black) == 0


def test_saco_by_hand():
    """Three groups, of heats 1, 1/2 and 0, whose drops are .2, .5 and .1."""
    weights = np.array([0.1, 0.1, 0.25, 0.25, 0.05, 0.05]).reshape(1, 1, 6)
    heat = np.array([[1, 1, 0.5, 0.5, 0, 0]])
    ask = LinearAnswer(weights)
    found = evaluation.saco(ask, torch.ones(1, 1, 1, 6), heat, black, groups=3)
    assert found == pytest.approx((-0.5 + 1 + 0.5) / (0.5 + 1 + 0.5))
    with pytest.raises(ValueError, match="groups must be at least 2"):
        evaluation.saco(ask, torch.ones(1, 1, 1, 6), heat, black, groups=1)


def test_the_hottest_area_against_chance():
    """All of the answer lies in one quarter: what keeps it keeps all, chance a quarter."""
    weights = np.zeros((1, 40, 40))
    weights[0, :20, :20] = 1 / 400
    photo = torch.ones(1, 1, 40, 40)
    ask = LinearAnswer(weights)
    options = {"fill": black, "area": 0.25, "draws": 60}
    right, wrong = evaluation.area_gain(
        ask, photo, [weights[0] * 400, 1 - weights[0] * 400], **options
    )
    assert right - wrong == pytest.approx(1)
    assert right == pytest.approx(0.75, abs=0.08)
    with pytest.raises(ValueError, match=r"area must be a part of the photo in \(0, 1\)"):
        evaluation.area_gain(ask, photo, [HEAT], area=0)
