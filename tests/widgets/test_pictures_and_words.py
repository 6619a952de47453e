"""Colours, presets and words: pure functions."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

import combicam_widgets as ccw
from combicam_widgets.shown.colors import (
    CLEAR,
    COLORMAPS,
    SOLID,
    heat_image,
    heat_opacity,
    heat_palette,
    palette,
    probability_image,
)
from combicam_widgets.shown.presets import BY_WORTH, PRESETS, preset
from combicam_widgets.shown.words import distance, percent, sentences

STAGES = [("a",), ("b", "c"), ("d", "e")]


def decoded(uri):
    kind, data = uri.split(",", 1)
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGBA"))


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_colour_maps_rise_in_lightness(colormap):
    red, green, blue = (palette(colormap) / 255).T
    linear = [
        np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) for c in (red, green, blue)
    ]
    lightness = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert (np.diff(lightness) > -2e-3).all()
    assert lightness[-1] - lightness[0] > 0.3


def test_heat_is_opaque_where_it_is_hot():
    heat = np.linspace(0, 1, 101, dtype=np.float32)[None].repeat(3, 0)
    pixels = decoded(heat_image(heat, "cividis", 0.8))
    assert pixels.shape == (3, 101, 4)
    assert pixels[0, 0, 3] == 0
    assert pixels[0, -1, 3] == round(255 * 0.8)
    assert (np.diff(pixels[1, :, 3].astype(int)) >= 0).all()
    assert tuple(pixels[0, -1, :3]) == tuple(palette("cividis")[-1])
    np.testing.assert_array_equal(pixels[0, heat[0] < CLEAR, 3], 0)  # cold: the photo is clear
    np.testing.assert_array_equal(pixels[0, heat[0] > SOLID + 0.01, 3], round(255 * 0.8))


def test_heat_has_no_edge_where_it_begins():
    heat = np.linspace(0, 1, 20_001)
    slope = np.gradient(heat_opacity(heat), heat)
    assert np.abs(np.diff(slope)).max() < 1e-3  # no kink at either end
    ends_and_middle = heat_opacity([0, CLEAR, (CLEAR + SOLID) / 2, SOLID, 1])
    np.testing.assert_allclose(ends_and_middle, [0, 0, 0.5, 1, 1], atol=1e-12)
    rgba = heat_palette("viridis", 256)
    np.testing.assert_array_equal(rgba[:, :3], palette("viridis", 256))
    np.testing.assert_allclose(
        rgba[:, 3] / 255, heat_opacity(np.linspace(0, 1, 256)), atol=0.5 / 255
    )


def test_no_probability_vanishes_from_the_map():
    shade = np.linspace(0, 1, 101, dtype=np.float32)[None].repeat(3, 0)
    alpha = decoded(probability_image(shade, "cividis", 0.9))[1, :, 3]
    np.testing.assert_allclose(alpha, 255 * 0.9 * shade[0], atol=0.5 * 255 / 127 + 0.5)


def test_presets_are_what_they_say():
    weights = {"a": 1.0, "b": 0.0, "c": 0.3, "d": 0.0, "e": 0.0}

    def on(name):
        return {layer for layer, w in preset(name, STAGES, weights).items() if w}

    assert on("last layer") == {"e"}
    assert on("one per stage") == {"a", "c", "e"}
    assert on("all") == set("abcde")
    assert on("invert") == {"b", "d", "e"}
    assert set(PRESETS) == {"last layer", "one per stage", "all", "invert", BY_WORTH}


def test_presets_refuse():
    with pytest.raises(ValueError, match="would leave none"):
        preset("invert", STAGES, dict.fromkeys("abcde", 1.0))
    with pytest.raises(ValueError, match="Unknown preset 'some'"):
        preset("some", STAGES, {})


@pytest.mark.parametrize(
    ("km", "text"), [(3.4, "3 km"), (99.6, "100 km"), (124, "120 km"), (1338, "1,340 km")]
)
def test_distances(km, text):
    assert distance(km) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0, "0 %"), (0.004, "less than 1 %"), (0.814, "81 %"), (1, "100 %")]
)
def test_percentages(p, text):
    assert percent(p) == text


@pytest.fixture
def cells():
    return ccw.CellGrid.from_centers(
        [0, 0, 60, -60], [0, 90, -120, 10], ["near A", "near B", "near C", "near D"]
    )


def test_the_first_sentence_says_where_and_how_sure_and_the_others_the_rest(cells):
    photo = ccw.GeoPrediction(np.array([0.6, 0.2, 0.1, 0.1]), cells)
    moved = ccw.GeoPrediction(np.array([0.3, 0.5, 0.1, 0.1]), cells)
    assert sentences(photo, 0, moved, 0.3, (0.0, 1.0), "koala 0.93") == (
        (
            "Sees koala: near A (60 % with the whole photo, 30 % with the evidence, its hottest "
            "30 %); the evidence points 10,010 km from there, near B."
        ),
        "Certainty of koala: 93 %.",
        "There and within 750 km lie 60 %.",
        "It was truly taken 110 km away.",
    )
    assert sentences(photo, 0, photo, 0.25, None) == (
        "Near A (60 % with the whole photo, 60 % with the evidence, its hottest 25 %).",
        "There and within 750 km lie 60 %.",
        "The evidence still points to the most probable place.",
    )
    rest = ccw.GeoPrediction(np.array([0.15, 0.15, 0.1, 0.6]), cells)
    first, *more = sentences(photo, 0, photo, 0.3, None, opposite=rest)
    assert first.endswith("60 % with the evidence, its hottest 30 %, 15 % with the rest).")
    assert more[-1] == "The rest points 6,730 km from the model's own answer, near D."
    assert (
        sentences(photo, 0, None, 0.3, None, asked=False)[0]
        == "Near A (60 % with the whole photo)."
    )
    assert sentences(photo, 0, None, 0.3, None)[0] == (
        "Near A (60 % with the whole photo): the layers that are on hold no positive evidence for "
        "this place."
    )
    pinned, *_ = sentences(photo, 0, moved, 0.3, None, pinned=0.571)
    assert (
        "(60 % with the whole photo, pinned 57 %, now 30 % with the evidence, its hottest 30 %)"
        in pinned
    )


def test_it_is_always_said_of_which_place_a_percentage_is(cells):
    photo = ccw.GeoPrediction(np.array([0.6, 0.2, 0.1, 0.1]), cells)
    first, *more = sentences(photo, 3, photo, 0.3, None, "a lake", contrast=2)
    assert first == (
        "Sees a lake; explained instead: near D (10 % with the whole photo, 10 % with the "
        "evidence, its hottest 30 %)."
    )
    moved = ccw.GeoPrediction(np.array([0.2, 0.6, 0.1, 0.1]), cells)
    # From the model's own answer, not from the place that is explained.
    assert more[:2] == [
        "Most probable is near A with 60 %; there and within 750 km lie 60 %.",
        "The heat says why there rather than near C (10 %).",
    ]
    moved = ccw.GeoPrediction(np.array([0.2, 0.6, 0.1, 0.1]), cells)
    first, *more = sentences(photo, 3, moved, 0.3, None)
    assert first == (
        "Explained instead: near D (10 % with the whole photo, 10 % with the evidence, its hottest "
        "30 %)."
    )
    assert more[-1] == "The evidence points 10,010 km from the model's own answer, near B."


def test_many_times_next_to_nothing_is_said_as_next_to_nothing(cells):
    """Five times as sure, and still no answer: the words do not call it "surer"."""
    photo = ccw.GeoPrediction(np.array([0.996, 0.001, 0.002, 0.001]), cells)
    surer = ccw.GeoPrediction(np.array([0.985, 0.0053, 0.0053, 0.0044]), cells)
    first, *_ = sentences(photo, 1, surer, 0.3, None)
    assert "(less than 1 % with the whole photo, less than 1 % with the evidence" in first
