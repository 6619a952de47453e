"""Postponed modules: not imported before they are used, and then as if nothing had happened."""

import importlib
import subprocess
import sys
import threading

import pytest

from combicam_widgets.widgets.postponed import postpone

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
    postpone("slow")
    assert importlib.import_module("slow").__name__ == "slow"
    assert importlib.import_module("slow") is sys.modules["slow"]
    assert imported == []


def test_the_first_use_imports_it_once_and_whole(imported):
    postpone("slow")
    slow = importlib.import_module("slow")
    assert (slow.answer, slow.answer, slow.part.word) == (42, 42, "part")
    assert imported == ["slow"]
    assert "__getattr__" not in vars(slow)
    with pytest.raises(AttributeError, match="module 'slow' has no attribute 'nonsense'"):
        slow.nonsense  # noqa: B018


def test_importing_a_part_imports_the_package_first(imported):
    postpone("slow")
    part = importlib.import_module("slow.part")
    slow = sys.modules["slow"]
    assert (part.word, slow.answer, imported) == ("part", 42, ["slow"])
    assert sys.modules["slow.part"] is slow.part is part


def test_an_attribute_that_never_comes(imported):
    postpone("slow")
    assert not hasattr(sys.modules["slow"], "nonsense")
    assert imported == ["slow"]
    assert sys.modules["slow"].answer == 42


def test_threads_wait_until_it_is_whole(imported, tmp_path):
    (tmp_path / "slow" / "part.py").write_text("import threading\nthreading.Event().wait(0.2)\n")
    postpone("slow")
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(sys.modules["slow"].answer)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, imported) == ([42] * 8, ["slow"])


def test_what_is_imported_already_stays(imported):
    slow = importlib.import_module("slow")
    postpone("slow")
    assert sys.modules["slow"] is slow
    assert imported == ["slow"]


def test_what_is_not_installed_stays_so():
    postpone("no_such_module_anywhere")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("no_such_module_anywhere")


def test_a_failing_import_fails_again(imported, tmp_path):
    (tmp_path / "slow" / "part.py").write_text("raise RuntimeError('broken')\n")
    postpone("slow")
    slow = importlib.import_module("slow")
    with pytest.raises(RuntimeError, match="broken"):
        slow.answer  # noqa: B018
    with pytest.raises(RuntimeError, match="broken"):
        importlib.import_module("slow")
    assert imported == ["slow", "slow"]


PLOTLY = """
import sys
from combicam_widgets.widgets.overlay import Overlay
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
