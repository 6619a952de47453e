"""Studies: values kept per photo, resumed, cancelled, compared; the truth is known."""

import builtins
import gzip
import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from evaluated import Bright

import combicam_widgets as ccw
from combicam_widgets import cam, evaluation
from combicam_widgets.cam import methods
from combicam_widgets.images import Photo


def tensor(image):
    return torch.from_numpy(
        np.asarray(image.resize((8, 8))).astype(np.float32).transpose(2, 0, 1) / 64
    )


@pytest.fixture(scope="module")
def model():
    cells = ccw.CellGrid.from_centers([0, 10, 60, -60], [0, 90, 180, -90])
    return ccw.GeoModel(
        Bright(classes=4), cells, transform=tensor, layers=["eye", "blind"], name="bright"
    )


@pytest.fixture(scope="module")
def photos():
    """A bright corner, which is all that the network looks at, on dark ground."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(20, 60, (4, 8, 8, 3))
    pixels[:, :4, :4] += 180
    return {name: Photo(x.astype(np.uint8)) for name, x in zip("abcd", pixels, strict=True)}


def corner(model, photo, maps):
    heat = np.zeros((8, 8))
    heat[:4, :4] = 1
    return heat


def opposite(model, photo, maps):
    return 1 - corner(model, photo, maps)


CANDIDATES = {"last": "last layer", "right": corner, "wrong": opposite}
OPTIONS = {"measures": ("worth", "drop", "road"), "fills": ("mean colour", "noise"), "steps": 4}


@pytest.fixture(scope="module")
def study(model, photos):
    return evaluation.study(model, photos, CANDIDATES, **OPTIONS)


def test_every_value_is_kept(study, model, photos):
    controls = ["random", "centre", "uniform", "edges"]
    assert list(study.candidates) == ["Combi-CAM", "last", "right", "wrong", *controls]
    assert study.photos == ("a", "b", "c", "d")
    assert len(study.rows) == 4 * 8 * (2 * 2 + 1)
    assert not study.errors
    asks = evaluation.question(model, photos["c"])
    expected = evaluation.reveal(asks.ask, asks.batch, [corner(0, 0, 0)], "noise", steps=4).worth[0]
    found = study.values("worth", "noise")["right"]
    assert found[2] == pytest.approx(expected)
    mean = (found + study.values("worth", "mean colour")["right"]) / 2
    np.testing.assert_allclose(study.values("worth")["right"], mean)


def test_one_photo_depends_on_nothing_else(study, model, photos):
    alone = evaluation.study(model, {"c": photos["c"]}, CANDIDATES, **OPTIONS)
    assert alone.rows == tuple(row for row in study.rows if row.photo == "c")


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (["last layer", "max"], {"gradcam"}),
        (["layercam, max", "hirescam"], {"gradcam", "layercam", "hirescam"}),
        (["mine", "mine, max"], {"gradcam", "mine"}),
        ([corner], set(cam.METHODS)),
    ],
)
def test_only_the_methods_of_the_candidates_are_computed(
    model, photos, monkeypatch, candidates, expected
):
    monkeypatch.setattr(methods, "_own", {})
    cam.method("mine")(lambda a, g: (a * g).sum(0))
    computed = []
    work = methods.method_maps

    def look(a, g, names):
        computed.append(names)
        return work(a, g, names)

    monkeypatch.setattr(sys.modules["combicam_widgets.cam.explain"], "method_maps", look)
    study = evaluation.study(
        model, {"a": photos["a"]}, {str(each): each for each in candidates}, **OPTIONS
    )
    assert not study.errors
    assert {name for names in computed for name in names} == expected


def test_the_table_and_what_it_says(study):
    table = study.table()
    assert list(table.columns) == [
        *("model", "photo", "candidate", "measure", "fill", "value", "error")
    ]
    assert len(table) == len(study.rows)
    compared = study.compare("wrong", ["worth"]).set_index(["fill", "candidate"])
    for fill in ("mean colour", "noise"):
        right = compared.loc[(fill, "right")]
        assert right["won"] == 1
        assert right["difference"] > 0
        assert right["low"] <= right["difference"] <= right["high"]
        assert right["photos"] == 4
    assert set(study.compare()["measure"]) == {"worth", "drop", "road"}
    assert "Combi-CAM" not in set(study.compare()["candidate"])
    with pytest.raises(ValueError, match="no candidate 'sum'"):
        study.compare("sum")
    with pytest.raises(ValueError, match="Nothing was measured as 'gain'"):
        study.values("gain")


def test_agreement_turns_what_is_better_low(study):
    found = study.agreement()
    assert found.loc["worth noise", "worth noise"] == 1
    assert found.loc["worth noise", "worth mean colour"] > 0


@pytest.mark.parametrize("kind", ["differences", "ranks"])
def test_figures_name_the_candidates(study, kind):
    figure = study.figure(kind, "worth", "noise")
    named = set(figure.layout.yaxis.ticktext)
    assert named == set(study.candidates) - ({"Combi-CAM"} if kind == "differences" else set())
    with pytest.raises(ValueError, match="No layer was measured alone"):
        study.figure("layers")
    with pytest.raises(ValueError, match="kind must be"):
        study.figure("pie")


@pytest.mark.parametrize("kind", ["differences", "ranks"])
def test_names_in_figures_are_only_text(model, photos, kind):
    name = "<b>mine</b> & $x$"
    found = evaluation.study(model, photos, {name: corner}, measures=("worth",), fills=("noise",))
    figure = found.figure(kind)
    escaped = "&lt;b&gt;mine&lt;/b&gt; &amp; &#36;x&#36;"
    assert escaped in figure.layout.yaxis.ticktext
    drawn = figure.to_json()
    assert "\\u003cb\\u003e" not in drawn
    assert "<b>" not in drawn


def test_the_figure_of_the_layers(model, photos):
    alone = evaluation.single_layers(model.layers)
    found = evaluation.study(model, photos, alone, **OPTIONS)
    figure = found.figure("layers")
    assert list(figure.data[-1].x) == ["eye", "blind"]
    np.testing.assert_allclose(figure.data[-1].y[0], found.values("worth")["only eye"].mean())


def test_files_hold_the_study(study, tmp_path):
    study.to_csv(tmp_path / "study.csv")
    again = evaluation.Study.from_csv(tmp_path / "study.csv")
    assert again.rows == study.rows
    assert (again.model, again.reference) == ("bright", "Combi-CAM")
    study.to_parquet(tmp_path / "study.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "study.parquet"), study.table())
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="does not hold a study"):
        evaluation.Study.from_csv(tmp_path / "other.csv")


def test_a_photo_that_cannot_be_read_says_why_and_the_rest_goes_on(model, photos, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    given = {"a": photos["a"], "gone": tmp_path / "gone.jpg", "broken": broken, "b": photos["b"]}
    found = evaluation.study(model, given, CANDIDATES, **OPTIONS)
    assert [row.photo for row in found.errors] == ["gone", "broken"]
    assert "FileNotFoundError" in found.errors[0].error
    assert "gone.jpg" in found.errors[0].error
    values = found.values("worth", "noise")["right"]
    np.testing.assert_array_equal(np.isnan(values), [False, True, True, False])
    assert found.compare("wrong", ["worth"])["photos"].eq(2).all()
    assert "4 photos, 2 of them failed" in repr(found)


def test_a_candidate_that_fails_says_why_and_the_others_go_on(model, photos):
    def moody(model, photo, maps):
        if photo is photos["b"]:
            raise KeyError("not today")
        return corner(model, photo, maps)

    def huge(model, photo, maps):
        return np.full((8, 8), 7.0)

    found = evaluation.study(model, photos, {"moody": moody, "huge": huge}, **OPTIONS)
    said = {(row.photo, row.candidate): row.error for row in found.errors}
    assert said[("b", "moody")] == "KeyError: 'not today'"
    assert {name for _, name in said} == {"moody", "huge"}
    assert "[0, 1]" in said[("a", "huge")]
    values = found.values("worth", "noise")
    np.testing.assert_array_equal(np.isnan(values["moody"]), [False, True, False, False])
    assert np.isfinite(values["Combi-CAM"]).all()


def test_a_fill_that_raises_says_so_for_each_photo(model, photos):
    def broken(batch):
        raise ValueError("no paint")

    found = evaluation.study(model, photos, CANDIDATES, fills=["blur", broken], steps=2)
    assert [row.error for row in found.errors] == ["ValueError: no paint"] * 4


def test_a_study_that_was_stopped_goes_on(study, model, photos, tmp_path):
    class StoppedError(Exception):
        pass

    def stop(done, total):
        assert total == 4
        if done == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        evaluation.study(model, photos, CANDIDATES, out=tmp_path, progress=stop, **OPTIONS)
    half = evaluation.Study.from_folder(tmp_path)
    assert half.rows == study.without(["c", "d"]).rows
    assert (half.model, half.photos) == ("bright", ("a", "b"))
    measured = []

    def seen(model, photo, maps):
        measured.append(photo)
        return corner(model, photo, maps)

    again = evaluation.study(model, photos, {**CANDIDATES, "right": seen}, out=tmp_path, **OPTIONS)
    assert len(measured) == 2
    assert again.rows == study.rows
    assert evaluation.study(model, photos, CANDIDATES, out=tmp_path, **OPTIONS).rows == study.rows


def test_the_home_folder_is_meant_by_a_tilde(model, photos, study, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    evaluation.study(model, photos, CANDIDATES, out="~/mine", **OPTIONS)
    assert (tmp_path / "mine" / "00004.json").exists()
    assert evaluation.Study.from_folder("~/mine").rows == study.rows
    study.to_parquet("~/study.parquet")
    assert len(pd.read_parquet(tmp_path / "study.parquet")) == len(study.rows)
    assert not (tmp_path / "~").exists()


def test_a_table_is_there_whole_or_as_it_was(study, tmp_path, monkeypatch):
    file = tmp_path / "study.parquet"
    file.write_bytes(b"before")

    def full(self, *args, **options):
        raise OSError("No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OSError, match="No space"):
        study.to_parquet(file)
    assert file.read_bytes() == b"before"
    with pytest.raises(FileNotFoundError, match="make it first"):
        study.to_parquet(tmp_path / "nowhere" / "study.parquet")


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(ValueError, match="holds no study"):
        evaluation.Study.from_folder(tmp_path)


def test_a_folder_holds_one_study(model, photos, tmp_path):
    one = {"a": photos["a"]}
    evaluation.study(model, one, CANDIDATES, out=tmp_path, **OPTIONS)
    with pytest.raises(ValueError, match=r"holds another study \(seed differ\)"):
        evaluation.study(model, one, CANDIDATES, out=tmp_path, seed=1, **OPTIONS)
    with pytest.raises(ValueError, match="holds the photo 'a' and not 'b'"):
        evaluation.study(model, {"b": photos["b"]}, CANDIDATES, out=tmp_path, **OPTIONS)
    assert json.loads((tmp_path / "study.json").read_text())["steps"] == 4


def test_any_classifier_has_a_study(photos):
    batches = {name: tensor(photo.to_pil())[None] for name, photo in photos.items()}
    wanted = ("worth", "adcc", "coherency", "max_sensitivity")
    found = evaluation.study(Bright(), batches, ["hirescam, max"], wanted, fills=["noise"])
    assert found.model == "Bright"
    assert np.isfinite(found.values("max_sensitivity")["hirescam, max"]).all()
    assert set(found.values("adcc")) == {"Combi-CAM", "hirescam, max"}
    parts = found.values("adcc")["hirescam, max"], found.values("coherency")["hirescam, max"]
    assert (parts[0] <= 1).all()
    assert (parts[1] <= 1).all()


@pytest.mark.parametrize(
    ("name", "method", "rule"),
    [
        ("sum", "gradcam", "sum"),
        ("winsor", "gradcam", "winsor"),
        ("layercam", "gradcam", "layercam"),
        ("hirescam", "hirescam", "mean"),
        ("layercam, max", "layercam", "max"),
        ("xgradcam,product", "xgradcam", "product"),
    ],
)
def test_names_of_candidates(name, method, rule):
    found = evaluation.named_candidate(name, ("first", "last"))
    assert (found.method, found.rule, found.weights) == (method, rule, None)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"candidates": ["best"]}, ValueError, "Unknown candidate 'best'.*'hirescam, mean'"),
        ({"candidates": "sum"}, TypeError, "sequence or a mapping"),
        ({"candidates": [3]}, TypeError, "needs a name"),
        ({"candidates": {"mine": 3}}, TypeError, "'mine' must be a name"),
        ({"candidates": ["sum", "sum"]}, ValueError, "Two candidates are called 'sum'"),
        ({"candidates": {"edges": "sum"}}, ValueError, "name of a control"),
        ({"measures": ["beauty"]}, ValueError, "Unknown measure 'beauty'"),
        ({"measures": []}, ValueError, "at least one"),
        ({"fills": []}, ValueError, "at least one"),
        ({"reference": "best"}, ValueError, "Unknown candidate 'best'"),
        ({"photos": "koala"}, TypeError, "mapping or a sequence"),
    ],
)
def test_what_is_asked_wrongly_is_said_before_anything_is_measured(
    model, photos, changes, error, message
):
    with pytest.raises(error, match=message):
        evaluation.study(**{"model": model, "photos": photos, **changes})


def test_photos_without_names_get_some(model, photos):
    one = photos["a"]
    twins = [Photo(one.pixels, name="twin"), Photo(one.pixels, name="twin"), one, "nowhere/x.jpg"]
    found = evaluation.study(model, twins, ["sum"], **OPTIONS)
    assert found.photos == ("twin", "twin 2", "3", "x.jpg")


def test_tables_say_what_to_install(study, monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'combicam_widgets\[study\]'"):
        study.table()


def test_a_model_that_knows_nothing_is_a_model(model, photos):
    before = {name: x.clone() for name, x in model.network.state_dict().items()}
    nothing, again = (evaluation.knowing_nothing(model, seed) for seed in (3, 3))
    assert (nothing.layers, nothing.cells) == (model.layers, model.cells)
    assert nothing.name == "bright, weights re-drawn"
    weights = nothing.network.state_dict()
    assert all(torch.equal(x, again.network.state_dict()[name]) for name, x in weights.items())
    assert sorted(weights["blind.weight"].flatten().tolist()) == [0, 0, 1, 1]
    assert torch.equal(weights["corner"], before["corner"])
    assert all(torch.equal(x, before[name]) for name, x in model.network.state_dict().items())
    nothing.explain(photos["a"])
    tiles = ccw.load_model("atlas")
    assert evaluation.knowing_nothing(tiles).from_above


def test_candidates_by_the_architecture(model):
    assert evaluation.last_layer(model.layers).weights == {"blind": 1.0}
    refined = evaluation.stages(model.architecture)
    assert (refined.rule, refined.weights) == ("product", {"blind": 1.0})
    assert [each.name for each in evaluation.single_layers(model.layers)] == [
        "only eye",
        "only blind",
    ]
    with pytest.raises(ValueError, match="Unknown CAM method 'magic'"):
        evaluation.Candidate("mine", "magic")
    with pytest.raises(TypeError, match="needs a name"):
        evaluation.Candidate("")


@pytest.mark.parametrize("name", ["values.csv", "values.csv.gz"])
def test_a_table_is_written_whole_or_not_at_all(tmp_path, monkeypatch, name):
    from combicam_widgets.evaluation.studies import Row, Study

    row = Row(photo="a", candidate="b", measure="worth", fill="blur", value=0.5, error="")
    monkeypatch.setenv("HOME", str(tmp_path))
    study = Study((row,), "b", "m")
    study.to_csv(f"~/{name}")
    assert Study.from_csv(f"~/{name}", "b").rows == (row,)
    before = (tmp_path / name).read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        study.to_csv(tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == before
    with pytest.raises(FileNotFoundError, match="no folder"):
        study.to_csv(tmp_path / "nowhere" / name)


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("to_csv", "x.parquet"),
        ("to_csv", "x.xlsx"),
        ("to_csv", ".csv"),
        ("to_parquet", "x.csv"),
        ("to_parquet", "x.parquet.gz"),
    ],
)
def test_a_table_is_what_its_name_says_or_refused(study, tmp_path, way, name):
    with pytest.raises(ValueError, match=r"path must (end in|be a name that ends in) \."):
        getattr(study, way)(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_link_says_whether_a_table_is_compressed(study, tmp_path):
    for link, real in {"a.csv": "a.gz", "b.GZ": "b.txt"}.items():
        (tmp_path / link).symlink_to(tmp_path / real)
        study.to_csv(tmp_path / link)
        assert evaluation.Study.from_csv(tmp_path / link).rows == study.rows
    assert (tmp_path / "a.gz").read_bytes().startswith(b"model,photo")
    assert gzip.decompress((tmp_path / "b.txt").read_bytes()) == (tmp_path / "a.gz").read_bytes()


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_table_that_is_cut_off_or_damaged_is_named(study, tmp_path, name):
    file, rng = tmp_path / name, np.random.default_rng(0)
    study.to_csv(file)
    whole = file.read_bytes()
    spoilt = [whole[:n] for n in (0, 1, 5, 15, 20, 60)]
    spoilt += [b"\0" * 100, b"\xff" * 50, b"a" * 200_000, whole.replace(b",", b"\0")]
    for _ in range(200):
        changed = bytearray(whole)
        changed[rng.integers(len(whole))] ^= int(rng.integers(1, 256))
        spoilt.append(bytes(changed))
    said = []
    for content in spoilt:
        file.write_bytes(content)
        try:
            read = evaluation.Study.from_csv(file)
        except ValueError as error:
            said.append(str(error))
        else:  # a letter of a name may be another one; what is compressed has a checksum
            assert name == "x.csv" or read.rows == study.rows
    assert len(said) > 5
    assert all(str(file) in words for words in said)


def test_of_a_table_that_was_cut_off_only_whole_rows_are_read(study, tmp_path):
    file = tmp_path / "x.csv"
    study.to_csv(file)
    whole = file.read_bytes()
    for length in range(len(whole) - 150, len(whole)):
        file.write_bytes(whole[:length])
        try:
            rows = evaluation.Study.from_csv(file).rows
        except ValueError:
            continue
        assert rows == study.rows[: len(rows)]


def test_a_damaged_file_is_named_and_can_be_measured_again(model, photos, study, tmp_path):
    evaluation.study(model, photos, CANDIDATES, out=tmp_path, **OPTIONS)
    damaged = tmp_path / "00002.json"
    damaged.write_text(damaged.read_text()[:50])
    for read in (
        lambda: evaluation.study(model, photos, CANDIDATES, out=tmp_path, **OPTIONS),
        lambda: evaluation.Study.from_folder(tmp_path),
    ):
        with pytest.raises(ValueError, match=r"00002\.json is cut short or damaged: delete it"):
            read()
    damaged.unlink()
    assert evaluation.study(model, photos, CANDIDATES, out=tmp_path, **OPTIONS).rows == study.rows
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(ValueError, match=r"study\.json is cut short"):
        evaluation.study(model, photos, CANDIDATES, out=tmp_path, **OPTIONS)
    with pytest.raises(NotADirectoryError, match="give a folder"):
        evaluation.study(model, photos, CANDIDATES, out=damaged.parent / "00001.json", **OPTIONS)


def test_a_study_without_values_says_why(model):
    found = evaluation.study(model, {"lost": "/nowhere.jpg"}, **OPTIONS)
    for ask in (found.compare, found.figure):
        with pytest.raises(ValueError, match=r"1 photos has no values: FileNotFoundError"):
            ask()
    with pytest.raises(ValueError, match="of 0 photos has no values"):
        evaluation.study(model, {}, **OPTIONS).compare()


def test_one_name_is_no_sequence_of_them(model, photos):
    with pytest.raises(TypeError, match=r"fills must be a sequence, such as \['blur'\]"):
        evaluation.study(model, photos, fills="blur")
    with pytest.raises(TypeError, match=r"measures must be a sequence, such as \['worth'\]"):
        evaluation.study(model, photos, measures="worth")
    with pytest.raises(TypeError, match="fills must be a sequence"):
        evaluation.worth(model, photos["a"], [np.ones((8, 8))], fills="blur")
