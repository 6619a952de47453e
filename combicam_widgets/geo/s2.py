"""S2 cells: the squares of Google's S2 geometry, which many geolocalization networks classify.

Six faces of a cube around the Earth, each cut into quarters up to 30 times. A cell is known by a
token: its 64-bit number in hexadecimal digits, without the zeros at the end. Three bits say which
face, two per level which quarter, along a Hilbert curve; a 1 marks the end
(https://s2geometry.io/devguide/s2cell_hierarchy).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from combicam_widgets.geo.earth import Floats, vector_coordinates

_LEVELS = 30
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


def s2_cell_id(token: str) -> int:
    """Return the 64-bit number of a cell.

    Parameters
    ----------
    token : str
        1 to 16 hexadecimal digits, in lower or upper case.

    Raises
    ------
    TypeError
        If it is not text.
    ValueError
        If there is no such cell.
    """
    if not isinstance(token, str):
        raise TypeError(
            f"an S2 token must be text such as '89c25', got {token!r}; "
            "read the column of a table as text, or zeros and e's are lost"
        )
    digits = token.strip()
    hexadecimal = 1 <= len(digits) <= 16 and set(digits.lower()) <= set("0123456789abcdef")
    number = int(digits.ljust(16, "0"), 16) if hexadecimal else 0
    lowest = number & -number
    # The closing 1 stands above an even number of bits; 6 and 7 are no faces.
    if number >> 61 > 5 or not lowest & 0x1555555555555555:
        raise ValueError(f"{token!r} is not the token of an S2 cell")
    return number


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
        If a token is not one, or comes twice.
    """
    if isinstance(tokens, str):
        raise TypeError(f"tokens must be a list with one S2 token per class, got {tokens!r}")
    first: dict[int, int] = {}
    for index, token in enumerate(tokens):
        try:
            number = s2_cell_id(token)
        except (TypeError, ValueError) as error:
            raise type(error)(f"tokens[{index}]: {error}") from None
        if first.setdefault(number, index) != index:
            raise ValueError(f"tokens {first[number]} and {index} are both {token!r}")
    if not first:
        raise ValueError("tokens must hold at least one S2 token")
    return _decoded(np.array([*first], dtype=np.uint64))


def _decoded(ids: NDArray[np.uint64]) -> tuple[Floats, Floats, tuple[Floats, ...]]:
    face = (ids >> np.uint64(61)).astype(np.intp)
    level = np.array([_LEVELS - ((int(i) & -int(i)).bit_length() - 1) // 2 for i in ids])
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
