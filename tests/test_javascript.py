"""Modules joined into one work as they did apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from combicam_widgets.javascript import joined

ROOT = Path(__file__).parents[1] / "combicam_widgets"
ENTRIES = [p for p in ROOT.rglob("*.js") if "export default" in p.read_text(encoding="utf-8")]


@pytest.fixture
def modules(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            (tmp_path / f"{name}.js").write_text(text)
        return tmp_path

    return write


def test_each_module_comes_once_and_after_those_that_it_imports_from(modules):
    folder = modules(
        a='import { b } from "./b.js";\nimport * as c from "./c.js";\nexport default b + c.d;\n',
        b='import { d as e } from "./c.js";\nexport const b = e;\n',
        c="const hidden = 1;\nexport const d = hidden;\nexport async function f() {}\n",
    )
    text = joined(folder / "a.js")
    assert text.index("const hidden") < text.index("const b = e") < text.index("export default")
    assert text.count("const hidden") == 1
    assert "return { d, f };" in text
    assert "const { d: e } = module0_c;" in text
    assert "const c = module0_c;" in text
    assert not re.search(r"^import|^export (?!default)", text, re.MULTILINE)


def test_modules_that_import_from_each_other_are_refused(modules):
    folder = modules(a='import { b } from "./b.js";\n', b='import { a } from "./a.js";\n')
    with pytest.raises(ValueError, match=r"b\.js and a\.js import from each other"):
        joined(folder / "a.js")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda path: path.name)
def test_every_widget_is_one_module_with_one_default(entry):
    text = joined(entry)
    assert not re.search(r"^import", text, re.MULTILINE)
    assert text.count("export default") == 1


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.js")), ids=lambda path: path.name)
def test_modules_are_short_enough_to_be_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.css")), ids=lambda path: path.name)
def test_no_rule_looks_for_what_an_explorer_holds(path):
    """It would look again at every change anywhere in it: a paint took a third longer."""
    assert not re.search(r"\.ccw-explorer[^\s>{,]*:has\(", path.read_text(encoding="utf-8"))
