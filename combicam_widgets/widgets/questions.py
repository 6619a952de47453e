"""What is asked of a model after each change: what the evidence says, how the layers vote."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from combicam_widgets.geo import GeoPrediction
from combicam_widgets.shown.words import percent, sentence
from combicam_widgets.widgets.analysis import Analysis
from combicam_widgets.widgets.parts import Parts
from combicam_widgets.widgets.state import ExplorerState

_PAINT_FIRST = 0.1
"""Seconds after the last click before the evidence is asked about: the page paints meanwhile."""

_Answers: TypeAlias = tuple[GeoPrediction | None, GeoPrediction | None]
"""Of the evidence, and of the rest of the photo."""

_QUESTION = "Where is this? Click the place on the map."


class Questions:
    """Asks beside the page, the latest question wins; asks at once when Python does.

    Parameters
    ----------
    state : ExplorerState
    parts : Parts
    settle : callable
        Shows the line in words, with the error that is given.
    fail : callable
        Says what went wrong.
    """

    def __init__(
        self,
        state: ExplorerState,
        parts: Parts,
        settle: Callable[[str], None],
        fail: Callable[[Exception], None],
    ) -> None:
        self._state, self._parts = state, parts
        self._settle, self._fail = settle, fail

    def check(self, analysis: Analysis) -> None:
        """Ask what the evidence alone says, and what the rest does."""
        checking, ask = self._parts.checking, self._ask(analysis)

        def show(answers: tuple[GeoPrediction | None, GeoPrediction | None]) -> None:
            self._show_evidence(analysis, *answers)

        def fail(error: Exception) -> None:
            self._parts.overlay.show_values()
            self._fail(error)

        if self._parts.turns.from_page:
            checking.run(lambda _report: ask(), show, fail, delay=_PAINT_FIRST)
        else:
            checking.cancel()
            show(ask())

    def survey(self, analysis: Analysis) -> None:
        """Ask each layer for its vote, or forget the votes."""
        state, surveying = self._state, self._parts.surveying
        surveying.cancel()
        if not state.show_votes or state.hidden:
            self._show_votes(())
        elif self._parts.turns.from_page:
            keep = state.keep

            def show(votes: tuple[GeoPrediction, ...]) -> None:
                self._show_votes(votes)
                self._settle(state.error)

            surveying.run(
                lambda _report: analysis.votes(keep), show, self._fail, delay=_PAINT_FIRST
            )
        else:
            self._show_votes(analysis.votes(state.keep))
        self._settle(state.error)  # which says that votes are to come, or that none are

    def answer_now(self, analysis: Analysis) -> None:
        """Answer what is still being asked about the present fusion, in place."""
        if self._parts.checking.busy:
            self._parts.checking.cancel()
            self._show_evidence(analysis, *self._ask(analysis)())
        if self._parts.surveying.busy:
            self._parts.surveying.cancel()
            self._show_votes(analysis.votes(self._state.keep))
            self._settle(self._state.error)

    def dim_votes(self) -> None:
        """Show which of the votes are those of layers that are on."""
        self._show_votes(self._state.votes)

    def fill_card(self, analysis: Analysis, name: str) -> None:
        """Say in the diagram what a layer is, and then where it alone points."""
        state, keep = self._state, self._state.keep
        if name not in state.maps.names:
            return
        layer = next(x for x in state.model.architecture.layers if x.name == name)

        def show(vote: GeoPrediction | None) -> None:
            words = None
            if state.hidden:
                words = "hidden until you have guessed"
            elif vote is not None:
                words = f"{vote.best.place} ({percent(vote.best.probability)})"
            self._parts.diagram.show_card(layer, state.maps, state.image, state.colormap, words)

        show(None)
        self._parts.carding.run(lambda _report: analysis.vote(name, keep), show, self._fail)

    def _ask(self, analysis: Analysis) -> Callable[[], _Answers]:
        """Put the question about the present fusion, to be asked now or beside the page."""
        state = self._state
        heatmap, keep, opposite = state.heatmap, state.keep, state.show_opposite

        def ask() -> _Answers:
            rest = analysis.opposite(heatmap, keep) if opposite and heatmap.any() else None
            return analysis.evidence(heatmap, keep), rest

        return ask

    def _show_evidence(
        self, analysis: Analysis, evidence: GeoPrediction | None, opposite: GeoPrediction | None
    ) -> None:
        state = self._state
        with self._parts.turns.lock:
            state.set_trait("evidence", evidence)
            state.set_trait("opposite", opposite)
            self._parts.world.show_evidence(state.prediction, evidence, opposite)
            state.public_status = self._words(analysis, include_position=False)
            state.set_trait("status", self._words(analysis, include_position=True))
            self._settle(state.error)  # what went wrong meanwhile stays on screen
            self._parts.overlay.show_values()

    def _words(self, analysis: Analysis, *, include_position: bool) -> str:
        state = self._state
        if state.hidden:
            return _QUESTION
        if state.guessing and state.game.rounds:
            return state.game.rounds[-1].sentence(include_position=include_position)
        return sentence(
            state.prediction,
            state.maps.target,
            state.evidence,
            state.keep,
            state.image.position if include_position else None,
            analysis.seen,
            state.opposite,
            state.maps.contrast,
        )

    def _show_votes(self, votes: tuple[GeoPrediction, ...]) -> None:
        state = self._state
        with self._parts.turns.lock:
            state.set_trait("votes", votes)
            weights = [state.weights[name] for name in state.maps.names] if votes else None
            self._parts.world.show_votes(votes, weights=weights)
