"""The gallery takes what `explain_many` gives."""

import pytest
from tiny_many import a_model, some_photos

import combicam_widgets as ccw


@pytest.mark.parametrize(
    ("given", "axes"),
    [
        ({}, ("probability", "latitude")),
        ({"positions": True}, ("distance_km", "probability")),
        ({"positions": True, "measures": ["worth"], "steps": 2}, ("distance_km", "worth")),
    ],
)
def test_its_scatter_begins_with_columns_of_which_something_is_known(given, axes):
    many = ccw.explain_many(a_model(), some_photos(4), **given)
    gallery = ccw.Gallery(many)
    assert (gallery.x, gallery.y) == axes
    assert list(gallery.shown) == [0, 1, 2, 3]
    gallery.close()
