"""Print the benchmark tables."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version

from benchmarks import fuzz
from benchmarks.measure import in_a_line

TABLES = (
    "engine",
    "ratios",
    "networks",
    "agreement",
    "evaluation",
    "many",
    "grids",
    "page",
    "gallery",
)

ON_DEMAND = ("fuzz", "gpu")
"""What takes an hour, or a GPU."""


def main(given: Sequence[str] | None = None) -> None:
    """Print what is asked for; exit with a message if some of it failed."""
    wanted = asked(given)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, torch {version('torch')}\n")
    failed = []
    for name in wanted.tables or TABLES:
        try:
            work(name, wanted)()
        except Exception as error:  # noqa: BLE001  (the other tables are still good)
            failed.append(name)
            print(f"### {name}\n\nfailed: {in_a_line(error)}\n")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def asked(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; what it cannot mean ends the program with a message."""
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument(
        "tables",
        nargs="*",
        metavar="table",
        help=f"{', '.join(TABLES)} (default: these); on demand {' and '.join(ON_DEMAND)}, "
        "which take an hour and a GPU",
    )
    of_fuzz = parser.add_argument_group("hostile inputs (fuzz)")
    of_fuzz.add_argument(
        "--seconds", type=_seconds, help=f"for all subjects together, default {fuzz.SECONDS:.0f}"
    )
    of_fuzz.add_argument(
        "--seed", type=_seed, help="of the first input of each subject, default 0; then 1 more each"
    )
    of_fuzz.add_argument(
        "--subject", choices=fuzz.subjects(), action="append", help="default: all; may be repeated"
    )
    wanted = parser.parse_args(given)
    if unknown := [name for name in wanted.tables if name not in {*TABLES, *ON_DEMAND}]:
        parser.error(
            f"there is no table {unknown[0]!r}: choose from {', '.join(TABLES + ON_DEMAND)}"
        )
    options = {name for name in ("seconds", "seed", "subject") if getattr(wanted, name) is not None}
    if options and "fuzz" not in wanted.tables:
        parser.error(f"--{min(options)} is for fuzz only")
    return wanted


def work(name: str, wanted: argparse.Namespace) -> Callable[[], None]:
    """Return what prints a table; only what is asked for is imported."""
    if name != "fuzz":
        printed: Callable[[], None] = import_module(f"benchmarks.{name}").main
        return printed
    seconds = fuzz.SECONDS if wanted.seconds is None else wanted.seconds
    return partial(fuzz.main, seconds, wanted.seed or 0, wanted.subject)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _seed(text: str) -> int:
    seed = int(text)
    if seed < 0:
        raise ValueError(text)
    return seed


# What argparse calls them in its messages.
_seconds.__name__, _seed.__name__ = "number of seconds", "seed"

if __name__ == "__main__":
    main()
