"""The land of the Earth: places drawn on it, and what they lie on."""

from functools import cached_property
from typing import Self

import numpy as np
import shapely
from build_coastline import land_polygons
from imagery import LAND
from numpy.typing import NDArray
from scipy.spatial import KDTree

from combicam_widgets.geo import EARTH_RADIUS_KM, unit_vectors, vector_coordinates

Floats = NDArray[np.float64]

CONTINENT_KM2 = 5e6
"""Land masses below this are islands: Australia has 7.6 million km2, Greenland 2.1."""

GREENLAND_KM2 = 1.5e6
"""The only island above this is Greenland; the next, New Guinea, has half of it."""

# Longitude and latitude; the borders lie in the sea, but at Suez and in the Darien.
AFRICA = shapely.from_wkt(
    "POLYGON ((-30 36, -5.6 35.95, 11 38, 20 34, 31 33, 32.5 30, 34.5 27.5, 38 22, 42.5 14,"
    " 43.4 12.5, 60 12.5, 60 -40, -30 -40, -30 36))"
)
SOUTH_AMERICA = shapely.from_wkt(
    "POLYGON ((-90 5, -78.5 7.2, -77.9 7.2, -77.3 8.7, -75 13.5, -30 13.5, -30 -60, -90 -60,"
    " -90 5))"
)


class Land:
    """The land of the Earth.

    Parameters
    ----------
    polygons : list of shapely.Polygon
        (longitude, latitude) in degrees, longitudes in [-180, 180]; cut at the antimeridian.
    """

    def __init__(self, polygons: list[shapely.Polygon]) -> None:
        self.polygons = polygons
        self.tree = shapely.STRtree(polygons)
        shapely.prepare(self.tree.geometries)

    @classmethod
    def fetch(cls) -> Self:
        """Natural Earth's, 1 : 50 million; the Caspian Sea is no land, lakes are."""
        return cls(land_polygons(LAND.fetch()))

    def polygon_at(self, latitudes: Floats, longitudes: Floats) -> NDArray[np.intp]:
        """Index of the polygon that holds each point, -1 at sea."""
        found = np.full(len(latitudes), -1)
        points = shapely.points(longitudes, latitudes)
        near, polygon = self.tree.query(points)  # its own predicate would prepare the points
        inside = shapely.intersects(self.tree.geometries[polygon], points[near])
        found[near[inside]] = polygon[inside]
        return found

    def places(self, random: np.random.Generator, count: int) -> Floats:
        """Draw places on land, each km2 equally likely, as unit vectors (count, 3)."""
        kept = np.empty((0, 3))
        while len(kept) < count:
            places = random.normal(size=(4 * count, 3))
            places /= np.linalg.norm(places, axis=1, keepdims=True)
            on_land = self.polygon_at(*vector_coordinates(places)) >= 0
            kept = np.concatenate([kept, places[on_land]])
        return kept[:count]

    def coast_km(self, latitudes: Floats, longitudes: Floats) -> Floats:
        """Distance of each point from the coast; right to 1 km from 30 km on."""
        chords, _ = self._coast.query(unit_vectors(latitudes, longitudes))
        return 2 * EARTH_RADIUS_KM * np.arcsin(chords / 2)

    def mass_km2(self, latitudes: Floats, longitudes: Floats) -> Floats:
        """Area of the land mass that holds each point; 0 at sea."""
        tree, areas = self._masses
        points = shapely.points(np.mod(longitudes, 360), latitudes)
        inside, mass = tree.query(points, predicate="intersects")
        found = np.zeros(len(latitudes))
        found[inside] = areas[mass]
        return found

    def continents(self, latitudes: Floats, longitudes: Floats) -> NDArray[np.str_]:
        """Name of the continent of each point on land, or "Greenland" or "other islands"."""
        area = self.mass_km2(latitudes, longitudes)
        names = {
            "Antarctica": latitudes < -60,
            "other islands": area < GREENLAND_KM2,
            "Greenland": area < CONTINENT_KM2,
            "Australia": (latitudes < -9) & (longitudes > 110),
            "Africa": shapely.intersects_xy(AFRICA, longitudes, latitudes),
            "South America": shapely.intersects_xy(SOUTH_AMERICA, longitudes, latitudes),
            # West of the Bering Strait it is Asia, the tip of which lies beyond the antimeridian.
            "North America": (longitudes > -169) & (longitudes < -30),
        }
        return np.select(list(names.values()), list(names), "Eurasia")

    @cached_property
    def _coast(self) -> KDTree:
        """Points of the coast, at most 0.1 degrees apart."""
        points = shapely.get_coordinates(shapely.segmentize(self.polygons, 0.1))
        cut = (np.abs(points[:, 0]) == 180) | (points[:, 1] == -90)
        longitudes, latitudes = points[~cut].T
        return KDTree(unit_vectors(latitudes, longitudes))

    @cached_property
    def _masses(self) -> tuple[shapely.STRtree, Floats]:
        """Land masses, whole for longitudes 0 to 360, and their areas."""
        again = shapely.transform(self.polygons, lambda points: np.add(points, (360, 0)))
        masses = shapely.get_parts(shapely.union_all([*self.polygons, *again]))
        flat = shapely.transform(masses, _equal_area)
        return shapely.STRtree(masses), shapely.area(flat) * EARTH_RADIUS_KM**2


def _equal_area(points: Floats) -> Floats:
    """From degrees to the equal-area projection (longitude in radians, sine of latitude)."""
    return np.stack([np.radians(points[:, 0]), np.sin(np.radians(points[:, 1]))], axis=1)
