"""Timing and tables."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median


def together(
    jobs: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Run jobs in turns, so that a slow moment hits all of them; median seconds of each.

    In another order each time, since the memory that one job leaves is what the next one works in.
    On a machine that has other work, `time.process_time` counts the seconds of a core alone.
    """
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    shuffled = random.Random(0)
    for _ in range(rounds):
        for name in shuffled.sample(list(jobs), len(jobs)):
            start = clock()
            jobs[name]()
            times[name].append(clock() - start)
    return {name: median(values) for name, values in times.items()}


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table; what is missing at the end of a row stays empty."""
    rows = [[*row, *[""] * (len(header) - len(row))] for row in rows]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(f"### {title}\n")
    for row in [header, ["-" * width for width in widths], *rows]:
        print(
            "| "
            + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            + " |"
        )
    print(flush=True)  # whatever comes, this is there


def ms(seconds: float) -> str:
    """Write a duration."""
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def in_a_line(error: Exception) -> str:
    """Say what went wrong, short enough for a table."""
    text = " ".join(str(error).split()).replace("|", "/")
    return f"{type(error).__name__}: {text}"[:120]


def survived(title: str, measure: Callable[[], list[list[str]]]) -> list[list[str]]:
    """Return the rows of one step; one that says so if it fails: the others are still good."""
    try:
        return measure()
    except Exception as error:  # noqa: BLE001
        return [[title, f"failed: {in_a_line(error)}"]]
