"""Image transforms: the usual one, what is refused, and which ones move things."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel, WholePhoto
from combicam_widgets.models.transforms import keeps_place


def tensor(image):
    """Pixels in [0, 1], at the photo's own size."""
    return torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1) / 255


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((224, 224), (224, 224)),
        ((640, 640), (224, 224)),
        ((640, 480), (256, 192)),
        ((480, 640), (192, 256)),
        ((640, 360), (288, 160)),
        ((1, 1), (224, 224)),
        ((4000, 1000), (448, 128)),
        # Too long for 32 px: squeezed, so that memory stays what it is.
        ((100_000, 3), (1568, 32)),
        ((2, 60_000), (32, 1568)),
    ],
)
def test_whole_photo_by_hand(size, expected):
    width, height = expected
    assert WholePhoto(224)(Image.new("RGB", size)).shape == (3, height, width)


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 2000),
    aspect=st.floats(1 / 40, 40),
    side=st.sampled_from([64, 224, 300]),
)
def test_whole_photo_keeps_size_and_proportions(width, aspect, side):
    height = max(1, round(width / aspect))
    view = WholePhoto(side)(Image.new("RGB", (width, height)))
    sides = np.array(view.shape[1:])
    assert (sides % 32 == 0).all()
    assert (sides > 0).all()
    # Each side is within half a step of what it should be, or is the shortest or longest there is.
    scale = side / np.sqrt(width * height)
    wanted = np.array([height, width]) * scale
    longest = round((side / 32) ** 2) * 32
    assert (np.abs(sides - np.clip(wanted, 32, longest)) <= 16 + 1e-6).all()
    assert sides.prod() <= 1.6 * side**2


@given(colour=st.tuples(*[st.integers(0, 255)] * 3))
@settings(deadline=None, max_examples=20)
def test_whole_photo_normalises_each_channel(colour):
    image = Image.new("RGB", (50, 40), colour)
    means, deviations = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    view = WholePhoto(64, means, deviations)(image)
    for channel in range(3):
        expected = (colour[channel] / 255 - means[channel]) / deviations[channel]
        np.testing.assert_allclose(view[channel], expected, atol=1e-5)
    imagenet = WholePhoto(64)(image)[:, 0, 0]
    plain = np.array(colour) / 255
    np.testing.assert_allclose(
        imagenet, (plain - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225], atol=1e-5
    )
    assert imagenet.dtype == torch.float32


def test_whole_photo_crops_nothing():
    """A mark in each corner is still there."""
    pixels = np.zeros((90, 200, 3), np.uint8)
    pixels[:30, :30] = pixels[-30:, -30:] = (255, 0, 0)
    red = WholePhoto(128, (0, 0, 0), (1, 1, 1))(Image.fromarray(pixels))[0]
    assert red[0, 0] > 0.9
    assert red[-1, -1] > 0.9
    assert red[0, -1] < 0.1
    assert float(red.mean()) == pytest.approx(2 * 900 / 18000, abs=0.01)
    halves = cam.upsample(red.numpy(), (90, 200)) > 0.5
    np.testing.assert_array_equal(halves[:25, :25], True)


REFUSED = {
    "grey": (lambda image: tensor(image)[0], ValueError, r"not \(12, 16\): it is grey"),
    "one channel": (
        lambda image: tensor(image)[:1],
        ValueError,
        r"does not take a tensor \(1, 12, 16\).*Grayscale.*RuntimeError: .*to have 3 channels",
    ),
    "batch": (
        lambda image: tensor(image)[None],
        ValueError,
        r"not \(1, 3, 12, 16\): give one photo without the batch dimension \(no unsqueeze",
    ),
    "channels last": (
        lambda image: tensor(image).permute(1, 2, 0),
        ValueError,
        r"not \(12, 16, 3\): the channels come first; add .permute\(2, 0, 1\)",
    ),
    "two channels": (
        lambda image: tensor(image)[:2],
        ValueError,
        r"does not take a tensor \(2, 12, 16\).*size and the channels.*to have 3 channels",
    ),
    "nothing left": (lambda image: tensor(image)[:, :0], ValueError, r"not \(3, 0, 16\)\."),
    "array": (np.asarray, TypeError, r"not ndarray: end it with torchvision's ToTensor\(\)"),
    "image": (lambda image: image, TypeError, r"not Image: end it with torchvision's ToTensor"),
    "nothing": (lambda _image: None, TypeError, "not NoneType"),
    "bytes": (
        lambda image: (tensor(image) * 255).to(torch.uint8),
        TypeError,
        "floating type, not torch.uint8: divide by 255",
    ),
    "integers": (lambda image: tensor(image).long(), TypeError, "not torch.int64: divide by 255"),
    "NaN": (lambda image: tensor(image) / 0 * 0, ValueError, "NaN or infinite values; does it"),
    "infinite": (lambda image: 1 / tensor(image), ValueError, "NaN or infinite values"),
}


@pytest.mark.parametrize(("transform", "error", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("ask", ["predict", "explain"])
def test_what_does_not_fit_a_network_is_refused_with_advice(ask, transform, error, message):
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 1), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 90, 180, -90])
    photo = Photo(np.zeros((12, 16, 3), np.uint8))
    with pytest.raises(error, match=message):
        getattr(GeoModel(network, cells, transform), ask)(photo)


def squeezed(image):
    return tensor(image.resize((224, 224)))


def central(margin):
    """Like Resize(larger) and CenterCrop: leaves out a part of each side."""

    def crop(image):
        w, h = image.width * margin, image.height * margin
        box = (w, h, image.width - w, image.height - h)
        return tensor(image.resize((224, 224), Image.Resampling.BILINEAR, box))

    return crop


def standardised(image):
    x = squeezed(image)
    return (x - x.mean()) / x.std()


IN_PLACE = {
    "as it is": tensor,
    "whole": WholePhoto(),
    "whole, small": WholePhoto(64),
    "squeezed": squeezed,
    "nearest": lambda image: tensor(image.resize((224, 224), Image.Resampling.NEAREST)),
    "half precision": lambda image: squeezed(image).bfloat16(),
    "grey, three times": lambda image: squeezed(ImageOps.grayscale(image).convert("RGB")),
    "negative": lambda image: 1 - squeezed(image),
    "contrast": lambda image: squeezed(ImageOps.autocontrast(image)),
    "standardised": standardised,
    "no pattern": lambda _image: torch.zeros(3, 8, 8),
}
MOVED = {
    "crop of 1 / 16": central(1 / 16),
    "crop of 2 %": central(0.02),
    "mirrored": lambda image: squeezed(ImageOps.mirror(image)),
    "upside down": lambda image: squeezed(ImageOps.flip(image)),
    "turned": lambda image: squeezed(image.transpose(Image.Transpose.ROTATE_90)),
}
LETTERS = {
    "square crop": lambda image: tensor(ImageOps.fit(image, (224, 224))),
    "border": lambda image: tensor(ImageOps.pad(image, (224, 224))),
}
SIZES = [(640, 640), (1024, 768), (300, 700), (2048, 200)]


@pytest.mark.parametrize("size", [*SIZES, (40, 30), (1, 1), (5, 300)])
@pytest.mark.parametrize("transform", IN_PLACE.values(), ids=IN_PLACE)
def test_scale_proportions_and_colours_move_nothing(transform, size):
    if size == (1, 1) and transform is standardised:
        size = (2, 1)  # a single pixel has no deviation
    assert keeps_place(transform, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transform", MOVED.values(), ids=MOVED)
def test_crops_and_mirrors_are_seen(transform, size):
    assert not keeps_place(transform, size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transform", LETTERS.values(), ids=LETTERS)
def test_what_makes_a_photo_square_moves_those_that_are_not(transform, size):
    assert keeps_place(transform, size) == (size[0] == size[1])
