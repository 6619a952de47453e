"""The course: its notebooks are what the recipe makes, and run, as a student's and a teacher's."""

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
COURSE = ROOT / "notebooks" / "course"
sys.path.insert(0, str(ROOT / "recipes"))

import course  # noqa: E402  - a recipe, not of the package

LESSONS = sorted(path.stem for path in (ROOT / "recipes" / "lessons").glob("*.md"))

CLAIMS = {
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
}
"""What a lesson's texts say that one sees, asked after the last cell of the teacher's version."""

MEMORY = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
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
    last = nbformat.v4.new_code_cell(CLAIMS[stem])
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
        for line in source.strip().splitlines():
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
        ("### BEGIN SOLUTION\na = 1\nb = a + 1\n### END SOLUTION\nb", "b = ...  # yours\nb"),
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
