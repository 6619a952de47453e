"""The heatmap over the photo: its outline, its sources, other heatmaps beside it, and a box."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import ipywidgets as w
import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from combicam_widgets.cam import hottest, upsample
from combicam_widgets.cam.localization import Box, checked_box
from combicam_widgets.images import ImageSource, Photo, load_image
from combicam_widgets.shown.colors import COLORMAPS, palette
from combicam_widgets.widgets import traits
from combicam_widgets.widgets._bridge.figure_widget import FigureWidget
from combicam_widgets.widgets.fusion import Fusion
from combicam_widgets.widgets.heat.box import BoxTool, OnBox, box_sentence
from combicam_widgets.widgets.heat.caption import NO_EVIDENCE, Caption, described, pointed_at
from combicam_widgets.widgets.heat.compare import BAR, SIZE, Comparison, coarse
from combicam_widgets.widgets.heat.photo_figure import PhotoFigure
from combicam_widgets.widgets.heat.pictures import heat_picture

_ALONE = 500, 440
"""Size of the figure in CSS pixels while nothing is beside it."""

Heatmap = npt.NDArray[np.float32]
Contributions = Callable[[tuple[int, int]], Heatmap | None]


class Overlay:
    """Photo and heat, and what can be asked about them.

    Parameters
    ----------
    fusion : Fusion, optional
        What the page makes heat of by itself, as long as it can; default: Python sends pictures.

    Attributes
    ----------
    view : ipywidgets.Widget
        Everything there is to see.
    figure : plotly.graph_objects.FigureWidget
        The photo with the present heat.
    """

    def __init__(self, fusion: Fusion | None = None) -> None:
        self._fusion = fusion
        self._main = PhotoFigure(FigureWidget, _ALONE)
        self.figure: go.FigureWidget = self._main.figure
        self.figure._config = {"displayModeBar": False}  # noqa: SLF001  (plotly has no public way)
        self._photo: Photo | None = None
        self._heatmap: Heatmap | None = None
        self._colors: tuple[str, float] = (COLORMAPS[0], 1.0)
        self._label = ""
        self._keep: float | None = None
        self._preview: tuple[Heatmap, str] | None = None
        self._comparison: Comparison | None = None
        self._layers: tuple[Sequence[str], Contributions] | None = None
        self._parts: Heatmap | None = None  # contributions on the grid, once somebody asks
        self._pointer: tuple[int, int] | None = None  # row and column of the grid
        self._own_words = False  # the box's words were given, not made here
        self._on_box: list[OnBox] = []
        self._waiting = False  # while set, nothing is drawn
        self._box = BoxTool(self._box_from_page)
        self._caption = Caption(fusion=fusion)
        self._figures = w.HBox([self.figure])
        self._figures.add_class("ccw-photo-figures")
        below = w.HBox([self._caption, self._box])
        below.add_class("ccw-below")
        self.view = w.VBox([self._figures, below])
        self.view.add_class("ccw-overlay")
        self.figure.data[0].on_hover(self._hovered)
        self.figure.data[0].on_unhover(self._left)

    def show_photo(self, photo: Photo, about: int = 0) -> None:
        """Put another photo under the heat; heat, preview, pin and box of the old one go.

        The same photo again changes nothing but that the heat is gone until `show_heat`. By
        itself, the page lays only heat over it whose `Fusion.about` is the same.
        """
        if photo is not self._photo:
            self._photo = photo
            self.unpin()
            self._box.show(None)
        self._preview = self._layers = self._pointer = None
        self._heatmap = None
        self._main.show_photo(photo, about)

    def show_heat(self, heatmap: Heatmap, colormap: str, opacity: float, label: str = "") -> None:
        """Lay a heatmap (H, W) in [0, 1] over the photo; pointing at it waits for `show_values`.

        ``label`` says what it is, for `pin`: "Grad-CAM, sum, 16 layers".
        """
        self._heatmap, self._colors, self._label = heatmap, (colormap, opacity), label
        self._main.read(heatmap)
        self._draw()

    def hide_heat(self) -> None:
        """Show, and send to the page, the photo alone: somebody is to guess first.

        Gone are heat, outline, preview, what pointing says, and the photo's name, until the next
        `show_heat`. What is pinned is a heat too; unpin it before.
        """
        self._heatmap = self._preview = self._layers = self._pointer = None
        self._main.read(np.zeros((2, 2), np.float32))
        self._main.show_values()
        self._main.lay_over(heat_picture(np.zeros((1, 1))))
        with self._caption.hold_sync():
            self._caption.name, self._caption.text = "Heatmap over a photo, to be guessed", ""
            self._caption.palette, self._caption.opacity, self._caption.keep = b"", 1.0, None
        if not self._own_words:
            self.show_box(self.box)

    def show_values(self) -> None:
        """Show the heat where somebody points: Plotly draws everything anew, so do it at rest."""
        self._main.show_values()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Draw once, after all calls inside of ``with overlay.at_once():``."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
        self._draw()

    def show_outline(self, keep: float | None) -> None:
        """Outline the hottest part of the photo, as `cam.hottest` keeps it; None: no outline.

        Parameters
        ----------
        keep : float or None
            Fraction of the photo, in (0, 1].
        """
        if keep != self._keep:
            self._keep = keep
            self._draw()

    def show_layers(self, names: Sequence[str], contributions: Contributions) -> None:
        """Say from which layers the heat comes; call it before `show_heat`.

        Parameters
        ----------
        names : sequence of L str
            Layers in forward order, as they are numbered in the diagram.
        contributions : callable
            From a size (H, W) to what `cam.contributions` gives; called when somebody points at
            the photo.
        """
        self._layers, self._parts = (names, contributions), None

    def preview(self, heatmap: npt.NDArray[np.floating] | None, label: str = "") -> None:
        """Show another heatmap for the moment; with None, what was there before.

        Parameters
        ----------
        heatmap : (h, w) array in [0, 1] or None
            Of any size. Outline, hover values, pin and box stay those of the present heatmap.
        label : str
            What it is, shown in the corner: "layer blocks.3 alone".
        """
        if heatmap is None and self._preview is None:
            return
        self._preview = None if heatmap is None else (np.asarray(heatmap, np.float32), label)
        self._draw()

    def pin(self, heatmap: Heatmap, label: str) -> None:
        """Keep a heatmap of this photo beside the present one, with the difference.

        Parameters
        ----------
        heatmap : (H, W) array in [0, 1]
        label : str
            What it is: "Grad-CAM, sum, 16 layers".
        """
        if self._photo is None:
            raise ValueError("Show a photo before pinning a heatmap of it.")
        self.unpin()
        self._comparison = new = Comparison(self._photo, heatmap.copy(), label)
        self._main.resize(SIZE, BAR)
        self._draw()
        # The figure stays the first, or the page would make another one in its place.
        self._figures.children = [self.figure, new.pinned, new.difference]

    def unpin(self) -> None:
        """Show the present heatmap alone again."""
        old, self._comparison = self._comparison, None
        if old is not None:
            self._figures.children = [self.figure]
            old.close()
            self._main.resize(_ALONE)
            self._draw()

    def on_box(self, callback: OnBox) -> None:
        """Call a function with each box that the person draws, and with None when it is gone."""
        self._on_box.append(callback)

    def show_box(self, box: Sequence[float] | None, text: str | None = None) -> None:
        """Show a box of what should matter, or None.

        Parameters
        ----------
        box : (left, top, right, bottom) or None
            Fractions of the photo.
        text : str, optional
            Words about it; default: how much of the heat lies inside, kept up to date.
        """
        checked = None if box is None else checked_box(box)
        self._own_words = text is not None
        if checked is not None and text is None and self._heatmap is not None:
            text = box_sentence(self._heatmap, checked)
        self._box.show(checked, text or "")

    @property
    def box(self) -> Box | None:
        """The box that is shown: (left, top, right, bottom) in fractions of the photo."""
        return self._box.box

    # From a state to what is seen.

    def _draw(self) -> None:
        heatmap, (colormap, opacity), keep = self._heatmap, self._colors, self._keep
        if heatmap is None or self._waiting:
            return
        seen, label = heatmap, ""
        if self._preview is not None:
            seen, label = self._preview
            if seen.shape != heatmap.shape:
                seen = upsample(seen, (heatmap.shape[0], heatmap.shape[1]))
        elif self._comparison is not None:
            label = f"now: {self._label}" if self._label else "now"
        self._main.show_colors(colormap)
        in_page = self._fusion is not None and self._fusion.in_page
        picture = None if in_page else self._picture(seen, heatmap)
        self._main.lay_over(picture, label, _words(seen))
        # The name of a file of one's own would be saved with the notebook.
        name = self._photo.public_name if self._photo is not None else ""
        with self._caption.hold_sync():
            self._caption.palette = palette(colormap).tobytes()
            self._caption.opacity, self._caption.keep = opacity, keep
            self._caption.name = described(name, seen, label, keep)
            self._caption.text = self._sources()
        if (comparison := self._comparison) is not None:
            pinned = comparison.heatmap
            comparison.show_pinned(
                self._picture(pinned, pinned),
                _words(pinned),
                described(name, pinned, comparison.label, keep),
            )
            comparison.follow(heatmap, opacity)
        if self._box.box is not None and not self._own_words:
            self._box.say(box_sentence(heatmap, self._box.box))

    def _picture(self, seen: Heatmap, outlined: Heatmap) -> str:
        mask = _kept(outlined, self._keep)
        if self._comparison is not None:
            seen, mask = coarse(seen), None if mask is None else coarse(mask)
        return heat_picture(seen, *self._colors, mask)

    # From the page.

    def _hovered(self, _trace: Any, points: Any, _state: Any) -> None:  # noqa: ANN401
        if points.point_inds:
            row, column = points.point_inds[0]
            self._pointer = int(row), int(column)
            self._caption.text = self._sources()

    def _left(self, _trace: Any, _points: Any, _state: Any) -> None:  # noqa: ANN401
        self._pointer = None
        self._caption.text = self._sources()

    def _sources(self) -> str:
        """Say which layers the heat under the pointer comes from."""
        layers, pointer, values = self._layers, self._pointer, self._main.values
        if layers is None:
            return ""
        if pointer is None or not (pointer[0] < values.shape[0] and pointer[1] < values.shape[1]):
            return "Point at the photo to see which layers its heat comes from."
        names, contributions = layers
        if self._parts is None:
            self._parts = contributions(values.shape)
        parts = None if self._parts is None else self._parts[:, pointer[0], pointer[1]]
        return pointed_at(int(values[pointer]), names, parts)

    def _box_from_page(self, box: Box | None) -> None:
        self.show_box(box)
        for callback in self._on_box:
            callback(box)


def overlay(
    photo: ImageSource,
    heatmap: npt.NDArray[np.floating],
    colormap: str = COLORMAPS[0],
    opacity: float = 0.8,
    outline: float | None = None,
) -> go.Figure:
    """Lay a heatmap over a photo, as a plain Plotly figure for notebooks and pages.

    Parameters
    ----------
    photo : Photo, path, bytes, PIL image or (H, W, 3) uint8 array
    heatmap : (h, w) array in [0, 1]
        Of any size; stretched over the photo. Its value is also its opacity.
    colormap : str
        One of inferno (default), cividis, viridis, magma and plasma.
    opacity : float
        Opacity of the value 1, in [0, 1].
    outline : float, optional
        Outline the hottest fraction of the photo, in (0, 1].

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    TypeError, ValueError
        A heatmap of another shape or range, a colour map that does not exist, an opacity or an
        outline that is no such fraction.

    Examples
    --------
    >>> photo = sample("koala")  # doctest: +SKIP
    >>> overlay(photo, model.explain(photo).fuse())  # doctest: +SKIP
    """
    try:
        heat = np.asarray(heatmap, np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(f"The heatmap must be an array of numbers ({error}).") from error
    if heat.ndim != 2 or heat.size == 0:
        raise ValueError(f"The heatmap must have shape (H, W), not {heat.shape}.")
    if not np.isfinite(heat).all() or heat.min() < 0 or heat.max() > 1:
        raise ValueError("The heatmap must be finite and lie in [0, 1]; see cam.minmax.")
    if colormap not in COLORMAPS:
        raise ValueError(f"colormap must be one of {', '.join(COLORMAPS)}, not {colormap!r}.")
    opacity = traits.fraction("opacity")(opacity)
    if outline is not None:
        outline = traits.fraction("outline", positive=True)(outline)
    drawn = PhotoFigure(go.Figure, _ALONE)
    drawn.show_photo(load_image(photo))
    drawn.show_colors(colormap)
    drawn.read(heat)
    drawn.show_values()
    picture = heat_picture(heat, colormap, opacity, _kept(heat, outline))
    drawn.lay_over(picture, words=_words(heat))
    return drawn.figure


def _kept(heatmap: Heatmap, keep: float | None) -> npt.NDArray[np.bool_] | None:
    return None if keep is None else hottest(heatmap, keep)


def _words(heatmap: Heatmap) -> str:
    return "" if heatmap.any() else NO_EVIDENCE
