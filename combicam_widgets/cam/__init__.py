"""The explanation: class activation maps of every layer of any image classifier, and their fusion.

Knows no geography: `explain` works for any network that maps a batch to class scores.
"""

from combicam_widgets.cam.architecture import Architecture, Layer, Stage, architecture
from combicam_widgets.cam.contributions import contributions
from combicam_widgets.cam.evidence import blur, hottest, keep_evidence, soft_evidence
from combicam_widgets.cam.explain import explain
from combicam_widgets.cam.fusion import NORMALIZATIONS, fuse, shares
from combicam_widgets.cam.localization import hottest_inside, share_inside
from combicam_widgets.cam.maps import LayerMaps
from combicam_widgets.cam.methods import METHODS, SLOW_METHODS, method, method_names
from combicam_widgets.cam.passes import class_scores
from combicam_widgets.cam.registered import Registered
from combicam_widgets.cam.rules import FusionRule, Stack, fusion_rule, get_rule, rule_names
from combicam_widgets.cam.scorecam import Cancelled, score_cam
from combicam_widgets.cam.scores import SCORES, score, score_names
from combicam_widgets.cam.upsampling import minmax, upsample

__all__ = [
    "METHODS",
    "NORMALIZATIONS",
    "SCORES",
    "SLOW_METHODS",
    "Architecture",
    "Cancelled",
    "FusionRule",
    "Layer",
    "LayerMaps",
    "Registered",
    "Stack",
    "Stage",
    "architecture",
    "blur",
    "class_scores",
    "contributions",
    "explain",
    "fuse",
    "fusion_rule",
    "get_rule",
    "hottest",
    "hottest_inside",
    "keep_evidence",
    "method",
    "method_names",
    "minmax",
    "rule_names",
    "score",
    "score_cam",
    "score_names",
    "share_inside",
    "shares",
    "soft_evidence",
    "upsample",
]
