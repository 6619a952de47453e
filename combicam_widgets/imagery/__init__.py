"""Pictures of the Earth from above, as photos whose place is known.

`blue_marble.jpg` is NASA's; `CREDITS.md` says where it comes from.
"""

from functools import cache
from pathlib import Path

from combicam_widgets.imagery.world_map import WIDTHS_KM, WorldMap
from combicam_widgets.images import Photo

__all__ = ["CREDIT", "WIDTHS_KM", "WorldMap", "blue_marble", "tile"]

CREDIT = (
    "NASA Earth Observatory, Public domain (https://creativecommons.org/publicdomain/mark/1.0/), "
    "reprojected; https://science.nasa.gov/earth/earth-observatory/"
    "blue-marble-next-generation/base-topography-bathymetry/"
)
"""The line to print beside a piece of the Blue Marble wherever it is shown."""


@cache
def blue_marble() -> WorldMap:
    """Load NASA's Blue Marble, 4096 x 2048 pixels: 10 km each at the equator.

    It is read at the first call and then kept, 25 MB. `WorldMap.tile` cuts pieces out of it.
    """
    path = Path(__file__).with_name("blue_marble.jpg")
    return WorldMap.open(path, name="Blue Marble", credit=CREDIT)


def tile(latitude: float, longitude: float, width_km: float = 1500, side: int = 512) -> Photo:
    """Cut a square piece out of NASA's Blue Marble, north up, as a photo of known position.

    Parameters
    ----------
    latitude, longitude : float
        The middle of the tile in degrees.
    width_km : float
        Width on the ground, 200 to 5,000 km; `load_model("atlas")` wants 1,000 to 2,000.
    side : int
        Pixels along an edge, 8 to 2,048.

    Returns
    -------
    Photo
        Its name tells the width and not the place, so that nobody reads the answer there.

    Raises
    ------
    TypeError
        If an argument is not one number, or `side` not a whole one.
    ValueError
        If the place is off the Earth, or another argument is out of range.

    Examples
    --------
    >>> tile(48.86, 2.35)
    <Photo 'Blue Marble, 1,500 km wide', 512 x 512 px, position known>
    """
    return blue_marble().tile(latitude, longitude, width_km, side)
