"""Each check takes right answers, and says of the usual wrong ones what is wrong with them."""

import re

import numpy as np
import pytest
import torch

from combicam_widgets import cam, exercises
from combicam_widgets.exercises import NotYet, Right

BERLIN, NAIROBI = (52.5, 13.4), (-1.3, 36.8)
PHOTO = np.array([0.1, 0.6, 0.2, 0.1])
EVIDENCE = np.array([0.05, 0.3, 0.6, 0.05])
EUROPE = np.array([True, False, False, True])
TABLE = [[2.0, -1.0, 0.5], [0.5, 3.0, -2.0]]
SHARES = {"blocks.0": 0.1, "blocks.1": 0.7, "blocks.2": 0.2}
NAMES = ["blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4", "blocks.5"]
WORTHS = {"sum": 0.5, "product": 0.1, "centre": 0.3, "random": 0.0}
HEAT = np.linspace(0, 1, 12).reshape(3, 4)
PHOTOS = ["koala", "panda", "bison", "jaguar", "lemur", "moose", "narwhal"]


def stretch(x):
    return (x - x.min()) / np.ptp(x) if np.ptp(x) else 0 * x


def kept(names):
    return 0.2 * len(names) - 0.1


def w(g):
    return g.mean((1, 2))[:, None, None]


def log_softmax(z):
    return z - np.log(np.exp(z).sum())


def in_place(x):
    x -= x.min()
    return x / x.max()


def nothing(*_):
    """Forget to return."""


def unfinished(*_):
    raise NotImplementedError


def three(stack):
    return [heat for _, heat in stack.upsampled()]


def below(y, x):
    return ((y[1:] + y[:-1]) * np.diff(x)).sum() / 2


check = exercises
RIGHT = {
    "position": [
        lambda: check.check_position((48.9, 2.3)),
        lambda: check.check_position([-33, 151]),
    ],
    "distance": [
        lambda: check.check_distance(6370, BERLIN, NAIROBI),
        lambda: check.check_distance(np.float32(6350), NAIROBI, BERLIN),
    ],
    "kept": [lambda: check.check_kept(0.5, PHOTO, EVIDENCE, 1)],
    "mass": [lambda: check.check_mass(0.2, PHOTO, EUROPE)],
    "largest": [lambda: check.check_largest("blocks.1", SHARES)],
    "contrast": [
        lambda: check.check_contrast(lambda z, i, j: z[i] - z[j]),
        lambda: check.check_contrast(lambda z, i, j: log_softmax(z)[i] - log_softmax(z)[j]),
    ],
    "gradient": [
        lambda: check.check_gradient([2 / 12, -1 / 12, 0.5 / 12], TABLE, (3, 4), 0),
        lambda: check.check_gradient(torch.tensor(TABLE[1]) / 12, TABLE, (3, 4), 1),
    ],
    "channel_weights": [
        lambda: check.check_channel_weights(lambda g: g.mean((1, 2))),
        lambda: check.check_channel_weights(
            lambda g: [float(torch.tensor(x).mean()) for x in g],
        ),
    ],
    "gradcam": [
        lambda: check.check_gradcam(lambda a, g: np.maximum((w(g) * a).sum(0), 0)),
        lambda: check.check_gradcam(
            lambda a, g: torch.einsum(
                "k,kij->ij", torch.tensor(g).mean((1, 2)), torch.tensor(a).requires_grad_()
            ).relu()
        ),
    ],
    "stretch": [
        lambda: check.check_stretch(stretch),
        lambda: check.check_stretch(lambda x: (x - x.min()) / max(np.ptp(x), 1e-9)),
    ],
    "heatmap": [lambda: check.check_heatmap(HEAT, (3, 4))],
    "same_map": [
        lambda: check.check_same_map(torch.tensor(HEAT, requires_grad=True), HEAT),
        lambda: check.check_same_map(HEAT.astype("float32"), HEAT),
    ],
    "combi_cam": [
        lambda: check.check_combi_cam(lambda m, w: stretch(np.tensordot(w, m, 1))),
        lambda: check.check_combi_cam(lambda m, w: stretch(np.average(m, 0, w))),
    ],
    "shares": [
        lambda: check.check_shares(
            lambda m, w: (w * m.sum((1, 2))) / (w * m.sum((1, 2))).sum(),
        )
    ],
    "few_layers": [lambda: check.check_few_layers(NAMES[:3], NAMES, kept)],
    "hottest": [
        lambda: check.check_hottest(lambda h, k: h >= np.quantile(h, 1 - k)),
        lambda: check.check_hottest(
            lambda h, k: np.argsort(np.argsort(-h.ravel())).reshape(h.shape) < k * h.size
        ),
        lambda: check.check_hottest(cam.hottest),
    ],
    "worth": [lambda: check.check_worth(lambda x, i, d, p: (below(i, x) - below(d, x)) / p)],
    "conclusion": [
        lambda: check.check_conclusion("better", 0.1, 0.3),
        lambda: check.check_conclusion("worse", -0.4, -0.1),
        lambda: check.check_conclusion("Cannot tell", -0.1, 0.2),
    ],
    "looks_right": [lambda: check.check_looks_right(["sum"], WORTHS, ["centre", "random"])],
    "split": [lambda: check.check_split(PHOTOS[:4], PHOTOS[4:], PHOTOS)],
    "wrapped": [
        lambda: check.check_wrapped(PHOTO.astype("float32"), torch.tensor(PHOTO)),
    ],
    "rule": [
        lambda: check.check_rule(lambda s: np.median(three(s), axis=0)),
        lambda: check.check_rule(lambda s: sum(x * heat**2 for x, heat in s.upsampled())),
    ],
}

WRONG = {
    "position": [
        (..., "no guess yet"),
        (None, "no guess yet"),
        ("Paris", "two numbers"),
        ((48.9,), "two numbers"),
        ((151, -33), "swapped"),
        ((400, 500), "Degrees"),
        ((0, 0), "Ghana"),
        ((np.nan, 3), "not finite"),
        ((1, 2, 3), "two numbers"),
        ({"lat", "lon"}, "must be numbers"),
    ],
    "distance": [
        (..., "no distance yet"),
        (6_362_000, "metres"),
        (3953, "miles"),
        (-6362, "not negative"),
        (57.2, "angle in degrees"),
        (0.9987, "radians"),
        (6521, "flat"),
        (np.hypot(53.8, 23.4), "difference in degrees"),
        (6101, "straight through"),
        (5982, "longitudes were left out"),
        (4000, "too small"),
        (9000, "too large"),
    ],
    "kept": [
        (..., "no kept part"),
        (50, "percent"),
        (2, "upside down"),
        (0.3, "evidence alone"),
        (0.6, "whole photo"),
        (-0.3, "difference"),
        (1.0, "another one|best places"),
        (0.7, "too large"),
        ([0.5, 0.5], "shape"),
        ("half", "must be numbers"),
        (np.inf, "not finite"),
    ],
    "mass": [
        (20, "percent"),
        (0.8, "everything else"),
        (0.1, "mean of the region|best cell"),
        (2, "counts"),
        (0.5, "share of the cells"),
        (0.05, "mean over all"),
        (1.0, "all cells"),
        (0.25, "inside to outside"),
        (0.4, "second step"),
        (0.6, "whole world"),
        (EUROPE, "shape"),
    ],
    "largest": [
        (..., "no name yet"),
        (1, "not a int"),
        ("1", "no layer"),
        ("blocks.3", "Counting begins at 0"),
        ("blocks.0", "smallest"),
        ("blocks.2", "1 of the others has more"),
        (["blocks.1"], "not a list"),
        (0.7, "not a float"),
        (SHARES, "not a dict"),
        ("", "no layer"),
    ],
    "contrast": [
        (None, "no function"),
        (1.5, "without calling it"),
        (lambda z, i, j: z[j] - z[i], "wrong way round"),
        (lambda z, i, j: z[i], "one class alone"),
        (lambda z, i, j: z[j], "rival's score alone"),
        (lambda z, i, j: log_softmax(z)[i], "all others at once"),
        (lambda z, i, j: np.exp(log_softmax(z))[i], "logarithm"),
        (lambda z, i, j: np.subtract(*np.exp(log_softmax(z))[[i, j]]), "difference of prob"),
        (lambda z, i, j: np.exp(z[i] - z[j]), "ratio of probabilities"),
        (lambda z, i, j: z[i] / z[j], "ratio of logits"),
        (lambda z, i, j: abs(z[i] - z[j]), "argue for either"),
        (lambda z, i, j: 1 / (1 + np.exp(z[j] - z[i])), "only these two"),
        (lambda z, i: z[i], "TypeError"),
        (nothing, "returns nothing"),
    ],
    "gradient": [
        ([2, -1, 0.5], "no mean"),
        (np.array([2, -1, 0.5]) / 3, "not over one side|channels"),
        (np.array([2, -1, 0.5]) / 4, "width"),
        (np.array([2, -1, 0.5]) * 12, "multiplies"),
        (np.array([2, 1, 0.5]) / 12, "signs"),
        (np.array([2, 0, 0.5]) / 12, "relu"),
        (np.array([2.5, 2, -1.5]) / 12, "all classes"),
        (np.array([0.5, 3, -2]) / 12, "class 1"),
        (-np.array([2, -1, 0.5]) / 12, "sign"),
        (2 / 12, "shape"),
        (np.array([0.5, -1, 2]) / 12, "wrong places"),
    ],
    "channel_weights": [
        (lambda g: g.sum((1, 2)), "sum over the places"),
        (lambda g: g.mean(0), "over the channels"),
        (lambda g: g.mean(), "one number for everything"),
        (lambda g: g.mean(2), "one axis"),
        (lambda g: g.mean(1), "over the rows"),
        (lambda g: np.abs(g).mean((1, 2)), "signs are lost"),
        (lambda g: np.abs(g.mean((1, 2))), "sign of each mean"),
        (lambda g: np.maximum(g.mean((1, 2)), 0), "relu comes later"),
        (lambda g: np.maximum(g, 0).mean((1, 2)), "relu comes later"),
        (lambda g: g.max((1, 2)), "largest"),
        (lambda g: g.mean((1, 2), keepdims=True), "keepdims"),
        (lambda g: -g.mean((1, 2)), "wrong sign"),
        (lambda g: 100 * g.mean((1, 2)), "factor, 100"),
        (lambda g: g.mean((1, 2)) + 1, "constant"),
        (unfinished, "still to be written"),
    ],
    "gradcam": [
        (lambda a, g: (w(g) * a).sum(0), "relu is missing"),
        (lambda a, g: np.maximum(-(w(g) * a).sum(0), 0), "wrong way round"),
        (lambda a, g: np.abs((w(g) * a).sum(0)), "positive ones"),
        (lambda a, g: np.maximum(w(g) * a, 0).sum(0), "too early"),
        (lambda a, g: (np.maximum(w(g), 0) * a).sum(0), "of the weights"),
        (lambda a, g: np.maximum((g * a).sum(0), 0), "HiResCAM"),
        (lambda a, g: np.maximum((np.maximum(g, 0) * a).sum(0), 0), "LayerCAM"),
        (lambda a, g: stretch(np.maximum((w(g) * a).sum(0), 0)), "stretched"),
        (lambda a, g: np.maximum(a.sum(0), 0), "gradients were not used"),
        (lambda a, g: np.maximum(g.sum(0), 0), "activations were not used"),
        (lambda a, g: np.maximum((w(a) * g).sum(0), 0), "changed places"),
        (lambda a, g: np.maximum(w(g) * a, 0), "not been added up"),
        (lambda a, g: w(g) * a, "relu is missing, too"),
        (lambda a, g: np.maximum((w(g) * a).mean(0), 0), "averages over the channels"),
        (lambda a, g: np.maximum((w(g) * a).sum(0), 0).T, "transposed"),
        (lambda a, g: np.maximum((g.mean((1, 2)) * a).sum(0), 0), "ValueError.*shapes"),
        (lambda a, g: np.log(np.minimum((w(g) * a).sum(0), 0)), "not finite"),
    ],
    "stretch": [
        (lambda x: x / x.max(), "minimum away first"),
        (lambda x: x - x.min(), "nothing is divided"),
        (lambda x: (x - x.min()) / x.max(), "as it was before"),
        (lambda x: np.clip(x, 0, 1), "cuts"),
        (lambda x: x / x.sum(), "sum to 1"),
        (lambda x: np.exp(x) / np.exp(x).sum(), "softmax"),
        (lambda x: (x - x.mean()) / x.std(), "deviation"),
        (lambda x: 1 - stretch(x), "upside down"),
        (lambda x: 2 * stretch(x) - 1, "-1 to 1"),
        (lambda x: 255 * stretch(x), "255"),
        (in_place, "changes its input"),
        (lambda x: (x - x.min()) / np.ptp(x), "divides by zero"),
        (lambda x: stretch(x) if np.ptp(x) else np.ones_like(x), "all zeros"),
    ],
    "heatmap": [
        (HEAT.T, "changed places"),
        (HEAT[:2, :1], "size of the layer"),
        (HEAT[:2], "shape"),
        (HEAT[None], "two axes"),
        (HEAT - 0.5, "negative"),
        (0 * HEAT, "0 everywhere"),
        (0 * HEAT + 0.5, "same everywhere"),
        (255 * HEAT, "colours"),
        (HEAT / 2, "largest"),
        (HEAT / 2 + 0.5, "smallest"),
        (HEAT > 0.5, "mask"),
        (HEAT * np.nan, "not finite"),
    ],
    "same_map": [
        (HEAT[None], "length 1"),
        (3 * HEAT, "factor"),
        (-HEAT, "sign"),
        (HEAT[::-1], "upside down"),
        (HEAT[:, ::-1], "mirror"),
        (HEAT[::-1, ::-1], "half a turn"),
        (HEAT.T, "transposed"),
        (HEAT - 5, "constant"),
        (HEAT**2, "differs most"),
        (HEAT[:2], "shape"),
        (..., "no map yet"),
    ],
    "combi_cam": [
        (lambda m, w: np.tensordot(w, m, 1), "not stretched"),
        (lambda m, w: stretch(m.sum(0)), "weights are not used"),
        (lambda m, w: stretch(np.tensordot(w, np.stack([*map(stretch, m)]), 1)), "before the sum"),
        (lambda m, w: stretch((w[:, None, None] * m).max(0)), "hottest layer"),
        (lambda m, w: stretch((m ** w[:, None, None]).prod(0)), "multiplies the maps"),
        (lambda m, w: stretch(m[-1]), "last layer"),
        (lambda m, w: stretch((m + w[:, None, None]).sum(0)), "weights are not used"),
        (lambda m, w: stretch(m[w > 0].sum(0)), "as much as any other"),
        (lambda m, w: w[:, None, None] * m, "not added up"),
        (lambda m, w: np.tensordot(w, m, 1) / np.tensordot(w, m, 1).max(), "minimum away"),
        (lambda m, w: 1 - stretch(np.tensordot(w, m, 1)), "upside down"),
        (lambda m, w: stretch((w * m).sum(0)), "ValueError"),
    ],
    "shares": [
        (lambda m, w: 100 * w * m.mean((1, 2)) / (w * m.mean((1, 2))).sum(), "percent"),
        (lambda m, w: w * m.mean((1, 2)), "sum to 1"),
        (lambda m, w: w * m.sum((1, 2)), "sum to 1"),
        (lambda m, w: m.mean((1, 2)) / m.mean((1, 2)).sum(), "weights are not used"),
        (lambda m, w: w / w.sum(), "how much a layer"),
        (lambda m, w: w * m.mean((1, 2)) / (w * m.mean((1, 2))).max(), "largest"),
        (lambda m, w: w * m.max((1, 2)) / (w * m.max((1, 2))).sum(), "hottest spots"),
        (lambda m, w: np.full(len(m), 1 / len(m)), "counts the layers"),
        (lambda m, w: (w * m.mean((1, 2)) / (w * m.mean((1, 2))).sum())[::-1], "order"),
        (lambda m, w: w[:, None, None] * m / np.tensordot(w, m, 1), "each place"),
        (lambda m, w: (w * m.mean((1, 2)))[:-1], "shape"),
    ],
    "few_layers": [
        (..., "no list yet"),
        ("blocks.1", "list of names"),
        ([], "empty"),
        ([3], "names, not 3"),
        (["blocks.9"], "no layer"),
        (["blocks.1", "blocks.1"], "twice"),
        (NAMES, "all layers"),
        (NAMES[:5], "at most 4"),
        (NAMES[:2], "30%"),
        (7, "not a int"),
    ],
    "hottest": [
        (lambda h, k: h > k, "temperature"),
        (lambda h, k: h > 1 - k, "from the top"),
        (lambda h, k: h < np.quantile(h, k), "coldest"),
        (lambda h, k: h < np.quantile(h, 1 - k), "everything but"),
        (lambda h, k: h >= np.quantile(h, k), "too much"),
        (lambda h, k: h * (h >= np.quantile(h, 1 - k)), "mask of truths"),
        (lambda h, k: h > h.mean(), "above the mean"),
        (lambda h, k: h > np.median(h), "median"),
        (lambda h, k: h > k * h.max(), "temperature|part of the maximum"),
        (lambda h, k: h >= np.quantile(h, 1 - k, axis=1, keepdims=True), "each row"),
        (lambda h, k: np.quantile(h, 1 - k), "threshold"),
        (lambda h, k: h > 2, "differs most"),
        (lambda h, k: (h >= np.quantile(h, 1 - k)).ravel(), "shape"),
    ],
    "worth": [
        (lambda x, i, d, p: (below(d, x) - below(i, x)) / p, "way round"),
        (lambda x, i, d, p: below(i, x) - below(d, x), "Divide by the probability"),
        (lambda x, i, d, p: below(i, x) / p, "insertion alone; take"),
        (lambda x, i, d, p: below(i, x), "insertion alone, and not"),
        (lambda x, i, d, p: below(d, x) / p, "deletion alone"),
        (lambda x, i, d, p: (below(i, x) + below(d, x)) / p, "adds"),
        (lambda x, i, d, p: below(i, x) / below(d, x), "ratio"),
        (lambda x, i, d, p: (below(i, x) - below(d, x)) * p, "multiplies"),
        (lambda x, i, d, p: (i - d).mean() / p, "trapezoids"),
        (lambda x, i, d, p: (i - d).sum() / p, "sum of the values"),
        (lambda x, i, d, p: (i - d).max() / p, "largest gap"),
        (lambda x, i, d, p: 100 * (below(i, x) - below(d, x)) / p, "percent"),
        (lambda x, i, d, p: max(0, below(i, x) - below(d, x)) / p, "not 0"),
    ],
    "conclusion": [
        (..., "no answer yet"),
        ("it is better", "one of"),
        (True, "one of"),
        ("better", "from below 0 to above 0"),
        ("worse", "from below 0 to above 0"),
    ],
    "looks_right": [
        (..., "no list yet"),
        ("sum", "list of names"),
        (["product"], "no more than the control 'centre'"),
        (["centre"], "is a control"),
        (["sum", "sum"], "twice"),
        (["winsor"], "no heatmap"),
        (["sum", "product"], "no more than"),
        ([], "empty"),
        (3, "not a int"),
        ([3], "names, not 3"),
    ],
    "split": [
        ((..., PHOTOS), "no list yet"),
        ((PHOTOS[:4], PHOTOS[3:]), "Tuned on the test photos: 'jaguar'"),
        ((PHOTOS, PHOTOS), "Tuned on the test photos"),
        (("koala", PHOTOS[4:]), "list of names"),
        ((PHOTOS[:4], ["panda2", "lemur", "moose"]), "no photo 'panda2'"),
        ((["koala", "koala", "panda"], PHOTOS[4:]), "twice"),
        ((PHOTOS[:2], PHOTOS[4:]), "2 photos to choose on"),
        ((PHOTOS[:4], PHOTOS[4:5]), "1 photos to test on"),
        ((PHOTOS[:4], []), "empty"),
        (([1, 2, 3], PHOTOS[4:]), "names, not 1"),
    ],
    "wrapped": [
        (np.exp(PHOTO) / np.exp(PHOTO).sum(), "second time"),
        (np.log(PHOTO), "negative|logarithms"),
        (100 * PHOTO, "percent"),
        (1 - PHOTO, "other"),
        (PHOTO[::-1], "wrong order"),
        (np.sort(PHOTO), "sorted"),
        (np.sort(PHOTO)[::-1], "sorted"),
        (np.array([0, 1, 0, 0]), "1 for the best"),
        (np.full(4, 0.25), "equally likely"),
        (PHOTO / 2, "sum to 1"),
        (PHOTO[:3], "shape"),
        (..., "yet"),
    ],
    "rule": [
        (None, "no function"),
        (lambda s: sum(x * heat for x, heat in s.upsampled()), "rule that is there already"),
        (lambda s: three(s)[0], "order of the layers|Only one"),
        (lambda s: max(three(s), key=np.max), "Only one of the layers"),
        (lambda s: s.maps[0], "order|shape"),
        (lambda s: np.zeros(s.size), "0 everywhere"),
        (lambda s: np.ones(s.size), "same everywhere"),
        (lambda s: -np.median(three(s), axis=0), "negative"),
        (lambda s: np.random.default_rng().uniform(size=s.size), "no chance"),
        (three, "shape"),
        (lambda s: np.median(three(s), axis=0) * np.nan, "not finite"),
        (lambda s: s.layers, "AttributeError"),
    ],
}

GIVEN = {
    "distance": (BERLIN, NAIROBI),
    "kept": (PHOTO, EVIDENCE, 1),
    "mass": (PHOTO, EUROPE),
    "largest": (SHARES,),
    "gradient": (TABLE, (3, 4), 0),
    "heatmap": ((3, 4),),
    "same_map": (HEAT,),
    "few_layers": (NAMES, kept),
    "wrapped": (PHOTO,),
    "conclusion": (-0.1, 0.2),
    "looks_right": (WORTHS, ["centre", "random"]),
}
"""What a check is told besides the answer."""


def test_every_check_is_tested():
    checks = {name.removeprefix("check_") for name in exercises.__all__ if "check_" in name}
    assert checks == set(RIGHT) == set(WRONG)
    for name in checks - {"conclusion"}:  # there are only three words to be wrong with
        assert len(WRONG[name]) >= 10


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_are_right(name):
    for answer in RIGHT[name]:
        said = answer()
        assert isinstance(said, Right)
        assert repr(said) == str(said)
        assert said.startswith("Right. ")


def said_of(name, answer):
    function = getattr(exercises, f"check_{name}")
    if name == "split":
        return function(*answer, PHOTOS)
    return function(answer, *GIVEN.get(name, ()))


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [(name, *each) for name, wrong in WRONG.items() for each in wrong],
)
def test_wrong_answers_are_told_what_is_wrong(name, answer, words):
    with np.errstate(all="ignore"), pytest.raises(NotYet) as told:
        said_of(name, answer)
    assert re.search(words, str(told.value), re.DOTALL), told.value


@pytest.mark.parametrize(
    ("name", "answers", "secret"),
    [
        ("distance", [4000, 9000, ...], "63[0-9]{2}"),
        ("kept", [0.7, 0.9, 3, ...], r"0\.5\b|50"),
        ("mass", [0.7, 0.33, ...], r"0\.2\b|20"),
        ("largest", ["blocks.2", 4], r"blocks\.1\b"),
        ("looks_right", [["product"], ["centre"], "random"], r"\bsum\b"),
    ],
)
def test_the_answer_is_never_said(name, answers, secret):
    for answer in answers:
        with pytest.raises(NotYet) as told:
            said_of(name, answer)
        assert not re.search(secret, str(told.value))


def test_a_wrong_conclusion_is_led_back_to_the_interval():
    for answer, low, high, words in [
        ("cannot tell", 0.1, 0.2, "side of 0"),
        ("worse", 0.1, 0.2, "sign"),
        ("better", -0.2, -0.1, "sign"),
    ]:
        with pytest.raises(NotYet, match=words):
            exercises.check_conclusion(answer, low, high)


def test_one_more_that_beats_the_controls_is_counted_and_not_named():
    with pytest.raises(NotYet, match="1 more of them is worth more") as told:
        exercises.check_looks_right(["sum"], {**WORTHS, "max": 0.4}, ["centre", "random"])
    assert "max" not in str(told.value)


def test_an_error_in_a_function_is_told_with_its_line():
    def wrong(a, g):
        return a @ g.mean(7)

    with pytest.raises(NotYet, match=r"at `return a @ g.mean\(7\)` with AxisError") as told:
        exercises.check_gradcam(wrong)
    assert isinstance(told.value.__cause__, np.exceptions.AxisError)


def test_a_notebook_shows_words_and_no_traceback():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.io import capture_output

    shell = InteractiveShell()
    with capture_output() as shown:
        shell.run_cell("from combicam_widgets import exercises\nexercises.check_position(...)")
    assert shown.stdout.strip().startswith("Not yet: There is no guess yet")
    assert "Traceback" not in shown.stdout + shown.stderr


def test_a_rule_without_weights_is_right_and_told_so():
    assert "weights" in exercises.check_rule(lambda s: np.median(three(s), axis=0))
    assert "explorer" in exercises.check_rule(lambda s: sum(x * h**2 for x, h in s.upsampled()))
