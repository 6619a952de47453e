"""ResNet-50 (He et al., 2016) with a classifier for each of several partitionings of the Earth."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from combicam_widgets.models.checkpoint import check_tensors, fill, read_lightning

_FEATURES = 2048
_STEM = 64

# width, repeats, stride of the first block
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
_EXPANSION = 4


def hierarchical_resnet(sizes: Sequence[int], ancestors: npt.NDArray[np.integer]) -> nn.Sequential:
    """Make the network, with weights that mean nothing.

    Modules are called as in torchvision's ``resnet50``; 16 blocks.

    Parameters
    ----------
    sizes : sequence of P int
        Cells of each partitioning, the finest last.
    ancestors : (F, P) integer array
        Of each cell of the finest partitioning, the cell of each that it lies in.

    Returns
    -------
    nn.Sequential
        Maps (N, 3, h, w) to log-probabilities (N, F) of the cells of the finest partitioning.
    """
    stages, channels = [], _STEM
    for i, (width, repeats, stride) in enumerate(_STAGES, 1):
        blocks = [Bottleneck(channels, width, stride)]
        channels = width * _EXPANSION
        blocks += [Bottleneck(channels, width) for _ in range(repeats - 1)]
        stages.append((f"layer{i}", nn.Sequential(*blocks)))
    return nn.Sequential(
        OrderedDict(
            [
                ("conv1", nn.Conv2d(3, _STEM, 7, 2, 3, bias=False)),
                ("bn1", nn.BatchNorm2d(_STEM)),
                ("relu", nn.ReLU(inplace=True)),
                ("maxpool", nn.MaxPool2d(3, 2, 1)),
                *stages,
                ("avgpool", nn.AdaptiveAvgPool2d(1)),
                ("flatten", nn.Flatten()),
                ("classifier", HierarchicalClassifier(sizes, ancestors)),
            ]
        )
    )


class Bottleneck(nn.Module):
    """Convolutions 1 x 1, 3 x 3, 1 x 1 beside a shortcut."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * _EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Identity()
            if inputs == outputs
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block's output."""
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        both: Tensor = self.relu(self.bn3(self.conv3(y)) + self.downsample(x))
        return both


class HierarchicalClassifier(nn.ModuleList):
    """The product over all partitionings (section 3.2 of the paper), made to add up to 1."""

    ancestors: Tensor

    def __init__(self, sizes: Sequence[int], ancestors: npt.NDArray[np.integer]) -> None:
        super().__init__(nn.Linear(_FEATURES, size) for size in sizes)
        with torch.device("cpu"):
            self.register_buffer("ancestors", torch.from_numpy(ancestors).long(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Turn features (N, 2048) into log-probabilities (N, F)."""
        factors = [
            head(x).log_softmax(1)[:, chosen]
            for head, chosen in zip(self, self.ancestors.T, strict=True)
        ]
        return torch.stack(factors).sum(0).log_softmax(1)


def read_network(
    path: Path, sizes: Sequence[int], ancestors: npt.NDArray[np.integer], remedy: str
) -> nn.Sequential:
    """Read the network from the checkpoint that its authors published, without running code in it.

    Parameters
    ----------
    path : Path
    sizes, ancestors
        See `hierarchical_resnet`.
    remedy : str
        A sentence for the messages.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It does not hold the weights of this network; the message says what is wrong.
    """
    theirs = read_lightning(path, remedy)
    with torch.device("meta"):  # no memory and no time for weights that are replaced at once
        network = hierarchical_resnet(sizes, ancestors)
    places = {name: place for place, (name, _) in enumerate(network.named_children())}

    def their_name(name: str) -> str:
        first, _, rest = name.partition(".")
        return name if first == "classifier" else f"model.{places[first]}.{rest}"

    ours = network.state_dict()
    check_tensors(path, theirs, {their_name(name): ours[name] for name in ours}, remedy)
    fill(network, {name: theirs[their_name(name)] for name in ours})
    return network.eval()
