import csv
from collections import defaultdict
from pathlib import Path

import pytest

import combicam_widgets as ccw


@pytest.fixture(scope="session")
def naturalist():
    return ccw.load_model("naturalist")


@pytest.fixture(scope="session")
def animal_ranges():
    """Name of a sample -> circles (latitude, longitude, radius in km) that make its range."""
    text = Path(__file__).with_name("animal_ranges.csv").read_text(encoding="utf-8")
    ranges = defaultdict(list)
    for row in csv.DictReader(text.splitlines()):
        circle = (float(row["latitude"]), float(row["longitude"]), float(row["radius_km"]))
        ranges[row["sample"]].append(circle)
    return dict(ranges)
