"""Names that are misspelt are refused by the widgets, not kept where nobody reads them."""

import ipywidgets
import pytest
import tiny
import traitlets

from combicam_widgets.labels import did_you_mean
from combicam_widgets.widgets import Explorer, TrustPanel

# What belongs to ipywidgets is taken, too.
OF_IPYWIDGETS = {"box_style": "info", "tabbable": True, "tooltip": "a network"}


@pytest.fixture
def explorer():
    made = Explorer(tiny.model(), tiny.photo(1))
    yield made
    made.close()


@pytest.fixture
def panel():
    model, photo = tiny.model(), tiny.photo(1)
    made = TrustPanel(model, photo, model.explain(photo))
    yield made
    made.close()


class Mine(Explorer):
    """A subclass of somebody else's."""

    lesson = 1

    def __init__(self, **values):
        super().__init__(**values)
        self.notes = ["begun"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("wieghts", {"4": 1}, "Explorer has no trait 'wieghts'. Did you mean 'weights'"),
        ("Weights", {"4": 1}, "Did you mean 'weights'"),
        ("colourmap", "viridis", "Did you mean 'colormap'"),
        ("normalise", "max", "Did you mean 'normalize'"),
        ("show_vote", True, "Did you mean 'show_votes'"),
        ("guesing", True, "Did you mean 'guessing'"),
        ("qqq", 1, "The traits are box, box_style, "),
        ("w" * 100_000, 1, f"has no trait '{'w' * 59}. The traits are box,"),
        ("pin", True, "Explorer.pin is a method: call pin(...)"),
        ("use", "all", "Explorer.use is a method"),
    ],
)
def test_an_explorer_refuses_what_it_has_not(name, value, words, explorer):
    before = dict(vars(explorer))
    with pytest.raises(AttributeError) as info:
        setattr(explorer, name, value)
    assert words in str(info.value)
    assert vars(explorer) == before


def test_nothing_of_several_changes_is_made_if_one_is_misspelt(explorer):
    def both():
        with explorer.hold_trait_notifications():
            explorer.keep = 0.7
            explorer.keap = 0.8

    with pytest.raises(AttributeError, match="'keap'"):
        both()
    assert explorer.keep == 0.3


def test_the_constructors_and_what_is_set_later_use_the_same_words(explorer, panel):
    for kind, widget in ((Explorer, explorer), (TrustPanel, panel)):
        with pytest.raises(TypeError, match=r"has no option 'wieghts'. Did you mean 'weights'"):
            kind(wieghts={})
        with pytest.raises(AttributeError, match=r"has no trait 'wieghts'. Did you mean 'weights'"):
            widget.wieghts = {}


def test_a_panel_shows_nothing_else_if_one_setting_is_misspelt(panel):
    maps, photo = panel.maps, tiny.photo(2)
    model = tiny.model()
    with pytest.raises(TypeError, match=r"has no option 'rulle'. Did you mean 'rule'"):
        panel.show(model, photo, model.explain(photo), rulle="max")
    assert panel.maps is maps


def test_what_is_there_is_set(explorer, panel):
    for widget in (explorer, panel):
        names = {n: v for n, v in OF_IPYWIDGETS.items() if widget.has_trait(n)}
        assert names
        for name, value in names.items():
            setattr(widget, name, value)
            assert getattr(widget, name) == value
        widget._note = widget.__dict__["_other"] = 3
        assert widget._note == 3
        widget.layout = ipywidgets.Layout(width="50%")
    explorer.keep = 0.5
    assert explorer.keep == 0.5


def test_methods_may_be_replaced_by_functions(explorer, monkeypatch):
    asked = []
    monkeypatch.setattr(explorer, "use", asked.append)
    explorer.use("all")
    assert asked == ["all"]


def test_a_subclass_keeps_what_it_likes():
    mine = Mine(model=tiny.model(), image=tiny.photo(1))
    mine.lesson, mine.grade = 2, "good"
    assert (mine.notes, mine.lesson, mine.grade) == (["begun"], 2, "good")
    assert vars(mine)["grade"] == "good"
    mine.close()


def test_traits_can_be_added_and_linked(explorer):
    explorer.add_traits(lesson=traitlets.Int(1))
    slider = ipywidgets.FloatSlider(0.9, min=0.1, max=1)
    traitlets.link((slider, "value"), (explorer, "keep"))
    explorer.lesson = 2
    assert (explorer.lesson, explorer.keep) == (2, 0.9)


def test_nobody_waits_for_a_trait_that_is_misspelt(explorer, panel):
    heard = []
    with pytest.raises(AttributeError, match=r"no trait 'heatmaps'. Did you mean 'heatmap'"):
        explorer.observe(heard.append, ["keep", "heatmaps"])
    with pytest.raises(AttributeError, match=r"no trait 'score'. Did you mean 'scores'"):
        panel.observe(heard.append, "score")
    explorer.keep = 0.4
    assert not heard
    explorer.observe(heard.append, "keep")
    explorer.observe(heard.append)
    explorer.keep = 0.6
    assert [change["name"] for change in heard].count("keep") == 2


def test_close_names_are_asked_for_however_they_are_capitalised():
    assert did_you_mean("CERTH", ["naturalist", "certh"]) == " Did you mean 'certh'?"
    assert did_you_mean("one", ["One", "ones", "nothing"]) == " Did you mean 'One' or 'ones'?"
    assert did_you_mean("zzz", ["One"]) == did_you_mean("zzz", []) == ""
