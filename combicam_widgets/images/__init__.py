"""Photos in and out: files, bytes, PIL images and arrays to upright RGB; photos to data URIs."""

from combicam_widgets.images.decoding import picture_endings
from combicam_widgets.images.encoding import to_data_uri
from combicam_widgets.images.loading import ImageSource, load_image
from combicam_widgets.images.photo import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    MAX_SIDE_KEPT,
    MIN_SIDE,
    FileName,
    ImageError,
    Photo,
)

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MAX_SIDE_KEPT",
    "MIN_SIDE",
    "FileName",
    "ImageError",
    "ImageSource",
    "Photo",
    "load_image",
    "picture_endings",
    "to_data_uri",
]
