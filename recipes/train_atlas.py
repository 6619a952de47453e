"""Train the atlas: combicam_widgets/models/atlas/weights.safetensors.

    python recipes/train_atlas.py

Two to four hours on 2 cores. Stop it with Ctrl-C and start it again at any time: it goes on
from its last checkpoint in `recipes/.cache/atlas`. What happens in a step depends on the seed and
the step only. Needs npm, for the imagery (see `imagery.py`), and the extra `recipes`.

Every step shows the network 128 pieces of the Earth, 900 to 2,200 km wide, from two world maps,
disturbed in ways that satellites, seasons, weather and the explorer's evidence disturb them. The
first of three rounds starts with small pictures, which is quicker. The others show more narrow
pieces and disturb harder: other seasons, no colours, and what is bright overexposed; in the last
round ice only, since deserts made white are confused with it. The answer that it should give is
soft: a cell counts by its distance from the middle of the piece. The weights that are kept are a
running mean. At the end the temperature is fitted on disturbed pieces of the same two maps, and
folded into the last layer.
"""

import argparse
import csv
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from imagery import BLUE_MARBLE, CACHE, NATURAL_EARTH
from land import Land
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, vector_coordinates
from combicam_widgets.geo.gnomonic import gnomonic_grid
from combicam_widgets.models.atlas.network import AtlasNetwork

HOME = Path(__file__).parents[1] / "combicam_widgets" / "models" / "atlas"
CHECKPOINT = CACHE / "atlas" / "checkpoint.pt"
LOG = HOME / "training.csv"

SEED = 20261122
SIDES = (64, 96)  # pixels, before and from step 2,400
SMALL_UNTIL = 2400
BATCH = 128
WARM_UP = 300
DECAY = 0.35  # the last part of each round, in which the learning rate falls to zero
WEIGHT_DECAY = 0.02
SOFTNESS_KM = 100.0
WIDTHS_KM = (900.0, 2200.0)
NARROW_KM = (900.0, 1300.0)
TURN = 15.0  # degrees, standard deviation of the direction that is up
OFFSHORE_KM = 40.0
FROM_CELLS = 0.25  # pieces around a cell's centre, so that small islands are seen often enough

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Round:
    """Some of the steps.

    Attributes
    ----------
    steps : int
    rate : float
        The highest learning rate.
    mean_over : int
        Steps of the running mean of the weights.
    narrow : float
        Share of the pieces that are narrow in any case.
    overexposed : {None, "all", "ice"}
        What is overexposed, in other seasons; None: no other seasons.
    """

    steps: int
    rate: float
    mean_over: int = 500
    narrow: float = 0.0
    overexposed: str | None = None


ROUNDS = (
    Round(4200, 2e-3),
    Round(2400, 1e-3, narrow=0.4, overexposed="all"),
    Round(400, 5e-4, narrow=0.4, overexposed="ice", mean_over=150),
)


def main() -> None:
    """Train, then write weights and log."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.parse_args()
    steps = sum(part.steps for part in ROUNDS)
    cells = CellGrid.load(HOME / "cells.npz")
    pieces = Pieces(cells, Land.fetch(), world_maps())
    student = Student(len(cells))
    rows = student.resume()
    began, done = time.time(), student.step
    while student.step < steps:
        part, done_in_part = round_at(student.step)
        batch = pieces.batch(student.step, side_at(student.step), part=part)
        rate = part.rate * pace(done_in_part, part.steps)
        loss = student.learn(*batch, rate, part.mean_over)
        if student.step % 50 == 0:
            hours = (time.time() - began) / (student.step - done) * (steps - student.step) / 3600
            print(f"step {student.step}: loss {loss:.3f}, {hours:.2f} h to go", flush=True)
        if student.step % 250 == 0 or student.step == steps:
            median, near = student.check(pieces)
            rows.append((student.step, round(loss, 4), round(median, 1), round(near, 4)))
            student.save(rows)
            print(f"step {student.step}: median {median:.0f} km, {near:.1%} in 750 km", flush=True)
    student.finish(pieces, rows)


class Pieces:
    """Pieces of the world maps, as many as one likes, and the cells that hold their middles."""

    def __init__(self, cells: CellGrid, land: Land, maps: list[tuple[float, Tensor]]) -> None:
        self.cells = cells
        self.land = land
        self.shares, self.maps = zip(*maps, strict=True)
        self.centers = torch.from_numpy(cells.unit_vectors.astype(np.float32))

    def batch(
        self, step: int, side: int, seed: int = SEED, part: Round = ROUNDS[0]
    ) -> tuple[Tensor, Tensor]:
        """Pictures (BATCH, 3, side, side) and soft answers (BATCH, C) of one step."""
        random = np.random.default_rng((seed, step))
        pictures, places = self.pictures(random, BATCH, side, part.narrow)
        noise = torch.Generator().manual_seed(int(random.integers(2**62)))
        if part.overexposed:
            pictures = other_season(pictures, noise, ice_only=part.overexposed == "ice")
        return normalised(disturbed(pictures, noise)), self.answers(places)

    def pictures(
        self, random: np.random.Generator, count: int, side: int, narrow: float = 0.0
    ) -> tuple[Tensor, Floats]:
        """Cut undisturbed pieces; also their middles as unit vectors (count, 3)."""
        places = self.places(random, count)
        latitudes, longitudes = vector_coordinates(places)
        width = np.exp(random.uniform(*np.log(WIDTHS_KM), count))
        if narrow:
            some = random.random(count) < narrow
            width[some] = np.exp(random.uniform(*np.log(NARROW_KM), int(some.sum())))
        grids = gnomonic_grid(latitudes, longitudes, width, side, random.normal(0, TURN, count))
        x = torch.from_numpy(grids[1] / 180).float()
        y = torch.from_numpy(grids[0] / -90).float()
        points = torch.stack([x, y], dim=-1)
        source = np.sort(random.choice(len(self.shares), count, p=self.shares))
        cut = [
            F.grid_sample(
                world.expand(len(chosen), -1, -1, -1),
                points[chosen],
                padding_mode="border",
                align_corners=False,
            )
            for number, world in enumerate(self.maps)
            if len(chosen := np.flatnonzero(source == number))
        ]
        return torch.cat(cut), places

    def places(self, random: np.random.Generator, count: int) -> Floats:
        """Places on land and a little offshore, as unit vectors."""
        places = self.land.places(random, count)
        around = random.choice(len(self.cells), count)
        from_cells = random.random(count) < FROM_CELLS
        places[from_cells] = self.cells.unit_vectors[around[from_cells]]
        spread = np.where(from_cells, 2.0, 1.0) * OFFSHORE_KM / EARTH_RADIUS_KM
        places += random.normal(size=places.shape) * spread[:, None]
        return places / np.linalg.norm(places, axis=1, keepdims=True)

    def answers(self, places: Floats) -> Tensor:
        """How much each cell counts, (N, C); rows sum to 1."""
        closeness = torch.from_numpy(places).float() @ self.centers.T
        km = closeness.clamp(-1, 1).acos() * EARTH_RADIUS_KM
        return (km.square() / (-2 * SOFTNESS_KM**2)).softmax(1)


def world_maps() -> list[tuple[float, Tensor]]:
    """Fetch the maps to learn from, each with its share of the pieces."""
    blue = world_map(BLUE_MARBLE.fetch())
    return [
        (0.38, blue),
        (0.38, F.avg_pool2d(blue, 2)),
        (0.12, F.avg_pool2d(blue, 4)),
        (0.12, world_map(NATURAL_EARTH.fetch())),
    ]


def world_map(path: Path) -> Tensor:
    """Read a world map as (1, 3, h, w) in [0, 1]."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def disturbed(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Change colours, light, sharpness and weather at random; blur parts away."""
    count, _, height, width = pictures.shape

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.rand(count, channels, 1, 1, generator=noise) * (high - low) + low

    def sometimes(share: float) -> Tensor:
        return (torch.rand(count, 1, 1, 1, generator=noise) < share).float()

    def spots(cells: int) -> Tensor:
        """Smooth random fields in [0, 1]."""
        coarse = torch.rand(count, 1, cells, cells, generator=noise)
        return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)

    x = pictures
    # Light and colour: gamma, contrast, saturation, a tint of each channel.
    x = x.clamp(1e-3, 1) ** torch.exp(uniform(-0.35, 0.35))
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * uniform(0.5, 1.5)
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * uniform(0.7, 1.3)
    x = x * uniform(0.87, 1.15, 3) + uniform(-0.05, 0.05, 3)
    # Haze and broken clouds.
    haze = uniform(0.0, 0.3) * sometimes(0.3)
    x = x * (1 - haze) + haze * uniform(0.6, 1.0, 3)
    clouds = ((spots(7) - 0.65) * 4).clamp(0, 0.9) * sometimes(0.15)
    x = x * (1 - clouds) + clouds * 0.95
    # Sharpness.
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = x + (soft - x) * uniform(-0.6, 1.0)
    # Parts blurred away, as when the explorer asks again with the evidence only.
    blurred = F.interpolate(F.adaptive_avg_pool2d(x, 4), (height, width), mode="bilinear")
    hidden = ((spots(6) - uniform(0.35, 0.75)) * 8).clamp(0, 1) * sometimes(0.2)
    x = x + (blurred - x) * hidden
    x = x + torch.randn(x.shape, generator=noise) * uniform(0.0, 0.03)
    return x.clamp(0, 1)


def other_season(pictures: Tensor, noise: torch.Generator, *, ice_only: bool = False) -> Tensor:
    """Overexpose, recolour and snow at random: harder than `disturbed`, before it.

    What is bright becomes white; with ``ice_only``, what is bright in all colours.
    """
    count, _, height, width = pictures.shape

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *(shape or (1, 1, 1)), generator=noise) * (high - low) + low

    def sometimes(share: float) -> Tensor:
        return (torch.rand(count, 1, 1, 1, generator=noise) < share).float()

    def smooth(values: Tensor) -> Tensor:
        return F.interpolate(values, (height, width), mode="bicubic")

    # Vegetation that is greener or browner here and there; other sensors mix colours differently.
    x = pictures * (1 + smooth(uniform(-0.2, 0.2, 3, 4, 4)) * sometimes(0.5))
    mixed = torch.eye(3) + uniform(-0.1, 0.1, 3, 3) * sometimes(0.4)[..., 0]
    x = torch.einsum("nij,njhw->nihw", mixed, x)
    # No colours at all.
    grey = x.mean(1, keepdim=True)
    x = x + (grey - x) * sometimes(0.15)
    # Snow: whiter, with the relief still there.
    snow = (smooth(uniform(-1.0, 1.5, 1, 4, 4)).clamp(0, 1)) * uniform(0.3, 0.9) * sometimes(0.15)
    x = x + (0.95 - x) * snow
    gain = uniform(0.0, 0.7) * sometimes(0.35)
    if ice_only:
        gain = gain * ((pictures.amin(1, keepdim=True) - 0.6) * 10).clamp(0, 1)
    return (x * (1 + gain)).clamp(0, 1)


def normalised(pictures: Tensor) -> Tensor:
    """From [0, 1] to [-1, 1], as the network wants it."""
    return pictures * 2 - 1


@dataclass
class Student:
    """The network, its running mean, and the optimiser."""

    cells: int
    step: int = 0

    def __post_init__(self) -> None:
        torch.manual_seed(SEED)
        self.network = AtlasNetwork(self.cells).to(memory_format=torch.channels_last)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY
        )
        self.mean = {k: v.clone() for k, v in self.network.state_dict().items()}

    def learn(self, pictures: Tensor, answers: Tensor, rate: float, mean_over: int = 500) -> float:
        """Take one step; return the loss in excess of the answers' own entropy, in nats."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            scores = self.network(pictures.contiguous(memory_format=torch.channels_last))
        loss = F.kl_div(scores.float().log_softmax(1), answers, reduction="batchmean")
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        share = 1 / min(self.step, mean_over)
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.mean[name].lerp_(value, share)
            else:
                self.mean[name].copy_(value)
        return loss.item()

    def averaged(self) -> AtlasNetwork:
        """Return a network with the running mean of the weights."""
        network = AtlasNetwork(self.cells)
        network.load_state_dict(self.mean)
        return network.eval()

    @torch.inference_mode()
    def check(self, pieces: Pieces) -> tuple[float, float]:
        """Median error and the share within 750 km of 1,000 fresh pieces, undisturbed."""
        pictures, places = pieces.pictures(np.random.default_rng(SEED + 1), 1000, SIDES[-1])
        network = self.averaged()
        best = torch.cat([network(normalised(x)).argmax(1) for x in pictures.split(BATCH)])
        cosine = (pieces.centers[best].numpy() * places).sum(1)
        km = np.arccos(cosine.clip(-1, 1)) * EARTH_RADIUS_KM
        return float(np.median(km)), float((km <= 750).mean())

    def save(self, rows: list[tuple[float, ...]]) -> None:
        """Write a checkpoint, so that at no time there is none."""
        CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
            "rows": rows,
        }
        torch.save(state, CHECKPOINT.with_suffix(".new"))
        CHECKPOINT.with_suffix(".new").replace(CHECKPOINT)

    def resume(self) -> list[tuple[float, ...]]:
        """Go on from the last checkpoint, if there is one; return the rows of the log."""
        if not CHECKPOINT.exists():
            return []
        state = torch.load(CHECKPOINT, weights_only=True)
        self.step, self.mean = state["step"], state["mean"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        print(f"going on from step {self.step}")
        return list(state["rows"])

    @torch.inference_mode()
    def finish(self, pieces: Pieces, rows: list[tuple[float, ...]]) -> None:
        """Fit the temperature, write the weights as float16, and the log."""
        network = self.averaged()
        batches = [pieces.batch(k, SIDES[-1], SEED + 2) for k in range(16)]
        scores = torch.cat([network(pictures) for pictures, _ in batches])
        answers = torch.cat([answers for _, answers in batches])
        temperatures = np.geomspace(0.3, 3.0, 93)
        losses = [
            F.kl_div((scores / t).log_softmax(1), answers, reduction="batchmean").item()
            for t in temperatures.tolist()
        ]
        temperature = float(temperatures[int(np.argmin(losses))])
        weights = {k: v for k, v in network.state_dict().items() if v.is_floating_point()}
        weights |= {k: weights[k] / temperature for k in ("head.weight", "head.bias")}
        path = HOME / "weights.safetensors"
        save_file({k: v.half().contiguous() for k, v in weights.items()}, path)
        with LOG.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("step", "loss", "median_km", "within_750_km"))
            table.writerows(rows)
        print(f"temperature {temperature:.3f}; {path}: {path.stat().st_size} bytes")


def side_at(step: int) -> int:
    """Side of the pictures in a step, in pixels."""
    return SIDES[int(step >= SMALL_UNTIL)]


def round_at(step: int) -> tuple[Round, int]:
    """Return the round that a step belongs to, and how many steps of it were before."""
    for part in ROUNDS:
        if step < part.steps:
            return part, step
        step -= part.steps
    return ROUNDS[-1], ROUNDS[-1].steps


def pace(step: int, steps: int) -> float:
    """Return the learning rate relative to its highest: up, level, down."""
    falling = min(max(0.0, (steps - step) / (DECAY * steps)), 1.0)
    return min((step + 1) / WARM_UP, math.sin(math.pi / 2 * falling) ** 2)


if __name__ == "__main__":
    main()
