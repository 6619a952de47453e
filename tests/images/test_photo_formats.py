import io
import struct
import sys

import numpy as np
import pytest
from photo_files import NOISE, encoded, gps_tags, smooth, with_gps
from PIL import Image, ImageFile, UnidentifiedImageError

from combicam_widgets.images import ImageError, load_image

Image.init()
WRITTEN = sorted(set(Image.SAVE) & set(Image.OPEN) - {"EPS", "HEIF"})


def written(file_format):
    """A small picture in a format, in the first mode that it can hold; None if it holds none."""
    for mode in ("RGB", "P", "L", "1", "F"):
        try:
            data = encoded(Image.fromarray(smooth()).convert(mode), file_format)
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                return data, image.convert("RGB")
        except (OSError, ValueError, UnidentifiedImageError):
            continue
    return None


@pytest.mark.parametrize("file_format", WRITTEN)
def test_what_pillow_writes_and_reads_is_read(file_format):
    pair = written(file_format)
    if file_format in {"BUFR", "GRIB", "HDF5", "WMF"}:
        assert pair is None  # Pillow only hands these on to others
        return
    data, expected = pair
    pixels = load_image(data).pixels.astype(int)
    # Pillow cuts the fraction of mode F off instead of rounding.
    np.testing.assert_allclose(pixels, expected, atol=1 if file_format == "SPIDER" else 0)


Image.init()
OTHERS = {"GIF", "ICO", "MPO", "QOI", "TGA", "TIFF"} & set(Image.SAVE)  # QOI: Pillow 12


@pytest.mark.parametrize("file_format", sorted(OTHERS))
def test_a_name_that_says_another_format_changes_nothing(file_format, tmp_path):
    data, expected = written(file_format)
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    np.testing.assert_array_equal(load_image(path).pixels, expected)


def test_files_that_would_start_an_outside_program_are_no_pictures():
    eps = encoded(Image.fromarray(NOISE), "EPS")
    with pytest.raises(ImageError, match="not a picture"):
        load_image(eps)

    def field(tag, value):
        return bytes([0x1C, *tag]) + struct.pack(">H", len(value)) + value

    # Pillow opens whatever is in an IPTC file, without asking what it is.
    fields = {
        (3, 60): b"\1\0",
        (3, 20): b"\0\x20",
        (3, 30): b"\0\x18",
        (3, 120): b"\5",
        (8, 10): eps[:30_000],
    }
    iptc = b"".join(field(tag, value) for tag, value in fields.items())
    with Image.open(io.BytesIO(iptc)) as image:
        assert image.format == "IPTC"
    with pytest.raises(ImageError, match="not a picture"):
        load_image(iptc)


# Plug-ins


@pytest.fixture
def no_heif_opener(monkeypatch):
    """Pillow as it is alone, whatever was registered before."""
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)


def heic(pixels, **options):
    pillow_heif = pytest.importorskip("pillow_heif")
    out = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(out, quality=95, **options)
    return out.getvalue()


def test_heic_is_read_as_soon_as_the_plugin_is_installed(no_heif_opener, tmp_path):
    exif = Image.open(io.BytesIO(with_gps(gps_tags()))).getexif()
    exif[274] = 6
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(heic(smooth(), exif=exif.tobytes()))
    for source in (path, path.read_bytes(), path.open("rb")):
        photo = load_image(source)
        difference = photo.pixels.astype(int) - np.rot90(smooth(), -1)
        assert np.abs(difference).mean() < 3
        assert photo.position == pytest.approx((-33.8569, 151.2151), abs=1e-6)
    assert "HEIF" not in Image.OPEN  # nothing of Pillow's was changed


def test_heic_is_read_by_a_registered_plugin_too(no_heif_opener):
    pillow_heif = pytest.importorskip("pillow_heif")
    data = heic(smooth())
    alone = load_image(data).pixels
    pillow_heif.register_heif_opener()
    np.testing.assert_array_equal(load_image(data).pixels, alone)
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(load_image(image).pixels, alone)


@pytest.mark.parametrize("cut", [20, 200, 500])
def test_heic_cut_off_is_called_broken(no_heif_opener, cut):
    with pytest.raises(ImageError, match="The picture is broken or cut off"):
        load_image(heic(smooth())[:cut])


@pytest.mark.parametrize(
    ("brand", "kind"), [(b"heic", "HEIC"), (b"mif1", "HEIC"), (b"hevx", "HEIC"), (b"avif", "AVIF")]
)
def test_heic_and_avif_without_a_plugin_say_what_to_install(
    no_heif_opener, brand, kind, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "AVIF"])
    path = tmp_path / "IMG_1.HEIC"
    path.write_bytes(struct.pack(">I", 24) + b"ftyp" + brand + b"\0" * 100)
    needs = rf"IMG_1\.HEIC' is {kind}, which needs a plug-in to be read"
    install = r'pip install "combicam_widgets\[heic\]", or save it as JPEG'
    with pytest.raises(ImageError, match=f"{needs}: {install}"):
        load_image(path)


class OwnFormat(ImageFile.ImageFile):
    """As simple as a plug-in can be: a mark, width and height, and grey values."""

    format = "OWN"

    def _open(self):
        _, width, height = struct.unpack("<4sHH", self.fp.read(8))
        self._size, self._mode = (width, height), "L"
        self.tile = [ImageFile._Tile("raw", (0, 0, width, height), 8, ("L", 0, 1))]


@pytest.fixture
def own_format(monkeypatch):
    monkeypatch.setattr(Image, "ID", [*Image.ID])
    monkeypatch.setattr(Image, "OPEN", {**Image.OPEN})
    Image.register_open("OWN", OwnFormat, lambda prefix: prefix.startswith(b"OWN!"))


def test_formats_of_any_plugin_are_read(own_format):
    grey = NOISE[..., 0]
    data = struct.pack("<4sHH", b"OWN!", 32, 24) + grey.tobytes()
    np.testing.assert_array_equal(load_image(data).pixels, np.repeat(grey[..., None], 3, axis=2))


def test_plugins_whose_cost_is_unknown_are_held_to_less(own_format):
    with pytest.raises(ImageError, match=r"6,000 x 6,000 pixels, and as OWN would take 576 MB"):
        load_image(struct.pack("<4sHH", b"OWN!", 6000, 6000))


def test_endings_are_those_of_what_is_read(monkeypatch):
    from combicam_widgets.images import decoding

    monkeypatch.setattr(decoding, "find_spec", lambda _name: object())
    with_plugin = set(decoding.picture_endings())
    assert {".jpg", ".png", ".webp", ".tif", ".pgm", ".heic", ".heif"} <= with_plugin
    assert not {".eps", ".wmf", ".mpg", ".h5", ".pdf"} & with_plugin
    # Somebody may have registered the plug-in with Pillow by hand.
    monkeypatch.setattr(decoding, "find_spec", lambda _name: None)
    monkeypatch.setattr(decoding.Image, "registered_extensions", lambda: {".jpg": "JPEG"})
    assert decoding.picture_endings() == [".jpg"]
