"""The explorer in a real browser: from the click to the paint, bytes, memory."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.measure import ms, table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "browser"))
from lab import Lab, jupyter, notebook, running_browser

CLICKS = 40
HEAT = ".js-plotly-plot .layer-above .imagelayer image"

# Click, then wait until Plotly has put another picture there and the browser has painted it.
CLICK_TO_PAINT = """async ([tile, heat]) => {
  const image = document.querySelector(heat);
  const button = document.querySelector(tile);
  const painted = new Promise((resolve) => {
    const watch = new MutationObserver(() => {
      watch.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    });
    watch.observe(image, { attributes: true });
  });
  const start = performance.now();
  button.click();
  return (await painted) - start;
}"""

MEMORY = "int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6"


def main() -> None:
    """Print the table."""
    with (
        running_browser() as browser,
        tempfile.TemporaryDirectory() as folder,
        jupyter(Path(folder), "jupyterlab") as address,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1150})
        lab = Lab(page, address, Path(folder))
        received = [0]
        page.on(
            "websocket",
            lambda socket: socket.on(
                "framereceived", lambda data: received.__setitem__(0, received[0] + len(data))
            ),
        )
        lab.open(
            notebook("import combicam_widgets as ccw, torch", "from IPython.display import display")
        )
        torch_memory = lab.python(MEMORY)
        start = time.perf_counter()
        page.evaluate(OPEN)
        page.locator(HEAT).wait_for()
        page.locator(".leaflet-image-layer").wait_for()
        opened = time.perf_counter() - start
        times, bytes_each = [], []
        for i in range(CLICKS):
            before = received[0]
            tile = f"[aria-label='Layer blocks.{15 - i % 8}']"
            times.append(page.evaluate(CLICK_TO_PAINT, [tile, HEAT]) / 1000)
            lab.until("int(explorer._parts.checking.busy)", 0)
            bytes_each.append(received[0] - before)
        lab.python("[setattr(explorer, 'weights', dict.fromkeys(explorer.weights, 1.0))] and None")
        evidence = lab.python(
            "__import__('timeit').timeit(lambda: explorer._analysis.evidence("
            "explorer.heatmap, 0.3), number=5) / 5"
        )
        times.sort()
        table(
            "The explorer in headless Chromium",
            ["what", "measured", "budget"],
            [
                ["click to painted overlay, median", ms(median(times)), ""],
                ["click to painted overlay, 95 %", ms(times[int(0.95 * CLICKS)]), "100 ms"],
                ["bytes to the page per toggle, median", f"{median(bytes_each) / 1000:.0f} kB", ""],
                ["bytes to the page per toggle, most", f"{max(bytes_each) / 1000:.0f} kB", "60 kB"],
                ["evidence prediction", ms(evidence), "250 ms + one forward"],
                ["run the cell to everything painted", ms(opened), "3 s"],
                ["kernel memory with torch alone", f"{torch_memory:.0f} MB", ""],
                ["kernel memory with the explorer", f"{lab.python(MEMORY):.0f} MB", "700 MB"],
            ],
        )
        lab.close()


OPEN = """() => {
  const { content } = window.jupyterapp.shell.currentWidget;
  content.model.sharedModel.insertCell(2, {
    cell_type: "code", source: "explorer = ccw.Explorer(); explorer",
  });
  content.activeCellIndex = 2;
  return window.jupyterapp.commands.execute("notebook:run-cell");
}"""
"""Add a cell and run it, as a person would."""
