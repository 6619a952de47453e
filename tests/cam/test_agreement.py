"""A deep network in double precision: the engine against a reference for all layers and methods.

In single precision a pass of its own differs by more, because somewhere in ten million values one
lies so near zero that rounding decides whether a ReLU lets it through (docs/methods.md). Double
precision leaves nothing to such chance.
"""

import copy

import numpy as np
import pytest
import torch
import torchvision
from cam_networks import photo
from torch import nn

from combicam_widgets import cam


def relu(x):
    return np.maximum(x, 0)


def reference(a, g):
    """Maps of all methods from activations and gradients (K, h, w), as the papers write them."""
    mass = a.sum((1, 2), keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        alpha = np.where(g == 0, 0, g**2 / (2 * g**2 + mass * g**3))
        part = np.where(mass == 0, 0, (g * a).sum((1, 2), keepdims=True) / mass)
    return {
        "gradcam": relu((g.mean((1, 2), keepdims=True) * a).sum(0)),
        "gradcam++": relu(((alpha * relu(g)).sum((1, 2), keepdims=True) * a).sum(0)),
        "xgradcam": relu((part * a).sum(0)),
        "hirescam": relu((g * a).sum(0)),
        "layercam": relu((relu(g) * a).sum(0)),
    }


def layers_of_one_plain_pass(network, batch, names, target):
    """Activations and gradients of an untouched copy, nothing in place, by plain autograd."""
    network, seen = copy.deepcopy(network), {}
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False

    def keep(name):
        def hook(_module, _inputs, output):
            output.retain_grad()
            seen[name] = output
            return output.clone()

        return hook

    for name in names:
        network.get_submodule(name).register_forward_hook(keep(name))
    network(batch.clone().requires_grad_())[0, target].backward()
    return {name: (x[0].detach().numpy(), x.grad[0].numpy()) for name, x in seen.items()}


NETWORKS = {
    # name: pixels; large enough that convolutions are made cheaper in the first layers
    "resnet50": 160,
    "efficientnet_b0": 160,
    "densenet121": 64,
    "convnext_tiny": 64,
    "mobilenet_v3_large": 128,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_all_layers_and_methods_agree_in_double_precision(name):
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)(weights=None)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # not as good as absent, as in a new network
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    network = network.double().eval()
    batch = photo(1, 3, NETWORKS[name], NETWORKS[name], dtype=torch.float64)
    maps = cam.explain(network, batch, target=7, score="logit")
    plain = layers_of_one_plain_pass(network, batch, maps.names, 7)
    assert list(plain) == list(maps.names)
    for layer, (a, g) in plain.items():
        for method, expected in reference(a, g).items():
            # Where terms of both signs nearly cancel, what counts is their size.
            size = max(expected.max(), 1e-2 * np.abs(a * g).sum(0).max())
            if method == "xgradcam":  # and where a channel's own sum does, rounding of that sum
                mass = np.abs(a.sum((1, 2), keepdims=True))
                part = (g * a).sum((1, 2), keepdims=True) * np.abs(a).sum((1, 2), keepdims=True)
                size = max(
                    size, 1e-2 * np.abs(part / np.where(mass, mass, np.inf) ** 2 * a).sum(0).max()
                )
            shown = maps.with_method(method)[layer]
            assert np.abs(shown - expected).max() <= 1e-4 * size, (layer, method)
