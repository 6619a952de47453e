"""Paired statistics: worked out by hand, or against an independent computation."""

import numpy as np
import pytest
from scipy.stats import spearmanr, wilcoxon

from combicam_widgets.evaluation.statistics import (
    agreement,
    comparison,
    holm,
    interval,
    mean_ranks,
)

RNG = np.random.default_rng(0)
BASE = RNG.normal(size=40)
BETTER = BASE + 1 + 0.2 * RNG.normal(size=40)


def test_differences_are_paired():
    """Photos differ far more than candidates do: only pairing shows it."""
    spread = 100 * RNG.normal(size=40)
    values = {"reference": spread, "better": spread + 0.1 + 0.01 * RNG.normal(size=40)}
    found = comparison(values, "reference", True)["better"]
    assert found.difference == pytest.approx(0.1, abs=0.01)
    assert 0.09 < found.low < found.difference < found.high < 0.11
    assert found.won == 1
    assert found.photos == 40
    assert found.p == wilcoxon(values["better"] - spread).pvalue
    assert found.mean == pytest.approx(values["better"].mean())


def test_lower_can_be_better_and_ties_count_half():
    values = {"a": np.array([1.0, 2, 3, 4]), "b": np.array([0.0, 2, 3, 5])}
    found = comparison(values, "a", False)["b"]
    assert found.won == pytest.approx((1 + 0.5 + 0.5 + 0) / 4)
    assert comparison(values, "a", True)["b"].won == pytest.approx(0.5)
    values["b"] = np.array([0.0, 1, 2, 5])
    assert comparison(values, "a", False)["b"].won == 0.75
    assert comparison(values, "a", True)["b"].won == 0.25


def test_photos_without_a_value_are_left_out():
    values = {"a": np.array([1.0, np.nan, 3]), "b": np.array([2.0, 9, np.nan])}
    found = comparison(values, "a", True)["b"]
    assert (found.difference, found.photos, found.mean) == (1, 1, 2)
    nothing = comparison({"a": np.array([np.nan]), "b": np.array([1.0])}, "a", True)["b"]
    assert np.isnan(nothing.difference)
    assert nothing.photos == 0
    assert nothing.p == 1


def test_the_interval_is_that_of_the_mean_and_seeded():
    low, high = interval(BASE)
    half = 1.96 * BASE.std(ddof=1) / np.sqrt(40)
    assert low == pytest.approx(BASE.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(BASE.mean() + half, abs=0.1 * half)
    assert (low, high) == interval(BASE)
    assert (low, high) != interval(BASE, seed=1)
    assert interval(np.array([2.0, 2.0])) == (2, 2)


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx(
        {"a": 0.03, "c": 0.06, "b": 0.06}
    )
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1, "b": 1}
    assert holm({}) == {}


def test_ranks_and_the_critical_difference():
    values = {"worst": BASE - 5, "best": BASE + 5, "middle": BASE}
    ranks, critical = mean_ranks(values, True)
    assert ranks == {"worst": 3, "best": 1, "middle": 2}
    assert mean_ranks(values, False)[0] == {"worst": 1, "best": 3, "middle": 2}
    # q of Demsar's table 5 (k = 3): 2.343
    assert critical == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 40)), rel=1e-3)


def test_agreement_is_spearman_over_candidates():
    first = {name: RNG.normal(size=5) for name in "abcdef"}
    second = {name: RNG.normal(size=5) for name in "abcdef"}
    turned = {name: -x for name, x in first.items()}
    flat = {name: np.zeros(5) for name in first}
    found = agreement({"first": first, "second": second, "turned": turned, "flat": flat})
    a, b = (np.array(list(x.values())) for x in (first, second))
    expected = np.mean([spearmanr(a[:, i], b[:, i]).statistic for i in range(5)])
    assert found[0, 1] == found[1, 0] == pytest.approx(expected)
    assert found[0, 2] == pytest.approx(-1)
    assert found[0, 0] == 1
    assert np.isnan(found[0, 3])  # what ranks nothing agrees with nothing
