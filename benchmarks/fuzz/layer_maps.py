"""Layer maps from hostile files."""

from __future__ import annotations

import copy
import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz import bounded_memory, damaged
from benchmarks.fuzz.grids import claim_more
from combicam_widgets.cam.maps import LayerMaps

_VALUES: tuple[Any, ...] = (
    *(0, -1, 3, 4, 2**63, 10**400, 1.5, 1e9, float("nan"), float("inf"), True, None, "", "7", []),
    *([10**9, 10**9], [1e9, 1e9], [0, 8], [8, 10, 3], [True, 8], ["8", "10"], [-8, -10], {}),
    *([80_000_001, 1], ["a"], ["a", "a"], ["gradcam"], [[]], {"a": 1}, "gradcam", "x" * 10**5),
)


def attempt(rng: np.random.Generator) -> None:
    """Load something hostile; what is accepted must be layer maps, and is used as such."""
    with tempfile.TemporaryDirectory() as folder, bounded_memory():
        path = Path(folder) / "maps"
        maps, content = _saved(bool(rng.integers(2)))
        path.write_bytes(content)
        spoil = (_bytes, _facts, _arrays, claim_more)[rng.integers(4)]
        spoil(rng, path)
        try:
            again = LayerMaps.load(path)
        except ValueError as error:
            words = str(error)
            if not words.startswith(f"{path} does not hold layer maps") or len(words) > 1500:
                raise AssertionError(f"a message of little help: {words[:200]!r}") from error
            return
        _check(again)
        if spoil is _bytes and not _same(maps, again):
            raise AssertionError("the maps came back as others")


@cache
def _saved(contrasting: bool) -> tuple[LayerMaps, bytes]:  # noqa: FBT001 - a key
    """Layer maps and their file; packing takes longer than all else."""
    rng, sizes = np.random.default_rng(0), [(4, 5), (2, 3)]
    maps = LayerMaps(
        names=("stem", "block.1"),
        methods={m: tuple(rng.random(s, np.float32) for s in sizes) for m in ("gradcam", "b")},
        method="gradcam",
        size=(8, 10),
        target=3,
        score="logit",
        probabilities=np.array([0.5, 0.125, 0.125, 0.25], np.float32),
        importances=np.array([0.5, 2.0], np.float32),
        contrast=1 if contrasting else None,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "maps"
        maps.save(path)
        return maps, path.read_bytes()


def _same(maps: LayerMaps, other: LayerMaps) -> bool:
    facts = ("names", "method", "size", "target", "score", "contrast")
    return (
        all(getattr(maps, fact) == getattr(other, fact) for fact in facts)
        and np.array_equal(maps.probabilities, other.probabilities)
        and np.array_equal(maps.importances, other.importances)
        and list(maps.methods) == list(other.methods)
        and all(
            np.array_equal(x, y)
            for method in maps.methods
            for x, y in zip(maps.methods[method], other.methods[method], strict=True)
        )
    )


def _check(maps: LayerMaps) -> None:
    count = len(maps.names)
    whole = (*maps.size, maps.target, *([] if maps.contrast is None else [maps.contrast]))
    if not all(type(number) is int for number in whole) or len(set(maps.names)) < count:
        raise AssertionError(f"these are no layer maps: {maps.size} {maps.target} {maps.names}")
    if not all(0 <= index < len(maps.probabilities) for index in whole[2:]):
        raise AssertionError(f"there is no such class: {whole[2:]}")
    if not all(type(name) is str for name in (*maps.names, *maps.methods, maps.score)):
        raise AssertionError("a name is not text")
    if not 0 <= maps.probability <= 1.01 or not repr(maps):
        raise AssertionError(f"this is no probability: {maps.probability}")
    if count and maps.size[0] * maps.size[1] < 10**6:
        heat = maps.fuse()
        if heat.shape != maps.size or not (heat.min() >= 0 and heat.max() <= 1):
            raise AssertionError("the heatmap is none")
    elif maps.size[0] * maps.size[1] > 10**8:
        raise AssertionError(f"no photo has {maps.size} pixels")


def _bytes(rng: np.random.Generator, path: Path) -> None:
    path.write_bytes(damaged(path.read_bytes(), rng))


def _facts(rng: np.random.Generator, path: Path) -> None:
    """Have the facts say something else."""
    with np.load(path) as file:
        content = dict(file)
    outer = json.loads(str(content["facts"]))
    (inner,) = outer.values()
    for _ in range(rng.integers(1, 3)):
        key = str(rng.choice(list(inner)))
        value = copy.deepcopy(_VALUES[rng.integers(len(_VALUES))])  # it may be changed next
        if isinstance(inner[key], list) and inner[key] and rng.random() < 0.5:
            inner[key][rng.integers(len(inner[key]))] = value
        elif rng.random() < 0.15:
            del inner[key]
            inner[str(value)[:9]] = value
        else:
            inner[key] = value
        if not inner:
            break
    text = json.dumps(outer if rng.random() < 0.9 else inner)
    if rng.random() < 0.1:
        text = "[" * 100_000 + text
    with path.open("wb") as file:
        np.savez(file, **content | {"facts": np.array(text)})


def _arrays(rng: np.random.Generator, path: Path) -> None:
    """Put another array in an array's place, or take it away."""
    with np.load(path) as file:
        content = dict(file)
    key = str(rng.choice([*content]))
    array = content.pop(key)
    others = (
        lambda: None,
        lambda: array.astype("f8") * 2 if array.dtype.kind == "f" else array.astype("S"),
        lambda: np.full(array.shape, rng.choice([np.nan, np.inf, -1.0, 2.0, 1e38]), np.float32),
        lambda: np.zeros((2000, 3000), np.float32),
        lambda: np.zeros((0, 3), np.float32),
        lambda: np.zeros((4, 5, 6), np.float32),
        lambda: np.zeros((), np.float32),
        lambda: np.array([None], object),
    )
    other = others[rng.integers(len(others))]()
    if other is not None:
        content[key if rng.random() < 0.8 else "0.7"] = other
    save = np.savez_compressed if rng.random() < 0.2 else np.savez
    with path.open("wb") as file:
        save(file, allow_pickle=True, **content)
