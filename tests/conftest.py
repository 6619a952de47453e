"""One thread for torch: the tests run side by side, and threads that wait for each other crawl."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
