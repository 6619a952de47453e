"""Print the benchmark tables: ``python -m benchmarks``, or some, by name, such as ``grids``.

Or ``fuzz``, on demand.
"""

import os
import platform
import sys

import torch

from benchmarks import agreement, engine, evaluation, fuzz, grids, page
from benchmarks.measure import in_a_line

TABLES = {
    "engine": engine.main,
    "agreement": agreement.main,
    "evaluation": evaluation.main,
    "grids": grids.main,
    "page": page.main,
}

ON_DEMAND = {"fuzz": fuzz.main}
"""What takes an hour."""

if __name__ == "__main__":
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, torch {torch.__version__}\n")
    failed = []
    for name in sys.argv[1:] or TABLES:
        try:
            (TABLES | ON_DEMAND)[name]()
        except Exception as error:  # noqa: BLE001  (the other tables are still good)
            failed.append(name)
            print(f"### {name}\n\nfailed: {in_a_line(error)}\n")
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
