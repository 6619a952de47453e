"""The one value that everything seen follows from, and the function that makes the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam.fusion import Normalization
from combicam_widgets.cam.localization import Box, share_inside
from combicam_widgets.cam.maps import LayerMaps, weight_vector
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.shown.analysis import Analysis, Model
from combicam_widgets.shown.game import POINTS, Game, Round
from combicam_widgets.shown.history import History
from combicam_widgets.shown.readonly import ReadOnlyDict, read_only
from combicam_widgets.shown.words import fusion_label, sentences

RECIPE = ("method", "rule", "normalize", "weights")
"""What makes the heatmap of the layer maps; undone and redone together."""

_QUESTION = "Where is this? Click the place on the map."


Heatmap: TypeAlias = npt.NDArray[np.float32]
Asked: TypeAlias = tuple[Any, ...]
"""A question to the model: answers belong to what is shown as long as both ask the same."""


@dataclass(frozen=True)
class Recipe:
    """How the heatmap is made of the layer maps."""

    method: str
    rule: str
    normalize: Normalization
    weights: ReadOnlyDict[str, float]


@dataclass(frozen=True, eq=False)
class Pinned:
    """A heatmap that the present one is compared with, and what it is, in words."""

    heatmap: Heatmap
    label: str
    share: float | None = None
    """Probability of the target with the evidence of it; None: not known."""

    drawn: Heatmap | None = None
    """What is painted of the heatmap; None: itself."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Settings:
    """What a change sets as it says, and no other field follows from but by `derive`.

    Those that have the name of one of the explorer's traits are that trait's values.

    Attributes
    ----------
    comparing : bool
        Whether a click on the map says with which cell the target is compared.
    opened : str
        Layer whose card is open; "" if none is.
    own_photos : tuple of (int, Photo)
        The latest photos that came from outside, to be chosen again, each with its number: photos
        are counted as long as the explorer lives.
    busy : bool
        Whether a photo, model or target is being worked on beside the page.
    """

    rule: str = "sum"
    normalize: Normalization = None
    keep: float = 0.3
    opacity: float = 0.8
    colormap: str = "inferno"
    outline: bool = False
    preview: str = ""
    box: Box | None = None
    show_opposite: bool = False
    show_votes: bool = False
    show_rings: bool = False
    online_tiles: bool = False
    tile_width: float = 1500.0
    comparing: bool = False
    opened: str = ""
    own_photos: tuple[tuple[int, Photo], ...] = ()
    height: int | None = None
    simple: bool = False
    presentation: bool = False
    busy: bool = False


SETTINGS = tuple(field.name for field in fields(Settings))

_ACTIONS = {*SETTINGS, *RECIPE, "guess", "guessing", "pin"} - {"preview", "busy", "own_photos"}
"""What a change names when somebody does something: an error is no longer about that."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Shown(Settings):
    """All that an explorer shows; never changed: `derive` makes the next one.

    What has the name of one of the explorer's traits is that trait's value.

    Attributes
    ----------
    analysis : Analysis
        What a model says of a photo, and the layer maps.
    weights, guessing, guess
        As the explorer's traits of these names.
    heatmap : (H, W) float32 array in [0, 1]
    shares : mapping from str to float
    evidence, opposite : GeoPrediction or None
    answered : tuple or None
        The question that these two answer; see `question`.
    votes : tuple of GeoPrediction
    surveyed : tuple or None
        The question that these answer; see `survey`.
    vote : GeoPrediction or None
        Where the layer of the card alone points.
    vote_asked : tuple or None
        The question that this answers; see `card_question`.
    game : Game
    pinned_fusion : Pinned or None
    past : History of Recipe
    error : str
    notice : str
        What was assumed or left out while the model was asked; like an error it is never saved.
    """

    analysis: Analysis
    weights: ReadOnlyDict[str, float]
    heatmap: Heatmap
    shares: ReadOnlyDict[str, float]
    guessing: bool = False
    guess: tuple[float, float] | None = None
    game: Game = field(default_factory=Game)
    evidence: GeoPrediction | None = None
    opposite: GeoPrediction | None = None
    answered: Asked | None = None
    votes: tuple[GeoPrediction, ...] = ()
    surveyed: Asked | None = None
    vote: GeoPrediction | None = None
    vote_asked: Asked | None = None
    pinned_fusion: Pinned | None = None
    past: History[Recipe] = field(default_factory=History)
    error: str = ""
    notice: str = ""

    # What follows without being kept.

    @property
    def model(self) -> Model:
        """The geo model."""
        return self.analysis.model

    @property
    def image(self) -> Photo:
        """The photo."""
        return self.analysis.photo

    @property
    def target(self) -> int | None:
        """The cell that was asked for; None: the most probable one."""
        return self.analysis.target

    @property
    def contrast(self) -> int | None:
        """The cell that the target is compared with."""
        return self.analysis.maps.contrast

    @property
    def maps(self) -> LayerMaps:
        """The layer maps of the method in view."""
        return self.analysis.maps

    @property
    def method(self) -> str:
        """The CAM method."""
        return self.analysis.maps.method

    @property
    def score(self) -> str:
        """The number whose gradient is explained."""
        return self.analysis.maps.score

    @property
    def prediction(self) -> GeoPrediction:
        """What the model says of the whole photo."""
        return self.analysis.prediction

    @property
    def recipe(self) -> Recipe:
        """How the heatmap is made."""
        return Recipe(self.method, self.rule, self.normalize, self.weights)

    @property
    def hidden(self) -> bool:
        """Whether the answers are hidden, since somebody is to guess first."""
        return self.guessing and self.guess is None

    @property
    def pinned(self) -> str:
        """What the present fusion is compared with, in words."""
        return "" if self.pinned_fusion is None else self.pinned_fusion.label

    @property
    def label(self) -> str:
        """The present fusion in a few words."""
        return fusion_label(self.maps, self.rule, self.weights)

    @cached_property
    def inside(self) -> float | None:
        """Share of the heat inside the box."""
        return None if self.box is None else share_inside(self.heatmap, self.box)

    @cached_property
    def said(self) -> tuple[str, ...]:
        """All in words: a sentence, and what is more."""
        return self._words(include_position=True)

    @cached_property
    def public_said(self) -> tuple[str, ...]:
        """The same without anything of the photo's own position."""
        return self._words(include_position=False)

    @property
    def status(self) -> str:
        """All in words."""
        return " ".join(self.said)

    @property
    def public_status(self) -> str:
        """All in words without anything of the photo's own position."""
        return " ".join(self.public_said)

    # What a model is to be asked; None: nothing.

    @property
    def question(self) -> Asked:
        """What `evidence` and `opposite` answer."""
        return self.heatmap, self.keep, self.show_opposite

    @property
    def survey(self) -> Asked | None:
        """What `votes` answer."""
        return (self.maps, self.keep) if self.show_votes and not self.hidden else None

    @property
    def card_question(self) -> Asked | None:
        """What `vote` answers."""
        return (self.maps, self.keep, self.opened) if self.opened and not self.hidden else None

    @property
    def voting(self) -> bool:
        """Whether votes are still to come."""
        return self.survey is not None and not same(self.survey, self.surveyed)

    def _words(self, *, include_position: bool) -> tuple[str, ...]:
        if self.hidden:
            return _QUESTION, POINTS
        if self.guessing and self.game.rounds:
            return self.game.rounds[-1].sentence(include_position=include_position), POINTS
        return sentences(
            self.prediction,
            self.maps.target,
            self.evidence,
            # Of an answer that is about to be replaced, what was asked for it.
            self.keep if self.answered is None else self.answered[1],
            self.image.position if include_position else None,
            self.analysis.seen,
            self.opposite,
            self.maps.contrast,
            asked=self.answered is not None,
            pinned=None if self.pinned_fusion is None else self.pinned_fusion.share,
        )


def first(analysis: Analysis, change: Mapping[str, Any]) -> Shown:
    """Make the first value: an analysis with the given settings, all layers on by default."""
    on: ReadOnlyDict[str, float] = ReadOnlyDict(dict.fromkeys(analysis.maps.names, 1.0))
    shown = Shown(analysis=analysis, weights=on, heatmap=np.zeros((1, 1), np.float32), shares=on)
    return derive(replace(shown, past=History()), {"weights": on} | dict(change), afresh=True)


def derive(shown: Shown, change: Mapping[str, Any], *, afresh: bool = False) -> Shown:
    """Make the value that follows from a change. Pure: nothing is asked, nothing is changed.

    Parameters
    ----------
    shown : Shown
    change : mapping
        Names of `SETTINGS` and of `RECIPE`, and any of

        - ``analysis``: another one; or ``maps`` of the same layers for the present one;
        - ``guessing``, ``guess``: of the game;
        - ``pin``: whether the present fusion is pinned;
        - ``past``: where undoing or redoing has led; ``gesture``: what `History.push` takes;
        - ``error``: what went wrong; without it an error stays until something is done;
        - ``notice``: what was warned of; without it a notice stays until a model is asked anew;
        - answers with their question: ``evidence``, ``opposite`` and ``answered``; ``votes`` and
          ``surveyed``; ``vote`` and ``vote_asked``. They are taken only if they answer what is
          asked now.
    afresh : bool
        Fuse even if nothing has changed.

    Raises
    ------
    TypeError, ValueError
        A name that nothing has; weights that `complete_weights` refuses, a method that the maps do
        not know, a layer that there is not. Whatever a rule of the user's own raises is passed on.
    """
    change = _answers_that_fit(shown, _known(change))
    analysis = _analysis_after(shown, change)
    new_photo = analysis.photo is not shown.image
    new_model = analysis.model is not shown.model
    new_pass = analysis is not shown.analysis and "analysis" in change
    now: dict[str, Any] = {name: change[name] for name in SETTINGS if name in change}
    now["analysis"] = analysis
    if new_photo or new_model:
        now = {"guess": None, "box": None, "pinned_fusion": None} | now
    if new_pass:
        now = {"notice": "", "preview": "", "comparing": analysis.maps.contrast is not None} | now
        now |= dict.fromkeys(("evidence", "opposite", "answered", "surveyed", "vote"))
        now["votes"] = ()
    now |= _game_after(shown, change, analysis)
    now["weights"] = _weights_after(shown, change, analysis.maps.names)
    for name in ("preview", "opened"):
        if now.get(name, getattr(shown, name)) not in {"", *analysis.maps.names}:
            if name in change:
                raise ValueError(f"There is no layer {change[name]!r:.60}.")
            now[name] = ""
    if analysis is not shown.analysis or _ACTIONS & set(change):
        now["error"] = ""  # the next thing that somebody does is another matter
    now |= {name: change[name] for name in ("error", "notice", *_ANSWERS) if name in change}
    new = replace(shown, **now)
    if afresh or new.recipe != shown.recipe or new.maps is not shown.maps:
        new = _fused(new)
    past = change.get("past") or (History() if new_model else shown.past)
    if new.recipe != shown.recipe or new_model or afresh:
        past = past.copy()
        past.push(new.recipe, change.get("gesture"))
    new = replace(new, past=past, **_answers_known(new))
    if "pin" in change:
        new = replace(new, pinned_fusion=_pinned(new) if change["pin"] else None)
    return replace(new, pinned_fusion=_pinned_share(new))


def _pinned(shown: Shown) -> Pinned:
    settings = shown.weights, shown.rule, shown.normalize
    drawn = shown.maps.fuse(*settings, size=shown.analysis.heatmap_size, smooth=True)
    return Pinned(shown.heatmap, shown.label, drawn=read_only(drawn))


def _pinned_share(shown: Shown) -> Pinned | None:
    """Complete what is pinned when it is known what its evidence says."""
    pinned, evidence = shown.pinned_fusion, shown.evidence
    if pinned is None or evidence is None or pinned.heatmap is not shown.heatmap:
        return pinned
    if not same(shown.answered, shown.question):
        return pinned
    return replace(pinned, share=float(evidence.probabilities[shown.maps.target]))


def redacted(shown: Shown) -> Shown:
    """Take out what must stay secret while somebody is to guess first.

    Gone are the answer (prediction, target, evidence, votes and what was recognised), where to look
    for it (tiles, shares, heat), and the photo's name, position and credit.
    """
    if not shown.hidden:
        return shown
    zeros = np.zeros_like(shown.heatmap)
    gone: dict[str, Any] = dict.fromkeys(dict.fromkeys(_ANSWERS.values()) | _ANSWERS)
    return replace(
        shown,
        analysis=shown.analysis.redacted,
        heatmap=zeros,
        shares=ReadOnlyDict(dict.fromkeys(shown.shares, 0.0)),
        preview="",
        pinned_fusion=None,
        own_photos=(),
        comparing=False,
        **(gone | {"votes": ()}),
    )


def complete_weights(names: tuple[str, ...], weights: object) -> ReadOnlyDict[str, float]:
    """Give each layer its weight, rounded to six decimals; layers that are not named are off.

    Raises
    ------
    TypeError, ValueError
        No mapping from layers to finite numbers >= 0, or none that is above 0 when rounded.
    """
    if not isinstance(weights, Mapping):
        raise TypeError(f"weights must be a dict from layer to weight, not {weights!r}.")
    rounded = np.round(weight_vector(names, weights).astype(float), 6)
    if not rounded.any():
        raise ValueError("At least one layer must stay on, with a weight of at least 0.000001.")
    return ReadOnlyDict(zip(names, rounded.tolist(), strict=True))


def same(one: object, other: object) -> bool:
    """Whether two values are the same: plain ones by value, what holds arrays by identity."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if one is other or isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return one is other
    return bool(one == other)


_ANSWERS = {
    "evidence": "answered",
    "opposite": "answered",
    "answered": "answered",
    "votes": "surveyed",
    "surveyed": "surveyed",
    "vote": "vote_asked",
    "vote_asked": "vote_asked",
}
"""Answers, by the field that holds their question."""


def _known(change: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := set(change) - _KNOWN:
        raise TypeError(f"There is nothing called {min(unknown)!r} to change.")
    return dict(change)


def _answers_that_fit(shown: Shown, change: dict[str, Any]) -> dict[str, Any]:
    asked = {
        "answered": shown.question,
        "surveyed": shown.survey,
        "vote_asked": shown.card_question,
    }
    late = {name for name, now in asked.items() if name in change and not same(change[name], now)}
    return {name: value for name, value in change.items() if _ANSWERS.get(name) not in late}


def _analysis_after(shown: Shown, change: Mapping[str, Any]) -> Analysis:
    analysis: Analysis = change.get("analysis", shown.analysis)
    if "maps" in change:
        if change["maps"].names != analysis.maps.names:
            raise ValueError("Other maps must be of the same layers.")
        analysis = replace(analysis, maps=change["maps"])
    method = change.get("method", analysis.maps.method)
    if method != analysis.maps.method:
        analysis = replace(analysis, maps=analysis.maps.with_method(method))
    return analysis


def _weights_after(
    shown: Shown, change: Mapping[str, Any], names: tuple[str, ...]
) -> ReadOnlyDict[str, float]:
    if "weights" in change:
        return complete_weights(names, change["weights"])
    if tuple(shown.weights) == names:
        return shown.weights
    return ReadOnlyDict(dict.fromkeys(names, 1.0))


def _game_after(shown: Shown, change: Mapping[str, Any], analysis: Analysis) -> dict[str, Any]:
    if change.get("guessing", shown.guessing) != shown.guessing:
        return {"guessing": change["guessing"], "guess": None, "game": Game()}
    if "guess" not in change:
        return {}
    guess = change["guess"]
    if not shown.guessing or guess is None:
        return {"guess": guess}
    played = Round(guess, analysis.prediction, analysis.photo.position)
    return {"guess": guess, "game": shown.game.played(played)}


def _fused(shown: Shown) -> Shown:
    settings = shown.weights, shown.rule, shown.normalize
    heatmap = shown.maps.fuse(*settings, size=shown.analysis.heatmap_size)
    shares = ReadOnlyDict(shown.maps.shares(*settings))
    return replace(shown, heatmap=read_only(heatmap), shares=shares)


def _answers_known(shown: Shown) -> dict[str, Any]:
    """Give the answers that nobody has to be asked for."""
    known: dict[str, Any] = {}
    if not shown.heatmap.any():
        known |= {"evidence": None, "opposite": None, "answered": shown.question}
    elif not shown.show_opposite:
        known["opposite"] = None
        if shown.answered is not None and same(shown.answered[:2], shown.question[:2]):
            known["answered"] = shown.question  # the rest is asked about no longer
    if shown.survey is None:
        known |= {"votes": (), "surveyed": None}
    if not same(shown.card_question, shown.vote_asked):
        known |= {"vote": None, "vote_asked": None}
    return known


FIELDS = tuple(field.name for field in fields(Shown))
_KNOWN = {*FIELDS, *RECIPE, "maps", "pin", "gesture"}
