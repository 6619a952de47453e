"""GeoModel, its transform and the registry, with networks small enough to compute by hand."""

from collections import OrderedDict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel, WholePhoto, registry

CELLS = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90])
RED, GREEN, BLUE, DARK = range(4)


def tensor(image):
    """Pixels in [0, 1], at the photo's own size."""
    return torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1) / 255


class Colours(nn.Sequential):
    """Scores of red, green, blue and dark: gains times the mean of each channel.

    `first` and `second` are 1 x 1 convolutions that pass the channels on, so that every map and
    every probability has a closed form.
    """

    GAINS = ((8.0, 0.0, 0.0), (0.0, 8.0, 0.0), (0.0, 0.0, 8.0), (0.0, 0.0, 0.0))

    def __init__(self, classes=4):
        first, second = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)
        head = nn.Linear(3, classes, bias=False)
        with torch.no_grad():
            first.weight.copy_(torch.eye(3)[..., None, None])
            second.weight.copy_(2 * torch.eye(3)[..., None, None])
            head.weight.zero_()
            head.weight[: len(self.GAINS)] = torch.tensor(self.GAINS)[:classes] / 2
        super().__init__(
            OrderedDict(
                first=first,
                shrink=nn.AvgPool2d(2),
                second=second,
                drop=nn.Dropout(0.5),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                head=head,
            )
        )


class Altered(nn.Module):
    """Colours, with its scores passed through a function."""

    def __init__(self, change):
        super().__init__()
        self.colours = Colours()
        self.change = change

    def forward(self, x):
        return self.change(self.colours(x))


def fail(_scores):
    raise ZeroDivisionError("half-way")


def photo_of(*colours, height=12, width=16):
    """Vertical stripes of equal width."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for part, colour in zip(np.array_split(np.arange(width), len(colours)), colours, strict=True):
        pixels[:, part] = colour
    return Photo(pixels)


@pytest.fixture
def model():
    return GeoModel(Colours(), CELLS, tensor, name="colours")


@pytest.fixture
def stripes():
    """Left half red, right half dim blue."""
    return photo_of((255, 0, 0), (0, 0, 204))


def state(network):
    return (
        {key: value.clone() for key, value in network.state_dict().items()},
        [p.requires_grad for p in network.parameters()],
        [p.grad for p in network.parameters()],
        [module.training for module in network.modules()],
        [
            len(hooks)
            for module in network.modules()
            for hooks in (
                module._forward_hooks,
                module._forward_pre_hooks,
                module._backward_hooks,
                module._backward_pre_hooks,
            )
        ],
    )


def assert_same_state(now, before):
    assert now[0].keys() == before[0].keys()
    assert all(torch.equal(now[0][key], before[0][key]) for key in before[0])
    assert now[1:] == before[1:]


def test_predict_is_the_softmax_of_the_scores(model):
    prediction = model.predict(photo_of((51, 102, 255)))
    scores = 8 * np.array([0.2, 0.4, 1, 0])
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(prediction.probabilities, expected, rtol=1e-5)
    assert prediction.best.index == BLUE
    assert prediction.cells is CELLS


def test_layers_are_found_or_chosen(model):
    assert model.layers == ("first", "second")
    chosen = GeoModel(Colours(), CELLS, tensor, layers=["second"])
    assert chosen.layers == ("second",)
    assert repr(model) == "GeoModel(colours: 2 layers, 4 cells)"
    assert model.seen(photo_of((1, 2, 3))) == ""


def test_explain_gives_the_maps_of_the_closed_form(model, stripes):
    maps = model.explain(stripes, target=RED, score="logit")
    assert maps.names == ("first", "second")
    # d score / d A is 8 / (h w) for the red channel of the first layer, half of it after doubling.
    red = stripes.pixels[..., 0] / 255
    np.testing.assert_allclose(maps["first"], 8 / red.size * red, atol=1e-6)
    coarse = red[::2, ::2]
    np.testing.assert_allclose(maps["second"], 4 / coarse.size * 2 * coarse, atol=1e-6)
    assert maps.target == RED
    heatmap = maps.fuse({"first": 1})
    np.testing.assert_allclose(heatmap, red, atol=1e-6)


def test_explain_is_cam_explain_of_the_transformed_photo(model, stripes):
    ours = model.explain(stripes, BLUE, "layercam", "probability")
    plain = cam.explain(
        Colours(), tensor(stripes.to_pil())[None], BLUE, None, "layercam", "probability"
    )
    for name in plain.names:
        np.testing.assert_array_equal(ours[name], plain[name])
    assert (ours.method, ours.score) == ("layercam", "probability")


def test_the_most_probable_cell_is_explained_unless_told(model, stripes):
    maps = model.explain(stripes)
    best = model.predict(stripes).best
    assert maps.target == best.index == RED
    assert maps.probability == pytest.approx(best.probability, rel=1e-6)
    assert maps.score == "log_probability"
    assert model.explain(stripes, BLUE).target == BLUE


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (240, 9)])
def test_heatmaps_have_the_size_of_the_photo(size):
    model = GeoModel(Colours(), CELLS, WholePhoto(64))
    photo = photo_of((255, 0, 0), height=size[0], width=size[1])
    assert model.explain(photo).fuse().shape == size


def test_all_of_the_photo_as_evidence_is_the_prediction(model, stripes):
    full = model.predict(stripes).probabilities
    hot = np.ones((stripes.height, stripes.width), np.float32)
    for keep in (1.0, None):
        given_all = model.evidence(stripes, hot, keep=keep).probabilities
        np.testing.assert_allclose(given_all, full, rtol=1e-5)


def test_no_evidence_leaves_the_blurred_photo(model, stripes):
    blurred = cam.blur(tensor(stripes.to_pil())[None])
    expected = Colours().eval()(blurred).softmax(1)[0].detach()
    cold = np.zeros((stripes.height, stripes.width), np.float32)
    for keep in (0.3, 1.0, None):
        nothing = model.evidence(stripes, cold, keep=keep).probabilities
        np.testing.assert_allclose(nothing, expected, rtol=1e-5)


def test_evidence_is_what_the_heatmap_highlights():
    """A network that looks at the brightest pixels only, so that blurring takes colours away."""

    class Sharp(nn.Module):
        def __init__(self):
            super().__init__()
            self.colours = Colours()

        def forward(self, x):
            peaks = (x - x.mean((2, 3), keepdim=True)).abs().amax((2, 3), keepdim=True)
            return self.colours(peaks.expand_as(x)) * 4

    pixels = np.full((60, 60, 3), 100, np.uint8)
    pixels[20:30, 10:20] = (255, 100, 100)
    pixels[20:30, 40:50] = (100, 100, 240)
    photo, model = Photo(pixels), GeoModel(Sharp(), CELLS, tensor, layers=["colours.first"])
    heat = np.zeros((60, 60), np.float32)
    heat[15:35, 35:55] = 1
    assert model.predict(photo).best.index == RED
    assert model.evidence(photo, heat, keep=0.2).best.index == BLUE
    assert model.evidence(photo, np.fliplr(heat), keep=0.2).best.index == RED


def test_each_layer_has_one_vote_its_own_evidence(model, stripes):
    maps = model.explain(stripes)
    votes = model.layer_votes(stripes, maps, keep=0.4)
    assert len(votes) == 2
    for name, vote in zip(maps.names, votes, strict=True):
        alone = model.evidence(stripes, maps.fuse({name: 1}), keep=0.4)
        np.testing.assert_array_equal(vote.probabilities, alone.probabilities)


def test_a_layer_without_evidence_votes_for_the_blurred_photo(model):
    photo = photo_of((255, 0, 0))
    maps = model.explain(photo, target=DARK, score="logit")
    assert maps.silent == maps.names
    cold = model.evidence(photo, np.zeros((photo.height, photo.width)))
    for vote in model.layer_votes(photo, maps):
        np.testing.assert_array_equal(vote.probabilities, cold.probabilities)


def test_photos_do_not_get_mixed_up(model):
    red, blue = photo_of((255, 0, 0)), photo_of((0, 0, 255))
    for photo, cell in [(red, RED), (blue, BLUE), (red, RED), (red, RED), (blue, BLUE)]:
        assert model.predict(photo).best.index == cell
        assert model.explain(photo).target == cell


def test_a_photo_is_transformed_once(stripes):
    calls = []
    model = GeoModel(Colours(), CELLS, lambda image: calls.append(1) or tensor(image))
    assert model.layers
    calls.clear()
    maps = model.explain(stripes)
    model.predict(stripes)
    model.layer_votes(stripes, maps)
    model.evidence(stripes, maps.fuse())
    assert calls == [1]


def test_the_network_is_left_as_it_was(stripes):
    network = Colours().train()
    network.first.eval()
    network.second.weight.requires_grad_(False)
    before = state(network)
    model = GeoModel(network, CELLS, tensor)
    assert model.network is network
    maps = model.explain(stripes)
    model.predict(stripes)
    model.layer_votes(stripes, maps)
    model.evidence(stripes, maps.fuse())
    assert_same_state(state(network), before)


def test_dropout_is_off_even_in_training_mode(stripes):
    model = GeoModel(Colours().train(), CELLS, tensor)
    first = model.predict(stripes).probabilities
    for _ in range(3):
        np.testing.assert_array_equal(model.predict(stripes).probabilities, first)


BAD_NETWORKS = {
    "raises": (fail, ZeroDivisionError, "half-way"),
    "tuple": (lambda scores: (scores, scores), TypeError, "tuple"),
    "nan": (lambda scores: scores * float("nan"), ValueError, "NaN"),
    "three dimensions": (lambda scores: scores[..., None], ValueError, "shape"),
    "one class": (lambda scores: scores[:, :1], ValueError, "at least 2 classes"),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD_NETWORKS.values(), ids=BAD_NETWORKS)
@pytest.mark.parametrize("ask", ["predict", "explain", "evidence"])
def test_bad_networks_are_named_and_left_as_they_were(ask, change, error, message, stripes):
    network = Altered(change).train()
    before = state(network)
    model = GeoModel(network, CELLS, tensor)
    heatmap = np.ones((stripes.height, stripes.width))
    arguments = [stripes, heatmap] if ask == "evidence" else [stripes]
    with pytest.raises(error, match=message):
        getattr(model, ask)(*arguments)
    assert_same_state(state(network), before)


@pytest.mark.parametrize("classes", [3, 7])
def test_classes_and_cells_must_be_as_many(classes, stripes):
    model = GeoModel(Colours(classes), CELLS, tensor)
    maps = cam.explain(Colours(classes), tensor(stripes.to_pil())[None])
    for ask in (
        lambda: model.predict(stripes),
        lambda: model.evidence(stripes, maps.fuse()),
        lambda: model.layer_votes(stripes, maps),
    ):
        with pytest.raises(ValueError, match=f"has {classes} classes, but the grid has 4 cells"):
            ask()


def test_a_network_without_maps_is_refused(stripes):
    flat = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
    flat(torch.zeros(1, 3, 12, 16))
    model = GeoModel(flat, CELLS, lambda _image: torch.zeros(3, 12, 16))
    assert model.predict(stripes).probabilities.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="no layer with a 4-D output"):
        model.explain(stripes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": Colours}, "network must be a torch.nn.Module, not type"),
        ({"network": tensor}, "network must be a torch.nn.Module, not function"),
        ({"cells": 4}, "cells must be a CellGrid, not int"),
        ({"transform": 224}, "transform must be callable"),
    ],
)
def test_wrong_arguments_of_the_constructor(arguments, message):
    with pytest.raises(TypeError, match=message):
        GeoModel(**{"network": Colours(), "cells": CELLS, **arguments})


@pytest.mark.parametrize("target", [4, -1, 1000])
def test_targets_are_cells(target, model, stripes):
    with pytest.raises(IndexError, match=f"no cell {target}; this grid has cells 0 to 3"):
        model.explain(stripes, target)


@pytest.mark.parametrize("target", [1.0, "1", True])
def test_targets_are_whole_numbers(target, model, stripes):
    with pytest.raises(TypeError, match="whole number"):
        model.explain(stripes, target)


def test_unknown_methods_scores_and_layers(model, stripes):
    with pytest.raises(ValueError, match="Unknown CAM method 'x'"):
        model.explain(stripes, method="x")
    with pytest.raises(ValueError, match="'x'"):
        model.explain(stripes, score="x")
    with pytest.raises(ValueError, match="no layer 'third'"):
        GeoModel(Colours(), CELLS, tensor, layers=["third"]).explain(stripes)


@pytest.mark.parametrize("what", ["koala", None, np.zeros((4, 4, 3), np.uint8)])
def test_only_photos_are_photos(what, model):
    for ask in (model.predict, model.explain):
        with pytest.raises(TypeError, match=r"use load_image\(\) or sample\(\)"):
            ask(what)


@pytest.mark.parametrize(
    ("heatmap", "keep", "message"),
    [
        (np.ones(5), 0.3, "shape"),
        (np.full((2, 2), np.nan), 0.3, "finite"),
        (np.full((2, 2), 2.0), 0.3, r"\[0, 1\]"),
        (np.full((2, 2), -0.1), None, r"\[0, 1\]"),
        (np.ones((2, 2)), 0, "keep"),
        (np.ones((2, 2)), 1.1, "keep"),
        (np.ones((2, 2)), float("nan"), "keep"),
    ],
)
def test_senseless_evidence_is_refused(heatmap, keep, message, model, stripes):
    with pytest.raises(ValueError, match=message):
        model.evidence(stripes, heatmap, keep)


@pytest.mark.parametrize(
    ("transform", "given"),
    [
        (lambda image: tensor(image)[0], r"\(12, 16\)"),
        (lambda image: tensor(image)[None], r"\(1, 3, 12, 16\)"),
        (lambda image: tensor(image)[:2], r"\(2, 12, 16\)"),
        (np.asarray, "ndarray"),
        (lambda _image: None, "NoneType"),
    ],
)
def test_the_transform_must_give_a_photo(transform, given, stripes):
    model = GeoModel(Colours(), CELLS, transform)
    with pytest.raises(TypeError, match=rf"tensor \(3, h, w\), not {given}"):
        model.predict(stripes)


def test_a_transform_to_bytes_is_refused(stripes):
    model = GeoModel(Colours(), CELLS, lambda image: (tensor(image) * 255).to(torch.uint8))
    with pytest.raises(TypeError, match="floating"):
        model.predict(stripes)


def test_whole_photo_is_the_default(model):
    assert isinstance(GeoModel(Colours(), CELLS).transform, WholePhoto)
    assert model.transform is tensor


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((224, 224), (224, 224)),
        ((640, 640), (224, 224)),
        ((640, 480), (256, 192)),
        ((480, 640), (192, 256)),
        ((640, 360), (288, 160)),
        ((1, 1), (224, 224)),
        ((4000, 1000), (448, 128)),
        # Too long for 32 px: squeezed, so that memory stays what it is.
        ((100_000, 3), (1568, 32)),
        ((2, 60_000), (32, 1568)),
    ],
)
def test_whole_photo_by_hand(size, expected):
    width, height = expected
    assert WholePhoto(224)(Image.new("RGB", size)).shape == (3, height, width)


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 2000),
    aspect=st.floats(1 / 40, 40),
    side=st.sampled_from([64, 224, 300]),
)
def test_whole_photo_keeps_size_and_proportions(width, aspect, side):
    height = max(1, round(width / aspect))
    view = WholePhoto(side)(Image.new("RGB", (width, height)))
    sides = np.array(view.shape[1:])
    assert (sides % 32 == 0).all()
    assert (sides > 0).all()
    # Each side is within half a step of what it should be, or is the shortest or longest there is.
    scale = side / np.sqrt(width * height)
    wanted = np.array([height, width]) * scale
    longest = round((side / 32) ** 2) * 32
    assert (np.abs(sides - np.clip(wanted, 32, longest)) <= 16 + 1e-6).all()
    assert sides.prod() <= 1.6 * side**2


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
@settings(deadline=None, max_examples=20)
def test_whole_photo_normalises_each_channel(colour):
    image = Image.new("RGB", (50, 40), colour)
    means, deviations = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    view = WholePhoto(64, means, deviations)(image)
    for channel in range(3):
        expected = (colour[channel] / 255 - means[channel]) / deviations[channel]
        np.testing.assert_allclose(view[channel], expected, atol=1e-5)
    imagenet = WholePhoto(64)(image)[:, 0, 0]
    plain = np.array(colour) / 255
    np.testing.assert_allclose(
        imagenet, (plain - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], atol=1e-5
    )
    assert imagenet.dtype == torch.float32


def test_whole_photo_crops_nothing():
    """A mark in each corner is still there."""
    pixels = np.zeros((90, 200, 3), np.uint8)
    pixels[:30, :30] = pixels[-30:, -30:] = (255, 0, 0)
    red = WholePhoto(128, (0, 0, 0), (1, 1, 1))(Image.fromarray(pixels))[0]
    assert red[0, 0] > 0.9
    assert red[-1, -1] > 0.9
    assert red[0, -1] < 0.1
    assert float(red.mean()) == pytest.approx(2 * 900 / 18000, abs=0.01)
    halves = cam.upsample(red.numpy(), (90, 200)) > 0.5
    np.testing.assert_array_equal(halves[:25, :25], True)


def test_the_registry_lists_what_it_loads(naturalist):
    models = ccw.list_models()
    assert list(models) == list(registry._MODELS)
    assert "naturalist" in models
    assert all(line and "\n" not in line for line in models.values())
    assert naturalist.name == "naturalist"
    assert naturalist.description == models["naturalist"]


def test_models_are_loaded_once(naturalist):
    assert ccw.load_model("naturalist") is naturalist


@pytest.mark.parametrize("name", ["Naturalist", "", "resnet50"])
def test_unknown_models_are_refused_with_the_known_ones(name):
    with pytest.raises(ValueError, match=f"Unknown model {name!r}; the models are naturalist"):
        ccw.load_model(name)


def test_a_list_of_models_belongs_to_whoever_asked():
    ccw.list_models().clear()
    assert "naturalist" in ccw.list_models()
