"""Photos in and out: files, bytes, PIL images and arrays to upright RGB; photos to data URIs."""

import base64
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE_KEPT",
    "MIN_SIDE",
    "FileName",
    "ImageError",
    "ImageSource",
    "Photo",
    "load_image",
    "to_data_uri",
]

# The limits: what is larger or smaller is refused, before it is decoded.
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 80_000_000  # width x height; below the 89 million where Pillow's global limit begins
MAX_SIDE_KEPT = 2048  # longer side, in pixels, to which larger pictures are reduced
MIN_SIDE = 8  # shorter side, in pixels, after that

# Decoders for photos only: some of Pillow's others start outside programs (EPS).
_FORMATS = {"AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"}
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+://|data:)", re.IGNORECASE)


class ImageError(ValueError):
    """What was given cannot be used as a photo; the message says why and what to do."""


class FileName(str):
    """The name of a photo that was a file's: its owner's business, in no repr and nothing saved."""

    __slots__ = ()


@dataclass(frozen=True, eq=False, repr=False)
class Photo:
    """An upright RGB photo, with its true position if known; equal only to itself.

    Attributes
    ----------
    pixels : (H, W, 3) uint8 array
        Red, green, blue; 0 to 255. A read-only copy of what was given.
    position : (latitude, longitude) or None
        Where it was taken, in degrees (-90 to 90, -180 to 180); None if unknown. Never in the repr.
    name : str
        A short label for people, "" if there is none. It comes from outside: escape it in pages.
        A `FileName`, as `load_image` gives it, is never in the repr; see `public_name`.
    credit : str
        Whom to thank for the photo, and its licence; "" if unknown.

    A wrong kind, shape or dtype raises TypeError; no pixels, or a position off Earth, ValueError.
    """

    pixels: npt.NDArray[np.uint8]
    position: tuple[float, float] | None = None
    name: str = ""
    credit: str = ""

    def __post_init__(self) -> None:
        _check_array(self.pixels, "pixels", (3,))
        for field, value in {"name": self.name, "credit": self.credit}.items():
            if not isinstance(value, str):
                raise TypeError(f"{field} must be a str, got {type(value).__name__}")
        # An array over bytes cannot be made writeable again, not even on purpose.
        frozen = np.frombuffer(self.pixels.tobytes(), np.uint8).reshape(self.pixels.shape)
        object.__setattr__(self, "pixels", frozen)
        object.__setattr__(self, "position", _check_position(self.position))

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, in the order of PIL."""
        return self.width, self.height

    @property
    def public_name(self) -> str:
        """The name, but "" if it is that of somebody's file: what may be saved and shown."""
        return "" if isinstance(self.name, FileName) else self.name

    def to_pil(self) -> Image.Image:
        """Return the pixels as a new PIL image of mode RGB, without any metadata."""
        return Image.fromarray(self.pixels)

    def __repr__(self) -> str:
        name = f"{self.public_name!r}, " if self.public_name else ""
        position = "unknown" if self.position is None else "known"
        return f"<Photo {name}{self.width} x {self.height} px, position {position}>"


_File = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
ImageSource = _File | Image.Image | npt.NDArray[np.uint8] | Photo  # whatever load_image takes


def load_image(
    source: ImageSource, *, position: tuple[float, float] | None = None, name: str | None = None
) -> Photo:
    """Make a `Photo` of a file, its bytes, a PIL image or an array.

    The EXIF orientation is applied, and the EXIF position, if it makes sense, becomes the
    photo's. Of an animation the first frame is taken (of a PIL image, its current one).
    Pictures with a longer side than `MAX_SIDE_KEPT` are reduced to it: heatmaps need no more.

    Every mode becomes 8-bit RGB: transparency is laid on white, 16-bit values are divided by 257,
    mode I is taken as 0..255 if no value is larger, else as 0..65535, and mode F as 0..1 if none
    is larger, else as 0..255. Colour profiles are ignored, as the training of networks does.

    Parameters
    ----------
    source : path, bytes, binary file, PIL image, array or Photo
        Arrays are uint8 of shape (H, W, 3), (H, W) for grey or (H, W, 4) with transparency.
        A Photo comes back as it is, or as a copy with the position or name given. Nothing is
        fetched: a str is a path.
    position : (latitude, longitude), optional
        The true position in degrees. Wins over the one stored in the picture.
    name : str, optional
        A short label. Default: the file name without its ending, or "".

    What is no picture, cut off, empty, beyond the limits (`MAX_FILE_BYTES`, `MAX_PIXELS`,
    `MIN_SIDE`) or holds values out of range raises `ImageError`, a ValueError; a path to no file,
    FileNotFoundError or IsADirectoryError; a wrong kind, shape or dtype, TypeError.
    """
    position = _check_position(position)
    what, label = "The picture", ""
    if isinstance(source, Photo):
        if position is None and name is None:
            return source
        label = source.name if name is None else name
        return replace(source, position=position or source.position, name=label)
    if isinstance(source, np.ndarray):
        _check_array(source, "source", (3, 4, None))
        image = Image.fromarray(source)
    elif isinstance(source, Image.Image):
        image, label = source, Path(str(getattr(source, "filename", ""))).stem
    else:
        image, what, label = _open(source)
    _check_size(image, what)
    with _reading(what):
        image.load()
        # After load: some decoders turn the picture themselves, and then drop the orientation.
        orientation, stored = _read_exif(image)
        # Transparency is reduced first, which gives the same and spares a third of the memory.
        rgb = _reduced(_to_rgb(_reduced(image) if image.mode == "RGBA" else image))
        pixels = _upright(np.asarray(rgb), orientation)
    return Photo(
        pixels, position=position or stored, name=FileName(label) if name is None else name
    )


def to_data_uri(
    image: Photo | Image.Image | npt.NDArray[np.uint8],
    format: Literal["webp", "jpeg", "png"] = "webp",  # noqa: A002 - the word PIL uses
    quality: int = 85,
    max_side: int | None = None,
) -> str:
    """Encode a picture for a page, as ``data:image/...;base64,...``, without any metadata.

    Parameters
    ----------
    image : Photo, PIL image or uint8 array
        Arrays as in `load_image`. Transparency is laid on white in "jpeg", and kept elsewhere.
    format : {"webp", "jpeg", "png"}
        "png" keeps every value as it is; the others are smaller.
    quality : int
        1 to 100; larger is better. Ignored for "png".
    max_side : int, optional
        The longer side, in pixels, to which larger pictures are reduced. Default: as it is.

    A wrong kind, shape or dtype raises TypeError; a value that is none of the above, ValueError.
    """
    if format not in {"webp", "jpeg", "png"}:
        raise ValueError(f'format must be "webp", "jpeg" or "png", got {format!r}')
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must lie between 1 and 100, got {quality!r}")
    if max_side is not None and max_side < 1:
        raise ValueError(f"max_side must be at least 1 pixel, got {max_side!r}")
    if isinstance(image, Photo):
        image = image.pixels
    if not isinstance(image, Image.Image):
        _check_array(image, "image", (3, 4, None))
        image = Image.fromarray(image)
    picture = _to_rgb(image, keep_alpha=format != "jpeg")
    picture = _reduced(picture, max_side or max(picture.size))
    out = io.BytesIO()
    # Through an array, because Pillow would copy profiles and comments along.
    Image.fromarray(np.asarray(picture)).save(out, format=format, quality=quality)
    return f"data:image/{format};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def _open(source: _File) -> tuple[Image.Image, str, str]:
    """Identify a picture file; return it undecoded, what to call it in messages, its label."""
    what, label, data = "The picture", "", None
    if isinstance(source, str | os.PathLike):
        path = _check_path(os.fsdecode(source))
        what, label = f"The file {str(path)!r}", path.stem
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    elif isinstance(source, bytes | bytearray | memoryview):
        data = bytes(memoryview(source).cast("B")[: MAX_FILE_BYTES + 1])
    elif hasattr(source, "read"):
        data = source.read(MAX_FILE_BYTES + 1)
    if not isinstance(data, bytes):
        kinds = "a path, bytes, a file opened with mode 'rb', a PIL image, an array or a Photo"
        raise TypeError(f"source must be {kinds}, got {type(source).__name__}")
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"{what} has more than {MAX_FILE_BYTES // 1024**2} MB: save it smaller")
    if not data:
        raise ImageError(f"{what} is empty: choose a picture file")
    Image.init()
    with _reading(what):
        image = Image.open(io.BytesIO(data), formats=sorted(_FORMATS.intersection(Image.OPEN)))
        _check_size(image, what)
        image.draft(image.mode, _kept_size(image))
    return image, what, label


def _check_path(text: str) -> Path:
    if _ADDRESS.match(text):
        raise ImageError(f"{text[:80]!r} is an address; nothing is fetched: download it first")
    path = Path(text)
    if os.path.isdir(path):  # noqa: PTH112
        raise IsADirectoryError(f"{str(path)!r} is a folder: give the path of a picture file in it")
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for names that are too long
        raise FileNotFoundError(f"There is no picture file {text!r}: check the path")
    return path


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises on broken or hostile bytes into an `ImageError`."""
    advice = "open it in an image program and save it as JPEG, PNG or WebP"
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{what} has more than {MAX_PIXELS:,} pixels: save it smaller") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{what} is not a picture that can be read: {advice}") from error
    except Exception as error:
        raise ImageError(f"{what} is broken or cut off ({error}): {advice}") from error


def _kept_size(image: Image.Image, longest: int = MAX_SIDE_KEPT) -> tuple[int, int]:
    scale = min(1.0, longest / max(*image.size, 1))
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _check_size(image: Image.Image, what: str) -> None:
    has = f"{what} has {image.width:,} x {image.height:,} pixels"
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{has}, more than {MAX_PIXELS:,}: save it smaller")
    if min(image.size) < MIN_SIDE or min(_kept_size(image)) < MIN_SIDE:
        raise ImageError(f"{has}: too small or too narrow for a photo (at least {MIN_SIDE} px)")


def _reduced(image: Image.Image, longest: int = MAX_SIDE_KEPT) -> Image.Image:
    return image.resize(_kept_size(image, longest), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _to_rgb(image: Image.Image, *, keep_alpha: bool = False) -> Image.Image:
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float32)
        high, top = float(values.max()), 255 if image.mode == "F" else 65535
        # Written so that NaN, which compares as false, is refused too.
        if not (values.min() >= 0 and high <= top):
            raise ImageError(f"The picture (mode {image.mode}) has values outside 0..{top}, or NaN")
        if image.mode == "F":
            values *= 255 if high <= 1 else 1
        elif image.mode != "I" or high > 255:
            values /= 257
        image = Image.fromarray(np.rint(values).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    # A copy of palettes, because Pillow changes theirs when it converts it.
    rgba = (image.copy() if image.mode == "P" else image).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return rgba if keep_alpha else Image.alpha_composite(white, rgba).convert("RGB")


def _upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Undo an EXIF orientation: 1 = upright, 2 to 8 = mirrored, turned or both."""
    if orientation in {5, 6, 7, 8}:
        pixels = pixels.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in {2, 3, 6, 7} else pixels


def _read_exif(image: Image.Image) -> tuple[int, tuple[float, float] | None]:
    """Return the orientation (1 = upright) and the position stored in a picture, if sound."""
    orientation, position = 1, None
    try:
        exif = image.getexif()
        orientation = int(exif.get(ExifTags.Base.Orientation, 1))
        gps, tag = exif.get_ifd(ExifTags.IFD.GPSInfo), ExifTags.GPS
        latitude = _degrees(gps[tag.GPSLatitude], gps[tag.GPSLatitudeRef], "NS")
        longitude = _degrees(gps[tag.GPSLongitude], gps[tag.GPSLongitudeRef], "EW")
        # Exactly 0, 0 is what cameras write when they do not know.
        position = _check_position((latitude, longitude)) if latitude or longitude else None
    except Exception:  # noqa: BLE001, S110 - broken metadata must not cost anyone their photo
        pass
    return orientation, position


def _degrees(values: Any, reference: Any, signs: str) -> float:  # noqa: ANN401 - EXIF is untyped
    """Turn degrees, minutes, seconds and "N" or "S" ("E" or "W") into signed degrees."""
    degrees, minutes, seconds = (float(value) for value in values)
    if not (degrees >= 0 and 0 <= minutes <= 60 and 0 <= seconds <= 60):
        raise ValueError("not an angle")
    sign = {signs[0]: 1, signs[1]: -1}[reference.strip("\0 ").upper()]
    return sign * (degrees + minutes / 60 + seconds / 3600)


def _check_array(array: object, argument: str, channels: tuple[int | None, ...]) -> None:
    """Refuse what is no uint8 array with one of these numbers of channels (None = no axis)."""
    shapes = " or ".join("(H, W)" if n is None else f"(H, W, {n})" for n in channels)
    expected = f"{argument} must be a uint8 array of shape {shapes}"
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{expected}, got {type(array).__name__}")
    if array.dtype != np.uint8:
        hint = ": multiply by 255 and cast with .astype('uint8')" if array.dtype.kind == "f" else ""
        raise TypeError(f"{expected}, got dtype {array.dtype}{hint}")
    if array.ndim not in {2, 3} or (array.shape[2] if array.ndim == 3 else None) not in channels:
        raise TypeError(f"{expected}, got shape {array.shape}")
    if array.size == 0:
        raise ImageError(f"{argument} is empty: its shape is {array.shape}")


def _check_position(position: object) -> tuple[float, float] | None:
    expected = "position must be (latitude, longitude) in degrees"
    if position is None:
        return None
    pair = position if isinstance(position, Sequence) else ()
    if len(pair) != 2 or not all(isinstance(value, Real) for value in pair):
        raise TypeError(f"{expected} or None, got {type(position).__name__}")
    latitude, longitude = float(pair[0]), float(pair[1])
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"{expected}, within -90..90 and -180..180, got {latitude}, {longitude}")
    return latitude, longitude
