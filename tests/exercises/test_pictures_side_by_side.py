"""Pictures side by side."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from combicam_widgets import Photo, exercises


def drawn(picture):
    """The one picture that a page shows, as pixels."""
    page = exercises.show({"a": picture})._repr_html_()
    (data,) = re.findall(r'src="data:image/webp;base64,([^"]+)"', page)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)


def photo(red=200):
    return Photo(np.full((40, 60, 3), (red, 0, 0), np.uint8))


def test_a_photo_is_shown_in_its_colours_and_beneath_heat_in_grey():
    assert abs(drawn(photo())[20, 30] - [200, 0, 0]).max() < 12
    heat = np.zeros((40, 60))
    heat[:, 30:] = 1
    both = drawn((photo(), heat))
    assert both.shape == (40, 60, 3)
    assert np.ptp(both[20, 10]) < 12  # grey where there is no heat
    assert both[20, 50].max() - both[20, 50].min() > 60  # coloured where there is


def test_a_small_map_is_drawn_in_squares_the_largest_brightest():
    squares = drawn(np.array([[0.0, -3.0], [5.0, 1.0]]))
    assert squares.shape == (320, 320, 3)
    light = [squares[i, j].sum() for i, j in [(80, 240), (80, 80), (240, 240), (240, 80)]]
    assert light == sorted(light)
    assert light[0] < 40
    assert light[-1] > 500
    assert drawn(np.zeros((2, 2))).max() < 20


def test_captions_are_text():
    page = exercises.show({"<b>&": photo(), "two": photo()}, columns=2)
    assert "&lt;b&gt;&amp;" in page._repr_html_()
    assert "<b>" not in page._repr_html_()
    assert repr(page) == "Pictures(2)"


@pytest.mark.parametrize("wrong", ["koala", np.zeros(3), np.zeros((2, 2, 3)), None])
def test_what_is_no_picture_is_refused(wrong):
    with pytest.raises(TypeError, match="A picture is a photo"):
        exercises.show({"a": wrong})
    with pytest.raises(TypeError, match="by their captions"):
        exercises.show([wrong])
