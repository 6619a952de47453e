"""Exercises that check themselves: each check says what is wrong, and never the answer.

The course of six lessons in ``notebooks/course`` uses them; they need no more than NumPy. A right
answer returns `Right`, which is shown below the cell; with any other, every ``check_`` raises
`NotYet`, an assertion, so that nbgrader can count.
"""

from combicam_widgets.exercises.fusing import check_combi_cam, check_few_layers, check_shares
from combicam_widgets.exercises.looking import (
    check_contrast,
    check_distance,
    check_kept,
    check_largest,
    check_mass,
    check_position,
)
from combicam_widgets.exercises.maps import (
    check_channel_weights,
    check_gradcam,
    check_gradient,
    check_heatmap,
    check_same_map,
    check_stretch,
)
from combicam_widgets.exercises.pictures import Pictures, show
from combicam_widgets.exercises.trusting import (
    check_conclusion,
    check_hottest,
    check_looks_right,
    check_rule,
    check_split,
    check_worth,
    check_wrapped,
)
from combicam_widgets.exercises.verdict import NotYet, Right

__all__ = [
    "NotYet",
    "Pictures",
    "Right",
    "check_channel_weights",
    "check_combi_cam",
    "check_conclusion",
    "check_contrast",
    "check_distance",
    "check_few_layers",
    "check_gradcam",
    "check_gradient",
    "check_heatmap",
    "check_hottest",
    "check_kept",
    "check_largest",
    "check_looks_right",
    "check_mass",
    "check_position",
    "check_rule",
    "check_same_map",
    "check_shares",
    "check_split",
    "check_stretch",
    "check_worth",
    "check_wrapped",
    "show",
]
