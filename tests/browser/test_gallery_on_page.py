"""The gallery in a real browser: 10,000 photos scrolled, sorted, brushed and opened."""

import base64
import json
import re
from pathlib import Path

import pytest
from lab import ROOT, Lab, complaints_of_axe, notebook
from photo_tables import Collection
from playwright.sync_api import Page, expect

import combicam_widgets as ccw
from combicam_widgets.javascript import joined
from combicam_widgets.widgets.gallery.columns import (
    checked,
    columns_of,
    for_page,
    matching,
    ordered,
)

pytestmark = pytest.mark.xdist_group("browser")

ROWS = 10_000
CELL = f"""
import combicam_widgets as ccw, photo_tables, tiny
many = photo_tables.Collection({ROWS})
opened = []
gallery = ccw.Gallery(many, sort_by="-distance", model=tiny.model())
gallery.on_open(opened.append)
gallery
"""


def photos(lab: Lab):
    return lab.page.get_by_role("grid", name="Photos")


def told(lab: Lab):
    return lab.page.locator(".ccw-gallery-status")


def drag(page: Page, plane, start, end):
    """Drag from one place of a plane to another, as fractions of it."""
    box = plane.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()


# The page sorts and filters as Python does.

VIEWS = [
    {"sort_by": "-distance"},
    {"sort_by": "place"},
    {"sort_by": "-place", "filters": {"worth": (0.1, 0.3)}},
    {"sort_by": "worth", "search": "zurich 001"},
    {"sort_by": "-probability", "filters": {"place": "MALAGA", "probability": (0.1, None)}},
    {"sort_by": "share blocks.5", "filters": {"error": False, "cell": (None, 99.5)}},
    {"filters": {"carried by": ("blocks.1", "blocks.15"), "probability": (0.2, 0.2)}},
    {"sort_by": "-error", "filters": {"error": True}},
]


def test_the_page_sorts_and_filters_as_python_does(browser):
    columns = columns_of(Collection(2000).table())
    heads, values = for_page(columns)
    module = joined(Path(ccw.__file__).parent / "widgets" / "gallery" / "table.js")
    page = browser.new_page()
    asked = {
        "module": "data:text/javascript;base64," + base64.b64encode(module.encode()).decode(),
        "heads": heads,
        "values": [base64.b64encode(x).decode() for x in values],
        "views": VIEWS,
    }
    found = page.evaluate(
        """async ({ module, heads, values, views }) => {
          const t = await import(module);
          const bytes = (x) => Uint8Array.from(atob(x), (c) => c.charCodeAt(0));
          const table = t.read(heads, 2000, values.map(bytes));
          return views.map(({ sort_by = "", filters = {}, search = "" }) =>
            [...t.chosen(t.ordered(table, sort_by), t.matching(table, filters, search))]);
        }""",
        asked,
    )
    page.close()
    for view, rows in zip(VIEWS, found, strict=True):
        filters = checked(columns, view.get("filters", {}), "filters")
        order = ordered(columns, view.get("sort_by", ""))
        expected = order[matching(columns, filters, view.get("search", ""))[order]]
        assert rows == expected.tolist(), view
        assert rows or "place" in str(view) or (0.2, 0.2) in filters.values()


PURE = """async ([grid, answers, axes]) => {
  const [g, m, a] = await Promise.all([import(grid), import(answers), import(axes)]);
  const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageDown", "Home", "End", "x"];
  const texts = a.axisOf({ words: ["b10", "b2", ""], values: Int32Array.of(0, 1, 2, -1) });
  return {
    steps: keys.map((key) => g.step(key, 5, 4, 10, 2) ?? null),
    corner: keys.map((key) => g.step(key, 0, 4, 10, 2) ?? null),
    drawn: [g.drawn(0, 492, 1000, 0), g.drawn(1620, 492, 1000, 500), g.drawn(0, 492, 2, 0)],
    ways: [m.shortWay(170, -170), m.shortWay(-170, 170), m.shortWay(10, 30)],
    sparse: [m.sparse([1, 2, 3], 5), m.sparse([...Array(10).keys()], 4)],
    ticks: [a.ticks([-0.3, 1.2], false), a.ticks([100, 20000], true), a.ticks([3, 5], false)],
    log: [[1, 5000, 90], [1, 2, 3], [5, 5], []].map((x) =>
      a.spread({ values: Float64Array.from(x) }).log),
    readable: [[0.1234, 0.9876], [1221.39, 14887.2], [-17.317, 36.91], [3, 3]]
      .map((x) => a.readable(x))
      .concat([[3.337, 14887.2], [0, 0.5]].map((x) => a.readable(x, true))),
    written: texts.ticks(0.05).map(([at, text]) => text),
    places: [...texts.values].map((x) => (Number.isNaN(x) ? null : Math.round(x))),
    meant: [texts.condition([0.9, 1.1]), texts.condition([0.9, 2.1]), texts.condition([1.4, 1.5])],
    ranges: [["b2", "b10"], ["b10", ""], [], "b"].map((x) => texts.range(x)),
  };
}"""


def test_what_the_page_works_out(browser):
    folder = Path(ccw.__file__).parent / "widgets" / "gallery"
    modules = [
        "data:text/javascript;base64,"
        + base64.b64encode(joined(folder / f"{name}.js").encode()).decode()
        for name in ("grid", "answers", "axes")
    ]
    page = browser.new_page()
    found = page.evaluate(PURE, modules)
    page.close()
    assert found["steps"] == [4, 6, 1, 9, 9, 0, 9, None]
    assert found["corner"] == [0, 1, 0, 4, 8, 0, 9, None]
    assert found["drawn"] == [[0, 1, 2, 3, 4], [9, 10, 11, 12, 13, 14, 500], [0, 1]]
    assert found["ways"] == [190, -190, 30]
    assert found["sparse"] == [[[1, 2, 3], 1], [[0, 3, 6, 9], 3]]
    assert found["ticks"][0] == pytest.approx([0, 0.5, 1])
    assert found["ticks"][1] == [100, 1000, 10000]
    assert found["ticks"][2] == pytest.approx([3, 3.5, 4, 4.5, 5])
    assert found["log"] == [True, False, False, False]
    plain, log = found["readable"][:4], found["readable"][4:]
    assert plain == [[0.123, 0.988], [1200, 14900], [-17.4, 37], [3, 3]]
    assert log == [[3.33, 14900], [0, 0.5]]
    # Layers in the order of their numbers.
    assert found["written"] == ["(empty)", "b2", "b10"]
    assert found["places"] == [2, 1, 0, None]
    assert found["meant"] == [["b2"], ["b2", "b10"], []]
    assert found["ranges"] == [pytest.approx([0.6, 2.4]), None, None, None]


# In a notebook.


def test_ten_thousand_photos_are_scrolled_and_opened(lab):
    lab.open(notebook(CELL))
    page, grid = lab.page, photos(lab)
    expect(told(lab)).to_have_text("All 10,000 photos. Sorted by error (km), largest first.")
    tiles = grid.get_by_role("gridcell")
    expect(tiles.first.locator("img")).to_be_visible()
    largest = lab.python("[int(row) for row in gallery.shown[:1]] + [len(gallery.shown)]")
    expect(tiles.first).to_have_accessible_name(re.compile(f"photo_{largest[0]:05d}.* 1 of 10000"))

    # Only what is seen is in the page, and only its pictures are asked for.
    assert page.locator(".ccw-gallery *").count() < 1000
    grid.evaluate("grid => { grid.scrollTop = grid.scrollHeight; }")
    last = grid.get_by_role("gridcell", name=f"{ROWS} of {ROWS}")
    expect(last).to_contain_text("cut off")
    grid.evaluate("grid => { grid.scrollTop = grid.scrollHeight / 2; }")
    middle = grid.locator(".ccw-gallery-tile img:visible")
    expect(middle.first).to_be_visible()
    expect(grid.locator(".ccw-gallery-waiting")).to_have_count(0)
    assert page.locator(".ccw-gallery *").count() < 1000
    assert lab.python("len(set(many.asked))") < 200

    # Keys walk through the photos; Enter opens one.
    grid.get_by_role("gridcell").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    across = int(grid.get_attribute("aria-colcount"))
    lab.until("gallery.selected == int(gallery.shown[" + str(across + 1) + "])", value=True)
    focused = page.locator(".ccw-gallery-tile:focus")
    expect(focused).to_have_attribute("aria-selected", "true")
    expect(focused).to_have_accessible_name(re.compile(f"{across + 2} of 10000"))
    page.keyboard.press("Enter")
    lab.until("opened == [gallery.selected]", value=True)
    expect(page.locator(".ccw-explorer")).to_be_visible()
    expect(page.get_by_text("The photo is open in the explorer below.")).to_be_visible()
    expect(photos(lab).locator(".ccw-gallery-tile:focus")).to_have_count(1)
    page.keyboard.press("End")
    expect(page.locator(".ccw-gallery-tile:focus")).to_have_accessible_name(
        re.compile(f"{ROWS} of {ROWS}")
    )
    page.get_by_role("button", name="Close the explorer").click()
    expect(page.locator(".ccw-explorer")).to_have_count(0)
    assert not lab.complaints
    assert not lab.strangers


def test_what_is_brushed_in_one_view_is_shown_in_all(lab):
    lab.open(notebook(CELL))
    page = lab.page
    expect(photos(lab).locator("img").first).to_be_visible()

    # What is brushed in the scatter is what is shown everywhere, and Python is told.
    scatter = page.get_by_role("group", name="worth against error (km)")
    drag(page, scatter, (0.5, 0.2), (0.9, 0.6))
    expect(told(lab)).to_contain_text("brushed: error (km)")
    lab.until("gallery.brush is None", value=False)
    shown = lab.python("len(gallery.shown)")
    assert 0 < shown < ROWS
    expect(told(lab)).to_contain_text(f"{shown:,} of 10,000 photos")
    low, high = lab.python("gallery.brush['worth']")
    assert lab.python(f"bool(many.table().worth[gallery.shown].between({low}, {high}).all())")
    world = page.get_by_role("group", name="Map,")
    expect(world).to_have_attribute("aria-label", re.compile(f"Map, {shown} answers"))
    lab.screenshot("gallery-brushed")

    # Another brush replaces it; Escape ends it, and Enter begins one without a mouse.
    drag(page, world, (0.3, 0.3), (0.6, 0.6))
    lab.until("sorted(gallery.brush)", ["latitude", "longitude"])
    world.focus()
    page.keyboard.press("Escape")
    lab.until("gallery.brush is None", value=True)
    page.keyboard.press("Enter")
    expect(told(lab)).to_contain_text("brushed: longitude")
    page.get_by_role("button", name="Keep the brush as a filter").click()
    lab.until("[gallery.brush, sorted(gallery.filters)]", [None, ["latitude", "longitude"]])
    page.get_by_role("button", name="Show all").click()
    expect(told(lab)).to_contain_text("All 10,000 photos")

    # Texts stand side by side; what is brushed of them is a list.
    page.get_by_label("Up", exact=True).select_option("carried by")
    scatter = page.get_by_role("group", name="carried by against error (km)")
    drag(page, scatter, (0.3, 0.1), (0.95, 0.25))
    lab.until("gallery.brush and gallery.brush['carried by']", ["blocks.15"])
    expect(told(lab)).to_contain_text("carried by is blocks.15")
    frame = scatter.locator(".ccw-plane-brush").bounding_box()
    area = scatter.bounding_box()
    assert frame["y"] < area["y"] + 0.1 * area["height"]
    assert frame["height"] > 0.2 * area["height"]
    assert not lab.complaints


def test_without_the_kernel_it_sorts_and_filters_and_after_a_reload_it_is_there(lab):
    lab.open(notebook(CELL))
    page = lab.page
    expect(photos(lab).locator("img").first).to_be_visible()
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            theme,
        )
        light = json.dumps(theme.endswith("Light"))
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        page.get_by_label("Add a filter").select_option("place")
        menu = page.get_by_role("group", name="place").get_by_role("combobox")
        chosen = menu.locator("option", has_text="Zürich (")
        count = int(re.search(r"\d+", chosen.inner_text())[0])
        menu.select_option(chosen.get_attribute("value"))
        expect(told(lab)).to_contain_text(f"{count:,} of 10,000 photos: place is Zürich")
        assert complaints_of_axe(page, ".ccw-gallery") == []
        lab.screenshot(f"gallery-{theme[11:].lower()}")
        page.get_by_role("button", name="Take away the filter on place").click()
        expect(told(lab)).to_contain_text("All 10,000 photos")

    # The kernel is busy: the page answers all the same.
    page.evaluate(
        """() => { window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel
        .requestExecute({ code: "while not gallery.search: __import__('time').sleep(0.01)" }); }"""
    )
    page.get_by_label("Sort by").select_option("worth")
    page.get_by_role("searchbox", name="Search").fill("zurich")
    expect(told(lab)).to_contain_text("“zurich” found. Sorted by worth, smallest first")
    smallest = photos(lab).get_by_role("gridcell").first
    expect(smallest).to_contain_text("Zürich")
    page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
        ".interrupt()"
    )
    lab.until("[gallery.search, gallery.sort_by]", ["zurich", "worth"])

    lab.reload()
    expect(told(lab)).to_contain_text("“zurich” found. Sorted by worth, smallest first")
    expect(photos(lab).locator("img").first).to_be_visible()
    saved = json.dumps(lab.saved())
    assert "photo_0" not in saved

    lab.restart()
    page.get_by_role("searchbox", name="Search").fill("")
    expect(told(lab)).to_contain_text("All 10,000 photos. Sorted by worth")
    assert not lab.strangers


# In a file.


def test_a_hand_out_works_from_a_file(browser, tmp_path):
    gallery = ccw.Gallery(Collection(300), sort_by="-worth")
    gallery.to_html(tmp_path / "photos.html", title="The class's <photos>")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.goto((tmp_path / "photos.html").as_uri())
    expect(page.get_by_role("heading")).to_have_text("The class's <photos>")
    status = page.locator(".ccw-gallery-status")
    expect(status).to_have_text("All 100 photos.")
    assert complaints_of_axe(page, "body") == []
    page.get_by_role("searchbox", name="Search").fill("nowhere")
    expect(status).to_contain_text("of 100 photos: “nowhere” found")
    page.get_by_role("gridcell").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("img")).to_be_visible()
    expect(dialog).to_contain_text("<b>Nowhere</b> & Co")
    expect(dialog).not_to_contain_text("true latitude")
    assert complaints_of_axe(page, "body") == []
    page.screenshot(path=ROOT / "artifacts" / "gallery-hand-out.png")
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    assert complaints_of_axe(page, "body") == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert complaints_of_axe(page, "body") == []
    page.close()
    assert not errors
