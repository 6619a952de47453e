"""Fusion: layer maps + weights + rule -> one heatmap. Pure numpy.

Upsampling is bilinear with aligned corners, written as two small matrix products. It is linear,
so a rule that adds maps first adds all maps of one resolution and upsamples once per resolution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Map: TypeAlias = npt.NDArray[np.float32]
Weights: TypeAlias = npt.NDArray[np.float32]
Size: TypeAlias = tuple[int, int]
Normalization: TypeAlias = Literal["minmax", "max"] | None

NORMALIZATIONS: tuple[Normalization, ...] = (None, "minmax", "max")
"""What can be done to each map before the rule."""


_FLAT = 1e-5
"""Relative contrast below which a map is constant: less is rounding of upsampling in float32."""


@dataclass(frozen=True)
class FusionRule:
    """One way to fuse maps.

    Attributes
    ----------
    name : str
    summary : str
        One line for people.
    combine : callable
        ``(maps, weights, size) -> (H, W)``: the heatmap before the final min-max.
    contributions : callable
        ``(maps, weights, size) -> (L,)``: how much each layer brings into the heatmap, >= 0, on
        any common scale.
    """

    name: str
    summary: str
    combine: Callable[[Sequence[Map], Weights, Size], npt.NDArray[np.float32]]
    contributions: Callable[[Sequence[Map], Weights, Size], npt.NDArray[np.float64]]


def fuse(
    maps: Sequence[Map],
    weights: npt.ArrayLike,
    size: Size,
    rule: str = "sum",
    normalize: Normalization = None,
) -> npt.NDArray[np.float32]:
    """Fuse layer maps into one heatmap.

    Parameters
    ----------
    maps : sequence of L arrays, shape (h_l, w_l)
        Finite values >= 0.
    weights : (L,) array
        Finite values >= 0; 0 leaves a layer out. At least one must be positive.
    size : (H, W)
        Size of the heatmap in pixels.
    rule : str
        A name from `rule_names`.
    normalize : {None, "minmax", "max"}
        Applied to each map before the rule.

    Returns
    -------
    (H, W) float32 array in [0, 1]
        ``N(rule(...))`` with N(x) = (x - min) / (max - min): all zeros where nothing stands out.

    Raises
    ------
    ValueError
        Unknown rule or normalisation, weights of the wrong length, negative, not finite, or all
        zero, a size without pixels.
    """
    combine = get_rule(rule).combine
    if min(size) < 1:
        raise ValueError(f"size must be (H, W) with at least one pixel, not {size!r}.")
    chosen, kept = _switched_on(maps, weights, normalize)
    return minmax(combine(chosen, kept[kept > 0], size))


def shares(
    maps: Sequence[Map],
    weights: npt.ArrayLike,
    size: Size,
    rule: str = "sum",
    normalize: Normalization = None,
) -> npt.NDArray[np.float32]:
    """Give each layer's share of the fused map.

    Same parameters and errors as `fuse`.

    Returns
    -------
    (L,) float32 array
        For the rule ``sum``: share_l = mean(w_l Up(L_l)) / sum over layers. Sums to 1, or is all
        zeros if no map that is switched on has positive evidence.
    """
    contributions = get_rule(rule).contributions
    chosen, kept = _switched_on(maps, weights, normalize)
    result = np.zeros(len(maps), np.float64)
    result[kept > 0] = contributions(chosen, kept[kept > 0], size)
    total = result.sum()
    return (result / total if total > 0 else result).astype(np.float32)


def get_rule(name: str) -> FusionRule:
    """Look a fusion rule up; ValueError names the rules there are."""
    if name not in _RULES:
        raise ValueError(f"Unknown fusion rule {name!r}; the rules are {', '.join(_RULES)}.")
    return _RULES[name]


def rule_names() -> tuple[str, ...]:
    """List the names of the fusion rules, the default first."""
    return tuple(_RULES)


def minmax(x: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Stretch to [0, 1]; all zeros where max = min to rounding (``N`` in the formulas)."""
    low, high = x.min(), x.max()
    if not high - low > _FLAT * max(high, -low):
        return np.zeros(x.shape, np.float32)
    return np.asarray((x - low) / (high - low), np.float32)


def upsample(x: Map, size: Size) -> npt.NDArray[np.float32]:
    """Resize a (h, w) map to ``size`` bilinearly with aligned corners (``Up`` in the formulas)."""
    rows, columns = _interpolation(size[0], x.shape[0]), _interpolation(size[1], x.shape[1])
    # The cheaper order of the two products: widen the short side last.
    return np.asarray(rows @ (x @ columns.T))


@lru_cache(maxsize=256)
def _interpolation(fine: int, coarse: int) -> npt.NDArray[np.float32]:
    """Matrix (fine, coarse) that interpolates linearly with aligned corners."""
    at = np.linspace(0, coarse - 1, fine) if fine > 1 else np.zeros(1)
    left = np.minimum(at.astype(int), max(coarse - 2, 0))
    right = np.minimum(left + 1, coarse - 1)
    matrix = np.zeros((fine, coarse))
    np.add.at(matrix, (np.arange(fine), left), 1 - (at - left))
    np.add.at(matrix, (np.arange(fine), right), at - left)
    result = matrix.astype(np.float32)
    result.flags.writeable = False
    return result


def _mean_upsampled(x: Map, size: Size) -> float:
    """Mean of ``upsample(x, size)`` without upsampling."""
    rows, columns = _interpolation(size[0], x.shape[0]), _interpolation(size[1], x.shape[1])
    return float(rows.mean(0, dtype=np.float64) @ x @ columns.mean(0, dtype=np.float64))


def _switched_on(
    maps: Sequence[Map], given: npt.ArrayLike, normalize: Normalization
) -> tuple[list[Map], Weights]:
    numbers = np.array(given, np.float64)
    if numbers.shape != (len(maps),):
        raise ValueError(f"{len(maps)} weights are needed, one per layer, not {numbers.shape}.")
    if not np.isfinite(numbers).all() or (numbers < 0).any():
        raise ValueError("Weights must be finite and not negative; 0 switches a layer off.")
    if not numbers.any():
        raise ValueError("All layers are off: switch at least one on (a weight above 0).")
    if normalize not in NORMALIZATIONS:
        raise ValueError(f"normalize must be one of {NORMALIZATIONS}, not {normalize!r}.")
    # Only ratios matter, and with a sum of 1 no weighted sum of maps can overflow.
    numbers /= numbers.max()
    weights = np.asarray(numbers / numbers.sum(), np.float32)
    prepare = {None: lambda x: x, "minmax": minmax, "max": _by_maximum}[normalize]
    return [prepare(x) for x, w in zip(maps, weights, strict=True) if w > 0], weights


def _by_maximum(x: Map) -> npt.NDArray[np.float32]:
    high = x.max()
    return x / high if high > 0 else np.zeros_like(x)


def _weighted_sum(maps: Sequence[Map], weights: Weights, size: Size) -> npt.NDArray[np.float32]:
    """Combi-CAM: the sum over the layers, upsampled once per resolution."""
    coarse: dict[Size, npt.NDArray[np.float32]] = {}
    for x, weight in zip(maps, weights, strict=True):
        shape = (x.shape[0], x.shape[1])
        coarse[shape] = coarse[shape] + weight * x if shape in coarse else weight * x
    total: npt.NDArray[np.float32] = np.sum([upsample(x, size) for x in coarse.values()], axis=0)
    return total


def _weighted_means(maps: Sequence[Map], weights: Weights, size: Size) -> npt.NDArray[np.float64]:
    return np.array([w * _mean_upsampled(x, size) for x, w in zip(maps, weights, strict=True)])


_RULES = {
    rule.name: rule
    for rule in (
        FusionRule(
            "sum",
            "sum of the raw maps: Combi-CAM (arXiv 2603.24117)",
            _weighted_sum,
            _weighted_means,
        ),
        FusionRule(
            "mean",
            "mean of the maps, each stretched to [0, 1] first",
            lambda maps, weights, size: _weighted_sum(
                [minmax(x) for x in maps], weights / weights.sum(), size
            ),
            lambda maps, weights, size: _weighted_means([minmax(x) for x in maps], weights, size),
        ),
    )
}
