"""The live page shows where a photo was taken and how far the answer is; nothing saved does."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from lab import TOKEN, Lab, notebook
from nbconvert import HTMLExporter
from PIL import ExifTags, Image
from playwright.sync_api import expect

import combicam_widgets as ccw

pytestmark = pytest.mark.xdist_group("browser")

NAME = "grandma 1951"
SECRETS = (
    "-48.87",
    "48.876",
    "123.39",
    "15,91",
    "truly taken",
    "true place",
    NAME,
    "grandma",
    " off:",
)


def with_position(path: Path) -> Path:
    """Save a photo with -48.87654, -123.39372 in its EXIF data."""
    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = "S", "W"
    gps[ExifTags.GPS.GPSLatitude] = (48, 52, 35.544)
    gps[ExifTags.GPS.GPSLongitude] = (123, 23, 37.392)
    ccw.sample("eiffel_tower").to_pil().save(path, exif=exif)
    return path


def status(lab: Lab):
    return lab.page.locator(".ccw-status").first


def legend(lab: Lab) -> str:
    return lab.page.get_by_role("list", name="Legend").text_content() or ""


def truth_is_seen(lab: Lab) -> None:
    expect(status(lab)).to_contain_text("truly taken 15,910 km away")
    expect(lab.page.locator(".ccw-flag-truth", has_text="true place")).to_be_visible()
    expect(lab.page.locator(".ccw-line-error")).to_have_count(1)
    lab.page.locator(".ccw-legend summary").click()
    expect(lab.page.get_by_role("list", name="Legend")).to_contain_text("15,910 km from the answer")
    lab.page.locator(".ccw-legend summary").click()


SAVE_STATE = """async (on) => {
  const command = '@jupyter-widgets/jupyterlab-manager:saveWidgetState';
  const { commands } = window.jupyterapp;
  if (commands.isToggled(command) !== on) await commands.execute(command);
  while (commands.isToggled(command) !== on) await new Promise(requestAnimationFrame);
}"""


def saved_with_widgets(lab: Lab) -> str:
    lab.page.evaluate(SAVE_STATE, arg=True)
    book = lab.saved()
    lab.page.evaluate(SAVE_STATE, arg=False)
    assert len(book.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]) > 50
    return nbformat.writes(book)


def test_the_truth_is_seen_also_after_a_reload_and_is_not_saved(lab: Lab, tmp_path: Path):
    with_position(tmp_path / f"{NAME}.jpg")
    lab.open(
        notebook(
            "import combicam_widgets as ccw",
            f"from pathlib import Path\n(photo,) = Path({str(tmp_path)!r}).glob('*.jpg')\n"
            "explorer = ccw.Explorer(image=photo)\nexplorer",
            "print(explorer)",
        )
    )
    truth_is_seen(lab)
    lab.screenshot("saved-work-truth")
    lab.reload()
    truth_is_seen(lab)
    lab.screenshot("saved-work-reloaded")
    lab.python(
        "[setattr(explorer.world.map, 'center', (-48.87654, -123.39372)),"
        " setattr(explorer.world.map, 'zoom', 6), 1][-1]"
    )
    lab.until("explorer.world.map.west > -140", value=True)
    text = saved_with_widgets(lab)
    assert [secret for secret in SECRETS if secret in text] == []
    # Nor is the address of the page, which ipyleaflet keeps, or where somebody moved the map to.
    assert [secret for secret in (TOKEN, lab.address, "-48.876", "-123.39") if secret in text] == []


def test_an_opened_file_and_a_guess_are_seen_and_not_saved(lab: Lab, tmp_path: Path):
    file = with_position(tmp_path / f"{NAME}.jpg")
    lab.open(notebook("import combicam_widgets as ccw", "explorer = ccw.Explorer(); explorer"))
    expect(status(lab)).to_contain_text("koala")
    with lab.page.expect_file_chooser() as chooser:
        lab.page.get_by_role("button", name=re.compile("Your photo…$")).click()
    chooser.value.set_files(file)
    truth_is_seen(lab)
    assert lab.python("[explorer.image.name, explorer.image.size]") == [f"{NAME}.jpg", [640, 481]]
    mine = lab.python("[globals().update(mine=explorer.image), 1][1]")
    assert mine == 1
    lab.python(
        "[setattr(explorer, 'guessing', True), setattr(explorer, 'image', mine),"
        " setattr(explorer, 'guess', (10, 20)), 1][-1]"
    )
    expect(status(lab)).to_contain_text("15,910 km off")
    expect(lab.page.locator(".ccw-score")).to_have_text(
        re.compile("^1 round: you 0, the model 0; 9 to go *$")
    )
    lab.screenshot("saved-work-guessed")
    text = saved_with_widgets(lab)
    assert [secret for secret in (*SECRETS, "you 0") if secret in text] == []
    lab.python("[setattr(explorer, 'guessing', False), 1][1]")
    lab.python("[setattr(explorer, 'image', 'koala'), 1][1]")
    expect(status(lab)).to_contain_text("koala")
    expect(lab.page.locator(".ccw-flag-truth")).to_have_count(0)
    expect(lab.page.locator(".ccw-line-error")).to_have_count(0)
    assert lab.complaints == []


def check_converted(text: str, states: dict) -> None:
    """`nbconvert --to html` passes on what ipywidgets' manager for pages draws."""
    page, _ = HTMLExporter().from_notebook_node(nbformat.reads(text, 4))
    kinds = r'<script type="application/vnd.jupyter.widget-{}\+json">\s*(.*?)\s*</script>'
    (state,) = re.findall(kinds.format("state"), page, re.DOTALL)
    assert json.loads(state)["state"] == states
    views = [json.loads(view) for view in re.findall(kinds.format("view"), page, re.DOTALL)]
    seen = [states[view["model_id"]]["state"]["_dom_classes"][-1] for view in views]
    assert seen == ["ccw-explorer", "ccw-overlay", "ccw-gallery-widget"]
    # What other pages load these by: versions that are to be had there.
    modules = {(x["model_module"], x["model_module_version"]) for x in states.values()}
    assert {name for name, _ in modules} == {
        *("@jupyter-widgets/base", "@jupyter-widgets/controls", "anywidget", "jupyter-leaflet")
    }
    assert all(re.fullmatch(r"[~^]?[\d.*]+", version) for _, version in modules)


HEAT = ".js-plotly-plot .layer-above .imagelayer image"
END_SESSIONS = """async () => {
  const xsrf = document.cookie.match(/_xsrf=([^;]*)/)?.[1] ?? '';
  for (const { id } of await (await fetch('/api/sessions')).json()) {
    const headers = { 'X-XSRFToken': xsrf };
    await fetch(`/api/sessions/${id}`, { method: 'DELETE', headers });
  }
}"""


def test_what_was_saved_is_seen_and_answers_without_its_kernel(lab: Lab):
    lab.open(
        notebook(
            "import combicam_widgets as ccw",
            'explorer = ccw.Explorer(image="koala"); explorer',
            'ccw.HeatOverlay(explorer.image, explorer.maps, rule="max")',
            "import pandas as pd\nnames = ['koala', 'panda']\n"
            "ccw.Gallery(pd.DataFrame({'photo': names}), photos=[*map(ccw.sample, names)])",
        )
    )
    expect(lab.page.locator(HEAT)).to_have_count(2)
    expect(status(lab)).to_contain_text("koala")
    expect(lab.page.get_by_role("grid", name="Photos")).to_be_visible()
    text = saved_with_widgets(lab)
    states = nbformat.reads(text, 4).metadata.widgets["application/vnd.jupyter.widget-state+json"][
        "state"
    ]
    sizes = {name: len(str(state)) for name, state in states.items()}
    (bundle,) = (
        n for n, x in states.items() if x["state"].get("_anywidget_id", "").endswith(".Bundle")
    )
    # Once what Plotly needs, and at most a megabyte for each explorer.
    assert 1e6 < sizes.pop(bundle) < 3e6
    assert sum(sizes.values()) < 1.5e6
    check_converted(text, states)

    lab.page.evaluate(END_SESSIONS)
    lab.page.reload()
    lab._wait_for_notebook()  # with another kernel, in which no cell has run
    expect(lab.page.locator(HEAT)).to_have_count(2)
    expect(status(lab)).to_contain_text("koala")
    expect(lab.page.locator(".leaflet-container")).to_be_visible()
    expect(lab.page.locator(".ccw-flag").first).to_be_visible()
    still = lab.page.get_by_role("img", name="The first of 2 photos. Run the cell to see them.")
    expect(still).to_be_visible()
    assert still.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 300
    heat = lab.page.locator(HEAT).first
    before = heat.get_attribute("href")
    lab.layer("blocks.15").click()
    expect(lab.layer("blocks.15")).to_have_attribute("aria-pressed", "false")
    lab.page.mouse.move(3, 3)
    expect(heat).not_to_have_attribute("href", before)
    lab.screenshot("saved-work-without-kernel")
    assert (
        lab.page.locator(".ccw-explorer")
        .evaluate("(root) => getComputedStyle(root, '::before').content")
        .startswith('"Seen without a kernel')
    )
