"""Scores against numpy in double precision, and their gradients against the closed form."""

import numpy as np
import pytest
import torch

from combicam_widgets import cam
from combicam_widgets.cam.scores import class_score

LOGITS = np.array([[1.0, -2.0, 0.5, 3.0], [0.0, 0.0, 4.0, -1.0]])
TARGET = np.array([2, 0])


def probabilities(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def scored(name, logits=LOGITS, dtype=torch.float64):
    z = torch.tensor(logits, dtype=dtype, requires_grad=True)
    value = class_score(name, z, torch.from_numpy(TARGET[: len(logits)]))
    (gradient,) = torch.autograd.grad(value.sum(), z)
    return value.detach().numpy(), gradient.to(torch.float64).numpy()


def test_values_and_gradients_are_the_closed_forms():
    p = probabilities(LOGITS)
    rows = np.arange(2)
    p_c = p[rows, TARGET]
    one_hot = np.eye(4)[TARGET]
    expected = {
        "logit": (LOGITS[rows, TARGET], one_hot),
        "probability": (p_c, p_c[:, None] * (one_hot - p)),
        "log_probability": (np.log(p_c), one_hot - p),
    }
    assert set(expected) == set(cam.SCORES)
    for name, (value, gradient) in expected.items():
        got_value, got_gradient = scored(name)
        np.testing.assert_allclose(got_value, value, rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(got_gradient, gradient, rtol=1e-5, atol=1e-7, err_msg=name)


def test_log_probability_is_the_default_and_survives_where_the_probability_underflows():
    assert cam.SCORES[0] == "log_probability"
    far = np.array([[0.0, 0.0, -200.0, 0.0]])
    value, gradient = scored("probability", far)
    assert value[0] == 0
    assert not gradient.any()
    value, gradient = scored("log_probability", far)
    np.testing.assert_allclose(value, -200 - np.log(3), rtol=1e-6)
    np.testing.assert_allclose(gradient, [[-1 / 3, -1 / 3, 1, -1 / 3]], rtol=1e-5)


@pytest.mark.parametrize("name", cam.SCORES)
def test_half_precision_logits_are_scored_in_single_precision(name):
    value, _ = scored(name, dtype=torch.bfloat16)
    reference, _ = scored(name)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, reference, rtol=1e-6)  # these logits are exact in bfloat16


def test_an_unknown_score_is_refused_with_the_names():
    with pytest.raises(ValueError, match=r"'margin'.*log_probability, probability, logit"):
        class_score("margin", torch.zeros(1, 2), torch.tensor([0]))
