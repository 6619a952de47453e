"""Widgets that tell the page what no saved notebook and no exported page may hold."""

from __future__ import annotations

from typing import Any

import traitlets as T

from combicam_widgets.widgets._bridge.attentive import Attentive


class Discreet(Attentive):
    """A widget that tells the page some things by message, which are no part of its state.

    The state of all widgets is what a notebook is saved with, and `nbconvert` and
    `embed_minimal_html` write. What is told lives as long as the page that heard it; a page that
    is reloaded asks for it again, as long as there is a kernel to answer. The ``_esm`` calls
    `confided` of ``static/discreet.js``.
    """

    telling = T.Int().tag(sync=True)
    """How often something else was told: the page shows only what belongs to the state it has."""

    def __init__(self, **values: Any) -> None:  # noqa: ANN401
        self._told: dict[str, Any] = {}
        super().__init__(**values)
        self.on_msg(self._answer)

    @property
    def told(self) -> dict[str, Any]:
        """What the page is told now, beside the state."""
        return self._told

    def tell(self, **told: Any) -> None:  # noqa: ANN401
        """Tell the page something, JSON by name, instead of what was told before.

        Under one ``with widget.hold_sync():`` with what changes of the state: then the page never
        shows the new of the one beside the old of the other.
        """
        if told != self._told:
            self._told = told
            self.telling += 1
            self._say()

    def _say(self) -> None:
        if self._told:
            self.send({"told": self._told, "telling": self.telling})

    def _answer(self, _widget: object, content: object, _buffers: object) -> None:
        if isinstance(content, dict) and "ask" in content:
            self._say()
