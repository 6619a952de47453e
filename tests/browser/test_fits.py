"""What is looked at together is seen together: on laptops, small windows and a projector."""

import re

import pytest
from lab import Lab, close_more, complaints_of_axe, notebook, open_more
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

HEAT = ".js-plotly-plot .layer-above .imagelayer image"
MADE = """import combicam_widgets as ccw
explorer = ccw.Explorer(image="kangaroo")
explorer"""
TOGETHER = (".ccw-everyday", ".ccw-diagram", ".ccw-status", HEAT, ".ccw-world")
SEEN = """(parts) => {
  const room = document.querySelector(".jp-WindowedPanel-outer").getBoundingClientRect();
  const inside = (r) => r.width > 0 && r.top >= room.top - 1 && r.bottom <= room.bottom + 1
    && r.left >= room.left - 1 && r.right <= room.right + 1;
  return parts.filter((part) => !inside(document.querySelector(part).getBoundingClientRect()));
}"""
SETTLED = """(parts) => {
  const boxes = parts.map((part) => document.querySelector(part)?.getBoundingClientRect());
  const now = JSON.stringify(boxes);
  const same = window.laidOut === now;
  window.laidOut = now;
  return same && boxes.every((box) => box?.width > 0);
}"""


@pytest.fixture(scope="module")
def opened(browser, server):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    lab = Lab(page, *server)
    lab.open(notebook(MADE))
    page.locator(HEAT).wait_for()
    expect(page.locator(".ccw-status").first).to_contain_text("wallaby")
    expect(page.locator(".ccw-trust")).to_contain_text("Worth")
    yield lab
    lab.close()
    assert lab.complaints == []
    assert lab.strangers == []


@pytest.fixture
def lab(opened):
    opened.python("[explorer.start_over(), explorer.unpin()] and None")
    yield opened
    close_more(opened.page)


def resize(lab: Lab, width: int, height: int, *, files: bool) -> None:
    """Give the window a size, and bring the top of the explorer to the top of the notebook."""
    lab.page.set_viewport_size({"width": width, "height": height})
    lab.page.evaluate(
        "(on) => window.jupyterapp.shell[on ? 'expandLeft' : 'collapseLeft']()", files
    )
    room = lab.page.get_by_role("region", name="File Browser Section")
    expect(room).to_be_visible() if files else expect(room).to_be_hidden()
    lab.page.locator(".ccw-explorer").evaluate("(e) => e.scrollIntoView({ block: 'start' })")
    lab.page.wait_for_function(SETTLED, arg=[*TOGETHER])


def boxes(lab: Lab) -> list[dict[str, float]]:
    """Where the parts of the explorer stand, and how large they are."""
    return [lab.page.locator(part).first.bounding_box() for part in (*TOGETHER, ".ccw-trust")]


WINDOWS = [(1280, 800, True), (1366, 768, True), (1024, 768, False), (1920, 1080, True)]


@pytest.mark.parametrize("photo", ["kangaroo", "koala"])
@pytest.mark.parametrize(("width", "height", "files"), WINDOWS)
def test_all_that_belongs_together_is_seen_together(lab, width, height, files, photo):
    lab.python(f"[setattr(explorer, 'image', {photo!r})] and None")
    expect(lab.page.locator(".ccw-status").first).to_contain_text(photo.replace("kangaroo", "wall"))
    resize(lab, width, height, files=files)
    assert lab.page.evaluate(SEEN, [*TOGETHER]) == []
    # Everyday things take one row.
    assert lab.page.locator(".ccw-everyday").bounding_box()["height"] < 40
    lab.screenshot(f"fits-{width}-{photo}")

    # What goes wrong is said above the pictures, and is gone with the next thing that is done.
    lab.page.get_by_role("button", name="last layer").click()
    lab.until("sum(explorer.weights.values())", 1)
    lab.layer("blocks.15").click()
    said = lab.page.get_by_role("alert")
    expect(said).to_contain_text("At least one layer must stay on")
    assert lab.page.evaluate(SEEN, [".ccw-error"]) == []
    below = said.bounding_box()["y"] + said.bounding_box()["height"]
    assert below <= lab.page.locator(".ccw-pictures").bounding_box()["y"]
    lab.python("[setattr(explorer, 'outline', True)] and None")
    expect(said).to_have_count(0)


@pytest.mark.parametrize(("width", "height", "files"), WINDOWS)
def test_more_takes_two_rows_over_the_tiles_and_moves_nothing(lab, width, height, files):
    resize(lab, width, height, files=files)
    before = boxes(lab)
    open_more(lab.page)
    assert boxes(lab) == before
    rows = lab.page.locator(".ccw-further > .ccw-toolbar")
    expect(rows).to_have_count(2)
    for row in rows.all():
        assert row.bounding_box()["height"] < 40
    assert lab.page.evaluate(SEEN, [".ccw-further", ".ccw-status", HEAT, ".ccw-world"]) == []
    further = lab.page.locator(".ccw-further").bounding_box()
    assert further["y"] + further["height"] <= lab.page.locator(".ccw-status").bounding_box()["y"]
    lab.screenshot(f"fits-more-{width}")


def test_a_keyboard_goes_through_more_and_out_of_it(lab):
    resize(lab, 1280, 800, files=True)
    open_more(lab.page)
    more = lab.page.get_by_role("button", name="More", exact=True)
    expect(more).to_be_focused()
    lab.page.keyboard.press("Tab")
    expect(lab.page.get_by_label("Method", exact=True)).to_be_focused()
    lab.page.keyboard.press("Escape")
    expect(more).to_have_attribute("aria-expanded", "false")
    expect(more).to_be_focused()

    # What has the focus is seen: rows that lie over it are closed.
    lab.page.keyboard.press("Enter")
    expect(more).to_have_attribute("aria-expanded", "true")
    lab.page.get_by_role("button", name="Online map").focus()
    lab.page.keyboard.press("Tab")
    expect(more).to_have_attribute("aria-expanded", "false")
    assert lab.page.evaluate("() => document.activeElement.closest('.ccw-diagram') !== null")


STILL = """(parts) => {
  const at = () => parts.map((part) => document.querySelector(part).getBoundingClientRect().y);
  window.moved = [];
  const before = JSON.stringify(at());
  const watch = new ResizeObserver(() => JSON.stringify(at()) !== before && moved.push(at()));
  document.querySelectorAll(".ccw-explorer, .ccw-explorer *").forEach((e) => watch.observe(e));
  const gone = new MutationObserver(() => JSON.stringify(at()) !== before && moved.push(at()));
  gone.observe(document.querySelector(".ccw-explorer"), { subtree: true, attributes: true });
  window.still = () => [watch.disconnect(), gone.disconnect()] && moved;
}"""


def test_slow_work_moves_nothing(lab):
    resize(lab, 1280, 800, files=True)
    lab.page.evaluate(STILL, [*TOGETHER])
    open_more(lab.page)
    lab.page.get_by_label("Method", exact=True).select_option("scorecam")
    cancel = lab.page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    assert lab.page.evaluate(SEEN, [".ccw-work .progress", ".ccw-work button"]) == []
    assert lab.page.evaluate("() => window.still()") == []
    cancel.click()
    expect(cancel).to_be_hidden()


def test_pointing_at_the_photo_moves_nothing(lab):
    resize(lab, 1280, 800, files=True)
    before = boxes(lab)
    photo, caption = lab.page.locator(HEAT).bounding_box(), lab.page.locator(".ccw-caption")
    for across in (0.2, 0.45, 0.5, 0.55):
        lab.page.mouse.move(photo["x"] + across * photo["width"], photo["y"] + photo["height"] / 2)
        share = re.compile(r"^Heat \d+ %: (layer \d+ \(blocks\.\d+\) .*%|no layer)")
        expect(caption).to_have_text(share)
        assert boxes(lab) == before
    whole = "(e) => e.scrollHeight <= e.clientHeight && e.scrollWidth <= e.clientWidth"
    assert caption.evaluate(whole)  # all that is said is seen
    lab.page.mouse.move(3, 3)
    expect(caption).to_contain_text("Point at the photo")


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing(lab, theme):
    change = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
    lab.page.evaluate(change, f"JupyterLab {theme}")
    ground = "(light) => document.body.dataset.jpThemeLight === light"
    lab.page.wait_for_function(ground, arg=str(theme == "Light").lower())
    resize(lab, 1280, 800, files=True)
    try:
        open_more(lab.page)
        lab.python("[setattr(explorer, 'show_votes', True)] and None")
        lab.until("len(explorer.votes)", 16)
        for summary in lab.page.locator(".ccw-explorer summary").all():
            summary.click()
        expect(lab.page.get_by_role("list", name="Legend")).to_be_visible()
        assert complaints_of_axe(lab.page, ".ccw-explorer") == []
        lab.screenshot(f"axe-{theme.lower()}")
        close_more(lab.page)
        lab.layer("blocks.10").dblclick()
        expect(lab.page.get_by_role("dialog")).to_be_visible()
        assert complaints_of_axe(lab.page, ".ccw-explorer") == []
        lab.page.keyboard.press("Escape")
        for summary in lab.page.locator(".ccw-explorer summary").all():
            summary.click()
    finally:
        lab.page.evaluate(change, "JupyterLab Light")


def test_a_row_s_words_end_where_its_button_begins(lab):
    resize(lab, 1280, 800, files=True)
    row = lab.page.locator(".ccw-row-item").nth(2)
    row.hover()
    ends = """(row) => [".ccw-row-text", ".ccw-why-not"].map((part) =>
      row.querySelector(part).getBoundingClientRect())"""
    words, button = row.evaluate(ends)
    assert words["left"] < words["right"] <= button["left"]


def test_comparing_keeps_the_height_and_compares_the_numbers(lab):
    resize(lab, 1280, 800, files=True)
    before = lab.page.locator(".ccw-pictures").bounding_box()
    open_more(lab.page)
    lab.page.get_by_role("button", name="Compare").click()
    lab.page.get_by_role("button", name="More", exact=True).click()
    expect(lab.page.locator(".ccw-panel")).to_have_count(2)
    words = lab.page.locator(".ccw-status").first
    expect(words).to_contain_text("pinned")
    said = words.text_content()
    lab.page.get_by_role("button", name="last layer").click()
    expect(words).not_to_have_text(said)
    numbers = re.compile(r"\(\d+ % with the whole photo, pinned (.+), now (.+) with the evidence")
    pinned, now = numbers.search(words.text_content()).groups()
    assert now == lab.python(
        "__import__('combicam_widgets.shown.words').shown.words.percent("
        "explorer.evidence.probabilities[explorer.maps.target])"
    )
    assert pinned != now
    after = lab.page.locator(".ccw-pictures").bounding_box()
    assert (after["width"], after["height"]) == (before["width"], before["height"])
    lab.screenshot("fits-compare")


def test_nothing_of_a_tile_is_covered(lab):
    resize(lab, 1280, 800, files=True)
    lab.python("[setattr(explorer, 'weights', {**explorer.weights, 'blocks.3': 0.25})] and None")
    tile = lab.layer("blocks.3")
    expect(tile.locator(".ccw-badge")).to_have_text("0.25")
    for name in ("blocks.3", "blocks.15"):
        lab.layer(name).hover()
        card = lab.page.get_by_role("button", name=f"Card of layer {name}")
        expect(card).to_have_css("box-shadow", re.compile("1px"))
        covers = """(card) => {
          const tile = card.closest(".ccw-tile");
          const words = document.createRange();
          words.selectNodeContents(tile.querySelector(".ccw-percent"));
          const [own, map, share] = [card, tile.querySelector(".ccw-toggle"), words]
            .map((part) => part.getBoundingClientRect());
          return [own.top < map.bottom - 3, own.right > share.left, share.right > map.right + 1];
        }"""
        assert card.evaluate(covers) == [False, False, False]
    card.click()
    dialog = lab.page.get_by_role("dialog", name="Layer 16: blocks.15")
    expect(dialog).to_be_visible()
    lab.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_long_title_ends_before_the_arrow_of_the_menu(lab):
    resize(lab, 1280, 800, files=True)
    menu = lab.page.get_by_label("Photo", exact=True)
    box = menu.bounding_box()
    right = {"x": box["x"] + box["width"] - 19, "y": box["y"], "width": 19, "height": 28}
    lab.page.mouse.move(3, 3)
    arrow = lab.page.screenshot(clip=right)
    longest = max(lab.python("explorer.controls.titles"), key=len)
    lab.python(f"[setattr(explorer, 'image', {longest!r})] and None")
    expect(menu).to_have_value(longest)
    lab.until("explorer.busy", value=False)
    assert lab.page.screenshot(clip=right) == arrow


def test_pictures_stay_where_they_are_when_the_sentence_grows(lab):
    resize(lab, 1280, 800, files=True)
    status, world = lab.page.locator(".ccw-status").first, lab.page.locator(".ccw-world")
    expect(status).not_to_contain_text("the evidence points")
    before = world.bounding_box()
    lab.page.get_by_role("button", name="last layer").click()
    expect(status).to_contain_text("the evidence points")
    assert world.bounding_box() == before
    lab.page.get_by_role("button", name="all", exact=True).click()
    expect(status).not_to_contain_text("the evidence points")


def test_an_explorer_that_was_just_run_is_seen_from_its_top(browser, server):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    lab = Lab(page, *server)
    lab.open(notebook("1", MADE, "2", "3", "4"))
    page.locator(HEAT).wait_for()
    run = "() => window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')"
    page.locator(".jp-CodeCell").nth(1).locator(".jp-InputPrompt").click()
    page.evaluate(run)
    lab.wait_for_kernel()
    expect(page.locator(".jp-CodeCell").nth(2)).to_have_class(re.compile("jp-mod-active"))
    expect(page.locator(".ccw-trust")).to_contain_text("Worth")
    page.wait_for_function(SETTLED, arg=[*TOGETHER])
    assert page.evaluate(SEEN, [*TOGETHER]) == []
    # Whoever scrolls is not held back.
    page.mouse.move(800, 400)
    page.mouse.wheel(0, 150)
    page.wait_for_function(
        "() => document.querySelector('.ccw-explorer').getBoundingClientRect().top < -20"
    )
    lab.close()


def test_a_height_is_a_trait(lab):
    resize(lab, 1280, 800, files=True)
    lab.python("[setattr(explorer, 'height', 200)] and None")
    height = "(e) => e.getBoundingClientRect().height"
    lab.page.wait_for_function(
        "() => document.querySelector('.ccw-photo-figures').getBoundingClientRect().height === 200"
    )
    # The map goes on to the end of what stands below the photo.
    assert 200 <= lab.page.locator(".ccw-world").evaluate(height) < 250
    assert lab.page.locator(HEAT).evaluate(height) <= 200


def test_simple_and_presentation(lab):
    lab.page.mouse.move(3, 3)  # a tile under it would be previewed, and a little larger
    lab.python("[setattr(explorer, 'simple', True)] and None")
    for name in ("More", "last layer", "Guess first"):
        expect(lab.page.get_by_role("button", name=name, exact=True)).to_be_hidden()
    for label in ("Model", "Photo"):
        expect(lab.page.get_by_label(label, exact=True)).to_be_visible()
    expect(lab.page.locator(".ccw-trust")).to_be_hidden()
    lab.python("[setattr(explorer, 'simple', False)] and None")

    resize(lab, 1920, 1080, files=False)
    photo = lab.page.locator(HEAT).bounding_box()
    text = "(e) => parseFloat(getComputedStyle(e).fontSize)"
    size = lab.page.locator(".ccw-status").first.evaluate(text)
    lab.python("[setattr(explorer, 'presentation', True)] and None")
    expect(lab.page.get_by_role("button", name="More", exact=True)).to_be_hidden()
    resize(lab, 1920, 1080, files=False)
    assert lab.page.evaluate(SEEN, [*TOGETHER]) == []
    assert lab.page.locator(HEAT).bounding_box()["height"] > 1.15 * photo["height"]
    assert lab.page.locator(".ccw-status").first.evaluate(text) >= 1.5 * size
    lab.screenshot("fits-presentation")
    # A number stands below its tile's map, a sentence of two lines where one of one line was.
    below = """() => [...document.querySelectorAll(".ccw-tile")].every((tile) =>
      tile.querySelector(".ccw-number").getBoundingClientRect().top
      >= tile.querySelector(".ccw-toggle").getBoundingClientRect().bottom - 1)"""
    assert lab.page.evaluate(below)
    before = [lab.page.locator(part).first.bounding_box() for part in TOGETHER]
    lab.python("[setattr(explorer, 'target', explorer.prediction.top(5)[4].index)] and None")
    expect(lab.page.locator(".ccw-status").first).to_contain_text("explained instead")
    expect(lab.page.get_by_role("button", name="Back to the model's own answer")).to_be_visible()
    assert [lab.page.locator(part).first.bounding_box() for part in TOGETHER] == before
    assert lab.page.evaluate(SEEN, [*TOGETHER, ".ccw-below"]) == []
    lab.python("[setattr(explorer, 'presentation', False)] and None")


def test_starting_over_brings_everything_back(lab):
    open_more(lab.page)
    lab.page.get_by_label("Rule", exact=True).select_option("max")
    lab.page.get_by_label("Photo", exact=True).select_option("Panda")
    lab.until("[explorer.rule, explorer.image.name, explorer.busy]", ["max", "Panda", False])
    lab.page.get_by_role("button", name="Start over").click()
    lab.until("[explorer.rule, explorer.image.name, explorer.busy]", ["sum", "Kangaroo", False])
    expect(lab.page.get_by_label("Photo", exact=True)).to_have_value("Kangaroo")
    expect(lab.page.locator(".ccw-status").first).to_contain_text("wallaby")


def test_what_is_chosen_is_explained_where_it_is_chosen(lab):
    open_more(lab.page)
    words = lab.page.locator(".ccw-explained")
    expect(words).to_contain_text("sum of the raw maps: Combi-CAM")
    lab.page.get_by_label("Rule", exact=True).select_option("product")
    expect(words).to_contain_text("hot only where all layers are")


def test_the_menu_of_photos_is_grouped_and_has_pictures(lab):
    menu = lab.page.get_by_label("Photo", exact=True)
    grouped = """(menu) => [...menu.querySelectorAll("optgroup")].map((group) =>
      [group.label, group.children.length, group.children[0].textContent])"""
    animals = ["Animals", 15, "Bison"]
    landmarks = ["Landmarks (it was never taught these)", 49, "Ajanta\u00a0Caves,\u00a0India"]
    assert menu.evaluate(grouped) == [animals, landmarks]
    lab.python(
        "[setattr(explorer, 'image', __import__('PIL.Image').Image.new('RGB', (90, 60)))] and None"
    )
    mine = lab.python("explorer.controls.photo.value")
    expect(menu).to_have_value(mine)
    assert menu.evaluate(grouped)[2][:2] == ["My photos", 1]
    menu.select_option("Panda")
    lab.until("[explorer.image.name, explorer.busy]", ["Panda", False])
    menu.select_option(mine)
    lab.until("[explorer.image.width, explorer.busy]", [90, False])
    menu.focus()
    lab.page.wait_for_function(
        """() => [...document.querySelectorAll(".ccw-photos option")].every((option) =>
          option.style.getPropertyValue("--ccw-picture").startsWith('url("data:image/jpeg'))"""
    )
