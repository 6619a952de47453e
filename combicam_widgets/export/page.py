"""One page that works by itself: no kernel, no internet, and the layers can still be switched."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from combicam_widgets import files
from combicam_widgets.export import colors
from combicam_widgets.export.sealed import filled, sealed
from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.export.world_svg import land_svg, world_svg
from combicam_widgets.images import to_data_uri
from combicam_widgets.javascript import joined
from combicam_widgets.shown.colors import COLORMAPS, heat_palette
from combicam_widgets.shown.page_rules import RULES, page_knows
from combicam_widgets.shown.scene import top_cells
from combicam_widgets.shown.words import percent

MAX_BYTES = 3_000_000
"""Size of a page, at most: what every mail server lets through."""

_HOUSE = Path(__file__).parents[1]
_STATIC = _HOUSE / "export" / "static"
_STYLES = "widgets/diagram/diagram.css", "widgets/heat/overlay.css", "export/static/page.css"
_PHOTO_SIDE = 800
_EXACT = 300_000
"""Up to this many values the maps are sent as they are, above it as 16-bit numbers."""
_STEPS = 65535

_Maps = Sequence[npt.NDArray[np.float32]]


def to_html(
    snapshot: Snapshot | Sequence[Snapshot],
    path: str | PathLike[str],
    *,
    title: str | None = None,
    questions: Sequence[str] = (),
    include_position: bool = False,
) -> None:
    """Write a page that needs nothing else: no kernel, no internet, no other file.

    The page shows the notebook's own diagram and heat: layers can be switched, weighed, previewed
    and viewed alone, and rule, normalisation, colours and opacity changed; the fusion runs in the
    page (`shown/fusion.js`) and gives what Python's gives. Up to 300,000 values (all models of this
    package) the maps are exact; larger ones are sent as 16-bit numbers, which changes each map by
    at most 1/131,070 of its range. What would ask the network again is stored: the evidence and
    the sentence of this fusion, and those in `Snapshot.further`; for any other they are greyed.
    Nothing can be loaded from elsewhere: a content security policy forbids it.

    The position stored in a photo is not in the page unless asked for, and neither is its name,
    which may be that of a file: only a photo with a ``credit`` is called by its name.

    Parameters
    ----------
    snapshot : Snapshot, or sequence of them
        Several of one model with one rule and normalisation: a photo each, printed on a page each.
    path : path-like
        Must end in ".html" or ".htm", if it has an ending. An existing file is replaced once the
        new one is whole.
    title : str, optional
        Heading of the page. Default: the photo's name if it has a credit, else "A photo".
    questions : sequence of str
        What is asked below each photo, with room for answers, and for the reader's name above.
    include_position : bool
        Whether to mark the photo's own position, if it is known, and say how far away it is.

    Raises
    ------
    TypeError
        The path, the title or a question is none.
    OSError
        Nothing can be written there.
    ValueError
        The path has another ending; or there is no snapshot, or there are some that do not go
        together; or the rule is one of your own, which is Python; or the page would be larger
        than `MAX_BYTES`.
    """
    file = files.destination(path, (".html", ".htm"))
    if not isinstance(title, str | None):
        raise TypeError(f"title must be a str, got {type(title).__name__}")
    snapshots = [snapshot] if isinstance(snapshot, Snapshot) else list(snapshot)
    _check(snapshots, questions)
    text = page(snapshots, title=title, questions=questions, include_position=include_position)
    content = text.encode(errors="replace")  # names of files may hold what UTF-8 does not
    size = len(content)
    if size > MAX_BYTES:
        fewer = "take fewer photos, or " if len(snapshots) > 1 else ""
        raise ValueError(
            f"The page would have {size / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:g}: {fewer}"
            'explain fewer layers, for example with GeoModel(layers="stage").'
        )
    files.write(file, content)


def _check(snapshots: Sequence[Snapshot], questions: Sequence[str]) -> None:
    if isinstance(questions, str) or not all(isinstance(each, str) for each in questions):
        raise TypeError("questions must be a sequence of str, one for each question.")
    if not snapshots:
        raise ValueError("A page needs at least one snapshot.")
    for snapshot in snapshots:
        if not page_knows(snapshot.rule):
            raise ValueError(
                f"A page cannot run the rule {snapshot.rule!r}, which is Python: choose one of "
                f"{', '.join(RULES)}, or export a picture with save_png or figure."
            )
    if len({(each.model, each.rule, each.normalize) for each in snapshots}) > 1:
        raise ValueError(
            "The photos of a page share model, rule and normalisation: write a page for each."
        )


def page(
    snapshots: Sequence[Snapshot],
    *,
    title: str | None = None,
    questions: Sequence[str] = (),
    include_position: bool = False,
) -> str:
    """Give the text of the page; see `to_html`."""
    first, several = snapshots[0], len(snapshots) > 1
    style = "".join((_HOUSE / sheet).read_text(encoding="utf-8") for sheet in _STYLES)
    name = title or ("Photos" if several else _name(first))
    sheets = [
        _sheet(each, number, several, questions, include_position)
        for number, each in enumerate(snapshots)
    ]
    return sealed(
        title=f"{name}, as {first.model} sees it",
        body=filled(
            _STATIC / "page.html",
            name=escape(name),
            model=escape(first.model),
            these="these photos were" if several else "this photo was",
            who=_WHO if questions else "",
            land=land_svg(),
            sheets="\n".join(sheets),
        ),
        style=style,
        script=joined(_STATIC / "page.js"),
        data=_data(snapshots, include_position),
    )


_WHO = '<p class="who"><label>Name <input type="text" autocomplete="off"></label></p>'


def _sheet(
    snapshot: Snapshot,
    number: int,
    headed: bool,  # noqa: FBT001
    questions: Sequence[str],
    include_position: bool,  # noqa: FBT001
) -> str:
    photo = snapshot.photo
    name = escape(_name(snapshot))
    credit = f'<p class="credit">Photo: {escape(photo.credit)}</p>' if photo.credit else ""
    return filled(
        _STATIC / "sheet.html",
        name=name,
        heading=f"<h2>{name}</h2>" if headed else "",
        sentence=escape(snapshot.caption(include_position=include_position)),
        photo=to_data_uri(photo, format="webp", max_side=_PHOTO_SIDE),
        world=world_svg(snapshot, number, include_position=include_position),
        top=_top_list(snapshot),
        legend=_legend(snapshot),
        questions=_questions(questions),
        credit=credit,
    )


def _questions(questions: Sequence[str]) -> str:
    asked = "".join(
        f'<li><label>{escape(each)}<textarea rows="2"></textarea></label></li>'
        for each in questions
    )
    return f'<ol class="questions">{asked}</ol>' if asked else ""


def _name(snapshot: Snapshot) -> str:
    """Name a photo that may be named."""
    return (snapshot.photo.credit and snapshot.photo.public_name) or "A photo"


def _data(snapshots: Sequence[Snapshot], include_position: bool) -> dict[str, Any]:  # noqa: FBT001
    first = snapshots[0]
    return {
        "colormap": first.colormap,
        "opacity": first.opacity,
        "palettes": {name: _base64(heat_palette(name, colors.LEVELS)) for name in COLORMAPS},
        "sheets": [_sheet_data(each, include_position) for each in snapshots],
    }


def _sheet_data(snapshot: Snapshot, include_position: bool) -> dict[str, Any]:  # noqa: FBT001
    maps = snapshot.maps
    votes = [
        f"{vote.best.place} ({percent(vote.best.probability)})" for vote in snapshot.votes or ()
    ]
    return {
        "name": _name(snapshot),
        "stages": [len(stage) for stage in snapshot.stages],
        "names": list(maps.names),
        "maps": packed(maps.maps),
        "importances": maps.importances.astype(float).tolist(),
        "method": maps.method,
        "weights": list(snapshot.weights.values()),
        "rule": snapshot.rule,
        "normalize": snapshot.normalize,
        "size": list(snapshot.heatmap.shape),
        "votes": votes or None,
        "answers": [
            {
                "weights": [answer.weights[name] for name in maps.names],
                "alone": answer.alone,
                "sentence": answer.caption(include_position=include_position),
            }
            for answer in (snapshot.answer, *snapshot.further)
        ],
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
    top = top_cells(snapshot.prediction)
    return "".join(
        f'<li><meter value="{guess.probability / top[0].probability:.3f}"></meter> '
        f"<span>{percent(guess.probability)} {escape(guess.place)}</span></li>"
        for guess in top
    )


def _legend(snapshot: Snapshot) -> str:
    if not snapshot.votes:
        return ""
    return '<p class="legend"><span class="dot"></span> where single layers point</p>'


def _base64(array: npt.NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
