"""`explain`: what it returns, what it refuses, and that it leaves the network as it found it."""

import threading
import time

import numpy as np
import pytest
import torch
from cam_networks import (
    Mixed,
    Pointwise,
    RandomNet,
    Snapshot,
    activations_and_gradients,
    assert_close,
    obvious_map,
    photo,
)
from torch import nn

from combicam_widgets import cam

LAYERS = ["conv1", "relu1", "conv2"]


class Failing(nn.Module):
    """Does as told to the class scores, in the n-th pass (0: always)."""

    def __init__(self, act, only_pass=0):
        super().__init__()
        self.act = act
        self.only_pass = only_pass
        self.passes = [0]

    def forward(self, z):
        self.passes[0] += 1
        return self.act(z) if self.only_pass in {0, self.passes[0]} else z


class BadBackward(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, z):
        return z.clone()

    @staticmethod
    def backward(_ctx, _g):
        raise FloatingPointError("backward broke")


class NanBackward(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, z):
        return z.clone()

    @staticmethod
    def backward(_ctx, g):
        return g * torch.nan


class Twice(Mixed):
    def forward(self, x):
        self.relu1(x.clone())
        return super().forward(x)


class Idle(Mixed):
    def __init__(self):
        super().__init__()
        self.spare = nn.Conv2d(3, 2, 1)


class NoHooks(nn.Conv2d):
    def register_forward_hook(self, *_args, **_options):
        raise PermissionError("no hooks here")


class HookRefused(Mixed):
    def __init__(self):
        super().__init__()
        self.conv2 = NoHooks(4, 6, 3, stride=2, padding=1)


def boom(z):
    raise ArithmeticError("half-way")


def stop(z):
    raise KeyboardInterrupt


FAULTS = {
    "unknown layer": (Mixed, {"layers": ["conv1", "nope"]}, ValueError, "no layer 'nope'"),
    "layer with 2-D output": (
        Mixed,
        {"layers": ["conv1", "head"]},
        TypeError,
        r"'head' gives a tensor of shape \(1, 5\)",
    ),
    "layer that runs twice": (
        Twice,
        {"layers": ["conv1", "relu1"]},
        ValueError,
        "'relu1' runs more than once",
    ),
    "layer that never runs": (
        Idle,
        {"layers": ["conv1", "spare"]},
        ValueError,
        "'spare' does not run",
    ),
    "hook refused": (HookRefused, {"layers": LAYERS}, PermissionError, "no hooks"),
    "no layers": (Mixed, {"layers": []}, ValueError, "at least one layer"),
    "layers is one name": (
        Mixed,
        {"layers": "conv1"},
        ValueError,
        r"granularity must be one of .* or a list of layer names, not 'conv1'",
    ),
    "layers is an empty string": (Mixed, {"layers": ""}, ValueError, "granularity must be one of"),
    "raises half-way": (
        lambda: Mixed(Failing(boom)),
        {"layers": LAYERS},
        ArithmeticError,
        "half-way",
    ),
    "raises while layers are looked for": (
        lambda: Mixed(Failing(boom)),
        {},
        ArithmeticError,
        "half-way",
    ),
    "raises in the second pass": (
        lambda: Mixed(Failing(boom, 2)),
        {},
        ArithmeticError,
        "half-way",
    ),
    "interrupted": (lambda: Mixed(Failing(stop)), {"layers": LAYERS}, KeyboardInterrupt, None),
    "NaN scores": (
        lambda: Mixed(Failing(lambda z: z * torch.nan)),
        {"layers": LAYERS},
        ValueError,
        "NaN or infinite class scores",
    ),
    "one infinite score": (
        lambda: Mixed(Failing(lambda z: z + torch.tensor([0, 0, 0, torch.inf, 0]))),
        {"layers": LAYERS},
        ValueError,
        "NaN or infinite class scores",
    ),
    "tuple": (
        lambda: Mixed(Failing(lambda z: (z, z))),
        {"layers": LAYERS},
        TypeError,
        "a tuple of 2",
    ),
    "dict": (
        lambda: Mixed(Failing(lambda z: {"out": z, "aux": -z})),
        {"layers": LAYERS},
        TypeError,
        "returned a dict",
    ),
    "3-D scores": (
        lambda: Mixed(Failing(lambda z: z[..., None])),
        {"layers": LAYERS},
        ValueError,
        r"shape \(1, 5, 1\)",
    ),
    "one class": (
        lambda: Mixed(Failing(lambda z: z[:, :1])),
        {"layers": LAYERS},
        ValueError,
        "at least 2 classes",
    ),
    "two rows": (
        lambda: Mixed(Failing(lambda z: z.repeat(2, 1))),
        {"layers": LAYERS},
        ValueError,
        "N = 1",
    ),
    "detached": (
        lambda: Mixed(Failing(torch.Tensor.detach)),
        {"layers": LAYERS},
        RuntimeError,
        "does not reach any of the layers",
    ),
    "target too large": (
        Mixed,
        {"layers": LAYERS, "target": 5},
        ValueError,
        "between 0 and 4, not 5",
    ),
    "target negative": (
        Mixed,
        {"layers": LAYERS, "target": -1},
        ValueError,
        "between 0 and 4, not -1",
    ),
    "target not whole": (
        Mixed,
        {"layers": LAYERS, "target": 1.0},
        TypeError,
        "index of a class, not 1.0",
    ),
    "target a float tensor": (
        Mixed,
        {"layers": LAYERS, "target": torch.tensor(1.5)},
        TypeError,
        "index of a class",
    ),
    "target a name": (Mixed, {"layers": LAYERS, "target": "koala"}, TypeError, "'koala'"),
    "target a truth": (Mixed, {"layers": LAYERS, "target": True}, TypeError, "True"),
    "backward fails": (
        lambda: Mixed(Failing(BadBackward.apply)),
        {"layers": LAYERS},
        FloatingPointError,
        "backward broke",
    ),
    "NaN gradients": (
        lambda: Mixed(Failing(NanBackward.apply)),
        {"layers": LAYERS},
        ValueError,
        "'conv1' must be 2-D, finite",
    ),
    "unknown method": (Mixed, {"method": "eigencam"}, ValueError, r"'eigencam'.*gradcam\+\+"),
    "unknown score": (Mixed, {"score": "margin"}, ValueError, "'margin'.*log_probability"),
}
CALLERS = {
    "plain": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_is_named_and_leaves_no_trace(fault, caller):
    make, arguments, error, message = FAULTS[fault]
    torch.manual_seed(0)
    network = make()
    before = Snapshot.of(network)
    with CALLERS[caller](), pytest.raises(error, match=message):
        cam.explain(network, photo(), **arguments)
    before.check(network)
    if fault != "hook refused":  # and the network still works, for us as for its owner
        network.tail = nn.Identity()
        cam.explain(network, photo(), layers=["conv2"])


@pytest.mark.parametrize("layers", [None, LAYERS])
@pytest.mark.parametrize("caller", CALLERS)
def test_success_leaves_no_trace_and_every_caller_gets_the_same(caller, layers):
    torch.manual_seed(0)
    network = Mixed()
    before = Snapshot.of(network)
    expected = cam.explain(network, photo(), layers=layers)
    with CALLERS[caller]():
        batch = photo()  # under inference_mode: a tensor that autograd would refuse
        maps = cam.explain(network, batch, layers=layers)
        assert torch.is_grad_enabled() == (caller == "plain")
        assert torch.is_inference_mode_enabled() == (caller == "inference_mode")
    before.check(network)
    assert maps.names == expected.names
    assert maps.maps[0].any()
    for name in maps:
        np.testing.assert_array_equal(maps[name], expected[name])


def test_maps_are_those_of_evaluation_mode():
    torch.manual_seed(0)
    network = Mixed()
    trained = cam.explain(network, photo(), target=2, layers=["conv2"])
    network.eval()
    np.testing.assert_array_equal(
        trained["conv2"], cam.explain(network, photo(), target=2, layers=["conv2"])["conv2"]
    )


def test_hooks_of_the_owner_stay_and_still_run():
    network, calls = Mixed(), []
    handle = network.conv1.register_forward_hook(lambda *_: calls.append(1))
    cam.explain(network, photo(), layers=["conv1"])
    assert list(network.conv1._forward_hooks) == [handle.id]
    assert len(calls) == 1


def test_a_training_step_under_way_is_not_disturbed():
    torch.manual_seed(0)
    network, other = Pointwise(), Pointwise()
    other.load_state_dict(network.state_dict())
    for candidate in (network, other):
        loss = candidate(photo()).square().sum()
        if candidate is network:
            cam.explain(network, photo(seed=1))
        loss.backward()
    for mine, plain in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine.grad, plain.grad)


class Caching(nn.Module):
    """Keeps a tensor from its first pass, as position encodings do."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.grid = None

    def forward(self, x):
        x = self.conv(x)
        if self.grid is None:
            self.grid = torch.linspace(0, 1, x.shape[3])
        return (x * self.grid).mean((2, 3))


def test_a_network_that_caches_tensors_can_be_explained_and_then_trained():
    network = Caching()
    with torch.inference_mode():
        cam.explain(network, photo())
    network(photo()).sum().backward()
    assert network.conv.weight.grad is not None
    fresh = Caching()
    cam.class_scores(fresh, photo())
    fresh(photo()).sum().backward()


def test_a_network_that_works_in_place_on_its_input_does_not_change_the_photo():
    torch.manual_seed(0)

    class Normalizing(Pointwise):
        def forward(self, x):
            return super().forward(x.sub_(1).div_(2))

    network, plain = Normalizing(), Pointwise()
    plain.load_state_dict(network.state_dict())
    x = photo()
    kept = x.clone()
    maps = cam.explain(network, x, target=1)
    scores = cam.class_scores(network, x)
    assert torch.equal(x, kept)
    assert_close(maps["conv"], cam.explain(plain, (kept - 1) / 2, target=1)["conv"], 1e-6)
    torch.testing.assert_close(scores, cam.class_scores(plain, (kept - 1) / 2))


@pytest.mark.parametrize("wants_gradient", [False, True])
def test_the_graph_is_cut_below_the_first_wanted_layer(wants_gradient):
    torch.manual_seed(0)
    network, tracked, saved = Mixed(), {}, {}
    stored = [0]

    def look(name):
        def hook(_module, _inputs, output):
            tracked[name], saved[name] = output.requires_grad, stored[0]

        return hook

    def pack(x):
        stored[0] += 1
        return x

    for name, module in network.named_children():
        module.register_forward_hook(look(name))
    batch = photo().requires_grad_(wants_gradient)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        maps = cam.explain(network, batch, layers=["conv2"])
    assert maps["conv2"].any()
    below = ["conv1", "bn1", "relu1"]
    assert {name: tracked[name] for name in below} == dict.fromkeys(below, False)
    assert len({saved[name] for name in below}) == 1
    assert saved["conv2"] == saved["relu1"] + 1  # its own output: the graph begins here
    assert tracked["bn2"]
    assert tracked["head"]
    assert stored[0] > saved["conv2"]
    assert batch.grad is None


def test_probability_and_log_probability_fuse_to_the_same_heatmap():
    for seed in range(4):
        network, x = RandomNet(seed), photo(1, 3, 9, 12, seed=seed)
        layers = ["stem", "act", "blocks.0", "blocks.0.conv"]
        maps = {
            score: cam.explain(network, x, target=seed, layers=layers, score=score)
            for score in cam.SCORES
        }
        heat = {score: one.fuse() for score, one in maps.items()}
        assert heat["probability"].any()
        np.testing.assert_allclose(heat["probability"], heat["log_probability"], atol=2e-5)
        p = maps["logit"].probability
        for name in layers:  # d p = p d log p
            assert_close(maps["probability"][name], p * maps["log_probability"][name])
    assert not np.allclose(heat["logit"], heat["log_probability"], atol=1e-2)


def test_the_default_target_is_the_most_probable_class():
    torch.manual_seed(2)
    network = RandomNet(2)
    x = photo()
    p = cam.class_scores(network, x).softmax(1)[0]
    maps = cam.explain(network, x)
    assert maps.target == int(p.argmax())
    assert maps.probability == pytest.approx(float(p.max()), rel=1e-5)
    assert maps.score == "log_probability"
    assert maps.method == "gradcam"
    for kind in (int, np.int64, torch.tensor):
        assert cam.explain(network, x, target=kind(4)).target == 4


def test_layers_come_in_forward_order_and_once_however_they_are_asked_for():
    network = RandomNet(1)
    asked = ["blocks.0", "act", "stem", "act", "blocks.0.conv"]
    maps = cam.explain(network, photo(), layers=asked)
    assert maps.names == ("stem", "act", "blocks.0.conv", "blocks.0")
    reversed_maps = cam.explain(network, photo(), layers=asked[::-1])
    for name in maps:
        np.testing.assert_array_equal(maps[name], reversed_maps[name])


def test_a_layer_does_not_depend_on_which_others_are_asked_for():
    network = RandomNet(3)
    x = photo()
    together = cam.explain(network, x, target=1, layers=["stem", "act", "blocks.0"])
    for name in together:
        assert_close(cam.explain(network, x, target=1, layers=[name])[name], together[name], 1e-6)


def test_a_branch_that_does_not_reach_the_target_is_silent():
    maps = cam.explain(RandomNet(0), photo(), layers=["stem", "dead"])
    assert maps.silent == ("dead",)
    assert maps["stem"].any()
    for method in cam.METHODS:
        assert not maps.with_method(method)["dead"].any()
    assert not maps.fuse({"dead": 1}).any()
    assert maps.shares() == {"stem": 1.0, "dead": 0.0}


def test_a_network_under_no_grad_is_refused():
    class Frozen(Pointwise):
        def forward(self, x):
            with torch.no_grad():
                return super().forward(x)

    with pytest.raises(RuntimeError, match="does not reach any of the layers"):
        cam.explain(Frozen(), photo())


def test_size_and_the_shape_of_one_photo():
    network = RandomNet(0)
    x = photo(1, 3, 8, 10)
    four, three = cam.explain(network, x), cam.explain(network, x[0])
    for name in four:
        np.testing.assert_array_equal(four[name], three[name])
    assert four.fuse().shape == three.fuse().shape == (8, 10)
    assert cam.explain(network, x, size=(30, 21)).fuse().shape == (30, 21)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        (photo(0, 3, 8, 8), ValueError, r"\(N, 3, h, w\), not \(0, 3, 8, 8\)"),
        (photo(8, 8), ValueError, r"shape \(N, 3, h, w\), not \(8, 8\)"),
        (photo(1, 3, 0, 8), ValueError, r"\(1, 3, 0, 8\)"),
        (np.zeros((1, 3, 8, 8), np.float32), TypeError, "torch tensor.*not a ndarray"),
        (None, TypeError, "NoneType"),
        ((1, 2), TypeError, "a tuple of 2"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "floating type, not torch.uint8"),
        (photo() * torch.nan, ValueError, "NaN or infinite values; check the image transform"),
        (photo() / 0, ValueError, "NaN or infinite values"),
    ],
)
def test_a_bad_batch_is_refused(batch, error, message):
    network = Mixed()
    before = Snapshot.of(network)
    with pytest.raises(error, match=message):
        cam.explain(network, batch)
    before.check(network)


def test_what_is_no_network_is_refused():
    with pytest.raises(TypeError, match=r"torch\.nn\.Module, not a function"):
        cam.explain(boom, photo())
    with pytest.raises(ValueError, match="no layer with a 4-D output"):
        cam.explain(nn.Sequential(nn.Flatten(), nn.Linear(192, 3)), photo())


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float64, 1e-5), (torch.float16, 0.01)]
)
def test_networks_in_other_precisions(dtype, tolerance):
    torch.manual_seed(1)
    network = Pointwise()
    single = cam.explain(network, photo(), target=1)
    network.to(dtype)
    before = Snapshot.of(network)
    maps = cam.explain(network, photo(), target=1)
    before.check(network)
    assert maps["conv"].dtype == np.float32
    assert single["conv"].any()
    assert_close(maps["conv"], single["conv"], tolerance)
    assert maps.probability == pytest.approx(single.probability, rel=tolerance)


def test_float16_is_refused_where_its_gradients_vanish():
    """Each layer makes them a hundred times smaller; bfloat16 can hold that."""
    network = nn.Sequential(*(nn.Conv2d(3, 3, 1, bias=False) for _ in range(5)), nn.Flatten())
    for convolution in network[:5]:
        nn.init.dirac_(convolution.weight).data.mul_(0.01)
    before = Snapshot.of(network.half())
    with pytest.raises(ValueError, match=r"layer '[01]' are too small for float16"):
        cam.explain(network, photo(1, 3, 2, 2), layers=[str(n) for n in range(5)], score="logit")
    before.check(network)
    names = ["0", "4"]
    maps = cam.explain(network.bfloat16(), photo(1, 3, 2, 2), layers=names, score="logit")
    assert not maps.silent


def test_what_overwrites_its_own_gradient_s_value_is_named():
    class Spoils(nn.Module):
        def forward(self, x):
            y = x.sigmoid()
            return y.mul_(2)  # the slope of a sigmoid is computed from its output

    network = nn.Sequential(nn.Conv2d(3, 3, 1), Spoils(), nn.Flatten())
    before = Snapshot.of(network)
    with pytest.raises(RuntimeError, match="overwrites in place a value that its own gradient"):
        cam.explain(network, photo(), layers=["0"])
    before.check(network)


def test_a_network_without_parameters():
    network = nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = photo()
    maps = cam.explain(network, x, target=1, layers=["0"], score="logit")
    a, g = activations_and_gradients(network, x, "0", 1, "logit")
    for method in cam.METHODS:
        assert_close(maps.with_method(method)["0"], obvious_map(method, a, g), 1e-5)


def test_a_one_pixel_photo():
    torch.manual_seed(0)
    maps = cam.explain(Pointwise(), photo(1, 3, 1, 1), layers=["conv"])
    assert maps["conv"].shape == (1, 1)
    assert not maps.fuse().any()  # one pixel cannot stand out


class Slow(RandomNet):
    """Gives other threads every chance to get in between."""

    def forward(self, x):
        time.sleep(0.003)
        x = self.act(self.stem(x))
        time.sleep(0.003)
        x = self.blocks(x)
        time.sleep(0.003)
        return self.head(x.mean((2, 3)))


def test_threads_that_explain_one_network_at_once_get_what_they_would_get_alone():
    network = Slow(5).train()
    before = Snapshot.of(network)
    jobs = [(photo(1, 3, 9, 12, seed=n), n % 6) for n in range(8)]
    alone = [cam.explain(network, x, target=c) for x, c in jobs]
    got, errors, start = {}, [], threading.Barrier(4)

    def work(first):
        try:
            start.wait(10)
            for n in range(first, 8, 4):
                x, c = jobs[n]
                got[n] = cam.explain(network, x, target=c), cam.class_scores(network, x)
        except BaseException as error:  # noqa: BLE001  (told by the main thread)
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert len(got) == 8
    for n, expected in enumerate(alone):
        maps, scores = got[n]
        assert maps.probability == expected.probability
        assert scores.softmax(1)[0, maps.target] == pytest.approx(maps.probability, rel=1e-5)
        for name in expected:
            np.testing.assert_array_equal(maps[name], expected[name])
    before.check(network)


def test_five_hundred_layers():
    torch.manual_seed(0)
    convolutions = [nn.Conv2d(3, 3, 1, bias=False) for _ in range(500)]
    for conv in convolutions:
        nn.init.eye_(conv.weight[:, :, 0, 0])
    network = nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = photo()
    maps = cam.explain(network, x, target=2, layers=[str(n) for n in range(500)], score="logit")
    expected = np.maximum(x[0, 2].numpy() / 64, 0)  # identities: every layer is the photo itself
    for name in ("0", "250", "499"):
        assert_close(maps[name], expected, 1e-5)
    low, high = expected.min(), expected.max()
    np.testing.assert_allclose(maps.fuse(), (expected - low) / (high - low), atol=1e-5)
