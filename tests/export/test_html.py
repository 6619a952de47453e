"""The page, as text; `tests/browser/test_page.py` opens it."""

import base64
import hashlib
import json
import re

import numpy as np
import pytest
from snapshots import HOSTILE, NAMES, POSITION, make_maps, make_snapshot

import combicam_widgets as ccw
from combicam_widgets import CellGrid, Photo
from combicam_widgets.cam import fuse, rules
from combicam_widgets.export import page as page_module
from combicam_widgets.export import to_html
from combicam_widgets.export.page import MAX_BYTES, RULES, packed


def unpacked(entry):
    data = base64.b64decode(entry["values"])
    if "range" not in entry:
        return np.frombuffer(data, "<f4").reshape(entry["shape"])
    low, high = entry["range"]
    steps = np.frombuffer(data, "<u2").reshape(entry["shape"])
    return (low + (high - low) * steps / 65535).astype(np.float32)


def page(snapshot, **how):
    return page_module.page([snapshot], **how)


def data_of(text):
    return json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])


def sheet_of(text):
    return data_of(text)["sheets"][0]


def test_the_policy_forbids_everything_but_this_script_and_this_style(snapshot):
    text = page(snapshot)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    rules_ = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    script = re.search(r'<script type="module">(.*)</script>', text, re.DOTALL)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]

    def hashed(part):
        return f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"

    assert rules_ == {
        "default-src": "'none'",
        "script-src": hashed(script),
        "style-src": hashed(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # It comes before anything that it should hold back.
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_it_refers_to_nothing_outside(snapshot):
    text = page(snapshot)
    assert re.findall(r'(?:src|href)="(?!data:image/|#)[^"]*"', text) == []
    assert not re.search(r"\bimport\b|\bfetch\(|@import|url\((?!#|\"data:)", text)
    assert not re.search(r"\son\w+=", text)


def test_the_maps_are_exact(snapshot):
    for entry, x in zip(sheet_of(page(snapshot))["maps"], snapshot.maps.maps, strict=True):
        np.testing.assert_array_equal(unpacked(entry), x)


@pytest.mark.parametrize("rule", ["sum", "mean", "max"])
@pytest.mark.parametrize("normalize", [None, "minmax", "max"])
def test_large_maps_are_close(rule, normalize):
    maps = [*make_maps().maps, np.zeros((3, 4), np.float32), np.full((5, 5), 0.25, np.float32)]
    sent = [unpacked(entry) for entry in packed(maps, exact=0)]
    for mine, theirs in zip(sent, maps, strict=True):
        assert np.abs(mine - theirs).max() <= np.ptp(theirs) / 131_070 + 1e-7
    weights = np.arange(len(maps))
    mine, theirs = (fuse(x, weights, (72, 96), rule, normalize) for x in (sent, maps))
    assert np.abs(mine - theirs).max() <= 1 / 255


def test_the_position_stays_at_home(snapshot, tmp_path):
    path = tmp_path / "page.html"
    secrets = [f"{value:.{digits}f}" for value in POSITION for digits in (3, 4, 5)]
    secrets += ["16,200", "true place", "truly taken"]
    to_html(snapshot, path)
    found = path.read_bytes()
    assert not [secret for secret in secrets if secret.encode() in found]
    to_html(snapshot, path, include_position=True)
    assert b"true place" in path.read_bytes()
    assert b"16,200 km away" in path.read_bytes()


def test_the_position_of_a_sample_and_exif_stay_at_home(tmp_path):
    photo = ccw.sample("eiffel_tower")
    text = page(make_snapshot(photo=photo))
    latitude, longitude = photo.position
    assert f"{latitude:.2f}" not in text
    assert f"{longitude:.4f}" not in text
    picture = base64.b64decode(re.search(r"data:image/webp;base64,([^\"]+)", text)[1])
    assert b"EXIF" not in picture
    assert b"Exif" not in picture
    assert b"XMP " not in picture


def test_names_from_outside_are_only_text():
    names = tuple(f"{HOSTILE}{i}" for i in range(4))
    cells = make_snapshot().prediction.cells
    places = [f"{HOSTILE}{{{{script}}}}"] * 8
    hostile = CellGrid(cells.latitudes, cells.longitudes, cells.outlines, tuple(places))
    given = type(make_snapshot().prediction)(make_snapshot().prediction.probabilities, hostile)
    photo = Photo(np.zeros((20, 20, 3), np.uint8), name=HOSTILE, credit=HOSTILE)
    text = page(
        make_snapshot(
            names, photo=photo, prediction=given, model=HOSTILE, status=HOSTILE, votes=(given,) * 4
        )
    )
    assert "<img src=x" not in text
    assert text.count("</script>") == 2
    assert text.count("&lt;img src=x onerror") >= 6
    assert text.count("{{script}}") >= 5  # what is put in is not looked at again
    assert sheet_of(text)["names"] == list(names)


def test_it_is_small_or_refused(snapshot, tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), np.uint8)
    to_html(make_snapshot(photo=Photo(noise)), tmp_path / "a.html")
    assert (tmp_path / "a.html").stat().st_size <= MAX_BYTES
    monkeypatch.setattr(page_module, "MAX_BYTES", 50_000)
    with pytest.raises(ValueError, match=r"more than 0\.05: explain fewer layers"):
        to_html(snapshot, tmp_path / "b.html")
    assert not (tmp_path / "b.html").exists()


def test_a_rule_of_your_own_is_refused(tmp_path):
    rules.fusion_rule("mine", "a rule of mine")(lambda stack: stack.weighted_sum())
    try:
        snapshot = make_snapshot(rule="mine")
        with pytest.raises(ValueError, match="A page cannot run the rule 'mine'"):
            to_html(snapshot, tmp_path / "page.html")
    finally:
        rules._RULES.pop("mine")
    assert set(RULES) == set(rules.rule_names())


def test_the_votes_name_their_layers(snapshot):
    text = page(snapshot)
    assert re.findall(r'data-layers="([^"]*)"', text) == ["0", "1 2", "3"]
    assert "layers 2 and 3 alone: Congo (block.1, block.2)" in text
    without = page(make_snapshot(votes=None))
    assert "data-layers" not in without.partition("<script")[0]
    assert all(name in text for name in NAMES)
