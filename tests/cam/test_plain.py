"""The plain Combi-CAM, the exact pass, outputs that are picked, maps that are reshaped."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
import torchvision
from cam_networks import Everywhere, RandomNet, assert_close, photo
from torch import nn

from combicam_widgets import cam
from combicam_widgets.cam import lighter
from combicam_widgets.cam.plain import combi_cam


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0"])
def test_the_plain_sum_is_what_the_engine_gives(name):
    torch.manual_seed(0)
    network = getattr(torchvision.models, name)(num_classes=5).double().eval()
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    x = photo(1, 3, 64, 96, dtype=torch.float64)
    maps = cam.explain(network, x, 2)
    plain = combi_cam(network, x, maps.names, 2)
    assert plain.max() == 1
    np.testing.assert_allclose(maps.fuse(), plain.numpy(), atol=1e-4)
    assert not any(module._forward_hooks for module in network.modules())


def test_an_exact_pass_is_the_same_without_what_makes_it_cheaper(monkeypatch):
    network, x = RandomNet(3, normed=True), photo(2, 3, 9, 12)
    quick = cam.explain(network, x, [1, 2])

    def refused(*_):
        raise AssertionError

    monkeypatch.setattr("combicam_widgets.cam.passes.lighten", refused)
    for one, exact in zip(quick, cam.explain(network, x, [1, 2], exact=True), strict=True):
        for name in one:
            assert_close(exact[name], one[name], 1e-4)
    with pytest.raises(AssertionError):
        cam.explain(network, x)
    assert callable(lighter.lighten)


class Several(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.network, self.kind = RandomNet(3), kind

    def forward(self, x):
        scores = self.network(x)
        return self.kind([2 * scores, scores])


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        (tuple, 1),
        (list, -1),
        (lambda both: dict(zip("ab", both, strict=True)), "b"),
        (torch.return_types.max, "indices"),
        (tuple, lambda both: both[0] / 2),
    ],
)
def test_the_output_that_is_meant(kind, output):
    network, x, layers = Several(kind), photo(1, 3, 9, 12), ["network.stem", "network.blocks.0"]
    expected = cam.explain(network.network, x, 1, ["stem", "blocks.0"])
    with pytest.raises(TypeError, match=r"instead of a tensor of class scores.*output="):
        cam.explain(network, x, 1, layers)
    maps = cam.explain(network, x, 1, layers, output=output)
    scores = cam.class_scores(network, x, output)
    torch.testing.assert_close(scores, cam.class_scores(network.network, x))
    scored = cam.score_cam(network, x, 1, layers, output=output)
    with pytest.raises(TypeError, match="one of"):
        cam.score_cam(network, x, 1, layers)
    alone = cam.score_cam(network.network, x, 1, ["stem", "blocks.0"])
    for one, other in zip(scored.maps, alone.maps, strict=True):
        assert_close(one, other, 1e-5)
    for one, other in zip(maps.maps, expected.maps, strict=True):
        assert_close(one, other, 1e-5)
    for wrong in (7, "logits"):
        with pytest.raises(ValueError, match=r"output=.* is nothing that the network returns"):
            cam.explain(network, x, 1, layers, output=wrong)


class Features(nn.Module):
    """Gives features beside the scores, as a tuple, a dict or an object."""

    def __init__(self, kind):
        super().__init__()
        self.network, self.kind = RandomNet(3), kind

    def forward(self, x):
        return self.kind(x.flatten(2), self.network(x), None)


@dataclasses.dataclass
class Answer:
    features: torch.Tensor
    scores: torch.Tensor
    nothing: None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (lambda *parts: parts, "1"),
        (lambda *parts: dict(zip("abc", parts, strict=True)), "'b'"),
        (Answer, "'scores'"),
    ],
)
def test_the_only_output_that_can_be_scores_is_taken_which_is_said_once(kind, name):
    network, x = Features(kind), photo(1, 3, 9, 12)
    layers = ["network.stem", "network.blocks.0"]
    with pytest.warns(UserWarning, match=f"Of the 2 outputs of the network {name} is") as told:
        maps = cam.explain(network, x, 1, layers)
    assert [w.filename for w in told] == [__file__]
    expected = cam.explain(network.network, x, 1, ["stem", "blocks.0"])
    for one, other in zip(maps.maps, expected.maps, strict=True):
        assert_close(one, other, 1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = cam.class_scores(network, x)
        scored = cam.score_cam(network, x, 1, layers[:1])
    torch.testing.assert_close(scores, cam.class_scores(network.network, x))
    alone = cam.score_cam(network.network, x, 1, ["stem"])
    assert_close(scored.maps[0], alone.maps[0], 1e-5)


class Columns(nn.Module):
    """Gives tokens column by column, as no test finds them."""

    def forward(self, x):
        return x.transpose(2, 3).flatten(2).transpose(1, 2)


class Rows(nn.Module):
    def forward(self, x):
        return x.unflatten(1, (6, 4)).permute(0, 3, 2, 1)


def test_maps_are_made_as_reshape_says():
    torch.manual_seed(0)
    whole = Everywhere(size=(4, 6))
    network = nn.Sequential(whole.conv, Columns(), Rows(), nn.Flatten(), whole.head)
    x = photo(2, 3, 4, 6)
    with pytest.raises(ValueError, match=r"'1' .*no map in it.*reshape="):
        cam.explain(network, x, 1, ["1"])
    expected = cam.explain(whole, x, [1, 2], ["conv"])
    maps = cam.explain(network, x, [1, 2], ["1"], reshape=Rows())
    for one, other in zip(maps, expected, strict=True):
        for method in cam.METHODS:
            assert_close(one.with_method(method)["1"], other.with_method(method)["conv"], 1e-5)
    with pytest.raises(
        ValueError, match=r"reshape must make a map .*\(2, 24, 4\).* not \(2, 24, 4\)"
    ):
        cam.explain(network, x, [1, 2], ["1"], reshape=lambda tokens: tokens)
    with pytest.raises(ValueError, match="layers that you name"):
        cam.explain(network, x, reshape=Rows())
