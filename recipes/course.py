"""Make the notebooks of the course: ``notebooks/course/`` and ``notebooks/course/teacher/``.

    python recipes/course.py [--graded]

Each lesson has one source, ``recipes/lessons/*.md``: Markdown, in which every block of

    ```python

is a cell. Words behind ``python`` say what it is for:

- ``answer NAME``: the learner's. What stands between ``### BEGIN SOLUTION`` and
  ``### END SOLUTION`` (nbgrader's marks) is in the teacher's version; the student's has three dots.
- ``check NAME [POINTS]``: checks that answer; followed in the student's version by the solution,
  folded away. ``--graded`` leaves the solutions out.

A line ``+++`` begins a new text cell, ``+++ teacher`` one for the teacher only, and
``+++ answer NAME [POINTS]`` one in which the learner writes; the teacher's version says what to
expect there. Either ends at the next heading, too. Cells carry nbgrader's metadata, and nothing
here needs nbgrader.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LESSONS = Path(__file__).resolve().parent / "lessons"
COURSE = ROOT / "notebooks" / "course"

_BEGIN, _END = "### BEGIN SOLUTION", "### END SOLUTION"
_FENCE = re.compile(r"^```python(?: +(.*))?$")
_YOURS = "*Write your answer here.*"


@dataclass
class Cell:
    """One cell of a lesson, as its source says it.

    Attributes
    ----------
    kind : {"text", "code"}
    role : {"", "answer", "check", "teacher"}
    name : str
        Of the exercise, where there is one.
    points : int
    lines : list of str
    """

    kind: str
    role: str = ""
    name: str = ""
    points: int = 1
    lines: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The cell's text, without empty lines around it."""
        return "\n".join(self.lines).strip("\n")


def cells(text: str) -> list[Cell]:
    """Cut a lesson's source into cells."""
    found = [Cell("text")]
    inside = False
    for line in text.splitlines():
        if inside:
            if line == "```":
                inside = False
                found.append(Cell("text"))
            else:
                found[-1].lines.append(line)
        elif fence := _FENCE.match(line):
            found.append(_cell("code", fence[1]))
            inside = True
        elif line == "+++" or line.startswith("+++ "):
            found.append(_cell("text", line[4:]))
        else:
            if line.startswith("#") and found[-1].role:  # a heading is everybody's
                found.append(Cell("text"))
            found[-1].lines.append(line)
    if inside:
        raise ValueError("A block of Python is not closed.")
    return [cell for cell in found if cell.source]


def _cell(kind: str, words: str | None) -> Cell:
    role, name, points = [*(words or "").split(), "", "", ""][:3]
    allowed = ("", "answer", "check") if kind == "code" else ("", "answer", "teacher")
    if role not in allowed:
        raise ValueError(f"A {kind} cell is one of {allowed}, not {role!r}.")
    if role in ("answer", "check") and not name:
        raise ValueError(f"An {role} needs a name.")
    return Cell(kind, role, name, int(points or 1))


def stub(source: str) -> str:
    """Put three dots in the place of each solution: as a body, or as the value of each name."""
    lines: list[str] = []
    solution: list[str] | None = None
    for line in source.splitlines():
        if line.strip() == _BEGIN:
            solution = []
        elif line.strip() == _END:
            if solution is None:
                raise ValueError("A solution ends that has not begun.")
            lines.append(_dots(solution))
            solution = None
        elif solution is None:
            lines.append(line)
        else:
            solution.append(line)
    if solution is not None:
        raise ValueError("A solution does not end.")
    return "\n".join(lines)


def _dots(solution: list[str]) -> str:
    first = solution[0]
    indent = first[: len(first) - len(first.lstrip())]
    if indent:
        return f"{indent}...  # yours"
    names = [m[1] for line in solution if (m := re.match(r"(\w+)(?:: [^=]+)? = ", line))]
    return "\n".join(f"{name} = ...  # yours" for name in dict.fromkeys(names))


def without_marks(source: str) -> str:
    """Leave nbgrader's marks out."""
    return "\n".join(x for x in source.splitlines() if x.strip() not in (_BEGIN, _END))


def notebook(text: str, *, teacher: bool, solutions: bool = True) -> dict[str, Any]:
    """Make one version of a lesson."""
    made = list(_versioned(cells(text), teacher=teacher, solutions=solutions))
    for i, cell in enumerate(made):
        cell["id"] = f"cell-{i:02}"
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {
        "cells": made,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _versioned(found: list[Cell], *, teacher: bool, solutions: bool) -> Iterator[dict[str, Any]]:
    solution = ""
    for cell in found:
        graded = _nbgrader(cell)
        if cell.kind == "code":
            if cell.role == "answer":
                solution = without_marks(cell.source)
            student = stub(cell.source) if cell.role == "answer" else cell.source
            yield _json("code", cell.source if teacher else student, graded)
            if cell.role == "check" and solution and solutions and not teacher:
                folded = f"```python\n{solution}\n```"
                yield _json("markdown", _details("Solution", folded))
                solution = ""
        elif cell.role == "answer":
            yield _json("markdown", cell.source if teacher else _YOURS, graded)
            if not teacher and solutions:
                yield _json("markdown", _details("What one could say", cell.source))
        elif cell.role != "teacher":
            yield _json("markdown", cell.source)
        elif teacher:
            yield _json("markdown", f"> **For the teacher.** {cell.source}".replace("\n", "\n> "))


def _details(summary: str, inside: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{inside}\n\n</details>"


def _nbgrader(cell: Cell) -> dict[str, Any]:
    """Return what nbgrader's validator (schema version 3) wants to read."""
    if cell.role not in ("answer", "check"):
        return {}
    by_hand = cell.kind == "text"
    told: dict[str, Any] = {
        "grade": by_hand or cell.role == "check",
        "grade_id": f"{cell.role}-{cell.name}",
        "locked": cell.role == "check",
        "schema_version": 3,
        "solution": by_hand or cell.role == "answer",
        "task": False,
    }
    if told["grade"]:
        told["points"] = cell.points
    return {"nbgrader": told}


def _json(kind: str, source: str, metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": kind, "metadata": metadata or {}, "source": lines}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return dict(sorted(cell.items()))


def notebooks(*, solutions: bool = True) -> Iterator[tuple[Path, str]]:
    """Give the path and the text of every notebook of the course."""
    for path in sorted(LESSONS.glob("*.md")):
        for teacher in (False, True):
            folder = COURSE / "teacher" if teacher else COURSE
            text = path.read_text(encoding="utf-8")
            if teacher:  # one folder further down
                text = re.sub(r"\]\(\.\./", "](../../", text)
            book = notebook(text, teacher=teacher, solutions=solutions)
            yield (
                folder / f"{path.stem}.ipynb",
                json.dumps(book, indent=1, ensure_ascii=False) + "\n",
            )


def main() -> None:
    """Write the notebooks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graded", action="store_true", help="leave the solutions out")
    graded = parser.parse_args().graded
    for path, text in notebooks(solutions=not graded):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
