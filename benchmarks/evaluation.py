"""The measures against those of the peers where definitions coincide; see docs/evaluation.md."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from captum.metrics import sensitivity_max
from pytorch_grad_cam.metrics import road as peer
from torch import Tensor
from torchcam.metrics import ClassificationMetric, DeletionInsertionMetric

import combicam_widgets as ccw
from benchmarks.measure import table
from combicam_widgets import evaluation

_STEPS = 16
"""They divide the 96 x 96 pixels: TorchCAM rounds the size of a step up, we the areas."""


def main() -> None:
    """Print each measure of one heatmap as computed here and by a peer."""
    model = ccw.load_model("atlas")
    photo = ccw.tile(45, 10)
    maps = model.explain(photo)
    asks = evaluation.question(model, photo, maps.target)
    size = (asks.batch.shape[2], asks.batch.shape[3])
    # No two pixels alike: the peers break ties in reading order, or not at all.
    noise = 1e-3 * np.random.default_rng(0).random(size, np.float32)
    heat = 0.999 * evaluation.fused("hirescam", "mean").heatmap(maps, size) + noise
    rows = [
        *_torchcam(model, asks, heat),
        *_tied(model, asks, maps),
        *_grad_cam(asks, heat),
        *_captum(model, asks),
    ]
    table(
        "One heatmap of atlas, measured here and by a peer",
        ["measure", "peer", "here", "peer's", "apart"],
        [[*names, f"{a:.6f}", f"{b:.6f}", f"{abs(a - b):.0e}"] for *names, a, b in rows],
    )


class _Given:
    """An extractor, as TorchCAM wants it, that gives a heatmap that is there already."""

    def __init__(self, network: torch.nn.Module, heat: np.ndarray) -> None:
        self.model, self._heat = network, torch.from_numpy(heat)[None]

    def __call__(self, *_: object) -> list[Tensor]:
        return [self._heat]

    def fuse_cams(self, cams: list[Tensor]) -> Tensor:
        return cams[0]

    def _hooks_off(self) -> AbstractContextManager[None]:
        return nullcontext()


def _torchcam(
    model: ccw.GeoModel, asks: evaluation.Question, heat: np.ndarray
) -> list[tuple[str, str, float, float]]:
    softmax = partial(torch.softmax, dim=-1)
    extractor = _Given(model.network, heat)
    curves = DeletionInsertionMetric(extractor, softmax, steps=_STEPS)
    masked = ClassificationMetric(extractor, softmax)
    for metric in (curves, masked):
        metric.update(asks.batch, asks.target)
    ours = evaluation.reveal(asks.ask, asks.batch, [heat], torch.zeros_like, steps=_STEPS)
    seen = evaluation.masked(asks.ask, asks.batch, [heat], torch.zeros_like)
    theirs = curves.summary() | masked.summary()
    return [
        ("insertion, fill 0", "TorchCAM", ours.insertion[0], theirs["insertion_auc"]),
        ("deletion, fill 0", "TorchCAM", ours.deletion[0], theirs["deletion_auc"]),
        ("average drop, fill 0", "TorchCAM", seen.drop[0], theirs["avg_drop"]),
        ("increase, fill 0", "TorchCAM", seen.increase[0], theirs["conf_increase"]),
    ]


def _tied(
    model: ccw.GeoModel, asks: evaluation.Question, maps: ccw.cam.LayerMaps
) -> list[tuple[str, str, float, float]]:
    """Measure a map with many exact zeros: reading order against a random one."""
    heat = evaluation.last_layer(maps.names).heatmap(maps, (asks.batch.shape[2], 96))
    heat = np.where(heat > 0.5, heat, 0)
    metric = DeletionInsertionMetric(
        _Given(model.network, heat), partial(torch.softmax, dim=-1), steps=_STEPS
    )
    metric.update(asks.batch, asks.target)
    ours = evaluation.reveal(asks.ask, asks.batch, [heat], torch.zeros_like, steps=_STEPS)
    zeros = f"insertion, {np.mean(heat == 0):.0%} zeros"
    return [(zeros, "TorchCAM", ours.insertion[0], metric.summary()["insertion_auc"])]


def _grad_cam(asks: evaluation.Question, heat: np.ndarray) -> list[tuple[str, str, float, float]]:
    imputer = partial(peer.NoisyLinearImputer, noise=0)
    removals = {"MoRF": peer.RemoveMostRelevantFirst, "LeRF": peer.RemoveLeastRelevantFirst}
    theirs = {
        name: np.mean(
            [
                asks.ask(remove(10 * ten, imputer())(asks.batch[0], torch.from_numpy(heat))[None])
                for ten in range(1, 10)
            ]
        )
        for name, remove in removals.items()
    }
    ours = evaluation.road(asks.ask, asks.batch, [heat], noise=0)
    return [
        ("ROAD, most relevant first", "grad-cam", ours.most_first.mean(), theirs["MoRF"]),
        ("ROAD, least relevant first", "grad-cam", ours.least_first.mean(), theirs["LeRF"]),
    ]


def _captum(model: ccw.GeoModel, asks: evaluation.Question) -> list[tuple[str, str, float, float]]:
    explain = evaluation.explainer(model, evaluation.fused("hirescam", "mean"), asks.target)
    reach = 0.02 * float(asks.batch.max() - asks.batch.min())
    generator = torch.Generator().manual_seed(0)

    def moved(inputs: Tensor, _radius: float) -> Tensor:
        drawn = [torch.rand(asks.batch.shape, generator=generator)[0] for _ in inputs]
        return inputs + (2 * torch.stack(drawn) - 1) * reach

    def explained(inputs: Tensor | tuple[Tensor, ...]) -> Tensor:
        batch = inputs[0] if isinstance(inputs, tuple) else inputs
        return torch.stack([torch.from_numpy(explain(x[None]))[None] for x in batch])

    theirs = sensitivity_max(
        explained,
        asks.batch,
        perturb_func=moved,
        n_perturb_samples=10,
        max_examples_per_batch=1,
    )
    ours = evaluation.max_sensitivity(explain, asks.batch)
    return [("max-sensitivity", "captum", ours, float(theirs))]
