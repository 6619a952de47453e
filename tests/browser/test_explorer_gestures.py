"""Every gesture on the whole explorer: what the page shows then, and what the traits say."""

import base64
import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from lab import Lab, close_more, notebook, open_more
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

HEAT = ".js-plotly-plot .layer-above .imagelayer image"
FIRST, OTHER, LAST = "blocks.0", "blocks.12", "blocks.15"
EXPLORER = """import combicam_widgets as ccw
explorer = ccw.Explorer(image="koala")
explorer
"""
# Below it, so that nothing has to be scrolled: the notebook scrolls by itself when it is clicked.
HELPERS = """
from math import asinh, radians, tan
from combicam_widgets.cam import share_inside
from combicam_widgets.shown.words import percent

beginning = dict(
    image=explorer.image, method="gradcam", rule="sum", normalize=None, keep=0.3, opacity=0.8,
    colormap="inferno", outline=False, show_opposite=False, show_votes=False, show_rings=False,
    online_tiles=False, guessing=False, box=None, contrast=None, target=explorer.target,
)

def reset():
    explorer.unpin()
    explorer.diagram.selected = ""
    for name, value in beginning.items():
        if getattr(explorer, name) is not value and getattr(explorer, name) != value:
            setattr(explorer, name, value)
    explorer.use("all")

def aspect():
    (south, west), (north, east) = explorer.world.map.bounds
    high = asinh(tan(radians(north))) - asinh(tan(radians(south)))
    return radians(east - west) / high

def whole():
    (south, west), (north, east) = explorer.world.map.bounds
    return south <= -56.9 and north >= 76.9 and 349.9 <= east - west < 430

def on():
    return [name for name, weight in explorer.weights.items() if weight]
"""


@pytest.fixture(scope="module")
def shown(browser, server):
    """One explorer for all tests, on a laptop's screen."""
    page = browser.new_page(viewport={"width": 1280, "height": 1150})
    lab = Lab(page, *server)
    lab.open(notebook(EXPLORER, HELPERS))
    page.locator(HEAT).wait_for()
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    expect(words(lab)).to_contain_text("koala")
    lab.until("explorer.world.map.bounds != ()", value=True)
    yield lab
    lab.close()
    assert lab.complaints == []
    assert lab.strangers == []


@pytest.fixture
def lab(shown, request):
    """The explorer as it was in the beginning."""
    shown.page.mouse.move(3, 3)
    shown.page.evaluate("() => document.activeElement.blur()")
    shown.python("reset()")
    shown.until("[explorer.busy, explorer.preview, len(on())]", [False, "", 16])
    expect(shown.layer(LAST)).to_have_attribute("aria-pressed", "true")
    expect(shown.page.get_by_role("dialog")).to_have_count(0)
    yield shown
    shown.screenshot(f"last-{request.node.name}")


@pytest.fixture
def more(lab):
    """The same, with what is not needed every day."""
    open_more(lab.page)
    yield lab
    close_more(lab.page)


def words(lab: Lab):
    return lab.page.locator(".ccw-status").first


def button(lab: Lab, name: str):
    return lab.page.get_by_role("button", name=name, exact=True)


def heat(lab: Lab) -> str:
    return lab.page.locator(HEAT).get_attribute("href") or ""


def painted(lab: Lab) -> np.ndarray:
    """The picture that lies over the photo, (H, W, 4)."""
    picture = Image.open(io.BytesIO(base64.b64decode(heat(lab).split(",", 1)[1])))
    return np.asarray(picture.convert("RGBA"))


def changed(lab: Lab, before: str) -> str:
    """Wait until another heatmap is painted."""
    expect(lab.page.locator(HEAT)).not_to_have_attribute("href", before)
    return heat(lab)


def on_photo(lab: Lab, x: float, y: float) -> tuple[float, float]:
    box = lab.page.locator(HEAT).bounding_box()
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def mercator(latitude: float) -> float:
    return math.asinh(math.tan(math.radians(latitude)))


def click_map(lab: Lab, latitude: float, longitude: float) -> None:
    container = lab.page.locator(".leaflet-container")
    box = container.bounding_box()
    # The kernel hears of a new size a little later.
    lab.until(f"whole() and abs(aspect() - {box['width'] / box['height']}) < 0.02", value=True)
    (south, west), (north, east) = lab.python("explorer.world.map.bounds")
    across = (longitude - west) / (east - west)
    down = (mercator(north) - mercator(latitude)) / (mercator(north) - mercator(south))
    # Not by the mouse: the notebook may just be scrolling to the control that was used before.
    container.click(position={"x": across * box["width"], "y": down * box["height"]})


def flag(lab: Lab, text: str):
    return lab.page.locator(".ccw-flag").get_by_text(text, exact=True)


@contextmanager
def files_shown(lab: Lab) -> Iterator[None]:
    """While the list of files takes a quarter of the screen."""
    files = lab.page.get_by_role("region", name="File Browser Section")
    switch = "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
    lab.page.evaluate(switch)
    expect(files).to_be_visible()
    yield
    lab.page.evaluate(switch)
    expect(files).not_to_be_visible()


def close_to(lab: Lab, expected: str, value: str = "explorer.heatmap") -> bool:
    return lab.python(f"float(abs({value} - {expected}).max()) < 1e-5")


# The diagram.


def test_resting_on_a_tile_shows_that_layer_alone_and_changes_nothing(lab):
    before = heat(lab)
    lab.layer(FIRST).hover()
    label = lab.page.get_by_text(f"layer 1 ({FIRST}) alone")
    expect(label).to_be_visible()
    changed(lab, before)
    lab.until("explorer.preview", FIRST)
    lab.page.mouse.move(3, 3)
    expect(label).not_to_be_visible()
    expect(lab.page.locator(HEAT)).to_have_attribute("href", before)
    assert lab.python("[explorer.preview, len(on())]") == ["", 16]


def test_a_dragged_weight_moves_heat_shares_and_words(lab):
    before, said = heat(lab), words(lab).text_content()
    box = lab.layer(LAST).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    for step in range(1, 10):
        lab.page.mouse.move(x - 8 * step, y)
    lab.page.mouse.up()
    lab.until(f"explorer.weights[{LAST!r}]", 0.1)
    lab.page.mouse.move(3, 3)
    changed(lab, before)
    expect(words(lab)).not_to_have_text(said)
    share = lab.python(f"explorer.shares[{LAST!r}]")
    assert share < 0.3
    label = f"{100 * share:.0f} % of the heatmap comes from layer {LAST}"
    expect(lab.page.get_by_label(label, exact=True)).to_be_visible()
    assert close_to(lab, "explorer.maps.fuse(explorer.weights, size=explorer.heatmap.shape)")


def test_solo_and_a_stage(lab):
    lab.layer(OTHER).click(modifiers=["Shift"])
    expect(lab.layer(OTHER)).to_be_focused()
    lab.until("on()", [OTHER])
    expect(lab.layer(LAST)).to_have_attribute("aria-pressed", "false")
    assert close_to(lab, f"explorer.maps.fuse({{{OTHER!r}: 1}}, size=explorer.heatmap.shape)")
    lab.layer(OTHER).click(modifiers=["Shift"])
    lab.until("len(on())", 16)
    lab.page.get_by_role("button", name="Stage 6 x 8").click()
    lab.until("on()", [f"blocks.{i}" for i in range(11)])
    expect(lab.layer(LAST)).to_have_attribute("aria-pressed", "false")


def test_undo_and_redo_bring_heat_and_weights_back(lab):
    before = heat(lab)
    lab.layer(LAST).click()
    lab.page.mouse.move(3, 3)
    without = changed(lab, before)
    button(lab, "Undo").click()
    expect(lab.page.locator(HEAT)).to_have_attribute("href", before)
    lab.until("len(on())", 16)
    button(lab, "Redo").click()
    expect(lab.page.locator(HEAT)).to_have_attribute("href", without)
    lab.until(f"explorer.weights[{LAST!r}]", 0)


def test_a_card_says_where_its_layer_points_and_stays_filled(lab):
    lab.layer(OTHER).dblclick()
    card = lab.page.get_by_role("dialog", name=f"Layer 13: {OTHER}")
    vote = lab.python(f"explorer._analysis.vote({OTHER!r}, explorer.keep).best.place")
    expect(card).to_contain_text(vote)
    parameters = lab.python(
        f"next(x for x in explorer.model.architecture.layers if x.name == {OTHER!r}).parameters"
    )
    expect(card.get_by_text(f"{parameters:,}", exact=True)).to_be_visible()
    expect(card).to_contain_text(f"{100 * lab.python(f'explorer.shares[{OTHER!r}]'):.0f} % of")
    assert lab.python("len(on())") == 16
    picture = card.get_by_alt_text("Map of layer")
    before = picture.get_attribute("src")
    lab.python("[setattr(explorer, 'colormap', 'viridis')] and None")
    expect(picture).not_to_have_attribute("src", before)
    expect(card.get_by_text("parameters")).to_be_visible()
    expect(card).to_contain_text(vote)
    before = picture.get_attribute("src")
    lab.python("[setattr(explorer, 'method', 'layercam')] and None")
    expect(picture).not_to_have_attribute("src", before)
    vote = lab.python(f"explorer._analysis.vote({OTHER!r}, explorer.keep).best.place")
    expect(card).to_contain_text(vote)
    expect(card.get_by_text("parameters")).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    lab.until("explorer.diagram.selected", "")


def test_double_clicking_the_only_layer_that_is_on_opens_its_card_and_complains_of_nothing(lab):
    button(lab, "last layer").click()
    lab.until("on()", [LAST])
    expect(lab.layer(FIRST)).to_have_attribute("aria-pressed", "false")
    lab.layer(LAST).dblclick()
    card = lab.page.get_by_role("dialog", name=f"Layer 16: {LAST}")
    expect(card).to_contain_text("%)")  # its vote: later than a refusal would have come
    expect(lab.page.get_by_role("alert")).to_have_count(0)
    expect(lab.layer(LAST)).to_have_attribute("aria-pressed", "true")
    assert lab.python("[on(), explorer.error]") == [[LAST], ""]
    lab.page.keyboard.press("Escape")
    lab.layer(LAST).click()
    expect(lab.page.get_by_role("alert")).to_contain_text("At least one layer must stay on")
    expect(lab.layer(LAST)).to_have_attribute("aria-pressed", "true")


def test_the_help_has_all_gestures_and_words(lab):
    button(lab, "Help").click()
    dialog = lab.page.get_by_role("dialog")
    for part, word in {
        "On a layer": "solo",
        "On the photo": "Draw a box",
        "On the map": "why here rather than there",
    }.items():
        expect(dialog.get_by_role("table", name=part)).to_contain_text(word)
    for word in ("fusion", "evidence", "cell", "target", "vote"):
        expect(dialog.locator("dt").get_by_text(word, exact=True)).to_be_visible()
    lab.screenshot("explorer-help")
    lab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


# The photo.


def test_pointing_at_the_photo_names_the_layers(lab):
    row, column = lab.python("[int(i) for i in divmod(explorer.heatmap.argmax(), 216)]")
    lab.page.locator(HEAT).scroll_into_view_if_needed()
    lab.page.mouse.move(*on_photo(lab, 0.4, 0.4))
    lab.page.mouse.move(*on_photo(lab, column / 216, row / 288))
    says = lab.page.get_by_text(re.compile(r"^Heat (100|9\d|8\d) %: layer \d+ \(bl\S+ \d+ %, "))
    expect(says).to_be_visible()
    layer = re.search(r"layer (\d+)", says.text_content())[1]
    parts = lab.python(
        "explorer._analysis.contributions(explorer.heatmap.shape, explorer.weights, 'sum', None)"
        f"[:, {row}, {column}].tolist()"
    )
    assert int(layer) == 1 + int(np.argmax(parts))


def test_rule_and_normalisation_are_chosen_in_menus(more):
    lab = more
    before = heat(lab)
    for label, choice in (("Normalise", "minmax"), ("Rule", "max")):
        lab.page.get_by_label(label, exact=True).select_option(choice)
        before = changed(lab, before)
    assert lab.python("[explorer.rule, explorer.normalize]") == ["max", "minmax"]
    expected = "explorer.maps.fuse({}, 'max', 'minmax', size=explorer.heatmap.shape)"
    assert close_to(lab, expected.format("explorer.weights"))


def test_keep_and_outline(more):
    lab = more
    said = words(lab).text_content()
    button(lab, "Outline").click()
    lab.until("explorer.outline", value=True)
    expect(lab.page.get_by_role("img", name="the hottest 30 % outlined")).to_be_visible()
    before = heat(lab)
    white = (painted(lab) == 255).all(2)
    assert white.any()
    keep = lab.page.get_by_role("slider", name="Keep")
    keep.focus()
    for _ in range(5):
        lab.page.keyboard.press("ArrowLeft")
    lab.until("explorer.keep < 0.3", value=True)
    lab.until("explorer.keep == explorer.controls.keep.value", value=True)
    changed(lab, before)
    share = 100 * lab.python("explorer.keep")
    expect(lab.page.get_by_role("img", name=f"the hottest {share:.0f} % outlined")).to_be_visible()
    expect(words(lab)).not_to_have_text(said)
    expect(words(lab)).to_contain_text(f"the evidence, its hottest {share:.0f} %")
    button(lab, "Outline").click()
    lab.until("explorer.outline", value=False)
    expect(lab.page.get_by_role("img", name="outlined")).to_have_count(0)


def test_opacity_and_colours(more):
    lab = more
    before = heat(lab)
    assert painted(lab)[..., 3].max() == round(0.8 * 255)
    opacity = lab.page.get_by_role("slider", name="Opacity")
    opacity.focus()
    lab.page.keyboard.press("Home")
    lab.until("explorer.opacity", 0)
    invisible = changed(lab, before)
    assert painted(lab)[..., 3].max() == 0
    lab.page.keyboard.press("End")
    lab.until("explorer.opacity", 1)
    before = changed(lab, invisible)
    assert painted(lab)[..., 3].max() == 255
    lab.page.get_by_label("Colours", exact=True).select_option("cividis")
    changed(lab, before)
    lab.until("explorer.colormap", "cividis")
    opaque = painted(lab)[painted(lab)[..., 3] == 255]
    assert opaque[opaque[:, 0].argmax(), :3].tolist() == pytest.approx(
        [253, 231, 55], abs=2
    )  # the end of cividis
    # Where there is little heat, the photo is seen as it is.
    assert painted(lab)[..., 3].min() == 0


def test_compare_keeps_a_fusion_beside_the_next(lab):
    compare = button(lab, "Compare")
    open_more(lab.page)
    room = lab.page.locator(".ccw-pictures").bounding_box()
    expect(compare).to_have_attribute("aria-pressed", "false")
    compare.click()
    expect(compare).to_have_attribute("aria-pressed", "true")
    pinned = lab.page.get_by_role("img", name=re.compile("^pinned: gradcam, sum, 16 of 16"))
    difference = lab.page.get_by_role("img", name=re.compile("^Difference"))
    expect(pinned).to_be_visible()
    expect(difference.get_by_text("no difference")).to_be_visible()
    lab.until("explorer.pinned", "gradcam, sum, 16 of 16 layers")
    close_more(lab.page)
    lab.layer(LAST).click()
    expect(lab.page.get_by_text("now: gradcam, sum, 15 of 16 layers")).to_be_visible()
    expect(difference.get_by_text("no difference")).not_to_be_visible()
    # The three take the room of the one, and the map stays where it is.
    panels = [lab.page.locator(HEAT), *lab.page.locator(".ccw-panel-stack").all()]

    def stand_in_the_room():
        now, pinned, difference = (panel.bounding_box() for panel in panels)
        sizes = {(round(x["width"]), round(x["height"])) for x in (now, pinned, difference)}
        aligned = pytest.approx((pinned["y"], difference["x"]), abs=2) == (now["y"], now["x"])
        beside = now["x"] + now["width"] < pinned["x"]
        return len(sizes) == 1 and aligned and beside and now["y"] + now["height"] < difference["y"]

    def until_they_do():
        for _ in range(1000):
            if stand_in_the_room():
                return
            lab.page.evaluate("() => new Promise(requestAnimationFrame)")
        pytest.fail("The three do not stand in the room of the one.")

    until_they_do()
    now = lab.page.locator(".ccw-pictures").bounding_box()
    assert (now["width"], now["height"]) == (room["width"], room["height"])
    with files_shown(lab):
        lab.page.wait_for_function(
            "() => document.querySelector('.ccw-pictures').clientWidth < 900"
        )
        until_they_do()
    lab.screenshot("explorer-compare")
    open_more(lab.page)
    compare.click()
    expect(pinned).to_have_count(0)
    lab.until("explorer.pinned", "")
    expect(compare).to_have_attribute("aria-pressed", "false")
    close_more(lab.page)


def test_a_box_says_live_how_much_heat_it_holds(lab):
    toggle = lab.page.get_by_role("button", name="Draw a box")
    toggle.click()
    expect(lab.page.get_by_label("Left %")).to_be_visible()
    lab.page.mouse.move(*on_photo(lab, 0.2, 0.2))
    lab.page.mouse.down()
    lab.page.mouse.move(*on_photo(lab, 0.8, 0.6), steps=4)
    lab.page.mouse.up()
    lab.until("explorer.box is not None", value=True)
    assert lab.python("explorer.box") == pytest.approx([0.2, 0.2, 0.8, 0.6], abs=0.01)
    inside = lab.python("explorer.inside")
    assert inside == pytest.approx(lab.python("share_inside(explorer.heatmap, explorer.box)"))
    says = lab.page.get_by_text(re.compile("of the heat lies inside"))
    share = f"{100 * inside:.0f} % of the heat lies inside the box"
    expect(says).to_contain_text(f"{share}, which is 24 %")
    button(lab, "last layer").click()
    lab.until(f"explorer.inside != {inside}", value=True)
    inside = lab.python("explorer.inside")
    expect(says).to_contain_text(f"{100 * inside:.0f} % of the heat lies inside")
    toggle.click()
    lab.until("[explorer.box, explorer.inside]", [None, None])


# The map.


def test_a_cell_clicked_on_the_map_or_in_the_list_is_explained(lab):
    before = heat(lab)
    paris = lab.python("explorer.model.cells.at(48.9, 2.4)")
    click_map(lab, 48.9, 2.4)
    lab.until("explorer.target", paris)
    changed(lab, before)
    place = lab.python("explorer.prediction.guess(explorer.target).place")
    expect(words(lab)).to_contain_text(f"explained instead: {place}")
    lab.python(
        "globals().__setitem__('fresh', explorer.model.explain(explorer.image, explorer.target))"
    )
    assert close_to(lab, "fresh.fuse(size=explorer.heatmap.shape)")
    second = lab.python("explorer.prediction.top(2)[1].index")
    rows = lab.page.get_by_role("list", name="Most probable cells")
    rows.get_by_role("button", name="Explain this cell").nth(1).click()
    lab.until("explorer.target", second)
    expect(rows.locator("[aria-pressed=true]")).to_contain_text("explained")

    back = button(lab, "Back to the model's own answer")
    back.focus()
    lab.page.keyboard.press("Enter")
    lab.until("explorer.target", None)
    lab.until("explorer.maps.target == explorer.prediction.best.index", value=True)
    expect(back).to_be_hidden()
    expect(button(lab, "Whole world")).to_be_focused()
    expect(words(lab)).not_to_contain_text("explained instead")
    expect(lab.page.locator(HEAT)).to_have_attribute("href", before)


def test_the_sea_is_no_cell(lab):
    click_map(lab, 0, -150)
    expect(lab.page.get_by_role("alert")).to_contain_text("There is no cell here")
    assert lab.python("explorer.target == beginning['target']")


def test_why_here_rather_than_there(more):
    lab = more
    before = heat(lab)
    rows = lab.page.get_by_role("list", name="Most probable cells").get_by_role("listitem")
    place = lab.python("explorer.prediction.top(3)[2].place")
    why_not = rows.nth(2).get_by_role("button", name=re.compile(f"^Why not here: .*{place}"))
    rows.nth(2).hover()
    why_not.click()
    third = lab.python("explorer.prediction.top(3)[2].index")
    lab.until("explorer.contrast", third)
    contrasted = changed(lab, before)
    expect(why_not).to_have_attribute("aria-pressed", "true")
    expect(why_not).to_be_focused()
    expect(flag(lab, "why here")).to_be_visible()
    expect(flag(lab, "rather than there")).to_be_visible()
    expect(words(lab)).to_contain_text(f"why there rather than {place}")
    lab.python(
        "globals().__setitem__('fresh', explorer.model.explain("
        "explorer.image, explorer.maps.target, contrast=explorer.contrast))"
    )
    assert close_to(lab, "fresh.fuse(size=explorer.heatmap.shape)")
    lab.screenshot("explorer-contrast")

    # While the button is down, a click on the map says with what to compare.
    toggle = button(lab, "Why not there")
    expect(toggle).to_have_class(re.compile("mod-active"))
    expect(lab.page.get_by_text("Click the cell to compare with")).to_be_visible()
    click_map(lab, 48.9, 2.4)
    lab.until("explorer.contrast == explorer.model.cells.at(48.9, 2.4)", value=True)
    changed(lab, contrasted)
    toggle.click()
    lab.until("explorer.contrast", None)
    expect(flag(lab, "rather than there")).to_have_count(0)
    expect(lab.page.locator(HEAT)).to_have_attribute("href", before)
    expect(lab.page.get_by_text("Click any place: what speaks for it?")).to_be_visible()
    toggle.click()
    expect(lab.page.get_by_text("Click the cell to compare with")).to_be_visible()
    click_map(lab, 40.4, -3.7)
    lab.until(
        "[explorer.error, explorer.contrast == explorer.model.cells.at(40.4, -3.7)]", ["", True]
    )


def test_the_rest_is_asked_when_wanted(more):
    lab = more
    assert lab.python("explorer.opposite") is None
    button(lab, "The rest").click()
    expect(words(lab)).to_contain_text("with the rest")
    left = lab.python("percent(explorer.opposite.probabilities[explorer.maps.target])")
    expect(words(lab)).to_contain_text(f", {left} with the rest)")
    assert lab.page.locator(".ccw-flag").filter(has_text="the rest").count() == 1
    button(lab, "The rest").click()
    expect(words(lab)).not_to_contain_text("with the rest")
    assert lab.python("[explorer.opposite, explorer.show_opposite]") == [None, False]


# Kept from before the click on: on a fast machine, nobody would look soon enough.
ANNOUNCED = """() => {
  window.announced = new Promise((resolve) => {
    const explorer = document.querySelector(".ccw-explorer");
    new MutationObserver(() => {
      const words = explorer.querySelector(".ccw-status .ccw-asking-words")?.textContent;
      if (words) resolve(words);
    }).observe(explorer, { childList: true, subtree: true });
  });
}"""


def test_votes_and_tiles_are_linked_both_ways(lab):
    lab.page.evaluate(ANNOUNCED)
    open_more(lab.page)
    button(lab, "Votes").click()
    close_more(lab.page)
    assert "asked for their votes" in lab.page.evaluate("() => window.announced")
    chips = lab.page.locator(".ccw-votes-all .ccw-vote")
    expect(chips).to_have_count(16)
    expect(words(lab)).not_to_contain_text("votes")
    lab.until("[explorer.show_votes, len(explorer.votes)]", [True, 16])
    lab.layer(OTHER).hover()
    lit = lab.page.locator(".ccw-vote.ccw-highlighted")
    expect(lit).to_have_text("13")
    expect(lit).to_be_visible()
    lab.screenshot("explorer-votes")
    lab.page.mouse.move(3, 3)
    expect(lit).to_have_count(0)
    chip = lab.page.locator('.ccw-vote[data-layer="15"]')
    lab.page.locator(".ccw-votes", has=chip).hover()
    chip.hover()
    expect(lab.layer(LAST)).to_have_attribute("aria-current", "true")
    lab.page.mouse.move(3, 3)
    expect(lab.layer(LAST)).not_to_have_attribute("aria-current", "true")
    lab.layer(LAST).click()  # a layer that is off: its vote is dimmed
    expect(lab.page.locator(".ccw-votes-all .ccw-vote-off")).to_have_text("16")
    open_more(lab.page)
    button(lab, "Votes").click()
    close_more(lab.page)
    expect(chips).to_have_count(0)
    lab.until("explorer.votes", [])


def test_rings(more):
    lab = more
    button(lab, "Rings").click()
    lab.until("explorer.show_rings", value=True)
    inside = lab.python("explorer.prediction.density(2500)")
    label = lab.page.locator(".ccw-label-ring").filter(has_text="2,500 km")
    expect(label).to_have_text(f"2,500 km: {100 * inside:.0f} %")
    button(lab, "Rings").click()
    expect(label).to_have_count(0)


def test_the_online_map_is_fetched_at_a_click_and_taken_away_at_the_next(more):
    lab = more
    tile, address = io.BytesIO(), "https://tile.openstreetmap.org/"
    Image.new("RGB", (256, 256), "#88aacc").save(tile, "png")
    lab.page.route(
        f"{address}**", lambda route: route.fulfill(body=tile.getvalue(), content_type="image/png")
    )
    credit = lab.page.get_by_role("link", name="OpenStreetMap")
    button(lab, "Online map").click()
    expect(lab.page.locator(".leaflet-tile").first).to_be_attached()
    expect(credit).to_be_visible()
    assert lab.python("explorer.online_tiles")
    button(lab, "Online map").click()
    expect(lab.page.locator(".leaflet-tile")).to_have_count(0)
    expect(credit).to_have_count(0)
    assert lab.strangers
    assert all(url.startswith(address) for url in lab.strangers)
    lab.strangers.clear()


# Words.


def test_every_control_has_a_name_and_says_what_it_is(more):
    lab = more
    nameless = lab.page.evaluate(
        """() => [...document.querySelectorAll(
          ".ccw-explorer :is(button, input, select, [role=slider])")]
          .filter((control) => control.offsetParent && !(
            control.getAttribute("aria-label") || control.labels?.[0]?.textContent.trim()
            || control.textContent.trim()))
          .map((control) => control.outerHTML)"""
    )
    assert nameless == []
    # Tooltips teach: each control of the toolbar has one.
    silent = lab.page.evaluate(
        """() => [...document.querySelectorAll(
          ".ccw-toolbar > :is(button, .widget-dropdown, .widget-slider)")]
          .filter((control) => control.offsetParent && !control.title
            && !control.querySelector("[title]:not([title=''])"))
          .map((control) => control.textContent)"""
    )
    assert silent == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_words_are_legible_in_both_themes(more, theme):
    lab = more
    lab.page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
        f"JupyterLab {theme}",
    )
    lit = str(theme == "Light").lower()
    expect(lab.page.locator(f"body[data-jp-theme-light='{lit}']")).to_have_count(1)
    for name in (".ccw-status", ".ccw-caption", ".ccw-count", ".ccw-stage-label", ".ccw-row-text"):
        ratio = lab.page.locator(name).first.evaluate(CONTRAST)
        assert ratio >= 4.5, name  # WCAG 2.2, level AA
    lab.screenshot(f"explorer-1280-{theme.lower()}")
    lab.page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme',"
        " { theme: 'JupyterLab Light' })"
    )
    expect(lab.page.locator("body[data-jp-theme-light='true']")).to_have_count(1)


CONTRAST = """(element) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (rgb) => rgb.slice(0, 3).map((x) => x / 255)
    .map((x) => (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
    .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
  let behind = element;
  const clear = (one) => rgba(getComputedStyle(one).backgroundColor)[3] < 128;
  while (behind && clear(behind)) behind = behind.parentElement;
  const ground = behind ? getComputedStyle(behind).backgroundColor : "white";
  const [a, b] = [getComputedStyle(element).color, ground].map(rgba).map(luminance);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
