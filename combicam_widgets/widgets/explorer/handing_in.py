"""What an explorer shows as a few words of JSON, to be handed in, compared and brought back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from combicam_widgets.images import Photo
from combicam_widgets.shown.state import Shown, same
from combicam_widgets.widgets.explorer.controls import SWITCHED, TUNED
from combicam_widgets.widgets.explorer.places import titles

_OWN = "a photo of my own"
_ALWAYS = ("model", "image", "method", "rule", "weights")
_KEPT = (*TUNED, *SWITCHED, "score", "target", "contrast", "box", "tile_width")
_GAME = ("guessing",)


def state_of(shown: Shown, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return what brings this view back, as plain JSON; see `Explorer.state`.

    Parameters
    ----------
    shown : Shown
    defaults : mapping
        Values of traits, which need no mention.
    """
    state: dict[str, Any] = {
        "model": shown.model.name,
        "image": _image(shown),
        "method": shown.method,
        "rule": shown.rule,
        "weights": {name: weight for name, weight in shown.weights.items() if weight > 0},
    }
    for name in _KEPT:
        value = getattr(shown, name)
        if name not in {*_ALWAYS, *_GAME} and not same(value, defaults[name]):
            state[name] = list(value) if isinstance(value, tuple) else value
    return state


def fingerprint(photo: Photo) -> str:
    """Name a photo by its size and its pixels, and not by its file: "a photo of my own (…)"."""
    digest = hashlib.sha256(photo.pixels.tobytes()).hexdigest()
    return f"{_OWN} ({photo.width} x {photo.height}, {digest[:12]})"


def check_image(value: object) -> None:
    """Refuse what only names a photo of somebody's own.

    Raises
    ------
    ValueError
        It has to be given.
    """
    if isinstance(value, str) and value.startswith(_OWN):
        raise ValueError(
            f"This state was made with {value}, which is not in it. Give the photo: "
            "Explorer(**{**state, 'image': 'path/to/the/photo.jpg'})."
        )


def _image(shown: Shown) -> str:
    photo, known = shown.image, titles(shown.model)
    listed = shown.model.from_above or photo.credit  # others may bear the name of a listed one
    return str(photo.name) if listed and photo.name in known else fingerprint(photo)
