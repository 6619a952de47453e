"""The CAM engine: speed, memory, and how it grows."""

from __future__ import annotations

import multiprocessing
from functools import partial
from pathlib import Path

import torch

from benchmarks.measure import ms, survived, table, together
from benchmarks.ways import BARE, FORWARD, NAIVE, NETWORKS, OURS, SAME_METHODS, ways
from combicam_widgets import cam

ROUNDS = 9

GROWTH = (
    ("stage", 300, 1),
    ("block", 300, 1),
    ("convolution", 300, 1),
    ("block", 224, 1),
    ("block", 380, 1),
    ("block", 224, 4),
)
"""Layers, side of the photos, and how many there are."""


def main() -> None:
    """Print the tables."""
    torch.manual_seed(0)
    for title in NETWORKS:
        table(
            f"All layer maps: {title}",
            ["way", "time", "plain forwards", "bare passes", "times ours", "extra memory"],
            survived(title, partial(speed_and_memory, title)),
        )
    table("Fuse 32 maps at 300 x 400", ["rule", "time"], survived("fusion", fusion))
    table(
        "Growth: efficientnet_b4",
        ["layers", "photo", "photos", "time", "plain forwards"],
        [
            row
            for layers, side, photos in GROWTH
            for row in survived(layers, partial(growth, layers, side, photos))
        ],
    )


def speed_and_memory(title: str) -> list[list[str]]:
    """Time every way in turns; measure the peak memory of each in a process of its own."""
    make, side = NETWORKS[title]
    jobs = ways(make(), torch.rand(1, 3, side, side))
    slow = {name: jobs.pop(name) for name in (SAME_METHODS, "Captum", NAIVE)}
    times = together(jobs, ROUNDS) | together(slow, 1)
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
        memory = {name: fresh.apply(extra_memory, (title, name)) for name in times}
    return [
        [
            name,
            ms(seconds),
            f"{seconds / times[FORWARD]:.2f}",
            f"{seconds / times[BARE]:.2f}",
            f"{seconds / times[OURS]:.2f}",
            f"{memory[name]:.0f} MB",
        ]
        for name, seconds in times.items()
    ]


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


def fusion() -> list[list[str]]:
    """Time every fusion rule on 32 maps."""
    maps = cam.explain(NETWORKS["efficientnet_b4, 300 px"][0](), torch.rand(1, 3, 300, 300))
    jobs = {rule: partial(maps.fuse, rule=rule, size=(300, 400)) for rule in cam.rule_names()}
    return [[rule, ms(seconds)] for rule, seconds in together(jobs, 50).items()]


def growth(layers: str, side: int, photos: int) -> list[list[str]]:
    """Time B4 with these layers and photos, against a plain forward of the same."""
    network = NETWORKS["efficientnet_b4, 300 px"][0]()
    batch = torch.rand(photos, 3, side, side)
    names = cam.architecture(network, batch, layers).names
    jobs = {
        OURS: lambda: cam.explain(network, batch, layers=names),
        FORWARD: ways(network, batch)[FORWARD],
    }
    times = together(jobs, 3)
    in_forwards = f"{times[OURS] / times[FORWARD]:.2f}"
    return [[f"{len(names)} ({layers})", f"{side} px", str(photos), ms(times[OURS]), in_forwards]]
