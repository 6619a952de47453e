import io

import numpy as np
import pytest
from photo_files import NOISE, RNG, encoded, palette_image, smooth
from PIL import ExifTags, Image, ImageOps

from combicam_widgets.images import ImageError, load_image

GREY = NOISE[..., 0]
ALPHA = NOISE[..., 1]


def grey(values):
    return np.stack([np.asarray(values)] * 3, axis=2).astype(np.float64)


def on_white(rgb, alpha):
    alpha = alpha[..., None] / 255
    return rgb * alpha + 255 * (1 - alpha)


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
    if mode == "I;16":
        whole = np.asarray(large) / 257
    else:
        rgba = np.asarray(large.convert("RGB" if mode == "CMYK" else "RGBA"), np.float64)
        whole = on_white(rgba[..., :3], rgba[..., 3]) if rgba.shape[2] == 4 else rgba
    np.testing.assert_allclose(
        photo.pixels.mean(axis=(0, 1)), np.broadcast_to(whole.mean(axis=(0, 1)), 3), atol=0.6
    )


@pytest.mark.parametrize("size", [(2049, 2500), (4099, 700), (701, 6151), (9000, 40)])
def test_bands_join_as_if_the_picture_were_reduced_at_once(size):
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    waves = 128 + 60 * np.sin(x / 31 + y / 17) + 50 * np.cos(y / 23)
    pixels = np.stack([waves, 255 * x / size[0], 255 * y / size[1]], axis=2).astype(np.uint8)
    small = load_image(pixels).pixels
    assert max(small.shape) == 2048
    expected = Image.fromarray(pixels).resize(small.shape[1::-1], Image.Resampling.LANCZOS)
    difference = np.abs(small.astype(int) - np.asarray(expected))
    assert difference.max() <= 3
    assert difference.mean() < 0.2
    np.testing.assert_array_equal(load_image(Image.fromarray(pixels)).pixels, small)


def raw_16(image):
    grey_values = np.asarray(image.convert("L")).astype("<u2") * 257
    return Image.frombytes("I;16", image.size, grey_values.tobytes())
