"""Insertion and deletion against closed forms on a linear model, and the pitfalls of ranking."""

import numpy as np
import pytest
import torch
from evaluated import LinearAnswer
from hypothesis import given
from hypothesis import strategies as st

from combicam_widgets import evaluation

SIZE = 4, 5
WEIGHTS = np.arange(20).reshape(1, *SIZE) / np.arange(20).sum()  # p = 1 for a photo of ones
PHOTO = torch.ones(1, 1, *SIZE)
HEAT = np.arange(20).reshape(SIZE) / 19


def black(batch):
    return torch.zeros_like(batch)


def test_ranks_go_down_with_the_heat():
    np.testing.assert_array_equal(
        evaluation.ranks(np.array([[0.2, 0.9], [0.5, 0.0]])), [[2, 0], [1, 3]]
    )


@given(st.integers(0, 2**31), st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=30))
def test_ranks_are_an_order_whatever_ties(seed, values):
    heat = np.array([values])
    ranks = evaluation.ranks(heat, seed)
    np.testing.assert_array_equal(np.sort(ranks.ravel()), np.arange(heat.size))
    assert (np.diff(heat.ravel()[np.argsort(ranks.ravel())]) <= 0).all()
    np.testing.assert_array_equal(ranks, evaluation.ranks(heat, seed))


def test_ties_are_in_a_random_order_which_the_seed_decides():
    flat = np.zeros((30, 30))
    first, second = evaluation.ranks(flat, 0), evaluation.ranks(flat, 1)
    assert (first != second).mean() > 0.9
    # no trend: reading order would give a correlation of 1
    assert abs(np.corrcoef(first.ravel(), np.arange(900))[0, 1]) < 0.1


def test_a_map_that_is_mostly_zero_does_not_take_the_photo_away_at_once():
    heat = np.zeros((10, 10))
    heat[0, 0] = 1
    ask = LinearAnswer(np.full((1, 10, 10), 0.01))
    curves = evaluation.reveal(ask, torch.ones(1, 1, 10, 10), [heat], black, steps=4)
    np.testing.assert_allclose(curves.deleted[0], [1, 0.75, 0.5, 0.25, 0], atol=1e-12)
    np.testing.assert_allclose(curves.inserted[0], [0, 0.25, 0.5, 0.75, 1], atol=1e-12)


def test_curves_of_a_linear_model_are_sums_of_its_weights():
    ask = LinearAnswer(WEIGHTS)
    curves = evaluation.reveal(ask, PHOTO, [HEAT, 1 - HEAT], black, steps=5)
    hottest = np.array([0, *np.cumsum(np.sort(WEIGHTS.ravel())[::-1])[3::4]])
    np.testing.assert_allclose(curves.areas, np.arange(6) / 5)
    np.testing.assert_allclose(curves.inserted[0], hottest)
    np.testing.assert_allclose(curves.deleted[0], 1 - hottest, atol=1e-12)
    np.testing.assert_allclose(curves.inserted[1], 1 - hottest[::-1], atol=1e-12)
    np.testing.assert_allclose(curves.deleted[1], hottest[::-1])
    trapezoid = sum(hottest[:-1] + hottest[1:]) / 10
    np.testing.assert_allclose(curves.insertion, [trapezoid, 1 - trapezoid])
    np.testing.assert_allclose(curves.deletion, [1 - trapezoid, trapezoid])
    np.testing.assert_allclose(curves.worth, [2 * trapezoid - 1, 1 - 2 * trapezoid])


def test_worth_is_divided_by_p_and_curves_are_raw():
    half = evaluation.reveal(LinearAnswer(WEIGHTS / 2), PHOTO, [HEAT], black, steps=5)
    full = evaluation.reveal(LinearAnswer(WEIGHTS), PHOTO, [HEAT], black, steps=5)
    assert half.probability == pytest.approx(0.5)
    np.testing.assert_allclose(half.insertion, full.insertion / 2)
    np.testing.assert_allclose(half.worth, full.worth)


def test_insertion_may_exceed_the_whole_photo_and_is_not_clipped():
    weights = np.zeros((1, 2, 2))
    weights[0, 0] = 0.45  # the upper half says yes, and the lower one takes most of it back
    weights[0, 1] = -0.4
    heat = np.array([[1, 1], [0, 0]])
    curves = evaluation.reveal(
        LinearAnswer(weights), torch.ones(1, 1, 2, 2), [heat], black, steps=2
    )
    np.testing.assert_allclose(curves.inserted[0], [0, 0.9, 0.1], atol=1e-12)
    np.testing.assert_allclose(curves.deleted[0], [0.1, -0.8, 0], atol=1e-12)
    np.testing.assert_allclose(curves.worth, (0.475 + 0.375) / 0.1)


def test_a_target_below_the_floor_counts_as_the_floor():
    ask = LinearAnswer(WEIGHTS * 1e-9)
    curves = evaluation.reveal(ask, PHOTO, [HEAT], black, steps=5)
    np.testing.assert_allclose(curves.worth, (curves.insertion - curves.deletion) / 1e-6)


def test_an_answer_that_never_changes_is_worth_nothing():
    curves = evaluation.reveal(lambda batch: np.full(len(batch), 0.3), PHOTO, [HEAT], steps=4)
    np.testing.assert_allclose(curves.worth, 0, atol=1e-12)


def test_all_heatmaps_share_the_whole_and_the_empty_photo_and_batches():
    ask = LinearAnswer(WEIGHTS)
    told = []
    evaluation.reveal(
        ask, PHOTO, [HEAT] * 3, black, steps=4, progress=lambda *done: told.append(done)
    )
    assert ask.passes == 3 * 2 * 3 + 2
    assert max(ask.batches) > 6  # more than one heatmap has states
    assert told[-1] == (18, 18)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_what_progress_raises_stops_the_work():
    class EnoughError(Exception):
        pass

    def enough(done, total):
        raise EnoughError

    ask = LinearAnswer(WEIGHTS)
    with pytest.raises(EnoughError):
        evaluation.reveal(ask, PHOTO, [HEAT] * 30, black, steps=4, progress=enough)
    assert ask.passes < 30


def test_heatmaps_of_another_size_are_resized():
    coarse = np.array([[0, 1], [0, 1]])
    fine = np.tile(np.linspace(0, 1, SIZE[1]), (SIZE[0], 1))
    curves = evaluation.reveal(LinearAnswer(WEIGHTS), PHOTO, [coarse, fine], black, steps=5)
    np.testing.assert_allclose(curves.inserted[0], curves.inserted[1])


@pytest.mark.parametrize(
    ("heatmap", "error", "message"),
    [
        (np.zeros((2, 2, 2)), ValueError, r"shape \(H, W\)"),
        (np.zeros((0, 3)), ValueError, r"shape \(H, W\)"),
        (np.full(SIZE, np.nan), ValueError, "finite"),
        (np.full(SIZE, 1.5), ValueError, r"\[0, 1\]"),
        (np.full(SIZE, "warm"), TypeError, "numbers"),
    ],
)
def test_heatmaps_that_are_none(heatmap, error, message):
    with pytest.raises(error, match=message):
        evaluation.reveal(LinearAnswer(WEIGHTS), PHOTO, [heatmap])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1"),
        ({"steps": 2.5}, TypeError, "steps must be a whole number"),
        ({"fill": "snow"}, ValueError, "Unknown fill 'snow'; the fills are blur, mean colour"),
        ({"fill": 3}, TypeError, "name or a function"),
        ({"fill": lambda batch: batch[..., :2]}, ValueError, "shape"),
        ({"fill": lambda batch: batch * torch.nan}, ValueError, "finite"),
        ({"fill": lambda batch: batch.numpy()}, TypeError, "tensor"),
    ],
)
def test_options_that_are_wrong(options, error, message):
    with pytest.raises(error, match=message):
        evaluation.reveal(LinearAnswer(WEIGHTS), PHOTO, [HEAT], **options)


def test_what_a_fill_raises_is_passed_on():
    def broken(batch):
        raise RuntimeError("no paint")

    with pytest.raises(RuntimeError, match="no paint"):
        evaluation.reveal(LinearAnswer(WEIGHTS), PHOTO, [HEAT], broken)


@pytest.mark.parametrize("answer", [lambda b: np.zeros((len(b), 2)), lambda b: [np.nan] * len(b)])
def test_an_answer_that_is_no_probability_per_photo(answer):
    with pytest.raises(ValueError, match="one finite probability for each"):
        evaluation.reveal(answer, PHOTO, [HEAT])


def test_the_fill_of_the_user_is_what_is_seen():
    """In the units of the network: 0 in a normalised tensor is no black."""
    seen = []

    def ask(batch):
        seen.append(batch.clone())
        return np.zeros(len(batch))

    evaluation.reveal(ask, PHOTO, [HEAT], lambda batch: batch * 0 + 7, steps=2)
    states = torch.cat(seen)
    assert set(states.unique().tolist()) == {1.0, 7.0}
    assert sorted((state == 7).sum().item() for state in states) == [0, 10, 10, 20]
