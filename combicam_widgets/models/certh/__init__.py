"""The model ``certh``, which the Combi-CAM paper explains: see MODEL_CARD.md in this folder."""

from combicam_widgets.models.certh.model import Certh

__all__ = ["Certh"]
