"""Networks as people wrap them: explained as what they run, or refused with the reason."""

import copy
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.ao.quantization
from cam_networks import RandomNet, Snapshot, assert_close, photo
from torch import nn
from torch.utils.checkpoint import checkpoint

from combicam_widgets import cam

X = photo(1, 3, 12, 16)


def network(seed=1):
    return RandomNet(seed).eval()


def assert_same(maps, expected, tolerance=1e-5):
    np.testing.assert_allclose(maps.probabilities, expected.probabilities, rtol=1e-4)
    for method in cam.METHODS:
        mine, theirs = maps.with_method(method), expected.with_method(method)
        for one, other in zip(mine.maps, theirs.maps, strict=True):
            assert_close(one, other, tolerance)


def compiled_inside(plain):
    plain.blocks = torch.compile(plain.blocks)
    plain.head = torch.compile(plain.head)
    return plain


def compiled_in_place(plain):
    plain.compile()
    return plain


def compiled_forward(plain):
    plain.forward = torch.compile(plain.forward)
    return plain


WRAPS = {
    "compiled": torch.compile,
    "compiled in place": compiled_in_place,
    "compiled forward": compiled_forward,
    "parts compiled": compiled_inside,
    "parallel": nn.DataParallel,
    "compiled, parallel": lambda plain: nn.DataParallel(torch.compile(plain)),
    "parallel within": lambda plain: nn.Sequential(nn.DataParallel(plain)),
}


@pytest.mark.parametrize("wrap", WRAPS)
def test_compiled_and_parallel_networks_are_seen_as_what_they_run(wrap, monkeypatch):
    plain = network()
    expected = cam.explain(plain, X, 2)
    wrapped = WRAPS[wrap](copy.deepcopy(plain).train())

    def never(*_args, **_options):
        raise AssertionError("nothing is compiled for an explanation")

    monkeypatch.setattr("torch._dynamo.convert_frame.ConvertFrame.__call__", never)
    before = Snapshot.of(wrapped)
    maps = cam.explain(wrapped, X, 2)
    assert_same(maps, expected)
    prefix = "0." if wrap == "parallel within" else ""
    assert maps.names == tuple(prefix + name for name in expected.names)
    torch.testing.assert_close(cam.class_scores(wrapped, X), cam.class_scores(plain, X))
    assert cam.architecture(wrapped, X).names == maps.names
    before.check(wrapped)


@pytest.mark.parametrize(
    ("wrap", "prefix"), [("compiled", "_orig_mod."), ("parallel", "module."), ("compiled", "")]
)
def test_layers_may_be_named_as_the_wrapper_names_them(wrap, prefix):
    wrapped = WRAPS[wrap](network())
    names = [prefix + name for name in ("stem", "blocks.0")]
    assert prefix == "" or set(names) <= set(dict(wrapped.named_modules()))
    maps = cam.explain(wrapped, X, 2, names)
    assert maps.names == ("stem", "blocks.0")
    assert cam.score_cam(wrapped, X, 2, names).names == maps.names
    assert cam.architecture(wrapped, X, names).names == maps.names


# Modules instead of names


@pytest.mark.parametrize("wrap", [lambda plain: plain, torch.compile, nn.DataParallel])
def test_modules_are_taken_as_their_names_are(wrap):
    plain = network()
    wrapped = wrap(plain)
    expected = cam.explain(plain, X, 2, ["stem", "blocks.0", "blocks"])
    given = [plain.blocks, "stem", plain.blocks[0]]
    for maps in (
        cam.explain(wrapped, X, 2, given),
        cam.score_cam(wrapped, X, 2, given),
        cam.architecture(wrapped, X, given),
    ):
        assert maps.names == expected.names
    assert_same(cam.explain(wrapped, X, 2, plain.blocks), cam.explain(plain, X, 2, ["blocks"]))


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([nn.Conv2d(3, 3, 1)], ValueError, "a Conv2d that is no module of the network"),
        ([RandomNet(0).blocks], ValueError, "a Sequential that is no module of the network"),
        (["stem", 3], TypeError, "names or modules of the network, not 3"),
        ([None], TypeError, "not None"),
        (7, TypeError, "names or modules of the network, not 7"),
        ([["stem"]], TypeError, r"not \['stem'\]"),
    ],
)
def test_other_layers_are_refused_in_few_words(layers, error, message):
    for function in (cam.explain, cam.score_cam):
        with pytest.raises(error, match=message) as raised:
            function(network(), X, 2, layers)
        assert len(str(raised.value)) < 100
    with pytest.raises(error, match=message):
        cam.architecture(network(), X, layers)


# What outputs are


class Says(nn.Module):
    def __init__(self, say):
        super().__init__()
        self.inner, self.say = network(), say

    def forward(self, x):
        return self.say(self.inner(x))


@dataclass
class Output:
    logits: torch.Tensor
    hidden_states: tuple = ()


class ModelOutput(OrderedDict):
    """As in transformers: a dict with attributes."""

    def __getattr__(self, name):
        return self[name]


SAYS = {
    "object": lambda z: Output(z, (z, z)),
    "dict": lambda z: {"loss": None, "logits": z},
    "both": lambda z: ModelOutput(loss=None, logits=z, hidden_states=(z,)),
}


@pytest.mark.parametrize("say", SAYS)
def test_logits_are_taken_from_what_holds_them(say):
    expected = cam.explain(network(), X, 2)
    model = Says(SAYS[say])
    assert_same(cam.explain(model, X, 2), expected)
    torch.testing.assert_close(cam.class_scores(model, X), cam.class_scores(network(), X))
    scored = cam.score_cam(model, X, 2, ["inner.stem"])
    np.testing.assert_allclose(
        scored["inner.stem"], cam.score_cam(network(), X, 2, ["stem"])["stem"], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("say", "message"),
    [
        (lambda z: {"out": z, "aux": z}, "returned a dict"),
        (lambda z: (z, z), "a tuple of 2"),
        (lambda _: Output(None), "returned a NoneType"),
        (lambda z: ModelOutput(last_hidden_state=z[..., None]), "returned a ModelOutput"),
    ],
)
def test_outputs_without_logits_are_refused(say, message):
    with pytest.raises(TypeError, match=rf"{message} instead of a tensor of class scores"):
        cam.class_scores(Says(say), X)


# Gradient checkpointing


class Checkpointed(RandomNet):
    """Forgets what its blocks have computed; with a switch, and without."""

    def __init__(self, seed, how):
        super().__init__(seed)
        self.how, self.use_checkpoint = how, True
        self.ran = []

    def blocks_of(self, x):
        self.ran.append(1)
        return self.blocks(x)

    def forward(self, x):
        x = self.act(self.stem(x))
        if self.how == "reentrant":
            x = checkpoint(self.blocks_of, x, use_reentrant=True)
        elif self.how == "always" or self.use_checkpoint:
            x = checkpoint(self.blocks_of, x, use_reentrant=False)
        else:
            x = self.blocks_of(x)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(("how", "runs"), [("switch", 1), ("always", 2)])
def test_gradient_checkpointing_changes_nothing(how, runs):
    layers = ["stem", "blocks.0.conv", "blocks.0"]
    for seed in range(4):
        expected = cam.explain(network(seed), X, 2, layers)
        forgetful = Checkpointed(seed, how)
        forgetful.blocks[0].inplace = False
        cam.explain(forgetful, X, 2, layers)
        forgetful.ran.clear()
        assert_same(cam.explain(forgetful, X, 2, layers), expected)
        assert len(forgetful.ran) == runs
        assert forgetful.use_checkpoint


@pytest.mark.parametrize("layers", [["blocks.0"], ["stem", "blocks.0"]])
def test_reentrant_checkpointing_is_refused_with_the_way_out(layers):
    """PyTorch's own computes no gradients but those of leaves."""
    with pytest.raises(RuntimeError, match=r"give checkpoint.*use_reentrant=False"):
        cam.explain(Checkpointed(1, "reentrant"), X, 2, layers)


# Autocast


def test_under_autocast():
    """Large enough for each of the cheaper methods."""
    torch.manual_seed(0)
    plain = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.BatchNorm2d(16), nn.SiLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4)
    ).eval()  # fmt: skip
    x, layers = photo(1, 3, 160, 160), ["0", "2", "5"]
    expected, scored = cam.explain(plain, x, 1, layers), cam.score_cam(plain, x, 1, ["5"])
    blurred = cam.blur(x)
    with torch.autocast("cpu", torch.bfloat16):
        maps = cam.explain(plain, x, 1, layers)
        again = cam.score_cam(plain, x, 1, ["5"])
        cam.explain(plain, x.expand(2, -1, -1, -1), 1)
        assert torch.is_autocast_enabled("cpu")
        torch.testing.assert_close(cam.blur(x), blurred)
        torch.testing.assert_close(
            cam.keep_evidence(x, blurred, expected.fuse()),
            cam.keep_evidence(x, blurred, maps.fuse()),
            rtol=0.1,
            atol=1,
        )
    np.testing.assert_allclose(maps.probabilities, expected.probabilities, rtol=0.02)
    for name in layers:
        assert maps[name].dtype == np.float32
        assert_close(maps[name], expected[name], 0.05)
    assert_close(again["5"], scored["5"], 0.05)
    with (
        torch.autocast("cpu", torch.float16),
        pytest.raises(ValueError, match=r"too small for float16.*without autocast"),
    ):
        cam.explain(plain, x, 1, layers)


# What cannot be explained


def quantised():
    plain = nn.Sequential(torch.ao.quantization.QuantStub(), network())
    plain.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    prepared = torch.ao.quantization.prepare(nn.Sequential(*plain).eval())
    prepared(X)
    return torch.ao.quantization.convert(prepared)


def dynamically_quantised():
    return torch.ao.quantization.quantize_dynamic(network(), {nn.Linear}, dtype=torch.qint8)


CLOSED = {
    "traced": (lambda: torch.jit.trace(network(), X), "scripted or traced.*that it was made of"),
    "frozen": (
        lambda: torch.jit.freeze(torch.jit.trace(network(), X)),
        "scripted or traced.*that it was made of",
    ),
    "dynamically quantised": (dynamically_quantised, "quantised.*no gradients.*floating point"),
    "exported": (lambda: torch.export.export(network(), (X,)).module(), "exported.*made of"),
    "unflattened": (
        lambda: torch.export.unflatten(torch.export.export(network(), (X,))),
        "exported.*made of",
    ),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_networks_are_refused_with_the_reason(kind):
    make, reason = CLOSED[kind]
    closed = make()
    for layers in (None, "convolution"):
        with pytest.raises(ValueError, match=reason):
            cam.explain(closed, X, 2, layers)
    torch.testing.assert_close(cam.class_scores(closed, X), closed(X).detach())
    if kind != "unflattened":
        with pytest.raises(ValueError, match=reason if "quant" in kind else f"{reason}|no layer"):
            cam.explain(closed, X, 2, ["stem"])


def test_an_exported_program_is_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"not a ExportedProgram\. Explain the network"):
        cam.explain(torch.export.export(network(), (X,)), X)


def test_a_scripted_part_is_passed_by():
    plain = network()
    expected = cam.explain(plain, X, 2, ["stem", "blocks.0"])
    mixed = copy.deepcopy(plain)
    mixed.head = torch.jit.script(mixed.head)
    before = len(mixed.head._forward_hooks), mixed.head.training
    assert_same(cam.explain(mixed, X, 2, ["stem", "blocks.0"]), expected)
    assert cam.architecture(mixed, X).names == cam.architecture(plain, X).names
    assert (len(mixed.head._forward_hooks), mixed.head.training) == before
    with pytest.raises(ValueError, match="training mode: call its eval"):
        cam.explain(mixed.train(), X, 2, ["stem"])
