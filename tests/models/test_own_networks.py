"""Networks that users bring: one size only, other channels, other outputs, modules for names."""

import base64
import gc
import io
import itertools
import threading
import warnings
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision import transforms
from transformers import ViTConfig, ViTForImageClassification

import combicam_widgets as ccw
from combicam_widgets import cam, evaluation
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel, WholePhoto

CELLS = ccw.CellGrid.from_centers([0, 0, 60, -60, 30], [0, 90, 180, -90, 45])


@pytest.fixture(scope="module")
def portrait():
    pixels = np.random.default_rng(5).integers(0, 256, (96, 64, 3), np.uint8)
    return Photo(np.repeat(np.repeat(pixels[::8, ::8], 8, 0), 8, 1))


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(3)


def flat(side, channels=3):
    """Convolutions and a fully connected layer, as for one size of photo."""
    return nn.Sequential(
        nn.Conv2d(channels, 4, 3, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * (side // 4) ** 2, 5)
    )


class Cut(nn.Module):
    """LeNet's way to flatten, which turns too large a photo into several rows."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(3, 4, 8, 8)
        self.head = nn.Linear(4 * 4 * 4, 5)

    def forward(self, x):
        return self.head(self.body(x).view(-1, 4 * 4 * 4))


def hugging_face():
    config = ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=48,
        num_labels=5,
    )
    return ViTForImageClassification(config)


def wide():
    """A network for tall photos: the size is kept as (channels, height, width), as timm does."""
    network = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.Flatten(), nn.Linear(4 * 12 * 5, 5))
    network.default_cfg = {"input_size": (3, 96, 40)}
    return network


FIXED = {
    "fully connected, 224": (lambda: flat(224), (224, 224)),
    "fully connected, 64": (lambda: flat(64), (64, 64)),
    "cut into rows": (Cut, (32, 32)),
    "pooling by 7": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, 32, 32), nn.AvgPool2d(7), nn.Flatten(), nn.Linear(4, 5)
        ),
        (224, 224),
    ),
    "torchvision's ViT": (
        lambda: torchvision.models.VisionTransformer(176, 16, 1, 2, 16, 16, num_classes=5),
        (176, 176),
    ),
    "timm's ViT": (
        lambda: timm.create_model(
            "vit_tiny_patch16_384", num_classes=5, embed_dim=16, depth=1, num_heads=2
        ),
        (384, 384),
    ),
    "timm's Swin": (
        lambda: timm.create_model(
            "swin_tiny_patch4_window7_224",
            num_classes=5,
            embed_dim=8,
            depths=(1, 1, 1, 1),
            num_heads=(1, 1, 1, 1),
        ),
        (224, 224),
    ),
    "Hugging Face's ViT": (hugging_face, (48, 48)),
    "not square": (wide, (96, 40)),
}


@pytest.mark.parametrize(("make", "size"), FIXED.values(), ids=FIXED)
def test_one_size_is_found_when_no_transform_is_given(make, size, portrait):
    network = make()
    model = GeoModel(network, CELLS)
    with pytest.warns(UserWarning, match=rf"transform=WholePhoto\(\({size[0]}, {size[1]}\)\)") as w:
        prediction = model.predict(portrait)
    assert [warning.filename for warning in w] == [__file__]
    batch = WholePhoto(size)(portrait.to_pil())[None]
    assert batch.shape == (1, 3, *size)
    with torch.no_grad():
        scores = network.eval()(batch)
    expected = getattr(scores, "logits", scores).softmax(1)[0]
    np.testing.assert_allclose(prediction.probabilities, expected, rtol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(model.view(portrait), batch)
        assert model.probabilities(model.view(portrait).repeat(2, 1, 1, 1)).shape == (2, 5)
        hot = np.ones((4, 4))
        np.testing.assert_allclose(
            model.evidence(portrait, hot, 1).probabilities, expected, rtol=1e-4
        )


@pytest.mark.parametrize(
    "ask",
    [
        lambda model, photo: model.explain(photo).fuse(),
        lambda model, photo: model.explain(photo, method="scorecam").fuse(),
        lambda model, photo: model.evidence(photo, np.ones((2, 2))),
        lambda model, photo: model.probabilities(model.view(photo)),
        lambda model, _photo: model.layers,
    ],
    ids=["explain", "scorecam", "evidence", "view", "layers"],
)
def test_the_size_is_found_whatever_is_asked_first(ask, portrait):
    model = GeoModel(flat(96), CELLS)
    with pytest.warns(UserWarning, match="squeezed into 96 x 96 pixels") as warned:
        ask(model, portrait)
    assert warned[0].filename == __file__
    assert model.transform.side == (96, 96)
    assert model.explain(portrait).fuse().shape == (96, 64)


def test_a_network_of_any_size_keeps_the_proportions(portrait):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    passes = []
    network.register_forward_hook(lambda *_: passes.append(1))
    model = GeoModel(network, CELLS)
    model.predict(portrait)
    assert passes == [1]
    assert model.view(portrait).shape == (1, 3, 288, 192)
    assert passes == [1]


@pytest.mark.parametrize(
    ("network", "transform", "message"),
    [
        (
            flat(64),
            WholePhoto(224),
            r"tensor \(3, 256, 192\).*takes \(3, 64, 64\): give transform=",
        ),
        (flat(64), WholePhoto((64, 60)), r"tensor \(3, 64, 60\).*WholePhoto\(\(64, 64\)\)"),
        (flat(52), None, r"WholePhoto\(\(height, width\)\).*mat1 and mat2 shapes"),
        (flat(64, channels=1), None, r"Grayscale\(\) before ToTensor\(\).*have 1 channels"),
        (flat(64, channels=6), WholePhoto((64, 64)), "size and the channels.*have 6 channels"),
    ],
)
@pytest.mark.parametrize("ask", ["predict", "explain"])
def test_what_the_network_does_not_take_is_said_in_words(ask, network, transform, message):
    photo = Photo(np.zeros((400, 300, 3), np.uint8))
    model = GeoModel(network, CELLS, transform)
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            getattr(model, ask)(photo)
    assert not any(module._forward_hooks for module in network.modules())


def test_a_bare_assertion_is_said_in_words(portrait):
    class Square(nn.Module):
        def forward(self, x):
            assert x.shape[2] == x.shape[3] == 72
            return x.mean((2, 3))

    with pytest.raises(ValueError, match=r"does not take a tensor \(3, 288, 192\).*AssertionError"):
        GeoModel(Square(), CELLS).predict(portrait)


class Failing(nn.Module):
    """Raises at the given calls."""

    def __init__(self, network, calls, error):
        super().__init__()
        self.network = network
        self.calls, self.error, self.count = calls, error, 0

    def forward(self, x):
        self.count += 1
        if self.count in self.calls:
            raise self.error
        return self.network(x)


def free_size():
    return nn.Sequential(
        nn.Conv2d(3, 4, 8, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )


@pytest.mark.parametrize(
    "error",
    [RuntimeError("boom"), ValueError("boom"), KeyError("boom"), torch.OutOfMemoryError("boom")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("calls", [[1], [1, 2], [1, 2, 3], range(1, 100)], ids=repr)
@pytest.mark.parametrize("given", [None, WholePhoto(64)])
def test_a_network_that_fails_for_its_own_reasons_is_not_squeezed(calls, error, given, portrait):
    model = GeoModel(Failing(free_size(), calls, error), CELLS, given)
    transform = model.transform
    with pytest.raises(type(error), match="boom"):
        model.predict(portrait)
    assert model.transform is transform
    model.network.calls = ()
    again = GeoModel(model.network.network, CELLS, given).predict(portrait)
    np.testing.assert_array_equal(model.predict(portrait).probabilities, again.probabilities)


def test_photos_that_are_as_large_as_the_network_wants_need_no_transform_but_to_tensor():
    photo = Photo(np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8))
    network = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 24, 5))
    model = GeoModel(network, CELLS, transforms.ToTensor())
    assert model.explain(photo).fuse().shape == (32, 48)
    assert model.layers == ("0",)


# Channels


GREY = transforms.Compose(
    [transforms.Resize((64, 64)), transforms.Grayscale(), transforms.ToTensor()]
)


def with_position(image):
    """RGB, and how far right and how far down a pixel lies."""
    rgb = transforms.functional.to_tensor(image.resize((64, 64)))
    steps = torch.linspace(-1, 1, 64)
    return torch.cat([rgb, steps.expand(1, 64, 64), steps[:, None].expand(1, 64, 64)])


def with_negative(image):
    rgb = transforms.functional.to_tensor(image.resize((64, 64)))
    return torch.cat([rgb, 1 - rgb])


CHANNELS = {1: GREY, 5: with_position, 6: with_negative}


@pytest.mark.parametrize(("channels", "transform"), CHANNELS.items(), ids=map(str, CHANNELS))
def test_any_number_of_channels(channels, transform, portrait):
    network = nn.Sequential(
        nn.Conv2d(channels, 4, 3, 2, 1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, 2, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    ).eval()
    model = GeoModel(network, CELLS, transform)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps = model.explain(portrait)
    batch = transform(portrait.to_pil())[None]
    assert batch.shape == (1, channels, 64, 64)
    blurred = cam.blur(batch)
    with torch.no_grad():
        full, nothing = network(batch).softmax(1)[0], network(blurred).softmax(1)[0]
    np.testing.assert_allclose(maps.probabilities, full, rtol=1e-4)
    plain = cam.explain(network, batch, maps.target)
    for name in plain.names:
        np.testing.assert_array_equal(maps[name], plain[name])
    hot, cold = np.ones((8, 8)), np.zeros((8, 8))
    for keep in (1, None):
        kept, left = (model.evidence(portrait, heat, keep) for heat in (hot, cold))
        np.testing.assert_allclose(kept.probabilities, full, rtol=1e-4)
        np.testing.assert_allclose(left.probabilities, nothing, rtol=1e-4)
    for name in blurred:  # each channel is blurred alone: a Gaussian keeps what is equal
        torch.testing.assert_close(cam.blur(name[None] * 0 + 0.5), name[None] * 0 + 0.5)
    assert len(model.layer_votes(portrait, maps)) == len(maps.names)
    assert model.explain(portrait, method="scorecam").fuse().max() == 1


def test_the_photo_on_screen_stays_in_colour(portrait):
    network = nn.Sequential(
        nn.Conv2d(1, 4, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)
    )
    with torch.no_grad():  # so that there is evidence
        network[0].weight.abs_()
        network[4].weight[0].abs_().add_(1)
        network[4].weight[1:] = 0
    explorer = ccw.Explorer(GeoModel(network, CELLS, GREY), portrait)
    try:
        source = explorer.heat.figure.layout.images[0].source
        shown = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
        pixels = np.asarray(shown.convert("RGB"), int)
        assert np.abs(pixels - portrait.pixels).mean() < 15  # it is a JPEG
        assert np.abs(pixels - pixels.mean(2, keepdims=True)).mean() > 30
        assert explorer.heatmap.shape == (96, 64)
        assert explorer.evidence is not None
    finally:
        explorer.close()


def test_channels_at_the_end_are_still_refused(portrait):
    model = GeoModel(free_size(), CELLS, lambda _image: torch.zeros(64, 64, 4))
    with pytest.raises(ValueError, match=r"not \(64, 64, 4\): the channels come first"):
        model.predict(portrait)


# Outputs


class Ending(nn.Module):
    def __init__(self, network, change):
        super().__init__()
        self.network, self.change = network, change

    def forward(self, x):
        return self.change(self.network(x))


def confident():
    network = free_size()
    with torch.no_grad():
        network[3].weight.mul_(8)
        network[3].bias.copy_(torch.tensor([3.0, -2, -4, 0, -1]))
    return network


def test_a_sigmoid_that_was_not_told_of_is_warned_about_once(portrait):
    model = GeoModel(Ending(confident(), torch.sigmoid), CELLS)
    with pytest.warns(UserWarning, match='between 0 and 1.*outputs="sigmoid"') as warned:
        model.predict(portrait)
    assert [w.filename for w in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(portrait)
        model.explain(portrait)


@pytest.mark.parametrize(
    "change",
    [
        lambda z: z,
        lambda z: z.log_softmax(1),
        torch.tanh,
        lambda z: 0 * z,
        lambda z: 20 * z.sigmoid(),
    ],
)
def test_usual_logits_are_not_doubted(change, portrait):
    model = GeoModel(Ending(confident(), change), CELLS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(portrait)
        model.explain(portrait)


def test_logits_that_once_left_the_range_are_not_doubted_any_more(portrait):
    scale = [10.0]
    model = GeoModel(Ending(confident(), lambda z: scale[0] * z.sigmoid()), CELLS)
    model.predict(portrait)
    scale[0] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(portrait)


def test_a_sigmoid_gives_what_its_logits_give(portrait):
    """Odds over their sum: on condition that exactly one cell is right."""
    network = confident()
    ours = GeoModel(Ending(network, torch.sigmoid), CELLS, outputs="sigmoid")
    plain = GeoModel(network, CELLS)
    with torch.no_grad():
        p = network.eval()(ours.view(portrait))[0].sigmoid().double()
    alone = torch.stack([p[i] * torch.cat([1 - p[:i], 1 - p[i + 1 :]]).prod() for i in range(5)])
    prediction = ours.predict(portrait).probabilities
    np.testing.assert_allclose(prediction, alone / alone.sum(), rtol=1e-5)
    np.testing.assert_allclose(prediction, plain.predict(portrait).probabilities, rtol=1e-5)
    for score in ("log_probability", "logit"):
        a, b = (m.explain(portrait, 1, score=score) for m in (ours, plain))
        for mine, theirs in zip(a.maps, b.maps, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-7)


def test_a_sigmoid_that_rounds_to_0_and_1_stays_finite(portrait):
    ends = torch.tensor([1.0, 0, 0, 1, 0])
    model = GeoModel(Ending(confident(), lambda z: ends + 0 * z), CELLS, outputs="sigmoid")
    prediction = model.predict(portrait).probabilities
    np.testing.assert_allclose(prediction, [0.5, 0, 0, 0.5, 0], atol=1e-30)
    assert np.isfinite(model.explain(portrait).fuse()).all()


def test_what_is_no_sigmoid_is_refused_or_doubted(portrait):
    logits = GeoModel(confident(), CELLS, outputs="sigmoid")
    with pytest.raises(
        ValueError, match=r'outputs="sigmoid": they go from .* give outputs="logits"'
    ):
        logits.predict(portrait)
    softmax = GeoModel(Ending(confident(), lambda z: z.softmax(1)), CELLS, outputs="sigmoid")
    with pytest.warns(UserWarning, match='add up to 1.*outputs="probabilities"'):
        softmax.predict(portrait)
    sigmoid = GeoModel(Ending(confident(), torch.sigmoid), CELLS, outputs="probabilities")
    with pytest.raises(ValueError, match='leave it and give outputs="sigmoid"'):
        sigmoid.predict(portrait)


class Comparing(nn.Module):
    """Cosines of a photo's features with one text for each cell, as CLIP gives them."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = free_size()
        self.texts = nn.Parameter(torch.randn(5, 5))

    def forward(self, x):
        return nn.functional.cosine_similarity(self.network(x)[:, None], self.texts[None], dim=2)


def test_similarities_become_logits_by_their_temperature(portrait):
    network = Comparing()
    ours = GeoModel(network, CELLS, outputs="similarities", temperature=0.05)
    plain = GeoModel(Ending(network, lambda s: s / 0.05), CELLS)
    with torch.no_grad():
        expected = (network.eval()(ours.view(portrait))[0] / 0.05).softmax(0).numpy()
    np.testing.assert_allclose(ours.predict(portrait).probabilities, expected, rtol=1e-5)
    for mine, theirs in zip(
        ours.explain(portrait, 1).maps, plain.explain(portrait, 1).maps, strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-7)
    loud = GeoModel(confident(), CELLS, outputs="similarities", temperature=1)
    with pytest.raises(ValueError, match=r'outputs="similarities": they go .* outputs="logits"'):
        loud.predict(portrait)


@pytest.mark.parametrize(
    ("outputs", "temperature", "error", "message"),
    [
        ("similarities", None, ValueError, r"needs the temperature.*temperature=0\.01"),
        ("similarities", 0, ValueError, "finite number > 0, not 0"),
        ("similarities", float("nan"), ValueError, "finite number > 0, not nan"),
        ("similarities", "0.01", TypeError, "number > 0, not '0.01'"),
        ("logits", 0.01, ValueError, 'outputs="logits" takes no temperature'),
    ],
)
def test_temperatures_that_are_refused(outputs, temperature, error, message):
    with pytest.raises(error, match=message):
        GeoModel(confident(), CELLS, outputs=outputs, temperature=temperature)


@pytest.mark.parametrize(
    ("outputs", "end"),
    [("sigmoid", torch.sigmoid), ("probabilities", lambda z: z.softmax(1))],
)
def test_what_knows_nothing_gives_logits_whatever_the_model_gives(outputs, end, portrait):
    model = GeoModel(Ending(confident(), end), CELLS, outputs=outputs)
    nothing = evaluation.knowing_nothing(model)
    assert abs(nothing.predict(portrait).probabilities.sum() - 1) < 1e-5


@pytest.mark.parametrize("outputs", ["logits", "log_probabilities", "probabilities"])
@pytest.mark.parametrize("method", ["gradcam", "scorecam"])
def test_the_output_that_is_meant(outputs, method, portrait):
    change = {
        "logits": lambda z: z,
        "log_probabilities": lambda z: z.log_softmax(1),
        "probabilities": lambda z: z.softmax(1),
    }[outputs]
    network = Ending(confident(), lambda z: {"rough": -z, "fine": change(z)})
    with pytest.raises(TypeError, match=r"a dict .*output=.*'rough', 'fine'"):
        GeoModel(network, CELLS, outputs=outputs)
    model = GeoModel(network, CELLS, outputs=outputs, output="fine", layers="convolution")
    plain = GeoModel(Ending(network.network, change), CELLS, outputs=outputs, layers="convolution")
    expected = plain.predict(portrait).probabilities
    np.testing.assert_allclose(model.predict(portrait).probabilities, expected, atol=1e-6)
    mine, others = (m.explain(portrait, 1, method) for m in (model, plain))
    for one, other in zip(mine.maps, others.maps, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_votes_are_asked_for_in_batches(portrait):
    """As many photos at once as a CPU likes; the same answers as one by one."""
    network, sizes = confident(), []

    def end(z):
        sizes.append(len(z))
        return z

    model = GeoModel(Ending(network, end), CELLS)
    maps = model.explain(portrait)
    maps = replace(
        maps,
        names=tuple(f"{n}" for n in range(6)),
        methods={"gradcam": tuple(maps.maps[0] * (n > 0) + n for n in range(6))},
        method="gradcam",
        importances=np.ones(6, np.float32),
    )
    sizes.clear()
    votes = model.layer_votes(portrait, maps)
    assert sizes == [4, 2]
    for vote, x in zip(votes, maps.maps, strict=True):
        alone = model.evidence(portrait, cam.fuse([x], [1.0], maps.size))
        np.testing.assert_allclose(vote.probabilities, alone.probabilities, rtol=1e-4)


class Named(dict):
    """What a network gives by name: with attributes too, as Hugging Face does."""

    __getattr__ = dict.__getitem__


@pytest.mark.parametrize("kind", [dict, Named, SimpleNamespace])
@pytest.mark.parametrize("outputs", ["logits", "probabilities", "sigmoid"])
def test_scores_that_have_a_name_are_taken(kind, outputs, portrait):
    change = {"logits": lambda z: z, "probabilities": lambda z: z.softmax(1)}
    change = change.get(outputs, torch.sigmoid)
    network = confident()
    named = Ending(network, lambda z: kind(loss=None, logits=change(z)))
    ours, plain = GeoModel(named, CELLS, outputs=outputs), GeoModel(network, CELLS)
    np.testing.assert_allclose(
        ours.predict(portrait).probabilities, plain.predict(portrait).probabilities, rtol=1e-5
    )
    a, b = (model.explain(portrait, 2) for model in (ours, plain))
    for mine, theirs in zip(a.maps, b.maps, strict=True):
        assert mine.any()
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-7)
    assert len(ours.explain(portrait, method="scorecam").maps) == len(a.maps)


# Devices without float64


@pytest.fixture
def like_mps(monkeypatch):
    """A device without float64, as Apple's MPS: only what went through ``cpu()`` may be double."""
    real = {name: getattr(torch.Tensor, name) for name in ("cpu", "double", "to", "type")}

    def cpu(self, *args, **kwargs):
        copy = real["cpu"](self, *args, **kwargs).clone()
        copy.here = True
        return copy

    def checked(name):
        def convert(self, *args, **kwargs):
            double = name == "double" or torch.float64 in (*args, *kwargs.values())
            if double and not hasattr(self, "here"):
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
            return real[name](self, *args, **kwargs)

        return convert

    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    for name in ("double", "to", "type"):
        monkeypatch.setattr(torch.Tensor, name, checked(name))


@pytest.mark.parametrize("outputs", ["logits", "log_probabilities", "probabilities", "sigmoid"])
def test_devices_without_float64(outputs, like_mps, portrait):
    ends = {
        "logits": lambda z: z,
        "log_probabilities": lambda z: z.log_softmax(1),
        "probabilities": lambda z: z.softmax(1),
        "sigmoid": torch.sigmoid,
    }
    network = confident()
    model = GeoModel(Ending(network, ends[outputs]), CELLS, GREY_FREE, outputs=outputs)
    with torch.no_grad():
        expected = network.eval()(GREY_FREE(portrait.to_pil())[None]).softmax(1)[0].numpy()
    np.testing.assert_allclose(model.predict(portrait).probabilities, expected, rtol=1e-5)
    maps = model.explain(portrait)
    model.explain(portrait, method="scorecam")
    model.layer_votes(portrait, maps)
    hot = np.ones((4, 4))
    np.testing.assert_allclose(model.evidence(portrait, hot, 1).probabilities, expected, 1e-4)


GREY_FREE = transforms.Compose([transforms.Resize((64, 64)), transforms.ToTensor()])


# NumPy's numbers, modules for names


@pytest.mark.parametrize("number", [int, np.int64, np.uint8])
def test_cells_are_given_as_any_whole_number(number, portrait):
    model = GeoModel(confident(), CELLS)
    expected = model.explain(portrait, 2, contrast=1)
    maps = model.explain(portrait, number(2), contrast=number(1))
    assert (maps.target, maps.contrast) == (2, 1)
    np.testing.assert_array_equal(maps.fuse(), expected.fuse())
    assert model.explain(portrait, number(3), "scorecam").target == 3


@pytest.mark.parametrize("keep", [np.float32(0.5), np.float64(0.5), np.float16(0.5), np.array(0.5)])
def test_shares_are_given_as_any_number(keep, portrait):
    model = GeoModel(confident(), CELLS)
    maps = model.explain(portrait)
    expected = model.evidence(portrait, maps.fuse(), 0.5).probabilities
    got = model.evidence(portrait, maps.fuse(), keep).probabilities
    np.testing.assert_array_equal(got, expected)
    model.layer_votes(portrait, maps, keep)


def test_layers_are_given_as_modules_too(portrait):
    network = torchvision.models.resnet18(num_classes=5)
    names = ("layer2.0", "layer4.1.conv1")
    modules = [network.get_submodule(name) for name in names]
    for layers in (modules, iter(modules), (names[0], modules[1])):
        assert GeoModel(network, CELLS, layers=layers).layers == names
    assert GeoModel(network, CELLS, layers=network.layer3).layers == ("layer3",)
    wrapped = GeoModel(
        Ending(network, lambda z: z.softmax(1)), CELLS, None, modules, outputs="probabilities"
    )
    assert wrapped.layers == tuple(f"network.{name}" for name in names)


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (5, TypeError, "layers must be names or modules of the network, not 5"),
        ([None], TypeError, "layers must hold names or modules of the network, not None"),
        ([nn.Conv2d(3, 4, 1)], ValueError, "a Conv2d that is no module of the network"),
    ],
)
def test_what_is_no_layer_is_refused(layers, error, message):
    with pytest.raises(error, match=message):
        GeoModel(free_size(), CELLS, layers=layers)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"side": 0}, ValueError, "side must be 1 to 10000 pixels, not 0"),
        ({"side": 10**400}, ValueError, "side must be 1 to 10000 pixels"),
        ({"side": (224, 0)}, ValueError, r"side must be 1 to 10000 pixels, not \(224, 0\)"),
        ({"side": 224.5}, TypeError, r"side must be a number of pixels or \(height, width\), not"),
        ({"side": True}, TypeError, "side must be a number of pixels"),
        ({"side": (1, 2, 3)}, TypeError, "side must be a number of pixels"),
        ({"mean": (0.5, 0.5)}, ValueError, "mean must be three finite numbers"),
        ({"mean": "grey"}, TypeError, "mean must be three finite numbers"),
        ({"mean": (0.5, 0.5, 10**400)}, TypeError, "mean must be three finite numbers"),
        ({"std": (1, 1, float("nan"))}, ValueError, "std must be three finite numbers"),
        ({"std": (1, 1, 0)}, ValueError, "std must hold positive numbers"),
    ],
)
def test_senseless_whole_photos_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        WholePhoto(**arguments)
    assert WholePhoto(np.int64(64)).side == 64
    assert WholePhoto([32, np.int32(64)]).side == (32, 64)


@pytest.mark.parametrize("maps", [None, "maps", [np.zeros((2, 2))], {"maps": []}])
def test_what_are_no_maps_is_refused(maps, portrait):
    model = GeoModel(confident(), CELLS)
    for ask in (model.prediction_of, lambda maps: model.layer_votes(portrait, maps)):
        with pytest.raises(TypeError, match=r"LayerMaps are needed, not a .*: use explain\(\)"):
            ask(maps)


@pytest.mark.parametrize("heatmap", [10**400, "hot", None, [[1], [1, 2]], object()])
def test_what_is_no_heatmap_is_refused(heatmap, portrait):
    with pytest.raises((TypeError, ValueError), match="heatmap must"):
        GeoModel(confident(), CELLS).evidence(portrait, heatmap)


# Transforms with a will of their own, threads, interrupts


def test_a_transform_may_fill_the_same_tensor_again(portrait):
    """The test card of `keeps_place` goes through the transform after the photo."""
    buffer = torch.zeros(3, 64, 64)

    def fill(image):
        return buffer.copy_(transforms.functional.to_tensor(image.resize((64, 64))))

    network = confident().eval()
    model = GeoModel(network, CELLS, fill)
    prediction = model.predict(portrait).probabilities
    with torch.no_grad():
        expected = network(fill(portrait.to_pil())[None]).softmax(1)[0]
    np.testing.assert_allclose(prediction, expected, rtol=1e-5)


def test_a_transform_with_parameters_of_its_own_is_detached(portrait):
    shift = nn.Parameter(torch.tensor(0.1))
    model = GeoModel(confident(), CELLS, lambda image: GREY_FREE(image) + shift)
    assert not model.view(portrait).requires_grad
    assert model.evidence(portrait, np.ones((2, 2))).probabilities.sum() == pytest.approx(1)
    assert shift.grad is None


def test_another_transform_is_looked_at_anew(portrait):
    model = GeoModel(confident(), CELLS, GREY_FREE)
    model.predict(portrait)
    model.transform = WholePhoto((32, 32))
    assert model.view(portrait).shape == (1, 3, 32, 32)


@pytest.mark.parametrize("ask", ["predict", "explain"])
def test_out_of_memory_is_not_run_twice(ask, portrait):
    calls = []

    def full(_scores):
        calls.append(1)
        torch.empty(10**14)

    model = GeoModel(Ending(confident(), full), CELLS)
    calls.clear()
    with pytest.raises(RuntimeError, match="allocate memory"):
        getattr(model, ask)(portrait)
    assert calls == [1]


def test_lazy_networks_and_those_that_give_one_number_are_told_of_when_asked(portrait):
    lazy = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(5)
    )
    for network, message in (
        (lazy, "no shape yet"),
        (Ending(confident(), torch.sum), r"shape \(\)"),
    ):
        model = GeoModel(network, CELLS)
        with pytest.raises(ValueError, match=message):
            model.predict(portrait)


class Unseen(GeoModel):
    looked_at_when_made = False


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
@pytest.mark.parametrize(
    ("ask", "where"),
    [
        ("view", "transform"),
        *itertools.product(["predict", "explain", "evidence"], ["transform", "network"]),
    ],
)
def test_whatever_fails_leaves_no_half_state(ask, error, where, portrait):
    """At any call: afterwards the model answers as if nothing had been."""
    arguments = [np.ones((2, 2))] if ask == "evidence" else []
    border = transforms.Compose(
        [transforms.Pad(9), transforms.Resize((64, 64)), transforms.ToTensor()]
    )
    with pytest.warns(UserWarning, match="crop, pad or mirror"):
        expected = GeoModel(confident(), CELLS, border).predict(portrait).probabilities
    for call in range(1, 7):
        calls = []

        def fail(when, calls=calls, call=call):
            if when == where:
                calls.append(1)
                if len(calls) == call:
                    raise error("stopped")

        torch.manual_seed(3)
        network = Ending(confident(), lambda z, fail=fail: fail("network") or z)
        model = Unseen(network, CELLS, lambda x, fail=fail: fail("transform") or border(x))
        with warnings.catch_warnings(record=True) as early:
            warnings.simplefilter("always")
            try:
                getattr(model, ask)(portrait, *arguments)
            except error:
                pass
            else:  # never that many calls, or the engine tried once more (`cam.passes.passed`)
                if len(calls) < call:
                    break
                assert (ask, where, error) == ("explain", "network", RuntimeError)
        with warnings.catch_warnings(record=True) as late:
            warnings.simplefilter("always")
            got = model.predict(portrait).probabilities
        np.testing.assert_array_equal(got, expected)
        assert len([*early, *late]) == 1  # told of the border once: neither lost nor twice
    assert call > 1


def test_a_warning_that_is_an_error_comes_again(portrait):
    model = GeoModel(flat(64), CELLS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(UserWarning, match="squeezed into 64 x 64"):
                model.predict(portrait)
    with pytest.warns(UserWarning, match="squeezed into 64 x 64"):
        model.predict(portrait)


def test_two_threads_find_the_size_and_answer_alike():
    photos = [
        Photo(np.random.default_rng(i).integers(0, 256, (40 + 30 * i, 60, 3), np.uint8))
        for i in range(4)
    ]
    network = flat(64)
    expected = [GeoModel(network, CELLS, WholePhoto((64, 64))).explain(p).fuse() for p in photos]
    model, found = GeoModel(network, CELLS), {}

    def ask(i):
        found[i] = [model.explain(photos[(i + k) % 4]).fuse() for k in range(4)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i in range(4):
        for k in range(4):
            np.testing.assert_array_equal(found[i][k], expected[(i + k) % 4])


def test_a_model_can_be_copied_and_is_freed(portrait):
    import copy
    import pickle
    import weakref

    model = GeoModel(confident(), CELLS)
    expected = model.predict(portrait).probabilities
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(portrait).probabilities, expected)
    model.explain(portrait)
    reference = weakref.ref(model)
    del model, again
    gc.collect()
    assert reference() is None
