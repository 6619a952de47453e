"""Evidence: which pixels are kept, and what the network gets to see of them."""

import numpy as np
import pytest
import torch
from cam_networks import photo
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as images

from combicam_widgets import cam

quick = settings(max_examples=60, deadline=None)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
tiny = [(1, 1), (1, 2), (2, 3), (1, 7), (7, 1), (3, 3), (4, 5)]


def positive(shape, seed=0):
    return np.random.default_rng(seed).uniform(0.01, 1, shape)


@quick
@given(shapes, st.floats(0.001, 1), st.integers(0, 1000))
def test_hottest_keeps_the_asked_fraction_and_the_hottest_of_it(shape, keep, seed):
    heat = positive(shape, seed)
    mask = cam.hottest(heat, keep)
    assert mask.shape == shape
    assert mask.sum() == max(1, round(keep * heat.size))
    if not mask.all():
        assert heat[mask].min() > heat[~mask].max()


@quick
@given(shapes, st.floats(0.001, 1), st.integers(0, 1000))
def test_cold_pixels_are_never_kept_and_ties_go_in_reading_order(shape, keep, seed):
    heat = np.random.default_rng(seed).integers(0, 4, shape) / 4
    ranked = sorted(range(heat.size), key=lambda i: (-heat.flat[i], i))
    expected = np.zeros(heat.size, bool)
    for i in ranked[: max(1, round(keep * heat.size))]:
        expected[i] = heat.flat[i] > 0
    np.testing.assert_array_equal(cam.hottest(heat, keep), expected.reshape(shape))


def test_hottest_by_hand():
    heat = np.array([[0.5, 0.9, 0.5], [0.0, 0.5, 0.1]])
    for keep, expected in [
        (0.01, [[0, 1, 0], [0, 0, 0]]),
        (0.5, [[1, 1, 1], [0, 0, 0]]),
        (1, [[1, 1, 1], [0, 1, 1]]),
    ]:
        np.testing.assert_array_equal(cam.hottest(heat, keep), np.array(expected, bool))
    assert not cam.hottest(np.zeros((3, 4)), 0.5).any()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float16, np.float32, np.float64, int])
def test_heat_of_any_kind_of_number(dtype):
    heat = np.array([[1, 0, 1, 0, 0, 1]]).astype(dtype)
    np.testing.assert_array_equal(
        cam.hottest(heat, 0.34), [[True, False, True, False, False, False]]
    )


@pytest.mark.parametrize("shape", [(32, 40), (41, 33)])
def test_blur_is_torchvisions_gaussian_away_from_the_border(shape):
    x = photo(2, 3, *shape)
    width = (min(shape) // 4) | 1
    expected = images.gaussian_blur(x, [width, width])
    inside = (..., slice(width // 2, -(width // 2)), slice(width // 2, -(width // 2)))
    torch.testing.assert_close(cam.blur(x)[inside], expected[inside], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [*tiny, (20, 31), (64, 64)])
def test_blur_keeps_constants_and_about_the_mean_and_takes_the_detail(shape):
    constant = torch.tensor([0.2, -3, 7.0])[None, :, None, None].expand(1, 3, *shape)
    torch.testing.assert_close(cam.blur(constant), constant, rtol=1e-5, atol=1e-5)
    x = photo(1, 3, *shape).abs()
    blurred = cam.blur(x)
    assert blurred.shape == x.shape
    torch.testing.assert_close(
        blurred.mean((2, 3)), x.mean((2, 3)), rtol=0.25, atol=0.05 if min(shape) > 9 else 0.5
    )
    assert blurred.min() >= x.min() - 1e-5
    assert blurred.max() <= x.max() + 1e-5
    if min(shape) >= 20:
        assert blurred.std() < 0.5 * x.std()


def test_blur_is_the_same_for_mirrored_and_turned_photos():
    x = photo(1, 3, 21, 34)
    torch.testing.assert_close(cam.blur(x.flip(2)), cam.blur(x).flip(2))
    torch.testing.assert_close(cam.blur(x.flip(3)), cam.blur(x).flip(3))
    torch.testing.assert_close(cam.blur(x.mT), cam.blur(x).mT, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [*tiny, (20, 31)])
def test_all_heat_is_the_photo_and_no_heat_is_the_blur(shape):
    x = photo(1, 3, *shape)
    blurred = cam.blur(x)
    ones, zeros = np.ones(shape), np.zeros(shape)
    torch.testing.assert_close(cam.soft_evidence(x, blurred, ones), x)
    torch.testing.assert_close(cam.soft_evidence(x, blurred, zeros), blurred)
    torch.testing.assert_close(cam.keep_evidence(x, blurred, ones, 1), x, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(cam.keep_evidence(x, blurred, zeros, 0.5), blurred)
    everywhere = positive(shape)
    torch.testing.assert_close(
        cam.keep_evidence(x, blurred, everywhere, 1.0), x, rtol=1e-5, atol=1e-5
    )


def test_soft_evidence_is_its_formula_at_any_size_of_the_heatmap():
    x = photo(1, 3, 20, 31)
    blurred = cam.blur(x)
    for shape in [(20, 31), (5, 7), (40, 50), (1, 1)]:
        heat = positive(shape)
        m = torch.nn.functional.interpolate(
            torch.tensor(heat)[None, None], (20, 31), mode="bilinear", align_corners=True
        )
        expected = m * x.double() + (1 - m) * blurred.double()
        got = cam.soft_evidence(x, blurred, heat)
        torch.testing.assert_close(got.double(), expected, rtol=1e-5, atol=1e-5)


def test_kept_evidence_is_the_photo_inside_the_blur_outside_and_soft_between():
    x, heat = photo(1, 3, 40, 60), np.zeros((40, 60))
    heat[:, 20:] = np.linspace(0.5, 1, 40)
    blurred = cam.blur(x)
    seen = cam.keep_evidence(x, blurred, heat, 0.5)  # the hottest half: columns 30 and up
    torch.testing.assert_close(seen[..., 34:], x[..., 34:], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(seen[..., :26], blurred[..., :26], rtol=1e-5, atol=1e-5)
    edge = ((seen - blurred) / (x - blurred))[0, :, 5:-5, 26:34].median(1).values.median(0).values
    assert (edge.diff() > -1e-4).all()
    assert edge[3] == pytest.approx(1 - float(edge[4]), abs=1e-3)
    assert 0.05 < edge[3] < 0.5


def test_more_is_kept_of_more():
    x, heat = photo(1, 3, 24, 24), positive((24, 24))
    blurred = cam.blur(x)
    gaps = [
        float((cam.keep_evidence(x, blurred, heat, keep) - x).abs().mean())
        for keep in (0.1, 0.3, 0.6, 0.9, 1)
    ]
    assert gaps == sorted(gaps, reverse=True)


def test_any_valid_heatmap_survives_resizing():
    # Interpolating ones can give 1.0000001: that must not be refused as out of range.
    for side in range(1, 25):
        x = torch.zeros(1, 3, 48, 53)
        for act in (cam.soft_evidence, cam.keep_evidence):
            assert not act(x, x, np.ones((side, side + 3))).any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_photos_in_other_precisions(dtype):
    x, heat = photo(1, 3, 20, 31), positive((20, 31))
    blurred, tolerance = cam.blur(x), 0.05 if dtype == torch.bfloat16 else 0.01
    assert cam.blur(x.to(dtype)).dtype == dtype
    for act in (cam.soft_evidence, cam.keep_evidence):
        got = act(x.to(dtype), blurred.to(dtype), heat)
        assert got.dtype == dtype
        torch.testing.assert_close(
            got.float(), act(x, blurred, heat), rtol=tolerance, atol=tolerance
        )


def test_nothing_given_is_changed():
    x, heat = photo(1, 3, 20, 31), positive((20, 31))
    heat.flags.writeable = False
    blurred = cam.blur(x)
    kept = x.clone(), blurred.clone()
    cam.soft_evidence(x, blurred, heat)
    cam.keep_evidence(x, blurred, heat)
    assert torch.equal(x, kept[0])
    assert torch.equal(blurred, kept[1])


@pytest.mark.parametrize("keep", [0, -0.1, 1.01, np.nan, np.inf])
def test_keep_is_a_fraction(keep):
    x = photo()
    with pytest.raises(ValueError, match=r"keep must be a fraction in \(0, 1\]"):
        cam.hottest(np.ones((2, 2)), keep)
    with pytest.raises(ValueError, match=r"keep must be a fraction in \(0, 1\]"):
        cam.keep_evidence(x, x, np.ones((2, 2)), keep)


@pytest.mark.parametrize(
    ("heat", "message"),
    [
        (np.ones(4), r"shape \(H, W\), not \(4,\)"),
        (np.ones((1, 2, 2)), r"shape \(H, W\), not \(1, 2, 2\)"),
        (np.ones((0, 3)), r"shape \(H, W\), not \(0, 3\)"),
        (np.array([[np.nan, 1]]), r"finite and lie in \[0, 1\]"),
        (np.array([[-0.1, 1]]), r"finite and lie in \[0, 1\]"),
        (np.array([[0, 1.1]]), r"finite and lie in \[0, 1\]"),
    ],
)
def test_a_bad_heatmap_is_refused(heat, message):
    x = photo()
    for act in (
        lambda: cam.hottest(heat, 0.5),
        lambda: cam.soft_evidence(x, x, heat),
        lambda: cam.keep_evidence(x, x, heat),
    ):
        with pytest.raises(ValueError, match=message):
            act()
