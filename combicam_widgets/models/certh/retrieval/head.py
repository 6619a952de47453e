"""The head that turns features into an embedding in which photos of one place are close."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from combicam_widgets.models.certh.checkpoint import advice
from combicam_widgets.models.certh.network import FEATURES
from combicam_widgets.models.checkpoint import check_tensors, fill, read_tensors

_HIDDEN = 4096


class RetrievalHead(nn.Module):
    """Maps features (N, 1792) to embeddings (N, 1792) of length 1.

    Layer norm, then a residual block. Dot products of embeddings are cosine similarities. The
    modules have the names that they have in the file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FEATURES)
        self.res = ResidualMlp()

    def forward(self, x: Tensor) -> Tensor:
        """Compute the embeddings."""
        return F.normalize(self.res(self.norm(x)), dim=-1)


class ResidualMlp(nn.Module):
    """A perceptron with one hidden layer beside a shortcut, then layer norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(FEATURES)
        self.fc1 = nn.Linear(FEATURES, _HIDDEN)
        self.fc2 = nn.Linear(_HIDDEN, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block's output."""
        y: Tensor = self.norm(self.fc2(F.relu(self.fc1(x))) + x)
        return y


def read_retrieval_head(path: Path) -> RetrievalHead:
    """Read the head from a state dict; nothing is unpickled.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It does not hold the weights of this head; the message says what is wrong.
    """
    tensors = read_tensors(path, advice(path.name))
    with torch.device("meta"):
        head = RetrievalHead()
    check_tensors(path, tensors, head.state_dict(), advice(path.name))
    fill(head, tensors)
    return head.eval()
