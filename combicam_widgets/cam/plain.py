"""Combi-CAM, plainly: the maps of all layers from one pass, and their sum. To be read, not fast.

This is all there is to it. What `combicam_widgets.cam.explain` does beyond this is to find the
layers, to leave the network as it was, to be quick, and to say what is wrong if something is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def combi_cam(network: nn.Module, photo: Tensor, layers: Sequence[str], target: int) -> Tensor:
    """Sum the Grad-CAM maps of several layers (Faget et al., arXiv 2603.24117).

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; maps a photo to logits (1, C), and overwrites no layer in place.
    photo : Tensor, shape (1, 3, H, W)
    layers : sequence of str
        Names of modules with outputs (1, K, h, w).
    target : int
        Index of the class that is explained.

    Returns
    -------
    Tensor, shape (H, W), in [0, 1]
    """
    activations: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:  # noqa: ANN401
        activations.append(output)

    handles = [network.get_submodule(name).register_forward_hook(keep) for name in layers]
    try:
        score = network(photo.clone().requires_grad_()).log_softmax(1)[0, target]
    finally:
        for handle in handles:
            handle.remove()

    # How much more certain would the network be if this value were larger? For all layers at once.
    gradients = torch.autograd.grad(score, activations)

    heatmap = torch.zeros(photo.shape[2:])
    for a, g in zip(activations, gradients, strict=True):
        weights = g.mean((2, 3), keepdim=True)  # how much each channel counts
        cam = (weights * a).sum(1, keepdim=True).relu()  # what speaks for the target
        up = F.interpolate(cam, photo.shape[2:], mode="bilinear", align_corners=True)
        heatmap += up[0, 0].detach()
    heatmap -= heatmap.min()
    return heatmap / heatmap.max().clamp_min(torch.finfo(heatmap.dtype).tiny)
