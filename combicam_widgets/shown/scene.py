"""What the world map shows, as values: flags, lines, votes, the list of cells and the legend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from combicam_widgets.geo import GeoPrediction, Guess, great_circle_km
from combicam_widgets.shown.colors import palette
from combicam_widgets.shown.lines import Place, arc, outlines, ring
from combicam_widgets.shown.words import distance, percent

RING_RADII_KM = (25.0, 200.0, 750.0, 2500.0)
"""City, region, country, continent."""

_TOP = 5
_RAMP = "cividis"
_SAYS = {
    "photo": "whole photo: where the model points",
    "evidence": "evidence: where the hottest part alone points",
    "rest": "the rest: where the photo without the evidence points",
    "guess": "your guess: where you think it was taken",
}


@dataclass(frozen=True)
class Flag:
    """A flag with words, planted at a place; `kind` is its colour, `title` says more."""

    kind: str
    text: str
    title: str
    place: Place


@dataclass(frozen=True)
class Line:
    """A line in pieces, with a label that may sit at one of a few spots on it."""

    kind: str
    pieces: list[list[Place]]
    label: str = ""
    spots: Sequence[Place] = ()


@dataclass(frozen=True)
class Vote:
    """A layer's vote: its number, place, colours, and whether the layer is on."""

    layer: int
    number: str
    title: str
    place: Place
    color: str
    ink: str
    on: bool


@dataclass(frozen=True)
class Row:
    """A cell in the list: `share` is its probability compared with the best cell's, 0 to 1."""

    index: int
    text: str
    share: float
    role: str


@dataclass(frozen=True)
class Key:
    """A line of the legend."""

    kind: str
    text: str


@dataclass(frozen=True)
class OfTruth:
    """What tells where the photo was taken, or how far from there something lies."""

    flags: tuple[Flag, ...] = ()
    lines: tuple[Line, ...] = ()
    legend: tuple[Key, ...] = ()


@dataclass(frozen=True, eq=False)
class Scene:
    """All that can be shown; see `World` for what each is. None and empty: not shown.

    Only `of_truth` makes use of ``truth``.
    """

    prediction: GeoPrediction | None = None
    target: int = -1
    evidence: GeoPrediction | None = None
    opposite: GeoPrediction | None = None
    contrast: int | None = None
    truth: Place | None = None
    guess: Place | None = None
    rings: GeoPrediction | None = None
    votes: tuple[GeoPrediction, ...] = ()
    numbers: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()

    @property
    def redacted(self) -> Scene:
        """What may be known of it by somebody who is to guess first: their own guess."""
        return Scene(guess=self.guess)

    @property
    def elsewhere(self) -> bool:
        """Whether another place than the model's own answer is explained."""
        return self.prediction is not None and self.target not in {-1, self.prediction.best.index}

    def top(self) -> tuple[Guess, ...]:
        """Return the cells that are outlined and listed."""
        return () if self.prediction is None else top_cells(self.prediction)

    def outlines(self) -> dict[str, list[list[Place]]]:
        """Outline the top cells, the explained one and the one it is compared with."""
        cells = None if self.prediction is None else self.prediction.cells
        chosen = {
            "top": tuple(guess.index for guess in self.top()),
            "target": (self.target,),
            "contrast": () if self.contrast is None else (self.contrast,),
        }
        return {
            kind: [] if cells is None else outlines(cells, indices)
            for kind, indices in chosen.items()
        }

    def flags(self) -> list[Flag]:
        """Plant the flags; answers that agree share one."""
        flags = []
        said: dict[int, tuple[Guess, list[tuple[str, str]]]] = {}
        for kind, text, prediction in (
            ("photo", "whole photo", self.prediction),
            ("evidence", "evidence", self.evidence),
            ("rest", "the rest", self.opposite),
        ):
            if prediction is not None:
                best = prediction.best
                said.setdefault(best.index, (best, []))[1].append((kind, text))
        for best, names in said.values():
            text = together([text for _, text in names])
            words = f"{percent(best.probability)} {best.place}"
            flags.append(Flag(names[0][0], text, f"{text}: {words}", _center(best)))
        if self.prediction is not None and self.contrast is not None:
            for kind, text, index in (
                ("target", "why here", self.target),
                ("contrast", "rather than there", self.contrast),
            ):
                cell = self.prediction.guess(index)
                flags.append(Flag(kind, text, f"{text}: {_words(cell)}", _center(cell)))
        if self.guess is not None:
            flags.append(Flag("guess", "your guess", "your guess", self.guess))
        return flags

    def lines(self) -> list[Line]:
        """Draw lines from the best cell to what is compared with it."""
        lines: list[Line] = []
        if self.prediction is None:
            return lines
        best = self.prediction.best
        for kind, other in (("evidence", self.evidence), ("rest", self.opposite)):
            if other is not None and other.best.index != best.index:
                lines.append(Line(kind, arc(_center(best), _center(other.best))[0]))
        return lines

    def of_truth(self) -> OfTruth:
        """Plant the flag where the photo was taken, and say how far from there things lie."""
        if self.truth is None:
            return OfTruth()
        lines, legend = [], [Key("flag-truth", "true place: where the photo was taken")]
        if self.prediction is not None:
            error = distance(self.prediction.distance_to(*self.truth))
            way = arc(_center(self.prediction.best), self.truth)
            lines.append(Line("error", *_labelled(way, error)))
            legend.append(Key("error", f"{error} from the answer to the true place"))
        if self.guess is not None:
            error = distance(great_circle_km(*self.guess, *self.truth))
            legend.append(Key("flag-guess", f"{error} from your guess to the true place"))
        flag = Flag("truth", "true place", "true place", self.truth)
        return OfTruth((flag,), tuple(lines), tuple(legend))

    def circles(self) -> list[Line]:
        """Draw the rings, each labelled with the probability inside."""
        if self.rings is None:
            return []
        return [
            Line("ring", *_labelled(ring(self.rings, km), f"{distance(km)}: {percent(inside)}"))
            for km, inside in ((km, self.rings.density(km)) for km in RING_RADII_KM)
        ]

    def marks(self) -> list[Vote]:
        """Mark every layer's best cell, coloured from the first layer (dark) to the last."""
        colors = ramp(len(self.votes))
        marks = []
        for i, (vote, number, weight) in enumerate(
            zip(self.votes, self.numbers, self.weights, strict=True)
        ):
            best = vote.best
            title = f"layer {number}: {_words(best)}" + ("" if weight > 0 else " (switched off)")
            marks.append(Vote(i, number, title, _center(best), *colors[i], weight > 0))
        return marks

    def rows(self) -> list[Row]:
        """List the top cells, and those that are explained or compared if they are not among."""
        if self.prediction is None:
            return []
        listed = list(self.top())
        highest = listed[0].probability
        for index in (self.target, self.contrast):
            if index is not None and index not in {guess.index for guess in listed}:
                listed.append(self.prediction.guess(index))
        roles = {self.contrast: "rather than there", self.target: "explained"}
        return [
            Row(
                guess.index,
                _words(guess),
                round(guess.probability / highest, 3),
                roles.get(guess.index, ""),
            )
            for guess in listed
        ]

    def legend(self) -> list[Key]:
        """Explain what is shown, and nothing else."""
        keys = []
        if self.prediction is not None:
            keys += [
                Key("shading", "the stronger, the more probable"),
                Key("top", f"the {len(self.top())} most probable cells"),
                Key("target", "the cell that is explained"),
            ]
            if self.contrast is not None:
                keys.append(Key("contrast", "rather than there: the cell it is compared with"))
        said = {
            "photo": self.prediction,
            "evidence": self.evidence,
            "rest": self.opposite,
            "guess": self.guess,
        }
        keys += [Key(f"flag-{kind}", _SAYS[kind]) for kind, shown in said.items() if shown]
        if self.rings is not None:
            for km in RING_RADII_KM:
                inside = percent(self.rings.density(km))
                keys.append(Key("ring", f"{inside} within {distance(km)} of the best cell"))
        if self.votes:
            keys.append(Key("votes", "where each layer alone points, first to last layer"))
            if any(weight <= 0 for weight in self.weights):
                keys.append(Key("off", "layers that are switched off"))
        return keys


def top_cells(prediction: GeoPrediction) -> tuple[Guess, ...]:
    """Return the most probable cells, at most five, the most probable first."""
    return prediction.top(min(_TOP, len(prediction.cells)))


def ramp(n: int) -> list[tuple[str, str]]:
    """Choose n (colour, ink) pairs from dark to light: the deeper the layer, the lighter."""
    colors = palette(_RAMP)
    chosen = colors[np.linspace(0, len(colors) - 1, n).astype(int)] if n else colors[:0]
    # Relative luminance; black and white stand out equally from 0.18 (WCAG 2.2).
    linear = np.where(chosen <= 10, chosen / 3294.6, ((chosen / 255 + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return [
        ("#{:02x}{:02x}{:02x}".format(*color), "#000" if light > 0.179 else "#fff")
        for color, light in zip(chosen.tolist(), luminance.tolist(), strict=True)
    ]


def _labelled(
    drawn: tuple[list[list[Place]], list[Place]], label: str
) -> tuple[list[list[Place]], str, list[Place]]:
    pieces, spots = drawn
    return pieces, label, spots


def together(words: list[str]) -> str:
    """Join words as people do: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _words(guess: Guess) -> str:
    return f"{percent(guess.probability)} {guess.place}"


def _center(guess: Guess) -> Place:
    return round(guess.latitude, 4), round(guess.longitude, 4)
