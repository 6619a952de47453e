"""Fusion rules: single rules worked out by hand, and rules that users add."""

import numpy as np
import pytest
from cam_networks import RandomNet, photo

from combicam_widgets import cam
from combicam_widgets.cam.rules import winsorized

pytestmark = pytest.mark.usefixtures("rules_as_they_were")

BUILT_IN = ("sum", "mean", "max", "layercam", "product", "winsor")
SIZE = (2, 3)


def maps_of(*values):
    return [np.array([row], np.float32) for row in values]


def layer_maps(seed=0):
    return cam.explain(RandomNet(seed), photo(1, 3, 9, 12), layers="convolution")


# Single rules by hand


def test_sum_lets_large_maps_dominate_and_mean_does_not():
    maps = maps_of([0, 0, 98], [2, 1, 0])
    np.testing.assert_allclose(cam.fuse(maps, [1, 1], (1, 3)), [[1 / 97, 0, 1]], rtol=1e-5)
    np.testing.assert_allclose(cam.shares(maps, [1, 1], (1, 3)), [98 / 101, 3 / 101], rtol=1e-5)
    np.testing.assert_allclose(cam.fuse(maps, [1, 1], (1, 3), "mean"), [[1, 0, 1]], atol=1e-6)
    np.testing.assert_allclose(cam.shares(maps, [1, 1], (1, 3), "mean"), [0.4, 0.6], rtol=1e-5)


def test_max_by_hand():
    maps = maps_of([0, 4, 2], [10, 0, 5])  # stretched: 0 1 .5 and 1 0 .5
    heat = cam.fuse(maps, [2, 1], (1, 3), "max")  # largest of 0 2 1 and 1 0 .5
    np.testing.assert_allclose(heat, [[0, 1, 0]], atol=1e-6)
    shares = cam.shares(maps, [2, 1], (1, 3), "max")  # 2 + 1 and 1
    np.testing.assert_allclose(shares, [0.75, 0.25], rtol=1e-6)
    # With equal weights the last pixel is a tie at a half: each gets a quarter of it.
    np.testing.assert_allclose(cam.shares(maps, [1, 1], (1, 3), "max"), [0.5, 0.5], rtol=1e-6)
    tie = maps_of([0, 4, 2], [4, 0, 2], [4, 0, 0])  # 1 + 1/4; 1/2 + 1/4; 1/2
    np.testing.assert_allclose(
        cam.shares(tie, [1, 1, 1], (1, 3), "max"), [0.5, 0.3, 0.2], rtol=1e-6
    )


def test_layercam_lifts_what_is_weak():
    (x,) = maps_of([0, 1, 4])
    heat = cam.fuse([x], [1], (1, 3), "layercam")
    np.testing.assert_allclose(heat, [[0, np.tanh(0.5) / np.tanh(2), 1]], rtol=1e-5)
    assert heat[0, 1] > 0.25  # which is what min-max alone would give


def test_product_by_hand():
    maps = maps_of([1, 5, 2], [0, 3, 1])  # stretched: 0 1 1/4 and 0 1 1/3
    heat = cam.fuse(maps, [3, 1], (1, 3), "product")
    np.testing.assert_allclose(heat, [[0, 1, (1 / 4) ** 0.75 * (1 / 3) ** 0.25]], rtol=1e-5)
    np.testing.assert_allclose(cam.shares(maps, [3, 1], (1, 3), "product"), [0.75, 0.25])


@pytest.mark.parametrize(
    ("importances", "quantile", "factors"),
    [
        ((0, 0.5, 1, 10), 0.8, (0, 0.1, 0.1 + 0.9 * 0.5 / 5.9, 1)),  # .176: clipped at 6.4
        ((0, 0.5, 1, 10), 0.9, (0, 0.1, 0.1 + 0.9 * 0.5 / 7.7, 1)),  # clipped at 8.2
        ((0, 0.5, 1, 10), 1.0, (0, 0.1, 0.1 + 0.9 * 0.5 / 9.5, 1)),
        ((3, 0, 3), 0.9, (0.1, 0, 0.1)),
        ((0, 0, 0), 0.9, (1, 1, 1)),
    ],
)
def test_factors_of_winsor_are_those_of_its_authors(importances, quantile, factors):
    found = winsorized(np.array(importances, np.float32), quantile)
    np.testing.assert_allclose(found, factors, rtol=1e-6)


def test_winsor_by_hand():
    maps = maps_of([0, 40, 20], [0, 0, 6], [1, 0, 0])  # stretched: 0 1 .5 and 0 0 1 and 1 0 0
    importances = (0.5, 1, 0)  # 0.9-quantile .95; factors .1, 1 and 0
    heat = cam.fuse(maps, [1, 1, 1], (1, 3), "winsor", importances=importances)
    np.testing.assert_allclose(heat, [[0, 0.1 / 1.05, 1]], rtol=1e-5)
    shares = cam.shares(maps, [1, 1, 1], (1, 3), "winsor", importances=importances)
    np.testing.assert_allclose(shares, np.array([0.15, 1, 0]) / 1.15, rtol=1e-5)


@pytest.mark.parametrize("normalize", cam.NORMALIZATIONS)
@pytest.mark.parametrize("silent", [[0, 0, 0], [7, 7, 7]])
def test_a_product_with_a_silent_or_constant_layer_is_zero(normalize, silent):
    maps = maps_of([1, 5, 2], silent)
    heat = cam.fuse(maps, [1, 1e-3], (3, 5), "product", normalize)
    assert not heat.any()
    assert not cam.shares(maps, [1, 1e-3], (3, 5), "product", normalize).any()
    # Switched off, it stands in nobody's way.
    assert cam.fuse(maps, [1, 0], (3, 5), "product", normalize).max() == 1
    np.testing.assert_array_equal(cam.shares(maps, [1, 0], (3, 5), "product", normalize), [1, 0])


def test_a_zero_stays_zero_in_a_product_of_many_layers():
    x = np.ones((50, 2), np.float32)
    x[7] = 0
    heat = cam.fuse([x] * 32, np.ones(32), (288, 2), "product")
    met = 41  # 7 of 49 steps = 41 of 287; in floating numbers, 7 + 9e-16
    np.testing.assert_array_equal(np.flatnonzero(~heat.any(1)), [met])
    np.testing.assert_array_equal(cam.upsample(x, (288, 2))[met], [0, 0])


def test_winsor_clips_the_importances_by_hand():
    importances = [0, 1, 2, 3, 4, 100]
    # 0.9-quantile of 1 2 3 4 100: position 3.6, so 4 + 0.6 * 96.
    cap = 61.6
    factors = np.array([0, *(0.1 + 0.9 * (np.array([1, 2, 3, 4, cap]) - 1) / (cap - 1))])
    maps = list(np.eye(6, dtype=np.float32)[:, None])
    shares = cam.shares(maps, np.ones(6), (1, 6), "winsor", importances=importances)
    np.testing.assert_allclose(shares, factors / factors.sum(), rtol=1e-5)
    heat = cam.fuse(maps, np.ones(6), (1, 6), "winsor", importances=importances)
    np.testing.assert_allclose(heat[0], factors, atol=1e-6)
    # How far an outlier lies above the rest matters no more than its part in the quantile.
    weights = [1, 0.5, 2, 1, 1, 1]
    shares = cam.shares(maps, weights, (1, 6), "winsor", importances=importances)
    np.testing.assert_allclose(shares, factors * weights / (factors @ weights), rtol=1e-5)


def test_winsor_clips_among_the_layers_that_are_on():
    maps = list(np.eye(3, dtype=np.float32)[:, None])
    shares = cam.shares(maps, [1, 1, 0], (1, 3), "winsor", importances=[1, 2, 1000])
    np.testing.assert_allclose(shares, [0.1 / 1.1, 1 / 1.1, 0], rtol=1e-5)


@pytest.mark.parametrize("importances", [None, [0, 0, 0], [5, 5, 5]])
def test_winsor_without_differences_is_the_mean(importances):
    maps = maps_of([0, 4, 2], [10, 0, 5], [1, 1, 7])
    for function in (cam.fuse, cam.shares):
        np.testing.assert_allclose(
            function(maps, [1, 2, 3], (4, 5), "winsor", importances=importances),
            function(maps, [1, 2, 3], (4, 5), "mean"),
            atol=1e-6,
        )


# Rules that users add


def test_the_built_in_rules_are_described():
    assert cam.rule_names() == BUILT_IN
    for name in BUILT_IN:
        rule = cam.get_rule(name)
        assert rule.name == name
        assert rule.summary
        assert "\n" not in rule.summary


def test_a_users_rule_is_offered_fuses_and_has_shares():
    @cam.fusion_rule("median", "middle of the stretched maps")
    def median(stack):
        return np.median([x for _, x in stack.stretched(cam.minmax).upsampled()], axis=0)

    assert cam.rule_names() == (*BUILT_IN, "median")
    rule = cam.get_rule("median")
    assert (rule.name, rule.summary) == ("median", "middle of the stretched maps")
    assert rule.combine is median  # the decorator hands the function back

    maps = layer_maps()
    heat = maps.fuse(rule="median")
    middle = np.median([cam.upsample(cam.minmax(x), maps.size) for x in maps.maps], axis=0)
    np.testing.assert_allclose(
        heat, (middle - middle.min()) / (middle.max() - middle.min()), atol=1e-6
    )
    assert heat.std() > 0.05
    assert heat.dtype == np.float32
    np.testing.assert_array_equal(heat, maps.fuse([3] * len(maps), rule="median"))
    # Without contributions of its own: the mean of each weighted map, as for a sum.
    for weights in (None, {maps.names[0]: 1, maps.names[2]: 2}):
        assert maps.shares(weights, rule="median") == maps.shares(weights, rule="sum")
    assert sum(maps.shares(rule="median").values()) == pytest.approx(1, abs=1e-5)


def test_the_registry_was_put_back():
    assert cam.rule_names() == BUILT_IN
    with pytest.raises(ValueError, match=r"'median'; the rules are sum, mean, max.*winsor\."):
        layer_maps().fuse(rule="median")


def test_a_rule_sees_only_the_layers_that_are_on_with_weights_that_sum_to_one():
    seen = []

    @cam.fusion_rule("look")
    def look(stack):
        seen.append(stack)
        return stack.weighted_sum()

    maps = maps_of([0, 4, 2], [10, 0, 5], [1, 1, 7])
    heat = cam.fuse(maps, [3, 0, 9], (4, 6), "look", importances=[5, 6, 7])
    (stack,) = seen
    np.testing.assert_allclose(stack.weights, [0.25, 0.75])
    np.testing.assert_array_equal(stack.importances, [5, 7])
    for x, y in zip(stack.maps, (maps[0], maps[2]), strict=True):
        np.testing.assert_array_equal(x, y)
    assert stack.size == (4, 6)
    np.testing.assert_array_equal(heat, cam.fuse(maps, [3, 0, 9], (4, 6), "sum"))
    cam.fuse(maps, [3, 0, 9], (4, 6), "look", "max")
    np.testing.assert_allclose(seen[1].maps[1], [[1 / 7, 1 / 7, 1]], rtol=1e-6)


def test_a_rule_with_contributions_of_its_own():
    @cam.fusion_rule("last", contributions=lambda stack: np.arange(len(stack.maps)))
    def last(stack):
        return list(stack.upsampled())[-1][1]

    maps = maps_of([0, 4, 2], [10, 0, 5], [1, 1, 7], [0, 0, 1])
    np.testing.assert_allclose(
        cam.shares(maps, [1, 0, 1, 1], SIZE, "last"), [0, 0, 1 / 3, 2 / 3], rtol=1e-6
    )
    np.testing.assert_array_equal(cam.shares(maps, [0, 1, 0, 0], SIZE, "last"), [0] * 4)
    np.testing.assert_array_equal(cam.fuse(maps, [1, 1, 1, 0], (1, 3), "last"), [[0, 0, 1]])


def test_a_rule_of_the_same_name_is_replaced():
    for value in (0, 1):
        cam.fusion_rule("corner")(lambda stack, value=value: np.eye(*stack.size) == value)
    assert cam.rule_names() == (*BUILT_IN, "corner")
    heat = cam.fuse(maps_of([0, 1]), [1], (2, 2), "corner")  # truths count as numbers
    np.testing.assert_array_equal(heat, np.eye(2))
    assert heat.dtype == np.float32


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint8, np.float64, np.float32])
def test_a_rule_may_give_any_real_numbers(dtype):
    cam.fusion_rule("typed")(lambda _stack: np.array([[0, 1, 0], [1, 1, 0]], dtype))
    heat = cam.fuse(maps_of([0, 1]), [1], SIZE, "typed")
    np.testing.assert_array_equal(heat, [[0, 1, 0], [1, 1, 0]])
    assert heat.dtype == np.float32


BAD_HEAT = {
    "coarse": lambda stack: stack.maps[0],
    "transposed": lambda stack: np.ones(stack.size[::-1]),
    "three axes": lambda stack: np.ones((1, *stack.size)),
    "one number": lambda _stack: 1.0,
    "nothing": lambda _stack: None,
    "text": lambda stack: np.full(stack.size, "hot"),
    "complex": lambda stack: np.full(stack.size, 1j),
    "NaN": lambda stack: np.full(stack.size, np.nan),
    "one NaN": lambda stack: np.where(np.eye(*stack.size, 1) == 1, np.nan, 1.0),
    "infinite": lambda stack: np.full(stack.size, np.inf),
}


@pytest.mark.parametrize("bad", BAD_HEAT)
def test_a_rule_that_gives_no_heatmap_is_named(bad):
    cam.fusion_rule("mine")(BAD_HEAT[bad])
    with pytest.raises(ValueError, match=r"rule 'mine' must give finite numbers of shape \(2, 3\)"):
        cam.fuse(maps_of([0, 4], [1, 2]), [1, 1], SIZE, "mine")
    maps = layer_maps()
    with pytest.raises(ValueError, match=r"'mine' must give finite numbers of shape \(9, 12\)"):
        maps.fuse(rule="mine") if bad != "coarse" else maps.fuse({maps.names[-1]: 1}, rule="mine")


@pytest.mark.parametrize(
    ("contributions", "message"),
    [
        (lambda _stack: [1, 2, 3], r"finite numbers of shape \(2,\)"),
        (lambda _stack: 1.0, r"finite numbers of shape \(2,\)"),
        (lambda _stack: [1, np.nan], r"finite numbers of shape \(2,\)"),
        (lambda _stack: [np.inf, 1], r"finite numbers of shape \(2,\)"),
        (lambda _stack: [2, -1], "contributions >= 0"),
    ],
)
def test_contributions_that_are_no_shares_are_named(contributions, message):
    cam.fusion_rule("mine", contributions=contributions)(cam.Stack.weighted_sum)
    maps = maps_of([0, 4], [1, 2], [3, 3])
    assert cam.fuse(maps, [1, 0, 1], SIZE, "mine").any()
    with pytest.raises(ValueError, match=f"rule 'mine' must give {message}"):
        cam.shares(maps, [1, 0, 1], SIZE, "mine")


def test_an_error_inside_a_rule_reaches_whoever_wrote_it():
    @cam.fusion_rule("broken")
    def broken(stack):
        raise ArithmeticError("half-way")

    with pytest.raises(ArithmeticError, match="half-way"):
        layer_maps().fuse(rule="broken")


@pytest.mark.parametrize("name", ["", None, 3])
def test_a_rule_needs_a_name(name):
    with pytest.raises(TypeError, match=r"needs a name, not .*@fusion_rule\('mine'\)"):
        cam.fusion_rule(name)


def test_a_decorator_without_parentheses_is_explained():
    with pytest.raises(TypeError, match="needs a name, not <function"):

        @cam.fusion_rule
        def mine(stack):
            return stack.weighted_sum()

    assert cam.rule_names() == BUILT_IN
