"""Pictures for papers, drawn by matplotlib: text stays text, lines stay lines."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from combicam_widgets import files
from combicam_widgets.cam.upsampling import upsample
from combicam_widgets.export import colors
from combicam_widgets.export.drawing import checked
from combicam_widgets.export.fonts import drawable, font, shortened, wrapped
from combicam_widgets.export.scene import (
    MARGIN,
    SIZE,
    SMALL,
    WIDTH,
    Box,
    Dot,
    Frame,
    Item,
    Lines,
    Picture,
    Scene,
    Text,
    color_bar,
    compose,
    shaded_world,
)
from combicam_widgets.export.world_view import View
from combicam_widgets.images import Photo
from combicam_widgets.shown.scene import top_cells
from combicam_widgets.shown.words import percent
from combicam_widgets.whole import whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from combicam_widgets.cam.maps import LayerMaps
    from combicam_widgets.export.snapshot import Snapshot
    from combicam_widgets.geo import GeoPrediction

_FORMATS = (".pdf", ".svg", ".png")
_PER_INCH = 96.0
"""CSS pixels."""
_POINTS = 72.0 / _PER_INCH
_SIZES = 36, 1200
_STYLE: dict[Any, Any] = {
    "pdf.fonttype": 42,  # whole letters, which can be searched and edited; the default is outlines
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "combicam_widgets",  # the same picture is the same file
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib
    "text.usetex": False,
    "text.parse_math": False,
    "path.simplify": False,
    "image.composite_image": False,  # each picture with pixels of its own
}
_GAP = 10
_PANEL = 340.0
"""Width of a panel that stands alone, CSS pixels."""


@dataclass(frozen=True, eq=False)
class Panel:
    """A photo with heat, what is written above it, and perhaps a map below.

    Attributes
    ----------
    photo : Photo
    heatmap : (H, W) array in [0, 1] or None
        Of any size; None: the photo alone.
    title : str
    prediction : GeoPrediction or None
        Of the photo, or of the evidence in the heatmap: shown on a world map.
    """

    photo: Photo
    heatmap: Any
    title: str = ""
    prediction: GeoPrediction | None = None

    @classmethod
    def of(
        cls,
        photo: Photo,
        maps: LayerMaps,
        title: str | None = None,
        *,
        weights: Any = None,  # noqa: ANN401 - as `LayerMaps.fuse`
        rule: str = "sum",
        prediction: GeoPrediction | None = None,
    ) -> Panel:
        """Fuse layer maps into a panel; the title says how, unless another is given."""
        said = f"{maps.method} · {rule}" if title is None else title
        heatmap = maps.fuse(weights=weights, rule=rule, smooth=True)
        return cls(photo, heatmap, said, prediction)


def save(
    snapshot: Snapshot,
    path: str | PathLike[str],
    dpi: float = 300,
    *,
    include_position: bool = False,
) -> None:
    """Write the picture of `figure` to a file for papers, 180 mm wide.

    Parameters
    ----------
    snapshot : Snapshot
    path : path-like
        Ends in ".pdf", ".svg" (fonts embedded or named, text as text) or ".png".
    dpi : float
        Dots per inch of ".png", and of the photo in the others, 36 to 1200.
    include_position : bool
        Whether to show the photo's own position, if it is known.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed; it comes with the extra `paper`.
    TypeError, ValueError, OSError
        As `files.destination`; if dpi is no number or out of range.
    """
    file = files.destination(path, _FORMATS, needs_ending=True)
    scene = compose(snapshot, include_position=include_position)
    if snapshot.pinned is not None:
        beside = list(_compared(snapshot, *snapshot.pinned, scene.height + 8))
        height = max(item.y + item.height for item in beside if isinstance(item, Picture)) + 4
        scene = Scene(scene.width, height, (*scene.items, *beside))
    _write(_drawn(scene), file, _kind(path), dpi)


def _compared(snapshot: Snapshot, label: str, pinned: Any, y: float) -> Iterator[Item]:  # noqa: ANN401
    """Draw the pinned fusion, the present one and their difference beside each other."""
    photo, now = snapshot.photo, snapshot.heatmap
    if pinned.shape != now.shape:
        pinned = upsample(pinned, (now.shape[0], now.shape[1]))
    picture = photo.to_pil()
    shown = [
        colors.blended(picture, heat, snapshot.colormap, snapshot.opacity) for heat in (pinned, now)
    ]
    shown.append(colors.differing(picture, now - pinned, snapshot.opacity))
    titles = [f"pinned: {label}", "now", "now minus pinned: blue less, orange more heat"]
    room = (WIDTH - 2 * MARGIN - 2 * _GAP) / 3
    scale = min(room / photo.width, 300.0 / photo.height)
    for place, (title, image) in enumerate(zip(titles, shown, strict=True)):
        x = MARGIN + place * (room + _GAP)
        yield Text(x, y + 6, shortened(drawable(title), SMALL, room), SMALL, colors.INK)
        size = photo.width * scale, photo.height * scale
        yield Picture(x, y + 16, *size, image, photographic=True)


def save_panels(
    panels: Sequence[Panel],
    path: str | PathLike[str],
    dpi: float = 300,
    *,
    columns: int = 3,
    colormap: str = "inferno",
    opacity: float = 0.75,
    caption: str = "",
) -> None:
    """Write several photos, methods or fusions beside each other, with one colour bar.

    Parameters
    ----------
    panels : sequence of Panel
        In rows; `Panel.of(photo, maps)` makes one without an explorer.
    path : path-like
        Ends in ".pdf", ".svg" or ".png".
    dpi : float
        As `save`.
    columns : int
        Panels in a row, at least 1.
    colormap, opacity : str, float
        As the explorer's.
    caption : str
        Written below, followed by the photos' credits.

    Raises
    ------
    ModuleNotFoundError, TypeError, ValueError, OSError
        As `save`; if there are no panels or columns.
    """
    file = files.destination(path, _FORMATS, needs_ending=True)
    across = whole(columns)
    if across is None:
        raise TypeError(f"columns must be a whole number, got {columns!r}")
    if not panels or across < 1:
        raise ValueError(f"at least one panel and one column are needed, got {len(panels)} panels")
    across = min(across, len(panels))
    gaps = 2 * MARGIN + (across - 1) * _GAP
    wide = (WIDTH - gaps) / across if across > 1 else _PANEL
    width = across * wide + gaps
    items: list[Any] = []
    predictions = [panel.prediction for panel in panels if panel.prediction is not None]
    view = View.around([guess.latitude for each in predictions for guess in top_cells(each)])
    y = float(MARGIN)
    for first in range(0, len(panels), across):
        row = panels[first : first + across]
        high = min(max(panel.photo.height / panel.photo.width for panel in row) * wide, 400.0)
        for place, panel in enumerate(row):
            x = MARGIN + place * (wide + _GAP)
            items += _heated(panel, x, y, (wide, high), colormap, opacity)
            if panel.prediction is not None:
                items += _located(panel.prediction, Frame(x, y + high + 26, wide, view))
        y += high + 26
        if any(panel.prediction is not None for panel in row):
            y += wide / view.aspect + 26
    y += 12
    items += color_bar(colormap, MARGIN, y, width)
    y += 28
    credit = "; ".join(dict.fromkeys(p.photo.credit for p in panels if p.photo.credit))
    for text in (caption, credit and f"Photos: {credit}"):
        color = colors.INK if text is caption else colors.QUIET
        for line in wrapped(drawable(text), SMALL, width - 2 * MARGIN) if text else ():
            items.append(Text(MARGIN, y, line, SMALL, color))
            y += 13.0
    _write(_drawn(Scene(width, y + MARGIN, tuple(items))), file, _kind(path), dpi)


def _heated(
    panel: Panel, x: float, y: float, room: tuple[float, float], colormap: str, opacity: float
) -> Iterator[Item]:
    """Draw title and photo of a panel."""
    scale = min(room[0] / panel.photo.width, room[1] / panel.photo.height)
    size = panel.photo.width * scale, panel.photo.height * scale
    picture = panel.photo.to_pil()
    if panel.heatmap is not None:
        heat = np.asarray(panel.heatmap, np.float32)
        picture = colors.blended(picture, heat, colormap, opacity)
    title = shortened(drawable(panel.title), SIZE, room[0])
    yield Text(x, y + 7, title, SIZE, colors.INK)
    yield Picture(x, y + 18, *size, picture, photographic=True)


def _located(prediction: GeoPrediction, frame: Frame) -> Iterator[Item]:
    """Draw a map, and below it the most probable place."""
    yield from shaded_world(prediction, frame)
    best = prediction.best
    x, y = frame.place([best.longitude, best.latitude])[0]
    yield Dot(x, y, 2.5, colors.FLAGS["photo"])
    text = drawable(f"{percent(best.probability)} {best.place}")
    under = frame.y + frame.height + 9
    yield Text(frame.x, under, shortened(text, SMALL, frame.width), SMALL, colors.INK)


def _drawn(scene: Scene) -> Figure:
    """Draw a scene: one coordinate of the picture is one CSS pixel."""
    try:
        import matplotlib as mpl  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
        from matplotlib.font_manager import FontProperties  # noqa: PLC0415
        from matplotlib.lines import Line2D  # noqa: PLC0415
        from matplotlib.patches import Circle, Rectangle  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'pictures for papers need matplotlib: pip install "combicam_widgets[paper]"'
        ) from error
    # The letters that the layout was measured with; DejaVu's, which matplotlib has, are wider.
    measured = font(10).path
    if isinstance(measured, str):
        letters, scale = FontProperties(fname=measured), _POINTS
    else:
        letters, scale = FontProperties(family="DejaVu Sans"), _POINTS * 0.85
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(scene.width / _PER_INCH, scene.height / _PER_INCH))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        for order, item in enumerate(scene.items):
            look: dict[str, Any] = {"zorder": order}
            match item:
                case Picture():
                    box = (item.x, item.x + item.width, item.y + item.height, item.y)
                    # Few pixels are blended by the drawing program, else steps are seen.
                    look["interpolation"] = "antialiased" if item.photographic else "nearest"
                    axes.imshow(np.asarray(item.image), extent=box, aspect="auto", **look)
                case Lines():
                    look |= {"color": item.color, "linewidth": item.width * _POINTS}
                    look["dashes"] = (5, 4) if item.dashed else (None, None)
                    for line in item.lines:
                        axes.add_line(Line2D(*line.T, **look))
                case Dot():
                    look |= {"edgecolor": "white", "linewidth": 0.8 * _POINTS}
                    place = (item.x, item.y)
                    axes.add_patch(Circle(place, item.radius, facecolor=item.color, **look))
                case Box():
                    corner, size = (item.x, item.y), (item.width, item.height)
                    look |= {"facecolor": item.color, "linewidth": 0}
                    axes.add_patch(Rectangle(corner, *size, **look))
                case Text():
                    look |= {"ha": item.anchor, "va": "center_baseline", "color": item.color}
                    look |= {"fontproperties": letters, "size": item.size * scale}
                    axes.text(item.x, item.y, item.text, parse_math=False, **look)
        axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
    return figure


def _kind(path: str | PathLike[str]) -> str:
    """Return what a name promises; a link may lead to a file of another name."""
    return Path(path).suffix.lower().lstrip(".") or "pdf"


def _write(figure: Figure, file: Path, kind: str, dpi: float) -> None:
    """Write a figure without date or name of the program."""
    dpi = checked("dpi", dpi, _SIZES)
    import matplotlib as mpl  # noqa: PLC0415

    facts = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}}
    facts["svg"] = {"Date": None, "Creator": None}
    facts["png"] = {"Software": None}
    content = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(content, format=kind, dpi=dpi, facecolor="white", metadata=facts[kind])
    files.write(file, content.getvalue())
