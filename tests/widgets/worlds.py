"""A world map whose scene is told step by step; see `StepByStep`."""

from dataclasses import replace

from combicam_widgets.shown.scene import Scene
from combicam_widgets.widgets.world.widget import World


class StepByStep(World):
    """A map that is shown what is new of a scene; the map itself takes scenes whole."""

    def __init__(self, *callbacks):
        super().__init__(*callbacks)
        self.scene, self.hidden = Scene(), False

    def change(self, **changes):
        self.scene = replace(self.scene, **changes)
        self.show(self.scene, hidden=self.hidden)

    def show_prediction(self, prediction, target):
        self.scene = Scene(truth=self.scene.truth, guess=self.scene.guess)
        self.change(prediction=prediction, target=target)

    def show_evidence(self, prediction, evidence, opposite=None):
        self.change(prediction=prediction, evidence=evidence, opposite=opposite)

    def show_contrast(self, index):
        self.change(contrast=index)

    def show_truth(self, position):
        self.change(truth=position)

    def show_guess(self, position):
        self.change(guess=position)

    def show_rings(self, prediction):
        self.change(rings=prediction)

    def show_votes(self, predictions, numbers=None, weights=None):
        votes = tuple(predictions or ())
        every = len(votes)
        numbered = tuple(map(str, numbers or range(1, every + 1)))[:every]
        self.change(votes=votes, numbers=numbered, weights=tuple(weights or (1.0,) * every))

    def hide_answers(self):
        self.hidden = True
        self.change()

    def show_answers(self):
        self.hidden = False
        self.change()
