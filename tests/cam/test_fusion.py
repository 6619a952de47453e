"""Fusion: laws that every rule obeys, and the formulas written out with torch's own resizing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from combicam_widgets import cam
from combicam_widgets.cam.fusion import minmax, upsample

RULES = cam.rule_names()
SIZE = (11, 14)
quick = settings(max_examples=40, deadline=None)


def up(x, size):
    x = torch.as_tensor(np.asarray(x), dtype=torch.float64)[None, None]
    y = torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=True)
    return y[0, 0].numpy()


def stretch(x):
    return (x - x.min()) / (x.max() - x.min()) if x.max() > x.min() else np.zeros_like(x)


def combined(maps, weights, size, rule, normalize):
    """The fused map before the last N, and the mean of each layer's part of it."""
    prepare = {
        None: lambda x: x,
        "minmax": stretch,
        "max": lambda x: x / x.max() if x.any() else x,
    }[normalize]
    maps = [prepare(np.asarray(x, np.float64)) for x in maps]
    if rule == "mean":
        maps = [stretch(x) for x in maps]
    parts = [w * up(x, size) for x, w in zip(maps, weights, strict=True)]
    total = sum(parts)
    return total / sum(weights) if rule == "mean" else total, [part.mean() for part in parts]


def some_maps(seed=0, count=5):
    rng = np.random.default_rng(seed)
    shapes = [(7, 9), (7, 9), (4, 5), (1, 1), (2, 3), (1, 6)][:count]
    return [np.maximum(rng.normal(0.3, 1, s), 0).astype(np.float32) for s in shapes]


def fused_alike(one, other):
    np.testing.assert_allclose(one, other, atol=2e-5)


lists_of_maps = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31)), min_size=1, max_size=5
).map(
    lambda shapes: [
        np.random.default_rng(seed).integers(0, 9, (h, w)).astype(np.float32)
        for h, w, seed in shapes
    ]
)
sizes = st.tuples(st.integers(1, 20), st.integers(1, 20))


@st.composite
def problems(draw):
    maps = draw(lists_of_maps)
    weight = st.sampled_from([0.0, 0.25, 1.0, 3.0]) | st.floats(0.01, 10)
    weights = draw(st.lists(weight, min_size=len(maps), max_size=len(maps)).filter(any))
    return maps, weights, draw(sizes)


@quick
@given(problems(), st.sampled_from(RULES), st.sampled_from(cam.NORMALIZATIONS))
def test_every_rule_is_its_formula(problem, rule, normalize):
    maps, weights, size = problem
    heat = cam.fuse(maps, weights, size, rule, normalize)
    total, means = combined(maps, weights, size, rule, normalize)
    assert heat.shape == size
    assert heat.dtype == np.float32
    if np.ptp(total) > 1e-3 * total.max():
        np.testing.assert_allclose(heat, stretch(total), atol=1e-3)
        assert heat.min() == 0
        assert heat.max() == 1
    elif np.ptp(total) < 1e-7 * total.max():
        assert not heat.any()
    shares = cam.shares(maps, weights, size, rule, normalize)
    if sum(means) > 1e-6:
        np.testing.assert_allclose(shares, np.array(means) / sum(means), atol=1e-5)
        assert shares.sum() == pytest.approx(1, abs=1e-5)
    else:
        assert not shares.any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("normalize", cam.NORMALIZATIONS)
class TestLaws:
    maps = some_maps()
    weights = np.array([1, 0.5, 2, 0.1, 1.5])

    def test_the_formula_exactly(self, rule, normalize):
        total, means = combined(self.maps, self.weights, SIZE, rule, normalize)
        fused_alike(cam.fuse(self.maps, self.weights, SIZE, rule, normalize), stretch(total))
        np.testing.assert_allclose(
            cam.shares(self.maps, self.weights, SIZE, rule, normalize),
            np.array(means) / sum(means),
            atol=1e-6,
        )

    def test_weight_zero_removes_a_layer(self, rule, normalize):
        off = self.weights * [1, 0, 1, 0, 1]
        left = [self.maps[i] for i in (0, 2, 4)]
        for function in (cam.fuse, cam.shares):
            with_zero = function(self.maps, off, SIZE, rule, normalize)
            without = function(left, self.weights[[0, 2, 4]], SIZE, rule, normalize)
            if function is cam.shares:
                assert not with_zero[[1, 3]].any()
                with_zero = with_zero[[0, 2, 4]]
            np.testing.assert_array_equal(with_zero, without)

    @pytest.mark.parametrize("scale", [1e-44, 1e-6, 0.3, 7, 1e6, 1e38, 8e307])
    def test_scaling_all_weights_changes_nothing(self, rule, normalize, scale):
        for weights in (np.ones(5), self.weights):
            for function in (cam.fuse, cam.shares):
                fused_alike(
                    function(self.maps, weights * scale, SIZE, rule, normalize),
                    function(self.maps, weights, SIZE, rule, normalize),
                )

    def test_scaling_all_maps_changes_nothing(self, rule, normalize):
        plain = cam.fuse(self.maps, self.weights, SIZE, rule, normalize)
        for scale in (1e-30, 1e30, 8e37):
            scaled = [x * np.float32(scale) for x in self.maps]
            fused_alike(cam.fuse(scaled, self.weights, SIZE, rule, normalize), plain)

    def test_permuting_layers_changes_nothing(self, rule, normalize):
        order = [3, 0, 4, 2, 1]
        maps, weights = [self.maps[i] for i in order], self.weights[order]
        fused_alike(
            cam.fuse(maps, weights, SIZE, rule, normalize),
            cam.fuse(self.maps, self.weights, SIZE, rule, normalize),
        )
        np.testing.assert_allclose(
            cam.shares(maps, weights, SIZE, rule, normalize),
            cam.shares(self.maps, self.weights, SIZE, rule, normalize)[order],
            rtol=1e-5,
        )

    def test_identical_maps_fuse_to_the_map_itself(self, rule, normalize):
        x = self.maps[0]
        heat = cam.fuse([x] * 3, [1, 0.2, 5], x.shape, rule, normalize)
        fused_alike(heat, stretch(x))
        np.testing.assert_allclose(
            cam.shares([x] * 3, [1, 2, 5], SIZE, rule, normalize), [0.125, 0.25, 0.625], rtol=1e-5
        )

    def test_a_weight_moves_the_heat_towards_its_layer(self, rule, normalize):
        left, right = np.eye(2, dtype=np.float32), 1 - np.eye(2, dtype=np.float32)
        heat = cam.fuse([left, right], [3, 1], (2, 2), rule, normalize)
        np.testing.assert_array_equal(heat, left)
        assert cam.shares([left, right], [3, 1], (2, 2), rule, normalize)[0] == 0.75

    def test_zeros_stay_zeros(self, rule, normalize):
        zeros = [np.zeros((3, 4), np.float32), np.zeros((1, 1), np.float32)]
        assert not cam.fuse(zeros, [1, 1], SIZE, rule, normalize).any()
        assert not cam.shares(zeros, [1, 1], SIZE, rule, normalize).any()
        one_silent = [zeros[0], self.maps[0]]
        fused_alike(
            cam.fuse(one_silent, [5, 1], SIZE, rule, normalize),
            cam.fuse(one_silent[1:], [1], SIZE, rule, normalize),
        )
        np.testing.assert_array_equal(cam.shares(one_silent, [5, 1], SIZE, rule, normalize), [0, 1])

    @pytest.mark.parametrize("value", [1e-30, 0.1, 0.3, 1.0, 7.7, 3e38])
    def test_a_constant_map_shows_nothing(self, rule, normalize, value):
        maps = [np.full(s, value, np.float32) for s in [(7, 9), (3, 3), (1, 1)]]
        for size in (SIZE, (300, 400), (1, 1)):
            assert not cam.fuse(maps, [1, 0.7, 0.1], size, rule, normalize).any()


@quick
@given(lists_of_maps, sizes)
def test_upsampling_is_torchs_bilinear_with_aligned_corners(maps, size):
    for x in maps:
        np.testing.assert_allclose(upsample(x, size), up(x, size), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (4, 6), (20, 30)])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (13, 17), (4, 6)])
def test_upsampling_to_and_from_single_pixels(shape, size):
    x = np.random.default_rng(0).random(shape, np.float32)
    np.testing.assert_allclose(upsample(x, size), up(x, size), atol=1e-6)


def test_upsampling_twice_gives_the_same_and_leaves_the_map_alone():
    x = some_maps()[0]
    kept = x.copy()
    first = upsample(x, SIZE)
    first[:] = 5  # what a caller does with the result is not remembered
    np.testing.assert_allclose(upsample(x, SIZE), up(x, SIZE), atol=1e-6)
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("rule", RULES)
def test_maps_are_not_changed(rule):
    maps = some_maps()
    kept = [x.copy() for x in maps]
    for normalize in cam.NORMALIZATIONS:
        heat = cam.fuse(maps, np.ones(5), SIZE, rule, normalize)
        heat[:] = 5
    for x, y in zip(maps, kept, strict=True):
        np.testing.assert_array_equal(x, y)


def test_minmax():
    np.testing.assert_array_equal(minmax(np.array([[2.0, 4.0, 3.0]])), [[0, 1, 0.5]])
    for value in (0, -1, 1e-30, 5):
        assert not minmax(np.full((2, 2), value)).any()


def test_the_published_method_is_the_default():
    assert RULES[0] == "sum"
    assert "mean" in RULES
    maps = some_maps()
    total, _ = combined(maps, [1] * 5, SIZE, "sum", None)
    fused_alike(cam.fuse(maps, [1] * 5, SIZE), stretch(total))


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ([1, 1], {}, "5 weights are needed"),
        ([], {}, "5 weights are needed"),
        (1.0, {}, "5 weights are needed"),
        ([[1] * 5], {}, "5 weights are needed"),
        ([1, 1, -0.1, 1, 1], {}, "finite and not negative"),
        ([1, 1, np.nan, 1, 1], {}, "finite and not negative"),
        ([1, 1, np.inf, 1, 1], {}, "finite and not negative"),
        ([0] * 5, {}, "All layers are off"),
        ([1] * 5, {"rule": "median"}, "'median'; the rules are sum, mean"),
        ([1] * 5, {"normalize": "std"}, r"one of \(None, 'minmax', 'max'\), not 'std'"),
    ],
)
def test_what_is_wrong_is_said(weights, options, message):
    for function in (cam.fuse, cam.shares):
        with pytest.raises(ValueError, match=message):
            function(some_maps(), weights, SIZE, **options)


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (-1, 4)])
def test_a_heatmap_has_pixels(size):
    with pytest.raises(ValueError, match="at least one pixel"):
        cam.fuse(some_maps(), [1] * 5, size)
