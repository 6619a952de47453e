"""Many photos: explained in batches, into a table and maps that others can read, too."""

from combicam_widgets.many.collection import Many, read_many
from combicam_widgets.many.explain import explain_many

__all__ = ["Many", "explain_many", "read_many"]
