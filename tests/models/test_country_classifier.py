"""Classes that are countries: names matched with outlines, and a network of probabilities."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import combicam_widgets as ccw

FILE = Path(__file__).parents[2] / "notebooks" / "countries.geojson"
CLASSES = ["South Africa", "Russia", "Lesotho", "New Zealand", "Chile", "Norway"]


@pytest.fixture(scope="module")
def countries():
    return ccw.CellGrid.from_geojson(FILE, classes=CLASSES)


@pytest.fixture(scope="module")
def atlas():
    return ccw.load_model("atlas")


@pytest.fixture(scope="module")
def members(countries, atlas):
    """Which cells of the atlas lie in which country, (cells, countries)."""
    inside = countries.locate(atlas.cells.latitudes, atlas.cells.longitudes)
    return inside[:, None] == np.arange(len(CLASSES))


@pytest.fixture(scope="module")
def model(countries, atlas, members):
    class Countries(nn.Module):
        def __init__(self):
            super().__init__()
            self.atlas = atlas.network
            self.register_buffer("members", torch.from_numpy(members).float())

        def forward(self, batch):
            p = self.atlas(batch).softmax(1) @ self.members + 1e-9
            return p / p.sum(1, keepdim=True)

    return ccw.GeoModel(Countries(), countries, atlas.transform, outputs="probabilities")


def test_the_outlines_are_in_the_order_of_the_classes(countries):
    assert countries.names == tuple(CLASSES)
    places = {
        "Lesotho": [(-29.6, 28.2)],
        "South Africa": [(-29.1, 26.2), (-33.9, 18.6)],
        "Russia": [(55.7, 37.6), (66, -172)],  # on both sides of the antimeridian
        "New Zealand": [(-43.5, 171.5), (-38.7, 176.1)],  # both islands
    }
    for name, inside in places.items():
        assert {countries.name(countries.at(*place)) for place in inside} == {name}
    assert countries.at(48.9, 2.3) is None


def test_a_countrys_probability_is_that_of_its_cells(model, atlas, members):
    for place in [(-29.6, 28.2), (62, 130), (-44, 170)]:
        photo = ccw.tile(*place)
        of_cells = atlas.predict(photo).probabilities.astype(np.float64) @ members
        expected = of_cells / of_cells.sum()
        np.testing.assert_allclose(model.predict(photo).probabilities, expected, atol=1e-4)


def test_tiles_are_put_into_the_countries_that_they_show(model, atlas, members):
    right = [
        model.predict(ccw.tile(atlas.cells.latitudes[i], atlas.cells.longitudes[i])).best.index == c
        for c in range(len(CLASSES))
        for i in np.flatnonzero(members[:, c])[:4]
    ]
    assert len(right) >= 20
    assert np.mean(right) >= 0.9


def test_its_layers_are_the_atlas_s_and_a_contrast_is_explained(model, atlas):
    assert model.layers == tuple(f"atlas.{name}" for name in atlas.layers)
    photo, rival = ccw.tile(-29.6, 28.2), CLASSES.index("South Africa")
    maps = model.explain(photo, contrast=rival)
    assert (maps.target, maps.contrast) == (CLASSES.index("Lesotho"), rival)
    assert maps.fuse().any()


def test_a_country_that_the_file_lacks_is_named():
    with pytest.raises(ValueError, match="Norwey"):
        ccw.CellGrid.from_geojson(FILE, classes=["Norwey"])


def test_the_file_says_where_it_comes_from():
    assert "public domain" in json.loads(FILE.read_text(encoding="utf-8"))["source"]
