"""The overlay without a page: what is drawn, said and sent."""

import base64
import io
from math import ceil, floor

import numpy as np
import plotly.graph_objects as go
import pytest
from PIL import Image
from scipy import ndimage

import combicam_widgets as ccw
from combicam_widgets import cam
from combicam_widgets.shown.colors import LESS, MORE, heat_image
from combicam_widgets.widgets.heat.box import box_sentence
from combicam_widgets.widgets.heat.overlay import Overlay, overlay
from combicam_widgets.widgets.heat.photo_figure import PhotoFigure
from combicam_widgets.widgets.heat.pictures import difference_picture, heat_picture

SIZE = (150, 200)


def decoded(uri):
    kind, data = uri.split(",", 1)
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


def hill(size=SIZE, y=0.5, x=0.5, width=0.2):
    rows, columns = (np.mgrid[: size[0], : size[1]] + 0.5) / np.array(size)[:, None, None]
    heat = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))
    return cam.minmax(heat.astype(np.float32))


@pytest.fixture
def photo():
    pixels = np.random.default_rng(0).integers(0, 256, (150, 200, 3)).astype(np.uint8)
    return ccw.load_image(pixels, name="Noise")


@pytest.fixture
def shown(photo):
    made = Overlay()
    made.show_photo(photo)
    made.show_heat(hill(), "inferno", 0.8, "Grad-CAM, sum, 3 layers")
    return made


def picture(made):
    return made.figure.layout.images[1].source


def notes(made):
    """What is said in the picture: what it is, and that there is nothing."""
    return [text for text in (made._caption.label, made._caption.words) if text]


def sent(widget, monkeypatch):
    """Collect what a widget sends to the page from now on."""
    messages = []
    monkeypatch.setattr(widget, "_send", lambda message, **_: messages.append(message))
    return messages


# The pictures.


def test_without_an_outline_heat_is_drawn_as_ever():
    heat = hill((300, 200))
    assert decoded(heat_picture(heat, "cividis", 0.7)).tobytes() == (
        decoded(heat_image(heat, "cividis", 0.7)).tobytes()
    )


@pytest.mark.parametrize("keep", [0.02, 0.3, 0.9, 1])
def test_the_outline_encloses_what_the_evidence_keeps(keep):
    random = np.random.default_rng(1).random(SIZE)
    heat = cam.minmax(ndimage.gaussian_filter(random, 9).astype(np.float32))
    mask = cam.hottest(heat, keep)
    pixels = decoded(heat_picture(heat, "inferno", 0.8, mask)).astype(int)
    white = (pixels == 255).all(2)
    # White: kept pixels with a neighbour that is not kept, or at the edge of the photo.
    padded = np.pad(mask, 1)
    neighbours = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    np.testing.assert_array_equal(white, mask & ~np.all(neighbours, axis=0))
    # Filled in, the line gives the mask again.
    assert mask[white].all()
    dark = (pixels[..., :3] == 0).all(2) & (pixels[..., 3] == 150)
    np.testing.assert_array_equal(dark, ~mask & np.any(neighbours, axis=0))
    plain = decoded(heat_picture(heat, "inferno", 0.8))
    np.testing.assert_array_equal(pixels[~white & ~dark], plain[~white & ~dark])


def test_the_outline_costs_next_to_nothing():
    heat = hill((288, 216), 0.4, 0.6)
    plain = heat_picture(heat, "inferno", 0.8)
    assert len(heat_picture(heat, "inferno", 0.8, cam.hottest(heat, 0.3))) < len(plain) + 600


def test_small_heatmaps_are_enlarged_so_that_the_line_is_thin():
    heat = hill((7, 9))
    mask = cam.hottest(heat, 0.3)
    pixels = decoded(heat_picture(heat, "inferno", 1, mask))
    assert pixels.shape == (7 * 32, 9 * 32, 4)
    filled = ndimage.binary_fill_holes((pixels == 255).all(2))
    np.testing.assert_array_equal(filled, np.kron(mask, np.ones((32, 32))) > 0)


def test_differences_are_blue_and_orange_and_zero_is_transparent():
    pixels = decoded(difference_picture(np.linspace(-1, 1, 101)[None].repeat(5, 0), 0.8))
    colors = {tuple(c) for c in pixels[0, pixels[0, :, 3] > 0, :3].tolist()}
    assert colors == {tuple(bytes.fromhex(color[1:])) for color in (LESS, MORE)}
    assert pixels[0, 50, 3] == 0
    assert pixels[0, [0, -1], 3].tolist() == [round(255 * 0.8)] * 2
    assert tuple(pixels[0, 0, :3]) == tuple(bytes.fromhex(LESS[1:]))
    assert (np.diff(pixels[0, 50:, 3].astype(int)) >= 0).all()


# What is shown.


def test_heat_lies_over_the_photo(shown, photo):
    below, above = shown.figure.layout.images
    assert [below.layer, above.layer] == ["below", "above"]
    assert (below.sizex, below.sizey) == (above.sizex, above.sizey) == photo.size
    assert picture(shown) == heat_picture(hill(), "inferno", 0.8)
    assert notes(shown) == []
    assert shown.figure.data[0].marker.colorbar.title.text == "heat"
    name = shown._caption.name
    assert name.startswith("Heatmap over Noise, hottest 50 % from the left and 50 % from the top")


def test_a_hidden_heat_leaves_nothing_behind(shown, photo):
    blank = Overlay()
    blank.show_photo(photo)
    blank.show_box((0.1, 0.2, 0.5, 0.6))
    blank.hide_heat()
    shown.show_outline(0.3)
    shown.preview(hill(y=0.2), "layer 1 alone")
    shown.show_box((0.1, 0.2, 0.5, 0.6))
    shown.hide_heat()
    for made in (shown, blank):
        made.preview(None)
    states = [
        [
            part.get_state()
            for part in (made._caption, made._box._words, made._box.drawn, made._fusion)
        ]
        for made in (shown, blank)
    ]
    for state in (part for parts in states for part in parts):
        for own in ("ident", "layout", "style", "fusion"):
            state.pop(own, None)
    assert states[0] == states[1]
    assert "Noise" not in str(states)
    assert "%" not in shown._box._words.value
    assert shown.figure.layout.images == blank.figure.layout.images
    assert notes(shown) == []
    assert shown._fusion.given == b""
    shown.show_heat(hill(), "inferno", 0.8)
    assert picture(shown) == heat_picture(hill(), "inferno", 0.8, cam.hottest(hill(), 0.3))
    assert "Noise" in shown._caption.name


@pytest.mark.parametrize("size", [(150, 200), (96, 72), (20, 288), (5, 3), (1, 4)])
def test_a_figure_reads_the_heat_at_its_place(photo, size):
    heat = cam.minmax(np.random.default_rng(2).random(size, np.float32))
    trace = overlay(photo, heat).data[1]
    rows, columns = trace.z.shape
    assert max(rows, columns) <= 28
    for i in range(rows):
        for j in range(columns):
            place = (
                (trace.y0 + i * trace.dy) / photo.height * size[0] - 0.5,
                (trace.x0 + j * trace.dx) / photo.width * size[1] - 0.5,
            )
            # The pixel there; where a place lies between two pixels, either.
            near = heat[tuple(slice(ceil(p - 0.501), floor(p + 0.501) + 1) for p in place)]
            assert near.size in {1, 2, 4}
            assert trace.z[i, j] in np.rint(100 * near)
    corners = trace.y0 / photo.height, (trace.y0 + (rows - 1) * trace.dy) / photo.height
    assert corners == pytest.approx((0.5 / size[0], 1 - 0.5 / size[0]))


@pytest.mark.parametrize("size", [(150, 200), (96, 72), (20, 288), (5, 3), (1, 4)])
def test_heat_that_the_page_cannot_make_is_given_to_it(photo, size):
    made = Overlay()
    made.show_photo(photo)
    heat = cam.minmax(np.random.default_rng(2).random(size, np.float32))
    made.show_heat(heat, "inferno", 0.8)
    rows, columns = shape = made._fusion.given_shape
    assert shape == [min(28, side) for side in size]
    values = np.frombuffer(made._fusion.given, np.uint8).reshape(shape)
    for i in range(rows):
        for j in range(columns):
            # The page takes the value whose cell a place lies in: that of its middle.
            place = ((i + 0.5) / rows * size[0] - 0.5, (j + 0.5) / columns * size[1] - 0.5)
            near = heat[tuple(slice(ceil(p - 0.501), floor(p + 0.501) + 1) for p in place)]
            assert values[i, j] in np.rint(100 * near)


def test_no_evidence_is_said_in_the_picture(shown):
    shown.show_heat(np.zeros(SIZE, np.float32), "inferno", 0.8)
    assert notes(shown) == ["no positive evidence"]
    assert "no positive evidence" in shown._caption.name
    assert not decoded(picture(shown))[..., 3].any()
    shown.show_heat(hill(), "inferno", 0.8)
    assert notes(shown) == []


def test_the_outline_can_be_switched_and_follows(shown):
    plain = picture(shown)
    shown.show_outline(0.3)
    assert picture(shown) == heat_picture(hill(), "inferno", 0.8, cam.hottest(hill(), 0.3))
    assert "the hottest 30 % outlined" in shown._caption.name
    other = hill(x=0.2)
    shown.show_heat(other, "inferno", 0.8)
    assert picture(shown) == heat_picture(other, "inferno", 0.8, cam.hottest(other, 0.3))
    shown.show_heat(hill(), "inferno", 0.8)
    shown.show_outline(None)
    assert picture(shown) == plain


def test_several_changes_are_drawn_at_once(shown, monkeypatch):
    drawn = []
    monkeypatch.setattr(shown._main, "lay_over", lambda *args: drawn.append(args))
    with shown.at_once():
        shown.show_outline(0.3)
        shown.show_heat(hill(x=0.1), "viridis", 0.5)
        assert drawn == []
    assert len(drawn) == 1


@pytest.fixture
def changes(shown, monkeypatch):
    """What the page is sent: pictures to put in, and figures for Plotly to draw anew."""
    pictures, drawings = [], []
    monkeypatch.setattr(shown.figure, "send", pictures.append)
    for kind in ("update", "relayout", "restyle"):
        monkeypatch.setattr(
            shown.figure, f"_send_{kind}_msg", lambda *_, **changes: drawings.append(changes)
        )
    return pictures, drawings


def test_another_heat_is_one_picture_and_plotly_draws_nothing(shown, changes):
    heat = hill(x=0.1)
    with shown.at_once():
        shown.show_outline(0.3)
        shown.show_heat(heat, "inferno", 0.5)
    pictures, drawings = changes
    expected = heat_picture(heat, "inferno", 0.5, cam.hottest(heat, 0.3))
    assert pictures == [{"image": 1, "source": expected}]
    assert picture(shown) == expected
    assert drawings == []


def test_a_preview_leaves_everything_as_it_was(shown):
    shown.show_outline(0.3)
    shown.show_box((0.1, 0.1, 0.5, 0.5))
    before = shown.figure.to_dict(), shown._caption.label, shown._caption.name, shown._box.box
    layer = hill((7, 9), 0.2, 0.2)
    shown.preview(layer, "layer <b>blocks.3</b> alone")
    assert notes(shown) == ["layer <b>blocks.3</b> alone"]
    drawn = cam.upsample(layer, SIZE, smooth=True)
    expected = heat_picture(drawn, "inferno", 0.8, cam.hottest(hill(), 0.3))
    assert picture(shown) == expected
    assert shown._caption.name.startswith("layer <b>blocks.3</b> alone. ")
    assert shown.figure.to_dict()["data"] == before[0]["data"]
    shown.preview(None)
    after = shown.figure.to_dict(), shown._caption.label, shown._caption.name, shown._box.box
    assert str(after) == str(before)


def test_a_preview_without_evidence_says_so_and_none_twice_does_nothing(shown, monkeypatch):
    shown.preview(np.zeros((7, 7)), "layer a alone")
    assert notes(shown) == ["layer a alone", "no positive evidence"]
    shown.preview(None)
    messages = sent(shown.figure, monkeypatch)
    shown.preview(None)
    assert messages == []


# Compared with a pinned one.


def test_a_pinned_heatmap_stays_and_the_difference_follows(shown, photo):
    shown.show_outline(0.3)
    pinned = hill()
    shown.pin(pinned, "Grad-CAM, sum, 3 layers")
    figure, left, right = shown._figures.children
    assert figure is shown.figure
    assert left.label == "pinned: Grad-CAM, sum, 3 layers"
    assert notes(shown) == ["now: Grad-CAM, sum, 3 layers"]
    assert right.words == "no difference"
    assert not decoded(right.picture)[..., 3].any()
    kept = left.picture
    now = hill(x=0.2)
    shown.show_heat(now, "inferno", 0.8, "Grad-CAM, max, 1 layer")
    # At the size of the panels, every other pixel is enough.
    mask = cam.hottest(pinned, 0.3)[::2, ::2]
    assert left.picture == kept == heat_picture(pinned[::2, ::2], "inferno", 0.8, mask)
    mask = cam.hottest(now, 0.3)[::2, ::2]
    assert picture(shown) == heat_picture(now[::2, ::2], "inferno", 0.8, mask)
    assert notes(shown) == ["now: Grad-CAM, max, 1 layer"]
    assert right.words == ""
    assert right.picture == difference_picture((now - pinned)[::2, ::2], 0.8)
    pixels = decoded(right.picture)
    rows, columns = pixels.shape[:2]
    hotter, colder = pixels[rows // 2, columns // 5], pixels[rows // 2, columns * 3 // 5]
    assert tuple(hotter[:3]) == tuple(bytes.fromhex(MORE[1:]))
    assert tuple(colder[:3]) == tuple(bytes.fromhex(LESS[1:]))
    pinned[:] = 0  # what was given may be used for something else
    shown.show_heat(now, "inferno", 0.8, "Grad-CAM, max, 1 layer")
    assert left.picture == kept


def test_colours_of_the_pinned_one_follow(shown):
    shown.pin(hill(), "a")
    shown.show_heat(hill(x=0.3), "viridis", 0.5)
    left = shown._figures.children[1]
    assert left.picture == heat_picture(hill()[::2, ::2], "viridis", 0.5)
    assert left.legend == []  # the present one's stands beside it


def test_what_is_pinned_is_painted_without_kinks(shown):
    shown.pin(hill(), "a", hill(y=0.7))
    left = shown._figures.children[1]
    assert left.picture == heat_picture(hill(y=0.7)[::2, ::2], "inferno", 0.8)
    right = shown._figures.children[2]
    shown.show_heat(hill(x=0.3), "inferno", 0.8, drawn=hill(x=0.4))
    assert picture(shown) == heat_picture(hill(x=0.4)[::2, ::2], "inferno", 0.8)
    assert right.picture == difference_picture((hill(x=0.4) - hill(y=0.7))[::2, ::2], 0.8)


def test_unpinning_leaves_everything_as_it_was(shown):
    before = picture(shown), shown._caption.name
    shown.pin(hill(x=0.2), "a")
    shown.unpin()
    assert list(shown._figures.children) == [shown.figure]
    assert (picture(shown), shown._caption.name) == before
    assert notes(shown) == []
    shown.unpin()


def test_a_pinned_heatmap_of_another_size_is_compared(shown):
    small = hill((15, 20))
    shown.pin(small, "small")
    expected = difference_picture((hill() - cam.upsample(small, SIZE, smooth=True))[::2, ::2], 0.8)
    assert shown._figures.children[2].picture == expected


def test_photos_in_the_panels_and_the_figure_have_the_photo_s_proportions(shown):
    for width, height, bar in [
        (200, 150, 438 * 150 / 200),
        (100, 400, 440),
        (900, 90, 160),
    ]:
        shown.show_photo(ccw.load_image(np.zeros((height, width, 3), np.uint8)))
        shown.show_heat(hill(), "inferno", 0.8)
        layout = shown.figure.layout
        assert (layout.width, layout.height, layout.margin.r) == (500, 440, 62)
        assert shown.figure.data[0].marker.colorbar.len == pytest.approx(bar / 440)
        shown.pin(hill(), "a")
        assert shown._figures.children[1].size == (width, height)


def test_another_photo_lets_go_of_what_belongs_to_the_old_one(shown, photo):
    shown.pin(hill(), "a")
    shown.show_box((0, 0, 0.5, 0.5))
    shown.preview(hill(), "layer a alone")
    shown.show_photo(photo)  # the same again, seen by another model
    shown.show_heat(hill(), "inferno", 0.8)
    assert len(shown._figures.children) == 3
    assert shown.box == (0, 0, 0.5, 0.5)
    assert notes(shown) == ["now"]
    shown.show_photo(ccw.load_image(np.zeros((90, 90, 3), np.uint8)))
    assert len(shown._figures.children) == 1
    assert shown.box is None
    shown.show_heat(hill((90, 90)), "inferno", 0.8)
    assert notes(shown) == []


def test_nothing_can_be_pinned_before_there_is_a_photo():
    with pytest.raises(ValueError, match="Show a photo before"):
        Overlay().pin(hill(), "a")


# The box.


def words(made):
    return made._box._words.value


def test_the_box_tells_how_much_heat_lies_inside():
    heat = np.zeros((10, 10), np.float32)
    heat[2, 2], heat[8, 8] = 1.0, 0.25
    assert box_sentence(heat, (0, 0, 0.5, 0.4)) == (
        "80 % of the heat lies inside the box, which is 20 % of the photo. "
        "The hottest point is inside."
    )
    assert "20 % of the heat" in box_sentence(heat, (0.5, 0.5, 1, 1))
    assert "hottest point is outside" in box_sentence(heat, (0.5, 0.5, 1, 1))
    assert box_sentence(heat, (0.5, 0, 1, 0.5)).startswith("0 % of the heat")
    assert "no heat" in box_sentence(0 * heat, (0, 0, 1, 1))


def test_the_box_follows_the_heat(shown):
    shown.show_box((0, 0, 0.5, 1))
    assert shown._box.drawn.box == [0, 0, 0.5, 1]
    assert "50 % of the heat lies inside the box, which is 50 % of the photo" in words(shown)
    shown.show_heat(hill(x=0.1, width=0.05), "inferno", 0.8)
    assert "100 % of the heat lies inside" in words(shown)
    shown.show_box((0, 0, 0.5, 1), "<i>words of your own")
    shown.show_heat(hill(), "inferno", 0.8)
    assert "&lt;i&gt;words of your own" in words(shown)
    shown.show_box(None)
    assert shown.box is None
    assert "heat lies" not in words(shown)


def test_the_person_s_box_is_told(shown):
    told = []
    shown.on_box(told.append)
    tool = shown._box
    shown.show_box((0.2, 0.2, 0.4, 0.4))
    assert told == []  # only what the person does
    tool.drawn.box = [0.1, 0.2, 0.3, 0.4]  # as the page does
    assert told == [(0.1, 0.2, 0.3, 0.4)]
    assert [field.value for field in tool._fields] == [10, 20, 30, 40]
    tool._fields[2].value = 90
    assert told[1:] == [(0.1, 0.2, 0.9, 0.4)]
    tool._toggle.value = False
    assert told[2:] == [None]
    assert shown.box is tool.drawn.box is None
    assert tool._sides.layout.display == "none"


def test_numbers_keep_the_other_sides_exact_and_nonsense_is_said(shown):
    told = []
    shown.on_box(told.append)
    tool = shown._box
    tool._toggle.value = True
    assert tool.drawn.drawing
    tool.drawn.box = [0.12345, 0.2, 0.31234, 0.4]
    tool._fields[1].value = 10
    assert told[-1] == (0.12345, 0.1, 0.31234, 0.4)
    tool._fields[0].value = 80
    assert "Left must be smaller than right" in words(shown)
    assert len(told) == 2
    assert shown.box == told[-1]


def test_a_box_that_is_none_is_refused(shown):
    with pytest.raises(ValueError, match="box must be"):
        shown.show_box((0.5, 0, 0.5, 1))
    assert shown.box is None


# Bytes.


def size_of(messages):
    return sum(len(str(message)) for message in messages)


def test_a_toggle_sends_little_but_the_picture(shown, monkeypatch):
    messages = [sent(widget, monkeypatch) for widget in (shown.figure, shown._caption)]
    heat = hill((288, 216), 0.3, 0.6)
    shown.show_heat(heat, "inferno", 0.8, "Grad-CAM, sum, 2 layers")
    total = size_of(messages[0]) + size_of(messages[1])
    assert len(picture(shown)) < total < len(picture(shown)) + 5_000


# For notebooks.


def test_a_figure_for_notebooks(photo):
    heat = hill((7, 9))
    figure = overlay(photo.pixels, heat, "viridis", 0.6, outline=0.2)
    assert type(figure) is go.Figure
    assert figure.layout.images[1].source == (
        heat_picture(heat, "viridis", 0.6, cam.hottest(heat, 0.2))
    )
    assert (
        figure.data[0].marker.colorscale
        == go.Figure(go.Scatter(marker={"colorscale": "viridis"})).data[0].marker.colorscale
    )
    assert "no positive evidence" in str(overlay(photo, 0 * heat).layout.annotations[0].text)
    assert figure.to_json() == overlay(photo, heat, "viridis", 0.6, 0.2).to_json()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heatmap": np.ones(3)}, r"shape \(H, W\)"),
        ({"heatmap": 2 * np.ones((3, 3))}, r"lie in \[0, 1\]"),
        ({"heatmap": np.full((3, 3), np.nan)}, "finite"),
        ({"colormap": "jet"}, "colormap must be one of inferno"),
        ({"opacity": 1.5}, "opacity must lie between 0 and 1"),
        ({"outline": 0}, "outline must lie between 0 and 1"),
        ({"outline": "0.2"}, "outline must be a number, not '0.2'"),
        ({"opacity": "x"}, "opacity must be a number, not 'x'"),
        ({"heatmap": np.array([["a"]])}, "heatmap must be an array of numbers"),
        ({"heatmap": [[1, 2], [3]]}, "heatmap must be an array of numbers"),
        ({"heatmap": {"a": 1}}, "heatmap must be an array of numbers"),
    ],
)
def test_what_cannot_be_drawn_is_refused(photo, changes, message):
    with pytest.raises((TypeError, ValueError), match=message):
        overlay(**{"photo": photo, "heatmap": hill(), **changes})


def test_the_bar_has_its_colours_before_there_is_a_heat():
    """While somebody guesses there is none, and Plotly's own colours are others."""
    bar = PhotoFigure(go.Figure, (640, 360)).figure.data[0].marker.colorscale
    inferno = go.Figure(go.Scatter(marker={"colorscale": "inferno"})).data[0].marker.colorscale
    assert bar == inferno
