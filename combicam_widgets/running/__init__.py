"""Many photos through one model: on this machine, or on the user's Dask cluster."""

from combicam_widgets.running.engine import Batch, Task, batches, run
from combicam_widgets.running.given import Given, Photos, listed, reason
from combicam_widgets.running.progress import Progress, shown

__all__ = [
    "Batch",
    "Given",
    "Photos",
    "Progress",
    "Task",
    "batches",
    "listed",
    "reason",
    "run",
    "shown",
]
