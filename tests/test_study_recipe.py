"""The page of the study, written from values that are made up here."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import combicam_widgets as ccw
from combicam_widgets import evaluation
from combicam_widgets.evaluation import Row, Study

RECIPES = Path(__file__).parents[1] / "recipes"
FILLS = ("blur", "mean colour", "shuffled", "noise")


@pytest.fixture(scope="module")
def recipe():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(RECIPES))
        yield importlib.import_module


def rows(measures, candidates, fills):
    random = np.random.default_rng(0)
    for photo in range(20):
        for candidate, better in candidates.items():
            for measure in measures:
                for fill in fills:
                    value = 0.3 + better + 0.001 * random.normal()
                    yield Row(f"photo {photo}", candidate, measure, fill, float(value))


def test_the_page_says_what_was_measured(recipe, tmp_path, monkeypatch):
    page = recipe("study_page")
    monkeypatch.setattr(page, "_pictures", lambda *_: iter(["the pictures"]))
    (tmp_path / "study").mkdir()
    better = {"Combi-CAM": 0, "by worth": 0.25, "worse": -0.1, "random": -0.3}
    for model in page.MODELS:
        measures = ("worth", "insertion", "deletion", "drop", "gain")
        study = Study(tuple(rows(measures, better, FILLS)), "Combi-CAM", model)
        study.to_csv(tmp_path / "study" / f"{model}-candidates.csv.gz")
        layers = {"Combi-CAM": 0, "only first": -0.2, "only last": 0.3, "random": -0.3}
        Study(tuple(rows(("worth",), layers, FILLS[:3])), "Combi-CAM", model).to_csv(
            tmp_path / "study" / f"{model}-layers.csv.gz"
        )
    page.write(tmp_path, tmp_path / "study")
    text = (tmp_path / "study.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    judged = [line.split("|") for line in lines if line.endswith(("| met |", "| **missed** |"))]
    wanted = {tuple(cell.strip() for cell in cells[1:4]): "|".join(cells) for cells in judged}
    assert len(wanted) == 10
    assert "| met |" in wanted["naturalist", "blur", "\u2265 +0.20"]
    assert "**missed**" in wanted["atlas", "blur", "\u2265 +0.33"]  # .25 is less than .33
    assert "+0.25" in wanted["atlas", "noise", "> 0 (interval)"]
    assert "100%" in wanted["atlas", "blur", "won on \u2265 75%"]
    assert "8 of 10 figures are met. Missed: atlas with blur, +0.25" in text
    dots = (tmp_path / "study-atlas.svg").read_text(encoding="utf-8").count('r="2"')
    assert dots == 3 * 20  # one for each photo and each candidate but Combi-CAM
    assert "first carries" not in text
    assert "most does last" in text
    names = ("| by worth |", "| worse |")
    ranked = [line.split("|")[1].strip() for line in lines if line.startswith(names)]
    assert ranked[:2] == ["by worth", "worse"]
    assert "**+0.2" in next(line for line in lines if line.startswith("| by worth | 1.0 |"))
    assert "| last | 0.6" in text
    assert "*random* (control)" in text
    for name in page.MODELS:
        for picture in (f"study-{name}.svg", f"study-{name}-layers.svg"):
            assert "</svg>" in (tmp_path / picture).read_text(encoding="utf-8")
            assert f"]({picture})" in text


def test_photos_are_judged_or_chosen_on_and_never_both(recipe):
    photos = recipe("study_photos")
    chosen, judged = photos.samples("chosen on"), photos.samples("judged")
    assert set(chosen) == set(photos.CHOSEN_ON)
    assert sorted([*chosen, *judged]) == sorted(ccw.list_samples())


def test_tiles_lie_on_land_and_are_drawn_alike_each_time(recipe, monkeypatch):
    photos = recipe("study_photos")
    monkeypatch.setattr(photos, "CHOSEN_TILES", 5)
    first, again = photos.tiles("chosen on"), photos.tiles("chosen on")
    assert list(first) == list(again)
    assert len(first) == 5
    cells = ccw.load_model("atlas").cells
    for photo in first.values():
        distances = cells.distances_km(*photo.position)
        assert distances.min() < 300  # the atlas has cells where there is land


def test_the_rivals_are_candidates(recipe, monkeypatch, tmp_path):
    study = recipe("study")
    monkeypatch.setattr(study, "CACHE", tmp_path)
    model = ccw.load_model("atlas")
    lines = "".join(f"{name},1.0\n" for name in model.layers)
    (tmp_path / "atlas-learnt.csv").write_text(lines)
    every = study.candidates(model)
    assert len(every) >= 12
    assert set(study.rivals(model)) <= set(every)
    assert every["Combi-CAM"] == evaluation.COMBI_CAM


def test_quick_answers_are_nearly_the_same(recipe):
    model = ccw.load_model("atlas")
    quick = recipe("study").quick(model)
    photo = ccw.tile(45, 10)
    exact = evaluation.question(model, photo)
    found = evaluation.question(quick, photo)
    assert found.target == exact.target
    assert found.probability == pytest.approx(exact.probability, abs=0.01)
    assert found.probability != exact.probability
    assert model.probabilities(exact.batch)[0, exact.target] == pytest.approx(exact.probability)
