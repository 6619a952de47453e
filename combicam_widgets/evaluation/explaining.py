"""Measures that explain again: another photo, another network; and how to do so."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy
import torch
from torch import Tensor, nn

from combicam_widgets import cam
from combicam_widgets.cam.replicas import Replica, add_hook, recordable
from combicam_widgets.evaluation.asking import (
    Ask,
    Floats,
    Progress,
    Question,
    asked,
    question,
    share,
)
from combicam_widgets.evaluation.candidates import Candidate
from combicam_widgets.evaluation.fills import Fill, filled
from combicam_widgets.evaluation.revealing import Heatmap, checked_count, resized
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel
from combicam_widgets.models.outputs import WRAPPED

Explain: TypeAlias = Callable[[Tensor], Heatmap]
"""From a photo's batch (1, K, h, w) to its heatmap (H, W) in [0, 1], for one target."""

Layers: TypeAlias = str | Sequence[str] | None

_BINS = 100
"""Bins of the histogram whose entropy is taken."""


def explanation(
    model: GeoModel | nn.Module,
    photo: Photo | Tensor,
    target: int | None = None,
    layers: Layers = None,
    methods: str | Iterable[str] | None = None,
) -> cam.LayerMaps:
    """Explain a photo for a `GeoModel`, or a batch of one for any classifier.

    ``layers`` and ``methods`` are those of `combicam_widgets.cam.explain`; by default the layers
    are the model's own.
    """
    if isinstance(model, GeoModel) and isinstance(photo, Photo) and layers is None:
        return model.explain(photo, target, methods=methods)
    asks = question(model, photo, target)
    return _explained(_network(model), asks.batch, asks.target, _layers(model, layers), methods)


def explainer(
    model: GeoModel | nn.Module, candidate: Candidate, target: int, layers: Layers = None
) -> Explain:
    """Make the function from a batch to a candidate's heatmap that some measures want.

    Parameters
    ----------
    model : GeoModel or nn.Module
    candidate : Candidate
    target : int
        Index of the class that is explained, in every batch.
    layers : str or sequence of str, optional
        As for `combicam_widgets.cam.explain`; default: the model's own.
    """
    network, names = _network(model), _layers(model, layers)

    def explain(batch: Tensor) -> Heatmap:
        maps = _explained(network, batch, target, names, candidate.method)
        return candidate.heatmap(maps, (batch.shape[2], batch.shape[3]))

    return explain


@dataclass(frozen=True)
class Adcc:
    """ADCC and its three parts (Poppi et al., CVPR Workshops 2021).

    Sparse maps win complexity for nothing, and what never changes wins coherency for nothing: so
    the parts stand beside their mean.

    Attributes
    ----------
    coherency : float
        (Pearson(CAM(x), CAM(x seen through CAM(x))) + 1) / 2 in [0, 1]: higher is better.
    complexity : float
        Mean of the heatmap, in [0, 1]: lower is better.
    drop : float
        max(0, p - o) / p in [0, 1]: lower is better.
    """

    coherency: float
    complexity: float
    drop: float

    @property
    def value(self) -> float:
        """3 / (1 / coherency + 1 / (1 - complexity) + 1 / (1 - drop)), in [0, 1]; 0 if one is."""
        parts = (self.coherency, 1 - self.complexity, 1 - self.drop)
        return 3 / sum(1 / part for part in parts) if min(parts) > 0 else 0.0


def adcc(
    ask: Ask, explain: Explain, batch: Tensor, fill: Fill = "mean colour", *, seed: int = 0
) -> Adcc:
    """Measure how coherent, complex and complete the explanation of a photo is.

    Parameters
    ----------
    ask : callable
        From a batch (N, K, h, w) to the (N,) probabilities of the target.
    explain : callable
        From a batch (1, K, h, w) to its heatmap; see `explainer`.
    batch : Tensor, shape (1, K, h, w)
    fill : str or callable
        The authors multiply by the heatmap. In a tensor that has been normalised zero is no black
        but a mean colour, so the photo's own stands here unless another fill is given.
    seed : int
        For fills that draw.
    """
    heat = resized(explain(batch), batch)
    instead = filled(batch, fill, seed)
    seen = torch.lerp(instead, batch, torch.from_numpy(heat).to(batch))
    whole, kept = float(asked(ask, batch)[0]), float(asked(ask, seen)[0])
    again = resized(explain(seen), batch)
    return Adcc(
        coherency=(_pearson(heat, again) + 1) / 2,
        complexity=float(heat.mean(dtype=np.float64)),
        drop=float(share(max(0.0, whole - kept), whole)),
    )


def max_sensitivity(
    explain: Explain, batch: Tensor, *, draws: int = 10, radius: float = 0.02, seed: int = 0
) -> float:
    """Find how much a heatmap changes for photos that look the same (Yeh et al., NeurIPS 2019).

    Parameters
    ----------
    explain : callable
        From a batch (1, K, h, w) to its heatmap; see `explainer`.
    batch : Tensor, shape (1, K, h, w)
    draws : int
        Photos that are tried, >= 1.
    radius : float
        How far each value moves at most, as a part of the photo's range, > 0.
    seed : int

    Returns
    -------
    float
        Largest ||H' - H|| / ||H|| (Euclidean): 0 is stable; 0 if H is all zeros and stays so,
        infinite if it does not stay so.
    """
    draws = checked_count(draws, "draws")
    if not radius > 0:
        raise ValueError(f"radius must be a part of the range above 0, not {radius!r}.")
    reach = radius * float(batch.max() - batch.min())
    generator = torch.Generator().manual_seed(seed)
    before = np.asarray(explain(batch), np.float64)
    largest = 0.0
    for _ in range(draws):
        moved = (2 * torch.rand(batch.shape, generator=generator) - 1) * reach
        after = np.asarray(explain(batch + moved.to(batch)), np.float64)
        largest = max(largest, float(np.linalg.norm(after - before)))
    length = float(np.linalg.norm(before))
    return largest / length if length > 0 else (np.inf if largest > 0 else 0.0)


@dataclass(frozen=True, eq=False)
class Randomisation:
    """What becomes of heatmaps while the network forgets, from its last weights to its first.

    Attributes
    ----------
    steps : tuple of str
        Down to which layer everything was re-drawn: "head", then layers from the last to the first.
    correlations : mapping from str to (S,) float64 array
        For each candidate: rank correlation (Spearman) of its heatmap with that of the trained
        network after each step; in [-1, 1]. Near 0 is right: what stays near 1 does not show
        what the network has learnt. 0 where a heatmap is flat.
    entropy_rise : mapping from str to float
        For each candidate: (entropy after the last step - before) / before. Above 0 is right.
    """

    steps: tuple[str, ...]
    correlations: Mapping[str, Floats]
    entropy_rise: Mapping[str, float]


def randomisation(
    model: GeoModel | nn.Module,
    photo: Photo | Tensor,
    candidates: Sequence[Candidate],
    *,
    target: int | None = None,
    layers: Layers = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Randomisation:
    """Re-draw the weights from the top down and compare heatmaps: one pass per layer and one.

    Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018; entropy after Hedstroem et
    al., "A Fresh Look at Sanity Checks for Saliency Maps", arXiv 2405.02383. Each parameter, and
    each running mean and variance of a norm, is re-drawn without replacement from its own values,
    so that magnitudes stay and what was learnt is gone. This happens to a copy: the model stays as
    it is, whatever happens.

    Parameters
    ----------
    model, photo, target
        See `question`.
    candidates : sequence of Candidate
        With different names.
    layers : str or sequence of str, optional
        As for `combicam_widgets.cam.explain`; default: the model's own.
    seed : int
    progress : callable, optional
        Called as ``progress(done, total)``, in steps; what it raises stops the work.
    """
    for each in candidates:
        if not isinstance(each, Candidate):
            raise TypeError(
                f"candidates must be Candidates, such as evaluation.COMBI_CAM, not {each!r:.60}."
            )
    asks = question(model, photo, target)
    network = copied(_network(model))
    methods = [each.method for each in candidates]
    names = _explained(network, asks.batch, asks.target, _layers(model, layers), methods).names
    size = (asks.batch.shape[2], asks.batch.shape[3])

    def heatmaps() -> dict[str, npt.NDArray[np.float32]]:
        maps = _explained(network, asks.batch, asks.target, names, methods)
        return {each.name: each.heatmap(maps, size) for each in candidates}

    before = heatmaps()
    groups = _from_the_top(network, asks, names)
    generator = torch.Generator().manual_seed(seed)
    found: list[dict[str, npt.NDArray[np.float32]]] = []
    for modules in groups.values():
        redraw(modules, generator)
        found.append(heatmaps())
        if progress is not None:
            progress(len(found), len(groups))
    return Randomisation(
        steps=tuple(groups),
        correlations={
            name: np.array([rank_correlation(heat, after[name]) for after in found])
            for name, heat in before.items()
        },
        entropy_rise={
            name: _rise(_entropy(heat), _entropy(found[-1][name])) for name, heat in before.items()
        },
    )


def knowing_nothing(model: GeoModel, seed: int = 0) -> GeoModel:
    """Copy a geo model and re-draw its weights: what a network shows that knows nothing.

    Same cells, transform and layers; the given model stays as it is. Every parameter, and every
    running mean and variance of a norm, is drawn without replacement from its own values.
    """
    network = copied(model.network)
    redraw(list(network.modules()), torch.Generator().manual_seed(seed))
    ignorant = GeoModel(
        network,
        model.cells,
        transform=model.transform,
        layers=model.layers,
        name=f"{model.name}, weights re-drawn",
        description="knows nothing: its weights were drawn again at random",
        outputs="logits" if model.outputs in WRAPPED else model.outputs,  # the copy gives logits
    )
    ignorant.from_above = model.from_above
    return ignorant


@recordable
def copied(network: nn.Module) -> nn.Module:
    """Copy a network; what was made under inference mode can be changed, too."""
    return copy.deepcopy(network)


def redraw(modules: Sequence[nn.Module], generator: torch.Generator) -> None:
    """Re-draw what modules hold themselves, from its own values without replacement, in place."""
    for module in modules:
        own: list[Tensor] = list(module.parameters(recurse=False))
        if own:  # buffers of a norm; tables of modules without weights were never learnt
            own += [b for b in module.buffers(recurse=False) if b.is_floating_point()]
        for values in (x.detach() for x in own):
            order = torch.randperm(values.numel(), generator=generator).to(values.device)
            values.copy_(values.flatten()[order].view_as(values))


def _from_the_top(
    network: nn.Module, asks: Question, names: Sequence[str]
) -> dict[str, list[nn.Module]]:
    """Group the modules by the layer at which they run, the last first: "head", then layers."""
    order: list[str] = []

    def prepare(modules: Mapping[str, nn.Module]) -> None:
        for name, module in modules.items():
            add_hook(module, lambda *_, name=name: order.append(name), before=True)

    with Replica(network, prepare) as twin:
        twin(asks.batch.clone())
    groups: dict[str, list[nn.Module]] = {name: [] for name in ("head", *reversed(names))}
    current = names[0]  # what runs before the first layer is re-drawn with it
    for name in dict.fromkeys(order):
        inside = [layer for layer in names if f"{name}.".startswith(f"{layer}.")]
        current = inside[0] if inside else current
        group = "head" if not inside and current == names[-1] else current
        groups[group].append(network.get_submodule(name))
    return groups


def _network(model: GeoModel | nn.Module) -> nn.Module:
    return model.network if isinstance(model, GeoModel) else model


def _layers(model: GeoModel | nn.Module, given: Layers) -> Layers:
    return model.layers if given is None and isinstance(model, GeoModel) else given


def _explained(
    network: nn.Module,
    batch: Tensor,
    target: int,
    layers: Layers,
    methods: str | Iterable[str] | None = None,
) -> cam.LayerMaps:
    return cam.explain(network, batch, target, layers, methods=methods)


def _pearson(first: Heatmap, second: Heatmap) -> float:
    """Correlate two heatmaps; 0 if one of them is flat."""
    a, b = (np.asarray(x, np.float64) - np.mean(x, dtype=np.float64) for x in (first, second))
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip(np.vdot(a, b) / length, -1, 1)) if length > 0 else 0.0


def rank_correlation(first: Heatmap, second: Heatmap) -> float:
    """Correlate ranks, ties in the middle; 0 if one of them is flat."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(scipy.stats.spearmanr(first.ravel(), second.ravel()).statistic)


def _entropy(heatmap: Heatmap) -> float:
    """Entropy of the histogram of a heatmap over [0, 1], in nats."""
    counts, _ = np.histogram(heatmap, _BINS, (0, 1))
    parts = counts[counts > 0] / counts.sum()
    return float(-(parts * np.log(parts)).sum())


def _rise(before: float, after: float) -> float:
    if before > 0:
        return (after - before) / before
    return np.inf if after > 0 else 0.0
