"""Outlines of countries for a map: simplified, and still around the places that lie in them."""

import pytest
import shapely

from combicam_widgets.geo.places import country_outlines


@pytest.mark.parametrize(
    ("name", "latitude", "longitude"),
    [("Switzerland", 46.95, 7.45), ("Brazil", -15.8, -47.9), ("Japan", 35.7, 139.7)],
)
def test_a_capital_lies_within_its_country_alone(name, latitude, longitude):
    around = {
        country
        for country, _, rings in country_outlines()
        if any(shapely.Polygon(ring).contains(shapely.Point(latitude, longitude)) for ring in rings)
    }
    assert around == {name}


def test_names_stand_on_land_of_their_countries():
    for name, (latitude, longitude), rings in country_outlines():
        near = [
            shapely.Polygon(ring).distance(shapely.Point(latitude, longitude)) for ring in rings
        ]
        assert min(near) == 0, name
