"""Photograph the explorer: ``docs/explorer.webp`` and ``docs/atlas.webp``.

    python -m recipes.screenshots

Opens JupyterLab and a real browser, as the browser tests do.
"""

from __future__ import annotations

import argparse

from recipes.studio import explorer_drawn, keep, studio

PICTURES = {
    "explorer": ('model="naturalist", image="panda"', 1462),
    "atlas": ('model="atlas", image="Madagascar"', 1280),
}
"""What the explorer is made of, and how wide the window is, by the name of the picture."""


def main() -> None:
    """Open one explorer after the other and photograph it."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    with studio() as (_, show):
        for name, (arguments, width) in PICTURES.items():
            make = f"explorer = ccw.Explorer({arguments})"
            with show(f"import combicam_widgets as ccw\n{make}\nexplorer", width, 1100) as lab:
                explorer_drawn(lab)
                keep(lab.page.locator(".ccw-explorer").screenshot(), f"{name}.webp")


if __name__ == "__main__":
    main()
