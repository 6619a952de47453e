import csv
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import combicam_widgets as ccw
from combicam_widgets import samples
from combicam_widgets.samples import list_samples, sample, sample_info

FOLDER = Path(samples.__file__).parent
NAMES = list_samples()
LICENCES = {
    "Public domain": "https://creativecommons.org/publicdomain/mark/1.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
}


def test_the_list_has_the_animals_and_then_the_monuments():
    kinds = [sample_info(name).kind for name in NAMES]
    assert kinds == ["animal"] * 15 + ["monument"] * 49
    assert NAMES[:15] == sorted(NAMES[:15])
    assert NAMES[15:] == sorted(NAMES[15:])
    assert {"koala", "komodo_dragon", "eiffel_tower", "pont_du_gard"} < set(NAMES)
    assert all(name.isidentifier() and name == name.lower() for name in NAMES)


def test_the_list_belongs_to_whoever_asked():
    list_samples().clear()
    assert list_samples() == NAMES


def test_credits_and_folder_agree_both_ways():
    rows = list(csv.DictReader((FOLDER / "credits.csv").read_text("utf-8").splitlines()))
    assert [row["name"] for row in rows] == NAMES
    assert {f"{name}.webp" for name in NAMES} == {path.name for path in FOLDER.glob("*.webp")}


def test_together_they_stay_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.webp")) < 4.5e6


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_loads_with_its_credits(name):
    photo, info = sample(name), sample_info(name)
    assert max(photo.size) == 640
    assert min(photo.size) >= 200
    assert photo.pixels.std() > 20
    assert photo.name == info.title
    assert photo.position == info.position
    for part in (info.author, info.licence, info.licence_url, info.source, "resized"):
        assert part
        assert part in photo.credit
    assert LICENCES[info.licence] == info.licence_url
    assert info.source.startswith("https://commons.wikimedia.org/wiki/File:")


@pytest.mark.parametrize("name", NAMES)
def test_the_files_hold_the_picture_and_nothing_else(name):
    data = (FOLDER / f"{name}.webp").read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode) == ("WEBP", "RGB")
        assert not image.getexif()
        assert not {"exif", "icc_profile", "xmp"} & set(image.info)


def test_monuments_have_a_place_and_animals_have_none():
    for name in NAMES:
        info = sample_info(name)
        if info.kind == "animal":
            assert (info.place, info.position) == ("", None)
            assert info.title == info.name.replace("_", " ").capitalize()
        else:
            assert info.title == info.place
            latitude, longitude = info.position
            assert -60 < latitude < 75
            assert -180 <= longitude <= 180


# Boxes of latitude and longitude (south, north, west, east), drawn by hand around each country.
COUNTRIES = {
    "Brazil": (-34, 6, -74, -34),
    "China": (18, 54, 73, 135),
    "Egypt": (22, 32, 24, 37),
    "France": (41, 51.5, -5.5, 10),
    "Germany": (47, 55.5, 5.5, 15.5),
    "India": (6, 36, 68, 98),
    "Italy": (36, 47.5, 6, 19),
    "Jordan": (29, 33.5, 34.5, 39.5),
    "Mexico": (14, 33, -118, -86),
    "Peru": (-18.5, 0, -81.5, -68.5),
    "USA": (24, 49.5, -125, -66),
}


def test_every_monument_stands_in_its_country():
    for name in NAMES[15:]:
        info = sample_info(name)
        country = info.place.rpartition(" ")[2]
        south, north, west, east = COUNTRIES[country]
        assert south < info.position[0] < north, name
        assert west < info.position[1] < east, name


def test_known_positions():
    assert sample("eiffel_tower").position == pytest.approx((48.8584, 2.2945), abs=0.01)
    assert sample("machu_picchu").position == pytest.approx((-13.1631, -72.5450), abs=0.01)
    assert sample("statue_of_liberty").position == pytest.approx((40.6892, -74.0445), abs=0.01)
    assert sample("koala").position is None


def test_the_three_share_alike_photos_are_credited_as_their_licence_asks():
    shared = [name for name in NAMES if sample_info(name).licence == "CC-BY-SA-4.0"]
    assert shared == ["chichen_itza", "christ_the_redeemer", "taj_mahal"]
    assert sample("taj_mahal").credit == (
        "Yann, CC-BY-SA-4.0 (https://creativecommons.org/licenses/by-sa/4.0/), resized to 640 px; "
        "https://commons.wikimedia.org/wiki/File:Taj_Mahal,_Agra,_India.jpg"
    )


def test_the_picture_is_the_one_named():
    """Colours that a mix-up of files would not survive."""
    macaw, koala = (sample(name).pixels.astype(int) for name in ("scarlet_macaw", "koala"))
    red = (macaw[..., 0] > 150) & (macaw[..., 1] < 80) & (macaw[..., 2] < 80)
    assert red.mean() > 0.03
    assert np.abs(koala - koala.mean(axis=2, keepdims=True)).mean() < 40
    castle = sample("castle_clinton").pixels.astype(int)
    assert np.ptp(castle, axis=2).mean() < 3


def test_every_call_gives_the_same_pixels():
    np.testing.assert_array_equal(sample("koala").pixels, sample("koala").pixels)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Koala", "did you mean 'koala'"),
        ("eifel tower", "did you mean 'eiffel_tower'"),
        ("", r"see list_samples\(\)"),
        ("zzz", r"no sample photo 'zzz': see list_samples\(\)"),
        ("../koala", "no sample photo"),
    ],
)
def test_unknown_names_are_refused_with_what_was_probably_meant(name, message):
    with pytest.raises(ValueError, match=message):
        sample(name)


def test_a_name_is_a_str():
    with pytest.raises(TypeError, match="got NoneType"):
        sample(None)


def test_infos_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample_info("koala").title = "Bear"


def test_the_package_offers_them():
    assert ccw.list_samples() == NAMES
    assert isinstance(ccw.sample("koala"), ccw.Photo)
