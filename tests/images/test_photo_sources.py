import io
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from photo_files import NOISE, encoded, palette_image, smooth
from PIL import ExifTags, Image

from combicam_widgets.images import ImageError, Photo, load_image, to_data_uri


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
    palette = palette_image(transparency=1)
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


@pytest.mark.parametrize("write", [str, Path])
def test_a_tilde_is_the_home_folder(write, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(NOISE)))
    photo = load_image(write("~/a.png"))
    assert photo.name == "a"
    np.testing.assert_array_equal(photo.pixels, NOISE)
    with pytest.raises(FileNotFoundError, match=r"no picture file '~/none\.png': check the path"):
        load_image(write("~/none.png"))
    with pytest.raises(FileNotFoundError, match="check the path"):
        load_image(write("~nobody_of_this_name/a.png"))


def test_the_address_of_a_file_is_answered_with_its_path():
    with pytest.raises(ImageError, match=r"give the path '/home/me/my photo\.png'"):
        load_image("file:///home/me/my%20photo.png")


class Trickle(io.RawIOBase):
    """A stream like a socket: it gives little at a time, and cannot go back."""

    def __init__(self, data, most=7):
        self.rest, self.most = data, most

    def readable(self):
        return True

    def readinto(self, buffer):
        part, self.rest = self.rest[: self.most], self.rest[self.most :]
        buffer[: len(part)] = part
        return len(part)


class OnlyRead:
    """The least that is a binary file."""

    def __init__(self, data):
        self.data = data

    def read(self, size):
        part, self.data = self.data[:size], self.data[size:]
        return part


@pytest.mark.parametrize("stream", [Trickle, OnlyRead])
def test_streams_that_give_little_at_a_time_are_read_to_their_end(stream):
    photo = load_image(stream(encoded(Image.fromarray(NOISE))))
    np.testing.assert_array_equal(photo.pixels, NOISE)


def test_open_files_are_read_from_their_start_and_named(tmp_path):
    path = tmp_path / "my photo.png"
    written = io.BytesIO()
    Image.fromarray(NOISE).save(written, "PNG")  # which leaves it at its end
    np.testing.assert_array_equal(load_image(written).pixels, NOISE)
    path.write_bytes(written.getvalue())
    with path.open("rb") as file:
        file.read()
        assert load_image(file).name == "my photo"
    path.write_bytes(b"nothing")
    with path.open("rb") as file, pytest.raises(ImageError, match=r"my photo\.png' is not a pict"):
        load_image(file)
    with pytest.raises(OSError, match=r"my photo\.png' could not be read .*mode 'rb'"):
        load_image(file)  # closed
    with path.open("w") as file, pytest.raises(OSError, match=r"my photo\.png' could not be read"):
        load_image(file)
    with path.open("r") as file, pytest.raises(TypeError, match="mode 'rb'"):
        load_image(file)


class Failing(OnlyRead):
    name = "far/away.png"

    def read(self, _size):
        raise RuntimeError("the line is dead")


def test_whatever_a_stream_raises_is_an_os_error_that_names_it():
    with pytest.raises(OSError, match=r"far/away\.png' could not be read \(the line is dead\)"):
        load_image(Failing(b""))


def test_views_of_memory_need_not_be_in_one_piece():
    data = encoded(Image.fromarray(NOISE))
    every_other = bytearray(2 * len(data))
    every_other[::2] = data
    np.testing.assert_array_equal(load_image(memoryview(every_other)[::2]).pixels, NOISE)


def test_bytes_with_a_name_are_called_by_it():
    with pytest.raises(ImageError, match=r"The picture 'IMG_1\.heic' is not a picture"):
        load_image(b"nothing", name="IMG_1.heic")
    with pytest.raises(TypeError, match="name must be a str, got int"):
        load_image(NOISE, name=3)


class Tensor:
    """What is asked of a tensor before it is refused; torch is not imported for it."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype

    def detach(self): ...

    def permute(self): ...


Foreign = type("Foreign", (), {"shape": (24, 32, 3), "dtype": "uint8"})


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        (NOISE.transpose(2, 0, 1), "source.transpose(1, 2, 0)"),
        (NOISE[..., 0][None], "source.transpose(1, 2, 0)[:, :, 0]"),
        (NOISE[..., :1], "source[:, :, 0]"),
        (NOISE[None], "source[0]"),
        (NOISE.transpose(2, 0, 1)[None], "source[0].transpose(1, 2, 0)"),
        (NOISE / 255, '(255 * source).round().astype("uint8")'),
        (
            (NOISE / np.float32(255)).transpose(2, 0, 1),
            '(255 * source.transpose(1, 2, 0)).round().astype("uint8")',
        ),
        (NOISE.astype(np.uint16) * 257, '(source // 257).astype("uint8")'),
        (NOISE.astype(np.int64), 'source.astype("uint8")'),
        (NOISE > 127, '255 * source.astype("uint8")'),
        (NOISE.tolist(), 'numpy.array(source, dtype="uint8")'),
        (
            Tensor((3, 24, 32), "torch.float32"),
            '(255 * source.detach().cpu().numpy().transpose(1, 2, 0)).round().astype("uint8")',
        ),
        (Tensor((24, 32, 3), "torch.uint8"), "source.detach().cpu().numpy()"),
        (Foreign(), "numpy.asarray(source)"),
    ],
)
def test_the_advice_for_arrays_and_tensors_gives_the_photo(source, advice):
    with pytest.raises(TypeError) as caught:
        load_image(source)
    assert str(caught.value).endswith(advice)
    if isinstance(source, np.ndarray | list):
        pixels = load_image(eval(advice, {"source": source, "numpy": np})).pixels
        grey = np.repeat(NOISE[..., :1], 3, axis=2)
        two_tone = np.where(NOISE > 127, 255, 0)
        expected = two_tone if np.asarray(source).dtype == bool else NOISE
        np.testing.assert_array_equal(pixels, grey if "[:, :, 0]" in advice else expected)


def test_the_advice_for_a_real_tensor_gives_the_photo():
    import torch

    tensor = torch.tensor(NOISE / 255).permute(2, 0, 1).float().requires_grad_()
    with pytest.raises(TypeError, match="got Tensor: channels come last") as caught:
        load_image(tensor)
    source = eval(str(caught.value).partition("for instance ")[2], {"source": tensor})
    np.testing.assert_array_equal(load_image(source).pixels, NOISE)


@pytest.mark.parametrize("make", [load_image, Photo, to_data_uri])
def test_the_limit_is_looked_at_before_an_array_is_converted(make):
    endless = np.broadcast_to(NOISE[:1, :1], (50_000, 45_000, 3))  # 6.75 GB if it were copied
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"45,000 x 50,000 pixels, more than 80,000,000: give eve"):
        make(endless)
    with pytest.raises(TypeError, match="got dtype float64"):
        make(np.broadcast_to(0.5, (50_000, 45_000, 3)))
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    "position",
    [
        np.array([48.5, 2.25]),
        np.array([48.5, 2.25], np.float32),
        (np.float32(48.5), np.float64(2.25)),
        [Fraction(97, 2), 2.25],
    ],
)
def test_positions_may_be_arrays_and_any_numbers(position):
    assert load_image(NOISE, position=position).position == (48.5, 2.25)
    assert Photo(NOISE, position=position).position == (48.5, 2.25)


@pytest.mark.parametrize(
    ("position", "error"),
    [
        ((10**400, 0), ValueError),
        ((0, Fraction(10**400)), ValueError),
        (np.array([[48.5, 2.25]]), TypeError),
        (np.array(48.5), TypeError),
        (np.array(["48", "2"]), TypeError),
        ({48: 0, 2: 0}, TypeError),
        ({48, 2}, TypeError),
        ((48j, 2), TypeError),
        ((None, 2), TypeError),
    ],
)
def test_other_positions_are_refused_in_words(position, error):
    with pytest.raises(error, match=r"position must be \(latitude, longitude\) in degrees"):
        load_image(NOISE, position=position)


def test_an_image_that_was_closed_unread_is_told_from_a_broken_one(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(NOISE).save(path)
    with Image.open(path) as image:
        pass
    with pytest.raises(ImageError, match=r"a\.png' was closed before .* give its path, or call it"):
        load_image(image)


def test_a_jpeg_that_was_opened_but_not_decoded_stays_so():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    data = encoded(Image.fromarray(smooth(800, 4200)), "JPEG", exif=exif)
    image = Image.open(io.BytesIO(data))
    np.testing.assert_array_equal(load_image(image).pixels, load_image(data).pixels)
    assert (image.size, bool(image.tile)) == ((4200, 800), True)
    image.getexif()[ExifTags.Base.Orientation] = 1
    assert load_image(image).size == (2048, 390)
    assert np.asarray(image).shape == (800, 4200, 3)


class Seekable(OnlyRead):
    """The least that Pillow asks of a file."""

    at = 0

    def read(self, size=-1):
        part = self.data[self.at :] if size < 0 else self.data[self.at : self.at + size]
        self.at += len(part)
        return part

    def seek(self, place, whence=0):
        self.at = place + (0, self.at, len(self.data))[whence]
        return self.at

    def tell(self):
        return self.at


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "PPM", "TIFF"])
def test_an_image_may_stand_over_any_file_that_pillow_accepts(file_format):
    data = encoded(Image.fromarray(NOISE), file_format)
    photo = load_image(Image.open(Seekable(data)))
    np.testing.assert_array_equal(photo.pixels, load_image(data).pixels)
