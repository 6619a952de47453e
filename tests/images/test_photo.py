from dataclasses import replace

import numpy as np
import pytest
from photo_files import NOISE
from PIL import Image

from combicam_widgets.images import Photo, load_image


def test_photo_is_a_copy_that_nobody_can_change():
    given_pixels = NOISE.copy()
    photo = Photo(given_pixels)
    given_pixels[:] = 0
    np.testing.assert_array_equal(photo.pixels, NOISE)
    with pytest.raises(ValueError, match="read-only"):
        photo.pixels[0, 0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        photo.pixels.setflags(write=True)
    with pytest.raises(AttributeError):
        photo.name = "other"


def test_photo_knows_its_size_and_is_equal_only_to_itself():
    photo = Photo(NOISE, name="noise")
    assert (photo.height, photo.width, photo.size) == (24, 32, (32, 24))
    assert photo.to_pil().size == photo.size
    np.testing.assert_array_equal(np.asarray(photo.to_pil()), NOISE)
    assert photo == photo  # noqa: PLR0124
    assert photo != Photo(NOISE, name="noise")
    assert len({photo, Photo(NOISE)}) == 2


def test_the_repr_keeps_the_position_to_itself():
    photo = Photo(NOISE, position=(48.858, 2.294), name="tower")
    assert repr(photo) == "<Photo 'tower', 32 x 24 px, position known>"
    assert "48" not in f"{photo} {photo!r} {[photo]}"
    assert repr(Photo(NOISE)) == "<Photo 32 x 24 px, position unknown>"


def test_the_repr_keeps_the_name_of_a_file_to_itself(tmp_path):
    file = tmp_path / "grandma 1951.png"
    Image.fromarray(NOISE).save(file)
    with Image.open(file) as opened:
        photos = [load_image(file), load_image(opened), load_image(load_image(file))]
    for photo in photos:
        assert photo.name == "grandma 1951"
        assert repr(photo) == "<Photo 32 x 24 px, position unknown>"
        assert photo.public_name == ""
    assert repr(load_image(file, name="my trip")).startswith("<Photo 'my trip'")
    assert load_image(file, name="my trip").public_name == "my trip"
    assert replace(load_image(file), credit="Ann, CC0").public_name == ""


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"pixels": NOISE.tolist()}, TypeError, "got list"),
        ({"pixels": NOISE / 255}, TypeError, "multiply by 255 and cast"),
        ({"pixels": NOISE.astype(np.int64)}, TypeError, "got dtype int64"),
        ({"pixels": NOISE[..., 0]}, TypeError, r"shape \(H, W, 3\), got shape \(24, 32\)"),
        ({"pixels": NOISE[:0]}, ValueError, "pixels is empty"),
        ({"pixels": NOISE, "name": None}, TypeError, "name must be a str, got NoneType"),
        ({"pixels": NOISE, "credit": 3}, TypeError, "credit must be a str, got int"),
        ({"pixels": NOISE, "position": "48, 2"}, TypeError, "latitude, longitude"),
        ({"pixels": NOISE, "position": (48.0,)}, TypeError, "latitude, longitude"),
        ({"pixels": NOISE, "position": ("48", "2")}, TypeError, "latitude, longitude"),
        ({"pixels": NOISE, "position": (91.0, 0.0)}, ValueError, "-90..90"),
        ({"pixels": NOISE, "position": (0.0, 180.5)}, ValueError, "-180..180"),
        ({"pixels": NOISE, "position": (True, 0.0)}, TypeError, "two numbers, got bool and float"),
        ({"pixels": NOISE, "position": (float("nan"), 0.0)}, ValueError, "nan"),
        ({"pixels": NOISE, "position": (0.0, float("inf"))}, ValueError, "inf"),
    ],
)
def test_photo_refuses_in_words(arguments, error, message):
    with pytest.raises(error, match=message):
        Photo(**arguments)


def test_position_becomes_two_plain_floats():
    photo = Photo(NOISE, position=[np.float64(1), 2])
    assert photo.position == (1.0, 2.0)
    assert [type(value) for value in photo.position] == [float, float]
