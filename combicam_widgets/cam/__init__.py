"""The explanation: class activation maps of every layer of any image classifier, and their fusion.

Knows no geography: `explain` works for any network that maps a batch to class scores.
"""

from combicam_widgets.cam.architecture import Architecture, Layer, Stage, architecture
from combicam_widgets.cam.evidence import blur, hottest, keep_evidence, soft_evidence
from combicam_widgets.cam.explain import explain
from combicam_widgets.cam.fusion import NORMALIZATIONS, fuse, rule_names, shares
from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.cam.methods import METHODS
from combicam_widgets.cam.passes import class_scores
from combicam_widgets.cam.scores import SCORES

__all__ = [
    "METHODS",
    "NORMALIZATIONS",
    "SCORES",
    "Architecture",
    "Layer",
    "LayerMaps",
    "Stage",
    "architecture",
    "blur",
    "class_scores",
    "explain",
    "fuse",
    "hottest",
    "keep_evidence",
    "rule_names",
    "shares",
    "soft_evidence",
]
