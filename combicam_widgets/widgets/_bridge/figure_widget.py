"""Plotly's figure widget, light enough for several in a notebook, and whole after a reload."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import plotly
import traitlets as T

from combicam_widgets.javascript import joined
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets._bridge.postponed import postponed

# With its widget, Plotly imports what only `fig.show()` needs, which takes over a second.
with postponed("nbformat"):
    from plotly.graph_objects import FigureWidget as PlotlyFigureWidget

_HERE = Path(__file__).parent
_MODULE = Path(plotly.__file__).parent / "package_data" / "widgetbundle.js"


class Bundle(Attentive):
    """Brings the module that draws Plotly's figures, 5 MB, to the page.

    It is sent as a message and is no part of the state, which a page that is reloaded must get
    within four seconds, or it shows no widget at all. What is saved of a page, by JupyterLab or
    from Python, holds it once.
    """

    _esm = joined(_HERE / "bundle.js")

    name = T.Unicode().tag(sync=True)
    """What figures call the module; a page reads it once, even for several kernels."""

    saved = T.Bytes().tag(sync=True)
    """The module, compressed, in what is saved of a page; empty where there is a kernel."""

    coming = T.Bool().tag(sync=True)
    """Whether the module comes without being asked for."""

    def __init__(self) -> None:
        super().__init__(name=f"plotly {plotly.__version__}", coming=True)
        self.on_msg(lambda _widget, _content, _buffers: self._deliver())
        self._deliver()
        self.coming = False

    def _get_embed_state(self, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        self.saved = gzip.compress(_MODULE.read_bytes(), mtime=0)
        try:
            embedded: dict[str, Any] = super()._get_embed_state(drop_defaults)
        finally:
            self.saved = b""
        return embedded

    def _deliver(self) -> None:
        self.send({}, buffers=[_MODULE.read_bytes()])


_kept: list[Bundle] = []


def bundle() -> Bundle:
    """Return the kernel's bundle; makes one if there is none, or if it was closed."""
    if not _kept or _kept[0].comm is None:
        _kept[:] = [Bundle()]
    return _kept[0]


class FigureWidget(Attentive, PlotlyFigureWidget):
    """A figure whose module is shared, and whose state is what is seen now.

    Plotly's own brings the module along with each figure, and answers those who ask for its state
    (a page that is reloaded while the kernel lives; Voila, always) with the figure as it was made.
    """

    _esm = joined(_HERE / "figure.js")

    module = T.Unicode().tag(sync=True)
    """What draws it: the name of a `Bundle`."""

    @T.default("module")
    def _default_module(self) -> str:
        return bundle().name

    @T.default("_dom_classes")
    def _default_dom_classes(self) -> tuple[str, ...]:
        return ("ccw-photo-figure",)  # from the start: a slow page misses what is added later

    def repaint(self, image: int, source: str) -> None:
        """Give a layout image another source, without Plotly laying the whole figure out anew.

        Parameters
        ----------
        image : int
            Index in ``layout.images``.
        source : str
            A data URI.
        """
        self._layout["images"][image]["source"] = source
        self.send({"image": image, "source": source})

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:  # noqa: ANN401, FBT001, FBT002
        """Return the synced traits by name, as ipywidgets defines it."""
        state: dict[str, Any] = super().get_state(key, drop_defaults)
        if key is None and self.comm is not None:  # else it is still being made
            now = {"_widget_data": self._data, "_widget_layout": self._layout_obj._props}  # noqa: SLF001
            for name, value in now.items():
                state[name] = self.trait_metadata(name, "to_json")(value, self)
        return state
