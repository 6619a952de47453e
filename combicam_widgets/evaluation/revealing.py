"""Insertion and deletion: the photo comes and goes in the order of its heat.

Petsiuk, Das and Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC
2018. Pixels are ranked, never compared with a threshold: maps after a relu are mostly exact zeros,
and a threshold at zero would take the whole photo away at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from combicam_widgets.evaluation.asking import Ask, Floats, Progress, answers, asked, share
from combicam_widgets.evaluation.fills import Fill, fill_name, filled
from combicam_widgets.whole import whole

Heatmap = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False, repr=False)
class Curves:
    """How the target's probability changes while the photo comes and goes, for n heatmaps.

    Attributes
    ----------
    fill : str
        What stood where the photo was taken away.
    areas : (S + 1,) float64 array
        Part of the photo that was given back, or taken away: 0 to 1 in equal steps.
    inserted, deleted : (n, S + 1) float64 arrays
        Probability of the target with the hottest part of each area given back to the fill, or
        taken away from the photo; in [0, 1].
    probability : float
        Probability for the whole photo.
    """

    fill: str
    areas: Floats
    inserted: Floats
    deleted: Floats
    probability: float

    @property
    def insertion(self) -> Floats:
        """Area below each insertion curve (trapezoids), in [0, 1]: higher is better. (n,)."""
        return _below(self.inserted, self.areas)

    @property
    def deletion(self) -> Floats:
        """Area below each deletion curve (trapezoids), in [0, 1]: lower is better. (n,)."""
        return _below(self.deleted, self.areas)

    @property
    def worth(self) -> Floats:
        """(insertion - deletion) / p, (n,): 0 for chance, below for what is better left out.

        Not clipped: where a part convinces more than the whole photo, insertion / p exceeds 1.
        """
        return share(self.insertion - self.deletion, self.probability)

    def __repr__(self) -> str:
        worth = ", ".join(f"{x:.2f}" for x in self.worth)
        return f"Curves(fill {self.fill}, p = {self.probability:.3g}, worth {worth})"


def ranks(heatmap: Heatmap, seed: int = 0) -> npt.NDArray[np.intp]:
    """Rank the pixels by falling heat: 0 for the hottest; ties in a seeded random order.

    Parameters
    ----------
    heatmap : (H, W) array
    seed : int

    Returns
    -------
    (H, W) int array
        Each of 0 ... H W - 1 once.
    """
    heat = np.asarray(heatmap).ravel()
    shuffled = np.random.default_rng(seed).permutation(heat.size)
    order = shuffled[np.argsort(-heat[shuffled], kind="stable")]
    result = np.empty(heat.size, np.intp)
    result[order] = np.arange(heat.size)
    return result.reshape(np.shape(heatmap))


def reveal(
    ask: Ask,
    batch: Tensor,
    heatmaps: Sequence[Heatmap],
    fill: Fill = "blur",
    *,
    steps: int = 10,
    seed: int = 0,
    probability: float | None = None,
    progress: Progress | None = None,
) -> Curves:
    """Give the photo back, and take it away, in order of heat and in equal steps of area.

    The whole photo and the empty one are the same for all heatmaps and both ways, so that n
    heatmaps take 2 n (S - 1) + 2 passes; all of them share batches.

    Parameters
    ----------
    ask : callable
        From a batch (N, K, h, w) to the (N,) probabilities of the target.
    batch : Tensor, shape (1, K, h, w)
        The photo as the network sees it.
    heatmaps : sequence of (H, W) arrays
        Finite, in [0, 1], of any size: they are resized to the batch.
    fill : str or callable
        See `fills.filled`.
    steps : int
        S >= 1.
    seed : int
        For the order of ties, and for fills that draw.
    probability : float, optional
        Of the whole photo, if it is known: saves a pass.
    progress : callable, optional
        Called as ``progress(done, total)``, in passes; what it raises stops the work.

    Returns
    -------
    Curves

    Raises
    ------
    TypeError, ValueError
        The argument that is wrong, what was given and what to do.
    """
    steps = checked_count(steps, "steps")
    instead = filled(batch, fill, seed)
    maps = [resized(heatmap, batch) for heatmap in heatmaps]
    pixels = batch.shape[2] * batch.shape[3]
    counts = [round(pixels * step / steps) for step in range(1, steps)]

    def masks() -> Iterator[Tensor]:
        """Where the photo is shown."""
        for heat in maps:
            ranked = torch.from_numpy(ranks(heat, seed)).to(batch.device)
            for count in counts:
                yield ranked < count
                yield ranked >= count

    total = 2 * len(counts) * len(maps)
    states = (torch.where(mask, batch[0], instead[0]) for mask in masks())
    found = answers(ask, states, total, progress).reshape(len(maps), len(counts), 2)
    whole = asked(ask, batch)[0] if probability is None else probability
    empty = asked(ask, instead)[0]
    first, last = np.full((len(maps), 1), empty), np.full((len(maps), 1), whole)
    return Curves(
        fill=fill_name(fill),
        areas=np.array([0, *counts, pixels]) / pixels,
        inserted=np.hstack([first, found[..., 0], last]),
        deleted=np.hstack([last, found[..., 1], first]),
        probability=float(whole),
    )


def resized(heatmap: Heatmap, batch: Tensor) -> npt.NDArray[np.float32]:
    """Check a heatmap and resize it to a batch: bilinear, corners aligned; (h, w) in [0, 1]."""
    heat = np.asarray(heatmap)
    if heat.dtype.kind not in "fiub":
        raise TypeError(f"The heatmap must be an array of numbers, not of {heat.dtype}.")
    if heat.ndim != 2 or heat.size == 0:
        raise ValueError(f"The heatmap must have shape (H, W), not {heat.shape}.")
    if not np.isfinite(heat).all() or heat.min() < 0 or heat.max() > 1:
        raise ValueError("The heatmap must be finite and lie in [0, 1].")
    size = (batch.shape[2], batch.shape[3])
    values = torch.from_numpy(np.array(heat, np.float32))[None, None]
    fine = F.interpolate(values, size, mode="bilinear", align_corners=True)[0, 0].clamp(0, 1)
    result: npt.NDArray[np.float32] = fine.numpy()
    return result


def checked_count(given: int, argument: str, least: int = 1) -> int:
    """Return a whole number of at least ``least``, or say what is wrong with it."""
    count = whole(given)
    if count is None:
        raise TypeError(f"{argument} must be a whole number, not {given!r}.")
    if count < least:
        raise ValueError(f"{argument} must be at least {least}, not {count}.")
    return count


def _below(values: Floats, areas: Floats) -> Floats:
    """Area below curves (n, S + 1), by trapezoids."""
    return (values[:, 1:] + values[:, :-1]) / 2 @ np.diff(areas)
