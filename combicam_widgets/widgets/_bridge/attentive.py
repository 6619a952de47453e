"""Widgets that hear Python even where the page was slow to begin with them."""

from __future__ import annotations

from uuid import uuid4

import anywidget
import traitlets as T


class Attentive(anywidget.AnyWidget):
    """An anywidget whose ``_esm`` calls the ``initialize`` of ``attentive.js``."""

    ident = T.Unicode().tag(sync=True)
    """Name of the widget's model on the page."""

    @T.default("ident")
    def _default_ident(self) -> str:
        return uuid4().hex

    def open(self) -> None:
        """Open a comm to the page under a name that the page is told."""
        if self.comm is None:
            self._model_id = self.ident
        super().open()
