import base64
import contextlib
import io
import os
import struct
import tracemalloc
import warnings
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image, ImageFile, ImageOps
from PIL.TiffImagePlugin import IFDRational

from combicam_widgets import images
from combicam_widgets.images import ImageError, Photo, load_image, to_data_uri

GPS = ExifTags.GPS
RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (24, 32, 3), np.uint8)


def encoded(image, file_format="PNG", **options):
    out = io.BytesIO()
    image.save(out, format=file_format, **options)
    return out.getvalue()


def from_uri(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def smooth(height=64, width=96):
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / width, 255 * y / height, 128 + 60 * np.sin(x / 9)]
    return np.stack(channels, axis=2).astype(np.uint8)


# Photo


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


# Sources


@pytest.mark.parametrize("kind", [str, Path, bytes, bytearray, memoryview, "file", "PIL", "array"])
def test_every_source_gives_the_same_pixels(kind, tmp_path):
    data = encoded(Image.fromarray(NOISE))
    path = tmp_path / "my photo.png"
    path.write_bytes(data)
    source = {
        str: lambda: str(path),
        Path: lambda: path,
        "file": lambda: io.BytesIO(data),
        "PIL": lambda: Image.open(path),
        "array": lambda: NOISE,
    }.get(kind, lambda: kind(data))()
    photo = load_image(source)
    np.testing.assert_array_equal(photo.pixels, NOISE)
    assert photo.name == ("my photo" if kind in {str, Path, "PIL"} else "")
    assert photo.position is None


def test_a_photo_is_returned_as_it_is_or_with_what_is_given():
    photo = Photo(NOISE, position=(1, 2), name="a", credit="b")
    assert load_image(photo) is photo
    moved = load_image(photo, position=(3, 4))
    assert (moved.position, moved.name, moved.credit) == ((3, 4), "a", "b")
    named = load_image(photo, name="")
    assert (named.position, named.name, photo.name) == ((1, 2), "", "a")


def test_the_users_pil_image_and_array_stay_as_they_were():
    image = Image.open(io.BytesIO(encoded(Image.fromarray(smooth(2400, 200)), "JPEG")))
    load_image(image)
    assert (image.size, image.mode) == ((200, 2400), "RGB")
    palette = modes()["P, one see-through"][0]
    before = encoded(palette, "GIF")
    load_image(palette)
    to_data_uri(palette)
    assert encoded(palette, "GIF") == before
    array = NOISE.copy()
    load_image(array)
    np.testing.assert_array_equal(array, NOISE)


shapes = st.tuples(st.integers(8, 20), st.integers(8, 20))


@settings(max_examples=50, deadline=None)
@given(st.data(), shapes, st.sampled_from([(), (3,), (4,)]))
def test_arrays_come_out_as_they_went_in(data, shape, channels):
    array = data.draw(hnp.arrays(np.uint8, shape + channels))
    expected = np.stack([array] * 3, axis=2) if array.ndim == 2 else array[..., :3]
    if channels == (4,):
        array[..., 3] = 255
    np.testing.assert_array_equal(load_image(array).pixels, expected)
    flipped = array[::-1, ::2][:, ::-1] if shape[1] >= 16 else array[::-1]
    expected = expected[::-1, ::2][:, ::-1] if shape[1] >= 16 else expected[::-1]
    np.testing.assert_array_equal(load_image(flipped).pixels, expected)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (NOISE / 255, "got dtype float64.*multiply by 255 and cast"),
        (NOISE.astype(np.uint16), "got dtype uint16"),
        (NOISE > 3, "got dtype bool"),
        (NOISE.transpose(2, 0, 1), r"got shape \(3, 24, 32\)"),
        (NOISE[None], r"got shape \(1, 24, 32, 3\)"),
        (NOISE[..., :2], r"got shape \(24, 32, 2\)"),
        (NOISE[0, :, 0], r"got shape \(32,\)"),
        (None, "got NoneType"),
        (3, "got int"),
        (NOISE.tolist(), "got list"),
        (io.StringIO("text"), "mode 'rb'"),
    ],
)
def test_wrong_kinds_are_type_errors_that_say_what_is_expected(source, message):
    with pytest.raises(TypeError, match=message):
        load_image(source)


@pytest.mark.parametrize(
    "address",
    ["http://a.example/x.jpg", "HTTPS://a.example/x", "ftp://a/x", "data:image/png;base64,AAAA"],
)
def test_addresses_are_refused(address):
    with pytest.raises(ImageError, match="nothing is fetched: download"):
        load_image(address)


def test_paths_that_lead_to_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no picture file '.*none\.jpg': check the path"):
        load_image(tmp_path / "none.jpg")
    with pytest.raises(FileNotFoundError, match="check the path"):
        load_image("a\0b")
    with pytest.raises(FileNotFoundError, match="check the path"):
        load_image("x" * 5000)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        load_image(tmp_path)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        load_image("")


# Modes: each against its closed form

GREY = NOISE[..., 0]
ALPHA = NOISE[..., 1]


def grey(values):
    return np.stack([np.asarray(values)] * 3, axis=2).astype(np.float64)


def on_white(rgb, alpha):
    alpha = alpha[..., None] / 255
    return rgb * alpha + 255 * (1 - alpha)


def palette_image(transparency=None):
    image = Image.fromarray(GREY // 64, mode=None).convert("L")
    indexed = Image.frombytes("P", image.size, image.tobytes())
    indexed.putpalette([10, 20, 30, 200, 100, 0, 0, 255, 7, 90, 91, 92])
    if transparency is not None:
        indexed.info["transparency"] = transparency
    return indexed


PALETTE = np.array([[10, 20, 30], [200, 100, 0], [0, 255, 7], [90, 91, 92]])
WIDE = GREY.astype(np.uint16) * 256 + ALPHA
ONE_BIT = GREY > 127


def ycbcr_to_rgb(ycc):
    y, cb, cr = np.moveaxis(ycc.astype(np.float64), 2, 0)
    red, blue = y + 1.402 * (cr - 128), y + 1.772 * (cb - 128)
    green = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128)
    return np.clip(np.stack([red, green, blue], axis=2), 0, 255)


def hsv_to_rgb(hsv):
    hue, saturation, value = np.moveaxis(hsv / 255.0, 2, 0)
    k = (np.array([5, 3, 1])[:, None, None] + hue * 6) % 6
    rgb = value - value * saturation * np.clip(np.minimum(k, 4 - k), 0, 1)
    return np.moveaxis(rgb, 0, 2) * 255


def lab_grey(lightness):
    f = (lightness / 255 * 100 + 16) / 116
    linear = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255


def lab_image():
    neutral = np.zeros((*GREY.shape, 3), np.uint8)
    neutral[..., 0] = GREY
    return Image.frombytes("LAB", GREY.shape[::-1], neutral.tobytes())


def raw(mode, array):
    return Image.frombytes(mode, (32, 24), np.ascontiguousarray(array).tobytes())


CMYK = RNG.integers(0, 256, (24, 32, 4), np.uint8)


def modes():
    """Fresh images, because Pillow changes a palette with transparency when it is loaded."""
    return {
        "1": (Image.fromarray(ONE_BIT), grey(ONE_BIT * 255), 0),
        "L": (raw("L", GREY), grey(GREY), 0),
        "LA": (raw("LA", NOISE[..., :2]), on_white(grey(GREY), ALPHA), 1),
        "P": (palette_image(), PALETTE[GREY // 64], 0),
        "P, one see-through": (
            palette_image(transparency=1),
            np.where((GREY // 64 == 1)[..., None], 255, PALETTE[GREY // 64]),
            0,
        ),
        "P, alphas": (
            palette_image(transparency=bytes([255, 0, 128, 255])),
            on_white(PALETTE[GREY // 64], np.array([255, 0, 128, 255])[GREY // 64]),
            1,
        ),
        "RGB": (raw("RGB", NOISE), NOISE, 0),
        "RGBA": (raw("RGBA", np.dstack([NOISE, GREY])), on_white(NOISE, GREY), 1),
        "CMYK": (raw("CMYK", CMYK), (255 - CMYK[..., :3]) * (1 - CMYK[..., 3:] / 255.0), 1),
        "YCbCr": (raw("YCbCr", NOISE), ycbcr_to_rgb(NOISE), 2),
        "HSV": (raw("HSV", NOISE), hsv_to_rgb(NOISE), 2),
        "LAB": (lab_image(), grey(lab_grey(GREY)), 2),
        "I;16": (raw("I;16", WIDE.astype("<u2")), grey(np.rint(WIDE / 257)), 0),
        "I;16B": (raw("I;16B", WIDE.astype(">u2")), grey(np.rint(WIDE / 257)), 0),
        "I, 16 bits": (raw("I", WIDE.astype(np.int32)), grey(np.rint(WIDE / 257)), 0),
        "I, 8 bits": (raw("I", GREY.astype(np.int32)), grey(GREY), 0),
        "F, 0..1": (raw("F", (WIDE / 65535).astype(np.float32)), grey(np.rint(WIDE / 257)), 0),
        "F, 0 or 1": (raw("F", ONE_BIT.astype(np.float32)), grey(ONE_BIT * 255), 0),
        "F, 0..255": (raw("F", GREY.astype(np.float32)), grey(GREY), 0),
    }


@pytest.mark.parametrize("mode", modes())
def test_every_mode_has_its_closed_form(mode):
    image, expected, tolerance = modes()[mode]
    assert image.mode == mode.partition(",")[0]
    pixels = load_image(image).pixels.astype(np.float64)
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("mode", "file_format"),
    [
        *((mode, "PNG") for mode in ("1", "L", "LA", "P", "P, alphas", "RGB", "RGBA", "I;16")),
        *((mode, "TIFF") for mode in ("1", "L", "CMYK", "LAB", "I;16", "I;16B", "F, 0..1")),
        *((mode, "WEBP") for mode in ("RGB", "RGBA")),
        *((mode, "JPEG2000") for mode in ("L", "RGB", "RGBA")),
        ("P, one see-through", "GIF"),
        ("RGB", "BMP"),
        ("RGB", "PPM"),
    ],
)
def test_every_mode_survives_its_file(mode, file_format):
    image, expected, tolerance = modes()[mode]
    options = {"WEBP": {"lossless": True, "exact": True}}.get(file_format, {})
    pixels = load_image(encoded(image, file_format, **options)).pixels.astype(np.float64)
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=tolerance)


def test_a_cmyk_jpeg_is_not_inverted():
    image = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    red = load_image(encoded(image, "JPEG", quality=95)).pixels[16, 16]
    np.testing.assert_allclose(red.astype(int), [255, 0, 0], atol=4)


@pytest.mark.parametrize(
    ("mode", "value"),
    [("F", np.nan), ("F", -0.1), ("F", 256.0), ("F", np.inf), ("I", -1), ("I", 65536)],
)
def test_values_that_cannot_be_light_are_refused(mode, value):
    array = np.ones((24, 32), np.float32 if mode == "F" else np.int32)
    array[3, 4] = value
    with pytest.raises(ImageError, match=rf"mode {mode}\) has values outside"):
        load_image(raw(mode, array))


def test_of_an_animation_the_first_frame_is_taken():
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    for file_format in ("GIF", "WEBP", "PNG", "TIFF"):
        data = encoded(red, file_format, save_all=True, append_images=[blue])
        np.testing.assert_allclose(load_image(data).pixels[8, 8].astype(int), [255, 0, 0], atol=3)


# Orientation

TURN = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: np.rot90(stored, 2),
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "PIL"])
def test_the_orientation_is_applied_once(orientation, file_format):
    image = Image.fromarray(NOISE)
    image.getexif()[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {}
    kind = "PNG" if file_format == "PIL" else file_format
    source = encoded(image, kind, exif=image.getexif(), **options)
    if file_format == "PIL":
        source = Image.open(io.BytesIO(source))
    pixels = load_image(source).pixels
    np.testing.assert_array_equal(pixels, TURN[orientation](NOISE))
    np.testing.assert_array_equal(pixels, np.asarray(ImageOps.exif_transpose(image)))


def test_a_jpeg_on_its_side_is_brought_upright_after_it_was_reduced():
    stored = smooth(800, 4600)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    photo = load_image(encoded(Image.fromarray(stored), "JPEG", exif=exif, quality=95))
    assert photo.size == (356, 2048)
    small = Image.fromarray(np.ascontiguousarray(np.rot90(stored, -1))).resize(photo.size)
    assert np.abs(photo.pixels.astype(int) - np.asarray(small)).mean() < 2


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    pixels = load_image(encoded(Image.fromarray(NOISE), exif=exif)).pixels
    np.testing.assert_array_equal(pixels, NOISE)


# Position


def with_gps(gps, file_format="JPEG"):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    exif[ExifTags.IFD.GPSInfo] = exif.get_ifd(ExifTags.IFD.GPSInfo)
    return encoded(Image.fromarray(NOISE), file_format, exif=exif)


def gps_tags(latitude=(33, 51, 24.84), longitude=(151, 12, 54.36), refs="SE"):
    tags = {
        GPS.GPSLatitude: latitude,
        GPS.GPSLatitudeRef: refs[0],
        GPS.GPSLongitude: longitude,
        GPS.GPSLongitudeRef: refs[1],
    }
    return {tag: value for tag, value in tags.items() if value is not None}


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("refs", ["NE", "NW", "SE", "SW"])
def test_the_stored_position_is_read_in_every_hemisphere(refs, file_format):
    photo = load_image(with_gps(gps_tags(refs=refs), file_format))
    latitude, longitude = photo.position
    assert latitude == pytest.approx((1 if refs[0] == "N" else -1) * 33.8569, abs=1e-9)
    assert longitude == pytest.approx((1 if refs[1] == "E" else -1) * 151.2151, abs=1e-9)
    assert repr(photo) == "<Photo 32 x 24 px, position known>"


def test_a_given_position_wins_over_the_stored_one():
    assert load_image(with_gps(gps_tags()), position=(0, 0)).position == (0.0, 0.0)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        gps_tags(latitude=None),
        gps_tags(longitude=None),
        {tag: value for tag, value in gps_tags().items() if tag != GPS.GPSLatitudeRef},
        gps_tags(refs="XE"),
        gps_tags(refs=["", "E"]),
        gps_tags(refs=["NORTH", "E"]),
        gps_tags(latitude=(91, 0, 0)),
        gps_tags(longitude=(180, 0, 1)),
        gps_tags(latitude=(33, 61, 0)),
        gps_tags(latitude=(33, 0, 99)),
        gps_tags(latitude=(IFDRational(1, 0), 0, 0)),
        gps_tags(latitude=(IFDRational(0, 0), 0, 0)),
        gps_tags(longitude=(12, 0, IFDRational(0, 0))),
        gps_tags(latitude=(33, 51)),
        gps_tags(latitude=33.5),
        gps_tags(latitude=(0, 0, 0), longitude=(0, 0, 0)),
    ],
)
def test_broken_position_tags_mean_no_position(tags):
    photo = load_image(with_gps(tags))
    assert photo.position is None
    assert photo.size == (32, 24)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
@example(b"II*\0\x08\0\0\0\xff\xff")
@example(b"MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\xff\xff\xff\xff")
def test_broken_metadata_costs_nobody_a_photo(junk):
    data = encoded(Image.fromarray(NOISE), "PNG", exif=b"Exif\0\0" + junk)
    assert sorted(load_image(data).size) == [24, 32]


def test_broken_tags_do_not_hide_the_orientation():
    image = Image.fromarray(NOISE)
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.GPSInfo] = gps_tags(latitude=(IFDRational(1, 0), 0, 0))
    photo = load_image(encoded(image, exif=exif))
    assert (photo.size, photo.position) == ((24, 32), None)


# Broken and hostile files


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([b"", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\x20\0\0\0WEBPVP8 "])
    | st.sampled_from([b"GIF89a", b"BM", b"II*\0", b"P6 9 9 255 ", b"\0\0\0\x0cjP  \r\n\x87\n"]),
    st.binary(max_size=300),
)
def test_random_bytes_raise_nothing_but_image_error(start, rest):
    try:
        photo = load_image(start + rest)
    except ImageError:
        return
    assert min(photo.size) >= images.MIN_SIDE


FILES = {
    "JPEG": encoded(Image.fromarray(smooth()), "JPEG"),
    "progressive JPEG": encoded(Image.fromarray(smooth()), "JPEG", progressive=True),
    "PNG": encoded(Image.fromarray(smooth()), "PNG"),
    "WEBP": encoded(Image.fromarray(smooth()), "WEBP"),
    "lossless WEBP": encoded(Image.fromarray(smooth()), "WEBP", lossless=True),
    "GIF": encoded(Image.fromarray(smooth()), "GIF"),
    "BMP": encoded(Image.fromarray(smooth()), "BMP"),
    "PPM": encoded(Image.fromarray(smooth()), "PPM"),
    "TIFF": encoded(Image.fromarray(smooth()), "TIFF"),
    "JPEG2000": encoded(Image.fromarray(smooth()), "JPEG2000"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_cut_off_is_never_a_partial_picture(kind):
    data = FILES[kind]
    whole = load_image(data).pixels
    length = len(data)
    # The last bytes may be a mere end mark: without it the picture is still whole.
    for cut in [*range(1, length, max(1, length // 60)), *range(length - 40, length)]:
        try:
            pixels = load_image(data[:cut]).pixels
        except ImageError:
            continue
        assert cut >= length - 40
        np.testing.assert_array_equal(pixels, whole)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 10**6), st.integers(1, 255))
def test_a_flipped_byte_raises_nothing_but_image_error(kind, place, change):
    data = bytearray(FILES[kind])
    data[place % len(data)] ^= change
    with contextlib.suppress(ImageError):
        load_image(data)


@pytest.mark.parametrize("source", [b"", bytearray(), io.BytesIO()])
def test_empty_files_are_called_empty(source):
    with pytest.raises(ImageError, match="The picture is empty: choose a picture file"):
        load_image(source)


def test_messages_name_the_file_and_what_to_do(tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("these are my notes")
    with pytest.raises(ImageError, match=r"notes\.jpg' is not a picture .* save it as JPEG"):
        load_image(path)
    path.write_bytes(FILES["JPEG"][:500])
    with pytest.raises(ImageError, match=r"notes\.jpg' is broken or cut off .* save it as JPEG"):
        load_image(path)


def test_files_that_would_start_an_outside_program_are_no_pictures():
    with pytest.raises(ImageError, match="not a picture"):
        load_image(encoded(Image.fromarray(NOISE), "EPS"))


def png_claiming(width, height):
    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(100_000, 100_000), (10_000, 10_000), (8_001, 10_000)])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(size):
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"more than 80,000,000.*save it smaller"):
        load_image(png_claiming(*size))
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_pillows_warning_as_an_error_is_ours_too():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match="more than"):
            load_image(png_claiming(10_000, 10_000))


def test_pillows_global_switches_are_left_alone():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    load_image(FILES["PNG"])
    with pytest.raises(ImageError):
        load_image(FILES["PNG"][:100])
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


# Limits


def test_large_files_are_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 2 * 1024**2)
    path = tmp_path / "large.png"
    path.touch()
    os.truncate(path, 2 * 1024**2 + 1)
    for source in (path, path.read_bytes(), memoryview(path.read_bytes()), path.open("rb")):
        with pytest.raises(ImageError, match="more than 2 MB: save it smaller"):
            load_image(source)
        if hasattr(source, "close"):
            source.close()


@pytest.mark.parametrize("source", [NOISE[:7], NOISE[:, :7], Image.new("L", (1, 1))])
def test_small_pictures_are_refused(source):
    with pytest.raises(ImageError, match="too small or too narrow"):
        load_image(source)


def test_a_picture_that_would_be_reduced_to_a_line_is_refused():
    with pytest.raises(ImageError, match="10,000 x 10 pixels: too small or too narrow"):
        load_image(Image.new("RGB", (10_000, 10)))


def test_the_smallest_and_the_largest_kept_are_untouched():
    assert load_image(NOISE[:8, :8]).size == (8, 8)
    wide = RNG.integers(0, 256, (9, 2048, 3), np.uint8)
    np.testing.assert_array_equal(load_image(wide).pixels, wide)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_large_pictures_are_reduced_with_the_mean_kept(mode):
    large = Image.fromarray(smooth(300, 4100))
    if mode == "I;16":
        large = raw_16(large)
    elif mode in {"LA", "RGBA"}:
        large.putalpha(Image.fromarray(smooth(300, 4100)[..., 1]))
        large = large.convert(mode)
    else:
        large = large.convert(mode)
    photo = load_image(large)
    assert photo.size == (2048, 150)
    full = images._to_rgb(large)
    mean = np.asarray(full, np.float64).mean(axis=(0, 1))
    np.testing.assert_allclose(photo.pixels.mean(axis=(0, 1)), mean, atol=0.6)


def raw_16(image):
    grey_values = np.asarray(image.convert("L")).astype("<u2") * 257
    return Image.frombytes("I;16", image.size, grey_values.tobytes())


# Data URIs


def test_png_keeps_every_pixel_and_its_transparency():
    uri = to_data_uri(NOISE, "png")
    assert uri.startswith("data:image/png;base64,")
    np.testing.assert_array_equal(np.asarray(from_uri(uri)), NOISE)
    with_alpha = np.dstack([NOISE, GREY])
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
