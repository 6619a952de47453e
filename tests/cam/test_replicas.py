"""Replicas: passes never touch the network, whatever interrupts them and whoever else is at it."""

import copy
import ctypes
import functools
import threading
import time
import types
import weakref

import numpy as np
import pytest
import torch
from cam_networks import Mixed, RandomNet, Snapshot, assert_close, photo
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from benchmarks import fuzz
from combicam_widgets import cam
from combicam_widgets.cam.replicas import Replica

# What a replica is


def test_a_twin_is_at_rest_and_shares_the_weights():
    network = Mixed()
    before = Snapshot.of(network)
    with Replica(network) as twin:
        before.check(network)
        assert [type(m) for m in twin.modules()] == [type(m) for m in network.modules()]
        assert not any(module.training for module in twin.modules())
        assert not any(parameter.requires_grad for parameter in twin.parameters())
        for (name, mine), (other, theirs) in zip(
            network.state_dict().items(), twin.state_dict().items(), strict=True
        ):
            assert name == other
            assert mine.data_ptr() == theirs.data_ptr()
        network.conv2.weight.data.add_(1)
        assert torch.equal(twin.conv2.weight, network.conv2.weight)


def test_modes_are_set_without_train_or_eval_which_networks_override():
    network, called = Mixed(), []
    for method in ("train", "eval"):
        object.__setattr__(network, method, lambda *_: called.append(1))
    cam.explain(network, photo())
    assert not called


@pytest.mark.parametrize(
    "change",
    [
        lambda n: weight_norm(n.conv1),
        lambda n: spectral_norm(n.conv1),
        lambda n: parametrizations.weight_norm(n.conv1),
        lambda n: parametrizations.spectral_norm(n.conv1),
        lambda n: prune.l1_unstructured(n.conv1, "weight", 0.5),
        lambda n: setattr(n.head, "weight", nn.Parameter(n.head.weight[:, [0] * 6])),
    ],
)
def test_what_pytorch_does_to_modules_works_on_their_twins(change):
    torch.manual_seed(0)
    network, x = Mixed(), photo()
    change(network)
    network(x)  # some of these start with the first pass
    modes = [module.training for module in network.modules()]
    with torch.no_grad():
        expected = network.eval()(x)
    for module, mode in zip(network.modules(), modes, strict=True):
        module.training = mode
    before = Snapshot.of(network)
    torch.testing.assert_close(cam.class_scores(network, x), expected)
    maps = cam.explain(network, x, layers=["conv1", "conv2"])
    np.testing.assert_allclose(maps.probabilities, expected.softmax(1)[0], rtol=1e-5)
    assert maps["conv1"].any()
    before.check(network)


class Recurrent(nn.Module):
    """Reads the rows of its maps with an LSTM, which lists its own parameters."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.rows = nn.LSTM(32, 6, batch_first=True, dropout=0.5, num_layers=2)

    def forward(self, x):
        return self.rows(self.conv(x).transpose(1, 2).flatten(2))[0][:, -1]


@pytest.mark.parametrize(
    "make", [Recurrent, lambda: torch.fx.symbolic_trace(Mixed()), lambda: nn.Sequential(Mixed())]
)
def test_networks_of_other_makes(make):
    torch.manual_seed(0)
    network, x = make().train(), photo()
    scores = cam.class_scores(network, x)
    maps = cam.explain(network, x)
    assert all(module.training for module in network.modules())
    with torch.no_grad():
        torch.testing.assert_close(scores, network.eval()(x))
    np.testing.assert_allclose(maps.probabilities, scores.softmax(1)[0], rtol=1e-5)
    assert maps.maps[-1].any()


class Wired(nn.Module):
    """Reaches its layers in every way but by its own name for them."""

    def __init__(self, way):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)
        self.way = way
        conv = self.conv
        self.listed = [{"conv": (conv,)}]
        self.keyed = {conv: "conv"}
        self.method = conv.forward  # past the hooks
        self.called = conv.__call__
        self.bound = functools.partial(torch.nn.Module.__call__, conv)
        self.closure = lambda x: conv(x)  # noqa: PLW0108
        self.default = lambda x, conv=conv: conv(x)
        self.weakly = weakref.ref(conv)
        vars(self)["above"] = [weakref.ref(self)]
        self.round = [conv]
        self.round.append(self.round)
        self.stored = None
        self.norm.register_forward_hook(lambda *given: self.store(given[-1]))

    def store(self, output):
        self.stored = output

    def forward(self, x):
        ways = {
            "listed": lambda: self.listed[0]["conv"][0],
            "keyed": lambda: next(iter(self.keyed)),
            "called": lambda: self.called,
            "bound": lambda: self.bound,
            "closure": lambda: self.closure,
            "default": lambda: self.default,
            "weakly": self.weakly,
            "above": lambda: self.above[0]().conv,
            "round": lambda: self.round[0],
        }
        self.norm(ways[self.way]()(x))
        return self.head(self.stored.mean((2, 3)))


@pytest.mark.parametrize(
    "way",
    ["listed", "keyed", "called", "bound", "closure", "default", "weakly", "above", "round"],
)
def test_layers_are_found_however_the_network_reaches_them(way):
    torch.manual_seed(0)
    network, x = Wired(way).train(), photo()
    before = Snapshot.of(network)
    maps = cam.explain(network, x, layers=["conv", "norm"])
    before.check(network)
    plain = nn.Sequential(
        network.conv, network.norm, nn.AdaptiveAvgPool2d(1), nn.Flatten(), network.head
    )
    expected = cam.explain(plain, x, layers=["0", "1"])
    np.testing.assert_allclose(maps.probabilities, expected.probabilities, rtol=1e-5)
    for mine, theirs in zip(maps.maps, expected.maps, strict=True):
        assert_close(mine, theirs, 1e-5)


patched = None


def patched_forward(x):
    return patched.head(patched.relu1(patched.conv1(x)).repeat(1, 2, 1, 1)[:, :6].mean((2, 3)))


@pytest.mark.parametrize("way", ["global name", "method"])
def test_a_forward_that_was_put_in_by_hand(way, monkeypatch):
    network, x = Mixed(), photo()
    monkeypatch.setitem(globals(), "patched", network)
    if way == "global name":
        network.forward = patched_forward
    else:
        network.forward = types.MethodType(
            lambda self, x: self.head(
                self.relu1(self.conv1(x)).repeat(1, 2, 1, 1)[:, :6].mean((2, 3))
            ),
            network,
        )
    before = Snapshot.of(network)
    maps = cam.explain(network, x, layers=["relu1"])
    before.check(network)
    with torch.no_grad():
        expected = patched_forward(x).softmax(1)[0]
    np.testing.assert_allclose(maps.probabilities, expected, rtol=1e-5)
    assert maps["relu1"].any()


class Remembering(RandomNet):
    """Assigns to itself in every pass, as caches and counters do."""

    def __init__(self):
        super().__init__(1)
        self.runs = 0
        self.seen = self.last = None
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x):
        self.runs += 1
        self.steps = self.steps + 1
        self.last = self.blocks[0]
        if self.runs == 4:
            raise ArithmeticError("the fourth time")
        self.seen = super().forward(x)
        return self.seen


def test_what_the_network_assigns_to_itself_is_kept():
    network, x = Remembering(), photo()
    cam.class_scores(network, x)
    cam.explain(network, x, layers=["stem"])  # tried again: it overwrites its layers
    assert network.runs == int(network.steps) == 3
    assert network.last is network.blocks[0]
    assert not network.seen.requires_grad
    torch.testing.assert_close(network.seen, cam.class_scores(RandomNet(1), x))
    with pytest.raises(ArithmeticError):
        cam.class_scores(network, x)
    assert network.runs == 4
    assert all(module.training for module in network.modules())
    copy.deepcopy(network)


class Knowing(nn.Module):
    """Has the module that it is in among its own."""

    def __init__(self, above):
        super().__init__()
        self.above = above

    def forward(self, x):
        return self.above[0](x)


def test_modules_that_hold_each_other():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    outer = nn.Sequential(network)
    network[0].knowing = Knowing(outer)
    expected = cam.explain(network, photo(), 1, ["0"])["0"]
    outer = nn.ModuleList([network, Knowing([network])])
    outer.forward = outer[1].forward
    assert_close(cam.explain(outer, photo(), 1, ["0.0"])["0.0"], expected, 1e-6)


def test_parameters_that_a_pass_makes_are_parameters():
    class Growing(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = None

        def forward(self, x):
            if self.scale is None:
                self.scale = nn.Parameter(torch.full((1, 3), 2.0))
            return x.mean((2, 3)) * self.scale

    network = Growing()
    scores = cam.class_scores(network, photo())
    assert isinstance(network.scale, nn.Parameter)
    assert network.scale.requires_grad
    torch.testing.assert_close(scores, network(photo()).detach())


@pytest.mark.parametrize("made", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_a_network_that_was_made_in_another_mode(made):
    torch.manual_seed(0)
    with made():
        network = Mixed()
        inside = cam.explain(network, photo())
    maps = cam.explain(network, photo())
    assert maps.maps[0].any()
    for one, other in zip(maps.maps, inside.maps, strict=True):
        np.testing.assert_array_equal(one, other)


def test_parameters_without_a_shape_are_named():
    network = nn.Sequential(nn.LazyConv2d(4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(ValueError, match=r"no shape yet.*run it once"):
        cam.explain(network, photo())
    network(photo())
    assert cam.explain(network, photo(), layers=["0"]).maps[0].any()


# Interrupts


def test_a_thousand_interrupts_leave_nothing():
    for seed in range(1000):
        fuzz.attempt("interrupts", seed)


def test_interrupts_in_another_thread_leave_nothing():
    """Raised from outside, as debuggers and notebooks do to threads."""
    network, x = Mixed(), photo()
    before, expected = Snapshot.of(network), cam.explain(network, x)
    rng = np.random.default_rng(0)

    def work():
        started.set()
        try:
            while True:
                cam.explain(network, x)
        except KeyboardInterrupt:
            modes.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))

    modes = []
    for _ in range(50):
        started = threading.Event()
        thread = threading.Thread(target=work)
        thread.start()
        started.wait(10)
        time.sleep(rng.uniform(0, 0.01))
        number = ctypes.c_ulong(thread.ident)
        for _ in range(10):  # Python drops what is raised while it collects garbage
            ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(KeyboardInterrupt))
            thread.join(10)
            if not thread.is_alive():
                break
        before.check(network)
    assert modes == [(True, False)] * 50
    for name, one in zip(expected, cam.explain(network, x).maps, strict=True):
        np.testing.assert_array_equal(one, expected[name])


# Together


def together(*jobs, rounds=20):
    """Run each job again and again, all at the same time; list what they return, or raise."""
    start, errors = threading.Barrier(len(jobs)), []
    results = [[] for _ in jobs]

    def work(job, result):
        try:
            start.wait(10)
            result.extend(job() for _ in range(rounds))
        except BaseException as error:  # noqa: BLE001  (told by the main thread)
            errors.append(error)

    threads = [threading.Thread(target=work, args=x) for x in zip(jobs, results, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    return results


class Waiting(nn.Module):
    """Gives other threads a chance in the midst of a pass."""

    def forward(self, x):
        time.sleep(0.0005)
        return x


def test_networks_that_share_a_backbone():
    torch.manual_seed(0)
    backbone = nn.Sequential(nn.Conv2d(4, 4, 3), Waiting(), nn.BatchNorm2d(4), Waiting()).train()
    ends = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    heads = [nn.Sequential(nn.Conv2d(3, 4, 1), backbone, *ends, nn.Linear(4, 4)) for _ in range(2)]
    before = [Snapshot.of(network) for network in heads]
    jobs = [
        (lambda n=n: cam.explain(heads[n], photo(seed=n), 1, ["0", "1.0", "1.2"])) for n in (0, 1)
    ]
    alone = [job() for job in jobs]
    for expected, results in zip(alone, together(*jobs), strict=True):
        for maps in results:
            np.testing.assert_array_equal(maps.probabilities, expected.probabilities)
            for one, other in zip(maps.maps, expected.maps, strict=True):
                np.testing.assert_array_equal(one, other)
    for snapshot, network in zip(before, heads, strict=True):
        snapshot.check(network)


def test_the_owner_s_own_passes_see_the_network_as_it_is():
    """Even a training step: its gradients, its batch norms' statistics, its dropout."""
    network, x = nn.Sequential(Mixed(), Waiting(), nn.BatchNorm1d(5)), photo(4, 3, 8, 8)
    plain = copy.deepcopy(network)

    def step(trained):
        torch.manual_seed(0)
        scores = trained(x)
        trained.zero_grad()
        scores.square().sum().backward()
        return scores.detach(), trained[0].conv2.weight.grad.clone()

    expected = [step(plain) for _ in range(20)]
    maps = cam.explain(network, x[:1], 1, ["0.conv1"])
    mine, others = together(
        lambda: step(network),
        lambda: cam.score_cam(network, x[:1], 1, ["0.conv1"]) and cam.explain(network, x, 1),
    )
    assert len(mine) == len(others) == 20
    del maps
    for one, other in zip(mine, expected, strict=True):
        torch.testing.assert_close(one, other)
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(network.state_dict()[key], value)


def test_copies_that_are_made_meanwhile_are_copies_of_the_network():
    network = nn.Sequential(Waiting(), Mixed(), Waiting())
    alone = Snapshot.of(copy.deepcopy(network))
    copies, _ = together(
        lambda: copy.deepcopy(network), lambda: cam.explain(network, photo(), layers=["1.conv1"])
    )
    for one in copies:
        alone.check(one)


def test_hooks_of_two_explanations_see_one_pass_each():
    """The one begins and ends while the other is on its way."""
    network, x, inner = RandomNet(4), photo(), []
    expected = cam.explain(network, x, 1, ["stem", "blocks.0"])

    whole = types.SimpleNamespace(network=network)

    def nested(*_):
        handle.remove()
        inner.append(cam.explain(whole.network, x, 1, ["blocks.0", "stem"]))

    handle = network.act.register_forward_hook(nested)
    outer = cam.explain(network, x, 1, ["stem", "blocks.0"])
    for maps in (outer, *inner):
        for name in expected:
            np.testing.assert_array_equal(maps[name], expected[name])
    assert len(inner) == 1
