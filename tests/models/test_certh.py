"""The model of the Combi-CAM paper, on random weights in the layout that its authors publish.

The references are the package that the weights were made with, torchvision, scipy, and formulas
written out here.
"""

import io
import math
import pickle
import shutil
import sys
import zipfile
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from efficientnet_pytorch import EfficientNet
from scipy import stats
from torch.nn import functional as F
from torchvision import transforms

from combicam_widgets.geo import CellGrid, GeoPrediction, vector_coordinates
from combicam_widgets.images import Photo
from combicam_widgets.models.certh import Certh
from combicam_widgets.models.certh.mixture import Mixture, read_mixture
from combicam_widgets.models.certh.network import read_backbone
from combicam_widgets.models.certh.retrieval import most_common_place, read_retrieval_head
from combicam_widgets.models.transforms import ShorterSide
from combicam_widgets.running.travel import packed, unpacked
from combicam_widgets.samples import sample

CELLS, FEATURES, COLLECTED = 40, 1792, 700
EMPTY = 7
"""The cell without photos in the background collection."""

BACKBONE, MIXTURE = "efficientnet_backbone.pt", "mvmf_head.pt"
RETRIEVAL, BACKGROUND = "rrm_head.pt", "back_coll_features.hdf5"
READERS = {BACKBONE: read_backbone, MIXTURE: read_mixture, RETRIEVAL: read_retrieval_head}


# Photos


def noise(height, width):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Photo(pixels)


PHOTOS = [sample("koala"), sample("moose"), noise(60, 80), noise(48, 31)]


# References


def cartesian(latitude, longitude):
    latitude, longitude = np.radians(latitude), np.radians(longitude)
    return np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=-1,
    )


def haversine_km(a, b):
    lat1, lon1, lat2, lon2 = map(math.radians, (*a, *b))
    h = (
        math.sin((lat2 - lat1) / 2) ** 2
        + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    )
    return 2 * 6371 * math.asin(min(1.0, math.sqrt(h)))


def largest_cluster(places):
    """Positions of the largest set that steps of 1 km connect; the first of equals."""
    left, clusters = list(range(len(places))), []
    while left:
        cluster, queue = [], [left.pop(0)]
        while queue:
            here = queue.pop()
            cluster.append(here)
            near = [i for i in left if haversine_km(places[here], places[i]) <= 1]
            left = [i for i in left if i not in near]
            queue += near
        clusters.append(sorted(cluster))
    return [places[i] for i in max(clusters, key=len)]  # max keeps the first


def middle(places):
    x, y, z = np.mean([cartesian(*place) for place in places], axis=0)
    return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))


def nearest_centre(place, centres):
    return min(range(len(centres)), key=lambda c: haversine_km(place, centres[c]))


def most_similar_place(photos, embedding):
    """The answer of a search among photos (features, position), None among none."""
    best = sorted(photos, key=lambda photo: -float(photo[0] @ embedding))[:10]
    return middle(largest_cluster([position for _, position in best])) if best else None


def theirs_of(photo):
    """Transform a photo as the authors do."""
    transform = transforms.Compose(
        [
            transforms.Resize(300),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    return transform(photo.to_pil())


# Random weights


@pytest.fixture(scope="module")
def backbone():
    """The original code; batch norms hold what a random network does to photos.

    Without that, its numbers would grow until rounding errors do, too.
    """
    torch.manual_seed(1)
    network = EfficientNet.from_name("efficientnet-b4", include_top=False)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.momentum = 1.0
            norm.weight.uniform_(0.8, 1.2)
            norm.bias.uniform_(-0.2, 0.2)
        photos = [theirs_of(photo)[:, :300, :300] for photo in PHOTOS]
        network.train()(torch.stack(photos))
    return network.eval()


@pytest.fixture(scope="module")
def mixture():
    torch.manual_seed(2)
    latitude, longitude = vector_coordinates(np.random.default_rng(2).normal(size=(CELLS, 3)))
    return {
        "mvmf.mus": torch.from_numpy(np.stack([latitude, longitude])),
        "mvmf.kappas": torch.empty(CELLS, dtype=torch.float64).uniform_(0, 6.5) - 16,
        "mixture_weights.seq_model.0.weight": torch.randn(CELLS, FEATURES) * 0.3,
        "mixture_weights.seq_model.0.bias": torch.randn(CELLS),
    }


@pytest.fixture(scope="module")
def retrieval():
    torch.manual_seed(3)
    shapes = {
        "norm.weight": (FEATURES,),
        "norm.bias": (FEATURES,),
        "res.norm.weight": (FEATURES,),
        "res.norm.bias": (FEATURES,),
        "res.fc1.weight": (4096, FEATURES),
        "res.fc1.bias": (4096,),
        "res.fc2.weight": (FEATURES, 4096),
        "res.fc2.bias": (FEATURES,),
    }
    return {
        name: torch.randn(shape) * (0.03 if len(shape) == 2 else 1)
        for name, shape in shapes.items()
    }


@pytest.fixture(scope="module")
def collection(mixture):
    """About 18 photos a cell, within a few km of its centre; none in one cell."""
    random = np.random.default_rng(4)
    centres = mixture["mvmf.mus"].numpy().T
    cell = random.choice(np.delete(np.arange(CELLS), EMPTY), COLLECTED)
    vectors = cartesian(*centres[cell].T) + random.normal(size=(COLLECTED, 3)) * 1.5 / 6371
    features = random.normal(size=(COLLECTED, FEATURES)).astype(np.float16)
    labels = np.stack(vector_coordinates(vectors), axis=1)
    return SimpleNamespace(features=features, labels=labels)


@pytest.fixture(scope="module")
def folder(backbone, mixture, retrieval, collection, tmp_path_factory):
    folder = tmp_path_factory.mktemp("certh")
    # The file may hold the classifier that the network was first trained with.
    top = {"_fc.weight": torch.zeros(1000, FEATURES), "_fc.bias": torch.zeros(1000)}
    torch.save(backbone.state_dict() | top, folder / BACKBONE)
    torch.save(mixture, folder / MIXTURE)
    torch.save(retrieval, folder / RETRIEVAL)
    with h5py.File(folder / BACKGROUND, "w") as file:
        file["features"], file["labels"] = collection.features, collection.labels
    yield folder
    shutil.rmtree(folder)  # 130 MB


@pytest.fixture(scope="module")
def certh(folder):
    return Certh.from_folder(folder)


# The photo


@pytest.mark.parametrize("height", [8, 31, 299, 300, 301, 700])
@pytest.mark.parametrize("ratio", [0.13, 0.66, 1, 1.503, 4 / 3, 7.99])
def test_photos_are_scaled_and_normalised_as_by_torchvision(height, ratio):
    photo = noise(height, max(8, round(height * ratio)))
    expected = theirs_of(photo)
    assert max(expected.shape[1:]) <= 2400
    torch.testing.assert_close(ShorterSide(300)(photo.to_pil()), expected, atol=1e-6, rtol=0)


def test_a_very_long_strip_is_squeezed_not_cropped():
    pixels = np.zeros((8, 1000, 3), np.uint8)
    pixels[:, 990:] = 255
    view = ShorterSide(300)(Photo(pixels).to_pil())
    assert view.shape == (3, 300, 2400)
    assert view[:, :, -20:].min() > 2
    assert view[:, :, :2350].max() < -1.7


# The network


@pytest.mark.parametrize("size", [(300, 400), (300, 300), (451, 300), (380, 380), (97, 131)])
def test_features_are_the_original_codes_at_any_size(size, certh, backbone):
    batch = F.interpolate(theirs_of(sample("koala"))[None], size, mode="bilinear", antialias=True)
    with torch.inference_mode():
        theirs = backbone(batch).flatten(1)
        ours = certh.network[:-1](batch)
    assert theirs.std() > 0.01
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


@pytest.fixture(scope="module")
def known(backbone, mixture, retrieval):
    """What the original code and plain formulas say about the photos."""
    facts = []
    for photo in PHOTOS:
        with torch.inference_mode():
            features = backbone(theirs_of(photo)[None]).flatten(1)
            logits = F.linear(
                features,
                mixture["mixture_weights.seq_model.0.weight"],
                mixture["mixture_weights.seq_model.0.bias"],
            )[0]
            r = retrieval
            x = F.layer_norm(features, (FEATURES,), r["norm.weight"], r["norm.bias"])
            y = F.linear(x, r["res.fc1.weight"], r["res.fc1.bias"]).clamp(min=0)
            y = F.linear(y, r["res.fc2.weight"], r["res.fc2.bias"]) + x
            y = F.layer_norm(y, (FEATURES,), r["res.norm.weight"], r["res.norm.bias"])
        facts.append(
            SimpleNamespace(
                photo=photo,
                features=features[0].numpy(),
                probabilities=logits.double().softmax(0).numpy(),
                embedding=(y[0] / y[0].norm()).numpy(),
            )
        )
    return facts


def test_predictions_features_and_embeddings_of_photos(certh, known, mixture):
    cells = {int(fact.probabilities.argmax()) for fact in known}
    assert len(cells) > 1, "all photos alike would test little"
    for fact in known:
        prediction = certh.predict(fact.photo)
        np.testing.assert_allclose(prediction.probabilities, fact.probabilities, atol=1e-4)
        best = int(fact.probabilities.argmax())
        assert prediction.best.index == best
        position = prediction.best.latitude, prediction.best.longitude
        assert position == pytest.approx(mixture["mvmf.mus"][:, best].tolist())
        largest = np.abs(fact.features).max()
        np.testing.assert_allclose(certh.features(fact.photo), fact.features, atol=1e-4 * largest)
        embedding = certh.embedding(fact.photo)
        np.testing.assert_allclose(embedding, fact.embedding, atol=1e-5)
        assert np.linalg.norm(embedding) == pytest.approx(1)


def test_all_32_blocks_are_explained_as_autograd_would(certh, backbone, mixture):
    photo = noise(60, 80)
    assert certh.layers == tuple(f"blocks.{i}" for i in range(32))
    maps = certh.explain(photo, method="gradcam", score="log_probability")
    assert maps.names == certh.layers
    assert maps.fuse().shape == (60, 80)

    outputs = []
    hooks = [
        block.register_forward_hook(lambda _m, _a, output: outputs.append(output))
        for block in backbone._blocks
    ]
    features = backbone(theirs_of(photo)[None]).flatten(1)
    for hook in hooks:
        hook.remove()
    weight, bias = (mixture[f"mixture_weights.seq_model.0.{x}"] for x in ("weight", "bias"))
    score = F.linear(features, weight, bias).log_softmax(1)[0].max()
    gradients = torch.autograd.grad(score, outputs)
    for name, output, gradient in zip(maps.names, outputs, gradients, strict=True):
        expected = (gradient.mean((2, 3), keepdim=True) * output).sum(1)[0].clamp(min=0).detach()
        tolerance = 1e-3 * float(expected.max()) + 1e-9
        np.testing.assert_allclose(maps[name], expected, atol=tolerance, err_msg=name)


def test_it_travels_to_other_machines(certh):
    other = unpacked(*packed(model=certh))["model"]
    assert type(other) is Certh
    assert other.fingerprint() == certh.fingerprint()
    for photo in PHOTOS[:2]:
        one, two = (model.explain(photo, methods=["gradcam"]) for model in (certh, other))
        assert (one.probabilities == two.probabilities).all()
        for x, y in zip(one.maps, two.maps, strict=True):
            assert (x == y).all()
        assert other.refine(photo) == certh.refine(photo)


def test_features_in_the_midst_of_an_explanation_in_another_thread(certh):
    """The explanation's hooks are set for layers of the same modules."""
    features, found = certh.features(noise(60, 80)), []

    def look(*_):
        hook.remove()
        thread = Thread(target=lambda: found.append(certh.features(noise(60, 80))))
        thread.start()
        thread.join(timeout=60)

    hook = certh.network.get_submodule("blocks.0").register_forward_hook(look)
    maps = certh.explain(noise(50, 70))
    np.testing.assert_array_equal(found[0], features)
    again = certh.explain(noise(50, 70))
    for name in maps:
        np.testing.assert_array_equal(maps[name], again[name])


# The mixture


def scipy_density(weights, latitudes, longitudes, concentrations, places):
    components = zip(cartesian(latitudes, longitudes), concentrations, strict=True)
    parts = [stats.vonmises_fisher(mu, kappa).pdf(places) for mu, kappa in components]
    return 1e-9 + weights @ np.array(parts)


def test_density_is_that_of_scipys_von_mises_fisher(certh, mixture, known):
    random = np.random.default_rng(5)
    latitude, longitude = vector_coordinates(random.normal(size=(6, 5, 3)))
    latitudes, longitudes = mixture["mvmf.mus"].numpy()
    concentrations = np.exp(mixture["mvmf.kappas"].numpy() + 16)
    for fact in known[:2]:
        prediction = certh.predict(fact.photo)
        ours = certh.density(fact.photo, latitude, longitude)
        places = cartesian(latitude, longitude).reshape(-1, 3)
        theirs = scipy_density(
            prediction.probabilities.astype(float), latitudes, longitudes, concentrations, places
        )
        np.testing.assert_allclose(ours, theirs.reshape(6, 5), rtol=1e-9)
        again = certh.density(prediction, latitude, longitude)
        np.testing.assert_array_equal(ours, again)


def test_density_broadcasts_and_gives_a_float_for_one_place(certh):
    prediction = certh.predict(noise(60, 80))
    grid = certh.density(prediction, np.array([[10.0], [20.0]]), np.array([0.0, 5.0, 365.0]))
    assert grid.shape == (2, 3)
    one = certh.density(prediction, 20, 5)
    assert type(one) is float
    np.testing.assert_allclose(grid[1], [certh.density(prediction, 20, 0), one, one])


def test_density_integrates_to_one(certh):
    """Gauss-Legendre along the axis, equal steps around it; 1e-9 everywhere comes on top."""
    heights, weights = np.polynomial.legendre.leggauss(300)
    latitude = np.degrees(np.arcsin(heights))
    longitude = np.arange(600) * 0.6 - 180
    density = certh.density(noise(60, 80), latitude[:, None], longitude)
    total = (density - 1e-9).sum(1) @ weights * 2 * np.pi / 600
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kappa", [1e-12, 1e-3, 1.0, 50.0, math.exp(16), 1e14])
def test_density_of_any_concentration_in_closed_form(kappa):
    mixture = Mixture(np.array([40.0]), np.array([-3.0]), np.array([kappa]))
    sharp = kappa / (2 * math.pi) / (1 - math.exp(-2 * kappa)) if kappa > 1e-6 else 1 / 4 / math.pi
    assert mixture.density([1.0], 40, -3) == pytest.approx(sharp + 1e-9, rel=1e-9 + 1e-15 * kappa)
    # One standard deviation north.
    angle = min(1.0, 1 / math.sqrt(kappa))
    there = sharp * math.exp(-2 * kappa * math.sin(angle / 2) ** 2) + 1e-9
    density = mixture.density([1.0], 40 + math.degrees(angle) * 0.5, -3)
    halfway = sharp * math.exp(-2 * kappa * math.sin(angle / 4) ** 2) + 1e-9
    assert density == pytest.approx(halfway, rel=1e-6 + 1e-15 * kappa)
    assert there < halfway or kappa < 1e-6


def test_density_far_from_sharp_components_is_the_floor():
    mixture = Mixture(np.array([0.0]), np.array([0.0]), np.array([math.exp(16)]))
    assert mixture.density([1.0], [90, -45, 0], [0, 0, 180]).tolist() == [1e-9] * 3


def test_a_prediction_of_another_model_is_refused(certh):
    grid = CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90])
    foreign = GeoPrediction(np.full(4, 0.25), grid)
    with pytest.raises(ValueError, match="another model's"):
        certh.density(foreign, 0, 0)
    with pytest.raises(ValueError, match="another model's"):
        certh.refine(noise(60, 80), foreign)
    with pytest.raises(TypeError, match="load_image"):
        certh.density("koala.jpg", 0, 0)
    with pytest.raises(ValueError, match="latitude"):
        certh.density(noise(60, 80), 91, 0)


def test_components_at_one_place_share_an_outline():
    latitudes = np.array([10.0, 0, -30, 50, 10, 10 + 1e-9, 90, 90, 5, 5])
    longitudes = np.array([20.0, 90, -100, 150, 20, 20, 0, 77, 180, -180])
    cells = Mixture(latitudes, longitudes, np.ones(10)).cells
    assert len(cells) == 10
    assert cells.latitudes.tolist() == latitudes.tolist()
    distinct = CellGrid.from_centers(latitudes[[0, 1, 2, 3, 6, 8]], longitudes[[0, 1, 2, 3, 6, 8]])
    for index, same in enumerate([0, 1, 2, 3, 0, 0, 4, 4, 5, 5]):
        ours, theirs = cartesian(*cells.outlines[index].T), cartesian(*distinct.outlines[same].T)
        assert len(ours) == len(theirs)
        apart = np.linalg.norm(ours[:, None] - theirs, axis=2).min(1)
        assert apart.max() < 1e-5  # 60 m
    assert cells.at(10, 20) in {0, 4, 5}


# Search within cell


@pytest.fixture(scope="module")
def photos_of(mixture, collection):
    """Photos (features, position) of each cell."""
    centres = mixture["mvmf.mus"].T.tolist()
    photos = {cell: [] for cell in range(CELLS)}
    for features, position in zip(collection.features, collection.labels.tolist(), strict=True):
        photos[nearest_centre(position, centres)].append((features.astype(np.float32), position))
    return photos


def test_refined_positions_of_photos(certh, known, photos_of):
    for fact in known:
        expected = most_similar_place(photos_of[fact.probabilities.argmax()], fact.embedding)
        assert haversine_km(certh.refine(fact.photo), expected) < 1e-6


def test_refined_positions_in_all_cells(certh, known, photos_of, monkeypatch):
    photo, embedding = known[0].photo, known[0].embedding
    monkeypatch.setattr(certh, "embedding", lambda given: embedding if given is photo else None)
    assert sum(len(photos) > 10 for photos in photos_of.values()) > 30
    for cell, photos in photos_of.items():
        if cell != EMPTY:
            prediction = GeoPrediction(np.eye(CELLS)[cell], certh.cells)
            expected = most_similar_place(photos, embedding)
            assert haversine_km(certh.refine(photo, prediction), expected) < 1e-6


def test_a_cell_without_photos_gives_its_centre(certh, known, mixture, photos_of):
    assert photos_of[EMPTY] == []
    prediction = GeoPrediction(np.eye(CELLS)[EMPTY], certh.cells)
    centre = mixture["mvmf.mus"][:, EMPTY].tolist()
    assert certh.refine(known[0].photo, prediction) == pytest.approx(centre)


@pytest.mark.parametrize("seed", range(30))
def test_the_most_common_place_of_random_places(seed):
    random = np.random.default_rng(seed)
    centre = vector_coordinates(random.normal(size=3))
    scale = random.choice([0.3, 1, 2, 5]) / 6371
    vectors = cartesian(*centre) + random.normal(size=(random.integers(1, 11), 3)) * scale
    places = np.stack(vector_coordinates(vectors), axis=1)
    expected = middle(largest_cluster(places.tolist()))
    assert haversine_km(most_common_place(places), expected) < 1e-6


def test_the_first_of_equally_common_places_wins():
    one, other, lone = [10.0, 20.0], [10.0, 21.0], [11.0, 20.0]
    assert most_common_place(np.array([one, other, other, one, lone])) == pytest.approx(one)
    assert most_common_place(np.array([lone, other, one, one, other])) == pytest.approx(other)


def test_places_are_joined_up_to_1_km_on_a_sphere_of_6371_km():
    step = math.degrees(1 / 6371)
    for factor, joined in [(1 - 7e-7, True), (1 + 7e-7, False)]:
        chain = np.array([[0.0, 0.0], [factor * step, 0.0], [2 * factor * step, 0.0]])
        latitude, _ = most_common_place(chain)
        assert latitude == pytest.approx(step * factor if joined else 0, abs=1e-9)


def test_only_the_photos_of_the_cell_are_read_and_labels_once(folder, known, monkeypatch):
    certh = Certh.from_folder(folder)
    read = []
    original = h5py.Dataset.__getitem__

    def recording(self, key):
        rows = original(self, key)
        read.append((self.name, len(rows)))
        return rows

    monkeypatch.setattr(h5py.Dataset, "__getitem__", recording)
    assert read == []
    prediction = certh.predict(known[0].photo)
    for _ in range(2):
        certh.refine(known[0].photo, prediction)
    names = [name for name, _ in read]
    assert names.count("/labels") == 1
    assert all(0 < rows < 60 for name, rows in read if name == "/features")
    assert names.count("/features") == 2


def test_components_at_one_place_share_their_photos(folder, mixture, known, tmp_path):
    link(folder, tmp_path, RETRIEVAL, BACKBONE, BACKGROUND)
    twins = {name: tensor.clone() for name, tensor in mixture.items()}
    twins["mvmf.mus"][:, 3] = twins["mvmf.mus"][:, 12]
    torch.save(twins, tmp_path / MIXTURE)
    certh = Certh.from_folder(tmp_path)
    one, other = (
        certh.refine(known[0].photo, GeoPrediction(np.eye(CELLS)[cell], certh.cells))
        for cell in (3, 12)
    )
    assert one == other
    assert one != pytest.approx(twins["mvmf.mus"][:, 3].tolist(), abs=1e-6)


# What is missing


def link(folder, to, *names):
    for name in names:
        (to / name).symlink_to(folder / name)


def test_two_files_suffice_for_predictions(folder, certh, known, tmp_path):
    link(folder, tmp_path, BACKBONE, MIXTURE)
    small = Certh.from_folder(str(tmp_path))
    photo = known[0].photo
    np.testing.assert_array_equal(
        small.predict(photo).probabilities, certh.predict(photo).probabilities
    )
    assert len(small.features(photo)) == FEATURES
    with pytest.raises(FileNotFoundError, match=r"without rrm_head\.pt.*https://mever"):
        small.embedding(photo)
    with pytest.raises(FileNotFoundError, match=r"without back_coll_features\.hdf5.*load the mod"):
        small.refine(photo)


def test_searching_needs_the_retrieval_head(folder, tmp_path):
    link(folder, tmp_path, BACKBONE, MIXTURE, BACKGROUND)
    with pytest.raises(FileNotFoundError, match=r"without rrm_head\.pt.*beside the other"):
        Certh.from_folder(tmp_path).refine(noise(60, 80))


@pytest.mark.parametrize("name", [BACKBONE, MIXTURE])
def test_a_missing_file_is_named_with_where_to_get_it(name, tmp_path):
    (tmp_path / (MIXTURE if name == BACKBONE else BACKBONE)).touch()
    with pytest.raises(FileNotFoundError) as info:
        Certh.from_folder(tmp_path)
    assert f"There is no file {name} in {tmp_path}" in str(info.value)
    assert f"https://mever.iti.gr/visloc/{name}" in str(info.value)


def test_a_missing_folder_says_what_belongs_in_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*none.*backbone\.pt and mvmf_head"):
        Certh.from_folder(tmp_path / "none")


def test_without_h5py_only_the_search_fails(folder, certh, known, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    model = Certh.from_folder(folder)
    assert model.predict(known[0].photo).best.index == certh.predict(known[0].photo).best.index
    with pytest.raises(ImportError, match=r"pip install combicam_widgets\[certh\]"):
        model.refine(known[0].photo)


# What is wrong with a file


def refusal(name, path):
    with pytest.raises(ValueError, match=r".") as info:
        READERS[name](path)
    path.unlink()  # up to 70 MB
    message = str(info.value)
    assert str(path) in message
    assert f"https://mever.iti.gr/visloc/{name}" in message
    return message


def spoiled(name, folder, tmp_path, change):
    tensors = torch.load(folder / name, weights_only=True)
    change(tensors)
    path = tmp_path / name
    torch.save(tensors, path)
    return path


KEYS = {
    BACKBONE: "_blocks.31._se_reduce.bias",
    MIXTURE: "mixture_weights.seq_model.0.bias",
    RETRIEVAL: "res.fc2.bias",
}


@pytest.mark.filterwarnings("ignore:Validating sparse tensor invariants")
@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w, key: w.pop(key), "lacks '{key}'"),
        (lambda w, key: w.update({f"{key}.2": w[key]}), "must not hold '{key}.2'"),
        (lambda w, key: w.update({key: w[key][:-1]}), "float32 tensor of shape ({n},), but is a"),
        (lambda w, key: w.update({key: w[key].double()}), "but is a float64 tensor of shape ({n},"),
        (lambda w, key: w[key].fill_(math.nan), "but holds NaN or infinite values"),
        (lambda w, key: w[key][-1:].fill_(math.inf), "but holds NaN or infinite values"),
        (lambda w, key: w.update({key: [0.0]}), "but is a list"),
        (lambda w, key: w.update({key: w[key].to_sparse()}), "no plain values"),
        (lambda w, key: w.update({key: w[key].to("meta")}), "no plain values"),
    ],
    ids=["missing", "extra", "shape", "dtype", "nan", "infinite", "list", "sparse", "meta"],
)
def test_wrong_tensors_are_named(name, change, words, folder, tmp_path):
    key = KEYS[name]
    lengths = {BACKBONE: 112, MIXTURE: CELLS, RETRIEVAL: FEATURES}
    path = spoiled(name, folder, tmp_path, lambda w: change(w, key))
    message = refusal(name, path)
    assert words.format(key=key, n=lengths[name]) in message
    assert key in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w["mvmf.mus"].copy_(w["mvmf.mus"].flip(0)), "latitude must lie between"),
        (
            lambda w: w.update({"mvmf.mus": w["mvmf.mus"].T}),
            "shape (2, 40), but is a float64 tenso",
        ),
        (
            lambda w: w.update({"mvmf.mus": w["mvmf.mus"].float()}),
            "float64 tensor of shape (2, 40)",
        ),
        (lambda w: w["mvmf.mus"].copy_(w["mvmf.mus"][:, :1]), "at least 4 centers"),
        (lambda w: w["mvmf.mus"][0].zero_(), "on one circle"),
        (lambda w: w["mvmf.kappas"][3:4].fill_(900.0), "concentrations exp(kappa + 16)"),
        (lambda w: w["mvmf.kappas"][3:4].fill_(-900.0), "concentrations exp(kappa + 16)"),
        (lambda w: w.pop("mvmf.kappas"), "lacks 'mvmf.kappas'"),
        (lambda w: w.update({"mvmf.kappas": torch.zeros(0)}), "float64 tensor of shape (2, 0)"),
        (lambda w: w.clear(), "and 3 more keys"),
        (lambda w: w.update({7: torch.zeros(1)}), "must not hold 7"),
    ],
)
def test_wrong_mixtures_are_explained(change, words, folder, tmp_path):
    assert words in refusal(MIXTURE, spoiled(MIXTURE, folder, tmp_path, change))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged or cut off"),
        (b"PK\x03\x04", "damaged or cut off"),
        (b"<html>404</html>", "is no PyTorch file"),
        (None, "damaged or cut off"),
    ],
    ids=["empty", "zip", "page", "cut off"],
)
def test_broken_files_are_refused(name, content, words, folder, tmp_path):
    path = tmp_path / name
    whole = (folder / name).read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert words in refusal(name, path)


@pytest.mark.parametrize("content", [torch.zeros(3), [torch.zeros(3)], "text", None])
def test_what_is_no_state_dict_is_refused(content, tmp_path):
    torch.save(content, tmp_path / MIXTURE)
    assert f"holds a {type(content).__name__}" in refusal(MIXTURE, tmp_path / MIXTURE)


def test_files_that_are_swapped_are_told_apart(folder, tmp_path):
    (tmp_path / BACKBONE).symlink_to(folder / MIXTURE)
    assert "belongs to another model or another part" in refusal(BACKBONE, tmp_path / BACKBONE)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("zipped", [False, True])
def test_code_in_a_file_is_never_run(name, zipped, folder, tmp_path):
    link(folder, tmp_path, *(READERS.keys() - {name}))
    trace = tmp_path / "it ran"
    bomb = {KEYS[name]: Bomb(trace)}
    torch.save(bomb, tmp_path / name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"holds more than tensors, such as code; nothing in it w"):
        Certh.from_folder(tmp_path)
    assert not trace.exists()


def test_the_bomb_would_go_off(tmp_path):
    """Else the test above proves nothing."""
    path, trace = tmp_path / MIXTURE, tmp_path / "it ran"
    torch.save({KEYS[MIXTURE]: Bomb(trace)}, path)
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        pickle.load(io.BytesIO(archive.read(name)))
    assert trace.exists()


# What is wrong with the background collection


@pytest.fixture(scope="module")
def searching(folder):
    """Refine in the cell with the most photos, with another background collection."""
    certh = Certh.from_folder(folder)
    photo = noise(60, 80)
    prediction = certh.predict(photo)

    def search(path):
        certh._background = type(certh._background)(path, certh.cells)
        return certh.refine(photo, prediction)

    return search


def write(path, **datasets):
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name] = data
    return path


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        ({}, "no dataset 'features'"),
        ({"features": np.zeros((9, FEATURES))}, "no dataset 'labels'"),
        ({"features/inner": np.zeros(9)}, "no dataset 'features'"),
        (
            {"features": np.zeros((9, 512), np.float32), "labels": np.zeros((9, 2))},
            "'features' must hold floating numbers of shape (K, 1792), not float32 of shape (9, 51",
        ),
        (
            {"features": np.zeros((9, FEATURES)), "labels": np.zeros(9)},
            "'labels' must hold floating numbers of shape (K, 2), not float64 of shape (9,)",
        ),
        (
            {"features": np.zeros((9, FEATURES), int), "labels": np.zeros((9, 2))},
            "not int64 of shape (9, 1792)",
        ),
        (
            {"features": np.zeros((9, FEATURES)), "labels": np.zeros((8, 2))},
            "9 rows of 'features' for 8 of 'labels'",
        ),
        (
            {"features": np.zeros((9, FEATURES)), "labels": np.full((9, 2), 120.0)},
            "are latitude and longitude swapped?",
        ),
        (
            {"features": np.zeros((9, FEATURES)), "labels": np.full((9, 2), np.nan)},
            "'labels' are not positions in degrees",
        ),
    ],
)
def test_wrong_collections_are_explained(datasets, words, searching, tmp_path):
    path = write(tmp_path / BACKGROUND, **datasets)
    with pytest.raises(ValueError, match="is not the background collection") as info:
        searching(path)
    assert words in str(info.value)
    assert str(path) in str(info.value)
    assert f"https://mever.iti.gr/visloc/{BACKGROUND}" in str(info.value)


def test_features_that_are_no_numbers_are_found_when_read(searching, collection, tmp_path):
    features = np.full_like(collection.features, np.nan)
    path = write(tmp_path / BACKGROUND, features=features, labels=collection.labels)
    with pytest.raises(ValueError, match=r"row \d+ of 'features' holds NaN or infinite values"):
        searching(path)


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_collection_that_is_cut_off_is_refused(share, searching, folder, tmp_path):
    path = tmp_path / BACKGROUND
    whole = (folder / BACKGROUND).read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ValueError, match="damaged, cut off or no HDF5 file"):
        searching(path)


def test_a_collection_that_was_moved_away_is_called_missing(searching, tmp_path):
    with pytest.raises(FileNotFoundError):
        searching(tmp_path / BACKGROUND)
