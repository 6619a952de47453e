"""Passes: captured outputs, one forward and one backward, plain class scores."""

import gc
import weakref

import numpy as np
import pytest
import torch
from cam_networks import Mixed, Snapshot, photo
from torch import nn

from combicam_widgets import cam
from combicam_widgets.cam.passes import (
    captured,
    checked_batch,
    checked_scores,
    forward_backward,
    names_of,
    on_device_of,
)


class InPlace(nn.Module):
    """Overwrites what it is given, as functions of torch do with ``inplace=True``."""

    def forward(self, x):
        return x.clamp_(min=0)


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
    scores, outputs = captured(network, ["1", "0"], x)
    assert list(outputs) == ["0", "1"]
    torch.testing.assert_close(outputs["0"].detach(), expected)
    torch.testing.assert_close(outputs["1"].detach(), expected.relu())
    torch.testing.assert_close(scores.detach(), expected.relu().mean((2, 3)))
    assert not any(output.requires_grad for output in outputs.values())


def test_a_pass_looks_at_each_layer_once_last_one_first_and_returns_the_answer():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.Flatten())
    x, looked = photo(2, 3, 8, 8), []

    def run(twin, shapes):
        value = twin(x).sum()
        return value, dict(shapes)

    def look(name, a, g):
        assert not torch.is_grad_enabled()
        looked.append((name, a.clone(), g.clone()))

    shapes = forward_backward(network, ["1", "0"], run, look)
    assert shapes == {"0": (2, 4, 6, 6), "1": (2, 5, 4, 4)}
    assert [name for name, _, _ in looked] == ["1", "0"]
    a = network[0](x).detach().requires_grad_()
    network[1](a).sum().backward()
    torch.testing.assert_close(looked[1][1], a.detach())
    torch.testing.assert_close(looked[1][2], a.grad)
    torch.testing.assert_close(looked[0][2], torch.ones(2, 5, 4, 4))


@pytest.mark.parametrize("in_place", [nn.ReLU(inplace=True), InPlace()])
def test_a_network_that_overwrites_a_layer_runs_twice_the_first_time_only(in_place):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), in_place, nn.Flatten())
    x, runs, looked = photo(), [], {}
    expected = network[0](x).detach()

    def run(twin, _shapes):
        runs.append(1)
        return twin(x).sum(), None

    def look(name, a, g):
        looked[name] = a.clone(), g.clone()

    for expected_runs in (2, 3):
        looked.clear()
        forward_backward(network, ["0"], run, look)
        assert len(runs) == expected_runs
        torch.testing.assert_close(looked["0"][0], expected)
        torch.testing.assert_close(looked["0"][1], (expected > 0).float())


def test_an_error_of_the_network_itself_comes_through():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten())

    def run(twin, _shapes):
        return twin(photo(1, 5, 4, 4)).sum(), None

    with pytest.raises(RuntimeError, match="channels"):
        forward_backward(network, ["0"], run, print)
    with pytest.raises(RuntimeError, match="does not reach any"):
        forward_backward(
            network, ["0"], lambda twin, _: (twin(photo()).sum().detach(), None), print
        )


def test_only_what_is_overwritten_in_place_is_tried_again():
    """Out of memory would be so a second time, and later."""
    network, runs = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten()), []

    def run(_twin, _shapes):
        runs.append(1)
        raise torch.OutOfMemoryError("no memory left for an inplace operation")

    with pytest.raises(torch.OutOfMemoryError):
        forward_backward(network, ["0"], run, print)
    with pytest.raises(RuntimeError, match="shape"):
        cam.explain(nn.Sequential(network, nn.Linear(7, 2)), photo(), layers=["0.0"])
    assert len(runs) == 1


class Hungry(nn.Module):
    """Takes what there is not, from the nth call on."""

    def __init__(self, error, first=1):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 1), nn.Linear(4, 5)
        self.error, self.left, self.held = error, [first], []

    def forward(self, x):
        y = self.conv(x)
        self.held.append(weakref.ref(y))
        self.left[0] -= 1
        if self.left[0] <= 0:
            self.error()
        return self.head(y.mean((2, 3)))


def no_memory_of_the_cpu():
    torch.empty(10**14)


def no_memory_of_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB.\nMore of it.")


def no_memory_for_python():
    raise MemoryError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (no_memory_of_the_cpu, RuntimeError),
        (no_memory_of_a_gpu, torch.OutOfMemoryError),
        (no_memory_for_python, MemoryError),
    ],
)
def test_too_little_memory_is_told_with_what_to_do_and_nothing_is_run_twice(error, kind):
    x = photo(2, 3, 8, 8)
    for network, ask, advice in (
        (
            Hungry(error),
            lambda n: cam.explain(n, x, [1, 1], ["conv"]),
            "fewer photos at once or sm",
        ),
        (
            Hungry(error),
            lambda n: cam.explain(n, x[:1], 1, ["conv"], keep=True),
            "keep=False or sm",
        ),
        (Hungry(error, 3), lambda n: cam.score_cam(n, x[:1], 1, ["conv"], at_once=2), "than 2, or"),
    ):
        before = Snapshot.of(network)
        with pytest.raises(kind, match=f"There is too little memory: give .*{advice}") as told:
            ask(network)
        assert type(told.value) is kind
        assert network.left[0] == 0
        assert [alive() for alive in network.held] == [None] * len(network.held)
        before.check(network)


def test_capturing_does_not_change_what_the_network_says():
    network = Mixed()
    x = photo()
    plain = cam.class_scores(network, x)
    torch.testing.assert_close(captured(network, ["conv1", "relu1", "bn2"], x)[0], plain)


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
        (lambda z: (z, z[:, :4]), TypeError, r"a tuple of 2.*one of 0, 1"),
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


@pytest.mark.parametrize("layers", [torch.tensor(0), np.array(0), np.array("0"), 3, object()])
def test_what_only_looks_like_a_list_of_layers_is_refused_in_words(layers):
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(TypeError, match=r"^layers must be names or modules of the network, not "):
        names_of(network, layers)


def test_names_in_an_array_become_plain():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    assert [type(name) for name in names_of(network, np.array(["0", "1"]))] == [str, str]
