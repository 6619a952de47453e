"""The cells of the naturalist, as the recipe left them."""

from pathlib import Path

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic

import combicam_widgets
from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, place_name
from combicam_widgets.geo.places import region_name

FILE = Path(combicam_widgets.__file__).parent / "models" / "naturalist" / "cells.npz"


@pytest.fixture(scope="module")
def cells():
    return CellGrid.load(FILE)


@pytest.fixture(scope="module")
def facts():
    with np.load(FILE, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def test_size(cells):
    assert 700 <= len(cells) <= 1100
    assert FILE.stat().st_size < 200_000


def test_areas_agree_with_the_outlines(cells, facts):
    sphere = Geodesic(EARTH_RADIUS_KM * 1000, 0)
    for outline, area in zip(cells.outlines, facts["area_km2"], strict=True):
        polygon = sphere.Polygon()
        for lat, lon in outline:
            polygon.AddPoint(lat, lon)
        assert abs(polygon.Compute()[2]) / 1e6 == pytest.approx(area, rel=1e-5)


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [
        (-27.5, 153.0, "off eastern Australia, near Brisbane"),
        (35.7, 139.7, "off southern Japan, near Tokyo"),
        (48.9, 2.3, "central France, near Paris"),
        (-1.3, 36.8, "southern Kenya, near Nairobi"),
        (19.4, -99.1, "south-eastern Mexico, near Mexico City"),
        (-18.1, 178.4, "off Fiji, near Nasinu"),
        (-90, 0, None),
        (66, -170, None),
        (21.3, -157.8, None),
        (-0.7, -90.3, None),
    ],
)
def test_land_is_covered_and_named(cells, facts, latitude, longitude, name):
    index = cells.at(latitude, longitude)
    assert index is not None
    assert facts["land_fraction"][index] > 0
    assert name in {None, cells.name(index)}


def test_a_name_is_of_where_the_centre_lies(cells):
    alps = cells.at(46.8, 8.2)
    assert cells.name(alps) == "central Switzerland, near Zürich"
    for index in range(0, len(cells), 7):
        place = float(cells.latitudes[index]), float(cells.longitudes[index])
        region, _ = region_name(*place)
        assert cells.name(index).partition(", near ")[0] == (region or place_name(*place))


def test_cells_do_not_overlap(cells):
    assert cells.at(0, -140) is None
    np.testing.assert_array_equal(
        cells.locate(cells.latitudes, cells.longitudes), range(len(cells))
    )


def test_facts_fit_together(facts):
    land_km2 = facts["land_fraction"] * facts["area_km2"]
    assert facts["area_km2"].min() > 150_000
    assert ((facts["land_fraction"] >= 0) & (facts["land_fraction"] <= 1)).all()
    # All land but some small islands: 149 million km2 with Antarctica's ice.
    assert land_km2.sum() / 1e6 == pytest.approx(147, abs=2)
    assert facts["inhabited"].sum() > 500
    assert len(set(facts["tokens"])) == len(facts["tokens"])
