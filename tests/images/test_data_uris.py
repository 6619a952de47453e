import io

import numpy as np
import pytest
from photo_files import NOISE, from_uri, gps_tags, smooth, with_gps
from PIL import Image

from combicam_widgets.images import Photo, load_image, to_data_uri


def test_png_keeps_every_pixel_and_its_transparency():
    uri = to_data_uri(NOISE, "png")
    assert uri.startswith("data:image/png;base64,")
    np.testing.assert_array_equal(np.asarray(from_uri(uri)), NOISE)
    with_alpha = np.dstack([NOISE, NOISE[..., 0]])
    np.testing.assert_array_equal(np.asarray(from_uri(to_data_uri(with_alpha, "png"))), with_alpha)


@pytest.mark.parametrize("file_format", ["webp", "jpeg", "png"])
def test_every_format_and_source_shows_the_same_picture(file_format):
    pixels = smooth()
    for source in (pixels, Photo(pixels), Image.fromarray(pixels)):
        uri = to_data_uri(source, file_format, quality=95)
        picture = from_uri(uri)
        assert uri.startswith(f"data:image/{file_format};base64,")
        assert (picture.format, picture.size) == (file_format.upper(), (96, 64))
        assert np.abs(np.asarray(picture).astype(int) - pixels).mean() < 2


def test_transparency_is_laid_on_white_where_it_cannot_stay():
    clear = np.zeros((16, 16, 4), np.uint8)
    assert np.asarray(from_uri(to_data_uri(clear, "jpeg"))).min() > 250
    assert np.asarray(from_uri(to_data_uri(clear, "webp")))[..., 3].max() == 0


@pytest.mark.parametrize("file_format", ["webp", "jpeg", "png"])
def test_nothing_but_the_picture_travels(file_format):
    data = with_gps(gps_tags())
    image = Image.open(io.BytesIO(data))
    image.info["comment"] = b"secret"
    image.info["icc_profile"] = b"secret" * 30
    assert load_image(data).position is not None
    for source in (image, load_image(data)):
        picture = from_uri(to_data_uri(source, file_format))
        assert not picture.getexif()
        assert not {"exif", "icc_profile", "comment", "xmp"} & set(picture.info)


def test_quality_and_max_side_make_it_smaller():
    assert len(to_data_uri(NOISE, quality=30)) < len(to_data_uri(NOISE, quality=95))
    assert from_uri(to_data_uri(NOISE, max_side=16)).size == (16, 12)
    assert from_uri(to_data_uri(NOISE, max_side=500)).size == (32, 24)
    assert from_uri(to_data_uri(NOISE[:1], max_side=4)).size == (4, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"image": "koala"}, TypeError, "got str"),
        ({"image": NOISE / 255}, TypeError, "multiply by 255"),
        ({"image": NOISE[:0]}, ValueError, "is empty"),
        ({"image": NOISE, "format": "gif"}, ValueError, "format must be .* got 'gif'"),
        ({"image": NOISE, "quality": 0}, ValueError, "quality must lie between 1 and 100, got 0"),
        ({"image": NOISE, "max_side": 0}, ValueError, "max_side must be at least 1 pixel, got 0"),
    ],
)
def test_data_uris_are_refused_in_words(arguments, error, message):
    with pytest.raises(error, match=message):
        to_data_uri(**arguments)
