"""The engine beside PyTorch's own passes: ratios that hold on a machine with other work, too."""

from __future__ import annotations

import time
from functools import partial

import torch

from benchmarks.measure import survived, table, together
from benchmarks.ways import BARE, NETWORKS, ONE, OURS, ways
from combicam_widgets import cam

ROUNDS = 13
SHORT = {ONE: "one method", OURS: "five methods", "TorchCAM": "TorchCAM, one"}


def main() -> None:
    """Print the table: seconds of one core, as parts of those of the bare passes."""
    rows = [row for title in NETWORKS for row in survived(title, partial(measured, title))]
    columns = ["one method", "five methods", "one, layers found", "one, exact", "TorchCAM, one"]
    table(
        "Seconds of one core, against a bare forward and backward to the first layer",
        ["network", "bare passes", *columns],
        rows,
    )


def measured(title: str) -> list[list[str]]:
    """Measure one network."""
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what waits for other threads counts as busy
    try:
        make, side = NETWORKS[title]
        network, batch = make(), torch.rand(1, 3, side, side)
        names = cam.architecture(network, batch).names
        known = ways(network, batch)
        jobs = {
            BARE: known[BARE],
            **{short: known[name] for name, short in SHORT.items() if name != "TorchCAM"},
            "found": partial(cam.explain, network, batch, [1], methods="gradcam"),
            "exact": partial(
                cam.explain, network, batch, [1], names, methods="gradcam", exact=True
            ),
            SHORT["TorchCAM"]: known["TorchCAM"],
        }
        seconds = list(together(jobs, ROUNDS, time.process_time).values())
    finally:
        torch.set_num_threads(threads)
    bare, *others = seconds
    return [[title, f"{1000 * bare:.0f} ms", *(f"{each / bare:.2f}" for each in others)]]
