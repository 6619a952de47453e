import dataclasses

import numpy as np
import pytest
from snapshots import NAMES, make_maps, make_snapshot, prediction

import combicam_widgets as ccw
from combicam_widgets.export import Snapshot
from combicam_widgets.shown.words import sentences


def test_nothing_in_it_can_be_changed(snapshot):
    with pytest.raises(dataclasses.FrozenInstanceError):
        snapshot.rule = "max"
    with pytest.raises(TypeError):
        snapshot.weights["stem"] = 0
    with pytest.raises(ValueError, match="read-only"):
        snapshot.heatmap[0] = 0


def test_what_is_given_may_change_later():
    weights, heat = dict.fromkeys(NAMES, 1.0), np.zeros((3, 4), np.float32)
    snapshot = make_snapshot(weights=weights, heatmap=heat)
    weights["stem"], heat[0] = 0.0, 1.0
    assert snapshot.weights["stem"] == 1
    assert not snapshot.heatmap.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": (NAMES[:2],)}, "stages must hold the layers stem"),
        ({"votes": (prediction(0),)}, "4 votes are needed"),
        ({"weights": {"nose": 1}}, "Unknown layer 'nose'"),
        ({"weights": {}, "heatmap": np.zeros((2, 2))}, "At least one layer"),
        ({"heatmap": np.full((2, 2), 2.0)}, "heatmap must be"),
        ({"heatmap": np.full((2, 2), np.nan)}, "heatmap must be"),
        ({"heatmap": np.zeros(4)}, "heatmap must be"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_snapshot(**changes)


def test_the_caption_tells_of_the_position_only_if_asked(snapshot):
    assert snapshot.caption() == "Fiji (50 %, 50 % within 750 km)."
    assert snapshot.caption(include_position=True) == snapshot.status_with_truth
    unknown = make_snapshot(status_with_truth="")
    assert unknown.caption(include_position=True) == unknown.caption() == unknown.status


def test_the_repr_is_the_recipe(snapshot):
    assert repr(snapshot) == "<Snapshot mine · gradcam · sum · 4 of 4 layers>"


def test_the_recipe():
    weights = {"stem": 0.5, "head": 1.0}
    assert make_snapshot().recipe == "mine · gradcam · sum · 4 of 4 layers"
    snapshot = make_snapshot(weights=weights, rule="max", normalize="minmax")
    assert snapshot.recipe == "mine · gradcam · max · each map by minmax · 2 of 4 layers, weighted"
    contrasted = make_snapshot(maps=dataclasses.replace(make_maps(), contrast=5))
    assert contrasted.recipe.endswith("rather than Pampas")
    of_logit = make_snapshot(maps=dataclasses.replace(make_maps(), score="logit"))
    assert of_logit.recipe == "mine · gradcam of logit · sum · 4 of 4 layers"


def test_of_an_explorer():
    photo = ccw.load_image(ccw.sample("panda").pixels, position=(12.3, 98.7))
    explorer = ccw.Explorer(image=photo, weights={"blocks.15": 1, "blocks.3": 0.5}, rule="mean")
    votes = explorer.model.layer_votes(photo, explorer.maps)
    snapshot = Snapshot.of(explorer, votes)
    assert snapshot.photo is photo
    assert snapshot.weights == explorer.weights
    assert sum(map(len, snapshot.stages)) == 16
    assert (snapshot.model, snapshot.rule, snapshot.votes) == ("naturalist", "mean", votes)
    np.testing.assert_array_equal(snapshot.heatmap, explorer.heatmap)
    # The sentence that the explorer would show if it did not know the position.
    seen = explorer.model.seen(photo)
    known = explorer.prediction, explorer.maps.target, explorer.evidence, explorer.keep
    assert snapshot.caption() == " ".join(sentences(*known, None, seen))
    assert snapshot.caption(include_position=True) == " ".join(
        sentences(*known, (12.3, 98.7), seen)
    )
