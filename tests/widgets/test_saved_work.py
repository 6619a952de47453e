"""Nothing of a photo's position, of the distance to it, or of its file's name leaves the live page.

Every way in which work is saved or exported is searched, and compared with the same work on the
same photo without a position: what both hold is no secret.
"""

import base64
import io
import json
import re

import nbformat
import pytest
from ipywidgets import VBox, Widget
from ipywidgets.embed import embed_minimal_html
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from PIL import ExifTags, Image

import combicam_widgets as ccw
from combicam_widgets.export import Snapshot
from combicam_widgets.geo import geoscore, great_circle_km
from combicam_widgets.widgets import Explorer

POSITION = (-48.876543, -123.393717)
GUESS = (-21.5, 55.25)
NAME = "grandma 1951"


def degrees(value):
    whole = int(abs(value))
    minutes = (abs(value) - whole) * 60
    return whole, int(minutes), round((minutes - int(minutes)) * 60, 4)


def jpeg(path, *, position):
    """Save a JPEG as phones do, with its position in the EXIF data."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "at home" if position else ""
    if position:
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        gps[ExifTags.GPS.GPSLatitudeRef] = "S"
        gps[ExifTags.GPS.GPSLatitude] = degrees(position[0])
        gps[ExifTags.GPS.GPSLongitudeRef] = "W"
        gps[ExifTags.GPS.GPSLongitude] = degrees(position[1])
    ccw.sample("eiffel_tower").to_pil().save(path, exif=exif)
    return path


def secrets(prediction):
    """Name all that must not be said, in every spelling that anybody might choose."""
    best = prediction.best
    known = {f"{value:.{digits}f}" for value in map(abs, POSITION) for digits in range(1, 7)}
    known |= {str(part) for value in POSITION for part in degrees(value)[2:]}
    answer = great_circle_km(best.latitude, best.longitude, *POSITION)
    mine = great_circle_km(*GUESS, *POSITION)
    for km in (answer, mine):
        for rounded in (km, round(km, 1), round(km), round(km, -1)):
            known |= {f"{rounded:,.{digits}f}" for digits in (0, 1, 2)}
            known |= {f"{rounded:.{digits}f}" for digits in (0, 1, 2)}
        known |= {f"{geoscore(km):,.0f} point", f"you {geoscore(km):,.0f}"}
    known |= {NAME, NAME.replace(" ", "_"), "grandma", "at home", "GPSLatitude"}
    known |= {"truly taken", "true place", " off:", "photo was taken", "your guess to the true"}
    return known


def saved_state():
    return _without_ids(json.dumps(Widget.get_manager_state(), default=str))


def embedded(explorer):
    page = io.StringIO()
    embed_minimal_html(page, views=[explorer])
    return _without_ids(page.getvalue())


def _without_ids(text):
    """Leave out the names of models, which may look like km."""
    return re.sub(r"[0-9a-f]{32}", "", text)


def shown_bare(explorer):
    around = VBox([explorer])
    bundles = json.dumps([explorer._repr_mimebundle_(), around._repr_mimebundle_()], default=str)
    around.close()
    return bundles


def written(explorer):
    photo, game = explorer.image, explorer.game
    snapshot = Snapshot.of(explorer)
    said = [
        explorer,
        photo,
        snapshot,
        game,
        game.rounds,
        explorer.diagram,
        explorer.heat,
        explorer.world,
        explorer.trust,
        explorer.controls,
    ]
    text = "\n".join(f"{each!r}\n{each}" for each in [*said, *explorer.children])
    return re.sub(r"0x[0-9a-f]+|owner=\d+", "", text)  # where things lie in memory may look like km


def exported(explorer, folder):
    explorer.save_png(folder / "x.png", scale=0.5)
    explorer.to_html(folder / "x.html")
    png = (folder / "x.png").read_bytes()
    pieces = [explorer.figure().to_json(), json.dumps(explorer.to_geojson())]
    pieces += [(folder / "x.html").read_text(encoding="utf-8"), png.decode("latin-1")]
    return "\n".join(pieces)


def outlets(explorer, folder):
    """Give everything that can be saved, by how it is saved."""
    said = {"state": saved_state(), "embedded": embedded(explorer), "bare": shown_bare(explorer)}
    if not explorer.hidden:
        said["written"] = written(explorer)
        said["exported"] = exported(explorer, folder)
    return said


def everything(explorer):
    explorer.show_votes = explorer.show_rings = explorer.show_opposite = explorer.outline = True
    explorer.box = (0.1, 0.1, 0.6, 0.6)
    explorer.pin()
    explorer.use("last layer")
    explorer.contrast = 3
    explorer.open_card(explorer.maps.names[-1])
    explorer.preview = explorer.maps.names[0]
    explorer._gestures.fail(ValueError("this went wrong"))


def another_photo_and_back(explorer):
    mine = explorer.image
    explorer.image = "koala"
    explorer.image = mine


def guessing(explorer):
    explorer.guessing = True


def guessed(explorer):
    explorer.guessing = True
    explorer.guess = GUESS


def guessed_and_over(explorer):
    guessed(explorer)
    explorer.keep = 0.4
    explorer.guessing = False


ACTS = [another_photo_and_back, everything, guessing, guessed, guessed_and_over]
NEED_A_POSITION = guessing, guessed, guessed_and_over


def leaks(texts, plain, known):
    """Say which secrets are found where, more often than in what knows no position."""
    found = {
        way: sorted(secret for secret in known if text.count(secret) > plain[way].count(secret))
        for way, text in texts.items()
    }
    return {way: secrets for way, secrets in found.items() if secrets}


@pytest.fixture(autouse=True)
def nobody_else():
    """Close what other tests left behind: what is saved is the state of all widgets."""
    Widget.close_all()


@pytest.fixture
def work(small_model, tmp_path, at_once):
    """Do something with a photo; gives all that can be saved then, and what must not be in it."""

    def work(act, name, position):
        folder = tmp_path / str(position is None)
        folder.mkdir()
        explorer = Explorer(
            model=small_model, image=jpeg(folder / f"{name}.jpg", position=position)
        )
        if act in NEED_A_POSITION and position is None:
            explorer.image = ccw.load_image(explorer.image, position=(12.0, 34.0))
        act(explorer)
        found = outlets(explorer, tmp_path), secrets(explorer.prediction)
        explorer.close()
        return found

    return work


@pytest.mark.parametrize("act", ACTS)
def test_nothing_of_the_position_is_saved_or_exported(work, act):
    texts, known = work(act, NAME, POSITION)
    plain, _ = work(act, "x", None)
    leaks = {
        way: sorted(x for x in known if text.count(x) > plain[way].count(x))
        for way, text in texts.items()
    }
    assert {way: found for way, found in leaks.items() if found} == {}


NOTEBOOK = """
from pathlib import Path
import combicam_widgets as ccw
(photo,) = Path("photos").glob("*.jpg")
explorer = ccw.Explorer(image=photo, show_rings=True)
explorer
---
print(explorer)
explorer.use("last layer")
explorer.image
---
explorer.pin()
---
explorer.guessing = True
explorer.guess = (-21.5, 55.25)
explorer.game
"""


def test_an_executed_notebook_holds_nothing_of_the_position(model, tmp_path):
    """As `nbconvert --execute` makes it, to a notebook and to a page."""
    (tmp_path / "photos").mkdir()
    jpeg(tmp_path / "photos" / f"{NAME}.jpg", position=POSITION)
    cells = [nbformat.v4.new_code_cell(cell.strip()) for cell in NOTEBOOK.split("---")]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, timeout=120, resources={"metadata": {"path": tmp_path}}).execute()
    page, _ = HTMLExporter().from_notebook_node(book)
    text = nbformat.writes(book)
    assert "your guess" in text
    assert "Sees palace" in page
    # What is shorter may stand there by chance: there is no other notebook to compare with.
    known = [s for s in secrets(model.predict(ccw.sample("eiffel_tower"))) if len(s) >= 8]
    assert len(known) > 15
    assert [secret for secret in known if secret in text or secret in page] == []


def test_where_the_map_was_moved_is_not_saved(explorer):
    moved = explorer.world.map
    moved.set_state(
        {
            "center": list(POSITION),
            "zoom": 7.0,
            "north": POSITION[0] + 1,
            "south": POSITION[0] - 1,
            "east": POSITION[1] + 1,
            "west": POSITION[1] - 1,
            "window_url": "https://hub.example/user/grandma/lab/tree/home.ipynb?token=swordfish",
        }
    )
    assert moved.center == list(POSITION)
    for text in (saved_state(), embedded(explorer)):
        assert [
            x
            for x in ("-48.8765", "-123.3937", "-47.8765", "hub.example", "swordfish")
            if x in text
        ] == []
    assert moved.get_state()["center"] == list(POSITION)  # a page that is reloaded shows it


def test_where_no_widgets_are_shown_there_is_a_picture():
    explorer = Explorer(image="koala")
    bundle = explorer._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/jpeg"])))
    assert picture.format == "JPEG"
    assert picture.width > 500
    assert bundle["image/jpeg"] in bundle["text/html"]
    assert "koala" in bundle["text/html"]
    assert len(bundle["text/html"]) < 100_000
    explorer.guessing = True
    assert "image/jpeg" not in explorer._repr_mimebundle_()
