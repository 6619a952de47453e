"""Many photos as people give them: a folder, a glob, a table, an iterable, a data set."""

from __future__ import annotations

import contextlib
import csv
import glob
import hashlib
import io
import os
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from combicam_widgets import files
from combicam_widgets.images import (
    MAX_FILE_BYTES,
    ImageError,
    ImageSource,
    Photo,
    load_image,
    picture_endings,
)
from combicam_widgets.images.photo import check_position

Photos: TypeAlias = (
    "str | os.PathLike[str] | Mapping[str, ImageSource] | Iterable[ImageSource] | Dataset[Any]"
)
"""A folder, a glob, a CSV file, a mapping from names, an iterable, a torch ``Dataset``."""

_PATH, _NAME = ("path", "file", "filename", "image", "photo"), ("name", "title")
_LATITUDE, _LONGITUDE = ("latitude", "lat"), ("longitude", "lon", "lng")

_SAME = "the same picture as {!r}"


@dataclass(frozen=True, eq=False, repr=False)
class Given:
    """One photo of many, not yet read.

    Attributes
    ----------
    name : str
        Different from those of all others; for people.
    source : Path, bytes, Photo or another thing that `load_image` reads
    position : (latitude, longitude) or None
        Where it was taken, if that was said on purpose: in a table.
    error : str
        Why it is not worth reading, such as a photo that came before; "" if it is.
    """

    name: str
    source: Any
    position: tuple[float, float] | None = None
    error: str = ""

    @property
    def path(self) -> str:
        """Where its file is; "" if it is no file."""
        return str(self.source) if isinstance(self.source, Path) else ""

    def load(self) -> Photo:
        """Read it; raises what `load_image` raises, ImageError if its error is known already."""
        if self.error:
            raise ImageError(self.error)
        source = self.source
        if isinstance(source, _Item):
            return source.photo()
        if isinstance(source, Path):
            source = str(source)
        return load_image(source)

    @property
    def is_told_when_read(self) -> bool:
        """Whether only reading it tells whether it came before."""
        return isinstance(self.source, _Item)

    def would_say(self, error: str) -> bool:
        """Whether the error that it had once is what would come out again."""
        told = self.is_told_when_read and error.startswith(_SAME.partition("{")[0])
        return told or error == self.error

    def in_hand(self) -> Given:
        """Give the same photo as bytes or pixels, for who cannot reach what it was given as."""
        if self.error:
            return replace(self, source=b"")
        if isinstance(self.source, Path):
            with contextlib.suppress(OSError, ValueError):  # which `load` says in its own words
                return replace(self, source=files.content(self.source, MAX_FILE_BYTES))
        if isinstance(self.source, (bytes, Photo, Tensor)):
            return self
        try:
            return replace(self, source=self.load())
        except Exception as error:  # noqa: BLE001  (a user's data set may raise anything)
            return replace(self, source=b"", error=reason(error))

    def __repr__(self) -> str:
        return f"Given({self.name!r})"


class SamePictureError(ImageError):
    """A picture of a data set came before; the message says as what."""


@dataclass(frozen=True, eq=False)
class _Item:
    """One place in a data set, looked at when its turn comes.

    Attributes
    ----------
    dataset, index
    name : str
    seen : dict from digest to name
        Of the pictures that were read so far; all items of a data set share it.
    """

    dataset: Any
    index: int
    name: str
    seen: dict[bytes, str]

    def photo(self) -> Photo:
        """Read it; SamePictureError if it came before, at another place."""
        photo = load_image(_as_picture(self.dataset[self.index]))
        digest = _digest(photo)
        first = self.name if digest is None else self.seen.setdefault(digest, self.name)
        if first != self.name:
            raise SamePictureError(_SAME.format(first))
        return photo


def listed(photos: Photos) -> tuple[Iterable[Given], int | None]:
    """Give names to photos, and see which of them come twice.

    Parameters
    ----------
    photos
        A folder (every picture in it and below, by name), a glob as ``photos/*.jpg``, a CSV file
        with a column ``path`` (relative to the file) and perhaps ``name``, ``latitude`` and
        ``longitude``; a mapping from names to photos; an iterable of photos, paths or whatever
        `load_image` takes, which may be endless in memory; or a torch ``Dataset`` that gives
        pictures, perhaps with a label.

    Returns
    -------
    iterable of Given
        In the given order. That of a generator can be gone through once.
    int or None
        How many there are; None if that is seen at the end only.

    Raises
    ------
    TypeError, ValueError, OSError
        What was given is nothing of all this, or there is no photo in it.
    """
    if isinstance(photos, (str, os.PathLike)):
        named = _of_text(os.fspath(photos))
    elif isinstance(photos, Mapping):
        named = [Given(str(name), _own(photo)) for name, photo in photos.items()]
    elif isinstance(photos, Dataset) and not isinstance(photos, IterableDataset):
        sized: Any = photos
        seen: dict[bytes, str] = {}
        names = [f"{i:06}" for i in range(len(sized))]
        named = [Given(name, _Item(photos, i, name, seen)) for i, name in enumerate(names)]
    elif isinstance(photos, (bytes, Photo, Image.Image, np.ndarray, Tensor)) or not isinstance(
        photos, Iterable
    ):
        raise TypeError(
            "photos must be a folder, a glob, a CSV file, a mapping, an iterable of photos or a "
            f"torch Dataset, not {type(photos).__name__}: one photo goes into a list, [photo]."
        )
    elif not hasattr(photos, "__len__"):
        return _streamed(photos), None
    else:
        named = _named(list(photos))
    if not named:
        raise ValueError("There is no photo among the photos given.")
    return _told_apart(named), len(named)


def reason(error: BaseException) -> str:
    """Say what went wrong in a row of a table: what kind, and what it says."""
    known = isinstance(error, SamePictureError)
    return str(error) if known else f"{type(error).__name__}: {error}"


def _of_text(text: str) -> list[Given]:
    path = files.source(text)
    if path.is_dir():
        endings = {*picture_endings(), ".heic", ".heif"}
        found = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in endings
            and not file.is_dir()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        if not found:
            raise ValueError(f"There is no picture in the folder {text!r}.")
        return [Given(file.relative_to(path).as_posix(), file.absolute()) for file in found]
    if path.suffix.lower() == ".csv":
        return _of_table(path)
    if path.exists():
        return [Given(path.name, path.absolute())]
    found = sorted(Path(file) for file in glob.glob(str(path), recursive=True))  # noqa: PTH207
    if not found:
        raise FileNotFoundError(f"There is no folder or file {text!r}, and it matches none.")
    return _named(found)


def _of_table(path: Path) -> list[Given]:
    try:
        text = files.content(path).decode("utf-8-sig")
    except UnicodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: save it as CSV UTF-8.") from error
    table = csv.DictReader(io.StringIO(text, newline=""))
    headings = {str(heading).strip().lower(): heading for heading in table.fieldnames or ()}
    columns = [
        next((headings[name] for name in names if name in headings), None)
        for names in (_PATH, _NAME, _LATITUDE, _LONGITUDE)
    ]
    if columns[0] is None:
        raise ValueError(
            f"{path} needs a column {_PATH[0]!r} with the photos' files; it has "
            f"{', '.join(headings) or 'none'}."
        )
    rows = [[row[c].strip() if c and row[c] else "" for c in columns] for row in table]
    named = _named([path.parent / where for where, *_ in rows if where])
    rows = [row for row in rows if row[0]]
    given: dict[str, Given] = {}
    for line, (each, (_, name, *place)) in enumerate(zip(named, rows, strict=True), 2):
        label = name if name and name not in given else each.name
        try:
            position = check_position([float(x) for x in place]) if all(place) else None
        except ValueError as error:
            raise ValueError(f"{path}, line {line}: {error}") from error
        given[label] = replace(each, name=label, position=position)
    return list(given.values())


def _named(photos: list[Any]) -> list[Given]:
    """Name photos after their files, or by what they are called; by number where these meet."""
    own = [_own(photo) for photo in photos]
    paths = {source for source in own if isinstance(source, Path)}
    ends = Counter(source.name for source in paths)
    common = Path(os.path.commonpath(paths)) if paths else Path()
    given: dict[str, Given] = {}
    for number, source in enumerate(own, 1):
        wanted = _called(source)
        if isinstance(source, Path):
            alone = ends[source.name] == 1
            wanted = source.name if alone else source.relative_to(common).as_posix()
        label = _free(wanted, number, given)
        given[label] = Given(label, source)
    return list(given.values())


def _streamed(photos: Iterable[Any]) -> Iterator[Given]:
    """Name photos while they come, and tell those that came before; none of them is kept."""
    names: set[str] = set()
    seen: dict[bytes, str] = {}
    for number, photo in enumerate(photos, 1):
        end = Path(photo).name if isinstance(photo, (str, os.PathLike)) else _called(photo)
        label = _free(end, number, names)
        names.add(label)
        given = Given(label, _own(_as_picture(photo)))
        yield _unless_seen(given, _digest(given.source), seen)


def _told_apart(given: list[Given]) -> list[Given]:
    """Mark photos that come twice: of files, only those of the same size are read for that."""
    sizes: dict[int, int] = {}
    size_of: dict[str, int] = {}
    for each in given:
        if each.path:
            try:
                size_of[each.name] = Path(each.path).stat().st_size
            except OSError:
                continue  # it is told when it is to be read
            sizes[size_of[each.name]] = sizes.get(size_of[each.name], 0) + 1
    seen: dict[bytes, str] = {}
    return [
        each
        if each.path and sizes.get(size_of.get(each.name, -1), 0) < 2
        else _unless_seen(each, _digest(each.source), seen)
        for each in given
    ]


def _unless_seen(given: Given, digest: bytes | None, seen: dict[bytes, str]) -> Given:
    if digest is None:
        return given
    first = seen.setdefault(digest, given.name)
    return given if first == given.name else replace(given, error=_SAME.format(first))


def _digest(source: object) -> bytes | None:
    """Make what only equal photos have in common; None of what is not looked into."""
    try:
        if isinstance(source, Path):
            return hashlib.sha256(files.content(source, MAX_FILE_BYTES)).digest()
    except (OSError, ValueError):  # it is told when it is to be read
        return None
    if isinstance(source, Photo):
        source = source.pixels
    if isinstance(source, np.ndarray) and source.dtype.kind in "biuf":
        return hashlib.sha256(f"{source.shape} {source.dtype}".encode() + source.tobytes()).digest()
    return hashlib.sha256(source).digest() if isinstance(source, bytes) else None


def _own(photo: Any) -> Any:  # noqa: ANN401 - whatever `load_image` reads
    if isinstance(photo, (str, os.PathLike)):
        return files.source(os.fspath(photo)).absolute()
    return photo


def _called(photo: object) -> str:
    return str(photo.name) if isinstance(photo, Photo) else ""


def _free(wanted: str, number: int, taken: Container[str]) -> str:
    """Find a name that is not taken: with a number behind it if need be."""
    label = wanted or str(number)
    while label in taken:
        label, number = f"{wanted} {number}".strip(), number + 1
    return label


def _as_picture(found: object) -> Any:  # noqa: ANN401 - whatever `load_image` reads
    """Take the picture out of what a data set gives: itself, or the first of several things."""
    if isinstance(found, Mapping):
        found = next(
            (found[key] for key in ("image", "photo", "pixel_values") if key in found), found
        )
    elif isinstance(found, (tuple, list)) and found:
        found = found[0]
    if not isinstance(found, Tensor):
        return found
    tensor = found.detach().cpu()
    if tensor.ndim == 3 and tensor.is_floating_point():
        if not (tensor.numel() and tensor.min() >= 0 and tensor.max() <= 1):
            raise ImageError(
                "The data set gives normalised tensors: give it without its transform, so that it "
                "gives photos; the model has its own."
            )
        tensor = (tensor * 255).round().byte()
    if tensor.ndim == 3 and tensor.shape[0] in {1, 3, 4}:
        tensor = tensor.permute(1, 2, 0)
    array = tensor.numpy()
    return np.ascontiguousarray(
        array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    )
