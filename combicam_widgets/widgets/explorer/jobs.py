"""The work that goes on beside the page."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from combicam_widgets.widgets.background import Background, Worker


@dataclass(frozen=True)
class Jobs:
    """One worker, and the kinds of work that it does.

    Attributes
    ----------
    lock : threading.RLock
        Held by whoever takes over a new value. JupyterLab may run the page's messages in a thread
        beside the cells.
    worker : Worker
    warned : list of str
        What was warned of beside the page, and is still to be told there.
    checking, carding, surveying, asking : Background
        For the evidence, for the votes of one layer and of all, for a new analysis; in the order
        of their urgency.
    """

    lock: threading.RLock = field(default_factory=threading.RLock)
    worker: Worker = field(default_factory=Worker)
    warned: list[str] = field(default_factory=list)
    checking: Background = field(init=False)
    carding: Background = field(init=False)
    surveying: Background = field(init=False)
    asking: Background = field(init=False)

    def __post_init__(self) -> None:
        for urgency, name in enumerate(("checking", "carding", "surveying", "asking")):
            work = Background(self.worker, urgency)
            work.lock, work.warned = self.lock, self.warned
            object.__setattr__(self, name, work)

    @property
    def all(self) -> tuple[Background, ...]:
        """Every kind of work, the most urgent first."""
        return self.checking, self.carding, self.surveying, self.asking

    @property
    def busy(self) -> bool:
        """Whether anything is still being worked on."""
        return any(work.busy for work in self.all)

    def close(self) -> None:
        """End the work."""
        for work in self.all:
            work.close()
