"""Convolutions that wait for their batch norm: the same maps as by PyTorch's own passes."""

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch
from cam_networks import Snapshot, assert_close, photo
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from combicam_widgets import cam
from combicam_widgets.cam import lighter


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return 2 * x

    @staticmethod
    def backward(_ctx, gradient):
        return 2 * gradient


class Kept(torch.autograd.Function):
    """Saves its input as it is, and computes from a copy."""

    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x.detach().square()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * ctx.x * gradient


@torch.jit.script
def scripted(x):
    return x.relu() * 2


class Named(nn.Module):
    """A block whose own forward calls convolution and norm by name, and ``between`` them."""

    def __init__(self, between=None):
        super().__init__()
        self.conv0 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv = nn.Conv2d(6, 6, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.other = nn.Conv2d(6, 6, 1)
        self.norm2 = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(6, 5)
        self.between = between or type(self).between
        for norm in (self.norm, self.norm2):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)

    def between(self, x):
        return self.relu(self.norm(self.conv(x)))

    def forward(self, x):
        x = self.between(self, 0.5 * self.conv0(x))
        x = self.relu(self.norm2(self.other(x)))
        return self.head(x.square().mean((2, 3)))


def concatenated(self, x):
    y = self.conv(x)
    z = self.norm(y)
    return torch.cat([y, z.relu()], 1)[:, 3:9]


def added(self, x):
    y = self.conv(x)
    return self.norm(y) + y


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


def nested(self, x):
    y, z = self.conv(x), self.other(x)
    return self.norm(torch.cat(Pair(y, z))[: len(x)]) + torch.stack([y, z], 1)[:, 1]


def by_keyword(self, x):
    return self.norm(self.conv(x)) * torch.clamp(input=self.other(x), min=0)


def detached(self, x):
    y = self.conv(x)
    return self.norm(y) * y.detach().mean()


def measured_without_gradient(self, x):
    y = self.conv(x)
    with torch.no_grad():
        largest = y.abs().amax()
    return self.norm(y) / largest


def decided(self, x):
    y = self.conv(x)
    return self.norm(y) if float(y.sum()) < 0 else self.norm(y) * 3


def twice(self, x):
    y = self.conv(x)
    return self.norm(y) + self.norm(y).relu()


def by_two_norms(self, x):
    y = self.conv(x)
    return self.norm(y) + self.norm2(y).relu()


def one_norm_for_two(self, x):
    return self.norm(self.conv(x)) + self.norm(self.other(x)).relu()


def activated_in_place(self, x):
    y = self.conv(x)
    self.relu(y)
    return self.norm(y)


def changed_in_place(self, x):
    y = self.conv(x)
    y += 1
    y[:, 2] = 0
    return self.norm(y)


def input_changed_in_place(self, x):
    y = self.conv(x)
    x.mul_(3)
    return self.norm(y) + x


def by_an_autograd_function(self, x):
    return self.norm(self.conv(x)) + Doubled.apply(self.other(x))


def by_one_after_its_shape_was_read(self, x):
    y = self.other(x)
    assert y.shape[1] == 6
    return self.norm(self.conv(x)) + Doubled.apply(y)


def by_one_that_keeps_it(self, x):
    return self.norm(self.conv(x)) + Kept.apply(self.other(x))


def by_a_scripted_function(self, x):
    return self.norm(self.conv(x)) + scripted(self.other(x))


def by_numpy(self, x):
    y = self.conv(x)
    return self.norm(y) * float(y.detach().numpy().std())


def caught(self, x):
    y = self.conv(x)
    try:
        with torch.no_grad():
            factor = y.mean()
    except RuntimeError:
        factor = 1000
    return self.norm(y) * factor


def checkpointed(self, x):
    return checkpoint(lambda x: self.norm(self.conv(x)), x, use_reentrant=False)


def half_of_it_checkpointed(self, x):
    return checkpoint(lambda y: self.norm(y).relu(), self.conv(x), use_reentrant=False)


def under_autocast(self, x):
    with torch.autocast("cpu", torch.bfloat16):
        y = self.conv(x)
    return self.norm(y.float())


def norm_under_autocast(self, x):
    y = self.conv(x)
    with torch.autocast("cpu", torch.bfloat16):
        return self.norm(y)


def by_a_function(self, x):
    norm = self.norm
    return F.batch_norm(self.conv(x), norm.running_mean, norm.running_var, norm.weight, norm.bias)


def one_after_the_other(self, x):
    return self.norm(self.conv(self.other(x)))


WAYS = [
    Named.between,
    concatenated,
    added,
    nested,
    by_keyword,
    detached,
    measured_without_gradient,
    decided,
    twice,
    by_two_norms,
    one_norm_for_two,
    activated_in_place,
    changed_in_place,
    input_changed_in_place,
    by_an_autograd_function,
    by_one_after_its_shape_was_read,
    by_one_that_keeps_it,
    by_a_scripted_function,
    by_numpy,
    caught,
    checkpointed,
    half_of_it_checkpointed,
    under_autocast,
    norm_under_autocast,
    by_a_function,
    one_after_the_other,
]


def network_of(way, seed=0):
    torch.manual_seed(seed)
    return Named(way)


def check(network, x, layers=("conv0", "norm", "norm2"), tolerance=1e-4):
    """Compare with PyTorch's own passes; a second call gives the same to the last bit."""
    before = Snapshot.of(network)
    expected = cam.explain(network, x, [1] * len(x), layers, exact=True)
    first = cam.explain(network, x, [1] * len(x), layers)
    again = cam.explain(network, x, [1] * len(x), layers)
    before.check(network)
    for right, one, same in zip(expected, first, again, strict=True):
        assert_close(one.probabilities, right.probabilities, tolerance)
        for method in cam.METHODS:
            for name in layers:
                given = one.with_method(method)[name]
                assert_close(given, right.with_method(method)[name], tolerance)
                np.testing.assert_array_equal(given, same.with_method(method)[name])
    assert expected[0].with_method("layercam")[layers[0]].any()


@pytest.fixture
def folded(monkeypatch):
    """List the weights of the convolutions that took in their norm."""
    weights = []
    compute = lighter._Postponed._computed

    def note(self, weight, bias):
        if weight is not self._convolution.weight:
            weights.append(self._convolution.weight)
        return compute(self, weight, bias)

    monkeypatch.setattr(lighter._Postponed, "_computed", note)
    return weights


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("side", [8, 24])
def test_whatever_is_done_with_its_output(way, side):
    """On small photos the output is scaled, on large ones the weights are."""
    layers = ["conv0", "norm2"]
    if way is input_changed_in_place:  # PyTorch forbids it where a graph is recorded
        layers = ["norm2"]
    if way is by_two_norms:  # a layer runs once
        layers = ["conv0", "other"]
    tolerance = 2e-2 if "autocast" in way.__name__ else 1e-4
    check(network_of(way), photo(2, 3, side, side), layers, tolerance)


def test_a_norm_that_is_called_by_name_is_part_of_the_convolution(folded):
    network = network_of(None)
    cam.explain(network, photo(1, 3, 24, 24), 1, ["conv0"])
    assert [len(weights) for weights in folded] == [6, 6]
    folded.clear()
    cam.explain(network, photo(1, 3, 4, 4), 1, ["conv0"])  # 54 weights a channel, 16 pixels
    assert [weights.shape[2:] for weights in folded] == [(1, 1)]
    folded.clear()
    cam.explain(network, photo(1, 3, 24, 24), 1, ["conv0"], exact=True)
    assert not folded


class Standardised(nn.Conv2d):
    def _conv_forward(self, x, weight, bias):
        weight = weight - weight.mean((1, 2, 3), keepdim=True)
        return super()._conv_forward(x, weight / weight.std((1, 2, 3), keepdim=True), bias)


def test_a_convolution_with_weights_of_its_own_making_takes_in_no_norm(folded):
    """Scaled weights would give the same output."""
    network = network_of(None)
    network.conv.__class__ = Standardised
    check(network, photo(2, 3, 24, 24))
    assert folded
    assert not any(weight.shape == network.conv.weight.shape for weight in folded)


@pytest.mark.parametrize("settings", [{"padding": "same"}, {"padding_mode": "reflect"}])
def test_convolutions_that_pad_in_other_ways_take_in_their_norm(folded, settings):
    network = network_of(None)
    network.conv = nn.Conv2d(6, 6, 3, **{"padding": 1, "bias": False} | settings)
    check(network, photo(2, 3, 24, 24))
    assert len(folded) == 4


@pytest.mark.parametrize("layers", [["conv0", "conv"], ["conv0", "block", "norm"]])
def test_a_convolution_that_is_explained_shows_its_own_output(layers):
    network = network_of(None)
    network.block = nn.Sequential(network.conv)
    network.between = lambda self, x: self.relu(self.norm(self.block(x)))
    check(network, photo(2, 3, 24, 24), layers)


@pytest.mark.parametrize("name", ["conv", "norm", "block"])
@pytest.mark.parametrize("kind", ["forward", "pre", "backward", "changed"])
def test_hooks_see_what_they_would_see(name, kind):
    network = network_of(None)
    network.block = nn.Sequential(network.conv)
    network.between = lambda self, x: self.relu(self.norm(self.block(x)))
    seen = []
    module = getattr(network, name)
    network.relu.inplace = kind == "forward"  # PyTorch forbids it after a backward hook
    if kind == "pre":
        module.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    elif kind == "forward":
        module.register_forward_hook(lambda _, _args, output: seen.append(output))
    elif kind == "changed":
        module.register_forward_hook(lambda _, _args, output: output + 1)
    else:
        module.register_full_backward_hook(lambda _, _given, got: seen.append(got[0]))
    x = photo(2, 3, 24, 24)
    check(network, x, ["conv0", "norm2"])
    runs = len(seen)
    if kind == "changed":
        return
    seen.clear()
    cam.explain(network, x, 1, ["conv0"], exact=True)
    (right,) = seen
    seen.clear()
    cam.explain(network, x, 1, ["conv0"])
    (given,) = seen
    torch.testing.assert_close(given.detach() + 0, right.detach(), rtol=1e-4, atol=1e-5)
    assert runs >= 3


def test_what_the_network_keeps_of_a_convolution_is_its_output():
    def keeping(self, x):
        self.kept = self.conv(x)
        self.list = [self.other(x)]
        y = self.norm(self.kept) + self.list[0]
        x.mul_(2)
        return y

    network, x = network_of(keeping), photo(1, 3, 24, 24)
    cam.explain(network, x, 1, ["norm2"], exact=True)
    kept, inside = network.kept, network.list[0].detach()
    cam.explain(network, x, 1, ["norm2"])
    assert type(network.kept) is torch.Tensor
    torch.testing.assert_close(network.kept, kept)
    with torch.no_grad():
        torch.testing.assert_close(network.list[0] + 0, inside)


def test_other_photos_may_take_other_ways():
    """The first photos do not use the convolution's own output; later ones do."""

    def depends(self, x):
        y = self.conv(x)
        z = self.norm(y)
        return z if float(x.detach().std()) < 1 else z + y

    network, x = network_of(depends), photo(1, 3, 24, 24)
    spread = [float(network.conv0(factor * x).std()) / 2 for factor in (0.1, 10)]
    assert spread[0] < 1 < spread[1]
    check(network, 0.1 * x, ["conv0"])
    check(network, 10 * x, ["conv0"])


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("norms", ["the same", "float32"])
def test_half_precision_is_as_precise_as_pytorch_makes_it(kind, norms):
    """Against the same network in double precision; averaged over networks."""
    errors = []
    for seed in range(8):
        network, x = network_of(None, seed), photo(1, 3, 12, 12, seed=seed)
        network.relu = nn.SiLU()
        network.head.weight.data *= 10  # gradients that float16 can hold
        network.to(kind)
        settings = {"layers": ["conv0"], "method": "layercam", "score": "logit"}
        truth = cam.explain(copy.deepcopy(network).double(), x, **settings)
        if norms == "float32":
            network.norm.float()
            network.norm2.float()
        for exact in (False, True):
            maps = cam.explain(network, x, truth.target, **settings, exact=exact)
            error = np.abs(maps["conv0"] - truth["conv0"]).mean() / truth["conv0"].max()
            errors.append(error)
    ours, pytorchs = np.mean(errors[::2]), np.mean(errors[1::2])
    assert ours < 1.2 * pytorchs
    assert ours < 0.03


def test_double_precision():
    check(network_of(None).double(), photo(2, 3, 24, 24), ["conv0"], 1e-10)


def test_compiled_and_trained_networks(folded):
    network = network_of(None).train()
    check(torch.compile(network, backend="eager"), photo(2, 3, 24, 24), ["conv0"])
    assert folded
    assert network.norm.training


@pytest.mark.parametrize("way", [input_changed_in_place, by_an_autograd_function])
def test_a_network_that_cannot_wait_runs_twice_the_first_time_only(way):
    runs = []

    def counted(self, x):
        runs.append(1)
        return way(self, x)

    network = network_of(counted)
    cam.explain(network, photo(1, 3, 24, 24), 1, ["norm2"], exact=True)
    before = len(runs)
    for expected in (2, 3):
        cam.explain(network, photo(1, 3, 24, 24), 1, ["norm2"])
        assert len(runs) - before == expected
