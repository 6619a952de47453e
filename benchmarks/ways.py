"""Every way to get the maps of the same layers: ours, the peers', and the tutorials'."""

from __future__ import annotations

from collections.abc import Callable

import torch
from captum.attr import LayerGradCam
from pytorch_grad_cam import GradCAM, GradCAMPlusPlus, HiResCAM, XGradCAM
from pytorch_grad_cam import LayerCAM as PytorchLayerCAM
from pytorch_grad_cam.activations_and_gradients import ActivationsAndGradients
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam import methods as torchcam
from torchvision import models

from combicam_widgets import cam
from combicam_widgets.models import load_model

OURS, FORWARD, NAIVE = "combicam_widgets, 5 methods", "one plain forward", "one pass per layer"
ONE, BARE = "combicam_widgets, 1 method", "bare forward and backward"
SAME_METHODS = "pytorch-grad-cam, the same 5 methods"
PYTORCH_GRAD_CAM = {
    "gradcam": GradCAM,
    "gradcam++": GradCAMPlusPlus,
    "xgradcam": XGradCAM,
    "hirescam": HiResCAM,
    "layercam": PytorchLayerCAM,
}
NETWORKS = {
    "naturalist (Lite0), 224 px": (lambda: load_model("naturalist").network, 224),
    "efficientnet_b4, 300 px": (lambda: models.efficientnet_b4().eval(), 300),
    "resnet50, 224 px": (lambda: models.resnet50().eval(), 224),
}
"""How to make each network, and the side of its photos; speed does not depend on the weights."""


def ways(network: nn.Module, batch: Tensor) -> dict[str, Callable[[], object]]:
    """List every way to get the maps of the network's blocks for one class."""
    names = cam.architecture(network, batch).names
    modules = [network.get_submodule(name) for name in names]
    target = int(cam.class_scores(network, batch)[0].argmax())

    def forward() -> None:
        with torch.inference_mode():
            network(batch)

    def pytorch_grad_cam(*methods: str) -> None:
        for method in methods:
            with PYTORCH_GRAD_CAM[method](network, modules) as extractor:
                extractor(batch, [ClassifierOutputTarget(target)] * len(batch))

    def torch_cam() -> None:
        with torchcam.GradCAM(network, list(modules)) as extractor:
            extractor(target, network(batch))

    def captum() -> None:
        for module in modules:  # a list of layers raises
            LayerGradCam(network, module).attribute(batch, target, relu_attributions=True)

    def naive() -> None:
        for module in modules:
            _grad_cam_of_a_tutorial(network, batch, module, target)

    return {
        FORWARD: forward,
        BARE: lambda: _bare(network, batch, modules[0], target),
        ONE: lambda: cam.explain(network, batch, [target] * len(batch), names, methods="gradcam"),
        OURS: lambda: cam.explain(network, batch, [target] * len(batch), names),
        "pytorch-grad-cam": lambda: pytorch_grad_cam("gradcam"),
        SAME_METHODS: lambda: pytorch_grad_cam(*PYTORCH_GRAD_CAM),
        "TorchCAM": torch_cam,
        "Captum": captum,
        NAIVE: naive,
    }


def _bare(network: nn.Module, batch: Tensor, first: nn.Module, target: int) -> None:
    """Pass forward, and back to the first layer: what is left of an explanation without maps."""
    kept: dict[str, Tensor] = {}

    def cut(_module: nn.Module, _args: object, output: Tensor) -> Tensor:
        kept["output"] = output.detach().requires_grad_()
        return kept["output"]

    handle = first.register_forward_hook(cut)
    score = network(batch).log_softmax(1)[:, target].sum()
    handle.remove()
    torch.autograd.grad(score, kept["output"])


def _grad_cam_of_a_tutorial(
    network: nn.Module, batch: Tensor, module: nn.Module, target: int
) -> Tensor:
    """Grad-CAM of one layer: a pass of its own, gradients of everything."""
    kept: dict[str, Tensor] = {}

    def keep(_module: nn.Module, _args: object, output: Tensor) -> None:
        kept["a"] = output
        output.register_hook(lambda gradient: kept.update(g=gradient))

    handle = module.register_forward_hook(keep)
    network.zero_grad()
    network(batch)[:, target].sum().backward()
    handle.remove()
    return (kept["g"].mean((2, 3), keepdim=True) * kept["a"]).sum(1).relu()


def peers_maps(
    network: nn.Module, batch: Tensor, name: str, target: int
) -> dict[tuple[str, str], Tensor]:
    """Raw maps (h, w) of one layer, by (library, method), before any stretching or resizing."""
    module = network.get_submodule(name)
    maps: dict[tuple[str, str], Tensor] = {}
    for method, extractor_class in {
        "gradcam": torchcam.GradCAM,
        "gradcam++": torchcam.GradCAMpp,
        "xgradcam": torchcam.XGradCAM,
        "layercam": torchcam.LayerCAM,
    }.items():
        with extractor_class(network, [module]) as extractor:
            maps["TorchCAM", method] = extractor(target, network(batch), normalized=False)[0][0]
    graph = ActivationsAndGradients(network, [module], None)
    network.zero_grad()
    graph(batch)[0, target].backward()
    a, g = graph.activations[0].numpy(), graph.gradients[0].numpy()
    graph.release()
    for method, extractor_class in PYTORCH_GRAD_CAM.items():
        with extractor_class(network, [module]) as extractor:
            raw = extractor.get_cam_image(
                batch, module, [ClassifierOutputTarget(target)], a, g, eigen_smooth=False
            )
        maps["pytorch-grad-cam", method] = torch.from_numpy(raw)[0].relu()
    attribution = LayerGradCam(network, module).attribute(batch, target, relu_attributions=True)
    maps["Captum", "gradcam"] = attribution[0, 0]
    return {key: value.detach() for key, value in maps.items()}
