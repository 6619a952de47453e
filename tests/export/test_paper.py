"""Pictures for papers: against Pillow's drawing of the same scene, and as what files hold."""

import base64
import io
import re
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from snapshots import HOSTILE, NAMES, make_maps, make_snapshot

from combicam_widgets import Photo
from combicam_widgets.export import Panel, save, save_panels
from combicam_widgets.export.drawing import draw_scene
from combicam_widgets.export.scene import Text, compose
from combicam_widgets.geo import CellGrid, GeoPrediction

SVG = "{http://www.w3.org/2000/svg}"


def photo(height=60, width=90, **facts):
    y, x = np.mgrid[:height, :width]
    return Photo(np.stack([x * 2, y * 3, x + y], axis=-1).astype(np.uint8), **facts)


def written(path):
    """Texts and pictures of an SVG."""
    root = ET.fromstring(path.read_text(encoding="utf-8"))
    texts = ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]
    return texts, list(root.iter(f"{SVG}image"))


def test_pixels_are_those_of_the_other_way_of_drawing(tmp_path):
    snapshot = make_snapshot(photo=photo())
    save(snapshot, tmp_path / "x.png", dpi=192)
    drawn = np.asarray(Image.open(tmp_path / "x.png").convert("RGB"), float)
    expected = np.asarray(draw_scene(compose(snapshot), 2.0), float)
    assert abs(len(drawn) - len(expected)) <= 1
    height = min(len(drawn), len(expected))
    difference = np.abs(drawn[:height] - expected[:height]).mean(axis=-1)
    assert difference.mean() < 4
    # Mirrored or shifted pictures would differ nearly everywhere.
    assert (difference > 40).mean() < 0.04
    assert (np.abs(drawn[:height, ::-1] - expected[:height]).mean(axis=-1) > 40).mean() > 0.1


def test_text_stays_text_and_fonts_are_embedded(snapshot, tmp_path):
    save(snapshot, tmp_path / "x.svg")
    texts, pictures = written(tmp_path / "x.svg")
    assert texts == [item.text for item in compose(snapshot).items if isinstance(item, Text)]
    assert len(pictures) == 3
    save(snapshot, tmp_path / "x.pdf")
    content = (tmp_path / "x.pdf").read_bytes()
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert re.search(rb"/MediaBox \[ 0 0 510 ", content)  # 180 mm


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_the_same_picture_is_the_same_file_and_tells_nothing_else(snapshot, tmp_path, ending):
    for name in ("a", "b"):
        save(snapshot, tmp_path / f"{name}.{ending}", dpi=60)
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content == (tmp_path / f"b.{ending}").read_bytes()
    for word in (b"Matplotlib v", b"a day out", b"CreationDate", b"<dc:date"):
        assert word not in content


def test_layers_and_weights_are_told_where_not_all_count_alike(snapshot, tmp_path):
    weights = dict(zip(NAMES, [1, 0, 0.5, 2], strict=True))
    for name, told in ((None, None), (weights, "Layers: stem x 1, block.2 x 0.5, head x 2")):
        given = snapshot if name is None else make_snapshot(weights=name)
        save(given, tmp_path / "x.svg", dpi=60)
        layers = [text for text in written(tmp_path / "x.svg")[0] if text.startswith("Layers")]
        assert layers == ([] if told is None else [told])


def test_the_truth_is_shown_only_if_asked(snapshot, tmp_path):
    for asked in (False, True):
        save(snapshot, tmp_path / "x.svg", dpi=60, include_position=asked)
        texts = written(tmp_path / "x.svg")[0]
        assert ("true place" in texts) == asked
        assert any("16,200 km" in text for text in texts) == asked


def test_what_is_pinned_is_drawn_with_the_difference(tmp_path):
    now = np.zeros((6, 9), np.float32)
    now[:, :3] = 1
    pinned = ("gradcam · max", now[:, ::-1].copy())
    grey = Photo(np.full((60, 90, 3), 128, np.uint8))
    save(make_snapshot(photo=grey, heatmap=now, pinned=pinned), tmp_path / "x.svg", dpi=96)
    texts, pictures = written(tmp_path / "x.svg")
    assert texts[-3:] == [
        "pinned: gradcam · max",
        "now",
        "now minus pinned: blue less, orange more heat",
    ]
    link = "{http://www.w3.org/1999/xlink}href"
    assert len(pictures) == 6
    data = base64.b64decode(pictures[-1].get(link).split(",")[1])
    image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), int)
    # Which way up it is stored is the file's business: left and right tell enough.
    left, right = image[:, : image.shape[1] // 5], image[:, -image.shape[1] // 5 :]
    assert left[..., 0].mean() > left[..., 2].mean() + 60
    assert right[..., 2].mean() > right[..., 0].mean() + 60


def test_panels_from_maps_alone(tmp_path):
    maps = make_maps()
    photos = [photo(), photo(90, 60, credit="Ann, CC0")]
    panels = [Panel.of(each, maps, rule=rule) for each in photos for rule in ("sum", "max")]
    panels.append(Panel(photos[0], None, HOSTILE))
    save_panels(panels, tmp_path / "x.svg", columns=3, caption="Two photos, $x_1$ rules")
    texts, pictures = written(tmp_path / "x.svg")
    assert texts[:4] == ["gradcam · sum", "gradcam · max"] * 2
    assert "Two photos, $x_1$ rules" in texts
    assert "Photos: Ann, CC0" in texts
    assert len(pictures) == 6
    assert not list(ET.parse(tmp_path / "x.svg").iter(f"{SVG}script"))
    sizes = [(float(p.get("width")), float(p.get("height"))) for p in pictures[:5]]
    for (wide, high), panel in zip(sizes, panels, strict=True):
        assert wide / high == pytest.approx(panel.photo.width / panel.photo.height, rel=0.02)


def test_panels_with_maps_and_without(tmp_path):
    """Maps of one row are side by side, below the tallest photo; the best place is marked there."""
    prediction = make_snapshot().prediction
    tall, wide = photo(90, 60), photo()
    panels = [
        Panel(tall, None, "a", prediction),
        Panel.of(wide, make_maps(), "b", prediction=prediction),
        Panel(wide, None, "c"),
        Panel(wide, None, "d"),
    ]
    save_panels(panels, tmp_path / "x.svg", columns=2)
    texts, pictures = written(tmp_path / "x.svg")
    best = prediction.best
    assert texts.count(f"{round(100 * best.probability)} % {best.place}") == 2
    first, map_1, second, map_2, third, _, _bar = (
        [float(each.get(key)) for key in ("width", "height")] for each in pictures
    )
    assert map_1 == pytest.approx(map_2, abs=0.5)  # pixels
    assert first[0] / first[1] == pytest.approx(60 / 90, rel=0.02)
    assert second == pytest.approx(third, abs=0.5)
    save_panels(panels[2:], tmp_path / "y.svg", columns=2)
    height, less = (
        float(ET.parse(tmp_path / name).getroot().get("height").removesuffix("pt"))
        for name in ("x.svg", "y.svg")
    )
    # The second row costs what it needs, however tall the first one is.
    assert height - less == pytest.approx((first[1] + 26 * 0.75) + (map_1[1] + 26 * 0.75), abs=3)


@pytest.mark.parametrize("names", [("A", "B"), ("A place of a name for a whole line", "B")])
def test_names_of_places_are_whole_where_there_is_room(names):
    snapshot = make_snapshot()
    cells = snapshot.prediction.cells
    named = CellGrid(cells.latitudes, cells.longitudes, cells.outlines, (names * 4)[:8])
    given = GeoPrediction(snapshot.prediction.probabilities, named)
    items = [i for i in compose(make_snapshot(prediction=given)).items if isinstance(i, Text)]
    listed = [item for item in items if item.text.rpartition(" % ")[2] in names]
    assert len(listed) == min(5, len(cells))
    assert len({item.x for item in listed}) == (1 if len(names[0]) > 9 else 2)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("x.gif",), ValueError, "gif"),
        (("x.pdf", 5000), ValueError, "dpi must lie between 36 and 1200"),
        (("x.pdf", "300"), TypeError, "dpi must be a number"),
    ],
)
def test_what_cannot_be_written_is_named(snapshot, tmp_path, arguments, error, words):
    path, *rest = arguments
    with pytest.raises(error, match=words):
        save(snapshot, tmp_path / path, *rest)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="at least one panel"):
        save_panels([], tmp_path / "x.pdf")


def test_without_matplotlib_it_says_what_to_install(snapshot, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"combicam_widgets\[paper\]"):
        save(snapshot, tmp_path / "x.pdf")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("x", "nothing says what to write; '{folder}/x.pdf' would"),
        ("x.", "nothing says what to write; '{folder}/x.pdf' would"),
        ("results 2026", "'{folder}/results 2026.pdf' would"),
        (".png", "'{folder}/x.png' would"),
        ("x.jpg", "path must end in .pdf, .svg or .png, got '{folder}/x.jpg'"),
        ("x.pdf.gz", "path must end in .pdf, .svg or .png"),
        ("x.png ", "path must end in .pdf, .svg or .png"),
    ],
)
def test_a_name_that_does_not_say_what_to_write_is_refused(snapshot, tmp_path, name, words):
    said = re.escape(words.format(folder=tmp_path))
    with pytest.raises(ValueError, match=said):
        save(snapshot, tmp_path / name)
    with pytest.raises(ValueError, match=said):
        save_panels([Panel.of(photo(), make_maps())], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("leads_to", ["real.pdf", "real.dat", "real"])
def test_a_link_says_what_is_written_and_not_the_file_it_leads_to(snapshot, tmp_path, leads_to):
    (tmp_path / "link.png").symlink_to(tmp_path / leads_to)
    save(snapshot, tmp_path / "link.png", dpi=50)
    assert (tmp_path / leads_to).read_bytes().startswith(b"\x89PNG")


def test_numbers_may_be_those_of_numpy(snapshot, tmp_path):
    for name, dpi in {"a": np.float32(60), "b": np.int64(60), "c": 60}.items():
        save(snapshot, tmp_path / f"{name}.png", dpi=dpi)
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b == c
    for wrong in (True, "60", None, np.array([60])):
        with pytest.raises(TypeError, match="dpi must be a number"):
            save(snapshot, tmp_path / "d.png", dpi=wrong)
    for wrong in (1.5, "2", None, True):
        with pytest.raises(TypeError, match="columns must be a whole number"):
            save_panels([Panel.of(photo(), make_maps())], tmp_path / "d.png", columns=wrong)
