"""Passes: the network at rest, captured outputs, plain class scores."""

import gc
import weakref

import pytest
import torch
from cam_networks import Mixed, Snapshot, photo
from torch import nn

from combicam_widgets import cam
from combicam_widgets.cam.passes import (
    at_rest,
    captured,
    checked_batch,
    checked_scores,
    on_device_of,
)


@pytest.mark.parametrize("leave", [None, ArithmeticError, KeyboardInterrupt, GeneratorExit])
def test_at_rest_freezes_and_restores_module_by_module(leave):
    network = Mixed()
    before = Snapshot.of(network)
    assert len(set(before.modes)) == len(set(before.flags)) == 2

    def rest():
        with at_rest(network):
            assert not any(module.training for module in network.modules())
            assert not any(p.requires_grad for p in network.parameters())
            if leave:
                raise leave

    if leave:
        with pytest.raises(leave):
            rest()
    else:
        rest()
    before.check(network)


def test_at_rest_does_not_call_train_or_eval():
    network = Mixed()
    called = []
    object.__setattr__(network, "train", lambda *_: called.append("train"))
    object.__setattr__(network, "eval", lambda *_: called.append("eval"))
    with at_rest(network):
        pass
    assert not called


def test_at_rest_can_be_nested():
    network = Mixed()
    before = Snapshot.of(network)
    with at_rest(network):
        with at_rest(network):
            pass
        assert not any(p.requires_grad for p in network.parameters())
    before.check(network)


def test_a_network_is_not_kept_alive():
    network = Mixed()
    cam.explain(network, photo(), layers=["conv1"])
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_captured_outputs_are_not_overwritten_by_what_follows_in_place():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    x = photo()
    expected = network[0](x).detach()
    assert (expected < 0).any()
    with captured(network, ["1", "0"]) as outputs:
        scores = network(x)
    assert list(outputs) == ["0", "1"]
    torch.testing.assert_close(outputs["0"].detach(), expected)
    torch.testing.assert_close(outputs["1"].detach(), expected.relu())
    torch.testing.assert_close(scores, expected.relu().mean((2, 3)))
    assert outputs["0"].is_leaf
    assert outputs["0"].requires_grad


def test_capturing_does_not_change_what_the_network_says():
    network = Mixed()
    x = photo()
    plain = cam.class_scores(network, x)
    with captured(network, ["conv1", "relu1", "bn2"]):
        torch.testing.assert_close(network(x).detach(), plain)


def test_class_scores_are_those_of_evaluation_mode_and_leave_no_trace():
    torch.manual_seed(0)
    network = Mixed()
    before = Snapshot.of(network)
    x = photo(3, 3, 8, 8)
    scores = cam.class_scores(network, x)
    before.check(network)
    assert not scores.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(scores, network.eval()(x))


@pytest.mark.parametrize(
    ("tail", "error", "message"),
    [
        (lambda z: z[9], IndexError, None),
        (lambda z: (z,), TypeError, "a tuple of 1"),
        (lambda z: [z, z], TypeError, "a list of 2"),
        (lambda z: z * torch.nan, ValueError, "NaN"),
        (lambda z: z[0], ValueError, r"shape \(5,\)"),
        (lambda z: z[:1], ValueError, "N = 2"),
    ],
)
def test_class_scores_that_fail_leave_no_trace(tail, error, message):
    class Tail(nn.Module):
        def forward(self, z):
            return tail(z)

    network = Mixed(Tail())
    before = Snapshot.of(network)
    with pytest.raises(error, match=message):
        cam.class_scores(network, photo(2, 3, 8, 8))
    before.check(network)


def test_checked_batch_adds_the_batch_axis_and_nothing_else():
    x = photo(3, 4, 5)
    assert torch.equal(checked_batch(x), x[None])
    assert checked_batch(x[None].double()).dtype == torch.float64


def test_checked_scores_passes_good_scores_on():
    z = torch.randn(2, 7)
    assert checked_scores(z, 2) is z


def test_the_batch_follows_the_network():
    assert on_device_of(Mixed().double(), photo()).dtype == torch.float64
    x = photo().half()
    assert on_device_of(nn.ReLU(), x) is x
    meta = on_device_of(nn.Conv2d(3, 1, 1, device="meta"), photo())
    assert meta.device.type == "meta"
