"""One value, one commit: nothing mixed, nothing half done, nothing told too early."""

import asyncio
import json
import signal
import threading
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tiny
import torch
from ipywidgets import FloatSlider, Widget, link
from torch import nn
from traitlets import TraitError

from combicam_widgets import cam
from combicam_widgets.cam import rules
from combicam_widgets.images import FileName
from combicam_widgets.notices import warn
from combicam_widgets.shown.analysis import Analysis
from combicam_widgets.shown.state import derive, same
from combicam_widgets.widgets import Explorer
from combicam_widgets.widgets._bridge.interrupts import interrupts_wait
from combicam_widgets.widgets.background import Worker
from combicam_widgets.widgets.explorer import explorer as explorer_module
from combicam_widgets.widgets.explorer import gestures as gestures_module
from combicam_widgets.widgets.world.widget import World

TRAITS = (
    *("model", "image", "target", "contrast", "weights", "method", "score", "rule", "keep"),
    *(
        "normalize",
        "opacity",
        "colormap",
        "outline",
        "preview",
        "box",
        "guess",
        "guessing",
        "prediction",
    ),
    *("maps", "shares", "heatmap", "evidence", "opposite", "votes", "inside", "status"),
)


@pytest.fixture(scope="module")
def small():
    return tiny.model()


@pytest.fixture
def explorer(small):
    return Explorer(model=small, image=tiny.photo(1))


def page_says(explorer):
    """What menus, diagram, picture and map show."""
    controls, fusion = explorer.controls, explorer.diagram.fusion
    return {
        "photo": controls.photo.value,
        "model": controls.model.value,
        "method": controls.method.value,
        "score": controls.score.value,
        **{name: getattr(controls, name).value for name in ("rule", "normalize", "keep")},
        "weights": fusion.weights,
        "shares": fusion.shares,
        "stages": fusion.stages,
        "fused": (
            explorer.diagram.fusion.maps,
            explorer.diagram.fusion.rule,
            explorer.diagram.fusion.normalize,
        ),
        "shading": explorer.world._world._shading.url,
        "words": explorer.status_bar.seen,
    }


def whole(explorer):
    """Everything that can be read and seen; raises if one contradicts the other."""
    shown = explorer.shown
    expected = explorer.maps.fuse(
        dict(explorer.weights), explorer.rule, explorer.normalize, explorer.heatmap.shape
    )
    np.testing.assert_array_equal(explorer.heatmap, expected)
    said = page_says(explorer)
    assert said["weights"] == explorer.weights
    if not explorer.hidden:
        assert said["shares"] == explorer.shares
        assert explorer.status in said["words"].replace("\n", " ")
    for name in ("rule", "keep", "method", "score"):
        assert said[name] == getattr(explorer, name)
    return {name: getattr(shown, name) for name in TRAITS}, said


def unchanged(before, after):
    (values, said), (values_now, said_now) = before, after
    kept = [values[name] is values_now[name] or values[name] == values_now[name] for name in TRAITS]
    return said == said_now and all(kept)


def belongs_together(explorer):
    analysis = explorer.shown.analysis
    assert explorer.image is analysis.photo
    assert explorer.prediction is analysis.prediction
    assert explorer.maps is analysis.maps
    expected = explorer.maps.fuse(
        dict(explorer.weights), explorer.rule, explorer.normalize, explorer.heatmap.shape
    )
    np.testing.assert_array_equal(explorer.heatmap, expected)


def on_page(explorer, **wanted):
    """Do what somebody does on the page, on a running loop, and wait for all answers."""

    async def act():
        explorer._gestures._attempt(lambda: explorer._gestures.change(wanted))
        while explorer.jobs.busy:
            await asyncio.sleep(0.005)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, act()).result(30)


@pytest.mark.parametrize("way", ["python", "page"])
def test_no_observer_ever_sees_a_mixture(explorer, small, way):
    seen = Counter()

    def look(change):
        belongs_together(explorer)
        assert same(change["new"], getattr(explorer, change["name"]))
        seen[change["name"]] += 1

    explorer.observe(look)
    other = tiny.photo(2)
    if way == "python":
        explorer.image = other
        explorer.rule = "max"
    else:
        on_page(explorer, image=other)
        on_page(explorer, rule="max")
    assert explorer.error == ""
    assert explorer.image is other
    assert seen["image"] == seen["prediction"] == 1
    assert seen["heatmap"] == 2


def test_changes_that_are_held_cost_one_evidence_pass(explorer, monkeypatch):
    passes, told = [], []
    evidence = Analysis.evidence

    def count(analysis, *given):
        passes.append(analysis)
        return evidence(analysis, *given)

    monkeypatch.setattr(Analysis, "evidence", count)
    explorer.observe(lambda change: told.append(change["name"]), "heatmap")
    with explorer.hold_trait_notifications():
        explorer.rule = "mean"
        assert explorer.rule == "mean"
        explorer.normalize = "max"
        explorer.keep = 0.2
        explorer.weights = {"2": 1}
    assert len(passes) == len(told) == 1
    assert (explorer.rule, explorer.normalize, explorer.keep) == ("mean", "max", 0.2)
    whole(explorer)


def test_what_is_held_is_dropped_when_the_block_raises(explorer):
    before = whole(explorer)

    def several():
        with explorer.hold_trait_notifications():
            explorer.rule = "max"
            explorer.weights = {"no layer": 1}

    with pytest.raises(TraitError, match="no layer"):
        several()
    assert unchanged(before, whole(explorer))


@pytest.mark.parametrize("way", ["python", "page"])
def test_a_new_photo_draws_the_map_once_and_a_click_not_before_the_answer(
    explorer, monkeypatch, way
):
    drawn = []
    draw = World._draw

    def count(world, scene):
        drawn.append(explorer.evidence)
        draw(world, scene)

    monkeypatch.setattr(World, "_draw", count)
    if way == "python":
        explorer.image = tiny.photo(3)
        assert len(drawn) == 1
        explorer.colormap = "cividis"
        explorer.opacity = 0.5
        assert len(drawn) == 1
    else:
        on_page(explorer, image=tiny.photo(3))
        assert len(drawn) == 1
        on_page(explorer, weights={"2": 1.0})
        assert len(drawn) == 2  # with the new evidence


# Guess first.

SECRET_NAME, TRUTH = "a secret garden", (12.34567, -67.89012)


@pytest.mark.parametrize("way", ["python", "page"])
def test_nothing_secret_is_sent_in_three_rounds(small, monkeypatch, way):
    """Every message of every widget is searched, from the new photo to the guess."""
    sent = []
    send = Widget._send

    def record(widget, message, buffers=None):
        sent.append((type(widget).__name__, json.dumps(message, default=str), buffers))
        send(widget, message, buffers)

    monkeypatch.setattr(Widget, "_send", record)
    rounds = iter(tiny.photo(seed, TRUTH, SECRET_NAME, "thanks") for seed in range(10, 20))
    monkeypatch.setattr(explorer_module, "puzzle", lambda *_: next(rounds))
    explorer = Explorer(
        model=small, image=tiny.photo(1), show_votes=True, show_rings=True, outline=True
    )
    explorer.open_card("2")
    for index in range(3):
        sent.clear()
        if way == "python":
            if index == 0:
                explorer.guessing = True
            else:
                explorer.next_round()
            explorer.weights = {"2": 1}
            explorer.preview = "0"
            explorer.show_opposite = not explorer.show_opposite
            explorer.colormap = "cividis"
        else:
            image = explorer.draw_puzzle
            on_page(explorer, **({"guessing": True} if index == 0 else {}), image=image)
            on_page(explorer, weights={"2": 1.0})
            on_page(explorer, preview="0")
        assert explorer.hidden
        text = "\n".join(message for _, message, _ in sent)
        assert "Where is this?" in text or index  # the words are sent when they change
        told = [SECRET_NAME, "12.3", "67.8", "67.9", *tiny.PLACES, "truly", "evidence:"]
        assert [word for word in told if word in text] == []
        blank = {layer["picture"] for s in explorer.diagram.fusion.stages for layer in s["layers"]}
        assert len(blank) <= len(explorer.maps.names)
        assert not any(explorer.diagram.fusion.shares.values())
        assert explorer.world._world._marks.flags == []
        assert explorer.world._world._panel.rows == []
        explorer.guess = (1.0, 2.0)
        assert any(place in explorer.status_bar.seen for place in tiny.PLACES)
    assert len(explorer.game.rounds) == 3


# Raises and changes nothing; or takes effect.


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_rule_that_raises_at_its_kth_call_changes_nothing(explorer, error):
    calls = []

    @cam.fusion_rule("brittle", "fails now and then")
    def brittle(stack):
        calls.append(stack)
        if len(calls) % 3 == 0:
            raise error("at its third call")
        return stack.weighted_sum()

    try:
        explorer.rule = "brittle"
        outcomes = Counter()
        for weight in range(1, 10):
            before = explorer.shown
            try:
                explorer.weights = {"2": 1, "4": weight}
            except error:
                outcomes["raised"] += 1
                assert explorer.shown is before
            else:
                outcomes["done"] += 1
                assert explorer.weights["4"] == weight
            assert explorer.diagram.fusion.weights == explorer.weights
            assert explorer.diagram.fusion.shares == explorer.shares
        assert outcomes["raised"]
        assert outcomes["done"]
    finally:
        explorer.rule = "sum"
        rules._RULES.pop("brittle")


PAINTERS = [
    ("diagram", "show_maps"),
    ("diagram", "show_photo"),
    ("overlay", "show_heat"),
    ("overlay", "show_photo"),
    ("world", "show"),
    ("controls", "show"),
    ("status_bar", "show"),
]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize(("part", "method"), PAINTERS)
def test_what_stops_in_the_midst_of_drawing_changes_nothing(
    explorer, monkeypatch, part, method, error
):
    drawn = {
        "diagram": explorer.diagram.fusion,
        "overlay": explorer.heat._overlay,
        "world": explorer.world._world,
    }
    before = whole(explorer)
    kind = type(drawn.get(part) or getattr(explorer, part))
    draw, calls = getattr(kind, method), []

    def fail_once(*given, **more):
        calls.append(given)
        answer = draw(*given, **more)
        if len(calls) == 1:
            raise error("in the midst")
        return answer

    monkeypatch.setattr(kind, method, fail_once)
    with pytest.raises(error):
        explorer.image = tiny.photo(5)
    assert unchanged(before, whole(explorer))
    explorer.image = tiny.photo(6)
    after = whole(explorer)
    assert after[1]["fused"] != before[1]["fused"]
    assert after[1]["shading"] != before[1]["shading"]


def test_interrupts_at_random_moments_leave_it_whole(small):
    explorer = Explorer(model=small, image=tiny.photo(1))
    photos = [tiny.photo(seed) for seed in range(4)]
    random = np.random.default_rng(5)
    outcomes = Counter()
    for turn in range(40):
        before = explorer.shown
        delay = float(random.uniform(0.0005, 0.04))
        timer = threading.Timer(delay, signal.raise_signal, [signal.SIGINT])
        try:
            timer.start()
            explorer.image = photos[turn % 4]
            explorer.weights = {"2": 1, "4": 1 + turn}
            timer.join()
        except KeyboardInterrupt:
            outcomes["interrupted"] += 1
        finally:
            timer.join()
        changed = explorer.shown is not before
        outcomes[f"changed {changed}"] += 1
        said = whole(explorer)[1]
        assert said["shares"] == explorer.shares
        assert explorer.diagram.fusion.photo
    assert outcomes["interrupted"] > 5


def test_an_interrupt_waits_for_the_end_of_a_moment():
    done = []

    def moment():
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            done.append(True)

    with pytest.raises(KeyboardInterrupt):
        moment()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_observer_that_raises_is_heard_and_all_is_in_place(explorer):
    told = []

    def fail(_change):
        raise RuntimeError("my own mistake")

    explorer.observe(fail, "prediction")
    explorer.observe(lambda change: told.append(change["name"]), ["heatmap", "maps"])
    other = tiny.photo(2)
    with pytest.raises(RuntimeError, match="my own mistake"):
        explorer.image = other
    assert explorer.image is other
    assert set(told) == {"heatmap", "maps"}
    whole(explorer)
    on_page(explorer, image=tiny.photo(3))
    assert "my own mistake" in explorer.error
    assert "my own mistake" in explorer.status_bar.seen
    assert explorer.image.name == "noise 3"
    whole(explorer)


def test_observers_that_change_something_take_effect_too(explorer):
    explorer.observe(lambda _change: setattr(explorer, "keep", 0.5), "rule")
    kept = []
    explorer.observe(lambda change: kept.append(change["new"]), "keep")
    explorer.rule = "max"
    assert explorer.keep == explorer.controls.keep.value == 0.5
    assert kept == [0.5]


# Containers, numbers, menus.


def test_nothing_public_can_be_changed_in_place(explorer):
    explorer.show_votes = True
    before = whole(explorer)
    for refused in (
        lambda: explorer.weights.__setitem__("2", 0),
        lambda: explorer.weights.update({"2": 0}),
        lambda: explorer.shares.pop("2"),
        explorer.shares.clear,
    ):
        with pytest.raises(TypeError, match=r"explorer\.weights = \{\*\*explorer\.weights"):
            refused()
    for array in (explorer.heatmap, explorer.prediction.probabilities, explorer.maps["2"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        explorer.heatmap.flags.writeable = True
    with pytest.raises(TypeError):
        explorer.votes[0] = None
    with pytest.raises(TraitError, match="cannot be set"):
        explorer.set_trait("prediction", explorer.prediction)
    assert unchanged(before, whole(explorer))
    explorer.weights = {**explorer.weights, "2": 0}
    assert explorer.diagram.fusion.weights["2"] == 0


def test_weights_are_checked_as_they_are_kept(explorer):
    before = whole(explorer)
    for tiny_weights in ({"2": 4e-7}, {"2": 1e-300, "4": 4.9e-7}):
        with pytest.raises(TraitError, match="At least one layer must stay on"):
            explorer.weights = tiny_weights
    assert unchanged(before, whole(explorer))
    explorer.weights = {"2": 1e-6}
    explorer.figure()


@pytest.mark.parametrize(
    ("trait", "value", "kept"),
    [
        ("keep", np.float32(0.25), 0.25),
        ("keep", np.array(0.25), 0.25),
        ("keep", torch.tensor(0.25), 0.25),
        ("target", np.array(2), 2),
        ("outline", np.array(True), True),
        ("opacity", np.float64(1), 1.0),
        ("tile_width", np.int64(900), 900.0),
        ("target", np.int64(2), 2),
        ("contrast", np.uint8(1), 1),
        ("outline", np.True_, True),
        ("show_votes", np.bool_(True), True),
        ("rule", np.str_("max"), "max"),
        ("preview", np.str_("2"), "2"),
        ("box", np.array([0, 0, 0.5, 1], np.float32), (0, 0, 0.5, 1)),
        ("guess", (np.float32(10), np.int16(20)), (10, 20)),
        ("weights", {np.str_("2"): np.float16(0.5)}, {"0": 0, "2": 0.5, "4": 0}),
    ],
)
def test_numpy_scalars_are_taken(explorer, trait, value, kept):
    setattr(explorer, trait, value)
    got = getattr(explorer, trait)
    assert got == kept
    assert type(got).__module__ != "numpy"


@pytest.mark.parametrize(
    ("trait", "value"),
    [
        *(("keep", value) for value in (True, np.True_, float("nan"), "0.3", None, [0.3])),
        *(("target", value) for value in (True, 1.5, "1", np.array([1, 2]))),
        *(("box", value) for value in (5, "abcd", (0, 0, 1), (0, 0, float("nan"), 1))),
        *(("guess", value) for value in (5, "ab", (1, None), (91, 0))),
        *(("outline", value) for value in (1, "yes", None)),
        *(("rule", value) for value in (np.array(["sum", "max"]), 3, ["sum"])),
        *(("preview", value) for value in ("no layer", 3)),
        *(("tile_width", value) for value in (1, 1e9, "wide")),
        *((name, 10**400) for name in ("keep", "opacity", "tile_width")),
        ("box", (0, 0, 10**400, 1)),
        *(("weights", value) for value in (3, {"2": 10**400}, {"2": "1"}, {"2": b"1"})),
    ],
)
def test_what_is_refused_is_refused_in_words(explorer, trait, value):
    before = whole(explorer)
    with pytest.raises(TraitError, match=r"[A-Za-z]{3}"):
        setattr(explorer, trait, value)
    assert unchanged(before, whole(explorer))


@pytest.mark.parametrize(("trait", "value"), [("keep", 0.004), ("tile_width", 300.0)])
def test_a_slider_shows_what_the_trait_says(explorer, trait, value):
    setattr(explorer, trait, value)
    assert getattr(explorer, trait) == getattr(explorer.controls, trait).value == value


@pytest.mark.usefixtures("at_once")
def test_own_photos_can_be_chosen_again(explorer, small):
    menu = explorer.controls.photo
    assert menu.value == "noise 1"
    for seed in range(2, 12):
        explorer.image = tiny.photo(seed)
    assert [name for name in menu.options if name.startswith("noise")] == [
        f"noise {seed}" for seed in range(4, 12)
    ]
    menu.value = "noise 7"
    assert explorer.image.name == "noise 7"
    np.testing.assert_array_equal(explorer.image.pixels, tiny.photo(7).pixels)
    menu.value = "Koala"
    assert explorer.image.name == "Koala"
    assert "(a photo of your own)" not in menu.options
    explorer.image = tiny.photo(20, name=FileName("grandma"))
    explorer.image = tiny.photo(21, name="Koala")
    assert menu.value == "Koala (2)"
    assert "grandma" not in str(menu.options)
    (grandma,) = (label for label in menu.options if label.startswith("your photo"))
    menu.value = grandma
    assert explorer.image.name == "grandma"
    explorer.guessing = True
    assert not any("noise" in name or "your" in name for name in menu.options)


@pytest.mark.usefixtures("at_once")
def test_own_files_are_told_apart_by_numbers_that_stay(explorer):
    menu = explorer.controls.photo
    photos = [tiny.photo(seed, name=FileName(f"IMG {seed}")) for seed in range(40, 51)]
    for photo in photos:
        explorer.image = photo
    # The explorer's first photo had number 1; the latest eight are kept.
    expected = {f"your photo {number} (48 x 40)": number for number in range(5, 13)}
    own = [label for label in menu.options if label.startswith("your photo")]
    assert own == list(expected)
    for label, number in expected.items():
        menu.value = label
        assert explorer.image is photos[number - 2]
    assert "IMG 4" not in json.dumps(Widget.get_manager_state(), default=str)


def test_cancel_frees_the_page_though_a_decoder_goes_on(explorer, monkeypatch):
    inside, release = threading.Event(), threading.Event()

    def slow(content, name):
        inside.set()
        release.wait(20)
        return tiny.photo(30)

    monkeypatch.setattr(gestures_module, "load_image", slow)

    async def act():
        explorer._gestures._upload(b"...", "slow.jpg")
        while not inside.is_set():
            await asyncio.sleep(0.005)
        explorer._gestures.cancel()
        assert not explorer.busy
        explorer._gestures.change({"image": tiny.photo(31)})
        while explorer.jobs.asking.busy:
            await asyncio.sleep(0.005)
        return release.is_set()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, act()).result(30) is False
    assert explorer.image.name == "noise 31"
    release.set()


def saturated():
    """A model whose outputs are warned of once: they all lie between 0 and 1."""
    model = tiny.model("saturated")
    model.network.append(nn.Sigmoid())
    return model


def test_what_is_warned_of_beside_the_page_is_told_there(explorer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing goes to Python
        on_page(explorer, model=saturated())
    assert explorer.error == ""
    assert "as after a sigmoid" in explorer.status_bar.seen
    on_page(explorer, keep=0.4)  # nothing that has to do with it
    assert "as after a sigmoid" in explorer.status_bar.seen
    assert "as after a sigmoid" not in json.dumps(Widget.get_manager_state(), default=str)
    on_page(explorer, image=tiny.photo(9))
    assert "as after a sigmoid" not in explorer.status_bar.seen


def test_what_was_warned_of_in_vain_is_told_with_what_is_shown_next(explorer):
    """Also of a picture that is read in a thread of its own, and of work that failed."""

    def read(_model):
        warn("The picture is odd.")
        raise ValueError("It cannot be read.")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        on_page(explorer, image=read)
        assert explorer.error == "It cannot be read."
        on_page(explorer, image=tiny.photo(10))
    assert explorer.status_bar.seen.endswith("\nThe picture is odd.")


def test_in_python_a_warning_is_pythons(explorer):
    with pytest.warns(UserWarning, match="as after a sigmoid") as caught:
        explorer.model = saturated()
    assert caught[0].filename == __file__
    assert explorer.shown.notice == ""


def test_undo_takes_back_all_that_made_the_heat(explorer):
    before = explorer.shown.recipe
    heat = explorer.heatmap
    explorer.change({"method": "layercam", "rule": "max", "weights": {"2": 1.0}})
    after = explorer.shown.recipe
    explorer.undo()
    assert explorer.shown.recipe == before
    np.testing.assert_array_equal(explorer.heatmap, heat)
    assert explorer.controls.method.value == before.method
    explorer.redo()
    assert explorer.shown.recipe == after
    whole(explorer)


def test_who_comes_back_to_what_is_shown_wants_nothing_else(explorer, monkeypatch):
    own, inside, release = explorer.image, threading.Event(), threading.Event()

    def slow(content, name):
        inside.set()
        release.wait(20)
        return tiny.photo(30)

    monkeypatch.setattr(gestures_module, "load_image", slow)

    async def act():
        explorer._gestures._upload(b"...", "slow.jpg")
        while not inside.is_set():
            await asyncio.sleep(0.005)
        assert explorer.busy
        explorer._gestures.change({"image": own})
        assert not explorer.busy
        release.set()
        await asyncio.sleep(0.2)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, act()).result(30)
    assert explorer.image is own


def test_traits_are_traits_for_everybody_else(explorer):
    slider = FloatSlider(min=0.01, max=1, step=0.001, value=0.7)
    linked = link((explorer, "keep"), (slider, "value"))
    assert slider.value == explorer.keep == 0.3
    slider.value = 0.45
    assert explorer.keep == 0.45
    explorer.keep = 0.6
    assert slider.value == 0.6
    linked.unlink()
    assert explorer.trait_values()["keep"] == 0.6
    assert explorer.trait_defaults("keep") == 0.3
    assert "keep" in explorer.trait_names()


@pytest.mark.parametrize("way", ["python", "page"])
def test_a_network_that_fails_leaves_the_last_good_state(small, way):
    explorer = Explorer(model=small, image=tiny.photo(1), show_votes=True)
    broken = tiny.model("broken")

    def fail(_module, _inputs, _output):
        raise RuntimeError("this network is tired")

    before = whole(explorer)
    broken.network[2].register_forward_hook(fail)
    if way == "python":
        with pytest.raises(RuntimeError, match="tired"):
            explorer.model = broken
        assert unchanged(before, whole(explorer))
    else:
        on_page(explorer, model=broken)
        assert "tired" in explorer.error
        assert not explorer.busy
        assert before[0]["model"] is whole(explorer)[0]["model"]
        assert explorer.controls.model.value == "tiny"


def test_worker_does_what_is_urgent_first_and_lets_it_by():
    worker, order, done = Worker(), [], threading.Event()
    inside, go_on = threading.Event(), threading.Event()

    def long():
        order.append("long begins")
        inside.set()
        go_on.wait(10)
        worker.let_by(3)
        order.append("long ends")

    worker.submit(3, long)
    inside.wait(10)
    worker.submit(5, done.set)
    worker.submit(4, lambda: order.append("later"))
    worker.submit(1, lambda: order.append("urgent"))
    worker.submit(0, lambda: order.append("most urgent"))
    go_on.set()
    assert done.wait(10)
    assert order == ["long begins", "most urgent", "urgent", "long ends", "later"]
    worker.close()


def test_one_message_of_the_diagram_is_one_change(explorer, monkeypatch, at_once):
    diagram, committed, sent = explorer.diagram.fusion, [], []
    explorer.observe(lambda change: committed.append(change["name"]))
    monkeypatch.setattr(diagram, "send_state", lambda key=None: sent.append(key))
    weights = {"0": 0.0, "2": 1.0, "4": 1.0}
    diagram.set_state({"weights": weights, "preview": "2", "opened": "4", "gesture": "click 1"})
    assert explorer.weights == weights
    assert (explorer.preview, explorer.shown.opened) == ("2", "4")
    assert committed.count("weights") == committed.count("preview") == 1
    assert [(diagram.weights, diagram.preview, diagram.opened)] == [(weights, "2", "4")]
    # Nothing of what the page has just said is put back, not for a moment.
    flat = {name for keys in sent for name in ([keys] if isinstance(keys, str) else keys or [])}
    assert not flat & {"weights", "preview", "opened"}


def test_what_the_page_says_while_a_cell_runs_is_not_lost(explorer):
    """JupyterLab's messages come in a thread of their own: they wait for the cell's commit."""
    diagram, waiting = explorer.diagram.fusion, threading.Event()
    explorer.preview = "2"
    notify = diagram.notify_change

    def knock(change):
        waiting.set()
        notify(change)

    with explorer.jobs.lock:
        diagram.notify_change = knock
        thread = threading.Thread(target=lambda: setattr(diagram, "preview", ""))
        thread.start()
        assert waiting.wait(10)
        explorer.commit(derive(explorer.shown, {"keep": 0.5}))  # puts the diagram's preview back
    thread.join(10)
    assert explorer.preview == diagram.preview == ""
