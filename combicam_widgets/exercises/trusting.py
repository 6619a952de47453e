"""Checks of the lessons "Is it right?" and "Your own": worth, controls, comparisons, fair tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from combicam_widgets.exercises.verdict import (
    Floats,
    NotYet,
    Right,
    call,
    close,
    judge,
    judge_function,
    names_of,
    numbers,
)

if TYPE_CHECKING:
    from combicam_widgets.cam import Stack

if TYPE_CHECKING:
    from combicam_widgets.cam import Stack


def check_hottest(function: object) -> Right:
    """Check ``f(heatmap (H, W), keep) -> (H, W) truths``: the hottest ``keep`` of all pixels."""
    random = np.random.default_rng(11)
    # Never twice the same heat, so that exactly one mask is right; and not spread evenly.
    heats = [random.permutation(np.linspace(0, 1, 60) ** 3).reshape(6, 10) for _ in range(2)]
    cases = [(heats[0], 0.3), (heats[1], 0.1)]
    usual = [
        (
            (
                "`keep` was taken for a temperature: it is the part of the *pixels* that is "
                "kept, so first find out which heat they have at least."
            ),
            lambda h, k: h > k,
        ),
        (
            "`keep` was taken for a temperature, counted from the top: it is a part of the pixels.",
            lambda h, k: h > 1 - k,
        ),
        (
            "These are the coldest pixels.",
            lambda h, k: h < np.quantile(h, k),
        ),
        (
            "This is everything but the hottest part.",
            lambda h, k: h < np.quantile(h, 1 - k),
        ),
        (
            "This keeps too much: all but the coldest part of that size.",
            lambda h, k: h >= np.quantile(h, k),
        ),
        (
            "These are the heats of the hottest part; a mask of truths is wanted.",
            lambda h, k: h * _hottest(h, k),
        ),
        (
            "This keeps everything that is above the mean, whatever `keep` is.",
            lambda h, _: h > h.mean(),
        ),
        (
            "This keeps everything that is above the median, whatever `keep` is.",
            lambda h, _: h > np.median(h),
        ),
        (
            "This compares with a part of the maximum; `keep` is a part of the pixels.",
            lambda h, k: h > k * h.max(),
        ),
        (
            "This keeps the hottest pixels of each row; of the whole photo.",
            lambda h, k: h >= np.quantile(h, 1 - k, axis=1, keepdims=True),
        ),
        (
            "This keeps the hottest pixels of each column; of the whole photo.",
            lambda h, k: h >= np.quantile(h, 1 - k, axis=0, keepdims=True),
        ),
        (
            "This is the threshold; compare the heatmap with it.",
            lambda h, k: np.quantile(h, 1 - k),
        ),
    ]
    answers = [numbers(call(function, *case), "mask") for case in cases]
    if all(
        a.shape == h.shape
        and set(np.unique(a)) <= {0.0, 1.0}
        and abs(a.sum() - k * h.size) <= 1
        and h[a > 0].min() > h[a == 0].max()
        for a, (h, k) in zip(answers, cases, strict=True)
        if a.any()
    ) and all(a.any() for a in answers):
        return Right("The hottest part of the pixels, whatever their heat is.")
    judge_function(function, cases, _hottest, usual, "mask")
    return Right("The hottest part of the pixels, whatever their heat is.")


def check_worth(function: object) -> Right:
    """Check ``f(areas, inserted, deleted, probability) -> number``: what a heatmap is worth.

    (area below the insertion curve - area below the deletion curve) / probability.
    """
    usual = [
        (
            "The wrong way round: a good heatmap has a high insertion and a low deletion.",
            lambda x, i, d, p: -_worth(x, i, d, p),
        ),
        (
            "Divide by the probability for the whole photo: worth is a part of the confidence.",
            lambda x, i, d, _: _below(i, x) - _below(d, x),
        ),
        (
            "This is the insertion alone; take the deletion away.",
            lambda x, i, _, p: _below(i, x) / p,
        ),
        (
            "This is the insertion alone, and not divided by the probability.",
            lambda x, i, _, _p: _below(i, x),
        ),
        (
            "This is the deletion alone.",
            lambda x, _, d, p: _below(d, x) / p,
        ),
        (
            "This adds the two areas; take one away from the other.",
            lambda x, i, d, p: (_below(i, x) + _below(d, x)) / p,
        ),
        (
            "This is a ratio of the areas; a difference is wanted.",
            lambda x, i, d, _: _below(i, x) / _below(d, x),
        ),
        (
            "This multiplies by the probability; divide.",
            lambda x, i, d, p: (_below(i, x) - _below(d, x)) * p,
        ),
        (
            (
                "This is a mean of the values: nearly the area, but the first and the last "
                "point count half (trapezoids), and the steps need not be equal."
            ),
            lambda _, i, d, p: (i - d).mean() / p,
        ),
        (
            "This is a sum of the values; the area below a curve is wanted.",
            lambda _, i, d, p: (i - d).sum() / p,
        ),
        (
            "This looks at the largest gap between the curves; the area between them is wanted.",
            lambda _, i, d, p: (i - d).max() / p,
        ),
        (
            "These are percent; give a part of 1.",
            lambda x, i, d, p: 100 * _worth(x, i, d, p),
        ),
        (
            "This looks at the ends of the curves; there, every heatmap is the same.",
            lambda _, i, d, p: (i[-1] - d[-1]) / p,
        ),
        (
            "A negative worth is not 0: it says that the photo is better off without this part.",
            lambda x, i, d, p: max(_worth(x, i, d, p), 0),
        ),
    ]
    judge_function(function, _curves(), _worth, usual, "worth")
    return Right("0 is what a random order gives.")


def check_conclusion(answer: object, low: float, high: float) -> Right:
    """Check what follows from the interval of a difference: "better", "worse" or "cannot tell".

    Parameters
    ----------
    answer : str
    low, high : float
        Ends of the interval of the mean difference; higher is better.
    """
    if answer is None or answer is Ellipsis:
        raise NotYet("There is no answer yet: put it in the place of the three dots.")
    words = ("better", "worse", "cannot tell")
    if not isinstance(answer, str) or answer.strip().lower() not in words:
        raise NotYet(f"Say one of {', '.join(map(repr, words))}.")
    said = answer.strip().lower()
    right = "better" if low > 0 else "worse" if high < 0 else "cannot tell"
    if said == right:
        return Right("The interval says so, and says no more.")
    if right == "cannot tell":
        raise NotYet("Look at the interval: it reaches from below 0 to above 0.")
    if said == "cannot tell":
        raise NotYet("Look at the interval: on which side of 0 does all of it lie?")
    raise NotYet("Look at the sign: the difference is to the reference, and higher is better.")


def check_looks_right(
    answer: object, worths: Mapping[str, float], controls: Iterable[str]
) -> Right:
    """Check which heatmaps are worth more than every control, and so say something.

    Parameters
    ----------
    answer : list of str
        Names of heatmaps.
    worths : mapping
        Worth of every heatmap and every control, by name.
    controls : iterable of str
        Names of those that know nothing.
    """
    known_nothing = list(controls)
    named = names_of(answer, "heatmap", worths)
    bar = max(worths[name] for name in known_nothing)
    for name in named:
        if name in known_nothing:
            raise NotYet(f"{name!r} is a control: it knows nothing of the network.")
        if worths[name] <= bar:
            beaten = max(known_nothing, key=worths.__getitem__)
            raise NotYet(f"{name!r} is worth no more than the control {beaten!r}.")
    if missing := [n for n in worths if n not in (*known_nothing, *named) and worths[n] > bar]:
        raise NotYet(
            f"{len(missing)} more of them {'is' if len(missing) == 1 else 'are'} worth more "
            "than every control."
        )
    return Right("On this photo, with this fill. Other photos may say otherwise.")


def check_wrapped(answer: object, outputs: object) -> Right:
    """Check what a wrapped network answers with: its own probabilities, untouched.

    Parameters
    ----------
    answer : (C,) numbers
        ``model.predict(photo).probabilities`` of the learner's model.
    outputs : (C,) numbers
        The probabilities that the network itself gives for what the model shows it of that photo.
    """
    p = numbers(outputs, "outputs")
    twice = np.exp(p) / np.exp(p).sum()
    usual = [
        (
            (
                "The softmax was taken a second time: these outputs are probabilities "
                "already. Say so with `outputs=`."
            ),
            twice,
        ),
        ("These are the logarithms of the probabilities.", np.log(np.maximum(p, 1e-30))),
        ("These are percent; give parts of 1.", 100 * p),
        ("These are the probabilities of all *other* cells.", 1 - p),
        ("The cells are in the wrong order: the reverse.", p[::-1]),
        (
            "The cells were sorted; they must stay in the order of the classes.",
            np.sort(p),
        ),
        (
            (
                "The cells were sorted; they must stay in the order of the network's classes, the "
                "largest need not come first."
            ),
            np.sort(p)[::-1],
        ),
        ("This is 1 for the best cell, and 0 elsewhere.", (p == p.max()).astype(float)),
        (
            "All cells are equally likely: was the network asked at all?",
            np.full(p.size, 1 / p.size),
        ),
    ]
    given = numbers(answer, "list of probabilities")
    if given.shape == p.shape and (given < 0).any():
        raise NotYet("There are negative values: these are scores, not yet probabilities.")
    if given.shape == p.shape and not np.isclose(given.sum(), 1, atol=1e-3) and given.max() <= 1:
        words = [w for w, x in usual if close(given, x)]
        raise NotYet(words[0] if words else "The probabilities do not sum to 1.")
    judge(given, p, usual, "list of probabilities")
    return Right("The network's own answer, cell by cell.")


def check_split(chosen_on: object, tested_on: object, known: Iterable[str] = ()) -> Right:
    """Check that what was chosen on some photos is tested on others.

    Parameters
    ----------
    chosen_on, tested_on : lists of str
        Names of photos.
    known : iterable of str
        Names of the photos that there are; none: any.
    """
    choose, test = (names_of(each, "photo", known) for each in (chosen_on, tested_on))
    if both := sorted(set(choose) & set(test)):
        raise NotYet(
            f"Tuned on the test photos: {both[0]!r} is in both lists. What was chosen because it "
            "is good there, is good there."
        )
    for what, names in (("choose", choose), ("test", test)):
        if len(names) < 3:
            raise NotYet(f"With {len(names)} photos to {what} on, chance decides: three or more.")
    return Right("Nothing was chosen on the photos that judge it.")


def check_rule(function: object) -> Right:
    """Check a fusion rule: ``f(stack) -> (H, W)``, as `combicam_widgets.cam.fusion_rule` takes it.

    Any idea is right. What is checked is what every rule has to do.
    """
    one, other = (0, 1, 2), (2, 0, 1)
    heat = _fused(function, _stack(one))
    if not close(heat, _fused(function, _stack(one))):
        raise NotYet("Twice the same maps, two heatmaps: there must be no chance in a rule.")
    if not close(heat, _fused(function, _stack(other))):
        raise NotYet("The order of the layers changes the heatmap; only maps and weights should.")
    if close(heat, _plain_sum()):
        raise NotYet("This is *sum*, the rule that is there already. What would you do otherwise?")
    if any(close(heat, _fused(function, _stack((i,)))) for i in one):
        raise NotYet("Only one of the layers counts; the others could as well be off.")
    if close(heat, _fused(function, _stack(one, louder=2))):
        return Right("A rule. It does not look at the weights: a layer is on or off, no more.")
    return Right("A rule like any other: the explorer can offer it.")


_SIZE = (16, 12)


def _maps() -> tuple[Any, ...]:
    """Make maps of three layers that found much and little."""
    random = np.random.default_rng(13)
    shapes = ((8, 6), 1.0), ((4, 3), 6.0), ((4, 3), 0.4)
    return tuple(np.asarray(random.uniform(0, 1, s) * k, np.float32) for s, k in shapes)


def _stack(order: tuple[int, ...], *, louder: int | None = None) -> Stack:
    """Make what a rule gets, of some of the layers, one of them with three times the weight."""
    from combicam_widgets import cam  # noqa: PLC0415  - loads torch, and only this check needs it

    weights = np.array([3.0 if i == louder else 1.0 for i in order], np.float32)
    chosen = tuple(_maps()[i] for i in order)
    return cam.Stack(chosen, weights / weights.sum(), np.ones(len(order), np.float32), _SIZE)


def _fused(function: object, of: Stack) -> Floats:
    heat = numbers(call(function, of), "heatmap")
    if heat.shape != _SIZE:
        raise NotYet(f"The heatmap has the shape {heat.shape}, and `stack.size` is {_SIZE}.")
    if heat.min() < -1e-6:
        raise NotYet("The heatmap has negative values; heat is 0 or more.")
    if not heat.any():
        raise NotYet("The heatmap is 0 everywhere, though the layers found something.")
    if np.ptp(heat) < 1e-9:
        raise NotYet("The heatmap is the same everywhere, which points nowhere.")
    return np.asarray((heat - heat.min()) / np.ptp(heat))


def _plain_sum() -> Floats:
    from combicam_widgets import cam  # noqa: PLC0415

    total = np.sum([cam.upsample(x, _SIZE) for x in _maps()], axis=0, dtype=float)
    return np.asarray((total - total.min()) / np.ptp(total))


def _hottest(h: Floats, k: float) -> Any:  # noqa: ANN401
    return h >= np.sort(h, axis=None)[-round(k * h.size)]


def _below(y: Floats, x: Floats) -> float:
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum())


def _worth(x: Floats, i: Floats, d: Floats, p: float) -> float:
    return (_below(i, x) - _below(d, x)) / p


def _curves() -> list[tuple[Any, ...]]:
    """Curves of a good heatmap and of a bad one; steps of unequal width."""
    x = np.array([0, 0.1, 0.25, 0.5, 0.75, 1])
    good = np.array([0.01, 0.3, 0.45, 0.5, 0.55, 0.6]), np.array([0.6, 0.2, 0.1, 0.05, 0.03, 0.01])
    bad = np.array([0.02, 0.05, 0.1, 0.2, 0.5, 0.8]), np.array([0.8, 0.75, 0.6, 0.4, 0.3, 0.02])
    return [(x, *good, 0.6), (x, *bad, 0.8)]
