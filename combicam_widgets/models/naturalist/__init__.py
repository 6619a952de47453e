"""The model ``naturalist``: see MODEL_CARD.md in this folder."""

from combicam_widgets.models.naturalist.model import Concept, Naturalist

__all__ = ["Concept", "Naturalist"]
