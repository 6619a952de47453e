"""The walks through the code that CONTRIBUTING.md describes are those that the code takes."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import combicam_widgets as ccw

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "combicam_widgets"


def walk(title, following):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    part = text[text.index(f"**{title}**") : text.index(f"**{following}**")]
    rows = "\n".join(line for line in part.splitlines() if line.startswith("    "))
    return re.findall(r"[\w/]+\.(?:py|js)\b", rows)


def entered(act):
    """Return the files of the package whose functions are called."""
    files = set()

    def look(frame, event, _argument):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE):
            files.add(path.relative_to(PACKAGE).as_posix())

    # In a thread of its own: browser tests leave a loop running in this one, on which a photo is
    # read beside the page.
    with ThreadPoolExecutor(1) as pool:
        threading.setprofile(look)
        try:
            pool.submit(act).result()
        finally:
            threading.setprofile(None)
    return files


@pytest.fixture
def explorer():
    return ccw.Explorer(image="koala")


def click(explorer):
    weights = {**explorer.weights, "blocks.15": 0.0}
    explorer.diagram.fusion.set_state({"weights": weights, "gesture": "a click"})
    assert explorer.weights["blocks.15"] == 0


def choose(explorer):
    explorer.controls.photo.value = "Panda"
    assert explorer.image.name == "Panda"


@pytest.mark.parametrize(
    ("title", "following", "most", "act"),
    [
        ("A click on a layer", "Another photo", 12, click),
        ("Another photo", "Another switch", 16, choose),
    ],
)
def test_a_walk_is_short_and_true(explorer, title, following, most, act):
    files = walk(title, following)
    assert len(files) == len(set(files)) == most
    assert all((PACKAGE / file).is_file() for file in files)
    in_kernel = {file for file in files if file.endswith(".py")}
    assert len(in_kernel) >= 5
    assert in_kernel <= entered(lambda: act(explorer))
