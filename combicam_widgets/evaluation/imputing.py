"""ROAD: what is removed is filled with what its neighbours let one guess, so it leaks no mask.

Rong, Leemann, Borisov, Kasneci and Kasneci, "A Consistent and Efficient Evaluation Strategy for
Attribution Methods", ICML 2022.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy
import torch
from torch import Tensor

from combicam_widgets.evaluation.asking import Ask, Floats, Progress, answers
from combicam_widgets.evaluation.revealing import Heatmap, ranks, resized

AREAS = tuple(tenths / 10 for tenths in range(1, 10))
"""Parts of the photo that are removed."""

_NEIGHBOURS = tuple(
    (down, right, 1 / 6 if down == 0 or right == 0 else 1 / 12)
    for down in (-1, 0, 1)
    for right in (-1, 0, 1)
    if (down, right) != (0, 0)
)


@dataclass(frozen=True, eq=False)
class Road:
    """The target's probability after parts of the photo were removed, for n heatmaps.

    Attributes
    ----------
    areas : (A,) float64 array
        Parts that were removed.
    most_first, least_first : (n, A) float64 arrays
        Probability after the hottest, or the coldest, of that area was removed; in [0, 1].
    """

    areas: Floats
    most_first: Floats
    least_first: Floats

    @property
    def combined(self) -> Floats:
        """(LeRF - MoRF) / 2, mean over the areas: higher is better. (n,), in [-0.5, 0.5]."""
        return np.asarray((self.least_first - self.most_first).mean(1) / 2)


def road(
    ask: Ask,
    batch: Tensor,
    heatmaps: Sequence[Heatmap],
    *,
    areas: Sequence[float] = AREAS,
    noise: float = 0.01,
    seed: int = 0,
    progress: Progress | None = None,
) -> Road:
    """Remove the most and the least relevant pixels, and impute them from their neighbours.

    Each removed pixel is the weighted mean of its eight neighbours (1/6 direct, 1/12 diagonal; at
    the border those that there are): one sparse linear system for each mask. Seeded noise is added
    to what was imputed, so that its smoothness does not give the mask away.

    Parameters
    ----------
    ask, batch, heatmaps, seed, progress
        As for `reveal`.
    areas : sequence of float
        Parts of the photo to remove, in (0, 1).
    noise : float
        Standard deviation, in the units of the batch, >= 0.
    """
    parts = np.asarray(areas, np.float64)
    if parts.ndim != 1 or not len(parts) or not ((parts > 0) & (parts < 1)).all():
        raise ValueError(f"areas must be parts of the photo in (0, 1), not {areas!r}.")
    if not noise >= 0:
        raise ValueError(f"noise must be a standard deviation >= 0, not {noise!r}.")
    photo = batch[0].detach().cpu().double().numpy()
    random = np.random.default_rng(seed)
    pixels = photo[0].size
    maps = [resized(heatmap, batch) for heatmap in heatmaps]

    def states() -> Iterator[Tensor]:
        for heat in maps:
            ranked = ranks(heat, seed)
            for area in parts:
                count = round(area * pixels)
                for removed in (ranked < count, ranked >= pixels - count):
                    state = imputed(photo, removed)
                    state[:, removed] += noise * random.standard_normal((len(state), count))
                    yield torch.from_numpy(state).to(batch)

    total = 2 * len(maps) * len(parts)
    found = answers(ask, states(), total, progress).reshape(len(maps), len(parts), 2)
    return Road(parts, found[..., 0], found[..., 1])


def imputed(photo: Floats, removed: npt.NDArray[np.bool_]) -> Floats:
    """Solve for the removed pixels of a photo (K, h, w); at least one pixel must stay.

    Returns
    -------
    (K, h, w) float64 array
    """
    count = int(removed.sum())
    if count == removed.size:
        raise ValueError("At least one pixel must stay, or there is nothing to impute from.")
    if count == 0:
        return photo.copy()
    number = np.full(removed.shape, -1)
    number[removed] = np.arange(count)
    rows, columns = np.nonzero(removed)
    diagonal, known = np.zeros(count), np.zeros((count, len(photo)))
    here, there, values = [], [], []
    for down, right, weight in _NEIGHBOURS:
        y, x = rows + down, columns + right
        inside = np.flatnonzero(
            (y >= 0) & (y < removed.shape[0]) & (x >= 0) & (x < removed.shape[1])
        )
        y, x = y[inside], x[inside]
        diagonal[inside] += weight
        other = number[y, x]
        known[inside[other < 0]] += weight * photo[:, y[other < 0], x[other < 0]].T
        here.append(inside[other >= 0])
        there.append(other[other >= 0])
        values.append(np.full(len(here[-1]), -weight))
    here.append(np.arange(count))
    there.append(np.arange(count))
    values.append(diagonal)
    # SuperLU counts in 32 bits, and SciPy 1.11 leaves it to us.
    places = [np.concatenate(index).astype(np.int32) for index in (here, there)]
    entries = np.concatenate(values), tuple(places)
    system = scipy.sparse.coo_array(entries, shape=(count, count)).tocsc()
    result = photo.copy()
    result[:, removed] = scipy.sparse.linalg.splu(system, permc_spec="MMD_AT_PLUS_A").solve(known).T
    return result
