"""Tiles against maps whose colours tell where they are, and against a slow reference."""

import dataclasses
import hashlib
import io
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely
from geographiclib.geodesic import Geodesic
from PIL import Image

from combicam_widgets import Photo, imagery
from combicam_widgets.geo import EARTH_RADIUS_KM, coastline, unit_vectors
from combicam_widgets.imagery import CREDIT, WIDTHS_KM, WorldMap, blue_marble, tile
from combicam_widgets.images import ImageError

FOLDER = Path(imagery.__file__).parent
ROOT = FOLDER.parents[1]
SPHERE = Geodesic(EARTH_RADIUS_KM * 1000, 0)

PLACES = {
    "Paris": (48.86, 2.35),
    "Fiji": (-18, 179.9),
    "the antimeridian": (0, -180),
    "Svalbard": (79, 16),
    "the north pole": (90, 0),
    "the south pole": (-90, 130),
}


def pixel_centers(height):
    """Latitudes (H, 1) and longitudes (1, 2H) of a map's pixels."""
    latitudes = 90 - (np.arange(height) + 0.5) / height * 180
    longitudes = (np.arange(2 * height) + 0.5) / height * 180 - 180
    return latitudes[:, None], longitudes[None]


def world_of_vectors(height=256):
    """Red, green and blue are x, y and z of the place on the unit sphere: smooth everywhere."""
    return WorldMap(np.rint(127.5 * (1 + unit_vectors(*pixel_centers(height)))).astype(np.uint8))


def world_of_noise(height):
    random = np.random.default_rng(height)
    return WorldMap(random.integers(0, 256, (height, 2 * height, 3), np.uint8))


def places_of_pixels(latitude, longitude, width_km, side, heading=0):
    """Latitude and longitude of every pixel, row by row, by walking there."""
    reach = math.tan(width_km / 2 / EARTH_RADIUS_KM)
    places = []
    for i in range(side):
        for j in range(side):
            right, up = reach * ((2 * j + 1) / side - 1), reach * (1 - (2 * i + 1) / side)
            bearing = math.degrees(math.atan2(right, up)) + heading
            metres = math.atan(math.hypot(right, up)) * EARTH_RADIUS_KM * 1000
            end = SPHERE.Direct(latitude, longitude, bearing, metres)
            places.append((end["lat2"], end["lon2"]))
    return places


def bilinear(pixels, latitude, longitude):
    """Colour of one place from the four pixels around it, over poles and antimeridian."""
    height, width, _ = pixels.shape
    y = (90 - latitude) / 180 * height - 0.5
    x = (longitude + 180) / 360 * width - 0.5
    colour = np.zeros(3)
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            share = (1 - abs(y - row)) * (1 - abs(x - column))
            if row < 0:
                colour += share * pixels[-1 - row, (column + height) % width]
            elif row >= height:
                colour += share * pixels[2 * height - 1 - row, (column + height) % width]
            else:
                colour += share * pixels[row, column % width]
    return colour


@pytest.mark.parametrize("heading", [0, 70])
@pytest.mark.parametrize(("width_km", "side"), [(200, 9), (1500, 16), (5000, 12)])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_colours_tell_where_each_pixel_comes_from(place, width_km, side, heading):
    photo = world_of_vectors().tile(*place, width_km, side, heading)
    expected = 127.5 * (
        1 + unit_vectors(*np.transpose(places_of_pixels(*place, width_km, side, heading)))
    )
    # Half a level in the map, half in the tile, and what the blur bends: 1 level is 50 km.
    worst = np.abs(photo.pixels - expected.reshape(side, side, 3)).max()
    assert worst < (1.1 if width_km < 5000 else 2.5)


@pytest.mark.parametrize(
    ("place", "height", "width_km"),
    [
        ((48.86, 2.35), 256, 1500),
        ((-18, 179.9), 512, 1500),
        ((10, -180), 64, 2000),
        ((-60, 30), 512, 200),
        ((90, 20), 16, 200),
        ((-90, -70), 16, 200),
    ],
)
def test_a_coarse_map_is_bilinear_between_its_pixels(place, height, width_km):
    """Noise shows every shift and every wrong neighbour; none of these has to be blurred."""
    world = world_of_noise(height)
    found = world.tile(*place, width_km, 64).pixels.reshape(-1, 3)
    expected = [bilinear(world.pixels, *p) for p in places_of_pixels(*place, width_km, 64)]
    assert np.abs(found - np.array(expected)).max() <= 0.51


def checkerboard(height, rows=1, columns=1):
    y, x = np.indices((height, 2 * height))
    board = (y // rows + x // columns) % 2 * 255
    return WorldMap(np.repeat(board[..., None], 3, axis=2).astype(np.uint8))


FINE = {"squares": (1, 1), "parallels": (1, 1024), "meridians": (512, 1)}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("side", [16, 60])
@pytest.mark.parametrize("pattern", FINE.values(), ids=FINE)
def test_a_fine_pattern_gives_grey(pattern, place, side):
    """2 and 8 rows or columns to a pixel: what is left of them is no pattern."""
    pixels = checkerboard(512, *pattern).tile(*place, 5000, side).pixels.astype(int)
    # At a pole a row meets itself, which makes a spot that is no illusion.
    assert (np.abs(pixels - 127.5) > 1.5).mean() < 0.02


@pytest.mark.parametrize("latitude", [90, -90])
def test_meridians_that_run_together_at_a_pole_give_grey(latitude):
    """The map is coarser than the tile, but only down the meridians."""
    stripes = checkerboard(512, rows=512)
    pixels = stripes.tile(latitude, 0, 1500, 64).pixels.astype(int)
    assert np.abs(pixels - 127.5).max() <= 6
    assert np.abs(pixels[20:44, 20:44] - 127.5).max() <= 0.5


@pytest.mark.parametrize("longitude", [0, 180])
def test_what_is_wider_than_a_pixel_is_still_there(longitude):
    """Bands of latitude 5 pixels wide, out of 20 rows of the map, keep their contrast."""
    pixels = checkerboard(2048, rows=20, columns=4096).tile(0, longitude, 5000, 128).pixels
    column = pixels[20:-20, 64, 0].astype(int)
    assert column.max() > 250
    assert column.min() < 5


@pytest.mark.parametrize(("width_km", "side"), [(1500, 64), (5000, 24)])
@pytest.mark.parametrize("place", [(3, 20), (75, -100), (90, 0)])
def test_there_is_no_seam(place, width_km, side):
    """A map that begins at another meridian shows the same, sharp or blurred."""
    world = world_of_noise(256)
    expected = world.tile(*place, width_km, side).pixels.astype(int)
    turn = int((180 - place[1]) / 360 * 512)
    rolled = WorldMap(np.roll(world.pixels, turn, axis=1))
    found = rolled.tile(place[0], place[1] + turn / 512 * 360, width_km, side)
    assert abs(found.position[1]) > 179
    assert np.abs(found.pixels - expected).max() <= 1


@pytest.mark.parametrize("side", [24, 64])
@pytest.mark.parametrize("place", [(40, 10), (83, 179)])
def test_south_is_north_in_a_mirror(place, side):
    """Sharp and blurred; the second tile reaches over the pole."""
    world = world_of_noise(256)
    north = world.tile(*place, 3000, side).pixels.astype(int)
    south = WorldMap(world.pixels[::-1]).tile(-place[0], place[1], 3000, side).pixels
    assert np.abs(south[::-1] - north).max() <= 1


@pytest.mark.parametrize("sign", [1, -1])
def test_a_pole_is_no_special_place(sign):
    world = world_of_noise(256)
    at, near = (world.tile(sign * lat, 30, 1500, 64).pixels.astype(int) for lat in (90, 90 - 1e-9))
    assert np.abs(at - near).max() <= 1


def test_one_colour_stays_that_colour():
    world = WorldMap(np.full((64, 128, 3), (0, 77, 255), np.uint8))
    for place in PLACES.values():
        for side in (8, 200):
            assert (world.tile(*place, 5000, side).pixels == (0, 77, 255)).all()


def test_the_smallest_map_works():
    red = np.array([[10, 10, 20, 20], [30, 30, 40, 40]], np.uint8)
    world = WorldMap(np.stack([red, red, red], axis=-1))
    assert np.abs(world.tile(90, 0, 200, 8).pixels - 15.0).max() <= 1


def test_a_photo_knows_its_place_and_does_not_tell_it():
    world = dataclasses.replace(world_of_vectors(16), name="Vectors", credit="Nobody, CC0")
    photo = world.tile(12.25, 200.5, 1234.6, 20)
    assert isinstance(photo, Photo)
    assert photo.position == (12.25, -159.5)
    assert photo.size == (20, 20)
    assert photo.name == "Vectors, 1,235 km wide"
    assert photo.credit == "Nobody, CC0"
    for told in (photo.name, photo.credit, repr(photo)):
        assert not {"12.25", "159.5", "200.5"} & set(told.replace(",", " ").split())
    assert world_of_vectors(16).tile(0, 0, 1500, 8).name == "1,500 km wide"


def test_numbers_of_numpy_are_numbers():
    world = world_of_vectors(16)
    photo = world.tile(np.float32(10), np.int64(20), np.float64(1500), np.int32(8), np.int8(0))
    np.testing.assert_array_equal(photo.pixels, world.tile(10, 20, 1500, 8).pixels)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((91, 0), ValueError, "latitude must lie between -90 and 90 .*got 91.*swapped"),
        ((math.nan, 0), ValueError, "latitude must be finite, got nan"),
        ((0, math.inf), ValueError, "longitude must be finite, got inf"),
        ((None, 0), TypeError, "latitude must be one number, got NoneType"),
        (([1, 2], 0), TypeError, "latitude must be one number, got list"),
        ((0, "2 E"), TypeError, "longitude must be one number, got str"),
        ((0, 0, 199), ValueError, "width_km must lie between 200 and 5,000 kilometres, got 199"),
        ((0, 0, 5001), ValueError, "width_km .*got 5001"),
        ((0, 0, -1500), ValueError, "width_km .*got -1500"),
        ((0, 0, math.nan), ValueError, "width_km must be finite"),
        ((0, 0, "wide"), TypeError, "width_km must be one number, got str"),
        ((0, 0, 1500, 7), ValueError, "side must lie between 8 and 2048 pixels, got 7"),
        ((0, 0, 1500, 2049), ValueError, "side .*got 2049"),
        ((0, 0, 1500, 51.2), TypeError, "side must be a whole number of pixels, got 51.2"),
        ((0, 0, 1500, 16, math.nan), ValueError, "heading must be finite"),
        ((0, 0, 1500, 16, None), TypeError, "heading must be one number, got NoneType"),
    ],
)
def test_what_makes_no_tile_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        world_of_vectors(16).tile(*arguments)


def test_the_limits_are_allowed():
    assert WIDTHS_KM == (200, 5000)
    for width in WIDTHS_KM:
        world_of_vectors(16).tile(0, 0, width, 8)


def test_the_map_cannot_be_changed_through_it():
    world = world_of_vectors(16)
    with pytest.raises(ValueError, match="read-only"):
        world.pixels[0, 0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        world.name = "Mars"
    assert repr(world) == "<WorldMap 32 x 16 px>"


@pytest.mark.parametrize(
    ("pixels", "error", "message"),
    [
        (None, TypeError, "uint8 array of shape"),
        (np.zeros((4, 8, 3)), TypeError, "uint8 array of shape"),
        (np.zeros((4, 8), np.uint8), TypeError, "uint8 array of shape"),
        (np.zeros((4, 8, 4), np.uint8), TypeError, "3 channels, got 4"),
        (np.zeros((4, 7, 3), np.uint8), ValueError, "twice as wide as high .*got 7 x 4"),
        (np.zeros((0, 0, 3), np.uint8), ValueError, "twice as wide as high"),
    ],
)
def test_what_is_no_world_map_is_refused(pixels, error, message):
    with pytest.raises(error, match=message):
        WorldMap(pixels)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_a_map_is_read_from_a_file_at_full_size(tmp_path, mode):
    path = tmp_path / "earth.png"
    Image.new(mode, (3000, 1500), 0).save(path)
    world = WorldMap.open(path, name="Earth", credit="me")
    assert world.pixels.shape == (1500, 3000, 3)
    assert (world.name, world.credit) == ("Earth", "me")
    assert (world.pixels == 0).all()


def test_files_that_are_no_world_map_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no picture file .*nowhere"):
        WorldMap.open(tmp_path / "nowhere.jpg")
    text = tmp_path / "text.jpg"
    text.write_text("hello")
    with pytest.raises(ImageError, match=r"text\.jpg' is no JPEG, PNG"):
        WorldMap.open(text)
    square = tmp_path / "square.png"
    Image.new("RGB", (40, 40)).save(square)
    with pytest.raises(ValueError, match=r"square\.png' must be twice as wide .*got 40 x 40"):
        WorldMap.open(str(square))
    noise = io.BytesIO()
    Image.fromarray(world_of_noise(64).pixels).save(noise, "PNG")
    cut = tmp_path / "cut.png"
    cut.write_bytes(noise.getvalue()[:-3000])
    with pytest.raises(ImageError, match=r"cut\.png' is broken or cut off"):
        WorldMap.open(cut)


@pytest.mark.parametrize("size", [(13000, 6500), (20000, 10000)])
def test_files_that_are_too_large_are_refused_before_they_are_read(tmp_path, monkeypatch, size):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 85_000_000)
    path = tmp_path / "large.png"
    Image.new("1", size).save(path)
    with pytest.raises(ImageError, match="more than 80,000,000 pixels"):
        WorldMap.open(path)


# The shipped picture


def test_the_file_is_the_one_of_the_credits_and_the_recipe():
    data = (FOLDER / "blue_marble.jpg").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    assert len(data) == 1_461_877
    assert digest in (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    assert digest in (ROOT / "recipes" / "imagery.py").read_text(encoding="utf-8")
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (4096, 2048))


def test_credits_and_folder_agree_both_ways():
    pictures = {path.name for path in FOLDER.iterdir() if path.suffix in {".jpg", ".png", ".webp"}}
    credits_ = (FOLDER / "CREDITS.md").read_text(encoding="utf-8")
    assert pictures == {"blue_marble.jpg"}
    assert "| `blue_marble.jpg` |" in credits_
    source = CREDIT.rpartition("; ")[2]
    assert source.startswith("https://science.nasa.gov/")
    assert source in credits_
    assert CREDIT.startswith("NASA Earth Observatory, Public domain (https://creativecommons.org/")


def test_the_map_is_loaded_once_and_stays_small():
    assert blue_marble() is blue_marble()
    assert blue_marble().pixels.dtype == np.uint8
    assert blue_marble().pixels.nbytes == 4096 * 2048 * 3


def test_a_tile_has_position_name_and_credit():
    photo = tile(48.86, 2.35)
    assert photo.position == (48.86, 2.35)
    assert photo.size == (512, 512)
    assert photo.name == "Blue Marble, 1,500 km wide"
    assert photo.credit == CREDIT
    assert repr(photo) == "<Photo 'Blue Marble, 1,500 km wide', 512 x 512 px, position known>"
    same = blue_marble().tile(48.86, 2.35, 1500, 512, 0)
    np.testing.assert_array_equal(photo.pixels, same.pixels)


def test_a_tile_refuses_what_a_map_refuses():
    with pytest.raises(ValueError, match="latitude must lie"):
        tile(120, 30)
    with pytest.raises(ValueError, match="width_km must lie"):
        tile(0, 0, 50_000)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [(48.86, 2.35), (-19, 47), (42, 13), (65, -18), (10, 122), (-42, 173), (-8, -36), (66, 180)],
)
def test_land_and_sea_are_where_the_coastline_has_them(latitude, longitude):
    """Natural Earth's coastline, drawn by other people, shows turns, mirrors and shifts."""
    side = 48
    pixels = tile(latitude, longitude, 1500, side).pixels.astype(int)
    sea = pixels[..., 2] > pixels[..., 0] + 15
    land = shapely.geometry.shape(coastline()["geometry"])
    places = np.array(places_of_pixels(latitude, longitude, 1500, side))
    drawn = ~shapely.contains_xy(land, places[:, 1], places[:, 0]).reshape(side, side)
    assert 0.05 < drawn.mean() < 0.99
    agreement = (sea == drawn).mean()
    assert agreement > 0.9
    for other in (drawn[::-1], drawn[:, ::-1], drawn.T, np.rot90(drawn), np.rot90(drawn, 3)):
        assert (sea == other).mean() < agreement - 0.02
    for shift in ((4, 0), (-4, 0), (0, 4), (0, -4)):  # 125 km
        assert (sea == np.roll(drawn, shift, (0, 1))).mean() < agreement - 0.05


def test_a_tile_needs_no_torch_and_draws_nothing():
    script = (
        "import sys\n"
        "from combicam_widgets.imagery import tile\n"
        "tile(0, 0)\n"
        "print({'torch', 'torchvision', 'plotly', 'ipyleaflet', 'ipywidgets'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.strip() == "set()"
