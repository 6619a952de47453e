"""From whatever people have in their hands to a photo."""

from __future__ import annotations

import io
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from combicam_widgets.images.decoding import (
    PictureFile,
    check_cost,
    check_side,
    check_size,
    decoded,
    opened,
    reading,
)
from combicam_widgets.images.metadata import orientation_and_position
from combicam_widgets.images.photo import (
    MAX_FILE_BYTES,
    FileName,
    ImageError,
    Photo,
    advice,
    check_array,
    check_position,
)
from combicam_widgets.images.pixels import Picture, reduced, size_of, upright

_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]+://|data:)", re.IGNORECASE)

_LONGEST_PATH = 500
"""Characters of a path that a message repeats; what is longer is rather a file itself."""

_File = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
ImageSource = _File | Image.Image | npt.NDArray[np.uint8] | Photo
"""Whatever `load_image` takes."""


def load_image(
    source: ImageSource, *, position: tuple[float, float] | None = None, name: str | None = None
) -> Photo:
    """Make a `Photo` of a file, its bytes, a PIL image or an array.

    Every picture format that Pillow, or a plug-in registered with it, reads is read, but for those
    that outside programs draw (EPS, WMF). For HEIC it is enough to install
    ``combicam_widgets[heic]``. Of an animation the first frame is taken (of a PIL image, its
    current one).

    The EXIF orientation is applied, and the position in EXIF or XMP, if it makes sense, becomes the
    photo's. Pictures with a longer side than `MAX_SIDE_KEPT` are reduced to it: heatmaps need no
    more. JPEGs are decoded at the fraction needed, so they may be larger than `MAX_PIXELS`.

    Every mode becomes 8-bit RGB: transparency is laid on white, 16-bit values are divided by 257,
    mode I is taken as 0..255 if no value is larger, else as 0..65535, and mode F as 0..1 if none
    is larger, else as 0..255. Colour profiles are ignored, as the training of networks does.

    Parameters
    ----------
    source : path, bytes, binary file, PIL image, array or Photo
        Arrays are uint8 of shape (H, W, 3), (H, W) for grey or (H, W, 4) with transparency.
        A Photo comes back as it is, or as a copy with the position or name given. Nothing is
        fetched: a str is a path, in which ``~`` is the home folder. A binary file is read from its
        start, if it can be.
    position : (latitude, longitude), optional
        The true position in degrees. Wins over the one stored in the picture.
    name : str, optional
        A short label. Default: the file name without its ending, or "".

    Raises
    ------
    ImageError
        A ValueError: no picture, cut off, empty, beyond the limits (`MAX_FILE_BYTES`, `MAX_PIXELS`,
        `MIN_SIDE`), values out of range, or what would take more than about five seconds or
        400 MB of memory to decode. The message names the file, if there is one.
    OSError
        A file that cannot be read; FileNotFoundError and IsADirectoryError among them.
    TypeError
        A wrong kind, shape or dtype; the message says what to write instead.
    """
    position = check_position(position)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name must be a str, got {type(name).__name__}")
    if isinstance(source, Photo):
        if position is None and name is None:
            return source
        label = source.name if name is None else name
        return replace(source, position=position or source.position, name=label)
    if isinstance(source, np.ndarray):
        check_array(source, "source", (3, 4, None))
        check_side(size_of(source), "The array")
        return Photo(reduced(source), position=position, name=name or "")
    path = _path(source)
    what = f"The file {path!r}" if path else f"The picture {name!r}" if name else "The picture"
    picture, orientation, stored = (
        _from_image(source, what) if isinstance(source, Image.Image) else _from_file(source, what)
    )
    with reading(what):
        pixels = upright(reduced(picture, what=what), orientation)
    label = FileName(Path(path).stem) if name is None else name
    return Photo(pixels, position=position or stored, name=label)


_Contents = tuple[Picture, int, tuple[float, float] | None]  # with orientation and position


def _from_file(source: _File, what: str) -> _Contents:
    raw: io.FileIO | io.BytesIO
    if isinstance(source, str | os.PathLike):
        raw = io.FileIO(_path(source))
        size = os.fstat(raw.fileno()).st_size
    elif isinstance(source, bytes | bytearray | memoryview):
        size = memoryview(source).nbytes
        if not isinstance(source, bytes) and size <= MAX_FILE_BYTES:
            source = memoryview(source).tobytes()
        raw = io.BytesIO(source if isinstance(source, bytes) else b"")
    elif hasattr(source, "read"):
        data = _read(source, what)
        raw, size = io.BytesIO(data), len(data)
    else:
        raise TypeError(_expected(source))
    with PictureFile(raw, what) as file, reading(what):
        if size > MAX_FILE_BYTES:
            raise ImageError(
                f"{what} has more than {MAX_FILE_BYTES // 1024**2} MB: save it smaller"
            )
        if not size:
            raise ImageError(f"{what} is empty: choose a picture file")
        return _contents(opened(file))


def _from_image(image: Image.Image, what: str) -> _Contents:
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:  # has its pixels
        with reading(what):
            check_size(image, what)
            return _contents(image)
    if image.fp is None or getattr(image.fp, "closed", False):
        instead = "give its path, or call its load() first"
        raise ImageError(f"{what} was closed before its pixels were read: {instead}")
    with reading(what):
        if isinstance(image, JpegImageFile) and image.tell() == 0 and not image.decoderconfig:
            # Decoded apart, at the fraction needed; the user's image stays as it is.
            here = image.fp.tell()
            image.fp.seek(0)
            pixels, _, _ = _from_file(image.fp, what)
            image.fp.seek(here)
            return pixels, *orientation_and_position(image)
        check_size(image, what)
        check_cost(image, what)
        return _contents(image)


def _contents(image: Image.Image) -> _Contents:
    picture = decoded(image)
    # After decoding: some decoders turn the picture themselves, and then drop the orientation.
    return picture, *orientation_and_position(image)


def _path(source: object) -> str:
    """Find the path of a source, "" if it has none."""
    if isinstance(source, str | os.PathLike):
        return _existing(os.fsdecode(source))
    path = getattr(source, "filename" if isinstance(source, Image.Image) else "name", "")
    return os.fsdecode(path) if isinstance(path, str | bytes) else ""


def _existing(text: str) -> str:
    if _ADDRESS.match(text):
        if text[:7].lower() == "file://":
            raise ImageError(f"{text!r} is an address: give the path {unquote(text[7:])!r}")
        raise ImageError(f"{text[:80]!r} is an address; nothing is fetched: download it first")
    path = os.path.expanduser(text)  # noqa: PTH111 - Path.expanduser raises for unknown users
    if os.path.isdir(path) or not path:  # noqa: PTH112
        folder = path or os.curdir
        raise IsADirectoryError(f"{folder!r} is a folder: give the path of a picture file in it")
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for names that are too long
        called = text if len(text) <= _LONGEST_PATH else f"{text[:80]}..."
        raise FileNotFoundError(f"There is no picture file {called!r}: check the path")
    return path


def _read(stream: Any, what: str) -> bytes:  # noqa: ANN401 - whatever has a method `read`
    """Read a stream from its start, if it can go there; one byte more than allowed at most."""
    parts, left = [], MAX_FILE_BYTES + 1
    try:
        if getattr(stream, "seekable", bool)():
            stream.seek(0)
        # A socket or pipe gives less than was asked for.
        while left > 0 and (part := stream.read(left)):
            if not isinstance(part, bytes | bytearray | memoryview):
                break
            parts.append(bytes(part))
            left -= len(parts[-1])
    except Exception as error:
        raise OSError(f"{what} could not be read ({error}): open it anew with mode 'rb'") from error
    if not isinstance(part, bytes | bytearray | memoryview):
        raise TypeError(_expected(stream))
    return b"".join(parts)


def _expected(given: object) -> str:
    kinds = "a path, bytes, a file opened with mode 'rb', a PIL image, an array or a Photo"
    return f"source must be {kinds}, got {type(given).__name__}{advice(given, 'source')}"
