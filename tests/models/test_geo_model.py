"""GeoModel, with networks small enough to compute by hand."""

import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel, WholePhoto
from combicam_widgets.models.outputs import AsLogits

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


def test_a_batch_of_views_gives_the_probabilities_of_each(model):
    red, blue = photo_of((255, 0, 0)), photo_of((0, 0, 102))
    views = torch.cat([model.view(red), model.view(blue), 0 * model.view(blue)])
    torch.testing.assert_close(views[:1], tensor(red.to_pil())[None])
    scores = 8 * np.array([[1, 0, 0, 0], [0, 0, 0.4, 0], [0, 0, 0, 0]])
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    got = model.probabilities(views)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    np.testing.assert_array_equal(
        model.predict(red).probabilities, model.probabilities(views[0])[0]
    )


def test_a_view_is_the_callers_own(model, stripes):
    before = model.predict(stripes).probabilities
    model.view(stripes).zero_()
    np.testing.assert_array_equal(model.predict(stripes).probabilities, before)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        (np.zeros((1, 3, 8, 8), np.float32), TypeError, "must be a torch tensor"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, "floating type, not torch.uint8"),
        (torch.zeros(8, 8), ValueError, r"not \(8, 8\)"),
        (torch.full((1, 3, 8, 8), torch.nan), ValueError, "NaN or infinite"),
    ],
)
def test_only_batches_of_views_have_probabilities(batch, error, message, model):
    with pytest.raises(error, match=message):
        model.probabilities(batch)


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

    def note(image):
        if image == stripes.to_pil():  # not the example, not the test card
            calls.append(1)
        return tensor(image)

    model = GeoModel(Colours(), CELLS, note)
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
    network = Altered(lambda scores: scores).train()
    before = state(network)
    model = GeoModel(network, CELLS, tensor)
    network.change = change
    heatmap = np.ones((stripes.height, stripes.width))
    arguments = [stripes, heatmap] if ask == "evidence" else [stripes]
    with pytest.raises(error, match=message):
        getattr(model, ask)(*arguments)
    assert_same_state(state(network), before)


@pytest.mark.parametrize("name", ["tuple", "three dimensions", "one class"])
def test_networks_without_class_scores_are_refused_when_the_model_is_made(name):
    change, error, message = BAD_NETWORKS[name]
    network = Altered(change).train()
    before = state(network)
    with pytest.raises(error, match=message):
        GeoModel(network, CELLS, tensor)
    assert_same_state(state(network), before)


@pytest.mark.parametrize("name", ["raises", "nan"])
def test_what_else_is_wrong_is_said_of_the_first_photo(name, stripes):
    change, error, message = BAD_NETWORKS[name]
    model = GeoModel(Altered(change), CELLS, tensor)
    with pytest.raises(error, match=message):
        model.predict(stripes)


@pytest.mark.parametrize("classes", [3, 7])
@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_another_number_of_cells_is_refused_when_the_model_is_made(classes, outputs):
    network = Colours(classes)
    if outputs == "probabilities":
        network.append(nn.Softmax(1))
    with pytest.raises(ValueError, match=f"has {classes} classes, but the grid has 4 cells"):
        GeoModel(network, CELLS, tensor, outputs=outputs)


def test_large_networks_and_those_that_are_known_are_not_run_when_the_model_is_made(
    stripes, monkeypatch
):
    class Known(GeoModel):
        looked_at_when_made = False

    passes = []
    network = Altered(lambda z: passes.append(1) or z)
    Known(network, CELLS, tensor)
    assert passes == []
    GeoModel(network, CELLS, tensor)
    assert passes == [1]
    monkeypatch.setattr("combicam_widgets.models.geo_model._LARGE", 10)
    model = GeoModel(Altered(lambda z: passes.append(1) or z[:, :3]), CELLS, tensor)
    assert passes == [1]
    with pytest.raises(ValueError, match="has 3 classes, but the grid has 4 cells"):
        model.predict(stripes)


@pytest.mark.parametrize("classes", [3, 7])
def test_classes_and_cells_must_be_as_many(classes, stripes):
    model = GeoModel(Colours(), CELLS, tensor)
    model.network = Colours(classes)
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


def test_whole_photo_is_the_default(model):
    assert isinstance(GeoModel(Colours(), CELLS).transform, WholePhoto)
    assert model.transform is tensor


PROBABILITIES = lambda scores: scores.softmax(1)  # noqa: E731
LOG_PROBABILITIES = lambda scores: scores.log_softmax(1)  # noqa: E731


@pytest.mark.parametrize(
    ("outputs", "change"),
    [("probabilities", PROBABILITIES), ("log_probabilities", LOG_PROBABILITIES)],
)
def test_probabilities_are_explained_like_the_logits_they_come_from(outputs, change, model):
    """log softmax(z) and z have the same softmax, hence the same gradients of log p and p."""
    photo = photo_of((20, 255, 60), (200, 30, 90))
    other = GeoModel(Altered(change), CELLS, tensor, outputs=outputs)
    np.testing.assert_allclose(
        other.predict(photo).probabilities, model.predict(photo).probabilities, rtol=1e-5
    )
    for score in ("log_probability", "probability"):
        ours, theirs = (m.explain(photo, GREEN, score=score) for m in (other, model))
        assert ours.names == tuple(f"colours.{name}" for name in theirs.names)
        for a, b in zip(ours.maps, theirs.maps, strict=True):
            assert b.any()
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-8)
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, rtol=1e-5)
    hot = np.ones((photo.height, photo.width))
    np.testing.assert_allclose(
        other.evidence(photo, hot).probabilities, model.evidence(photo, hot).probabilities, 1e-5
    )
    for a, b in zip(other.layer_votes(photo, ours), model.layer_votes(photo, theirs), strict=True):
        np.testing.assert_allclose(a.probabilities, b.probabilities, rtol=1e-4)


def test_score_cam_of_probabilities_masks_for_their_logarithm(stripes):
    ours = GeoModel(Altered(PROBABILITIES), CELLS, tensor, outputs="probabilities")
    plain = Altered(LOG_PROBABILITIES)
    batch, layers = tensor(stripes.to_pil())[None], ["colours.first", "colours.second"]
    expected = cam.score_cam(plain, batch, BLUE, layers)
    for a, b in zip(ours.explain(stripes, BLUE, "scorecam").maps, expected.maps, strict=True):
        assert b.any()
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_network_of_probabilities_is_left_as_it_was(stripes):
    network = Altered(PROBABILITIES).train()
    network.colours.first.eval()
    network.colours.second.weight.requires_grad_(False)
    before = state(network)
    names = [name for name, _ in network.named_modules()]
    model = GeoModel(network, CELLS, tensor, outputs="probabilities")
    assert model.network.network is network
    maps = model.explain(stripes)
    model.layer_votes(stripes, maps)
    model.explain(stripes, method="scorecam")
    assert_same_state(state(network), before)
    assert [name for name, _ in network.named_modules()] == names
    assert [name for name, _ in model.network.named_modules()] == names


def test_evaluation_mode_reaches_a_network_of_probabilities_itself(stripes):
    class Dropping(Altered):
        def forward(self, x):
            return F.dropout(super().forward(x), 0.5, self.training)

    model = GeoModel(Dropping(PROBABILITIES).train(), CELLS, tensor, outputs="probabilities")
    expected = GeoModel(Colours(), CELLS, tensor).predict(stripes).probabilities
    for _ in range(3):
        np.testing.assert_allclose(model.predict(stripes).probabilities, expected, rtol=1e-5)


@pytest.mark.parametrize("granularity", ["stage", "block", "convolution", ["blocks.1", "stem"]])
def test_layers_of_a_network_of_probabilities_keep_their_names(granularity, naturalist):
    children = OrderedDict(naturalist.classifier.named_children(), softmax=nn.Softmax(1))
    network, example = nn.Sequential(children), torch.zeros(1, 3, 64, 64)
    expected = cam.architecture(network, example, granularity)
    assert len(expected.names) > 1
    assert cam.architecture(AsLogits(network), example, granularity) == expected


def test_moving_and_training_reach_the_network_within():
    network = Altered(PROBABILITIES)
    network.register_parameter("own", nn.Parameter(torch.zeros(2)))
    around = AsLogits(network).double().eval()
    assert {p.dtype for p in network.parameters()} == {torch.float64}
    assert not any(module.training for module in network.modules())
    around.train()
    assert all(module.training for module in network.modules())


def test_probabilities_that_round_to_zero_stay_finite(stripes):
    hard = Altered(lambda scores: (100 * scores).softmax(1))
    model = GeoModel(hard, CELLS, tensor, outputs="probabilities")
    with torch.no_grad():
        assert hard.eval()(tensor(stripes.to_pil())[None]).min() == 0
    np.testing.assert_allclose(model.predict(stripes).probabilities, [1, 0, 0, 0], atol=1e-30)
    for target in range(4):
        assert np.isfinite(model.explain(stripes, target).fuse()).all()


def test_probabilities_of_half_precision_may_round(stripes):
    network = Altered(lambda scores: scores.softmax(1).bfloat16())
    model = GeoModel(network, CELLS, tensor, outputs="probabilities")
    plain = GeoModel(Colours(), CELLS, tensor)
    a, b = (m.predict(stripes).probabilities for m in (model, plain))
    np.testing.assert_allclose(a, b, rtol=0.02)


CONTRADICTIONS = {
    "softmax for logits": (
        ("logits", PROBABILITIES),
        r'go from 0\.\d+ to 0\.\d+ and add up to 1; these are probabilities: give outputs="prob',
    ),
    "softmax for logarithms": (
        ("log_probabilities", PROBABILITIES),
        'give outputs="probabilities"',
    ),
    "logits for logarithms": (("log_probabilities", lambda z: z), 'give outputs="logits"'),
    "negative logits for logarithms": (
        ("log_probabilities", lambda z: -1 - z),
        'give outputs="logits"',
    ),
    "logits for softmax": (
        ("probabilities", lambda z: z - 1),
        'do not fit outputs="probabilities": they go from -1 .* give outputs="logits"',
    ),
    "logarithms for softmax": (
        ("probabilities", LOG_PROBABILITIES),
        'these are log-probabilities: give outputs="log_probabilities"',
    ),
    "sigmoid for softmax": (
        ("probabilities", lambda z: z.sigmoid()),
        'add up to .*sigmoid\\? Take that off and give outputs="logits"',
    ),
    "a little too much": (("probabilities", lambda z: z.softmax(1) * 1.002), "add up to 1.002"),
    "NaN for softmax": (("probabilities", lambda z: z.softmax(1) * np.nan), "NaN or infinite"),
}


@pytest.mark.parametrize(("given", "message"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
@pytest.mark.parametrize("ask", ["predict", "explain", "evidence"])
def test_outputs_that_contradict_what_was_said_are_refused(ask, given, message, stripes):
    said, change = given
    network = Altered(change).train()
    before = state(network)
    model = GeoModel(network, CELLS, tensor, outputs=said)
    arguments = [stripes, np.ones((2, 2))] if ask == "evidence" else [stripes]
    for _ in range(2):  # asking again makes it no better
        with pytest.raises(ValueError, match=message):
            getattr(model, ask)(*arguments)
    assert_same_state(state(network), before)


@pytest.mark.filterwarnings("ignore:The network's outputs all lie between 0 and 1")
@pytest.mark.parametrize(
    "change", [lambda z: z, lambda z: z / 8, LOG_PROBABILITIES, lambda z: z.sigmoid()]
)
def test_other_outputs_may_be_logits(change, stripes):
    with torch.no_grad():
        scores = change(Colours().eval()(tensor(stripes.to_pil())[None]))
    prediction = GeoModel(Altered(change), CELLS, tensor).predict(stripes)
    np.testing.assert_allclose(prediction.probabilities, scores.softmax(1)[0], rtol=1e-5)


@pytest.mark.parametrize("outputs", ["softmax", "", None, ["logits"]])
def test_unknown_outputs_are_refused(outputs):
    with pytest.raises(
        ValueError, match="logits, log_probabilities, probabilities, sigmoid, similarities, not"
    ):
        GeoModel(Colours(), CELLS, outputs=outputs)


@pytest.mark.parametrize("outputs", ["logits", "probabilities"])
def test_the_check_costs_one_pass_once(outputs, stripes):
    passes = []
    change = PROBABILITIES if outputs == "probabilities" else lambda z: z
    network = Altered(lambda z: passes.append(1) or change(z))
    model = GeoModel(network, CELLS, tensor, outputs=outputs)
    assert model.layers
    passes.clear()
    model.explain(stripes)
    assert len(passes) == 2
    model.explain(stripes, BLUE)
    model.explain(photo_of((1, 2, 3)))
    assert len(passes) == 4


def test_a_model_that_was_asked_is_not_checked_again(stripes):
    passes = []
    model = GeoModel(Altered(lambda z: passes.append(1) or z), CELLS, tensor)
    model.predict(stripes)
    assert model.layers
    passes.clear()
    model.explain(stripes)
    assert len(passes) == 1


def test_a_crop_is_warned_about_once(stripes):
    model = GeoModel(Colours(), CELLS, lambda image: tensor(image)[:, 3:-3, 4:-4])
    with pytest.warns(UserWarning, match=r"crop, pad or mirror.*WholePhoto\(side\)") as warned:
        model.predict(stripes)
    assert [w.filename for w in warned] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.explain(stripes)
        model.predict(photo_of((1, 2, 3), height=40, width=30))


@pytest.mark.parametrize("size", [(12, 16), (16, 16), (40, 10)])
def test_a_squeeze_is_right_and_the_heatmap_stays_in_place(size):
    """The right half of the photo lights up, whatever the proportions of what the network sees."""
    photo = photo_of((0, 0, 0), (255, 0, 0), height=size[0], width=size[1])
    model = GeoModel(Colours(), CELLS, lambda image: tensor(image.resize((48, 48))))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        heatmap = model.explain(photo, RED).fuse({"first": 1})
    half = size[1] // 2
    assert heatmap[:, half + 2 :].min() > 0.9
    assert heatmap[:, : half - 2].max() < 0.1


def test_each_size_of_photo_is_tried_once():
    sizes = []
    model = GeoModel(Colours(), CELLS, lambda image: sizes.append(image.size) or tensor(image))
    sizes.clear()
    for height, width in [(12, 16), (12, 16), (20, 16)]:
        model.predict(photo_of((255, 2, 3), height=height, width=width))
    assert sorted(sizes) == [(16, 12)] * 3 + [(16, 20)] * 2
