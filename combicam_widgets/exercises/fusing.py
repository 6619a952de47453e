"""Checks of the lesson "Which layer?": fusing maps, and what each layer brings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from combicam_widgets.exercises.verdict import Floats, NotYet, Right, judge_function, names_of


def check_combi_cam(function: object) -> Right:
    """Check ``f(maps (L, H, W), weights (L,)) -> (H, W)``: the weighted sum, stretched at the end.

    No map is stretched before the sum: that is what makes it Combi-CAM (arXiv 2603.24117).
    """
    usual = [
        (
            "The sum is not stretched: at the end, from 0 to 1.",
            _total,
        ),
        (
            "The weights are not used.",
            lambda m, _: _stretch(m.sum(0)),
        ),
        (
            (
                "Each map is stretched before the sum. That is a rule, too (mean), but "
                "Combi-CAM adds the maps as they are: a layer that found much counts more."
            ),
            lambda m, w: _stretch(_total(_each(m), w)),
        ),
        (
            "Each map is stretched before the sum, and the sum is not stretched.",
            lambda m, w: _total(_each(m), w),
        ),
        (
            "This takes the hottest layer at each place; Combi-CAM adds them up.",
            lambda m, w: _stretch((w[:, None, None] * m).max(0)),
        ),
        (
            (
                "This takes the hottest layer at each place, of stretched maps; Combi-CAM "
                "adds them up as they are."
            ),
            lambda m, w: _stretch((w[:, None, None] * _each(m)).max(0)),
        ),
        (
            "This multiplies the maps; Combi-CAM adds them up.",
            lambda m, w: _stretch((m ** w[:, None, None]).prod(0)),
        ),
        (
            "This is the last layer alone.",
            lambda m, _: _stretch(m[-1]),
        ),
        (
            (
                "A layer whose weight is not 0 counts as much as any other: multiply by the "
                "weight itself."
            ),
            lambda m, w: _stretch(m[w > 0].sum(0)),
        ),
        (
            "The maps are not added up: one heatmap is wanted, not one per layer.",
            lambda m, w: w[:, None, None] * m,
        ),
        (
            "This divides by the maximum without taking the minimum away first.",
            lambda m, w: _total(m, w) / _total(m, w).max(),
        ),
        (
            "The heatmap is upside down: the hottest place is 0.",
            lambda m, w: 1 - _stretch(_total(m, w)),
        ),
    ]
    judge_function(function, _trials(), lambda m, w: _stretch(_total(m, w)), usual, "heatmap")
    return Right("That is Combi-CAM.")


def check_shares(function: object) -> Right:
    """Check ``f(maps (L, H, W), weights (L,)) -> (L,)``: each layer's share of the sum.

    mean(w_l M_l), divided by the sum of these over the layers.
    """
    usual = [
        (
            "These are percent; give parts of 1.",
            lambda m, w: 100 * _shares(m, w),
        ),
        (
            "The shares do not sum to 1: divide by their sum.",
            lambda m, w: w * m.mean((1, 2)),
        ),
        (
            "The shares do not sum to 1: divide by their sum. ",
            lambda m, w: w * m.sum((1, 2)),
        ),
        (
            "The weights are not used.",
            lambda m, w: _shares(m, np.ones_like(w)),
        ),
        (
            "These are the weights, made to sum to 1; how much a layer *found* matters, too.",
            lambda _, w: w / w.sum(),
        ),
        (
            "This divides by the largest: the shares do not sum to 1.",
            lambda m, w: _shares(m, w) / _shares(m, w).max(),
        ),
        (
            "This compares the hottest spots; a share is of the whole map.",
            lambda m, w: w * m.max((1, 2)) / (w * m.max((1, 2))).sum(),
        ),
        (
            "The maps are stretched first, and so what each layer found is lost.",
            lambda m, w: _shares(_each(m), w),
        ),
        (
            "This is a softmax; only divide by the sum.",
            lambda m, w: _softmax(w * m.mean((1, 2))),
        ),
        (
            "Every layer has the same share: this counts the layers.",
            lambda m, _: np.full(len(m), 1 / len(m)),
        ),
        (
            "The shares are in the wrong order: the first layer comes first.",
            lambda m, w: _shares(m, w)[::-1],
        ),
        (
            "This is a share at each place; one number per layer is wanted.",
            lambda m, w: w[:, None, None] * m / _total(m, w),
        ),
    ]
    judge_function(function, _trials(), _shares, usual, "list of shares")
    return Right("They sum to 1, and a layer that is off has none.")


def check_few_layers(
    answer: object,
    names: Iterable[str],
    kept: Callable[[list[str]], float],
    at_least: float = 0.5,
    most: int = 4,
) -> Right:
    """Check a set of few layers whose fused map keeps enough of the confidence.

    Parameters
    ----------
    answer : list of str
        Names of layers.
    names : iterable of str
        Those of all layers.
    kept : callable
        From a list of names to the part of the confidence that their evidence keeps.
    at_least : float
    most : int
        How many layers may be named.
    """
    known = list(names)
    chosen = names_of(answer, "layer", known)
    if len(chosen) == len(known):
        raise NotYet("These are all layers.")
    if len(chosen) > most:
        raise NotYet(f"These are {len(chosen)} layers, and at most {most} are allowed.")
    if (part := kept(chosen)) < at_least:
        raise NotYet(
            f"Their evidence keeps {part:.0%} of the confidence, less than {at_least:.0%}."
        )
    return Right(f"{len(chosen)} of {len(known)} layers are enough here.")


def _total(m: Floats, w: Floats) -> Floats:
    total: Floats = (w[:, None, None] * m).sum(0)
    return total


def _stretch(x: Floats) -> Floats:
    return np.asarray((x - x.min()) / np.ptp(x))


def _each(m: Floats) -> Floats:
    return np.stack([_stretch(x) for x in m])


def _shares(m: Floats, w: Floats) -> Floats:
    found: Floats = w * m.mean((1, 2))
    return np.asarray(found / found.sum())


def _softmax(x: Floats) -> Floats:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


def _trials() -> list[tuple[Any, ...]]:
    """Make maps of layers that found much and little, one of them off."""
    random = np.random.default_rng(7)
    many = random.uniform(0.1, 1, (4, 5, 6)) ** 2 * np.array([1, 8, 0.3, 3])[:, None, None]
    few = random.uniform(0.2, 1, (3, 4, 3)) * np.array([5, 1, 2])[:, None, None]
    return [(many, np.array([1, 0.5, 2, 0])), (few, np.array([0.7, 1.5, 1]))]
