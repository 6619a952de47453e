"""The head of the model: a mixture of von Mises-Fisher distributions, one component per cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt
import torch
from numpy.typing import ArrayLike
from torch import nn

from combicam_widgets.geo import CellGrid, unit_vectors, vector_coordinates
from combicam_widgets.models.certh.checkpoint import advice
from combicam_widgets.models.certh.network import FEATURES
from combicam_widgets.models.checkpoint import (
    check_tensors,
    fill,
    holds_its_numbers,
    read_tensors,
)

_FLOOR = 1e-9
"""Added to every density, so that its logarithm exists everywhere."""

_LOG_CONCENTRATION_OFFSET = 16.0

_APART = 1e-6
"""Centres closer than this, in radians (6 m), share a cell outline."""

_WEIGHT, _BIAS = "mixture_weights.seq_model.0.weight", "mixture_weights.seq_model.0.bias"

_PIECE = 1_000_000
"""Components times places computed at once by `density`, 8 MB."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Components on the sphere; each photo gives them weights of its own.

    Attributes
    ----------
    latitudes, longitudes : (M,) float64 arrays
        Centres, degrees.
    concentrations : (M,) float64 array
        kappa > 0: about (6371 km / standard deviation along each axis) ** 2.
    """

    latitudes: npt.NDArray[np.float64]
    longitudes: npt.NDArray[np.float64]
    concentrations: npt.NDArray[np.float64]

    @cached_property
    def cells(self) -> CellGrid:
        """The grid in which every place belongs to the nearest centre.

        Components with one centre, to about 6 m, get the same outline; each stays a cell.

        Raises
        ------
        ValueError
            There is no such grid: fewer than 4 places, or all on one circle.
        """
        rounded = np.round(self._centres / _APART) * _APART + 0.0  # + 0.0: no negative zeros
        sites, site_of_cell = np.unique(rounded, axis=0, return_inverse=True)
        outlines = CellGrid.from_centers(*vector_coordinates(sites)).outlines
        return CellGrid(
            self.latitudes, self.longitudes, tuple(outlines[i] for i in site_of_cell.ravel())
        )

    @overload
    def density(self, weights: ArrayLike, latitude: float, longitude: float) -> float: ...
    @overload
    def density(
        self, weights: ArrayLike, latitude: ArrayLike, longitude: ArrayLike
    ) -> npt.NDArray[np.float64]: ...
    def density(
        self, weights: ArrayLike, latitude: ArrayLike, longitude: ArrayLike
    ) -> npt.NDArray[np.float64] | float:
        """Evaluate the mixture density.

        f(x) = 1e-9 + sum_m w_m kappa_m / (2 pi (1 - exp(-2 kappa_m))) exp(kappa_m (mu_m . x - 1)),
        with unit vectors x and mu_m (Izbicki et al., 2019), in float64.

        Parameters
        ----------
        weights : (M,) array
            Weights of the components, >= 0, together 1.
        latitude, longitude : float or array
            Degrees; shapes that broadcast together.

        Returns
        -------
        float64 array of that shape, or float
            Probability per steradian; 1 sr of the Earth is 40.6 million km2.

        Raises
        ------
        TypeError, ValueError
            They are not places on the Earth.
        """
        places = unit_vectors(latitude, longitude)
        kappa = self.concentrations
        peaks = np.asarray(weights, np.float64) * kappa / (2 * np.pi * -np.expm1(-2 * kappa))
        flat = places.reshape(-1, 3)
        values = np.empty(len(flat))
        step = max(1, _PIECE // len(kappa))
        for begin in range(0, len(flat), step):
            # Rounding can bring a cosine above 1, which a large concentration would blow up.
            below_one = np.minimum(flat[begin : begin + step] @ self._centres.T - 1, 0)
            values[begin : begin + step] = _FLOOR + np.exp(kappa * below_one) @ peaks
        density = values.reshape(places.shape[:-1])
        return density if density.ndim else float(density)

    @cached_property
    def _centres(self) -> npt.NDArray[np.float64]:
        return unit_vectors(self.latitudes, self.longitudes)


def read_mixture(path: Path) -> tuple[nn.Linear, Mixture]:
    """Read the layer that gives the logits of the weights, and the components.

    Nothing is unpickled.

    Returns
    -------
    layer : nn.Linear
        Maps features (N, 1792) to logits (N, M).
    mixture : Mixture

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It does not hold such a mixture; the message says what is wrong.
    """
    tensors = read_tensors(path, advice(path.name))
    kappas = tensors.get("mvmf.kappas")
    components = kappas.numel() if kappas is not None and holds_its_numbers(kappas) else 0
    with torch.device("meta"):
        expected = {
            "mvmf.mus": torch.empty(2, components, dtype=torch.float64),
            "mvmf.kappas": torch.empty(components, dtype=torch.float64),
            _WEIGHT: torch.empty(components, FEATURES),
            _BIAS: torch.empty(components),
        }
    check_tensors(path, tensors, expected, advice(path.name))
    mixture = _components(path, tensors)
    layer = nn.Linear(FEATURES, components, device="meta")
    fill(layer, {"weight": tensors[_WEIGHT], "bias": tensors[_BIAS]})
    return layer, mixture


def _components(path: Path, tensors: Mapping[str, torch.Tensor]) -> Mixture:
    latitudes, longitudes = tensors["mvmf.mus"].detach().numpy()
    with np.errstate(over="ignore"):
        kappa = np.exp(tensors["mvmf.kappas"].detach().numpy() + _LOG_CONCENTRATION_OFFSET)
    if not (np.isfinite(kappa) & (kappa > 0)).all():
        raise ValueError(
            f"'mvmf.kappas' in {path} gives concentrations exp(kappa + 16) of zero or infinity. "
            f"{advice(path.name)}"
        )
    mixture = Mixture(latitudes, longitudes, kappa)
    try:
        mixture.cells  # noqa: B018  (made here, where it can be said which file is wrong)
    except ValueError as error:
        raise ValueError(
            f"'mvmf.mus' in {path} must hold a row of latitudes and one of longitudes that make a "
            f"grid of cells, but {error}. {advice(path.name)}"
        ) from error
    return mixture
