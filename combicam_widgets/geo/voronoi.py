"""Outlines for cells of which only the centres are known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, unit_vectors, vector_coordinates

_SAME = 1e-9
"""Points this close together, in radians (6 mm), are one point."""


def voronoi_outlines(latitudes: Floats, longitudes: Floats) -> tuple[Floats, ...]:
    """Outline, for each centre, the part of the sphere that is nearer to it than to any other.

    Parameters
    ----------
    latitudes, longitudes : ndarray, shape (C,)
        Centres in degrees.

    Returns
    -------
    tuple of C ndarrays of float64, shape (V, 2)
        (latitude, longitude) of the corners in order; together the outlines cover the sphere.

    Raises
    ------
    ValueError
        If there are fewer than 4 centres, two are the same, or all lie on one circle.
    """
    # Slow to import, and only this function needs it.
    from scipy.spatial import SphericalVoronoi, cKDTree  # noqa: PLC0415

    if len(latitudes) < 4:
        raise ValueError(f"a grid needs at least 4 centers, got {len(latitudes)}")
    centers = unit_vectors(latitudes, longitudes)
    twins = cKDTree(centers).query_pairs(_SAME, output_type="ndarray")
    if len(twins):
        first, second = min(sorted(pair) for pair in twins.tolist())
        raise ValueError(
            f"centers must all be different, but {first} and {second} are both at "
            f"{latitudes[first]:g}, {longitudes[first]:g}"
        )
    try:
        voronoi: Any = SphericalVoronoi(centers, threshold=1e-10)
    except ValueError as error:
        raise ValueError(
            "the centers all lie on one circle; their cells would not have corners"
        ) from error
    voronoi.sort_vertices_of_regions()
    corners = np.stack(vector_coordinates(voronoi.vertices), axis=1)
    return tuple(
        corners[_without_twins(np.asarray(region), voronoi.vertices)] for region in voronoi.regions
    )


def _without_twins(region: NDArray[np.intp], vertices: Floats) -> NDArray[np.intp]:
    """Drop corners that coincide with the one before, as where four cells meet in a point."""
    apart = np.linalg.norm(vertices[region] - vertices[np.roll(region, 1)], axis=1) > _SAME
    kept: NDArray[np.intp] = region[apart]
    return kept
