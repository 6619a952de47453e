"""Precision: what is computed here stays in float32, also where the network runs under autocast."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor

_Rest = ParamSpec("_Rest")
_Answer = TypeVar("_Answer")


def unlowered(
    function: Callable[Concatenate[Tensor, _Rest], _Answer],
) -> Callable[Concatenate[Tensor, _Rest], _Answer]:
    """Switch autocast off, where it is on, while a function of a tensor runs."""

    @wraps(function)
    def run(tensor: Tensor, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> _Answer:
        kind = tensor.device.type
        if not torch.is_autocast_enabled(kind):
            return function(tensor, *args, **kwargs)
        with torch.autocast(kind, enabled=False):
            return function(tensor, *args, **kwargs)

    return run
