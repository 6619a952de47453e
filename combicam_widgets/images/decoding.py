"""From the bytes of a picture to its pixels, within bounds of time and memory.

Decoders take what a file claims at its word: a few hundred kilobytes can ask for minutes, or for
gigabytes. So what a picture would cost is read off its headers, and what is absurd is refused in
words before it is decoded. The bounds are counts, not clocks: they hold, and refuse the same, on
every computer. Together they mean some 5 seconds and `MAX_MEMORY` at most.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from combicam_widgets.images import headers
from combicam_widgets.images.photo import MAX_PIXELS, MAX_SIDE_KEPT, MIN_SIDE, ImageError
from combicam_widgets.images.pixels import Picture, reduced_size

MAX_MEMORY = 368_000_000
"""Bytes that a picture may take while it is decoded."""

# What is drawn by outside programs (Ghostscript, Windows), what Pillow recognises but cannot
# decode, and IPTC, in which any of these may hide.
_NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}

# Bytes that decoders take for each pixel (measured): most of Pillow's hold only the result.
_BYTES_PER_PIXEL = {"AVIF": 16, "HEIF": 7.3, "JPEG2000": 18, "WEBP": 16}
_BYTES_OF_OTHERS, _BYTES_OF_PLUGINS = 4, 16
_BYTES_PER_JPEG2000_TILE, _BYTES_PER_JPEG2000_PART = 9_000, 1_000

_MAX_READS = 500_000  # of a file, each a step of a loop in Python: the largest PNG takes a tenth
_MAX_PIXELS_IN_PYTHON = 2**21  # for decoders written in Python, a microsecond or two each
_MAX_NESTED_PIXELS = 2**21  # of a picture in an icon; Apple's have 2**20

_MAX_COMMENTS = 10_000  # in a PGM or PPM as text: what is between them are pieces of 40 bytes

_MAX_SEGMENTS = 100_000  # of a JPEG
_MAX_EXIF_BYTES = 4_000_000  # of a JPEG, all segments together
_MAX_SCANS = 256  # of a JPEG; cameras and editors write 1 to 12
_MAX_BLOCKS = 40_000_000  # of a JPEG, in all scans together: 40 ns and more each
_MAX_TIFF_VALUES = 2**17  # of one field: strips, tiles
_MAX_JPEG2000_BYTES = 32_000_000  # of a file that is not decoded reduced: 0.1 microseconds each

_AVIF = {b"avif", b"avis"}
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

_SAVE = "open it in an image program and save it as JPEG, PNG or WebP"
_SMALLER = "save it smaller, or as JPEG"


def picture_endings() -> list[str]:
    """List how the names of files end that can be read: ".avif", ".bmp", ...

    Those of phones' HEIC are among them if its plug-in is installed.
    """
    Image.init()
    read = set(Image.OPEN) - _NO_PICTURES
    # Pillow takes the ending, perhaps none, of whatever was written as SPIDER for one of SPIDER's.
    endings = {end for end, kind in Image.registered_extensions().items() if end and kind in read}
    if find_spec("pillow_heif") is not None:
        endings |= {".heic", ".heif"}
    return sorted(endings)


class PictureFile(io.BufferedReader):
    """A binary file that counts how often it is read, and ends what goes on for too long.

    Parameters
    ----------
    raw : io.FileIO or io.BytesIO
        The file.
    what : str
        What to call the picture in messages.
    """

    def __init__(self, raw: io.FileIO | io.BytesIO, what: str) -> None:
        super().__init__(raw)
        self.what = what
        self.reads_left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as the base class does."""
        self._count()
        return super().read(size)

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line as the base class does."""
        self._count()
        return super().readline(size)

    def _count(self) -> None:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise ImageError(f"{self.what} is in too many pieces: {_SAVE}")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises on broken or hostile bytes into an `ImageError`."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{what} has more than {MAX_PIXELS:,} pixels: {_SMALLER}") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{what} is not a picture that can be read: {_SAVE}") from error
    except Exception as error:
        raise ImageError(f"{what} is broken or cut off ({error}): {_SAVE}") from error


def opened(file: PictureFile) -> ImageFile.ImageFile:
    """Identify a picture and check what decoding it takes; large ones will be decoded reduced."""
    head = file.read(16)
    file.seek(0)
    if head.startswith(b"\xff\xd8\xff"):
        return _opened_jpeg(file)
    _check_unopened(file, head)
    Image.init()
    try:
        image = Image.open(file, formats=[name for name in Image.ID if name not in _NO_PICTURES])
    except UnidentifiedImageError:
        if head[4:8] != b"ftyp" or head[8:12] not in _AVIF | _HEIF:
            raise
        image = _opened_heif(file, "AVIF" if head[8:12] in _AVIF else "HEIC")
    check_size(image, file.what)
    if isinstance(image, Jpeg2KImageFile):
        halvings = max(1, max(image.size) // MAX_SIDE_KEPT).bit_length() - 1
        image.reduce = min(headers.jpeg2000(_file_bytes(image)).levels, halvings)
    check_cost(image, file.what)
    if _is_decoded_in_python(image):
        file.reads_left += 4 * image.width * image.height
    return image


def check_size(image: Image.Image, what: str) -> None:
    """Refuse a picture that is too large, too small or too narrow."""
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{_has(image, what)}, more than {MAX_PIXELS:,}: {_SMALLER}")
    check_side(image.size, what)


def check_side(size: tuple[int, int], what: str) -> None:
    """Refuse a picture that is too small or too narrow."""
    if min(size) < MIN_SIDE or min(reduced_size(size)) < MIN_SIDE:
        has = f"{what} has {size[0]:,} x {size[1]:,} pixels"
        raise ImageError(f"{has}: too small or too narrow for a photo (at least {MIN_SIDE} px)")


def check_cost(image: ImageFile.ImageFile, what: str) -> None:
    """Refuse a picture, not decoded yet, that would take too long or too much memory."""
    pixels = image.width * image.height
    if _is_decoded_in_python(image) and pixels > _MAX_PIXELS_IN_PYTHON:
        kind = f"too many for this kind of {image.format}"
        raise ImageError(f"{_has(image, what)}, {kind}: {_SMALLER}")
    # The first kind of BLP wraps a JPEG, of any size.
    if image.format == "BLP" and _arguments(image)[0] == 0:
        raise ImageError(f"{what} is a JPEG in a BLP: {_SAVE}")
    of_pillow = type(image).__module__.startswith("PIL.")
    others = _BYTES_OF_OTHERS if of_pillow else _BYTES_OF_PLUGINS
    memory: float = pixels * _BYTES_PER_PIXEL.get(str(image.format), others)
    if isinstance(image, Jpeg2KImageFile):
        memory = _jpeg2000_memory(image, what)
    elif isinstance(image, TiffImageFile):
        memory += _libtiff_memory(image)
    elif image.format == "HEIF" and (image.mode == "RGBA" or image.info.get("chroma") == 444):
        memory *= 1.6
    _check_memory(memory, image, what)


def decoded(image: Image.Image) -> Picture:
    """Decode a picture whose size and cost were checked."""
    if isinstance(image, ImageFile.ImageFile) and _is_ppm_of_samples(image):
        return _ppm_pixels(image)
    image.load()
    return image


def _has(image: Image.Image, what: str) -> str:
    return f"{what} has {image.width:,} x {image.height:,} pixels"


def _check_memory(memory: float, image: Image.Image, what: str) -> None:
    if memory > MAX_MEMORY:
        takes = f"would take {memory / 1e6:,.0f} MB of memory while it is read"
        limit = f"more than {MAX_MEMORY / 1e6:.0f}: {_SMALLER}"
        raise ImageError(f"{_has(image, what)}, and as {image.format} {takes}, {limit}")


def _file_bytes(image: ImageFile.ImageFile) -> bytes:
    """Return the file of an image that is not decoded yet."""
    assert image.fp is not None  # noqa: S101 - for mypy
    here = image.fp.tell()
    image.fp.seek(0)
    data = image.fp.read()
    image.fp.seek(here)
    return data


def _arguments(image: ImageFile.ImageFile) -> tuple[Any, ...]:
    """Return what the decoder of an image that is not decoded yet is told."""
    arguments = image.tile[0][3]
    return arguments if isinstance(arguments, tuple) else (arguments,)


def _is_decoded_in_python(image: ImageFile.ImageFile) -> bool:
    if image.format == "XPM":  # before Pillow 12, by a reader instead of a decoder
        return True
    names = {tile[0] for tile in image.tile}
    return not names.isdisjoint(Image.DECODERS) and not _is_ppm_of_samples(image)


def _check_unopened(file: PictureFile, head: bytes) -> None:
    """Refuse what would take too much as soon as Pillow opens it."""
    if head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):  # TIFF
        directory = headers.tiff_directory(file.read())
        if directory.fields > headers.MAX_FIELDS or directory.values > _MAX_TIFF_VALUES:
            raise ImageError(f"{file.what} is in too many pieces: {_SAVE}")
    if head.startswith((b"icns", b"\0\0\1\0")):  # icons of Apple and Windows
        for width, height in headers.nested_sizes(file.read()):
            if width * height > _MAX_NESTED_PIXELS:
                has = f"{width:,} x {height:,} pixels in an icon"
                raise ImageError(f"{file.what} has {has}: {_SAVE}")
    file.seek(0)


def _opened_jpeg(file: PictureFile) -> ImageFile.ImageFile:
    jpeg = headers.jpeg_scans(file.read(), _MAX_SEGMENTS)
    if jpeg.segments > _MAX_SEGMENTS or jpeg.exif > _MAX_EXIF_BYTES:
        raise ImageError(f"{file.what} holds too much beside its picture: {_SAVE}")
    if jpeg.scans > _MAX_SCANS or jpeg.visits > _MAX_BLOCKS:
        scans = f"in {jpeg.scans:,} scans, too many to read"
        raise ImageError(f"{file.what} is a progressive JPEG {scans}: {_SAVE}")
    file.seek(0)
    # Not Image.open, whose limit is for what is decoded at full size.
    image = JpegImageFile(file)
    check_side(image.size, file.what)
    if jpeg.scalable:
        image.draft(image.mode, reduced_size(image.size))
    check_size(image, file.what)
    memory = jpeg.memory + _BYTES_OF_OTHERS * image.width * image.height
    if memory > MAX_MEMORY:
        takes = f"would take {memory / 1e6:,.0f} MB of memory while it is read"
        limit = f"more than {MAX_MEMORY / 1e6:.0f}"
        advice = "save it smaller, or not progressive"
        raise ImageError(f"{file.what} is a progressive JPEG that {takes}, {limit}: {advice}")
    return image


def _opened_heif(file: PictureFile, kind: str) -> ImageFile.ImageFile:
    """Open what Pillow does not know by itself, without registering anything with Pillow."""
    try:
        plugin = importlib.import_module("pillow_heif")
    except ImportError as error:
        install = 'pip install "combicam_widgets[heic]"'
        needs = f"{file.what} is {kind}, which needs a plug-in to be read"
        raise ImageError(f"{needs}: {install}, or save it as JPEG") from error
    file.seek(0)
    image: ImageFile.ImageFile = plugin.HeifImageFile(file)
    return image


def _libtiff_memory(image: TiffImageFile) -> float:
    """Bytes that libtiff takes beside the pixels: the file, and a strip or tile at a time."""
    if image.info.get("compression") == "raw":
        return 0.0
    tags, tag = image.tag_v2, ExifTags.Base
    width, height = int(tags[tag.ImageWidth]), int(tags[tag.ImageLength])
    rows = min(height, int(tags.get(tag.RowsPerStrip, height)))
    pixels = int(tags.get(tag.TileWidth, width)) * int(tags.get(tag.TileLength, rows))
    bits = float(sum(tags.get(tag.BitsPerSample, (1,))))
    # A progressive JPEG keeps its coefficients, too.
    copies = 3 if "jpeg" in str(image.info.get("compression")) else 1
    return len(_file_bytes(image)) + copies * pixels * bits / 8


def _jpeg2000_memory(image: Jpeg2KImageFile, what: str) -> float:
    """Bytes that a JPEG 2000 takes, reduced as it is set to be; too large a file is refused."""
    data = _file_bytes(image)
    header = headers.jpeg2000(data)
    halvings = image.reduce if isinstance(image.reduce, int) else 0  # else it is Pillow's method
    if not halvings and len(data) > _MAX_JPEG2000_BYTES:
        megabytes = len(data) / 1e6
        raise ImageError(f"{what} is a JPEG 2000 of {megabytes:.0f} MB, too slow: {_SMALLER}")
    pixels = image.width * image.height / 4.0**halvings
    parts = _BYTES_PER_JPEG2000_TILE * header.tiles + _BYTES_PER_JPEG2000_PART * header.parts
    return _BYTES_PER_PIXEL["JPEG2000"] * pixels + parts


def _is_ppm_of_samples(image: ImageFile.ImageFile) -> bool:
    """Whether this is a PGM or PPM that Pillow reads sample by sample, in Python, or of 16 bits.

    Those it reads faster, but as mode I, whose range can only be guessed.
    """
    if image.format != "PPM" or not image.tile:
        return False
    if image.tile[0][0] == "raw":
        return image.mode == "I"
    return _arguments(image)[0] in {"L", "RGB"}


def _ppm_pixels(image: ImageFile.ImageFile) -> npt.NDArray[np.uint8]:
    """Read a PGM or PPM, binary or as text, with any number of grey levels."""
    assert image.fp is not None  # noqa: S101 - for mypy
    name, _, offset, _ = image.tile[0]
    brightest = 65535 if name == "raw" else int(_arguments(image)[1])
    levels = np.rint(np.arange(brightest + 1) * (255 / brightest)).astype(np.uint8)
    bands = 3 if image.mode == "RGB" else 1
    count = image.height * image.width * bands
    here = image.fp.tell()
    image.fp.seek(offset)
    if name == "ppm_plain":
        text = image.fp.read()
        if text.count(b"#") > _MAX_COMMENTS:
            raise ValueError(f"more than {_MAX_COMMENTS:,} comments")
        text = re.sub(rb"#[^\r\n]*", b"", text)
        if re.search(rb"[^\d\s]", text):
            raise ValueError("something else than numbers")
        samples = np.fromstring(text, np.int32, sep=" ")[:count]
    else:
        kind = np.dtype(np.uint8 if brightest < 256 else ">u2")
        samples = np.frombuffer(image.fp.read(count * kind.itemsize), kind)
    image.fp.seek(here)
    if samples.size < count:
        raise EOFError(f"{samples.size:,} of {count:,} samples")
    pixels = np.empty(count, np.uint8)
    for start in range(0, count, 2**20):  # indices take 8 bytes each
        part = slice(start, start + 2**20)
        pixels[part] = levels[np.clip(samples[part], 0, brightest)]
    return pixels.reshape(image.height, image.width, *([3] if bands == 3 else []))
