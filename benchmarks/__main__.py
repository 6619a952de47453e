"""Print the benchmark tables: ``python -m benchmarks [engine] [agreement] [evaluation] [page]``.

Or ``fuzz``, on demand.
"""

import os
import platform
import sys

import torch

from benchmarks import agreement, engine, evaluation, fuzz, page

TABLES = {
    "engine": engine.main,
    "agreement": agreement.main,
    "evaluation": evaluation.main,
    "page": page.main,
}

ON_DEMAND = {"fuzz": fuzz.main}
"""What takes an hour."""

if __name__ == "__main__":
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, torch {torch.__version__}\n")
    for name in sys.argv[1:] or TABLES:
        (TABLES | ON_DEMAND)[name]()
