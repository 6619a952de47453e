"""The recipes of the atlas on worlds made up here: no imagery, no network, a few steps."""

import importlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
import shapely
import torch
from safetensors.torch import load_file

from combicam_widgets.geo import (
    EARTH_RADIUS_KM,
    CellGrid,
    coastline,
    great_circle_km,
    unit_vectors,
    vector_coordinates,
)
from combicam_widgets.geo.gnomonic import gnomonic_grid
from combicam_widgets.geo.places import Cities

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.fixture(scope="module")
def recipe():
    """Import a recipe by its name, as it is imported when it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPES))
        yield importlib.import_module


@pytest.fixture(scope="module")
def train(recipe):
    return recipe("train_atlas")


@pytest.fixture(scope="module")
def figures(recipe):
    return recipe("atlas_figures")


@pytest.fixture(scope="module")
def earth(recipe):
    """The land of the shipped coastline."""
    land = shapely.from_geojson(json.dumps(coastline()["geometry"]))
    return recipe("land").Land(list(land.geoms))


@pytest.fixture(scope="module")
def cells(recipe):
    return CellGrid.from_centers(*recipe("build_atlas_cells").fibonacci_lattice(50))


@pytest.fixture(scope="module")
def world():
    """Red, green and blue are x, y and z of the place, from 0 to 1."""
    latitudes = 90 - (np.arange(128) + 0.5) / 128 * 180
    longitudes = (np.arange(256) + 0.5) / 128 * 180 - 180
    vectors = (1 + unit_vectors(latitudes[:, None], longitudes[None])) / 2
    return torch.from_numpy(vectors).permute(2, 0, 1)[None].float()


@pytest.fixture
def pieces(train, earth, cells, world, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 6)
    monkeypatch.setattr(train, "SIDE", 16)
    monkeypatch.setattr(train, "PLACES", 500)
    return train.Pieces(cells, earth, [(0.75, world), (0.25, world)])


@pytest.fixture
def student(train, cells, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "CHECKPOINT", tmp_path / "atlas" / "checkpoint.pt")
    monkeypatch.setattr(train, "HOME", tmp_path)
    monkeypatch.setattr(train, "LOG", tmp_path / "training.csv")
    return train.Student(len(cells))


def test_the_lattice_is_even(recipe):
    vectors = unit_vectors(*recipe("build_atlas_cells").fibonacci_lattice(2000))
    closeness = vectors @ vectors.T
    np.fill_diagonal(closeness, -1)
    nearest = np.arccos(closeness.max(1)) * math.sqrt(2000 / (4 * math.pi))  # in cells' widths
    assert nearest.min() > 0.85
    assert nearest.max() < 1.1
    # Each cap has as many points as its share of the sphere, give or take a few.
    middles = np.random.default_rng(1).normal(size=(300, 3))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    counts = (middles @ vectors.T > math.cos(0.5)).sum(1)
    assert np.abs(counts - 2000 * math.sin(0.25) ** 2).max() < 9


def test_places_on_a_box_of_land_are_spread_by_area(recipe):
    land = recipe("land").Land([shapely.box(10, 20, 50, 80)])
    places = land.places(np.random.default_rng(2), 3000)
    latitudes, longitudes = vector_coordinates(places)
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 1)
    for values, low, high in (
        (longitudes, 10, 50),
        (np.sin(np.radians(latitudes)), math.sin(math.radians(20)), math.sin(math.radians(80))),
    ):
        steps = np.sort((values - low) / (high - low))
        assert steps[0] >= 0
        assert steps[-1] <= 1
        # Kolmogorov-Smirnov, one in a thousand.
        assert np.abs(steps - (np.arange(3000) + 0.5) / 3000).max() < 1.95 / math.sqrt(3000)


def test_coast_and_area_of_a_box_across_the_antimeridian(recipe):
    land = recipe("land").Land([shapely.box(170, -5, 180, 5), shapely.box(-180, -5, -170, 5)])
    degree = math.radians(EARTH_RADIUS_KM)
    points = np.array([0, 0, 0, 4.0]), np.array([180, -180, -171, 175.0])
    # The cut is no coast; the nearest point of a parallel or meridian 5, 5, 1, 1 degrees away.
    expected = np.array([5, 5, 1, 1]) * degree
    np.testing.assert_allclose(land.coast_km(*points), expected, rtol=0.01)
    area = EARTH_RADIUS_KM**2 * math.radians(20) * 2 * math.sin(math.radians(5))
    np.testing.assert_allclose(land.mass_km2(*points), area, rtol=1e-9)
    assert land.mass_km2(np.array([6.0]), np.array([175.0])) == 0


@pytest.mark.parametrize(
    ("name", "places"),
    {
        "Africa": [(30, 31), (-34, 19), (9, 45), (36, 4), (15, -16), (30, 32.3)],
        "Antarctica": [(-80, 20), (-75, 179.9), (-70, -65)],
        "Australia": [(-25, 134), (-37, 145)],
        "Eurasia": [(40, -4), (15, 45), (41, 15), (66.5, -175), (67, 179), (31, 34.8), (3, 102)],
        "Greenland": [(72, -40), (61.5, -46)],
        "North America": [(65, -160), (9, -80), (18, -92), (48, -70)],
        "South America": [(5, -76.5), (-50, -72), (-8, -36), (10, -68)],
        "other islands": [(-19, 46), (65, -18), (36, 138), (-43, 171), (-5, 142), (70, -72)],
    }.items(),
)
def test_continents(name, places, earth):
    np.testing.assert_array_equal(earth.continents(*np.array(places, float).T), name)


def test_land_masses_have_the_areas_of_the_atlas(earth):
    places = np.array([(-25, 134), (72, -40), (-19, 46), (67, -175), (67, 100)], float)
    areas = earth.mass_km2(*places.T) / 1e6
    np.testing.assert_allclose(areas[:3], [7.6, 2.17, 0.59], rtol=0.05)
    assert areas[3] == areas[4]
    # Europe, Asia and Africa have 85, about 5 of them on islands.
    assert areas[3] == pytest.approx(80, rel=0.02)


def test_answers_are_soft_and_symmetric(train, pieces, cells):
    middle = cells.unit_vectors[0] + cells.unit_vectors[[1, 2, 3, 4]]
    places = np.concatenate([cells.unit_vectors, middle / np.linalg.norm(middle, axis=1)[:, None]])
    answers = pieces.answers(places).double().numpy()
    np.testing.assert_allclose(answers.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(answers[:50].argmax(1), range(50))
    for row, (a, b) in zip(answers[50:], [(0, 1), (0, 2), (0, 3), (0, 4)], strict=True):
        assert row[a] == pytest.approx(row[b], rel=0.02)


def test_answers_follow_a_bell_curve(train, pieces, cells, monkeypatch):
    monkeypatch.setattr(train, "SOFTNESS_KM", 900.0)
    place = unit_vectors([12.0], [34.0])
    km = cells.distances_km(12, 34)
    expected = np.exp(-0.5 * (km / 900) ** 2)
    np.testing.assert_allclose(
        pieces.answers(place)[0].numpy(), expected / expected.sum(), rtol=0.02, atol=1e-7
    )


def test_pieces_show_what_lies_around_their_middle_north_up(train, pieces, monkeypatch):
    monkeypatch.setattr(train, "TURN", 0.0)
    monkeypatch.setattr(train, "SIDE", 33)
    pictures, places = pieces.pictures(np.random.default_rng(3), 64)
    assert pictures.shape == (64, 3, 33, 33)
    vectors = pictures.permute(0, 2, 3, 1).double().numpy() * 2 - 1
    np.testing.assert_allclose(vectors[:, 16, 16], places, atol=0.01)
    tall = great_circle_km(
        *vector_coordinates(vectors[:, 0, 16]), *vector_coordinates(vectors[:, -1, 16])
    )
    low, high = (width * 32 / 33 for width in train.WIDTHS_KM)
    assert tall.min() > low * 0.97
    assert tall.max() < high * 1.03
    away = np.abs(vector_coordinates(places)[0]) < 75
    up = vector_coordinates(vectors[away, 12, 16])[0] - vector_coordinates(places[away])[0]
    east = np.cross([0, 0, 1], places[away])
    right = ((vectors[away, 16, 20] - places[away]) * east).sum(1)
    assert up.min() > 0
    assert right.min() > 0


def test_pieces_are_seen_as_a_user_sees_them(train):
    """The projection of the training is that of `ccw.tile`."""
    random = np.random.default_rng(4)
    places = random.normal(size=(20, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    widths, turns = random.uniform(900, 2200, 20), random.normal(0, 40, 20)
    x, y = train.views(places, widths, turns, 12, "cpu").double().unbind(-1)
    latitudes, longitudes = gnomonic_grid(*vector_coordinates(places), widths, 12, turns)
    seen = unit_vectors(-90 * y.numpy(), 180 * x.numpy())
    np.testing.assert_allclose(seen, unit_vectors(latitudes, longitudes), atol=2e-6)


def test_a_step_has_always_the_same_pieces(pieces):
    for x, y in zip(pieces.batch(7), pieces.batch(7), strict=True):
        assert torch.equal(x, y)
    assert not torch.equal(pieces.batch(7)[0], pieces.batch(8)[0])
    assert not torch.equal(pieces.batch(7)[0], pieces.batch(7, seed=1)[0])


def test_disturbed_pictures_are_still_pictures(train):
    plain = torch.rand(40, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    before = plain.clone()
    first, again, other = (
        train.disturbed(plain, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(plain, before)
    assert first.shape == plain.shape
    assert first.isfinite().all()
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    # What it shows can still be told: each picture is most like itself.
    x, y = (p.flatten(1) - p.flatten(1).mean(1, keepdim=True) for p in (plain, first))
    likeness = (x / x.norm(dim=1, keepdim=True)) @ (y / y.norm(dim=1, keepdim=True)).T
    assert (likeness.argmax(0) == torch.arange(40)).float().mean() > 0.95


def test_the_network_sees_from_minus_one_to_one(train):
    values = torch.tensor([0.0, 0.25, 0.5, 1.0])
    assert train.normalised(values).tolist() == [-1, -0.5, 0, 1]


def test_the_pace_goes_up_stays_and_goes_down(train):
    paces = np.array([train.pace(step, 4000) for step in range(4000)])
    level = round(4000 * (1 - train.DECAY))
    assert 0 < paces[0] < 0.01
    assert (np.diff(paces[: train.WARM_UP]) > 0).all()
    np.testing.assert_array_equal(paces[train.WARM_UP : level], 1)
    assert (np.diff(paces[level + 1 :]) < 0).all()
    assert paces[round(4000 * (1 - train.DECAY / 2))] == pytest.approx(0.5, abs=1e-6)
    assert paces[-1] < 1e-4
    assert train.pace(4000, 4000) == 0
    assert train.pace(5000, 4000) == 0


def test_another_season_keeps_the_shore_and_makes_what_is_bright_white(train):
    """Half of each picture is dark sea, half is land or ice, which stays the brighter."""
    pictures = torch.full((400, 3, 16, 16), 0.1)
    pictures[:, :, :, 8:] = 0.75
    before = pictures.clone()
    changed = train.other_season(pictures, torch.Generator().manual_seed(5))
    again = train.other_season(pictures, torch.Generator().manual_seed(5))
    assert torch.equal(pictures, before)
    assert torch.equal(changed, again)
    assert changed.min() >= 0
    assert changed.max() <= 1
    grey = changed.mean((1, 2))  # (N, 16): the mean over colours and rows
    assert (grey[:, 9:].mean(1) > grey[:, :7].mean(1)).float().mean() > 0.97
    white = (changed[:, :, :, 8:] == 1).flatten(1).all(1).float().mean()
    assert 0.05 < white < 0.35
    assert (changed != pictures).flatten(1).any(1).float().mean() > 0.7


def test_ice_becomes_white_more_often_than_deserts(train):
    """Ice is bright in all colours, a desert in red."""
    ice, desert = torch.tensor([0.8, 0.82, 0.85]), torch.tensor([0.85, 0.7, 0.5])
    pictures = torch.stack([ice, desert])[:, :, None, None].repeat(400, 1, 8, 8)
    changed = train.other_season(pictures, torch.Generator().manual_seed(3))
    white = (changed[:, 0] > 0.999).float().mean((1, 2))
    assert white[::2].mean() > 0.2
    assert white[1::2].mean() < white[::2].mean() * 0.8


def test_many_pieces_are_narrow(train, pieces, monkeypatch):
    widths = []
    cut = train.views
    monkeypatch.setattr(
        train,
        "views",
        lambda places, width, *rest: widths.append(width) or cut(places, width, *rest),
    )
    for step in range(80):
        pieces.batch(step)
        pieces.pictures(np.random.default_rng(step), 6)
    hard, plain = np.concatenate(widths[::2]), np.concatenate(widths[1::2])
    for found in plain, hard:
        assert found.min() >= train.WIDTHS_KM[0]
        assert found.max() <= train.WIDTHS_KM[1]
    share = np.log(1300 / 900) / np.log(2200 / 900)
    assert (plain < 1300).mean() == pytest.approx(share, abs=0.1)
    assert (hard < 1300).mean() == pytest.approx(share + train.NARROW * (1 - share), abs=0.1)


def test_a_resumed_training_takes_the_same_step(train, student, pieces):
    for step in range(2):
        student.learn(*pieces.batch(step), rate=1e-4)
    student.save([(1, 2.5, 3.5, 0.25)])
    other = train.Student(student.cells)
    assert other.resume() == [(1, 2.5, 3.5, 0.25)]
    assert other.step == 2
    losses = [x.learn(*pieces.batch(2), rate=1e-4) for x in (student, other)]
    assert losses[0] == losses[1]
    for a, b in (
        (student.network.state_dict(), other.network.state_dict()),
        (student.mean, other.mean),
    ):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_without_a_checkpoint_a_training_begins_at_the_beginning(student):
    assert student.resume() == []
    assert student.step == 0


def test_the_running_mean_of_few_steps_is_their_mean(student, pieces):
    seen = []
    for step in range(3):
        student.learn(*pieces.batch(step), rate=1e-4)
        seen.append(student.network.head.weight.detach().clone())
    torch.testing.assert_close(student.mean["head.weight"], torch.stack(seen).mean(0))
    torch.testing.assert_close(student.averaged().head.weight, torch.stack(seen).mean(0))


def test_learning_learns(student, pieces):
    """Shown the same six pieces again and again, it gets to know them."""
    pictures, answers = pieces.batch(0)
    losses = [student.learn(pictures, answers, rate=2e-3) for _ in range(40)]
    assert losses[-1] < losses[0] / 2


def test_the_weights_that_are_written_carry_the_temperature(train, student, pieces):
    student.learn(*pieces.batch(0), rate=1e-4)
    student.mean["head.weight"] *= 100  # far too sure, for all it knows
    student.finish(pieces, [(1, 2.5, 3.5, 0.25)])
    written = load_file(train.HOME / "weights.safetensors")
    assert {x.dtype for x in written.values()} == {torch.float16}
    network = train.AtlasNetwork(student.cells)
    network.load_state_dict(written)
    with torch.inference_mode():
        picture = pieces.batch(5)[0]
        scores, plain = network.eval()(picture), student.averaged()(picture)
    temperature = (plain.norm() / scores.norm()).item()
    torch.testing.assert_close(scores * temperature, plain, atol=0.02, rtol=0.02)
    assert 0.3 <= round(temperature, 2) <= 3.0
    assert temperature > 1
    assert train.LOG.read_text().splitlines() == [
        "step,loss,median_km,within_750_km",
        "1,2.5,3.5,0.25",
    ]


def test_reliability_of_answers_counted_by_hand(figures):
    said = np.array([0.05, 0.07, 0.92, 0.94, 0.96, 1.0])
    found = figures.reliability(said, np.array([False, True, True, True, False, True]))
    np.testing.assert_allclose(found.said, [0.06, 0.955])
    np.testing.assert_allclose(found.was, [0.5, 0.75])
    assert found.count.tolist() == [2, 4]
    assert found.error == pytest.approx((2 * 0.44 + 4 * 0.205) / 6)


def test_honest_answers_have_no_calibration_error(figures):
    random = np.random.default_rng(4)
    said = random.random(200_000)
    assert figures.reliability(said, random.random(200_000) < said).error < 0.01
    assert figures.reliability(said, random.random(200_000) < said**2).error > 0.1


# Countries


def thirds_of(recipe, *boxes):
    return list(recipe("build_countries").in_parts([shapely.box(*box) for box in boxes]))


def test_the_middle_of_a_square_country_is_its_middle_third_and_50_km(recipe):
    ((thirds, polygons),) = thirds_of(recipe, (10, -6, 22, 6))
    assert len(polygons) == 1
    km = 180 / math.pi / EARTH_RADIUS_KM * 50
    np.testing.assert_allclose(thirds, [[14 - km, 18 + km], [-2 - km, 2 + km]], atol=0.02)


def test_a_narrow_country_has_no_east_and_a_small_one_no_part(recipe):
    (((east, north), _),) = thirds_of(recipe, (10, -10, 12, 10))
    assert east is None
    assert north == pytest.approx([-3.8, 3.8], abs=0.1)
    assert thirds_of(recipe, (10, 10, 11, 11))[0][0] == [None, None]


def test_a_country_across_the_antimeridian_is_whole(recipe):
    (((west, east), _), polygons), *more = thirds_of(recipe, (174, 0, 180, 12), (-180, 0, -174, 12))
    assert not more
    assert len(polygons) == 2
    assert (west % 360, east % 360) == pytest.approx((177.55, 182.45), abs=0.05)


def test_what_lies_far_off_is_a_part_of_its_own_without_directions(recipe):
    main, *others = thirds_of(recipe, (0, 0, 8, 8), (30, 0, 34, 4), (9, 0, 11, 2))
    assert [len(polygons) for _, polygons in (main, *others)] == [2, 1]
    assert all(main[0])
    assert others[0][0] == [None, None]


def test_a_country_is_called_as_its_cities_are(recipe, monkeypatch):
    """Each part of its own; as the whole where nobody lives."""
    countries = recipe("build_countries")
    boxes = [shapely.box(*b) for b in ((0, 0, 4, 4), (40, 0, 42, 2), (4.5, 0, 5, 1))]
    monkeypatch.setattr(countries, "features", lambda *_: [("Their name", boxes)])
    cities = Cities(
        np.array([1.0, 2, 3, 1]), np.array([1.0, 2, 3, 41]), np.ones(4, int),
        ("A, Here", "B, Here", "C, There", "D, Far"),
    )  # fmt: skip
    monkeypatch.setattr(countries, "geonames", lambda: cities)
    rows = countries.countries(Path("file"))
    assert [row["name"] for row in rows] == ["Far", "Here"]
    assert [len(row["polygons"]) for row in rows] == [1, 2]
