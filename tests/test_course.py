"""The course: its notebooks are what the recipe makes, and run, as a student's and a teacher's."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from recipes import course

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "notebooks" / "course"
LESSONS = sorted(path.stem for path in (ROOT / "recipes" / "lessons").glob("*.md"))

CLAIMS = {
    "1-what-does-it-see": """
assert mystery.name == ccw.sample("navajo").name and prediction.best.place.endswith("Phoenix")
assert 100 < prediction.distance_to(*mystery.position) < 200
assert "Namibia" in model.evidence(photo, blob).best.place and 0.04 < left < 0.1
assert 0.5 < model.evidence(photo, maps.fuse()).probabilities[target] / whole[target] < 0.7
koala = ccw.sample("koala")
of = model.explain(koala)
for heatmap, part in ((of.fuse({"blocks.15": 1}), 0.57), (of.fuse(), 0.34)):
    kept = model.evidence(koala, heatmap).probabilities[of.target] / of.probability
    assert abs(kept - part) < 0.03
""",
    "2-what-a-cam-is": """
against, most_active = np.argsort(counts)[:5], np.argsort(-abs(activations).mean((1, 2)))[:12]
assert {42, 66} <= set(against) and {19, 38} <= set(np.argsort(-counts)[:5])
assert 278 in most_active and abs(counts[[21, 197, 278]]).max() < 0.1 * abs(counts).max()
follow = [np.corrcoef(activations[k].ravel(), koala_map.ravel())[0, 1] for k in (21, 197)]
assert min(follow) > 0.75 and activations[[42, 66], 3:6, 2:4].max() < 0
assert np.ptp(toy_scores.detach().numpy()) < 1e-6
plank, post = toy_map[3:6, 3:8], toy_map[:5, 1]
assert plank.max() < 0.2 * post.max() and plank[1].max() == 0
assert plank[0, 0] == plank[0, 4] > plank[0, 2] > 0
""",
    "3-which-layer": """
share = maps.shares()
assert 0.45 < share["blocks.15"] < 0.55 and left["blocks.15"] < 0.1
assert 0.04 < share["blocks.14"] < 0.08 and left["blocks.14"] > 0.65
assert abs(ours - maps.fuse()).max() < 1e-5
assert abs(kept(["blocks.12", "blocks.15"]) - 0.70) < 0.03
assert all(abs(kept([name, "blocks.15"]) - 0.63) < 0.03 for name in ("blocks.13", "blocks.14"))


def corner(heatmap):
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    return row < 0.1 * heatmap.shape[0] and column > 0.7 * heatmap.shape[1]


assert sum(corner(panda_maps.fuse({name: 1})) for name in maps.names) >= 8
assert corner(panda_maps.fuse(rule="mean"))
covered = {rule: panda_maps.fuse(rule=rule).mean() for rule in cam.rule_names()}
assert min(covered, key=covered.get) == "product" and covered["max"] > covered["mean"]
of_panda = {
    "gradcam": panda_maps.fuse({layer: 1}),
    "hirescam": panda_maps.with_method("hirescam").fuse({layer: 1}),
    "scorecam": scored.fuse(),
}
assert [corner(heatmap) for heatmap in of_panda.values()] == [True, False, False]
""",
    "4-is-it-right": """
assert shuffled[0] is not model and shuffled[1] is model
outlines = {row: of.fuse({"blocks.0": 1}) for row, of in rows.items()}
grey = np.asarray(panda.to_pil().convert("L"), float)
hot = outlines["A"] > np.median(outlines["A"])
assert grey[hot].mean() < 0.85 * grey[~hot].mean()  # A's first layer paints what is dark
agree = [np.corrcoef(*(w.heatmap(of).ravel() for of in rows.values()))[0, 1] for w in ways.values()]
assert max(agree[1:]) < 0.1
at = [list(heatmaps).index(name) for name in ("Combi-CAM", "random")]
assert curves.areas[1] == 0.25
assert curves.inserted[at[0]][1] > 0.9 * curves.probability > 5 * curves.inserted[at[1]][1]
assert curves.deleted[at[1]][1] < 0.2 * curves.deleted[at[0]][1]
assert worths["random"] > 0.1 and 0.2 < worths["product"] < worths["centre"] - 0.05
study = (COURSE / "../../docs/study.md").read_text(encoding="utf-8")
rows_of = {line.split(" | ")[0].strip("| "): line for line in study.split("Worth, with each")[1]
           .split("###")[0].splitlines() if line.startswith("| ")}
for name, middle, half in (("hirescam, mean", "+0.077", "0.109"), ("by worth", "+0.225", "0.163")):
    assert f"{middle} ± {half}" in rows_of[name].split(" | ")[-1]
""",
    "5-why-here-and-not-there": """
assert "Brazil" in here.place and model.cells.name(paris).endswith("Paris")
pictures = [model.explain(photo, **asked).fuse().ravel() for asked in questions.values()]
alike = np.corrcoef(pictures)[0]
assert [c.name for c in model.concepts(lemurs, 2)] == ["Madagascar cat", "indri"]
assert abs(heat["log_probability"] - heat["probability"]).max() < 0.005
assert abs(heat["log_probability"] - heat["logit"]).max() > 0.3
assert alike[2] > 0.85 and pictures[3].mean() > 1.05 * pictures[0].mean()
assert in_europe.sum() == 35 and 4.5 < europe_of_grey / in_europe.mean() < 5.5
assert sum(said_europe) == 5
put = []
for name in ccw.list_samples():
    monument = ccw.sample(name)
    if monument.position is None:
        continue
    latitude, longitude = monument.position
    inside = 36 < latitude < 72 and -12 < longitude < 28
    put.append((inside, bool(in_europe[model.predict(monument).best.index])))
assert len(put) == 49 and put.count((False, True)) == 24 and put.count((False, False)) == 7
""",
    "6-your-own": """
assert cells.name(maps.target) == "South Africa"
nearest = [ccw.geo.great_circle_km(-19, 47, *place) for place in regions.values()]
assert list(regions)[int(np.argmin(nearest))] == "South Africa"
assert (p_shapes.argmax(1) == tested).mean() > 0.9 > 0.5 > (p_colours.argmax(1) == tested).mean()
assert low > 0.5
row = compare(try_on, "mean colour").loc["mine"]
assert row.low < 0 < row.high and abs(row.difference) < 0.1
""",
}
"""What a lesson's texts say that one sees, asked after the last cell of the teacher's version."""

MEMORY = """
import re, resource, sys
from pathlib import Path

status = Path("/proc/self/status")
if status.exists():  # where ru_maxrss begins with that of the process before
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) // 1024
else:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
print(peak)
"""
RESET = "%reset -f"


def read(stem, teacher=False):
    folder = COURSE / "teacher" if teacher else COURSE
    return nbformat.read(folder / f"{stem}.ipynb", as_version=4)


def role(cell):
    return cell.metadata.get("nbgrader", {}).get("grade_id", "").partition("-")[0]


def errors(cell):
    return [out for out in cell.get("outputs", []) if out.output_type == "error"]


@pytest.mark.parametrize("stem", LESSONS)
def test_both_versions_run(stem):
    """One kernel for both: what costs time is to start one, and to load torch."""
    student, teacher = read(stem), read(stem, teacher=True)
    claims = f"from pathlib import Path\nCOURSE = Path({str(COURSE)!r})\n{CLAIMS[stem]}"
    last = nbformat.v4.new_code_cell(claims)
    memory = nbformat.v4.new_code_cell(MEMORY)
    cells = [*student.cells, nbformat.v4.new_code_cell(RESET), *teacher.cells, last, memory]
    for i, cell in enumerate(cells):
        cell.id = f"cell-{i}"
    book = nbformat.v4.new_notebook(cells=cells, metadata=student.metadata)
    where = {"metadata": {"path": COURSE}}
    NotebookClient(book, timeout=120, allow_errors=True, resources=where).execute()

    code = [cell for cell in book.cells if cell.cell_type == "code"]
    for cell in code:
        said = [out.text for out in cell.outputs if out.get("name") == "stderr"]
        assert not said, said
    asked = [cell for cell in student.cells if role(cell) == "check"]
    assert 3 <= len(asked) <= 6
    for cell in student.cells:
        for error in errors(cell):
            assert role(cell) == "check", error.traceback
            assert error.ename == "NotYet", error.traceback
    for cell in asked:
        (error,) = errors(cell)
        assert re.search("no .* yet|returns nothing|still to be written", error.evalue)
    for cell in [*teacher.cells, last]:
        assert not errors(cell), errors(cell)[0].traceback
    for cell in teacher.cells:  # nbgrader reads the result of a check as a number of points
        if role(cell) == "check":
            assert cell.outputs
            assert not [out for out in cell.outputs if out.output_type == "execute_result"]
    assert int(memory.outputs[0].text) < 2000


@pytest.mark.parametrize("stem", LESSONS)
def test_a_lesson_has_what_a_lesson_needs(stem):
    book = read(stem)
    text = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    for part in ("**Goals.**", "minutes", "Do first", "To discuss", "What to take home"):
        assert part in text
    assert text.count("<details>") == text.count("</details>") >= 4
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert "Do first" in headings[0]
    assert [cell for cell in book.cells if role(cell) == "answer" and cell.cell_type == "markdown"]


def test_the_notebooks_are_what_the_recipe_makes():
    made = dict(course.notebooks())
    assert {*COURSE.glob("*.ipynb"), *COURSE.glob("teacher/*.ipynb")} == set(made)
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: python recipes/course.py"
        nbformat.validate(nbformat.reads(text, as_version=4))


@pytest.mark.parametrize("stem", LESSONS)
def test_no_solution_is_in_what_students_hand_in(stem):
    teacher = course.notebook((course.LESSONS / f"{stem}.md").read_text("utf-8"), teacher=True)
    graded = course.notebook(
        (course.LESSONS / f"{stem}.md").read_text("utf-8"), teacher=False, solutions=False
    )
    text = json.dumps(graded["cells"])
    for cell in teacher["cells"]:
        told = cell["metadata"].get("nbgrader", {})
        if not told.get("solution"):
            continue
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            assert "### BEGIN SOLUTION" in source
            source = re.search("### BEGIN SOLUTION\n(.*?)### END", source, re.DOTALL)[1]
        for line in filter(lambda line: len(line) > 8, source.splitlines()):
            assert json.dumps(line)[1:-1] not in text


@pytest.mark.parametrize("teacher", [False, True])
@pytest.mark.parametrize("stem", LESSONS)
def test_cells_are_as_nbgrader_reads_them(stem, teacher):
    """The rules of its validator, schema version 3."""
    seen = set()
    for cell in read(stem, teacher).cells:
        if not (told := cell.metadata.get("nbgrader")):
            continue
        assert told["schema_version"] == 3
        assert told["task"] is False
        assert told["grade_id"] not in seen
        seen.add(told["grade_id"])
        assert told["grade"] == ("points" in told)
        if cell.cell_type == "markdown":
            assert told["grade"]
            assert told["solution"]
        else:
            assert told["grade"] != told["solution"]
            assert told["locked"] == told["grade"]
    assert len(seen) >= 7


@pytest.mark.parametrize(
    ("solved", "left"),
    [
        (
            "def f(x):\n    ### BEGIN SOLUTION\n    y = 1\n    return y\n    ### END SOLUTION",
            "def f(x):\n    ...  # yours",
        ),
        (
            "### BEGIN SOLUTION\na = 1\nb = a + 1\n### END SOLUTION\nb",
            "a = ...  # yours\nb = ...  # yours\nb",
        ),
    ],
)
def test_three_dots_stand_for_a_solution(solved, left):
    assert course.stub(solved) == left


@pytest.mark.parametrize(
    "source",
    [
        "```python\nx = 1",
        "```python nonsense\nx\n```",
        "+++ check a",
        "```python answer\nx\n```",
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(source):
    with pytest.raises(ValueError, match=r"closed|cell is one of|needs a name"):
        course.cells(source)


@pytest.mark.parametrize("marks", ["### BEGIN SOLUTION\nx = 1", "### END SOLUTION"])
def test_marks_come_in_pairs(marks):
    with pytest.raises(ValueError, match="solution"):
        course.stub(marks)
