"""All measures of one heatmap as one value."""

import dataclasses

import numpy as np
import pytest
import torch
from evaluated import Bright

import combicam_widgets as ccw
from combicam_widgets import evaluation

CORNER = np.zeros((8, 8))
CORNER[:4, :4] = 1
PHOTO = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 1


def black(batch):
    return torch.zeros_like(batch)


@pytest.fixture(scope="module")
def measures():
    return evaluation.measure(Bright(), PHOTO, CORNER, fills=["blur", black], steps=4)


def test_each_value_is_that_of_its_function(measures):
    asks = evaluation.question(Bright(), PHOTO)
    curves = evaluation.reveal(asks.ask, asks.batch, [CORNER], black, steps=4)
    seen = evaluation.masked(asks.ask, asks.batch, [CORNER], black)
    of = measures.of("black")
    np.testing.assert_allclose(of.inserted, curves.inserted[0])
    np.testing.assert_allclose(of.deleted, curves.deleted[0])
    assert of.worth == pytest.approx(curves.worth[0])
    assert of.drop == pytest.approx(seen.drop[0])
    assert of.gain == pytest.approx(seen.gain[0])
    assert of.saco == pytest.approx(evaluation.saco(asks.ask, asks.batch, CORNER, black))
    road = evaluation.road(asks.ask, asks.batch, [CORNER], areas=[0.2, 0.5, 0.8])
    assert measures.road == pytest.approx(road.combined[0])
    assert measures.complexity == pytest.approx(0.25)
    assert measures.worth == pytest.approx((of.worth + measures.of("blur").worth) / 2)


def test_the_right_map_beats_the_wrong_one_by_every_measure(measures):
    wrong = evaluation.measure(Bright(), PHOTO, 1 - CORNER, fills=["blur", black], steps=4)
    for name in ("worth", "insertion", "saco", "area_gain", "road"):
        assert getattr(measures, name) > getattr(wrong, name)
    for name in ("deletion", "drop"):
        assert getattr(measures, name) < getattr(wrong, name)


def test_a_person_can_read_it(measures):
    text = repr(measures)
    assert text.startswith(f"Measures for class 0, p = {measures.probability:.3g}")
    assert "worth, higher" in text
    assert "deletion, lower" in text
    assert "black" in text
    assert f"{measures.worth:.3f}" in text


def test_it_cannot_be_changed(measures):
    with pytest.raises(dataclasses.FrozenInstanceError):
        measures.road = 1
    with pytest.raises(ValueError, match="only with blur, black"):
        measures.of("snow")


@pytest.mark.parametrize("heat", [np.zeros((8, 8)), np.full((8, 8), 0.7)])
def test_a_map_without_contrast_is_measured_as_a_random_order(heat):
    found = evaluation.measure(Bright(), PHOTO, heat, fills=[black], steps=4)
    assert abs(found.worth) < 0.15
    assert found.saco == 0


def test_a_target_below_the_floor_is_said():
    found = evaluation.measure(Bright(), 20 * PHOTO, CORNER, target=1, fills=[black])
    assert found.probability < 1e-6
    assert "which counts as 1e-06" in repr(found)


def test_nothing_to_fill_with():
    with pytest.raises(ValueError, match="at least one fill"):
        evaluation.measure(Bright(), PHOTO, CORNER, fills=[])


def test_a_real_model_from_the_photo_to_the_fusion_by_worth():
    model = ccw.load_model("atlas")
    photo = ccw.tile(45, 10)
    maps = model.explain(photo)
    told = []
    best = evaluation.by_worth(model, photo, maps, progress=lambda *done: told.append(done))
    assert told[-1] == (3 * 2 * 3 * (8 + 11), 3 * 2 * 3 * (8 + 11))
    assert told == sorted(told)
    combi, by_worth = evaluation.worth(
        model, photo, [evaluation.COMBI_CAM.heatmap(maps), best.heatmap(maps)], fills=["noise"]
    )
    assert by_worth > combi + 0.05
    np.testing.assert_array_equal(best.heatmap(maps).shape, (photo.height, photo.width))
