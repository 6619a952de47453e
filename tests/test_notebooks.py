"""The notebooks run from the first cell to the last, and are committed clean."""

import contextlib
import io
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from combicam_widgets.widgets.trust import TrustPanel

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path):
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    for cell in book.cells:
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", output["text"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_committed_clean(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3"
    assert "widgets" not in book.metadata
    for cell in book.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_there_are_notebooks():
    names = [path.name for path in NOTEBOOKS]
    assert names[0] == "01-explore.ipynb"
    assert "app.ipynb" in names


def test_the_app_shows_the_explorer_and_nothing_else_of_python():
    book = nbformat.read(NOTEBOOKS[0].parent / "app.ipynb", as_version=4)
    (cell,) = (cell for cell in book.cells if cell.cell_type == "code")
    assert cell.source.splitlines()[-1].startswith("ccw.Explorer(")


CLICKS = {
    "another model and settings": (
        "explorer.model = 'atlas'\n"
        "explorer.method, explorer.rule, explorer.normalize = 'layercam', 'max', 'minmax'\n"
        "explorer.keep, explorer.target, explorer.contrast = 0.9, 17, 18\n"
        "explorer.use('last layer')"
    ),
    "another photo to guess": "explorer.image, explorer.guessing = 'eiffel_tower', True",
}


def said_by_01(clicks=""):
    """Run the first notebook's cells, with clicks before each; what they print."""
    book = nbformat.read(NOTEBOOKS[0], as_version=4)
    names, said = {}, []
    with pytest.MonkeyPatch.context() as patch:
        # Nobody prints how far heatmaps are to be believed, which takes a while to measure.
        patch.setattr(TrustPanel, "show", lambda *_, **__: None)
        for cell in book.cells:
            if cell.cell_type != "code":
                continue
            if "explorer" in names:
                exec(clicks, names)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(cell.source, names)
            said.append(out.getvalue())
    names["explorer"].close()
    return said


@pytest.fixture(scope="module")
def undisturbed():
    return said_by_01()


@pytest.mark.parametrize("clicks", CLICKS)
def test_each_step_of_the_first_notebook_sets_what_it_needs(undisturbed, clicks):
    assert sum(map(len, undisturbed)) > 1000
    assert said_by_01(CLICKS[clicks]) == undisturbed
