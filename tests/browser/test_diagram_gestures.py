"""The diagram under real hands: pointer, touch, wheel and keys, and what arrives in Python."""

import json
import re

import pytest
from lab import ROOT, Lab, jupyter, notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

FIRST, OTHER, LAST = "blocks.0", "blocks.3", "blocks.15"
CELL = '''
from ipywidgets import VBox
import combicam_widgets as ccw
from combicam_widgets.widgets.diagram.widget import Diagram, anywidget_missing
from combicam_widgets.shown.history import History

model, photo = ccw.load_model("naturalist"), ccw.sample("koala")
maps = model.explain(photo)
layers = {layer.name: layer for layer in model.architecture.layers}
kinds = {layer.name: layer.kind for layer in layers.values()}
deepest = {name for name in maps.names if maps[name].shape == maps.maps[-1].shape}
diagram, second = Diagram(), Diagram()
changes, history = [], History()

def steps():
    diagram.can_undo, diagram.can_redo = history.can_undo, history.can_redo

def remember(change):
    changes.append([change["name"], change["new"], diagram.gesture])
    if change["name"] == "weights":
        history.push(change["new"], diagram.gesture_of(change["new"]))
        steps()

def step(which):
    diagram.weights = getattr(history, which)()
    steps()

def fill(one):
    one.show_photo(photo)
    one.show_maps(maps, kinds, "inferno", dict.fromkeys(maps.names, 1.0))
    one.shares = dict.fromkeys(maps.names, 1 / len(maps.names))

def reset():
    global history
    diagram.preview = diagram.highlight = diagram.opened = diagram.gesture = ""
    fill(diagram)
    history = History()
    history.push(dict(diagram.weights))
    steps()
    changes.clear()

def many(count):
    """As many tiles as wanted, in five stages; the fourth is the longest, as in most networks."""
    parts = [count // 20 or 1, count // 10 or 1, count // 5 or 1, 0, count // 8 or 1]
    parts[3] = count - sum(parts)
    tiles = [layer for stage in diagram.stages for layer in stage["layers"]]
    names = [f"denseblock.denselayer{i}" for i in range(count)]
    rest = iter(names)
    second.weights = dict.fromkeys(names, 1.0)
    second.stages = [
        {
            "label": f"{size} x {size}",
            "layers": [{**tiles[0], "name": next(rest)} for _ in range(part)],
        }
        for size, part in zip((112, 56, 28, 14, 7), parts)
    ]

def card(name, vote=None):
    diagram.show_card(layers[name], maps, photo, "inferno", vote)

fill(second)
reset()
diagram.observe(remember, ["weights", "preview", "opened"])
diagram.on_history(step)
diagram
'''


@pytest.fixture(scope="module")
def shown(browser, server):
    """One notebook for all tests: two views of a diagram, and another diagram."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    lab = Lab(page, *server)
    lab.open(notebook(CELL, "diagram", "VBox([second, anywidget_missing()])"))
    expect(page.locator(".ccw-diagram")).to_have_count(3)
    yield lab
    lab.close()
    assert lab.complaints == []
    assert lab.strangers == []


@pytest.fixture
def lab(shown, request):
    """The notebook as it was in the beginning."""
    page = shown.page
    page.mouse.move(3, 3)
    page.evaluate("() => document.activeElement.blur()")
    shown.python("reset()")
    expect(page.get_by_role("dialog")).to_have_count(0)
    for name in (FIRST, OTHER, LAST):
        expect(weight(shown, name)).to_have_attribute("aria-valuetext", "1.0")
    yield shown
    shown.screenshot(f"last-{request.node.name}")


def view(lab: Lab, number: int = 0):
    return lab.page.locator(".ccw-diagram").nth(number)


def tile(lab: Lab, name: str, number: int = 0):
    return view(lab, number).get_by_role("button", name=f"Layer {name}", exact=True)


def weight(lab: Lab, name: str, number: int = 0):
    return view(lab, number).get_by_role("slider", name=f"Weight of layer {name}", exact=True)


def centre(lab: Lab, name: str, number: int = 0) -> tuple[float, float]:
    target = tile(lab, name, number)
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def press(lab: Lab, name: str, *sideways: float) -> None:
    """Press the button on a tile and move it; it stays down."""
    x, y = centre(lab, name)
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    for pixels in sideways:
        lab.page.mouse.move(x + pixels, y)


def names_of(lab: Lab, kind: str) -> list:
    return lab.python(f"[new for name, new, _ in changes if name == {kind!r}]")


def test_a_drag_sets_the_weight_and_is_one_gesture(lab: Lab):
    press(lab, OTHER, 3, 10, 24, 40)  # 8 pixels are a step of 0.1
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "1.5")
    expect(view(lab).locator(".ccw-is-changing .ccw-badge")).to_have_text("1.5")
    lab.screenshot("diagram-drag", view(lab))
    lab.page.mouse.up()
    lab.until(f"diagram.weights[{OTHER!r}]", 1.5)
    expect(tile(lab, OTHER)).to_have_attribute("aria-pressed", "true")
    press(lab, OTHER, -20, -400)
    lab.page.mouse.up()
    lab.until(f"diagram.weights[{OTHER!r}]", 0)
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "off")
    press(lab, OTHER, 20, 400)
    lab.page.mouse.up()
    lab.until(f"diagram.weights[{OTHER!r}]", 2)
    assert lab.python("len({gesture for name, _, gesture in changes if name == 'weights'})") == 3
    assert lab.python(f"[v for k, v in diagram.weights.items() if k != {OTHER!r}]") == [1] * 15


def test_an_unsteady_click_is_a_click_and_escape_takes_a_drag_back(lab: Lab):
    press(lab, OTHER, 3)
    lab.page.mouse.up()
    expect(tile(lab, OTHER)).to_have_attribute("aria-pressed", "false")
    lab.until(f"diagram.weights[{OTHER!r}]", 0)
    press(lab, LAST, 30)
    expect(weight(lab, LAST)).to_have_attribute("aria-valuetext", "1.4")
    lab.page.keyboard.press("Escape")
    expect(weight(lab, LAST)).to_have_attribute("aria-valuetext", "1.0")
    lab.page.mouse.up()
    lab.until(f"diagram.weights[{LAST!r}]", 1)
    expect(tile(lab, LAST)).to_have_attribute("aria-pressed", "true")


def test_touch(lab: Lab):
    x, y = centre(lab, OTHER)
    fingers = lab.page.context.new_cdp_session(lab.page)

    def touch(kind, *points):
        points = [{"x": px, "y": py} for px, py in points]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x, y))
    for pixels in (8, 24, 40):
        touch("touchMove", (x + pixels, y))
    touch("touchEnd")
    # Browsers let a finger slip a few pixels before they report that it moves.
    expect(weight(lab, OTHER)).not_to_have_attribute("aria-valuetext", "1.0")
    expect(tile(lab, OTHER)).not_to_have_class(re.compile("is-dragged"))
    kept = float(weight(lab, OTHER).get_attribute("aria-valuetext"))
    assert 1 < kept <= 1.5
    lab.until(f"diagram.weights[{OTHER!r}]", kept)
    lab.python("changes.clear()")
    touch("touchStart", (x, y))
    for pixels in (8, 24, 40):
        touch("touchMove", (x, y + pixels))
    touch("touchEnd")
    # The page may be scrolling: a tap would only stop that.
    place = None
    while place != (place := centre(lab, LAST)):
        lab.page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    touch("touchStart", place)
    touch("touchEnd")
    expect(tile(lab, LAST)).to_have_attribute("aria-pressed", "false")
    lab.until(f"diagram.weights[{LAST!r}]", 0)
    assert lab.python(f"diagram.weights[{OTHER!r}]") == kept
    assert len(names_of(lab, "weights")) == 1


WATCH_WHEEL = """() => {
  window.wheels = [];
  window.onwheel = (event) => window.wheels.push(event.defaultPrevented);
}"""


def test_the_wheel_turns_a_weight_only_when_asked(lab: Lab):
    page = lab.page
    page.evaluate(WATCH_WHEEL)
    page.mouse.move(*centre(lab, OTHER))
    page.mouse.wheel(0, -100)
    page.wait_for_function("() => window.wheels.length === 1")
    assert page.evaluate("() => window.wheels") == [False]
    page.mouse.move(*centre(lab, OTHER))  # the page may have been scrolled
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "1.1")
    tile(lab, OTHER).focus()
    page.mouse.wheel(0, 100)
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "1.0")
    page.mouse.wheel(0, 30)  # a touch pad: less than a step
    page.mouse.wheel(0, 30)
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "0.9")
    assert page.evaluate("() => window.wheels") == [False, True, True, True, True]
    lab.until(f"diagram.weights[{OTHER!r}]", 0.9)
    page.evaluate("() => { window.onwheel = null; }")


def test_keys(lab: Lab):
    keys = lab.page.keyboard
    tile(lab, OTHER).focus()
    for key in ("ArrowUp", "+", "ArrowUp", "ArrowDown"):
        keys.press(key)
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "1.2")
    expect(view(lab).locator("[aria-live]")).to_have_text(f"{OTHER}: weight 1.2")
    lab.until(f"diagram.weights[{OTHER!r}]", 1.2)
    for key, name in {
        "ArrowRight": "blocks.4",
        "ArrowLeft": OTHER,
        "End": LAST,
        "Home": FIRST,
    }.items():
        keys.press(key)
        expect(tile(lab, name)).to_be_focused()
    keys.press("ArrowLeft")
    expect(tile(lab, FIRST)).to_be_focused()
    # Tab reaches one tile and its slider, not all thirty-two.
    reachable = view(lab).locator(".ccw-tiles [tabindex='0']")
    expect(reachable).to_have_count(2)
    keys.press("Tab")
    expect(weight(lab, FIRST)).to_be_focused()
    keys.press("ArrowRight")
    expect(weight(lab, FIRST)).to_have_attribute("aria-valuetext", "1.1")
    keys.press("Shift+Tab")
    keys.press("Shift+Enter")
    expect(view(lab).locator("[aria-pressed='true']")).to_have_count(1)
    keys.press("Enter")
    expect(tile(lab, FIRST)).to_have_attribute("aria-pressed", "false")
    keys.press("Space")
    expect(tile(lab, FIRST)).to_have_attribute("aria-pressed", "true")
    lab.until("[name for name, w in diagram.weights.items() if w]", [FIRST])
    tile(lab, FIRST).click(modifiers=["Shift"])
    lab.until("set(diagram.weights.values()) == {1}", True)
    view(lab).get_by_role("button", name=re.compile(r"^Stage \d+ x \d+$")).last.click()
    lab.until("{n for n, w in diagram.weights.items() if not w} == deepest", True)


def test_staying_on_a_tile_previews_it(lab: Lab):
    page = lab.page
    page.mouse.move(*centre(lab, OTHER))
    lab.until("diagram.preview", OTHER)
    previewed = view(lab).locator(".ccw-is-previewed")
    expect(previewed).to_have_count(1)
    expect(previewed.locator(".ccw-toggle")).to_have_css("border-style", "double")
    # Nothing but the picture lies on it: its map is what is looked at.
    assert previewed.locator(".ccw-toggle > :not(img):visible").count() == 0
    page.mouse.move(*centre(lab, "blocks.4"))
    lab.until("diagram.preview", "blocks.4")
    lab.screenshot("diagram-preview", view(lab))
    page.mouse.move(3, 3)
    lab.until("diagram.preview", "")
    expect(previewed).to_have_count(0)
    page.keyboard.press("Tab")  # from here on, focus is the keyboard's
    tile(lab, FIRST).focus()
    lab.until("diagram.preview", FIRST)
    page.evaluate("() => document.activeElement.blur()")
    lab.until("diagram.preview", "")
    assert names_of(lab, "weights") == []
    page.mouse.move(*centre(lab, OTHER))
    lab.until("diagram.preview", OTHER)
    page.mouse.down()
    page.mouse.up()
    lab.until("diagram.preview", "")  # now the fusion without this layer is to be seen
    lab.until(f"diagram.weights[{OTHER!r}]", 0)


def test_passing_over_a_tile_previews_nothing(lab: Lab):
    passed, stayed = (tile(lab, name).element_handle() for name in (OTHER, LAST))
    lab.page.evaluate(
        """(toggles) => {
          const [passed, stayed] = toggles.map((toggle) => toggle.closest(".ccw-tile"));
          passed.dispatchEvent(new PointerEvent("pointerenter", { pointerType: "mouse" }));
          passed.dispatchEvent(new PointerEvent("pointerleave", { pointerType: "mouse" }));
          stayed.dispatchEvent(new PointerEvent("pointerenter", { pointerType: "mouse" }));
        }""",
        [passed, stayed],
    )
    lab.until("diagram.preview", LAST)
    lab.page.evaluate(
        """(toggle) =>
          toggle.closest(".ccw-tile").dispatchEvent(new PointerEvent("pointerleave"))""",
        stayed,
    )
    lab.until("diagram.preview", "")
    assert names_of(lab, "preview") == [LAST, ""]


def test_a_marker_of_the_map_rings_its_tile(lab: Lab):
    numbers = view(lab).locator(".ccw-number").all_text_contents()
    assert numbers == [str(i) for i in range(1, 17)]
    lab.python(f"diagram.set_trait('highlight', {LAST!r})")
    expect(tile(lab, LAST)).to_have_attribute("aria-current", "true")
    ringed = view(lab).locator(".ccw-is-highlit")
    expect(ringed).to_have_count(1)
    expect(ringed.locator(".ccw-number")).to_have_text("16")
    lab.screenshot("diagram-highlight", view(lab))
    lab.python("diagram.set_trait('highlight', '')")
    expect(ringed).to_have_count(0)


def test_a_double_click_opens_the_card_and_switches_nothing(lab: Lab):
    page = lab.page
    tile(lab, OTHER).dblclick()
    card = view(lab).get_by_role("dialog", name=f"Layer 4: {OTHER}")
    expect(card).to_be_visible()
    expect(card).to_have_attribute("aria-modal", "false")
    expect(card).to_contain_text("asking the model")
    expect(tile(lab, OTHER)).to_have_attribute("aria-pressed", "true")
    lab.until("diagram.opened", OTHER)
    lab.until("set(diagram.weights.values()) == {1}", True)
    assert lab.python("history.can_undo") is False
    tiny = card.locator(".ccw-heat").get_attribute("src")

    lab.python(f"card({OTHER!r})")
    expect(card.get_by_text("parameters")).to_be_visible()
    parameters = lab.python(f"format(layers[{OTHER!r}].parameters, ',')")
    expect(card.get_by_text(parameters, exact=True)).to_be_visible()
    expect(card.get_by_text("6 % of the heatmap")).to_be_visible()
    expect(card).to_contain_text("asking the model")
    assert len(card.locator(".ccw-heat").get_attribute("src")) > len(tiny)
    lab.python(f"card({OTHER!r}, '<b>Sydney</b> (12 %)')")
    expect(card).to_contain_text("<b>Sydney</b> (12 %)")
    lab.screenshot("diagram-card")

    # The rest stays usable, and the card follows.
    weight(lab, OTHER).focus()
    page.keyboard.press("ArrowRight")
    expect(card.locator("dd").filter(has_text="1.1")).to_be_visible()
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    lab.until("diagram.opened", "")


@pytest.mark.parametrize("key", ["i", "ContextMenu", "the i button"])
def test_the_card_opens_without_a_double_click_and_gives_focus_back(lab: Lab, key: str):
    tile(lab, OTHER).focus()
    if key == "the i button":
        view(lab).get_by_role("button", name=f"Card of layer {OTHER}", exact=True).click()
    else:
        lab.page.keyboard.press(key)
    card = view(lab).get_by_role("dialog")
    expect(card.get_by_role("button", name="Close")).to_be_focused()
    lab.page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    expect(tile(lab, OTHER)).to_be_focused()
    lab.until("diagram.opened", "")


def test_undo_and_redo(lab: Lab):
    undo = view(lab).get_by_role("button", name="Undo")
    redo = view(lab).get_by_role("button", name="Redo")
    expect(undo).to_be_disabled()
    expect(redo).to_be_disabled()
    press(lab, OTHER, 10, 20, 30, 40)
    lab.page.mouse.up()
    lab.until(f"diagram.weights[{OTHER!r}]", 1.5)
    tile(lab, LAST).click()
    lab.until(f"diagram.weights[{LAST!r}]", 0)
    undo.click()
    expect(tile(lab, LAST)).to_have_attribute("aria-pressed", "true")
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "1.5")
    undo.click()
    expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", "1.0")
    expect(undo).to_be_disabled()
    tile(lab, FIRST).focus()
    for key, text in {"Control+Shift+Z": "1.5", "Control+Z": "1.0", "Control+Y": "1.5"}.items():
        lab.page.keyboard.press(key)
        expect(weight(lab, OTHER)).to_have_attribute("aria-valuetext", text)
        lab.until("diagram.can_redo", True)
    lab.page.keyboard.press("Control+y")
    expect(tile(lab, LAST)).to_have_attribute("aria-pressed", "false")
    expect(redo).to_be_disabled()
    assert lab.python("[w for w in diagram.weights.values() if w != 1]") == [1.5, 0]


def test_help(lab: Lab):
    button = view(lab).get_by_role("button", name="Help")
    button.click()
    dialog = view(lab).get_by_role("dialog", name="What hands can do here, and what the words mean")
    expect(dialog.get_by_role("button", name="Close")).to_be_focused()
    for word in ("solo", "weight", "preview", "card", "undo", "stage"):
        expect(dialog.get_by_role("table", name="On a layer")).to_contain_text(word)
    box = dialog.bounding_box()
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert box["y"] + box["height"] <= 1000
    lab.screenshot("diagram-help")
    lab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    tile(lab, FIRST).focus()
    lab.page.keyboard.press("?")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(tile(lab, FIRST)).to_be_focused()


def test_two_views_agree_and_another_diagram_is_left_alone(lab: Lab):
    tile(lab, OTHER, 1).click()
    expect(tile(lab, OTHER, 0)).to_have_attribute("aria-pressed", "false")
    expect(tile(lab, OTHER, 2)).to_have_attribute("aria-pressed", "true")
    lab.until(f"diagram.weights[{OTHER!r}]", 0)
    assert lab.python(f"second.weights[{OTHER!r}]") == 1
    tile(lab, OTHER, 1).focus()
    lab.page.keyboard.press("i")
    expect(view(lab, 1).get_by_role("dialog").get_by_label("Close")).to_be_focused()
    dialogs = lab.page.get_by_role("dialog")
    expect(dialogs).to_have_count(1)  # the card lies where the hand is
    lab.page.keyboard.press("Escape")
    expect(dialogs).to_have_count(0)
    expect(tile(lab, OTHER, 1)).to_be_focused()
    lab.until("diagram.opened", "")


def test_a_card_opened_by_python_is_in_every_view(lab: Lab):
    lab.python(f"diagram.set_trait('opened', {OTHER!r})")
    dialogs = lab.page.locator("[role=dialog]")
    expect(dialogs).to_have_count(2)
    ids = dialogs.evaluate_all("(all) => all.map((one) => one.getAttribute('aria-labelledby'))")
    assert len(set(ids)) == 2
    assert lab.page.evaluate("() => document.activeElement.closest('[role=dialog]')") is None
    lab.python("diagram.set_trait('opened', '')")
    expect(dialogs).to_have_count(0)


def test_a_card_stays_where_it_was_opened_while_tiles_are_drawn_anew(lab: Lab):
    tile(lab, OTHER).focus()
    lab.page.keyboard.press("i")
    dialogs = lab.page.locator("[role=dialog]")
    expect(dialogs).to_have_count(1)
    lab.until("diagram.opened", OTHER)
    heat = tile(lab, OTHER).locator(".ccw-heat")
    before = heat.get_attribute("src")
    lab.python("diagram.show_maps(maps, kinds, 'viridis', diagram.weights)")
    expect(heat).not_to_have_attribute("src", before)
    card = view(lab).get_by_role("dialog", name=f"Layer 4: {OTHER}")
    expect(card.get_by_alt_text("Map of layer")).not_to_have_attribute("src", before)
    expect(dialogs).to_have_count(1)
    assert lab.python("diagram.opened") == OTHER
    expect(card.get_by_label("Close")).to_be_focused()
    lab.page.keyboard.press("Escape")
    expect(dialogs).to_have_count(0)
    expect(tile(lab, OTHER)).to_be_focused()
    lab.until("diagram.opened", "")


def test_many_changes_in_a_frame_are_sent_once(lab: Lab):
    weight(lab, OTHER).evaluate(
        """(slider) => {
          for (const value of [1.1, 1.2, 1.3, 1.4, 1.5]) {
            slider.value = value;
            slider.dispatchEvent(new Event("input"));
          }
        }"""
    )
    lab.until(f"diagram.weights[{OTHER!r}]", 1.5)
    assert len(names_of(lab, "weights")) == 1


def wear(lab: Lab, theme: str) -> None:
    lab.page.evaluate(
        """(theme) => window.jupyterapp.commands.execute("apputils:change-theme", { theme })""",
        f"JupyterLab {theme}",
    )


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_any_number_of_layers_fits_a_laptop(lab: Lab, theme: str):
    wear(lab, theme)
    lit = str(theme == "Light").lower()
    expect(lab.page.locator(f"body[data-jp-theme-light='{lit}']")).to_have_count(1)
    diagram = view(lab, 2)
    for count in (8, 16, 32, 60, 201):
        lab.python(f"many({count})")
        expect(diagram.locator(".ccw-tile")).to_have_count(count)
        expect(diagram.locator(".ccw-count")).to_have_text(f"{count} layers, all on")
        size = diagram.evaluate(
            """(root) => {
              const scroll = root.querySelector(".ccw-scroll");
              const { right } = scroll.getBoundingClientRect();
              const toggles = [...root.querySelectorAll(".ccw-toggle")];
              const tiles = toggles.map((toggle) => toggle.getBoundingClientRect());
              return {
                over: scroll.scrollWidth - scroll.clientWidth,
                beyond: tiles.filter((box) => box.right > right).length,
                least: Math.min(...tiles.map((box) => Math.min(box.width, box.height))),
                height: root.offsetHeight,
              };
            }"""
        )
        assert size["over"] == 0
        assert size["beyond"] == 0
        assert size["least"] >= 24  # the least size of a target in WCAG 2.2
        assert size["height"] <= 380
        lab.screenshot(f"diagram-{count}-{theme.lower()}", diagram)
    # A ring on a tile out of sight brings it into sight.
    last = tile(lab, "denseblock.denselayer200", 2)
    lab.python("second.set_trait('highlight', 'denseblock.denselayer200')")
    expect(last).to_have_attribute("aria-current", "true")
    expect(last).to_be_in_viewport()
    lab.python("fill(second)")
    wear(lab, "Light")


def test_no_motion_for_those_who_want_none(lab: Lab):
    lab.page.emulate_media(reduced_motion="reduce")
    view(lab).get_by_role("button", name="Help").click()
    dialog = view(lab).get_by_role("dialog")
    moves = "(e) => [e, ...e.querySelectorAll('*')].some((x) => x.getAnimations().length > 0)"
    assert dialog.evaluate("(e) => getComputedStyle(e).animationName") == "none"
    assert dialog.evaluate(moves) is False
    lab.page.emulate_media(reduced_motion=None)
    lab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


BOXED = """
from ipywidgets import VBox
from combicam_widgets.widgets.diagram.widget import Diagram, anywidget_missing
diagram = Diagram()
"""
MISSING = {
    "@jupyter-widgets/jupyterlab-manager": ("diagram", "pip install ipywidgets anywidget"),
    "anywidget": ("VBox([diagram, anywidget_missing()])", "pip install anywidget"),
}


@pytest.mark.parametrize("extension", MISSING)
def test_a_page_without_widgets_says_what_to_install(browser, tmp_path, extension):
    shown, message = MISSING[extension]
    config = tmp_path / ".jupyter" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"disabledExtensions": {extension: True}}))
    with jupyter(tmp_path, "jupyterlab") as address:
        lab = Lab(browser.new_page(), address, tmp_path)
        lab.open(notebook(BOXED + shown))
        expect(lab.page.get_by_text(message)).to_be_visible()
        lab.close()


def test_a_page_with_widgets_does_not_say_that_they_are_missing(lab: Lab):
    missing = lab.page.locator(".ccw-missing")
    expect(missing).to_have_count(1)
    expect(missing).to_be_hidden()


PURE = """async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const js = await import(url);
  const name = js.gestureNames("v");
  const key = (key, more) => js.historyOfKey({ key, ctrlKey: true, ...more });
  const room = { width: 1000, height: 800 };
  const anchor = (top, left) => ({ top, left, bottom: top + 50 });
  return [
    [[1, 1], [1, -1], [0.3, -5], [1.95, 3], [0.25, 1]].map(([w, by]) => js.stepped(w, by)),
    [js.stepped(5, 1), js.stepped(5, -1), js.stepped(0.7, 0)],
    [js.dragged(1, 3), js.dragged(1, 40), js.dragged(1, -40), js.dragged(0.5, 900)],
    ["ArrowLeft", "ArrowRight", "Home", "End", "x"].map((key) => js.neighbour(0, key, 5)),
    [js.neighbour(4, "ArrowRight", 5), js.neighbour(4, "ArrowLeft", 5)],
    [key("z"), key("Z", { shiftKey: true }), key("y"), key("x"), key("z", { ctrlKey: false })],
    [key("z", { ctrlKey: false, metaKey: true }), key("z", { altKey: true })],
    [0, 0.25, 1, 1.3, NaN, 0.002, 0.0151, 1e-6].map(js.weightText),
    [
      name(0, "keys", "a"), name(900, "keys", "a"), name(1800, "keys", "a"),
      name(2900, "keys", "a"),
      name(2950, "keys", "b"), name(2960, "wheel", "b"), name(2970), name(2971),
    ],
    [
      js.placed(anchor(100, 20), { width: 300, height: 200 }, room),
      js.placed(anchor(700, 900), { width: 300, height: 200 }, room),
      js.placed(anchor(400, -50), { width: 300, height: 700 }, room),
    ],
    [24, 25, 80, 81].map(js.density),
    [js.allOff({ a: 0, b: 0 }), js.allOff({ a: 0, b: 0.1 })],
  ];
}"""


def test_what_the_diagram_computes(browser):
    page = browser.new_page()
    source = (ROOT / "combicam_widgets" / "widgets" / "diagram" / "diagram.js").read_text()
    assert page.evaluate(PURE, source) == [
        [1.1, 0.9, 0, 2, 0.4],
        [5, 4.9, 0.7],
        [1, 1.5, 0.5, 2],
        [0, 1, 0, 4, -1],
        [4, 3],
        ["undo", "redo", "redo", "", ""],
        ["undo", ""],
        ["off", "0.25", "1.0", "1.3", "off", "0.002", "0.015", "< 0.001"],
        ["v-1", "v-1", "v-1", "v-2", "v-3", "v-4", "v-5", "v-6"],
        [{"left": 20, "top": 156}, {"left": 694, "top": 494}, {"left": 6, "top": 94}],
        ["roomy", "close", "close", "dense"],
        [True, False],
    ]
    page.close()
