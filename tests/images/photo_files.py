"""Small pictures, and their files, for the tests of this room."""

import base64
import io

import numpy as np
from PIL import ExifTags, Image

GPS = ExifTags.GPS
RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 256, (24, 32, 3), np.uint8)


def encoded(image, file_format="PNG", **options):
    out = io.BytesIO()
    image.save(out, format=file_format, **options)
    return out.getvalue()


def from_uri(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def smooth(height=64, width=96):
    y, x = np.mgrid[0:height, 0:width]
    channels = [255 * x / width, 255 * y / height, 128 + 60 * np.sin(x / 9)]
    return np.stack(channels, axis=2).astype(np.uint8)


def palette_image(transparency=None):
    image = Image.fromarray(NOISE[..., 0] // 64, mode=None).convert("L")
    indexed = Image.frombytes("P", image.size, image.tobytes())
    indexed.putpalette([10, 20, 30, 200, 100, 0, 0, 255, 7, 90, 91, 92])
    if transparency is not None:
        indexed.info["transparency"] = transparency
    return indexed


def with_gps(gps, file_format="JPEG"):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    exif[ExifTags.IFD.GPSInfo] = exif.get_ifd(ExifTags.IFD.GPSInfo)
    return encoded(Image.fromarray(NOISE), file_format, exif=exif)


def gps_tags(latitude=(33, 51, 24.84), longitude=(151, 12, 54.36), refs="SE"):
    tags = {
        GPS.GPSLatitude: latitude,
        GPS.GPSLatitudeRef: refs[0],
        GPS.GPSLongitude: longitude,
        GPS.GPSLongitudeRef: refs[1],
    }
    return {tag: value for tag, value in tags.items() if value is not None}
