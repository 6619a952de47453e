"""Postponed modules: not imported before they are used, and then as if nothing had happened."""

import importlib
import subprocess
import sys

import pytest

from combicam_widgets.widgets._bridge.postponed import postponed

INIT = """
import builtins
builtins.imported.append(__name__)
from . import part
answer = 42
"""
PART = "word = 'part'\n"


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """A package `slow`, and the list of what has been imported of it."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "__init__.py").write_text(INIT)
    (tmp_path / "slow" / "part.py").write_text(PART)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    imported = []
    monkeypatch.setattr("builtins.imported", imported, raising=False)
    yield imported
    for name in ("slow", "slow.part"):
        sys.modules.pop(name, None)


def test_importing_is_not_using(imported):
    with postponed("slow"):
        early = importlib.import_module("slow")
    assert early.__name__ == "slow"
    assert imported == []
    assert "slow" not in sys.modules


def test_the_first_use_imports_it_once_and_whole(imported):
    with postponed("slow"):
        early = importlib.import_module("slow")
    assert (early.answer, early.answer, early.part.word) == (42, 42, "part")
    assert imported == ["slow"]
    assert sys.modules["slow"].answer == 42
    with pytest.raises(AttributeError, match="module 'slow' has no attribute 'nonsense'"):
        early.nonsense  # noqa: B018


def test_others_import_it_as_ever(imported):
    with postponed("slow"):
        early = importlib.import_module("slow")
    part = importlib.import_module("slow.part")
    slow = sys.modules["slow"]
    assert slow is not early
    assert slow.part is sys.modules["slow.part"] is early.part is part
    assert imported == ["slow"]


def test_used_within_the_block_it_is_imported_there(imported):
    with postponed("slow"):
        assert importlib.import_module("slow").answer == 42
        slow = sys.modules["slow"]
    assert sys.modules["slow"] is slow
    assert importlib.import_module("slow") is slow
    assert imported == ["slow"]


def test_what_is_imported_already_stays(imported):
    slow = importlib.import_module("slow")
    with postponed("slow"):
        assert importlib.import_module("slow") is slow
    assert sys.modules["slow"] is slow
    assert imported == ["slow"]


def test_what_is_not_installed_stays_so():
    with postponed("no_such_module_anywhere"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_module_anywhere")


def test_a_failing_import_fails_again(imported, tmp_path):
    (tmp_path / "slow" / "part.py").write_text("raise RuntimeError('broken')\n")
    with postponed("slow"):
        early = importlib.import_module("slow")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="broken"):
            early.answer  # noqa: B018
    assert imported == ["slow", "slow"]


def test_an_error_in_the_block_comes_through_and_leaves_no_stand_in(imported):
    with pytest.raises(ArithmeticError), postponed("slow"):
        raise ArithmeticError
    assert "slow" not in sys.modules


PLOTLY = """
import sys
from combicam_widgets.widgets.heat.overlay import Overlay
Overlay()
assert "plotly.io._renderers" in sys.modules, "plotly was to be asked"
assert "jsonschema" not in sys.modules, "opening an explorer imports what it does not need"
import plotly.graph_objects as go, plotly.io as pio
pio.show(go.Figure(), renderer="plotly_mimetype")
import nbformat
assert nbformat.__version__.startswith(("4.", "5.")) and "jsonschema" in sys.modules
nbformat.validate(nbformat.v4.new_notebook())
"""


def test_plotly_shows_figures_as_ever_and_opening_is_spared_its_notebook_format():
    command = [sys.executable, "-c", PLOTLY]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "application/vnd.plotly.v1+json" in done.stdout
