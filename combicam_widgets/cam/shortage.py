"""Too little memory: told in words, and what the attempt held is let go."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_SAID = ("out of memory", "DefaultCPUAllocator")
"""How devices other than CUDA, and the CPU, say in a RuntimeError that there is no memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether there was too little memory; to try again would take as long to fail."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)


@contextmanager
def shortage_told(advice: str) -> Iterator[None]:
    """Say what to do if the ``with`` block needs more memory than there is.

    The error is of the same kind. What the block's frames held, such as a graph, is let go, so that
    there is room for another attempt as long as somebody looks at the error, too.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)
        said = str(error).partition("\n")[0]
        raise type(error)(f"There is too little memory: {advice}. {said}".strip()) from error
