"""ROAD: imputation against a dense solution and grad-cam's, and the measure on a linear model."""

import numpy as np
import pytest
import torch
from evaluated import LinearAnswer

from combicam_widgets import evaluation
from combicam_widgets.evaluation.imputing import imputed

SIZE = 9, 11


@pytest.fixture
def photo():
    return np.random.default_rng(0).random((3, *SIZE))


def test_every_removed_pixel_is_the_mean_of_its_neighbours(photo):
    removed = np.random.default_rng(1).random(SIZE) < 0.7
    result = imputed(photo, removed)
    np.testing.assert_array_equal(result[:, ~removed], photo[:, ~removed])
    for y, x in zip(*np.nonzero(removed), strict=True):
        weights, values = [], []
        for v in range(max(y - 1, 0), min(y + 2, SIZE[0])):
            for u in range(max(x - 1, 0), min(x + 2, SIZE[1])):
                if (v, u) != (y, x):
                    weights.append(1 / 6 if v == y or u == x else 1 / 12)
                    values.append(result[:, v, u])
        expected = np.average(values, axis=0, weights=weights)
        np.testing.assert_allclose(result[:, y, x], expected, atol=1e-10)


def test_a_slope_is_imputed_exactly_and_so_nothing_leaks():
    slope = np.add.outer(np.arange(9.0), np.arange(11.0))[None]
    removed = np.zeros(SIZE, bool)
    removed[3:6, 4:8] = True
    np.testing.assert_allclose(imputed(slope, removed), slope, atol=1e-10)
    np.testing.assert_array_equal(imputed(slope, np.zeros(SIZE, bool)), slope)
    with pytest.raises(ValueError, match="At least one pixel must stay"):
        imputed(slope, np.ones(SIZE, bool))


def test_most_relevant_first_hurts_more():
    photo = torch.ones(1, 1, 20, 20)
    photo[..., 5:10, 5:10] = 3
    weights = np.zeros((1, 20, 20))
    weights[0, 5:10, 5:10] = 1 / 75
    heat = weights[0] * 75
    found = evaluation.road(LinearAnswer(weights), photo, [heat, 1 - heat], areas=[0.1], noise=0)
    # The hot 25 pixels and 15 others go; the ring of ones around them is what they become.
    assert found.most_first[0, 0] == pytest.approx(1 / 3, abs=0.02)
    assert found.least_first[0, 0] == pytest.approx(1)
    np.testing.assert_allclose(found.combined[0], (1 - found.most_first[0, 0]) / 2)
    np.testing.assert_allclose(found.combined[1], -found.combined[0], atol=0.02)


def test_noise_is_seeded():
    photo, heat = torch.rand(1, 3, 8, 8), np.linspace(0, 1, 64).reshape(8, 8)
    ask = LinearAnswer(np.ones((3, 8, 8)) / 200)
    first, again, other, quiet = (
        evaluation.road(ask, photo, [heat], **options).most_first
        for options in ({"seed": 0}, {"seed": 0}, {"seed": 1}, {"noise": 0})
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()
    np.testing.assert_allclose(first, quiet, atol=0.02)
    assert first.shape == (1, 9)


@pytest.mark.parametrize("options", [{"areas": [0, 0.5]}, {"areas": []}, {"noise": -1}])
def test_options_that_are_wrong(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        evaluation.road(LinearAnswer(np.ones((1, 4, 4))), torch.ones(1, 1, 4, 4), [], **options)
