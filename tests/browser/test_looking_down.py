"""The atlas: clicking around the world, and guessing first."""

import pytest
from lab import Lab, notebook
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

HEAT = ".js-plotly-plot .layer-above .imagelayer image"
PLACES = {"Brazil": (0.36, 0.62), "Libya": (0.53, 0.47), "Siberia": (0.73, 0.29)}
"""Where to click, in fractions of the map as it is first shown."""


@pytest.fixture
def opened(lab: Lab) -> Lab:
    code = "import combicam_widgets as ccw", 'explorer = ccw.Explorer(model="atlas"); explorer'
    lab.open(notebook(*code))
    lab.page.locator(HEAT).wait_for()
    expect(lab.page.locator(".ccw-status").first).to_contain_text("within 750 km")
    lab.until("explorer.world.map.bounds != ()", value=True)
    yield lab
    assert lab.complaints == []
    assert lab.strangers == []


def click(lab: Lab, across: float, down: float) -> None:
    box = lab.page.locator(".leaflet-container").bounding_box()
    lab.page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def test_a_click_on_the_map_looks_there(opened):
    lab = opened
    seen = {lab.page.locator(HEAT).get_attribute("href")}
    for name, where in PLACES.items():
        before = lab.python("explorer.image.position")
        click(lab, *where)
        lab.until(f"explorer.image.position != {tuple(before)}", value=True)
        lab.until("explorer.busy", value=False)
        expect(lab.page.locator(HEAT)).not_to_have_attribute("href", seen.pop())
        seen = {lab.page.locator(HEAT).get_attribute("href")}
        assert lab.python("explorer.error") == ""
        far = lab.python("explorer.prediction.distance_to(*explorer.image.position)")
        assert far < 750, name
    lab.screenshot("atlas")


def test_models_are_switched_in_the_menu(opened):
    lab = opened
    words = lab.page.locator(".ccw-status").first
    lab.page.get_by_label("Model", exact=True).select_option("naturalist")
    expect(words).to_contain_text("koala")
    expect(lab.layer("blocks.15")).to_be_visible()
    lab.page.get_by_label("Model", exact=True).select_option("atlas")
    expect(lab.layer("stage4.1")).to_be_visible()
    lab.page.get_by_label("Place", exact=True).select_option("Madagascar")
    expect(words).to_contain_text("Madagascar")


def test_guess_first(opened):
    lab = opened
    words = lab.page.locator(".ccw-status").first
    lab.page.get_by_role("button", name="Zoom to the answer").click()
    lab.until("explorer.world.map.zoom > 4", value=True)
    lab.page.get_by_role("button", name="Guess first").click()
    expect(words).to_contain_text("Where is this? Click the place on the map.")
    lab.until("explorer.world.map.zoom < 2", value=True)
    expect(lab.page.locator(".ccw-cells")).not_to_be_visible()
    # Tiles without maps, and buttons that choose among them, would only be in the way.
    expect(lab.page.locator(".ccw-diagram")).to_be_hidden()
    expect(lab.page.get_by_role("button", name="last layer")).to_be_hidden()
    place = lab.python("explorer.prediction.best.place")
    assert place not in lab.page.locator(".ccw-explorer").inner_text()
    click(lab, 0.5, 0.5)
    expect(words).to_contain_text("points")
    expect(words).to_contain_text(place)
    expect(lab.page.get_by_text("1 round: you")).to_be_visible()
    expect(lab.page.locator(".ccw-diagram")).to_be_visible()
    lab.screenshot("guessed")
    lab.page.get_by_role("button", name="Next round").click()
    expect(words).to_contain_text("Where is this? Click the place on the map.")
    lab.page.get_by_role("button", name="Guess first").click()
    expect(words).to_contain_text("within 750 km")
