"""Layer maps: what one pass through the network leaves behind, ready to be fused."""

from __future__ import annotations

import io
import json
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from combicam_widgets import files
from combicam_widgets.archives import Archive
from combicam_widgets.cam import fusion
from combicam_widgets.images import MAX_PIXELS

_FORMAT = "combicam_widgets.LayerMaps/1"

_FACTS = {"names", "methods", "method", "size", "target", "score", "contrast"}

_LEAST = 64 * 2**20
"""Bytes that the maps of a small file may have: those of silent layers take no room in it."""

_ONE = 1 + 1e-3
"""The largest probability, rounded."""

_SAME_PHOTO = 1e-3
"""Difference of probabilities that rounding explains: two passes for one photo may differ."""

Further: TypeAlias = Callable[[str], tuple[npt.NDArray[np.float32], ...]]
"""From the name of a method to its maps, one per layer."""


@dataclass(frozen=True, eq=False, repr=False)
class LayerMaps:
    """One map per layer, for one photo and one target.

    ``maps[name]`` is the (h, w) map of a layer; iterating gives the layer names.

    Attributes
    ----------
    names : tuple of str
        Layer names in forward order.
    methods : mapping from str to tuple of (h_l, w_l) float32 arrays
        The maps by CAM method, all from the same pass (but for ``scorecam``); finite, >= 0.
    method : str
        The CAM method whose maps are in view.
    size : (H, W)
        Size in pixels of the heatmaps that `fuse` gives; not more pixels than a photo may have,
        `combicam_widgets.images.MAX_PIXELS`.
    target : int
        Index of the class that is explained.
    score : str
        Which score was differentiated (by `score_cam`: measured).
    probabilities : (C,) float32 array
        Softmax probabilities of all classes for the whole photo, from the same pass.
    importances : (L,) float32 array
        relu(mean of the gradients) of each layer, which the rule ``winsor`` reads.
    contrast : int or None
        The class that the target is contrasted with, if any.
    further : callable or None
        From the name of another method to its maps, one per layer: there is one while the
        activations are kept, see `explain`; neither pickled nor saved.

    Raises
    ------
    TypeError, ValueError
        If these do not fit together, or one of them is not what it should be.
    """

    names: tuple[str, ...]
    methods: Mapping[str, tuple[npt.NDArray[np.float32], ...]]
    method: str
    size: tuple[int, int]
    target: int
    score: str
    probabilities: npt.NDArray[np.float32]
    importances: npt.NDArray[np.float32]
    contrast: int | None = None
    further: Further | None = None

    def __post_init__(self) -> None:
        _check_texts(names=self.names, methods=[*self.methods], method=[self.method])
        _check_texts(score=[self.score])
        if self.method not in self.methods:
            raise ValueError(
                f"Unknown CAM method {reprlib.repr(self.method)}; "
                f"these maps know {', '.join(f'{known:.40}' for known in islice(self.methods, 9))}."
            )
        _check_size(self.size)
        every = [x for maps in self.methods.values() for x in maps]
        # Maps of one pass lie in one piece of memory, which is looked at once.
        whole = every[0].base if every else None
        together = isinstance(whole, np.ndarray) and all(x.base is whole for x in every)
        fine = together and _is_fine(cast(np.ndarray, whole))
        for maps in self.methods.values():
            for name, x in zip(self.names, maps, strict=True):
                if x.ndim != 2 or not x.size or not (fine or _is_fine(x)):
                    raise ValueError(
                        f"The map of layer {reprlib.repr(name)} must be 2-D, finite and not "
                        "negative."
                    )
                x.flags.writeable = False
        if self.importances.shape != (len(self.names),):
            raise ValueError(f"There must be {len(self.names)} importances, one per layer.")
        if not np.isfinite(self.importances).all() or (self.importances < 0).any():
            raise ValueError("The importances of the layers must be finite and not negative.")
        chances = self.probabilities
        if chances.ndim != 1 or not (
            chances.min(initial=0) >= 0 and chances.max(initial=0) <= _ONE
        ):
            raise ValueError("The probabilities must be one number from 0 to 1 per class.")
        _check_class("target", self.target, len(chances))
        if self.contrast is not None:
            _check_class("contrast", self.contrast, len(chances))
        self.probabilities.flags.writeable = False
        self.importances.flags.writeable = False
        methods = {method: tuple(maps) for method, maps in self.methods.items()}
        object.__setattr__(self, "methods", MappingProxyType(methods))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "methods": dict(self.methods), "further": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.__post_init__()

    @property
    def probability(self) -> float:
        """Softmax probability of the target for the whole photo."""
        return float(self.probabilities[self.target])

    @property
    def maps(self) -> tuple[npt.NDArray[np.float32], ...]:
        """The maps of the method in view, in forward order."""
        return self.methods[self.method]

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        if name not in self.names:
            raise KeyError(f"{name!r} is not one of the layers {', '.join(self.names)}")
        return self.maps[self.names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def silent(self) -> tuple[str, ...]:
        """Names of the layers without positive evidence: their map is all zeros."""
        return tuple(n for n, x in zip(self.names, self.maps, strict=True) if not x.any())

    def fuse(
        self,
        weights: Mapping[str, float] | Sequence[float] | None = None,
        rule: str = "sum",
        normalize: fusion.Normalization = None,
        size: tuple[int, int] | None = None,
        *,
        smooth: bool = False,
    ) -> npt.NDArray[np.float32]:
        """Fuse the maps into one heatmap; with no arguments, Combi-CAM over all layers.

        Parameters
        ----------
        weights : mapping or sequence, optional
            Weight of each layer, >= 0. In a mapping, layers that are not named are off. Default:
            1 for every layer.
        rule : str
            Fusion rule, see `combicam_widgets.cam.rule_names`.
        normalize : {None, "minmax", "max"}
            What is done to each map before the rule.
        size : (H, W), optional
            Size of the heatmap; default: that of the photo.
        smooth : bool
            For pictures, not for numbers: without kinks, where small maps are made large.

        Returns
        -------
        (H, W) float32 array in [0, 1]
            All zeros when the layers that are on hold no positive evidence.
        """
        vector = weight_vector(self.names, weights)
        recipe = rule, normalize, self.importances
        return fusion.fuse(self.maps, vector, size or self.size, *recipe, smooth=smooth)

    def shares(
        self,
        weights: Mapping[str, float] | Sequence[float] | None = None,
        rule: str = "sum",
        normalize: fusion.Normalization = None,
    ) -> dict[str, float]:
        """Give each layer's share of the fused map: mean(w_l Up(L_l)) over their sum.

        Same parameters as `fuse`. Sums to 1; all zeros if there is no positive evidence.
        """
        vector = weight_vector(self.names, weights)
        values = fusion.shares(self.maps, vector, self.size, rule, normalize, self.importances)
        return dict(zip(self.names, values.tolist(), strict=True))

    def with_method(self, method: str) -> LayerMaps:
        """Show the maps of another CAM method; no new pass through the network.

        Raises
        ------
        ValueError
            The method was not asked for in that pass, and no activations are kept from which its
            maps could be made; see `explain`.
        """
        if method in self.methods:
            return replace(self, method=method)
        if self.further is None:
            raise ValueError(
                f"Unknown CAM method {reprlib.repr(method)}; these maps know "
                f"{', '.join(self.methods)}. Others are made in the pass that explain() makes: "
                "name them there, methods=[...], or give keep=True, and they can be made later."
            )
        methods = {**self.methods, method: self.further(method)}
        return replace(self, methods=methods, method=method)

    def joined(self, other: LayerMaps) -> LayerMaps:
        """Add the methods of other maps of the same layers, photo and target; see `score_cam`.

        Raises
        ------
        ValueError
            The other maps belong to another question.
        """
        for fact in ("names", "size", "target", "contrast"):
            if getattr(self, fact) != getattr(other, fact):
                raise ValueError(f"These maps have another {fact}; they cannot be joined.")
        mine, others = self.probabilities, other.probabilities
        if mine.shape != others.shape or np.abs(mine - others).max() > _SAME_PHOTO:
            raise ValueError("These maps are of another photo or network; they cannot be joined.")
        return replace(self, methods={**self.methods, **other.methods})

    def save(self, path: str | Path) -> None:
        """Write everything to one ``.npz`` file: numpy arrays and JSON, no pickle."""
        facts = {
            "names": self.names,
            "methods": list(self.methods),
            "method": self.method,
            "size": [int(side) for side in self.size],
            "target": int(self.target),
            "score": self.score,
            "contrast": None if self.contrast is None else int(self.contrast),
        }
        arrays: dict[str, Any] = {
            f"{m}.{i}": x
            for m, maps in enumerate(self.methods.values())
            for i, x in enumerate(maps)
        }
        file, content = files.destination(path), io.BytesIO()
        np.savez_compressed(
            content,
            facts=np.array(json.dumps({_FORMAT: facts})),
            probabilities=self.probabilities,
            importances=self.importances,
            **arrays,
        )
        files.write(file, content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> LayerMaps:
        """Read what `save` wrote. Nothing is ever unpickled.

        Raises
        ------
        OSError
            If the file cannot be read, such as FileNotFoundError.
        ValueError
            If it is something else, damaged, or claims more than it holds.
        """
        file = files.source(path)
        try:
            with Archive(file, least=_LEAST) as archive:
                return cls(**_read(archive))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path} does not hold layer maps saved by this package: {error}"
            ) from error

    def __repr__(self) -> str:
        sizes = list(dict.fromkeys(x.shape for x in self.maps))
        rather = "" if self.contrast is None else f" rather than {self.contrast}"
        silent = f", {len(self.silent)} without positive evidence" if self.silent else ""
        return (
            f"LayerMaps({len(self)} layers, {' '.join(f'{h}x{w}' for h, w in sizes)}, "
            f"{self.method} of {self.score}, target {self.target}{rather} "
            f"(probability {self.probability:.3g}){silent})"
        )


def _read(archive: Archive) -> dict[str, Any]:
    """Read the fields of layer maps as `LayerMaps.save` wrote them."""
    try:
        facts = json.loads("".join(archive.texts("facts")))
    except RecursionError:
        raise ValueError("its facts are nested too deeply") from None
    if not isinstance(facts, dict) or list(facts) != [_FORMAT]:
        raise ValueError(f"its facts are not of the format {_FORMAT}")
    facts = facts[_FORMAT]
    if not isinstance(facts, dict) or facts.keys() != _FACTS:
        raise ValueError(f"its facts must be {', '.join(sorted(_FACTS))}")
    for name in ("names", "methods", "size"):
        if not isinstance(facts[name], list):
            raise ValueError(f"its {name} must be a list")  # noqa: TRY004 - of a file
    _check_texts(names=facts["names"], methods=facts["methods"])
    layers, methods = range(len(facts["names"])), range(len(facts["methods"]))
    if len(archive.names) != 3 + len(layers) * len(methods):
        raise ValueError("its arrays are not those of its layers and methods")
    stacks = [tuple(_float32(archive, f"{m}.{i}") for i in layers) for m in methods]
    return facts | {
        "names": tuple(facts["names"]),
        "size": tuple(facts["size"]),
        "methods": dict(zip(facts["methods"], stacks, strict=True)),
        "probabilities": _float32(archive, "probabilities"),
        "importances": _float32(archive, "importances"),
    }


def _float32(archive: Archive, name: str) -> npt.NDArray[np.float32]:
    numbers = archive.numbers(name)
    if numbers.dtype != np.float32:
        raise ValueError(f"{name} must be of type float32, not {numbers.dtype}")
    return numbers


def _check_texts(**listed: Sequence[object]) -> None:
    """Check that there are names, all texts, and that none comes twice."""
    for field, texts in listed.items():
        if not texts or not all(isinstance(text, str) for text in texts):
            raise TypeError(f"{field} must be text, not {reprlib.repr(texts)}.")
        if len(set(texts)) < len(texts):
            raise ValueError(f"{field} must be different from each other.")


def _is_fine(numbers: npt.NDArray[np.float32]) -> bool:
    """Tell whether there are any, all finite and none negative."""
    return bool(numbers.size and numbers.min() >= 0 and numbers.max() < np.inf)


def _check_size(size: Sequence[object]) -> None:
    if len(size) != 2 or not all(_is_whole(side) for side in size):
        raise TypeError(f"size must be two whole numbers (H, W), not {reprlib.repr(size)}.")
    height, width = (int(cast("int", side)) for side in size)
    if min(height, width) < 1 or height * width > MAX_PIXELS:
        raise ValueError(
            f"size must have 1 to {MAX_PIXELS:,} pixels, not {reprlib.repr((height, width))}."
        )


def _check_class(field: str, index: object, count: int) -> None:
    given = reprlib.repr(index)
    if not _is_whole(index):
        raise TypeError(f"{field} must be the index of a class, a whole number, not {given}.")
    if not 0 <= cast("int", index) < count:
        raise ValueError(f"{field} must be 0 to {count - 1}, one of the classes, not {given}.")


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def weight_vector(
    names: Sequence[str], weights: Mapping[str, float] | Sequence[float] | None
) -> npt.NDArray[np.float32]:
    """Turn weights as people write them into one float32 number per layer.

    Raises
    ------
    ValueError
        A name that is no layer (the message lists the layers), or a number that is negative or
        not finite.
    TypeError
        What is no number, such as text.
    """
    if weights is None:
        return np.ones(len(names), np.float32)
    if isinstance(weights, Mapping):
        unknown = [name for name in weights if name not in names]
        if unknown:
            raise ValueError(
                f"Unknown layer {reprlib.repr(unknown[0])}; the layers are {', '.join(names)}."
            )
        weights = [weights.get(name, 0.0) for name in names]
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
            if np.asarray(weights).dtype.kind in "US":
                raise TypeError("text")  # noqa: TRY301 - NumPy would read numbers in it
            vector = np.asarray(weights, np.float32)
    except OverflowError as error:
        raise ValueError("Weights must be finite numbers >= 0.") from error
    except (TypeError, ValueError) as error:
        raise TypeError(f"Weights must be numbers, not {reprlib.repr(weights)}.") from error
    if vector.shape != (len(names),):
        raise ValueError(
            f"{len(names)} weights are needed, one per layer, not {reprlib.repr(weights)}."
        )
    bad = [n for n, w in zip(names, vector, strict=True) if not (np.isfinite(w) and w >= 0)]
    if bad:
        raise ValueError(f"The weight of {bad[0]!r} must be a finite number >= 0.")
    return vector
