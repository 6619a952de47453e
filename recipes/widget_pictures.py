"""Photograph the widgets that stand alone, for the reference: ``docs/widget-*.webp``.

    python -m recipes.widget_pictures

Opens JupyterLab and a real browser, as the browser tests do.
"""

from __future__ import annotations

import argparse

from recipes.studio import HEAT, keep, studio

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
    with studio() as (_, show):
        for name, (made, drawn) in WIDGETS.items():
            with show(f"{BEFORE}widget = {made}\nwidget", 1100, 900) as lab:
                lab.page.locator(drawn).first.wait_for()
                lab.page.evaluate("() => document.activeElement.blur()")
                lab.page.wait_for_load_state("networkidle")
                output = lab.page.locator(".jp-OutputArea-output").first
                output.scroll_into_view_if_needed()
                keep(output.screenshot(), f"widget-{name}.webp")


if __name__ == "__main__":
    main()
