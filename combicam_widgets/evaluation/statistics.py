"""Paired statistics over photos: differences to a reference, with intervals. Pure numpy, scipy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """A candidate beside the reference.

    Attributes
    ----------
    mean : float
        Mean of the candidate's values.
    difference, low, high : float
        Mean of its paired differences to the reference, and their 95 % interval: percentiles of
        the bootstrap over photos.
    won : float
        Share of photos on which it is better, in [0, 1]; ties count half.
    p, p_holm : float
        Two-sided Wilcoxon signed-rank test of the differences; the same corrected over the
        candidates after Holm. 1 if nothing differs.
    photos : int
        Photos with both values.
    """

    mean: float
    difference: float
    low: float
    high: float
    won: float
    p: float
    p_holm: float
    photos: int


def comparison(
    values: Mapping[str, Floats],
    reference: str,
    higher_is_better: bool,  # noqa: FBT001
    draws: int = 5000,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare candidates with one of them, photo by photo; (P,) values each, NaN for none."""
    others = [name for name in values if name != reference]
    paired = {name: values[name] - values[reference] for name in others}
    paired = {name: x[np.isfinite(x)] for name, x in paired.items()}
    p = {name: _wilcoxon(x) for name, x in paired.items()}
    corrected = holm(p)
    result = {}
    for name, differences in paired.items():
        low, high = interval(differences, draws, seed)
        better = differences if higher_is_better else -differences
        both = np.isfinite(values[name] - values[reference])
        result[name] = Comparison(
            mean=_mean(values[name][both]),
            difference=_mean(differences),
            low=low,
            high=high,
            won=_mean((better > 0) + 0.5 * (better == 0)),
            p=p[name],
            p_holm=corrected[name],
            photos=len(differences),
        )
    return result


def interval(values: Floats, draws: int = 5000, seed: int = 0) -> tuple[float, float]:
    """Bootstrap the mean of some values: its 2.5 and 97.5 percentiles; NaN for no values."""
    if not len(values):
        return np.nan, np.nan
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for first in range(0, draws, 500):  # at most 500 x P indices at a time
        count = min(500, draws - first)
        drawn = random.integers(len(values), size=(count, len(values)))
        means[first : first + count] = values[drawn].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Correct p-values for their number: Holm, Scandinavian Journal of Statistics 6, 1979."""
    result: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=lambda name: p[name])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        result[name] = largest
    return result


def agreement(measures: Mapping[str, Mapping[str, Floats]]) -> Floats:
    """Rank candidates by each measure on each photo and correlate: (M, M), mean over photos."""
    names = list(measures)
    result = np.eye(len(names))
    for i, first in enumerate(names):
        for j, second in enumerate(names[:i]):
            shared = [c for c in measures[first] if c in measures[second]]
            a, b = (np.array([measures[m][c] for c in shared]) for m in (first, second))
            whole = np.isfinite(a + b).all(0)
            found = [_spearman(x, y) for x, y in zip(a[:, whole].T, b[:, whole].T, strict=True)]
            known = [x for x in found if np.isfinite(x)]
            result[i, j] = result[j, i] = _mean(np.array(known))
    return result


def mean_ranks(
    values: Mapping[str, Floats],
    higher_is_better: bool,  # noqa: FBT001
) -> tuple[dict[str, float], float]:
    """Rank candidates on each photo (1: the best) and give mean ranks and critical difference.

    Candidates whose mean ranks differ by less than the critical difference cannot be told apart at
    5 % (Nemenyi; Demsar, JMLR 7, 2006).
    """
    stacked = np.array(list(values.values()))
    stacked = stacked[:, np.isfinite(stacked).all(0)]
    ranks = scipy.stats.rankdata(-stacked if higher_is_better else stacked, axis=0)
    count, photos = stacked.shape
    q = scipy.stats.studentized_range.ppf(0.95, count, np.inf) / np.sqrt(2)
    critical = float(q * np.sqrt(count * (count + 1) / (6 * photos))) if photos else np.nan
    return dict(zip(values, ranks.mean(1).tolist(), strict=True)), critical


def _wilcoxon(differences: Floats) -> float:
    return float(scipy.stats.wilcoxon(differences).pvalue) if differences.any() else 1.0


def _spearman(first: Floats, second: Floats) -> float:
    """Correlate ranks; NaN if one side ranks nothing."""
    a, b = scipy.stats.rankdata(first), scipy.stats.rankdata(second)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    return float(np.corrcoef(a, b)[0, 1])


def _mean(values: npt.NDArray[np.floating]) -> float:
    return float(values.mean()) if len(values) else np.nan
