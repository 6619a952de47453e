"""EfficientNet-B4 (Tan and Le, 2019), as in the package ``efficientnet_pytorch``."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from combicam_widgets.models.certh.checkpoint import advice
from combicam_widgets.models.checkpoint import check_tensors, fill, read_tensors

FEATURES = 1792
"""Length of the feature vector of a photo."""

# kernel, stride of the first block, expansion, output channels, repeats
_STAGES = (
    (3, 1, 1, 24, 2),
    (3, 2, 6, 32, 4),
    (5, 2, 6, 56, 4),
    (3, 2, 6, 112, 6),
    (5, 1, 6, 160, 6),
    (5, 2, 6, 272, 8),
    (3, 1, 6, 448, 2),
)
_STEM = 48
_SQUEEZE = 4
_BATCH_NORM_EPSILON = 1e-3

_SIDE = 380
"""The photo size that all padding is computed for, whatever size a photo has."""


class EfficientNetB4(nn.Sequential):
    """Maps (N, 3, h, w) to features (N, 1792); 17.5 M parameters, 32 blocks.

    The photo is expected with ImageNet's mean and deviation. Padding is that for 380 x 380 px at
    any size, as in the code that the weights were trained with: other sizes are not padded
    "same" exactly.
    """

    def __init__(self) -> None:
        stem = ConvNormSwish(3, _STEM, _SIDE, kernel=3, stride=2)
        blocks, channels, side = [], _STEM, _halved(_SIDE)
        for kernel, first_stride, expansion, width, repeats in _STAGES:
            for i in range(repeats):
                stride = first_stride if i == 0 else 1
                blocks.append(MBConv(channels, width, side, kernel, stride, expansion))
                channels = width
                side = side if stride == 1 else _halved(side)
        super().__init__(
            OrderedDict(
                stem=stem,
                blocks=nn.Sequential(*blocks),
                head=ConvNormSwish(channels, FEATURES, side),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
            )
        )


class MBConv(nn.Module):
    """Mobile inverted bottleneck: expand, depthwise convolution, excite, project, add."""

    def __init__(
        self, inputs: int, outputs: int, side: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = ConvNormSwish(inputs, width, side) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNormSwish(width, width, side, kernel, stride, groups=width)
        self.excite = SqueezeExcitation(width, inputs // _SQUEEZE)
        self.project = nn.Sequential(
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPSILON),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block's output."""
        y: Tensor = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class SqueezeExcitation(nn.Module):
    """Scales each channel by a number in (0, 1) that depends on the means of all channels."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scale the channels of (N, K, h, w)."""
        means = x.mean((2, 3), keepdim=True)
        y: Tensor = self.expand(F.silu(self.reduce(means))).sigmoid() * x
        return y


class ConvNormSwish(nn.Sequential):
    """Convolution with static "same" padding, batch norm, swish.

    Pads as an input of ``side`` px needs it to give ceil(side / stride) px.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        side: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        convolution = _OddlyPaddedConv2d if missing % 2 else nn.Conv2d
        super().__init__(
            convolution(inputs, outputs, kernel, stride, missing // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPSILON),
            nn.SiLU(inplace=True),
        )


class _OddlyPaddedConv2d(nn.Conv2d):
    """Pads one pixel more at the end than at the beginning."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 1, 0, 1)))


def read_backbone(path: Path) -> EfficientNetB4:
    """Read the network from a state dict in the layout of ``efficientnet_pytorch``.

    A classifier in it (``_fc``) is passed over. Nothing is unpickled.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It does not hold the weights of this network; the message says what is wrong.
    """
    theirs = {
        name: tensor
        for name, tensor in read_tensors(path, advice(path.name)).items()
        if not str(name).startswith("_fc.")
    }
    with torch.device("meta"):  # no memory and no time for weights that are replaced at once
        network = EfficientNetB4()
    ours = network.state_dict()
    expected = {_their_name(name): tensor for name, tensor in ours.items()}
    check_tensors(path, theirs, expected, advice(path.name))
    fill(network, {name: theirs[_their_name(name)] for name in ours})
    return network.eval()


def _halved(side: int) -> int:
    return -(-side // 2)


def _their_name(name: str) -> str:
    top = {"stem.0": "_conv_stem", "stem.1": "_bn0", "head.0": "_conv_head", "head.1": "_bn1"}
    inner = {
        "expand.0": "_expand_conv",
        "expand.1": "_bn0",
        "depthwise.0": "_depthwise_conv",
        "depthwise.1": "_bn1",
        "excite.reduce": "_se_reduce",
        "excite.expand": "_se_expand",
        "project.0": "_project_conv",
        "project.1": "_bn2",
    }
    module, _, leaf = name.rpartition(".")
    if module in top:
        return f"{top[module]}.{leaf}"
    _, index, part = module.split(".", 2)
    return f"_blocks.{index}.{inner[part]}.{leaf}"
