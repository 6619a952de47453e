"""What is asked of a model after each change: what the evidence says, how the layers vote."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from combicam_widgets.memory import give_back
from combicam_widgets.shown.state import Asked, Shown, same

_PAINT_FIRST = 0.1
"""Seconds after the last click before a model is asked: the page paints meanwhile."""


class Question(ABC):
    """Something that a model can be asked about what is shown.

    Attributes
    ----------
    work : str
        Which of the `Jobs` asks it beside the page.
    delay : float
        Seconds after the last change before it is asked beside the page.
    """

    work: str
    delay = _PAINT_FIRST

    @abstractmethod
    def open(self, shown: Shown) -> Asked | None:
        """Return what is to be asked; None if it is answered, or nobody wants to know."""

    @abstractmethod
    def ask(self, shown: Shown) -> dict[str, Any]:
        """Ask the model; returns a change for `derive`."""


class OfEvidence(Question):
    """What the evidence alone says, and what the rest does."""

    work = "checking"

    def open(self, shown: Shown) -> Asked | None:
        """Ask anew whenever the evidence is another one."""
        asked = shown.question
        return None if shown.answered is not None and same(shown.answered, asked) else asked

    def ask(self, shown: Shown) -> dict[str, Any]:
        """Make one pass, or two."""
        analysis, heatmap, keep = shown.analysis, shown.heatmap, shown.keep
        answer = {
            "opposite": analysis.opposite(heatmap, keep) if shown.show_opposite else None,
            "evidence": analysis.evidence(heatmap, keep),
            "answered": shown.question,
        }
        give_back()  # what passes through the network have left, these and those of a new photo
        return answer


class OfLayers(Question):
    """Where the evidence of each layer alone points."""

    work = "surveying"

    def open(self, shown: Shown) -> Asked | None:
        """Ask anew when the maps are others, or more of the photo is kept."""
        return shown.survey if shown.voting else None

    def ask(self, shown: Shown) -> dict[str, Any]:
        """Make a pass for each layer."""
        return {"votes": shown.analysis.votes(shown.keep), "surveyed": shown.survey}


class OfCard(Question):
    """Where the evidence of the layer points whose card is open."""

    work = "carding"
    delay = 0.0

    def open(self, shown: Shown) -> Asked | None:
        """Ask anew when the card is another layer's, or its map another one."""
        asked = shown.card_question
        return None if same(asked, shown.vote_asked) else asked

    def ask(self, shown: Shown) -> dict[str, Any]:
        """Make one pass."""
        vote = shown.analysis.vote(shown.opened, shown.keep)
        return {"vote": vote, "vote_asked": shown.card_question}


QUESTIONS: tuple[Question, ...] = (OfEvidence(), OfCard(), OfLayers())
