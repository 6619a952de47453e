"""Networks that change between two passes: each is explained as it is now."""

import gc
import threading
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cam_networks import Snapshot, assert_close, photo
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from combicam_widgets import cam
from combicam_widgets.cam.replicas import Replica


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.SiLU(inplace=True)
        self.factors = (0.5, 2.0)
        self.register_buffer("shift", torch.zeros(1, channels, 1, 1))
        nn.init.normal_(self.norm.weight)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return self.act(self.norm(self.conv(x)) + self.shift) * self.factors[0]


class Net(nn.Module):
    """Two blocks beside each other, then a convolution and a head."""

    def __init__(self):
        super().__init__()
        self.scale = 1.0
        self.one, self.two = Block(6), Block(6)
        self.tail = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.tail(self.one(x) + self.two(x) * self.scale)
        return self.head(x.square().mean((2, 3)))


def made():
    torch.manual_seed(1)
    return Net().eval()


LAYERS = ["one", "two", "tail"]


def explained(network, layers=LAYERS, **settings):
    torch.manual_seed(2)
    dtype = next(network.parameters()).dtype
    return cam.explain(network, photo(1, 3, 12, 16).to(dtype), 1, layers, **settings)


def check(network):
    """Compare with passes that nothing makes cheaper."""
    x = photo(2, 3, 12, 16).to(next(network.parameters()).dtype)
    with Replica(network) as twin, torch.no_grad():
        scores = twin(x.clone())
    assert torch.equal(cam.class_scores(network, x), scores)
    given, right = explained(network), explained(network, exact=True)
    tolerance = 1e-4 if next(network.parameters()).dtype != torch.float16 else 2e-2
    assert_close(given.probabilities, right.probabilities, tolerance)
    for method in cam.METHODS:
        for name in LAYERS:
            assert_close(
                given.with_method(method)[name], right.with_method(method)[name], tolerance
            )
    return given


def in_place(network):
    with torch.no_grad():
        network.one.conv.weight.mul_(-1.5)


def past_autograd(network):
    network.one.conv.weight.data.mul_(-1.5)
    network.two.norm.weight.data += 1


def by_an_optimizer(network):
    optimizer = torch.optim.SGD(network.parameters(), 1.0)
    network(photo(2, 3, 12, 16))[:, 1].sum().backward()
    optimizer.step()


def by_training(network):
    network.train()
    with torch.no_grad():
        network(5 + 3 * photo(4, 3, 12, 16))


def statistics_in_place(network):
    network.one.norm.running_var.mul_(4)


def other_statistics(network):
    network.one.norm.running_mean = torch.ones(6)


def other_memory(network):
    network.one.conv.weight.data = torch.randn(6, 3, 3, 3)


def other_parameter(network):
    network.one.conv.weight = nn.Parameter(torch.randn(6, 3, 3, 3))


def exchanged_parameters(network):
    one, two = network.one.conv, network.two.conv
    one.weight, two.weight = two.weight, one.weight


def tied(network):
    network.one.conv.weight = network.two.conv.weight


def loaded(network):
    network.load_state_dict(Net().state_dict())


def loaded_and_assigned(network):
    network.load_state_dict(Net().state_dict(), assign=True)


def other_epsilon(network):
    network.one.norm.eps = 1.0


def other_padding(network):
    network.tail[0].padding = (2, 2)


def other_module(network):
    network.one = Block(6).eval()


def other_inner_module(network):
    network.two.act = nn.Tanh()


def one_more_module(network):
    network.tail.append(nn.Sigmoid())


def one_module_less(network):
    del network.tail[1]


def exchanged_modules(network):
    network.one.conv, network.two.norm = network.two.conv, network.one.norm


def other_class(network):
    class Louder(Block):
        def forward(self, x):
            return 3 * super().forward(x) + 1

    network.one.__class__ = Louder


def other_attribute(network):
    network.scale = -2.0


def other_tuple(network):
    network.one.factors = (3.0,)


def other_buffer(network):
    network.one.shift = torch.ones(1, 6, 1, 1)


def buffer_in_place(network):
    network.one.shift.add_(1)


def forward_of_its_own(network):
    network.one.forward = lambda x: network.one.conv(x).sigmoid()


def hooked(network):
    network.one.register_forward_hook(lambda _module, _args, output: output * 3 + 1)


def inner_hooked(network):
    network.two.conv.register_forward_pre_hook(lambda _module, args: (args[0] * 3,))


def parametrised(network):
    parametrizations.orthogonal(network.head)


def wrapped(network):
    network.one = nn.DataParallel(network.one)
    other_epsilon(network.one)


def in_double_precision(network):
    network.double()
    in_place(network)


def in_half_precision(network):
    network.half()
    in_place(network)


CHANGES = [
    in_place,
    past_autograd,
    by_an_optimizer,
    by_training,
    statistics_in_place,
    other_statistics,
    other_memory,
    other_parameter,
    exchanged_parameters,
    tied,
    loaded,
    loaded_and_assigned,
    other_epsilon,
    other_padding,
    other_module,
    other_inner_module,
    one_more_module,
    one_module_less,
    exchanged_modules,
    other_class,
    other_attribute,
    other_tuple,
    other_buffer,
    buffer_in_place,
    forward_of_its_own,
    hooked,
    inner_hooked,
    parametrised,
    in_double_precision,
    in_half_precision,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_is_changed_is_seen(change):
    network = made()
    before = check(network)
    change(network)
    after = check(network)
    assert abs(after.probabilities - before.probabilities).max() > 1e-4
    check(network)


def test_what_a_wrapped_module_runs_may_be_exchanged():
    network = made()
    network.one = nn.DataParallel(network.one)
    before = explained(network, ["tail"])
    network.one.module = Block(6).eval()
    after, right = (explained(network, ["tail"], exact=exact) for exact in (False, True))
    assert_close(after["tail"], right["tail"], 1e-4)
    assert abs(after["tail"] - before["tail"]).max() > 1e-4


def test_a_hook_that_was_set_since_runs_on_the_replica():
    network = made()
    network.two.norm.train()
    explained(network)
    network.one.register_forward_hook(lambda _module, _args, output: network.two.norm(output))
    before = Snapshot.of(network)
    check(network)
    before.check(network)


class Listed(Net):
    def __init__(self):
        super().__init__()
        self.order = [self.one, self.two]

    def forward(self, x):
        first, second = self.order
        return self.head(self.tail(first(x) - 2 * second(x)).square().mean((2, 3)))


def test_modules_in_a_list_may_be_exchanged():
    torch.manual_seed(1)
    network = Listed().eval()
    before = check(network)
    network.order.reverse()
    after = check(network)
    assert abs(after["tail"] - before["tail"]).max() > 1e-4


def sparse(network):
    network.mask = nn.Parameter(torch.eye(3).to_sparse(), requires_grad=False)


def of_another_kind(network):
    class Weights(torch.Tensor):
        pass

    weight = network.head.weight.data
    network.head.weight = nn.Parameter(weight.as_subclass(Weights))


def with_a_hook(network):
    network.head.weight.register_hook(lambda gradient: gradient * 2)


@pytest.mark.parametrize("change", [sparse, of_another_kind, with_a_hook])
def test_other_kinds_of_parameters(change):
    network = made()
    change(network)
    check(network)
    check(network)


def looking_at(network):
    return lambda *_: vars(network) and None


def by_an_attribute(network):
    network.trainer = SimpleNamespace(model=network)


def by_a_hook(network):
    network.one.register_forward_hook(looking_at(network))


def by_a_hook_for_loading(network):
    network.register_load_state_dict_post_hook(looking_at(network))


def by_a_parameter(network):
    network.head.weight.owner = network
    network.one.conv.weight.register_hook(looking_at(network))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    "known", [by_an_attribute, by_a_hook, by_a_hook_for_loading, by_a_parameter]
)
def test_a_network_that_is_known_by_what_it_holds_dies(known, first):
    """Whether it learns of it before a pass or after one."""
    network = made()
    if not first:
        check(network)
    known(network)
    if first:
        explained(network)
    alive = weakref.ref(network)
    del network
    gc.collect()
    gc.collect()
    assert alive() is None


def test_parameters_that_want_gradients_anew_are_frozen_for_a_pass():
    network = made().requires_grad_(requires_grad=False)
    explained(network)
    network.requires_grad_()
    recorded = {}

    def score(logits, _targets):
        nodes = [logits.grad_fn]
        for node in nodes:
            recorded[node] = node.name()
            new = (before for before, _ in node.next_functions)
            nodes += [before for before in new if before not in {None, *recorded}]
        return logits[:, 1]

    explained(network, score=score)
    leaves = [node for node, name in recorded.items() if "AccumulateGrad" in name]
    assert len(leaves) == 1  # that by which the gradients of layers come by


def test_nothing_of_a_photo_stays():
    def maps():
        gc.collect()
        tensors = [x for x in gc.get_objects() if type(x) in {torch.Tensor, nn.Parameter}]
        return sum(x.shape[-2:] == (12, 16) for x in tensors)

    network = made()
    before = maps()
    explained(network)
    assert maps() == before


def test_old_weights_and_modules_go_at_once():
    network = made()
    check(network)
    old = [weakref.ref(network.one.conv.weight), weakref.ref(network.two)]
    network.one.conv.weight = nn.Parameter(torch.randn(6, 3, 3, 3))
    network.two = Block(6).eval()
    gc.collect()
    assert [each() for each in old] == [None, None]


class Writing(Net):
    """Its forward pass changes PyTorch's modules below it, as this says."""

    def __init__(self, way):
        super().__init__()
        self.way = way

    def forward(self, x):
        y = self.one(x)
        if self.way == "cache":
            if not hasattr(self.one.act, "cache"):
                self.one.act.cache = y.mean().detach()
            y = y * self.one.act.cache
        elif self.way == "weight":
            self.one.conv.weight = nn.Parameter(self.one.conv.weight * 0.5)
        elif self.way == "append":
            self.tail.append(nn.Tanh())
        elif self.way == "keep":
            self.one.act.saved = y
        return self.head(self.tail(y).square().mean((2, 3)))


@pytest.mark.parametrize("way", ["cache", "weight", "append", "keep"])
def test_what_a_pass_changes_in_pytorchs_own_modules_ends_with_it(way):
    torch.manual_seed(1)
    network = Writing(way).eval()
    before = Snapshot.of(network)
    for factor in (1, 3, 2):
        x = factor * photo(1, 3, 12, 16)
        with Replica(network) as twin, torch.no_grad():
            scores = twin(x.clone())
        assert torch.equal(cam.class_scores(network, x), scores)
        given, right = (cam.explain(network, x, 1, ["one"], exact=e) for e in (False, True))
        assert_close(given["one"], right["one"], 1e-4)
    before.check(network)


class Hooking(Net):
    def forward(self, x):
        if not self.one._forward_hooks:
            self.one.register_forward_hook(lambda _module, _args, output: 2 * output)
        return super().forward(x)


def test_hooks_that_modules_set_in_a_pass_are_set_on_the_network():
    torch.manual_seed(1)
    network = Hooking().eval()
    first = cam.class_scores(network, photo(1, 3, 12, 16))
    assert len(network.one._forward_hooks) == 1
    check(network)
    assert torch.equal(cam.class_scores(network, photo(1, 3, 12, 16)), first)


def test_buffers_that_were_made_under_inference_mode():
    network = made()
    with torch.inference_mode():
        network.one.norm.running_mean = torch.zeros(6)
    before = check(network)
    with torch.inference_mode():
        network.one.norm.running_mean.add_(2)
    assert abs(check(network).probabilities - before.probabilities).max() > 1e-4


class Convolution(nn.Conv2d):
    pass


def test_a_class_that_is_changed_is_seen(monkeypatch):
    network = made()
    network.one.conv = Convolution(3, 6, 3, padding=1, bias=False)
    before = check(network)
    with monkeypatch.context() as patched:
        patched.setattr(Convolution, "forward", lambda self, x: 3 * nn.Conv2d.forward(self, x))
        assert abs(check(network).probabilities - before.probabilities).max() > 1e-4

    def standardised(self, x, weight, bias):
        weight = weight - weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight / weight.std((1, 2, 3), keepdim=True), bias, padding=1)

    monkeypatch.setattr(Convolution, "_conv_forward", standardised)
    assert abs(check(network).probabilities - before.probabilities).max() > 1e-4


def test_half_precision_of_a_network_that_wants_no_gradients():
    network = made().requires_grad_(requires_grad=False)
    check(network)
    for tensor in [*network.parameters(), *network.buffers()]:
        if tensor.is_floating_point():
            tensor.data = tensor.data.half()
    network.load_state_dict(Net().half().state_dict())
    check(network)


class Hiding(Net):
    """Names other modules than it has."""

    def named_modules(self, *_args, **_settings):
        yield "", self
        yield "other", nn.Linear(2, 2)


def test_modules_that_a_network_does_not_name():
    torch.manual_seed(1)
    network = Hiding().eval()
    before = check(network)
    network.one.conv.weight.data = torch.randn(6, 3, 3, 3)
    network.two.act = nn.Tanh()
    assert abs(check(network).probabilities - before.probabilities).max() > 1e-4


def test_a_module_that_is_exchanged_again_and_again_in_another_thread():
    network = made()
    blocks, over = [network.one, Block(6).eval()], threading.Event()

    def exchange():
        while not over.is_set():
            network.one = blocks[0]
            network.one = blocks[1]

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        x = photo(1, 3, 12, 16)
        found = [cam.class_scores(network, x) for _ in range(100)]
    finally:
        over.set()
        thread.join()
    right = []
    for network.one in blocks:
        with Replica(network) as twin, torch.no_grad():
            right.append(twin(x.clone()))
    assert all(any(torch.equal(scores, each) for each in right) for scores in found)


def test_a_module_that_is_exchanged_while_a_replica_is_made(monkeypatch):
    """By another thread: the replica is one of the network as it was."""
    network, state = made(), Replica._state
    x = photo(1, 3, 12, 16)
    before = cam.class_scores(network, x)

    def exchanging(self, *given):
        network.one = Block(6).eval()
        return state(self, *given)

    monkeypatch.setattr(Replica, "_state", exchanging)
    names = {}
    with Replica(network, names.update) as twin, torch.no_grad():
        assert torch.equal(twin(x.clone()), before)
    assert list(names) == [name for name, _ in network.named_modules()]


def test_explanations_within_an_explanation():
    network = made()
    explained(network)
    inner = []

    def score(logits, _targets):
        inner.append(explained(network))
        return logits[:, 1].log_softmax(0)

    explained(network, score=score)
    for name in LAYERS:
        np.testing.assert_array_equal(inner[0][name], explained(network)[name])
