"""The overlay alone in JupyterLab: hover, outline, preview, pin, and a box."""

import base64
import io
import itertools
import re

import numpy as np
import pytest
from lab import ROOT, Lab, notebook
from PIL import Image
from playwright.sync_api import expect

from combicam_widgets.javascript import joined
from combicam_widgets.widgets.heat.box import box_sentence
from combicam_widgets.widgets.heat.caption import described

pytestmark = pytest.mark.xdist_group("browser")

HEAT = ".js-plotly-plot .layer-above .imagelayer image"
OPEN = notebook(
    """import numpy as np
import combicam_widgets as ccw
from combicam_widgets import cam
from ipywidgets import HTML, HBox""",
    """def layer_maps(*maps):
    return cam.LayerMaps(
        names=("first", "second"),
        methods={"gradcam": tuple(map(np.float32, maps))},
        method="gradcam",
        size=(200, 300),
        target=0,
        score="log_probability",
        probabilities=np.ones(1, np.float32),
        importances=np.ones(2, np.float32),
    )


@cam.fusion_rule("twice", "the sum, by a rule of one's own")
def twice(stack):
    return sum(2 * w * x for w, x in stack.upsampled())


maps = layer_maps([[1, 0], [0, 0]], [[0, 0], [0, 1]])
photo = ccw.load_image(np.full((200, 300, 3), 120, np.uint8), name="Grey")
heat, boxes, clicks = ccw.HeatOverlay(photo, maps), [], []
heat.observe(lambda change: boxes.append(change["new"]), "box")
heat.on_click(lambda x, y: clicks.append([x, y]))

def show(*weights):
    heat.weights = dict(zip(maps.names, weights))

HBox([heat, HTML("beside")])""",
)


def do(lab: Lab, call: str) -> None:
    lab.python(f"[{call}] and None")


def painted(lab: Lab) -> np.ndarray:
    """The picture that lies over the photo, (H, W, 4)."""
    source = lab.page.locator(HEAT).get_attribute("href").split(",", 1)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGBA"))


def outlined(lab: Lab) -> bool:
    return bool((painted(lab) == 255).all(2).any())


def until(lab: Lab, look, value) -> None:
    for _ in range(2000):
        if look(lab) == value:
            return
        lab.page.evaluate("() => new Promise(requestAnimationFrame)")
    pytest.fail(f"{look.__name__} is {look(lab)}, not {value}")


def at(lab: Lab, x: float, y: float) -> tuple[float, float]:
    """Where a place of the photo is on the page."""
    box = lab.page.locator(HEAT).bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def drag(lab: Lab, start: tuple[float, float], end: tuple[float, float]) -> None:
    lab.page.mouse.move(*at(lab, *start))
    lab.page.mouse.down()
    lab.page.mouse.move(*at(lab, *end), steps=5)
    lab.page.mouse.up()


def figure(lab: Lab):
    return lab.page.get_by_role("img", name=re.compile("^Heatmap over Grey|^now|alone"))


@pytest.fixture
def opened(lab: Lab) -> Lab:
    lab.open(OPEN)
    lab.page.locator(HEAT).wait_for()
    expect(figure(lab)).to_be_visible()
    yield lab
    assert lab.complaints == []
    assert lab.strangers == []


@pytest.mark.parametrize("rule", ["sum", "twice"])
def test_pointing_says_what_the_heat_is_made_of(opened, rule):
    lab = opened
    do(lab, f"setattr(heat, 'rule', {rule!r})")
    caption = lab.page.get_by_text("Point at the photo")
    expect(caption).to_be_visible()
    lab.page.mouse.move(*at(lab, 0.03, 0.04))
    lab.page.mouse.move(*at(lab, 0.02, 0.03))
    divided = r"layer 1 \(first\) \d+ %" if rule == "sum" else "This rule does not divide"
    expect(lab.page.get_by_text(re.compile(rf"^Heat \d+ %.*{divided}"))).to_be_visible()
    value = lab.page.locator(".ccw-note-value")
    expect(value).to_have_text(re.compile(r"^heat \d+ %"))
    lab.screenshot(f"overlay-hover-{rule}")
    do(lab, "show(0, 1)")  # under the resting pointer
    none = "Heat 0 %: no layer highlights this place." if rule == "sum" else "Heat 0 %. This rule"
    expect(lab.page.get_by_text(none)).to_be_visible()
    lab.page.mouse.click(*at(lab, 0.25, 0.5))
    lab.until("len(clicks)", 1)
    assert lab.python("clicks[0]") == pytest.approx([0.25, 0.5], abs=0.01)
    lab.page.mouse.move(2, 2)
    expect(caption).to_be_visible()
    expect(value).not_to_be_visible()


@pytest.mark.parametrize("rule", ["sum", "twice"])
def test_the_outline_is_switched_and_a_preview_comes_and_goes(opened, rule):
    lab = opened
    do(lab, f"setattr(heat, 'rule', {rule!r})")
    assert not outlined(lab)
    do(lab, "setattr(heat, 'outline', True)")
    until(lab, outlined, True)
    expect(figure(lab)).to_have_attribute("aria-label", re.compile("the hottest 30 % outlined"))
    lab.screenshot("overlay-outline")
    before = painted(lab)
    do(lab, "setattr(heat, 'preview', 'second')")
    label = lab.page.get_by_text("layer 2 (second) alone")
    expect(label).to_be_visible()
    lab.screenshot("overlay-preview")
    do(lab, "setattr(heat, 'preview', '')")
    expect(label).not_to_be_visible()
    until(lab, lambda lab: bool((painted(lab) == before).all()), True)
    do(lab, "setattr(heat, 'outline', False)")
    until(lab, outlined, False)


@pytest.mark.parametrize("rule", ["sum", "twice"])
def test_no_evidence_is_said(opened, rule):
    lab = opened
    words = lab.page.get_by_text("no positive evidence", exact=True)
    do(lab, f"setattr(heat, 'rule', {rule!r})")
    do(lab, "setattr(heat, 'maps', layer_maps(np.zeros((2, 2)), np.zeros((2, 2))))")
    expect(words).to_be_visible()
    expect(lab.page.get_by_role("img", name="Heatmap over Grey: no positive")).to_be_visible()
    do(lab, "setattr(heat, 'maps', maps)")
    expect(words).not_to_be_visible()


@pytest.mark.parametrize("rule", ["sum", "twice"])
def test_a_pinned_heatmap_beside_the_present_one(opened, rule):
    lab = opened
    do(lab, f"setattr(heat, 'rule', {rule!r})")
    alone = figure(lab).bounding_box()
    assert alone["height"] == 440
    photo = lab.page.locator(HEAT).bounding_box()
    do(lab, "heat.pin()")
    pinned = lab.page.get_by_role("img", name=re.compile(f"^pinned: gradcam, {rule}, 2 of 2"))
    difference = lab.page.get_by_role("img", name=re.compile("^Difference"))
    expect(pinned).to_be_visible()
    expect(difference.get_by_text("no difference")).to_be_visible()
    expect(lab.page.get_by_text(f"now: gradcam, {rule}, 2 of 2 layers")).to_be_visible()
    do(lab, "show(0, 1)")
    expect(lab.page.get_by_text(f"now: gradcam, {rule}, 1 of 2 layers")).to_be_visible()
    expect(difference.get_by_text("no difference")).not_to_be_visible()
    expect(difference).to_have_attribute("aria-label", re.compile("from -100 to"))
    # In the room of the one, the three photos are of one size.
    photos = [lab.page.locator(HEAT), *lab.page.locator(".ccw-panel-stack").all()]
    boxes = [photo.bounding_box() for photo in photos]
    assert len({round(box["width"]) for box in boxes}) == 1
    assert boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    assert boxes[0]["y"] + boxes[0]["height"] < boxes[2]["y"]
    for box in boxes:
        assert alone["y"] <= box["y"]
        assert box["y"] + box["height"] <= alone["y"] + alone["height"] + 1
    lab.screenshot("overlay-compare")
    do(lab, "heat.unpin()")
    expect(pinned).to_have_count(0)
    expect(lab.page.get_by_text(f"now: gradcam, {rule}, 1 of 2 layers")).not_to_be_visible()
    assert figure(lab).bounding_box() == alone
    until(lab, lambda lab: lab.page.locator(HEAT).bounding_box() == pytest.approx(photo), True)


def test_a_box_is_drawn_moved_typed_and_removed(opened):
    lab = opened
    box = lab.page.get_by_label(re.compile("^Box of what should matter"))
    width = lab.page.locator(".ccw-overlay").bounding_box()["width"]
    expect(lab.page.get_by_label("Left %")).not_to_be_visible()
    drag(lab, (0.2, 0.2), (0.6, 0.6))  # not before it is asked for
    lab.page.get_by_role("button", name="Draw a box").click()
    expect(lab.page.get_by_label("Left %")).to_be_visible()
    expect(box).not_to_be_visible()

    drag(lab, (0.5, 0.75), (0.05, 0.1))
    expect(box).to_be_visible()
    expect(lab.page.get_by_text(re.compile(r"% of the heat lies inside"))).to_be_visible()
    assert lab.python("boxes[0]") == pytest.approx([0.05, 0.1, 0.5, 0.75], abs=0.01)
    assert lab.python("len(boxes)") == 1
    lab.screenshot("overlay-box")
    assert lab.page.locator(".ccw-overlay").bounding_box()["width"] == width
    drag(lab, (0.3, 0.4), (0.7, 0.5))  # from inside: moved
    lab.until("len(boxes)", 2)
    assert lab.python("boxes[1]") == pytest.approx([0.45, 0.2, 0.9, 0.85], abs=0.01)
    drag(lab, (0.1, 0.1), (0.3, 0.3))  # from outside: another one
    lab.until("len(boxes)", 3)
    drag(lab, (0.8, 0.8), (0.8, 0.8))  # a click is no box
    lab.page.get_by_label("Right %").fill("100")
    lab.page.keyboard.press("Enter")
    lab.until("len(boxes)", 4)
    assert lab.python("boxes[3]") == pytest.approx([0.1, 0.1, 1, 0.3], abs=0.01)

    seen = box.bounding_box()
    left, top = at(lab, 0.1, 0.1)
    right, bottom = at(lab, 1, 0.3)
    expected = [left, top, right - left, bottom - top]
    assert [seen[k] for k in ("x", "y", "width", "height")] == pytest.approx(expected, abs=5)
    do(lab, "heat.pin()")  # which makes the photo smaller
    lab.page.get_by_role("img", name=re.compile("^pinned")).wait_for()
    until(lab, lambda lab: abs(box.bounding_box()["x"] - at(lab, 0.1, 0.1)[0]) < 3, True)
    assert box.bounding_box()["width"] < 0.7 * seen["width"]

    lab.page.get_by_role("button", name="Draw a box").click()
    expect(box).not_to_be_visible()
    lab.until("boxes[-1]", None)


def test_a_box_by_keyboard_and_from_python(opened):
    lab = opened
    do(lab, "setattr(heat, 'box', (0.2, 0.2, 0.4, 0.4))")
    box = lab.page.get_by_label(re.compile("^Box of what should matter"))
    expect(lab.page.get_by_label("Bottom %")).to_have_value("40")
    box.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.until("[round(x, 3) for x in heat.box]", [0.22, 0.2, 0.42, 0.4])
    lab.page.keyboard.press("Shift+ArrowDown")
    lab.until("[round(x, 3) for x in heat.box]", [0.22, 0.2, 0.42, 0.42])
    expect(box).to_be_focused()
    expect(lab.page.get_by_label("Bottom %")).to_have_value("42")
    words = lab.page.get_by_text(re.compile(r"% of the heat lies inside"))
    before = words.text_content()
    do(lab, "show(1, 0)")
    expect(words).not_to_have_text(before)


PURE = """async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { between, moved, resized, contains } = await import(url);
  return [
    between([0.75, 0.5], [0.25, 0.125]), between([0.5, 0.5], [2, -1]),
    between([0.1, 0.1], [0.9, 0.1]),
    moved([0.25, 0.25, 0.5, 0.5], 0.125, -0.125), moved([0.25, 0.25, 0.5, 0.5], 9, -9),
    resized([0.25, 0.25, 0.5, 0.5], 0.25, 9), contains([0.25, 0.25, 0.5, 0.5], [0.3, 0.4]),
    contains([0.25, 0.25, 0.5, 0.5], [0.3, 0.6]), contains(null, [0.5, 0.5]),
  ];
}"""


WORDS = """async ([source, cases, boxes]) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { described, boxSentence } = await import(url);
  const names = cases.map(([name, heat, label, keep]) => described(name, heat, label, keep));
  return [names, boxes.map(([heat, box]) => boxSentence(heat, box))];
}"""


def test_the_page_says_what_python_says(browser):
    random = np.random.default_rng(3)
    heats = [random.random((5, 7), np.float32) ** 3, np.eye(5, 3, dtype=np.float32)]
    heats += [np.zeros((2, 3), np.float32)]
    sides = [(0.1, 0.05, 0.5, 0.75), (0, 0, 1, 1), (0.31, 0.4, 0.33, 0.41)]
    cases = list(itertools.product(["Grey", ""], heats, ["", "now"], [None, 0.004]))
    boxes = list(itertools.product(heats, sides))

    def given(heat):
        return {"shape": heat.shape, "values": heat.ravel().tolist()}

    page = browser.new_page()
    names, sentences = page.evaluate(
        WORDS,
        [
            joined(ROOT / "combicam_widgets" / "widgets" / "heat" / "words.js"),
            [[name, given(heat), *rest] for name, heat, *rest in cases],
            [[given(heat), box] for heat, box in boxes],
        ],
    )
    page.close()
    assert names == [described(*case) for case in cases]
    assert sentences == [box_sentence(heat, box) for heat, box in boxes]


def test_pure_functions_of_the_box(browser):
    page = browser.new_page()
    box = ROOT / "combicam_widgets" / "widgets" / "heat" / "box.js"
    source = joined(box)
    assert page.evaluate(PURE, source) == [
        [0.25, 0.125, 0.75, 0.5],
        [0.5, 0, 1, 0.5],
        None,
        [0.375, 0.125, 0.625, 0.375],
        [0.75, 0, 1, 0.25],
        [0.25, 0.25, 0.75, 1],
        True,
        False,
        False,
    ]
    page.close()
