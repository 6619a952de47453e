"""A heatmap against a box: closed forms, an independent integral, laws."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import dblquad
from shapely.geometry import box as polygon

from combicam_widgets.cam.localization import area, checked_box, hottest_inside, share_inside

quick = settings(max_examples=50, deadline=None)


@st.composite
def boxes(draw):
    edge = st.floats(0, 1, allow_nan=False, allow_subnormal=False)  # beyond shapely
    left, right = sorted([draw(edge), draw(edge)])
    top, bottom = sorted([draw(edge), draw(edge)])
    if right - left < 1e-6 or bottom - top < 1e-6:
        return 0.0, 0.0, 1.0, 1.0
    return left, top, right, bottom


def heatmaps():
    sides = st.tuples(st.integers(1, 7), st.integers(1, 7))
    return st.tuples(sides, st.integers(0, 2**32 - 1)).map(
        lambda given: np.random.default_rng(given[1]).random(given[0], np.float32)
    )


def test_known_shares():
    heat = np.zeros((4, 8))
    heat[1, 2] = 3
    heat[3, 7] = 1
    assert share_inside(heat, (0, 0, 0.5, 0.5)) == pytest.approx(0.75)
    assert share_inside(heat, (0.5, 0.5, 1, 1)) == pytest.approx(0.25)
    assert share_inside(heat, (0.5, 0, 1, 0.5)) == 0
    # A quarter of the hot pixel's width, half of its height.
    cut = (2 / 8, 1 / 4, 2.25 / 8, 1.5 / 4)
    assert share_inside(heat, cut) == pytest.approx(0.75 / 8)
    assert area(cut) == pytest.approx(1 / 32 * 1 / 8)


@quick
@given(heatmaps(), boxes())
def test_pixels_count_with_the_area_that_lies_inside(heat, box):
    height, width = heat.shape
    inside = sum(
        heat[row, column]
        * polygon(column / width, row / height, (column + 1) / width, (row + 1) / height)
        .intersection(polygon(*box))
        .area
        for row in range(height)
        for column in range(width)
    )
    expected = inside * height * width / heat.sum(dtype=float)
    assert share_inside(heat, box) == pytest.approx(expected, abs=1e-6)


def test_a_smooth_heatmap_gives_its_integral():
    y, x = (np.mgrid[:300, :400] + 0.5) / [[[300]], [[400]]]

    def hill(y, x):
        return np.exp(-((x - 0.4) ** 2 + (y - 0.6) ** 2) / 0.05)

    box = (0.31, 0.22, 0.77, 0.68)
    part = dblquad(hill, box[0], box[2], box[1], box[3])[0] / dblquad(hill, 0, 1, 0, 1)[0]
    assert share_inside(hill(y, x), box) == pytest.approx(part, abs=1e-4)


@quick
@given(heatmaps(), boxes(), st.floats(0.01, 0.99))
def test_laws(heat, box, cut):
    left, top, right, bottom = box
    middle = left + cut * (right - left)
    share = share_inside(heat, box)
    assert share_inside(heat, (0, 0, 1, 1)) == pytest.approx(1)
    assert share_inside(7 * heat, box) == pytest.approx(share, abs=1e-6)
    if left < middle < right:
        halves = [(left, top, middle, bottom), (middle, top, right, bottom)]
        assert sum(share_inside(heat, half) for half in halves) == pytest.approx(share, abs=1e-6)
    assert share_inside(np.ones((5, 3)), box) == pytest.approx(area(box), abs=1e-6)
    mirrored = (1 - right, top, 1 - left, bottom)
    assert share_inside(heat[:, ::-1], mirrored) == pytest.approx(share, abs=1e-6)
    transposed = (top, left, bottom, right)
    assert share_inside(heat.T, transposed) == pytest.approx(share, abs=1e-6)


def test_the_hottest_pixel():
    heat = np.full((10, 20), 0.1)
    heat[7, 4] = 1  # its centre: x = 0.225, y = 0.75
    assert hottest_inside(heat, (0.2, 0.7, 0.25, 0.8))
    assert hottest_inside(heat, (0.22, 0.74, 0.23, 0.76))
    assert not hottest_inside(heat, (0.23, 0.7, 1, 1))
    assert not hottest_inside(heat, (0, 0, 1, 0.7))
    heat[2, 15] = 1  # equally hot, and earlier in reading order
    assert hottest_inside(heat, (0.7, 0.2, 0.8, 0.3))
    assert not hottest_inside(heat, (0.2, 0.7, 0.25, 0.8))


def test_no_heat_lies_nowhere():
    assert share_inside(np.zeros((3, 4)), (0, 0, 1, 1)) == 0
    assert not hottest_inside(np.zeros((3, 4)), (0, 0, 1, 1))


@pytest.mark.parametrize(
    ("box", "error"),
    [
        ((0.5, 0, 0.5, 1), ValueError),
        ((0, 0.6, 1, 0.5), ValueError),
        ((-0.1, 0, 1, 1), ValueError),
        ((0, 0, 1, 1.01), ValueError),
        ((0, 0, float("nan"), 1), ValueError),
        ((0, 0, 1), TypeError),
        (("a", 0, 1, 1), TypeError),
        (None, TypeError),
    ],
)
def test_what_is_no_box_is_refused(box, error):
    for use in (
        checked_box,
        area,
        lambda b: share_inside(np.ones((2, 2)), b),
        lambda b: hottest_inside(np.ones((2, 2)), b),
    ):
        with pytest.raises(error, match=r"box must be \(left, top, right, bottom\)"):
            use(box)


@pytest.mark.parametrize("bad", [np.ones(3), np.ones((0, 3)), -np.ones((2, 2)), [[np.nan]]])
def test_what_is_no_heatmap_is_refused(bad):
    with pytest.raises(ValueError, match="heatmap must"):
        share_inside(bad, (0, 0, 1, 1))
    with pytest.raises(ValueError, match="heatmap must"):
        hottest_inside(bad, (0, 0, 1, 1))
