"""Models travel as facts and tensors: the same to the bit, and never as a pickle."""

import enum
import functools
import json
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

import combicam_widgets as ccw
from combicam_widgets.running.travel import packed, unpacked


def there_and_back(thing):
    return unpacked(*packed(model=thing))["model"]


class Colour(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("x",)


NETWORKS = {
    "resnet": torchvision.models.resnet18,
    "efficientnet": torchvision.models.efficientnet_b0,
    "convnext": torchvision.models.convnext_tiny,
    "vit": functools.partial(timm.create_model, "vit_tiny_patch16_224"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_answer_the_same_to_the_bit(name):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    other = there_and_back(network)
    batch = torch.rand(2, 3, 224, 224)
    assert (other(batch) == network(batch)).all()
    assert other is not network
    assert not other.training
    assert [n for n, _ in other.named_modules()] == [n for n, _ in network.named_modules()]


def test_geo_models_explain_the_same_to_the_bit():
    for name, photo in (("naturalist", ccw.sample("koala")), ("atlas", ccw.tile(45, 10))):
        model = ccw.load_model(name)
        other = there_and_back(model)
        assert type(other) is type(model)
        assert other.fingerprint() == model.fingerprint()
        one, two = (each.explain(photo, methods=["gradcam"]) for each in (model, other))
        assert (one.probabilities == two.probabilities).all()
        for x, y in zip(one.maps, two.maps, strict=True):
            assert (x == y).all()
        assert other.seen(photo) == model.seen(photo)
        assert other.cells.name(3) == model.cells.name(3)


def test_values_come_back_as_they_were():
    shared = [1, 2]
    values = {
        "numbers": (1, 2.5, float("inf"), True, None, "text", b"\x00\xff"),
        (1, 2): {3},
        "frozen": frozenset({"a"}),
        "array": np.arange(6, dtype=np.float64).reshape(2, 3)[:, ::-1],
        "scalar": np.float32(0.1),
        "half": torch.tensor([1.5], dtype=torch.float16),
        "strided": torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
        "last": torch.rand(1, 3, 4, 4).contiguous(memory_format=torch.channels_last),
        "dtype": torch.float16,
        "device": torch.device("cpu"),
        "size": torch.Size([1, 2]),
        "enum": Colour.RED,
        "path": Path("photos") / "a.jpg",
        "proxy": MappingProxyType({"x": 1}),
        "function": torch.relu,
        "class": nn.Conv2d,
        "partial": functools.partial(int, base=2),
    }
    found = there_and_back(values)
    assert list(found) == list(values)
    for key in (
        "numbers",
        (1, 2),
        "frozen",
        "dtype",
        "device",
        "size",
        "enum",
        "path",
        "function",
        "class",
    ):
        assert found[key] == values[key]
        assert type(found[key]) is type(values[key])
    for key in ("array", "scalar"):
        assert np.array_equal(found[key], values[key])
        assert found[key].dtype == values[key].dtype
    for key in ("half", "strided", "last"):
        assert torch.equal(found[key], values[key])
        assert found[key].stride() == values[key].stride()
    assert found["proxy"] == {"x": 1}
    assert type(found["proxy"]) is MappingProxyType
    assert found["partial"]("101") == 5
    first, second = there_and_back([shared, shared])
    assert first == second == shared


def test_weights_that_are_tied_stay_tied():
    network = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    network[1].weight = network[0].weight
    other = there_and_back(network)
    assert other[0].weight is other[1].weight
    assert isinstance(other[0].weight, nn.Parameter)


def test_a_thing_may_hold_itself():
    network = nn.Sequential(nn.ReLU())
    network[0].__dict__["parent"] = network
    other = there_and_back(network)
    assert other[0].parent is other


def test_it_is_text_and_tensors_and_no_pickle():
    text, tensors = packed(model=nn.Linear(2, 2))
    assert json.loads(text)["model"]["instance"] == "torch.nn.modules.linear:Linear"
    assert not tensors.startswith(b"\x80")


class Here:
    def method(self):
        return 1


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (lambda x: x, r"the function '<lambda>'"),
        ([Here().method], r"model\[0\] is a method"),
        ({"x": open}, None),
        (Slotted(), "a Slotted"),
        (np.array(["a"]), "an array of type <U1"),
        (torch.eye(2).to_sparse(), "layout torch.sparse_coo"),
        (iter([]), "a list_iterator"),
        (type("Local", (), {}), "the class 'Local'"),
    ],
)
def test_what_cannot_travel_is_named(thing, words):
    if words is None:
        assert there_and_back(thing) == thing
        return
    with pytest.raises(TypeError, match=rf"{words}.*Put classes and functions into a module"):
        packed(model=thing)
