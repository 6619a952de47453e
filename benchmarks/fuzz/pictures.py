"""Pictures in every format that Pillow writes, broken in every way, from every kind of source."""

from __future__ import annotations

import io
import struct
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile
from PIL.TiffImagePlugin import IFDRational

from combicam_widgets.images import MAX_SIDE_KEPT, MIN_SIDE, Photo, load_image, to_data_uri

with suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()

Image.init()
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "F", "I;16")
FORMATS = sorted(set(Image.SAVE) - {"PDF"})
# Pillow writes some that nobody is to read, and icons in sizes of its own.
OTHERWISE = {"BUFR", "EPS", "GRIB", "HDF5", "ICNS", "ICO", "PALM", "WMF"}
MARKS = (b"\xff\xd8\xff\xe1", b"\xff\xda", b"IDAT", b"GIF89a", b"VP8X", b"II*\0", b"ftypheic")


def attempt(rng: np.random.Generator) -> None:
    """Make one picture, or something that is none, and try to load it."""
    switches = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # Pillow's, about metadata
        if rng.random() < 0.85:
            _try_file(rng, Path(folder) / "photo.jpg")
        else:
            _try_anything(rng)
    assert switches == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def _try_file(rng: np.random.Generator, path: Path) -> None:
    image = _image(rng)
    file_format = str(rng.choice(FORMATS))
    data = _encoded(rng, image, file_format, _metadata(rng))
    if not data:  # not every format has every mode
        return
    broken = rng.random() < 0.8
    if broken:
        for _ in range(rng.integers(1, 4)):
            data = _broken(rng, data)
    path.write_bytes(data)
    source, named = _source(rng, data, path)
    if source is None:
        return
    photo = _load(source, "photo.jpg" if named else "")
    if broken or file_format in OTHERWISE or isinstance(source, _Stream):
        return
    assert photo is not None, f"a whole {file_format} of {image.mode} is refused"
    assert sorted(photo.size) == sorted(image.size)


def _try_anything(rng: np.random.Generator) -> None:
    shape = tuple(int(n) for n in rng.integers(0, 40, rng.integers(0, 5)))
    array = np.asarray(rng.random(shape) * 300).astype(
        rng.choice(["u1", "i2", "f4", "?", "c8", "O"])
    )
    claims = np.broadcast_to(np.uint8(7), [int(n) for n in 10 ** rng.integers(0, 8, 2)] + [3])
    sources = [
        array,
        claims,
        array.tolist(),
        None,
        10**400,
        "",
        "\0",
        "~",
        {},
        object(),
        b"",
        print,
        Photo,
    ]
    odd = [None, (10**400, 0), "48, 2", np.array([np.nan, 2]), (48.5, np.float32(2)), [1], 7, {}]
    _load(
        sources[rng.integers(len(sources))],
        position=odd[rng.integers(len(odd))],
        name=[None, "", "a\0b", 7, b"name"][rng.integers(5)],
    )


def _load(source: object, file: str = "", **options: object) -> Photo | None:
    """Load something; return None if it is refused as is documented."""
    photo, words = None, ""
    try:
        photo = load_image(source, **options)
    except (TypeError, ValueError, OSError) as error:
        words = str(error)
    if photo is None:
        assert len(words) > 20, f"no words: {words!r}"
        assert file in words, f"the file is not named: {words!r}"
        return None
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (photo.height, photo.width, 3)
    assert MIN_SIDE <= min(photo.size) <= max(photo.size) <= MAX_SIDE_KEPT
    if photo.position is not None:
        assert abs(photo.position[0]) <= 90
        assert abs(photo.position[1]) <= 180
    assert to_data_uri(photo, max_side=16).startswith("data:image/webp;base64,")
    return photo


def _image(rng: np.random.Generator) -> Image.Image:
    height, width = (int(side) for side in rng.integers(MIN_SIDE, 70, 2))
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    if rng.random() < 0.5:
        pixels[:] = pixels[0, 0]
    image = Image.fromarray(pixels)
    mode = str(rng.choice(MODES))
    return image.convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)


def _metadata(rng: np.random.Generator) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if rng.random() < 0.3:
        options["exif"] = b"Exif\0\0" + rng.choice([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"])
        options["exif"] += rng.bytes(int(rng.integers(200)))
    elif rng.random() < 0.6:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = int(rng.integers(10))
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(_gps(rng))
        exif[ExifTags.IFD.GPSInfo] = exif.get_ifd(ExifTags.IFD.GPSInfo)
        with suppress(Exception):  # Pillow cannot write all of them
            options["exif"] = exif.tobytes()
    if rng.random() < 0.3:
        latitude, longitude = (_angle_text(rng) for _ in range(2))
        xmp = f"<x exif:GPSLatitude='{latitude}' exif:GPSLongitude=\"{longitude}\">"
        options["xmp"] = xmp.encode() + rng.bytes(int(rng.integers(20)))
    if rng.random() < 0.2:
        options["icc_profile"] = rng.bytes(int(rng.integers(300)))
    return options


def _gps(rng: np.random.Generator) -> dict[int, Any]:
    numbers = [0, 1, 33, 59.5, 60, 90, 180, 181, -33, 1e9]
    rationals = [IFDRational(0, 0), IFDRational(1, 0), IFDRational(51414, 1000)]
    angles = [
        tuple((numbers + rationals)[i] for i in rng.integers(0, 13, rng.integers(0, 5)))
        for _ in range(2)
    ]
    references = rng.choice(["N", "s", "E", "w\0", "", "?"], 2)
    tags = (ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLongitude)
    # The tag of a hemisphere comes before that of its angle.
    return {
        **dict(zip(tags, angles, strict=True)),
        **{tag - 1: str(text) for tag, text in zip(tags, references, strict=True)},
    }


def _angle_text(rng: np.random.Generator) -> str:
    return "".join(rng.choice(list("0123456789,,..NSEW- /"), rng.integers(0, 12)))


def _encoded(
    rng: np.random.Generator, image: Image.Image, file_format: str, options: dict[str, Any]
) -> bytes:
    out = io.BytesIO()
    if rng.random() < 0.5:
        options |= {"quality": int(rng.integers(1, 101)), "progressive": bool(rng.integers(2))}
    if file_format == "TIFF":
        names = [None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "group4", "zstd", "lzma"]
        options = {"exif": options.get("exif", b""), "compression": names[rng.integers(len(names))]}
    # Not AVIF: writing several of mode I ends Python (Pillow 13.0).
    if file_format in {"GIF", "MPO", "PNG", "TIFF", "WEBP"} and rng.random() < 0.2:
        options |= {"save_all": True, "append_images": [image, image.rotate(180)]}
    # Pillow may refuse a mode, a size or metadata in many ways: this is about reading.
    with suppress(Exception):
        image.save(out, file_format, **options)
        return out.getvalue()
    return b""


def _broken(rng: np.random.Generator, data: bytes) -> bytes:
    at, until = sorted(int(place) for place in rng.integers(0, len(data) + 1, 2))
    start = int(rng.integers(0, min(64, len(data) + 1)))
    ways: list[Callable[[], bytes]] = [
        lambda: data[:at],
        lambda: data[:at] + data[until:],
        lambda: data[:at] + data[at:until] * int(rng.integers(2, 20)) + data[until:],
        lambda: data[:at] + rng.bytes(int(rng.integers(1, 30))) + data[at:],
        lambda: data[:at] + MARKS[rng.integers(len(MARKS))] + data[until:],
        lambda: data[:start] + _claim(rng) + data[start + 4 :],
        lambda: data[:start] + _any_file(rng)[start:],
        lambda: _with_other_bytes(rng, data),
    ]
    return ways[rng.integers(len(ways))]()


def _claim(rng: np.random.Generator) -> bytes:
    """Four bytes that, as a number, claim much."""
    return struct.pack(rng.choice(["<I", ">I"]), 2 ** int(rng.integers(8, 32)) - 1)


def _any_file(rng: np.random.Generator) -> bytes:
    return _encoded(rng, _image(rng), str(rng.choice(FORMATS)), _metadata(rng))


def _with_other_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    changed = np.frombuffer(data, np.uint8).copy()
    places = rng.integers(0, max(1, changed.size), rng.integers(1, 9))
    changed[places[: changed.size]] = rng.integers(0, 256, len(places[: changed.size]))
    return changed.tobytes()


class _Stream:
    """A stream that cannot go back, gives little at a time, and may fail."""

    name = "photo.jpg"

    def __init__(self, data: bytes, rng: np.random.Generator) -> None:
        self.data, self.rng, self.fails = data, rng, rng.random() < 0.2

    def read(self, size: int) -> bytes:
        if self.fails and self.rng.random() < 0.1:
            raise RuntimeError("the line is dead")
        size = min(size, int(self.rng.integers(1, 5000)))
        part, self.data = self.data[:size], self.data[size:]
        return part


def _source(rng: np.random.Generator, data: bytes, path: Path) -> tuple[object, bool]:
    """Choose what the picture is given as, and whether that has a name; None if there is none."""
    ways: list[tuple[Callable[[], object], bool]] = [
        (lambda: str(path), True),
        (lambda: path, True),
        (lambda: data, False),
        (lambda: bytearray(data), False),
        (lambda: memoryview(data), False),
        (lambda: io.BytesIO(data), False),
        (lambda: _Stream(data, rng), True),
        (lambda: _pil_image(rng, data), False),
    ]
    make, named = ways[rng.integers(len(ways))]
    return make(), named


def _pil_image(rng: np.random.Generator, data: bytes) -> Image.Image | None:
    """Open a file with Pillow, decoded or not, if Pillow can."""
    with suppress(Exception):
        image = Image.open(io.BytesIO(data))
        if image.format not in OTHERWISE and max(image.size) < 5000 and rng.random() < 0.5:
            image.load()
        return image
    return None
