"""The geo models by name: those that come with the package, and those of other packages."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from combicam_widgets.labels import did_you_mean
from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.info import ModelInfo, ModelList
from combicam_widgets.notices import warn

GROUP = "combicam_widgets.models"
"""Group of entry points in which other packages register their models."""

_SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "naturalist": "combicam_widgets.models.naturalist:Naturalist",
        "atlas": "combicam_widgets.models.atlas:Atlas",
        "certh": "combicam_widgets.models.certh:Certh",
        "geoestimation": "combicam_widgets.models.geoestimation:GeoEstimation",
    }
)
"""Where each model is, written like an entry point; imported when it is listed or loaded."""

_loading = threading.RLock()  # a model may be built on another one


def list_models() -> ModelList:
    """List the models that `load_model` knows: those of the package first, then all others.

    No weights are loaded. A model of another package that cannot be imported is listed with the
    reason.

    Returns
    -------
    ModelList
        Read-only mapping from name to `ModelInfo`, shown as a table; iterating gives the names.

    Warns
    -----
    UserWarning
        Another package uses a name that is taken; its model is left out.
    """
    return ModelList(_facts(entry) for entry in _entries().values())


def load_model(
    name: str,
    weights: str | os.PathLike[str] | None = None,
    *,
    device: str | torch.device | None = None,
) -> GeoModel:
    """Load a geo model by name; nothing is downloaded.

    Loaded once and shared: a second call with the same arguments returns the same object, also
    if the files in the folder have changed meanwhile.

    Parameters
    ----------
    name : str
        One of `list_models`.
    weights : path, optional
        Folder with weights of your own, for the models that need them.
    device : str or torch.device, optional
        Where its network is to be, such as "cuda"; default: where it is made, on the CPU.

    Notes
    -----
    Other packages register a model as an entry point of the group ``combicam_widgets.models``: a
    `GeoModel` subclass, or any callable, that gives the model when called without arguments. Its
    attribute ``INFO``, a `ModelInfo`, is what `list_models` shows. If it has a method
    ``from_folder(path)``, that one is called when ``weights`` are given.

    Raises
    ------
    TypeError
        A name or folder of the wrong kind, or what was registered does not give a GeoModel.
    ValueError
        An unknown name (the message lists the known ones); weights are needed, or not taken.
    OSError
        There is no such folder, or files in it are missing or cannot be read.
    ImportError
        The code of the model cannot be imported.

    Warns
    -----
    UserWarning
        As for `list_models`.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be the name of a model, not {name!r}.")
    folder = None if weights is None else _folder(weights)
    entries = _entries()
    if name not in entries:
        hint = did_you_mean(name, entries)
        raise ValueError(f"Unknown model {name!r:.60}; the models are {', '.join(entries)}.{hint}")
    with _loading:
        return _built(entries[name], folder, None if device is None else torch.device(device))


@cache
def _built(
    entry: metadata.EntryPoint, folder: Path | None, device: torch.device | None
) -> GeoModel:
    maker, info = _imported(entry)
    if folder is not None:
        if not hasattr(maker, "from_folder"):
            raise ValueError(f"The model {entry.name!r} takes no weights; leave them out.")
        model = maker.from_folder(folder)
    elif info.needs:
        raise ValueError(
            f"The model {entry.name!r} needs weights that do not come with it: {info.needs} Then "
            f"call load_model({entry.name!r}, weights=folder)."
        )
    else:
        model = maker()
    if not isinstance(model, GeoModel):
        raise TypeError(
            f"The model {entry.name!r} of {_origin(entry)} is no GeoModel but of type "
            f"{type(model).__name__}; that package must be mended."
        )
    return model if device is None else model.to(device)


def _facts(entry: metadata.EntryPoint) -> ModelInfo:
    try:
        return _imported(entry)[1]
    except (ImportError, TypeError) as error:
        return ModelInfo(name=entry.name, summary=f"from {_origin(entry)}", error=str(error))


def _imported(entry: metadata.EntryPoint) -> tuple[Any, ModelInfo]:
    """Import what makes a model, and read the facts about it; ImportError or TypeError."""
    try:
        maker = entry.load()
    except Exception as error:
        raise ImportError(
            f"{entry.value!r} of {_origin(entry)} cannot be imported: "
            f"{error} ({type(error).__name__})"
        ) from error
    if not callable(maker):
        raise TypeError(
            f"{entry.value!r} of {_origin(entry)} must be a callable that gives a GeoModel, "
            f"not of type {type(maker).__name__}"
        )
    info = getattr(maker, "INFO", None)
    if info is None:
        return maker, ModelInfo(name=entry.name, summary=f"from {_origin(entry)}")
    if not isinstance(info, ModelInfo):
        raise TypeError(
            f"INFO of {entry.value!r} of {_origin(entry)} must be a ModelInfo, "
            f"not of type {type(info).__name__}"
        )
    return maker, replace(info, name=entry.name)


def _entries() -> dict[str, metadata.EntryPoint]:
    """Where each model is, by name; the first of each name wins, and ours come first."""
    entries = {name: metadata.EntryPoint(name, value, GROUP) for name, value in _SHIPPED.items()}
    for entry in metadata.entry_points(group=GROUP):
        taken = entries.setdefault(entry.name, entry)
        if taken is not entry:
            warn(
                f"The model {entry.name!r} of {_origin(entry)} is left out: the name is taken by "
                f"{_origin(taken)}."
            )
    return entries


def _origin(entry: metadata.EntryPoint) -> str:
    return "combicam_widgets" if entry.dist is None else f"the package {entry.dist.name!r}"


def _folder(weights: str | os.PathLike[str]) -> Path:
    if not isinstance(weights, (str, os.PathLike)):
        raise TypeError(f"weights must be the path of a folder, not {weights!r}.")
    try:
        return Path(weights).expanduser().resolve()
    except RuntimeError as error:  # no such person
        raise ValueError(f"weights must be the path of a folder: {error}") from error
