"""The hierarchical model of ECCV 2018, on random weights in the layout of its authors' checkpoint.

The references are torchvision's ResNet-50, the library s2geometry, and the paper's product of
probabilities written out here.
"""

import copy
import os
import sys
from argparse import Namespace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import s2geometry as s2
import torch
from torch.nn import functional as F
from torchvision import models, transforms

import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoEstimation
from combicam_widgets.models.geoestimation.model import SOURCE, read_hierarchy

CHECKPOINT = "epoch=014-val_loss=18.4833.ckpt"
TABLES = ["cells_50_5000.csv", "cells_50_2000.csv", "cells_50_1000.csv"]
FEATURES = 2048


def noise(height, width):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Photo(pixels)


PHOTOS = [ccw.sample("koala"), ccw.sample("moose"), noise(60, 80), noise(48, 31)]


def theirs_of(photo):
    steps = [transforms.Resize(256), transforms.ToTensor()]
    steps.append(transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return transforms.Compose(steps)(photo.to_pil())


def split(cells, count, rng):
    """Quarter some cells until there are as many as are wanted; those of few photos are lost."""
    cells = list(cells)
    while len(cells) < count:
        cell = cells.pop(int(rng.integers(len(cells))))
        quarters = [cell.child(i) for i in range(4)]
        cells += [*quarters[:3], *quarters[3 : 3 + int(rng.random() < 0.8)]]
    return [cells[i] for i in rng.permutation(len(cells))]


@pytest.fixture(scope="module")
def partitionings():
    rng = np.random.default_rng(5)
    faces = [s2.S2CellId.FromToken(token) for token in ("1", "3", "5", "7", "9", "b")]
    coarse = split(faces, 20, rng)
    middle = split(coarse, 40, rng)
    return [coarse, middle, split(middle, 70, rng)]


@pytest.fixture(scope="module")
def original():
    """The parts of torchvision's network that the authors kept, and their classifiers' names."""
    torch.manual_seed(6)
    resnet = models.resnet50(weights=None)
    network = torch.nn.Sequential(*list(resnet.children())[:-2])
    network.avgpool = torch.nn.AdaptiveAvgPool2d(1)
    network.flatten = torch.nn.Flatten(start_dim=1)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
            norm.weight.uniform_(0.6, 1.4)
            norm.bias.uniform_(-0.2, 0.2)
        network.train()(torch.stack([theirs_of(photo)[:, :256, :256] for photo in PHOTOS]))
    return network.eval()


@pytest.fixture(scope="module")
def heads(partitionings, original):
    """Centred, so that photos differ in their answers."""
    torch.manual_seed(7)
    heads = torch.nn.ModuleList(torch.nn.Linear(FEATURES, len(cells)) for cells in partitionings)
    with torch.no_grad():
        middle = torch.cat([original(theirs_of(photo)[None]) for photo in PHOTOS]).mean(0)
        for head in heads:
            head.weight *= 20
            head.bias -= head.weight @ middle
    return heads


@pytest.fixture(scope="module")
def state(original, heads):
    state = {f"model.{name}": value for name, value in original.state_dict().items()}
    for i, head in enumerate(heads):
        state |= {f"classifier.{i}.{name}": value for name, value in head.state_dict().items()}
    return state


@pytest.fixture(scope="module")
def checkpoint(state, heads):
    """What PyTorch Lightning keeps beside the weights, with classes that are not there later."""
    names = ["pytorch_lightning", "pytorch_lightning.callbacks.model_checkpoint"]
    modules = [ModuleType(name) for name in names]

    class ModelCheckpoint:
        pass

    class AttributeDict(dict):
        pass

    for cls, module in ((AttributeDict, modules[0]), (ModelCheckpoint, modules[1])):
        cls.__module__, cls.__qualname__ = module.__name__, cls.__name__
        setattr(module, cls.__name__, cls)
    parameters = list(heads[0].parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.01, momentum=0.9)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [4, 8, 12])
    heads[0](torch.ones(1, FEATURES)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    whole = {
        "epoch": 15,
        "pytorch-lightning_version": "1.0.8",
        "state_dict": state,
        "callbacks": {ModelCheckpoint: {"best_model_score": torch.tensor(18.4833)}},
        "optimizer_states": [optimizer.state_dict()],
        "lr_schedulers": [schedule.state_dict()],
        "hyper_parameters": AttributeDict(arch="resnet50", more=Namespace(weights=None)),
    }

    def write(path, **changed):
        sys.modules |= dict(zip(names, modules, strict=True))
        try:
            torch.save(whole | changed, path)
        finally:
            for name in names:
                del sys.modules[name]

    return write


@pytest.fixture(scope="module")
def folder(checkpoint, partitionings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("geoestimation")
    checkpoint(folder / CHECKPOINT)
    for name, cells in zip(TABLES, partitionings, strict=True):
        lines = ["num_images: 4723695", "min_concept_probability: ---"]
        lines.append("class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean")
        for i, cell in enumerate(cells):
            middle = cell.ToLatLng()
            place = f"{middle.lat().degrees()},{middle.lng().degrees()}"
            lines.append(f"{i},{cell.ToToken()},99,{place}")
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    yield folder
    (folder / CHECKPOINT).unlink()  # 100 MB


@pytest.fixture(scope="module")
def model(folder):
    return ccw.load_model("geoestimation", weights=folder)


@pytest.fixture(scope="module")
def known(original, heads, partitionings):
    """Per photo the product of the probabilities of each fine cell and of those around it."""
    facts = []
    for photo in PHOTOS:
        with torch.inference_mode():
            features = original(theirs_of(photo)[None])
            each = [head(features)[0].double().softmax(0).numpy() for head in heads]
        products = np.ones(len(partitionings[-1]))
        for i, fine in enumerate(partitionings[-1]):
            for cells, probabilities in zip(partitionings, each, strict=True):
                (around,) = (j for j, cell in enumerate(cells) if cell.contains(fine))
                products[i] *= probabilities[around]
        facts.append(SimpleNamespace(photo=photo, products=products, each=each))
    return facts


def test_the_hierarchy_is_that_of_s2geometry(folder, partitionings):
    sizes, ancestors = read_hierarchy([folder / name for name in TABLES])
    assert sizes == list(map(len, partitionings))
    assert ancestors.shape == (sizes[-1], 3)
    for fine, row in zip(partitionings[-1], ancestors, strict=True):
        for cells, index in zip(partitionings, row, strict=True):
            assert cells[index].contains(fine)
    assert (ancestors[:, 2] == np.arange(sizes[-1])).all()


def test_predictions_are_the_papers_products(model, known, partitionings):
    found = set()
    for fact in known:
        prediction = model.predict(fact.photo)
        expected = fact.products / fact.products.sum()
        np.testing.assert_allclose(prediction.probabilities, expected, atol=1e-4)
        best = int(fact.products.argmax())
        assert prediction.best.index == best
        middle = partitionings[-1][best].ToLatLng()
        assert prediction.best.latitude == pytest.approx(middle.lat().degrees())
        assert prediction.best.longitude == pytest.approx(middle.lng().degrees())
        found.add(best)
    assert len(found) > 1, "all photos alike would test little"
    assert any(f.products.argmax() != f.each[-1].argmax() for f in known), "the product must matter"


def test_all_16_blocks_are_explained_as_autograd_would(model, original, heads):
    """In float64: in float32, plain autograd itself is a few per cent off on such a network."""
    assert model.layers == tuple(
        f"layer{i}.{j}" for i, blocks in enumerate([3, 4, 6, 3], 1) for j in range(blocks)
    )
    network, theirs, heads = (
        copy.deepcopy(part).double() for part in (model.network, original, heads)
    )
    view = theirs_of(PHOTOS[2])[None].double()
    maps = cam.explain(network, view, layers=model.layers, method="gradcam")
    outputs = []
    for stage in list(theirs)[4:8]:
        for block in stage:
            block.register_forward_hook(lambda _m, _a, output: outputs.append(output))
    features = theirs(view)
    cells = network.classifier.ancestors
    logs = [head(features)[0].log_softmax(0)[cells[:, i]] for i, head in enumerate(heads)]
    score = torch.stack(logs).sum(0).log_softmax(0).max()
    gradients = torch.autograd.grad(score, outputs)
    for name, output, gradient in zip(maps.names, outputs, gradients, strict=True):
        expected = (gradient.mean((2, 3), keepdim=True) * output).sum(1)[0].clamp(min=0).detach()
        tolerance = 1e-6 * float(expected.max())
        np.testing.assert_allclose(maps[name], expected, atol=tolerance, err_msg=name)


def test_features_are_torchvisions_at_any_size(model, original):
    batch = F.interpolate(theirs_of(PHOTOS[0])[None], (97, 331), mode="bilinear")
    with torch.inference_mode():
        theirs, ours = original(batch), model.network[:-1](batch)
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def test_what_the_list_says_of_the_published_files():
    info = ccw.list_models()["geoestimation"]
    assert not info.ready
    for word in (SOURCE, "withdrew", "*.ckpt", *TABLES):
        assert word in info.needs


# Other files


def tables_only(folder, tmp_path):
    for name in TABLES:
        os.link(folder / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("missing", [*TABLES, "checkpoint", "folder"])
def test_what_is_missing_is_named_with_where_it_was(missing, folder, tmp_path):
    tables_only(folder, tmp_path)
    if missing != "checkpoint":
        (tmp_path / CHECKPOINT).touch()
    if missing in TABLES:
        (tmp_path / missing).unlink()
    asked = tmp_path / "nowhere" if missing == "folder" else tmp_path
    with pytest.raises(FileNotFoundError) as caught:
        ccw.load_model("geoestimation", weights=asked)
    message = str(caught.value)
    assert f"There is no {'file ' * (missing in TABLES)}{missing.rstrip()}" in message
    assert str(asked) in message
    assert SOURCE in message
    assert "nothing is fetched" in message


def test_of_several_checkpoints_none_is_guessed(folder, tmp_path):
    tables_only(folder, tmp_path)
    for name in ("last.ckpt", "epoch=3.ckpt"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"several checkpoints: epoch=3.ckpt, last.ckpt"):
        GeoEstimation.from_folder(tmp_path)


def test_a_plain_state_dict_is_read_too(model, state, folder, tmp_path):
    tables_only(folder, tmp_path)
    torch.save(state, tmp_path / "weights.ckpt")
    again = GeoEstimation.from_folder(tmp_path)
    expected = model.predict(PHOTOS[0]).probabilities
    np.testing.assert_array_equal(again.predict(PHOTOS[0]).probabilities, expected)
    (tmp_path / "weights.ckpt").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s | {"classifier.2.bias": torch.zeros(5)}, r"'classifier\.2\.bias'.*shape \(71"),
        (lambda s: s | {"model.0.weight": torch.full((64, 3, 7, 7), torch.nan)}, "NaN or infinite"),
        (lambda s: {k: v for k, v in s.items() if k != "model.7.2.bn3.bias"}, "lacks 'model.7.2"),
        (lambda s: s | {"fc.bias": torch.zeros(2)}, "must not hold 'fc.bias'"),
        (lambda _: [1, 2], "'state_dict' in .* must hold tensors by name, but is a list"),
        (lambda s: s | {"model.1.bias": "zeros"}, "'model.1.bias' in .* but is a str"),
    ],
    ids=["size", "nan", "lacks", "more", "list", "text"],
)
def test_another_networks_weights_are_refused_in_words(
    change, words, state, folder, tmp_path, checkpoint
):
    tables_only(folder, tmp_path)
    path = tmp_path / CHECKPOINT
    checkpoint(path, state_dict=change(state))
    with pytest.raises(ValueError, match=words) as caught:
        GeoEstimation.from_folder(tmp_path)
    assert str(path) in str(caught.value)
    assert SOURCE in str(caught.value)
    path.unlink()


class Runs:
    def __reduce__(self):
        return os.system, ("exit 3",)


class RunsByName:
    """Code in a class that bears an innocent library's name."""

    def __reduce__(self):
        return getattr, (Namespace(a=1), "a")


@pytest.mark.parametrize("evil", [Runs(), RunsByName()])
def test_code_in_a_checkpoint_is_refused_and_not_run(evil, folder, tmp_path, checkpoint):
    tables_only(folder, tmp_path)
    path = tmp_path / CHECKPOINT
    checkpoint(path, state_dict={}, hyper_parameters=evil)
    with pytest.raises(ValueError, match="holds more than tensors, such as code; nothing in it"):
        GeoEstimation.from_folder(tmp_path)


def test_objects_of_lightning_are_empty_ones_and_only_while_it_is_read(folder):
    before = set(torch.serialization.get_safe_globals())
    GeoEstimation.from_folder(folder)
    assert set(torch.serialization.get_safe_globals()) == before
    assert not [name for name in sys.modules if name.startswith("pytorch_lightning")]


def test_tables_that_do_not_belong_together_are_refused(folder, tmp_path):
    tables_only(folder, tmp_path)
    coarse = tmp_path / TABLES[0]
    lines = coarse.read_text(encoding="utf-8").splitlines(keepends=True)
    coarse.unlink()
    coarse.write_text("".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"lies in none of .*cells_50_5000.*not belong together"):
        GeoEstimation.from_folder(tmp_path)


def test_tables_of_names_are_refused(folder, tmp_path):
    tables_only(folder, tmp_path)
    middle = tmp_path / TABLES[1]
    text = middle.read_text(encoding="utf-8")
    middle.unlink()
    middle.write_text(text.replace("hex_id", "name"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"cells_50_2000.csv must have a column hex_id"):
        GeoEstimation.from_folder(tmp_path)
