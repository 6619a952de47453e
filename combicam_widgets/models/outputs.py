"""What a network gives: logits or probabilities. Said by the user, checked, never guessed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from combicam_widgets.cam.passes import checked_scores

OUTPUTS = ("logits", "log_probabilities", "probabilities")
"""What the outputs of a network can be, the default first."""

_SUM_TOLERANCE = 1e-3
"""How far from 1 the sum of probabilities may be; rounding of half precision allows for more."""

_NEGLIGIBLE = 1e-6
"""How far below 0, or log-probabilities above 0, rounding may lead."""


def check_outputs(outputs: Tensor, said: str) -> None:
    """Raise if a network's outputs contradict what was said of them.

    Log-probabilities are logits too, since their softmax gives the probabilities back; so they
    pass as either.

    Parameters
    ----------
    outputs : Tensor, shape (N, C)
        Finite.
    said : str
        One of `OUTPUTS`.

    Raises
    ------
    ValueError
        The message says what the outputs look like, and which argument to give.
    """
    found = _kind(outputs)
    if found == said or (said == "logits" and found != "probabilities"):
        return
    low, high, total = outputs.min(), outputs.max(), outputs.double().sum(1)[0]
    facts = f"they go from {low:.3g} to {high:.3g} and add up to {total:.4g}"
    if said == "probabilities" and low >= 0 and high <= 1:
        advice = (
            "probabilities of which exactly one cell is right add up to 1 (does the network end in "
            'a sigmoid? Take that off and give outputs="logits")'
        )
    else:
        advice = f'these are {found.replace("_", "-")}: give outputs="{found}"'
    raise ValueError(f'The network\'s outputs do not fit outputs="{said}": {facts}; {advice}.')


def _kind(outputs: Tensor) -> str:
    """Tell which of `OUTPUTS` these look like."""
    tolerance = max(_SUM_TOLERANCE, torch.finfo(outputs.dtype).eps)
    values = outputs.detach().double()

    def add_up(probabilities: Tensor) -> bool:
        return bool(((probabilities.sum(1) - 1).abs() <= tolerance).all())

    if values.min() >= -_NEGLIGIBLE and add_up(values):
        return "probabilities"
    if values.max() <= _NEGLIGIBLE and add_up(values.exp()):
        return "log_probabilities"
    return "logits"


class AsLogits(nn.Module):
    """A network that gives probabilities p, seen as one that gives log p.

    Log-probabilities are logits: softmax(log p) = p. The modules, their names and their order are
    those of the network itself, which stays as it is; ``network`` leads back to it.

    Where p rounds to 0, log p is that of the smallest normal float32.

    Parameters
    ----------
    network : nn.Module
        Maps a batch (N, 3, h, w) to probabilities (N, C).
    """

    network: nn.Module

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Tensor) -> Tensor:
        """Compute log p, (N, C); ValueError if the network's outputs are no probabilities."""
        probabilities = checked_scores(self.network(batch), len(batch))
        check_outputs(probabilities, "probabilities")
        return probabilities.float().clamp_min(torch.finfo(torch.float32).tiny).log()

    # Whoever walks through the modules by name meets those of the network.

    def named_modules(
        self,
        memo: set[nn.Module] | None = None,
        prefix: str = "",
        remove_duplicate: bool = True,  # noqa: FBT001, FBT002  (the signature is torch's)
    ) -> Iterator[tuple[str, nn.Module]]:
        """Yield the network itself, named ``prefix``, and the modules in it."""
        yield from self.network.named_modules(memo, prefix, remove_duplicate)

    def named_children(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the modules just below the network."""
        return self.network.named_children()

    def children(self) -> Iterator[nn.Module]:
        """Yield the network: ``to()`` and ``train()`` reach all of it this way."""
        yield self.network
