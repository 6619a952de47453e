"""Pieces of a world map, as a satellite straight above would see them."""

import math
import os
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from combicam_widgets.geo.earth import EARTH_RADIUS_KM, Floats, check_coordinates
from combicam_widgets.geo.gnomonic import gnomonic_grid
from combicam_widgets.images import MAX_PIXELS, MAX_SIDE_KEPT, MIN_SIDE, ImageError, Photo

Floats32 = NDArray[np.float32]

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")

WIDTHS_KM = (200.0, 5000.0)
"""The narrowest and the widest tile, in kilometres."""


@dataclass(frozen=True, eq=False, repr=False)
class WorldMap:
    """A picture of the whole Earth in the equirectangular projection; equal only to itself.

    Attributes
    ----------
    pixels : (H, 2H, 3) uint8 array
        Red, green, blue. Rows run from the north pole to the south pole, columns from 180 W to
        180 E; the poles and the antimeridian are the outer edges of the outer pixels. Not copied,
        but this view of it is read-only.
    name : str
        A short label, "" if there is none; the tiles are named after it.
    credit : str
        Whom to thank for the picture, and its licence; every tile carries it.

    A wrong kind, shape or dtype raises TypeError; pixels that are not twice as wide as high,
    ValueError.
    """

    pixels: NDArray[np.uint8]
    name: str = ""
    credit: str = ""

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not (isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 3):
            raise TypeError("pixels must be a uint8 array of shape (H, 2H, 3); see WorldMap.open")
        _check_shape(pixels.shape[1], pixels.shape[0], "pixels")
        if pixels.shape[2] != 3:
            raise TypeError(f"pixels must have 3 channels, got {pixels.shape[2]}")
        view = pixels.view()
        view.flags.writeable = False
        object.__setattr__(self, "pixels", view)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, name: str = "", credit: str = "") -> Self:
        """Read a world map from a picture file, at its full size.

        Parameters
        ----------
        path : path
            A picture in the equirectangular projection, twice as wide as high, north up,
            Greenwich in the middle.
        name, credit : str
            As the attributes.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ImageError
            If it is no picture, broken, or has more than `MAX_PIXELS` pixels.
        ValueError
            If it is not twice as wide as high.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"There is no picture file {str(path)!r}: check the path")
        what = f"The file {str(path)!r}"
        too_large = f"{what} has more than {MAX_PIXELS:,} pixels: save it smaller"
        try:
            with Image.open(path, formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ImageError(too_large)
                _check_shape(image.width, image.height, what)
                rgb = image if image.mode == "RGB" else image.convert("RGB")
                return cls(np.asarray(rgb), name, credit)
        except Image.DecompressionBombError as error:
            raise ImageError(too_large) from error
        except UnidentifiedImageError as error:
            raise ImageError(f"{what} is no {', '.join(_FORMATS)}: save it as one") from error
        except OSError as error:
            raise ImageError(f"{what} is broken or cut off ({error}): fetch it again") from error

    def tile(
        self,
        latitude: float,
        longitude: float,
        width_km: float = 1500,
        side: int = 512,
        heading: float = 0,
    ) -> Photo:
        """Cut out a square piece, seen from straight above (`gnomonic_grid`).

        Between the map's pixels, colours are bilinear. Where they lie closer than the tile's
        (wide tiles; along the parallels near the poles) the map is first blurred by a Gaussian
        with a standard deviation of half a tile's pixel, less what a map's pixel already blurs.

        Parameters
        ----------
        latitude, longitude : float
            The middle of the tile in degrees.
        width_km : float
            Distance on the ground between the middles of the left and the right edge; 200 to
            5,000.
        side : int
            Pixels along an edge, `MIN_SIDE` to `MAX_SIDE_KEPT` (8 to 2,048).
        heading : float
            Direction that is up, in degrees clockwise from north. At a pole, north is as it is
            when one comes along the meridian `longitude`.

        Returns
        -------
        Photo
            With its true position, a name that does not tell it, and the map's credit.

        Raises
        ------
        TypeError
            If an argument is not one number, or `side` not a whole one.
        ValueError
            If the place is off the Earth, or another argument is out of range.
        """
        latitude, longitude = _number("latitude", latitude), _number("longitude", longitude)
        latitude, longitude = map(float, check_coordinates(latitude, longitude))
        width_km, side, heading = _check_view(width_km, side, heading)
        grid = gnomonic_grid(latitude, longitude, width_km, side, heading)
        # The pixel in the middle is the largest on the ground.
        pixel_km = 2 * EARTH_RADIUS_KM * np.tan(width_km / (2 * EARTH_RADIUS_KM)) / side
        label = f"{width_km:,.0f} km wide"
        return Photo(
            self._sample(*grid, pixel_km),
            position=(latitude, longitude),
            name=f"{self.name}, {label}" if self.name else label,
            credit=self.credit,
        )

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        return f"<WorldMap {name}{self.pixels.shape[1]} x {self.pixels.shape[0]} px>"

    def _sample(self, latitudes: Floats, longitudes: Floats, pixel_km: float) -> NDArray[np.uint8]:
        """Colours at some places, shape (..., 3), for pixels of that size on the ground."""
        # Slow to import, and photos taken on the ground do not need it.
        from scipy.fft import next_fast_len  # noqa: PLC0415
        from scipy.ndimage import map_coordinates  # noqa: PLC0415

        height, width, _ = self.pixels.shape
        y = (90 - latitudes) / 180 * height - 0.5
        x = (longitudes + 180) / 360 * width - 0.5

        down = pixel_km / (np.pi * EARTH_RADIUS_KM / height)  # map's pixels in one of the tile's
        margin = int(np.ceil(4 * _deviation(down))) + 1
        first = int(np.floor(y.min())) - margin
        count = next_fast_len(int(np.ceil(y.max())) + margin - first + 1, real=True)
        rows, beyond = _rows_over_the_poles(np.arange(first, first + count), height)
        along = down / np.sin((rows + 0.5) / height * np.pi)
        dense = np.flatnonzero(along > 1)
        columns, x = _columns(x, width, _deviation(along.max()))
        turned = np.zeros(count, np.intp)
        turned[beyond] = height  # half a turn
        places = rows[:, None], (columns + turned[:, None]) % width

        sampled = np.empty((*latitudes.shape, 3), np.uint8)
        for channel in range(3):
            band = self.pixels[*places, channel].astype(np.float32)
            if down > 1:
                band = _blurred(band.T, _deviation(down)).T
            if len(dense):
                band[dense] = _blurred(band[dense], _deviation(along[dense])[:, None])
            colours = map_coordinates(band, [y - first, x], order=1, mode="grid-wrap")
            sampled[..., channel] = np.rint(colours).clip(0, 255)
        return sampled


def _deviation(ratio: Floats | float) -> Floats32:
    """Of the blur, in the map's pixels, when a tile's pixel holds `ratio` of them.

    Half a tile's pixel, a variance of ratio^2 / 4; less 1 / 4, the variance of the map's pixel,
    1 / 12, and of the bilinear kernel, 1 / 6.
    """
    ratio = np.asarray(ratio, dtype=np.float32)
    deviation: Floats32 = np.sqrt(np.maximum(np.square(ratio) - 1, 0) / 4)
    return deviation


def _blurred(lines: Floats32, deviation: Floats32) -> Floats32:
    """Blur lines (n, length), closed to rings, by Gaussians, through their Fourier transforms."""
    from scipy import fft  # noqa: PLC0415

    length = lines.shape[1]
    frequencies = fft.rfftfreq(length).astype(np.float32)
    left = np.exp(-2 * np.square(np.pi * frequencies * deviation))
    blurred: Floats32 = fft.irfft(fft.rfft(lines) * left, length)
    return blurred


def _columns(x: Floats, width: int, deviation: Floats32) -> tuple[NDArray[np.intp], Floats]:
    """Choose the columns of the map that some places need, and tell where in these they lie.

    All columns, a ring, where the places and the reach of the blur around them are as wide.
    """
    from scipy.fft import next_fast_len  # noqa: PLC0415

    middle = x[x.shape[0] // 2, x.shape[1] // 2]
    near = (x - middle + width / 2) % width - width / 2 + middle
    margin = int(np.ceil(4 * deviation)) + 1
    first = int(np.floor(near.min())) - margin
    count = next_fast_len(int(np.ceil(near.max())) + margin - first + 1, real=True)
    if count >= width:
        return np.arange(width), x
    return np.arange(first, first + count), near - first


def _rows_over_the_poles(
    rows: NDArray[np.intp], height: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where rows beyond the poles come down on the other side, and which of them do."""
    rows = rows % (2 * height)
    beyond = np.flatnonzero(rows >= height)
    return np.minimum(rows, 2 * height - 1 - rows), beyond


def _check_shape(width: int, height: int, what: str) -> None:
    if width != 2 * height or height < 2:
        raise ValueError(
            f"{what} must be twice as wide as high (a whole Earth, equirectangular), "
            f"got {width} x {height} pixels"
        )


def _check_view(width_km: object, side: object, heading: object) -> tuple[float, int, float]:
    km, turn = _number("width_km", width_km), _number("heading", heading)
    narrowest, widest = WIDTHS_KM
    if not narrowest <= km <= widest:
        raise ValueError(
            f"width_km must lie between {narrowest:,.0f} and {widest:,.0f} kilometres, got {km:g}"
        )
    if not isinstance(side, int | np.integer):
        raise TypeError(f"side must be a whole number of pixels, got {side!r}")
    if not MIN_SIDE <= side <= MAX_SIDE_KEPT:
        raise ValueError(f"side must lie between {MIN_SIDE} and {MAX_SIDE_KEPT} pixels, got {side}")
    return km, int(side), turn


def _number(name: str, value: object) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{name} must be one number, got {type(value).__name__}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value}")
    return float(value)
