"""LayerMaps: a read-only mapping that fuses, saves and refuses what it should."""

import copy
import json
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import fuzz
from combicam_widgets import cam

NAMES = ("stem", "block.1", "block.2")
IMPORTANCES = np.array([0.5, 0.0, 2.0], np.float32)


def arrays(seed):
    rng = np.random.default_rng(seed)
    maps = [rng.random(s, np.float32) for s in [(4, 5), (2, 3), (2, 3)]]
    maps[1][:] = 0
    return tuple(maps)


def layer_maps(**changes):
    facts = {
        "names": NAMES,
        "methods": {"gradcam": arrays(1), "layercam": arrays(2)},
        "method": "gradcam",
        "size": (8, 10),
        "target": 3,
        "score": "logit",
        "probabilities": np.array([0.5, 0.125, 0.125, 0.25], np.float32),
        "importances": IMPORTANCES.copy(),
    }
    return cam.LayerMaps(**facts | changes)


def test_it_is_a_mapping_in_forward_order():
    maps = layer_maps()
    assert list(maps) == list(NAMES)
    assert len(maps) == 3
    assert "stem" in maps
    assert "head" not in maps
    for name, expected in zip(NAMES, arrays(1), strict=True):
        np.testing.assert_array_equal(maps[name], expected)
    assert dict(zip(maps, maps.maps, strict=True)).keys() == set(NAMES)
    with pytest.raises(KeyError, match=r"'head' is not one of the layers stem, block\.1"):
        maps["head"]


def test_repr_says_what_a_person_wants_to_know():
    assert repr(layer_maps()) == (
        "LayerMaps(3 layers, 4x5 2x3, gradcam of logit, target 3 (probability 0.25), "
        "1 without positive evidence)"
    )
    loud = layer_maps(methods={"gradcam": (arrays(1)[0],) * 3})
    assert repr(loud) == "LayerMaps(3 layers, 4x5, gradcam of logit, target 3 (probability 0.25))"


def test_silent_layers():
    assert layer_maps().silent == ("block.1",)
    zeros = tuple(np.zeros((2, 2), np.float32) for _ in NAMES)
    maps = layer_maps(methods={"gradcam": zeros})
    assert maps.silent == NAMES
    assert not maps.fuse().any()
    assert set(maps.shares().values()) == {0.0}


def test_with_method_shows_the_other_maps_of_the_same_pass():
    maps = layer_maps()
    other = maps.with_method("layercam")
    assert other.method == "layercam"
    assert maps.method == "gradcam"
    assert other.maps is maps.methods["layercam"]
    np.testing.assert_array_equal(other["stem"], arrays(2)[0])
    np.testing.assert_array_equal(other.with_method("gradcam")["stem"], maps["stem"])
    assert not np.array_equal(other.fuse(), maps.fuse())
    with pytest.raises(ValueError, match="'eigencam'; these maps know gradcam, layercam"):
        maps.with_method("eigencam")


def test_nothing_can_be_changed():
    maps = layer_maps()
    with pytest.raises(FrozenInstanceError):
        maps.method = "layercam"
    for method in maps.methods:
        for x in maps.with_method(method).maps:
            with pytest.raises(ValueError, match="read-only"):
                x[0, 0] = 1
    for numbers in (maps.probabilities, maps.importances):
        with pytest.raises(ValueError, match="read-only"):
            numbers[0] = 1


@pytest.mark.parametrize("rule", cam.rule_names())
@pytest.mark.parametrize("normalize", cam.NORMALIZATIONS)
def test_weights_by_name_by_order_and_by_default(rule, normalize):
    maps = layer_maps()
    raw, options = arrays(1), {"rule": rule, "normalize": normalize}
    for given_weights, vector in [
        (None, [1, 1, 1]),
        ([0.5, 0, 2], [0.5, 0, 2]),
        (np.array([0.5, 0, 2]), [0.5, 0, 2]),
        ({"stem": 0.5, "block.2": 2}, [0.5, 0, 2]),
        ({"block.2": 2, "stem": 0.5, "block.1": 0}, [0.5, 0, 2]),
        ({"stem": True}, [1, 0, 0]),
    ]:
        np.testing.assert_array_equal(
            maps.fuse(given_weights, **options),
            cam.fuse(raw, vector, (8, 10), importances=IMPORTANCES, **options),
        )
        assert maps.shares(given_weights, **options) == dict(
            zip(
                NAMES,
                cam.shares(raw, vector, (8, 10), importances=IMPORTANCES, **options).tolist(),
                strict=True,
            )
        )
    np.testing.assert_array_equal(
        maps.fuse(size=(3, 4), **options),
        cam.fuse(raw, [1] * 3, (3, 4), importances=IMPORTANCES, **options),
    )


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ({"head": 1}, ValueError, r"Unknown layer 'head'; the layers are stem, block\.1, block\.2"),
        ({"stem": "1"}, TypeError, "Weights must be numbers"),
        ({"stem": 10**400}, ValueError, "Weights must be finite"),
        ({"stem": -1}, ValueError, "weight of 'stem' must be a finite number >= 0"),
        ({"stem": 1, "block.2": np.nan}, ValueError, r"weight of 'block\.2'"),
        ([1, np.inf, 1], ValueError, r"weight of 'block\.1'"),
        ([1, 1e300, 1], ValueError, r"weight of 'block\.1'"),
        ({"stem": "much"}, TypeError, "must be numbers"),
        ({"stem": [1, 2]}, TypeError, "must be numbers"),
        (object(), TypeError, "must be numbers"),
        ([1, 1], ValueError, "3 weights are needed"),
        ([1, 1, 1, 1], ValueError, "3 weights are needed"),
        (1.0, ValueError, "3 weights are needed"),
        ([[1], [1], [1]], ValueError, "3 weights are needed"),
        ({}, ValueError, "All layers are off"),
        ({"stem": 0}, ValueError, "All layers are off"),
        ([0, 0, 0], ValueError, "All layers are off"),
    ],
)
def test_bad_weights_are_named(weights, error, message):
    for act in (layer_maps().fuse, layer_maps().shares):
        with pytest.raises(error, match=message):
            act(weights)


@pytest.mark.parametrize(
    "bad", [np.array([[np.nan]]), np.array([[np.inf]]), np.array([[-1.0]]), np.zeros(3)]
)
def test_a_map_is_finite_two_dimensional_and_not_negative(bad):
    good = np.ones((1, 1))
    with pytest.raises(ValueError, match=r"'block\.1' must be 2-D, finite and not negative"):
        layer_maps(methods={"gradcam": (good, bad, good)})


@pytest.mark.parametrize(
    ("numbers", "sides", "name"),
    [
        ([1, np.nan, 1, 1, 1, 1], (1, 2, 3), NAMES[1]),
        ([1, 1, 1, 1, 1, -1], (1, 2, 3), NAMES[2]),
        ([], (0, 0, 0), NAMES[0]),
    ],
)
def test_so_are_maps_that_lie_in_one_piece_of_memory(numbers, sides, name):
    whole = np.array(numbers, np.float32)
    cut = np.split(whole, np.cumsum(sides)[:-1])
    maps = tuple(x.reshape(1, -1) for x in cut)
    with pytest.raises(ValueError, match=rf"'{name}' must be 2-D, finite and not negative"):
        layer_maps(methods={"gradcam": maps})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([1, 2], "must be 3 importances, one per layer"),
        ([1, 2, 3, 4], "must be 3 importances, one per layer"),
        ([[1, 2, 3]], "must be 3 importances, one per layer"),
        (1.0, "must be 3 importances, one per layer"),
        ([1, np.nan, 1], "importances .* finite and not negative"),
        ([1, np.inf, 1], "importances .* finite and not negative"),
        ([1, -0.1, 1], "importances .* finite and not negative"),
    ],
)
def test_importances_are_one_finite_number_per_layer(bad, message):
    with pytest.raises(ValueError, match=message):
        layer_maps(importances=np.array(bad, np.float32))


def test_the_probability_is_that_of_the_target():
    probabilities = np.array([0.5, 0.125, 0.3, 0.075], np.float32)
    for target in range(4):
        maps = layer_maps(target=target, probabilities=probabilities)
        assert maps.probability == probabilities[target]
        assert isinstance(maps.probability, float)


def scorecam(**changes):
    return layer_maps(
        methods={"scorecam": arrays(3)},
        method="scorecam",
        score="logit",
        importances=np.zeros(3, np.float32),
        **changes,
    )


def test_joined_maps_know_the_methods_of_both():
    maps, other = layer_maps(), scorecam()
    both = maps.joined(other)
    assert list(both.methods) == ["gradcam", "layercam", "scorecam"]
    assert both.method == "gradcam"
    for one in (maps, other):
        for method in one.methods:
            for x, y in zip(
                both.with_method(method).maps, one.with_method(method).maps, strict=True
            ):
                np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(both.importances, IMPORTANCES)  # Score-CAM has none of its own
    np.testing.assert_array_equal(both.fuse(rule="winsor"), maps.fuse(rule="winsor"))
    np.testing.assert_array_equal(both.with_method("scorecam").fuse(), other.fuse())
    assert list(maps.methods) == ["gradcam", "layercam"]  # as it was
    assert other.joined(maps).method == "scorecam"
    contrasting = layer_maps(contrast=1).joined(scorecam(contrast=1))
    assert contrasting.contrast == 1


def test_joining_again_replaces_a_method():
    newer = layer_maps(methods={"layercam": arrays(7)}, method="layercam")
    both = layer_maps().joined(newer)
    assert list(both.methods) == ["gradcam", "layercam"]
    np.testing.assert_array_equal(both.with_method("layercam")["stem"], arrays(7)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ("stem", "block.1", "head")}, "another names"),
        ({"names": ("stem", "block.2", "block.1")}, "another names"),
        ({"size": (10, 8)}, "another size"),
        ({"target": 2}, "another target"),
        ({"contrast": 0}, "another contrast"),
        ({"probabilities": np.array([0.5, 0.1, 0.15, 0.25], np.float32)}, "another photo"),
        ({"probabilities": np.array([0.5, 0.125, 0.125, 0.25, 0], np.float32)}, "another photo"),
    ],
)
def test_maps_of_another_question_are_not_joined(changes, message):
    with pytest.raises(ValueError, match=rf"{message}.*cannot be joined"):
        layer_maps().joined(scorecam(**changes))


def test_two_passes_for_one_photo_may_differ_by_rounding():
    rounded = layer_maps().probabilities + np.float32(1e-6)
    assert "scorecam" in layer_maps().joined(scorecam(probabilities=rounded)).methods


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.text(min_size=1), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=5),
    st.none() | st.integers(0, 9),
)
def test_save_and_load_give_everything_back(tmp_path_factory, names, probabilities, contrast):
    rng = np.random.default_rng(0)
    maps = layer_maps(
        names=tuple(names),
        methods={m: tuple(rng.random((2, 3), np.float32) for _ in names) for m in ("a/b", "../c")},
        method="../c",
        probabilities=np.array(probabilities, np.float32),
        importances=rng.random(len(names), np.float32),
        target=len(probabilities) - 1,
        contrast=contrast and contrast % len(probabilities),
    )
    path = tmp_path_factory.mktemp("maps") / "maps.npz"
    maps.save(path)
    again = cam.LayerMaps.load(str(path))
    for field in ("names", "method", "size", "target", "score", "probability", "contrast"):
        assert getattr(again, field) == getattr(maps, field)
    assert repr(again) == repr(maps)
    for field in ("probabilities", "importances"):
        numbers = getattr(again, field)
        np.testing.assert_array_equal(numbers, getattr(maps, field))
        assert numbers.dtype == np.float32
        assert not numbers.flags.writeable
    assert list(again.methods) == list(maps.methods)
    for method, stack in maps.methods.items():
        for x, y in zip(stack, again.methods[method], strict=True):
            np.testing.assert_array_equal(x, y)
            assert y.dtype == np.float32
            assert not y.flags.writeable
    for rule in cam.rule_names():
        np.testing.assert_array_equal(again.fuse(rule=rule), maps.fuse(rule=rule))


def test_the_file_gets_the_name_it_was_given(tmp_path):
    layer_maps().save(tmp_path / "maps.cam")
    assert [p.name for p in tmp_path.iterdir()] == ["maps.cam"]
    np.testing.assert_array_equal(
        cam.LayerMaps.load(tmp_path / "maps.cam").fuse(), layer_maps().fuse()
    )


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (open, (str(self.mark), "w"))


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    mark, path = tmp_path / "ran", tmp_path / "maps.npz"
    layer_maps().save(path)
    with np.load(path) as file:
        good = dict(file)
    bomb = np.array([Bomb(mark)], dtype=object)
    for key in ("facts", "0.0"):
        np.savez(path, **good | {key: bomb})
        with pytest.raises(ValueError, match="does not hold layer maps"):
            cam.LayerMaps.load(path)
    path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(ValueError, match="does not hold layer maps"):
        cam.LayerMaps.load(path)
    assert not mark.exists()
    pickle.loads(path.read_bytes()).close()
    assert mark.exists()  # the bomb was live


def tampered(path, **changes):
    layer_maps().save(path)
    with np.load(path) as file:
        content = dict(file)
    facts = json.loads(str(content["facts"]))
    (inner,) = facts.values()
    for key, value in changes.items():
        inner.pop(key) if value is None else inner.update({key: value})
    np.savez(path, **content | {"facts": np.array(json.dumps(facts))})


def write_other_version(path):
    layer_maps().save(path)
    with np.load(path) as file:
        content = dict(file)
    content["facts"] = np.array(str(content["facts"]).replace("LayerMaps/1", "LayerMaps/99"))
    np.savez(path, **content)


def without(path, key):
    layer_maps().save(path)
    with np.load(path) as file:
        np.savez(path, **{name: x for name, x in dict(file).items() if name != key})


def cut(path):
    layer_maps().save(path)
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("hello"),
        lambda path: np.savez(path, x=np.zeros(3)),
        lambda path: np.save(path.open("wb"), np.zeros(3)),
        lambda path: np.savez(path, facts=np.array("{}")),
        lambda path: np.savez(path, facts=np.array("not json")),
        write_other_version,
        cut,
        lambda path: tampered(path, size=None),
        lambda path: tampered(path, colour="red"),
        lambda path: tampered(path, method="eigencam"),
        lambda path: tampered(path, names=["a", "b", "c", "d"]),
        lambda path: without(path, "importances"),
        lambda path: without(path, "probabilities"),
        lambda path: without(path, "1.2"),
    ],
)
def test_other_files_are_refused(tmp_path, write):
    path = tmp_path / "maps.npz"
    write(path)
    with pytest.raises(ValueError, match=r"maps\.npz does not hold layer maps"):
        cam.LayerMaps.load(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        cam.LayerMaps.load(tmp_path / "none.npz")


def test_nothing_of_layer_maps_can_be_changed_in_place_also_after_a_journey():
    stack = tuple(np.full((2, 2 + i), float(i), np.float32) for i in range(2))
    given = cam.LayerMaps(
        names=("a", "b"),
        methods={"gradcam": stack},
        method="gradcam",
        size=(4, 4),
        target=0,
        score="logit",
        probabilities=np.array([0.5, 0.5], np.float32),
        importances=np.ones(2, np.float32),
    )
    for maps in (given, pickle.loads(pickle.dumps(given)), copy.deepcopy(given)):
        with pytest.raises(TypeError):
            maps.methods["gradcam"] = ()
        for array in (*maps.maps, maps.probabilities, maps.importances):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
        np.testing.assert_array_equal(maps["b"], stack[1])


def written_before(path, maps, said=None, **others):
    """Write layer maps as version 0.1.0 did, or something of the kind."""
    facts = {
        "names": maps.names,
        "methods": list(maps.methods),
        "method": maps.method,
        "size": maps.size,
        "target": maps.target,
        "score": maps.score,
        "contrast": maps.contrast,
    }
    facts = {"combicam_widgets.LayerMaps/1": facts | (said or {})}
    arrays = {f"{m}.{i}": x for m, k in enumerate(maps.methods.values()) for i, x in enumerate(k)}
    np.savez_compressed(
        path,
        **{"facts": np.array(json.dumps(facts)), "probabilities": maps.probabilities}
        | {"importances": maps.importances}
        | arrays
        | others,
    )


def test_files_of_the_version_before_are_read(tmp_path):
    path = tmp_path / "maps.npz"
    written_before(path, layer_maps(contrast=1))
    again = cam.LayerMaps.load(path)
    assert repr(again) == repr(layer_maps(contrast=1))
    np.testing.assert_array_equal(again.fuse(), layer_maps().fuse())


def test_numbers_of_numpy_are_saved(tmp_path):
    maps = layer_maps(size=np.array([8, 10]), target=np.int64(3), contrast=np.uint8(1))
    maps.save(tmp_path / "maps.npz")
    again = cam.LayerMaps.load(tmp_path / "maps.npz")
    assert (again.size, again.target, again.contrast) == ((8, 10), 3, 1)


NONSENSE = [
    ({"size": [1e9, 1e9]}, "size must be two whole numbers"),
    ({"size": [10**9, 10**9]}, "size must have 1 to 80,000,000 pixels"),
    ({"size": [80_000_001, 1]}, "size must have 1 to 80,000,000 pixels"),
    ({"size": [0, 10]}, "size must have 1 to 80,000,000 pixels"),
    ({"size": [-8, -10]}, "size must have 1 to 80,000,000 pixels"),
    ({"size": [8, 10, 3]}, "size must be two whole numbers"),
    ({"size": [True, 10]}, "size must be two whole numbers"),
    ({"size": ["8", "10"]}, "size must be two whole numbers"),
    ({"size": "810"}, "size must be a list"),
    ({"target": 4}, "target must be 0 to 3, one of the classes, not 4"),
    ({"target": -1}, "target must be 0 to 3"),
    ({"target": 10**400}, "target must be 0 to 3"),
    ({"target": 1.0}, "target must be the index of a class, a whole number, not 1.0"),
    ({"target": True}, "target must be the index of a class"),
    ({"target": None}, "target must be the index of a class"),
    ({"contrast": 4}, "contrast must be 0 to 3"),
    ({"contrast": "1"}, "contrast must be the index of a class"),
    ({"score": 5}, r"score must be text, not \[5\]"),
    ({"method": ["gradcam"]}, "method must be text"),
    ({"method": "x" * 10**5}, "Unknown CAM method 'xxx.{1,60}; these maps know"),
    ({"methods": ["x" * 10**5, "b"]}, r"Unknown CAM method 'gradcam'; these maps know x{40}, b\.$"),
    ({"methods": ["gradcam", "gradcam"]}, "methods must be different"),
    ({"methods": [1, 2]}, "methods must be text"),
    ({"methods": {"gradcam": 0}}, "methods must be a list"),
    ({"names": ["a", "a", "b"]}, "names must be different"),
    ({"names": ["a", None, "b"]}, "names must be text"),
    ({"names": "abc"}, "names must be a list"),
    ({"names": []}, "names must be text"),
    ({"names": ["a", "b"]}, "its arrays are not those of its layers"),
    ({"colour": "red"}, "its facts must be contrast, method, "),
]


@pytest.mark.parametrize(("facts", "words"), NONSENSE)
def test_facts_that_are_nonsense_are_refused(tmp_path, facts, words):
    path = tmp_path / "maps.npz"
    written_before(path, layer_maps(), facts)
    with pytest.raises(ValueError, match=rf"maps\.npz does not hold layer maps .*: .*{words}"):
        cam.LayerMaps.load(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"0.0": arrays(1)[0].astype(np.float64)}, "0.0 must be of type float32, not float64"),
        ({"0.0": -arrays(1)[0]}, "map of layer 'stem' must be 2-D, finite and not negative"),
        ({"0.0": np.full((4, 5), np.nan, np.float32)}, "map of layer 'stem' must be"),
        ({"1.2": np.zeros((0, 3), np.float32)}, "map of layer 'block.2' must be 2-D"),
        ({"1.2": np.zeros((1, 2, 3), np.float32)}, "map of layer 'block.2' must be 2-D"),
        ({"1.2": np.array(["a"])}, "1.2 holds text where numbers should be"),
        ({"2.0": np.zeros((2, 2), np.float32)}, "its arrays are not those of its layers"),
        ({"importances": np.full(3, np.inf, np.float32)}, "importances of the layers must be fin"),
        ({"probabilities": np.full(4, 2, np.float32)}, "one number from 0 to 1 per class"),
        ({"probabilities": np.full(4, -1, np.float32)}, "one number from 0 to 1 per class"),
        ({"probabilities": np.full(4, np.nan, np.float32)}, "one number from 0 to 1 per class"),
        ({"probabilities": np.float32(1)}, "one number from 0 to 1 per class"),
        ({"facts": np.array("[" * 100_000)}, "its facts are nested too deeply"),
        ({"facts": np.array(7)}, "facts holds numbers where text should be"),
        ({"facts": np.array('{"a": 1}')}, "its facts are not of the format"),
        ({"facts": np.array("[]")}, "its facts are not of the format"),
        ({"facts": np.array('{"combicam_widgets.LayerMaps/1": []}')}, "its facts must be contrast"),
    ],
)
def test_arrays_that_are_nonsense_are_refused(tmp_path, arrays, words):
    path = tmp_path / "maps.npz"
    written_before(path, layer_maps(), **arrays)
    with pytest.raises(ValueError, match=rf"maps\.npz does not hold layer maps .*: .*{words}"):
        cam.LayerMaps.load(path)


def test_what_claims_more_than_is_there_is_refused_before_it_is_made(tmp_path):
    path = tmp_path / "maps.npz"
    many = [str(i) for i in range(20_000)]
    written_before(path, layer_maps(), {"names": many, "methods": many, "method": "0"})
    with fuzz.bounded_memory(100), pytest.raises(ValueError, match="its arrays are not those"):
        cam.LayerMaps.load(path)
    written_before(path, layer_maps(), **{"0.0": np.zeros((5000, 5000), np.float32)})
    assert path.stat().st_size < 200_000
    with (
        fuzz.bounded_memory(20),
        pytest.raises(ValueError, match=r"0\.0 would take far more memory"),
    ):
        cam.LayerMaps.load(path)


def test_maps_without_any_evidence_are_small_in_a_file_and_read_all_the_same(tmp_path):
    silent = tuple(np.zeros((2000, 2000), np.float32) for _ in NAMES)
    layer_maps(methods={"gradcam": silent}).save(tmp_path / "maps.npz")
    assert cam.LayerMaps.load(tmp_path / "maps.npz").silent == NAMES


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_file_that_was_cut_short_is_named_with_what_to_do(tmp_path, part):
    path = tmp_path / "maps.npz"
    layer_maps().save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(ValueError, match=r"maps\.npz does not .* cut short or damaged; copy, down"):
        cam.LayerMaps.load(path)


def test_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    layer_maps().save("~/maps.npz")
    assert cam.LayerMaps.load("~/maps.npz").names == NAMES
    with pytest.raises(TypeError, match="path must be a str or a Path, got int"):
        cam.LayerMaps.load(7)
    with pytest.raises(ValueError, match="path must name a file"):
        cam.LayerMaps.load("\0")


@pytest.mark.parametrize("start", range(0, 500, 100))
def test_hostile_files_are_loaded_or_refused_in_words(start):
    for seed in range(start, start + 100):
        fuzz.attempt("layer_maps", seed)
