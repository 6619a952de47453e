"""Candidates: ways to make a heatmap out of layer maps, as values that can be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from combicam_widgets import cam


@dataclass(frozen=True)
class Candidate:
    """One way to make a heatmap: method + rule + weights.

    Attributes
    ----------
    name : str
        For people.
    method : str
        CAM method, one of `combicam_widgets.cam.method_names` (``scorecam`` if the maps know it).
    rule : str
        Fusion rule, one of `combicam_widgets.cam.rule_names`.
    weights : mapping from layer name to float, or None
        Weights >= 0; layers that are not named are off. None: 1 for every layer.
    """

    name: str
    method: str = "gradcam"
    rule: str = "sum"
    weights: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise TypeError(f"A candidate needs a name, not {self.name!r}.")
        methods = cam.method_names()
        if self.method not in methods:
            raise ValueError(
                f"Unknown CAM method {self.method!r}; the methods are {', '.join(methods)}."
            )
        cam.get_rule(self.rule)
        if self.weights is not None:
            object.__setattr__(self, "weights", dict(self.weights))

    def heatmap(
        self,
        maps: cam.LayerMaps,
        size: tuple[int, int] | None = None,
        *,
        smooth: bool = False,
    ) -> npt.NDArray[np.float32]:
        """Fuse layer maps in this way: (H, W) in [0, 1]; default size: that of the maps.

        ``smooth`` is for pictures, not for numbers; see `LayerMaps.fuse`.

        Raises
        ------
        ValueError
            The maps lack the method or a layer, or all weights are 0.
        """
        maps = maps.with_method(self.method)
        return maps.fuse(self.weights, self.rule, size=size, smooth=smooth)


COMBI_CAM = Candidate("Combi-CAM")
"""The method of this project, which others are compared with: Grad-CAM, plain sum, all layers."""


def fused(method: str, rule: str) -> Candidate:
    """Fuse all layers' maps of a CAM method by a rule; the name says both."""
    return Candidate(f"{method}, {rule}", method, rule)


def last_layer(names: tuple[str, ...], method: str = "gradcam") -> Candidate:
    """Show the last layer alone, as most tools do.

    Parameters
    ----------
    names : tuple of str
        The layers in forward order, such as ``model.layers``.
    method : str
    """
    return Candidate(f"last layer, {method}", method, "sum", {names[-1]: 1.0})


def stages(
    architecture: cam.Architecture, method: str = "gradcam", rule: str = "product"
) -> Candidate:
    """Fuse the last layer of each stage; by their product, as RefineCAM does (arXiv 2605.14641)."""
    weights = {stage.names[-1]: 1.0 for stage in architecture.stages}
    return Candidate(f"stages, {method}, {rule}", method, rule, weights)


def single_layers(names: tuple[str, ...], method: str = "hirescam") -> list[Candidate]:
    """Show each layer alone, in forward order: to see which of them carry the answer."""
    return [Candidate(f"only {name}", method, "mean", {name: 1.0}) for name in names]
