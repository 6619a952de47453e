"""The notebooks run from the first cell to the last, and are committed clean."""

import contextlib
import functools
import io
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from combicam_widgets import evaluation
from combicam_widgets.widgets.explorer import requests
from combicam_widgets.widgets.trust import TrustPanel

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


CLAIMS = {
    "01-explore": """
model = ccw.load_model("naturalist")


def alone(name, weights=None):
    photo = ccw.sample(name)
    maps = model.explain(photo)
    answer = model.evidence(photo, maps.fuse(weights), 0.3)
    return answer.probabilities[maps.target] / maps.probability, answer.best.place


last = {"blocks.15": 1}
kept, place = alone("kangaroo", last)
assert kept < 0.1 and "Namibia, near" in place
kept, place = alone("kangaroo")
assert kept > 0.5 and "Australia, near" in place
shares, kept = model.explain(ccw.sample("kangaroo")).shares(), {}
for name in shares:
    kept[name], _ = alone("kangaroo", {name: 1})
assert max(shares, key=shares.get) == "blocks.15" and max(kept, key=kept.get) == "blocks.14"
assert alone("koala", last)[0] > alone("koala")[0] + 0.1

assert worths["by worth"] > max(worths["last layer"], worths["all"]) + 0.1

assert str(model.concepts(ccw.sample("koala"), 1)[0]).startswith("koala 0.93")
navajo, cell = ccw.sample("navajo"), model.cells.at(39.0, 35.0)
assert "Aleppo" in model.cells.name(cell)
assert "Cappadocia" in str(model.concepts(navajo, 1)[0])
own, there = model.explain(navajo).fuse(), model.explain(navajo, target=cell).fuse()
assert ((own - there) ** 2).mean() < 0.01

explorer.opacity, explorer.outline = 0.1, True
begin_with("panda")
assert (explorer.opacity, explorer.outline) == (0.8, False)
""",
    "04-compose": """
assert diagram.weights == heat.weights and sum(heat.weights.values()) == 5
asked = world.evidence
tiles.solo("blocks.15")
assert photo_with_heat.weights == tiles.weights and world.evidence is not asked
assert "Namibia" in world.evidence.best.place
menu.value = "koala"
assert tiles.photo is photo_with_heat.photo and tiles.photo.name == "Koala"
assert words.value.startswith("The outlined 30% alone keeps ")
""",
    "05-many-photos": """
assert len(table) == len(ccw.list_samples()) and (table.error == "").all()
farthest = table.sort_values("distance_km", ascending=False).head(2)
assert all(seen.startswith("volcano") for seen in farthest.seen)
assert all("Hilo" in place for place in farthest.place)
assert again.table().equals(table)
of_tiles = tiles.table()
assert len(of_tiles) == 500 and (of_tiles.error == "").all()
assert (of_tiles.distance_km < 300).all()
assert of_tiles.distance_km.corr(of_tiles.probability) < -0.6
by_error = many.layer_statistics("error").set_index("layer")
assert 0.3 < by_error.share["blocks.15"].min() and by_error.share["blocks.15"].max() < 0.65
assert many.layer_statistics().share.max() < 0.5
both = few.layer_statistics().set_index("layer")
assert both.share.idxmax() == "stage4.1" and both.worth.idxmax() != "stage4.1"
assert judged.table().worth.mean() > judged.table()["worth: Combi-CAM"].mean()
""",
}
"""What the texts of a notebook say that one sees, asked after its last cell."""

SAID = {
    "01-explore": (r"by worth: .*\d % with the evidence, its hottest 30 %\)\.",),
}
"""What is printed, as patterns."""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_and_says_what_is_true(path):
    book = nbformat.read(path, as_version=4)
    book.cells.append(nbformat.v4.new_code_cell(CLAIMS.get(path.stem, "")))
    NotebookClient(book, timeout=300, resources={"metadata": {"path": path.parent}}).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    for output in outputs:
        assert output.get("name") != "stderr", output["text"]
    printed = "".join(output.get("text", "") for output in outputs)
    for pattern in SAID.get(path.stem, ()):
        assert re.search(pattern, printed)


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
    """Run the first notebook's cells, with clicks before each; what they print and show."""
    book = nbformat.read(NOTEBOOKS[0], as_version=4)
    names, said = {}, []
    with pytest.MonkeyPatch.context() as patch:
        # Nobody prints how far heatmaps are to be believed, which takes a while to measure.
        patch.setattr(TrustPanel, "show", lambda *_, **__: None)
        quickly = functools.partial(evaluation.by_worth, fills=("blur",), steps=2)
        patch.setattr(requests, "by_worth", quickly)
        for cell in book.cells:
            if cell.cell_type != "code":
                continue
            if "explorer" in names:
                exec(clicks, names)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(cell.source, names)
            said.append(out.getvalue())
            if cell.source.splitlines()[-1] == "explorer":
                said.append(str(names["explorer"]))
    names["explorer"].close()
    return said


@pytest.fixture(scope="module")
def undisturbed():
    return said_by_01()


@pytest.mark.parametrize("clicks", CLICKS)
def test_each_step_of_the_first_notebook_sets_what_it_needs(undisturbed, clicks):
    assert sum(map(len, undisturbed)) > 1000
    assert said_by_01(CLICKS[clicks]) == undisturbed
