"""Components in cells of their own: alone, linked, in tabs, and side by side."""

import re

import pytest
from lab import Lab, notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

HEAT = ".js-plotly-plot .layer-above .imagelayer image"
MADE = """import ipywidgets as w
import tiny
import combicam_widgets as ccw

model, photo = tiny.model(), tiny.photo(1)
maps = model.explain(photo)
diagram, heat = ccw.LayerDiagram(maps, photo=photo), ccw.HeatOverlay()
ccw.link(diagram, heat)
world, clicks = ccw.WorldMap(model.predict(photo)), []
world.on_click(lambda *place: clicks.append(place))"""


@pytest.fixture
def opened(lab: Lab) -> Lab:
    yield lab
    assert lab.complaints == []
    assert lab.strangers == []


def repainted(lab: Lab, before: list[str]) -> list[str]:
    """Wait until all heat on the page is another one."""
    for _ in range(2000):
        now = [image.get_attribute("href") for image in lab.page.locator(HEAT).all()]
        if len(now) == len(before) and all(a != b for a, b in zip(now, before, strict=True)):
            return now
        lab.page.evaluate("() => new Promise(requestAnimationFrame)")
    pytest.fail("The heat is the same.")


def test_heat_follows_a_linked_diagram_while_the_kernel_sleeps(opened):
    lab = opened
    lab.open(notebook(MADE, "w.VBox([diagram, heat])", "heat", ""))
    expect(lab.page.locator(HEAT)).to_have_count(2)  # the same overlay, shown twice
    before = repainted(lab, ["", ""])
    lab.wait_for_kernel()
    lab.page.locator(".jp-CodeCell").last.locator(".cm-content").click()
    lab.page.keyboard.type("import time; time.sleep(600)")
    lab.page.keyboard.press("Control+Enter")
    expect(lab.page.locator(".jp-InputArea-prompt").last).to_have_text("[*]:")
    lab.layer("2").click()
    lab.page.mouse.move(3, 3)
    without = repainted(lab, before)
    lab.layer("2").click()
    lab.page.mouse.move(3, 3)
    assert repainted(lab, without) == before


def test_linked_and_composed_widgets_follow_python_and_the_page(opened):
    lab = opened
    lab.open(
        notebook(
            MADE,
            """other = tiny.photo(2)
right = ccw.LayerDiagram(model.explain(other), photo=other)
ccw.compose([diagram, right])""",
            "heat",
        )
    )
    left, right = lab.page.locator(".ccw-diagram").all()
    expect(lab.page.locator(HEAT)).to_have_count(1)
    before = repainted(lab, [""])
    left.get_by_role("button", name="Layer 4", exact=True).click()
    lab.page.mouse.move(3, 3)
    for view in (left, right):
        tile = view.get_by_role("button", name="Layer 4", exact=True)
        expect(tile).to_have_attribute("aria-pressed", "false")
    lab.until("[right.weights['4'], heat.weights['4']]", [0, 0])
    before = repainted(lab, before)
    lab.python("heat.update(rule='max')")
    before = repainted(lab, before)
    left.get_by_role("button", name=re.compile("^Undo")).click()
    lab.until("heat.rule", "sum")
    repainted(lab, before)
    lab.screenshot("composed-diagrams")


def test_maps_and_overlays_in_tabs_and_accordions(opened):
    lab = opened
    lab.open(
        notebook(
            MADE,
            "tab = w.Tab([diagram, heat, world], titles=['Layers', 'Heat', 'World'])\ntab",
            "w.Accordion([world, heat], titles=['Where', 'Why'])",
        )
    )
    tabs = lab.page.locator(".jp-OutputArea-output").first
    tabs.get_by_role("tab", name="Heat").click()
    expect(tabs.locator(HEAT)).to_be_visible()
    expect(tabs.get_by_role("img", name=re.compile("^Heatmap over noise 1"))).to_be_visible()
    tabs.get_by_role("tab", name="World").click()
    place = tabs.locator(".leaflet-container")
    expect(place).to_be_visible()
    expect(tabs.locator(".ccw-flag").first).to_be_visible()
    lab.screenshot("composed-tab")
    box = place.bounding_box()
    assert box["width"] > 300
    assert box["height"] > 300
    lab.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    lab.until("len(clicks)", 1)
    row = tabs.get_by_role("button", name=re.compile("^Explain this cell")).nth(2)
    chosen = int(row.get_attribute("data-index"))
    row.click()
    lab.until("world.target", chosen)
