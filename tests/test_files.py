"""Files are written whole or not at all, and are what their names say."""

import json
import os
import stat
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from snapshots import make_snapshot

import combicam_widgets as ccw
from combicam_widgets import evaluation, files
from combicam_widgets.export import save_png, to_geojson, to_html
from combicam_widgets.geo import CellGrid

WAYS = {"png": save_png, "html": to_html, "geojson": to_geojson}


@pytest.fixture(scope="module")
def snapshot():
    return make_snapshot()


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        (".png", "PNG"),
        (".PNG", "PNG"),
        ("", "PNG"),
        (".jpg", "JPEG"),
        (".JPEG", "JPEG"),
        (".webp", "WEBP"),
    ],
)
def test_a_picture_is_what_its_name_says(snapshot, tmp_path, ending, kind):
    file = tmp_path / f"x{ending}"
    save_png(snapshot, str(file), scale=1)
    with Image.open(file) as picture:
        assert picture.format == kind
        assert not picture.getexif()
        assert not {"exif", "xmp", "comment"} & {str(key).lower() for key in picture.info}
        drawn = np.asarray(picture.convert("RGB")).astype(float)
    save_png(snapshot, tmp_path / "exact.png", scale=1)
    exact = np.asarray(Image.open(tmp_path / "exact.png").convert("RGB"))
    assert drawn.shape == exact.shape
    assert np.abs(drawn - exact).mean() < 8  # the photo is noise, which is hard to pack


@pytest.mark.parametrize(
    ("way", "name"),
    [
        ("png", "x.gif"),
        ("png", "x.pdf"),
        ("png", "x.html"),
        ("png", "x.png.txt"),
        ("html", "x.txt"),
        ("html", "x.png"),
        ("html", "x.json"),
        ("geojson", "x.html"),
        ("geojson", "x.csv"),
    ],
)
def test_a_name_that_promises_something_else_is_refused(snapshot, tmp_path, way, name):
    with pytest.raises(ValueError, match=rf"path must end in \..*, got .*{name}"):
        WAYS[way](snapshot, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("", ValueError, "must name a file"),
        ("  ", ValueError, "must name a file"),
        ("a\0b", ValueError, "must name a file"),
        ("a\ud800.{way}", ValueError, "must name a file"),
        (f"{'a' * 300}.{{way}}", ValueError, "must name a file, got 'aaaa"),
        (f"{'ä' * 130}.{{way}}", ValueError, "must name a file"),
        (f"{'a' * 300}/x.{{way}}", ValueError, "must name a file"),
        (".{way}", ValueError, r"nothing says what to write; 'x\.{way}' would"),
        ("folder", IsADirectoryError, "is a folder: add the name of a file"),
        ("folder/", IsADirectoryError, "is a folder"),
        ("none/", IsADirectoryError, "is a folder"),
        ("none/x.{way}", FileNotFoundError, "There is no folder .*none.*make it first"),
        ("file/x.{way}", NotADirectoryError, "file' is a file: give a folder"),
        ("~no-such-user/x.{way}", ValueError, "no user"),
        (b"x.png", TypeError, "got bytes"),
        (3, TypeError, "got int"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_where_nothing_can_be_written_is_said(
    snapshot, tmp_path, monkeypatch, way, path, error, message
):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").touch()
    if path is None and way == "geojson":
        assert to_geojson(snapshot, None) == to_geojson(snapshot)
        return
    with pytest.raises(error, match=message.replace("{way}", way)):
        WAYS[way](snapshot, path.format(way=way) if isinstance(path, str) else path)
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.parametrize("way", WAYS)
def test_the_own_folder_and_links_are_followed(snapshot, tmp_path, monkeypatch, way):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    WAYS[way](snapshot, f"~/x.{way}")
    content = (tmp_path / f"x.{way}").read_bytes()
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / f"link.{way}").symlink_to(tmp_path / "real")
    WAYS[way](snapshot, tmp_path / f"link.{way}")
    assert (tmp_path / f"link.{way}").is_symlink()
    assert (tmp_path / "real").read_bytes() == content


def test_a_link_says_what_is_written_and_not_the_file_it_leads_to(snapshot, tmp_path):
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real.dat")
    save_png(snapshot, tmp_path / "link.jpg", 0.5)
    with Image.open(tmp_path / "real.dat") as picture:
        assert picture.format == "JPEG"


def test_geojson_in_a_file_is_what_is_returned(snapshot, tmp_path):
    returned = to_geojson(snapshot, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == returned
    assert returned == to_geojson(snapshot)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
@pytest.mark.parametrize("way", WAYS)
def test_a_failed_write_leaves_the_file_that_was_there(snapshot, tmp_path, monkeypatch, way, error):
    file = tmp_path / f"x.{way}"
    file.write_bytes(b"before")
    opened = Path.open

    def full(self, mode="r", *args, **kwargs):
        handle = opened(self, mode, *args, **kwargs)
        if "x" in mode:
            handle.write(b"half")

            def fail(_content):
                raise error

            handle = type("Full", (), {"write": staticmethod(fail), "close": handle.close})()
            type(handle).__enter__ = lambda self: self
            type(handle).__exit__ = lambda self, *_: self.close()
        return handle

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(type(error)):
        WAYS[way](snapshot, file)
    monkeypatch.undo()
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_keeps_its_permissions_and_a_new_one_has_those_of_any_other(tmp_path):
    old, new, plain = (tmp_path / name for name in ("old.html", "new.html", "plain"))
    old.write_bytes(b"before")
    old.chmod(0o640)
    plain.touch()
    for file in (old, new):
        files.write(files.destination(file, (".html",)), b"after")
        assert file.read_bytes() == b"after"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == plain.stat().st_mode


def test_a_file_that_must_not_be_written_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "x.html"
    file.write_bytes(b"before")
    allowed = {}
    monkeypatch.setattr(os, "access", lambda path, _mode: allowed.get(Path(path).name, True))
    for place in ("x.html", tmp_path.name):  # the file itself, its folder
        allowed = {place: False}
        with pytest.raises(PermissionError, match="must not be written: choose another place"):
            files.destination(file, (".html",))
    allowed = {}
    assert files.destination(file, (".html",)) == file.resolve()


def test_a_device_is_written_to_and_not_replaced():
    code = (
        "from combicam_widgets import files;"
        "files.write(files.destination('/dev/stdout', ('.html',)), b'hello')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ran.stdout == b"hello"


@pytest.mark.parametrize(
    ("scale", "error"),
    [
        ("2", TypeError),
        (True, TypeError),
        (None, TypeError),
        (float("nan"), ValueError),
        (9, ValueError),
    ],
)
def test_a_scale_is_a_number_in_range(snapshot, tmp_path, scale, error):
    with pytest.raises(error, match="scale must"):
        save_png(snapshot, tmp_path / "x.png", scale)
    save_png(snapshot, tmp_path / "x.png", np.float32(0.5))
    with pytest.raises(TypeError, match="title must be a str, got int"):
        to_html(snapshot, tmp_path / "x.html", title=5)
    assert [file.name for file in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize("thing", ["maps", "grid"])
def test_archives_are_written_in_the_same_way(snapshot, tmp_path, thing):
    saved = snapshot.maps if thing == "maps" else snapshot.prediction.cells
    with pytest.raises(FileNotFoundError, match="make it first"):
        saved.save(tmp_path / "none" / "x.npz")
    for name in ("x.npz", "x", "x.cells"):
        saved.save(tmp_path / name)
        again = type(saved).load(tmp_path / name)
        assert repr(again) == repr(saved)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x", "x.cells", "x.npz"]


def test_names_that_no_encoding_knows_do_not_stop_a_page(tmp_path):
    to_html(make_snapshot(model="from \udc80 a file"), tmp_path / "x.html")
    assert b"from ? a file" in (tmp_path / "x.html").read_bytes()


READERS = {
    "a table of cells": ("x.csv", CellGrid.from_csv),
    "GeoJSON": ("x.geojson", CellGrid.from_geojson),
    "cells": ("x.npz", CellGrid.load),
    "a table of photos": ("x.csv", lambda file: ccw.explain_many("atlas", file)),
    "photos": ("x.png", lambda file: _error_of(ccw.explain_many("atlas", [file]))),
    "a study": ("x.csv", evaluation.Study.from_csv),
    "a packed study": ("x.csv.gz", evaluation.Study.from_csv),
    "a folder of a study": ("study.json", lambda file: evaluation.Study.from_folder(file.parent)),
    "a folder of photos": ("many.json", lambda file: ccw.read_many(file.parent)),
    "a photo": ("x.png", ccw.load_image),
}


def _error_of(many):
    (error,) = many.table().error
    raise ValueError(error)


@pytest.mark.parametrize("what", READERS)
@pytest.mark.parametrize("kind", ["a device", "a pipe", "too large"])
def test_what_never_ends_is_not_read(what, kind, tmp_path):
    """It would fill the memory, or wait for ever."""
    name, read = READERS[what]
    file = tmp_path / name
    if kind == "a device":
        file.symlink_to("/dev/zero")
    elif kind == "a pipe":
        os.mkfifo(file)
    else:
        with file.open("wb") as opened:
            opened.truncate(2**40)  # without taking any room
    start = time.monotonic()
    with pytest.raises((OSError, ValueError)) as refused:
        read(file)
    assert time.monotonic() - start < 20
    assert str(tmp_path) in str(refused.value) or name in str(refused.value)


def test_a_small_file_that_unpacks_without_end_is_not_read(tmp_path):
    file = tmp_path / "x.csv.gz"
    packer = zlib.compressobj(wbits=31)
    zeros = bytes(2**20)
    with file.open("wb") as opened:
        for _ in range(2**9):
            opened.write(packer.compress(zeros))
        opened.write(packer.flush())
    assert file.stat().st_size < 2**20
    with pytest.raises(ValueError, match="does not hold a study"):
        evaluation.Study.from_csv(file)
