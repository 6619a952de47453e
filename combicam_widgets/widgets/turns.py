"""Whose turn it is: Python's, whose changes take effect at once, or the page's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock and two flags. JupyterLab may run the page's messages in a thread beside the cells.

    Attributes
    ----------
    lock : threading.RLock
    quiet : bool
        While set, a changed trait sets nothing else in motion.
    from_page : bool
        While set, a change comes from the page, which shall not wait.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.quiet = True
        self.from_page = False

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Change traits without setting anything in motion."""
        with self.lock:
            before, self.quiet = self.quiet, True
            try:
                yield
            finally:
                self.quiet = before

    @contextmanager
    def on_page(self) -> Iterator[None]:
        """Change traits as somebody on the page does."""
        with self.lock:
            before, self.from_page = self.from_page, True
            try:
                yield
            finally:
                self.from_page = before
