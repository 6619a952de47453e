"""What a geo model says about a photo: a probability for every cell, and how to read it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import check_distance, great_circle_km
from combicam_widgets.geo.given import as_numbers, as_whole, brief
from combicam_widgets.geo.grid import CellGrid

ACCURACY_RADII_KM = (1.0, 25.0, 200.0, 750.0, 2500.0)
"""Street, city, region, country, continent: the radii at which geolocalization is scored."""

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Guess:
    """One cell of a prediction.

    Attributes
    ----------
    index : int
        The cell, 0 to C - 1.
    latitude, longitude : float
        Its centre in degrees.
    probability : float
        0 to 1.
    cells : CellGrid
        The grid that the cell belongs to.
    """

    index: int
    latitude: float
    longitude: float
    probability: float
    cells: CellGrid = field(repr=False, compare=False)

    @property
    def place(self) -> str:
        """Place name, such as "central Peru, near Huancayo"; looked up when the grid has none."""
        return self.cells.name(self.index)


@dataclass(frozen=True, eq=False, repr=False)
class GeoPrediction:
    """A probability for every cell of a grid.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (C,)
        Each >= 0, together 1 (within 0.001). A read-only copy.
    cells : CellGrid
        The C cells.

    Raises
    ------
    TypeError
        If `cells` is not a CellGrid or the probabilities are not numbers.
    ValueError
        If the probabilities are not C finite numbers >= 0 that add up to 1.
    """

    probabilities: NDArray[np.float32]
    cells: CellGrid

    def __post_init__(self) -> None:
        if not isinstance(self.cells, CellGrid):
            raise TypeError(f"cells must be a CellGrid, got {type(self.cells).__name__}")
        given = as_numbers("probabilities", self.probabilities, "numbers")
        if given.shape != (len(self.cells),):
            raise ValueError(
                f"probabilities must have shape ({len(self.cells)},), one per cell, "
                f"got {given.shape}"
            )
        wrong = np.flatnonzero(~np.isfinite(given))
        if len(wrong):
            raise ValueError(f"probabilities must be finite, got {given[wrong[0]]} at {wrong[0]}")
        wrong = np.flatnonzero(given < 0)
        if len(wrong):
            raise ValueError(
                f"probabilities must not be negative, got {given[wrong[0]]:g} at {wrong[0]}; "
                "are these scores before the softmax?"
            )
        total = float(given.sum(dtype=np.float64))
        if abs(total - 1.0) > _SUM_TOLERANCE:
            raise ValueError(f"probabilities must add up to 1, got {total:g}")
        probabilities = given.astype(np.float32)
        probabilities.flags.writeable = False
        object.__setattr__(self, "probabilities", probabilities)

    @property
    def best(self) -> Guess:
        """The most probable cell; the first of equals."""
        return self.guess(int(self.probabilities.argmax()))

    def guess(self, index: int) -> Guess:
        """Return one cell with its probability.

        Parameters
        ----------
        index : int
            0 to C - 1.

        Raises
        ------
        TypeError
            If the index is not a whole number.
        IndexError
            If there is no such cell.
        """
        index = self.cells.check_index(index)
        return Guess(
            index=index,
            latitude=float(self.cells.latitudes[index]),
            longitude=float(self.cells.longitudes[index]),
            probability=float(self.probabilities[index]),
            cells=self.cells,
        )

    def top(self, k: int = 5) -> tuple[Guess, ...]:
        """Return the k most probable cells, the most probable first.

        Parameters
        ----------
        k : int
            1 to C.

        Raises
        ------
        ValueError
            If k is out of range.
        """
        k = as_whole("k", k)
        if not 1 <= k <= len(self.cells):
            raise ValueError(
                f"k must be 1 to {len(self.cells)}, the number of cells, got {brief(k)}"
            )
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return tuple(self.guess(int(index)) for index in order)

    def density(self, radius_km: float) -> float:
        """Probability near the best cell: how sure the model is at this scale.

        Parameters
        ----------
        radius_km : float
            Kilometres, >= 0.

        Returns
        -------
        float
            Sum over the cells whose centre lies within the radius of the best cell's centre;
            from the best cell's own probability up to 1.

        Raises
        ------
        TypeError, ValueError
            If the radius is not a finite number >= 0.
        """
        radius_km = check_distance("radius_km", radius_km)
        best = self.best
        near = self.cells.distances_km(best.latitude, best.longitude) <= radius_km
        return min(1.0, float(self.probabilities[near].sum(dtype=np.float64)))

    def densities(self) -> dict[float, float]:
        """Return the density at each of `ACCURACY_RADII_KM`, by radius in km."""
        return {radius: self.density(radius) for radius in ACCURACY_RADII_KM}

    def distance_to(self, latitude: float, longitude: float) -> float:
        """Great-circle distance from the best cell's centre to a place, in kilometres.

        Parameters
        ----------
        latitude, longitude : float
            Degrees, such as where the photo was really taken.

        Raises
        ------
        TypeError, ValueError
            If they are not a point on the Earth.
        """
        best = self.best
        return great_circle_km(best.latitude, best.longitude, latitude, longitude)

    def __repr__(self) -> str:
        best = self.best
        # A repr shall not load a gazetteer.
        where = f"{best.latitude:.1f}, {best.longitude:.1f}"
        if self.cells.names is not None and self.cells.names[best.index]:
            where = best.place
        widest = ACCURACY_RADII_KM[-1]
        return (
            f"GeoPrediction({where}: {best.probability:.2f}; "
            f"{self.density(widest):.2f} within {widest:g} km)"
        )
