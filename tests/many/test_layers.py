"""Statistics of layers: means over the right photos, and weights as the evaluation learns them."""

import numpy as np
import pandas as pd
import pytest
from tiny_many import a_model, some_photos

import combicam_widgets as ccw
from combicam_widgets import evaluation
from combicam_widgets.many.layers import figure, layer_statistics

TABLE = pd.DataFrame(
    {
        "seen": ["cat 0.91", "dog 0.50", "cat 0.20", ""],
        "place": ["x", "y", "x", ""],
        "latitude": [48.9, -33.9, 46.0, np.nan],
        "longitude": [2.4, 151.2, 2.0, np.nan],
        "distance_km": [100.0, 3000.0, np.nan, np.nan],
        "carried_by": ["a", "b", "b", ""],
        "share: a": [0.8, 0.1, 0.4, np.nan],
        "share: b": [0.2, 0.9, 0.6, np.nan],
        "error": ["", "", "", "broken"],
    }
)


def means(by, what="share", most=12):
    found = layer_statistics(TABLE, ["a", "b"], by, most)
    return {
        (group, count): list(some[what])
        for (group, count), some in found.groupby(["group", "photos"], sort=False, observed=True)
    }


def test_all_photos_without_errors_count():
    assert means(None) == {("all photos", 3): pytest.approx([1.3 / 3, 1.7 / 3])}
    assert means(None, "carried") == {("all photos", 3): pytest.approx([1 / 3, 2 / 3])}


def test_photos_are_grouped_by_what_is_known_of_them():
    assert means("class") == {
        ("cat", 2): pytest.approx([0.6, 0.4]),
        ("dog", 1): pytest.approx([0.1, 0.9]),
    }
    assert means("region") == {
        ("France", 2): pytest.approx([0.6, 0.4]),
        ("Australia", 1): pytest.approx([0.1, 0.9]),
    }
    assert means("error") == {
        ("within 200 km", 1): pytest.approx([0.8, 0.2]),
        ("over 2,500 km", 1): pytest.approx([0.1, 0.9]),
        ("truth not known", 1): pytest.approx([0.4, 0.6]),
    }
    assert means("place")[("x", 2)] == pytest.approx([0.6, 0.4])
    north = {(True, 2): pytest.approx([0.6, 0.4]), (False, 1): pytest.approx([0.1, 0.9])}
    assert means(lambda table: table.latitude > 0) == north
    assert list(means("seen", most=2)) == [("cat 0.91", 1), ("all others", 2)]


def test_the_figure_shows_the_numbers():
    found = layer_statistics(TABLE, ["a", "b"], "class")
    drawn = figure(found, "carried")
    (heat,) = drawn.data
    assert list(heat.x) == ["a", "b"]
    assert list(heat.y) == ["cat (2)", "dog (1)"]
    assert np.allclose(heat.z, [[0.5, 0.5], [0, 1]])
    with pytest.raises(ValueError, match="share, carried"):
        figure(found, "worth")


def test_what_cannot_be_grouped_is_told():
    with pytest.raises(ValueError, match="'region', 'error', 'class'"):
        means("beauty")
    with pytest.raises(ValueError, match="positions=True"):
        layer_statistics(TABLE.assign(distance_km=np.nan), ["a", "b"], "error")
    with pytest.raises(ValueError, match="nothing to count"):
        layer_statistics(TABLE.assign(error="x"), ["a", "b"])


def test_weights_are_learnt_as_the_evaluation_learns_them(tmp_path):
    model, photos = a_model(), some_photos(4, [(50, 50)])
    given = {"measures": ["layer worth", "worth"], "candidates": ["hirescam, mean", "by worth"]}
    many = ccw.explain_many(model, photos, batch=2, out=tmp_path / "out", **given)
    learnt = evaluation.learn_weights(model, photos)
    found = ccw.read_many(tmp_path / "out").learnt_weights()
    assert (found.method, found.rule, found.name) == (learnt.method, learnt.rule, "learnt")
    assert found.weights == pytest.approx(learnt.weights, abs=0.02)
    table = many.table()
    for i, photo in enumerate(photos):
        maps = model.explain(photo, methods=["hirescam"])
        (worth,) = evaluation.worth(model, photo, [maps.fuse(rule="mean", size=(64, 64))])
        assert table.worth[i] == pytest.approx(worth, abs=0.05)
        best = many.candidate(i, "by worth")
        assert (many.heatmap(i, "by worth") == best.heatmap(many.maps(i), (64, 64))).all() or (
            best.method != "hirescam"
        )
    statistics = many.layer_statistics()
    assert list(statistics.worth) == pytest.approx(
        [table[f"alone: {name}"].mean() for name in many.layers]
    )
    again = ccw.explain_many(model, photos, candidates=[found])
    assert again.candidates == ("learnt",)
    assert again.candidate(0).weights == found.weights
    without = ccw.explain_many(model, photos)
    with pytest.raises(ValueError, match="layer worth"):
        without.learnt_weights()
