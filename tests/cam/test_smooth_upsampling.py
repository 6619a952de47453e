"""Maps made large for pictures: like bilinear ones, without ridges."""

import numpy as np
import pytest
from PIL import Image

from combicam_widgets.cam import fuse, rule_names, upsample

RANDOM = np.random.default_rng(3)
HILL = np.zeros((7, 7), np.float32)
HILL[3, 3] = 1


@pytest.mark.parametrize(("shape", "size"), [((7, 9), (97, 129)), ((5, 12), (41, 200))])
def test_it_is_keys_cubic_as_pillow_has_it(shape, size):
    x = RANDOM.random(shape, np.float32)
    step = [(coarse - 1) / (fine - 1) for coarse, fine in zip(shape, size, strict=True)]
    top, left = (0.5 - part / 2 for part in step)
    box = (left, top, left + size[1] * step[1], top + size[0] * step[0])
    theirs = np.asarray(Image.fromarray(x).resize(size[::-1], Image.Resampling.BICUBIC, box=box))
    theirs = theirs.clip(x.min(), x.max())
    # Pillow leaves out what lies beyond the edge, here the edge goes on.
    rows, columns = (int(np.ceil(1 / part)) for part in step)
    inner = slice(rows, -rows), slice(columns, -columns)
    np.testing.assert_allclose(upsample(x, size, smooth=True)[inner], theirs[inner], atol=2e-4)


def test_what_is_measured_stays():
    x = RANDOM.random((6, 8), np.float32)
    smooth = upsample(x, (51, 71), smooth=True)
    np.testing.assert_allclose(smooth[::10, ::10], x, atol=1e-6)
    assert (smooth.min(), smooth.max()) == (x.min(), x.max())
    np.testing.assert_allclose(
        upsample(np.full((4, 3), 0.3, np.float32), (40, 9), smooth=True), 0.3
    )
    assert upsample(np.ones((1, 1), np.float32), (5, 4), smooth=True).tolist() == [[1.0] * 4] * 5


def test_a_hill_is_round_and_has_no_ridges():
    smooth, tent = (upsample(HILL, (601, 601), smooth=way) for way in (True, False))
    radius = 50  # half a step
    aside = round(radius / 2**0.5)

    def crossed(x):
        """How much higher it is on its row than as far away on the diagonal."""
        return abs(x[300, 300 + radius] - x[300 + aside, 300 + aside])

    def kink(x):
        """How much the slope jumps across the row that goes through the top."""
        return abs(x[301, 350] - 2 * x[300, 350] + x[299, 350])

    assert crossed(smooth) < 0.02
    assert crossed(tent) > 0.05
    assert kink(smooth) < 0.1 * kink(tent)


@pytest.mark.parametrize("rule", rule_names())
def test_a_fusion_that_is_looked_at_is_close_to_the_one_that_is_measured(rule):
    maps = [RANDOM.random(shape, np.float32) for shape in ((24, 24), (12, 12), (6, 6))]
    exact, seen = (fuse(maps, [1, 1, 1], (96, 96), rule, smooth=way) for way in (False, True))
    assert seen.shape == exact.shape
    assert (seen.min(), seen.max()) == (0, 1)
    assert np.corrcoef(seen.ravel(), exact.ravel())[0, 1] > 0.95
    assert not (seen == exact).all()
    zeros = np.zeros((3, 4), np.float32)
    assert not fuse([zeros], [1], (9, 9), rule, smooth=True).any()
