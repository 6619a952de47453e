"""The two figures of the atlas's model card, drawn by hand: small files, no other library."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from combicam_widgets.geo import coastline

Floats = NDArray[np.float64]

BINS = 10

# Okabe and Ito's colours, which colour-blind people can tell apart; radius in half pixels.
ERRORS = (
    (200.0, "within 200 km", "#56b4e9", 5),
    (750.0, "200 to 750 km", "#0072b2", 5),
    (2500.0, "750 to 2,500 km", "#e69f00", 8),
    (np.inf, "farther off", "#d55e00", 10),
)


@dataclass(frozen=True)
class Reliability:
    """How often what was said to be so likely was so.

    Attributes
    ----------
    said, was : ndarray of float64, shape (B,)
        Mean probability of each bin that holds any, and the share that came true.
    count : ndarray of int, shape (B,)
        How many it holds.
    """

    said: Floats
    was: Floats
    count: NDArray[np.intp]

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al., AAAI 2015): mean gap over all answers."""
        return float(np.average(np.abs(self.said - self.was), weights=self.count))


def reliability(probabilities: Floats, true: NDArray[np.bool_]) -> Reliability:
    """Sort answers by their probability into `BINS` bins of equal width."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    held = np.flatnonzero(count)
    said, was = (
        np.bincount(bins, weights=x, minlength=BINS)[held] / count[held]
        for x in (probabilities, true)
    )
    return Reliability(said, was, count[held])


def draw_calibration(path: Path, panels: dict[str, Reliability]) -> None:
    """Write an SVG with one reliability diagram per title, side by side."""
    width = 330 * len(panels) + 20
    size = f'viewBox="0 0 {width} 360" width="{width}" height="360"'
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        "<title>Calibration of the atlas: how often answers of some probability are right</title>",
        f'<rect width="{width}" height="360" fill="white"/>',
    ]
    for number, (title, found) in enumerate(panels.items()):
        svg += [f'<g transform="translate({330 * number + 60} 40)">', *_panel(title, found), "</g>"]
    path.write_text("\n".join([*svg, "</svg>", ""]), encoding="utf-8")


def _panel(title: str, found: Reliability) -> Iterator[str]:
    side = 250
    yield f'<text x="0" y="-16" font-weight="bold">{title}</text>'
    yield f'<rect width="{side}" height="{side}" fill="none" stroke="#999"/>'
    yield f'<path d="M0 {side}L{side} 0" stroke="#999" stroke-dasharray="4 4"/>'
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield f'<text x="{tick * side:g}" y="{side + 18}" text-anchor="middle">{tick:g}</text>'
        yield f'<text x="-8" y="{side * (1 - tick) + 4:g}" text-anchor="end">{tick:g}</text>'
    yield f'<text x="{side / 2:g}" y="{side + 38}" text-anchor="middle">probability given</text>'
    yield f'<text transform="translate(-42 {side / 2:g}) rotate(-90)" text-anchor="middle">'
    yield "share that was right</text>"
    for said, was, count in zip(found.said, found.was, found.count, strict=True):
        radius = 2 + 14 * np.sqrt(count / found.count.sum())
        yield (
            f'<circle cx="{said * side:.1f}" cy="{(1 - was) * side:.1f}" r="{radius:.1f}" '
            f'fill="#0072b2" fill-opacity="0.7"><title>{count} answers: {said:.3f} given, '
            f"{was:.3f} right</title></circle>"
        )
    yield f'<text x="{side - 8}" y="{side - 10}" text-anchor="end" fill="#444">'
    yield f"expected calibration error {found.error:.3f}</text>"


def draw_errors(path: Path, latitudes: Floats, longitudes: Floats, errors_km: Floats) -> None:
    """Write a PNG of the world with a dot for each place, coloured by the error there."""
    width, height, finer = 1200, 600, 2
    picture = Image.new("RGB", (width * finer, height * finer), "white")
    draw = ImageDraw.Draw(picture)
    scale = width * finer / 360

    for rings in coastline()["geometry"]["coordinates"]:
        for ring, colour in zip(rings, ["#dddddd", *["white"] * len(rings)], strict=False):
            draw.polygon([((x + 180) * scale, (90 - y) * scale) for x, y in ring], fill=colour)
    classes = np.searchsorted([limit for limit, *_ in ERRORS], errors_km)
    for number, (_, _, colour, size) in enumerate(ERRORS):
        for i in np.flatnonzero(classes == number):
            _dot(draw, (longitudes[i] + 180) * scale, (90 - latitudes[i]) * scale, size, colour)
    font = ImageFont.load_default(14 * finer)
    for number, (_, label, colour, size) in enumerate(ERRORS):
        y = (390 + 22 * number) * finer
        _dot(draw, 20 * finer, y, size, colour)
        count = int((classes == number).sum())
        draw.text((34 * finer, y), f"{label}: {count:,}", "#222222", font, anchor="lm")
    picture.reduce(finer).quantize(32, dither=Image.Dither.NONE).save(path, optimize=True)


def _dot(draw: ImageDraw.ImageDraw, x: float, y: float, size: int, colour: str) -> None:
    draw.ellipse((x - size, y - size, x + size, y + size), fill=colour, outline="white")
