"""What stands where the photo is taken away, and heatmaps that know nothing."""

import numpy as np
import pytest
import torch

from combicam_widgets import cam, evaluation

PHOTO = torch.rand(1, 3, 19, 26, generator=torch.Generator().manual_seed(0)) * 4 - 1


def test_the_mean_colour_is_the_photos_own_and_not_zero():
    """Zeros of a normalised tensor are another colour than black, and another than the mean."""
    filled = evaluation.filled(PHOTO, "mean colour")
    mean = PHOTO.mean((2, 3))
    torch.testing.assert_close(filled, mean[..., None, None].expand(1, 3, 19, 26))
    assert (mean.abs() > 0.1).all()


def test_the_blur_is_that_of_the_evidence():
    torch.testing.assert_close(evaluation.filled(PHOTO, "blur"), cam.blur(PHOTO))


@pytest.mark.parametrize("size", [(16, 24), (8, 8), (19, 26), (7, 7), (224, 160), (9, 70)])
def test_shuffled_patches_are_the_photos_own(size):
    height, width = size
    photo = torch.arange(height * width, dtype=torch.float64).reshape(1, 1, height, width)
    shuffled = evaluation.filled(photo, "shuffled", seed=3)
    assert shuffled.shape == photo.shape
    assert (shuffled == photo).double().mean() < 0.3
    patch = max(min(size) // 8, 1)
    if height % patch == width % patch == 0:
        assert sorted(shuffled.flatten()) == sorted(photo.flatten())
    # inside a patch, neighbours are neighbours
    if patch > 1:
        inside = shuffled[0, 0, :patch, :patch]
        assert set((inside[:, 1:] - inside[:, :-1]).abs().flatten().tolist()) == {1.0}
    torch.testing.assert_close(shuffled, evaluation.filled(photo, "shuffled", seed=3))
    assert (shuffled != evaluation.filled(photo, "shuffled", seed=4)).any()


def test_noise_has_the_photos_mean_and_spread():
    photo = torch.rand(1, 3, 100, 100) * torch.tensor([1.0, 5, 0])[:, None, None] + 2
    noise = evaluation.filled(photo, "noise", seed=1)
    torch.testing.assert_close(noise.mean((2, 3)), photo.mean((2, 3)), atol=0.06, rtol=0)
    torch.testing.assert_close(noise.std((2, 3)), photo.std((2, 3)), atol=0.06, rtol=0)
    torch.testing.assert_close(noise, evaluation.filled(photo, "noise", seed=1))


def test_no_fill_changes_the_photo():
    before = PHOTO.clone()
    for fill in (*evaluation.FILLS, lambda batch: batch.zero_()):
        evaluation.filled(PHOTO, fill).add_(1)
    assert torch.equal(PHOTO, before)


def test_controls_are_four_and_lie_in_the_unit_range():
    controls = evaluation.controls(PHOTO, seed=2)
    assert list(controls) == ["random", "centre", "uniform", "edges"]
    for heat in controls.values():
        assert heat.shape == (19, 26)
        assert heat.dtype == np.float32
        assert heat.min() >= 0
        assert heat.max() <= 1
    assert np.unravel_index(controls["centre"].argmax(), (19, 26))[0] == 9
    np.testing.assert_allclose(controls["centre"], controls["centre"][::-1, ::-1], atol=1e-6)
    assert np.ptp(controls["uniform"]) == 0
    again, other = evaluation.controls(PHOTO, seed=2), evaluation.controls(PHOTO, seed=3)
    np.testing.assert_array_equal(controls["random"], again["random"])
    assert (controls["random"] != other["random"]).mean() > 0.9


def test_edges_are_where_the_photo_changes():
    photo = torch.zeros(1, 3, 10, 12)
    photo[..., 6:] = 1
    edges = evaluation.controls(photo)["edges"]
    np.testing.assert_array_equal(np.flatnonzero(edges[5]), [5, 6])
    assert not evaluation.controls(torch.ones(1, 3, 4, 4))["edges"].any()
