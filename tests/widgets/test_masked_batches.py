"""Masked photos go through the network in batches: its runs are counted, and the photos in each."""

import pytest
import tiny

from combicam_widgets import Explorer, evaluation
from combicam_widgets.evaluation import asking
from combicam_widgets.models import geo_model

LAYERS, CHANNELS = 3, (4, 6, 6)


@pytest.fixture
def counted():
    """Give a model, and the list of the sizes of the batches that its network is given."""
    model, sizes = tiny.model(), []
    model.network.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    return model, sizes


def in_batches(total, size):
    """Sizes of batches, all full but the last."""
    return [min(size, total - first) for first in range(0, total, size)]


@pytest.mark.parametrize("at_once", [4, 5])
def test_score_cam_and_votes_from_python(counted, monkeypatch, at_once):
    monkeypatch.setattr(geo_model, "_AT_ONCE_ON_CPU", at_once)
    model, sizes = counted
    photo = tiny.photo(1)
    model.explain(photo)  # finds out which axes are the photo's, once
    sizes.clear()
    maps = model.explain(photo, method="scorecam")
    channels = [size for count in CHANNELS for size in in_batches(count, at_once)]
    assert sizes == [1, 1, *channels]  # the pass of the other methods, and the layers' outputs
    sizes.clear()
    model.layer_votes(photo, maps)
    assert sizes == in_batches(LAYERS, at_once)
    sizes.clear()
    model.evidence(photo, maps.fuse())
    assert sizes == [1]


def test_worth_from_python(counted):
    model, sizes = counted
    photo = tiny.photo(1)
    maps = model.explain(photo, method="hirescam")
    measured = sum(bool(x.any()) for x in maps.maps)
    assert measured > 1
    sizes.clear()
    evaluation.layer_worth(model, photo, maps, fills=["blur", "mean colour"], steps=6)
    one_fill = in_batches(2 * measured * (6 - 1), asking._AT_ONCE["cpu"])
    # The whole photo; nothing of it, as each fill has it.
    assert sizes == [1, *one_fill, 1, *one_fill, 1]


def test_an_explorer(counted, monkeypatch):
    monkeypatch.setattr(geo_model, "_AT_ONCE_ON_CPU", 2)
    model, sizes = counted
    explorer = Explorer(model=model, image=tiny.photo(1))
    assert set(sizes) == {1}
    sizes.clear()
    explorer.show_votes = True
    assert len(explorer.votes) == LAYERS
    assert sizes == in_batches(LAYERS, 2)
    explorer.show_votes = False
    sizes.clear()
    explorer.method = "scorecam"
    channels = [size for count in CHANNELS for size in in_batches(count, 2)]
    assert [size for size in sizes if size > 1] == [2] * (sum(CHANNELS) // 2)
    assert sizes.count(2) == channels.count(2)
    sizes.clear()
    explorer.preset("by worth")
    assert max(sizes) == asking._AT_ONCE["cpu"]
    assert sum(sizes) / len(sizes) > 0.7 * asking._AT_ONCE["cpu"]
