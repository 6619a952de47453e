"""What decoding a picture would take, read off its headers.

Nothing is refused here: whoever asks compares the counts with limits.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")  # of a segment
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_SIZES = re.compile(rb"(?:IHDR|ihdr|\xff\x4f\xff\x51.{4})(.{8})", re.DOTALL)  # PNG, JPEG 2000
MAX_FIELDS = 1000
"""Fields of a directory of TIFF or EXIF that are taken seriously; cameras write 10 to 100."""

_BYTE_KINDS = {1, 2, 6, 7}  # TIFF's byte, ASCII, signed byte and undefined


class JpegScans(NamedTuple):
    """What decoding a JPEG takes."""

    segments: int
    exif: int  # bytes of EXIF in all segments together
    scans: int
    visits: int  # blocks of coefficients that all scans together go through
    scalable: bool  # can be decoded at a fraction
    memory: int  # bytes in which coefficients wait for the last scan


def jpeg_scans(data: bytes, most_segments: int) -> JpegScans:
    """Walk the markers of a JPEG, to its end or until there are too many segments."""
    blocks: dict[int, int] = {}
    scalable = progressive = False
    segments = exif = scans = visits = memory = position = 0
    while (marker := _JPEG_MARKER.search(data, position)) and segments <= most_segments:
        code, start = data[marker.end() - 1], marker.end()
        if code == 0xD9:  # the end
            break
        segments += 1
        length = int.from_bytes(data[start : start + 2], "big")
        body, position = data[start + 2 : start + length], start + max(length, 2)
        if code == 0xE1 and body.startswith(b"Exif\0"):
            exif += length
        elif code in _JPEG_FRAMES and not blocks:
            blocks = _jpeg_blocks(body)
            scalable, progressive = code not in _JPEG_LOSSLESS, code & 3 == 2
        elif code == 0xDA and blocks:
            scans += 1
            visits += sum(blocks.get(component, 0) for component in body[1 : 1 + 2 * body[0] : 2])
            if scans == 1:
                if not progressive and body[0] == len(blocks):
                    break  # the only scan: whatever follows is not read
                memory = 128 * sum(blocks.values())
    return JpegScans(segments, exif, scans, visits, scalable, memory)


def _jpeg_blocks(frame: bytes) -> dict[int, int]:
    """Count the blocks of 8 x 8 coefficients of each component, by its number."""
    height, width, count = struct.unpack_from(">HHB", frame, 1)
    components = struct.iter_unpack("3B", frame[6 : 6 + 3 * count])
    factors = {number: (factor >> 4 or 1, factor & 15 or 1) for number, factor, _ in components}
    widest, tallest = (max(sides, default=1) for sides in zip(*factors.values(), strict=True))
    return {
        number: -(-width * across // (8 * widest)) * -(-height * down // (8 * tallest))
        for number, (across, down) in factors.items()
    }


class Jpeg2000(NamedTuple):
    """What decoding a JPEG 2000 takes, from its main header."""

    levels: int  # how often it can be halved
    parts: int  # code-blocks or precincts, whichever are more
    tiles: int


def jpeg2000(data: bytes) -> Jpeg2000:
    """Read the main header of a JPEG 2000."""
    start = data.index(b"\xff\x4f\xff\x51") + 2
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">6I", data, start + 6)
    width, height = right - left, bottom - top
    (components,) = struct.unpack_from(">H", data, start + 38)
    tiles = -(-width // max(1, tile_width)) * -(-height // max(1, tile_height))
    levels, parts = 0, 0
    while data[start : start + 2] not in {b"\xff\x90", b""}:  # up to the first tile
        marker, length = struct.unpack_from(">2H", data, start)
        if marker == 0xFF52:  # coding style
            style, levels, across, down = data[start + 4], *data[start + 9 : start + 12]
            smallest = 2 ** (4 + (across & 15) + (down & 15))
            if style & 1:
                for level, sides in enumerate(data[start + 14 : start + 2 + length]):
                    area = 2 ** ((sides & 15) + (sides >> 4) + 2 * (levels - level))
                    smallest = min(smallest, area)
            parts = components * width * height // smallest
        start += 2 + length
    return Jpeg2000(levels, parts, tiles)


class TiffDirectory(NamedTuple):
    """How much the first directory of a TIFF, or of EXIF, claims to hold."""

    fields: int
    values: int  # in its largest field of numbers, each of which becomes an object in Python


def tiff_directory(data: bytes) -> TiffDirectory:
    """Read the first directory of a TIFF or of EXIF, as far as it is there."""
    order, big = ("<" if data.startswith(b"II") else ">"), 43 in data[2:4]
    start, count, field = ("Q", "Q", "HHQ8x") if big else ("I", "H", "HHI4x")
    (position,) = struct.unpack_from(order + start, data, 8 if big else 4)
    if position + struct.calcsize(order + count) > len(data):
        return TiffDirectory(0, 0)
    (claimed,) = struct.unpack_from(order + count, data, position)
    position += struct.calcsize(order + count)
    size = struct.calcsize(order + field)
    there = min(claimed, (len(data) - position) // size)
    fields = struct.iter_unpack(order + field, data[position : position + there * size])
    values = (values for _, kind, values in fields if kind not in _BYTE_KINDS)
    return TiffDirectory(there, max(values, default=0))


def nested_sizes(data: bytes) -> list[tuple[int, int]]:
    """List the sizes that the PNGs and JPEGs 2000 within a file claim to have, in pixels."""
    return [struct.unpack(">2I", match[1]) for match in _SIZES.finditer(data)]
