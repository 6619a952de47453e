"""Layer maps: what one pass through the network leaves behind, ready to be fused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from combicam_widgets import files
from combicam_widgets.cam import fusion

_FORMAT = "combicam_widgets.LayerMaps/1"

_SAME_PHOTO = 1e-3
"""Difference of probabilities that rounding explains: two passes for one photo may differ."""


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
        Size in pixels of the heatmaps that `fuse` gives.
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

    def __post_init__(self) -> None:
        if self.method not in self.methods:
            raise ValueError(
                f"Unknown CAM method {self.method!r}; these maps know {', '.join(self.methods)}."
            )
        for maps in self.methods.values():
            for name, x in zip(self.names, maps, strict=True):
                if x.ndim != 2 or not (x.size and x.min() >= 0 and x.max() < np.inf):
                    raise ValueError(
                        f"The map of layer {name!r} must be 2-D, finite and not negative."
                    )
                x.flags.writeable = False
        if self.importances.shape != (len(self.names),):
            raise ValueError(f"There must be {len(self.names)} importances, one per layer.")
        if not np.isfinite(self.importances).all() or (self.importances < 0).any():
            raise ValueError("The importances of the layers must be finite and not negative.")
        self.probabilities.flags.writeable = False
        self.importances.flags.writeable = False
        methods = {method: tuple(maps) for method, maps in self.methods.items()}
        object.__setattr__(self, "methods", MappingProxyType(methods))

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "methods": dict(self.methods)}

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

        Returns
        -------
        (H, W) float32 array in [0, 1]
            All zeros when the layers that are on hold no positive evidence.
        """
        vector = weight_vector(self.names, weights)
        return fusion.fuse(self.maps, vector, size or self.size, rule, normalize, self.importances)

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
        """Show the maps of another CAM method; no new pass through the network."""
        return replace(self, method=method)

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
            "size": self.size,
            "target": self.target,
            "score": self.score,
            "contrast": self.contrast,
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
        """Read what `save` wrote. ValueError if the file is something else."""
        try:
            with np.load(path, allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))[_FORMAT]
                facts["probabilities"] = file["probabilities"]
                facts["importances"] = file["importances"]
                facts["methods"] = {
                    method: tuple(file[f"{m}.{i}"] for i in range(len(facts["names"])))
                    for m, method in enumerate(facts["methods"])
                }
            facts["names"], facts["size"] = tuple(facts["names"]), tuple(facts["size"])
            return cls(**facts)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"{path} does not hold layer maps saved by this package.") from error

    def __repr__(self) -> str:
        sizes = list(dict.fromkeys(x.shape for x in self.maps))
        rather = "" if self.contrast is None else f" rather than {self.contrast}"
        silent = f", {len(self.silent)} without positive evidence" if self.silent else ""
        return (
            f"LayerMaps({len(self)} layers, {' '.join(f'{h}x{w}' for h, w in sizes)}, "
            f"{self.method} of {self.score}, target {self.target}{rather} "
            f"(probability {self.probability:.3g}){silent})"
        )


def weight_vector(
    names: Sequence[str], weights: Mapping[str, float] | Sequence[float] | None
) -> npt.NDArray[np.float32]:
    """Turn weights as people write them into one float32 number per layer.

    Raises
    ------
    ValueError
        A name that is no layer (the message lists the layers), or a number that is negative or
        not finite.
    """
    if weights is None:
        return np.ones(len(names), np.float32)
    if isinstance(weights, Mapping):
        unknown = [name for name in weights if name not in names]
        if unknown:
            raise ValueError(f"Unknown layer {unknown[0]!r}; the layers are {', '.join(names)}.")
        weights = [weights.get(name, 0.0) for name in names]
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
            vector = np.asarray(weights, np.float32)
    except (TypeError, ValueError) as error:
        raise TypeError(f"Weights must be numbers, not {weights!r}.") from error
    if vector.shape != (len(names),):
        raise ValueError(f"{len(names)} weights are needed, one per layer, not {weights!r}.")
    bad = [n for n, w in zip(names, vector, strict=True) if not (np.isfinite(w) and w >= 0)]
    if bad:
        raise ValueError(f"The weight of {bad[0]!r} must be a finite number >= 0.")
    return vector
