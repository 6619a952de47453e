"""Fusion rules: how the maps of the layers that are on become one. Pure numpy.

A rule is a function of a `Stack`; `fusion_rule` registers it, and from then on it is offered
wherever rules are, in the explorer too::

    @cam.fusion_rule("median", "middle of the maps, each stretched to [0, 1] first")
    def median(stack):
        return np.median([x for _, x in stack.stretched(cam.minmax).upsampled()], axis=0)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam.listeners import Listeners
from combicam_widgets.cam.upsampling import (
    Map,
    Size,
    by_maximum,
    mean_upsampled,
    minmax,
    upsample,
)

WINSOR_QUANTILE = 0.9
"""Where Winsor-CAM clips the importances: the 90th percentile of its authors' README."""


@dataclass(frozen=True)
class Stack:
    """What a rule gets: the layers that are on.

    Attributes
    ----------
    maps : tuple of (h_l, w_l) float32 arrays
        Values >= 0.
    weights : (L,) float32 array
        All > 0; they sum to 1.
    importances : (L,) float32 array
        relu(mean of the gradients) of each layer, >= 0.
    size : (H, W)
        Size of the heatmap.
    smooth : bool
        Whether the heatmap is to be looked at, without kinks, rather than measured.
    """

    maps: tuple[Map, ...]
    weights: npt.NDArray[np.float32]
    importances: npt.NDArray[np.float32]
    size: Size
    smooth: bool = False

    def stretched(self, stretch: Callable[[Map], Map]) -> Stack:
        """Apply a function to each map."""
        return replace(self, maps=tuple(map(stretch, self.maps)))

    def upsampled(self) -> Iterator[tuple[np.float32, Map]]:
        """Give each weight with its map upsampled to the heatmap's size, one after the other."""
        for weight, x in zip(self.weights, self.maps, strict=True):
            yield weight, upsample(x, self.size, smooth=self.smooth)

    def weighted_sum(self) -> Map:
        """Add up the weighted maps: at the coarse size, then one upsampling per resolution."""
        coarse: dict[tuple[int, ...], Map] = {}
        for weight, x in zip(self.weights, self.maps, strict=True):
            coarse[x.shape] = coarse[x.shape] + weight * x if x.shape in coarse else weight * x
        resized = [upsample(x, self.size, smooth=self.smooth) for x in coarse.values()]
        total: Map = np.sum(resized, axis=0)
        return total

    def weighted_means(self) -> npt.NDArray[np.float64]:
        """Mean of each weighted map over the heatmap: what it brings into a sum."""
        means = [mean_upsampled(x, self.size) for x in self.maps]
        return self.weights.astype(np.float64) * means


Combine: TypeAlias = Callable[[Stack], npt.NDArray[np.floating[Any]]]
Contributions: TypeAlias = Callable[[Stack], npt.NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class FusionRule:
    """One way to fuse maps.

    Attributes
    ----------
    name : str
    summary : str
        One line for people.
    combine : callable
        From a `Stack` to the (H, W) heatmap before the final min-max.
    contributions : callable
        From a `Stack` to (L,) numbers >= 0: what each layer brings in, on any common scale.
    """

    name: str
    summary: str
    combine: Combine
    contributions: Contributions


_RULES: dict[str, FusionRule] = {}

when_rules_change = Listeners()


def fusion_rule(
    name: str, summary: str = "", contributions: Contributions = Stack.weighted_means
) -> Callable[[Combine], Combine]:
    """Register the decorated function as a fusion rule.

    Parameters
    ----------
    name : str
        An existing rule of that name is replaced.
    summary : str
        One line for people.
    contributions : callable
        See `FusionRule`; default: the mean of each weighted map.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"A fusion rule needs a name, not {name!r}: @fusion_rule('mine').")

    def register(combine: Combine) -> Combine:
        _RULES[name] = FusionRule(name, summary, combine, contributions)
        when_rules_change.tell()
        return combine

    return register


def get_rule(name: str) -> FusionRule:
    """Look a fusion rule up; ValueError names the rules there are."""
    if name not in _RULES:
        raise ValueError(f"Unknown fusion rule {name!r:.60}; the rules are {', '.join(_RULES)}.")
    return _RULES[name]


def is_built_in(name: str) -> bool:
    """Whether a rule is the one of this package, and not somebody's in its place."""
    return _BUILT_IN.get(name) is get_rule(name)


def rule_names() -> tuple[str, ...]:
    """List the names of the fusion rules, the default first."""
    return tuple(_RULES)


@fusion_rule("sum", "sum of the raw maps: Combi-CAM (Faget et al., arXiv 2603.24117)")
def _sum(stack: Stack) -> Map:
    return stack.weighted_sum()


@fusion_rule(
    "mean",
    "mean of the maps, each stretched to [0, 1] first (as in pytorch-grad-cam)",
    lambda stack: stack.stretched(minmax).weighted_means(),
)
def _mean(stack: Stack) -> Map:
    return stack.stretched(minmax).weighted_sum()


def _maximum(stack: Stack) -> Map:
    heat = np.zeros(stack.size, np.float32)
    for x in _weighted(stack):
        np.maximum(heat, x, out=heat)
    return heat


def _weighted(stack: Stack) -> Iterator[Map]:
    """Give each weighted map in the heatmap's size: weighted while it is small."""
    for weight, x in zip(stack.weights, stack.maps, strict=True):
        yield upsample(weight * x, stack.size, smooth=stack.smooth)


def _won(stack: Stack) -> npt.NDArray[np.float64]:
    """Heat in the pixels where a layer is the largest; layers that tie have equal parts of it."""
    heat = _maximum(stack)
    won = [x == heat for x in _weighted(stack)]
    ties = np.zeros(stack.size, np.float32)
    for mine in won:
        ties += mine
    part = heat / np.maximum(ties, 1)
    return np.array([np.vdot(part, mine) for mine in won], np.float64)


@fusion_rule(
    "max",
    "largest of the maps, each stretched to [0, 1] first (as in TorchCAM)",
    lambda stack: _won(stack.stretched(minmax)),
)
def _max(stack: Stack) -> Map:
    return _maximum(stack.stretched(minmax))


def _saturated(x: Map) -> Map:
    return np.tanh(2 * by_maximum(x))


@fusion_rule(
    "layercam",
    "largest of the maps, of any method, after tanh(2 x / max), which lifts shallow layers "
    "(Jiang et al. 2021)",
    lambda stack: _won(stack.stretched(_saturated)),
)
def _layercam(stack: Stack) -> Map:
    return _maximum(stack.stretched(_saturated))


@fusion_rule(
    "product",
    "geometric mean: hot only where all layers are (RefineCAM, arXiv 2605.14641)",
    # d log(heat) / d log(map) is the exponent, everywhere.
    lambda stack: stack.weights * bool(_product(stack).any()),
)
def _product(stack: Stack) -> Map:
    total = np.zeros(stack.size, np.float32)
    with np.errstate(divide="ignore"):
        for weight, x in stack.stretched(minmax).upsampled():
            np.log2(x, out=x)  # in place: fresh memory is slow
            np.multiply(x, weight, out=x)
            total += x
    return np.exp2(total)


def winsorized(
    importances: npt.NDArray[np.floating], quantile: float = WINSOR_QUANTILE
) -> npt.NDArray[np.float64]:
    """Turn importances into the factors of Winsor-CAM, as its authors' code does.

    Parameters
    ----------
    importances : (L,) array, >= 0
        relu(mean of the gradients) of each layer.
    quantile : float
        In [0, 1]: where those that are not zero are clipped.

    Returns
    -------
    (L,) float64 array
        0 stays 0, the rest goes linearly to [0.1, 1]. All equal if all are zero, as with maps
        that know no gradients.
    """
    positive = importances > 0
    if not positive.any():
        return np.ones(len(importances))
    values = np.asarray(importances[positive], np.float64)
    factors = np.zeros(len(importances))
    factors[positive] = 0.1 + 0.9 * minmax(np.minimum(values, np.quantile(values, quantile)))
    return factors


def _winsor_stack(stack: Stack) -> Stack:
    """Stretch each map, and multiply the weights by the factors."""
    factors = winsorized(stack.importances).astype(np.float32)
    return replace(stack.stretched(minmax), weights=stack.weights * factors)


@fusion_rule(
    "winsor",
    "mean of the stretched maps, weighted by each layer's clipped mean gradient (Winsor-CAM, "
    "arXiv 2507.10846)",
    lambda stack: _winsor_stack(stack).weighted_means(),
)
def _winsor(stack: Stack) -> Map:
    return _winsor_stack(stack).weighted_sum()


_BUILT_IN = dict(_RULES)
