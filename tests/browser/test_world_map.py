"""The world map alone: clicks, keyboard, hover, votes, rings, in JupyterLab and a real browser."""

import re
from itertools import combinations

import pytest
from lab import ROOT, Lab, notebook
from playwright.sync_api import Route, expect

pytestmark = pytest.mark.xdist_group("browser")

SETUP = f"exec(open({str(ROOT / 'tests/widgets/worlds.py')!r}).read())"
SETUP += """
import numpy as np
import combicam_widgets as ccw
from combicam_widgets.geo import GeoPrediction

heard = []
world = StepByStep(
    lambda latitude, longitude: heard.append(["click", latitude, longitude]),
    lambda index: heard.append(["choose", index]),
    lambda layer: heard.append(["vote", layer]),
)
world.map.layout.width = "900px"
"""
# A grid of 12 x 5 cells; the names try to be HTML.
SYNTHETIC = """
latitudes, longitudes = map(np.ravel, np.mgrid[-60:61:30, -165:180:30].astype(float))
names = [f"<img src=x onerror=alert(1)> {i}" for i in range(60)]
cells = ccw.CellGrid.from_centers(latitudes, longitudes, names)

def says(best, share=0.5):
    p = np.full(60, (1 - share) / 59)
    p[best] = share
    return GeoPrediction(p, cells)

world.show_prediction(says(30), 30)
world.map
"""
REAL = """
model = ccw.load_model("naturalist")
photo = ccw.sample("koala")
prediction = model.predict(photo)
maps = model.explain(photo)
votes = model.layer_votes(photo, maps)
evidence = model.evidence(photo, maps.fuse())
world.show_prediction(prediction, prediction.best.index)
world.map
"""


def run(lab: Lab, statements: str) -> None:
    lab.python(f"[exec({statements!r}, globals())] and None")


def opened(lab: Lab, scene: str) -> Lab:
    lab.open(notebook(SETUP, scene))
    expect(flags(lab)).to_have_count(1)
    return lab


def flags(lab: Lab):
    return lab.page.locator(".ccw-flag")


def world_map(lab: Lab):
    return lab.page.get_by_role("region", name="World map")


def rows(lab: Lab):
    return lab.page.get_by_role("list", name="Most probable cells").get_by_role("button")


def markers(lab: Lab):
    return lab.page.get_by_role("group", name="Layer votes").get_by_role("img")


def lies_within(box, outer):
    return (
        box["x"] >= outer["x"]
        and box["y"] >= outer["y"]
        and box["x"] + box["width"] <= outer["x"] + outer["width"]
        and box["y"] + box["height"] <= outer["y"] + outer["height"]
    )


def overlap(a, b):
    return (
        a["x"] < b["x"] + b["width"]
        and b["x"] < a["x"] + a["width"]
        and a["y"] < b["y"] + b["height"]
        and b["y"] < a["y"] + a["height"]
    )


def settled(lab: Lab) -> None:
    """Wait until two frames after the last word from the kernel have been painted."""
    lab.python("None")
    lab.page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def test_clicks_and_keys_say_which_cell(lab):
    lab = opened(lab, SYNTHETIC)
    run(lab, "world.set_click_mode('Click a cell to explain it')")
    expect(lab.page.get_by_role("status").filter(has_text="Click a cell")).to_be_visible()
    lab.until("world.map.default_style.cursor", "crosshair")
    # A click on the spot where a flag is planted is a click on that flag's place.
    run(lab, "world.show_guess((-30, 75))")
    expect(flags(lab)).to_have_count(2)
    spot = lab.page.locator("circle.ccw-flag-guess").bounding_box()
    at = spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2
    lab.page.wait_for_function(
        "([x, y]) => getComputedStyle(document.elementFromPoint(x, y)).cursor === 'crosshair'",
        arg=at,
    )
    lab.page.mouse.click(*at)
    lab.until("[what for what, *_ in heard]", ["click"])
    assert lab.python("heard[0][1:]") == pytest.approx([-30, 75], abs=1.5)
    # By keyboard, from the list.
    expect(rows(lab)).to_have_count(5)
    explained = rows(lab).first
    expect(explained).to_have_attribute("aria-pressed", "true")
    expect(explained).to_contain_text("explained")
    name = re.compile(r"^Explain this cell: (less than )?\d+ % <img")
    expect(rows(lab).nth(1)).to_have_accessible_name(name)
    rows(lab).nth(1).focus()
    lab.page.keyboard.press("Enter")
    lab.until("heard[1:]", [["choose", int(rows(lab).nth(1).get_attribute("data-index"))]])
    run(lab, "world.show_prediction(says(30), heard[-1][1])")
    expect(rows(lab).nth(1)).to_have_attribute("aria-pressed", "true")
    expect(rows(lab).nth(1)).to_be_focused()
    assert lab.page.locator("img[src=x]").count() == 0
    assert lab.complaints == []
    assert lab.strangers == []


def test_the_whole_world_is_in_view_until_somebody_moves_it(lab):
    lab = opened(lab, SYNTHETIC)
    run(
        lab,
        """def whole():
    (south, west), (north, east) = world.map.bounds
    return south <= -56.9 and north >= 76.9 and west <= -166.9 and east >= 182.9
""",
    )
    # As large as it fits: 900 px are wider than it is high, the others narrower.
    for width, (low, high) in {900: (400, 430), 420: (350, 380), 700: (350, 380)}.items():
        run(lab, f"world.map.layout.width = '{width}px'")
        span = "world.map.bounds[1][1] - world.map.bounds[0][1]"
        lab.until(f"whole() and {low} < {span} < {high}", value=True)
    lab.page.get_by_role("button", name="Zoom to the answer").click()
    lab.until("world.map.zoom", 4.5)
    run(lab, "world.map.layout.width = '900px'")
    lab.until("world.map.bounds[1][1] - world.map.bounds[0][1] > 50", value=True)
    assert lab.python("world.map.zoom") == 4.5
    lab.page.get_by_role("button", name="Whole world").click()
    lab.until("whole()", value=True)


def test_on_a_narrow_map_list_and_legend_take_less_than_a_quarter(lab):
    lab = opened(lab, SYNTHETIC)
    run(lab, "world.map.layout.width = '340px'")
    panel, last = lab.page.locator(".ccw-cells"), rows(lab).nth(4)
    expect(last).to_be_in_viewport(ratio=1)
    room = world_map(lab).bounding_box()["height"] / 4
    assert panel.bounding_box()["height"] < room
    lab.page.get_by_text("Legend", exact=True).click()
    expect(lab.page.get_by_role("list", name="Legend")).to_be_visible()
    expect(last).to_be_hidden()
    assert panel.bounding_box()["height"] < room
    run(lab, "world.map.layout.width = '900px'")
    expect(last).to_be_visible()


def test_nothing_can_be_found_while_answers_are_hidden(lab):
    lab = opened(lab, SYNTHETIC)
    run(
        lab,
        "world.show_evidence(says(30), says(3), says(50)); world.show_truth((10, 10))\n"
        "world.show_votes([says(20)] * 6); world.show_rings(says(30)); world.show_contrast(44)\n"
        "world.show_guess((-30, 75))",
    )
    expect(flags(lab)).to_have_count(7)
    expect(markers(lab)).to_have_count(1)
    expect(markers(lab)).to_contain_text("1\u20136")
    expect(lab.page.get_by_role("button", name="Zoom to the answer")).to_be_visible()
    run(lab, "world.hide_answers()")
    expect(flags(lab)).to_have_count(1)
    expect(flags(lab)).to_have_text("your guess")
    for gone in (".ccw-votes", ".ccw-line", ".ccw-label", ".ccw-row", ".leaflet-marks-pane path"):
        drawn = lab.page.locator(f"{gone}:not([d='M0 0'])")
        expect(drawn).to_have_count(0)
    expect(lab.page.get_by_role("button", name="Zoom to the answer")).to_be_hidden()
    assert "onerror" not in lab.page.locator(".ccw-world").inner_html()
    run(lab, "world.show_answers()")
    expect(flags(lab)).to_have_count(7)
    assert lab.complaints == []


def test_flags_keep_inside_the_map_and_apart(lab):
    lab = opened(lab, SYNTHETIC)
    # Corners, edges, and several at one place.
    for scene in (
        "world.show_prediction(says(11), 11); world.show_evidence(says(11), says(0), says(59))",
        "world.show_truth((60, 172)); world.show_guess((60, 172))",
        "world.show_contrast(48); world.show_truth((-60, 165)); world.show_guess((-60, -165))",
        """world.show_prediction(says(30), 30); world.show_contrast(31)
world.show_truth((0, 15)); world.show_guess((0, 15))""",
    ):
        run(lab, scene)
        settled(lab)
        outer = world_map(lab).bounding_box()
        boxes = [flag.bounding_box() for flag in flags(lab).all()]
        assert len(boxes) >= 3
        assert all(lies_within(box, outer) for box in boxes)
        assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    lab.screenshot("world-flags", world_map(lab))
    run(lab, "world.show_evidence(says(30), says(30))")
    expect(flags(lab).get_by_text("whole photo and evidence")).to_be_visible()


def test_votes_rings_and_the_legend_of_a_real_photo(lab):
    lab = opened(lab, REAL)
    layers = lab.python("len(votes)")
    run(lab, "world.show_votes(votes, weights=[0] + [1] * (len(votes) - 1))")
    expect(markers(lab).first).to_be_visible()
    chips = lab.page.locator(".ccw-votes-all .ccw-vote")
    expect(chips).to_have_count(layers)
    numbers = sorted(int(text) for text in chips.all_text_contents())
    assert numbers == list(range(1, layers + 1))
    expect(lab.page.locator(".ccw-votes-all .ccw-vote-off")).to_have_text("1")
    # Hover tells Python, and Python highlights.
    last = lab.page.locator(f'.ccw-vote[data-layer="{layers - 1}"]')
    lab.page.locator(".ccw-votes", has=last).hover()
    last.hover()
    lab.until("heard[-1]", ["vote", layers - 1])
    lab.page.mouse.move(5, 5)
    lab.until("heard[-1]", ["vote", None])
    run(lab, "world.highlight_vote(2)")
    expect(lab.page.locator(".ccw-highlighted")).to_have_text("3")
    expect(lab.page.locator(".ccw-highlighted")).to_be_visible()
    lab.screenshot("world-votes", world_map(lab))
    run(lab, "world.highlight_vote(None)")
    expect(lab.page.locator(".ccw-highlighted")).to_have_count(0)
    # The same by keyboard.
    markers(lab).first.focus()
    lab.until("heard[-1][0] == 'vote' and heard[-1][1] is not None", value=True)

    run(lab, "world.show_votes(None); world.show_rings(prediction)")
    expect(markers(lab)).to_have_count(0)
    lab.page.get_by_role("button", name="Zoom to the answer").click()
    labels = lab.page.locator(".ccw-label-ring")
    expect(labels.filter(has_text="750 km:")).to_be_visible()
    lab.page.get_by_role("button", name="Whole world").click()
    expect(labels.filter(has_text="2,500 km:")).to_be_visible()
    # Too small to see from afar: in the legend only.
    expect(labels.filter(has_text="25 km:")).to_have_count(0)
    legend = lab.page.get_by_role("list", name="Legend")
    expect(legend).to_be_hidden()
    lab.page.get_by_text("Legend", exact=True).click()
    expect(legend.get_by_text("within 25 km of the best cell")).to_be_visible()
    assert legend.get_by_text("switched off").count() == 0
    run(lab, "world.show_evidence(prediction, evidence, votes[0]); world.show_truth((48.9, 2.3))")
    expect(legend.get_by_text("from the answer to the true place")).to_be_visible()
    lab.screenshot("world-legend", world_map(lab))
    lab.page.get_by_text("Legend", exact=True).click()
    run(lab, "world.show_votes(votes)")
    lab.page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme',"
        " {theme: 'JupyterLab Dark'})"
    )
    land = lab.page.locator(".leaflet-overlay-pane path").first
    expect(land).to_have_css("fill", "rgb(53, 63, 69)")
    settled(lab)
    lab.screenshot("world-dark", world_map(lab))
    lab.page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme',"
        " {theme: 'JupyterLab Light'})"
    )
    expect(land).not_to_have_css("fill", "rgb(53, 63, 69)")
    assert lab.complaints == []
    assert lab.strangers == []


def test_without_internet_it_is_said_and_the_coast_stays(lab):
    said = "No internet: the online map cannot be fetched"
    pixel = (ROOT / "combicam_widgets" / "samples" / "koala.webp").read_bytes()
    lab.page.route("https://tile.openstreetmap.org/**", lambda route: route.abort())
    lab = opened(lab, SYNTHETIC)
    land = lab.page.locator(".ccw-land").first
    settled(lab)
    run(lab, "world.online_tiles = True")
    expect(lab.page.get_by_text(said)).to_be_visible()
    expect(land).to_have_css("visibility", "visible")
    lab.screenshot("world-offline", world_map(lab))
    run(lab, "world.online_tiles = False")
    expect(lab.page.get_by_text(said)).to_have_count(0)
    # With internet, the coast gives way to the tiles.
    lab.page.unroute("https://tile.openstreetmap.org/**")
    lab.page.route(
        "https://tile.openstreetmap.org/**",
        lambda route: route.fulfill(body=pixel, content_type="image/webp"),
    )
    run(lab, "world.online_tiles = True")
    expect(land).to_have_css("visibility", "hidden")
    expect(lab.page.get_by_text(said)).to_have_count(0)
    run(lab, "world.online_tiles = False")
    expect(land).to_have_css("visibility", "visible")


def test_countries_are_seen_from_near(lab):
    lab = opened(lab, SYNTHETIC)
    settled(lab)
    country = lab.page.locator(".ccw-country")
    expect(country).to_have_count(0)
    run(lab, "world.map.center, world.map.zoom = (47.0, 8.0), 4.5")
    expect(country.first).to_be_attached()
    names = lab.page.locator(".ccw-country-name")
    for name in ("Germany", "France", "Italy"):
        expect(names.filter(has_text=re.compile(f"^{name}$"))).to_have_count(1)
    expect(lab.page.locator(".ccw-land").first).to_have_css("visibility", "hidden")
    lab.screenshot("world-near", world_map(lab))
    run(lab, "world.map.zoom = 1")
    expect(country).to_have_count(0)
    expect(lab.page.locator(".ccw-land").first).to_have_css("visibility", "visible")


def test_tiles_are_fetched_when_asked_and_not_before(lab):
    pixel = (ROOT / "combicam_widgets" / "samples" / "koala.webp").read_bytes()

    def answer(route: Route) -> None:
        route.fulfill(body=pixel, content_type="image/webp")

    lab.page.route("https://tile.openstreetmap.org/**", answer)
    lab = opened(lab, SYNTHETIC)
    settled(lab)
    assert lab.strangers == []
    run(lab, "world.online_tiles = True")
    expect(lab.page.locator(".leaflet-tile").first).to_be_attached()
    expect(lab.page.get_by_role("link", name="OpenStreetMap")).to_be_visible()
    assert lab.strangers
    assert all(url.startswith("https://tile.openstreetmap.org/") for url in lab.strangers)
    run(lab, "world.online_tiles = False")
    expect(lab.page.locator(".leaflet-tile")).to_have_count(0)
    expect(lab.page.get_by_role("link", name="OpenStreetMap")).to_have_count(0)


PURE = """async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { clusters, extent, named, planted, runs } = await import(url);
  const votes = (numbers, off = []) => numbers.map((n) => (
    { layer: n - 1, number: String(n), on: !off.includes(n) }));
  const at = (x, y) => ({ x, y });
  const flag = (x, y) => ({ x, y, w: 60, h: 20, side: "up" });
  const view = { x: 0, y: 0, w: 400, h: 300 };
  return {
    named: [
      named(votes([3, 5, 6, 7, 8, 9])), named(votes([1, 2])), named(votes([1, 2, 3], [2])),
      named(votes([4])),
    ],
    clusters: [
      clusters(votes([1, 2, 3, 4]), [at(0, 0), at(100, 0), at(5, 5), at(100, 25)]),
      // Two markers grow until they touch a third.
      clusters(votes([1, 3, 5]), [at(0, 0), at(0, 0), at(27, 0)]),
      clusters(votes([1, 3, 5]), [at(0, 0), at(0, 0), at(35, 0)]),
      // The place of most is the place of all.
      clusters(votes([1, 2, 3]), [at(9, 0), at(0, 0), at(0, 0)])[0].length,
    ],
    runs: runs(votes([1, 2, 3, 7])).map((run) => run.length),
    extent: [extent([[{x: 0, y: 0}, {x: 3, y: 4}], [{x: 9, y: 9}]]), extent([])],
    alone: planted([flag(200, 150)], view, [])[0],
    top: planted([flag(200, 4)], view, [])[0],
    corner: planted([flag(399, 299)], view, [])[0],
    crowd: planted(Array.from({ length: 7 }, () => flag(200, 150)), view, []),
    beside: planted([flag(200, 150)], view, [{ x: 150, y: 100, w: 100, h: 42 }])[0],
  };
}"""


def test_pure_functions_of_the_marks(browser):
    page = browser.new_page()
    source = (ROOT / "combicam_widgets" / "widgets" / "world" / "marks_layout.js").read_text()
    found = page.evaluate(PURE, source)
    page.close()
    assert found["named"] == ["3, 5\u20139", "1, 2", "1, 2, 3", "4"]
    assert found["clusters"] == [[[0, 2], [1], [3]], [[0, 1, 2]], [[0, 1], [2]], 3]
    assert found["runs"] == [3, 1]
    assert found["extent"] == [5, 0]
    assert found["alone"] == {"x": 170, "y": 119, "w": 60, "h": 20}  # above, 11 px away
    assert found["top"]["y"] > 4  # flipped below
    assert found["corner"]["x"] + 60 <= 400
    assert found["corner"]["y"] + 20 <= 296
    boxes = [{**box, "width": box["w"], "height": box["h"]} for box in found["crowd"]]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    assert found["beside"]["y"] > 150
