"""Draw ``docs/gestures.webp``: the explorer on a laptop's screen, with a number at each gesture.

    python -m recipes.gestures_picture

Opens JupyterLab and a real browser, as the browser tests do, puts the explorer into a state in
which there is something to see of everything, photographs it, and writes below what the numbers
mean.
"""

from __future__ import annotations

import argparse
import base64
from html import escape

from playwright.sync_api import Page

from recipes.studio import HEAT, explorer_drawn, keep, studio
from tests.browser.lab import open_more

CELL = """
import combicam_widgets as ccw
explorer = ccw.Explorer(
    image="koala", show_votes=True, outline=True, box=(0.3, 0.2, 0.78, 0.62),
    weights={f"blocks.{i}": 1.0 for i in range(1, 16)},
)
explorer.weights = {**explorer.weights, "blocks.13": 1.6}
explorer
"""
# What is pointed at (a CSS selector, and where in it as fractions), and what is said about it.
CALLOUTS = {
    "The network": [
        ('[aria-label="Layer blocks.0"]', (0.5, 0.5), "click a tile: layer on or off"),
        ('[aria-label="Layer blocks.4"]', (0.5, 0.5), "shift-click: this layer alone"),
        ('button[aria-label="Stage 12 x 16"]', (0.62, 0.5), "click a size: the whole stage"),
        ('[aria-label="Layer blocks.13"]', (0.5, 0.2), "drag sideways, arrows, wheel: weight"),
        ('[aria-label="Layer blocks.9"]', (0.5, 0.5), "rest on it: preview it alone"),
        ('[aria-label="Layer blocks.11"]', (0.5, 0.5), "double-click or i: its card"),
        ('[aria-label^="Undo"]', (0, 0), "undo, redo: Ctrl+Z, Ctrl+Y"),
        ('[aria-label="Help"]', (0, 0), "all gestures and words"),
        ('button[title^="Only the deepest"]', (1, 0), "presets: Grad-CAM to Combi-CAM"),
    ],
    "The photo": [
        (HEAT, (0.2, 0.55), "point: heat, and the layers it comes from"),
        (
            '[role="slider"][aria-label="Keep"]',
            (0.5, 1.1),
            "Keep, Outline: what counts as evidence",
        ),
        (".ccw-drawn-box", (1, 0.5), "Draw a box: the heat inside, live"),
        ('button[title^="Keep this fusion"]', (1, 0), "Compare: two fusions, side by side"),
        ('button[title^="The opposite"]', (1, 0), "The rest: without the evidence"),
    ],
    "The map": [
        (".leaflet-container", (0.56, 0.32), "click a place: what speaks for it?"),
        (".ccw-row-item:nth-of-type(3) .ccw-why-not", (1.1, 0.5), "why not?: here, not there"),
        (".ccw-votes", (0, 0), "votes: where each layer points"),
        ('button[title^="How much probability"]', (1, 0), "Rings: how near, how probable"),
        (".ccw-status", (0.97, 0.5), "what is seen, in one line"),
        ('button[title^="Say where"]', (1, 0), "Guess first: you against the model"),
    ],
}
SIDE_BY_SIDE = ".ccw-explorer .ccw-further { position: static !important; }"
"""What *More* opens lies over the tiles; in the picture both are seen."""
STYLE = """
body { margin: 0; background: #fff; color: #1d1f20; font: 13px/19px "DejaVu Sans", sans-serif; }
main { position: relative; width: fit-content; padding: 6px; }
.shot { position: relative; }
img { display: block; }
b { display: inline-block; box-sizing: border-box; width: 20px; height: 20px; border-radius: 50%;
  border: 1.5px solid #fff; background: #b3261e; box-shadow: 0 0 3px #000a; color: #fff;
  font-size: 11px; line-height: 17px; text-align: center; }
.shot b { position: absolute; translate: -50% -50%; }
.words { display: grid; grid-template-columns: repeat(3, 1fr); gap: 4px 22px; padding: 10px 4px; }
h2 { margin: 0 0 4px; font-size: 14px; }
p { display: flex; gap: 7px; margin: 0 0 3px; }
p b { flex: none; }
"""


def photograph(
    page: Page, spots: list[tuple[str, tuple[float, float]]]
) -> tuple[bytes, list[list[float]]]:
    """Take a picture of the explorer; find the spots in it, in CSS pixels."""
    explorer = page.locator(".ccw-explorer")
    corner = explorer.bounding_box()
    places = []
    for selector, (across, down) in spots:
        box = explorer.locator(selector).first.bounding_box()
        if box is None:
            raise SystemExit(f"Not to be seen: {selector}")
        places.append(
            [
                box["x"] - corner["x"] + across * box["width"],
                box["y"] - corner["y"] + down * box["height"],
            ]
        )
    return explorer.screenshot(), places


def composed(picture: bytes, places: list[list[float]]) -> str:
    """Write a page with the picture, the numbers on it, and what they mean below."""
    marks = "".join(
        f'<b style="left: {x:.0f}px; top: {y:.0f}px">{i}</b>'
        for i, (x, y) in enumerate(places, start=1)
    )
    numbers = iter(range(1, len(places) + 1))
    columns = "".join(
        f"<section><h2>{part}</h2>"
        + "".join(f"<p><b>{next(numbers)}</b> {escape(words)}</p>" for *_, words in callouts)
        + "</section>"
        for part, callouts in CALLOUTS.items()
    )
    source = base64.b64encode(picture).decode()
    return (
        f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><main><div class="shot">'
        f'<img src="data:image/png;base64,{source}">{marks}</div>'
        f'<div class="words">{columns}</div></main>'
    )


def main() -> None:
    """Open, photograph, compose, write."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    spots = [(selector, at) for part in CALLOUTS.values() for selector, at, _ in part]
    with studio() as (browser, show):
        with show(CELL, 1280, 1200) as lab:
            page = lab.page
            explorer_drawn(lab)
            page.locator(".ccw-vote").nth(15).wait_for(state="attached")
            page.locator(".ccw-drawn-box").wait_for()
            open_more(page)
            page.add_style_tag(content=SIDE_BY_SIDE)
            page.add_style_tag(
                content=".ccw-why-not { opacity: 1 !important; }"
                ".ccw-row-item:has(.ccw-why-not) > .ccw-row { padding-right: 64px; }"
            )
            lab.until("[explorer.busy, len(explorer.votes)]", [False, 16])
            picture, places = photograph(page, spots)
        page = browser.new_page(viewport={"width": 1400, "height": 1400})
        page.set_content(composed(picture, places))
        keep(page.locator("main").screenshot(), "gestures.webp")
        page.close()


if __name__ == "__main__":
    main()
