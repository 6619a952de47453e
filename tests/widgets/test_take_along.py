"""What an explorer shows can be taken along; the photo's position only if asked for."""

import asyncio
import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from combicam_widgets import Photo, load_image, sample
from combicam_widgets.widgets import Explorer

WAYS = {
    "figure": lambda explorer, _folder: explorer.figure(),
    "save": lambda explorer, folder: explorer.save(folder / "x.pdf", 72),
    "save_png": lambda explorer, folder: explorer.save_png(folder / "x.png"),
    "to_geojson": lambda explorer, _folder: explorer.to_geojson(),
    "to_html": lambda explorer, folder: explorer.to_html(folder / "x.html"),
}


def test_figure_png_geojson_and_page(model, tmp_path):
    explorer = Explorer(model=model, image="eiffel_tower")
    latitude, longitude = explorer.image.position
    figure = explorer.figure().to_json()
    explorer.save_png(tmp_path / "x.png", scale=1)
    explorer.save(tmp_path / "x.svg", 72)
    vectors = (tmp_path / "x.svg").read_text(encoding="utf-8")
    explorer.to_html(tmp_path / "x.html")
    features = json.dumps(explorer.to_geojson())
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width > 2 * picture.height / 2
    assert len(page.encode()) < 3_000_000
    assert "whole photo" in vectors  # coordinates of curves may look like a place's
    assert "true place" not in vectors
    for text in (figure, features, page):
        assert str(latitude) not in text
        assert str(longitude) not in text
    asked = json.dumps(explorer.to_geojson(include_position=True))
    assert str(longitude) in asked


def test_page_and_geojson_hold_the_votes_though_none_are_shown(explorer, model, tmp_path):
    names = explorer.maps.names
    explorer.to_html(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    features = explorer.to_geojson()["features"]
    expected = model.layer_votes(explorer.image, explorer.maps, explorer.keep)
    votes = {
        feature["properties"]["layer"]: feature["properties"]["place"]
        for feature in features
        if feature["properties"]["role"] == "vote"
    }
    assert votes == {n: v.best.place for n, v in zip(names, expected, strict=True)}
    layers = [
        int(i) for found in page.split('data-layers="')[1:] for i in found.split('"')[0].split()
    ]
    assert sorted(layers) == list(range(len(names)))
    assert explorer.votes == ()  # what is on screen stays as it is


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_told_while_somebody_is_to_guess(model, tmp_path, way):
    explorer = Explorer(model=model, image="eiffel_tower", guessing=True)
    with pytest.raises(RuntimeError, match=r"hidden until somebody has guessed.*explorer\.guess"):
        WAYS[way](explorer, tmp_path)
    assert list(tmp_path.iterdir()) == []
    explorer.guess = (45.0, 5.0)
    WAYS[way](explorer, tmp_path)


def test_the_name_of_a_file_stays_at_home(model, tmp_path):
    file = tmp_path / "grandma 1951.png"
    sample("panda").to_pil().save(file)
    explorer = Explorer(model=model, image=load_image(file))
    assert explorer.image.name == "grandma 1951"
    explorer.to_html(tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "grandma" not in page
    assert "<h1>A photo</h1>" in page
    explorer.to_html(tmp_path / "x.html", title="Where is <she>?")
    assert "<h1>Where is &lt;she&gt;?</h1>" in (tmp_path / "x.html").read_text(encoding="utf-8")
    explorer.image = "panda"  # a name that is published already
    explorer.to_html(tmp_path / "x.html")
    assert "<h1>Panda</h1>" in (tmp_path / "x.html").read_text(encoding="utf-8")


def sheets(path):
    data = re.search(r'id="data">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)[1]
    return json.loads(data)["sheets"]


def test_a_page_knows_what_presets_and_single_layers_say(model, tmp_path):
    explorer = Explorer(model=model, image="koala", keep=0.2, rule="mean")
    names = explorer.maps.names
    explorer.to_html(tmp_path / "x.html")
    (sheet,) = sheets(tmp_path / "x.html")
    said = {tuple(answer["weights"]): answer["sentence"] for answer in sheet["answers"]}
    assert len(said) == len(names) + 2  # as saved, which is all; one per stage; each layer alone
    assert said[(1.0,) * len(names)] == explorer.status
    for use in ("one per stage", "last layer", "all"):
        explorer.use(use)
        assert said[tuple(explorer.weights.values())] == explorer.status
    for name in names[::5]:
        explorer.weights = {name: 1}
        assert said[tuple(explorer.weights.values())] == explorer.status
    alone = {tuple(answer["weights"]) for answer in sheet["answers"] if answer["alone"]}
    assert alone == {tuple(float(name == other) for other in names) for name in names}


def test_several_photos_on_a_page(model, tmp_path):
    explorer = Explorer(model=model, image="koala", keep=0.2)
    explorer.use("last layer")
    own = Photo(sample("panda").pixels, name="grandma 1951", position=(12.3456, 65.4321))
    path = tmp_path / "x.html"
    explorer.to_html(path, photos=["Lemur", own], questions=["Why <there>?"])
    page = path.read_text(encoding="utf-8")
    assert "grandma" not in page
    assert "12.34" not in page
    assert [f"<h2>{name}</h2>" in page for name in ("Koala", "Lemur", "A photo")]
    assert page.count("Why &lt;there&gt;?") == 3
    for image, sheet in zip(("koala", "Lemur", own), sheets(path), strict=True):
        explorer.image = image
        assert sheet["answers"][0]["sentence"] == explorer.public_status
        assert sheet["weights"] == list(explorer.weights.values())
    explorer.to_html(path, photos=[own], include_position=True)
    assert explorer.status in sheets(path)[1]["answers"][0]["sentence"]
    for wrong in ("panda", sample("panda"), 5):
        with pytest.raises(TypeError, match="photos must be a sequence"):
            explorer.to_html(path, photos=wrong)
    with pytest.raises(ValueError, match="panta"):
        explorer.to_html(path, photos=["panta"])
    with pytest.raises(TypeError, match="questions must be a sequence"):
        explorer.to_html(path, questions="Why?")


@pytest.mark.parametrize("way", ["to_geojson", "to_html"])
def test_the_evidence_is_that_of_the_heatmap_just_clicked_together(model, tmp_path, way):
    explorer = Explorer(model=model, image="koala", show_votes=True, keep=0.1)
    before = explorer.evidence

    async def click_and_export():
        explorer._gestures.change(explorer.preset("last layer"))
        explorer._gestures.change({"keep": 0.5})
        assert explorer.evidence is before  # it is still to be asked about
        return WAYS[way](explorer, tmp_path)

    # In a thread of its own: browser tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, click_and_export()).result()
    expected = model.evidence(explorer.image, explorer.heatmap, 0.5)
    np.testing.assert_allclose(explorer.evidence.probabilities, expected.probabilities, atol=1e-6)
    votes = model.layer_votes(explorer.image, explorer.maps, 0.5)
    for vote, other in zip(explorer.votes, votes, strict=True):
        np.testing.assert_allclose(vote.probabilities, other.probabilities, atol=1e-6)
    assert "hottest 50 %" in explorer.status
    assert not explorer.jobs.checking.busy
