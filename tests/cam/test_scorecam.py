"""Score-CAM: against a slow reference and by hand; progress, cancel, and the network left alone."""

import gc
import threading
import weakref

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
    photo,
)
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from combicam_widgets import cam
from combicam_widgets.cam import scorecam
from combicam_widgets.cam.scorecam import Cancelled, score_cam

LAYERS = ["conv1", "relu1", "conv2"]  # of Mixed: 4 + 4 + 6 channels
CALLERS = {
    "plain": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def reference(network, x, layer, target):
    """One channel and one forward pass at a time, in float64 where it is our own arithmetic."""
    a, _ = activations_and_gradients(network, x, layer, target, "logit")
    rest = {m: m.training for m in network.modules()}
    network.eval()
    scores = []
    for k in range(len(a)):
        mask = torch.nn.functional.interpolate(
            torch.tensor(a[k])[None, None], x.shape[2:], mode="bilinear", align_corners=True
        )
        span = mask.max() - mask.min()
        constant = span <= 1e-5 * mask.abs().max()
        mask = torch.zeros_like(mask) if constant else (mask - mask.min()) / span
        with torch.no_grad():
            scores.append(float(network((x.double() * mask).to(x.dtype))[0, target]))
    for m, mode in rest.items():
        m.training = mode
    e = np.exp(np.array(scores) - max(scores))
    total = np.zeros(a.shape[1:])
    for k, weight in enumerate(e / e.sum()):
        total += weight * a[k]
    return np.maximum(total, 0)


@pytest.mark.parametrize("seed", range(12))
def test_maps_agree_with_the_slow_reference(seed):
    network, x = RandomNet(seed), photo(1, 3, 9, 12, seed=seed)
    network.head.weight.data.mul_(20)  # so that the weights of the channels are far from equal
    layers = ["stem", "act", "blocks.0.conv", "blocks.0", "blocks", "dead"]
    maps = score_cam(network, x, target=seed % 6, layers=layers)
    assert set(maps.names) == set(layers)
    for name in maps:
        expected = reference(network, x, name, seed % 6)
        np.testing.assert_allclose(maps[name], expected, atol=1e-5 * max(1, expected.max()))
    assert any(maps[name].any() for name in maps)


class Halves(nn.Module):
    """Layer: average of the left and the right half. Score of class 0: 4 times the third pixel."""

    def __init__(self):
        super().__init__()
        self.layer = nn.AdaptiveAvgPool2d((1, 2))

    def forward(self, x):
        self.layer(x)
        third = x[:, :, 0, 2].sum(1)
        return torch.stack([4 * third, -4 * third, 0 * third + 100], 1)


def test_by_hand():
    # Halves of the channels: (1, 4), (6, 0), (3, 3). Upsampled to four pixels with aligned
    # corners, a ramp has 1/3 or 2/3 of its height at the third pixel (with pixel centres: 1/4,
    # 3/4), so the masks are 2/3, 1/3 and, where constant, 0 there; the third pixels sum to 3.
    x = torch.tensor([[1.0, 1, 3, 5], [6, 6, 0, 0], [2, 4, 0, 6]])[None, :, None]
    channels = np.array([[1, 4], [6, 0], [3, 3]])
    for target, logits in enumerate([[8, 4, 0], [-8, -4, 0], [100, 100, 100]]):
        weights = np.exp(logits) / np.exp(logits).sum()
        maps = score_cam(Halves(), x, target=target, layers=["layer"])
        np.testing.assert_allclose(maps["layer"][0], weights @ channels, rtol=1e-5)
    assert maps.method == "scorecam"
    assert tuple(maps.methods) == ("scorecam",)
    assert maps.score == "logit"
    assert maps.size == (1, 4)
    assert maps.probability == pytest.approx(1)


def test_negative_sums_are_cut_off():
    # The second channel decides alone: where it is negative the map is zero.
    x = torch.tensor([[0.0, 0, 0, 0], [-10, -8, 6, 10], [0, 0, 0, 0]])[None, :, None]
    network = Halves()
    maps = score_cam(network, x, target=0, layers=["layer"])
    weight = np.exp(4 * 6 * 2 / 3) / (np.exp(4 * 6 * 2 / 3) + 2)
    np.testing.assert_allclose(maps["layer"], [[0, 8 * weight]], rtol=1e-5)


def test_what_the_target_adds_everywhere_does_not_matter_and_channels_may_be_permuted():
    network = Pointwise().requires_grad_(False)
    expected = score_cam(network, photo(), target=1, layers=["conv"])["conv"]
    network.head.bias += 500  # the score of any baseline image cancels
    assert_close(score_cam(network, photo(), target=1, layers=["conv"])["conv"], expected, 1e-4)
    order = [2, 0, 3, 1]
    network.conv.weight[:], network.conv.bias[:] = (
        network.conv.weight[order],
        network.conv.bias[order],
    )
    network.head.weight[:] = network.head.weight[:, order]
    assert_close(score_cam(network, photo(), target=1, layers=["conv"])["conv"], expected, 1e-4)


def test_scores_far_apart_neither_overflow_nor_vanish():
    network, x = Pointwise(), photo()
    network.head.weight.data.mul_(1e5)
    maps = score_cam(network, x, target=0, layers=["conv"])
    a, _ = activations_and_gradients(network, x, "conv", 0, "logit")
    assert any(np.allclose(maps["conv"], np.maximum(one, 0), atol=1e-5) for one in a)


@pytest.mark.parametrize("at_once", [1, 3, 6, 1000, np.int64(4)])
def test_the_size_of_the_batches_does_not_matter(at_once):
    sizes = []
    network = RandomNet(5)
    network.register_forward_pre_hook(lambda _m, args: sizes.append(len(args[0])))
    expected = score_cam(network, photo(), target=2, layers=["act", "blocks.0"])
    sizes.clear()
    maps = score_cam(network, photo(), target=2, layers=["act", "blocks.0"], at_once=at_once)
    assert max(sizes) <= at_once
    for name in maps:
        assert_close(maps[name], expected[name], 1e-5)


def test_a_layer_does_not_depend_on_which_others_are_asked_for():
    network = RandomNet(3)
    layers = ["stem", "act", "blocks.0"]
    together = score_cam(network, photo(), target=1, layers=layers[::-1] + layers)
    assert together.names == ("stem", "act", "blocks.0")
    for name in together:
        alone = score_cam(network, photo(), target=1, layers=[name])
        assert_close(alone[name], together[name], 1e-5)


def test_defaults_are_those_of_explain():
    network, x = RandomNet(2), photo()
    explained, maps = cam.explain(network, x), score_cam(network, x[0])
    assert maps.names == explained.names
    assert maps.target == explained.target
    assert maps.size == explained.size
    assert maps.maps[0].shape == explained.maps[0].shape
    np.testing.assert_allclose(maps.probabilities, explained.probabilities, rtol=1e-5)
    assert (
        score_cam(network, x, layers="stage").names == cam.explain(network, x, None, "stage").names
    )
    assert maps.fuse().shape == (8, 8)
    assert score_cam(network, x, size=(4, 6)).fuse().shape == (4, 6)
    assert_close(maps.fuse(rule="winsor"), maps.fuse(rule="mean"), 1e-5)


def test_maps_can_be_saved(tmp_path):
    maps = score_cam(Mixed(), photo(), layers=LAYERS)
    maps.save(tmp_path / "maps.npz")
    again = cam.LayerMaps.load(tmp_path / "maps.npz")
    assert again.method == "scorecam"
    for name in maps:
        np.testing.assert_array_equal(again[name], maps[name])


def known(network, x):
    """Return a network that was seen before: what is tested of it once has been tested."""
    score_cam(network, x, 0, ["layer"])
    network.seen.clear()
    return network


class Channels(nn.Module):
    """A layer that gives what ``make`` makes of the photo; the score is the mean of the photo."""

    def __init__(self, make):
        super().__init__()
        self.make = make
        self.layer = nn.Identity()
        self.seen = []

    def forward(self, x):
        self.seen.append(x.clone())
        self.layer(self.make(x))
        mean = x.mean((1, 2, 3))
        return torch.stack([mean, -mean], 1)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e-38, 3e38])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 7)])
def test_a_constant_channel_masks_everything_and_keeps_its_weight(value, shape):
    x = photo(1, 3, 11, 13)
    network = known(Channels(lambda x: torch.full((len(x), 2, *shape), value)), x)
    maps = score_cam(network, x, target=0, layers=["layer"])
    whole, empty = network.seen
    assert whole.any()
    assert not empty.any()  # though interpolation may round 0.1 to something uneven
    np.testing.assert_allclose(maps["layer"], np.full(shape, max(value, 0)), rtol=1e-6)
    assert maps.silent == (() if value > 0 else ("layer",))


def test_a_constant_channel_among_others():
    ramp = torch.linspace(0, 1, 8).expand(8, 8)

    def make(x):
        return torch.stack([ramp, torch.full((8, 8), 0.3), 1 - ramp]).expand(len(x), -1, -1, -1)

    x = photo().abs() * 9
    z = [float((x * ramp).mean()), 0.0, float((x * (1 - ramp)).mean())]
    w = np.exp(z) / np.exp(z).sum()
    expected = w[0] * ramp.numpy() + w[1] * 0.3 + w[2] * (1 - ramp.numpy())
    assert_close(score_cam(Channels(make), x, 0, ["layer"])["layer"], expected, 1e-5)


@pytest.mark.parametrize("scale", [1e-36, 1e-9, 1.0, 1e9, 1.7e38])
def test_masks_do_not_depend_on_the_scale_of_the_activations(scale):
    def network(scale):
        layer = Channels(
            lambda x: scale * photo(1, 3, 4, 4, seed=7).tanh().expand(len(x), -1, -1, -1)
        )
        return known(layer, photo())

    plain, scaled = network(1.0), network(scale)
    expected = score_cam(plain, photo(), 0, ["layer"])["layer"]
    maps = score_cam(scaled, photo(), 0, ["layer"])
    torch.testing.assert_close(scaled.seen[1], plain.seen[1])
    assert expected.any()
    np.testing.assert_allclose(maps["layer"] / scale, expected, rtol=1e-3, atol=1e-6)


def test_masks_stay_within_zero_and_one():
    x = torch.ones(1, 3, 17, 9)
    layer = Channels(lambda x: photo(1, 40, 5, 3, seed=3).expand(len(x), -1, -1, -1))
    network = known(layer, x)
    score_cam(network, x, 0, ["layer"], at_once=100)
    masks = network.seen[1]
    assert masks.amin((2, 3)).eq(0).all()
    assert masks.amax((2, 3)).eq(1).all()


@pytest.mark.parametrize("x", [photo(1, 3, 1, 1), torch.zeros(1, 3, 8, 8), photo(1, 3, 1, 9)])
def test_tiny_and_empty_photos(x):
    network = RandomNet(4)
    layers = ["stem", "act", "blocks.0"]
    maps = score_cam(network, x, target=0, layers=layers)
    for name in layers:
        expected = reference(network, x, name, 0)
        np.testing.assert_allclose(maps[name], expected, atol=1e-5)


def test_a_dead_layer_is_silent():
    network = Mixed()
    network.bn1.weight.data.zero_()
    network.bn1.bias.data.fill_(-1)
    maps = score_cam(network, photo(), layers=["conv1", "relu1"])
    assert maps.silent == ("relu1",)
    assert maps.fuse().max() == 1


def test_one_channel_is_its_own_map():
    network = Pointwise(channels=1)
    expected = network.conv(photo()).relu().detach().numpy()[0, 0]
    assert_close(score_cam(network, photo(), layers=["conv"])["conv"], expected, 1e-6)


def test_maps_larger_than_the_photo():
    network, x = Channels(lambda x: torch.nn.functional.interpolate(x, (20, 30))), photo()
    maps = score_cam(network, x, 1, ["layer"])
    assert_close(maps["layer"], reference(network, x, "layer", 1), 1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_networks_of_other_precision(dtype):
    network, x = RandomNet(6), photo()
    expected = score_cam(network, x, 1, ["act"])["act"]
    network = network.to(dtype)
    maps = score_cam(network, x, 1, ["act"])
    assert maps["act"].dtype == np.float32
    assert_close(maps["act"], expected, 1e-5 if dtype == torch.float64 else 0.05)


def test_an_in_place_activation_after_the_layer_does_not_show():
    inplace = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    maps = score_cam(inplace, photo(), 1, ["0"])
    assert_close(maps["0"], reference(inplace, photo(), "0", 1), 1e-5)


def test_a_network_that_works_in_place_on_its_input_does_not_change_the_photo():

    class Normalizing(Pointwise):
        def forward(self, x):
            return super().forward(x.sub_(1))

    x = photo()
    kept = x.clone()
    score_cam(Normalizing(), x, layers=["conv"])
    assert torch.equal(x, kept)


@pytest.mark.parametrize("caller", CALLERS)
def test_success_leaves_no_trace_and_every_caller_gets_the_same(caller):
    network = Mixed()
    before = Snapshot.of(network)
    expected = score_cam(network, photo(), layers=LAYERS)
    with CALLERS[caller]():
        maps = score_cam(network, photo().requires_grad_(caller == "plain"), layers=LAYERS)
        assert torch.is_grad_enabled() == (caller == "plain")
        assert torch.is_inference_mode_enabled() == (caller == "inference_mode")
    before.check(network)
    for name in maps:
        np.testing.assert_array_equal(maps[name], expected[name])


def test_progress_counts_photos_and_the_network_is_untouched_between_batches():
    network = Mixed()
    before = Snapshot.of(network)
    calls, threads, states = [], set(), []

    def progress(done, total):
        before.check(network)
        calls.append((done, total))
        threads.add(threading.current_thread())
        states.append((torch.is_grad_enabled(), torch.is_inference_mode_enabled()))

    def cancelled():
        before.check(network)
        return False

    score_cam(network, photo(), layers=LAYERS, at_once=3, progress=progress, cancelled=cancelled)
    assert calls == [(done, 14) for done in (3, 4, 7, 8, 11, 14)]
    assert threads == {threading.current_thread()}
    assert set(states) == {(True, False)}


def test_each_channel_costs_one_photo_and_the_rest_one_pass():
    network, photos = Mixed(), []
    network.register_forward_pre_hook(lambda _m, args: photos.append(len(args[0])))
    score_cam(network, photo(), layers=LAYERS, at_once=4)
    assert photos == [1, 4, 4, 4, 2]


@pytest.mark.parametrize("after", range(5))
def test_cancelling_at_any_point_leaves_no_trace(after):
    network, passes, asked = Mixed(), [], []

    class Counting(nn.Module):
        def forward(self, z):
            passes.append(len(z))
            return z

    network.tail = Counting()
    before = Snapshot.of(network)

    def cancelled():
        asked.append(len(passes))
        return len(asked) > after

    with pytest.raises(Cancelled, match="cancelled"):
        score_cam(network, photo(), layers=LAYERS, at_once=4, cancelled=cancelled)
    before.check(network)
    assert asked == list(range(after + 1))  # once before each pass, none after the last "no"
    assert len(passes) == after
    assert score_cam(network, photo(), layers=["conv2"])["conv2"].shape == (4, 4)


def test_not_cancelled_means_asked_before_each_pass():
    asked = []
    score_cam(Mixed(), photo(), layers=LAYERS, at_once=4, cancelled=lambda: bool(asked.append(1)))
    assert len(asked) == 5


@pytest.mark.parametrize("at", [3, 8, 14])
@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt])
def test_a_failing_callback_leaves_no_trace(at, error):
    network = Mixed()
    before = Snapshot.of(network)

    def progress(done, _total):
        if done == at:
            raise error

    def cancelled():
        raise error

    with pytest.raises(error):
        score_cam(network, photo(), layers=LAYERS, at_once=3, progress=progress)
    before.check(network)
    with pytest.raises(error):
        score_cam(network, photo(), layers=LAYERS, cancelled=cancelled)
    before.check(network)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda _z: 1 / 0, ZeroDivisionError, None),
        (lambda z: z * torch.nan, ValueError, "masked by a channel: .*NaN"),
        (lambda z: z[:1], ValueError, r"masked by a channel: .*shape \(1, 5\)"),
        (lambda z: (z, -z), TypeError, "a tuple of 2"),
    ],
)
@pytest.mark.parametrize("only_pass", [2, 4])
def test_a_network_that_fails_on_the_way_leaves_no_trace(act, error, message, only_pass):
    class Failing(nn.Module):
        passes = 0

        def forward(self, z):
            Failing.passes += 1
            return act(z) if Failing.passes == only_pass else z

    network = Mixed(Failing())
    before = Snapshot.of(network)
    with pytest.raises(error, match=message):
        score_cam(network, photo(), layers=LAYERS, at_once=4)
    before.check(network)


class Clamped(Mixed):
    def forward(self, x):
        return super().forward(x).clamp(-1, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"layers": ["conv1", "nope"]}, ValueError, "no layer 'nope'"),
        ({"layers": ["head"]}, TypeError, "'head' gives a tensor"),
        ({"layers": []}, ValueError, "at least one layer"),
        ({"layers": ["spare"]}, ValueError, "'spare' does not run"),
        ({"target": 5}, ValueError, "between 0 and 4, not 5"),
        ({"target": 1.5}, TypeError, "index of a class, not 1.5"),
        ({"target": True}, TypeError, "True"),
        ({"at_once": 0}, ValueError, "at_once must be at least 1, not 0"),
        ({"at_once": -2}, ValueError, "at least 1, not -2"),
        ({"at_once": 2.0}, TypeError, "at_once must be a whole number of photos, not 2.0"),
        ({"at_once": None}, TypeError, "not None"),
        ({"at_once": True}, TypeError, "not True"),
        ({"batch": photo(2, 3, 8, 8)}, ValueError, "one photo at a time, not a batch of 2"),
        ({"batch": photo() / 0}, ValueError, "NaN or infinite"),
        ({"batch": np.zeros((1, 3, 8, 8))}, TypeError, "torch tensor"),
        ({"network": len}, TypeError, "must be a torch.nn.Module"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    network = Mixed()
    network.spare = nn.Conv2d(3, 2, 1)
    before = Snapshot.of(network)
    with pytest.raises(error, match=message):
        score_cam(**{"network": network, "batch": photo(), "layers": LAYERS} | arguments)
    before.check(network)


def test_activations_that_are_not_finite_are_refused_before_the_long_work():
    network, passes = Clamped(), []
    network.bn1.bias.data[1] = torch.inf
    network.head.register_forward_hook(lambda *_: passes.append(1) or torch.zeros(1, 5))
    with pytest.raises(ValueError, match="Layer 'relu1' gives NaN or infinite values"):
        score_cam(network, photo(), layers=["relu1"])
    assert len(passes) == 1


def test_another_thread_gets_through_after_one_batch():
    network, x = Mixed(), photo()
    expected, answers = cam.class_scores(network, x), []
    plain = score_cam(network, x, target=1, layers=LAYERS, at_once=2)

    def progress(_done, _total):
        other = threading.Thread(target=lambda: answers.append(cam.class_scores(network, x)))
        other.start()
        other.join(timeout=20)  # waits in vain if the lock were held in here
        assert not other.is_alive()

    maps = score_cam(network, x, target=1, layers=LAYERS, at_once=2, progress=progress)
    assert len(answers) == 7
    for answer in answers:
        torch.testing.assert_close(answer, expected)
    for name in maps:
        np.testing.assert_array_equal(maps[name], plain[name])


def test_threads_do_not_disturb_each_other():
    network, x = Mixed(), photo()
    before = Snapshot.of(network)
    expected = score_cam(network, x, target=1, layers=LAYERS, at_once=1)
    explained = cam.explain(network, x, target=1, layers=LAYERS)
    results, others, stop = [], [], threading.Event()

    def explain():
        while not stop.is_set():
            others.append(cam.explain(network, x, target=1, layers=LAYERS))

    def run():
        results.append(score_cam(network, x, target=1, layers=LAYERS, at_once=1))

    background = threading.Thread(target=explain)
    runs = [threading.Thread(target=run) for _ in range(3)]
    for thread in [background, *runs]:
        thread.start()
    for thread in runs:
        thread.join(60)
    stop.set()
    background.join(60)
    before.check(network)
    assert len(results) == 3
    assert others
    for name in LAYERS:
        for maps in results:
            np.testing.assert_array_equal(maps[name], expected[name])
        for maps in others:
            np.testing.assert_array_equal(maps[name], explained[name])


def test_neither_the_network_nor_the_masked_photos_are_kept():
    network, kept = Mixed(), []
    network.register_forward_pre_hook(lambda _m, args: kept.append(weakref.ref(args[0])))
    alive = []

    def progress(_done, _total):
        alive.append(sum(one() is not None for one in kept))

    maps = score_cam(network, photo(), layers=LAYERS, at_once=2, progress=progress)
    assert alive == [0] * 7
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None
    assert maps["conv1"].shape == (8, 8)


def test_activations_of_finished_layers_are_not_kept(monkeypatch):
    work, activations, alive = scorecam._scores, [], []

    def look(network, photo, channels, target, output):
        activations.append(StorageWeakRef(channels.untyped_storage()))
        return work(network, photo, channels, target, output)

    def progress(_done, _total):
        alive.append([not one.expired() for one in activations])

    monkeypatch.setattr(scorecam, "_scores", look)
    score_cam(Mixed(), photo(), layers=LAYERS, progress=progress)
    assert alive == [[True], [False, True], [False, False, True]]


class Pieces(torch.nn.Module):
    """Cuts a photo into two halves before its layer, as patch-based networks do."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 2, 1)

    def forward(self, batch):
        features = self.conv(torch.cat(batch.chunk(2, 3)))
        return features.unflatten(0, (2, -1)).mean((0, 3, 4))


def test_a_layer_that_sees_pieces_of_the_photo_is_refused():
    with pytest.raises(ValueError, match="'conv' gives 2 maps for one photo"):
        cam.score_cam(Pieces(), torch.rand(1, 3, 4, 6), layers=["conv"])
