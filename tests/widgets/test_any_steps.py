"""Any steps in any order, valid or not: what is shown, what is said and what is kept agree."""

import threading

import numpy as np
import tiny
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ipywidgets.widgets.widget import _instances as widgets_alive
from traitlets import TraitError

from combicam_widgets.widgets import Explorer
from combicam_widgets.widgets._bridge.figure_widget import bundle

MODELS = tiny.model("one", 1), tiny.model("two", 2)
PHOTOS = [tiny.photo(seed, place) for seed, place in enumerate([None, (10, 20), (-60, 170)])]
LAYERS = st.sampled_from(["0", "2", "4", "nowhere"])
NUMBERS = st.one_of(st.floats(-0.5, 2), st.sampled_from([0, 1, True, "x", None, np.float32(0.4)]))
VALUES = {
    "weights": st.one_of(st.dictionaries(LAYERS, NUMBERS, max_size=3), NUMBERS),
    "method": st.sampled_from(["gradcam", "layercam", "scorecam", "magic", 7]),
    "score": st.sampled_from(["log_probability", "logit", "magic", None]),
    "rule": st.sampled_from(["sum", "max", "product", "vote", None]),
    "normalize": st.sampled_from([None, "max", "minmax", "l2"]),
    "keep": NUMBERS,
    "opacity": NUMBERS,
    "colormap": st.sampled_from(["inferno", "cividis", "jet"]),
    "preview": st.one_of(st.just(""), LAYERS),
    "box": st.one_of(st.none(), st.lists(st.floats(-0.1, 1.1), min_size=3, max_size=5)),
    "target": st.sampled_from([None, 0, 3, 4, -1, 1.5]),
    "contrast": st.sampled_from([None, 0, 1, 9]),
    "image": st.sampled_from([*PHOTOS, "kaola", 5]),
    "model": st.sampled_from([*MODELS, "nothing"]),
    "guess": st.sampled_from([None, (1, 2), (91, 0), "here"]),
    **{
        name: st.one_of(st.booleans(), st.just("yes"))
        for name in ("outline", "show_votes", "show_opposite", "show_rings", "guessing")
    },
}
DOCUMENTED = TraitError, ValueError, IndexError, TypeError


class Steps(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        bundle()  # the kernel's one copy of Plotly, which stays
        self.before, self.threads = set(widgets_alive), set(threading.enumerate())
        self.explorer = Explorer(model=MODELS[0], image=PHOTOS[1])
        self.explorer.observe(self.look)
        self.mixtures = []

    def look(self, change):
        shown = self.explorer.shown
        if self.explorer.prediction is not shown.analysis.prediction:
            self.mixtures.append(change)
        expected = shown.maps.fuse(
            dict(shown.weights), shown.rule, shown.normalize, shown.heatmap.shape
        )
        if not np.array_equal(self.explorer.heatmap, expected):
            self.mixtures.append(change)

    def attempt(self, act):
        before = self.explorer.shown
        try:
            act()
        except DOCUMENTED:
            assert self.explorer.shown is before

    @rule(data=st.data(), name=st.sampled_from(sorted(VALUES)))
    def set_one(self, data, name):
        value = data.draw(VALUES[name])
        self.attempt(lambda: setattr(self.explorer, name, value))

    @rule(data=st.data(), names=st.lists(st.sampled_from(sorted(VALUES)), max_size=3))
    def set_several(self, data, names):
        given = [(name, data.draw(VALUES[name])) for name in names]

        def act():
            with self.explorer.hold_trait_notifications():
                for name, value in given:
                    setattr(self.explorer, name, value)

        self.attempt(act)

    @rule(name=st.sampled_from(["last layer", "one per stage", "all", "invert", "nonsense"]))
    def use(self, name):
        self.attempt(lambda: self.explorer.use(name))

    @rule(name=st.sampled_from(["undo", "redo", "pin", "unpin"]))
    def do(self, name):
        self.attempt(getattr(self.explorer, name))

    @rule(name=LAYERS)
    def open_card(self, name):
        self.attempt(lambda: self.explorer.open_card(name))

    @invariant()
    def all_agree(self):
        explorer = self.explorer
        assert self.mixtures == []
        assert explorer.heatmap.min() >= 0
        assert explorer.heatmap.max() <= 1
        total = sum(explorer.shares.values())
        assert abs(total - 1) < 1e-5 or total == 0
        assert explorer.diagram.fusion.weights == explorer.weights
        assert explorer.diagram.fusion.preview == ("" if explorer.hidden else explorer.preview)
        assert explorer.heat._overlay.box == explorer.box
        assert explorer.world._world.online_tiles == explorer.online_tiles
        for name in ("rule", "keep", "opacity", "colormap", "show_votes", "guessing", "method"):
            assert getattr(explorer.controls, name).value == getattr(explorer, name)
        assert explorer.controls.model.value == explorer.model.name
        assert len(explorer.heat._overlay._figures.children) == (
            3 if explorer.pinned and not explorer.hidden else 1
        )
        if explorer.hidden:
            assert explorer.world._world._panel.rows == []
            assert explorer.controls.photo.value == "(guess where)"
        else:
            assert explorer.diagram.fusion.shares == explorer.shares
            assert explorer.controls.photo.value == explorer.image.name
            assert explorer.status in explorer.status_bar.seen.replace("\n", " ")
            assert len(explorer.votes) == (3 if explorer.show_votes else 0)
            assert explorer.world._world._marks.answer == [
                explorer.prediction.best.latitude,
                explorer.prediction.best.longitude,
            ]

    def teardown(self):
        self.explorer.close()
        assert set(widgets_alive) == self.before
        assert set(threading.enumerate()) <= self.threads


# In a class of its own, as hypothesis wants it.
TestAnySteps = Steps.TestCase
TestAnySteps.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
