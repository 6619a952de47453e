"""Is the explanation right? Measures, worth and the fusion by worth.

Works for any classifier: geography comes in through the model that is given.
"""

from combicam_widgets.evaluation.asking import Question, question
from combicam_widgets.evaluation.candidates import COMBI_CAM, Candidate
from combicam_widgets.evaluation.controls import controls
from combicam_widgets.evaluation.fills import CHOOSING, FILLS, filled
from combicam_widgets.evaluation.imputing import Road, road
from combicam_widgets.evaluation.masking import Masked, area_gain, masked, saco
from combicam_widgets.evaluation.measures import FillMeasures, Measures, measure
from combicam_widgets.evaluation.revealing import Curves, ranks, reveal
from combicam_widgets.evaluation.weighing import NothingWorth, by_worth, layer_worth, worth

__all__ = [
    "CHOOSING",
    "COMBI_CAM",
    "FILLS",
    "Candidate",
    "Curves",
    "FillMeasures",
    "Masked",
    "Measures",
    "NothingWorth",
    "Question",
    "Road",
    "area_gain",
    "by_worth",
    "controls",
    "filled",
    "layer_worth",
    "masked",
    "measure",
    "question",
    "ranks",
    "reveal",
    "road",
    "saco",
    "worth",
]
