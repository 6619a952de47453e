"""What the naturalist knows and sees, against knowledge that does not come from its gazetteer."""

import math
import re

import numpy as np
import pytest
import torch

from combicam_widgets import cam
from combicam_widgets.geo import GeoPrediction, great_circle_km
from combicam_widgets.models import Concept, Naturalist
from combicam_widgets.samples import list_samples, sample, sample_info

ANIMALS = [name for name in list_samples() if sample_info(name).kind == "animal"]
MONUMENTS = [name for name in list_samples() if sample_info(name).kind == "monument"]

# ImageNet's name -> (latitude, longitude, radius in km) of a circle around the native range, with
# half a cell to spare. Gorillas live from Gabon to Rwanda, titis also in Brazil's Atlantic Forest.
SPECIES = {
    "African crocodile": (-8, 30, 2800),
    "African elephant": (-9, 26, 2600),
    "American alligator": (31, -86, 950),
    "American lobster": (44, -66, 900),
    "axolotl": (19.3, -99.1, 400),
    "bald eagle": (48, -105, 3200),
    "bighorn": (42, -113, 1500),
    "bison": (47, -105, 1700),
    "black swan": (-33, 140, 2900),
    "chambered nautilus": (-5, 140, 4000),
    "Dungeness crab": (46, -126, 1800),
    "echidna": (-26, 137, 2500),
    "frilled lizard": (-15, 137, 1500),
    "giant panda": (31.5, 104.5, 500),
    "Gila monster": (32, -112, 600),
    "gorilla": (0, 19.5, 1500),
    "green mamba": (-10, 34, 2200),
    "ice bear": (90, 0, 4200),
    "impala": (-13, 32, 2000),
    "Indian cobra": (20, 78, 1600),
    "Indian elephant": (15, 92, 2200),
    "indri": (-17.5, 49, 400),
    "king penguin": (-90, 0, 4500),
    "koala": (-28, 148, 1300),
    "Komodo dragon": (-8.6, 119.8, 500),
    "langur": (20, 82, 1900),
    "lion": (-8, 28, 2800),
    "llama": (-17, -69, 1500),
    "Madagascar cat": (-22, 46, 700),
    "marmoset": (-15, -48, 1900),
    "meerkat": (-24, 20, 1100),
    "orangutan": (1, 107, 1300),
    "peacock": (20, 79, 1500),
    "platypus": (-30, 148, 1600),
    "proboscis monkey": (1, 114, 700),
    "siamang": (1, 101, 700),
    "sidewinder": (34.5, -114.5, 500),
    "snow leopard": (38, 86, 2000),
    "three-toed sloth": (-5, -65, 2800),
    "titi": (-10, -58, 2300),
    "wallaby": (-27, 140, 2600),
    "wombat": (-36, 147, 900),
}
assert len(SPECIES) >= 30


@pytest.fixture(scope="module")
def predictions(naturalist):
    return {name: naturalist.predict(sample(name)) for name in list_samples()}


@pytest.mark.parametrize("name", SPECIES)
def test_species_are_at_home_where_they_live(name, naturalist):
    latitude, longitude, radius_km = SPECIES[name]
    place = naturalist.place_of(name)
    assert isinstance(place, GeoPrediction)
    assert place.distance_to(latitude, longitude) <= radius_km, place.best


def test_place_of_takes_names_in_any_case_and_indices(naturalist):
    koala = naturalist.place_of("koala").probabilities
    for same in ("KOALA", "Koala", 105, np.int64(105)):
        np.testing.assert_array_equal(naturalist.place_of(same).probabilities, koala)
    for index in (0, 999):
        assert naturalist.place_of(index).probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_names_that_several_classes_share_are_refused_with_their_indices(naturalist):
    # Two classes differ only in case: the Welsh corgi and the jacket.
    for name in ("cardigan", "Cardigan"):
        with pytest.raises(ValueError, match=rf"Several .* {name!r}.*\[264, 474\]"):
            naturalist.place_of(name)
    corgi, jacket = naturalist.place_of(264), naturalist.place_of(474)
    assert corgi.distance_to(52.2, -4.3) < 500  # Ceredigion, Wales
    assert (corgi.probabilities != jacket.probabilities).any()


def test_near_names_are_kept_apart(naturalist):
    """Names that ImageNet itself uses twice; torchvision tells them apart."""
    assert naturalist.classes[134] == "crane bird"
    assert naturalist.classes[517] == "crane"
    assert naturalist.classes[638] == "maillot"
    for name, index in {"crane": 517, "crane bird": 134, "maillot": 638}.items():
        np.testing.assert_array_equal(
            naturalist.place_of(name).probabilities, naturalist.place_of(index).probabilities
        )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kaola", "No ImageNet class is called 'kaola'. Did you mean 'koala'"),
        ("panda", "Did you mean .*'giant panda'"),
        ("narwhal", "called 'narwhal'"),
        ("", "called ''"),
        (-1, "from 0 to 999; -1 is not one"),
        (1000, "from 0 to 999; 1000 is not one"),
    ],
)
def test_unknown_concepts_are_refused_with_help(name, message, naturalist):
    with pytest.raises(ValueError, match=message):
        naturalist.place_of(name)


@pytest.mark.parametrize("concept", [None, 3.5, True, b"koala", ["koala"]])
def test_other_kinds_of_concept_are_refused(concept, naturalist):
    with pytest.raises(TypeError, match=re.escape(f"name or index, not {concept!r}")):
        naturalist.place_of(concept)


def test_the_koala_is_a_koala(naturalist):
    photo = sample("koala")
    first, *others = concepts = naturalist.concepts(photo)
    assert (first.name, first.index) == ("koala", 105)
    assert first.probability > 0.8
    assert "Queensland" in first.region
    assert str(first) == f"koala {first.probability:.2f}: {first.region}"
    assert naturalist.seen(photo) == f"koala {first.probability:.2f}"
    assert len(concepts) == 5
    assert all(isinstance(concept, Concept) for concept in concepts)
    assert sorted([c.probability for c in others], reverse=True) == [c.probability for c in others]


def test_all_concepts_together_are_everything(naturalist):
    concepts = naturalist.concepts(sample("moose"), 1000)
    assert sum(concept.probability for concept in concepts) == pytest.approx(1, abs=1e-4)
    assert sorted(concept.index for concept in concepts) == list(range(1000))
    assert all(concept.name == naturalist.classes[concept.index] for concept in concepts)
    assert "anywhere people live" in {concept.region for concept in concepts}


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_a_senseless_number_of_concepts_is_refused(k, naturalist):
    with pytest.raises(ValueError, match=f"k must be between 1 and 1000, not {k}"):
        naturalist.concepts(sample("koala"), k)


def test_the_prediction_is_the_mixture_of_the_places_of_the_concepts(naturalist, predictions):
    for name in ("koala", "moose", "great_wall_of_china"):
        expected = np.zeros(len(naturalist.cells))
        for concept in naturalist.concepts(sample(name), 1000):
            expected += concept.probability * naturalist.place_of(concept.index).probabilities
        np.testing.assert_allclose(predictions[name].probabilities, expected, atol=2e-6)


def test_most_animals_are_put_near_their_range(predictions, animal_ranges):
    """The acceptance criterion: 12 of 15 within 1,500 km. The ranges are in animal_ranges.csv."""
    assert sorted(animal_ranges) == ANIMALS
    distances = {}
    for name, circles in animal_ranges.items():
        distances[name] = min(
            max(0, predictions[name].distance_to(latitude, longitude) - radius_km)
            for latitude, longitude, radius_km in circles
        )
    near = [name for name, km in distances.items() if km <= 1500]
    assert len(near) >= 12, distances


def test_the_ranges_are_no_wider_than_a_continent(animal_ranges):
    """Circles as large as the tolerance would make the test above easy."""
    for name, circles in animal_ranges.items():
        for latitude, longitude, radius_km in circles:
            assert -90 <= latitude <= 90, name
            assert -180 <= longitude < 180, name
            assert 100 <= radius_km <= 1600, name


@pytest.mark.parametrize("name", MONUMENTS)
def test_monuments_get_an_answer_with_a_distance(name, predictions):
    prediction = predictions[name]
    assert math.isfinite(prediction.distance_to(*sample(name).position))
    assert (prediction.probabilities > 0).all()
    assert prediction.probabilities.sum(dtype=np.float64) == pytest.approx(1, abs=1e-4)


def test_every_block_is_explained(naturalist):
    assert naturalist.layers == tuple(f"blocks.{i}" for i in range(16))
    shapes = [layer.shape for layer in naturalist.architecture.layers]
    widths = [16, *[24] * 2, *[40] * 2, *[80] * 3, *[112] * 3, *[192] * 4, 320]
    sides = [112, *[56] * 2, *[28] * 2, *[14] * 6, *[7] * 5]
    assert shapes == [(k, s, s) for k, s in zip(widths, sides, strict=True)]
    assert naturalist.seen.__func__ is not type(naturalist).__base__.seen


def test_maps_of_the_koala_look_at_the_koala(naturalist):
    photo = sample("koala")
    maps = naturalist.explain(photo)
    assert maps.target == naturalist.predict(photo).best.index
    assert maps.probability == pytest.approx(naturalist.predict(photo).best.probability, rel=1e-4)
    heatmap = maps.fuse()
    assert heatmap.shape == (photo.height, photo.width)
    kept = naturalist.evidence(photo, heatmap, keep=0.3).probabilities[maps.target]
    rest = naturalist.evidence(photo, 1 - heatmap, keep=0.3).probabilities[maps.target]
    assert kept > 2 * rest


def test_the_gazetteer_is_part_of_the_network(naturalist):
    """So that a cell, not a class, is what gets explained."""
    batch = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    logits = cam.class_scores(naturalist.classifier, batch).double().softmax(1)
    table = np.stack([naturalist.place_of(k).probabilities for k in range(1000)])
    cells = cam.class_scores(naturalist.network, batch).double().softmax(1)
    np.testing.assert_allclose(cells, logits.numpy() @ table.astype(float), rtol=1e-4)


def test_a_second_naturalist_is_the_same(naturalist, predictions):
    again = Naturalist().predict(sample("bison"))
    np.testing.assert_array_equal(again.probabilities, predictions["bison"].probabilities)
    assert great_circle_km(again.best.latitude, again.best.longitude, 44.5, -110.6) < 1500


@pytest.mark.parametrize("k", [1.5, True, "1", None, np.float64(1)])
def test_a_number_of_concepts_is_whole(k, naturalist):
    with pytest.raises(TypeError, match="k must be a whole number, not"):
        naturalist.concepts(sample("koala"), k)


@pytest.mark.parametrize("concept", [1.5, True, None, np.array([1, 2]), torch.tensor(0.3)])
def test_a_concept_is_a_name_or_an_index(concept, naturalist):
    with pytest.raises(TypeError, match="concept must be a class's name or index, not"):
        naturalist.place_of(concept)


def test_views_are_explained_together_and_what_is_seen_costs_no_further_pass(naturalist):
    photos = [sample(name) for name in ("bison", "polar_bear", "kangaroo")]
    views = torch.cat([naturalist.transformed(photo) for photo in photos])
    passes = []
    hook = naturalist.network[0].register_forward_hook(lambda *_: passes.append(1))
    try:
        naturalist.explain_views(views, "gradcam")  # layers are found once
        passes.clear()
        maps, seen = naturalist.explain_views(views, "gradcam")
    finally:
        hook.remove()
    assert len(passes) == 1
    assert [words.split()[0] for words in seen] == ["bison", "ice", "wallaby"]
    for photo, view, each, words in zip(photos, views, maps, seen, strict=True):
        assert words == naturalist.seen(photo)
        alone = naturalist.explain(photo, methods="gradcam")
        assert each.size == tuple(view.shape[1:])
        assert each.target == alone.target
        assert np.allclose(each.probabilities, alone.probabilities, atol=1e-5)
        for x, y in zip(each.maps, alone.maps, strict=True):
            assert np.abs(x - y).max() <= 1e-3 * y.max()
