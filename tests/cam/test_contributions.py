"""Which layers the heat of a pixel comes from: the formulas written out, and laws."""

import numpy as np
import pytest
import torch

from combicam_widgets import cam
from combicam_widgets.cam import rules
from combicam_widgets.cam.contributions import contributions

SIZE = (9, 13)
WEIGHTS = (1.0, 0.5, 0.0, 2.0)
IMPORTANCES = (0.1, 0.4, 0.2, 0.3)


@pytest.fixture
def maps():
    random = np.random.default_rng(5)
    return [random.random(shape).astype(np.float32) for shape in [(9, 7), (6, 8), (4, 4), (3, 5)]]


def up(x):
    x = torch.as_tensor(np.asarray(x, np.float64))[None, None]
    return torch.nn.functional.interpolate(x, SIZE, mode="bilinear", align_corners=True)[
        0, 0
    ].numpy()


def stretch(x):
    return (x - x.min()) / (x.max() - x.min())


def winsor_factors():
    """v = 0.1 + 0.9 N(I), of the layers that are on: I clipped at the 0.9-quantile of 0.1, 0.3,
    0.4, which is 0.3 + 0.8 * 0.1 = 0.38."""
    return 0.1 + 0.9 * np.array([0, 1, np.nan, (0.3 - 0.1) / (0.38 - 0.1)])


PREPARED = {
    "sum": lambda x: x,
    "winsor": stretch,
    "mean": stretch,
    "max": stretch,
    "layercam": lambda x: np.tanh(2 * x / x.max()),
}


@pytest.mark.parametrize("rule", ["sum", "mean", "winsor"])
@pytest.mark.parametrize("normalize", [None, "max"])
def test_rules_that_add(maps, rule, normalize):
    factors = winsor_factors() if rule == "winsor" else np.ones(4)
    parts = np.zeros((4, *SIZE))
    for layer in (0, 1, 3):
        x = maps[layer] / maps[layer].max() if normalize else maps[layer]
        parts[layer] = factors[layer] * WEIGHTS[layer] * up(PREPARED[rule](x))
    given = contributions(maps, WEIGHTS, SIZE, rule, normalize, IMPORTANCES)
    np.testing.assert_allclose(given, parts / parts.sum(0), atol=1e-5)


@pytest.mark.parametrize("rule", ["max", "layercam"])
def test_rules_that_take_the_largest(maps, rule):
    parts = np.array([w * up(PREPARED[rule](x)) for w, x in zip(WEIGHTS, maps, strict=True)])
    given = contributions(maps, WEIGHTS, SIZE, rule)
    np.testing.assert_array_equal(given.argmax(0), parts.argmax(0))
    np.testing.assert_array_equal(np.sort(given, axis=0)[-1], 1)
    np.testing.assert_array_equal(given.sum(0), 1)


def test_layers_that_tie_have_equal_parts(maps):
    for rule in ("max", "layercam"):
        given = contributions([maps[0], maps[0], 0.3 * maps[0]], (1, 1, 0), SIZE, rule)
        np.testing.assert_allclose(given[:2][:, maps_hot(maps[0])], 0.5)
        assert not given[2].any()


def maps_hot(x):
    return up(stretch(x)) > 0.01


@pytest.mark.parametrize("rule", ["sum", "mean", "winsor", "max", "layercam"])
def test_heat_times_contributions_gives_the_shares(maps, rule):
    """Summed over the photo, the parts of the pixels are the shares of `fusion.shares`."""
    parts = contributions(maps, WEIGHTS, SIZE, rule, None, IMPORTANCES)
    chosen = cam.get_rule(rule)
    on = [i for i, w in enumerate(WEIGHTS) if w]
    stack = cam.Stack(
        tuple(maps[i] for i in on),
        np.array([WEIGHTS[i] for i in on], np.float32) / 3.5,
        np.array([IMPORTANCES[i] for i in on], np.float32),
        SIZE,
    )
    weighed = (parts * chosen.combine(stack)).sum((1, 2))
    expected = cam.shares(maps, WEIGHTS, SIZE, rule, None, IMPORTANCES)
    np.testing.assert_allclose(weighed / weighed.sum(), expected, atol=1e-5)


@pytest.mark.parametrize("rule", ["sum", "mean", "max", "layercam"])
def test_laws(maps, rule):
    given = contributions(maps, WEIGHTS, SIZE, rule)
    np.testing.assert_allclose(given.sum(0), 1, atol=1e-6)
    assert not given[2].any()  # off
    scaled = contributions(maps, [7 * w for w in WEIGHTS], SIZE, rule)
    np.testing.assert_allclose(scaled, given, atol=1e-5)
    order = [3, 0, 2, 1]
    permuted = contributions([maps[i] for i in order], [WEIGHTS[i] for i in order], SIZE, rule)
    np.testing.assert_allclose(permuted, given[order], atol=1e-5)
    removed = contributions([maps[i] for i in (0, 1, 3)], [1, 0.5, 2], SIZE, rule)
    np.testing.assert_allclose(removed, given[[0, 1, 3]], atol=1e-5)


def test_where_no_layer_highlights_anything_nothing_contributes():
    x = np.zeros((3, 3), np.float32)
    x[0, 0] = 1
    given = contributions([x, 2 * x], (1, 1), (3, 3))
    np.testing.assert_allclose(given[:, 0, 0], [1 / 3, 2 / 3], atol=1e-6)
    assert given.sum() == pytest.approx(1)
    assert not contributions([0 * x], (1,), (3, 3), "max").any()


def test_a_small_grid_reads_the_same_map_at_fewer_points(maps):
    fine = contributions(maps, WEIGHTS, (9, 13))
    coarse = contributions(maps, WEIGHTS, (3, 4))
    np.testing.assert_allclose(coarse, fine[:, ::4, ::4], atol=1e-5)


def test_a_product_cannot_be_divided(maps):
    assert contributions(maps, WEIGHTS, SIZE, "product") is None


def test_rules_of_your_own_are_not_guessed_at(maps):
    original = cam.get_rule("sum")
    cam.fusion_rule("sum")(lambda stack: np.zeros(stack.size))
    try:
        assert contributions(maps, WEIGHTS, SIZE, "sum") is None
    finally:
        rules._RULES["sum"] = original
    assert contributions(maps, WEIGHTS, SIZE, "sum") is not None


def test_what_fuse_refuses_is_refused(maps):
    with pytest.raises(ValueError, match="Unknown fusion rule"):
        contributions(maps, WEIGHTS, SIZE, "vote")
    with pytest.raises(ValueError, match="4 weights are needed"):
        contributions(maps, (1, 1), SIZE)
    with pytest.raises(ValueError, match="All layers are off"):
        contributions(maps, (0, 0, 0, 0), SIZE)
