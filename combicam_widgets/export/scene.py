"""The picture for papers as a list of simple things to draw, the same for every way of drawing.

Coordinates are CSS pixels (1/96 inch), counted from the top left corner: 680 of them are 180 mm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw

from combicam_widgets.export import colors, world_view
from combicam_widgets.export.fonts import drawable, shortened, width, wrapped
from combicam_widgets.export.snapshot import Snapshot
from combicam_widgets.export.world_view import Flag, View
from combicam_widgets.geo import GeoPrediction, Guess
from combicam_widgets.geo.earth import Floats
from combicam_widgets.shown.colors import palette
from combicam_widgets.shown.scene import top_cells
from combicam_widgets.shown.words import percent

WIDTH = 680
"""180 mm, two columns of most journals."""

MARGIN = 4

SIZE, SMALL = 11.0, 9.5
"""Letters: 8 and 7 points."""

_GAP = 14
_PHOTO_ASPECTS = (0.55, 1.8)
"""Narrower and wider photos leave room beside or below."""
_PHOTO_SIDE = 1200
_FINE = 3
_LINE = 1.35


@dataclass(frozen=True, eq=False)
class Picture:
    """An image stretched into a box."""

    x: float
    y: float
    width: float
    height: float
    image: Image.Image
    photographic: bool


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines of one look, each an (N, 2) array of x and y."""

    lines: tuple[Floats, ...]
    color: str
    width: float
    dashed: bool = False


@dataclass(frozen=True)
class Dot:
    """A filled circle with a white edge."""

    x: float
    y: float
    radius: float
    color: str


@dataclass(frozen=True)
class Box:
    """A filled rectangle, usually behind a text."""

    x: float
    y: float
    width: float
    height: float
    color: str


@dataclass(frozen=True)
class Text:
    """A line of text; ``y`` is its middle."""

    x: float
    y: float
    text: str
    size: float
    color: str
    anchor: Literal["left", "center", "right"] = "left"


Item: TypeAlias = Picture | Lines | Dot | Box | Text


@dataclass(frozen=True, eq=False)
class Scene:
    """Things to draw, the first at the bottom.

    Attributes
    ----------
    width, height : float
    items : tuple
    """

    width: float
    height: float
    items: tuple[Item, ...]


def compose(snapshot: Snapshot, *, include_position: bool = False) -> Scene:
    """Lay photo, world map, lists and caption out.

    Parameters
    ----------
    snapshot : Snapshot
    include_position : bool
        Whether to mark, and say how far away, the photo's own position is.
    """
    view = world_view.view_of(snapshot, include_position=include_position)
    low, high = _PHOTO_ASPECTS
    aspect = min(high, max(low, snapshot.photo.width / snapshot.photo.height))
    room = WIDTH - 2 * MARGIN - _GAP
    height = room / (aspect + view.aspect)
    left = aspect * height
    frame = Frame(MARGIN + left + _GAP, MARGIN, view.aspect * height, view)
    items = [*_photo(snapshot, left, height), *_world(snapshot, frame, include_position)]
    below = MARGIN + height + 12
    items += color_bar(snapshot.colormap, MARGIN, below, left)
    listed = list(_top_list(snapshot, frame, below))
    items += listed
    lowest = max(item.y for item in listed if isinstance(item, Text))
    y = max(below + 2 * SIZE * _LINE, lowest) + SIZE * _LINE + 12
    caption = snapshot.caption(include_position=include_position)
    notes = [(caption, SIZE, colors.INK), (snapshot.recipe, SMALL, colors.QUIET)]
    if snapshot.layers:
        notes.append((snapshot.layers, SMALL, colors.QUIET))
    if snapshot.photo.credit:
        notes.append((f"Photo: {snapshot.photo.credit}", SMALL, colors.QUIET))
    for text, size, color in notes:
        for line in wrapped(drawable(text), size, WIDTH - 2 * MARGIN):
            items.append(Text(MARGIN, y, line, size, color))
            y += size * _LINE
        y += 3
    return Scene(WIDTH, float(np.ceil(y)), tuple(items))


@dataclass(frozen=True)
class Frame:
    """Where a map lies: its left and upper edge, and its width."""

    x: float
    y: float
    width: float
    view: View

    @property
    def height(self) -> float:
        """Height of the map."""
        return self.width / self.view.aspect

    def place(self, points: object) -> Floats:
        """Turn (longitude, latitude) into x and y of the picture."""
        placed: Floats = self.view.project(points) * self.width + [self.x, self.y]  # type: ignore[arg-type]
        return placed


def _photo(snapshot: Snapshot, room: float, height: float) -> Iterator[Item]:
    photo = snapshot.photo
    scale = min(room / photo.width, height / photo.height)
    wide, high = photo.width * scale, photo.height * scale
    picture = photo.to_pil()
    picture.thumbnail((_PHOTO_SIDE, _PHOTO_SIDE), Image.Resampling.LANCZOS)
    heated = colors.blended(picture, snapshot.drawn, snapshot.colormap, snapshot.opacity)
    x = MARGIN + (room - wide) / 2
    yield Picture(x, MARGIN + (height - high) / 2, wide, high, heated, photographic=True)


def color_bar(colormap: str, x: float, y: float, room: float) -> Iterator[Item]:
    """Draw the legend of the heat."""
    strip = Image.fromarray(palette(colormap, colors.LEVELS)[None])
    label = "heat"
    begin = x + width(label, SMALL) + 8
    wide = min(room - (begin - x) - 6, 160.0)
    yield Text(x, y, label, SMALL, colors.INK)
    yield Picture(begin, y - 4, wide, 8, strip, photographic=False)
    for value, text in ((0.0, "0"), (0.5, "0.5"), (1.0, "1")):
        at = begin + value * wide
        yield Lines((np.array([[at, y + 4], [at, y + 7]]),), colors.QUIET, 0.75)
        yield Text(at, y + 13, text, SMALL, colors.INK, "center")


def _world(snapshot: Snapshot, frame: Frame, include_position: bool) -> Iterator[Item]:  # noqa: FBT001
    yield from shaded_world(snapshot.prediction, frame)
    target = snapshot.prediction.guess(snapshot.target)
    yield Lines(_rings(target, frame), colors.FLAGS["photo"], 1.75)
    way = tuple(
        frame.place(line) for line in world_view.path(snapshot.prediction, snapshot.evidence)
    )
    if way:
        yield Lines(way, colors.FLAGS["evidence"], 1.5, dashed=True)
    for guess, layers in world_view.votes_by_cell(snapshot):
        x, y = frame.place([guess.longitude, guess.latitude])[0]
        yield Dot(x, y, 2.0 + len(layers) ** 0.5, colors.FLAGS["vote"])
    for flag in world_view.flags(snapshot, include_position=include_position):
        yield from _flag(flag, frame)


def shaded_world(prediction: GeoPrediction, frame: Frame) -> Iterator[Item]:
    """Draw the probabilities on the map, and outlines of the most probable cells."""
    ground = _ground(prediction, frame.view)
    yield Picture(frame.x, frame.y, frame.width, frame.height, ground, photographic=False)
    shores = [frame.place(ring) for polygon in world_view.land() for ring in polygon]
    yield Lines(tuple(_off_the_edge(shores, frame)), colors.SHORE, 0.5)
    for guess in top_cells(prediction):
        yield Lines(_rings(guess, frame), colors.FLAGS["photo"], 0.75)


def _off_the_edge(rings: list[Floats], frame: Frame) -> Iterator[Floats]:
    """Leave out what runs along the edge of the map: it is no shore."""
    low = [frame.x + 0.2, frame.y + 0.2]
    high = [frame.x + frame.width - 0.2, frame.y + frame.height - 0.2]
    for ring in rings:
        edge = np.any((ring <= low) | (ring >= high), axis=1)
        for run in np.split(ring, np.flatnonzero(edge[1:] & edge[:-1]) + 1):
            if len(run) > 1:
                yield run


def _ground(prediction: GeoPrediction, view: View) -> Image.Image:
    """Sea, land and probability as one picture."""
    shade = world_view.shade(prediction, view)
    height, wide = shade.shape
    picture = Image.new("RGB", (wide * _FINE, height * _FINE), colors.SEA)
    draw = ImageDraw.Draw(picture)
    for polygon in world_view.land():
        for ring, color in zip(polygon, [colors.LAND] + [colors.SEA] * len(polygon), strict=False):
            draw.polygon((view.project(ring) * wide * _FINE).ravel().tolist(), fill=color)
    picture = picture.resize((wide, height), Image.Resampling.BOX)
    alpha = Image.fromarray(np.rint(255 * 0.9 * shade).astype(np.uint8))
    picture.paste(Image.new("RGB", picture.size, colors.SHADE), mask=alpha)
    return picture


def _rings(guess: Guess, frame: Frame) -> tuple[Floats, ...]:
    return tuple(map(frame.place, world_view.cell_rings(guess.cells, guess.index)))


def _flag(flag: Flag, frame: Frame) -> Iterator[Item]:
    """Draw a pole and a label."""
    color = colors.FLAGS[flag.kind]
    x, y = frame.place([flag.longitude, flag.latitude])[0]
    wide, high = width(flag.text, SMALL) + 8, SMALL + 4
    edges = frame.x, frame.y, frame.x + frame.width, frame.y + frame.height
    tip, (left, top) = flag.placed((x, y), (wide, high), 9.0, edges)
    yield Lines((np.array([[x, y], tip]),), color, 1.5)
    yield Dot(x, y, 2.5, color)
    yield Box(left, top, wide, high, color)
    yield Text(left + wide / 2, top + high / 2, flag.text, SMALL, "#ffffff", "center")


def _top_list(snapshot: Snapshot, frame: Frame, y: float) -> Iterator[Item]:
    """List the most probable cells, each with a bar: in two columns if no name is cut there."""
    top = top_cells(snapshot.prediction)
    bar = 26.0
    texts = [drawable(f"{percent(guess.probability)} {guess.place}") for guess in top]
    if snapshot.votes:
        texts.append("where single layers point")
    widest = max(width(text, SMALL) for text in texts)
    columns = 2 if widest <= frame.width / 2 - bar - 12 else 1
    column, rows = frame.width / columns, -(-6 // columns)
    for i, text in enumerate(texts):
        x, at = frame.x + (i // rows) * column, y + (i % rows) * SIZE * _LINE
        if i < len(top):
            share = bar * top[i].probability / top[0].probability
            yield Box(x, at - 3, bar, 6, colors.SEA)
            yield Box(x, at - 3, max(share, 1.0), 6, colors.SHADE)
        else:
            yield Dot(x + bar / 2, at, 3.0, colors.FLAGS["vote"])
        yield Text(x + bar + 5, at, shortened(text, SMALL, column - bar - 12), SMALL, colors.INK)
