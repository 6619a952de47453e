"""What a network gives: logits or probabilities. Said by the user, checked, never guessed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from combicam_widgets.cam.passes import Output, checked_scores, picked
from combicam_widgets.notices import warn

OUTPUTS = ("logits", "log_probabilities", "probabilities", "sigmoid", "similarities")
"""What the outputs of a network can be, the default first."""

WRAPPED = ("probabilities", "sigmoid", "similarities")
"""Those of which logits have to be made; see `AsLogits`."""

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
    if said == "sigmoid":
        fits = found in {"probabilities", "sigmoid"}
    elif said == "similarities":
        fits = bool(_on_cpu(outputs).abs().max() <= 1 + max(_SUM_TOLERANCE, _epsilon(outputs)))
    elif said == "logits":
        fits = found != "probabilities"
    else:
        fits = found == said
    if fits:
        return
    low, high, total = outputs.min(), outputs.max(), _on_cpu(outputs).sum(1)[0]
    facts = f"they go from {low:.3g} to {high:.3g} and add up to {total:.4g}"
    if said == "probabilities" and found == "sigmoid":
        advice = (
            "probabilities of which exactly one cell is right add up to 1 (does the network end in "
            'a sigmoid? Take that off and give outputs="logits", or leave it and give '
            'outputs="sigmoid")'
        )
    else:
        kind = "logits" if found == "sigmoid" else found
        advice = f'these are {kind.replace("_", "-")}: give outputs="{kind}"'
    raise ValueError(f'The network\'s outputs do not fit outputs="{said}": {facts}; {advice}.')


def doubt(outputs: Tensor, said: str) -> str:
    """Say what speaks against what was said, without contradicting it.

    Parameters
    ----------
    outputs : Tensor, shape (N, C)
        They have passed `check_outputs`.
    said : str
        One of `OUTPUTS`.

    Returns
    -------
    str
        What the outputs look like, and which argument to give; "" if nothing speaks against it.
    """
    found = _kind(outputs)
    if said == "logits" and found == "sigmoid" and outputs.max() > 0:
        return (
            "The network's outputs all lie between 0 and 1, as after a sigmoid, but are taken for "
            'logits, which makes all cells nearly equal. Give outputs="sigmoid" if they are '
            'probabilities of each cell alone, or outputs="similarities" and the temperature that '
            "they had in training if they are cosines; if they really are logits, all is well."
        )
    if said == "sigmoid" and found == "probabilities":
        return (
            "The network's outputs add up to 1, as after a softmax, but are taken for those of a "
            'sigmoid, as outputs="sigmoid" says. Give outputs="probabilities" if exactly one cell '
            "is right."
        )
    return ""


def _kind(outputs: Tensor) -> str:
    """Tell which of `OUTPUTS` these look like."""
    tolerance = max(_SUM_TOLERANCE, _epsilon(outputs))
    values = _on_cpu(outputs)

    def add_up(probabilities: Tensor) -> bool:
        return bool(((probabilities.sum(1) - 1).abs() <= tolerance).all())

    if values.min() >= -_NEGLIGIBLE and add_up(values):
        return "probabilities"
    if values.max() <= _NEGLIGIBLE and add_up(values.exp()):
        return "log_probabilities"
    if values.min() >= -_NEGLIGIBLE and values.max() <= 1 + _NEGLIGIBLE:
        return "sigmoid"
    return "logits"


def _epsilon(outputs: Tensor) -> float:
    return torch.finfo(outputs.dtype).eps


def _on_cpu(outputs: Tensor) -> Tensor:
    # In this order: not every device has float64 (Apple's MPS).
    return outputs.detach().cpu().double()


class AsLogits(nn.Module):
    """A network that gives something else, such as probabilities p, seen as one that gives logits.

    Where exactly one cell is right (a softmax) these are log p, since softmax(log p) = p. Where
    each probability is that of one cell alone (a sigmoid) they are log p - log(1 - p), what went
    into the sigmoid; their softmax is the probability of each cell on condition that exactly one
    of them is right. Similarities, such as cosines, are divided by their temperature.

    The modules, their names and their order are those of the network itself, which stays as it
    is; ``network`` leads back to it. Where p or 1 - p rounds to 0, the smallest float32 stands
    for it that differs from 0 there.

    Parameters
    ----------
    network : nn.Module
        Maps a batch (N, K, h, w) to numbers (N, C), or returns them among other things.
    outputs : str
        What they are, one of `OUTPUTS`; logits and log-probabilities stay as they are.
    temperature : float
        Of similarities, > 0.
    output : str, int or callable, optional
        Which of several outputs they are; see `combicam_widgets.cam.explain`.
    """

    network: nn.Module

    def __init__(
        self,
        network: nn.Module,
        outputs: str = "probabilities",
        temperature: float = 1.0,
        output: Output | None = None,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.network = network
        self.outputs = outputs
        self.output = output
        self._said: set[str] = set()

    def forward(self, batch: Tensor) -> Tensor:
        """Compute logits, (N, C); ValueError if the network's outputs are not what was said."""
        given = checked_scores(picked(self.network(batch), self.output), len(batch), self._say)
        if self.outputs not in WRAPPED:
            return given
        check_outputs(given, self.outputs)
        if self.outputs == "similarities":
            return given.float() / self.temperature
        numbers = torch.finfo(torch.float32)
        p = given.float().clamp_min(numbers.tiny)
        if self.outputs == "sigmoid":
            return p.log() - torch.log1p(-p.clamp_max(1 - numbers.eps / 2))
        return p.log()

    def _say(self, message: str) -> None:
        if message not in self._said:
            warn(message)
            self._said.add(message)

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
