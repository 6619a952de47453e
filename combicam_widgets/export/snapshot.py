"""What an explorer shows at one moment, frozen: everything that an export needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from combicam_widgets.cam.maps import LayerMaps, weight_vector
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.images import Photo
from combicam_widgets.shown.words import method_words

if TYPE_CHECKING:
    from combicam_widgets.cam.fusion import Normalization


@dataclass(frozen=True, eq=False, kw_only=True)
class Answer:
    """What the evidence of one fusion says.

    Attributes
    ----------
    weights : mapping from str to float
        One per layer, >= 0.
    evidence : GeoPrediction or None
        None if nothing is highlighted.
    status : str
        The sentence, without anything of the photo's own position.
    status_with_truth : str, optional
        The same with how far that position is.
    """

    weights: Mapping[str, float]
    evidence: GeoPrediction | None
    status: str
    status_with_truth: str = ""

    @property
    def alone(self) -> bool:
        """Whether one layer alone is on: then the answer is the same whatever the rule."""
        return sum(weight > 0 for weight in self.weights.values()) == 1

    def caption(self, *, include_position: bool = False) -> str:
        """Give the sentence, which tells of the photo's own position only if asked to."""
        return (include_position and self.status_with_truth) or self.status


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Snapshot:
    """What an explorer shows at one moment; equal only to itself.

    Attributes
    ----------
    photo : Photo
    model : str
        Name of the model.
    stages : tuple of tuples of str
        Layer names by stage, in forward order.
    maps : LayerMaps
        Of all layers.
    weights : mapping from str to float
        One per layer, >= 0, not all 0; kept as a read-only copy.
    rule : str
        The fusion rule.
    normalize : {None, "minmax", "max"}
    keep : float
        Fraction of the photo that the evidence shows, in (0, 1].
    colormap : str
        One of `COLORMAPS`.
    opacity : float
        Opacity of the hottest pixels, in [0, 1].
    heatmap : (H, W) float32 array in [0, 1]
        In the photo's shape, of any size; kept as a read-only copy.
    prediction : GeoPrediction
        Of the whole photo.
    evidence : GeoPrediction or None
        Of the evidence; None if nothing is highlighted.
    votes : tuple of GeoPrediction, or None
        One per layer, in forward order.
    status : str
        The sentence under the pictures, without anything of the photo's own position.
    status_with_truth : str, optional
        The same with how far that position is; default: there is nothing more to say.
    pinned : tuple of str and (H, W) float32 array in [0, 1], optional
        What the present heatmap is compared with: how it was made, and the heatmap.
    further : tuple of Answer
        What other fusions with the same rule and normalisation would say, as far as it was asked.

    Raises
    ------
    ValueError
        Stages, weights or votes do not fit the layers, or the heatmap is no (H, W) array in [0, 1].
    """

    photo: Photo
    model: str
    stages: tuple[tuple[str, ...], ...]
    maps: LayerMaps
    weights: Mapping[str, float]
    rule: str
    normalize: Normalization
    keep: float
    colormap: str
    opacity: float
    heatmap: npt.NDArray[np.float32]
    prediction: GeoPrediction
    evidence: GeoPrediction | None
    votes: tuple[GeoPrediction, ...] | None
    status: str
    status_with_truth: str = ""
    pinned: tuple[str, npt.NDArray[np.float32]] | None = None
    further: tuple[Answer, ...] = ()

    def __post_init__(self) -> None:
        names = self.maps.names
        layers = tuple(name for stage in self.stages for name in stage)
        if layers != names:
            raise ValueError(f"stages must hold the layers {', '.join(names)}, in that order.")
        if self.votes is not None and len(self.votes) != len(names):
            raise ValueError(
                f"{len(names)} votes are needed, one per layer, not {len(self.votes)}."
            )
        vector = weight_vector(names, self.weights).astype(float).round(6)
        if not vector.any():
            raise ValueError("At least one layer must have a weight above 0.")
        heat = np.array(self.heatmap, np.float32)
        if heat.ndim != 2 or not heat.size or not (heat.min() >= 0 and heat.max() <= 1):
            raise ValueError("heatmap must be an (H, W) array of values in [0, 1].")
        heat.flags.writeable = False
        weights = MappingProxyType(dict(zip(names, vector.tolist(), strict=True)))
        object.__setattr__(self, "heatmap", heat)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def of(
        cls,
        explorer: Any,  # noqa: ANN401
        votes: Sequence[GeoPrediction] | None = None,
        further: Sequence[Answer] = (),
    ) -> Snapshot:
        """Freeze what an explorer shows.

        Parameters
        ----------
        explorer : Explorer
            Or whatever has its traits.
        votes : sequence of GeoPrediction, optional
            What `GeoModel.layer_votes` gives; default: the votes that the explorer shows.
        further : sequence of Answer
            What other fusions would say.
        """
        pinned = getattr(explorer, "pinned_fusion", None)
        votes = explorer.votes if votes is None else votes
        return cls(
            photo=explorer.image,
            model=explorer.model.name,
            stages=tuple(stage.names for stage in explorer.model.architecture.stages),
            maps=explorer.maps,
            weights=explorer.weights,
            rule=explorer.rule,
            normalize=explorer.normalize,
            keep=explorer.keep,
            colormap=explorer.colormap,
            opacity=explorer.opacity,
            heatmap=explorer.heatmap,
            prediction=explorer.prediction,
            evidence=explorer.evidence,
            votes=tuple(votes) or None,
            status=explorer.public_status,
            status_with_truth=explorer.status,
            pinned=None if pinned is None else (pinned.label, pinned.heatmap),
            further=tuple(further),
        )

    @cached_property
    def drawn(self) -> npt.NDArray[np.float32]:
        """The heatmap for a picture, without kinks: (H, W) in [0, 1]."""
        size = self.heatmap.shape[0], self.heatmap.shape[1]
        return self.maps.fuse(self.weights, self.rule, self.normalize, size, smooth=True)

    @property
    def answer(self) -> Answer:
        """What the evidence of the heatmap says."""
        words = {"status": self.status, "status_with_truth": self.status_with_truth}
        return Answer(weights=self.weights, evidence=self.evidence, **words)

    @property
    def target(self) -> int:
        """Index of the cell that is explained."""
        return self.maps.target

    @property
    def recipe(self) -> str:
        """How the heatmap was made, in one line: "naturalist · gradcam · sum · 16 of 16 layers"."""
        on = sum(weight > 0 for weight in self.weights.values())
        parts = [self.model, method_words(self.maps), self.rule]
        parts += [] if self.normalize is None else [f"each map by {self.normalize}"]
        parts += [f"{on} of {len(self.weights)} layers"]
        if len({weight for weight in self.weights.values() if weight > 0}) > 1:
            parts[-1] += ", weighted"
        if self.maps.contrast is not None:
            parts += [f"rather than {self.prediction.guess(self.maps.contrast).place}"]
        return " · ".join(parts)

    @property
    def layers(self) -> str:
        """Which layers count how much, "" if all count alike: "Layers: stem, head"."""
        on = {name: weight for name, weight in self.weights.items() if weight > 0}
        plain = len(set(on.values())) == 1
        if plain and len(on) == len(self.weights):
            return ""
        return "Layers: " + ", ".join(
            name if plain else f"{name} x {weight:g}" for name, weight in on.items()
        )

    def caption(self, *, include_position: bool = False) -> str:
        """Give the sentence, which tells of the photo's own position only if asked to."""
        return self.answer.caption(include_position=include_position)

    def __repr__(self) -> str:
        return f"<Snapshot {self.recipe}>"
