"""Film the explorer for the README: ``docs/clicks.webp``, an animated picture.

    python -m recipes.moving_picture

Opens JupyterLab and a real browser, as the browser tests do, clicks on layers, and keeps what is
seen: heat and shares when they are painted, then sentence and map when the model has answered.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass, field

from PIL import Image
from playwright.sync_api import Locator, Page

from recipes.studio import explorer_drawn, studio, write
from tests.browser.lab import Lab

LARGEST = 1_500_000
CELL = """
import combicam_widgets as ccw
explorer = ccw.Explorer(image="kangaroo")
explorer
"""
STAY, STEP = 1900, 70
"""Milliseconds for which a view stays, and for a step of the mouse on its way."""
POINTER = """() => {
  const pointer = document.createElement("div");
  pointer.id = "pointer";
  pointer.innerHTML = `<svg width="22" height="30" viewBox="0 0 22 30"><path d="M2 2v22l6-5 4 9 4-2
    -4-9h8z" fill="#111" stroke="#fff" stroke-width="2" stroke-linejoin="round"/></svg>`;
  pointer.style.cssText = "position: fixed; z-index: 99999; pointer-events: none";
  document.body.append(pointer);
}"""


@dataclass
class Film:
    """Pictures of the explorer, and how many milliseconds each of them stays."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    pointer: tuple[float, float] = (640.0, 330.0)

    def keep(self, duration: int) -> None:
        """Take a picture, with the pointer where the mouse is."""
        x, y = self.pointer
        self.page.evaluate(
            "([x, y]) => { document.getElementById('pointer').style.translate = `${x}px ${y}px` }",
            [x - 2, y - 2],
        )
        picture = self.page.locator(".ccw-explorer").screenshot()
        with Image.open(io.BytesIO(picture)) as image:
            self.frames.append(image.convert("RGB"))
        self.durations.append(duration)

    def move_to(self, target: Locator, across: float = 0.5) -> None:
        """Let the pointer wander; the mouse itself is there at the end alone."""
        box = target.bounding_box()
        if box is None:
            raise SystemExit(f"Not to be seen: {target}")
        to = box["x"] + across * box["width"], box["y"] + 0.5 * box["height"]
        begin, steps = self.pointer, 7
        for i in range(1, steps + 1):
            part = (i / steps) ** 2 * (3 - 2 * i / steps)
            self.pointer = tuple(a + part * (b - a) for a, b in zip(begin, to, strict=True))
            self.keep(STEP if i < steps else 4 * STEP)

    def click(self, lab: Lab, target: Locator, layers_on: int) -> None:
        """Click, and keep what is painted at once, and what the model says then."""
        self.move_to(target)
        target.click()
        self.page.mouse.move(3, 3)  # a tile under the mouse would be previewed
        lab.until("sum(weight > 0 for weight in explorer.weights.values())", layers_on)
        lab.until("explorer.busy", value=False)
        self.page.wait_for_load_state("networkidle")
        settled(self.page)
        self.keep(STAY)


def settled(page: Page) -> None:
    """Wait until the explorer looks the same twice."""
    before = b""
    while (now := page.locator(".ccw-explorer").screenshot()) != before:
        before = now
        page.wait_for_timeout(300)


def main() -> None:
    """Click and film."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    with studio() as (_, show), show(CELL, 1180, 1000) as lab:
        explorer_drawn(lab)
        page = lab.page
        page.evaluate(POINTER)
        settled(page)
        film = Film(page)
        film.keep(STAY)
        film.click(lab, page.get_by_role("button", name="last layer", exact=True), 1)
        for i, number in enumerate((14, 12), start=2):
            film.click(lab, lab.layer(f"blocks.{number}"), i)
        film.click(lab, page.get_by_role("button", name="all", exact=True), 16)
    # A sentence that needs a second line makes the explorer higher.
    width, height = (min(sizes) for sizes in zip(*(each.size for each in film.frames), strict=True))
    first, *others = (each.crop((0, 0, width, height)) for each in film.frames)
    file = io.BytesIO()
    first.save(
        file,
        "WEBP",
        save_all=True,
        append_images=others,
        duration=film.durations,
        loop=0,
        quality=75,
        method=6,
        minimize_size=True,
    )
    write(file.getvalue(), "clicks.webp", LARGEST)


if __name__ == "__main__":
    main()
