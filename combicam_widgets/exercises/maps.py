"""Checks of the lesson "What a CAM is": Grad-CAM, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from combicam_widgets.exercises.verdict import (
    Floats,
    NotYet,
    Right,
    call,
    close,
    judge,
    judge_function,
    numbers,
)


def check_gradient(answer: object, weights: object, size: tuple[int, int], target: int) -> Right:
    """Check the gradients of a score that is a weighted mean of channels, worked out on paper.

    The network ends in: mean over all places of each channel, then a linear layer.

    Parameters
    ----------
    answer : (K,) numbers
        How much the target's score grows with *one* value of each channel.
    weights : (C, K) numbers
        Of the linear layer.
    size : (h, w)
        Size of the channels.
    target : int
        The class that is explained.
    """
    table, places = np.asarray(numbers(weights, "weights")), size[0] * size[1]
    row = table[target]
    usual = [
        (
            (
                "This would be so if there were no mean over the places: how much does the "
                "mean grow when only one of the places does?"
            ),
            row,
        ),
        (
            "The mean is over all places, height times width, not over one side.",
            row / size[0],
        ),
        (
            "The mean is over all places, height times width; this divides by width.",
            row / size[1],
        ),
        (
            "A mean divides by the number of places; this multiplies by it.",
            row * places,
        ),
        (
            (
                "These are the activations' weights without their signs; a channel can also "
                "speak against a class."
            ),
            np.abs(row) / places,
        ),
        (
            "What speaks against the target counts too, with its sign: relu comes later.",
            np.maximum(row, 0) / places,
        ),
        (
            "This adds up all classes; only the target's score is explained.",
            table.sum(0) / places,
        ),
        (
            "This divides by the number of channels; the mean is over places.",
            row / row.size,
        ),
    ]
    for other in range(len(table)):
        if other != target:
            words = f"This is so for class {other}, and asked is class {target}."
            usual.append((words, table[other] / places))
    judge(answer, row / places, usual, "list of gradients")
    return Right("One place more, one part of the mean more, times the channel's weight.")


def check_channel_weights(function: object) -> Right:
    """Check ``f(gradients (K, h, w)) -> (K,)``: how much each channel counts, in Grad-CAM."""
    cases = [(g,) for _, g in _trials()]
    usual = [
        (
            "This is the sum over the places; Grad-CAM takes their mean.",
            lambda g: g.sum((1, 2)),
        ),
        (
            (
                "This is one number per place: the mean went over the channels. What counts "
                "more or less are the channels."
            ),
            lambda g: g.mean(0),
        ),
        (
            (
                "This is one number for everything: average over the places, and keep the "
                "channels apart."
            ),
            lambda g: g.mean(),
        ),
        (
            "The mean goes over one axis of the places only: over height and width, both.",
            lambda g: g.mean(2),
        ),
        (
            "The mean goes over the rows only: over height and width, both.",
            lambda g: g.mean(1),
        ),
        (
            "The signs are lost: a channel that speaks against the target has a negative weight.",
            lambda g: np.abs(g).mean((1, 2)),
        ),
        (
            (
                "The sign of each mean is lost: a channel that speaks against the target "
                "has a negative weight."
            ),
            lambda g: np.abs(g.mean((1, 2))),
        ),
        (
            "relu comes later, on the map: here, what speaks against the target counts, too.",
            lambda g: np.maximum(g.mean((1, 2)), 0),
        ),
        (
            (
                "relu comes later, on the map: here the mean is over all gradients, also "
                "the negative ones."
            ),
            lambda g: np.maximum(g, 0).mean((1, 2)),
        ),
        (
            "This is the largest gradient of each channel; Grad-CAM takes the mean.",
            lambda g: g.max((1, 2)),
        ),
        (
            "The weights have been made to sum to 1; Grad-CAM leaves them as they are.",
            lambda g: g.mean((1, 2)) / g.mean((1, 2)).sum(),
        ),
        (
            (
                "The numbers are right, with two axes of length 1 too many: one number per "
                "channel, no `keepdims` here."
            ),
            lambda g: g.mean((1, 2), keepdims=True),
        ),
    ]
    judge_function(function, cases, lambda g: g.mean((1, 2)), usual, "list of weights")
    return Right("One weight per channel, with its sign.")


def check_gradcam(function: object) -> Right:
    """Check ``f(activations (K, h, w), gradients (K, h, w)) -> (h, w)``: Grad-CAM of a layer.

    As in Selvaraju et al. (ICCV 2017): relu(sum_k mean_ij(G_k) A_k), not stretched.
    """
    wrong = [
        (
            "relu is missing: what speaks against the target is still in the map.",
            _signed,
        ),
        (
            "The sign is the wrong way round: this shows what speaks against the target.",
            lambda a, g: np.maximum(-_signed(a, g), 0),
        ),
        (
            (
                "Negative values are turned into positive ones; what speaks against the "
                "target is to be left out, not to shine."
            ),
            lambda a, g: np.abs(_signed(a, g)),
        ),
        (
            "relu came too early: it was taken of each channel, and belongs behind the sum.",
            lambda a, g: np.maximum(_weights(g) * a, 0).sum(0),
        ),
        (
            "relu was taken of the weights; it belongs behind the sum over the channels.",
            lambda a, g: (np.maximum(_weights(g), 0) * a).sum(0),
        ),
        (
            (
                "This multiplies place by place, before any mean. That is a method, too "
                "(HiResCAM), but Grad-CAM averages a channel's gradient first."
            ),
            lambda a, g: np.maximum((g * a).sum(0), 0),
        ),
        (
            (
                "This multiplies what is positive place by place. That is a method, too "
                "(LayerCAM); Grad-CAM averages a channel's gradient first."
            ),
            lambda a, g: np.maximum((np.maximum(g, 0) * a).sum(0), 0),
        ),
        (
            (
                "The map is stretched to its own maximum already. A single layer's map "
                "stays as it is: how large it is will matter when layers are added."
            ),
            lambda a, g: _stretched(gradcam(a, g)),
        ),
        (
            "The gradients were not used: this only shows where channels are active.",
            lambda a, _g: np.maximum(a.sum(0), 0),
        ),
        (
            "The activations were not used: this only shows the gradients.",
            lambda _a, g: np.maximum(g.sum(0), 0),
        ),
        (
            "Activations and gradients have changed places.",
            lambda a, g: gradcam(g, a),
        ),
        (
            "The channels have not been added up: one map is wanted, not one per channel.",
            lambda a, g: np.maximum(_weights(g) * a, 0),
        ),
        (
            "The channels have not been added up, and relu is missing, too.",
            lambda a, g: _weights(g) * a,
        ),
    ]
    scaled = [
        (
            "This averages over the channels; Grad-CAM adds them up.",
            lambda a, g: np.maximum((_weights(g) * a).mean(0), 0),
        ),
        (
            "The weights are sums over the places; Grad-CAM takes means.",
            lambda a, g: np.maximum((g.sum((1, 2))[:, None, None] * a).sum(0), 0),
        ),
    ]
    judge_function(function, _trials(), gradcam, [*wrong, *scaled], "map")
    return Right("That is Grad-CAM.")


def check_stretch(function: object) -> Right:
    """Check ``f(map (h, w)) -> (h, w) in [0, 1]``: (x - min) / (max - min), zeros if constant."""
    random = np.random.default_rng(3)
    cases = [(random.normal(2.0, 3.0, (4, 6)),), (random.uniform(1, 2, (5, 3)),)]
    usual = [
        (
            "The smallest value should become 0: take the minimum away first.",
            lambda x: x / x.max(),
        ),
        (
            "The largest value should become 1, and nothing is divided yet.",
            lambda x: x - x.min(),
        ),
        (
            "This divides by the maximum as it was before the minimum was taken away.",
            lambda x: (x - x.min()) / x.max(),
        ),
        (
            "This cuts the values off at 0 and 1; they are to be stretched.",
            lambda x: np.clip(x, 0, 1),
        ),
        (
            "The values sum to 1; they are to reach from 0 to 1.",
            lambda x: x / x.sum(),
        ),
        (
            "This is a softmax: its values sum to 1, and are to reach from 0 to 1.",
            lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
        ),
        (
            "Mean 0 and deviation 1 is another way to scale; here, from 0 to 1.",
            lambda x: (x - x.mean()) / x.std(),
        ),
        (
            "This is upside down: the hottest place is 0.",
            lambda x: (x.max() - x) / np.ptp(x),
        ),
        (
            "The values reach from -1 to 1.",
            lambda x: 2 * _stretched(x) - 1,
        ),
        (
            "The values reach from 0 to 255.",
            lambda x: 255 * _stretched(x),
        ),
        (
            "Each row is stretched by itself: minimum and maximum of the whole map.",
            lambda x: (x - x.min(1, keepdims=True)) / np.ptp(x, axis=1, keepdims=True),
        ),
        (
            "Each column is stretched by itself: minimum and maximum of the whole map.",
            lambda x: (x - x.min(0)) / np.ptp(x, axis=0),
        ),
    ]
    judge_function(function, cases, _stretched, usual, "map")
    with np.errstate(all="ignore"):
        flat = np.asarray(call(function, np.full((2, 3), 0.5)), float)
    if not np.isfinite(flat).all():
        raise NotYet(
            "Where a map is the same everywhere, this divides by zero. Such a map found nothing: "
            "all zeros."
        )
    if flat.any():
        raise NotYet(
            "A map that is the same everywhere points nowhere: it should become all zeros, "
            "and not hot everywhere."
        )
    return Right("From 0 to 1, and nothing burns where nothing was found.")


def check_heatmap(answer: object, size: tuple[int, int]) -> Right:
    """Check what every heatmap has to be: one value in [0, 1] per pixel, something at 1.

    Parameters
    ----------
    answer : (H, W) numbers
    size : (H, W)
        Of the photo.
    """
    heat = numbers(answer, "heatmap")
    _check_size(heat, tuple(size))
    wrong = [
        (heat.min() < 0, "has negative values: leave out what speaks against the target"),
        (not heat.any(), "is 0 everywhere"),
        (heat.min() == heat.max(), "is the same everywhere, which points nowhere"),
        (heat.max() > 100, "has values of colours, up to 255; a heatmap goes from 0 to 1"),
        (abs(heat.max() - 1) > 1e-3, "is not stretched: its largest value should be 1"),
        (heat.min() > 1e-3, "is not stretched: its smallest value should be 0"),
        (np.isin(heat, (0, 1)).all(), "has only zeros and ones: this is a mask"),
    ]
    for applies, words in wrong:
        if applies:
            raise NotYet(f"The heatmap {words}.")
    return Right("One value from 0 to 1 for each pixel.")


def check_same_map(answer: object, by_library: object) -> Right:
    """Check a map of a real layer made by hand against the library's map of that layer."""
    given, wanted = numbers(answer, "map"), numbers(by_library, "library's map")
    if given.shape != wanted.shape and close(given.squeeze(), wanted):
        raise NotYet("The numbers are right, with an axis of length 1 too many: take photo [0].")
    usual = [
        (
            "The map is stretched already; the library's maps of layers are not.",
            _stretched(wanted),
        ),
        (
            "This is the map turned by half a turn.",
            wanted[::-1, ::-1],
        ),
        (
            "This is the map upside down.",
            wanted[::-1],
        ),
        (
            "This is the map's mirror image.",
            wanted[:, ::-1],
        ),
    ]
    judge(given, wanted, usual, "map")
    return Right("The same as the library's, and you know every step of it.")


def _check_size(heat: Floats, size: tuple[int, ...]) -> None:
    if heat.ndim != 2:
        raise NotYet(f"A heatmap has two axes, height and width; the shape is {heat.shape}.")
    if heat.shape == size:
        return
    if heat.shape == size[::-1]:
        raise NotYet("Height and width have changed places: rows come first.")
    if heat.size < 0.2 * size[0] * size[1]:
        raise NotYet(
            f"The map still has the size of the layer, {heat.shape}: enlarge it to {size}."
        )
    raise NotYet(f"The heatmap has the shape {heat.shape}, and the photo {size}.")


def gradcam(a: Floats, g: Floats) -> Floats:
    """Grad-CAM, to compare with."""
    return np.maximum(_signed(a, g), 0)


def _weights(g: Floats) -> Floats:
    weights: Floats = g.mean((1, 2))[:, None, None]
    return weights


def _signed(a: Floats, g: Floats) -> Floats:
    total: Floats = (_weights(g) * a).sum(0)
    return total


def _stretched(x: Floats) -> Floats:
    return np.asarray((x - x.min()) / np.ptp(x)) if np.ptp(x) else np.zeros_like(x)


def _trials() -> list[tuple[Any, ...]]:
    """Make activations and gradients of two layers of no square shape.

    Channels speak for the target and against it, and so does their sum, place by place.
    """
    random = np.random.default_rng(2)
    cases = []
    for shape in ((5, 4, 6), (4, 7, 2)):
        sides = np.resize([0.8, -0.6, 0.3, -0.4], shape[0])[:, None, None]
        cases.append((random.normal(0.3, 1, shape), random.normal(0, 1, shape) + sides))
    return cases
