"""The model ``atlas``: see MODEL_CARD.md in this folder."""

from combicam_widgets.models.atlas.model import Atlas

__all__ = ["Atlas"]
