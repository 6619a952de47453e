"""A line of text on the page, an error or a notice below it, and what of them is not saved."""

from __future__ import annotations

from pathlib import Path

import traitlets as T

from combicam_widgets.javascript import joined
from combicam_widgets.widgets._bridge.discreet import Discreet

_HERE = Path(__file__).parent


class Words(Discreet):
    """A line that screen readers read out when it changes. Texts are plain, not HTML.

    Errors and notices are only told: they may name files, and are no part of what is saved.
    """

    _esm = joined(_HERE / "words.js")

    text = T.Unicode().tag(sync=True)
    """What may be saved of it: a line that is seen, and further ones that open."""

    asking = T.Unicode().tag(sync=True)
    """What is being worked on meanwhile; empty (default): nothing is said."""

    look = T.Unicode().tag(sync=True)
    """CSS class of the line."""

    def say(
        self, text: str, *, saved: str = "", asking: str = "", error: str = "", notice: str = ""
    ) -> None:
        """Change the line.

        Parameters
        ----------
        text : str
            What is seen on the live page; all lines but the first are opened by who wants to.
        saved : str
            What is seen instead where the notebook was saved, or exported. Default: nothing.
        asking : str
            What is being worked on meanwhile; may be empty.
        error : str
            What went wrong, in a line of its own; may be empty.
        notice : str
            What was assumed or left out, in lines of its own; may be empty.
        """
        told = {"text": text if text != saved else "", "error": error, "notice": notice}
        with self.hold_sync():
            self.tell(**{name: said for name, said in told.items() if said})
            self.text, self.asking = saved, asking

    @property
    def seen(self) -> str:
        """All that the live page shows, a line each."""
        told = self.told
        lines = told.get("text", self.text), self.asking, told.get("error"), told.get("notice")
        return "\n".join(filter(None, lines))
