"""Files under the names that were asked for: to be read, and written whole or not at all."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

__all__ = ["MOST", "content", "destination", "opened_to_read", "source", "write"]

MOST = 2**28
"""Bytes of a file that is read as a whole, 256 MB: a table of a million rows is far smaller."""

_LONGEST = 255
"""Bytes that a file's name may have, wherever."""


def source(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file that is to be read, whether it is there or not.

    Parameters
    ----------
    path : str or path-like
        ``~`` is the person's own folder.

    Raises
    ------
    TypeError
        If it is no path.
    ValueError
        If no file can be called so.
    """
    text = _text(path)
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path.expanduser raises for unknown users


def opened_to_read(file: Path) -> BinaryIO:
    """Open a file, as `content` does; ValueError if it is a device or a pipe, which may never end.

    Opening a pipe waits until somebody writes into it.
    """
    if _is_special(file):
        raise ValueError(f"{str(file)!r} is a pipe or a device: give a file")
    return file.open("rb")


def content(file: Path, most: int = MOST) -> bytes:
    """Read a whole file, whoever gave it.

    Parameters
    ----------
    file : Path
        As `source` gives it.
    most : int
        Bytes that it may have.

    Raises
    ------
    OSError
        If it cannot be read, such as FileNotFoundError, or is a folder.
    ValueError
        If it is a device or a pipe, which may never end, or too large.
    """
    with opened_to_read(file) as opened:
        size = os.fstat(opened.fileno()).st_size
        found = opened.read(most + 1) if size <= most else b""
    if max(size, len(found)) > most:
        raise ValueError(
            f"{str(file)!r} has more than {most / 2**20:,.0f} MB, too much to be read at once"
        )
    return found


def destination(
    path: str | os.PathLike[str], endings: Sequence[str] = (), *, needs_ending: bool = False
) -> Path:
    """Check where a file is to be written, before what is in it is worked out.

    Parameters
    ----------
    path : str or path-like
        ``~`` is the person's own folder. A symbolic link is followed.
    endings : sequence of str, optional
        What the name may end in, in small letters, such as ".png"; a name without any ending is
        taken as it is. Default: in whatever it likes.
    needs_ending : bool
        Whether a name without any ending is refused, because it does not say what to write.

    Returns
    -------
    Path

    Raises
    ------
    TypeError
        If it is no path.
    ValueError
        If no file can be called so, or its ending promises another kind of file, or none.
    FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError
        If nothing can be written there.
    """
    text = _text(path)
    try:
        asked = Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"There is no user whose folder {text!r} names: give a path") from error
    known = " or ".join(filter(None, [", ".join(endings[:-1]), *endings[-1:]]))
    if endings and asked.suffix and asked.suffix.lower() not in endings:
        raise ValueError(f"path must end in {known}, got {text!r}: nothing else is written")
    file = asked if _is_special(asked) else Path(os.path.realpath(asked))
    if os.path.isdir(file) or text.endswith(("/", os.sep)):  # noqa: PTH112 - or long names raise
        raise IsADirectoryError(f"{text!r} is a folder: add the name of a file")
    only_ending = asked.name.lower() in endings
    if only_ending or (needs_ending and not asked.suffix and not _is_special(asked)):
        name = f"x{asked.name}" if only_ending else asked.name.rstrip(".") + endings[0]
        raise ValueError(
            f"path must be a name that ends in {known}, got {text!r}: nothing says what to write; "
            f"{str(asked.with_name(name))!r} would"
        )
    if not file.parent.exists():
        raise FileNotFoundError(f"There is no folder {str(file.parent)!r}: make it first")
    if not file.parent.is_dir():
        raise NotADirectoryError(f"{str(file.parent)!r} is a file: give a folder")
    # What is there is replaced, for which its folder is changed.
    touched = [file] if _is_special(file) else [file.parent, *([file] if _is_there(file) else [])]
    if not all(os.access(place, os.W_OK) for place in touched):
        raise PermissionError(f"{text!r} must not be written: choose another place")
    return file


def write(file: Path, content: bytes) -> None:
    """Write a file so that it is there whole, or as it was before.

    Parameters
    ----------
    file : Path
        As `destination` gives it. Should writing fail, or be interrupted, a file that was there
        stays as it was.
    content : bytes
    """
    if _is_special(file):
        file.write_bytes(content)
        return
    waiting = file.with_name(f".{token_hex(8)}.part")
    try:
        with waiting.open("xb") as opened:
            opened.write(content)
        if _is_there(file):
            waiting.chmod(file.stat().st_mode & 0o777)
        waiting.replace(file)
    except BaseException:
        waiting.unlink(missing_ok=True)
        raise


def _text(path: str | os.PathLike[str]) -> str:
    """Return what a path says, if a file can be called so."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a str or a Path, got {type(path).__name__}")
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"path must be a str or a Path of str, got one of {type(text).__name__}")
    try:
        longest = max(len(os.fsencode(part)) for part in Path(text).parts or ("",))
    except UnicodeEncodeError:  # half a character
        longest = _LONGEST + 1
    if not text.strip() or "\0" in text or longest > _LONGEST:
        raise ValueError(f"path must name a file, got {reprlib.repr(text)}")
    return text


def _is_there(file: Path) -> bool:
    return os.path.exists(file)  # noqa: PTH110 - Path.exists raises for names that are too long


def _is_special(file: Path) -> bool:
    """Whether it is a device or a pipe, such as /dev/stdout, which is not to be replaced."""
    return _is_there(file) and not file.is_file() and not file.is_dir()
