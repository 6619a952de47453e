"""Guess first: the person says where, then the model does, and both are scored."""

from __future__ import annotations

from dataclasses import dataclass, field

from combicam_widgets.geo import GeoPrediction, geoscore, great_circle_km
from combicam_widgets.shown.words import distance, percent

ROUNDS = 10
"""How many rounds a game has."""

POINTS = (
    "5,000 points for the very place; each 1,030 km farther off leaves half of them. The model is "
    "scored alike."
)
"""How guesses are scored, see `geoscore`."""


@dataclass(frozen=True)
class Round:
    """One photo: what the person guessed, what the model said, and the truth if it is known.

    Attributes
    ----------
    guess : (latitude, longitude)
        Where the person clicked, in degrees.
    prediction : GeoPrediction
    position : (latitude, longitude) or None
        Where the photo was taken; None if nobody knows, then nothing is scored. Never in the repr.
    """

    guess: tuple[float, float]
    prediction: GeoPrediction
    position: tuple[float, float] | None = field(repr=False)

    @property
    def guess_km(self) -> float:
        """Distance of the guess from the truth in km; from the model's answer if that is all."""
        best = self.prediction.best
        there = (best.latitude, best.longitude) if self.position is None else self.position
        return great_circle_km(*self.guess, *there)

    @property
    def model_km(self) -> float:
        """Distance of the model's answer from the truth in km; 0 if the truth is not known."""
        return 0.0 if self.position is None else self.prediction.distance_to(*self.position)

    @property
    def scores(self) -> tuple[float, float] | None:
        """Points of the person and of the model, 0 to 5000 each; see `geoscore`."""
        if self.position is None:
            return None
        return geoscore(self.guess_km), geoscore(self.model_km)

    def sentence(self, *, include_position: bool = True) -> str:
        """Say how it ended, in one line.

        Distances from the truth, and points, which are made of them, tell where it lies: without
        ``include_position`` there are none.
        """
        best = self.prediction.best
        says = f"The model says {best.place} ({percent(best.probability)})"
        if self.scores is None:
            return f"{says}, {distance(self.guess_km)} from your guess; the truth is not known."
        if not include_position:
            return f"{says}."
        yours, its = self.scores
        return (
            f"You were {distance(self.guess_km)} off: {_points(yours)}. {says}, "
            f"{distance(self.model_km)} off: {_points(its)}."
        )


@dataclass(frozen=True)
class Game:
    """All rounds so far.

    Attributes
    ----------
    rounds : tuple of Round
    """

    rounds: tuple[Round, ...] = ()

    def played(self, another: Round) -> Game:
        """Return the game with one more round; after the last one another game begins."""
        return Game((*(() if self.over else self.rounds), another))

    @property
    def over(self) -> bool:
        """Whether all rounds have been played."""
        return len(self.rounds) >= ROUNDS

    @property
    def totals(self) -> tuple[float, float]:
        """Points of the person and of the model over all rounds that could be scored."""
        scores = [played.scores for played in self.rounds if played.scores is not None]
        return sum(mine for mine, _ in scores), sum(its for _, its in scores)

    def score_line(self, *, include_position: bool = True) -> str:
        """Write the running score, "2 rounds: you 7,310, the model 9,020; 8 to go", or the result.

        Without ``include_position`` it is but "2 rounds": points tell of distances.
        """
        count = sum(played.scores is not None for played in self.rounds)
        if not count:
            return "No round scored yet"
        mine, its = self.totals
        rounds = "1 round" if count == 1 else f"{count} rounds"
        if not include_position:
            return rounds
        if not self.over:
            how = f"; {ROUNDS - len(self.rounds)} to go"
        else:
            how = ". You win!" if mine > its else ". The model wins." if its > mine else ". A draw."
        return f"{rounds}: you {mine:,.0f}, the model {its:,.0f}{how}"


def _points(score: float) -> str:
    number = f"{score:,.0f}"
    return f"{number} point" if number == "1" else f"{number} points"
