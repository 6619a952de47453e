"""Print the benchmark tables: ``python -m benchmarks``, or some, by name, such as ``grids``.

On demand: ``fuzz``, which takes an hour, and ``gpu``, which needs one.
"""

import os
import platform
import sys

import torch

from benchmarks import agreement, engine, evaluation, fuzz, gpu, grids, networks, page
from benchmarks.measure import in_a_line

TABLES = {
    "engine": engine.main,
    "networks": networks.main,
    "agreement": agreement.main,
    "evaluation": evaluation.main,
    "grids": grids.main,
    "page": page.main,
}

ON_DEMAND = {"fuzz": fuzz.main, "gpu": gpu.main}
"""What takes an hour, or a GPU."""

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
