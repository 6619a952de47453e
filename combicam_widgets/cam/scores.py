"""Scores: the number whose gradient explains the network's answer.

See the section "Score that is differentiated" of the documentation: with the fusion rule ``sum``
the scores ``probability`` and ``log_probability`` give the same heatmap, and only the second one
does not underflow.

A score of your own is a function of the logits (N, C) and of each photo's target (N,); give it as
``score=``, or register it, and then its name will do, in the explorer too::

    @cam.score("margin")
    def margin(logits, target):
        chosen = logits.gather(1, target[:, None])[:, 0]
        return chosen - logits.scatter(1, target[:, None], -torch.inf).amax(1)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from combicam_widgets.cam.listeners import Listeners

ScoreOf: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From logits (N, C) and targets (N,) to one number per photo, (N,)."""


def _pick(values: Tensor, target: Tensor) -> Tensor:
    return values.gather(1, target[:, None])[:, 0]


_SCORES: dict[str, ScoreOf] = {
    "log_probability": lambda z, c: _pick(z.log_softmax(1), c),
    "probability": lambda z, c: _pick(z.softmax(1), c),
    "logit": _pick,
}

SCORES = tuple(_SCORES)
"""Names of the scores that are built in, the default first."""

_own: dict[str, ScoreOf] = {}

when_scores_change = Listeners()


def score(name: str) -> Callable[[ScoreOf], ScoreOf]:
    """Register the decorated function as a score.

    Parameters
    ----------
    name : str
        A score of yours with that name is replaced.

    Notes
    -----
    The function is given the logits, (N, C) float32, and the index of each photo's target, (N,)
    int64, and returns one number per photo, (N,), through which a gradient comes.

    Raises
    ------
    TypeError
        The name is no text.
    ValueError
        It is the name of a score that is built in.
    """
    if not isinstance(name, str) or not name:
        raise TypeError(f"A score needs a name, not {name!r}: @score('mine').")
    if name in _SCORES:
        raise ValueError(f"{name!r} is the name of a score that is built in; choose another.")

    def register(score_of: ScoreOf) -> ScoreOf:
        _own[name] = score_of
        when_scores_change.tell()
        return score_of

    return register


def score_names() -> tuple[str, ...]:
    """Names of all scores: those that are built in, and your own."""
    return (*_SCORES, *_own)


def class_score(score: str | ScoreOf, logits: Tensor, target: Tensor) -> Tensor:
    """Score of each photo's target.

    Parameters
    ----------
    score : str or callable
        ``log_probability`` (log p_c), ``probability`` (p_c, what the Combi-CAM reference code
        differentiates), ``logit`` (z_c, what most CAM libraries use), or one of your own.
    logits : Tensor, shape (N, C)
    target : Tensor of int64, shape (N,)

    Returns
    -------
    Tensor, shape (N,)

    Raises
    ------
    TypeError, ValueError
        As `checked_score`, or a score of somebody's own gives something else.
    """
    name, score_of = checked_score(score)
    values = score_of(logits.float(), target)
    if not isinstance(values, Tensor) or values.shape != target.shape:
        given = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(
            f"The score {name!r} must give one number per photo, a tensor ({len(target)},), not "
            f"{given}."
        )
    return values


def checked_score(score: object) -> tuple[str, ScoreOf]:
    """Return the name of a score and its function.

    Raises
    ------
    TypeError
        Neither a name nor callable.
    ValueError
        An unknown name; the message has those there are.
    """
    if callable(score):
        return str(getattr(score, "__name__", type(score).__name__)), score
    if not isinstance(score, str):
        raise TypeError(f"score must be a name or a function of logits and targets, not {score!r}.")
    known = _SCORES | _own
    if score not in known:
        raise ValueError(f"Unknown score {score!r}; the scores are {', '.join(known)}.")
    return score, known[score]
