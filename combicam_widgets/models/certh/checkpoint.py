"""The files that the authors of the model publish, and where they come from."""

from __future__ import annotations

from pathlib import Path

SOURCE = "https://mever.iti.gr/visloc/"
"""Where the authors publish the files; nothing here ever fetches them."""


def advice(name: str) -> str:
    """Say where a file comes from."""
    return f"The authors publish {name} at {SOURCE}{name}; nothing is fetched for you."


def required_file(folder: Path, name: str) -> Path:
    """Return the path of a file in the folder.

    Raises
    ------
    FileNotFoundError
        It is not there; the message says where to get it.
    """
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(f"There is no file {name} in {folder}. {advice(name)}")
    return path
