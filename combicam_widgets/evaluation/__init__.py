"""Is the explanation right? Measures, worth, the fusion by worth, and studies of many photos.

Works for any classifier: geography comes in through the model that is given.
"""

from combicam_widgets.evaluation.asking import Question, question
from combicam_widgets.evaluation.candidates import (
    COMBI_CAM,
    Candidate,
    fused,
    last_layer,
    single_layers,
    stages,
)
from combicam_widgets.evaluation.controls import controls
from combicam_widgets.evaluation.explaining import (
    Adcc,
    Randomisation,
    adcc,
    explainer,
    explanation,
    knowing_nothing,
    max_sensitivity,
    randomisation,
)
from combicam_widgets.evaluation.figures import chart_template
from combicam_widgets.evaluation.fills import CHOOSING, FILLS, filled
from combicam_widgets.evaluation.imputing import Road, road
from combicam_widgets.evaluation.masking import Masked, area_gain, masked, saco
from combicam_widgets.evaluation.measures import FillMeasures, Measures, measure
from combicam_widgets.evaluation.photos import (
    HIGHER_IS_BETTER,
    Plan,
    Row,
    measure_photo,
    named_candidate,
)
from combicam_widgets.evaluation.revealing import Curves, ranks, reveal
from combicam_widgets.evaluation.studies import Study, study
from combicam_widgets.evaluation.weighing import (
    NothingWorth,
    by_worth,
    layer_worth,
    learn_weights,
    worth,
)

__all__ = [
    "CHOOSING",
    "COMBI_CAM",
    "FILLS",
    "HIGHER_IS_BETTER",
    "Adcc",
    "Candidate",
    "Curves",
    "FillMeasures",
    "Masked",
    "Measures",
    "NothingWorth",
    "Plan",
    "Question",
    "Randomisation",
    "Road",
    "Row",
    "Study",
    "adcc",
    "area_gain",
    "by_worth",
    "chart_template",
    "controls",
    "explainer",
    "explanation",
    "filled",
    "fused",
    "knowing_nothing",
    "last_layer",
    "layer_worth",
    "learn_weights",
    "masked",
    "max_sensitivity",
    "measure",
    "measure_photo",
    "named_candidate",
    "question",
    "randomisation",
    "ranks",
    "reveal",
    "road",
    "saco",
    "single_layers",
    "stages",
    "study",
    "worth",
]
