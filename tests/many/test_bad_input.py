"""What goes wrong has a row that says why, or is refused in words; nothing is lost or replaced."""

import errno
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from PIL import Image
from tiny_many import a_model, some_photos

import combicam_widgets as ccw
from combicam_widgets import files, running
from combicam_widgets.many import storing
from combicam_widgets.models.transforms import WholePhoto


def contents(folder):
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_photos_that_cannot_be_used_say_why(folder_of_photos, tmp_path):
    (folder_of_photos / "a_text.jpg").write_text("no picture")
    (folder_of_photos / "b_cut.png").write_bytes((folder_of_photos / "0.png").read_bytes()[:300])
    (folder_of_photos / "c_copy.png").write_bytes((folder_of_photos / "1.png").read_bytes())
    Image.new("L", (9001, 9001)).save(folder_of_photos / "d_huge.png")
    names = ("a_text.jpg", "gone.jpg", "2.png")
    paths = [*sorted(folder_of_photos.rglob("*.png")), *(folder_of_photos / n for n in names)]
    out = tmp_path / "out"
    many = ccw.explain_many(a_model(), paths, batch=4, out=out)
    table = many.table().set_index("photo")
    assert list(table.index) == [*(path.name for path in paths[:-1]), "2.png 13"]
    errors = table.error[table.error != ""]
    words = {
        "b_cut.png": "broken|cut off|truncated",
        "c_copy.png": "the same picture as '1.png'",
        "d_huge.png": "81,018,001|9,001|more than",
        "a_text.jpg": "no picture|not a picture|cannot be read",
        "gone.jpg": "FileNotFoundError",
    }
    assert len(errors) == len(words) + 1
    for name, pattern in words.items():
        assert contains(errors[name], pattern), errors[name]
    assert errors.iloc[-1] == "the same picture as '2.png'"
    good = table[table.error == ""]
    assert len(good) == 7
    assert good.probability.notna().all()
    assert table.probability[errors.index].isna().all()
    with pytest.raises(LookupError, match="gone"):
        many.maps(list(table.index).index("gone.jpg"))
    some_photos(9)[8].to_pil().save(folder_of_photos / "gone.jpg")
    model = counting_from_now()
    again = ccw.explain_many(model, paths, batch=4, out=out).table().set_index("photo")
    assert again.error["gone.jpg"] == ""
    assert model.network.photos == 2  # it alone, and once to see that the model can be asked
    assert again.drop("gone.jpg").equals(table.drop("gone.jpg"))


def test_a_photo_that_vanishes_on_the_way_has_a_row_that_says_so(folder_of_photos, tmp_path):
    last = folder_of_photos / "more" / "6.png"

    def vanish(done, _total):
        if done == 2:
            last.unlink()

    out = tmp_path / "out"
    many = ccw.explain_many(a_model(), folder_of_photos, batch=2, out=out, progress=vanish)
    errors = many.table().set_index("photo").error
    assert errors["more/6.png"].startswith("FileNotFoundError")
    assert (errors.drop("more/6.png") == "").all()
    some_photos(7)[6].to_pil().save(last)
    again = ccw.explain_many(a_model(), folder_of_photos, batch=2, out=out)
    assert (again.table().error == "").all()


def counting_from_now():
    model = a_model()
    model.predict(some_photos(1)[0])
    assert model.layers == ("first", "second")  # found by a pass
    model.network.photos = 0
    return model


def contains(text, pattern):
    return any(word in text for word in pattern.split("|"))


def test_a_network_that_fails_for_one_photo_takes_no_other_along():
    model = a_model()
    assert len(model.layers) == 2  # found by a pass with a grey photo
    forward = model.network.forward

    def fails(x):
        if (x.flatten(2).std(2) < 1e-3).any():
            raise RuntimeError("too grey")
        return forward(x)

    model.network.forward = fails
    grey = ccw.Photo(np.full((50, 50, 3), 128, np.uint8), name="grey")
    photos = [*some_photos(4, [(50, 50)]), grey]
    table = ccw.explain_many(model, photos).table().set_index("photo")
    assert table.error["grey"] == "RuntimeError: too grey"
    assert (table.error.drop("grey") == "").all()


def test_a_network_that_fails_at_once_is_told_at_once():
    model = ccw.GeoModel(
        a_model().network, ccw.CellGrid.from_centers([0, 1, 2, 3], [0, 1, 2, 3]), WholePhoto(64)
    )
    assert len(model.layers) == 2
    model.network.forward = lambda x: x.new_full((len(x), 4), float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        ccw.explain_many(model, some_photos(2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": 2.0}, "weights was"),
        ({"candidates": ["hirescam, mean"]}, "candidates was"),
        ({"measures": ["drop"]}, "measures was"),
        ({"methods": ["layercam"]}, "methods was"),
    ],
)
def test_a_folder_of_something_else_is_refused_and_not_touched(change, words, tmp_path):
    out = tmp_path / "out"
    ccw.explain_many(a_model(), some_photos(2), out=out)
    before = contents(out)
    model = a_model(change.pop("model", 1.0))
    with pytest.raises(ValueError, match=rf"something else: .*{words}.*another folder"):
        ccw.explain_many(model, some_photos(2), out=out, **change)
    assert contents(out) == before


def test_a_folder_of_another_version_or_of_other_things_is_refused(tmp_path):
    out = tmp_path / "out"
    ccw.explain_many(a_model(), some_photos(2), out=out)
    about = json.loads((out / "many.json").read_text())
    (out / "many.json").write_text(json.dumps(about | {"version": "0.0.1"}))
    with pytest.raises(ValueError, match=r'version was "0.0.1" and is'):
        ccw.explain_many(a_model(), some_photos(2), out=out)
    (out / "many.json").write_text(json.dumps(about | {"format": "Many/9"}))
    with pytest.raises(ValueError, match="format 'Many/9'"):
        ccw.read_many(out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="not empty"):
        ccw.explain_many(a_model(), some_photos(2), out=tmp_path / "mine")
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(FileNotFoundError, match=r"no many\.json"):
        ccw.read_many(tmp_path / "mine")


def test_two_runs_do_not_meet_in_one_folder(tmp_path):
    refused = []

    def second(done, _total):
        if done == 2:
            with pytest.raises(RuntimeError, match="Another run is at work"):
                ccw.explain_many(a_model(), some_photos(4), out=tmp_path / "out")
            refused.append(done)

    out = tmp_path / "out"
    many = ccw.explain_many(a_model(), some_photos(4), batch=2, out=out, progress=second)
    assert refused
    assert (many.table().error == "").all()
    ccw.explain_many(a_model(), some_photos(4), out=tmp_path / "out")  # the lock is gone


def test_a_full_disk_loses_nothing_that_is_there(tmp_path, monkeypatch):
    out, real, written = tmp_path / "out", files.write, []

    def write(file, content):
        if file.parent.name == "shards":
            written.append(file)
            if len(written) == 4:  # the rows of the second batch
                raise OSError(errno.ENOSPC, "No space left on device")
        real(file, content)

    monkeypatch.setattr(storing.files, "write", write)
    with pytest.raises(OSError, match="No space left") as full:
        ccw.explain_many(a_model(), some_photos(6), batch=2, out=out)
    assert "make room" in full.value.__notes__[0]
    monkeypatch.undo()
    assert len(ccw.read_many(out)) == 2
    model = counting_from_now()
    many = ccw.explain_many(model, some_photos(6), batch=2, out=out)
    assert model.network.photos == 4 + 1
    assert many.table().equals(ccw.explain_many(a_model(), some_photos(6), batch=2).table())
    for i in range(6):
        many.maps(i)


def test_a_run_that_is_killed_loses_one_batch_at_most(tmp_path):
    code = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from tiny_many import a_model, some_photos
import combicam_widgets as ccw
def kill(done, total):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)
ccw.explain_many(a_model(), some_photos(7), batch=2, out=sys.argv[1], progress=kill)
"""
    out = tmp_path / "out"
    paths = [str(Path(__file__).parent), str(Path(ccw.__file__).parents[1])]
    done = subprocess.run([sys.executable, "-c", code, out, *paths], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(ccw.read_many(out)) == 4
    model = counting_from_now()
    many = ccw.explain_many(model, some_photos(7), batch=2, out=out)
    assert model.network.photos == 3 + 1
    assert many.table().equals(ccw.explain_many(a_model(), some_photos(7), batch=2).table())


def test_a_damaged_file_is_named(tmp_path):
    out = tmp_path / "out"
    ccw.explain_many(a_model(), some_photos(3), batch=3, out=out)
    maps, rows = out / "shards" / "000000.zarr.zip", out / "shards" / "000000.parquet"
    whole = maps.read_bytes()
    for damaged in (whole[:400], b""):
        maps.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"000000\.zarr\.zip is cut short"):
            ccw.read_many(out).maps(0)
    rows.write_bytes(rows.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"000000\.parquet is cut short.*delete it"):
        ccw.read_many(out)
    rows.unlink()
    assert (ccw.explain_many(a_model(), some_photos(3), batch=3, out=out).table().error == "").all()


class Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_a_folder_of_a_stranger_unpickles_nothing_and_fills_no_memory(tmp_path, monkeypatch):
    # Newer releases refuse this by themselves; the oldest that is promised does not.
    monkeypatch.setattr(numcodecs.pickles, "ALLOW_UNSAFE_PICKLE_DECODE", True, raising=False)
    out, trace = tmp_path / "out", tmp_path / "trace"
    ccw.explain_many(a_model(), some_photos(2, [(50, 50)]), out=out)
    maps = out / "shards" / "000000.zarr.zip"
    whole = maps.read_bytes()
    maps.unlink()
    with zarr.storage.ZipStore(maps, mode="w") as store:
        zarr.create_group(store, zarr_format=2)
        trapped = np.array([Trap(trace)], object)
        packer = numcodecs.Pickle()
        pickled = packer.encode(trapped)
        about = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "<f4", "order": "C"}
        about |= {"compressor": None, "fill_value": None, "filters": [{"id": "pickle"}]}
        store._zf.writestr("64x64/.zgroup", json.dumps({"zarr_format": 2}))
        store._zf.writestr("64x64/scales/.zarray", json.dumps(about))
        store._zf.writestr("64x64/scales/0", bytes(pickled))
    with pytest.raises(ValueError, match="cut short or damaged"):
        ccw.read_many(out).maps(0)
    assert not trace.exists()
    maps.write_bytes(whole)
    with zipfile.ZipFile(maps) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(entries["64x64/probabilities/zarr.json"])
    entries["64x64/probabilities/zarr.json"] = json.dumps(about | {"shape": [2**20, 2**20]})
    with zipfile.ZipFile(maps, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="cut short or damaged"):
        ccw.read_many(out).maps(0)
    maps.write_bytes(whole)
    assert ccw.read_many(out).maps(0).names == ("first", "second")
    monkeypatch.setattr(storing, "_LARGEST", 1000)
    with pytest.raises(ValueError, match="cut short or damaged"):
        ccw.read_many(out).maps(0)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"photos": ccw.Photo(np.zeros((9, 9, 3), np.uint8))}, TypeError, r"\[photo\]"),
        ({"photos": 7}, TypeError, "not int"),
        ({"photos": []}, ValueError, "no photo"),
        ({"photos": "nowhere/*.jpg"}, FileNotFoundError, "matches none"),
        ({"model": "naturalists"}, ValueError, "Did you mean 'naturalist'"),
        ({"model": 7}, TypeError, "GeoModel"),
        ({"batch": 0}, ValueError, "at least 1"),
        ({"measures": ["beauty"]}, ValueError, "layer worth"),
        ({"measures": "worth"}, TypeError, r"\['worth'\]"),
        ({"methods": ["scorecam"]}, ValueError, "pass for each channel"),
        ({"methods": ["x"]}, ValueError, "Unknown CAM method"),
        ({"candidates": []}, ValueError, "at least one"),
        ({"candidates": ["x, y"]}, ValueError, "Unknown candidate"),
        ({"positions": "yes"}, TypeError, "positions"),
        ({"client": 7}, TypeError, r"distributed\.Client"),
    ],
)
def test_arguments_are_refused_in_words(given, error, words):
    with pytest.raises(error, match=words):
        ccw.explain_many(**{"model": a_model(), "photos": some_photos(1), **given})


def test_a_table_without_the_column_or_with_places_off_earth_is_refused(tmp_path):
    for text, words in (
        ("file name\nx.png\n", "needs a column 'path'"),
        ("path,latitude,longitude\nx.png,91,0\n", "line 2: position"),
        ("path,latitude,longitude\nx.png,north,0\n", "line 2: could not"),
        ("", "it has none"),
    ):
        (tmp_path / "list.csv").write_text(text)
        with pytest.raises(ValueError, match=words):
            ccw.explain_many(a_model(), tmp_path / "list.csv")


@pytest.mark.parametrize(("module", "extra"), [("zarr", "many"), ("pyarrow", "many")])
def test_a_missing_extra_is_named_before_anything_is_written(module, extra, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"{module}: pip install '.*\[{extra}\]'"):
        ccw.explain_many(a_model(), some_photos(1), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    many = ccw.explain_many(a_model(), some_photos(1))
    assert many.heatmap(0).max() == 1
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pandas: pip install"):
        many.table()


def test_dask_is_not_needed_and_named_if_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "combicam_widgets.running.cluster", raising=False)
    monkeypatch.delattr(running, "cluster", raising=False)
    assert len(ccw.explain_many(a_model(), some_photos(1))) == 1
    with pytest.raises(ImportError, match=r"\[dask\]"):
        ccw.explain_many(a_model(), some_photos(1), client=object())


@pytest.fixture
def listening():
    """Hear Ctrl-C: what a shell starts in the background is deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
def test_ctrl_c_keeps_what_is_done(tmp_path):
    def interrupt(done, _total):
        if done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt) as stopped:
        ccw.explain_many(a_model(), some_photos(6), batch=2, out=out, progress=interrupt)
    assert "the same call goes on" in stopped.value.__notes__[0]
    assert 2 <= len(ccw.read_many(out)) < 6
