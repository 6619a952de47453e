"""Every CAM method against closed forms and against a slow obvious reference, layer by layer."""

import numpy as np
import pytest
import torch
from cam_networks import (
    Everywhere,
    Pointwise,
    RandomNet,
    activations_and_gradients,
    assert_close,
    obvious_map,
    photo,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from combicam_widgets import cam
from combicam_widgets.cam.methods import method_maps


def weights_of(network, target, score, x):
    """Activations by hand and d score / d logits by hand, in float64."""
    w, b = network.conv.weight.detach().double()[:, :, 0, 0], network.conv.bias.detach().double()
    a = np.einsum("kc,cij->kij", w.numpy(), x[0].double().numpy()) + b.numpy()[:, None, None]
    pooled = a.mean((1, 2)) if isinstance(network, Pointwise) else a.ravel()
    head = network.head.weight.detach().double().numpy()
    z = head @ pooled + network.head.bias.detach().double().numpy()
    p = np.exp(z) / np.exp(z).sum()
    one_hot = np.eye(len(z))[target]
    dz = {
        "logit": one_hot,
        "log_probability": one_hot - p,
        "probability": p[target] * (one_hot - p),
    }[score]
    return a, dz @ head, p[target]


@pytest.mark.parametrize("score", cam.SCORES)
@pytest.mark.parametrize("target", [0, 3])
def test_maps_of_the_pointwise_network_are_the_closed_form(score, target):
    torch.manual_seed(3)
    network, x = Pointwise(), photo(1, 3, 3, 4)
    a, slope, p = weights_of(network, target, score, x)
    g = slope / 12  # d score / d A_kij: the global average shares a channel's slope out equally
    uniform = np.maximum(np.tensordot(g, a, 1), 0)
    expected = {
        "gradcam": uniform,
        "hirescam": uniform,
        "xgradcam": uniform,
        "layercam": np.maximum(np.tensordot(np.maximum(g, 0), a, 1), 0),
        "gradcam++": np.maximum(
            np.tensordot(12 * np.maximum(g, 0) / (2 + a.sum((1, 2)) * g), a, 1), 0
        ),
    }
    maps = cam.explain(network, x, target=target, layers=["conv"], score=score)
    assert set(expected) == set(cam.METHODS) == set(maps.methods)
    assert uniform.any()
    assert maps.probability == pytest.approx(p, rel=1e-5)
    for method, x_map in expected.items():
        # Channels that nearly cancel leave fewer of float32's digits.
        assert_close(maps.with_method(method)["conv"], x_map, 3e-5)


@pytest.mark.parametrize("score", cam.SCORES)
def test_maps_are_right_where_gradients_vary_in_space(score):
    torch.manual_seed(5)
    network, x = Everywhere(), photo(1, 3, 3, 4, seed=2)
    a, slope, _ = weights_of(network, 1, score, x)
    g = slope.reshape(a.shape)
    maps = cam.explain(network, x, target=1, layers=["conv"], score=score)
    shown = {method: maps.with_method(method)["conv"] for method in cam.METHODS}
    for method, x_map in shown.items():
        assert_close(x_map, obvious_map(method, a, g), 2e-5)
    # All five differ here, so none stands in for another.
    for one in cam.METHODS:
        for other in cam.METHODS:
            assert one == other or not np.allclose(shown[one], shown[other], rtol=1e-2)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_networks_agree_with_one_unfrozen_pass_per_layer(seed):
    network = RandomNet(seed, normed=True)
    x = photo(1, 3, 9, 12, seed=seed)
    layers = [
        name
        for name, module in network.named_modules()
        if isinstance(module, (nn.Conv2d, nn.ReLU, nn.BatchNorm2d)) or name.startswith("blocks.")
    ]
    score, target = cam.SCORES[seed % 3], seed % 6
    maps = cam.explain(network, x, target=target, layers=layers, score=score)
    assert set(maps.names) == set(layers)
    for name in layers:
        a, g = activations_and_gradients(network, x, name, target, score)
        assert maps[name].shape == a.shape[1:]
        for method in cam.METHODS:
            found, expected = maps.with_method(method)[name], obvious_map(method, a, g)
            # Channels that all but cancel leave less of the digits, too.
            gross = (np.abs(a).sum(0) * np.abs(g).max()).max()
            scale = max(expected.max(), 1e-2 * gross) * loss_of_digits(method, a, g)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * scale)


def loss_of_digits(method, a, g):
    """How much larger a relative error gets where sums over a channel all but cancel."""
    mass, size = a.sum((1, 2)), np.abs(a).sum((1, 2))
    if method == "xgradcam":
        return max(1.0, (size / np.abs(mass).clip(1e-30)).max())
    if method == "gradcam++":
        products = size[:, None, None] * np.maximum(g, 0)
        return max(1.0, ((2 + products) / np.abs(2 + mass[:, None, None] * np.maximum(g, 0))).max())
    return 1.0


def test_an_in_place_activation_after_a_layer_does_not_overwrite_it():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    x = photo(1, 3, 4, 4)
    a, g = activations_and_gradients(network, x, "0", 1, "logit")
    after, slope = np.maximum(a, 0), np.zeros_like(a)
    slope[1] = 1 / 16  # the class reads the mean of channel 1
    assert (a < 0).any()
    maps = cam.explain(network, x, target=1, layers=["0", "1"], score="logit")
    for method in cam.METHODS:
        assert_close(maps.with_method(method)["0"], obvious_map(method, a, g), 1e-5)
        assert_close(maps.with_method(method)["1"], obvious_map(method, after, slope), 1e-5)


def test_shapes_and_a_batch_of_layers():
    a, g = torch.randn(3, 4, 5, 6), torch.randn(3, 4, 5, 6)
    together, importances = method_maps(a, g)
    assert together.shape == (len(cam.METHODS), 3, 5, 6)
    assert_close(importances.numpy(), np.maximum(g.numpy().mean((1, 2, 3)), 0))
    for n in range(3):
        for method, x in zip(cam.METHODS, together[:, n].numpy(), strict=True):
            assert_close(x, obvious_map(method, a[n].double().numpy(), g[n].double().numpy()))


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e18])
def test_maps_stay_finite_for_tiny_and_huge_gradients(scale):
    torch.manual_seed(1)
    a, g = torch.randn(1, 4, 5, 6), torch.randn(1, 4, 5, 6)
    maps = dict(zip(cam.METHODS, method_maps(a, g * scale)[0][:, 0], strict=True))
    plain = dict(zip(cam.METHODS, method_maps(a, g)[0][:, 0], strict=True))
    for method, x in maps.items():
        assert x.isfinite().all()
        if method != "gradcam++":  # the others are linear in the gradient
            torch.testing.assert_close(x / scale, plain[method], rtol=1e-4, atol=1e-5)


def test_zero_activations_or_gradients_give_zero_maps():
    x, zero = torch.randn(1, 4, 5, 6), torch.zeros(1, 4, 5, 6)
    for a, g in ((x, zero), (zero, x), (zero, zero)):
        assert not method_maps(a, g)[0].any()


def test_activations_that_cancel_do_not_divide_by_zero():
    a = torch.tensor([1.0, -1.0, 1.0, -1.0]).reshape(1, 1, 2, 2)
    maps, _ = method_maps(a, torch.randn(1, 1, 2, 2))
    assert maps.isfinite().all()


@pytest.mark.parametrize("mass", [-4.0, -1.0, -1e-3])
def test_where_the_denominator_of_grad_cam_plus_plus_is_zero_the_weight_is_large(mass):
    """2 + S G is 0 for one G; the map is finite, and shows what is positive in the activations."""
    a = torch.tensor([1.0, -1.0, 0.0, 0.0]).reshape(1, 1, 2, 2)
    a[..., 1, 1] = mass
    g = torch.zeros(1, 1, 2, 2)
    g[..., 0, 0] = -2 / mass
    (x,) = method_maps(a, g, ["gradcam++"])[0][:, 0]
    weight = 2 / abs(mass) / 1e-7
    np.testing.assert_allclose(x.flatten(), [weight, 0, 0, 0], rtol=1e-5)


def test_one_pixel():
    a, g = np.array([[[2.0]], [[-3.0]]]), np.array([[[0.5]], [[0.25]]])
    maps = method_maps(torch.tensor(a)[None], torch.tensor(g)[None])[0][:, 0].numpy()
    for method, x in zip(cam.METHODS, maps, strict=True):
        assert_close(x, obvious_map(method, a, g), 1e-6)
