"""Build the documentation: ``build/site/html/index.html``. ``make docs`` does; nothing is fetched.

    python -m recipes.documentation [--pages N] [--notebooks N]

What Sphinx reads is laid out in ``build/site/source`` as it lies in the repository, so that links
between files mean the same there and here. Made on the way: the live pages of the gallery (with
`Explorer.to_html`), the outputs of the notebooks, and one page of reference for each room, from
docstrings. Warnings are errors.
"""

from __future__ import annotations

import argparse
import html
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "site"
SHOWN = (
    *("docs/**/*.md", "docs/*.webp", "docs/*.svg", "docs/*.png", "docs/conf.py", "docs/site.css"),
    *("notebooks/0*.ipynb", "notebooks/course/*.ipynb", "CHANGELOG.md"),
    *("combicam_widgets/models/*/MODEL_CARD.md", "combicam_widgets/imagery/CREDITS.md"),
)
"""What is laid out; whatever these files link to comes along."""

LIVE = {
    "panda": ("naturalist", "panda", "the panda, in China"),
    "kangaroo": (
        "naturalist",
        "kangaroo",
        "a kangaroo: its ears and feet count more than its face",
    ),
    "koala": ("naturalist", "koala", "a koala, where adding up goes wrong"),
    "jaguar": ("naturalist", "jaguar", "two jaguars"),
    "mysore_palace": ("naturalist", "mysore_palace", "a palace in India, put into Europe"),
    "madagascar": ("atlas", "Madagascar", "Madagascar from above"),
}
"""Live pages: model, picture, caption. The first is shown at once."""

RUN = tuple(
    path.relative_to(ROOT).as_posix()
    for pattern in ("course/*.ipynb", "01-*.ipynb", "05-*.ipynb")
    for path in sorted((ROOT / "notebooks").glob(pattern))
)
"""Notebooks that are shown with their outputs. The others train a network for minutes, or show
widgets that are nothing without a kernel."""

SOLVED = (
    "*What stands below the cells comes from the solved exercises. To do them yourself, open this "
    "notebook in JupyterLab: `make lab`, then `{}`.*"
)

ROOMS = {
    "combicam_widgets": "What most people need",
    "combicam_widgets.widgets": "Widgets",
    "combicam_widgets.models": "Models",
    "combicam_widgets.cam": "Explanations",
    "combicam_widgets.evaluation": "Is it right?",
    "combicam_widgets.many": "Many photos",
    "combicam_widgets.running": "Running many photos",
    "combicam_widgets.exercises": "Exercises that check themselves",
    "combicam_widgets.export": "Pictures and pages to take along",
    "combicam_widgets.geo": "The Earth",
    "combicam_widgets.images": "Photos",
    "combicam_widgets.imagery": "The Earth from above",
    "combicam_widgets.samples": "Sample photos",
}
PICTURES = {
    "Explorer": "explorer.webp",
    "Gallery": "gallery.webp",
    "HeatOverlay": "widget-heat.webp",
    "LayerDiagram": "widget-diagram.webp",
    "TrustPanel": "widget-trust.webp",
    "WorldMap": "widget-world.webp",
}
"""A picture for each widget, in ``docs/``."""

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")


def lay_out(source: Path) -> None:
    """Copy what is shown, and what that links to."""
    shutil.rmtree(source, ignore_errors=True)
    queue = [path for pattern in SHOWN for path in sorted(ROOT.glob(pattern))]
    seen: set[Path] = set()
    while queue:
        path = queue.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        if path.suffix in (".md", ".ipynb"):
            text = path.read_text(encoding="utf-8")
            linked = [(path.parent / link).resolve() for link in _LINK.findall(text)]
            queue += [each for each in linked if each.suffix not in (".md", ".ipynb")]
    shutil.copy(source / "docs" / "conf.py", source / "conf.py")


def reference(source: Path) -> None:
    """Write a page for each room: every public name, from its docstring."""
    folder = source / "docs" / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    index = ["# Reference", "", "Every public name, from its docstring.", ""]
    listed = []
    for room, title in ROOMS.items():
        module = importlib.import_module(room)
        page = room.replace("combicam_widgets", "ccw").replace(".", "-")
        names = ", ".join(f"`{name}`" for name in module.__all__)
        index += [f"- [{title}]({page}.md), `{room}`: {names}"]
        listed.append(page)
        lines = [f"# {title}", "", f"`{room}`", ""]
        if room != "combicam_widgets":  # the names at the top are those of the rooms
            lines += _described(room, list(module.__all__))
        else:
            lines += [f"- `ccw.{name}`: {_first(module, name)}" for name in module.__all__]
        (folder / f"{page}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    index += ["", "```{toctree}", ":hidden:", "", *listed, "```", ""]
    (folder / "index.md").write_text("\n".join(index), encoding="utf-8")


def run_notebooks(source: Path, paths: Iterable[str]) -> None:
    """Run notebooks, and put what comes out below their cells where Sphinx reads them.

    Of a lesson the teacher's version is run, in which the exercises are solved; its outputs stand
    below the cells of the students' version, whose solutions stay folded away.
    """
    from nbclient import NotebookClient  # noqa: PLC0415  - here, so that the rest needs no kernel

    for path in paths:
        shown = nbformat.read(ROOT / path, as_version=4)
        solved = (ROOT / path).parent / "teacher" / Path(path).name
        ran = nbformat.read(solved, as_version=4) if solved.exists() else shown
        where = {"metadata": {"path": (ROOT / path).parent}}
        client = NotebookClient(ran, timeout=300, resources=where)
        # Figures as data: by itself, plotly may write all of its JavaScript into the page as well.
        mine = {"PYTHONPATH": str(ROOT), "PLOTLY_RENDERER": "plotly_mimetype"}
        client.execute(env={**os.environ, **mine})
        up = "../" * path.count("/")
        for cell, done in zip(_code(shown), _code(ran), strict=True):
            cell.outputs = [out for each in done.outputs if (out := _still(each, up))]
        if ran is not shown:
            shown.cells.insert(1, nbformat.v4.new_markdown_cell(SOLVED.format(path)))
        shown.metadata.pop("widgets", None)
        nbformat.write(shown, source / path)


def _code(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def _still(output: nbformat.NotebookNode, up: str) -> nbformat.NotebookNode | None:
    """Return an output as a page without a kernel can show it, or nothing."""
    data = output.get("data", {})
    if figure := data.pop("application/vnd.plotly.v1+json", None):
        import plotly.io  # noqa: PLC0415  - as above

        data["text/html"] = plotly.io.to_html(
            {"data": figure["data"], "layout": figure["layout"]},
            config={"displayModeBar": False, "responsive": True},
            include_plotlyjs=f"{up}plotly.min.js",
            full_html=False,
            validate=False,
        )
    if data.pop("application/vnd.jupyter.widget-view+json", None) and "text/html" not in data:
        return None  # a progress bar, or a widget that has no picture of itself
    return output


def _first(module: object, name: str) -> str:
    doc = getattr(module, name).__doc__ or ""
    home = getattr(module, name).__module__.split(".")[1]
    return f"{doc.strip().splitlines()[0]} See [{home}](ccw-{home}.md)."


def _described(room: str, names: list[str]) -> list[str]:
    module = importlib.import_module(room)
    lines: list[str] = []
    for name in names:
        thing = getattr(module, name)
        lines += [f"## {name}", ""]
        if name in PICTURES and room == "combicam_widgets.widgets":
            lines += [f"![{name}](../{PICTURES[name]})", ""]
        if isinstance(thing, type):
            # The traits are the interface of a widget: also those of its own ancestors, but not
            # the hundreds of ipywidgets.
            options = [
                ":inherited-members: VBox,AnyWidget,DOMWidget,HasTraits,BaseException,str,tuple"
            ]
            directive = "autoexception" if issubclass(thing, BaseException) else "autoclass"
        elif callable(thing):
            options, directive = [], "autofunction"
        else:
            lines += [f"`{_short(repr(thing))}`", ""]
            continue
        lines += ["```{eval-rst}", f".. {directive}:: {room}.{name}"]
        lines += [f"   {option}" for option in options] + ["```", ""]
    return lines


def _short(text: str) -> str:
    return text if len(text) < 200 else text[:200] + " ..."


def live_pages(source: Path, count: int) -> None:
    """Make the live pages and their pictures, and name them on the first page."""
    from combicam_widgets import Explorer  # noqa: PLC0415  - torch, which the rest can do without
    from combicam_widgets.images import to_data_uri  # noqa: PLC0415

    folder = source / "extra" / "live"
    folder.mkdir(parents=True, exist_ok=True)
    links = []
    for name, (model, image, caption) in list(LIVE.items())[:count]:
        explorer = Explorer(model=model, image=image)
        explorer.to_html(folder / f"{name}.html", title=caption[0].upper() + caption[1:])
        picture = to_data_uri(explorer.image, max_side=240)
        explorer.close()
        words = html.escape(caption)
        links.append(
            f'<a href="../live/{name}.html" target="live"><img src="{picture}" alt=""><br>'
            f"{words}</a>"
        )
    (source / "extra" / "index.html").write_text(
        "<!doctype html><title>combicam_widgets</title>"
        '<meta http-equiv="refresh" content="0; url=docs/index.html">'
        '<a href="docs/index.html">combicam_widgets</a>\n',
        encoding="utf-8",
    )
    first = source / "docs" / "index.md"
    text = first.read_text(encoding="utf-8")
    mark = "<!-- live pages: made by recipes.documentation.py -->"
    first.write_text(text.replace(mark, f'<div class="live-links">{"".join(links)}</div>'))


def build(folder: Path = BUILD, pages: int = len(LIVE), notebooks: Iterable[str] = RUN) -> Path:
    """Build the site; return its first page."""
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  - as above

    source, target = folder / "source", folder / "html"
    lay_out(source)
    reference(source)
    live_pages(source, pages)
    (source / "extra" / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")
    run_notebooks(source, notebooks)
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += [str(source), str(target)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return target / "index.html"


def main() -> None:
    """Build it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pages", type=int, default=len(LIVE), help="how many live pages")
    parser.add_argument("--notebooks", type=int, default=len(RUN), help="how many are run")
    asked = parser.parse_args()
    print(build(pages=asked.pages, notebooks=RUN[: asked.notebooks]).relative_to(ROOT))


if __name__ == "__main__":
    main()
