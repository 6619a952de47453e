"""The geo models that come with the package, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from combicam_widgets.models.geo_model import GeoModel
from combicam_widgets.models.naturalist import Naturalist

_MODELS: Mapping[str, Callable[[], GeoModel]] = MappingProxyType({"naturalist": Naturalist})


def list_models() -> dict[str, str]:
    """Names of the models that `load_model` knows, with one line each."""
    return {"naturalist": Naturalist.SUMMARY}


@lru_cache(maxsize=4)
def load_model(name: str) -> GeoModel:
    """Load a geo model that comes with the package; nothing is downloaded.

    Loaded once and shared: a second call returns the same object.

    Raises
    ------
    ValueError
        An unknown name; the message lists the known ones.
    """
    if name not in _MODELS:
        raise ValueError(f"Unknown model {name!r}; the models are {', '.join(_MODELS)}.")
    return _MODELS[name]()
