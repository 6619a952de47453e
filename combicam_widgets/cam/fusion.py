"""Fusion: layer maps + weights + rule -> one heatmap. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam.rules import Stack, get_rule
from combicam_widgets.cam.upsampling import Map, Size, by_maximum, minmax

Normalization: TypeAlias = Literal["minmax", "max"] | None

NORMALIZATIONS: tuple[Normalization, ...] = (None, "minmax", "max")
"""What can be done to each map before the rule."""

_STRETCHES = {"minmax": minmax, "max": by_maximum}


def fuse(
    maps: Sequence[Map],
    weights: npt.ArrayLike,
    size: Size,
    rule: str = "sum",
    normalize: Normalization = None,
    importances: npt.ArrayLike | None = None,
    *,
    smooth: bool = False,
) -> Map:
    """Fuse layer maps into one heatmap.

    Parameters
    ----------
    maps : sequence of L arrays, shape (h_l, w_l)
        Finite values >= 0.
    weights : (L,) array
        Finite values >= 0; 0 leaves a layer out. At least one must be positive. Only their ratios
        matter.
    size : (H, W)
        Size of the heatmap in pixels.
    rule : str
        A name from `rule_names`.
    normalize : {None, "minmax", "max"}
        Applied to each map before the rule.
    importances : (L,) array, optional
        Mean gradient of each layer, >= 0, for the rule ``winsor``; default: all equal.
    smooth : bool
        For pictures, not for numbers: maps are upsampled without kinks, see `upsample`.

    Returns
    -------
    (H, W) float32 array in [0, 1]
        ``N(rule(...))`` with N(x) = (x - min) / (max - min): all zeros where nothing stands out.

    Raises
    ------
    ValueError
        Unknown rule or normalisation, weights of the wrong length, negative, not finite, or all
        zero, a size without pixels; a rule that gives something else than (H, W) finite numbers.
    """
    chosen = get_rule(rule)
    stack, _ = _stack(maps, weights, size, normalize, importances)
    return minmax(_finite(chosen.combine(replace(stack, smooth=smooth)), tuple(size), rule))


def shares(
    maps: Sequence[Map],
    weights: npt.ArrayLike,
    size: Size,
    rule: str = "sum",
    normalize: Normalization = None,
    importances: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """Give each layer's share of the fused map.

    Same parameters and errors as `fuse`.

    Returns
    -------
    (L,) float32 array
        Sums to 1, or is all zeros if no map that is switched on has positive evidence. For rules
        that add (``sum``, ``mean``, ``winsor``): share_l = mean(w_l Up(L_l)) / sum over layers.
        For rules that take the largest (``max``, ``layercam``): the heat in the pixels where the
        layer is the largest, in equal parts where layers tie. For ``product``: the layer's
        exponent, if there is any heat.
    """
    stack, on = _stack(maps, weights, size, normalize, importances)
    contributions = _finite(get_rule(rule).contributions(stack), stack.weights.shape, rule)
    if (contributions < 0).any():
        raise ValueError(f"The fusion rule {rule!r} must give contributions >= 0.")
    result = np.zeros(len(maps), np.float64)
    result[on] = contributions
    total = result.sum()
    return (result / total if total > 0 else result).astype(np.float32)


def _finite(
    given: npt.ArrayLike, shape: tuple[int, ...], rule: str
) -> npt.NDArray[np.floating[Any]]:
    """Check what a rule gives; truths and whole numbers become floating ones."""
    numbers = np.asarray(given)
    if numbers.shape != shape or numbers.dtype.kind not in "biuf" or not np.isfinite(numbers).all():
        raise ValueError(f"The fusion rule {rule!r} must give finite numbers of shape {shape}.")
    return numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64)


def _stack(
    maps: Sequence[Map],
    weights: npt.ArrayLike,
    size: Size,
    normalize: Normalization,
    importances: npt.ArrayLike | None,
) -> tuple[Stack, npt.NDArray[np.bool_]]:
    """Check everything; return the layers that are on, and which they are."""
    numbers = np.array(weights, np.float64)
    if numbers.shape != (len(maps),):
        raise ValueError(f"{len(maps)} weights are needed, one per layer, not {numbers.shape}.")
    if not np.isfinite(numbers).all() or (numbers < 0).any():
        raise ValueError("Weights must be finite and not negative; 0 switches a layer off.")
    if not numbers.any():
        raise ValueError("All layers are off: switch at least one on (a weight above 0).")
    if normalize not in NORMALIZATIONS:
        raise ValueError(f"normalize must be one of {NORMALIZATIONS}, not {normalize!r}.")
    if min(size) < 1:
        raise ValueError(f"size must be (H, W) with at least one pixel, not {size!r}.")
    # Only ratios matter, and with a sum of 1 no weighted sum of maps can overflow.
    numbers /= numbers.max()
    normalized = np.asarray(numbers / numbers.sum(), np.float32)
    on = normalized > 0
    given = np.ones(len(maps)) if importances is None else np.asarray(importances, np.float64)
    if given.shape != (len(maps),):
        raise ValueError(f"{len(maps)} importances are needed, one per layer, not {given.shape}.")
    if not np.isfinite(given).all() or (given < 0).any():
        raise ValueError("Importances must be finite and not negative.")
    stack = Stack(
        maps=tuple(x for x, kept in zip(maps, on, strict=True) if kept),
        weights=normalized[on],
        importances=given.astype(np.float32)[on],
        size=size,
    )
    return (stack if normalize is None else stack.stretched(_STRETCHES[normalize])), on
