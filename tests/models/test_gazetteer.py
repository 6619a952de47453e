"""The gazetteer: its rows, the table made of them, and the layer made of the table."""

import csv
import math
from collections import Counter
from importlib import resources

import numpy as np
import pytest
import torch
from torchvision.models import EfficientNet_B0_Weights

from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, circle_points
from combicam_widgets.models.naturalist.gazetteer import (
    Bump,
    Habitat,
    cell_given_class,
    read_bumps,
    read_habitat,
)
from combicam_widgets.models.naturalist.model import GazetteerHead

CATEGORIES = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
COLUMNS = (
    *("index", "class", "region", "latitude", "longitude"),
    *("spread_km", "weight", "realm", "source"),
)
EVERYWHERE = 1e-4
"""Part of every class that is spread over the whole grid by area."""


@pytest.fixture(scope="module")
def rows():
    file = resources.files("combicam_widgets.models.naturalist") / "gazetteer.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def habitat():
    return read_habitat()


@pytest.fixture(scope="module")
def table(habitat):
    return cell_given_class(read_bumps(), habitat)


def label(row):
    return f"{row['index']} {row['class']}, {row['region']}"


def test_every_row_is_sane(rows):
    for row in rows:
        assert tuple(row) == COLUMNS, label(row)
        assert row["class"] == CATEGORIES[int(row["index"])], label(row)
        assert -90 <= float(row["latitude"]) <= 90, label(row)
        assert -180 <= float(row["longitude"]) < 180, label(row)
        assert 100 <= float(row["spread_km"]) <= 3000, label(row)
        assert 0 < float(row["weight"]) <= 1, label(row)
        assert row["realm"] in {"land", "sea"}, label(row)
        for text in (row["region"], row["source"]):
            assert text, label(row)
            assert text == text.strip(), label(row)
            assert text.isprintable(), label(row)


def test_many_classes_are_known_and_each_adds_up_to_one(rows):
    weights = Counter()
    for row in rows:
        weights[int(row["index"])] += float(row["weight"])
    assert len(weights) >= 300
    assert list(weights.values()) == pytest.approx([1] * len(weights))


def test_rows_are_sorted_by_class_and_none_is_twice(rows):
    indices = [int(row["index"]) for row in rows]
    assert indices == sorted(indices)
    for columns in (("index", "region"), ("index", "latitude", "longitude")):
        counts = Counter(tuple(row[column] for column in columns) for row in rows)
        assert {key: n for key, n in counts.items() if n > 1} == {}


def test_bumps_are_the_rows(rows):
    assert [
        (b.index, b.region, b.latitude, b.longitude, b.spread_km, b.weight, b.realm)
        for b in read_bumps()
    ] == [
        (int(r["index"]), r["region"], *(float(r[c]) for c in COLUMNS[3:7]), r["realm"])
        for r in rows
    ]


def test_bumps_are_centred_where_cells_are(habitat):
    """Land within 100 km of a cell with land, sea of one with sea.

    Else the bump's mass would go to the nearest cell, however far.
    """
    homeless = []
    for bump in read_bumps():
        near = np.vstack(
            [
                [(bump.latitude, bump.longitude)],
                circle_points(bump.latitude, bump.longitude, 50, 12),
                circle_points(bump.latitude, bump.longitude, 100, 24),
            ]
        )
        found = habitat.cells.locate(near[:, 0], near[:, 1])
        land = habitat.land_fraction[found[found >= 0]]
        if not (land > 0 if bump.realm == "land" else land < 1).any():
            homeless.append(bump)
    assert homeless == []


def test_rows_of_the_table_are_probabilities(table, habitat):
    assert table.shape == (1000, len(habitat.cells))
    assert table.dtype == np.float32
    assert (table > 0).all()
    np.testing.assert_allclose(table.sum(1, dtype=np.float64), 1, atol=1e-5)


def test_unknown_classes_spread_over_inhabited_land(table, habitat, rows):
    known = {int(row["index"]) for row in rows}
    unknown = sorted(set(range(1000)) - known)
    assert unknown
    people = habitat.area_km2 * habitat.land_fraction * habitat.inhabited
    everywhere = habitat.area_km2 / habitat.area_km2.sum()
    expected = (1 - EVERYWHERE) * people / people.sum() + EVERYWHERE * everywhere
    for index in unknown:
        np.testing.assert_allclose(table[index], expected, rtol=1e-4)


def habitat_of_six(area_km2, land_fraction, inhabited=(True,) * 6):
    """Cells centred on the corners of an octahedron; areas as one likes."""
    cells = CellGrid.from_centers([0, 0, 0, 0, 90, -90], [0, 90, 180, -90, 0, 0])
    return Habitat(
        cells, np.array(area_km2, float), np.array(land_fraction, float), np.array(inhabited)
    )


def bump_at(latitude, longitude, *, spread_km, weight=1.0, realm="land", index=3):
    return Bump(index, "somewhere", latitude, longitude, spread_km, weight, realm)


def test_two_cells_by_hand():
    """The variance is R^2, so kappa = 1: densities e^0 at the centre and e^-1 at 90 degrees."""
    area = 600_000.0
    spread = math.sqrt(EARTH_RADIUS_KM**2 - area / 12)
    habitat = habitat_of_six([area] * 6, [1, 1, 0, 0, 0, 0])
    row = cell_given_class((bump_at(0, 0, spread_km=spread),), habitat)[3]
    here, there = math.e / (math.e + 1), 1 / (math.e + 1)
    rest = EVERYWHERE / 6
    scale = 1 - EVERYWHERE
    expected = [scale * here + rest, scale * there + rest, *[rest] * 4]
    np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_the_formula_spelled_out():
    area = [250e3, 180e3, 300e3, 210e3, 150e3, 270e3]
    land = [1.0, 0.25, 0.5, 0.0, 0.75, 0.1]
    bumps = (
        bump_at(10, 20, spread_km=2500, weight=0.75),
        bump_at(-60, 150, spread_km=3000, weight=0.5, realm="sea"),
        bump_at(0, 0, spread_km=900, index=999),
    )
    centres = [(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]
    expected = [0.0] * 6
    for bump in bumps[:2]:
        lat, lon = math.radians(bump.latitude), math.radians(bump.longitude)
        centre = (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))
        masses = []
        for j in range(6):
            variance = bump.spread_km**2 + area[j] / 12
            kappa = EARTH_RADIUS_KM**2 / variance
            cosine = sum(a * b for a, b in zip(centre, centres[j], strict=True))
            share = land[j] if bump.realm == "land" else 1 - land[j]
            # The norm of the density, kappa / (2 pi (1 - e^(-2 kappa))), for narrow bumps.
            masses.append(kappa * math.exp(kappa * (cosine - 1)) * area[j] * share)
        for j in range(6):
            expected[j] += bump.weight / 1.25 * masses[j] / sum(masses)
    expected = [
        (1 - EVERYWHERE) * p + EVERYWHERE * a / sum(area)
        for p, a in zip(expected, area, strict=True)
    ]
    row = cell_given_class(bumps, habitat_of_six(area, land))[3]
    np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_weights_count_only_within_their_class():
    habitat = habitat_of_six([2e5] * 6, [0.5] * 6)
    bumps = (bump_at(0, 0, spread_km=3000, weight=0.2), bump_at(90, 0, spread_km=800, weight=0.6))
    doubled = tuple(
        Bump(b.index, b.region, b.latitude, b.longitude, b.spread_km, 2 * b.weight, b.realm)
        for b in bumps
    )
    other = bump_at(0, 90, spread_km=500, weight=50, index=4)
    plain = cell_given_class(bumps, habitat)[3]
    np.testing.assert_allclose(cell_given_class((*doubled, other), habitat)[3], plain, rtol=1e-6)
    np.testing.assert_allclose(cell_given_class(bumps[::-1], habitat)[3], plain, rtol=1e-6)
    # A quarter of the class is the first bump, all but e^-8 of the rest sits at the pole.
    assert plain[4] > 0.75


def test_a_bump_is_as_symmetrical_as_its_cells():
    habitat = habitat_of_six([2e5] * 6, [0.5] * 6)
    row = cell_given_class((bump_at(0, 0, spread_km=2000),), habitat)[3]
    np.testing.assert_allclose(row[[1, 3, 4, 5]], row[1], rtol=1e-6)
    assert row[0] > row[1] > row[2]


def test_only_inhabited_land_counts_where_nothing_is_known():
    habitat = habitat_of_six(
        [1e5, 2e5, 3e5, 4e5, 5e5, 6e5], [1, 0.5, 0, 1, 1, 1], [1, 1, 1, 0, 0, 1]
    )
    row = cell_given_class((), habitat)[0]
    people = np.array([1, 1, 0, 0, 0, 6]) / 8
    everywhere = np.arange(1, 7) / 21
    np.testing.assert_allclose(row, (1 - EVERYWHERE) * people + EVERYWHERE * everywhere, rtol=1e-5)


def small_table(classes=5, cells=4):
    rng = np.random.default_rng(0)
    table = rng.random((classes, cells)) + 0.01
    return torch.from_numpy((table / table.sum(1, keepdims=True)).astype(np.float32))


def test_the_head_is_the_obvious_loop():
    table, logits = small_table(), torch.randn(3, 5, generator=torch.Generator().manual_seed(1)) * 4
    given = GazetteerHead(table)(logits)
    for n in range(3):
        exponentials = [math.exp(x) for x in logits[n].tolist()]
        for c in range(4):
            p = sum(e / sum(exponentials) * float(table[k, c]) for k, e in enumerate(exponentials))
            assert float(given[n, c]) == pytest.approx(math.log(p), abs=1e-5)
            assert float(given.softmax(1)[n, c]) == pytest.approx(p, rel=1e-5)


def test_a_sure_network_gives_the_row_of_its_class():
    table = small_table()
    logits = torch.full((1, 5), -1e4)
    logits[0, 2] = 1e4
    torch.testing.assert_close(GazetteerHead(table)(logits).exp()[0], table[2])


def test_the_head_is_differentiable():
    table = small_table().double()
    logits = torch.randn(2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    head = GazetteerHead(table)
    assert torch.autograd.gradcheck(head, logits.requires_grad_())
    assert list(head.parameters()) == []


def test_the_head_stays_finite_for_the_surest_network(table):
    head = GazetteerHead(torch.from_numpy(table))
    logits = torch.full((1, 1000), -3e38)
    logits[0, 105] = 3e38
    logits.requires_grad_()
    scores = head(logits)
    assert scores.isfinite().all()
    (gradient,) = torch.autograd.grad(scores.max(), logits)
    assert gradient.isfinite().all()
