"""The gallery takes what `explain_many` gives."""

import pytest
from tiny_many import a_model, some_photos

import combicam_widgets as ccw


def test_a_folder_that_grows_is_shown_again_as_it_was(tmp_path):
    out, seen = tmp_path / "out", []
    gallery = ccw.Gallery()

    def look(done, _total):
        if done:
            gallery.many = ccw.read_many(out)
            if not seen:
                gallery.update(sort_by="-probability", y="latitude", selected=1)
                gallery.filters = {"probability": (0, 1), "error": False}
            seen.append(list(gallery.shown))

    many = ccw.explain_many(a_model(), some_photos(7), batch=3, out=out, progress=look)
    order = many.table().probability.to_numpy()
    for rows, count in zip(seen, (3, 6, 7, 7), strict=True):
        assert rows == sorted(range(count), key=lambda i: -order[i])
    assert (gallery.sort_by, gallery.y, gallery.selected) == ("-probability", "latitude", None)
    assert gallery.filters == {"probability": (0, 1), "error": False}
    gallery.many = ccw.explain_many(a_model(), some_photos(4), out=tmp_path / "other")
    assert (gallery.sort_by, gallery.filters) == ("", {})
    gallery.close()


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
