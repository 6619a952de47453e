"""What a photo is: upright 8-bit RGB, with its true position if known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt
from PIL import Image

# The limits: what is larger or smaller is refused, before it is decoded or converted.
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 80_000_000  # width x height, once decoded; below the 89 million of Pillow's own limit
MAX_SIDE_KEPT = 2048  # longer side, in pixels, to which larger pictures are reduced
MIN_SIDE = 8  # shorter side, in pixels, after that


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

    A wrong kind, shape or dtype raises TypeError; no pixels or more than `MAX_PIXELS`, or a
    position off Earth, ValueError.
    """

    pixels: npt.NDArray[np.uint8]
    position: tuple[float, float] | None = None
    name: str = ""
    credit: str = ""

    def __post_init__(self) -> None:
        check_array(self.pixels, "pixels", (3,))
        for field, value in {"name": self.name, "credit": self.credit}.items():
            if not isinstance(value, str):
                raise TypeError(f"{field} must be a str, got {type(value).__name__}")
        # An array over bytes cannot be made writeable again, not even on purpose.
        frozen = np.frombuffer(self.pixels.tobytes(), np.uint8).reshape(self.pixels.shape)
        object.__setattr__(self, "pixels", frozen)
        object.__setattr__(self, "position", check_position(self.position))

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


def check_position(position: object) -> tuple[float, float] | None:
    """Turn (latitude, longitude) in degrees into two floats on Earth; None stays None."""
    if position is None:
        return None
    expected = "position must be (latitude, longitude) in degrees"
    # Arrays, series and tensors are no Sequences, but they give lists.
    to_list = getattr(position, "tolist", None)
    pair = to_list() if callable(to_list) else position
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise TypeError(f"{expected} or None, got {type(position).__name__}")
    if not all(
        isinstance(value, Real) and not isinstance(value, bool | np.bool_) for value in pair
    ):
        kinds = " and ".join(type(value).__name__ for value in pair)
        raise TypeError(f"{expected}, two numbers, got {kinds}")
    try:
        latitude, longitude = float(pair[0]), float(pair[1])
    except OverflowError:
        latitude = longitude = float("inf")
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"{expected}, within -90..90 and -180..180, got {latitude}, {longitude}")
    return latitude, longitude


def check_array(array: object, argument: str, channels: tuple[int | None, ...]) -> None:
    """Refuse what is no uint8 array with one of these numbers of channels (None = no axis).

    The messages say what to write instead. Nothing is converted, however large the array claims
    to be.
    """
    shapes = " or ".join("(H, W)" if n is None else f"(H, W, {n})" for n in channels)
    expected = f"{argument} must be a uint8 array of shape {shapes}"
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{expected}, got {type(array).__name__}{advice(array, argument)}")
    if array.dtype != np.uint8:
        raise TypeError(f"{expected}, got dtype {array.dtype}{advice(array, argument)}")
    if array.ndim not in {2, 3} or (array.shape[2] if array.ndim == 3 else None) not in channels:
        raise TypeError(f"{expected}, got shape {array.shape}{advice(array, argument)}")
    if array.size == 0:
        raise ImageError(f"{argument} is empty: its shape is {array.shape}")
    height, width = array.shape[:2]
    if height * width > MAX_PIXELS:
        has = f"{argument} has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}"
        raise ImageError(f"{has}: give every n-th pixel, for instance {argument}[::2, ::2]")


_CASTS = {  # by kind of dtype: why, and how
    "float": (
        "multiply by 255 and cast if values are 0 to 1 (undo a normalisation first)",
        '(255 * {}).round().astype("uint8")',
    ),
    "bool": ("multiply by 255", '255 * {}.astype("uint8")'),
    "uint16": ("divide by 257", '({} // 257).astype("uint8")'),
    "uint8": ("", "{}"),
    "int": ("cast if values are 0 to 255", '{}.astype("uint8")'),
}


def advice(given: object, argument: str) -> str:
    """Say what to write for an array or tensor of another layout or dtype; "" if unknown."""
    if isinstance(given, list | tuple):
        return f': give numpy.array({argument}, dtype="uint8")'
    shape, dtype = getattr(given, "shape", None), str(getattr(given, "dtype", ""))
    if not isinstance(shape, tuple) or not dtype:
        return ""
    code = argument
    if hasattr(given, "detach") and hasattr(given, "permute"):  # torch, without importing it
        code = f"{code}.detach().cpu().numpy()"
    elif not isinstance(given, np.ndarray):
        code = f"numpy.asarray({code})"
    words, code = _layout_advice(shape, code)
    why, how = next((cast for kind, cast in _CASTS.items() if kind in dtype), ("", "{}"))
    words, code = [*words, *filter(None, [why])], how.format(code)
    return "" if code == argument else f": {', '.join([*words, f'for instance {code}'])}"


def _layout_advice(shape: tuple[int, ...], code: str) -> tuple[list[str], str]:
    """Words and code that bring an array of some shape to (H, W) or (H, W, 3)."""
    words = []
    if len(shape) == 4:
        words.append("one photo at a time")
        code, shape = f"{code}[0]", shape[1:]
    if len(shape) == 3 and shape[0] in {1, 3, 4} and shape[2] not in {3, 4}:
        words.append("channels come last")
        code, shape = f"{code}.transpose(1, 2, 0)", (*shape[1:], shape[0])
    if len(shape) == 3 and shape[2] == 1:
        words.append("grey has no third axis")
        code = f"{code}[:, :, 0]"
    return words, code
