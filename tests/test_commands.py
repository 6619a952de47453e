"""What runs in a shell says what it is for, and refuses what it cannot mean before it starts."""

import importlib
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import fuzz

ROOT = Path(__file__).parents[1]
RECIPES = sorted(
    path.stem
    for path in (ROOT / "recipes").glob("*.py")
    if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)


@pytest.fixture
def nothing_runs(monkeypatch):
    """Fail if a table, or an attempt, is begun."""

    def begun(*_arguments):
        raise AssertionError("it began")

    monkeypatch.setattr(benchmarks, "work", begun)
    monkeypatch.setattr(fuzz, "attempt", begun)


def ended(command, *arguments):
    with pytest.raises(SystemExit) as info:
        command(*arguments)
    return info.value.code


def test_the_benchmarks_tell_what_there_is(nothing_runs, capsys):
    assert ended(benchmarks.main, ["fuzz", "--help"]) == 0
    told = capsys.readouterr().out
    for word in (*benchmarks.TABLES, *benchmarks.ON_DEMAND, *fuzz.subjects(), "--seconds"):
        assert word in told


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["fuz"], "there is no table 'fuz'"),
        (["fuzz", "--second"], "--seconds: expected one argument"),
        (["fuzz", "--seconds", "nan"], "invalid number of seconds value: 'nan'"),
        (["fuzz", "--seconds", "-1"], "invalid number of seconds value: '-1'"),
        (["fuzz", "--seed", "1.5"], "invalid seed value: '1.5'"),
        (["fuzz", "--seed", "-1"], "invalid seed value: '-1'"),
        (["fuzz", "--subject", "photos"], "invalid choice: 'photos'"),
        (["grids", "--seed", "1"], "--seed is for fuzz only"),
        (["--seconds", "1"], "--seconds is for fuzz only"),
    ],
)
def test_the_benchmarks_refuse_in_words(given, words, nothing_runs, capsys):
    assert ended(benchmarks.main, given) == 2
    assert words in capsys.readouterr().err


def test_all_tables_are_run_if_none_is_named_and_those_that_fail_are_told(monkeypatch, capsys):
    run = []

    def work(name, _wanted):
        def table():
            run.append(name)
            if name == "grids":
                raise ValueError("no world\nis there")

        return table

    monkeypatch.setattr(benchmarks, "work", work)
    assert ended(benchmarks.main, []) == "failed: grids"
    assert run == list(benchmarks.TABLES)
    assert "failed: ValueError: no world is there" in capsys.readouterr().out


def test_the_fuzz_tries_each_chosen_subject_from_the_seed_on(monkeypatch, capsys):
    tried = []

    def attempt(subject, seed):
        tried.append((subject, seed))
        if seed == 8:
            raise ZeroDivisionError("found")

    monkeypatch.setattr(fuzz, "attempt", attempt)
    given = ["fuzz", "--seconds", "0", "--seed", "7", "--subject", "pictures", "--subject", "grids"]
    assert ended(benchmarks.main, given) == 0
    assert tried == [("pictures", 7), ("grids", 7)]
    assert ended(benchmarks.main, ["fuzz", "--seconds", "0", "--seed", "8"]) == "failed: fuzz"
    assert tried[2:] == [(subject, 8) for subject in fuzz.subjects()]
    told = capsys.readouterr().out
    assert "attempt('grids', 8)" in told
    assert "ZeroDivisionError: found" in told


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_tell_what_they_make(name, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    recipe = importlib.import_module(name)
    monkeypatch.setattr("sys.argv", [f"{name}.py", "--help"])
    assert ended(recipe.main) == 0
    assert capsys.readouterr().out.startswith(f"usage: {name}.py")
    monkeypatch.setattr("sys.argv", [f"{name}.py", "--nonsense"])
    assert ended(recipe.main) == 2
