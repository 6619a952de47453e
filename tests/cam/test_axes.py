"""Axes: no map is read along axes that are not the photo's, and what was tested is remembered."""

import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
from cam_networks import (
    Mixed,
    RandomNet,
    Snapshot,
    activations_and_gradients,
    assert_close,
    obvious_map,
    photo,
)
from torch import nn

from combicam_widgets import cam

K, SIDE = 6, 64


class Last(nn.Module):
    """A block that works with channels last."""

    def __init__(self, width=K, ratio=2):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, ratio * width)
        self.down = nn.Linear(ratio * width, width)

    def forward(self, x):
        return x + self.down(self.up(self.norm(x)).relu())


class Turned(nn.Module):
    """Gives what a block gives for maps whose axes are in another order."""

    def __init__(self, order, block=None):
        super().__init__()
        self.order, self.block = order, block or Last()

    def forward(self, x):
        return self.block(x.permute(0, *self.order))


class Around(nn.Module):
    """A patch embedding, something in the middle, and a head that takes photos of any size."""

    def __init__(self, middle, width=K):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.middle = middle
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        x = self.middle(self.patches(x))
        return self.head(x.sum([n for n in range(1, x.ndim) if x.shape[n] != K]))


ORDERS = {"first": (1, 2, 3), "last": (2, 3, 1), "between": (2, 1, 3)}


class Back(nn.Module):
    """Turns axes back: (N, K, h, w)."""

    def __init__(self, order):
        super().__init__()
        self.order = [0, *(1 + order.index(n) for n in (1, 2, 3))]

    def forward(self, x):
        return x.permute(*self.order)


@pytest.mark.parametrize("side", [SIDE, 4 * K])  # with 24 px there are as many rows as channels
@pytest.mark.parametrize("order", ORDERS)
def test_a_map_is_the_same_in_whatever_order_its_axes_lie(order, side):
    torch.manual_seed(0)
    block = Last() if order == "last" else nn.Sequential(nn.Softmax(1), nn.Softmax(2))
    network = nn.Sequential(
        nn.Conv2d(3, K, 4, 4),
        Turned(ORDERS[order], block),
        Back(ORDERS[order]),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
    )
    x = photo(1, 3, side, side)
    maps = cam.explain(network, x, 1, ["1", "2"], score="logit")
    scored = cam.score_cam(network, x, 1, ["1", "2"])
    assert maps["1"].shape == (side // 4, side // 4)
    assert maps["1"].any()
    for method in cam.METHODS:
        turned, back = maps.with_method(method).maps
        np.testing.assert_allclose(turned, back, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(scored["1"], scored["2"], rtol=1e-5)
    plan = cam.architecture(network, x, ["1", "2"])
    assert [layer.shape for layer in plan.layers] == [(K, side // 4, side // 4)] * 2
    assert [layer.stride for layer in plan.layers] == [4, 4]


class Attention(nn.Module):
    """Relates all places to all places: (N, heads, T, T)."""

    def forward(self, x):
        tokens = x.flatten(2)
        return (tokens.transpose(1, 2) @ tokens).softmax(-1)[:, None].expand(-1, K, -1, -1)


class Unfolded(nn.Module):
    """Cuts a map into patches of 2 x 2 and convolves it so: (N, K, 4, patches)."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(K, K, 1)

    def forward(self, x):
        n, k, h, w = x.shape
        x = x.reshape(n, k, h // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 2, 4)
        return self.conv(x.reshape(n, k, 4, -1))


class Windows(nn.Module):
    """Cuts a map into windows: (N * windows, K, 2, 2)."""

    def forward(self, x):
        n, k, h, w = x.shape
        x = x.reshape(n, k, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
        return x.reshape(-1, k, 2, 2)


class Channels(nn.Module):
    """Relates channels to channels: (N, 1, K, K)."""

    def forward(self, x):
        x = x.flatten(2)
        return (x @ x.transpose(1, 2))[:, None]


@pytest.mark.parametrize("side", [SIDE, 16, 32])  # 16 px: four places each way, 4 x 4 either way
@pytest.mark.parametrize(
    ("inner", "name"), [(Attention(), "inner"), (Unfolded(), "inner"), (Unfolded(), "inner.conv")]
)
def test_what_is_no_map_is_refused_by_name(inner, name, side):
    network = nn.Sequential()
    network.stem = nn.Conv2d(3, K, 4, 4)
    network.inner = inner
    network.pool = nn.AdaptiveAvgPool2d(1)
    network.flat = nn.Flatten()
    before = Snapshot.of(network)
    for explain in (cam.explain, cam.score_cam):
        with pytest.raises(ValueError, match=rf"'{name}' .* no two axes .* height and width"):
            explain(network, photo(1, 3, side, side), 1, ["stem", name])
    with pytest.raises(ValueError, match=f"no layer '{name}'.* gives maps"):
        cam.architecture(network, photo(1, 3, side, side), [name])
    before.check(network)
    assert cam.explain(network, photo(1, 3, side, side), 1).names == ("stem",)


class Pieces(nn.Sequential):
    def forward(self, x):
        return super().forward(x).mean(0, keepdim=True)


def test_windows_are_refused_as_pieces():
    network = Pieces(nn.Conv2d(3, K, 4, 4), Windows(), nn.Flatten(), nn.Linear(4 * K, 5))
    with pytest.raises(ValueError, match="'1' gives 16 maps per channel for 1 photos"):
        cam.explain(network, photo(1, 3, 32, 32), layers=["0", "1"])


def fixed(middle, side=SIDE):
    """Return a network for photos of one size only, as those with learnt positions are."""

    class Only(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, K, 4, 4)
            self.middle = middle
            self.head = nn.Linear(K, 5)

        def forward(self, x):
            assert x.shape[2:] == (side, side)
            x = self.middle(self.stem(x))
            return self.head(x.sum([n for n in (1, 2, 3) if x.shape[n] != K]))

    return Only()


@pytest.mark.parametrize("order", ["first", "last"])
def test_a_network_of_one_size_is_tested_by_what_changes_where(order):
    torch.manual_seed(0)
    block = Last() if order == "last" else nn.Softmax(1)
    network = fixed(Turned(ORDERS[order], block))
    x = photo(1, 3, SIDE, SIDE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps = cam.explain(network, x, 1, ["middle"], score="logit")
    a, g = activations_and_gradients(network, x, "middle", 1, "logit")
    back = [ORDERS[order].index(n) for n in (1, 2, 3)]
    a, g = (v.transpose(back) for v in (a, g))
    assert_close(maps["middle"], obvious_map("gradcam", a, g), 1e-3)


class Levelled(nn.Module):
    """Gives the mean of all places in each of them."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.mean(self.axes, keepdim=True).expand_as(x).contiguous()


@pytest.mark.parametrize(
    ("order", "axes", "said"), [("first", (2, 3), "N, K, h, w"), ("last", (1, 2), "N, h, w, K")]
)
def test_what_cannot_be_tested_is_said_once(order, axes, said):
    torch.manual_seed(0)
    network, x = fixed(Turned(ORDERS[order], Levelled(*axes))), photo(1, 3, SIDE, SIDE)
    with pytest.warns(
        UserWarning, match=rf"'middle'.* no photos of other sizes.*\({said}\)"
    ) as told:
        maps = cam.explain(network, x, 1, ["stem", "middle"])
    assert [warning.filename for warning in told] == [__file__]
    assert maps["middle"].shape == (16, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cam.explain(network, x, 1, ["stem", "middle"])
        cam.explain(fixed(nn.Conv2d(K, K, 1)), x, 1)  # a convolution says which axes it has


class Summed(nn.Module):
    def forward(self, x):
        return x.sum((2, 3)).expand(-1, K)[..., None, None]


@pytest.mark.parametrize("inner", [Attention(), Unfolded(), Channels()])
def test_what_cannot_be_tested_and_has_no_place_for_the_photo_is_refused(inner):
    network = fixed(nn.Sequential(inner, Summed()))
    with pytest.raises(ValueError, match=r"'middle\.0' .* no two axes"):
        cam.explain(network, photo(1, 3, SIDE, SIDE), 1, ["middle.0"])


def test_poolings_to_a_fixed_size_are_read_as_poolings_are():
    network = nn.Sequential(
        nn.Conv2d(3, K, 3), nn.AdaptiveAvgPool2d((3, 7)), nn.Flatten(), nn.Linear(21 * K, 5)
    )
    maps = cam.explain(network, photo(1, 3, 40, 30), 1, ["0", "1"])
    assert [x.shape for x in maps.maps] == [(38, 28), (3, 7)]


class Whole(nn.Module):
    """For photos in whole windows of 24 pixels only."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, K, 4, 4)
        self.block = Last()
        self.head = nn.Linear(K, 5)

    def forward(self, x):
        assert x.shape[2] % 24 == x.shape[3] % 24 == 0
        return self.head(self.block(self.stem(x).permute(0, 2, 3, 1)).mean((1, 2)))


def test_a_network_of_whole_windows_is_tested_in_whole_windows():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = cam.architecture(Whole(), photo(1, 3, 24, 48))
    assert [(layer.name, layer.shape) for layer in plan.layers] == [("block", (K, 6, 12))]


# What was found is remembered


class Counting(RandomNet):
    def __init__(self, seed=1):
        super().__init__(seed)
        self.sizes = []

    def forward(self, x):
        self.sizes.append(tuple(x.shape))
        return super().forward(x)


def test_a_second_call_makes_one_pass():
    network, x = Counting(), photo(2, 3, 40, 48)
    seen = []
    network.register_forward_hook(lambda *_: seen.append(1))
    first = cam.explain(network, x)
    assert len(seen) < len(network.sizes)  # the owner's hooks do not see the test of the axes
    network.sizes.clear()
    second = cam.explain(network, x)
    cam.explain(network, x, layers="stage")
    named = cam.explain(network, x, layers=list(first[0].names))
    assert network.sizes == [(2, 3, 40, 48)] * 3
    for one, two, three in zip(first, second, named, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])
            np.testing.assert_array_equal(one[name], three[name])


def test_named_layers_are_tested_once_for_all_sizes():
    network = Counting()
    cam.explain(network, photo(1, 3, 40, 48), layers=["act", "blocks.0"])
    network.sizes.clear()
    for size in ((40, 48), (56, 40), (40, 48)):
        cam.explain(network, photo(1, 3, *size), layers=["blocks.0", "act"])
    assert network.sizes == [(1, 3, 40, 48), (1, 3, 56, 40), (1, 3, 40, 48)]


def test_another_size_and_another_module_are_looked_at_anew():
    network = Mixed()
    assert cam.architecture(network, photo(1, 3, 8, 8)).layers[-1].shape == (6, 4, 4)
    assert cam.architecture(network, photo(1, 3, 16, 24)).layers[-1].shape == (6, 8, 12)
    network.conv2 = nn.Conv2d(4, 6, 3, stride=4, padding=1)
    assert cam.architecture(network, photo(1, 3, 16, 24)).layers[-1].shape == (6, 4, 6)
    network.tail = nn.Sequential(nn.Unflatten(1, (5, 1)), nn.Flatten())
    assert cam.architecture(network, photo(1, 3, 16, 24)).layers[-1].shape == (6, 4, 6)


def test_what_is_remembered_does_not_keep_the_network():
    network = RandomNet(2)
    for side in range(8, 100):
        cam.architecture(network, photo(1, 3, side, 8), "convolution")
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_a_failed_search_is_not_remembered():
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))
    for _ in range(2):
        with pytest.raises(ValueError, match="nothing to map"):
            cam.architecture(network, photo())


# Transformers


class Vision(nn.Module):
    """A patch embedding and blocks of tokens."""

    def __init__(self, blocks=3, norm=None):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.norm = norm or nn.Identity()
        self.blocks = nn.Sequential(
            *(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(blocks))
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(self.blocks(self.norm(self.patches(x)).flatten(2).transpose(1, 2)).mean(1))


class Shuffled(Vision):
    """Its tokens stand in no order."""

    def forward(self, x):
        order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
        tokens = self.patches(x).flatten(2).transpose(1, 2)[:, order]
        return self.head(self.blocks(tokens).mean(1))


def test_a_transformer_of_which_only_the_patch_embedding_gives_maps_is_refused():
    torch.manual_seed(0)
    network, x = Shuffled(), photo(1, 3, 32, 32)
    for granularity in ("block", "stage"):
        with pytest.raises(
            ValueError, match=r"3 blocks .*\(TransformerEncoderLayer\).*\(1, 64, 8\).*'patches'"
        ):
            cam.architecture(network, x, granularity)
    with pytest.raises(ValueError, match="tokens"):
        cam.explain(network, x)
    assert cam.explain(network, x, layers=["patches"])["patches"].any()
    with pytest.raises(ValueError, match=r"'blocks.1' gives .*\(1, 64, 8\).* no map in it"):
        cam.explain(network, x, layers=["blocks.1"])


class Hierarchical(nn.Module):
    """Its tokens stand in rows at first, then window by window, as those of Hiera do."""

    def __init__(self, rows):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.before = nn.Sequential(*(Last(8) for _ in range(rows)))
        self.after = nn.Sequential(*(Last(8) for _ in range(2)))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.before(self.patches(x).flatten(2).transpose(1, 2))
        windows = x.unflatten(1, (2, 4, 2, 4)).transpose(2, 3)  # 4 x 4 in each
        return self.head(self.after(windows.flatten(1, 4)).mean(1))


@pytest.mark.parametrize("rows", [2, 4])
def test_tokens_in_another_order_are_refused_though_as_many_stand_in_rows(rows):
    torch.manual_seed(0)
    network, x = Hierarchical(rows), photo(1, 3, 32, 32)
    with pytest.warns(UserWarning, match=r"2 blocks .*\(Last\) are left out, such as 'after.0'"):
        assert cam.architecture(network, x).names == tuple(f"before.{n}" for n in range(rows))
    for name in ("after.0", "after.1", "after.1.down"):
        with pytest.raises(ValueError, match="no map in it"):
            cam.explain(network, x, 1, [name])

    def reshape(tokens):
        windows = tokens.unflatten(1, (2, 2, 4, 4))
        return windows.transpose(2, 3).flatten(1, 4).transpose(1, 2).unflatten(2, (8, 8))

    maps = cam.explain(network, x, 1, ["after.1"], reshape=reshape)
    a, g = activations_and_gradients(network.eval(), x, "after.1", 1, "log_probability")
    a, g = (reshape(torch.tensor(v)[None])[0].numpy() for v in (a, g))
    assert_close(maps["after.1"], obvious_map("gradcam", a, g), 1e-3)


class Marked(nn.Module):
    """Class and register tokens before the places, or after them."""

    def __init__(self, before=1, after=0, blocks=3):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.before = nn.Parameter(torch.randn(1, before, 8))
        self.after = nn.Parameter(torch.randn(1, after, 8))
        self.blocks = nn.Sequential(
            *(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(blocks))
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        marks = [t.expand(len(x), -1, -1) for t in (self.before, self.after)]
        return self.head(self.blocks(torch.cat([marks[0], x, marks[1]], 1)).mean(1))


@pytest.mark.parametrize(("before", "after"), [(0, 0), (1, 0), (2, 0), (5, 0), (0, 1), (1, 3)])
@pytest.mark.parametrize("size", [(32, 32), (32, 48)])
def test_tokens_are_read_as_maps(before, after, size):
    """Against activations and gradients by plain autograd, cut up by hand."""
    torch.manual_seed(before + 7 * after)
    network, x = Marked(before, after).eval(), photo(2, 3, *size)
    rows, columns = size[0] // 4, size[1] // 4
    maps = cam.explain(network, x, [1, 2], score="logit")
    names = [f"blocks.{n}" for n in range(3)]
    places = slice(before, before + rows * columns)
    for n, one in enumerate(maps):
        assert list(one) == names
        for name in names:
            a, g = activations_and_gradients(network, x[n : n + 1], name, n + 1, "logit")
            a, g = (v[places].T.reshape(8, rows, columns) for v in (a, g))
            for method in cam.METHODS:
                assert_close(one.with_method(method)[name], obvious_map(method, a, g), 1e-3)
    scored = cam.score_cam(network, x[0], 1, ["blocks.2"])
    assert scored["blocks.2"].shape == (rows, columns)


class Folded(nn.Module):
    """A stage that works on tokens inside and gives maps."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(8, 8, 2, 2)
        self.blocks = nn.Sequential(
            *(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True) for _ in range(2))
        )

    def forward(self, x):
        x = self.down(x)
        return self.blocks(x.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])


def test_blocks_of_tokens_inside_a_stage_that_gives_maps():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 4, 4), Folded(), Folded(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    plan = cam.architecture(network, photo(1, 3, 64, 32))
    assert [(layer.name, layer.shape) for layer in plan.layers] == [
        *((f"1.blocks.{n}", (8, 8, 4)) for n in range(2)),
        *((f"2.blocks.{n}", (8, 4, 2)) for n in range(2)),
    ]
