import json
import math

import numpy as np
import pytest
import shapely
from snapshots import CELLS, NAMES, POSITION, make_snapshot, prediction

from combicam_widgets.export import to_geojson


def by_role(collection, role):
    return [f for f in collection["features"] if f["properties"]["role"] == role]


def positions(coordinates):
    if isinstance(coordinates[0], (int, float)):
        yield coordinates
    else:
        for part in coordinates:
            yield from positions(part)


def test_what_is_in_it(snapshot):
    collection = to_geojson(snapshot)
    top = by_role(collection, "top cell")
    assert [f["properties"]["rank"] for f in top] == [1, 2, 3, 4, 5]
    assert [f["properties"]["index"] for f in top] == [2, 0, 1, 3, 4]
    assert top[0]["properties"]["place"] == "Fiji"
    p = snapshot.prediction.probabilities
    assert top[1]["properties"]["probability"] == pytest.approx(p[0], abs=1e-6)
    (target,) = by_role(collection, "target")
    assert target["properties"]["index"] == snapshot.target == 2
    (evidence,) = by_role(collection, "evidence")
    assert evidence["properties"]["place"] == "Kansas"
    best = float(snapshot.evidence.probabilities.max())
    assert evidence["properties"]["probability"] == pytest.approx(best, abs=1e-6)
    votes = by_role(collection, "vote")
    assert [f["properties"]["layer"] for f in votes] == list(NAMES)
    assert [f["properties"]["index"] for f in votes] == [0, 4, 4, 2]
    assert votes[0]["geometry"] == {"type": "Point", "coordinates": [2.0, 48.0]}
    assert json.loads(json.dumps(collection)) == collection


def test_all_of_it_lies_in_the_world_and_is_valid(snapshot):
    for feature in to_geojson(snapshot, include_position=True)["features"]:
        assert shapely.is_valid(shapely.from_geojson(json.dumps(feature["geometry"])))
        for longitude, latitude in positions(feature["geometry"]["coordinates"]):
            assert abs(longitude) <= 180
            assert abs(latitude) <= 90


def test_cells_across_the_antimeridian_are_cut(snapshot):
    (target,) = by_role(to_geojson(snapshot), "target")
    assert target["geometry"]["type"] == "MultiPolygon"
    area = shapely.from_geojson(json.dumps(target["geometry"]))
    inside = shapely.points([[179, -18], [-179, -18]])
    assert shapely.contains(area, inside).all()
    for longitude, latitude in [(150, 0), (-150, -10), (0, 0), (170, 30)]:
        held = shapely.contains_xy(area, longitude, latitude)
        assert bool(held) == (CELLS.at(latitude, longitude) == 2)


def test_the_way_to_the_evidence(snapshot):
    (path,) = by_role(to_geojson(snapshot), "path")
    assert path["geometry"]["type"] == "MultiLineString"  # Fiji to Kansas, over the Pacific
    first, last = path["geometry"]["coordinates"]
    assert (first[0], last[-1]) == ([179.0, -18.0], [-100.0, 40.0])
    a, b = (np.radians(x) for x in ((-18, 179), (40, -100)))
    haversine = math.sin((b[0] - a[0]) / 2) ** 2
    haversine += math.cos(a[0]) * math.cos(b[0]) * math.sin((b[1] - a[1]) / 2) ** 2
    km = 2 * 6371.0088 * math.asin(math.sqrt(haversine))
    assert path["properties"]["distance_km"] == pytest.approx(km, abs=0.1)


def test_no_way_where_there_is_nowhere_to_go():
    assert not by_role(to_geojson(make_snapshot(evidence=prediction(2))), "path")
    silent = to_geojson(make_snapshot(evidence=None, votes=None))
    assert {f["properties"]["role"] for f in silent["features"]} == {"top cell", "target"}


def test_the_position_and_the_name_stay_at_home(snapshot):
    text = json.dumps(to_geojson(snapshot))
    for secret in ("48.858", "2.294", "16,200", "a day out", "truth"):
        assert secret not in text
    collection = to_geojson(snapshot, include_position=True)
    (truth,) = by_role(collection, "truth")
    latitude, longitude = POSITION
    assert truth["geometry"]["coordinates"] == [round(longitude, 3), round(latitude, 3)]
    assert "16,200 km" in collection["sentence"]
