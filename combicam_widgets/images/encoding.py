"""Photos for a page, as data URIs."""

from __future__ import annotations

import base64
import io
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from combicam_widgets.images.photo import Photo, check_array
from combicam_widgets.images.pixels import reduced
from combicam_widgets.whole import whole


def to_data_uri(
    image: Photo | Image.Image | npt.NDArray[np.uint8],
    format: Literal["webp", "jpeg", "png"] = "webp",  # noqa: A002 - the word PIL uses
    quality: int = 85,
    max_side: int | None = None,
) -> str:
    """Encode a picture for a page, as ``data:image/...;base64,...``, without any metadata.

    Parameters
    ----------
    image : Photo, PIL image or uint8 array
        Arrays as in `load_image`. Transparency is laid on white in "jpeg", and kept elsewhere.
    format : {"webp", "jpeg", "png"}
        "png" keeps every value as it is; the others are smaller.
    quality : int
        1 to 100; larger is better. Ignored for "png".
    max_side : int, optional
        The longer side, in pixels, to which larger pictures are reduced. Default: as it is.

    A wrong kind, shape or dtype raises TypeError; a value that is none of the above, ValueError.
    """
    if format not in ("webp", "jpeg", "png"):
        raise ValueError(f'format must be "webp", "jpeg" or "png", got {format!r}')
    quality = _whole(quality, "quality")
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must lie between 1 and 100, got {quality!r}")
    if max_side is not None and (max_side := _whole(max_side, "max_side")) < 1:
        raise ValueError(f"max_side must be at least 1 pixel, got {max_side!r}")
    picture = image.pixels if isinstance(image, Photo) else image
    if not isinstance(picture, Image.Image):
        check_array(picture, "image", (3, 4, None))
    out = io.BytesIO()
    # Through an array, because Pillow would copy profiles and comments along.
    pixels = Image.fromarray(reduced(picture, max_side, keep_alpha=format != "jpeg"))
    pixels.save(out, format=format, quality=quality)
    return f"data:image/{format};base64,{base64.b64encode(out.getvalue()).decode('ascii')}"


def _whole(value: object, argument: str) -> int:
    number = whole(value)
    if number is None:
        raise TypeError(f"{argument} must be an int, got {type(value).__name__}")
    return number
