import contextlib
import io
import os
import struct
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import NOISE, encoded, smooth
from PIL import Image, ImageFile

from combicam_widgets.images import MIN_SIDE, ImageError, load_image, loading


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
    assert min(photo.size) >= MIN_SIDE


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
    monkeypatch.setattr(loading, "MAX_FILE_BYTES", 2 * 1024**2)
    path = tmp_path / "large.png"
    path.touch()
    os.truncate(path, 2 * 1024**2 + 1)
    for source in (path, path.read_bytes(), memoryview(path.read_bytes()), path.open("rb")):
        with pytest.raises(ImageError, match="more than 2 MB: save it smaller"):
            load_image(source)
        if hasattr(source, "close"):
            source.close()
