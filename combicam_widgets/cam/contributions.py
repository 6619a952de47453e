"""Which layers the heat comes from, pixel by pixel. Pure numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam.fusion import Normalization, _stack
from combicam_widgets.cam.rules import FusionRule, Stack, _saturated, _winsor_stack, get_rule
from combicam_widgets.cam.upsampling import Map, Size, minmax


def _as_given(stack: Stack) -> Stack:
    return stack


def _stretched(stack: Stack) -> Stack:
    return stack.stretched(minmax)


# What the rule does to the maps before it adds them, or takes the largest. Kept by the rule
# itself, not by its name: a rule of somebody's own with the same name is another rule.
_ADDING: dict[FusionRule, Callable[[Stack], Stack]] = {
    get_rule("sum"): _as_given,
    get_rule("mean"): _stretched,
    get_rule("winsor"): _winsor_stack,
}
_LARGEST: dict[FusionRule, Callable[[Stack], Stack]] = {
    get_rule("max"): _stretched,
    get_rule("layercam"): lambda stack: stack.stretched(_saturated),
}


def contributions(
    maps: Sequence[Map],
    weights: npt.ArrayLike,
    size: Size,
    rule: str = "sum",
    normalize: Normalization = None,
    importances: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32] | None:
    """Give each layer's part of the heat at every pixel.

    Same parameters and errors as `fuse`; a small ``size`` gives the values at as many points,
    spread evenly from corner to corner.

    Returns
    -------
    (L, H, W) float32 array, or None
        Sums to 1 over the layers, or is all zeros at pixels that no layer highlights. For rules
        that add (``sum``, ``mean``, ``winsor``): w_l Up(L_l) / sum over layers. For rules that
        take the largest (``max``, ``layercam``): 1 for the largest layer, equal parts where
        layers tie. None where the heat of a pixel cannot be divided among layers: ``product``,
        in which every layer can veto every other, and rules of your own.

        What is divided is the fused map before its final stretch to [0, 1], which takes the same
        amount away everywhere.
    """
    chosen = get_rule(rule)
    stack, on = _stack(maps, weights, size, normalize, importances)
    result = np.zeros((len(maps), *size), np.float32)
    if chosen in _ADDING:
        parts = _weighted(_ADDING[chosen](stack))
    elif chosen in _LARGEST:
        parts = _weighted(_LARGEST[chosen](stack))
        parts = ((parts == parts.max(0)) & (parts > 0)).astype(np.float32)
    else:
        return None
    total = parts.sum(0, dtype=np.float64)
    result[on] = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
    return result


def _weighted(stack: Stack) -> Map:
    return np.stack([weight * x for weight, x in stack.upsampled()])
