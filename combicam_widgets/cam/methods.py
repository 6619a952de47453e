"""CAM methods: how one layer's activations and gradients become a map.

Every method reads the same activations ``A`` and gradients ``G`` of one pass, so all of them
are computed together, once, while both are at hand; what is kept afterwards is one small
``(h, w)`` map per method and layer instead of the activations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from combicam_widgets.cam.precision import unlowered

if TYPE_CHECKING:
    from torch import Tensor

METHODS = ("gradcam", "gradcam++", "xgradcam", "hirescam", "layercam")
"""Names of the methods that every pass yields, in the order in which they are offered."""

SLOW_METHODS = ("scorecam",)
"""Names of the methods that need many passes; see `score_cam`."""

_EPSILON = 1e-7


@unlowered
def method_maps(activations: Tensor, gradients: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the maps of all `METHODS` from one layer's activations and gradients.

    Parameters
    ----------
    activations, gradients : Tensor, shape (N, K, h, w)
        Output A of the layer and d score / d A. Any floating type; computed in float32.

    Returns
    -------
    maps : Tensor, shape (M, N, h, w), float32, >= 0
        One map per method, in the order of `METHODS`:

        - ``gradcam``: relu(sum_k mean(G_k) A_k). Selvaraju et al., ICCV 2017.
        - ``gradcam++``: relu(sum_k w_k A_k) with w_k = sum alpha_k relu(G_k) and
          alpha = G^2 / (2 G^2 + sum(A_k) G^3). Chattopadhyay et al., WACV 2018. Divided by
          G^2, alpha is 1 / (2 + sum(A_k) G), which cannot overflow.
        - ``xgradcam``: relu(sum_k w_k A_k), w_k = sum(G_k A_k) / sum(A_k). Fu et al., BMVC 2020.
        - ``hirescam``: relu(sum_k G_k A_k). Draelos and Carin, 2020.
        - ``layercam``: relu(sum_k relu(G_k) A_k). Jiang et al., TIP 2021.
    importances : Tensor, shape (N,), float32, >= 0
        relu(mean G), which the fusion rule ``winsor`` reads.
    """
    a, g = activations.float().flatten(2), gradients.float().flatten(2)
    mass, mean = a.sum(2), g.mean(2)
    positive = g.relu()
    work = torch.mul(positive, mass[..., None]).add_(2)
    plus = torch.div(positive, work, out=work).sum(2)
    if not plus.isfinite().all():
        plus = (positive / _away_from_zero(2 + mass[..., None] * positive)).sum(2)
    product = torch.mul(a, g, out=work)
    weights = torch.stack([mean, plus, product.sum(2) / _away_from_zero(mass)], 1)
    maps = torch.cat(
        [weights @ a, product.sum(1, keepdim=True), positive.mul_(a).sum(1, keepdim=True)], 1
    )
    maps = maps.relu_().reshape(len(a), len(METHODS), *activations.shape[2:])
    return maps.transpose(0, 1), mean.mean(1).relu()


def _away_from_zero(x: Tensor) -> Tensor:
    return torch.where(x.abs() < _EPSILON, torch.full_like(x, _EPSILON), x)
