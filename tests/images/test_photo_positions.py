import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from photo_files import GPS, NOISE, encoded, gps_tags, with_gps
from PIL import ExifTags, Image, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

from combicam_widgets.images import load_image

Image.init()
FORMATS = {"JPEG", "PNG", "WEBP", "TIFF", "AVIF"} & set(Image.SAVE)  # AVIF: Pillow 11.2


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("refs", ["NE", "NW", "SE", "SW"])
def test_the_stored_position_is_read_in_every_hemisphere(refs, file_format):
    photo = load_image(with_gps(gps_tags(refs=refs), file_format))
    latitude, longitude = photo.position
    assert latitude == pytest.approx((1 if refs[0] == "N" else -1) * 33.8569, abs=1e-9)
    assert longitude == pytest.approx((1 if refs[1] == "E" else -1) * 151.2151, abs=1e-9)
    assert repr(photo) == "<Photo 32 x 24 px, position known>"


def test_a_given_position_wins_over_the_stored_one():
    assert load_image(with_gps(gps_tags()), position=(0, 0)).position == (0.0, 0.0)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        gps_tags(latitude=None),
        gps_tags(longitude=None),
        {tag: value for tag, value in gps_tags().items() if tag != GPS.GPSLatitudeRef},
        gps_tags(refs="XE"),
        gps_tags(refs=["", "E"]),
        gps_tags(refs=["NORD", "E"]),
        gps_tags(latitude=(91, 0, 0)),
        gps_tags(longitude=(180, 0, 1)),
        gps_tags(latitude=(33, 61, 0)),
        gps_tags(latitude=(33, 0, 99)),
        gps_tags(latitude=(IFDRational(1, 0), 0, 0)),
        gps_tags(latitude=(IFDRational(0, 0), 0, 0)),
        gps_tags(longitude=(12, IFDRational(0, 0), 30)),
        gps_tags(latitude=(33, 51, 24, 0)),
        gps_tags(latitude=(33.8569, 51, 24.84)),
        gps_tags(latitude=(33, 51.414, 24.84)),
        gps_tags(latitude=(0, 0, 0), longitude=(0, 0, 0)),
    ],
)
def test_broken_position_tags_mean_no_position(tags):
    photo = load_image(with_gps(tags))
    assert photo.position is None
    assert photo.size == (32, 24)


DMS = (33, 51, 24.84)
SOUTH = -33.8569


@pytest.mark.parametrize(
    ("latitude", "reference", "expected"),
    [
        (33.8569, "S", SOUTH),
        ((33.8569,), "S", SOUTH),
        ((33.8569, 0, 0), "S", SOUTH),
        ((33, 51.414), "S", SOUTH),
        ((33, 51.414, 0), "S", SOUTH),
        ((33, 51), "S", -33.85),
        ((33.8569, IFDRational(0, 0), IFDRational(0, 0)), "S", SOUTH),
        ((33, 51.414, IFDRational(0, 0)), "S", SOUTH),
        ((33, 51, IFDRational(0, 0)), "S", -33.85),
        ((33, IFDRational(0, 0), IFDRational(0, 0)), "S", -33),
        ((33, 50, 84.84), "S", None),
        ((33, 51, IFDRational(2484, 100)), "S", SOUTH),
        (DMS, "s", SOUTH),
        (DMS, " S\0", SOUTH),
        (DMS, b"S\0", SOUTH),
        (DMS, "N", 33.8569),
        (DMS, "North", 33.8569),
        (DMS, "SOUTH\0", SOUTH),
        ("33.8569 south", None, SOUTH),
        ("33.8569 south", "N", None),
        (DMS, "East", None),
        ((-33, 51, 24.84), "S", SOUTH),
        ((-33, 51, 24.84), None, SOUTH),
        (-33.8569, None, SOUTH),
        (-33.8569, "", SOUTH),
        ("33,51,24.84", "S", SOUTH),
        ("33.8569", "S", SOUTH),
        ("-33.8569", None, SOUTH),
        ("33.8569 S", None, SOUTH),
        ("S33.8569", None, SOUTH),
        ("33,51.414S", None, SOUTH),
        ("33\u00b0 51' 24.84\" S", None, SOUTH),
        ("33 51 24.84", "S", SOUTH),
        ("33/1, 51/1, 2484/100", "S", SOUTH),
        (b"33/1 51/1 2484/100", "S", SOUTH),
        ("90", "S", -90),
        ((89, 59, 60), "S", -90),
        ((33, 51, -1), "S", None),
        ((-33, 51, 24.84), "N", None),
        ((33, 51, 24.84), None, None),
        ("33,51", "S", None),
        ("33.8569 or so", "S", None),
        ("33.8569N", "S", None),
        ("33.8569e", None, None),
        (b"\xff\xfe", "S", None),
        (1e300, "S", None),
        (10**400, "S", None),
        ({}, "S", None),
    ],
)
def test_positions_are_read_in_the_spellings_that_occur(latitude, reference, expected):
    gps = {
        GPS.GPSLatitude: latitude,
        GPS.GPSLatitudeRef: reference,
        GPS.GPSLongitude: (151, 12, 54.36),
        GPS.GPSLongitudeRef: "E",
    }
    image = Image.fromarray(NOISE)
    image.getexif().get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    position = load_image(image).position
    assert position == (expected and pytest.approx((expected, 151.2151), abs=1e-9))


ASCII, RATIONAL, UNDEFINED, SIGNED, DOUBLE = 2, 5, 7, 10, 12


def exif_with(**angles):
    """EXIF in which the four tags of a position have the kinds, counts and bytes given."""
    tags = ("south", "latitude", "east", "longitude")
    fields = [(number, *angles[tag]) for number, tag in enumerate(tags, 1)]
    start = 26 + 2 + 12 * len(fields) + 4
    directory, data = struct.pack("<H", len(fields)), b""
    for number, kind, count, value in fields:
        at = struct.pack("<I", start + len(data)) if len(value) > 4 else value.ljust(4, b"\0")
        directory += struct.pack("<HHI", number, kind, count) + at
        data += value if len(value) > 4 else b""
    head = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8825, 4, 1, 26, 0)
    return b"Exif\0\0" + head + directory + b"\0\0\0\0" + data


def rationals(*pairs, kind=RATIONAL):
    form = "<2i" if kind == SIGNED else "<2I"
    return kind, len(pairs), b"".join(struct.pack(form, *pair) for pair in pairs)


def text(value, kind=ASCII):
    return kind, len(value), value


@pytest.mark.parametrize(
    ("latitude", "south"),
    [
        (rationals((338569, 10000)), text(b"S\0")),
        (rationals((33, 1), (51414, 1000)), text(b"S\0")),
        (rationals((33, 1), (51414, 1000), (0, 0)), text(b"s\0")),
        (rationals((33, 1), (51, 1), (2484, 100)), text(b"S", UNDEFINED)),
        (rationals((-338569, 10000), kind=SIGNED), text(b"\0")),
        ((DOUBLE, 1, struct.pack("<d", 33.8569)), text(b"S\0")),
        (text(b"33,51.414\0"), text(b"S\0")),
        (text(b"33,51.414S\0"), text(b"\0")),
        (text(b"33.8569 S", UNDEFINED), text(b"S\0")),
    ],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_odd_spellings_are_read_from_files(latitude, south, file_format):
    east, longitude = text(b"E\0"), rationals((151, 1), (12, 1), (5436, 100))
    exif = exif_with(latitude=latitude, south=south, longitude=longitude, east=east)
    position = load_image(encoded(Image.fromarray(NOISE), file_format, exif=exif)).position
    assert position == pytest.approx((SOUTH, 151.2151), abs=1e-9)


def packet(latitude, longitude, form='exif:{}="{}"'):
    values = {"GPSLatitude": latitude, "GPSLongitude": longitude}
    tags = " ".join(form.format(name, value) for name, value in values.items())
    start = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description '
    if form.startswith("exif"):
        return f"{start}{tags}/></rdf:RDF></x:xmpmeta>".encode()
    return f"{start}>{tags}</rdf:Description></rdf:RDF></x:xmpmeta>".encode()


def with_xmp(xmp, file_format, **options):
    if file_format == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        return encoded(Image.fromarray(NOISE), "PNG", pnginfo=info, **options)
    if file_format == "TIFF":
        return encoded(Image.fromarray(NOISE), "TIFF", tiffinfo={700: xmp}, **options)
    return encoded(Image.fromarray(NOISE), file_format, xmp=xmp, **options)


@pytest.mark.parametrize("form", ['exif:{}="{}"', "exif:{} = '{}'", "<exif:{0}>{1}</exif:{0}>"])
@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_positions_are_read_from_xmp(form, file_format):
    photo = load_image(with_xmp(packet("33,51.414S", "151,12,54.36E", form), file_format))
    assert photo.position == pytest.approx((SOUTH, 151.2151), abs=1e-9)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ("33,51.414", "151,12.906E"),
        ("33,51S", "151,12.906E"),
        ("33,5141S", "151,12.906E"),
        ("91,0.0S", "151,12.906E"),
        ("33.8569", "151.2151"),
        ("0,0.0N", "0,0.0E"),
        ("33,51.414S", "33,51.414S"),
        ("33,51.414S' exif:GPSLatitude='34,51.414S", "151,12.906E"),
        ("", "151,12.906E"),
        ("33,51.414S" + " " * 80, "151,12.906E"),
    ],
)
def test_what_xmp_leaves_open_is_no_position(latitude, longitude):
    assert (
        load_image(with_xmp(packet(latitude, longitude, "exif:{}='{}'"), "JPEG")).position is None
    )


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("-33.8569", "151.2151", (SOUTH, 151.2151)),
        ("33.8569", "-151.2151", (33.8569, -151.2151)),
        ("+33.8569", "151.2151", (33.8569, 151.2151)),
        ("-33.8569", "+151.2151", (SOUTH, 151.2151)),
        ("-33.8569", "151.2151W", (SOUTH, -151.2151)),
        ("33.8569", "151.2151W", None),
        ("-33,51", "151.2151", None),
    ],
)
def test_a_sign_in_xmp_is_one_for_both_numbers(latitude, longitude, expected):
    found = load_image(with_xmp(packet(latitude, longitude), "JPEG")).position
    assert found == (expected and pytest.approx(expected, abs=1e-9))


def test_exif_wins_over_xmp_unless_it_has_no_sound_position():
    xmp = packet("48,51.5N", "2,17.4E")

    def position(gps):
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
        exif[ExifTags.IFD.GPSInfo] = exif.get_ifd(ExifTags.IFD.GPSInfo)
        return load_image(with_xmp(xmp, "JPEG", exif=exif)).position

    assert position(gps_tags()) == pytest.approx((SOUTH, 151.2151), abs=1e-9)
    for gps in ({}, gps_tags(latitude=(0, 0, 0), longitude=(0, 0, 0)), gps_tags(refs="XE")):
        assert position(gps) == pytest.approx((48 + 51.5 / 60, 2.29), abs=1e-9)


angles = st.floats(-1000, 1000, allow_nan=False) | st.integers(-(10**12), 10**12)
written = st.text("0123456789,. /NSEWnsew-+:;\0'\"", max_size=20)

tuples = st.lists(angles, max_size=4).map(tuple)


@settings(max_examples=150, deadline=None)
@given(*[angles | written | st.binary(max_size=8) | tuples] * 2, written)
def test_no_spelling_leaves_the_earth_or_breaks(latitude, longitude, reference):
    image = Image.fromarray(NOISE)
    gps = gps_tags(latitude=latitude, longitude=longitude, refs=[reference, "E"])
    image.getexif().get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    position = load_image(image).position
    assert position is None or (abs(position[0]) <= 90 and 0 <= position[1] <= 180)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
@example(b"II*\0\x08\0\0\0\xff\xff")
@example(b"MM\0*\0\0\0\x08\0\x01\x88\x25\0\x04\0\0\0\x01\xff\xff\xff\xff")
def test_broken_metadata_costs_nobody_a_photo(junk):
    data = encoded(Image.fromarray(NOISE), "PNG", exif=b"Exif\0\0" + junk)
    assert sorted(load_image(data).size) == [24, 32]


def test_broken_tags_do_not_hide_the_orientation():
    image = Image.fromarray(NOISE)
    exif = image.getexif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.GPSInfo] = gps_tags(latitude=(IFDRational(1, 0), 0, 0))
    photo = load_image(encoded(image, exif=exif))
    assert (photo.size, photo.position) == ((24, 32), None)
