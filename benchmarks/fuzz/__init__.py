"""Hostile inputs, made from a seed: a few in every test run, an hour of them on demand.

Each module of this room has one function, ``attempt(rng)``. It makes one hostile input from a
``numpy.random.Generator``, tries it on the package, and returns if the package kept its promises:
it worked, or refused with a documented error. Whatever it raises is a finding.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
import traceback
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

import numpy as np

SECONDS = 3600.0
"""How long `main` looks for findings in all rooms together."""


def subjects() -> list[str]:
    """Names of the modules of this room, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def attempt(subject: str, seed: int) -> None:
    """Make the attempt of a subject that belongs to a seed; whatever it raises is a finding."""
    importlib.import_module(f"{__name__}.{subject}").attempt(np.random.default_rng(seed))


@contextmanager
def bounded_memory(megabytes: float = 300.0) -> Iterator[None]:
    """Take it for a finding if more than so much memory is allocated at once."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    if peak > megabytes:
        raise AssertionError(f"a small input took {peak:,.0f} MB")


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file as bad copies and bad disks leave it: changed here and there, or cut short."""
    spoilt = bytearray(content)
    way = rng.random()
    if way < 0.5:
        spoilt[rng.integers(len(spoilt))] ^= int(rng.integers(1, 256))
    elif way < 0.7:
        for _ in range(rng.integers(2, 20)):
            spoilt[rng.integers(len(spoilt))] = int(rng.integers(256))
    elif way < 0.85:
        del spoilt[rng.integers(len(spoilt)) :]
    else:
        first, last = sorted(rng.integers(len(spoilt), size=2).tolist())
        spoilt[first:last] = spoilt[last:first] if way < 0.92 else bytes(last - first)
    return bytes(spoilt)


def main(seconds: float = SECONDS, seed: int = 0, chosen: Sequence[str] | None = None) -> None:
    """Try each subject for its share of the time, and print what was found, with its seed.

    Parameters
    ----------
    seconds : float
        For all subjects together; each is tried once at least.
    seed : int
        Of the first attempt of each subject; the next ones have the next.
    chosen : sequence of str, optional
        Names of `subjects`. Default: all.

    Raises
    ------
    AssertionError
        At the end, if there was any finding.
    """
    total = 0
    chosen = chosen or subjects()
    print(f"{'hostile inputs':<20}{'tried':>10}{'findings':>10}")
    for subject in chosen:
        end = time.monotonic() + seconds / len(chosen)
        findings = []
        for number in count(seed):
            try:
                attempt(subject, number)
            except Exception:  # noqa: BLE001  (a finding is whatever is raised)
                findings.append((number, traceback.format_exc()))
            if time.monotonic() >= end:
                break
        print(f"{subject:<20}{number - seed + 1:>10,}{len(findings):>10,}", flush=True)
        for number, trace in findings[:3]:
            print(f"  attempt({subject!r}, {number}):\n{trace}")
        total += len(findings)
    if total:
        raise AssertionError(f"{total:,} findings")
