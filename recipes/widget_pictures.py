"""Photograph the widgets that stand alone, for the reference: ``docs/widget-*.webp``.

    python -m recipes.widget_pictures

Opens JupyterLab and a real browser, as the browser tests do.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from recipes.gestures_picture import HEAT, ROOT, Lab, jupyter, notebook, running_browser, small

BEFORE = """
import combicam_widgets as ccw
model, photo = ccw.load_model("naturalist"), ccw.sample("panda")
maps = model.explain(photo)
"""
WIDGETS = {
    "diagram": ("ccw.LayerDiagram(maps, photo=photo)", ".ccw-diagram"),
    "heat": ("ccw.HeatOverlay(photo, maps)", HEAT),
    "trust": ("ccw.TrustPanel(model, photo, maps, measured=True)", ".ccw-trust svg"),
    "world": ("ccw.WorldMap(model.predict(photo))", ".ccw-flag"),
}
"""How each is made, and what is there when it is drawn, by the name of its picture."""


def main() -> None:
    """Show one widget after the other and photograph it."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_browser() as browser,
        jupyter(Path(folder), "jupyterlab") as address,
    ):
        for name, (made, drawn) in WIDGETS.items():
            page = browser.new_page(viewport={"width": 1100, "height": 900})
            lab = Lab(page, address, Path(folder))
            lab.open(notebook(f"{BEFORE}widget = {made}\nwidget"))
            page.evaluate(
                "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
            )
            page.locator(drawn).first.wait_for()
            page.evaluate("() => document.activeElement.blur()")
            page.wait_for_load_state("networkidle")
            target = ROOT / "docs" / f"widget-{name}.webp"
            output = page.locator(".jp-OutputArea-output").first
            output.scroll_into_view_if_needed()
            target.write_bytes(small(output.screenshot()))
            print(f"{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes")
            lab.close()


if __name__ == "__main__":
    main()
