"""The CAM engine against one plain forward, one pass per layer, and its peers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn
from torchcam.methods import GradCAM as TorchCAM
from torchvision import models

from benchmarks.measure import ms, table, together
from combicam_widgets import cam
from combicam_widgets.models import load_model

ROUNDS = 9


def networks() -> dict[str, tuple[nn.Module, torch.Tensor]]:
    """Networks and an input for each; speed does not depend on the weights."""
    torch.manual_seed(0)
    return {
        "naturalist (Lite0), 224 px": (
            load_model("naturalist").network,
            torch.rand(1, 3, 224, 224),
        ),
        "efficientnet_b4, 300 px": (models.efficientnet_b4().eval(), torch.rand(1, 3, 300, 300)),
        "resnet50, 224 px": (models.resnet50().eval(), torch.rand(1, 3, 224, 224)),
    }


def jobs(network: nn.Module, batch: torch.Tensor) -> dict[str, Callable[[], object]]:
    """Every way to get the maps of the same layers for the same class."""
    names = cam.architecture(network, batch).names
    modules = [network.get_submodule(name) for name in names]
    target = int(cam.class_scores(network, batch).argmax())

    def forward() -> None:
        with torch.inference_mode():
            network(batch)

    def one_pass_per_layer() -> None:
        for name in names:
            naive_grad_cam(network, batch, network.get_submodule(name), target)

    def grad_cam() -> None:
        with GradCAM(network, modules) as extractor:
            extractor(batch, [ClassifierOutputTarget(target)])

    def torchcam() -> None:
        with TorchCAM(network, list(modules)) as extractor:
            extractor(target, network(batch))

    return {
        "one plain forward": forward,
        "combicam_widgets, all methods": lambda: cam.explain(network, batch, target, names),
        "pytorch-grad-cam": grad_cam,
        "TorchCAM": torchcam,
        "one pass per layer": one_pass_per_layer,
    }


def naive_grad_cam(
    network: nn.Module, batch: torch.Tensor, module: nn.Module, target: int
) -> torch.Tensor:
    """Grad-CAM of one layer as in the tutorials: a pass of its own, gradients of everything."""
    kept: dict[str, torch.Tensor] = {}

    def keep(_module: nn.Module, _args: object, output: torch.Tensor) -> None:
        kept["a"] = output
        output.register_hook(lambda gradient: kept.update(g=gradient))

    handle = module.register_forward_hook(keep)
    network.zero_grad()
    network(batch)[0, target].backward()
    handle.remove()
    return (kept["g"].mean((2, 3), keepdim=True) * kept["a"]).sum(1).relu()


def main() -> None:
    """Print the tables."""
    for title, (network, batch) in networks().items():
        ways = jobs(network, batch)
        slow = {"one pass per layer": ways.pop("one pass per layer")}
        times = together(ways, ROUNDS) | together(slow, 1)
        forward, ours = times["one plain forward"], times["combicam_widgets, all methods"]
        layers = len(cam.architecture(network, batch).names)
        table(
            f"All layer maps ({layers} layers): {title}",
            ["way", "time", "plain forwards", "times ours"],
            [[name, ms(t), f"{t / forward:.2f}", f"{t / ours:.2f}"] for name, t in times.items()],
        )
    network, batch = networks()["efficientnet_b4, 300 px"]
    maps = cam.explain(network, batch)
    fusions = {
        rule: (lambda rule=rule: maps.fuse(rule=rule, size=(300, 400))) for rule in cam.rule_names()
    }
    times = together(fusions, 50)
    table("Fuse 32 maps at 300 x 400", ["rule", "time"], [[r, ms(t)] for r, t in times.items()])
