"""The CAM engine: speed, memory, and how it grows."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import torch
from torch import nn

from benchmarks.measure import ms, table, together
from benchmarks.ways import BARE, FORWARD, NAIVE, NETWORKS, OURS, SAME_METHODS, ways
from combicam_widgets import cam

ROUNDS = 9


def main() -> None:
    """Print the tables."""
    torch.manual_seed(0)
    for title, (make, side) in NETWORKS.items():
        speed_and_memory(title, make(), torch.rand(1, 3, side, side))
    fusion()
    growth()


def speed_and_memory(title: str, network: nn.Module, batch: torch.Tensor) -> None:
    """Time every way in turns; measure the peak memory of each in a process of its own."""
    jobs = ways(network, batch)
    slow = {name: jobs.pop(name) for name in (SAME_METHODS, "Captum", NAIVE)}
    times = together(jobs, ROUNDS) | together(slow, 1)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
        memory = {name: fresh.apply(extra_memory, (title, name)) for name in times}
    layers = len(cam.architecture(network, batch).names)
    table(
        f"All layer maps ({layers} layers): {title}",
        ["way", "time", "plain forwards", "bare passes", "times ours", "extra memory"],
        [
            [
                name,
                ms(seconds),
                f"{seconds / times[FORWARD]:.2f}",
                f"{seconds / times[BARE]:.2f}",
                f"{seconds / times[OURS]:.2f}",
                f"{memory[name]:.0f} MB",
            ]
            for name, seconds in times.items()
        ],
    )


def extra_memory(title: str, name: str) -> float:
    """Peak memory in MB that one way adds to a process that has run one plain forward."""
    make, side = NETWORKS[title]
    jobs = ways(make(), torch.rand(1, 3, side, side))
    jobs[FORWARD]()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew (Linux only)
    before = _memory("VmRSS")
    jobs[name]()
    return _memory("VmHWM") - before


def _memory(kind: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(kind))


def fusion() -> None:
    """Time every fusion rule on 32 maps."""
    maps = cam.explain(NETWORKS["efficientnet_b4, 300 px"][0](), torch.rand(1, 3, 300, 300))
    jobs = {
        rule: (lambda rule=rule: maps.fuse(rule=rule, size=(300, 400))) for rule in cam.rule_names()
    }
    times = together(jobs, 50)
    table("Fuse 32 maps at 300 x 400", ["rule", "time"], [[r, ms(t)] for r, t in times.items()])


def growth() -> None:
    """Show how time grows with layers, size and batch, against a plain forward of the same."""
    network = NETWORKS["efficientnet_b4, 300 px"][0]()
    rows = []
    for layers, side, photos in (
        ("stage", 300, 1),
        ("block", 300, 1),
        ("convolution", 300, 1),
        ("block", 224, 1),
        ("block", 380, 1),
        ("block", 224, 4),
    ):
        batch = torch.rand(photos, 3, side, side)
        names = cam.architecture(network, batch, layers).names
        jobs = {
            "ours": lambda batch=batch, names=names: cam.explain(network, batch, layers=names),
            "forward": ways(network, batch)[FORWARD],
        }
        times = together(jobs, 3)
        rows.append(
            [
                f"{len(names)} ({layers})",
                f"{side} px",
                str(photos),
                ms(times["ours"]),
                f"{times['ours'] / times['forward']:.2f}",
            ]
        )
    header = ["layers", "photo", "photos", "time", "plain forwards"]
    table("Growth: efficientnet_b4", header, rows)
