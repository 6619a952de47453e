"""What would take too long or too much memory is refused, and what is large but harmless is not."""

import io
import re
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from photo_files import encoded, gps_tags, smooth
from PIL import ExifTags, Image

from benchmarks.fuzz import bounded_memory
from combicam_widgets.images import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    ImageError,
    decoding,
    headers,
    load_image,
)

SMALL = Image.fromarray(smooth())


# JPEG


def progressive(image, extra_scans=0, **options):
    """A progressive JPEG in which the last scan of the greys is there some more times."""
    data = encoded(image, "JPEG", progressive=True, **options)
    marks = [match.start() for match in re.finditer(rb"\xff[\xc4\xda\xd9]", data)]
    last = max(mark for mark in marks if data[mark + 1] == 0xDA)
    table = max(mark for mark in marks if mark < last)
    return data[:-2] + data[table:-2] * extra_scans + data[-2:]


@pytest.mark.parametrize(("subsampling", "grey", "colour"), [(0, 96, 96), (1, 96, 48), (2, 96, 24)])
def test_scans_are_counted_by_the_blocks_that_they_visit(subsampling, grey, colour):
    # In pillow's progressive files: 2 scans of all, 4 more of the greys and 2 of each colour.
    blocks = grey + 2 * colour
    jpeg = headers.jpeg_scans(progressive(SMALL, subsampling=subsampling), 100)
    assert (jpeg.scans, jpeg.visits) == (10, 2 * blocks + 4 * grey + 2 * 2 * colour)
    assert (jpeg.memory, jpeg.scalable) == (128 * blocks, True)
    sequential = headers.jpeg_scans(encoded(SMALL, "JPEG", subsampling=subsampling), 100)
    assert (sequential.scans, sequential.visits, sequential.memory) == (1, blocks, 0)


def test_honest_progressive_jpegs_are_read():
    with Image.open(io.BytesIO(progressive(SMALL, 40))) as image:
        np.testing.assert_array_equal(load_image(progressive(SMALL, 40)).pixels, np.asarray(image))


def test_absurdly_many_scans_are_refused():
    with pytest.raises(ImageError, match="in 2,010 scans, too many to read: open it in an image"):
        load_image(progressive(SMALL, 2000))
    with Image.open(io.BytesIO(progressive(SMALL, 2000))) as image, pytest.raises(ImageError):
        load_image(image)
    large = Image.new("L", (5000, 5000))
    with pytest.raises(ImageError, match="progressive JPEG in 116 scans, too many to read"):
        load_image(progressive(large, 110))
    assert load_image(progressive(large)).size == (2048, 2048)


def test_many_scans_in_a_jpeg_that_calls_itself_sequential_are_counted_too():
    data = encoded(SMALL, "JPEG")
    start = data.index(b"\xff\xda")
    assert data[start + 4] == 3
    # The same picture in one scan for each component, again and again.
    scans = b"".join(
        b"\xff\xda\0\x08\1" + data[start + 5 + 2 * i : start + 7 + 2 * i] + b"\0\x3f\0" + b"\0" * 40
        for i in range(3)
    )
    with pytest.raises(ImageError, match="in 300 scans"):
        load_image(data[:start] + scans * 100 + b"\xff\xd9")


@pytest.mark.parametrize("size", [(12_000, 9_000), (16_384, 8_192)])
def test_large_but_harmless_jpegs_are_decoded_at_a_fraction_and_keep_their_position(size):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps_tags())
    exif[ExifTags.IFD.GPSInfo] = exif.get_ifd(ExifTags.IFD.GPSInfo)
    large = Image.fromarray(smooth(64, 96)[..., 1]).resize(size, Image.Resampling.NEAREST)
    data = encoded(large, "JPEG", exif=exif)
    assert size[0] * size[1] > MAX_PIXELS
    photo = load_image(data)
    assert photo.size == (2048, round(2048 * size[1] / size[0]))
    assert photo.position == pytest.approx((-33.8569, 151.2151), abs=1e-6)
    expected = np.asarray(large.resize(photo.size))[..., None]
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 1
    if size[0] < 13_000:  # beyond, Pillow itself warns
        np.testing.assert_array_equal(load_image(JpegWithoutWarning(data)).pixels, photo.pixels)


def JpegWithoutWarning(data):  # noqa: N802 - reads like Image.open
    from PIL.JpegImagePlugin import JpegImageFile

    return JpegImageFile(io.BytesIO(data))


def test_coefficients_that_would_fill_the_memory_are_refused():
    start, end = encoded(Image.new("L", (16, 16)), "JPEG", progressive=True).split(b"\xff\xc2", 1)
    claims = start + b"\xff\xc2" + end[:3] + struct.pack(">2H", 20_000, 12_000) + end[7:]
    with pytest.raises(ImageError, match="progressive JPEG that would take 495 MB of memory"):
        load_image(claims)


def test_what_stands_beside_a_jpeg_is_bounded():
    data = encoded(SMALL, "JPEG")
    exif = b"\xff\xe1\xff\xfaExif\0\0" + b"\0" * 65_522
    with pytest.raises(ImageError, match="too much beside its picture"):
        load_image(data[:2] + exif * 70 + data[2:])
    with pytest.raises(ImageError, match="too much beside its picture"):
        load_image(data[:2] + b"\xff\xfe\0\2" * 100_001 + data[2:])
    honest = data[:2] + b"\xff\xee\xff\xff" + b"\0" * 65_533 + data[2:]
    np.testing.assert_array_equal(load_image(honest).pixels, load_image(data).pixels)


# PGM and PPM


def pnm(kind, pixels, brightest):
    width_height = f"{pixels.shape[1]} {pixels.shape[0]}"
    head = f"{kind}\n# a comment\n{width_height}\n{brightest}\n".encode()
    if kind in {"P2", "P3"}:
        rows = (" ".join(map(str, row)) for row in pixels.reshape(len(pixels), -1))
        return head + " # another\n".join(rows).encode()
    return head + pixels.astype(np.uint8 if brightest < 256 else ">u2").tobytes()


@pytest.mark.parametrize("brightest", [1, 3, 100, 254, 255, 256, 1023, 4095, 65534, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_grey_levels_of_any_number_have_their_closed_form(kind, brightest):
    shape = (24, 32, 3) if kind in {"P3", "P6"} else (24, 32)
    pixels = np.random.default_rng(1).integers(0, brightest + 1, shape)
    photo = load_image(pnm(kind, pixels, brightest))
    expected = pixels * 255 / brightest
    expected = expected if len(shape) == 3 else np.repeat(expected[..., None], 3, axis=2)
    assert np.abs(photo.pixels - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("kind", ["P2", "P5"])
def test_a_dark_picture_of_16_bits_stays_dark(kind):
    pixels = np.full((24, 32), 200)
    assert load_image(pnm(kind, pixels, 65535)).pixels.max() == 1


@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
@pytest.mark.parametrize("brightest", [100, 4095])
def test_a_pnm_cut_off_or_with_other_things_in_it_is_no_picture(kind, brightest):
    shape = (24, 32, 3) if kind in {"P3", "P6"} else (24, 32)
    data = pnm(kind, np.full(shape, 77), brightest)
    with pytest.raises(ImageError, match="broken or cut off"):
        load_image(data[:-4])
    if kind in {"P2", "P3"}:
        for other in (b"7.7", b"-77", b"x"):
            with pytest.raises(ImageError, match="broken or cut off"):
                load_image(data.replace(b"77", other, 1))


def test_comments_between_grey_levels_do_not_fill_the_memory():
    data = b"P2 500 500 255\n" + b"#\n" * 1_000_000 + b"7 " * 250_000
    with bounded_memory(30), pytest.raises(ImageError, match="more than 10,000 comments"):
        load_image(data)


def test_a_pgm_in_an_image_that_is_not_decoded_yet_is_read_as_well():
    pixels = np.arange(24 * 32).reshape(24, 32)
    with Image.open(io.BytesIO(pnm("P5", pixels, 1023))) as image:
        photo = load_image(image)
        assert image.tile
        assert np.abs(photo.pixels[..., 0] - pixels * 255 / 1023).max() <= 0.5
        assert np.asarray(image).max() == round(767 * 65535 / 1023)


# Decoders that go step by step in Python


@pytest.mark.parametrize(
    "head",
    [
        b"qoif" + struct.pack(">IIBB", 5000, 5000, 3, 0),
        b"P1\n5000 5000\n",
        b'/* XPM */\nstatic char *a[] = {\n"5000 5000 1 1",\n"a c #000000",\n',
    ],
)
def test_decoders_in_python_are_for_small_pictures(head):
    with pytest.raises(ImageError, match="5,000 x 5,000 pixels, too many for this kind of"):
        load_image(head + b"0" * 100)


def test_a_jpeg_in_a_blp_is_not_looked_into():
    head = b"BLP1" + struct.pack("<5i", 0, 0, 64, 64, 0)
    with pytest.raises(ImageError, match="is a JPEG in a BLP"):
        load_image(head + b"\0" * 2000)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("place", [33, -12])
@pytest.mark.parametrize("piece", [chunk(b"tEXt", b"a\0"), chunk(b"IDAT", b"")])
def test_files_in_too_many_pieces_are_refused(place, piece, monkeypatch):
    monkeypatch.setattr(decoding, "_MAX_READS", 1000)
    data = encoded(SMALL, "PNG")
    load_image(data[:place] + piece * 100 + data[place:])
    with pytest.raises(ImageError, match="in too many pieces"):
        load_image(data[:place] + piece * 1000 + data[place:])


def test_the_largest_files_are_far_from_too_many_pieces():
    pixels = np.random.default_rng(0).integers(0, 256, (400, 399, 3), np.uint8)
    data = encoded(Image.fromarray(pixels))
    body = b"".join(re.findall(rb"IDAT(.*?)....(?=\0.{3}I[DE])", data, re.DOTALL))
    file = decoding.PictureFile(io.BytesIO(data), "The picture")
    np.testing.assert_array_equal(np.asarray(decoding.decoded(decoding.opened(file))), pixels)
    reads = decoding._MAX_READS - file.reads_left
    assert 10 < reads < 100 * len(body) / 8192
    assert reads * MAX_FILE_BYTES / len(data) < decoding._MAX_READS / 4


# Memory


def tiff(fields, body=b""):
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + entries + b"\0\0\0\0" + body


SIZE = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8)]


def test_a_tiff_of_millions_of_strips_is_refused():
    strips = [(259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 2_000_000, 100), (277, 3, 1, 1)]
    data = tiff(SIZE + strips, b"\x08\0\0\0" * 2_000_100)
    assert headers.tiff_directory(data) == (7, 2_000_000)
    with pytest.raises(ImageError, match="in too many pieces"):
        load_image(data)


def test_a_tile_that_is_far_larger_than_its_tiff_is_refused():
    tile = [(322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 200), (325, 4, 1, 100)]
    data = tiff([*SIZE, (259, 3, 1, 8), (262, 3, 1, 1), (277, 3, 1, 1), *tile], b"\0" * 300)
    with pytest.raises(ImageError, match=r"as TIFF would take 3,600 MB of memory .* more than 368"):
        load_image(data)


def png_of_zeros(width, height, bands=4):
    """A PNG of any size, made row by row."""
    pack = zlib.compressobj(1)
    row = b"\0" * (width * bands + 1)
    body = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[bands], 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("kind", ["ICNS", "ICO"])
def test_a_picture_in_an_icon_may_not_be_larger_than_icons_are(kind):
    def icon(png):
        if kind == "ICNS":
            body = b"ic10" + struct.pack(">I", 8 + len(png)) + png
            return b"icns" + struct.pack(">I", 8 + len(body)) + body
        return struct.pack("<3H4B2H2I", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png

    assert load_image(icon(png_of_zeros(1024, 1024))).size == (1024, 1024)
    with pytest.raises(ImageError, match="9,000 x 9,000 pixels in an icon"):
        load_image(icon(png_of_zeros(9000, 9000, 1)))


@pytest.mark.parametrize(
    ("side", "mode", "options"),
    [(1400, "RGB", {"codeblock_size": (4, 4)}), (1700, "L", {"tile_size": (8, 8)})],
)
def test_a_jpeg_2000_in_tiny_parts_is_refused(side, mode, options):
    with pytest.raises(ImageError, match=r"as JPEG2000 would take 4\d+ MB of memory"):
        load_image(encoded(Image.new(mode, (side, side)), "JPEG2000", **options))


def test_a_large_jpeg_2000_is_decoded_at_a_fraction():
    y, x = np.mgrid[0:2400, 0:4500]
    grey = (128 + 60 * np.sin(x / 97) + 50 * np.cos(y / 53)).astype(np.uint8)
    photo = load_image(encoded(Image.fromarray(grey), "JPEG2000"))
    expected = Image.fromarray(grey).resize(photo.size, Image.Resampling.BOX)
    assert photo.size == (2048, 1092)
    assert np.abs(photo.pixels[..., 0].astype(int) - np.asarray(expected)).mean() < 1.5
    header = headers.jpeg2000(encoded(Image.fromarray(grey), "JPEG2000", num_resolutions=3))
    assert header == (2, 2400 * 4500 // 64**2, 1)


def test_formats_whose_decoders_keep_copies_are_held_to_less():
    with pytest.raises(ImageError, match="5,000 x 5,000 pixels, and as WEBP would take 400 MB"):
        load_image(encoded(Image.new("RGB", (5000, 5000)), "WEBP", method=0))


@pytest.mark.filterwarnings("error")
def test_absurd_directories_are_neither_copied_nor_warned_of():
    fields = b"".join(struct.pack("<HHII", tag, 1, 900_000, 100) for tag in range(50_000))
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 50_000) + fields + b"\0" * 1_000_000
    data = encoded(SMALL, "PNG", exif=exif)
    tracemalloc.start()
    np.testing.assert_array_equal(load_image(data).pixels, smooth())
    with pytest.raises(ImageError, match="in too many pieces"):
        load_image(exif[6:])
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


def test_compressed_texts_do_not_fill_the_memory():
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 1_000_000))
    data = encoded(SMALL, "PNG")
    tracemalloc.start()
    with pytest.raises(ImageError, match="broken or cut off"):
        load_image(data[:33] + text * 200 + data[33:])
    assert tracemalloc.get_traced_memory()[1] < 200e6
    tracemalloc.stop()


MEASURE = r"""
import re, resource, sys
from pathlib import Path
import numpy as np
from combicam_widgets.images import load_image

def peak():
    status = Path("/proc/self/status")
    if status.exists():  # where ru_maxrss begins with that of the process before
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

load_image(np.zeros((64, 64, 3), np.uint8))
before = peak()
load_image(np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (8_900, 8_900, 3)))
for path in sys.argv[1:]:
    photo = load_image(path)
    assert max(photo.size) == 2048, photo
print(peak() - before)
"""


def test_the_largest_pictures_take_400_megabytes_on_top(tmp_path):
    files = {
        "largest.png": png_of_zeros(8_900, 8_900),
        "progressive.jpg": encoded(Image.new("L", (12_000, 12_000)), "JPEG", progressive=True),
        "largest.webp": encoded(Image.new("RGB", (4_790, 4_790)), "WEBP", method=0),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", MEASURE, *(str(tmp_path / name) for name in files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert 300e6 < float(done.stdout) < 400e6
