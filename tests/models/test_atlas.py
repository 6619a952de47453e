"""The atlas: what its files hold, what its network computes, and what it recognises."""

import json

import numpy as np
import pytest
import shapely
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.geo import (
    EARTH_RADIUS_KM,
    coastline,
    great_circle_km,
    unit_vectors,
    vector_coordinates,
)
from combicam_widgets.imagery import blue_marble
from combicam_widgets.models.atlas import Atlas
from combicam_widgets.models.atlas import model as atlas_module
from combicam_widgets.models.atlas.network import AtlasNetwork, Coordinates

HOME = atlas_module._HOME
WEIGHTS = HOME / "weights.safetensors"

# Latitude and longitude, as any atlas on paper gives them.
PLACES = {
    "Cape of Good Hope": (-34.0, 18.8),
    "Florida": (28.0, -81.5),
    "Great Lakes": (44.5, -84.5),
    "Himalaya": (28.5, 85.0),
    "Iceland": (64.9, -18.6),
    "Italy": (42.5, 12.8),
    "Japan": (36.3, 138.2),
    "Madagascar": (-19.0, 46.7),
    "Nile delta": (30.9, 31.1),
    "Patagonia": (-47.0, -70.5),
    "Red Sea coast": (21.5, 39.5),
    "Tasmania": (-42.1, 146.6),
}


@pytest.fixture(scope="module")
def atlas():
    return Atlas()


@pytest.fixture(scope="module")
def tiles():
    return {name: ccw.tile(*place) for name, place in PLACES.items()}


@pytest.fixture(scope="module")
def predictions(atlas, tiles):
    return {name: atlas.predict(tile) for name, tile in tiles.items()}


# The files.


def test_the_weights_are_small_finite_and_of_half_precision():
    assert WEIGHTS.stat().st_size <= 8_000_000
    weights = load_file(WEIGHTS)
    assert {x.dtype for x in weights.values()} == {torch.float16}
    assert all(x.isfinite().all() for x in weights.values())
    # A deviation of zero would be a division by the tiny number that keeps it from failing.
    assert all((x > 0).all() for name, x in weights.items() if name.endswith("running_var"))
    assert sum(x.numel() for x in weights.values()) < 6_000_000


def test_the_network_has_the_weights_of_the_file_in_single_precision(atlas):
    weights = load_file(WEIGHTS)
    state = {k: v for k, v in atlas.network.state_dict().items() if v.is_floating_point()}
    assert state.keys() == weights.keys()
    for name, value in state.items():
        assert value.dtype == torch.float32
        assert torch.equal(value, weights[name].float()), name


def test_the_facts_that_are_listed_are_true(atlas):
    info = Atlas.INFO
    assert info.cells == len(atlas.cells) == 2338
    assert info.layers == len(atlas.layers) == 8
    size = sum((HOME / name).stat().st_size for name in ("weights.safetensors", "cells.npz"))
    assert size / 1e6 == pytest.approx(info.megabytes, abs=0.2)
    assert tuple(atlas.transform(ccw.tile(0, 20).to_pil()).shape) == (3, 96, 96)


def test_what_the_network_sees_goes_from_minus_one_to_one(atlas):
    for level, value in ((0, -1), (255, 1)):
        view = atlas.transform(ccw.Photo(np.full((50, 50, 3), level, np.uint8)).to_pil())
        torch.testing.assert_close(view, torch.full((3, 96, 96), float(value)))


# The cells.


def test_each_place_belongs_to_the_nearest_of_6000_even_points(atlas):
    """So the cells neither overlap nor leave gaps; the points from the formula, afresh."""
    cells = atlas.cells
    k = np.arange(6000)
    z = (2 * k + 1) / 6000 - 1
    turn = 2 * np.pi * k * (np.sqrt(5) - 1) / 2 - np.pi
    lattice = np.stack([np.cos(turn), np.sin(turn)] * np.sqrt(1 - z**2), axis=0)
    lattice = np.stack([*lattice, z], axis=1)
    rank = (lattice @ cells.unit_vectors.T).argmax(0)
    np.testing.assert_allclose(lattice[rank], cells.unit_vectors, atol=1e-9)

    points = np.random.default_rng(0).normal(size=(1500, 3))
    nearest = (points @ lattice.T).argmax(1)
    number = np.full(6000, -1)
    number[rank] = np.arange(len(cells))
    np.testing.assert_array_equal(cells.locate(*vector_coordinates(points)), number[nearest])


def test_cells_are_about_300_km_across(atlas):
    corners = [unit_vectors(*outline.T) for outline in atlas.cells.outlines]
    widest = [np.arccos((x @ x.T).min().clip(-1, 1)) * EARTH_RADIUS_KM for x in corners]
    assert min(widest) > 350
    assert max(widest) < 420
    closeness = atlas.cells.unit_vectors @ atlas.cells.unit_vectors.T
    np.fill_diagonal(closeness, -1)
    nearest = np.arccos(closeness.max(1)) * EARTH_RADIUS_KM
    assert nearest.min() > 250
    assert np.median(nearest) < 300


def test_all_land_has_a_cell_and_the_open_sea_has_none(atlas):
    land = shapely.from_geojson(json.dumps(coastline()["geometry"]))
    shapely.prepare(land)
    latitudes, longitudes = vector_coordinates(np.random.default_rng(1).normal(size=(5000, 3)))
    on_land = shapely.contains_xy(land, longitudes, latitudes)
    assert on_land.sum() > 1400
    found = atlas.cells.locate(latitudes[on_land], longitudes[on_land])
    # Borders of ice shelves differ between the shipped coastline and the finer one of the recipe.
    assert (found >= 0).mean() > 0.998
    for latitude, longitude in ((0, -140), (-40, 80), (35, -40), (88, 0)):
        assert atlas.cells.at(latitude, longitude) is None


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (48.9, 2.3, "northern France, near Paris"),
        (-27.5, 153.0, "eastern Australia, near Brisbane"),
        (35.7, 139.7, "central Japan, near Tokyo"),
        (-1.3, 36.8, "southern Kenya, near Nairobi"),
        (-18.1, 178.4, "off Fiji, near Nasinu"),
    ],
)
def test_cells_are_named_after_their_centre_and_largest_city(latitude, longitude, name, atlas):
    assert atlas.cells.name(atlas.cells.at(latitude, longitude)) == name


# The network.


def test_the_eight_blocks_are_found_in_four_stages(atlas):
    names = [f"stage{i}.{k}" for i, blocks in enumerate((1, 2, 3, 2), 1) for k in range(blocks)]
    assert atlas.layers == tuple(names)
    stages = [[layer.shape for layer in stage.layers] for stage in atlas.architecture.stages]
    assert stages == [
        [(32, 48, 48)],
        [(64, 24, 24)] * 2,
        [(128, 12, 12)] * 3,
        [(256, 6, 6)] * 2,
    ]
    assert sum(p.numel() for p in atlas.network.parameters()) <= 6_000_000


def test_coordinates_are_those_of_the_middles_of_pixels():
    shown = Coordinates()(torch.zeros(2, 3, 2, 4))
    assert shown.shape == (2, 5, 2, 4)
    assert (shown[:, :3] == 0).all()
    for picture in shown:
        assert picture[3].tolist() == [[-0.75, -0.25, 0.25, 0.75]] * 2
        assert picture[4].tolist() == [[-0.5] * 4, [0.5] * 4]


def test_the_network_computes_what_its_weights_say():
    """Against a residual network written out with the weights by their names."""
    generator = torch.Generator().manual_seed(0)
    network = AtlasNetwork(7).eval()
    for name, value in network.state_dict().items():
        if value.is_floating_point() and "running_var" not in name:
            value.add_(torch.randn(value.shape, generator=generator) * 0.05)
    w = {k: v.double() for k, v in network.state_dict().items()}

    def convolved(x, convolution, norm, stride=1):
        kernel = w[f"{convolution}.weight"]
        x = F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        mean, variance, scale, shift = (
            w[f"{norm}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * scale + shift

    pictures = torch.randn(2, 3, 32, 64, generator=generator)
    down, right = torch.meshgrid(
        (torch.arange(32.0) + 0.5) / 16 - 1, (torch.arange(64.0) + 0.5) / 32 - 1, indexing="ij"
    )
    x = torch.cat([pictures, torch.stack([right, down]).expand(2, 2, 32, 64)], 1).double()
    x = convolved(x, "stem.0", "stem.1", 2).relu()
    for stage, blocks in enumerate((1, 2, 3, 2), 1):
        for k in range(blocks):
            block, stride = f"stage{stage}.{k}", 2 if k == 0 and stage > 1 else 1
            y = convolved(x, f"{block}.body.0", f"{block}.body.1", stride).relu()
            y = convolved(y, f"{block}.body.3", f"{block}.body.4")
            if stride == 2:
                x = convolved(x, f"{block}.shortcut.0", f"{block}.shortcut.1", stride)
            x = (x + y).relu()
    expected = x.mean((2, 3)) @ w["head.weight"].T + w["head.bias"]
    with torch.inference_mode():
        torch.testing.assert_close(network(pictures).double(), expected, atol=1e-4, rtol=1e-4)
    assert expected.std() > 0.01


# What it knows.


@pytest.mark.parametrize("name", PLACES)
def test_well_known_places_are_recognised(name, predictions):
    assert predictions[name].distance_to(*PLACES[name]) <= 750


def test_most_well_known_places_are_put_into_the_right_cell_or_the_next(predictions):
    """One out of order would be thousands of kilometres off: the head has the grid's order."""
    km = [prediction.distance_to(*PLACES[name]) for name, prediction in predictions.items()]
    assert np.median(km) <= 200
    assert sum(d <= 350 for d in km) >= 10


@pytest.mark.parametrize("width_km", [1000, 2000])
def test_other_widths_are_recognised_too(width_km, atlas):
    near = [
        atlas.predict(ccw.tile(*place, width_km, 192)).distance_to(*place) <= 750
        for place in PLACES.values()
    ]
    assert sum(near) >= 11


def test_probabilities_are_near_the_best_cell(predictions):
    """Its doubts are between neighbours, as it was taught."""
    sure = [prediction.density(750) for prediction in predictions.values()]
    assert np.median(sure) > 0.8
    for prediction in predictions.values():
        assert prediction.probabilities.sum(dtype=np.float64) == pytest.approx(1, abs=1e-5)


def test_a_small_turn_moves_the_answer_little(atlas, predictions):
    moved = []
    for name, place in PLACES.items():
        turned = atlas.predict(blue_marble().tile(*place, side=192, heading=10)).best
        best = predictions[name].best
        moved.append(
            great_circle_km(turned.latitude, turned.longitude, best.latitude, best.longitude)
        )
    assert np.median(moved) <= 300
    assert sum(d <= 750 for d in moved) >= 11


def test_it_does_not_read_the_name_or_the_position(atlas, tiles, predictions):
    bare = ccw.Photo(tiles["Italy"].pixels)
    assert bare.position is None
    np.testing.assert_array_equal(
        atlas.predict(bare).probabilities, predictions["Italy"].probabilities
    )


def test_a_second_atlas_says_exactly_the_same(tiles, predictions):
    again = Atlas()
    for name in ("Iceland", "Tasmania"):
        np.testing.assert_array_equal(
            again.predict(tiles[name]).probabilities, predictions[name].probabilities
        )


# Why it says so.


@pytest.fixture(scope="module")
def explained(atlas, tiles):
    return {name: atlas.explain(tiles[name]) for name in ("Italy", "Madagascar", "Florida")}


def test_all_eight_layers_are_explained(atlas, tiles, explained, predictions):
    for name, maps in explained.items():
        assert maps.names == atlas.layers
        sides = [48, 24, 24, 12, 12, 12, 6, 6]
        assert [maps[layer].shape for layer in maps.names] == [(s, s) for s in sides]
        assert maps.target == predictions[name].best.index
        assert maps.probability == pytest.approx(predictions[name].best.probability, rel=1e-3)
        heatmap = maps.fuse()
        assert heatmap.shape == (tiles[name].height, tiles[name].width)
        assert heatmap.max() == pytest.approx(1, abs=1e-5)
        shares = maps.shares()
        assert set(shares) == set(atlas.layers)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert min(shares.values()) >= 0


def test_the_hottest_part_alone_still_points_there(atlas, tiles, explained):
    for name, maps in explained.items():
        kept = atlas.evidence(tiles[name], maps.fuse(), keep=0.3)
        assert kept.distance_to(*PLACES[name]) <= 750


def test_each_layer_votes(atlas, tiles, explained):
    votes = atlas.layer_votes(tiles["Madagascar"], explained["Madagascar"])
    assert len(votes) == 8
    near = [vote.distance_to(*PLACES["Madagascar"]) <= 750 for vote in votes]
    assert sum(near) >= 6


def test_the_network_is_left_as_it_was(atlas, tiles):
    before = {k: v.clone() for k, v in atlas.network.state_dict().items()}
    cam.explain(atlas.network, atlas.transform(tiles["Japan"].to_pil())[None], method="layercam")
    assert not atlas.network.training
    assert all(torch.equal(before[k], v) for k, v in atlas.network.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in atlas.network.parameters())
