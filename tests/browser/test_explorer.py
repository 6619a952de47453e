"""The explorer as a person meets it: JupyterLab, a kernel, clicks, and what then changes."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from lab import ROOT, Lab, close_more, notebook, open_more
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.xdist_group("browser")

HEAT = ".js-plotly-plot .layer-above .imagelayer image"
OPEN = notebook(
    "import combicam_widgets as ccw", 'explorer = ccw.Explorer(image="koala"); explorer'
)


def heat(lab: Lab) -> str:
    """What the overlay shows: the picture that Plotly has painted."""
    return lab.page.locator(HEAT).get_attribute("href") or ""


def status(lab: Lab):
    return lab.page.locator(".ccw-status").first


def shading(lab: Lab) -> str:
    return lab.page.locator(".leaflet-image-layer").get_attribute("src") or ""


def flag(lab: Lab, text: str) -> dict[str, float] | None:
    return lab.page.locator(".ccw-flag").get_by_text(text).bounding_box()


def upload(lab: Lab, file: Path) -> None:
    with lab.page.expect_file_chooser() as chooser:
        lab.page.get_by_role("button", name=re.compile("Your photo…$")).click()
    chooser.value.set_files(file)


def until_changes(lab: Lab, look, before):
    """Wait until something looks different from before."""
    for _ in range(2000):
        if (now := look(lab)) != before:
            return now
        lab.page.evaluate("() => new Promise(requestAnimationFrame)")
    pytest.fail(f"{look.__name__} did not change")


@pytest.fixture
def opened(lab: Lab) -> Lab:
    lab.open(OPEN)
    lab.page.locator(HEAT).wait_for()
    lab.page.locator(".leaflet-image-layer").wait_for()
    expect(status(lab)).to_contain_text("koala")
    yield lab
    assert lab.complaints == []
    assert lab.strangers == []


def test_everything_follows_a_click_a_preset_and_a_photo(opened):
    lab = opened
    before, words = heat(lab), status(lab).text_content()
    tile = lab.layer("blocks.15")
    expect(tile).to_have_attribute("aria-pressed", "true")
    tile.click()
    expect(tile).to_have_attribute("aria-pressed", "false")
    without = until_changes(lab, heat, before)
    expect(status(lab)).not_to_have_text(words)
    lab.until("explorer.weights['blocks.15']", 0)
    assert lab.python("sum(explorer.shares.values())") == pytest.approx(1, abs=1e-5)

    lab.page.get_by_role("button", name="last layer").click()
    expect(tile).to_have_attribute("aria-pressed", "true")
    expect(lab.layer("blocks.0")).to_have_attribute("aria-pressed", "false")
    until_changes(lab, heat, without)
    expect(lab.page.get_by_label("100 % of the heatmap comes from layer blocks.15")).to_be_visible()

    # The heat is the page's own; what Python says may still be on its way.
    expect(lab.page.locator(".ccw-flag").get_by_text("whole photo")).to_be_visible()
    shaded, planted, painted = shading(lab), flag(lab, "whole photo"), heat(lab)
    lab.page.get_by_label("Photo", exact=True).select_option("Jaguar")
    expect(status(lab)).to_contain_text("jaguar")
    expect(status(lab)).to_contain_text("Brazil")
    until_changes(lab, heat, painted)
    until_changes(lab, shading, shaded)

    def west_of_australia(lab):
        now = flag(lab, "whole photo")  # none while it is planted anew
        return now is not None and now["x"] < planted["x"]

    until_changes(lab, west_of_australia, before=False)
    assert lab.python("explorer.image.name") == "Jaguar"
    lab.screenshot("explorer-jaguar")


def test_the_evidence_flag_follows_the_layers(opened):
    lab = opened
    lab.python("[setattr(explorer, 'image', 'eiffel_tower')] and None")
    expect(status(lab)).to_contain_text("truly taken")
    expect(lab.page.locator(".ccw-flag").get_by_text("true place")).to_be_visible()
    stages = lab.page.get_by_role("button", name=re.compile(r"^Stage \d+ x \d+$"))
    assert stages.count() == 5
    places = set()
    for stage in (4, 3, 2):  # deepest first: with each one gone, the evidence moves
        before = lab.python("id(explorer.evidence)")
        stages.nth(stage).click()
        lab.until(f"id(explorer.evidence) != {before}", value=True)
        where = flag(lab, "evidence")
        places.add((where["x"], where["y"]))
    assert len(places) > 1


def test_keyboard_alone(opened):
    lab = opened
    tile = lab.layer("blocks.3")
    tile.focus()
    lab.page.keyboard.press("Enter")
    expect(tile).to_have_attribute("aria-pressed", "false")
    lab.page.keyboard.press("Space")
    expect(tile).to_have_attribute("aria-pressed", "true")
    weight = lab.page.get_by_role("slider", name="Weight of layer blocks.3")
    weight.focus()
    lab.page.keyboard.press("ArrowRight")
    expect(weight).to_have_attribute("aria-valuetext", "1.1")
    lab.until("explorer.weights['blocks.3']", 1.1)


def test_python_and_page_stay_in_step(opened):
    lab = opened
    lab.python("[explorer.use('one per stage')] and None")
    for name, pressed in {"blocks.0": "true", "blocks.1": "false", "blocks.2": "true"}.items():
        expect(lab.layer(name)).to_have_attribute("aria-pressed", pressed)
    lab.python("[setattr(explorer, 'method', 'layercam')] and None")
    open_more(lab.page)
    expect(lab.page.get_by_label("Method", exact=True)).to_have_value("layercam")
    lab.page.get_by_label("Method", exact=True).select_option("hirescam")
    lab.page.get_by_label("Normalise", exact=True).select_option("max")
    state = "[explorer.method, explorer.maps.method, explorer.normalize]"
    lab.until(state, ["hirescam", "hirescam", "max"])
    close_more(lab.page)


def test_the_last_layer_cannot_be_switched_off(opened):
    lab = opened
    lab.page.get_by_role("button", name="last layer").click()
    tile = lab.layer("blocks.15")
    expect(lab.layer("blocks.0")).to_have_attribute("aria-pressed", "false")
    painted = heat(lab)
    tile.click()
    expect(lab.page.get_by_role("alert")).to_contain_text("At least one layer must stay on")
    expect(tile).to_have_attribute("aria-pressed", "true")
    assert heat(lab) == painted


def test_a_photo_of_your_own_and_a_file_that_is_none(opened, tmp_path: Path):
    lab = opened
    good, bad = tmp_path / "<b>mine.png", tmp_path / "broken.jpg"
    Image.effect_noise((320, 200), 80).convert("RGB").save(good)
    bad.write_bytes(b"this is not a picture")
    before = heat(lab)
    upload(lab, bad)
    expect(lab.page.get_by_role("alert")).to_contain_text("picture")
    assert heat(lab) == before
    upload(lab, good)
    expect(lab.page.get_by_role("alert")).to_have_count(0)
    until_changes(lab, heat, before)
    assert lab.python("[explorer.image.width, explorer.image.height]") == [320, 200]


def test_the_latest_photo_wins(opened):
    lab = opened
    chooser = lab.page.get_by_label("Photo", exact=True)
    for title in ("Bison", "Lemur", "Panda", "Polar bear"):
        chooser.select_option(title)
    expect(status(lab)).to_contain_text("ice bear")
    lab.until("[explorer.image.name, explorer.busy]", ["Polar bear", False])
    expect(chooser).to_have_value("Polar bear")


def test_the_first_notebook(lab: Lab):
    book = nbformat.read(ROOT / "notebooks" / "01-explore.ipynb", as_version=4)
    lab.open(book)
    lab.page.locator(".ccw-explorer").first.wait_for()
    errors = lab.page.locator(".jp-RenderedText[data-mime-type='application/vnd.jupyter.error']")
    assert errors.count() == 0
    assert lab.complaints == []
    assert lab.strangers == []
    state = json.dumps(book)
    assert "application/vnd.jupyter.widget-state" not in state


PURE = """async (source) => {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const { toggled, solo, percent, ofHeatmap } = await import(url);
  const all = { a: 1, b: 0.5, c: 0 };
  return [
    toggled(all, ["a"]), toggled(all, ["c"]), toggled(all, ["a", "c"]), toggled(all, ["a", "b"]),
    solo(all, "b"), solo(solo(all, "b"), "b"),
    percent(0), percent(0.001), percent(0.126), percent(NaN), ofHeatmap(0), ofHeatmap(0.2),
  ];
}"""


def test_pure_functions_of_the_diagram(browser):
    page = browser.new_page()
    source = (ROOT / "combicam_widgets" / "widgets" / "diagram" / "diagram.js").read_text()
    assert page.evaluate(PURE, source) == [
        {"a": 0, "b": 0.5, "c": 0},
        {"a": 1, "b": 0.5, "c": 1},
        {"a": 1, "b": 0.5, "c": 1},
        {"a": 0, "b": 0, "c": 0},
        {"a": 0, "b": 1, "c": 0},
        {"a": 1, "b": 1, "c": 1},
        "\u2013",
        "< 1 %",
        "13 %",
        "\u2013",
        "nothing of the heatmap",
        "20 % of the heatmap",
    ]
    page.close()


def test_score_cam_shows_progress_and_can_be_cancelled(opened):
    lab = opened
    painted = heat(lab)
    open_more(lab.page)
    method = lab.page.get_by_label("Method", exact=True)
    method.select_option("scorecam")
    cancel = lab.page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    expect(lab.page.get_by_text(re.compile(r"^\d+ of \d+$"))).to_be_visible(timeout=30_000)
    lab.screenshot("score-cam")
    # Meanwhile everything else answers.
    close_more(lab.page)
    lab.layer("blocks.15").click()
    painted = until_changes(lab, heat, painted)
    cancel.click()
    expect(cancel).not_to_be_visible()
    expect(lab.page.get_by_role("alert")).to_contain_text("Cancelled")
    expect(method).to_have_value("gradcam")
    assert heat(lab) == painted
    lab.until("[explorer.method, explorer.busy]", ["gradcam", False])
