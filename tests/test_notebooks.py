"""The notebooks run from the first cell to the last, and are committed clean."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

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
