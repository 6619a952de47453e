"""CAM methods: how one layer's activations and gradients become a map.

Every method reads the same activations ``A`` and gradients ``G`` of one pass, so those that are
asked for are computed together while both are at hand; what is kept afterwards is one small
``(h, w)`` map per method and layer instead of the activations.

A method of your own is a function of ``A`` and ``G`` of one photo, (K, h, w) both; `method`
registers it, and from then on it is offered wherever methods are, in the explorer too::

    @cam.method("mine")
    def mine(A, G):
        return (A * G).clamp(min=0).amax(0)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

import torch

from combicam_widgets.cam.listeners import Listeners
from combicam_widgets.cam.precision import unlowered

if TYPE_CHECKING:
    from torch import Tensor

METHODS = ("gradcam", "gradcam++", "xgradcam", "hirescam", "layercam")
"""Names of the methods that every pass yields, in the order in which they are offered."""

SLOW_METHODS = ("scorecam",)
"""Names of the methods that need many passes; see `score_cam`."""

_EPSILON = 1e-7

MapOf: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"

_own: dict[str, MapOf] = {}

when_methods_change = Listeners()


def method(name: str) -> Callable[[MapOf], MapOf]:
    """Register the decorated function as a CAM method.

    Parameters
    ----------
    name : str
        A method of yours with that name is replaced.

    Notes
    -----
    The function is given the activations A and the gradients G = d score / d A of one layer for
    one photo, float32 tensors (K, h, w) on the network's device, which it must not change. It
    returns the map, a tensor (h, w); what is negative in it counts as 0.

    Raises
    ------
    TypeError
        The name is no text.
    ValueError
        It is the name of a method that is built in.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"A CAM method needs a name, not {name!r}: @method('mine').")
    if name in METHODS or name in SLOW_METHODS:
        raise ValueError(f"{name!r} is the name of a CAM method that is built in; choose another.")

    def register(map_of: MapOf) -> MapOf:
        _own[name] = map_of
        when_methods_change.tell()
        return map_of

    return register


def method_names() -> tuple[str, ...]:
    """Names of all methods: those that are built in, your own, and the slow ones."""
    return (*METHODS, *_own, *SLOW_METHODS)


def own(name: str) -> MapOf | None:
    """Return the function of a method that somebody registered; None of any other name."""
    return _own.get(name)


def checked_methods(
    methods: str | Iterable[str] | None, first: str | None = None
) -> tuple[str, ...]:
    """Return the methods to compute, each once.

    Parameters
    ----------
    methods : str, iterable of str or None
        None: `METHODS`, and ``first``.
    first : str, optional
        One that is computed in any case.

    Raises
    ------
    TypeError, ValueError
        No names, unknown ones, or slow ones.
    """
    if methods is None:
        methods = METHODS
    asked = [methods] if isinstance(methods, str) else list(methods)
    if first is not None:
        asked.append(first)
    if not asked:
        raise ValueError("methods must hold at least one CAM method.")
    for name in asked:
        if name in SLOW_METHODS:
            raise ValueError(f"The CAM method {name!r} needs many passes: use score_cam() instead.")
        if name not in METHODS and name not in _own:
            raise ValueError(
                f"Unknown CAM method {name!r:.60}; the methods are {', '.join((*METHODS, *_own))}."
            )
    return tuple(dict.fromkeys(asked))


@unlowered
def method_maps(
    activations: Tensor, gradients: Tensor, methods: Sequence[str] = METHODS
) -> tuple[Tensor, Tensor]:
    """Compute maps from one layer's activations and gradients.

    Parameters
    ----------
    activations, gradients : Tensor, shape (N, K, h, w)
        Output A of the layer and d score / d A. Any floating type; computed in float32.
    methods : sequence of str
        Names; only what these need is computed.

    Returns
    -------
    maps : Tensor, shape (M, N, h, w), float32, >= 0
        One map per method:

        - ``gradcam``: relu(sum_k mean(G_k) A_k). Selvaraju et al., ICCV 2017.
        - ``gradcam++``: relu(sum_k w_k A_k) with w_k = sum alpha_k relu(G_k) and
          alpha = G^2 / (2 G^2 + sum(A_k) G^3). Chattopadhyay et al., WACV 2018. Divided by
          G^2, alpha is 1 / (2 + sum(A_k) G), which cannot overflow.
        - ``xgradcam``: relu(sum_k w_k A_k), w_k = sum(G_k A_k) / sum(A_k). Fu et al., BMVC 2020.
        - ``hirescam``: relu(sum_k G_k A_k). Draelos and Carin, 2020.
        - ``layercam``: relu(sum_k relu(G_k) A_k). Jiang et al., TIP 2021.
    importances : Tensor, shape (N,), float32, >= 0
        relu(mean G), which the fusion rule ``winsor`` reads.

    Raises
    ------
    TypeError, ValueError
        A method of somebody's own gives something else than a map (h, w).
    """
    activations, gradients = activations.float(), gradients.float()
    a, g = activations.flatten(2), gradients.flatten(2)
    mean = g.mean(2)
    weights: dict[str, Tensor] = {"gradcam": mean}  # of channels, (N, K)
    sums: dict[str, Tensor] = {}  # over channels, (N, h * w)
    work = None  # two buffers at most: fresh memory is slow
    if "gradcam++" in methods or "xgradcam" in methods:
        mass = a.sum(2)
    if "gradcam++" in methods or "layercam" in methods:
        positive = g.relu()
    if "layercam" in methods:
        work = torch.mul(positive, a, out=None if "gradcam++" in methods else positive)
        sums["layercam"] = work.sum(1)
    if "gradcam++" in methods:
        # relu(G) / (2 + S relu(G)) = 1 / (2 (1 / relu(G) + S / 2)), in half as many passes.
        work = positive.reciprocal_().add_(mass[..., None] / 2).reciprocal_()
        weights["gradcam++"] = _finite(work.sum(2) / 2, mass)
    if "hirescam" in methods or "xgradcam" in methods:
        product = torch.mul(a, g) if work is None else torch.mul(a, g, out=work)
        sums["hirescam"] = product.sum(1)
        if "xgradcam" in methods:
            weights["xgradcam"] = product.sum(2) / _away_from_zero(mass)
    weighted = [name for name in methods if name in weights]
    if weighted:
        together = torch.stack([weights[name] for name in weighted], 1) @ a
        sums.update(zip(weighted, together.unbind(1), strict=True))
    maps = torch.stack(
        [
            sums[name] if name in sums else _own_maps(name, activations, gradients)
            for name in methods
        ]
    )
    maps = maps.relu_().reshape(len(methods), len(a), *activations.shape[2:])
    return maps, mean.mean(1).relu()


def _own_maps(name: str, activations: Tensor, gradients: Tensor) -> Tensor:
    """Ask somebody's own method about each photo: (N, h * w)."""
    maps = []
    for a, g in zip(activations, gradients, strict=True):
        given = cast("object", _own[name](a, g))
        if not isinstance(given, torch.Tensor):
            raise TypeError(
                f"The CAM method {name!r} must give a tensor (h, w), not {type(given).__name__}."
            )
        if given.shape != a.shape[1:]:
            raise ValueError(
                f"The CAM method {name!r} gives shape {tuple(given.shape)} for activations "
                f"{tuple(a.shape)}; a map {tuple(a.shape[1:])} is needed."
            )
        maps.append(given.detach().float().flatten())
    return torch.stack(maps)


def _finite(weights: Tensor, mass: Tensor) -> Tensor:
    """Put large weights in the place of infinite ones: there 2 + S G is zero, so G is -2 / S."""
    return torch.where(weights.isinf(), 2 / (mass.abs() * _EPSILON), weights)


def _away_from_zero(x: Tensor) -> Tensor:
    return torch.where(x.abs() < _EPSILON, torch.full_like(x, _EPSILON), x)
