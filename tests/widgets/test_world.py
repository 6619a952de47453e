"""The world map: what is drawn where, against a geodesic library and plain sums."""

import json

import numpy as np
import pytest
from geographiclib.geodesic import Geodesic
from traitlets import TraitError
from worlds import StepByStep

import combicam_widgets as ccw
from combicam_widgets.geo import MAX_LATITUDE
from combicam_widgets.shown.lines import arc, cut, outlines, ring
from combicam_widgets.shown.scene import RING_RADII_KM, Scene, ramp
from combicam_widgets.widgets import WorldMap
from combicam_widgets.widgets.world.widget import World

SPHERE = Geodesic(6371008.8, 0)
LATITUDES = [0, 40, -30, 65, 10, -45, 20, 84]
LONGITUDES = [0, 90, 179.5, -120, -179, 20, -60, 45]
NAMES = [f"near Q-{letter}" for letter in "ABCDEFGH"]
CELLS = ccw.CellGrid.from_centers(LATITUDES, LONGITUDES, NAMES)


def km(a, b):
    return SPHERE.Inverse(*a, *b)["s12"] / 1000


def says(best, share=0.6):
    """A prediction whose best cell is given; the others share the rest unevenly."""
    p = np.linspace(1, 2, len(CELLS))
    p[best] = 0
    p *= (1 - share) / p.sum()
    p[best] = share
    return ccw.GeoPrediction(p, CELLS)


def kinds(things):
    return [thing["kind"] for thing in things]


def seen(widget, name):
    """What the live page shows: of the state, and of what is told beside it."""
    return [*getattr(widget, name), *widget.told.get(name, ())]


def texts(world):
    return {flag["text"]: tuple(flag["place"]) for flag in seen(world._marks, "flags")}


def states(world):
    """All that the page is told, as text."""
    layers = [layer for layer in world.map.layers if layer is not world._land]
    widgets = [world._marks, world._panel, *layers]
    states = [widget.get_state() for widget in widgets]
    for state in states:
        state.pop("telling", None)
    return json.dumps([*states, world._marks.told, world._panel.told], default=str)


@pytest.fixture
def world():
    world = StepByStep()
    world.show_prediction(says(0), 0)
    return world


def test_a_line_is_cut_at_the_antimeridian():
    assert cut([(0, 170), (10, 190)]) == [[(0, 170), (5, 180)], [(5, -180), (10, -170)]]
    assert cut([(0, -170), (4, -182)]) == [
        [(0, -170), (pytest.approx(10 / 3, abs=1e-3), -180)],
        [(pytest.approx(10 / 3, abs=1e-3), 180), (4, 178)],
    ]
    assert cut([(1, 2), (3, 4)]) == [[(1, 2), (3, 4)]]
    assert cut([(0, 500), (1, 510)]) == [[(0, 140), (1, 150)]]
    # What lies beyond the map's upper edge is left out.
    assert cut([(80, 0), (84, 1), (88, 2), (84, 3), (80, 4)]) == [
        [(80, 0), (84, 1)],
        [(84, 3), (80, 4)],
    ]


@pytest.mark.parametrize("best", range(len(CELLS)))
@pytest.mark.parametrize("radius", RING_RADII_KM)
def test_rings_keep_their_distance_everywhere(best, radius):
    center = LATITUDES[best], LONGITUDES[best]
    pieces, spots = ring(says(best), radius)
    points = [point for piece in pieces for point in piece]
    crossings = [point for point in points if abs(point[1]) == 180]
    for point in [*spots, *points]:
        # Where the antimeridian cuts it, a ring is a chord of three degrees of arc.
        tolerance = 0.01 * radius if point in crossings else 0.2
        assert km(center, point) == pytest.approx(radius, abs=tolerance)
        assert -180 <= point[1] <= 180
        assert abs(point[0]) <= MAX_LATITUDE
    for piece in pieces:
        assert np.abs(np.diff([longitude for _, longitude in piece])).max() < 90
    # Together the pieces go all the way round, but for what lies beyond the map's edge.
    bearings = sorted(SPHERE.Inverse(*center, *point)["azi1"] for point in points)
    gaps = np.diff([*bearings, bearings[0] + 360])
    reach = center[0] + np.degrees(radius / 6371.0088)
    assert gaps.max() < 3.5 or reach > MAX_LATITUDE


def test_a_ring_around_a_pole_has_no_line_back():
    pieces, _ = ring(says(7), 2500)
    longitudes = sorted(longitude for piece in pieces for _, longitude in piece)
    assert longitudes[0] < -175
    assert longitudes[-1] > 175
    assert np.diff(longitudes).max() < 15


@pytest.mark.parametrize(("start", "end"), [((50, 10), (-30, 150)), ((65, -120), (-30, 179.5))])
def test_an_arc_is_the_shortest_way(start, end):
    pieces, spots = arc(start, end)
    whole = km(start, end)
    for point in [*spots, *(point for piece in pieces for point in piece)]:
        assert km(start, point) + km(point, end) == pytest.approx(whole, abs=1)
    assert km(start, spots[0]) == pytest.approx(whole / 2, abs=1)
    assert pieces[0][0] == pytest.approx(start, abs=1e-3)
    assert pieces[-1][-1] == pytest.approx(end, abs=1e-3)


def test_outlines_stay_on_the_map():
    for index in range(len(CELLS)):
        points = np.array([p for piece in outlines(CELLS, (index,)) for p in piece])
        assert (np.abs(points) <= [MAX_LATITUDE, 180]).all()


def test_the_probability_within_each_ring(world):
    prediction = says(2, share=0.3)
    world.show_rings(prediction)
    best = LATITUDES[2], LONGITUDES[2]
    places = zip(LATITUDES, LONGITUDES, prediction.probabilities, strict=True)
    mass = [(km(best, (lat, lon)), p) for lat, lon, p in places]
    for line, radius in zip(world._marks.rings, RING_RADII_KM, strict=True):
        inside = sum(p for d, p in mass if d <= radius)
        assert line["label"] == f"{radius:,.0f} km: {100 * inside:.0f} %"
    world.show_rings(None)
    assert world._marks.rings == []


def test_answers_that_agree_share_a_flag(world):
    here, there = (0, 0), (40, 90)
    assert texts(world) == {"whole photo": here}
    world.show_evidence(says(0), says(0))
    assert texts(world) == {"whole photo and evidence": here}
    assert world._marks.lines == []
    world.show_evidence(says(0), says(1), says(1))
    assert texts(world) == {"whole photo": here, "evidence and the rest": there}
    assert kinds(world._marks.lines) == ["evidence", "rest"]
    world.show_evidence(says(0), says(0), says(0))
    assert texts(world) == {"whole photo, evidence and the rest": here}
    world.show_evidence(says(0), None)
    assert texts(world) == {"whole photo": here}


def test_the_error_in_kilometres(world):
    world.show_truth((48.86, 2.35))
    assert texts(world)["true place"] == pytest.approx((48.86, 2.35))
    (line,) = seen(world._marks, "lines")
    far = f"{round(km((0, 0), (48.86, 2.35)), -1):,.0f} km"
    assert line["label"] == far
    assert f"{far} from the answer to the true place" in said(world)
    world.show_guess((40, 10))
    mine = f"{round(km((40, 10), (48.86, 2.35)), -1):,.0f} km"
    assert f"{mine} from your guess to the true place" in said(world)
    world.show_truth(None)
    assert seen(world._marks, "lines") == []
    assert not any("true place" in text for text in said(world))


def said(world):
    return [key["text"] for key in seen(world._panel, "legend")]


def test_the_truth_is_told_and_no_part_of_the_state(world):
    before = [widget.get_state() for widget in (world._marks, world._panel)]
    sent = []
    for widget in (world._marks, world._panel):
        widget.send = lambda content, _buffers=None, widget=widget: sent.append((widget, content))
    world.show_truth((48.86, 2.35))
    after = [widget.get_state() for widget in (world._marks, world._panel)]
    for old, new in zip(before, after, strict=True):
        assert new.pop("telling") == old.pop("telling") + 1
        assert new == old
    assert [content["told"].keys() for _, content in sent] == [{"flags", "lines"}, {"legend"}]
    # A page that is reloaded asks, and hears it again.
    again = list(sent)
    for widget in (world._marks, world._panel):
        widget._handle_custom_msg({"ask": "what is not in the state"}, [])
    assert sent == again * 2
    world.show_evidence(says(0), says(1))  # which changes nothing of it
    assert sent == again * 2
    world.show_truth(None)
    for widget in (world._marks, world._panel):
        widget._handle_custom_msg({"ask": "what is not in the state"}, [])
    assert sent == again * 2


def test_a_scene_is_shown_in_one_drawing_and_a_hidden_one_is_never_sent():
    scene = Scene(says(0), 0, evidence=says(1), truth=(48.86, 2.35), guess=(10, 20))
    world, sent = World(), []
    for widget in (world._marks, world._panel, *world.map.layers):
        widget.send = lambda content, _buffers=None: sent.append(content)
        widget.observe(lambda change: sent.append((change["name"], change["new"], change["owner"])))
    world.show(scene, hidden=True)
    assert texts(world) == {"your guess": (10, 20)}
    assert {content[0] for content in sent if isinstance(content, tuple)} == {"flags", "legend"}
    assert [content for content in sent if isinstance(content, dict)] == [{"view": "world"}]
    assert "Q-" not in json.dumps(sent, default=str)
    sent.clear()
    world.show(scene)
    assert set(texts(world)) == {"whole photo", "evidence", "true place", "your guess"}
    changed = [(name, owner.model_id) for name, _, owner in filter(lambda x: len(x) == 3, sent)]
    assert len(changed) == len(set(changed)) > 6


def test_contrast_says_which_is_which(world):
    world.show_contrast(3)
    assert texts(world)["why here"] == (0, 0)
    assert texts(world)["rather than there"] == (65, -120)
    assert world._outlines["contrast"].locations == outlines(CELLS, (3,))
    assert world._outlines["contrast"].dash_array
    assert [row["role"] for row in world._panel.rows if row["index"] == 3] == ["rather than there"]
    world.show_contrast(None)
    assert world._outlines["contrast"].locations == []
    assert "why here" not in texts(world)
    alone = WorldMap(says(0))
    with pytest.raises(TraitError, match="there is no cell 99; this grid has cells 0 to 7"):
        alone.contrast = 99
    with pytest.raises(TraitError, match="Give the map a prediction before a contrast"):
        WorldMap(contrast=1)


def test_a_target_that_is_not_among_the_most_probable_is_listed():
    world = StepByStep()
    world.show_prediction(says(5), 1)
    order = np.argsort(-says(5).probabilities)[:5].tolist()
    assert 1 not in order
    assert [row["index"] for row in world._panel.rows] == [*order, 1]
    assert world._panel.rows[-1]["role"] == "explained"
    assert world._panel.rows[0]["text"] == "60 % near Q-F"
    with pytest.raises(TraitError, match="there is no cell 8"):
        WorldMap(says(5), target=8)


def test_votes_stand_where_the_layers_point(world):
    best = [1, 1, 4, 0]
    world.show_votes([says(i) for i in best], [3, 5, 6, 9], [1, 0, 2, 0.1])
    votes = world._marks.votes
    assert [tuple(vote["place"]) for vote in votes] == [(LATITUDES[i], LONGITUDES[i]) for i in best]
    assert [vote["number"] for vote in votes] == ["3", "5", "6", "9"]
    assert [vote["on"] for vote in votes] == [True, False, True, True]
    assert votes[1]["title"] == "layer 5: 60 % near Q-B (switched off)"
    world.show_votes([says(0)] * 2)
    assert [vote["number"] for vote in world._marks.votes] == ["1", "2"]
    world.show_votes(None)
    assert world._marks.votes == []


def luminance(color):
    c = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [
        0.2126,
        0.7152,
        0.0722,
    ]


@pytest.mark.parametrize("n", [1, 2, 16, 32])
def test_the_ramp_rises_in_lightness_and_its_ink_is_legible(n):
    lights = []
    for color, ink in ramp(n):
        lights.append(luminance(color))
        low, high = sorted([lights[-1], {"#000": 0.0, "#fff": 1.0}[ink]])
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2.2, level AA
    assert len(lights) == n
    assert (np.diff(lights) > 0).all()


def test_a_new_prediction_forgets_what_belonged_to_the_old(world):
    world.show_evidence(says(0), says(1), says(2))
    world.show_rings(says(0))
    world.show_votes([says(1)])
    world.show_contrast(2)
    world.show_truth((1, 2))
    world.show_prediction(says(3), 3)
    assert set(texts(world)) == {"whole photo", "true place"}
    assert world._marks.votes == []
    assert world._marks.rings == []
    assert world._outlines["contrast"].locations == []


def test_hidden_answers_are_nowhere_in_the_page(world):
    blank = StepByStep()
    blank.show_guess((10, 20))
    world.show_evidence(says(0), says(1), says(2))
    world.show_rings(says(0))
    world.show_votes([says(1), says(4)])
    world.show_contrast(2)
    world.show_guess((10, 20))
    before = states(world)
    world.hide_answers()
    world.show_truth((48.8, 2.3))
    hidden = states(world)
    assert "Q-" not in hidden
    assert "48.8" not in hidden
    assert texts(world) == {"your guess": (10, 20)}
    assert world._shading.url == blank._shading.url
    assert world._panel.get_state(["rows", "legend"]) == blank._panel.get_state(["rows", "legend"])
    keys = ["flags", "lines", "rings", "votes", "answer"]
    assert world._marks.get_state(keys) == blank._marks.get_state(keys)
    assert all(not line.locations for line in world._outlines.values())
    world.show_truth(None)
    world.show_answers()
    assert states(world) == before


def test_the_legend_explains_what_is_shown(world):
    shown = {"shading", "top", "target", "flag-photo"}
    assert set(kinds(world._panel.legend)) == shown
    world.show_rings(says(0))
    assert set(kinds(world._panel.legend)) == shown | {"ring"}
    world.show_votes([says(1), says(2)], weights=[1, 0])
    assert set(kinds(world._panel.legend)) == shown | {"ring", "votes", "off"}
    assert World()._panel.legend == []


def test_a_toggle_sends_only_what_changed():
    rng = np.random.default_rng(0)
    cells = ccw.load_model("naturalist").cells
    predictions = [ccw.GeoPrediction(rng.dirichlet(np.ones(len(cells))), cells) for _ in range(34)]
    world = StepByStep()
    world.show_prediction(predictions[0], 0)
    world.show_rings(predictions[0])
    world.show_evidence(*predictions[:2])
    world.show_votes(predictions[2:])
    sent = {}
    for widget in (world.map, world._marks, world._panel, *world.map.layers):
        widget.observe(lambda change: sent.update({change["name"]: change["new"]}))
    world.show_votes(predictions[2:], weights=[0, *[1] * 31])
    world.show_evidence(predictions[0], predictions[5])
    assert set(sent) <= {"votes", "legend", "flags", "lines"}
    assert set(sent) >= {"votes", "flags", "lines"}
    assert len(json.dumps(sent)) < 20_000


def test_clicks_choices_and_hovers_are_passed_on():
    heard = []
    world = World(
        lambda *place: heard.append(place),
        heard.append,
        lambda layer: heard.append(("vote", layer)),
    )

    def happens(kind, place):
        content = {"event": "interaction", "type": kind, "coordinates": place}
        world.map._handle_leaflet_event(world.map, content, [])

    happens("mousemove", [1, 2])
    happens("click", [10, 20])
    happens("click", [-10, 190])
    happens("click", [0, -540])
    assert heard == [(10, 20), (-10, -170), (0, -180)]
    world._panel._handle_custom_msg({"chosen": 3}, [])
    assert heard[3:] == [3]
    world._marks.set_state({"hovered": 2})
    world._marks.set_state({"hovered": None})
    assert heard[4:] == [("vote", 2), ("vote", None)]
    world.highlight_vote(1)
    assert world._marks.highlighted == 1
    assert world._panel.choosable
    assert not World()._panel.choosable
    assert not world._panel.comparable
    compared = World(on_contrast=lambda index: heard.append(("contrast", index)))
    assert compared._panel.comparable
    compared._panel._handle_custom_msg({"contrasted": 4}, [])
    compared._panel._handle_custom_msg({"contrasted": None}, [])
    compared._panel._handle_custom_msg({"chosen": 1}, [])  # nobody listens
    assert heard[6:] == [("contrast", 4), ("contrast", None)]


def test_a_button_leads_back_to_the_model_s_own_answer():
    heard = []
    world = StepByStep(None, heard.append)
    world.show_prediction(says(3), 3)
    assert not world._marks.elsewhere
    world.show_prediction(says(3), 5)
    assert world._marks.elsewhere
    world._marks._handle_custom_msg({"chosen": None}, [])
    assert heard == [None]
    world.hide_answers()
    assert not world._marks.elsewhere
    silent = StepByStep()
    silent.show_prediction(says(3), 5)
    assert not silent._marks.elsewhere  # nobody listens

    component = WorldMap(says(3), target=5)
    component._world._marks._handle_custom_msg({"chosen": None}, [])
    assert component.target is None
    assert not component._world._marks.elsewhere


def test_the_click_mode_is_said_and_seen(world):
    world.set_click_mode("Click a cell to explain it")
    assert world._marks.hint == "Click a cell to explain it"
    assert world.map.default_style.cursor == "crosshair"
    world.set_click_mode(None)
    assert world._marks.hint == ""
    assert world.map.default_style.cursor == "grab"


def test_online_tiles_are_asked_for(world):
    def urls():
        return [layer.url for layer in world.map.layers if hasattr(layer, "url")]

    assert not world.online_tiles
    assert not any(url.startswith("http") for url in urls())
    world.online_tiles = True
    assert sum(url.startswith("https://tile.openstreetmap.org") for url in urls()) == 1
    assert "OpenStreetMap" in world._tiles.attribution
    assert world._credit in world.map.controls
    assert world._land in world.map.layers  # there may be no internet
    world.online_tiles = False
    assert not any(url.startswith("http") for url in urls())
    assert world._credit not in world.map.controls
    assert world._land in world.map.layers
