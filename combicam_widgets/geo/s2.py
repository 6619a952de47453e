"""S2 cells: the squares of Google's S2 geometry, which many geolocalization networks classify.

Six faces of a cube around the Earth, each cut into quarters up to 30 times. A cell is known by a
64-bit number. Three bits say which face, two per level which quarter, along a Hilbert curve; a 1
marks the end (https://s2geometry.io/devguide/s2cell_hierarchy).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, vector_coordinates
from combicam_widgets.geo.tokens import s2_cell_ids, s2_level
from combicam_widgets.notices import warn

_SMALLEST = 23
"""Finest level that nobody doubts: cells about a metre wide."""
_QUARTERS = np.array([[0, 1, 3, 2], [0, 2, 3, 1], [3, 2, 0, 1], [3, 1, 0, 2]])
"""Quarter (2 i + j) by orientation of the Hilbert curve and position along it."""
_TURNS = np.array([1, 0, 0, 3])
"""What a position does to the orientation one level down, by exclusive or."""
_AXES = np.array(
    # Rows: what multiplies 1, u and v, by face.
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
        [[0, 0, 1], [-1, 0, 0], [0, -1, 0]],
        [[-1, 0, 0], [0, 0, -1], [0, -1, 0]],
        [[0, -1, 0], [0, 0, -1], [1, 0, 0]],
        [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
    ]
)
_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]])
"""Counter-clockwise in units of a cell, and its centre."""


def s2_cells(tokens: Iterable[str]) -> tuple[Floats, Floats, tuple[Floats, ...]]:
    """Centres and corners of S2 cells of any levels.

    Parameters
    ----------
    tokens : iterable of C str

    Returns
    -------
    latitudes, longitudes : ndarray of float64, shape (C,)
        Centres in degrees.
    outlines : tuple of C ndarrays of float64, shape (4, 2)
        (latitude, longitude) of the corners, counter-clockwise.

    Raises
    ------
    TypeError, ValueError
        If a token is not one, or comes twice, or if they are codes of another system.

    Warns
    -----
    UserWarning
        If a cell is less than a metre wide, as many a code of another system says when it is
        taken for a token.
    """
    numbers = s2_cell_ids(tokens)
    levels = np.array([s2_level(number) for number in numbers])
    tiny = np.flatnonzero(levels > _SMALLEST)
    if len(tiny):
        warn(
            f"tokens[{tiny[0]}] is an S2 cell of level {levels[tiny[0]]}, less than a metre wide; "
            "is it the code of another system, such as H3 or a geohash?"
        )
    return _decoded(np.array(numbers, dtype=np.uint64), levels)


def _decoded(
    ids: NDArray[np.uint64], level: NDArray[np.intp]
) -> tuple[Floats, Floats, tuple[Floats, ...]]:
    face = (ids >> np.uint64(61)).astype(np.intp)
    corner = np.zeros((len(ids), 2), dtype=np.int64)
    orientation = face & 1
    for step in range(level.max()):
        position = (ids >> np.uint64(59 - 2 * step)).astype(np.intp) & 3
        quarter = _QUARTERS[orientation, position]
        finer = 2 * corner + np.stack([quarter >> 1, quarter & 1], axis=1)
        corner = np.where((step < level)[:, None], finer, corner)
        orientation ^= _TURNS[position]
    # From the square [0, 1] to the cube's face [-1, 1], so that cells are of similar size.
    s = (corner[:, None] + _CORNERS) / 2.0 ** level[:, None, None]
    uv = np.where(s >= 0.5, 4 * s**2 - 1, 1 - 4 * (1 - s) ** 2) / 3
    rays = np.concatenate([np.ones_like(uv[..., :1]), uv], axis=-1) @ _AXES[face]
    latitude, longitude = vector_coordinates(rays)
    outlines = np.stack([latitude, longitude], axis=-1)[:, :4]
    return latitude[:, 4], longitude[:, 4], tuple(outlines)
