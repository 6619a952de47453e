"""One page that works by itself: no kernel, no internet, and the layers can still be switched."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from combicam_widgets import files
from combicam_widgets.export import colors, world_view
from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.export.world_svg import world_svg
from combicam_widgets.images import to_data_uri
from combicam_widgets.javascript import joined
from combicam_widgets.shown.colors import COLORMAPS, palette
from combicam_widgets.shown.page_rules import RULES, page_knows
from combicam_widgets.shown.words import percent

MAX_BYTES = 3_000_000
"""Size of a page, at most: what every mail server lets through."""

_PHOTO_SIDE = 800
_EXACT = 300_000
"""Up to this many values the maps are sent as they are, above it as 16-bit numbers."""
_STEPS = 65535

_Maps = Sequence[npt.NDArray[np.float32]]


def to_html(
    snapshot: Snapshot,
    path: str | PathLike[str],
    *,
    title: str | None = None,
    include_position: bool = False,
) -> None:
    """Write a page that needs nothing else: no kernel, no internet, no other file.

    Layers can be switched, weighed and viewed alone, and rule, normalisation, colours and opacity
    changed; the fusion runs in the page (`shown/fusion.js`) and gives what Python's gives. Up to
    300,000 values (all models of this package) the maps are exact; larger ones are sent as 16-bit
    numbers, which changes each map by at most 1/131,070 of its range. What would ask the network
    again stays as it was: prediction, evidence and votes. Nothing can be loaded from elsewhere: a
    content security policy forbids it.

    The position stored in a photo is not in the page unless asked for, and neither is its name,
    which may be that of a file: only a photo with a ``credit`` is called by its name.

    Parameters
    ----------
    snapshot : Snapshot
    path : path-like
        Must end in ".html" or ".htm", if it has an ending. An existing file is replaced once the
        new one is whole.
    title : str, optional
        Heading of the page. Default: the photo's name if it has a credit, else "A photo".
    include_position : bool
        Whether to mark the photo's own position, if it is known, and say how far away it is.

    Raises
    ------
    TypeError
        The path or the title is none.
    OSError
        Nothing can be written there.
    ValueError
        The path has another ending; or the rule is one of your own, which is Python; or the page
        would be larger than `MAX_BYTES`.
    """
    file = files.destination(path, (".html", ".htm"))
    if not isinstance(title, str | None):
        raise TypeError(f"title must be a str, got {type(title).__name__}")
    if not page_knows(snapshot.rule):
        raise ValueError(
            f"A page cannot run the rule {snapshot.rule!r}, which is Python: choose one of "
            f"{', '.join(RULES)}, or export a picture with save_png or figure."
        )
    text = page(snapshot, title=title, include_position=include_position)
    content = text.encode(errors="replace")  # names of files may hold what UTF-8 does not
    size = len(content)
    if size > MAX_BYTES:
        raise ValueError(
            f"The page would have {size / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:g}: explain "
            'fewer layers, for example with GeoModel(layers="stage").'
        )
    files.write(file, content)


def page(snapshot: Snapshot, *, title: str | None = None, include_position: bool = False) -> str:
    """Give the text of the page; see `to_html`."""
    photo = snapshot.photo
    script = joined(Path(__file__).parent / "static" / "page.js")
    style = _static("page.css")
    name = title or (photo.credit and photo.public_name) or "A photo"
    texts = {
        "title": escape(f"{name}, as {snapshot.model} sees it"),
        "name": escape(name),
        "model": escape(snapshot.model),
        "sentence": escape(snapshot.caption(include_position=include_position)),
        "credit": f"Photo: {escape(photo.credit)}" if photo.credit else "",
        "photo": to_data_uri(photo, format="webp", max_side=_PHOTO_SIDE),
        "world": world_svg(snapshot, include_position=include_position),
        "top": _top_list(snapshot),
        "legend": _legend(snapshot),
        "script_hash": _hash(script),
        "style_hash": _hash(style),
        "style": style,
        "script": script,
        "data": _json(_data(snapshot)),
    }
    # In one go: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda match: texts[match[1]], _static("page.html"))


def _data(snapshot: Snapshot) -> dict[str, Any]:
    maps = snapshot.maps
    return {
        "stages": [len(stage) for stage in snapshot.stages],
        "names": list(maps.names),
        "maps": packed(maps.maps),
        "importances": maps.importances.astype(float).tolist(),
        "method": maps.method,
        "weights": list(snapshot.weights.values()),
        "rule": snapshot.rule,
        "normalize": snapshot.normalize,
        "colormap": snapshot.colormap,
        "opacity": snapshot.opacity,
        "size": list(snapshot.heatmap.shape),
        "palettes": {name: _base64(palette(name, colors.LEVELS)) for name in COLORMAPS},
    }


def packed(maps: _Maps, exact: int = _EXACT) -> list[dict[str, Any]]:
    """Write maps for a page.

    Parameters
    ----------
    maps : sequence of (h, w) float32 arrays
    exact : int
        Number of values in all up to which they are written as they are.

    Returns
    -------
    list of dict
        ``shape``; ``values``, base64 of little-endian numbers, float32 or, where there is a
        ``range`` (low, high), uint16 with value = low + (high - low) * number / 65535.
    """
    if sum(x.size for x in maps) <= exact:
        return [{"shape": x.shape, "values": _base64(x.astype("<f4"))} for x in maps]
    found = []
    for x in maps:
        low, high = float(x.min()), float(x.max())
        steps = (x - low) / ((high - low) or 1.0) * _STEPS
        values = _base64(np.rint(steps).astype("<u2"))
        found.append({"shape": x.shape, "values": values, "range": (low, high)})
    return found


def _top_list(snapshot: Snapshot) -> str:
    top = world_view.top_cells(snapshot.prediction)
    return "".join(
        f'<li><meter value="{guess.probability / top[0].probability:.3f}"></meter> '
        f"<span>{percent(guess.probability)} {escape(guess.place)}</span></li>"
        for guess in top
    )


def _legend(snapshot: Snapshot) -> str:
    if not snapshot.votes:
        return ""
    return '<p class="legend"><span class="dot"></span> where single layers point</p>'


def _static(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


def _json(data: object) -> str:
    """JSON that no text in it can break out of."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _base64(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
