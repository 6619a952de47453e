"""Photograph the explorer for the README: ``docs/explorer.webp`` and ``docs/atlas.webp``.

    python -m recipes.screenshots

Opens JupyterLab and a real browser, as the browser tests do.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from recipes.gestures_picture import HEAT, ROOT, Lab, jupyter, notebook, running_browser, small

PICTURES = {
    "explorer": ('model="naturalist", image="panda"', 1462),
    "atlas": ('model="atlas", image="Madagascar"', 1280),
}
"""What the explorer is made of, and how wide the window is, by the name of the picture."""


def main() -> None:
    """Open one explorer after the other and photograph it."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_browser() as browser,
        jupyter(Path(folder), "jupyterlab") as address,
    ):
        for name, (arguments, width) in PICTURES.items():
            page = browser.new_page(viewport={"width": width, "height": 1100})
            lab = Lab(page, address, Path(folder))
            make = f"explorer = ccw.Explorer({arguments})"
            lab.open(notebook(f"import combicam_widgets as ccw\n{make}\nexplorer"))
            page.locator(HEAT).wait_for()
            page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            page.locator(".ccw-flag").first.wait_for()
            lab.until("explorer.busy", value=False)
            page.evaluate("() => document.activeElement.blur()")
            explorer = page.locator(".ccw-explorer")
            explorer.scroll_into_view_if_needed()
            target = ROOT / "docs" / f"{name}.webp"
            target.write_bytes(small(explorer.screenshot()))
            print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")
            lab.close()


if __name__ == "__main__":
    main()
