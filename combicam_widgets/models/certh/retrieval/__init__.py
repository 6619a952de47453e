"""Search within cell: where were photos like this one taken? Retrieval, and no explanation.

Nothing else of the model needs this room, nor the two files that it reads.
"""

from combicam_widgets.models.certh.retrieval.background import Background, most_common_place
from combicam_widgets.models.certh.retrieval.head import RetrievalHead, read_retrieval_head

__all__ = ["Background", "RetrievalHead", "most_common_place", "read_retrieval_head"]
