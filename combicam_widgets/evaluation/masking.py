"""Measures that mask the photo by a heatmap once or a few times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from combicam_widgets.evaluation.asking import FLOOR, Ask, Floats, answers, asked, share
from combicam_widgets.evaluation.controls import smooth_random
from combicam_widgets.evaluation.fills import Fill, filled
from combicam_widgets.evaluation.revealing import Heatmap, checked_count, ranks, resized


@dataclass(frozen=True, eq=False)
class Masked:
    """The target's probability in the photo seen through n heatmaps, x H + f (1 - H).

    Chattopadhyay et al., "Grad-CAM++", WACV 2018 (drop, increase); the gain is the drop's other
    side (Zhang et al., "Opti-CAM", 2023).

    Attributes
    ----------
    probability : float
        p, for the whole photo.
    kept : (n,) float64 array
        o, seen through each heatmap.
    """

    probability: float
    kept: Floats

    @property
    def drop(self) -> Floats:
        """max(0, p - o) / p, in [0, 1]: lower is better."""
        return share(np.maximum(0, self.probability - self.kept), self.probability)

    @property
    def increase(self) -> Floats:
        """1 where o > p, else 0: higher is better."""
        return (self.kept > self.probability).astype(np.float64)

    @property
    def gain(self) -> Floats:
        """max(0, o - p) / (1 - p), in [0, 1]: higher is better."""
        beyond = np.maximum(0, self.kept - self.probability)
        return beyond / max(1 - self.probability, FLOOR)


def masked(
    ask: Ask, batch: Tensor, heatmaps: Sequence[Heatmap], fill: Fill = "blur", *, seed: int = 0
) -> Masked:
    """See the photo in proportion to the heat: one pass per heatmap, and one.

    Parameters
    ----------
    ask, batch, heatmaps, fill, seed
        As for `reveal`.
    """
    instead = filled(batch, fill, seed)[0]
    maps = [torch.from_numpy(resized(heatmap, batch)).to(batch) for heatmap in heatmaps]
    states = (torch.lerp(instead, batch[0], heat) for heat in maps)
    return Masked(float(asked(ask, batch)[0]), answers(ask, states, len(maps)))


def area_gain(
    ask: Ask,
    batch: Tensor,
    heatmaps: Sequence[Heatmap],
    fill: Fill = "blur",
    *,
    area: float = 0.3,
    draws: int = 8,
    seed: int = 0,
) -> Floats:
    """Compare the hottest area with smooth random areas of the same size.

    After the deletion and insertion against random crops of arXiv 2605.00912, on geolocation.

    Parameters
    ----------
    ask, batch, heatmaps, fill, seed
        As for `reveal`.
    area : float
        Part of the photo that is shown, in (0, 1).
    draws : int
        Random areas, >= 1.

    Returns
    -------
    (n,) float64 array
        Probability that the hottest area keeps, minus the mean that the random areas keep, divided
        by the whole photo's: 0 for chance.
    """
    if not 0 < area < 1:
        raise ValueError(f"area must be a part of the photo in (0, 1), not {area!r}.")
    draws = checked_count(draws, "draws")
    instead = filled(batch, fill, seed)[0]
    size = (batch.shape[2], batch.shape[3])
    count = max(1, round(area * size[0] * size[1]))
    tried = [resized(heatmap, batch) for heatmap in heatmaps]
    tried += [smooth_random(size, seed + 1 + draw) for draw in range(draws)]
    shown = (torch.from_numpy(ranks(heat, seed) < count).to(batch.device) for heat in tried)
    states = (torch.where(mask, batch[0], instead) for mask in shown)
    kept = answers(ask, states, len(tried))
    whole = float(asked(ask, batch)[0])
    return share(kept[: len(heatmaps)] - kept[len(heatmaps) :].mean(), whole)


def saco(
    ask: Ask,
    batch: Tensor,
    heatmap: Heatmap,
    fill: Fill = "blur",
    *,
    groups: int = 10,
    seed: int = 0,
) -> float:
    """Tell whether more heat matters more: SaCo (Wu et al., CVPR 2024).

    The pixels go into K groups of equal area by falling heat; s_i is the mean heat of a group, d_i
    the drop of the probability when it alone is replaced. SaCo = sum over i < j of w_ij divided by
    the sum of their magnitudes, w_ij = s_i - s_j where d_i >= d_j, else s_j - s_i.

    Parameters
    ----------
    ask, batch, fill, seed
        As for `reveal`.
    heatmap : (H, W) array in [0, 1]
    groups : int
        K >= 2.

    Returns
    -------
    float
        In [-1, 1]: 1 if every hotter group matters more, -1 if every one matters less; 0 for a
        heatmap without contrast, which orders nothing.
    """
    pixels = batch.shape[2] * batch.shape[3]
    if checked_count(groups, "groups", 2) > pixels:
        raise ValueError(f"groups must be at most the {pixels} pixels, not {groups}.")
    instead = filled(batch, fill, seed)[0]
    heat = resized(heatmap, batch)
    ranked = ranks(heat, seed)
    group = torch.from_numpy(ranked * groups // ranked.size).to(batch.device)
    states = (torch.where(group == k, instead, batch[0]) for k in range(groups))
    drops = float(asked(ask, batch)[0]) - answers(ask, states, groups)
    of = group.cpu().numpy()
    heats = np.array([heat[of == k].mean(dtype=np.float64) for k in range(groups)])
    first, second = np.triu_indices(groups, 1)
    apart = heats[first] - heats[second]
    signed = np.where(drops[first] >= drops[second], apart, -apart)
    total = np.abs(apart).sum()
    return float(signed.sum() / total) if total > 0 else 0.0
