"""Widgets that hear Python even where the page was slow to begin with them."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import anywidget
import traitlets as T


def joined_modules(folder: Path, names: tuple[str, ...]) -> str:
    """Join ES modules that import from each other into one, since a widget can have only one.

    Parameters
    ----------
    folder : Path
    names : tuple of str
        File names without ``.js``, each after those that it imports from. Their top-level names
        must differ; an import from a neighbour takes one line and renames nothing.

    Notes
    -----
    The page gets a widget's module as text, without an address that a relative import could
    start from (https://github.com/manzt/anywidget/issues/78).
    """
    texts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in names]
    return re.sub(r'^import \{.*\} from "\.{1,2}/.*";\n', "", "\n".join(texts), flags=re.MULTILINE)


class Attentive(anywidget.AnyWidget):
    """An anywidget whose ``_esm`` calls the ``initialize`` of ``static/attentive.js``."""

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
