"""The gallery without a page: what is shown, what is sent, and what a hand-out says."""

import asyncio
import base64
import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import ipywidgets as w
import numpy as np
import pandas as pd
import photo_tables
import pytest
import tiny
from ipywidgets.widgets.widget import _instances as widgets_alive
from PIL import Image
from traitlets import TraitError

import combicam_widgets as ccw
from combicam_widgets.evaluation import Candidate
from combicam_widgets.widgets.gallery.columns import columns_of, folded, for_page, matching, ordered
from combicam_widgets.widgets.gallery.pictures import Look, Pictures

ROWS = 400


@pytest.fixture(scope="module")
def many():
    return photo_tables.Collection(ROWS)


@pytest.fixture(scope="module")
def frame(many):
    return many.table()


@pytest.fixture
def gallery(many, at_once):
    gallery = ccw.Gallery(many)
    yield gallery
    gallery.close()


def sent_by(gallery, monkeypatch):
    """Everything that the gallery sends to the page by message from now on."""
    sent = []
    monkeypatch.setattr(
        gallery._page, "send", lambda content, buffers=None: sent.append((content, buffers))
    )
    return sent


# Sorting and filtering, with pandas as the oracle.


@pytest.mark.parametrize("descending", [False, True])
def test_sorted_as_pandas_sorts(gallery, frame, descending):
    for name in frame:
        gallery.sort_by = f"-{name}" if descending else name
        expected = frame.reset_index(drop=True).sort_values(
            name, ascending=not descending, kind="stable", na_position="last"
        )
        assert gallery.shown.tolist() == expected.index.tolist(), name


CONDITIONS = {
    "between": ({"worth": (0.1, 0.3)}, lambda f: f.worth.between(0.1, 0.3)),
    "at least": ({"distance": (800, None)}, lambda f: f.distance >= 800),
    "at most": ({"cell": (None, 99)}, lambda f: (f.cell <= 99).fillna(False)),
    "known": ({"probability": (None, None)}, lambda f: f.probability.notna()),
    "part": ({"place": "malaga, SP"}, lambda f: f.place == "near Málaga, Spain"),
    "accents": ({"place": "zürich"}, lambda f: f.place == "Zürich"),
    "one of": (
        {"place": ["Zürich", "Paris, France"]},
        lambda f: f.place.isin(["Zürich", "Paris, France"]),
    ),
    "something": ({"error": True}, lambda f: f.error.notna()),
    "nothing": ({"error": False}, lambda f: f.error.isna()),
    "both": (
        {"worth": (0.3, None), "place": "osaka"},
        lambda f: (f.worth >= 0.3) & (f.place == "Ōsaka, Japan"),
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_filtered_as_pandas_filters(gallery, frame, name):
    filters, of = CONDITIONS[name]
    gallery.filters = filters
    expected = frame.index[of(frame).astype(bool)].tolist()
    assert 0 < len(expected) < ROWS
    assert gallery.shown.tolist() == expected


def test_a_search_finds_words_in_any_text(gallery, frame):
    gallery.search = "  ZURICH photo_0001 "
    found = frame.index[frame.photo.str.contains("photo_0001") & (frame.place == "Zürich")]
    assert gallery.shown.tolist() == found.tolist()
    gallery.search = "nowhere to be found"
    assert len(gallery.shown) == 0


def test_a_brush_and_filters_hold_both(gallery, frame):
    gallery.update(
        brush={"worth": (0.2, 0.4), "distance": (0, 900)},
        filters={"probability": (0.1, None)},
        sort_by="-probability",
    )
    f = frame[frame.worth.between(0.2, 0.4) & (frame.distance <= 900) & (frame.probability >= 0.1)]
    expected = f.sort_values("probability", ascending=False, kind="stable").index
    assert gallery.shown.tolist() == expected.tolist()
    assert not gallery.shown.flags.writeable
    gallery.update(brush={"place": ["Zürich"], "worth": (0, 1)}, filters={}, x="worth", y="place")
    expected = frame.index[(frame.place == "Zürich") & frame.worth.between(0, 1)]
    assert sorted(gallery.shown) == expected.tolist()


def test_columns_of_every_kind():
    frame = pd.DataFrame(
        {
            "token": [2**60 + 1, 2**60, 2**60 + 2],
            "good": [True, False, True],
            "when": pd.to_datetime(["2026-01-03", None, "2025-12-31"]),
            "share: a": [0.2, 0.7, np.nan],
            "share: b": [0.8, 0.3, np.nan],
            -3: [1.5, np.inf, np.nan],
        }
    )
    columns = columns_of(frame)
    assert columns["token"].words == tuple(str(2**60 + i) for i in range(3))
    assert [columns["good"].text(row) for row in range(3)] == ["yes", "no", "yes"]
    assert [columns["when"].text(row)[:10] for row in range(3)] == ["2026-01-03", "", "2025-12-31"]
    assert [columns["carried by"].text(row) for row in range(3)] == ["b", "a", ""]
    assert ordered(columns, "--3").tolist() == [1, 0, 2]
    assert ordered(columns, "-3").tolist() == [0, 1, 2]
    assert matching(columns, {"-3": (0, None)}, "").tolist() == [True, True, False]
    assert columns_of(frame.iloc[:0]).rows == 0
    with pytest.raises(ValueError, match="two columns 'x'"):
        columns_of(pd.DataFrame([[1, 2]], columns=["x", "x"]))


def test_names_that_no_text_can_hold_reach_the_page():
    frame = pd.DataFrame({"photo": ["\udcff.jpg", "a.jpg"]}, dtype=object)
    heads, _ = for_page(columns_of(frame))
    assert heads[0]["words"] == ["a.jpg", "?.jpg"]
    json.dumps(heads).encode()
    with pytest.raises(TraitError, match="no columns before there are photos"):
        ccw.Gallery(sort_by="worth")


def test_names_are_folded_whatever_their_accents():
    assert folded("ŌSAKA Ångström ﬁn ẞ") == "osaka angstrom fin ß"


# Traits.


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sort_by": "-distanze"}, "no column 'distanze'. Did you mean 'distance'"),
        ({"x": "places"}, "no column 'places'. Did you mean 'place'"),
        ({"filters": {"worht": (0, 1)}}, "Did you mean 'worth'"),
        ({"filters": {"worth": (2, 1)}}, "low <= high"),
        ({"filters": {"worth": "much"}}, r"must be \(low, high\)"),
        ({"filters": {"worth": (0, float("nan"))}}, "finite"),
        ({"filters": {"place": 3}}, "a text to look for"),
        ({"brush": {"worth": (None, 1)}}, r"must be \(low, high\)"),
        ({"brush": {"place": "Paris"}}, "must be a list of texts"),
        ({"selected": ROWS}, f"a row of {ROWS}"),
        ({"selected": True}, "must be a row"),
        ({"filters": [1]}, "dict from column"),
        ({"colormap": "jet"}, "colormap must be one of"),
        ({"many": 3}, r"must have table\(\)"),
    ],
)
def test_what_means_nothing_is_refused_and_changes_nothing(gallery, values, words):
    gallery.sort_by = "-worth"
    before = gallery.shown
    with pytest.raises(TraitError, match=words):
        gallery.update(**values)
    assert gallery.sort_by == "-worth"
    assert gallery.shown is before


def test_misspelt_names_are_refused(many, gallery):
    with pytest.raises(AttributeError, match="Did you mean 'sort_by'"):
        gallery.sortby = "worth"
    with pytest.raises(TypeError, match="no option 'filter'"):
        ccw.Gallery(many, filter={})
    with pytest.raises(TraitError, match="read-only"):
        gallery.shown = [1]


def test_a_plain_table_needs_pictures(frame):
    with pytest.raises(TraitError, match="give photos"):
        ccw.Gallery(frame)
    with pytest.raises(ValueError, match="400 rows and 3 photos"):
        ccw.Gallery(frame, photos=[1, 2, 3])
    with pytest.raises(TypeError, match="heatmaps go with photos"):
        ccw.Gallery(frame, heatmaps=lambda _row: None)
    with pytest.raises(TypeError, match="photos go with a pandas"):
        ccw.Gallery(photos=[tiny.photo(0)])
    gallery = ccw.Gallery(frame.head(2), photos=[tiny.photo(0), tiny.photo(1)])
    assert gallery.pictures.made(1, Look(True, "inferno")).problem == ""


def test_other_photos_begin_anew(gallery):
    gallery.update(sort_by="-worth", filters={"worth": (0, None)}, selected=3)
    other = photo_tables.Collection(5, seed=2)
    gallery.many = other
    assert (gallery.sort_by, gallery.filters, gallery.selected) == ("", {}, None)
    assert gallery.shown.tolist() == [0, 1, 2, 3, 4]
    assert (gallery.x, gallery.y) == ("distance", "worth")
    gallery.many = None
    assert len(gallery.shown) == 0


def test_observers_hear_what_is_shown(gallery):
    heard = []
    gallery.observe(lambda change: heard.append(len(change["new"])), "shown")
    gallery.filters = {"error": True}
    gallery.update(filters={}, sort_by="worth")
    assert heard == [ROWS // 97, ROWS]


# The page.


def test_what_a_person_does_is_heard(gallery):
    gallery._page.set_state({"sort_by": "-worth", "filters": {"place": ["Zürich"]}})
    gallery._page.set_state({"brush": {"worth": [0, 0.5]}, "selected": 7})
    assert gallery.sort_by == "-worth"
    assert gallery.filters == {"place": ("Zürich",)}
    assert gallery.brush == {"worth": (0, 0.5)}
    assert gallery.selected == 7
    gallery.search = "paris"
    assert gallery._page.search == "paris"
    with pytest.raises(TypeError, match="cannot be changed in place"):
        gallery.filters["worth"] = (0, 1)
    with pytest.raises(TypeError, match="counted from 0, not None"):
        gallery.open_photo(None)


def test_the_table_is_told_by_message_and_not_saved(gallery, monkeypatch, frame):
    sent = sent_by(gallery, monkeypatch)
    gallery._page._handle_custom_msg({"ask": "the table"}, [])
    ((head, buffers),) = sent
    worth = next(i for i, column in enumerate(head["table"]) if column["name"] == "worth")
    assert np.array_equal(np.frombuffer(buffers[worth]), frame.worth, equal_nan=True)
    saved = json.dumps(
        [w.get_state(drop_defaults=False) for w in (gallery, gallery._page)], default=str
    )
    assert "photo_0" not in saved
    assert "Zürich" not in saved


def test_pictures_come_when_they_are_wanted_once(gallery, many, monkeypatch):
    sent = sent_by(gallery, monkeypatch)
    many.asked.clear()
    gallery._page._handle_custom_msg({"want": [5, 96, 7, "x", 10**9]}, [])
    assert [head["picture"] for head, _ in sent] == [5, 96, 7]
    assert [head["problem"] for head, _ in sent] == ["", "cannot read photo 96", ""]
    (jpeg,) = sent[0][1]
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    assert image.size == (120, 90)
    assert len(jpeg) < 8000
    gallery._page._handle_custom_msg({"want": [7, 5]}, [])
    assert many.asked == [5, 7]
    gallery.heat = False
    gallery._page._handle_custom_msg({"want": [5]}, [])
    assert not sent[-1][0]["heat"]
    plain = np.asarray(Image.open(io.BytesIO(sent[-1][1][0])).convert("RGB"), float)
    assert np.abs(plain - many.photo(5)).mean() < 6
    assert np.abs(np.asarray(image.convert("RGB"), float) - many.photo(5)).max() > 60


def test_pictures_that_were_scrolled_past_are_given_up():
    reading, go_on, read = threading.Event(), threading.Event(), []

    def photo(row):
        read.append(row)
        reading.set()
        assert go_on.wait(20)
        return tiny.photo(row)

    async def scroll():
        came = asyncio.Event()
        sent = []

        def send(row, _look, _small):
            sent.append(row)
            if row == 91:
                came.set()

        pictures = Pictures(photo, None, send)
        look = Look(heat=True, colormap="inferno")
        pictures.want(range(50), look)
        await asyncio.to_thread(reading.wait, 20)
        pictures.want([90, 91], look)
        go_on.set()
        await asyncio.wait_for(came.wait(), 20)
        pictures.close()
        return sent

    with ThreadPoolExecutor(1) as thread:  # browser tests leave a loop running in this one
        sent = thread.submit(asyncio.run, scroll()).result()
    assert read == [0, 90, 91]
    assert sent[-2:] == [90, 91]


def test_where_no_widgets_are_the_first_photos_are_seen(gallery, many):
    gallery.update(filters={"worth": (0.2, None)}, heat=False)
    bundle = gallery._repr_mimebundle_()
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"]))), float)
    assert sheet.shape == (3 * 184, 4 * 184, 3)
    first, sixth = many.photo(gallery.shown[0]), many.photo(gallery.shown[5])
    assert np.abs(sheet[47:137, 32:152] - first).mean() < 8
    assert np.abs(sheet[184 + 47 : 184 + 137, 184 + 32 : 184 + 152] - sixth).mean() < 8
    shown = len(gallery.shown)
    assert f"first of {shown} photos ({ROWS - shown} are left out)." in bundle["text/html"]
    assert "photo_0" not in json.dumps(bundle, default=str)
    assert gallery._page.get_state()["still"] == base64.b64decode(bundle["image/jpeg"])
    assert gallery._page.alone in bundle["text/html"]
    gallery.search = "nothing like it"
    assert "image/jpeg" not in gallery._repr_mimebundle_()
    assert "image/jpeg" not in ccw.Gallery()._repr_mimebundle_()


def test_heat_that_cannot_be_had_leaves_the_photo(frame):
    def heatmap(_row):
        raise LookupError("no maps were kept")

    pictures = ccw.Gallery(frame, photos=lambda _row: tiny.photo(1), heatmaps=heatmap).pictures
    small = pictures.made(0, Look(True, "inferno"))
    assert small.problem == "No heat: no maps were kept"
    assert Image.open(io.BytesIO(small.jpeg)).size == (48, 40)


# Opening.


def test_a_photo_is_opened_in_one_explorer(frame):
    model = tiny.model()
    photos = [tiny.photo(i) for i in range(3)]
    gallery = ccw.Gallery(frame.head(3), photos=photos, model=model)
    rows = []
    gallery.on_open(rows.append)
    gallery._page._handle_custom_msg({"open": 1}, [])
    explorer = gallery.explorer
    assert explorer.image is photos[1]
    assert explorer.model is model
    assert gallery.children == (gallery._page, explorer)
    gallery.open_photo(2)
    assert gallery.explorer is explorer
    assert explorer.image is photos[2]
    assert (rows, gallery.selected) == ([1, 2], 2)
    assert (gallery._page.doing, gallery._page.exploring) != ("", False)
    gallery._page._handle_custom_msg({"close": True}, [])
    assert (gallery._page.doing, gallery._page.exploring) == ("", False)
    assert gallery.explorer is None
    assert explorer.comm is None
    gallery.open_photo(0)
    again = gallery.explorer
    assert again is not explorer
    gallery.close()
    assert again.comm is None


def test_what_explain_many_found_is_shown_and_opened_as_it_was_explained(tmp_path):
    model = tiny.model()
    photos = {f"photo {i}": tiny.photo(i, (10.0 * i, 20.0 * i)) for i in range(3)}
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    candidates = [Candidate("mine", "hirescam", "max", {"2": 2.0, "4": 1.0})]
    many = ccw.explain_many(
        model, {**photos, "broken": broken}, candidates=candidates, positions=True, progress=False
    )
    gallery = ccw.Gallery(many, sort_by="-distance_km", model=model)
    table = many.table()
    assert (
        gallery.shown.tolist() == table.sort_values("distance_km", ascending=False).index.tolist()
    )
    known = {column.role for column in gallery.columns.values()} - {""}
    assert known >= {"photo", "place", "latitude", "true_longitude", "distance", "carrier", "share"}
    gallery.filters = {"error": True}
    assert gallery.shown.tolist() == [3]
    gallery.filters = {"carried_by": [table.carried_by[0]]}
    assert 0 in gallery.shown
    assert len(gallery.columns) == len(table.columns)
    gallery.open_photo(1)
    assert gallery.explorer.image.position == (10, 20)
    expected = many.heatmap(1, size=gallery.explorer.heatmap.shape)
    np.testing.assert_allclose(gallery.explorer.heatmap, expected, atol=2e-3)
    with pytest.raises(ValueError, match="'tiny' explained these photos"):
        ccw.Gallery(replace(many, model=None)).open_photo(0)  # as read_many gives it
    knowing = ccw.Gallery(many)
    knowing.open_photo(0)
    assert knowing.explorer.model is model
    knowing.close()
    other = ccw.GeoModel(model.network, model.cells, model.transform, ["0", "4"], name="other")
    with pytest.raises(ValueError, match="has other layers"):
        ccw.Gallery(many, model=other).open_photo(0)


def test_what_goes_wrong_is_said_on_the_page(gallery):
    gallery._page._handle_custom_msg({"open": 4}, [])
    assert "which model explains" in gallery._page.problem
    assert gallery._page.doing == ""
    gallery.explores = False
    gallery._page._handle_custom_msg({"open": 4}, [])
    assert gallery._page.problem == ""
    gallery.on_open(lambda _row: 1 / 0)
    gallery._page._handle_custom_msg({"open": 4}, [])
    assert "division by zero" in gallery._page.problem
    with pytest.raises(ZeroDivisionError):
        gallery.open_photo(4)


def test_nothing_is_left_of_a_closed_gallery(many):
    before = set(widgets_alive)
    ccw.Gallery(many).close()
    with pytest.raises(TraitError):
        ccw.Gallery(many, sort_by="nothing")
    assert set(widgets_alive) == before
    assert isinstance(ccw.Gallery(), w.VBox)


# Hand-outs.


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_a_hand_out_holds_a_hundred_photos_and_no_secrets(gallery, tmp_path):
    gallery.update(sort_by="-worth")
    path = tmp_path / "photos.html"
    gallery.to_html(path, title="</title><script>alert(1)</script>")
    page = path.read_text(encoding="utf-8")
    data = data_of(page)
    assert data["rows"] == len(data["pictures"]) == 100
    assert page.count("<script") == 2
    assert "Nowhere</b>" in json.dumps(data)
    assert "<b>Nowhere" not in page
    names = [column["name"] for column in data["table"]]
    assert not {"photo", "true_latitude", "true_longitude", "distance"} & set(names)
    worth = np.frombuffer(base64.b64decode(data["values"][names.index("worth")]))
    assert np.array_equal(worth, gallery.many.table().worth[gallery.shown[:100]])
    assert (data["state"]["x"], data["state"]["y"]) == ("probability", "worth")
    assert "photo_0" not in page


def test_a_hand_out_tells_what_is_asked_for(gallery, tmp_path):
    gallery.filters = {"error": True}
    path = tmp_path / "photos.htm"
    gallery.to_html(path)
    data = data_of(path.read_text(encoding="utf-8"))
    assert {picture["problem"] for picture in data["pictures"]} == {"could not be explained"}
    assert "cut off" not in path.read_text(encoding="utf-8")
    gallery.to_html(path, include_names=True, include_position=True)
    data = data_of(path.read_text(encoding="utf-8"))
    assert data["pictures"][0]["problem"] == "cannot read photo 96"
    words = {column["name"]: column["words"] for column in data["table"]}
    assert words["error"] == ["The file is cut off <after> 12 bytes"]
    assert words["photo"][0] == "photo_00096.jpg"
    assert "true_latitude" in words


def test_a_hand_out_thanks_for_photos(frame, tmp_path):
    photos = [tiny.photo(0, name="Petra", credit="A. <Person>, CC0"), tiny.photo(1, name="secret")]
    gallery = ccw.Gallery(frame.head(2), photos=photos)
    gallery.to_html(tmp_path / "photos.html")
    data = data_of((tmp_path / "photos.html").read_text(encoding="utf-8"))
    assert [picture["credit"] for picture in data["pictures"]] == ["A. <Person>, CC0", ""]
    assert data["table"][0]["words"] == ["Petra"]
    assert np.frombuffer(base64.b64decode(data["values"][0]), np.int32).tolist() == [0, -1]
    assert "secret" not in json.dumps(data)


def test_a_hand_out_of_nothing_is_refused(gallery, tmp_path):
    gallery.search = "nothing like it"
    with pytest.raises(ValueError, match="No photo is shown"):
        gallery.to_html(tmp_path / "a.html")
    with pytest.raises(ValueError, match=r"\.html"):
        gallery.to_html(tmp_path / "a.pdf")
