"""The network of the atlas: a plain residual CNN."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

_WIDTHS = (32, 64, 128, 256)
_BLOCKS = (1, 2, 3, 2)


class AtlasNetwork(nn.Sequential):
    """Maps pieces of the Earth (N, 3, h, w) to logits of the cells (N, C).

    A residual network (He et al., 2016) of 8 blocks in four stages. It also sees where in the
    picture a pixel lies (Liu et al., CoordConv, 2018), because the question is what lies in the
    middle. 2.9 M parameters and 257 per cell.

    Parameters
    ----------
    cells : int
        C, the number of classes.
    """

    def __init__(self, cells: int) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["coordinates"] = Coordinates()
        layers["stem"] = nn.Sequential(
            nn.Conv2d(5, _WIDTHS[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(_WIDTHS[0]),
            nn.ReLU(),
        )
        inputs = _WIDTHS[0]
        for number, (width, blocks) in enumerate(zip(_WIDTHS, _BLOCKS, strict=True), start=1):
            stride = 1 if number == 1 else 2
            first = ResidualBlock(inputs, width, stride)
            rest = (ResidualBlock(width, width) for _ in range(blocks - 1))
            layers[f"stage{number}"] = nn.Sequential(first, *rest)
            inputs = width
        layers["pool"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["head"] = nn.Linear(inputs, cells)
        super().__init__(layers)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block's output."""
        y: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return y


class Coordinates(nn.Module):
    """Adds two channels: how far right and how far down a pixel lies, -1 to 1."""

    def forward(self, x: Tensor) -> Tensor:
        """Turn (N, K, h, w) into (N, K + 2, h, w)."""
        down, right = (_steps(side, x) for side in x.shape[2:])
        shape = (len(x), 1, *x.shape[2:])
        return torch.cat([x, right.expand(shape), down[:, None].expand(shape)], dim=1)


def _steps(side: int, like: Tensor) -> Tensor:
    return (torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) * (2 / side) - 1
