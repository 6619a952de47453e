"""States: short, private, and enough to bring a view back."""

import json

import numpy as np
import pytest
import tiny
from traitlets import TraitError

import combicam_widgets as ccw
from combicam_widgets.widgets import Explorer


def test_a_state_brings_a_view_back(small_model):
    explorer = Explorer(model="naturalist", image="kangaroo")
    assert set(explorer.state()) == {"model", "image", "method", "rule", "weights"}
    explorer.update(
        target=5,
        contrast=7,
        rule="max",
        normalize="minmax",
        keep=0.2,
        method="layercam",
        box=(0.1, 0.2, 0.5, 0.75),
        show_rings=True,
        weights={"blocks.15": 1, "blocks.3": 0.25},
    )
    state = json.loads(json.dumps(explorer.state()))
    assert state["weights"] == {"blocks.15": 1, "blocks.3": 0.25}
    assert len(json.dumps(state)) < 400
    again = Explorer(**state)
    assert again.state() == explorer.state()
    assert again.weights == explorer.weights
    np.testing.assert_array_equal(again.heatmap, explorer.heatmap)


def test_a_state_holds_nothing_of_a_photo_of_ones_own(tmp_path):
    place = (12.34567, -67.89012)
    explorer = Explorer(model=tiny.model(), image=tiny.photo(3, place, "grandma at home"))
    text = json.dumps(explorer.state())
    for secret in ("12.3", "67.8", "grandma", "home"):
        assert secret not in text
    assert "48 x 40" in text
    with pytest.raises(TraitError, match=r"not in it\. Give the photo: Explorer"):
        Explorer(**{**explorer.state(), "model": tiny.model()})
    same = Explorer(model=tiny.model(), image=tiny.photo(3))
    assert same.state()["image"] == explorer.state()["image"]
    other = Explorer(model=tiny.model(), image=tiny.photo(4))
    assert other.state()["image"] != explorer.state()["image"]


def test_names_of_samples_are_no_masks():
    """A photo of one's own that is called like a sample is not taken for that sample."""
    explorer = Explorer(model=tiny.model(), image=tiny.photo(3, name="Koala"))
    assert explorer.state()["image"].startswith("a photo of my own (48 x 40")
    explorer.image = "koala"
    assert explorer.state()["image"] == "Koala"


def test_a_state_tells_nothing_before_a_guess():
    explorer = Explorer(model=tiny.model(), image=ccw.sample("colosseum"), guessing=True)
    with pytest.raises(RuntimeError, match="Guess first"):
        explorer.state()
    explorer.guess = (10, 20)
    assert "guess" not in json.dumps(explorer.state())
