"""The heatmap over the photo: its outline, its sources, other heatmaps beside it, and a box."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import ipywidgets as w
import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from combicam_widgets.cam import hottest, upsample
from combicam_widgets.cam.localization import Box, checked_box
from combicam_widgets.images import ImageSource, Photo, load_image
from combicam_widgets.shown.colors import COLORMAPS, heat_palette
from combicam_widgets.widgets import traits
from combicam_widgets.widgets._bridge.figure_widget import FigureWidget
from combicam_widgets.widgets.fusion import Fusion
from combicam_widgets.widgets.heat.box import BoxTool, OnBox, box_sentence
from combicam_widgets.widgets.heat.caption import NO_EVIDENCE, Caption, described
from combicam_widgets.widgets.heat.compare import Comparison, coarse
from combicam_widgets.widgets.heat.photo_figure import PhotoFigure
from combicam_widgets.widgets.heat.pictures import heat_picture
from combicam_widgets.widgets.traits import room_height

_ROOM = 500, 440
"""Size of the room of a figure in CSS pixels, before a page fits it into its own."""

Heatmap = npt.NDArray[np.float32]
OnClick = Callable[[float, float], object]


class Overlay:
    """Photo and heat, and what can be asked about them.

    Parameters
    ----------
    fusion : Fusion, optional
        What the page makes heat of by itself, as long as it can; else Python sends pictures.
    view : ipywidgets.Box, optional
        What it is put into; default: a box of its own.

    Attributes
    ----------
    view : ipywidgets.Box
        Everything there is to see.
    figure : plotly.graph_objects.FigureWidget
        The photo with the present heat.
    """

    def __init__(self, fusion: Fusion | None = None, view: w.Box | None = None) -> None:
        self._fusion = fusion = fusion or Fusion()
        self._main = PhotoFigure(FigureWidget, _ROOM)
        self.figure: go.FigureWidget = self._main.figure
        self.figure._config = {"displayModeBar": False}  # noqa: SLF001  (plotly has no public way)
        self._photo: Photo | None = None
        self._heatmap: Heatmap | None = None
        self._colors: tuple[str, float] = (COLORMAPS[0], 1.0)
        self._drawn: Heatmap = np.zeros((1, 1), np.float32)  # what is painted of the heatmap
        self._label = ""
        self._keep: float | None = None
        self._preview: tuple[Heatmap, str] | None = None
        self._comparison: Comparison | None = None
        self._own_words = False  # the box's words were given, not made here
        self._on_box: list[OnBox] = []
        self._on_click: list[OnClick] = []
        self._waiting = False  # while set, nothing is drawn
        self._box = BoxTool(self._box_from_page, fusion)
        self._caption = Caption(fusion=fusion)
        self._caption.on_msg(self._clicked)
        self._figures = w.HBox([self.figure])
        self._figures.add_class("ccw-photo-figures")
        below = w.HBox([self._caption, self._box])
        below.add_class("ccw-below")
        self.view = w.VBox() if view is None else view
        self.view.children = [self._figures, below]
        self.view.add_class("ccw-overlay")

    def paint_what(self, fusion: Fusion) -> None:
        """Let the page make heat of something else that holds the same maps."""
        self._fusion = fusion
        self._follow(fusion)
        self._draw()

    def let_go(self) -> None:
        """Follow nothing any more: what it follows goes on when the overlay is closed."""
        self._follow(None)

    def _follow(self, fusion: Fusion | None) -> None:
        self._caption.fusion = self._box.drawn.fusion = fusion
        if self._comparison is not None:
            self._comparison.difference.fusion = fusion

    def show_photo(self, photo: Photo, about: int = 0) -> None:
        """Put another photo under the heat; heat, preview, pin and box of the old one go.

        The same photo again changes nothing but that the heat is gone until `show_heat`. By
        itself, the page lays only heat over it whose `Fusion.about` is the same.
        """
        if photo is not self._photo:
            self._photo = photo
            self.unpin()
            self._box.show(None)
        self._preview = self._heatmap = None
        self._main.show_photo(photo, about)

    def show_heat(
        self,
        heatmap: Heatmap,
        colormap: str,
        opacity: float,
        label: str = "",
        drawn: Heatmap | None = None,
    ) -> None:
        """Lay a heatmap (H, W) in [0, 1] over the photo.

        ``label`` says what it is, for `pin`: "Grad-CAM, sum, 16 layers"; ``drawn``, of the same
        shape, is what is painted of it. Default: itself.
        """
        self._heatmap, self._colors, self._label = heatmap, (colormap, opacity), label
        self._drawn = heatmap if drawn is None else drawn
        self._draw()

    def hide_heat(self) -> None:
        """Show, and send to the page, the photo alone: somebody is to guess first.

        Gone are heat, outline, preview, what pointing says, and the photo's name, until the next
        `show_heat`. What is pinned is a heat too; unpin it before.
        """
        self._heatmap = self._preview = None
        self._main.lay_over(heat_picture(np.zeros((1, 1))))
        self._fusion.give_heat(None)
        with self._caption.hold_sync():
            self._caption.name = "Heatmap over a photo, to be guessed"
            self._caption.photo = self._caption.label = self._caption.words = ""
            self._caption.palette, self._caption.opacity, self._caption.keep = b"", 1.0, None
        if not self._own_words:
            self.show_box(self.box)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Draw once, after all calls inside of ``with overlay.at_once():``."""
        self._waiting = True
        try:
            yield
        finally:
            self._waiting = False
        self._draw()

    def resize(self, height: int | None) -> None:
        """Make the room for the pictures so many CSS pixels high; None: see `room_height`."""
        self._figures.layout.height = room_height(height)

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

    def preview(self, heatmap: npt.NDArray[np.floating] | None, label: str = "") -> None:
        """Show another heatmap for the moment; with None, what was there before.

        Parameters
        ----------
        heatmap : (h, w) array in [0, 1] or None
            Of any size. Outline, values, pin and box stay those of the present heatmap.
        label : str
            What it is, shown in the corner: "layer blocks.3 alone".
        """
        if heatmap is None and self._preview is None:
            return
        self._preview = None if heatmap is None else (np.asarray(heatmap, np.float32), label)
        self._draw()

    def pin(self, heatmap: Heatmap, label: str, drawn: Heatmap | None = None) -> None:
        """Keep a heatmap of this photo beside the present one, with the difference.

        Parameters
        ----------
        heatmap : (H, W) array in [0, 1]
        label : str
            What it is: "Grad-CAM, sum, 16 layers".
        drawn : (H, W) array in [0, 1], optional
            What is painted of it; default: itself.
        """
        if self._photo is None:
            raise ValueError("Show a photo before pinning a heatmap of it.")
        self.unpin()
        self._comparison = new = Comparison(self._photo, heatmap.copy(), label, self._fusion, drawn)
        self._draw()
        # The figure stays the first, or the page would make another one in its place.
        self._figures.children = [self.figure, new.pinned, new.difference]

    def unpin(self) -> None:
        """Show the present heatmap alone again."""
        old, self._comparison = self._comparison, None
        if old is not None:
            self._figures.children = [self.figure]
            old.close()
            self._draw()

    def on_box(self, callback: OnBox) -> None:
        """Call a function with each box that the person draws, and with None when it is gone."""
        self._on_box.append(callback)

    def on_click(self, callback: OnClick, *, remove: bool = False) -> None:
        """Call a function with each place of the photo that is clicked; see `HeatOverlay`."""
        (self._on_click.remove if remove else self._on_click.append)(callback)

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
        self._box.drawn.described = text is None
        self._box.show(checked, text or "")
        self._say_of_box()

    @property
    def box(self) -> Box | None:
        """The box that is shown: (left, top, right, bottom) in fractions of the photo."""
        return self._box.box

    # From a state to what is seen.

    def _draw(self) -> None:
        heatmap, (colormap, opacity), keep = self._heatmap, self._colors, self._keep
        if heatmap is None or self._waiting:
            return
        in_page = self._fusion.in_page
        self._main.show_colors(colormap)
        self._fusion.give_heat(None if in_page else heatmap)
        comparison = self._comparison
        label = "now" if comparison is not None else ""
        label = f"now: {self._label}" if comparison is not None and self._label else label
        # The name of a file of one's own would be saved with the notebook.
        name = self._photo.public_name if self._photo is not None else ""
        with self._caption.hold_sync():
            self._caption.palette = heat_palette(colormap).tobytes()
            self._caption.opacity, self._caption.keep = opacity, keep
            self._caption.photo, self._caption.label = name, label
            if in_page:
                self._caption.words = self._caption.name = ""
                self._main.lay_over(None)
            else:
                self._draw_here(heatmap, name, label)
        if comparison is not None:
            pinned = comparison.heatmap
            comparison.show_pinned(
                self._picture(comparison.drawn, pinned),
                _words(pinned),
                described(name, pinned, comparison.label, keep),
            )
            comparison.follow(self._drawn, opacity)
        self._say_of_box()

    def _draw_here(self, heatmap: Heatmap, name: str, label: str) -> None:
        """Send a picture of what the page cannot fuse, and what it is."""
        seen = self._drawn
        if self._preview is not None:
            seen, label = self._preview
            if seen.shape != heatmap.shape:
                seen = upsample(seen, (heatmap.shape[0], heatmap.shape[1]), smooth=True)
        self._main.lay_over(self._picture(seen, heatmap))
        self._caption.label, self._caption.words = label, _words(seen)
        self._caption.name = described(name, seen, label, self._keep)

    def _picture(self, seen: Heatmap, outlined: Heatmap) -> str:
        mask = _kept(outlined, self._keep)
        if self._comparison is not None:
            seen, mask = coarse(seen), None if mask is None else coarse(mask)
        return heat_picture(seen, *self._colors, mask)

    # What is done on the page.

    def _say_of_box(self) -> None:
        """Say how much of the heat lies in the box, where the page does not."""
        box, heatmap = self._box.box, self._heatmap
        if box is not None and not self._own_words:
            here = heatmap is not None and not self._fusion.in_page
            self._box.say(box_sentence(heatmap, box) if here and heatmap is not None else "")

    def _clicked(self, _caption: object, content: object, _buffers: object) -> None:
        if isinstance(content, dict) and "clicked" in content:
            for callback in tuple(self._on_click):
                callback(*map(float, content["clicked"]))

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
        Of any size; stretched over the photo, which stays clear where it is low.
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
    drawn = PhotoFigure(go.Figure, _ROOM)
    drawn.show_photo(load_image(photo))
    drawn.show_colors(colormap)
    drawn.lay_over(heat_picture(heat, colormap, opacity, _kept(heat, outline)))
    return drawn.speaking(heat, _words(heat))


def _kept(heatmap: Heatmap, keep: float | None) -> npt.NDArray[np.bool_] | None:
    return None if keep is None else hottest(heatmap, keep)


def _words(heatmap: Heatmap) -> str:
    return "" if heatmap.any() else NO_EVIDENCE
