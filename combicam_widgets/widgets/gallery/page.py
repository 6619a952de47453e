"""The gallery on the page: state that both sides change, and what is told by message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import traitlets as T

from combicam_widgets.geo import coastline
from combicam_widgets.javascript import joined
from combicam_widgets.widgets._bridge.attentive import Attentive
from combicam_widgets.widgets.gallery.columns import Columns, for_page
from combicam_widgets.widgets.gallery.pictures import Look, Small

_HERE = Path(__file__).parent

VIEW = ("sort_by", "filters", "search", "brush", "x", "y", "selected", "heat", "colormap")
"""What a person changes on the page, too."""


class GalleryPage(Attentive):
    """Shows a table of photos; sorts, filters and brushes it without the kernel.

    The table and the pictures are told by message and are no part of the state: what a notebook is
    saved with says neither how files are called nor where photos were taken.

    Parameters
    ----------
    changed : callable
        Called with what a person has changed, by the names in `VIEW`.
    wanted : callable
        Called with the rows whose pictures are seen now, and how they should look.
    opened : callable
        Called with the row that a person opens.
    closed : callable
        Called when a person closes what was opened.
    """

    _esm = joined(_HERE / "gallery.js")
    _css = (_HERE / "gallery.css").read_text(encoding="utf-8")

    edition = T.Int().tag(sync=True)
    """How many tables were shown before: what is told belongs to one of them."""

    sort_by = T.Unicode().tag(sync=True)
    filters = T.Dict().tag(sync=True)
    search = T.Unicode().tag(sync=True)
    brush = T.Dict(allow_none=True, default_value=None).tag(sync=True)
    x = T.Unicode().tag(sync=True)
    y = T.Unicode().tag(sync=True)
    selected = T.Int(allow_none=True, default_value=None).tag(sync=True)
    heat = T.Bool(default_value=True).tag(sync=True)
    colormap = T.Unicode().tag(sync=True)

    doing = T.Unicode().tag(sync=True)
    """What a person waits for, in words; "" for nothing."""

    exploring = T.Bool().tag(sync=True)
    """Whether there is an explorer below, which can be closed."""

    problem = T.Unicode().tag(sync=True)
    """What went wrong, in words; "" for nothing."""

    still = T.Bytes().tag(sync=True)
    """The first photos as a JPEG, for who opens what was saved without a kernel; empty for none."""

    alone = T.Unicode().tag(sync=True)
    """What is to be said of that, in words."""

    def __init__(
        self,
        changed: Callable[[Mapping[str, Any]], object],
        wanted: Callable[[list[int], Look], object],
        opened: Callable[[int], object],
        closed: Callable[[], object],
    ) -> None:
        self._changed, self._wanted, self._opened, self._closed = changed, wanted, opened, closed
        self._columns: Columns | None = None
        self._drawing = False
        super().__init__()
        self.observe(self._hear, VIEW)
        self.on_msg(self._answer)

    def show_table(self, columns: Columns) -> None:
        """Show another table."""
        self._columns = columns
        self.edition += 1
        self._tell()

    def show(self, view: Mapping[str, Any]) -> None:
        """Show how it is sorted, filtered, brushed, and so on."""
        self._drawing = True
        try:
            with self.hold_sync():
                for name in VIEW:
                    setattr(self, name, view[name])
        finally:
            self._drawing = False

    def send_picture(self, row: int, look: Look, small: Small) -> None:
        """Send a small picture that was asked for."""
        head = {"picture": row, "edition": self.edition, "problem": small.problem}
        self.send({**head, "heat": look.heat, "colormap": look.colormap}, buffers=[small.jpeg])

    def _hear(self, change: Any) -> None:  # noqa: ANN401
        if not self._drawing:
            self._changed({change["name"]: change["new"]})

    def _answer(self, _widget: object, content: Any, _buffers: object) -> None:  # noqa: ANN401
        if not isinstance(content, dict) or self._columns is None:
            return
        if "ask" in content:
            self._tell()
        rows = range(self._columns.rows)
        wanted = content.get("want")
        if isinstance(wanted, list):
            self._wanted([row for row in wanted if row in rows], Look(self.heat, self.colormap))
        if content.get("open") in rows:
            self._opened(content["open"])
        if "close" in content:
            self._closed()

    def _tell(self) -> None:
        if self._columns is not None:
            head, buffers = told(self._columns)
            self.send({**head, "edition": self.edition}, buffers=buffers)


def told(columns: Columns) -> tuple[dict[str, Any], list[bytes]]:
    """Write what a page has to know before it shows anything: the table, and the land."""
    heads, buffers = for_page(columns)
    land = coastline()["geometry"]["coordinates"]
    return {"table": heads, "rows": columns.rows, "land": land}, buffers
