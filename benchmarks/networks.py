"""Sixty networks with random weights: their layers beside how a person would count them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping

import numpy as np
import timm
import torch
from torch import nn
from torchvision import models

from benchmarks.measure import in_a_line, table
from combicam_widgets import cam

TORCHVISION: Mapping[str, tuple[int, int]] = {
    # name: pixels, blocks as the papers count them
    "resnet18": (128, 8),
    "resnet34": (128, 16),
    "resnet50": (128, 16),
    "resnet101": (128, 33),
    "resnext50_32x4d": (128, 16),
    "wide_resnet50_2": (128, 16),
    "densenet121": (128, 58),
    "vgg11": (128, 5),
    "vgg16_bn": (128, 5),
    "squeezenet1_0": (128, 8),
    "googlenet": (128, 9),
    "inception_v3": (160, 11),
    "mobilenet_v2": (128, 17),
    "mobilenet_v3_small": (128, 11),
    "mobilenet_v3_large": (128, 15),
    "shufflenet_v2_x1_0": (128, 16),
    "efficientnet_b0": (128, 16),
    "efficientnet_b4": (128, 32),
    "efficientnet_v2_s": (128, 40),
    "convnext_tiny": (128, 18),
    "regnet_y_400mf": (128, 16),
    "regnet_x_400mf": (128, 22),
    "vit_b_32": (224, 12),
    "swin_t": (128, 12),
    "swin_s": (128, 24),
    "swin_v2_t": (128, 12),
    "maxvit_t": (224, 11),
}

TIMM: Mapping[str, tuple[int, int]] = {
    "vit_tiny_patch16_224": (224, 12),
    "vit_base_patch32_clip_224": (224, 12),
    "vit_little_patch16_reg4_gap_256": (256, 14),
    "deit_tiny_patch16_224": (224, 12),
    "deit_tiny_distilled_patch16_224": (224, 12),
    "deit3_small_patch16_224": (224, 12),
    "beit_base_patch16_224": (224, 12),
    "eva02_tiny_patch14_224": (224, 12),
    "swin_tiny_patch4_window7_224": (224, 12),
    "swinv2_cr_tiny_224": (224, 12),
    "cait_xxs24_224": (224, 24),
    "pvt_v2_b0": (224, 8),
    "twins_svt_small": (224, 18),
    "mixer_s32_224": (224, 8),
    "coatnet_pico_rw_224": (224, 12),
    "levit_128s": (224, 9),
    "edgenext_xx_small": (256, 12),
    "poolformer_s12": (224, 12),
    "efficientformer_l1": (224, 15),
    "caformer_s18": (224, 18),
    "convnext_atto": (224, 12),
    "convnext_nano": (224, 14),
    "convnextv2_atto": (224, 12),
    "inception_next_atto": (224, 12),
    "focalnet_tiny_srf": (224, 12),
    "hiera_tiny_224": (224, 12),
    "mvitv2_tiny": (224, 10),
    "nest_tiny": (224, 12),
    "resnetv2_50": (224, 16),
    "resnet26d": (224, 8),
    "ghostnet_100": (224, 16),
    "mixnet_s": (224, 16),
    "efficientnet_lite0": (224, 16),
    "regnetx_002": (224, 13),
    "mobilenetv3_small_100": (224, 11),
}


def main() -> None:
    """Print how many layers are found in each network, beside how many there are."""
    rows, right = [], 0
    for library, networks in (("torchvision", TORCHVISION), ("timm", TIMM)):
        for name, (side, layers) in networks.items():
            found, seconds, remark = _explained(_made(library, name), side)
            right += found == layers
            rows.append([library, name, str(layers), str(found), f"{seconds:.1f} s", remark])
    header = ["library", "network", "blocks", "layers found", "first call", ""]
    table(f"{right} of {len(rows)} networks as a person would count them", header, rows)


def _made(library: str, name: str) -> nn.Module:
    torch.manual_seed(0)
    if library == "timm":
        network: nn.Module = timm.create_model(name, pretrained=False, num_classes=10)
    else:
        network = made_of_torchvision(name)
    return network.eval()


def made_of_torchvision(name: str) -> nn.Module:
    """Make a network of torchvision with random weights."""
    fast = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    network: nn.Module = getattr(models, name)(weights=None, num_classes=10, **fast)
    return network


def _explained(network: nn.Module, side: int) -> tuple[int, float, str]:
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            maps = cam.explain(network, torch.randn(1, 3, side, side), 3, methods="hirescam")
        except (ValueError, TypeError, RuntimeError) as error:
            return 0, time.perf_counter() - start, in_a_line(error)
    remark = "axes assumed" if any("could not be tested" in str(w.message) for w in told) else ""
    if not all(np.isfinite(x).all() for x in maps.maps):
        remark = "not finite"
    return len(maps), time.perf_counter() - start, remark
