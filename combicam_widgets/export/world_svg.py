"""The world map of the page, as SVG: shore, shaded prediction, cells, votes and flags."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from html import escape

import numpy as np
from PIL import Image

from combicam_widgets.export import world_view
from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.export.world_view import Flag, View, numbers
from combicam_widgets.geo import GeoPrediction, Guess
from combicam_widgets.geo.earth import Floats
from combicam_widgets.shown.scene import top_cells
from combicam_widgets.shown.words import percent

_WIDTH = 1000
_LEVELS = 64
_LABEL = {"photo": 112, "evidence": 88, "truth": 96}
"""Widths of the flags' labels."""


_WHOLE = View(0.0, 1.0)
"""Places are drawn where they are on the whole map, of which a view shows a part."""


def land_svg() -> str:
    """Draw the land once, for all maps of a page."""
    land = f'<path id="land" d="{_paths(_land())}"/>'
    return f'<svg class="ccw-shared" aria-hidden="true"><defs>{land}</defs></svg>'


def world_svg(snapshot: Snapshot, number: int = 0, *, include_position: bool = False) -> str:
    """Draw the map; classes and colours are those of `static/page.css`, the land is `land_svg`'s.

    Votes have ``data-layers``, the places of their layers, counted from 0. What follows the
    evidence has the class ``answer`` and ``data-answers``: which of the snapshot's answers it
    belongs to, its own first. All texts are escaped.

    Parameters
    ----------
    snapshot : Snapshot
    number : int
        Which map of the page it is.
    include_position : bool
        Whether the photo's own position is marked, if it is known.
    """
    view = world_view.view_of(snapshot, include_position=include_position)
    top, height = view.top * _WIDTH, _WIDTH / view.aspect
    prediction = snapshot.prediction
    whole = f'y="{top:.1f}" width="{_WIDTH}" height="{height:.1f}"'
    parts = [
        f'<svg class="world" viewBox="1 {top + 1:.0f} {_WIDTH - 2} {height - 2:.0f}"',
        'role="group" aria-label="World map">',
        "<title>World map</title>",
        f'<defs><mask id="shade{number}"><image {whole} preserveAspectRatio="none"',
        f'href="{_shade(snapshot, view)}"/></mask></defs>',
        f'<rect class="sea" {whole}/>',
        '<use class="land" href="#land"/>',
        f'<rect class="shade" {whole} mask="url(#shade{number})"/>',
    ]
    parts += [_cell(guess, "cell") for guess in top_cells(prediction)]
    parts.append(_cell(prediction.guess(snapshot.target), "cell target", "explained: "))
    parts += [_vote(snapshot, *group) for group in world_view.votes_by_cell(snapshot)]
    parts += _answers(snapshot, view)
    for flag in world_view.flags(snapshot, include_position=include_position):
        if flag.kind != "evidence":
            parts.append(_flag(flag, view))
    return "\n".join([*parts, "</svg>"])


def _answers(snapshot: Snapshot, view: View) -> Iterator[str]:
    """Draw where the evidence of each fusion points, once for all that point to the same cell."""
    groups: dict[int, tuple[GeoPrediction, list[int]]] = {}
    for place, answer in enumerate((snapshot.answer, *snapshot.further)):
        if answer.evidence is not None:
            groups.setdefault(answer.evidence.best.index, (answer.evidence, []))[1].append(place)
    for evidence, places in groups.values():
        lines = world_view.path(snapshot.prediction, evidence)
        way = f'<path class="way" d="{_paths(lines, closed=False)}"/>' if lines else ""
        kind = "answer" if 0 in places else "answer other"
        yield (
            f'<g class="{kind}" data-answers="{" ".join(map(str, places))}">'
            f"{way}{_flag(world_view.evidence_flag(evidence), view)}</g>"
        )


def _land() -> Iterator[Floats]:
    for polygon in world_view.land():
        yield from polygon


def _shade(snapshot: Snapshot, view: View) -> str:
    """Probability as a grey PNG, which serves as a mask."""
    shade = world_view.shade(snapshot.prediction, view)
    levels = np.rint(shade * (_LEVELS - 1)) * (255 / (_LEVELS - 1))
    file = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8)).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _paths(lines: Iterable[Floats], *, closed: bool = True) -> str:
    """Write lines as the ``d`` of a path, to a tenth of a unit."""
    pieces = []
    for line in lines:
        points = (_WHOLE.project(line) * _WIDTH).round(1)
        steps = np.append(True, (np.diff(points, axis=0) != 0).any(axis=1))
        if steps.sum() > 1:
            pieces.append("M" + "L".join(f"{x:g} {y:g}" for x, y in points[steps].tolist()))
            pieces[-1] += "Z" if closed else ""
    return "".join(pieces)


def _cell(guess: Guess, kind: str, prefix: str = "") -> str:
    title = escape(f"{prefix}{percent(guess.probability)} {guess.place}")
    d = _paths(world_view.cell_rings(guess.cells, guess.index))
    return f'<path class="{kind}" d="{d}"><title>{title}</title></path>'


def _vote(snapshot: Snapshot, guess: Guess, layers: list[int]) -> str:
    x, y = _WHOLE.project([guess.longitude, guess.latitude])[0] * _WIDTH
    names = ", ".join(snapshot.maps.names[place] for place in layers)
    alone = f"{numbers(layers)} alone: {guess.place} ({names})"
    return (
        f'<circle class="vote" cx="{x:.1f}" cy="{y:.1f}" r="{3 + 1.6 * len(layers) ** 0.5:.1f}" '
        f'data-layers="{" ".join(map(str, layers))}" role="img" aria-label="{escape(alone)}">'
        f"<title>{escape(alone)}</title></circle>"
    )


def _flag(flag: Flag, view: View) -> str:
    """Draw a pole and a label."""
    x, y = _WHOLE.project([flag.longitude, flag.latitude])[0] * _WIDTH
    wide, high = _LABEL[flag.kind], 25.0
    edges = 0.0, view.top * _WIDTH, _WIDTH, view.bottom * _WIDTH
    tip, (left, top) = flag.placed((x, y), (wide, high), 15.0, edges)
    return (
        f'<g class="flag {flag.kind}" role="img" aria-label="{escape(flag.text)}">'
        f'<path d="M{x:.1f} {y:.1f}L{tip[0]:.1f} {tip[1]:.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{wide}" height="{high:g}" rx="3"/>'
        f'<text x="{left + wide / 2:.1f}" y="{top + 18:.1f}">{escape(flag.text)}</text></g>'
    )
