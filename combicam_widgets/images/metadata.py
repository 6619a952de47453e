"""Orientation and position from the EXIF and XMP of a picture, in the spellings that occur.

What can be read in one way only is read; what is impossible or could mean two places is no
position. Nothing is invented: an angle without a hemisphere is no latitude.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from PIL import ExifTags, Image

from combicam_widgets.images import headers
from combicam_widgets.images.photo import check_position

_T = TypeVar("_T")
_TAG = ExifTags.GPS
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)(?:/(\d+))?")
_WORDS = {"NORTH": "N", "SOUTH": "S", "EAST": "E", "WEST": "W"}
_MARKS = " \t,;:°'\"\N{PRIME}\N{DOUBLE PRIME}"  # what stands between degrees, minutes and seconds
_XMP = r"""(?<!/)exif:GPS{}\s*(?:=\s*["']([^"'<>]{{1,60}})["']|>([^<>]{{1,60}})<)"""

# A number with a fraction cannot be followed by a smaller unit, but for what rounding leaves.
_WHOLE = 1e-3


def orientation_and_position(image: Image.Image) -> tuple[int, tuple[float, float] | None]:
    """Read the EXIF orientation (1 = upright) and the position, None if there is no sound one.

    The position is that of EXIF, else that of XMP. Broken metadata costs nobody a photo.
    """
    exif = image.info.get("exif")
    if isinstance(exif, bytes) and _sound(lambda: _is_absurd(exif)):
        return 1, _xmp_position(image.info)
    orientation = _sound(lambda: int(image.getexif().get(ExifTags.Base.Orientation, 1)))
    position = _sound(lambda: _exif_position(image.getexif().get_ifd(ExifTags.IFD.GPSInfo)))
    return orientation or 1, position or _xmp_position(image.info)


def _is_absurd(exif: bytes) -> bool:
    """Whether Pillow would read, and warn of, thousands of fields."""
    directory = headers.tiff_directory(exif.removeprefix(b"Exif\0\0"))
    return directory.fields > headers.MAX_FIELDS


def _sound(read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except Exception:  # noqa: BLE001 - Pillow raises whatever a broken directory makes it
        return None


def _exif_position(gps: dict[int, Any]) -> tuple[float, float] | None:
    latitude = _degrees(gps.get(_TAG.GPSLatitude), gps.get(_TAG.GPSLatitudeRef), "NS")
    longitude = _degrees(gps.get(_TAG.GPSLongitude), gps.get(_TAG.GPSLongitudeRef), "EW")
    return _on_earth(latitude, longitude)


def _xmp_position(info: dict[Any, Any]) -> tuple[float, float] | None:
    text = info.get("xmp") or info.get("XML:com.adobe.xmp") or ""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if not isinstance(text, str):
        return None
    angles = []
    for name in ("Latitude", "Longitude"):
        found = {first or second for first, second in re.findall(_XMP.format(name), text)}
        # Several pictures may be told of in one file: which of them was taken there is unknown.
        if len(found) != 1:
            return None
        angles.append(found.pop().strip())
    # Who writes a sign before one of two plain numbers means it for both.
    signed = not re.search("[A-Za-z]", "".join(angles)) and {"+", "-"} & {x[:1] for x in angles}
    latitude, longitude = (
        _degrees(angle, signs[angle.startswith("-")] if signed else None, signs)
        for angle, signs in zip(angles, ("NS", "EW"), strict=True)
    )
    return _on_earth(latitude, longitude)


def _on_earth(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    # Exactly 0, 0 is what cameras write when they do not know.
    if latitude is None or longitude is None or latitude == longitude == 0:
        return None
    if abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return check_position((latitude, longitude))


def _degrees(given: Any, reference: Any, signs: str) -> float | None:  # noqa: ANN401 - untyped
    """Turn an angle and its hemisphere into signed degrees, None if it is not a sound one.

    Parameters
    ----------
    given : numbers or text
        Degrees; degrees and minutes; degrees, minutes and seconds. Only the last may have a
        fraction. A part that is 0/0 is unknown, and left out if nothing follows it.
    reference : text
        The hemisphere, a letter or a word, if it is not in the text given. A negative angle needs
        none.
    signs : str
        Letters of the positive and the negative hemisphere.
    """
    parts, letters = _parts(given)
    letters = _WORDS.get(letters, letters)
    if reference is not None:
        beside = _text(reference).upper()
        letters += _WORDS.get(beside, beside)
    while len(parts) > 1 and math.isnan(parts[-1]):
        parts.pop()
    if not 1 <= len(parts) <= 3 or not all(map(math.isfinite, parts)):
        return None
    hemisphere = set(letters) or ({signs[1]} if parts[0] < 0 else set())
    if len(hemisphere) != 1 or not hemisphere <= set(signs):
        return None
    south = hemisphere == {signs[1]}
    if parts[0] < 0 and not south:
        return None
    size = [abs(parts[0]), *parts[1:]]
    if not all(0 <= part <= 60 for part in size[1:]):
        return None
    for part, rest in zip(size, (size[1:], size[2:]), strict=False):
        if any(rest) and abs(part - round(part)) > _WHOLE:
            return None
    angle: float = size[0] + sum(part / 60**power for power, part in enumerate(size[1:], 1))
    return -angle if south else angle


def _parts(given: Any) -> tuple[list[float], str]:  # noqa: ANN401 - EXIF is untyped
    """Numbers of an angle, and the letters beside them, in capitals."""
    if isinstance(given, str | bytes):
        text = _text(given)
        letters = "".join(re.findall("[A-Za-z]", text)).upper()
        rest = re.sub("[A-Za-z]", "", _NUMBER.sub("", text)).strip(_MARKS)
        found = _NUMBER.findall(text)
        # "48,51": with a decimal comma it would be 48.51 degrees, so it could mean two places.
        if rest or (len(found) == 2 and "," in text and not {".", "/"} & set(text)):
            return [], letters
        return [_ratio(float(top), float(bottom or 1)) for top, bottom in found], letters
    if isinstance(given, list | tuple):
        return [_number(part) for part in given], ""
    return ([] if given is None else [_number(given)]), ""


def _number(part: Any) -> float:  # noqa: ANN401 - EXIF is untyped
    try:
        return float(part)
    except ZeroDivisionError:  # 0/0, for which Pillow gives NaN from version 13 on
        return math.nan


def _ratio(top: float, bottom: float) -> float:
    return top / bottom if bottom else math.nan


def _text(given: Any) -> str:  # noqa: ANN401 - EXIF is untyped
    text = given.decode("latin-1") if isinstance(given, bytes) else str(given)
    return text.strip("\0 ")
