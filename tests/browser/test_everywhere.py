"""The explorer in JupyterLab, Notebook 7 and Voila; several, twice, after reload and restart."""

import json
import time

import pytest
from lab import ROOT, WAIT, Lab, Notebook, Voila, jupyter, notebook, open_more, voila
from playwright.sync_api import Locator, expect

pytestmark = pytest.mark.xdist_group("everywhere")

IMPORT = "import combicam_widgets as ccw"
KOALA = 'explorer = ccw.Explorer(image="koala"); explorer'
PANDA = 'second = ccw.Explorer(image="panda"); second'
HEAT = ".js-plotly-plot .layer-above .imagelayer image"
PHOTO = ".js-plotly-plot .cartesianlayer .imagelayer image"


def explorers(lab: Lab) -> Locator:
    return lab.page.locator(".ccw-explorer")


def layer(explorer: Locator, name: str) -> Locator:
    return explorer.get_by_role("button", name=f"Layer {name}", exact=True)


def painted(explorer: Locator, words: str) -> None:
    """Wait until an explorer shows all that it has to show."""
    expect(explorer.locator(".ccw-status").first).to_contain_text(words)
    for picture in (PHOTO, HEAT, ".leaflet-image-layer"):
        expect(explorer.locator(picture)).to_be_visible()
    expect(explorer.locator(".ccw-flag").get_by_text("whole photo")).to_be_visible()
    expect(layer(explorer, "blocks.15")).to_be_visible()


def follows(explorer: Locator) -> None:
    """Switch a layer off: diagram, overlay and words follow."""
    heat = explorer.locator(HEAT).get_attribute("href")
    tile = layer(explorer, "blocks.15")
    expect(tile).to_have_attribute("aria-pressed", "true")
    tile.click()
    expect(tile).to_have_attribute("aria-pressed", "false")
    expect(explorer.locator(HEAT)).not_to_have_attribute("href", heat)


def within(explorer: Locator) -> None:
    """Nothing sticks out of an explorer, and the photo lies in the middle of its figure."""
    room = explorer.bounding_box()
    for part in (".ccw-diagram", ".ccw-photo-figure", ".ccw-world", ".ccw-status"):
        box = explorer.locator(part).first.bounding_box()
        assert box["x"] >= room["x"] - 1, part
        assert box["x"] + box["width"] <= room["x"] + room["width"] + 1, part
        assert box["y"] + box["height"] <= room["y"] + room["height"] + 1, part


def centred(explorer: Locator) -> None:
    """Wait until the world's middle is the map's: 8 degrees east, as it opens."""
    centre = """(e) => {
      const [map, world] = [".ccw-world .leaflet-container", ".leaflet-image-layer"].map(
        (part) => e.querySelector(part).getBoundingClientRect(),
      );
      const off = world.x + world.width / 2 - map.x - map.width / 2;
      return Math.round((360 * off) / world.width);
    }"""
    deadline = time.monotonic() + WAIT / 1000
    while abs((off := explorer.evaluate(centre)) + 8) > 3:
        assert time.monotonic() < deadline, f"the middle of the world is {off} degrees off"


@pytest.fixture
def quiet(lab: Lab):
    yield lab
    assert lab.complaints == []
    assert lab.strangers == []


# Notebook 7.


@pytest.fixture(scope="module")
def notebook_server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebook")
    with jupyter(folder, "notebook") as address:
        yield address, folder


@pytest.fixture
def seven(browser, notebook_server, request):
    page = browser.new_page(viewport={"width": 1280, "height": 1150})
    seven = Notebook(page, *notebook_server)
    yield seven
    seven.screenshot(f"last-{request.node.name}")
    seven.close()
    assert seven.complaints == []
    assert seven.strangers == []


def test_notebook_7(seven):
    seven.open(notebook(IMPORT, KOALA))
    (explorer,) = explorers(seven).all()
    painted(explorer, "koala")
    within(explorer)
    follows(explorer)
    seven.until("explorer.weights['blocks.15']", 0)
    explorer.get_by_label("Photo", exact=True).select_option("Jaguar")
    painted(explorer, "jaguar")
    seven.until("explorer.image.name", "Jaguar")
    seven.python("[explorer.use('last layer')] and None")
    expect(layer(explorer, "blocks.0")).to_have_attribute("aria-pressed", "false")


# Voila.


def test_voila_shows_the_app(browser, tmp_path):
    with voila(tmp_path, ROOT / "notebooks" / "app.ipynb") as address:
        app = Voila(browser.new_page(viewport={"width": 1280, "height": 1150}), address, tmp_path)
        app.visit()
        expect(explorers(app)).to_have_count(1)
        (explorer,) = explorers(app).all()
        painted(explorer, "wallaby")
        within(explorer)
        centred(explorer)
        expect(app.page.get_by_role("heading", name="Why there?")).to_be_visible()
        expect(app.page.get_by_text("import combicam_widgets")).to_have_count(0)
        follows(explorer)
        explorer.get_by_label("Photo", exact=True).select_option("Panda")
        painted(explorer, "panda")
        app.screenshot("voila")
        app.close()
        assert app.complaints == []
        assert app.strangers == []


# JupyterLab: more than one, twice, and after what happens to notebooks.


def test_two_explorers_do_not_mix(quiet):
    lab = quiet
    lab.open(notebook(IMPORT, KOALA, PANDA))
    expect(explorers(lab)).to_have_count(2)
    koala, panda = explorers(lab).all()
    painted(koala, "koala")
    painted(panda, "panda")
    untouched = panda.locator(HEAT).get_attribute("href")
    follows(koala)
    lab.until("[explorer.weights['blocks.15'], second.weights['blocks.15']]", [0, 1])
    open_more(koala)
    koala.get_by_label("Method", exact=True).select_option("layercam")
    lab.until("[explorer.method, second.method]", ["layercam", "gradcam"])
    expect(layer(panda, "blocks.15")).to_have_attribute("aria-pressed", "true")
    assert panda.locator(HEAT).get_attribute("href") == untouched
    follows(panda)


def test_one_explorer_displayed_twice_is_one(quiet):
    lab = quiet
    lab.open(notebook(IMPORT, KOALA, "explorer"))
    expect(explorers(lab)).to_have_count(2)
    first, again = explorers(lab).all()
    painted(first, "koala")
    painted(again, "koala")
    follows(again)
    for view in (first, again):
        expect(layer(view, "blocks.15")).to_have_attribute("aria-pressed", "false")
    expect(first.locator(HEAT)).to_have_attribute("href", again.locator(HEAT).get_attribute("href"))
    open_more(first)
    first.get_by_role("button", name="Compare").click()
    for view in (first, again):
        expect(view.locator(".ccw-panel")).to_have_count(2)
    first.get_by_label("Photo", exact=True).select_option("Panda")
    for view in (first, again):
        painted(view, "panda")
        expect(view.locator(".ccw-panel")).to_have_count(0)
        within(view)
        centred(view)


def test_the_page_is_reloaded_while_the_kernel_lives(quiet):
    lab = quiet
    lab.open(notebook(IMPORT, KOALA, PANDA))
    painted(explorers(lab).first, "koala")
    lab.run_all()  # the explorers of the first run stay in the kernel, as they do for people
    koala, panda = explorers(lab).first, explorers(lab).last
    painted(koala, "koala")
    painted(panda, "panda")
    follows(koala)
    lab.until("explorer.weights['blocks.15']", 0)
    before = koala.locator(HEAT).get_attribute("href")
    # JupyterLab waits four seconds for a kernel to tell what it holds, and no longer.
    lab.until("[x.trust._measuring.busy for x in (explorer, second)]", [False, False])
    lab.reload()
    painted(koala, "koala")
    painted(panda, "panda")
    assert koala.locator(HEAT).get_attribute("href") == before
    expect(layer(koala, "blocks.15")).to_have_attribute("aria-pressed", "false")
    for one in (koala, panda):
        centred(one)
        within(one)
    follows(panda)
    lab.until("second.weights['blocks.15']", 0)
    lab.python("[setattr(explorer, 'image', 'bison')] and None")
    painted(koala, "bison")


def test_the_kernel_is_restarted_and_the_cells_run_again(quiet):
    lab = quiet
    lab.open(notebook(IMPORT, KOALA))
    explorer = explorers(lab).first
    painted(explorer, "koala")
    follows(explorer)
    lab.restart()
    assert lab.python("'explorer' in globals()") is False
    lab.run_all()
    expect(explorers(lab)).to_have_count(1)
    painted(explorer, "koala")
    follows(explorer)
    lab.until("explorer.weights['blocks.15']", 0)


def test_a_page_too_slow_for_anywidget_still_follows_python(quiet):
    lab = quiet
    errors = []
    lab.page.on("pageerror", lambda error: errors.append(str(error)))
    lab.page.add_init_script(
        "const timeout = AbortSignal.timeout.bind(AbortSignal);"
        "AbortSignal.timeout = () => timeout(0);"
    )
    lab.open(notebook(IMPORT, KOALA))
    explorer = explorers(lab).first
    painted(explorer, "koala")
    follows(explorer)
    lab.python("[setattr(explorer, 'image', 'panda')] and None")
    painted(explorer, "panda")
    lab.until("explorer.image.name", "Panda")
    assert "[anywidget] Failed to initialize model." in errors
    # What was missed of the figure has come, too: it has no axes, and the photo is whole.
    expect(explorer.locator(".js-plotly-plot .xtick")).to_have_count(0)


# Pages that cannot show it.

WITHOUT = {
    "@jupyter-widgets/jupyterlab-manager": "pip install ipywidgets anywidget",
    "anywidget": "pip install anywidget",
}


@pytest.mark.parametrize("extension", WITHOUT)
def test_a_page_that_cannot_show_it_says_what_to_install(lab, extension):
    config = lab.folder / ".jupyter" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({"disabledExtensions": {extension: True}}))
    try:  # the server reads it again for each page
        lab.open(notebook(IMPORT, KOALA))
        expect(lab.page.get_by_text(WITHOUT[extension])).to_be_in_viewport()
    finally:
        config.unlink()


def test_a_page_that_can_says_nothing_of_the_kind_but_its_outputs_do(quiet):
    lab = quiet
    lab.open(notebook(IMPORT, KOALA))
    painted(explorers(lab).first, "koala")
    expect(lab.page.get_by_text("pip install")).to_be_hidden()
    (output,) = lab.saved().cells[1].outputs
    assert "koala" in output.data["text/plain"]
    assert "Melbourne" in output.data["text/plain"]
    assert "pip install" in output.data["text/html"]
