"""What lies over the map: flags, lines and votes; and beside them the list and the legend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipyleaflet
import ipywidgets
import traitlets as T

from combicam_widgets.javascript import joined
from combicam_widgets.widgets._bridge.discreet import Discreet
from combicam_widgets.widgets._bridge.styles import styles

_HERE = Path(__file__).parent


class Marks(Discreet):
    """Flags, lines and votes over a map, buttons that move it or lead back, and a hint.

    One widget for all of them: the page finds room for the flags, groups the votes that would
    cover each other, and does both again whenever the map moves, without asking the kernel.
    The page changes only `hovered`. More `flags` and `lines` may be told beside the state.
    """

    _esm = joined(_HERE / "marks.js")
    _css = styles(_HERE / "world.css")

    map = T.Instance(ipyleaflet.Map).tag(sync=True, **ipywidgets.widget_serialization)
    """The map that this widget is a control of."""

    flags = T.List(T.Dict()).tag(sync=True)
    """`Flag` as dicts."""

    lines = T.List(T.Dict()).tag(sync=True)
    """`Line` as dicts."""

    rings = T.List(T.Dict()).tag(sync=True)
    """`Line` as dicts; apart from the others, which change more often."""

    votes = T.List(T.Dict()).tag(sync=True)
    """`Vote` as dicts."""

    highlighted = T.Int(None, allow_none=True).tag(sync=True)
    """Index of the layer whose vote stands out; None: none does."""

    hovered = T.Int(None, allow_none=True).tag(sync=True)
    """Index of the layer whose vote the mouse or the focus is on; None: on none."""

    answer: T.List[float] = T.List(T.Float()).tag(sync=True)
    """[latitude, longitude] of the best cell, where a button leads; empty: no such button."""

    elsewhere = T.Bool(default_value=False).tag(sync=True)
    """Whether another cell is explained: then a button sends ``{"chosen": None}``."""

    private = T.List(T.Unicode()).tag(sync=True)
    """Traits of the map that are not saved."""

    kept = T.Dict().tag(sync=True)
    """What is saved instead of other traits of the map."""

    borders: Callable[[], tuple[dict[str, Any], list[bytes]]] | None = None
    """Gives the message that brings the borders of countries, when the page asks for them: what is
    looked at from near is told, and no part of the state."""

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        super().__init__(**values)
        self.on_msg(self._bring)

    def _bring(self, _widget: object, content: object, _buffers: object) -> None:
        if self.borders is not None and isinstance(content, dict) and "borders" in content:
            message, buffers = self.borders()
            self.send(message, buffers=buffers)

    hint = T.Unicode().tag(sync=True)
    """What a click on the map does, in words; empty: nothing."""


class CellList(Discreet):
    """The list of the most probable cells, and the legend.

    A row that is chosen is sent as the message ``{"chosen": index}``; one that the target is to be
    compared with as ``{"contrasted": index}``, with None when no longer. More of the `legend` may
    be told beside the state.
    """

    _esm = joined(_HERE / "cell_list.js")

    rows = T.List(T.Dict()).tag(sync=True)
    """`Row` as dicts."""

    legend = T.List(T.Dict()).tag(sync=True)
    """`Key` as dicts."""

    choosable = T.Bool(default_value=False).tag(sync=True)
    """Whether rows can be chosen."""

    comparable = T.Bool(default_value=False).tag(sync=True)
    """Whether rows can be compared with the target."""
