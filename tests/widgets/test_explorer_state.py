"""The explorer without a page: traits take effect at once, or raise and change nothing."""

import threading

import numpy as np
import pytest
import tiny
import torch
from ipywidgets import HTML
from ipywidgets.widgets.widget import _instances as widgets_alive
from torch import nn
from traitlets import TraitError

import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.cam import rules
from combicam_widgets.shown.state import derive
from combicam_widgets.shown.words import percent
from combicam_widgets.widgets import Explorer
from combicam_widgets.widgets._bridge.closing import made_of
from combicam_widgets.widgets.background import Report
from combicam_widgets.widgets.explorer import explorer as explorer_module
from combicam_widgets.widgets.heat.pictures import heat_picture
from combicam_widgets.widgets.held import Setting


def snapshot(explorer):
    """Everything that is on screen."""
    return (
        explorer.model,
        explorer.image,
        explorer.target,
        explorer.prediction,
        explorer.maps,
        explorer.heatmap,
        dict(explorer.weights),
        dict(explorer.shares),
        explorer.evidence,
        explorer.status,
        explorer.diagram.fusion.stages,
        explorer.diagram.fusion.weights,
        explorer.diagram.fusion.maps,  # the page makes the heat of them
        explorer.diagram.fusion.rule,
        explorer.world._world._shading.url,
        explorer.controls.photo.value,
    )


def same(one, other):
    return all(
        a is b or (np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b)
        for a, b in zip(one, other, strict=True)
    )


def test_state_follows_weights(explorer, model):
    name = explorer.maps.names[-1]
    explorer.weights = {name: 0.5}
    assert explorer.weights == {n: 0.5 * (n == name) for n in explorer.maps.names}
    expected = explorer.maps.fuse({name: 1.0}, size=explorer.heatmap.shape)
    np.testing.assert_allclose(explorer.heatmap, expected, atol=1e-6)
    assert explorer.shares[name] == pytest.approx(1)
    evidence = model.evidence(explorer.image, explorer.heatmap, explorer.keep)
    np.testing.assert_allclose(explorer.evidence.probabilities, evidence.probabilities, atol=1e-6)
    assert explorer.diagram.fusion.weights == explorer.weights
    assert explorer.diagram.fusion.shares == explorer.shares


def test_a_new_photo_gives_what_the_model_gives(explorer, model):
    explorer.image = "jaguar"
    photo = explorer.image
    assert photo.name == "Jaguar"
    np.testing.assert_allclose(
        explorer.prediction.probabilities, model.predict(photo).probabilities, atol=1e-6
    )
    for mine, theirs in zip(explorer.maps.maps, model.explain(photo).maps, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    assert explorer.controls.photo.value == "Jaguar"
    assert "jaguar" in explorer.status
    assert "Brazil" in explorer.status


def test_method_rule_and_normalisation_cost_no_pass(explorer, monkeypatch):
    monkeypatch.setattr(explorer_module, "analyse", lambda *_: pytest.fail("a new pass"))
    maps = explorer.maps
    explorer.method = "hirescam"
    assert explorer.maps.method == "hirescam"
    assert explorer.maps.names == maps.names
    explorer.rule = "mean"
    explorer.normalize = "max"
    expected = maps.with_method("hirescam").fuse(None, "mean", "max", size=explorer.heatmap.shape)
    np.testing.assert_allclose(explorer.heatmap, expected, atol=1e-6)


def test_target_asks_about_another_place(explorer):
    cell = explorer.model.cells.at(48.0, 11.0)
    explorer.target = cell
    assert explorer.maps.target == cell
    assert "explained instead" in explorer.status
    assert explorer.prediction.guess(cell).place in explorer.status
    explorer.target = None
    assert explorer.maps.target == explorer.prediction.best.index
    explorer.target = cell
    explorer.image = "panda"
    assert explorer.target is None


def test_presets(explorer):
    explorer.use("last layer")
    assert [n for n, w in explorer.weights.items() if w] == ["blocks.15"]
    explorer.use("one per stage")
    chosen = [n for n, w in explorer.weights.items() if w]
    assert chosen == [f"blocks.{i}" for i in (0, 2, 4, 10, 15)]
    before = set(chosen)
    explorer.use("invert")
    assert {n for n, w in explorer.weights.items() if not w} == before
    explorer.use("all")
    assert all(explorer.weights.values())


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("weights", {"blocks.99": 1}, "Unknown layer 'blocks.99'"),
        ("weights", {"blocks.1": -1}, "must be a finite number >= 0"),
        ("weights", {"blocks.1": float("nan")}, "must be a finite number >= 0"),
        ("weights", {"blocks.1": "much"}, "must be numbers"),
        ("weights", {}, "At least one layer must stay on"),
        ("weights", [1, 0], "dict"),
        ("method", "magic", "method must be one of"),
        ("rule", "vote", "rule must be one of"),
        ("normalize", "l2", "normalize must be one of"),
        ("keep", 0, "keep must lie between 0 and 1"),
        ("keep", "half", "keep must be a number"),
        ("opacity", 1.5, "opacity must lie between 0 and 1"),
        ("colormap", "jet", "colormap must be one of"),
        ("image", "kaola", "koala"),
        ("image", b"", "empty"),
        ("image", 17, "int"),
        ("model", "atlantis", "Unknown model 'atlantis'"),
        ("model", 3, "model must be a GeoModel"),
        ("target", "here", "target"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_lost(explorer, trait, value, message):
    before = snapshot(explorer)
    with pytest.raises(TraitError, match=message):
        setattr(explorer, trait, value)
    assert same(snapshot(explorer), before)


def test_a_target_off_the_grid_keeps_the_last_good_state(explorer):
    before = snapshot(explorer)
    with pytest.raises((IndexError, ValueError), match=r"10000|9999"):
        explorer.target = 10_000
    assert same(snapshot(explorer), before)


class Broken(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.answer = answer

    def forward(self, batch):
        return self.answer(self.conv(batch))


def fail(_features):
    raise RuntimeError("half-way there")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fail, "half-way there"),
        (lambda x: (x.mean((2, 3)), -x.mean((2, 3))), "a tuple of 2"),
        (lambda x: x.mean((2, 3)) * torch.nan, "NaN"),
        (lambda x: x, "class scores"),
    ],
)
def test_a_broken_network_keeps_the_last_good_state(explorer, answer, message):
    cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 120, -120, 10])
    broken = ccw.GeoModel(Broken(lambda x: x.mean((2, 3))), cells, name="broken")
    broken.network.answer = answer  # not seen yet when the model was made
    before = snapshot(explorer)
    with pytest.raises((RuntimeError, TypeError, ValueError), match=message):
        explorer.model = broken
    assert same(snapshot(explorer), before)
    explorer.image = "panda"
    assert "panda" in explorer.status


def test_your_own_model(explorer):
    cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 120, -120, 10])
    mine = ccw.GeoModel(Broken(lambda x: x.mean((2, 3))), cells, name="mine")
    explorer.model = mine
    assert explorer.controls.model.value == "mine"
    assert explorer.weights == {"conv": 1.0}
    assert len(explorer.diagram.fusion.stages) == 1
    explorer.model = "naturalist"
    assert len(explorer.weights) == 16


def test_no_positive_evidence_is_said(explorer, monkeypatch):
    maps = explorer.maps
    silent = {m: tuple(np.zeros_like(x) for x in stack) for m, stack in maps.methods.items()}
    explorer.set_trait("maps", type(maps)(**{**vars(maps), "methods": silent}))
    explorer.use("last layer")
    assert explorer.evidence is None
    assert not explorer.heatmap.any()
    assert "no positive evidence" in explorer.status


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="no option 'colour'"):
        Explorer(colour="red")


def test_initial_values(model):
    explorer = Explorer(
        model=model, image="panda", weights={"blocks.15": 1}, method="layercam", target=5, keep=0.5
    )
    assert explorer.maps.target == 5
    assert explorer.method == explorer.maps.method == "layercam"
    assert explorer.keep == explorer.controls.keep.value == 0.5
    assert sum(explorer.weights.values()) == 1


def test_the_position_of_a_photo_is_not_in_what_is_sent(model):
    photo = ccw.load_image(ccw.sample("panda").pixels, position=(12.345678, 98.765432))
    explorer = Explorer(model=model, image=photo)
    texts = [
        explorer.status,
        explorer.status_bar.seen,
        str(explorer.diagram.fusion.get_state()),
    ]
    assert not any("12.34" in text or "98.76" in text for text in texts)
    assert "truly taken" in explorer.status


def test_names_from_outside_are_escaped(model):
    photo = ccw.load_image(ccw.sample("panda").pixels, name="<script>alert(1)</script>")
    names = [f"<img src=x onerror=alert({i})>" for i in range(len(model.cells))]
    cells = ccw.CellGrid(
        model.cells.latitudes, model.cells.longitudes, model.cells.outlines, tuple(names)
    )
    hostile = ccw.GeoModel(model.network, cells, model.transform, name="<b>hostile</b>")
    explorer = Explorer(model=hostile, image=photo)
    assert names[explorer.prediction.best.index] in explorer.status_bar.seen
    pages = [widget.value for widget in made_of(explorer) if isinstance(widget, HTML)]
    assert len(pages) > 1
    assert not any(hostile in page for page in pages for hostile in ("<img", "<b>", "<script"))
    # Line and list take names as data; the browser test looks at what becomes of them.
    assert names[explorer.prediction.best.index] in repr(explorer.world._world._panel.rows)


@pytest.fixture
def small():
    torch.manual_seed(0)
    cells = ccw.CellGrid.from_centers([0, 0, 60, -60], [0, 120, -120, 10])
    return ccw.GeoModel(Broken(lambda x: x.mean((2, 3))), cells, name="small")


def test_score_cam_joins_the_other_methods(small):
    explorer = Explorer(model=small, image="panda")
    gradcam = explorer.heatmap
    explorer.method = "scorecam"
    assert explorer.maps.method == "scorecam"
    expected = small.explain(explorer.image, method="scorecam")
    np.testing.assert_allclose(explorer.maps["conv"], expected["conv"], atol=1e-6)
    assert explorer.controls.method.value == "scorecam"
    explorer.method = "gradcam"
    np.testing.assert_array_equal(explorer.heatmap, gradcam)
    with pytest.raises(ValueError, match="knows no contrast"):
        small.explain(explorer.image, method="scorecam", contrast=1)


def test_a_rule_of_your_own_is_offered(model):
    @cam.fusion_rule("median", "middle of the maps")
    def median(stack):
        return np.median([x for _, x in stack.stretched(cam.minmax).upsampled()], axis=0)

    try:
        explorer = Explorer(model=model)
        assert "median" in explorer.controls.rule.options
        explorer.rule = "median"
        assert explorer.heatmap.max() == 1
        assert sum(explorer.shares.values()) == pytest.approx(1)
        # What is painted has no kinks, as what the page fuses.
        size = explorer.heatmap.shape
        drawn = explorer.maps.fuse(rule="median", size=size, smooth=True)
        assert np.abs(drawn - explorer.heatmap).max() > 0.01
        expected = heat_picture(drawn, explorer.colormap, explorer.opacity)
        assert explorer.heat._overlay._main._picture == expected
    finally:
        rules._RULES.pop("median")


def test_every_method_and_rule_is_offered(explorer):
    assert set(explorer.controls.method.options) == {*cam.METHODS, "scorecam"}
    assert set(explorer.controls.rule.options) == set(cam.rule_names())
    for rule in cam.rule_names():
        explorer.rule = rule
        assert np.isfinite(explorer.heatmap).all()


def test_what_the_page_does_in_another_thread_does_not_mix(explorer, model, monkeypatch):
    inside, release = threading.Event(), threading.Event()

    def page():
        with explorer.jobs.lock:
            inside.set()
            release.wait(10)

    thread = threading.Thread(target=page)
    thread.start()
    inside.wait(10)
    threading.Timer(0.1, release.set).start()
    monkeypatch.setattr(explorer.jobs.checking, "run", lambda *_, **__: pytest.fail("made to wait"))
    explorer.image = "panda"
    thread.join()
    expected = model.evidence(explorer.image, explorer.heatmap, explorer.keep)
    np.testing.assert_allclose(explorer.evidence.probabilities, expected.probabilities, atol=1e-6)


def test_late_evidence_does_not_wipe_an_error_away(explorer):
    shown = explorer.shown
    explorer._gestures.fail(ValueError("this went wrong"))
    late = {"evidence": explorer.evidence, "opposite": None, "answered": shown.question}
    explorer.commit(derive(explorer.shown, late))
    assert explorer.error == "this went wrong"
    assert "this went wrong" in explorer.status_bar.seen
    explorer.use("last layer")
    assert explorer.error == ""


def test_the_latest_choice_of_a_method_wins(explorer, monkeypatch):
    asked, cancelled = [], []
    monkeypatch.setattr(
        explorer.jobs.asking, "run", lambda job, done, *_: asked.append((job, done))
    )
    monkeypatch.setattr(explorer.jobs.asking, "cancel", lambda: cancelled.append(True))
    explorer.controls.photo.value = "Panda"
    explorer._gestures._choose_method("layercam")
    assert not cancelled
    job, done = asked.pop()
    done(job(Report()))
    assert (explorer.image.name, explorer.method) == ("Panda", "layercam")
    explorer._gestures._choose_method("scorecam")
    explorer._gestures._choose_method("gradcam")
    assert cancelled
    assert explorer.method == "gradcam"


def test_what_follows_a_method_is_of_that_method(explorer, model):
    explorer.show_votes = True
    names = explorer.maps.names
    explorer.method = "hirescam"
    of_hirescam = model.explain(explorer.image, method="hirescam")
    expected = model.layer_votes(explorer.image, of_hirescam, explorer.keep)
    for vote, other in zip(explorer.votes, expected, strict=True):
        np.testing.assert_allclose(vote.probabilities, other.probabilities, atol=1e-5)
    size = (28, 21)
    parts = explorer._analysis.contributions(size, explorer.weights, "sum", None)
    expected = cam.contributions(of_hirescam.maps, [1] * len(names), size, "sum", None)
    np.testing.assert_allclose(parts, expected, atol=1e-4)


def test_votes_that_are_to_come_are_announced(explorer, monkeypatch):
    asked, surveying = [], explorer.jobs.surveying

    def run(job, done, *_args, **_options):
        asked.append((job, done))
        surveying._busy = True

    def announced():
        marked = "ccw-asking" in explorer.controls.show_votes._dom_classes
        assert marked == ("asked for their votes" in explorer.status_bar.seen)
        return marked

    monkeypatch.setattr(surveying, "run", run)
    assert not announced()
    explorer.controls.show_votes.value = True
    assert announced()
    explorer.controls.show_votes.value = False
    assert not announced()
    explorer.controls.show_votes.value = True
    assert announced()
    job, done = asked.pop()
    surveying._busy = False  # as it is when a result is delivered
    done(job(lambda *_: None))
    assert len(explorer.votes) == 16
    assert not announced()


def test_votes_see_as_much_as_is_kept(explorer, model):
    explorer.show_votes = True
    before = explorer.votes
    explorer.keep = 0.6
    expected = model.layer_votes(explorer.image, explorer.maps, 0.6)
    for vote, other in zip(explorer.votes, expected, strict=True):
        np.testing.assert_allclose(vote.probabilities, other.probabilities, atol=1e-6)
    assert any(
        not np.allclose(a.probabilities, b.probabilities)
        for a, b in zip(before, explorer.votes, strict=True)
    )


@pytest.mark.parametrize(
    "change", [{"colormap": "cividis"}, {"method": "layercam"}, {"image": "panda"}, {"target": 5}]
)
def test_an_open_card_stays_filled(explorer, change, at_once):
    diagram = explorer.diagram.fusion
    diagram.opened = "blocks.15"
    before = dict(diagram.card)
    for name, value in change.items():
        setattr(explorer, name, value)
    assert diagram.opened == diagram.card["name"] == "blocks.15"
    assert diagram.card["picture"] != before["picture"]
    alone = explorer._analysis.vote("blocks.15", explorer.keep)
    assert alone.best.place in diagram.card["vote"]


def test_a_preview_and_its_vote_are_linked(explorer):
    marks = explorer.world._world._marks
    explorer.preview = "blocks.3"
    assert marks.highlighted is None  # there are no votes to stand out
    explorer.preview = ""
    explorer.show_votes = True
    explorer.preview = "blocks.3"
    assert marks.highlighted == 3
    explorer.preview = ""
    assert marks.highlighted is None
    marks.hovered = 5
    assert explorer.diagram.fusion.highlight == "blocks.5"
    marks.hovered = None
    assert explorer.diagram.fusion.highlight == ""


def test_compare_stays_pressed_while_a_fusion_is_pinned(explorer):
    button, overlay = explorer.controls.pin, explorer.heat._overlay
    explorer.pin()
    assert button.value
    button.value = False  # as a click does
    assert (explorer.pinned, len(overlay._figures.children)) == ("", 1)
    button.value = True
    assert explorer.pinned
    assert len(overlay._figures.children) == 3
    explorer.image = "jaguar"
    assert not button.value


def test_the_sentence_tells_of_the_rest_when_asked(explorer):
    assert "with the rest" not in explorer.status
    explorer.show_opposite = True
    left = explorer.opposite.probabilities[explorer.maps.target]
    assert f", {percent(left)} with the rest)" in explorer.status
    assert "The rest " in explorer.status_bar.seen


def test_no_photo_and_no_click_leaves_a_widget_behind(explorer):
    def use():
        for name in ("koala", "panda"):
            explorer.image = ccw.sample(name)
            explorer.weights = {explorer.maps.names[-1]: 1}
            explorer.use("all")
            explorer.show_rings = not explorer.show_rings
            explorer.keep = 0.5 - explorer.keep / 2

    use()
    before = len(widgets_alive)
    for _ in range(3):
        use()
    assert len(widgets_alive) == before


def test_a_closed_explorer_leaves_nothing_in_the_kernel(explorer, model, at_once):
    """Whatever was opened on the way; the other explorer goes on."""
    before = set(widgets_alive)
    second = Explorer(model=model, image="canyon_de_chelly")
    second.pin()
    second.show_votes = second.online_tiles = second.show_rings = True
    second.image = "koala"
    assert len(widgets_alive) > len(before) + 100
    second.close()
    assert set(widgets_alive) == before
    second.close()
    explorer.use("last layer")
    assert sum(explorer.shares.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong",
    [{"image": "koalla"}, {"weights": {"nope": 1}}, {"box": (0, 0, 2, 2)}, {"rule": "none"}],
)
def test_an_explorer_that_cannot_be_made_leaves_nothing(explorer, model, wrong):
    before = set(widgets_alive)
    with pytest.raises(TraitError):
        Explorer(**{"model": model, "image": "koala", **wrong})
    assert set(widgets_alive) == before


def test_files_without_an_ending_are_files(explorer, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    ccw.sample("panda").to_pil().save(tmp_path / "grandma", "PNG")
    for path in ("~/grandma", str(tmp_path / "grandma")):
        explorer.image = "koala"
        explorer.image = path
        assert explorer.image.name == "grandma"
    for path in ("~/grandpa", str(tmp_path / "grandpa")):
        with pytest.raises(TraitError, match=r"no picture file .*grandpa"):
            explorer.image = path
    with pytest.raises(TraitError, match="no sample photo 'grandma'"):
        explorer.image = "grandma"


@pytest.mark.parametrize(
    "value",
    ["x" * 100_000, np.arange(300.0), list(range(100_000)), nn.Sequential(*[nn.ReLU()] * 99)],
)
def test_messages_are_short_whatever_is_given(value):
    explorer = Explorer(tiny.model(), tiny.photo(1))
    for name, trait in explorer.traits().items():
        if isinstance(trait, Setting):
            with pytest.raises(TraitError) as info:
                setattr(explorer, name, value)
            assert 15 < len(str(info.value)) < 800, name
    explorer.close()
