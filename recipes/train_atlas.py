"""Train the atlas: combicam_widgets/models/atlas/weights.safetensors.

    python recipes/train_atlas.py

Some minutes on a GPU; on 2 cores a day or two. Stop it with Ctrl-C and start it again at any time:
it goes on from its last checkpoint in `recipes/.cache/atlas`. What happens in a step depends on the
seed, the step and the device only. Needs npm and pip, for the imagery (see `imagery.py`), and the
extra `recipes`.

Every step shows the network pieces of the Earth, 900 to 2,200 km wide, from five world maps: two
months of the Blue Marble and three maps that were drawn. They are disturbed in ways that
satellites, seasons, weather and the explorer's evidence disturb them. The answer that it should
give is soft: a cell counts by its distance from the middle of the piece. The weights that are kept
are a running mean. At the end the temperature is fitted on disturbed pieces of the same maps, and
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
from imagery import BLUE_MARBLE, BLUE_MARBLE_JUNE, CACHE, ETOPO, NATURAL_EARTH, SHADED_RELIEF
from land import Land
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from combicam_widgets.geo import EARTH_RADIUS_KM, CellGrid, vector_coordinates
from combicam_widgets.models.atlas.network import AtlasNetwork

HOME = Path(__file__).parents[1] / "combicam_widgets" / "models" / "atlas"
CHECKPOINT = CACHE / "atlas" / "checkpoint.pt"
LOG = HOME / "training.csv"

SEED = 20261127
STEPS = 20000
BATCH = 256
RATE = 2e-3
WARM_UP = 500
DECAY = 0.5  # the last part of the training, in which the learning rate falls to zero
MEAN_OVER = 1000  # steps of the running mean of the weights
WEIGHT_DECAY = 0.02
SIDE = 96  # pixels
WIDEST = 5400  # pixels of a world map; a piece has 96 for 8 degrees and more
SOFTNESS_KM = 100.0
WIDTHS_KM = (900.0, 2200.0)
NARROW_KM = (900.0, 1300.0)
NARROW = 0.4  # share of the pieces that are narrow in any case: these are the hardest
TURN = 15.0  # degrees, standard deviation of the direction that is up
OFFSHORE_KM = 40.0
FROM_CELLS = 0.25  # pieces around a cell's centre, so that small islands are seen often enough
PLACES = 400_000  # on land, drawn once
SEASONS = 0.6  # share of the pieces in other seasons

Floats = NDArray[np.float64]


def main() -> None:
    """Train, then write weights and log."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=STEPS, help="%(default)s unless told")
    options = parser.parse_args()
    cells = CellGrid.load(HOME / "cells.npz")
    pieces = Pieces(cells, Land.fetch(), world_maps(), options.device)
    student = Student(len(cells), options.device)
    rows = student.resume()
    began, done = time.time(), student.step
    while student.step < options.steps:
        batch = pieces.batch(student.step)
        loss = student.learn(*batch, RATE * pace(student.step, options.steps))
        if student.step % 1000 == 0 or student.step == options.steps:
            median, near = student.check(pieces)
            rows.append((student.step, round(loss.item(), 4), round(median, 1), round(near, 4)))
            student.save(rows)
            minutes = (time.time() - began) / 60
            left = minutes / (student.step - done) * (options.steps - student.step)
            print(
                f"step {student.step}: loss {loss:.3f}, median {median:.0f} km, "
                f"{near:.1%} in 750 km; {minutes:.1f} min, {left:.1f} to go",
                flush=True,
            )
    student.finish(pieces, rows)


class Pieces:
    """Pieces of the world maps, as many as one likes, and the cells that hold their middles."""

    def __init__(
        self, cells: CellGrid, land: Land, maps: list[tuple[float, Tensor]], device: str = "cpu"
    ) -> None:
        self.cells = cells
        self.device = device
        self.on_land = land.places(np.random.default_rng(SEED), PLACES)
        self.shares = [share for share, _ in maps]
        self.maps = [pixels.to(device) for _, pixels in maps]
        self.centers = torch.from_numpy(cells.unit_vectors.astype(np.float32)).to(device)

    def batch(self, step: int, seed: int = SEED) -> tuple[Tensor, Tensor]:
        """Pictures (BATCH, 3, SIDE, SIDE) and soft answers (BATCH, C) of one step."""
        random = np.random.default_rng((seed, step))
        pictures, places = self.pictures(random, BATCH, NARROW)
        noise = torch.Generator(self.device).manual_seed(int(random.integers(2**62)))
        other = other_season(pictures, noise)
        pictures = torch.where(chosen(BATCH, SEASONS, noise), other, pictures)
        return normalised(disturbed(pictures, noise)), self.answers(places)

    def pictures(
        self, random: np.random.Generator, count: int, narrow: float = 0.0
    ) -> tuple[Tensor, Floats]:
        """Cut undisturbed pieces; also their middles as unit vectors (count, 3)."""
        places = self.places(random, count)
        width = np.exp(random.uniform(*np.log(WIDTHS_KM), count))
        some = random.random(count) < narrow
        width[some] = np.exp(random.uniform(*np.log(NARROW_KM), int(some.sum())))
        points = views(places, width, random.normal(0, TURN, count), 2 * SIDE, self.device)
        source = random.choice(len(self.shares), count, p=self.shares)
        cut = points.new_empty(count, 3, SIDE, SIDE)
        for number, world in enumerate(self.maps):
            these = torch.from_numpy(np.flatnonzero(source == number)).to(self.device)
            seen = F.grid_sample(
                world.expand(len(these), -1, -1, -1),
                points[these],
                padding_mode="border",
                align_corners=False,
            )
            cut[these] = F.avg_pool2d(seen, 2)  # twice as fine as needed: no stairs
        return cut, places

    def places(self, random: np.random.Generator, count: int) -> Floats:
        """Places on land and a little offshore, as unit vectors."""
        places = self.on_land[random.choice(len(self.on_land), count)]
        around = random.choice(len(self.cells), count)
        from_cells = random.random(count) < FROM_CELLS
        places[from_cells] = self.cells.unit_vectors[around[from_cells]]
        spread = np.where(from_cells, 2.0, 1.0) * OFFSHORE_KM / EARTH_RADIUS_KM
        places += random.normal(size=places.shape) * spread[:, None]
        return places / np.linalg.norm(places, axis=1, keepdims=True)

    def answers(self, places: Floats) -> Tensor:
        """How much each cell counts, (N, C); rows sum to 1."""
        closeness = torch.from_numpy(places).float().to(self.device) @ self.centers.T
        km = closeness.clamp(-1, 1).acos() * EARTH_RADIUS_KM
        return (km.square() / (-2 * SOFTNESS_KM**2)).softmax(1)


def views(places: Floats, width_km: Floats, turn: Floats, side: int, device: str) -> Tensor:
    """Where the pixels of `gnomonic_grid` lie on a world map: x, y in [-1, 1], (N, side, side, 2).

    The same projection, on the device; `turn` in degrees clockwise from north.
    """
    longitude = np.radians(vector_coordinates(places)[1])
    east = np.stack([-np.sin(longitude), np.cos(longitude), np.zeros_like(longitude)], axis=1)
    north = np.cross(places, east)
    cos, sin = (f(np.radians(turn))[:, None] for f in (np.cos, np.sin))
    half = np.tan(width_km / (2 * EARTH_RADIUS_KM))[:, None]
    frame = np.stack([places, (cos * east - sin * north) * half, (sin * east + cos * north) * half])
    middle, right, up = torch.from_numpy(frame).float().to(device)[:, :, None, None]
    steps = (torch.arange(side, device=device) + 0.5) * (2 / side) - 1
    x, y, z = (middle + right * steps[:, None] - up * steps[:, None, None]).unbind(-1)
    return torch.stack([torch.atan2(y, x), -torch.atan2(z, torch.hypot(x, y)) * 2], -1) / math.pi


def world_maps() -> list[tuple[float, Tensor]]:
    """Fetch the maps to learn from, each with its share of the pieces."""
    january, june = (world_map(x.fetch()) for x in (BLUE_MARBLE, BLUE_MARBLE_JUNE))
    drawn = [world_map(x.fetch()) for x in (NATURAL_EARTH, SHADED_RELIEF, ETOPO)]
    return [
        (0.24, january),
        (0.12, F.avg_pool2d(january, 2)),
        (0.24, june),
        (0.12, F.avg_pool2d(june, 2)),
        *((share, pixels) for share, pixels in zip((0.12, 0.08, 0.08), drawn, strict=True)),
    ]


def world_map(path: Path) -> Tensor:
    """Read a world map as (1, 3, h, w) in [0, 1]."""
    image = Image.open(path).convert("RGB")
    image.thumbnail((WIDEST, WIDEST // 2), Image.Resampling.BOX)
    pixels = np.asarray(image)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def chosen(count: int, share: float, noise: torch.Generator) -> Tensor:
    """Whether something happens to each picture, (count, 1, 1, 1)."""
    return torch.rand(count, 1, 1, 1, generator=noise, device=noise.device) < share


def uniform(count: int, low: float, high: float, noise: torch.Generator, *shape: int) -> Tensor:
    """Numbers between two, (count, *shape); without a shape one for each picture."""
    shape = shape or (1, 1, 1)
    return torch.rand(count, *shape, generator=noise, device=noise.device) * (high - low) + low


def disturbed(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Change colours, light, sharpness and weather at random; blur parts away."""
    count, _, height, width = pictures.shape

    def between(low: float, high: float, channels: int = 1) -> Tensor:
        return uniform(count, low, high, noise, channels, 1, 1)

    def spots(cells: int) -> Tensor:
        """Smooth random fields in [0, 1]."""
        coarse = uniform(count, 0, 1, noise, 1, cells, cells)
        return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)

    x = pictures
    # Light and colour: gamma, contrast, saturation, a tint of each channel.
    x = x.clamp(1e-3, 1) ** torch.exp(between(-0.35, 0.35))
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * between(0.5, 1.5)
    middle = x.mean((1, 2, 3), keepdim=True)
    x = middle + (x - middle) * between(0.7, 1.3)
    x = x * between(0.87, 1.15, 3) + between(-0.05, 0.05, 3)
    # Haze and broken clouds.
    haze = between(0.0, 0.3) * chosen(count, 0.3, noise)
    x = x * (1 - haze) + haze * between(0.6, 1.0, 3)
    clouds = ((spots(7) - 0.65) * 4).clamp(0, 0.9) * chosen(count, 0.15, noise)
    x = x * (1 - clouds) + clouds * 0.95
    # Sharpness.
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = x + (soft - x) * between(-0.6, 1.0)
    # Parts blurred away, as when the explorer asks again with the evidence only.
    blurred = F.interpolate(F.adaptive_avg_pool2d(x, 4), (height, width), mode="bilinear")
    hidden = ((spots(6) - between(0.35, 0.75)) * 8).clamp(0, 1) * chosen(count, 0.2, noise)
    x = x + (blurred - x) * hidden
    x = x + torch.randn(x.shape, generator=noise, device=noise.device) * between(0.0, 0.03)
    return x.clamp(0, 1)


def other_season(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """Overexpose, recolour and snow at random: harder than `disturbed`, before it.

    What is bright becomes white; in half of the pictures only ice does, which is bright in all
    colours: a desert is not.
    """
    count, _, height, width = pictures.shape

    def between(low: float, high: float, *shape: int) -> Tensor:
        return uniform(count, low, high, noise, *shape)

    def smooth(values: Tensor) -> Tensor:
        return F.interpolate(values, (height, width), mode="bicubic")

    # Vegetation that is greener or browner here and there; other sensors mix colours differently.
    x = pictures * (1 + smooth(between(-0.2, 0.2, 3, 4, 4)) * chosen(count, 0.5, noise))
    mixed = between(-0.1, 0.1, 3, 3) * chosen(count, 0.4, noise)[..., 0]
    x = torch.einsum("nij,njhw->nihw", torch.eye(3, device=noise.device) + mixed, x)
    # No colours at all.
    grey = x.mean(1, keepdim=True)
    x = x + (grey - x) * chosen(count, 0.15, noise)
    # Snow: whiter, with the relief still there.
    snow = smooth(between(-1.0, 1.5, 1, 4, 4)).clamp(0, 1) * between(0.3, 0.9)
    x = x + (0.95 - x) * snow * chosen(count, 0.15, noise)
    gain = between(0.0, 0.7) * chosen(count, 0.35, noise)
    icy = ((pictures.amin(1, keepdim=True) - 0.6) * 10).clamp(0, 1)
    gain = torch.where(chosen(count, 0.5, noise), gain * icy, gain)
    return (x * (1 + gain)).clamp(0, 1)


def normalised(pictures: Tensor) -> Tensor:
    """From [0, 1] to [-1, 1], as the network wants it."""
    return pictures * 2 - 1


@dataclass
class Student:
    """The network, its running mean, and the optimiser."""

    cells: int
    device: str = "cpu"
    step: int = 0

    def __post_init__(self) -> None:
        torch.manual_seed(SEED)
        network = AtlasNetwork(self.cells).to(self.device, memory_format=torch.channels_last)
        self.network = network
        self.optimiser = torch.optim.AdamW(
            network.parameters(), betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY, fused=True
        )
        self.mean = {k: v.clone() for k, v in network.state_dict().items()}

    def learn(self, pictures: Tensor, answers: Tensor, rate: float) -> Tensor:
        """Take one step; return the loss in excess of the answers' own entropy, in nats."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.network.train()
        with torch.autocast(self.device, torch.bfloat16):
            scores = self.network(pictures.contiguous(memory_format=torch.channels_last))
        loss = F.kl_div(scores.float().log_softmax(1), answers, reduction="batchmean")
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        share = 1 / min(self.step, MEAN_OVER)
        now = self.network.state_dict()
        floats = [name for name, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.mean[name] for name in floats], [now[name] for name in floats], share
        )
        for name in now.keys() - floats:
            self.mean[name].copy_(now[name])
        return loss.detach()

    def averaged(self) -> AtlasNetwork:
        """Return a network with the running mean of the weights."""
        network = AtlasNetwork(self.cells).to(self.device)
        network.load_state_dict(self.mean)
        return network.eval()

    @torch.inference_mode()
    def check(self, pieces: Pieces) -> tuple[float, float]:
        """Median error and the share within 750 km of 1,000 fresh pieces, undisturbed."""
        pictures, places = pieces.pictures(np.random.default_rng(SEED + 1), 1000)
        network = self.averaged()
        best = torch.cat([network(normalised(x)).argmax(1) for x in pictures.split(BATCH)])
        cosine = (pieces.centers[best].cpu().numpy() * places).sum(1)
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
        state = torch.load(CHECKPOINT, self.device, weights_only=True)
        self.step, self.mean = state["step"], state["mean"]
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        print(f"going on from step {self.step}")
        return list(state["rows"])

    @torch.inference_mode()
    def finish(self, pieces: Pieces, rows: list[tuple[float, ...]]) -> None:
        """Fit the temperature, write the weights as float16, and the log."""
        network = self.averaged()
        batches = [pieces.batch(k, SEED + 2) for k in range(16)]
        scores = torch.cat([network(pictures) for pictures, _ in batches])
        answers = torch.cat([answers for _, answers in batches])
        temperatures = np.geomspace(0.3, 3.0, 93)
        losses = [
            F.kl_div((scores / t).log_softmax(1), answers, reduction="batchmean").item()
            for t in temperatures.tolist()
        ]
        temperature = float(temperatures[int(np.argmin(losses))])
        weights = {k: v.cpu() for k, v in network.state_dict().items() if v.is_floating_point()}
        weights |= {k: weights[k] / temperature for k in ("head.weight", "head.bias")}
        path = HOME / "weights.safetensors"
        save_file({k: v.half().contiguous() for k, v in weights.items()}, path)
        with LOG.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("step", "loss", "median_km", "within_750_km"))
            table.writerows(rows)
        print(f"temperature {temperature:.3f}; {path}: {path.stat().st_size} bytes")


def pace(step: int, steps: int) -> float:
    """Return the learning rate relative to its highest: up, level, down."""
    falling = min(max(0.0, (steps - step) / (DECAY * steps)), 1.0)
    return min((step + 1) / WARM_UP, math.sin(math.pi / 2 * falling) ** 2)


if __name__ == "__main__":
    main()
