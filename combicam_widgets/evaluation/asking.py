"""The question that every measure asks: how probable the target is in a changed photo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from combicam_widgets import cam
from combicam_widgets.cam.passes import checked_batch, on_device_of
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel
from combicam_widgets.whole import whole

Floats: TypeAlias = npt.NDArray[np.float64]

Ask: TypeAlias = Callable[[Tensor], npt.ArrayLike]
"""From a batch (N, K, h, w) to the probability of the target in each photo of it, (N,)."""

Progress: TypeAlias = Callable[[int, int], object]
"""Called as ``progress(done, total)``, in passes; what it raises stops the work."""

FLOOR = 1e-6
"""Probability below which a target counts as this probable, where a measure divides by it."""

_AT_ONCE = {"cpu": 8}
"""Photos in a batch: on a CPU more are slower, since their activations leave its cache."""

_AT_ONCE_ELSEWHERE = 64


@dataclass(frozen=True, eq=False, repr=False)
class Question:
    """A photo as a network sees it, and whom to ask how probable the target is in it.

    Attributes
    ----------
    batch : Tensor, shape (1, K, h, w)
        The photo, transformed.
    ask : callable
        From a batch (N, K, h, w) to (N,) probabilities of the target.
    target : int
        Index of the class.
    probability : float
        The target's probability for the whole photo, in [0, 1].
    """

    batch: Tensor
    ask: Ask
    target: int
    probability: float

    def __repr__(self) -> str:
        return f"Question(target {self.target}, p = {self.probability:.3g})"


def question(
    model: GeoModel | nn.Module, photo: Photo | Tensor, target: int | None = None
) -> Question:
    """Ask a model how probable a class is in a photo and in whatever is made of it.

    Parameters
    ----------
    model : GeoModel or nn.Module
        A module maps a batch (N, K, h, w) to class scores (logits, (N, C)).
    photo : Photo, or Tensor of shape (1, K, h, w) or (K, h, w)
        A `Photo` for a `GeoModel`; for a module the photo transformed as it wants it.
    target : int, optional
        Index of the class; default: the most probable one.

    Raises
    ------
    TypeError, ValueError
        The argument that is wrong, what was given and what to do.
    """
    if isinstance(model, GeoModel):
        geo = model
        batch = on_device_of(geo.network, geo.view(_checked_photo(photo)))
        every: Callable[[Tensor], npt.NDArray[np.floating]] = geo.probabilities
    elif isinstance(model, nn.Module):
        network = model
        batch = on_device_of(network, checked_batch(photo))
        if len(batch) != 1:
            raise ValueError(f"One photo is measured at a time, not a batch of {len(batch)}.")

        def every(states: Tensor) -> npt.NDArray[np.floating]:
            scores = cam.class_scores(network, states)
            return scores.cpu().double().softmax(1).numpy()

    else:
        raise TypeError(
            f"model must be a GeoModel or a torch.nn.Module, not {type(model).__name__}."
        )
    probabilities = every(batch)[0]
    chosen = int(np.argmax(probabilities)) if target is None else _index(target, len(probabilities))

    def ask(states: Tensor) -> npt.ArrayLike:
        return every(states)[:, chosen]

    return Question(batch, ask, chosen, float(probabilities[chosen]))


def answers(
    ask: Ask, states: Iterable[Tensor], total: int, progress: Progress | None = None
) -> Floats:
    """Ask about many changed photos, in batches.

    Parameters
    ----------
    ask : callable
    states : iterable of (K, h, w) tensors
        Made when their turn comes: only one batch of them is held.
    total : int
        How many there are.
    progress : callable, optional

    Returns
    -------
    (total,) float64 array
    """
    result = np.empty(total)
    done = 0
    for batch in _batches(states):
        result[done : done + len(batch)] = asked(ask, batch)
        done += len(batch)
        if progress is not None:
            progress(done, total)
    return result


def asked(ask: Ask, batch: Tensor) -> Floats:
    """Ask about one batch; check that one finite number comes for each of its photos."""
    given = ask(batch)
    numbers = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, np.float64)
    if numbers.shape != (len(batch),) or not np.isfinite(numbers).all():
        raise ValueError(
            f"ask must give one finite probability for each of the {len(batch)} photos of a "
            f"batch, an array of shape ({len(batch)},); it gave shape {numbers.shape}."
        )
    return numbers


def share(values: npt.ArrayLike, probability: float) -> Floats:
    """Divide by the whole photo's probability, which is never taken to be below `FLOOR`."""
    return np.asarray(values, np.float64) / max(probability, FLOOR)


def part(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress of one part of a longer work, of which ``before`` passes are done."""
    if progress is None:
        return None
    return lambda done, _total: progress(before + done, total)


def _batches(states: Iterable[Tensor]) -> Iterator[Tensor]:
    waiting = iter(states)
    while first := list(islice(waiting, 1)):
        at_once = _AT_ONCE.get(first[0].device.type, _AT_ONCE_ELSEWHERE)
        batch = torch.stack([*first, *islice(waiting, at_once - 1)])
        # Channels last: a CPU's convolutions are up to a third faster.
        yield batch.contiguous(memory_format=torch.channels_last)


def _checked_photo(photo: Photo | Tensor) -> Photo:
    if not isinstance(photo, Photo):
        raise TypeError(
            f"photo must be a Photo for a GeoModel, not {type(photo).__name__}: use load_image() "
            "or sample()."
        )
    return photo


def _index(target: int, classes: int) -> int:
    index = whole(target)
    if index is None:
        raise TypeError(f"target must be the index of a class, not {target!r}.")
    if not 0 <= index < classes:
        raise ValueError(f"target must be between 0 and {classes - 1}, not {target}.")
    return index
