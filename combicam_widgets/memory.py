"""Memory that nobody uses any more, given back to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress


def give_back() -> None:
    """Give free memory back, where the C library can; takes about 2 ms.

    A pass through a network leaves tens of megabytes that glibc keeps for the next one: too much
    where thirty kernels share a server.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # musl has no malloc_trim
            ctypes.CDLL(None).malloc_trim(0)
