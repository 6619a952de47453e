"""The gallery with 10,000 photos in a real browser: how fast it follows, and what it weighs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Locator

from benchmarks.measure import ms, table
from tests.browser.lab import Lab, jupyter, notebook, running_browser

ROWS = 10_000
MOVES = 120
SCROLLS = 60

_CELL = f"""
import combicam_widgets as ccw
from tests.widgets import photo_tables
gallery = ccw.Gallery(photo_tables.Collection({ROWS}))
gallery
"""

# From an event to the end of the frame in which its effect was put on the screen.
_WATCH = """(kind) => {
  window.latencies = [];
  addEventListener(kind, (event) => {
    const { timeStamp } = event;
    requestAnimationFrame(() => setTimeout(() => latencies.push(performance.now() - timeStamp)));
  }, { capture: true });
}"""


def main() -> None:
    """Print the table."""
    with (
        running_browser() as browser,
        tempfile.TemporaryDirectory() as folder,
        jupyter(Path(folder), "jupyterlab") as address,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1150})
        lab = Lab(page, address, Path(folder))
        lab.open(notebook(_CELL))
        grid = page.get_by_role("grid", name="Photos")
        grid.locator("img").first.wait_for()
        rows = []
        for what, name in (("scatter", "worth against error (km)"), ("map", "Map,")):
            plane = page.get_by_role("group", name=name)
            rows += _row(f"brush in the {what}: move to painted", _brushed(lab, plane), "100 ms")
        rows += _row("scroll to painted", _scrolled(lab, grid), "100 ms")
        nodes = page.locator(".ccw-gallery *").count()
        rows.append(["elements in the page", str(nodes), "1,000"])
        asked = lab.python("len(set(gallery.many.asked))")
        rows.append(["pictures made after all of this", str(asked), ""])
        lab.close()
    table(f"The gallery with {ROWS:,} photos", ["what", "measured", "budget"], rows)


def _brushed(lab: Lab, plane: Locator) -> list[float]:
    """Begin with a small brush, and make it larger until it holds nearly all."""
    mouse, box = lab.page.mouse, plane.bounding_box()
    if box is None:
        raise RuntimeError("The gallery has no such view.")
    lab.page.evaluate(_WATCH, "pointermove")
    mouse.move(box["x"] + 0.12 * box["width"], box["y"] + 0.06 * box["height"])
    mouse.down()
    for i in range(1, MOVES + 1):
        share = 0.1 + 0.8 * i / MOVES
        mouse.move(box["x"] + share * box["width"], box["y"] + share * box["height"])
    mouse.up()
    found = _latencies(lab)
    lab.page.get_by_role("button", name="Show all").click()
    return found


def _scrolled(lab: Lab, grid: Locator) -> list[float]:
    lab.page.evaluate(_WATCH, "scroll")
    for i in range(1, SCROLLS + 1):
        grid.evaluate(
            "(grid, top) => new Promise((done) => { grid.scrollTop = top; "
            "requestAnimationFrame(() => setTimeout(done)); })",
            (i * 7919 % ROWS) * 20,
        )
    return _latencies(lab)


def _latencies(lab: Lab) -> list[float]:
    found: Any = lab.page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => "
        "done(latencies.slice(1)), 100)))"
    )
    return [float(each) / 1000 for each in found]


def _row(what: str, seconds: list[float], budget: str) -> list[list[str]]:
    high = quantiles(seconds, n=20)[-1]
    return [[f"{what}, median and 95 %", f"{ms(median(seconds))}, {ms(high)}", budget]]
