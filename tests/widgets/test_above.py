"""The explorer with a model that looks from above: places, clicks, widths."""

import numpy as np
import pytest
import tiny
from traitlets import TraitError

import combicam_widgets as ccw
from combicam_widgets.widgets import Explorer
from combicam_widgets.widgets.explorer.places import PLACES

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture(scope="module")
def atlas():
    return ccw.load_model("atlas")


@pytest.fixture
def above(atlas):
    return Explorer(model=atlas)


def test_it_begins_with_a_place_and_finds_it(above):
    assert above.image.name == "Italy"
    assert above.image.position == PLACES["Italy"]
    assert above.prediction.distance_to(*PLACES["Italy"]) < 750
    assert above.controls.photo.options[:2] == ("Italy", "Amazon")
    assert above.controls.tile_width.layout.display == ""


def test_a_click_looks_there(above):
    above._gestures.click_map(-19.0, 47.0)
    assert above.image.position == (-19.0, 47.0)
    np.testing.assert_array_equal(above.image.pixels, ccw.tile(-19.0, 47.0, 1500).pixels)
    assert above.prediction.distance_to(-19.0, 47.0) < 750
    assert above.controls.photo.value == "place 1 on the map"


def test_the_width_is_that_of_the_next_look(above):
    above.controls.tile_width.value = 1000
    assert above.tile_width == 1000
    np.testing.assert_array_equal(above.image.pixels, ccw.tile(*PLACES["Italy"], 1000).pixels)
    above._gestures.click_map(36.0, 138.0)
    np.testing.assert_array_equal(above.image.pixels, ccw.tile(36.0, 138.0, 1000).pixels)


def test_python_names_what_the_menu_does(atlas, model):
    above = Explorer(model=atlas, image="Iceland", tile_width=1000)
    np.testing.assert_array_equal(above.image.pixels, ccw.tile(*PLACES["Iceland"], 1000).pixels)
    above.image = "Japan"
    assert above.controls.photo.value == above.image.name == "Japan"
    with pytest.raises(TraitError, match="no sample photo 'Atlantis'"):
        above.image = "Atlantis"
    assert above.image.name == "Japan"
    assert Explorer(model=model, image="Koala").image.name == "Koala"
    with pytest.raises(TraitError, match="no sample photo 'Japan'"):
        Explorer(model=model, image="Japan")


def test_models_are_switched_with_what_they_can_see(above, model):
    above.model = model
    assert above.image.name == "Koala"
    assert "Koala" in above.controls.photo.options
    above.controls.model.value = "atlas"
    assert above.image.position == PLACES["Italy"]


def test_the_poles_and_the_antimeridian(above):
    for place in ((89.9, 12.0), (-90.0, 0.0), (66.0, 179.9), (-17.8, -179.99)):
        above._gestures.click_map(*place)
        assert above.image.position == pytest.approx(place)
        assert above.error == ""


def test_a_ground_model_explains_the_cell_that_is_clicked(model):
    explorer = Explorer(model=model, image="koala")
    there = explorer.prediction.top(3)[2]
    explorer._gestures.click_map(there.latitude, there.longitude)
    assert explorer.target == there.index
    before = explorer.maps
    explorer._gestures.click_map(0.0, -140.0)
    assert "no cell here" in explorer.error
    assert explorer.maps is before


def test_places_that_were_clicked_can_be_chosen_again(above):
    menu = above.controls.photo
    for i in range(10):
        above._gestures.click_map(-19.0, 40.0 + i)
    places = [label for label in menu.options if label.endswith("on the map")]
    assert places == [f"place {number} on the map" for number in range(3, 11)]
    menu.value = "place 5 on the map"
    assert above.image.position == (-19.0, 44.0)
    assert above.controls.upload.groups == [["Places", len(PLACES)], ["Places on the map", 8]]
    # Places do not push photos of one's own out.
    above.image = tiny.photo(3)
    for i in range(10):
        above._gestures.click_map(10.0, 20.0 + i)
    assert "noise 3" in menu.options


def test_a_click_on_the_sea_says_that_water_was_never_taught(above):
    above._gestures.click_map(-40.0, -120.0)
    assert above.image.position == (-40.0, -120.0)
    assert "never taught water" in above.status_bar.seen
    above._gestures.click_map(-19.0, 47.0)
    assert "water" not in above.status_bar.seen
