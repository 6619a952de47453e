"""Sample photos that come with the package: animals, and monuments of known position.

The photos are reduced to 640 pixels; `credits.csv` names author, licence and source of each.
"""

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

from combicam_widgets.images import Photo, load_image

__all__ = ["SampleInfo", "list_samples", "sample", "sample_info"]


@dataclass(frozen=True)
class SampleInfo:
    """What is known about a sample photo.

    Attributes
    ----------
    name : str
        The name that `sample` takes, for instance "eiffel_tower".
    kind : {"animal", "monument"}
        What the photo shows.
    title : str
        The same for people: "Eiffel Tower, Paris, France".
    place : str
        Where the monument stands; "" for animals, whose photos have no known place.
    position : (latitude, longitude) or None
        The monument's position in degrees; None for animals.
    author, licence, licence_url, source : str
        Who took the photo, on what terms (also as the address of their text), and the page of
        the original.
    changes : str
        What was done to the original.
    """

    name: str
    kind: Literal["animal", "monument"]
    title: str
    place: str
    position: tuple[float, float] | None
    author: str
    licence: str
    licence_url: str
    source: str
    changes: str

    @property
    def credit(self) -> str:
        """The line to print beside the photo wherever it is shown."""
        return f"{self.author}, {self.licence} ({self.licence_url}), {self.changes}; {self.source}"


def list_samples() -> list[str]:
    """Return the names of all sample photos: the animals, then the monuments, each from A to Z."""
    return list(_infos())


def sample_info(name: str) -> SampleInfo:
    """Return title, place, position and credits of a sample photo.

    Raises
    ------
    TypeError
        If `name` is not a str.
    ValueError
        If there is no sample of that name; close matches are named.
    """
    if not isinstance(name, str):
        raise TypeError(f'name must be a str such as "koala", got {type(name).__name__}')
    infos = _infos()
    if name not in infos:
        close = difflib.get_close_matches(name.lower().replace(" ", "_"), infos, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "see list_samples()"
        raise ValueError(f"There is no sample photo {name!r:.60}: {hint}")
    return infos[name]


def sample(name: str) -> Photo:
    """Load a sample photo, with its title as name, its credit, and its position if known.

    Parameters
    ----------
    name : str
        One of `list_samples`, for instance "koala".

    Raises
    ------
    TypeError
        If `name` is not a str.
    ValueError
        If there is no sample of that name; close matches are named.
    """
    info = sample_info(name)
    photo = load_image(resources.files(__name__).joinpath(f"{name}.webp").read_bytes())
    return Photo(photo.pixels, position=info.position, name=info.title, credit=info.credit)


@cache
def _infos() -> MappingProxyType[str, SampleInfo]:
    text = resources.files(__name__).joinpath("credits.csv").read_text(encoding="utf-8")
    infos = (_info(row) for row in csv.DictReader(text.splitlines()))
    return MappingProxyType({info.name: info for info in infos})


def _info(row: dict[str, str]) -> SampleInfo:
    known = row["latitude"] != ""
    return SampleInfo(
        name=row["name"],
        kind="monument" if row["kind"] == "monument" else "animal",
        title=row["title"],
        place=row["place"],
        position=(float(row["latitude"]), float(row["longitude"])) if known else None,
        author=row["author"],
        licence=row["licence"],
        licence_url=row["licence_url"],
        source=row["source"],
        changes=row["changes"],
    )
