"""The figure and the PNG."""

import itertools
import math
import re

import numpy as np
import pytest
from PIL import Image
from snapshots import HOSTILE, POSITION, make_snapshot

from combicam_widgets import CellGrid, Photo
from combicam_widgets.export import colors, figure, fonts, save_png, world_view
from combicam_widgets.export.drawing import draw_scene
from combicam_widgets.export.scene import SMALL, WIDTH, Dot, Picture, Text, compose
from combicam_widgets.export.world_view import Flag
from combicam_widgets.geo.mercator import mercator_y
from combicam_widgets.shown.colors import COLORMAPS, LEVELS, palette


def texts(scene):
    return [item.text for item in scene.items if isinstance(item, Text)]


def test_it_is_as_wide_as_two_columns_and_legible(snapshot):
    drawn = figure(snapshot)
    assert drawn.layout.width / 96 * 25.4 == pytest.approx(180, abs=0.1)
    assert min(note.font.size for note in drawn.layout.annotations) * 0.75 >= 7
    assert SMALL * 0.75 >= 7


@pytest.mark.parametrize("size", [(96, 128), (400, 90), (60, 600), (8, 8)])
def test_nothing_leaves_the_picture(size):
    photo = Photo(np.full((*size, 3), 90, np.uint8), position=(-89.0, 179.9), credit="x" * 300)
    scene = compose(make_snapshot(photo=photo), include_position=True)
    for item in scene.items:
        if isinstance(item, Text):
            wide = fonts.width(item.text, item.size)
            left = item.x - {"left": 0, "center": wide / 2, "right": wide}[item.anchor]
            assert left >= 0
            assert left + wide <= WIDTH + 0.5
            assert 0 <= item.y <= scene.height
        elif isinstance(item, Picture | Dot):
            assert 0 <= item.x <= WIDTH
            assert 0 <= item.y <= scene.height
    for x, y in ((t.x, t.y) for t in figure(make_snapshot(photo=photo)).data):
        assert all(v is None or 0 <= v <= WIDTH for v in x)
        assert all(v is None or 0 <= v <= scene.height for v in y)


def test_a_photo_keeps_its_proportions_at_any_size(snapshot):
    layout = figure(snapshot).layout
    assert (layout.yaxis.scaleanchor, layout.yaxis.scaleratio or 1) == ("x", 1)
    photo = layout.images[0]
    assert photo.sizex / photo.sizey == pytest.approx(128 / 96)
    assert (layout.xaxis.constrain, layout.yaxis.constrain) == ("domain", "domain")


def test_flags_stand_where_the_places_are(snapshot):
    scene = compose(snapshot, include_position=True)
    ground = [item for item in scene.items if isinstance(item, Picture)][1]
    truth = [i for i in scene.items if isinstance(i, Dot) and i.color == colors.FLAGS["truth"]]
    latitude, longitude = POSITION
    assert truth[0].x == pytest.approx(ground.x + (longitude + 180) / 360 * ground.width)
    top = mercator_y(78.0)
    assert truth[0].y == pytest.approx(ground.y + (mercator_y(latitude) - top) * ground.width)


def test_the_truth_is_shown_only_if_asked(snapshot):
    hidden, shown = texts(compose(snapshot)), texts(compose(snapshot, include_position=True))
    assert "true place" not in hidden
    assert "true place" in shown
    assert not any("16,200" in text for text in hidden)
    assert any("16,200" in text for text in shown)
    written = figure(snapshot).to_json()
    assert "16,200" not in written
    assert "a day out" not in written


def test_the_photo_is_seen_through_its_heat():
    black = Image.new("RGB", (40, 20))
    heat = np.zeros((20, 40), np.float32)
    heat[:, 20:] = 1
    seen = np.asarray(colors.blended(black, heat, "inferno", 0.5)).astype(int)
    assert not seen[:, :15].any()
    last = palette("inferno", colors.LEVELS)[-1].astype(int)
    np.testing.assert_allclose(seen[10, 35], last * 0.5, atol=1)


@pytest.mark.parametrize("levels", [LEVELS, colors.LEVELS])
@pytest.mark.parametrize("name", COLORMAPS)
def test_colour_maps_grow_lighter(name, levels):
    sampled = palette(name, levels)
    assert sampled.shape == (levels, 3)
    light = sampled @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > -0.5).all()  # lighter and lighter: legible in grey
    with pytest.raises(ValueError, match="read-only"):
        sampled[0] = 0  # everybody shares it


def test_the_png_is_as_large_as_asked_and_tells_nothing_else(snapshot, tmp_path):
    path = tmp_path / "out.png"
    for scale in (1, 2.5):
        save_png(snapshot, path, scale)
        with Image.open(path) as image:
            image.load()
            assert image.size == (
                round(WIDTH * scale),
                round(figure(snapshot).layout.height * scale),
            )
            assert set(image.info) <= {"dpi"}
            assert not image.getexif()
    with pytest.raises(ValueError, match=r"scale must lie between 0\.5 and 8"):
        save_png(snapshot, path, 100)


def test_the_png_shows_what_the_scene_holds(snapshot):
    scene = compose(snapshot)
    drawn = np.asarray(draw_scene(scene, 2)).astype(int)
    photo = next(item for item in scene.items if isinstance(item, Picture))
    middle = photo.image.resize((4, 4), Image.Resampling.BOX).getpixel((1, 1))
    left, top = round(2 * photo.x), round(2 * photo.y)
    wide, high = round(2 * photo.width), round(2 * photo.height)
    part = drawn[top + high // 4 : top + high // 2, left + wide // 4 : left + wide // 2]
    np.testing.assert_allclose(part.mean(axis=(0, 1)), middle, atol=6)
    for kind in ("photo", "evidence"):
        color = [int(colors.FLAGS[kind][i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(drawn - color).sum(axis=2) < 6).sum() > 200
    assert (drawn[-2:] == 255).all()


def test_names_from_outside_are_only_text():
    names = [f"{HOSTILE} $x$"] * 8
    snapshot = make_snapshot()
    cells = snapshot.prediction.cells
    hostile = CellGrid(cells.latitudes, cells.longitudes, cells.outlines, tuple(names))
    given = type(snapshot.prediction)(snapshot.prediction.probabilities, hostile)
    notes = [n.text for n in figure(make_snapshot(prediction=given)).layout.annotations]
    assert not any("<" in note for note in notes)
    assert any("&lt;/script" in note for note in notes)
    assert not any("$" in note for note in notes)  # Plotly would take it for TeX


def test_lines_are_broken_to_fit():
    text = "one two 30 % " + "x" * 200
    lines = list(fonts.wrapped(text, 11, 100))
    assert all(fonts.width(line, 11) <= 100 for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)
    assert not any(line.startswith("%") for line in fonts.wrapped("about 30 % " * 9, 11, 60))
    assert fonts.shortened("a long name indeed", 11, 60).endswith(fonts.drawable("…"))
    assert fonts.width(fonts.shortened("a long name indeed", 11, 60), 11) <= 60


@pytest.fixture
def plain_font(monkeypatch):
    """A system without any of the family's fonts."""
    fonts.font.cache_clear()
    monkeypatch.setattr(fonts, "_FILES", ())
    yield
    fonts.font.cache_clear()


def test_without_the_systems_fonts_there_are_no_empty_boxes(plain_font):
    status = "Near São Paulo \u2013 \u201cquite\u201d sure: 50 % of Đà Nẵng\u2026"
    place = "100 % near a place with a name that is far too long to be written in its column"
    cells = make_snapshot().prediction.cells
    named = CellGrid(cells.latitudes, cells.longitudes, cells.outlines, (place,) * 8)
    given = type(make_snapshot().prediction)(make_snapshot().prediction.probabilities, named)
    drawn = texts(compose(make_snapshot(status=status, prediction=given)))
    assert 'Near Sao Paulo - "quite" sure: 50 % of ?a Nang...' in drawn
    assert any(text.endswith("...") and "far too" not in text for text in drawn)
    assert all(text.isascii() and text.isprintable() for text in drawn)


def test_the_shade_is_the_probability_of_the_cell_below(snapshot):
    view = world_view.view_of(snapshot, include_position=False)
    shade = world_view.shade(snapshot.prediction, view)
    p = snapshot.prediction.probabilities
    for index, (latitude, longitude) in {0: (48, 2), 2: (-18, 179), 3: (-25, 135)}.items():
        x, y = view.project([longitude, latitude])[0] * shade.shape[1]
        assert shade[int(y), int(x)] == pytest.approx(np.sqrt(p[index] / p.max()), abs=1e-6)


@pytest.mark.parametrize("kind", ["photo", "evidence", "truth"])
def test_labels_stand_on_the_map_and_beside_their_place(kind):
    edges, size, pole = (10.0, 20.0, 210.0, 120.0), (60.0, 14.0), 9.0
    flag = Flag(kind, "x", 0, 0)
    for x, y in itertools.product(np.linspace(10, 210, 21), np.linspace(20, 120, 21)):
        tip, (left, top) = flag.placed((x, y), size, pole, edges)
        assert math.dist(tip, (x, y)) == pytest.approx(pole)
        assert 11 <= left <= 210 - 61
        assert kind == "truth" or (20 <= top <= 120 - 14)
        # The pole ends at the label's edge, and the label leaves the place free.
        assert left - 1e-9 <= tip[0] <= left + 60 + 1e-9 or x in (10.0, 210.0)
        assert top - 1e-9 <= tip[1] <= top + 14 + 1e-9
        assert not (left < x < left + 60 and top < y < top + 14)
    middle = flag.placed((100.0, 70.0), size, pole, edges)
    expected = {
        "photo": ((100, 61), (70, 47)),
        "evidence": ((100, 79), (70, 79)),
        "truth": ((109, 70), (109, 63)),
    }
    assert middle == expected[kind]
