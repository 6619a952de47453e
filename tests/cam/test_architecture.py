"""Architecture: what is worth explaining in known networks, and what is told about it."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torchvision
from cam_networks import (
    Mixed,
    RandomNet,
    Snapshot,
    activations_and_gradients,
    obvious_map,
    photo,
)
from torch import nn

from combicam_widgets import cam

FAMILIES = {
    # name: (pixels, layers, kind of all of them or None, first, last, stages)
    "resnet18": (64, 8, "BasicBlock", "layer1.0", "layer4.1", 4),
    "resnet50": (64, 16, "Bottleneck", "layer1.0", "layer4.2", 4),
    "resnext50_32x4d": (64, 16, "Bottleneck", "layer1.0", "layer4.2", 4),
    "vgg11": (64, 5, "Conv2d", "features.0", "features.18", 5),
    "vgg16": (64, 5, "Conv2d", "features.2", "features.28", 5),
    "densenet121": (64, 58, "_DenseLayer", None, None, 4),
    "efficientnet_b0": (64, 16, "MBConv", "features.1.0", "features.7.0", 5),
    "efficientnet_b4": (64, 32, "MBConv", "features.1.0", "features.7.1", 5),
    "efficientnet_v2_s": (64, 38, None, "features.2.0", "features.6.14", 4),
    "mobilenet_v2": (64, 17, "InvertedResidual", "features.1", "features.17", 5),
    "mobilenet_v3_small": (64, 11, "InvertedResidual", "features.1", "features.11", 4),
    "mobilenet_v3_large": (64, 15, "InvertedResidual", "features.1", "features.15", 5),
    "convnext_tiny": (64, 18, "CNBlock", "features.1.0", "features.7.2", 4),
    "regnet_y_400mf": (64, 16, "ResBottleneckBlock", None, None, 4),
    "squeezenet1_1": (64, 8, "Fire", "features.3", "features.12", 3),
    "mnasnet0_5": (64, 16, "_InvertedResidual", "layers.8.0", "layers.13.0", 4),
    "shufflenet_v2_x0_5": (64, 16, "InvertedResidual", "stage2.0", "stage4.3", 3),
    "googlenet": (64, 9, "Inception", "inception3a", "inception5b", 3),
    "inception_v3": (96, 11, None, "Mixed_5b", "Mixed_7c", 3),
}
NO_INIT = {"googlenet": {"aux_logits": False}, "inception_v3": {"aux_logits": False}}


STRIDES = {
    # Where borders are cut off, the ratio of the sizes is another: 224 / 13 is 17.
    "inception_v3": (299, 32),
    "squeezenet1_0": (224, 16),
    "squeezenet1_1": (224, 16),
    "alexnet": (224, 16),
    "googlenet": (224, 32),
    "regnet_x_400mf": (224, 32),
}


@pytest.fixture(scope="session")
def found():
    """Look each torchvision network through once, from random weights."""
    known = {}

    def find(name):
        if name not in known:
            torch.manual_seed(0)
            options = NO_INIT.get(name)
            options = {**options, "init_weights": False} if options else {}
            network = getattr(torchvision.models, name)(weights=None, **options)
            batch = photo(1, 3, FAMILIES[name][0], FAMILIES[name][0] + 32)
            before = [m.training for m in network.modules()]
            seen, handles = [], []
            for inner, module in network.named_modules():
                handles.append(
                    module.register_forward_hook(
                        lambda _m, _i, out, inner=inner: seen.append((inner, out.shape))
                    )
                )
            with torch.no_grad():
                network.eval()(batch)
            for handle in handles:
                handle.remove()
            for module, mode in zip(network.modules(), before, strict=True):
                module.training = mode
            known[name] = network, batch, seen, cam.architecture(network, batch)
        return known[name]

    yield find
    known.clear()


@pytest.mark.parametrize("name", FAMILIES)
def test_torchvision_families(found, name):
    _, count, kind, first, last, stages = FAMILIES[name]
    network, _, seen, plan = found(name)
    if kind:
        assert sum(layer.kind == kind for layer in plan.layers) == count
    if name != "densenet121":  # its transitions count as well
        assert len(plan.layers) == count
    assert first is None or plan.names[0] == first
    assert last is None or plan.names[-1] == last
    assert len(plan.stages) == stages

    # What is told is what an ordinary pass shows: order, shapes, parameters, strides.
    order = [inner for inner, _ in seen]
    assert list(plan.names) == sorted(plan.names, key=order.index)
    assert len(set(plan.names)) == len(plan.names)
    shapes = dict(seen)
    for layer in plan.layers:
        module = network.get_submodule(layer.name)
        assert order.count(layer.name) == 1
        assert layer.shape == tuple(shapes[layer.name][1:])
        assert layer.kind == type(module).__name__
        assert layer.parameters == sum(p.numel() for p in module.parameters())
    for stage in plan.stages:
        assert {layer.shape[1:] for layer in stage.layers} == {stage.resolution}
        assert stage.names == tuple(layer.name for layer in stage.layers)
    for one, next_one in pairwise(plan.stages):
        assert one.resolution != next_one.resolution
    areas = [stage.resolution[0] * stage.resolution[1] for stage in plan.stages]
    assert areas == sorted(areas, reverse=True)
    strides = [layer.stride for layer in plan.layers]
    assert strides == sorted(strides)
    assert tuple(layer for stage in plan.stages for layer in stage.layers) == plan.layers
    assert plan.names == tuple(layer.name for layer in plan.layers)
    # No layer lies inside another.
    for a in plan.names:
        assert not any(b.startswith(f"{a}.") for b in plan.names)
    # The network is as it came: no hook, no mode.
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize("name", STRIDES)
def test_the_stride_is_what_a_larger_photo_shows(name):
    """64 px more give 64 / stride places more, whatever is cut off at the borders."""
    side, last = STRIDES[name]
    options = {"init_weights": False} if name in NO_INIT else {}
    network = getattr(torchvision.models, name)(weights=None, **options)
    plan = cam.architecture(network, photo(1, 3, side, side), "convolution")
    larger = cam.architecture(network, photo(1, 3, side + 64, side + 128), "convolution")
    assert plan.names == larger.names
    assert plan.layers[-1].stride == last
    for one, two in zip(plan.layers, larger.layers, strict=True):
        assert two.shape[1] - one.shape[1] == 64 / one.stride
        assert two.shape[2] - one.shape[2] == 128 / one.stride
        assert two.stride == one.stride


class Cropping(nn.Module):
    """Pools between modules, cuts borders off, and goes up again."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 4, 5, stride=3)
        self.b = nn.Conv2d(4, 4, 5)
        self.wide = nn.Conv2d(4, 4, 3, stride=(1, 2), padding=1)
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.a(x).relu(), 2)
        x = self.wide(self.b(x).relu())
        return self.up(x).mean((2, 3))


def test_the_strides_of_poolings_between_modules_and_of_the_way_up():
    plan = cam.architecture(Cropping(), photo(1, 3, 98, 98), ["a", "b", "wide", "up"])
    assert [layer.shape[1:] for layer in plan.layers] == [(32, 32), (12, 12), (12, 6), (24, 12)]
    assert [layer.stride for layer in plan.layers] == [3, 6, 12, 6]


def test_vgg16_gives_the_convolutions_before_the_poolings(found):
    assert found("vgg16")[3].names == tuple(f"features.{i}" for i in (2, 7, 14, 21, 28))


def test_efficientnet_b4_gives_the_blocks_of_the_published_method(found):
    network, _, _, plan = found("efficientnet_b4")
    blocks = [
        name
        for name, module in network.named_modules()
        if isinstance(module, torchvision.models.efficientnet.MBConv)
    ]
    assert list(plan.names) == blocks
    assert len(blocks) == 32


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "densenet121", "convnext_tiny"])
def test_layers_found_are_explained_as_by_one_pass_each(found, name):
    network, batch, _, plan = found(name)
    maps = cam.explain(network, batch)
    assert maps.names == plan.names
    for layer in (plan.layers[0], plan.layers[-1]):
        a, g = activations_and_gradients(network, batch, layer.name, maps.target, maps.score)
        assert a.shape == layer.shape
        for method in ("gradcam", "hirescam", "layercam"):
            # Before a LayerNorm the terms cancel, so what counts is their size.
            np.testing.assert_allclose(
                maps.with_method(method)[layer.name],
                obvious_map(method, a, g),
                rtol=0,
                atol=1e-4 * np.abs(a * g).sum(0).max(),
            )


def test_the_published_combi_cam_loop_on_efficientnet_b4(found):
    network, batch, _, plan = found("efficientnet_b4")
    total = 0
    for name in plan.names:  # as published: one pass per block, probability, plain sum, min-max
        a, g = activations_and_gradients(network, batch, name, 7, "probability")
        x = torch.from_numpy(obvious_map("gradcam", a, g))[None, None]
        total += nn.functional.interpolate(x, batch.shape[2:], mode="bilinear", align_corners=True)[
            0, 0
        ]
    expected = (total - total.min()) / (total.max() - total.min())
    for score in ("probability", "log_probability"):
        heat = cam.explain(network, batch, target=7, score=score).fuse()
        assert heat.std() > 0.05
        np.testing.assert_allclose(heat, expected, atol=1e-4)


class Plain(nn.Module):
    """Convolutions in one row, written by a user."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv3 = nn.Conv2d(4, 8, 3, padding=1)
        self.conv4 = nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.conv2(self.conv1(x).relu()).relu()
        x = nn.functional.max_pool2d(x, 2)
        x = self.conv4(self.conv3(x).relu()).relu()
        return self.head(x.mean((2, 3)))


def test_a_plain_network_gives_the_last_convolution_of_each_resolution():
    network = Plain()
    before = Snapshot.of(network)
    plan = cam.architecture(network, photo(2, 3, 8, 12))
    before.check(network)
    assert plan.names == ("conv2", "conv4")
    assert [stage.resolution for stage in plan.stages] == [(8, 12), (4, 6)]
    assert [layer.shape for layer in plan.layers] == [(4, 8, 12), (8, 4, 6)]
    assert [layer.stride for layer in plan.layers] == [1, 2]
    assert [layer.parameters for layer in plan.layers] == [4 * 4 * 9 + 4, 8 * 8 * 9 + 8]
    assert cam.architecture(network, photo(3, 8, 12)) == plan


def test_a_users_blocks_are_found_and_the_stem_is_not():
    plan = cam.architecture(RandomNet(3), photo(1, 3, 16, 16))
    assert {layer.kind for layer in plan.layers} == {"RandomBlock"}
    assert all(name.startswith("blocks.") for name in plan.names)


def test_the_order_is_that_of_the_pass_not_of_the_definition():
    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.late = nn.Conv2d(4, 4, 3, padding=1)
            self.early = nn.Conv2d(3, 4, 3, padding=1, stride=2)

        def forward(self, x):
            return nn.functional.avg_pool2d(
                self.late(self.early(x).repeat(1, 1, 2, 2)), 16
            ).flatten(1)

    plan = cam.architecture(Backwards(), photo(1, 3, 16, 16))
    assert plan.names == ("early", "late")
    assert [stage.resolution for stage in plan.stages] == [(8, 8), (16, 16)]


class Inner(nn.Module):
    """Two convolutions: a block, unless a block around it holds no other."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(4, 4, 3, padding=1)
        self.b = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        return x + self.b(self.a(x).relu())


class Outer(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = nn.ModuleList(Inner() for _ in range(inner))
        self.mix = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        for module in self.inner:
            x = module(x)
        return self.mix(x)


class Nested(nn.Module):
    """Blocks within blocks, defined in another order than they run."""

    def __init__(self, inner):
        super().__init__()
        self.second = Outer(inner)
        self.first = Outer(inner)
        self.stem = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return self.second(self.first(self.stem(x))).mean((2, 3))


FAMILIES_BY_HAND = {
    "resnet18": {
        "stage": ["layer1.1", "layer2.1", "layer3.1", "layer4.1"],
        "convolution": [
            "conv1",
            "layer1.0.conv1",
            "layer1.0.conv2",
            "layer1.1.conv1",
            "layer1.1.conv2",
            *(
                f"layer{stage}.{inner}"
                for stage in (2, 3, 4)
                for inner in ("0.conv1", "0.conv2", "0.downsample.0", "1.conv1", "1.conv2")
            ),
        ],
    },
    "efficientnet_b0": {
        "stage": [f"features.{inner}" for inner in ("1.0", "2.1", "3.1", "5.2", "7.0")],
        "convolution": 1 + 2 + 15 * 3 + 1,  # without those of squeeze and excitation: one pixel
    },
    "vgg11": {
        "stage": [f"features.{inner}" for inner in (0, 3, 8, 13, 18)],
        "convolution": [f"features.{inner}" for inner in (0, 3, 6, 8, 11, 13, 16, 18)],
    },
}


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "vgg11", "densenet121"])
def test_stages_and_convolutions_of_torchvision_families(found, name):
    network, batch, seen, blocks = found(name)
    by_hand = FAMILIES_BY_HAND.get(name, {})
    assert cam.architecture(network, batch, granularity="block") == blocks

    stages = cam.architecture(network, batch, granularity="stage")
    last = [
        layer.name
        for layer, after in zip(blocks.layers, [*blocks.layers[1:], None], strict=True)
        if after is None or after.shape[1:] != layer.shape[1:]
    ]
    assert list(stages.names) == last == by_hand.get("stage", last)
    assert [stage.resolution for stage in stages.stages] == [s.resolution for s in blocks.stages]
    assert {len(stage.layers) for stage in stages.stages} == {1}

    convolutions = cam.architecture(network, batch, granularity="convolution")
    every = [
        (inner, tuple(shape[1:]))
        for inner, shape in seen
        if isinstance(network.get_submodule(inner), nn.Conv2d) and max(shape[2:]) > 1
    ]
    assert [(layer.name, layer.shape) for layer in convolutions.layers] == every
    expected = by_hand.get("convolution", len(every))
    assert (len(every) if isinstance(expected, int) else list(convolutions.names)) == expected


@pytest.mark.parametrize("granularity", ["stage", "block", "convolution"])
def test_a_granularity_explains_the_layers_that_it_finds(found, granularity):
    network, batch, _, _ = found("resnet18")
    plan = cam.architecture(network, batch, granularity)
    maps = cam.explain(network, batch, layers=granularity)
    assert maps.names == plan.names
    named = cam.explain(network, batch, layers=list(plan.names))
    for name in maps:
        np.testing.assert_array_equal(maps[name], named[name])


def test_the_granularities_of_a_plain_network():
    network, x = Plain(), photo(1, 3, 8, 12)
    before = Snapshot.of(network)
    assert cam.architecture(network, x, "stage").names == ("conv2", "conv4")
    plan = cam.architecture(network, x, "convolution")
    assert plan.names == ("conv1", "conv2", "conv3", "conv4")
    assert [stage.names for stage in plan.stages] == [("conv1", "conv2"), ("conv3", "conv4")]
    before.check(network)


def test_the_granularities_of_a_users_blocks():
    network, x = Nested(2), photo()
    assert cam.architecture(network, x, "stage").names == ("second.inner.1",)
    inner = [f"inner.{n}.{conv}" for n in (0, 1) for conv in "ab"]
    assert cam.architecture(network, x, "convolution").names == (
        "stem",
        *(f"{outer}.{name}" for outer in ("first", "second") for name in [*inner, "mix"]),
    )


class Hourglass(nn.Module):
    """Down and up again: one resolution comes twice."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.down = nn.Sequential(Inner(), Inner())
        self.middle = nn.Sequential(Inner(), Inner())
        self.up = nn.Sequential(Inner(), Inner())

    def forward(self, x):
        x = self.down(self.stem(x))
        x = self.middle(nn.functional.avg_pool2d(x, 2))
        return self.up(nn.functional.interpolate(x, scale_factor=2)).mean((2, 3))


def test_a_resolution_that_comes_back_is_another_stage():
    plan = cam.architecture(Hourglass(), photo(), "stage")
    assert plan.names == ("down.1", "middle.1", "up.1")
    assert [stage.resolution for stage in plan.stages] == [(8, 8), (4, 4), (8, 8)]


def test_convolutions_that_run_twice_or_leave_one_pixel_are_no_layers():
    assert cam.architecture(Shared(), photo(), "convolution").names == ("stem", "once")
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 5, 8), nn.Flatten())
    assert cam.architecture(network, photo(), "convolution").names == ("0",)


@pytest.mark.parametrize(
    ("granularity", "message"),
    [
        ("layer", r"one of stage, block, convolution, or a list of layer names, not 'layer'"),
        ("", r"one of stage, block, convolution, or a list of layer names, not ''"),
        ("conv1", r"or a list of layer names, not 'conv1'"),
        ([], "at least one layer name"),
        (["conv1", "nope"], "no layer 'nope' with a 4-D output"),
    ],
)
def test_a_bad_granularity_is_refused(granularity, message):
    network = Plain()
    before = Snapshot.of(network)
    with pytest.raises(ValueError, match=message):
        cam.architecture(network, photo(), granularity)
    before.check(network)


class Patches(nn.Module):
    """Cuts a photo into quarters and averages what it says about them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.inner = nn.Conv2d(4, 5, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        h, w = x.shape[2] // 2, x.shape[3] // 2
        x = torch.cat([x[:, :, :h, :w], x[:, :, :h, w:], x[:, :, h:, :w], x[:, :, h:, w:]])
        return self.inner(x).mean((2, 3)).reshape(4, -1, 5).mean(0)


def test_layers_that_see_pieces_of_a_photo_have_no_one_map():
    network = Patches()
    for granularity in ("block", "stage", "convolution"):
        assert cam.architecture(network, photo(), granularity).names == ("stem",)
    assert cam.explain(network, photo())["stem"].any()
    for n in (1, 2):
        with pytest.raises(ValueError, match=f"'inner' gives {4 * n} maps .* for {n} photos"):
            cam.explain(network, photo(n, 3, 8, 8), layers=["stem", "inner"])


def test_blocks_within_blocks():
    x = photo()
    assert cam.architecture(Nested(1), x).names == ("first", "second")
    assert cam.architecture(Nested(2), x).names == (
        "first.inner.0",
        "first.inner.1",
        "second.inner.0",
        "second.inner.1",
    )


class Shared(nn.Module):
    """One convolution runs twice, one block twice, and one module has two names."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.once = nn.Conv2d(4, 4, 3, padding=1)
        self.alias = self.once
        self.act = nn.ReLU()

    def forward(self, x):
        x = self.act(self.again(self.act(self.stem(x))))
        x = self.act(self.once(self.again(x)))
        return x.mean((2, 3))


def test_modules_that_run_more_than_once_are_left_out():
    network = Shared()
    plan = cam.architecture(network, photo())
    assert plan.names == ("once",)
    assert set(cam.explain(network, photo(), layers=["stem", "once"])) == {"stem", "once"}
    for name in ("again", "act"):
        with pytest.raises(ValueError, match=f"'{name}'.* exactly once"):
            cam.architecture(network, photo(), [name])


def test_layers_can_be_chosen_by_name():
    network = Mixed()
    plan = cam.architecture(network, photo(), granularity=["relu2", "conv1", "bn1"])
    assert plan.names == ("conv1", "bn1", "relu2")
    assert [len(stage.layers) for stage in plan.stages] == [2, 1]
    for name in ("nope", "head"):
        with pytest.raises(ValueError, match=f"no layer '{name}' with a 4-D output"):
            cam.architecture(network, photo(), granularity=[name, "conv1"])


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(192, 5)),
        nn.Flatten(),
        nn.Sequential(nn.Flatten(), nn.Unflatten(1, (8, 24)), nn.Conv1d(8, 2, 24), nn.Flatten()),
        nn.Sequential(nn.Conv2d(3, 5, 8), nn.Flatten()),  # 4-D, but of a single pixel
    ],
)
def test_a_network_without_anything_to_map_is_refused(network):
    before = Snapshot.of(network)
    with pytest.raises(ValueError, match=r"no layer with a 4-D output.*convolutional network"):
        cam.architecture(network, photo())
    before.check(network)


class HalfWay(Mixed):
    def forward(self, x):
        self.conv1(x)
        raise ArithmeticError("half-way")


def test_a_failure_leaves_no_trace():
    network = HalfWay()
    before = Snapshot.of(network)
    with pytest.raises(ArithmeticError, match="half-way"):
        cam.architecture(network, photo())
    before.check(network)
    with pytest.raises(TypeError, match="torch tensor"):
        cam.architecture(network, None)
    with pytest.raises(TypeError, match=r"torch\.nn\.Module, not a list of 0"):
        cam.architecture([], photo())
    before.check(network)


def test_layers_that_give_tuples_or_dicts_are_passed_over():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Conv2d(3, 4, 3, padding=1)
            self.b = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x):
            a = self.a(x)
            return a, {"b": self.b(a)}

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

        def forward(self, x):
            return self.pair(x)[1]["b"].mean((2, 3))

    assert cam.architecture(Net(), photo()).names == ("pair.b",)
    with pytest.raises(TypeError, match="'pair' gives a tuple of 2"):
        cam.explain(Net(), photo(), layers=["pair"])


def test_blocks_with_their_channels_last_are_read_as_they_lie():
    torch.manual_seed(0)
    network = torchvision.models.swin_t().eval()
    example = photo(1, 3, 64, 96)
    plan = cam.architecture(network, example)
    assert [layer.shape for layer in plan.layers] == [
        *[(96, 16, 24)] * 2,
        *[(192, 8, 12)] * 2,
        *[(384, 4, 6)] * 6,
        *[(768, 2, 3)] * 2,
    ]
    assert [stage.layers[0].stride for stage in plan.stages] == [4, 8, 16, 32]
    assert cam.architecture(network, example, ["permute"]).layers[0].shape == (768, 2, 3)
    # The last block and the permutation after its norm: one map, but for the norm.
    network.norm = nn.Identity()
    maps = cam.explain(network, example, 3, ["features.7.1", "permute"])
    for method in cam.METHODS:
        block, permuted = maps.with_method(method).maps
        assert block.shape == (2, 3)
        np.testing.assert_allclose(block, permuted, rtol=1e-5, atol=1e-9)
    assert maps["permute"].any()


def test_channels_that_go_last_within_a_block_are_no_reason_to_refuse_it():
    """Here even the sizes do not tell the axes apart: 96 channels of 96 x 96 places."""
    network = torchvision.models.convnext_tiny().eval()
    plan = cam.architecture(network, photo(1, 3, 384, 384))
    assert plan.layers[0].shape == (96, 96, 96)
    assert len(plan.layers) == 18
