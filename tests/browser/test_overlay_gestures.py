"""The overlay alone in JupyterLab: hover, outline, preview, pin, and a box."""

import base64
import io
import re

import numpy as np
import pytest
from lab import ROOT, Lab, notebook
from PIL import Image
from playwright.sync_api import expect

from combicam_widgets.javascript import joined

pytestmark = pytest.mark.xdist_group("browser")

HEAT = ".js-plotly-plot .layer-above .imagelayer image"
OPEN = notebook(
    """import numpy as np
import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.cam.contributions import contributions
from combicam_widgets.widgets.heat.overlay import Overlay
from ipywidgets import HTML, HBox""",
    """maps = [np.float32([[1, 0], [0, 0]]), np.float32([[0, 0], [0, 1]])]
overlay, boxes, on = Overlay(), [], [1, 1]

def show(*weights):
    on[:] = weights
    overlay.show_layers(["first", "second"], lambda size: contributions(maps, on, size))
    overlay.show_heat(cam.fuse(maps, on, (192, 288)), "inferno", 0.8, f"{np.count_nonzero(on)} on")
    overlay.show_values()

overlay.on_box(boxes.append)
overlay.show_photo(ccw.load_image(np.full((200, 300, 3), 120, np.uint8), name="Grey"))
show(1, 1)
HBox([overlay.view, HTML("beside")])""",
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


def test_pointing_says_what_the_heat_is_made_of(opened):
    lab = opened
    caption = lab.page.get_by_text("Point at the photo")
    expect(caption).to_be_visible()
    lab.page.mouse.move(*at(lab, 0.03, 0.04))
    lab.page.mouse.move(*at(lab, 0.02, 0.03))
    expect(
        lab.page.get_by_text(re.compile(r"^Heat \d+ %: .*from layer 1 \(first\)"))
    ).to_be_visible()
    expect(lab.page.locator(".hoverlayer").get_by_text(re.compile(r"^heat \d+ %"))).to_be_visible()
    lab.screenshot("overlay-hover")
    do(lab, "show(0, 1)")  # under the resting pointer
    expect(lab.page.get_by_text("Heat 0 %: no layer highlights this place.")).to_be_visible()
    lab.page.mouse.move(2, 2)
    expect(caption).to_be_visible()


def test_the_outline_is_switched_and_a_preview_comes_and_goes(opened):
    lab = opened
    assert not outlined(lab)
    do(lab, "overlay.show_outline(0.3)")
    until(lab, outlined, True)
    expect(figure(lab)).to_have_attribute("aria-label", re.compile("the hottest 30 % outlined"))
    lab.screenshot("overlay-outline")
    before = painted(lab)
    do(lab, "overlay.preview(maps[1], 'layer <i>second</i> alone')")
    label = lab.page.get_by_text("layer <i>second</i> alone")
    expect(label).to_be_visible()
    lab.screenshot("overlay-preview")
    do(lab, "overlay.preview(None)")
    expect(label).not_to_be_visible()
    np.testing.assert_array_equal(painted(lab), before)
    do(lab, "overlay.show_outline(None)")
    until(lab, outlined, False)


def test_no_evidence_is_said(opened):
    lab = opened
    words = lab.page.get_by_text("no positive evidence", exact=True)
    do(lab, "overlay.show_heat(np.zeros((192, 288), np.float32), 'inferno', 0.8)")
    expect(words).to_be_visible()
    do(lab, "show(1, 1)")
    expect(words).not_to_be_visible()


def test_a_pinned_heatmap_beside_the_present_one(opened):
    lab = opened
    lab.page.set_viewport_size({"width": 1700, "height": 1000})  # narrower, they are stacked
    alone = figure(lab).bounding_box()
    assert (alone["width"], alone["height"]) == (500, 440)
    photo = lab.page.locator(HEAT).bounding_box()
    do(lab, "overlay.pin(overlay._heatmap, 'both layers')")
    pinned = lab.page.get_by_role("img", name=re.compile("^pinned: both layers"))
    difference = lab.page.get_by_role("img", name=re.compile("^Difference"))
    expect(pinned).to_be_visible()
    expect(difference.get_by_text("no difference")).to_be_visible()
    expect(lab.page.get_by_text("now: 2 on")).to_be_visible()
    do(lab, "show(0, 1)")
    expect(lab.page.get_by_text("now: 1 on")).to_be_visible()
    expect(difference.get_by_text("no difference")).not_to_be_visible()
    expect(difference).to_have_attribute("aria-label", re.compile("from -100 to"))
    # Side by side, the three photos are of one size.
    photos = [lab.page.locator(HEAT), *lab.page.locator(".ccw-panel-stack").all()]
    boxes = [photo.bounding_box() for photo in photos]
    assert len({round(box["width"]) for box in boxes}) == 1
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    for box in boxes[1:]:
        assert box["y"] == pytest.approx(boxes[0]["y"], abs=3)
    lab.screenshot("overlay-compare")
    do(lab, "overlay.unpin()")
    expect(pinned).to_have_count(0)
    expect(lab.page.get_by_text("now: 1 on")).not_to_be_visible()
    assert figure(lab).bounding_box() == alone
    until(lab, lambda lab: lab.page.locator(HEAT).bounding_box() == pytest.approx(photo), True)


def test_a_box_is_drawn_moved_typed_and_removed(opened):
    lab = opened
    box = lab.page.get_by_label(re.compile("^Box of what should matter"))
    width = lab.page.locator(".ccw-overlay").bounding_box()["width"]
    assert 500 <= width < 520  # with the map beside it
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
    do(lab, "overlay.pin(overlay._heatmap, 'a')")  # which makes the photo smaller
    lab.page.get_by_role("img", name=re.compile("^pinned")).wait_for()
    until(lab, lambda lab: abs(box.bounding_box()["x"] - at(lab, 0.1, 0.1)[0]) < 3, True)
    assert box.bounding_box()["width"] < 0.7 * seen["width"]

    lab.page.get_by_role("button", name="Draw a box").click()
    expect(box).not_to_be_visible()
    lab.until("boxes[-1]", None)


def test_a_box_by_keyboard_and_from_python(opened):
    lab = opened
    do(lab, "overlay.show_box((0.2, 0.2, 0.4, 0.4))")
    box = lab.page.get_by_label(re.compile("^Box of what should matter"))
    expect(lab.page.get_by_label("Bottom %")).to_have_value("40")
    box.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.until("[round(x, 3) for x in overlay.box]", [0.22, 0.2, 0.42, 0.4])
    lab.page.keyboard.press("Shift+ArrowDown")
    lab.until("[round(x, 3) for x in overlay.box]", [0.22, 0.2, 0.42, 0.42])
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
