"""Only what was asked is computed; methods and scores of one's own; nothing waits for a device."""

import copy
import pickle
import re
from collections import Counter

import numpy as np
import pytest
import torch
from cam_networks import RandomNet, activations_and_gradients, assert_close, obvious_map, photo
from torch.overrides import TorchFunctionMode

from combicam_widgets import cam
from combicam_widgets.cam import methods as registered
from combicam_widgets.cam import scores

LAYERS = ["stem", "blocks.0"]


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    monkeypatch.setattr(registered, "_own", {})
    monkeypatch.setattr(scores, "_own", {})


@pytest.mark.parametrize("method", cam.METHODS)
def test_one_method_alone_is_the_same_and_nothing_else_is_there(method):
    network, x = RandomNet(3), photo(2, 3, 9, 12)
    five = cam.explain(network, x, [1, 4], LAYERS)
    alone = cam.explain(network, x, [1, 4], LAYERS, methods=method)
    for one, all_of_them in zip(alone, five, strict=True):
        assert list(one.methods) == [method]
        assert one.method == method
        for name in one:
            assert_close(one[name], all_of_them.with_method(method)[name], 1e-6)
        np.testing.assert_array_equal(one.importances, all_of_them.importances)
        other = next(name for name in cam.METHODS if name != method)
        with pytest.raises(
            ValueError, match=f"'{re.escape(other)}'; these maps know .*methods=.*keep=True"
        ):
            one.with_method(other)


def test_the_methods_asked_for_and_the_one_in_view():
    network = RandomNet(3)
    maps = cam.explain(network, photo(), 1, LAYERS, methods=["layercam", "xgradcam", "layercam"])
    assert (maps.method, *maps.methods) == ("layercam", "layercam", "xgradcam")
    maps = cam.explain(network, photo(), 1, LAYERS, "hirescam", methods=["layercam"])
    assert (maps.method, *maps.methods) == ("hirescam", "layercam", "hirescam")
    for methods, wrong in (([], "at least one"), (["eigencam"], "eigencam.*gradcam")):
        with pytest.raises(ValueError, match=wrong):
            cam.explain(network, photo(), 1, LAYERS, methods=methods)
    with pytest.raises(ValueError, match=r"scorecam.*many passes: use score_cam"):
        cam.explain(network, photo(), 1, LAYERS, methods="scorecam")


def test_later_methods_from_kept_activations():
    network, x = RandomNet(1), photo(2, 3, 9, 12)
    layers = [*LAYERS, "dead"]
    five = cam.explain(network, x, [1, 4], layers)
    kept = cam.explain(network, x, [1, 4], layers, methods="gradcam", keep=True)
    for one, all_of_them in zip(kept, five, strict=True):
        for method in cam.METHODS:
            later = one.with_method(method)
            assert method in later.methods
            for name in layers:
                assert_close(later[name], all_of_them.with_method(method)[name], 1e-5)
        for copied in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
            assert copied.further is None
            with pytest.raises(ValueError, match="Unknown CAM method 'layercam'"):
                copied.with_method("layercam")
        with pytest.raises(ValueError, match="Unknown CAM method 'eigencam'; the methods are"):
            one.with_method("eigencam")


def test_a_method_of_ones_own():
    @cam.method("mine")
    def mine(a, g):
        assert a.shape == g.shape
        assert a.ndim == 3
        return (a * g).sum(0)  # negative values count as 0: HiResCAM

    network, x = RandomNet(2), photo(3, 3, 9, 12)
    assert cam.method_names() == (*cam.METHODS, "mine", *cam.SLOW_METHODS)
    for maps in cam.explain(network, x, [1, 2, 3], LAYERS, "mine"):
        assert list(maps.methods) == [*cam.METHODS, "mine"]
        for name in LAYERS:
            assert_close(maps[name], maps.with_method("hirescam")[name], 1e-6)
            assert maps[name].dtype == np.float32
    alone = cam.explain(network, x[0], 1, LAYERS, methods=["mine", "gradcam"])
    assert list(alone.methods) == ["mine", "gradcam"]
    kept = cam.explain(network, x[0], 1, LAYERS, methods="gradcam", keep=True)

    @cam.method("another")
    def another(a, g):
        return torch.einsum("k,khw->hw", g.relu().mean((1, 2)), a)

    a, g = activations_and_gradients(network, x[:1], "stem", 1, "log_probability")
    expected = np.maximum(np.einsum("k,khw->hw", np.maximum(g, 0).mean((1, 2)), a), 0)
    assert_close(kept.with_method("another")["stem"], expected, 1e-5)


def test_methods_that_are_refused():
    with pytest.raises(TypeError, match="needs a name, not <function"):
        cam.method(lambda a, _: a[0])
    for name in ("gradcam", "scorecam"):
        with pytest.raises(ValueError, match=f"'{name}' is the name of a CAM method that is built"):
            cam.method(name)
    cam.method("number")(lambda a, g: float((a * g).sum()))
    cam.method("channels")(lambda a, g: a * g)
    with pytest.raises(TypeError, match=r"'number' must give a tensor \(h, w\), not float"):
        cam.explain(RandomNet(0), photo(), layers=["stem"], methods="number")
    with pytest.raises(ValueError, match=r"'channels' gives shape \(\d, 8, 8\) .* map \(8, 8\)"):
        cam.explain(RandomNet(0), photo(), layers=["stem"], methods="channels")
    cam.method("infinite")(lambda a, g: (a * g).sum(0) / 0)
    with pytest.raises(ValueError, match="must be 2-D, finite"):
        cam.explain(RandomNet(0), photo(), layers=["stem"], methods="infinite")


def test_a_score_of_ones_own():
    def margin(logits, target):
        chosen = logits.gather(1, target[:, None])[:, 0]
        return chosen - logits.scatter(1, target[:, None], -torch.inf).amax(1)

    network, x = RandomNet(2), photo(1, 3, 9, 12)
    with torch.no_grad():
        rival = int(network.eval()(x)[0].index_fill(0, torch.tensor([1]), -torch.inf).argmax())
    expected = cam.explain(network, x, 1, LAYERS, score="logit", contrast=rival)
    by_function = cam.explain(network, x, 1, LAYERS, score=margin)
    cam.score("distance")(margin)
    assert cam.score_names() == (*cam.SCORES, "distance")
    by_name = cam.explain(network, x, 1, LAYERS, score="distance")
    assert (by_function.score, by_name.score) == ("margin", "distance")
    for maps in (by_function, by_name):
        for name in LAYERS:
            assert_close(maps[name], expected[name], 1e-5)
    with pytest.raises(ValueError, match="'logit' is the name of a score that is built in"):
        cam.score("logit")
    with pytest.raises(ValueError, match=r"Unknown score 'best'.*logit, distance"):
        cam.explain(network, x, 1, LAYERS, score="best")
    with pytest.raises(ValueError, match=r"'<lambda>' must give one number per photo.*\(1, 6\)"):
        cam.explain(network, x, 1, LAYERS, score=lambda logits, _: logits)
    with pytest.raises(TypeError, match=r"score must be a name or a function.*3"):
        cam.explain(network, x, 1, LAYERS, score=3)


class Waiting(TorchFunctionMode):
    """Counts what makes a program wait for a device."""

    NAMES = (
        "item", "tolist", "cpu", "__bool__", "__int__", "__float__", "__index__",
        "nonzero", "is_nonzero", "equal", "allclose", "unique", "masked_select", "__format__",
    )  # fmt: skip

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if getattr(func, "__name__", "") in self.NAMES:
            self.seen[func.__name__] += 1
        return func(*args, **(kwargs or {}))


def waits(network, batch, targets, layers, **options):
    cam.explain(network, batch, targets, layers, **options)  # what is remembered is found here
    inside = []

    class Watched(RandomNet):
        def forward(self, x):
            inside.append(sum(mode.seen.values()))
            return super().forward(x)

    network.__class__ = Watched
    with Waiting() as mode:
        cam.explain(network, batch, targets, layers, **options)
    return sum(mode.seen.values()) - inside[0], mode.seen


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_waits_for_the_device_inside_the_pass(dtype):
    """However many layers, photos and methods there are: some transfers after the pass."""
    few, _ = waits(RandomNet(4).to(dtype), photo(1, 3, 16, 16), [1], ["stem"], methods="gradcam")
    network = RandomNet(4).to(dtype)
    many, seen = waits(network, photo(5, 3, 16, 16), None, "convolution", contrast=2)
    assert many == few + 1 <= 8, seen  # the contrast


def test_the_counter_counts():
    with Waiting() as mode:
        x = torch.ones(2)
        assert x.sum() > 1
        x.cpu().tolist()
    assert mode.seen == {"__bool__": 1, "cpu": 1, "tolist": 1}


def test_all_five_are_still_the_definitions():
    network, x = RandomNet(5), photo(1, 3, 9, 12)
    maps = cam.explain(network, x, 1, LAYERS, score="logit", methods=cam.METHODS[::-1])
    assert maps.method == "layercam"
    for name in LAYERS:
        a, g = activations_and_gradients(network, x, name, 1, "logit")
        for method in cam.METHODS:
            assert_close(maps.with_method(method)[name], obvious_map(method, a, g))
