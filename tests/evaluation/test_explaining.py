"""Measures that explain again: coherency, sensitivity, and networks that forget."""

import copy

import numpy as np
import pytest
import torch
from evaluated import Bright, LinearAnswer
from torch import nn

from combicam_widgets import evaluation

PHOTO = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    ).train()


NAMES = "0", "3"
LAYERS = evaluation.single_layers(NAMES, "gradcam")


def test_adcc_by_hand():
    parts = evaluation.Adcc(coherency=0.5, complexity=0.75, drop=0.2)
    assert parts.value == pytest.approx(3 / (1 / 0.5 + 1 / 0.25 + 1 / 0.8))
    assert evaluation.Adcc(coherency=1, complexity=0, drop=0).value == 1
    assert evaluation.Adcc(coherency=1, complexity=1, drop=0).value == 0


def test_parts_of_adcc_on_a_linear_model():
    heat = np.zeros((8, 8))
    heat[:4] = 1
    weights = np.full((3, 8, 8), 1 / 192)
    photo = torch.ones(1, 3, 8, 8)
    batches = []

    def explain(batch):
        batches.append(batch.clone())
        return heat if len(batches) == 1 else heat.T

    found = evaluation.adcc(LinearAnswer(weights), explain, photo, torch.zeros_like)
    assert found.complexity == pytest.approx(0.5)
    assert found.drop == pytest.approx(0.5, abs=1e-6)
    assert found.coherency == pytest.approx(0.5)  # the two halves cross: no correlation
    assert batches[1][0, 0].numpy() == pytest.approx(heat)  # it is explained as it is seen


def test_sparse_maps_win_adcc_for_nothing():
    """A dot that says nothing is coherent and hardly complex: the parts must stand beside it."""
    dot = np.zeros((8, 8))
    dot[7, 7] = 1
    corner = np.zeros((8, 8))
    corner[:4, :4] = 1
    ask = LinearAnswer(np.where(np.arange(64) < 32, 1.0, 0.9).reshape(1, 8, 8) / 64)
    photo = torch.ones(1, 1, 8, 8)
    found = {
        name: evaluation.adcc(ask, lambda _, heat=heat: heat, photo, "blur")
        for name, heat in {"dot": dot, "corner": corner}.items()
    }
    assert found["dot"].value > found["corner"].value
    assert found["dot"].complexity < found["corner"].complexity


def test_sensitivity_is_the_largest_relative_change_of_photos_that_look_the_same():
    """The heatmap is the photo itself: how far it moves is known for each draw."""
    photo = PHOTO[:, :1]

    def explain(batch):
        explained.append(batch)
        return batch[0, 0].numpy()

    explained = []
    found = evaluation.max_sensitivity(explain, photo, draws=4, radius=0.02, seed=5)
    assert len(explained) == 5
    moves = [(batch - photo).norm().item() for batch in explained[1:]]
    assert len(set(moves)) == 4
    assert found == pytest.approx(max(moves) / photo.norm().item(), rel=1e-5)
    reach = 0.02 * (photo.max() - photo.min()).item()
    assert 0.9 * reach < max((b - photo).abs().max().item() for b in explained[1:]) <= reach


def test_what_never_changes_is_not_sensitive():
    assert evaluation.max_sensitivity(lambda _: np.ones((2, 2)), PHOTO) == 0
    assert evaluation.max_sensitivity(lambda _: np.zeros((2, 2)), PHOTO) == 0
    with pytest.raises(ValueError, match="radius"):
        evaluation.max_sensitivity(lambda _: np.ones((2, 2)), PHOTO, radius=0)


def test_randomisation_goes_from_the_top_down():
    """A layer's map cannot change before something above it does, and forgets once it has."""
    model = network()
    found = evaluation.randomisation(model, PHOTO, LAYERS, layers=NAMES, seed=1)
    assert found.steps == ("head", "3", "0")
    assert set(found.correlations) == {"only 0", "only 3"}
    for correlations in found.correlations.values():
        assert correlations.shape == (3,)
        assert (np.abs(correlations) <= 1).all()
        assert correlations[-1] < 0.95


def test_the_cascade_changes_what_lies_above_and_nothing_below():
    model = network()
    seen = []

    class Recorder(evaluation.Candidate):
        def heatmap(self, maps, size=None):
            seen.append(maps)
            return super().heatmap(maps, size)

    evaluation.randomisation(
        model, PHOTO, [Recorder("last", "gradcam", "sum", {"3": 1.0})], layers=NAMES
    )
    assert len(seen) == 4
    probabilities = [maps.probabilities for maps in seen]
    assert all((probabilities[0] != later).any() for later in probabilities[1:])


def test_an_edge_detector_passes_the_eye_and_fails_randomisation():
    """A map that does not depend on the weights correlates perfectly whatever is re-drawn."""

    class Edges(evaluation.Candidate):
        def heatmap(self, *_):
            return evaluation.controls(PHOTO)["edges"]

    found = evaluation.randomisation(network(), PHOTO, [Edges("edges")])
    np.testing.assert_allclose(found.correlations["edges"], 1)
    assert found.entropy_rise["edges"] == 0


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_stays_as_it_is(fails):
    model = network()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]

    def progress(done, total):
        if fails and done == 2:
            raise RuntimeError("enough")

    if fails:
        with pytest.raises(RuntimeError, match="enough"):
            evaluation.randomisation(model, PHOTO, LAYERS, layers=NAMES, progress=progress)
    else:
        evaluation.randomisation(model, PHOTO, LAYERS, layers=NAMES, progress=progress)
    assert all(torch.equal(before[name], x) for name, x in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_seed_decides_what_is_drawn():
    first, again, other = (
        evaluation.randomisation(network(), PHOTO, LAYERS, layers=NAMES, seed=seed).correlations[
            "only 3"
        ]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_candidates_without_contrast_correlate_with_nothing():
    silent = Bright()
    with torch.no_grad():
        silent.corner.zero_()
    maps = evaluation.single_layers(("eye",), "gradcam")
    layers = ["eye", "blind"]
    found = evaluation.randomisation(silent, PHOTO, maps, target=0, layers=layers)
    np.testing.assert_array_equal(found.correlations["only eye"], 0)


def test_names_are_no_candidates_where_layers_are_not_known_yet():
    with pytest.raises(TypeError, match=r"such as evaluation.COMBI_CAM, not 'Combi-CAM'"):
        evaluation.randomisation(Bright(), torch.rand(1, 3, 8, 8), ["Combi-CAM"])
