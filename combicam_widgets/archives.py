"""NumPy archives (``.npz``) as this package writes them, read without trusting what they claim.

`numpy.load` allocates what a header asks for: a few bytes may claim terabytes, and a megabyte may
unfold to gigabytes. Here each claim is compared with what is there before anything is allocated,
nothing is ever unpickled, and every array that is read has passed the checksum that it was saved
with.
"""

import math
import os
import re
import struct
import sys
import zipfile
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.files import opened_to_read

_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][biufU]\d{1,9})', 'fortran_order': (False|True), "
    rb"'shape': \(((?:\d{1,12},? ?)*)\), \} *\n",
    re.DOTALL,
)
"""What NumPy writes before an array of plain numbers or text."""

_DENSEST = 32
"""How often what was packed may have repeated itself. A grid of equal boxes has 16, others less."""
_CHUNK = 1 << 20
"""Bytes that are unpacked at once where text is padded."""

_DAMAGED = "it is cut short or damaged; copy, download or save it again"
_BROKEN = (
    zipfile.BadZipFile,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What `zipfile` raises, sooner or later, over a file that is not as it was written."""


class Archive:
    """A NumPy archive, opened for reading; a context manager.

    Parameters
    ----------
    path : Path
    least : int
        Bytes that the arrays may have together, however small the file is. Beyond, they may have
        32 times as many bytes as the file.

    Attributes
    ----------
    names : tuple of str
        Of all arrays in the file.

    Raises
    ------
    OSError
        If the file cannot be opened, such as FileNotFoundError.
    ValueError
        If it is no such archive, or damaged.
    """

    def __init__(self, path: Path, least: int) -> None:
        with ExitStack() as closing:
            file = closing.enter_context(opened_to_read(path))
            self._left = max(least, _DENSEST * os.fstat(file.fileno()).st_size)
            self._zip = _opened(file)
            self._members = {info.filename: info for info in self._zip.infolist()}
            _check_count(file, len(self._zip.infolist()))
            for info in self._zip.infolist():
                self._open(info).close()
            self._closing = closing.pop_all()
        self.names = tuple(name.removesuffix(".npy") for name in self._members)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def numbers(self, name: str) -> NDArray[Any]:
        """Return an array of numbers or truths, read-only.

        Raises
        ------
        ValueError
            If there is none of this name, it holds something else, claims more than is there, or
            is damaged.
        """
        with self._member(name) as stream:
            dtype, shape, order = self._header(name, stream)
            if dtype.kind == "U":
                raise ValueError(f"{name} holds text where numbers should be")
            count = math.prod(shape)
            self._spend(name, count * dtype.itemsize)
            content = _read(stream, count * dtype.itemsize)
        return np.frombuffer(content, dtype, count).reshape(shape, order=order)

    def texts(self, name: str) -> list[str]:
        """Return the texts of an array, in order.

        NumPy pads all to the length of the longest, which is not what they need in memory.

        Raises
        ------
        ValueError
            As `numbers`.
        """
        texts: list[str] = []
        with self._member(name) as stream:
            dtype, shape, _ = self._header(name, stream)
            if dtype.kind != "U":
                raise ValueError(f"{name} holds numbers where text should be")
            self._spend(name, dtype.itemsize)
            count = math.prod(shape)
            rows = max(1, _CHUNK // max(1, dtype.itemsize))
            for begin in range(0, count, rows):
                some = min(rows, count - begin)
                content = _read(stream, some * dtype.itemsize)
                characters = np.frombuffer(content, f"{dtype.byteorder}u4")
                if characters.max(initial=0) > sys.maxunicode:
                    raise ValueError(f"{name} is not text")
                texts += np.frombuffer(content, dtype, some).tolist()
                self._spend(name, sum(64 + 4 * len(text) for text in texts[begin:]))
        return texts

    def _member(self, name: str) -> IO[bytes]:
        if f"{name}.npy" not in self._members:
            raise ValueError(f"it has no {name}")
        return self._open(self._members[f"{name}.npy"])

    def _open(self, info: zipfile.ZipInfo) -> IO[bytes]:
        """Open a member, which compares its two names in the file."""
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise ValueError(_DAMAGED)
        if self._members[info.filename] is not info:
            raise ValueError("an array comes twice")
        try:
            return self._zip.open(info)
        except _BROKEN as error:
            raise ValueError(_DAMAGED) from error

    def _header(self, name: str, stream: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, ...], Any]:
        """Read what an array claims to be, and compare its size with that of the member."""
        start = _read(stream, 10)
        length = int.from_bytes(start[8:10], "little")
        header = start + _read(stream, length)
        match = _HEADER.fullmatch(header)
        if match is None:
            raise ValueError(f"{name} is no array of plain numbers or text, saved without pickle")
        try:
            dtype = np.dtype(match[1].decode())
        except TypeError as error:
            raise ValueError(f"{name} has the unknown type {match[1].decode()}") from error
        shape = tuple(int(side) for side in re.findall(rb"\d+", match[3]))
        claimed = math.prod(shape) * dtype.itemsize
        there = self._members[f"{name}.npy"].file_size - len(header)
        if claimed != there or not dtype.itemsize:
            raise ValueError(f"{name} claims {claimed:,} bytes where there are {there:,}")
        return dtype, shape, "F" if match[2] == b"True" else "C"

    def _spend(self, name: str, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError(f"{name} would take far more memory than this file can mean")


def _opened(file: IO[bytes]) -> zipfile.ZipFile:
    start = file.read(4)
    if not start:
        raise ValueError("it is empty; copy, download or save it again")
    if start != b"PK\x03\x04":
        raise ValueError("it is not a NumPy archive (.npz), or damaged at its beginning")
    try:
        return zipfile.ZipFile(file)
    except _BROKEN as error:
        raise ValueError(_DAMAGED) from error


def _check_count(file: IO[bytes], count: int) -> None:
    """Compare how many members the end of the file counts.

    `zipfile` does not, and the entry of one that is damaged can swallow the next.
    """
    file.seek(-22, os.SEEK_END)
    end = file.read()
    if not end.startswith(b"PK\x05\x06") or int.from_bytes(end[10:12], "little") != count:
        raise ValueError(_DAMAGED)


def _read(stream: IO[bytes], size: int) -> bytes:
    """Read so many bytes; at the end of a member its checksum is compared."""
    try:
        content = stream.read(size)
    except _BROKEN as error:
        raise ValueError(_DAMAGED) from error
    if len(content) < size:
        raise ValueError(_DAMAGED)
    return content
