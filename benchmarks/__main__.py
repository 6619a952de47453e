"""Print the benchmark tables: ``python -m benchmarks [engine] [agreement] [page]``."""

import os
import platform
import sys

import torch

from benchmarks import agreement, engine, page

TABLES = {"engine": engine.main, "agreement": agreement.main, "page": page.main}

if __name__ == "__main__":
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, torch {torch.__version__}\n")
    for name in sys.argv[1:] or TABLES:
        TABLES[name]()
