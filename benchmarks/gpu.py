"""The engine on a GPU: one method and five, against a plain forward and the peers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torchvision import models

from benchmarks.measure import ms, survived, table, together
from benchmarks.ways import FORWARD, ways
from combicam_widgets import cam

ROUNDS = 9
PEERS = ("TorchCAM", "pytorch-grad-cam")

NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "efficientnet_b4": (models.efficientnet_b4, 300),
    "resnet50": (models.resnet50, 224),
}


def main() -> None:
    """Print the table, for batches of 1 and 32."""
    if not torch.cuda.is_available():
        print("### The engine on a GPU\n\nPyTorch finds none here.\n")
        return
    rows = []
    for name in NETWORKS:
        for photos in (1, 32):
            title = f"{name}, {photos}"
            rows += survived(title, lambda n=name, p=photos: measured(n, p, "cuda"))
    header = ["network, photos", "way", "time"]
    table(f"The engine on {torch.cuda.get_device_name()}", header, rows)


def measured(name: str, photos: int, device: str, side: int | None = None) -> list[list[str]]:
    """Time a network on a device; a job is over when the device is."""
    make, usual = NETWORKS[name]
    network = make().eval().to(device)
    batch = torch.rand(photos, 3, side or usual, side or usual, device=device)
    names = list(cam.architecture(network, batch).names)
    known = ways(network, batch)
    targets = [1] * photos
    jobs: dict[str, Callable[[], object]] = {
        "one method": lambda: cam.explain(network, batch, targets, names, methods="gradcam"),
        "five methods": lambda: cam.explain(network, batch, targets, names),
        **{way: job for way, job in known.items() if way in {FORWARD, *PEERS}},
    }

    def finished(job: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            job()
            if batch.is_cuda:
                torch.cuda.synchronize()

        return run

    times = together({way: finished(job) for way, job in jobs.items()}, ROUNDS)
    return [[f"{name}, {photos}", way, ms(seconds)] for way, seconds in times.items()]
