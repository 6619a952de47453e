"""Worth of layers and the fusion by worth, where the truth is known."""

import numpy as np
import pytest
import torch
from evaluated import Bright
from torch import nn

from combicam_widgets import cam, evaluation
from combicam_widgets.evaluation.weighing import best_of, weightings


def maps_of(maps, target=0, names=("good", "bad", "silent")):
    arrays = tuple(np.array(x, np.float32) for x in maps)
    return cam.LayerMaps(
        names=names[: len(maps)],
        methods=dict.fromkeys(("gradcam", "hirescam", "layercam"), arrays),
        method="gradcam",
        size=(8, 8),
        target=target,
        score="log_probability",
        probabilities=np.array([0.9, 0.1], np.float32),
        importances=np.ones(len(maps), np.float32),
    )


@pytest.fixture
def photo():
    return 4 * torch.ones(1, 3, 8, 8) * torch.linspace(0.9, 1.1, 8)[:, None]


def black(batch):
    return torch.zeros_like(batch)


CORNER = np.zeros((8, 8))
CORNER[:4, :4] = 1


def test_a_layer_that_shows_the_reason_is_worth_something_and_others_nothing(photo):
    maps = maps_of([CORNER, 1 - CORNER, np.zeros((2, 2))])
    worth = evaluation.layer_worth(Bright(), photo, maps, fills=[black])
    assert worth.dtype == np.float32
    assert worth[0] > 0.3
    np.testing.assert_array_equal(worth[1:], 0)


def test_worth_is_the_mean_of_what_each_fill_gives(photo):
    maps = maps_of([CORNER, CORNER.T + 0.5 * np.eye(8)])
    fills = ["blur", "mean colour", black]
    single = [evaluation.layer_worth(Bright(), photo, maps, fills=[fill]) for fill in fills]
    together = evaluation.layer_worth(Bright(), photo, maps, fills=fills)
    signed = evaluation.worth(Bright(), photo, [CORNER], target=0, fills=fills, steps=4)
    assert together[0] == pytest.approx(max(0, signed[0]), rel=1e-5)
    assert single[2][0] > 0.3
    with pytest.raises(ValueError, match="at least one fill"):
        evaluation.layer_worth(Bright(), photo, maps, fills=[])


def test_by_worth_keeps_the_layers_that_carry_the_answer(photo):
    maps = maps_of([CORNER, 1 - CORNER])
    candidate = evaluation.by_worth(Bright(), photo, maps, fills=[black])
    assert (candidate.name, candidate.method, candidate.rule) == ("by worth", "hirescam", "mean")
    assert candidate.weights == {"good": 1.0, "bad": 0.0}
    np.testing.assert_array_equal(candidate.heatmap(maps), CORNER.astype(np.float32))


def test_what_is_tried_begins_with_the_squares_of_worth_and_ends_with_combi_cam():
    found = np.array([[0.4, 0.2, -0.3, 0.1], [0.4, -0.4, 0.1, 0.3]])
    tried = weightings("abcd", found)
    weights = [list(candidate.weights.values()) for candidate in tried]
    np.testing.assert_allclose(weights[0], [1, 0, 0, 0.25])
    np.testing.assert_allclose(weights[1], [1, 0, 0, 0.25**4])
    np.testing.assert_allclose(weights[2], [1, 0, 0, 1])  # the best three, of which one is none
    np.testing.assert_allclose(weights[3], np.array([2, 0.5, 0.25, 1]) ** 2 / 4)
    np.testing.assert_allclose(weights[4], [1, 0.25, 0, 1 / 16])
    np.testing.assert_allclose(weights[5], [1, 0, 1 / 16, 9 / 16])
    np.testing.assert_allclose(weights[6], 1)
    assert [(each.method, each.rule) for each in tried[6:]] == [
        ("hirescam", "mean"),
        ("hirescam", "max"),
        ("layercam", "mean"),
        ("gradcam", "sum"),
    ]
    assert len(tried) == 8 + len(found)


def test_the_best_of_what_is_tried_is_taken(photo):
    """Two layers that are right together and wrong alone: no square of worth finds that."""
    upper, left = np.zeros((8, 8)), np.zeros((8, 8))
    upper[:4], left[:, :4] = 1, 1
    maps = maps_of([upper, left])
    asks = evaluation.question(Bright(), photo, 0)
    alone = [evaluation.Candidate(n, "hirescam", "mean", {n: 1.0}) for n in ("good", "bad")]
    both = evaluation.Candidate("both", "hirescam", "product")
    assert best_of(asks, maps, [*alone, both], [black]) is both
    assert best_of(asks, maps, alone, [black]) in alone


def test_weights_are_learnt_from_photos_and_judged_on_others(photo):
    network = Bright()
    told = []
    learnt = evaluation.learn_weights(
        network, [photo, 2 * photo], fills=[black], progress=lambda *done: told.append(done)
    )
    assert (learnt.name, learnt.method, learnt.rule) == ("learnt", "hirescam", "mean")
    assert max(learnt.weights.values()) == 1
    assert told == [(1, 2), (2, 2)]
    with pytest.raises(ValueError, match="at least one photo"):
        evaluation.learn_weights(network, [])
    with torch.no_grad():
        network.corner.zero_()
    with pytest.raises(evaluation.NothingWorth):
        evaluation.learn_weights(network, [photo])


def test_where_nothing_is_worth_anything_it_is_said(photo):
    maps = maps_of([1 - CORNER, np.zeros((2, 2))])
    with pytest.raises(evaluation.NothingWorth, match="keep the weights as they are"):
        evaluation.by_worth(Bright(), photo, maps, fills=[black])


@pytest.mark.parametrize("answer", [0.3, 0.1, 1 / 3])
def test_an_answer_that_never_changes_is_nothing_to_weigh_by(photo, answer):
    """Not even by what rounding makes of it: sums of many equal numbers are not all equal."""
    constant = nn.Sequential(nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        constant[0].weight.zero_()
        constant[0].bias.copy_(torch.tensor([answer, 1 - answer]).log())
    maps = maps_of([CORNER, np.eye(8), 1 - CORNER])
    for steps in (2, 3, 4, 7):
        assert not evaluation.layer_worth(constant, photo, maps, steps=steps).any()
        with pytest.raises(evaluation.NothingWorth):
            evaluation.by_worth(constant, photo, maps, steps=steps)


def test_the_target_of_the_maps_is_what_is_asked(photo):
    """What speaks for one of two classes speaks against the other."""
    for target, expected in ((0, [True, False]), (1, [False, True])):
        maps = maps_of([CORNER, 1 - CORNER], target)
        worth = evaluation.layer_worth(Bright(), photo, maps, fills=[black])
        np.testing.assert_array_equal(worth > 0, expected)


def test_any_classifier_is_enough(photo):
    """From the network to the heatmap without any geography."""
    network = Bright()
    maps = cam.explain(network, photo, layers=["eye", "blind"])
    candidate = evaluation.by_worth(network, photo, maps, fills=[black])
    by_worth, random = evaluation.worth(
        network,
        photo,
        [candidate.heatmap(maps), evaluation.controls(photo)["random"]],
        fills=[black],
    )
    assert by_worth > 0.3
    assert by_worth > random
    measures = evaluation.measure(network, photo, candidate.heatmap(maps), fills=[black])
    assert measures.target == 0
    assert measures.probability == pytest.approx(maps.probability, rel=1e-6)
    assert measures.worth == pytest.approx(by_worth)


@pytest.mark.parametrize(
    ("model", "given", "target", "error", "message"),
    [
        ("resnet", torch.ones(1, 3, 8, 8), None, TypeError, "GeoModel or a torch.nn.Module"),
        (Bright(), np.ones((1, 3, 8, 8)), None, TypeError, "torch tensor"),
        (Bright(), torch.ones(2, 3, 8, 8), None, ValueError, "not a batch of 2"),
        (Bright(), torch.ones(1, 3, 8, 8), 2, ValueError, "between 0 and 1"),
        (Bright(), torch.ones(1, 3, 8, 8), "cat", TypeError, "index of a class"),
    ],
)
def test_questions_that_cannot_be_asked(model, given, target, error, message):
    with pytest.raises(error, match=message):
        evaluation.question(model, given, target)
