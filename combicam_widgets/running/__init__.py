"""Many photos through one model: on this machine, or on the user's Dask cluster.

The engine below `explain_many` and `evaluation.study`, for this package alone: call these, with
``client=``. Names and forms here may change in any release.
"""

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
