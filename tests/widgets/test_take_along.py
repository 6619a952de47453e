"""What an explorer shows can be taken along; the photo's position only if asked for."""

import json

from PIL import Image

from combicam_widgets.widgets import Explorer


def test_figure_png_geojson_and_page(model, tmp_path):
    explorer = Explorer(model=model, image="eiffel_tower")
    latitude, longitude = explorer.image.position
    figure = explorer.figure().to_json()
    explorer.save_png(tmp_path / "x.png", scale=1)
    explorer.to_html(tmp_path / "x.html")
    features = json.dumps(explorer.to_geojson())
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width > 2 * picture.height / 2
    assert len(page.encode()) < 3_000_000
    for text in (figure, features, page):
        assert str(latitude) not in text
        assert str(longitude) not in text
    asked = json.dumps(explorer.to_geojson(include_position=True))
    assert str(longitude) in asked
