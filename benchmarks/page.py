"""The explorer in a real browser: how fast it opens and answers, what it sends, how it grows."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser

from benchmarks.measure import ms, survived, table
from tests.browser.lab import Lab, jupyter, notebook, running_browser

OPENINGS = 3
CLICKS = 40
QUESTIONS = 10
TOGGLES, PHOTOS = 1000, 100
WARM_UP = 10
"""One in so many toggles and photos comes before growth is counted: what is kept once is kept."""

MOVES, STEP = 90, 8
"""How often the pointer moves in a drag, and how many pixels: as many as change a weight."""

Rows = list[list[str]]


def main() -> None:
    """Print the table."""
    with (
        running_browser() as browser,
        tempfile.TemporaryDirectory() as folder,
        jupyter(Path(folder), "jupyterlab") as address,
    ):
        opened = []
        for _ in range(OPENINGS):
            with _kernel_with_torch(browser, address, Path(folder)) as lab:
                torch_memory = _kernel_memory(lab)
                opened.append(_open(lab))
                if len(opened) < OPENINGS:
                    continue
                memory = _kernel_memory(lab)
                steps = (toggling, asking, dragging, growing)
                rows = [
                    row for step in steps for row in survived(step.__name__, partial(step, lab))
                ]
    rows += [
        ["run the cell to everything painted, median", ms(median(opened)), "3 s"],
        ["kernel memory with torch alone", f"{torch_memory:.0f} MB", ""],
        ["kernel memory with the explorer", f"{memory:.0f} MB", ""],
        ["what the explorer adds", f"{memory - torch_memory:.0f} MB", "150 MB"],
    ]
    table("The explorer in headless Chromium", ["what", "measured", "budget"], rows)


@contextmanager
def _kernel_with_torch(browser: Browser, address: str, folder: Path) -> Iterator[Lab]:
    page = browser.new_page(viewport={"width": 1400, "height": 1150})
    page.add_init_script(path=Path(__file__).with_name("page.js"))
    lab = Lab(page, address, folder)
    lab.open(notebook("import combicam_widgets as ccw, torch"))
    yield lab
    lab.close()


def _open(lab: Lab) -> float:
    """Open an explorer and wait until it is at rest; seconds until everything was painted."""
    seconds = lab.page.evaluate("bench.open('explorer = ccw.Explorer(); explorer')") / 1000
    lab.wait_for_kernel()
    return seconds


def toggling(lab: Lab) -> Rows:
    """Click one layer after the other, each time at rest."""
    times, sizes = [], []
    for i in range(CLICKS):
        before = _received(lab)
        times.append(lab.page.evaluate(f"bench.toggle('blocks.{15 - i % 8}')") / 1000)
        _rest(lab)
        sizes.append(_received(lab) - before)
    return [
        ["click to painted overlay, median", ms(median(times)), ""],
        ["click to painted overlay, 95 %", ms(_high(times)), "50 ms"],
        ["bytes to the page per toggle, median", kilobytes(median(sizes)), ""],
        ["bytes to the page per toggle, most", kilobytes(max(sizes)), "2 kB"],
    ]


def asking(lab: Lab) -> Rows:
    """Press presets, so that the evidence changes."""
    times = []
    for i in range(QUESTIONS):
        name = ("last layer", "all")[i % 2]
        times.append(lab.page.evaluate(f"bench.preset('{name}')") / 1000)
        _rest(lab)
    forward = lab.python(
        "__import__('timeit').timeit(lambda: explorer.model.predict(explorer.image), number=5) / 5"
    )
    return [
        ["click to painted evidence, median", ms(median(times)), ""],
        [
            "click to painted evidence, 95 %",
            ms(_high(times)),
            f"250 ms + one forward of {ms(forward)}",
        ],
    ]


def dragging(lab: Lab) -> Rows:
    """Drag a weight to and fro, as fast as the page takes it."""
    page, tile = lab.page, lab.layer("blocks.15")
    box = tile.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    before = _received(lab)
    page.evaluate("bench.watch()")
    # Between the weights 0 and 2, from 1. Moved in the page: the browser's driver waits for each.
    places = [x + STEP * (abs((i - 10) % 40 - 20) - 10) for i in range(1, MOVES + 1)]
    page.evaluate("([places, y]) => bench.drag('blocks.15', places, y)", [places, y])
    page.mouse.up()
    page.mouse.move(3, 3)  # away, or the layer is previewed
    _rest(lab)
    received = _received(lab) - before
    seen = page.evaluate("bench.stop()")
    shown = float(page.get_by_label("Weight of layer blocks.15").input_value())
    kept = lab.python("explorer.weights['blocks.15']")
    if shown != kept:
        raise RuntimeError(f"The page shows the weight {shown}, the kernel has {kept}.")
    moves, paints = seen["moves"], seen["paints"]
    end = moves[-1]
    during = [moves[0], *(t for t in paints if t < end)]
    gaps = [b - a for a, b in pairwise(during)]
    seconds = (end - moves[0]) / 1000
    return [
        [
            "dragging a weight: moves, and pictures painted, a second",
            f"{len(moves) / seconds:.0f}, {len(gaps) / seconds:.0f}",
            "",
        ],
        ["dragging a weight: longest time without a new picture", ms(max(gaps) / 1000), ""],
        ["dragging a weight: last move to its picture", ms((paints[-1] - end) / 1000), ""],
        ["dragging a weight: bytes a picture", kilobytes(received / len(paints)), "60 kB"],
    ]


def growing(lab: Lab) -> Rows:
    """Toggle a layer and choose photos, many times."""
    titles = lab.python("list(explorer.controls.titles)")
    first = lab.python("explorer.image.name")
    photos = [titles[i % len(titles)] for i in range(PHOTOS)]
    start = time.perf_counter()
    _use(lab, TOGGLES // WARM_UP, [*photos[: PHOTOS // WARM_UP], first])
    sizes = [(_kernel_memory(lab), _page_memory(lab))]
    for half in photos[: PHOTOS // 2], photos[PHOTOS // 2 :]:
        _use(lab, TOGGLES // 2, [*half, first])
        sizes.append((_kernel_memory(lab), _page_memory(lab)))
    seconds = time.perf_counter() - start
    what = f"before, midway and after {TOGGLES:,} toggles and {PHOTOS} photos"
    return [
        [
            f"{part} {what}",
            f"{old:.0f}, {midway:.0f}, {new:.0f} MB: {new / old - 1:+.1%}",
            "+5 %",
        ]
        for part, (old, midway, new) in zip(
            ("kernel memory", "page's heap"), zip(*sizes, strict=True), strict=True
        )
    ] + [["time that took", f"{seconds:.0f} s", ""]]


def _use(lab: Lab, toggles: int, photos: list[str]) -> None:
    lab.page.evaluate(f"bench.toggles('blocks.15', {toggles})")
    menu = lab.page.get_by_label("Photo", exact=True)
    for name in photos:
        if menu.evaluate("menu => menu.selectedOptions[0].text") != name:
            menu.select_option(label=name)
            lab.until("explorer.image.name", name)
    _rest(lab)


def _rest(lab: Lab) -> None:
    """Wait until nothing is being asked, and the page shows what the kernel does."""
    lab.until("explorer.jobs.busy", value=False)
    about = lab.python("explorer.diagram.fusion.about")
    lab.page.wait_for_function("about => bench.shows(about)", arg=about)


def _received(lab: Lab) -> int:
    return lab.page.evaluate("bench.received")


def _kernel_memory(lab: Lab) -> float:
    """Resident memory in MB."""
    return lab.python(
        "__import__('gc').collect() and 0 or "
        "int(open('/proc/self/statm').read().split()[1]) * 4096 / 1e6"
    )


def _page_memory(lab: Lab) -> float:
    """JavaScript objects in use in MB."""
    session = lab.page.context.new_cdp_session(lab.page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    session.detach()
    return used


def _high(times: list[float]) -> float:
    return sorted(times)[int(0.95 * len(times))]


def kilobytes(size: float) -> str:
    """Write a number of bytes."""
    return f"{size / 1000:.1f} kB"
