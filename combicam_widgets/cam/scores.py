"""Scores: the number whose gradient explains the network's answer.

See the section "Score that is differentiated" of the documentation: with the fusion rule ``sum``
the scores ``probability`` and ``log_probability`` give the same heatmap, and only the second one
does not underflow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def _pick(values: Tensor, target: Tensor) -> Tensor:
    return values.gather(1, target[:, None])[:, 0]


_SCORES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "log_probability": lambda z, c: _pick(z.log_softmax(1), c),
    "probability": lambda z, c: _pick(z.softmax(1), c),
    "logit": _pick,
}

SCORES = tuple(_SCORES)
"""Names of the scores, the default first."""


def class_score(name: str, logits: Tensor, target: Tensor) -> Tensor:
    """Score of each photo's target.

    Parameters
    ----------
    name : str
        ``log_probability`` (log p_c), ``probability`` (p_c, what the Combi-CAM reference code
        differentiates) or ``logit`` (z_c, what most CAM libraries use).
    logits : Tensor, shape (N, C)
    target : Tensor of int64, shape (N,)

    Returns
    -------
    Tensor, shape (N,)
    """
    check_score(name)
    return _SCORES[name](logits.float(), target)


def check_score(name: str) -> None:
    """Raise a ValueError that names the scores there are."""
    if name not in _SCORES:
        raise ValueError(f"Unknown score {name!r}; the scores are {', '.join(SCORES)}.")
