"""Batches of photos, and contrasts: each photo gets what it would get alone."""

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

TARGETS = [4, 0, 4, 1]


def networks(count):
    return [*(RandomNet(seed).train() for seed in range(count)), Mixed()]


def alike(one, alone, tolerance=1e-5):
    for fact in ("names", "method", "size", "target", "score", "contrast"):
        assert getattr(one, fact) == getattr(alone, fact)
    assert list(one.methods) == list(alone.methods) == list(cam.METHODS)
    np.testing.assert_allclose(one.probabilities, alone.probabilities, rtol=1e-5, atol=1e-7)
    assert_close(one.importances, alone.importances, tolerance)
    for method in cam.METHODS:
        mine, other = one.with_method(method), alone.with_method(method)
        # XGrad-CAM divides by a channel's sum: where that cancels, rounding counts more.
        allowed = tolerance * (10 if method == "xgradcam" else 1)
        for name in mine:
            np.testing.assert_allclose(
                mine[name],
                other[name],
                rtol=0,
                atol=allowed * max(x.max() for x in other.maps),
            )
    for rule in cam.rule_names():
        np.testing.assert_allclose(one.fuse(rule=rule), alone.fuse(rule=rule), atol=1e-3)


@pytest.mark.parametrize("index", range(7))
def test_a_batch_gives_what_each_photo_gives_alone(index):
    network = networks(6)[index]
    score = cam.SCORES[index % 3]
    batch = photo(4, 3, 9, 12, seed=index)
    before = Snapshot.of(network)
    options = {"layers": "convolution", "score": score, "method": "layercam", "size": (5, 7)}
    together = cam.explain(network, batch, TARGETS, **options)
    before.check(network)
    assert isinstance(together, list)
    assert len(together) == 4
    for x, target, one in zip(batch, TARGETS, together, strict=True):
        assert one.target == target
        assert any(layer.any() for layer in one.maps)
        alike(one, cam.explain(network, x, target, **options))
    by_default = cam.explain(network, batch, **options)
    for x, one in zip(batch, by_default, strict=True):
        assert one.target == int(one.probabilities.argmax())
        alike(one, cam.explain(network, x, **options))


@pytest.mark.parametrize("seed", range(3))
def test_a_batch_agrees_with_the_slow_reference(seed):
    network, batch = RandomNet(seed), photo(3, 3, 9, 12, seed=seed)
    together = cam.explain(network, batch, [5, 2, 2], layers=["stem", "blocks.0"])
    for x, one in zip(batch, together, strict=True):
        with torch.no_grad():
            expected = network.eval()(x[None])[0].softmax(0)
        np.testing.assert_allclose(one.probabilities, expected, rtol=1e-5)
        assert one.probability == pytest.approx(float(expected[one.target]), rel=1e-5)
        for name, importance in zip(one, one.importances, strict=True):
            a, g = activations_and_gradients(network, x[None], name, one.target, one.score)
            assert importance == pytest.approx(max(g.mean(), 0), rel=1e-4, abs=1e-8)
            for method in cam.METHODS:
                assert_close(one.with_method(method)[name], obvious_map(method, a, g))


def test_one_target_for_all_photos():
    network, batch = RandomNet(1), photo(3, 3, 9, 12)
    for target in (2, np.int64(2), torch.tensor(2)):
        together = cam.explain(network, batch, target)
        assert [one.target for one in together] == [2, 2, 2]
    for x, one in zip(batch, together, strict=True):
        alike(one, cam.explain(network, x, 2))


def test_permuting_the_photos_permutes_the_explanations():
    network, batch, order = RandomNet(2), photo(4, 3, 9, 12), [2, 0, 3, 1]
    plain = cam.explain(network, batch, TARGETS)
    permuted = cam.explain(network, batch[order], [TARGETS[n] for n in order])
    for n, one in zip(order, permuted, strict=True):
        alike(one, plain[n])


@pytest.mark.parametrize(
    "kind",
    [
        list,
        tuple,
        np.array,
        torch.tensor,
        lambda x: torch.tensor(x, dtype=torch.int32),
        lambda x: np.array(x, np.uint8),
        lambda x: [np.int64(n) for n in x],
        lambda x: [torch.tensor(n) for n in x],
    ],
)
def test_targets_of_any_kind(kind):
    network, batch = RandomNet(0), photo(4, 3, 8, 8)
    together = cam.explain(network, batch, kind(TARGETS))
    assert [one.target for one in together] == TARGETS
    assert all(type(one.target) is int for one in together)
    # A batch of one with a sequence is still a batch.
    for one_photo in (batch[:1], batch[0]):
        single = cam.explain(network, one_photo, kind([3]))
        assert isinstance(single, list)
        assert [one.target for one in single] == [3]
        alike(single[0], cam.explain(network, one_photo, 3))


@pytest.mark.parametrize("argument", ["target", "contrast"])
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1, 2], ValueError, "must hold one index for each of the 3 photos"),
        ([1, 2, 3, 4], ValueError, "must hold one index for each of the 3 photos"),
        ([], ValueError, "must hold one index for each of the 3 photos"),
        (torch.tensor([1, 2]), ValueError, "must hold one index for each of the 3 photos"),
        ([1, 5, 2], ValueError, "must be between 0 and 4, not 5"),
        ([1, -1, 2], ValueError, "must be between 0 and 4, not -1"),
        (7, ValueError, "must be between 0 and 4, not 7"),
        ([1, 1.0, 2], TypeError, "must be the index of a class, not 1.0"),
        ([1, None, 2], TypeError, "must be the index of a class, not None"),
        ([1, True, 2], TypeError, "must be the index of a class, not True"),
        (torch.tensor([True, False, True]), TypeError, "must be the index of a class, not tensor"),
        (np.array([True, False, True]), TypeError, "must be the index of a class"),
        (np.array([1.0, 2.0, 3.0]), TypeError, "must be the index of a class"),
        ([[1], [2], [3]], TypeError, "must be the index of a class"),
        ({1, 2, 3}, TypeError, "must be the index of a class"),
        ("012", TypeError, "must be the index of a class, not '012'"),
    ],
)
def test_bad_targets_are_named(argument, given, error, message):
    network = Mixed()
    before = Snapshot.of(network)
    arguments = {"target": 0} | {argument: given}
    with pytest.raises(error, match=f"^{argument} {message}"):
        cam.explain(network, photo(3, 3, 8, 8), layers=["conv1"], **arguments)
    before.check(network)


def test_a_photo_keeps_no_other_photo_alive():
    one, _ = cam.explain(RandomNet(0), photo(2, 3, 8, 8))
    for x in (one.probabilities, one.importances):
        assert x.base is None or x.base.nbytes <= x.nbytes
    maps = [x for each in one.methods.values() for x in each]
    for x in maps:  # they lie together
        assert x.base is None or x.base.nbytes <= sum(y.nbytes for y in maps)


# Contrast: why this class rather than that one


@pytest.mark.parametrize("score", cam.SCORES)
@pytest.mark.parametrize("seed", range(3))
def test_a_contrast_agrees_with_the_slow_reference(seed, score):
    network, x = RandomNet(seed), photo(1, 3, 9, 12, seed=seed)
    layers = ["stem", "act", "blocks.0"]
    maps = cam.explain(network, x, 1, layers, score=score, contrast=4)
    assert (maps.target, maps.contrast) == (1, 4)
    assert maps.fuse().any()
    for name, importance in zip(layers, maps.importances, strict=True):
        a, g = activations_and_gradients(network, x, name, 1, score, contrast=4)
        assert importance == pytest.approx(max(g.mean(), 0), rel=1e-3, abs=1e-6)
        for method in cam.METHODS:
            assert_close(maps.with_method(method)[name], obvious_map(method, a, g))
    plain = cam.explain(network, x, 1, layers, score=score)
    assert plain.contrast is None
    assert not np.allclose(maps["stem"], plain["stem"], rtol=1e-2, atol=0)
    np.testing.assert_array_equal(maps.probabilities, plain.probabilities)


def test_the_contrast_of_the_pointwise_network_is_the_closed_form():
    torch.manual_seed(3)
    network, x = Pointwise(), photo(1, 3, 3, 4)
    a = network.conv(x)[0].detach().numpy()
    rows = network.head.weight.detach().numpy()
    maps = cam.explain(network, x, 0, ["conv"], score="logit", contrast=3)
    expected = np.maximum(np.tensordot((rows[0] - rows[3]) / 12, a, 1), 0)
    assert expected.any()
    assert_close(maps["conv"], expected, 1e-5)


def test_log_probabilities_contrast_as_logits_do():
    """log p_c - log p_c' = z_c - z_c'."""
    for seed in range(3):
        network, x = RandomNet(seed), photo(1, 3, 9, 12, seed=seed)
        logit, log_probability = (
            cam.explain(network, x, 2, "convolution", score=score, contrast=5)
            for score in ("logit", "log_probability")
        )
        for method in cam.METHODS:
            for name in logit:
                assert_close(
                    log_probability.with_method(method)[name], logit.with_method(method)[name]
                )


def test_turned_round_a_contrast_shows_the_other_side():
    network, x = RandomNet(1), photo(1, 3, 9, 12)
    there = cam.explain(network, x, 2, "convolution", contrast=5)
    back = cam.explain(network, x, 5, "convolution", contrast=2)
    for method in ("gradcam", "xgradcam", "hirescam"):  # relu of x and of -x
        pairs = zip(there.with_method(method).maps, back.with_method(method).maps, strict=True)
        assert not any((one * other).any() for one, other in pairs)
        assert there.with_method(method).fuse().any()
        assert back.with_method(method).fuse().any()


@pytest.mark.parametrize("score", cam.SCORES)
def test_a_class_contrasted_with_itself_is_silent(score):
    network = RandomNet(0)
    maps = cam.explain(network, photo(), 2, "convolution", score=score, contrast=2)
    assert not maps.importances.any()
    for method in cam.METHODS:
        assert maps.with_method(method).silent == maps.names
        assert not any(x.any() for x in maps.with_method(method).maps)
    for rule in cam.rule_names():
        assert not maps.fuse(rule=rule).any()
        assert set(maps.shares(rule=rule).values()) == {0.0}


def test_each_photo_may_have_its_own_contrast():
    network, batch = RandomNet(2), photo(3, 3, 9, 12)
    for contrast in ([1, 0, 3], torch.tensor([1, 0, 3]), 3):
        together = cam.explain(network, batch, [5, 4, 3], contrast=contrast)
        for n, (x, one) in enumerate(zip(batch, together, strict=True)):
            other = int(np.broadcast_to(contrast, 3)[n])
            assert one.contrast == other
            assert type(one.contrast) is int
            alike(one, cam.explain(network, x, [5, 4, 3][n], contrast=other))
    assert together[2].silent == together[2].names  # 3 rather than 3
    # Whether a list comes back is decided by the targets.
    assert cam.explain(network, batch[0], 5, contrast=[1]).contrast == 1


def test_a_contrast_is_told_and_kept(tmp_path):
    maps = cam.explain(RandomNet(0), photo(), 2, ["stem"], contrast=0)
    assert f"target 2 rather than 0 (probability {maps.probability:.3g})" in repr(maps)
    assert "rather" not in repr(cam.explain(RandomNet(0), photo(), 2, ["stem"]))
    maps.save(tmp_path / "maps.npz")
    again = cam.LayerMaps.load(tmp_path / "maps.npz")
    assert again.contrast == 0
    assert repr(again) == repr(maps)
    np.testing.assert_array_equal(again["stem"], maps["stem"])
    assert maps.with_method("hirescam").contrast == 0


def test_a_batch_in_half_precision_and_under_inference_mode():
    network = nn.Sequential(RandomNet(3)).to(torch.bfloat16)
    batch = photo(2, 3, 9, 12)
    with torch.inference_mode():
        together = cam.explain(network, batch.clone(), [1, 2], contrast=[0, 0])
    for x, one in zip(batch, together, strict=True):
        alike(one, cam.explain(network, x, one.target, contrast=0), 0.05)
