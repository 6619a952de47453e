"""Widgets in JupyterLab in a real browser, for the recipes that photograph them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests.browser.lab import Lab, jupyter, notebook, running_browser

DOCS = Path(__file__).resolve().parents[1] / "docs"
HEAT = ".js-plotly-plot .layer-above .imagelayer image"
"""What is on the page when a photo's heat is drawn."""

Show = Callable[[str, int, int], AbstractContextManager[Lab]]


@contextmanager
def studio() -> Iterator[tuple[Browser, Show]]:
    """Run a browser and a server.

    Yields
    ------
    browser : playwright's Browser
    show : callable
        ``show(code, width, height)`` opens a notebook of one cell in a window of that size in CSS
        pixels, runs it, and is a context manager that gives the `Lab`.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        running_browser() as browser,
        jupyter(Path(folder), "jupyterlab") as address,
    ):

        @contextmanager
        def show(code: str, width: int, height: int) -> Iterator[Lab]:
            page = browser.new_page(viewport={"width": width, "height": height})
            lab = Lab(page, address, Path(folder))
            lab.open(notebook(code))
            page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            yield lab
            lab.close()

        yield browser, show


def explorer_drawn(lab: Lab) -> None:
    """Wait until the cell's explorer stands: heat, map, worth, no work left. Let go of the cell."""
    lab.page.locator(HEAT).wait_for()
    lab.page.locator(".ccw-flag").first.wait_for()
    lab.until("explorer.busy", value=False)
    lab.page.locator(".ccw-trust", has_text="Worth").wait_for()
    lab.page.evaluate("() => document.activeElement.blur()")
    lab.page.locator(".ccw-explorer").scroll_into_view_if_needed()


def keep(picture: bytes, name: str, largest: int = 300_000) -> None:
    """Write a screenshot into ``docs/`` as WebP: letters stay sharp, photos smooth, in few bytes.

    Raises
    ------
    SystemExit
        If it would have more bytes than ``largest``.
    """
    file = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").save(file, "WEBP", quality=88, method=6)
    write(file.getvalue(), name, largest)


def write(content: bytes, name: str, largest: int) -> None:
    """Write a picture into ``docs/`` if it is not too large, and say so."""
    if len(content) > largest:
        raise SystemExit(f"{name} would have {len(content):,} bytes, more than {largest:,}.")
    (DOCS / name).write_bytes(content)
    print(f"docs/{name}: {len(content):,} bytes")
