"""Lighter passes give what the plain ones give, forward and backward."""

import contextlib
from functools import partial

import pytest
import torch
from torch import nn
from torchvision import models

from combicam_widgets import cam
from combicam_widgets.cam import lighter as room
from combicam_widgets.cam.lighter import Postponement, lighten
from combicam_widgets.cam.replicas import Replica


@pytest.fixture(autouse=True)
def every_input_counts_as_large(monkeypatch):
    monkeypatch.setattr(room, "_LARGE", 0)


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """Everything is computed as it would be on a GPU, on whose convolutions nothing waits."""

    def refused(*_):
        raise AssertionError

    monkeypatch.setattr(room, "_is_on_cpu", lambda _: False)
    monkeypatch.setattr(room.Postponement, "of", refused)


def warmed_up(network, x):
    """Give batch norms running statistics of their own, and remember the modes."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(x * 3 + 1)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.affine:
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
    return network.eval().requires_grad_(requires_grad=False)


def output_and_gradient(network, x, memory_format=torch.contiguous_format):
    x = x.clone(memory_format=memory_format).requires_grad_()
    y = network(x)
    weights = torch.linspace(-1, 1, y.numel()).reshape(y.shape)
    return y.detach(), torch.autograd.grad((y * weights).sum(), x)[0]


def depthwise(kernel, padding, **settings):
    return nn.Conv2d(6, 6, kernel, padding=padding, groups=6, **settings)


@pytest.mark.parametrize(
    "network",
    [
        depthwise(3, 1),
        depthwise((3, 5), (1, 0)),
        depthwise(5, 4, bias=False),
        depthwise(3, 2, dilation=2),
        depthwise(3, 1, stride=2),
        nn.Conv2d(6, 12, 3, groups=6),
        nn.Conv2d(6, 4, 3, groups=2, stride=(2, 1)),
        nn.Conv2d(6, 8, 1),
        nn.Conv2d(6, 8, 1, stride=2),
        nn.Conv2d(6, 8, 1, stride=(1, 3), bias=False),
        nn.Conv2d(6, 8, 1, stride=2, padding=1),
        nn.Conv2d(6, 8, 1, stride=2, groups=2),
        nn.AdaptiveAvgPool2d(1),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.AdaptiveAvgPool2d(2),
        nn.AdaptiveAvgPool2d((1, None)),
        nn.Sequential(nn.Conv2d(6, 8, 3), nn.BatchNorm2d(8), nn.SiLU(inplace=True)),
        nn.Sequential(nn.Conv2d(6, 2000, 3, 2, bias=False), nn.BatchNorm2d(2000)),
        nn.Sequential(depthwise(3, 1), nn.BatchNorm2d(6, affine=False)),
        nn.Sequential(nn.BatchNorm2d(6), nn.Hardswish(inplace=True)),
    ],
    ids=str,
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_forward_and_backward_are_those_of_the_plain_network(network, layout):
    torch.manual_seed(0)
    x = torch.randn(2, 6, 9, 11)
    network = warmed_up(network, x)
    expected = output_and_gradient(network, x)
    with Replica(network, partial(lighten, postponement=Postponement())) as twin:
        found = output_and_gradient(twin, x, layout)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("convolution", "is_replaced"),
    [
        (nn.Conv2d(6, 8, 3), False),
        (nn.Conv2d(6, 8, 1), False),
        (nn.Conv2d(6, 8, 1, stride=2), True),
        (depthwise(3, 1), True),
    ],
    ids=str,
)
def test_inputs_that_are_kept_anyway_are_left_to_pytorch(convolution, is_replaced):
    """But where its own way back is slower."""
    x = torch.randn(2, 6, 9, 11, requires_grad=True)
    with Replica(convolution, lighten) as twin:
        assert twin(x.relu()).grad_fn.name().startswith("_Frozen") == is_replaced
        assert twin(x.sigmoid()).grad_fn.name().startswith("_Frozen")


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize("large", [0, 2**24])
@pytest.mark.parametrize("name", ["efficientnet_b0", "resnet18", "densenet121"])
def test_on_a_gpu_maps_are_those_of_the_plain_network(name, large, monkeypatch):
    monkeypatch.setattr(room, "_LARGE_ON_GPU", large)
    torch.manual_seed(0)
    photos = torch.randn(2, 3, 64, 64)
    network = warmed_up(getattr(models, name)(), photos)
    names = cam.architecture(network, photos).names
    found, expected = (
        cam.explain(network, photos, [3, 4], names, exact=exact) for exact in (False, True)
    )
    for one, other in zip(found, expected, strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, rel=1e-3, abs=1e-6)
        for method in cam.METHODS:
            for x, y in zip(one.methods[method], other.methods[method], strict=True):
                assert abs(x - y).max() <= 2e-3 * y.max() + 1e-12


@pytest.mark.parametrize("photo", [torch.randn(1, 3, 8, 8), torch.randn(1, 5, 8, 8)])
def test_the_network_itself_stays_as_it_is(photo):
    """The second photo has two channels too many for the network."""
    network = nn.Sequential(
        nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU6(inplace=True), nn.AdaptiveAvgPool2d(1)
    )
    before = [dict(vars(module)) for module in network.modules()]
    fine = photo.shape[1] == 3
    error = contextlib.nullcontext() if fine else pytest.raises(RuntimeError)
    with error, Replica(network, lighten) as twin:
        assert "forward" in vars(twin[1])
        twin(photo)
    assert [dict(vars(module)) for module in network.modules()] == before


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_global_mean_of_half_precision_does_not_overflow(dtype):
    """The sum of a thousand 200s is more than float16 holds."""
    network = nn.AdaptiveAvgPool2d(1)
    x = torch.full((1, 2, 32, 32), 200.0, dtype=dtype)
    with Replica(network, lighten) as twin:
        mean, gradient = output_and_gradient(twin, x)
    assert mean.dtype == dtype
    assert (mean == 200).all()
    torch.testing.assert_close(gradient[0, 1], torch.full((32, 32), 1 / 1024, dtype=dtype))
