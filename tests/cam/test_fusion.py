"""Fusion: laws that every rule obeys, and the formulas written out with torch's own resizing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from combicam_widgets import cam
from combicam_widgets.cam import minmax, upsample
from combicam_widgets.cam.upsampling import mean_upsampled

RULES = cam.rule_names()
ADDING = ("sum", "mean", "winsor")
LARGEST = ("max", "layercam")
SIZE = (11, 14)
quick = settings(max_examples=40, deadline=None)


def up(x, size):
    x = torch.as_tensor(np.asarray(x), dtype=torch.float64)[None, None]
    y = torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=True)
    y = y[0, 0].numpy()
    return np.where(y < 1e-12 * y.max(), 0, y)  # torch's rounding where a zero is met exactly


def stretch(x):
    return (x - x.min()) / (x.max() - x.min()) if x.max() > x.min() else np.zeros_like(x)


def by_maximum(x):
    return x / x.max() if x.any() else x


def winsor_factors(importances, quantile=0.9):
    """Zero stays zero; the rest, clipped at its quantile, goes linearly to [0.1, 1]."""
    importances = np.asarray(importances, np.float64)
    if not importances.any():
        return np.ones(len(importances))
    ordered = np.sort(importances[importances != 0])
    position = quantile * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    cap = ordered[below] + (position - below) * (ordered[above] - ordered[below])
    if cap == ordered[0]:
        return np.where(importances > 0, 0.1, 0)
    clipped = np.minimum(importances, cap)
    return np.where(clipped > 0, 0.1 + 0.9 * (clipped - ordered[0]) / (cap - ordered[0]), 0)


def parts_of(maps, weights, size, rule, normalize, importances=None):
    """w_l Up(what the rule makes of the map) of every layer, at full size; 0 = layer removed."""
    if importances is None:
        importances = np.ones(len(maps))
    if rule == "winsor":
        on = np.asarray(weights) > 0
        factors = np.zeros(len(maps))
        factors[on] = winsor_factors(np.asarray(importances)[on])
        weights = factors * weights
    prepare = {None: lambda x: x, "minmax": stretch, "max": by_maximum}[normalize]
    inner = {
        "mean": stretch,
        "max": stretch,
        "layercam": lambda x: np.tanh(2 * by_maximum(x)),
        "product": stretch,
        "winsor": stretch,
    }.get(rule, lambda x: x)
    ups = [up(inner(prepare(np.asarray(x, np.float64))), size) for x in maps]
    if rule == "product":
        return [x ** (w / sum(weights)) for x, w in zip(ups, weights, strict=True)]
    return [w * x for x, w in zip(ups, weights, strict=True)]


def combined(maps, weights, size, rule, normalize, importances=None):
    """The fused map before the last N, and what each layer brings in: (L,), not yet shares."""
    parts = parts_of(maps, weights, size, rule, normalize, importances)
    if rule in ADDING:
        total = sum(parts)
        return total / sum(weights) if rule == "mean" else total, [p.mean() for p in parts]
    if rule in LARGEST:
        total = np.max(parts, axis=0)
        ties = sum(part == total for part in parts)
        return total, [(total / ties)[part == total].sum() for part in parts]
    assert rule == "product"
    total = np.prod(parts, axis=0)
    return total, [w if total.any() else 0 for w in weights]


def part_of_total(numbers):
    numbers = np.asarray(numbers, np.float64)
    return numbers / numbers.sum() if numbers.any() else numbers


def bounds_of_largest(parts):
    """Smallest and largest heat that rounding may give to a layer where several nearly tie."""
    total = np.max(parts, axis=0)
    margin = 1e-5 * total.max()
    low, high = [], []
    for n, part in enumerate(parts):
        others = np.max([*parts[:n], *parts[n + 1 :], np.zeros_like(part)], axis=0)
        low.append(total[part > others + margin].sum())
        high.append(total[part >= total - margin].sum())
    return np.array(low) / total.sum(), np.array(high) / total.sum()


def some_maps(seed=0, rule=None):
    rng = np.random.default_rng(seed)
    # A single pixel is stretched to zero, and then a product is zero everywhere.
    third = (3, 4) if rule == "product" else (1, 1)
    shapes = [(7, 9), (7, 9), (4, 5), third, (2, 3)]
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
    importance = st.sampled_from([0.0, 0.5, 100.0]) | st.floats(0.01, 10)
    importances = draw(st.lists(importance, min_size=len(maps), max_size=len(maps)))
    return maps, weights, draw(sizes), importances


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("normalize", cam.NORMALIZATIONS)
@quick
@given(problem=problems())
def test_every_rule_is_its_formula(rule, normalize, problem):
    maps, weights, size, importances = problem
    heat = cam.fuse(maps, weights, size, rule, normalize, importances)
    total, brought = combined(maps, weights, size, rule, normalize, importances)
    assert heat.shape == size
    assert heat.dtype == np.float32
    if np.ptp(total) > 1e-3 * total.max():
        np.testing.assert_allclose(heat, stretch(total), atol=1e-3)
        assert heat.min() == 0
        assert heat.max() == 1
    elif np.ptp(total) < 1e-7 * total.max():
        assert not heat.any()
    shares = cam.shares(maps, weights, size, rule, normalize, importances)
    if sum(brought) <= 1e-6:
        assert not shares.any()
        return
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert not shares[np.array(weights) == 0].any()
    if rule in LARGEST:
        parts = parts_of(maps, weights, size, rule, normalize)
        low, high = bounds_of_largest(parts)
        assert (low - 1e-4 <= shares).all()
        assert (shares <= high + 1e-4).all()
    else:
        np.testing.assert_allclose(shares, part_of_total(brought), atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("normalize", cam.NORMALIZATIONS)
class TestLaws:
    weights = np.array([1, 0.5, 2, 0.1, 1.5])
    importances = np.array([0.2, 0, 1.5, 30, 0.7])

    def test_the_formula_exactly(self, rule, normalize):
        for seed in range(3):
            problem = some_maps(seed, rule), self.weights, SIZE, rule, normalize, self.importances
            total, brought = combined(*problem)
            assert stretch(total).std() > 0.05
            fused_alike(cam.fuse(*problem), stretch(total))
            np.testing.assert_allclose(cam.shares(*problem), part_of_total(brought), atol=1e-5)

    def test_weight_zero_removes_a_layer(self, rule, normalize):
        maps = some_maps(rule=rule)
        off, left = self.weights * [1, 0, 1, 0, 1], [0, 2, 4]
        for function in (cam.fuse, cam.shares):
            with_zero = function(maps, off, SIZE, rule, normalize, self.importances)
            without = function(
                [maps[i] for i in left],
                self.weights[left],
                SIZE,
                rule,
                normalize,
                self.importances[left],
            )
            assert without.any()
            if function is cam.shares:
                assert not with_zero[[1, 3]].any()
                with_zero = with_zero[left]
            np.testing.assert_array_equal(with_zero, without)

    @pytest.mark.parametrize("scale", [1e-44, 1e-6, 0.3, 7, 1e6, 1e38, 8e307])
    def test_scaling_all_weights_changes_nothing(self, rule, normalize, scale):
        maps = some_maps(rule=rule)
        for weights in (np.ones(5), self.weights):
            for function in (cam.fuse, cam.shares):
                plain = function(maps, weights, SIZE, rule, normalize, self.importances)
                scaled = function(maps, weights * scale, SIZE, rule, normalize, self.importances)
                assert plain.any()
                fused_alike(scaled, plain)

    def test_scaling_all_maps_changes_nothing(self, rule, normalize):
        maps = some_maps(rule=rule)
        plain = cam.fuse(maps, self.weights, SIZE, rule, normalize, self.importances)
        assert plain.any()
        for scale in (1e-30, 1e30, 8e37):
            scaled = [x * np.float32(scale) for x in maps]
            fused_alike(
                cam.fuse(scaled, self.weights, SIZE, rule, normalize, self.importances), plain
            )

    def test_scaling_all_importances_changes_nothing(self, rule, normalize):
        maps = some_maps(rule=rule)
        plain = cam.fuse(maps, self.weights, SIZE, rule, normalize, self.importances)
        for scale in (1e-20, 3, 1e30):
            scaled = self.importances * scale
            fused_alike(cam.fuse(maps, self.weights, SIZE, rule, normalize, scaled), plain)

    def test_only_winsor_reads_the_importances(self, rule, normalize):
        maps = some_maps(rule=rule)
        for function in (cam.fuse, cam.shares):
            with_them = function(maps, self.weights, SIZE, rule, normalize, self.importances)
            without = function(maps, self.weights, SIZE, rule, normalize)
            assert np.allclose(with_them, without, atol=1e-3) == (rule != "winsor")
            if rule == "winsor":  # all equal: no layer is favoured
                fused_alike(without, function(maps, self.weights, SIZE, "mean", normalize))

    def test_permuting_layers_changes_nothing(self, rule, normalize):
        order = [3, 0, 4, 2, 1]
        maps = some_maps(rule=rule)
        permuted = (
            [maps[i] for i in order],
            self.weights[order],
            SIZE,
            rule,
            normalize,
            self.importances[order],
        )
        plain = maps, self.weights, SIZE, rule, normalize, self.importances
        fused_alike(cam.fuse(*permuted), cam.fuse(*plain))
        np.testing.assert_allclose(
            cam.shares(*permuted), cam.shares(*plain)[order], rtol=1e-5, atol=1e-9
        )

    def test_identical_maps_fuse_to_the_map_itself(self, rule, normalize):
        x = some_maps()[0]
        inner = np.tanh(2 * by_maximum(x)) if rule == "layercam" else x
        if rule == "layercam" and normalize == "minmax":
            inner = np.tanh(2 * stretch(x))
        heat = cam.fuse([x] * 3, [1, 0.2, 5], x.shape, rule, normalize)
        fused_alike(heat, stretch(inner))
        expected = [0, 0, 1] if rule in LARGEST else [0.125, 0.25, 0.625]
        shares = cam.shares([x] * 3, [1, 2, 5], SIZE, rule, normalize)
        np.testing.assert_allclose(shares, expected, rtol=1e-5)
        # Where they tie, the order of the layers does not decide.
        even = cam.shares([x] * 3, [2, 2, 2], SIZE, rule, normalize)
        np.testing.assert_allclose(even, [1 / 3] * 3, rtol=1e-5)

    def test_one_layer_is_its_own_map(self, rule, normalize):
        """N(Up(map)) for all rules but layercam, which bends the values first."""
        for x in some_maps(seed=1)[:3]:
            heat = cam.fuse([x], [0.3], SIZE, rule, normalize, [4])
            inner = {None: x, "minmax": stretch(x), "max": by_maximum(x)}[normalize]
            if rule == "layercam":
                assert not np.allclose(heat, stretch(up(x, SIZE)), atol=1e-2)
                inner = np.tanh(2 * by_maximum(inner))
            fused_alike(heat, stretch(up(inner, SIZE)))
            shares = cam.shares([x], [0.3], SIZE, rule, normalize, [4])
            np.testing.assert_array_equal(shares, [1])

    def test_a_weight_moves_the_heat_towards_its_layer(self, rule, normalize):
        left, right = np.eye(2, dtype=np.float32), 1 - np.eye(2, dtype=np.float32)
        heat = cam.fuse([left, right], [3, 1], (2, 2), rule, normalize)
        shares = cam.shares([left, right], [3, 1], (2, 2), rule, normalize)
        if rule == "product":  # nowhere are both hot; with a common ground, the heavier one wins
            assert not heat.any()
            assert not shares.any()
            left, right = np.array([[[0, 8, 1]], [[0, 1, 8]]], np.float32)
            heat = cam.fuse([left, right], [3, 1], (1, 3), rule, normalize)
            fused_alike(heat, [[0, 1, 8**-0.5]])
            shares = cam.shares([left, right], [3, 1], (1, 3), rule, normalize)
        else:
            np.testing.assert_array_equal(heat, left)
        np.testing.assert_array_equal(shares, [0.75, 0.25])

    def test_zeros_stay_zeros(self, rule, normalize):
        zeros = [np.zeros((3, 4), np.float32), np.zeros((1, 1), np.float32)]
        assert not cam.fuse(zeros, [1, 1], SIZE, rule, normalize).any()
        assert not cam.shares(zeros, [1, 1], SIZE, rule, normalize).any()
        one_silent = [zeros[0], some_maps()[0]]
        heat = cam.fuse(one_silent, [5, 1], SIZE, rule, normalize)
        shares = cam.shares(one_silent, [5, 1], SIZE, rule, normalize)
        if rule == "product":  # hot only where all layers are, and one of them never is
            assert not heat.any()
            np.testing.assert_array_equal(shares, [0, 0])
        else:
            fused_alike(heat, cam.fuse(one_silent[1:], [1], SIZE, rule, normalize))
            assert heat.any()
            np.testing.assert_array_equal(shares, [0, 1])

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
        assert mean_upsampled(x, size) == pytest.approx(up(x, size).mean(), abs=1e-5)


@pytest.mark.parametrize(("coarse", "fine"), [(50, 288), (56, 320), (7, 13), (4, 4)])
def test_a_zero_that_is_met_exactly_stays_zero(coarse, fine):
    """Rounding to 1e-16 there would be 0.3 after the product of 32 layers."""
    x = np.ones((coarse, 1), np.float32)
    x[1:-1:2] = 0
    at = np.arange(fine) * (coarse - 1)
    met = (at % (fine - 1) == 0) & (at // (fine - 1) % 2 == 1) & (at < (coarse - 1) * (fine - 1))
    assert met.any()
    assert not upsample(x, (fine, 1))[met].any()


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
    assert RULES == ("sum", "mean", "max", "layercam", "product", "winsor")
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
        ([1] * 5, {"importances": [1] * 4}, "5 importances are needed"),
        ([1] * 5, {"importances": 1.0}, "5 importances are needed"),
        ([1] * 5, {"importances": [1, np.nan, 1, 1, 1]}, "Importances .* finite and not negative"),
        ([1] * 5, {"importances": [1, np.inf, 1, 1, 1]}, "Importances .* finite and not negative"),
        ([1] * 5, {"importances": [1, -1, 1, 1, 1]}, "Importances .* finite and not negative"),
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
