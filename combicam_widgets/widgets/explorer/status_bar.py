"""The line in words, errors, and the progress of slow work with a way to stop it."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from combicam_widgets.widgets.explorer.words import Words


class StatusBar(w.VBox):
    """What is seen, what went wrong, what is going on; read out by screen readers.

    Attributes
    ----------
    on_cancel : callable
        Called without arguments when the person wants the work to stop.
    work : ipywidgets.Widget
        The progress and the button that stops it, to be laid out where people look meanwhile.
    """

    def __init__(self) -> None:
        self.on_cancel: Callable[[], None] = lambda: None
        self._words = Words(look="ccw-status")
        self._bar = w.FloatProgress(
            min=0, max=1, description="Working…", style={"description_width": "auto"}
        )
        cancel = w.Button(description="Cancel", layout=w.Layout(width="auto"))
        cancel.on_click(lambda _button: self.on_cancel())
        self.work = w.HBox([self._bar, cancel])
        self.work.add_class("ccw-work")
        super().__init__([self._words])
        self.show("", "", busy=False)

    def show(
        self,
        sentence: str,
        error: str,
        *,
        busy: bool,
        asking: str = "",
        notice: str = "",
        saved: str = "",
    ) -> None:
        """Show a sentence, what is being asked meanwhile, an error, and whether work is going on.

        An empty ``asking``, ``error`` or ``notice`` is not shown. ``saved`` is the sentence that
        stands in a saved notebook.
        """
        self._words.say(sentence, saved=saved, asking=asking, error=error, notice=notice)
        if not busy:
            self._bar.value = 0
        self.work.layout.display = "" if busy else "none"

    @property
    def seen(self) -> str:
        """What the live page shows, a line each."""
        return self._words.seen

    def show_progress(self, done: int, total: int) -> None:
        """Move the bar."""
        self._bar.value = done / total
        self._bar.description = f"{done} of {total}"
