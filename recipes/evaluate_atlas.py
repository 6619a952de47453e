"""Print how the atlas does on imagery that it was not trained on, for its model card.

    python recipes/evaluate_atlas.py

Tiles are cut and shown as a user would, with `WorldMap.tile` and `predict`: out of two maps that
the training never saw, NASA's Blue Marble of May 2004 and the first one, of 2002, and for
comparison out of the maps of the training. Their middles are spread evenly over the land, with a
fixed seed. Also draws `docs/atlas-calibration.svg` and `docs/atlas-errors.png`. Takes about ten
minutes; the output is Markdown. Needs npm, pip and apt, for the imagery (see `imagery.py`), and the
extra `recipes`.

    python recipes/evaluate_atlas.py --checkpoint recipes/.cache/atlas/checkpoint.pt --figures /tmp

does the same with the running mean of a training that has not ended, without the temperature.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from atlas_figures import Reliability, draw_calibration, draw_errors, reliability
from imagery import (
    BLUE_MARBLE,
    BLUE_MARBLE_2002,
    BLUE_MARBLE_JUNE,
    BLUE_MARBLE_MAY,
    NATURAL_EARTH,
    PackagedFile,
)
from land import Land
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.stats import binomtest
from train_atlas import HOME, SIDE

from combicam_widgets.geo import (
    CellGrid,
    GeoPrediction,
    great_circle_km,
    place_name,
    vector_coordinates,
)
from combicam_widgets.imagery import WorldMap
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel, WholePhoto
from combicam_widgets.models.atlas.network import AtlasNetwork

DOCS = Path(__file__).parents[1] / "docs"
SEED = 20261122
WIDTHS_KM = (1000.0, 2000.0)
COAST_KM = 100.0
RADII_KM = (200, 750, 2500)
REGION_KM = 750
HEADINGS = " | ".join(f"within {radius:,} km" for radius in RADII_KM)

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def main() -> None:
    """Print the tables, draw the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help="of a training, instead of the weights")
    parser.add_argument("--crops", type=int, default=2000, help="%(default)s unless told")
    parser.add_argument("--figures", type=Path, default=DOCS, help="folder; docs unless told")
    options = parser.parse_args()
    model = load(options.checkpoint)
    land = Land.fetch()
    crops = Crops.drawn(land, options.crops)
    may = WorldMap.open(BLUE_MARBLE_MAY.fetch())

    found = measure(model, may, crops, "May")
    sure, calibrated = calibration(found)
    print_goals(found)
    print_regions(found, land, "tiles of May")
    held_back = measure(model, WorldMap.open(BLUE_MARBLE_2002.fetch()), crops, "2002")
    print_goals(held_back)
    print_regions(held_back, land, "tiles of 2002")
    print_worst(held_back, land)
    print_widths(model, may, crops[: options.crops // 4])
    print_maps(model, found, crops[: options.crops // 4])
    print_calibration(sure, calibrated)
    print_disturbances(model, may, replace(crops[:200], widths=np.full(200, 1500.0)))
    print_worst(found, land)

    options.figures.mkdir(exist_ok=True)
    panels = {"within 750 km of the best cell": sure, "in the best cell": calibrated}
    draw_calibration(options.figures / "atlas-calibration.svg", panels)
    draw_errors(
        options.figures / "atlas-errors.png", crops.latitudes, crops.longitudes, found.errors_km
    )


def load(checkpoint: Path | None) -> GeoModel:
    """Load the model as shipped, or with the running mean of a training."""
    if checkpoint is None:
        from combicam_widgets.models.atlas import Atlas  # noqa: PLC0415  (it needs the weights)

        return Atlas()
    state = torch.load(checkpoint, weights_only=True)
    print(f"Checkpoint of step {state['step']:,}.\n")
    cells = CellGrid.load(HOME / "cells.npz")
    network = AtlasNetwork(len(cells))
    network.load_state_dict(state["mean"])
    half = (0.5, 0.5, 0.5)
    return GeoModel(network.eval(), cells, WholePhoto(SIDE, half, half), name="atlas")


@dataclass(frozen=True)
class Crops:
    """Where tiles are cut out: middles in degrees, widths in kilometres, each (N,)."""

    latitudes: Floats
    longitudes: Floats
    widths: Floats

    @classmethod
    def drawn(cls, land: Land, count: int) -> Self:
        """Draw places on land, each km2 equally likely, and widths, each ratio equally likely."""
        random = np.random.default_rng((SEED, 1))
        latitudes, longitudes = vector_coordinates(land.places(random, count))
        return cls(latitudes, longitudes, np.exp(random.uniform(*np.log(WIDTHS_KM), count)))

    def __getitem__(self, chosen: slice) -> Self:
        return type(self)(*(x[chosen] for x in vars(self).values()))

    def __len__(self) -> int:
        return len(self.widths)

    def tiles(self, world: WorldMap, label: str, heading: float = 0) -> Iterator[Photo]:
        """Cut the tiles, telling how far it got."""
        places = zip(self.latitudes, self.longitudes, self.widths, strict=True)
        for number, (latitude, longitude, width) in enumerate(places, start=1):
            yield world.tile(latitude, longitude, width, heading=heading)
            if number % 50 == 0 or number == len(self):
                print(f"\r{label}: {number} of {len(self)} ", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)


@dataclass(frozen=True)
class Found:
    """What the model said of some crops.

    Attributes
    ----------
    crops : Crops
    predictions : tuple of N GeoPrediction
    errors_km : ndarray of float64, shape (N,)
        From the best cell's centre to the middle of the crop.
    right : ndarray of bool, shape (N,)
        Whether the best cell holds the middle.
    """

    crops: Crops
    predictions: tuple[GeoPrediction, ...]
    errors_km: Floats
    right: Mask

    @classmethod
    def of(cls, crops: Crops, predictions: list[GeoPrediction]) -> Self:
        """Compare predictions with the crops."""
        cells = predictions[0].cells
        best = np.array([prediction.best.index for prediction in predictions])
        places = crops.latitudes, crops.longitudes
        errors = great_circle_km(cells.latitudes[best], cells.longitudes[best], *places)
        return cls(crops, tuple(predictions), errors, cells.locate(*places) == best)

    def row(self, label: str, chosen: Mask | None = None) -> str:
        """One row of a table, for all crops or for some."""
        errors = self.errors_km if chosen is None else self.errors_km[chosen]
        right = self.right if chosen is None else self.right[chosen]
        shares = " | ".join(f"{(errors <= radius).mean():.1%}" for radius in RADII_KM)
        return f"| {label} | {len(errors):,} | {right.mean():.1%} | {shares} | {middle(errors)} |"


def middle(km: Floats) -> str:
    """Write the median of some distances."""
    return f"{np.median(km):,.0f}"


def measure(model: GeoModel, world: WorldMap, crops: Crops, label: str) -> Found:
    """Show tiles of a world map to the model."""
    return Found.of(crops, [model.predict(tile) for tile in crops.tiles(world, label)])


def print_goals(found: Found) -> None:
    """Print what was wanted and what was reached."""
    errors = found.errors_km
    print(f"| {len(errors):,} crops | goal | at least | measured |\n|---|---|---|---|")
    for radius, goal, minimum in ((750, 0.97, 0.95), (2500, 0.995, 0.99)):
        within = errors <= radius
        # Wilson's interval knows that none of 2,000 is not never.
        low, high = binomtest(int(within.sum()), len(within)).proportion_ci(method="wilson")
        print(
            f"| within {radius:,} km | {goal:.1%} | {minimum:.1%} "
            f"| {within.mean():.1%} ({low:.1%} to {high:.1%}) |"
        )
    print(f"| median error | 150 km | 200 km | {middle(errors)} km |\n")


def print_head(first: str) -> None:
    """Print the head of a table of `Found.row`."""
    print(f"| {first} | crops | right cell | {HEADINGS} | median km |")
    print("|---|---|---|" + "---|" * (len(RADII_KM) + 1))


def print_regions(found: Found, land: Land, title: str) -> None:
    """Print one row per sort of land and per continent."""
    places = found.crops.latitudes, found.crops.longitudes
    continents = land.continents(*places)
    island = (continents == "other islands") | (continents == "Greenland")
    icy = (continents == "Antarctica") | (continents == "Greenland")
    coast = (land.coast_km(*places) <= COAST_KM) & ~icy
    rows = {
        "all land": np.full(len(icy), fill_value=True),
        "without Antarctica": continents != "Antarctica",
        "without Antarctica and Greenland": ~icy,
        f"of these: coast within {COAST_KM:.0f} km": coast,
        "of these: inland": ~coast & ~icy,
        "islands, all below Australia": island,
        **{name: continents == name for name in sorted(set(continents.tolist()))},
    }
    print_head(title)
    for label, chosen in rows.items():
        if chosen.any():
            print(found.row(label, chosen))
    far = Counter(continents[found.errors_km > REGION_KM]).most_common()
    where = ": " + ", ".join(f"{name} {n}" for name, n in far) if far else ""
    print(f"\n{sum(n for _, n in far)} crops are more than {REGION_KM} km off{where}.\n")


def print_widths(model: GeoModel, world: WorldMap, crops: Crops) -> None:
    """Print how the same places do at three widths."""
    print_head("width")
    for width in (1000, 1500, 2000):
        wide = replace(crops, widths=np.full(len(crops), float(width)))
        print(measure(model, world, wide, f"{width} km").row(f"{width:,} km"))
    print()


def print_maps(model: GeoModel, found: Found, crops: Crops) -> None:
    """Print how the same tiles of the training's maps do."""
    maps: dict[str, PackagedFile] = {
        "Blue Marble of January (training)": BLUE_MARBLE,
        "Blue Marble of June (training)": BLUE_MARBLE_JUNE,
        "Natural Earth (training)": NATURAL_EARTH,
    }
    print_head("map")
    print(found.row("Blue Marble of May (never seen)", np.arange(len(found.crops)) < len(crops)))
    for label, file in maps.items():
        print(measure(model, WorldMap.open(file.fetch()), crops, label).row(label))
    print()


def calibration(found: Found) -> tuple[Reliability, Reliability]:
    """Compare the probability within 750 km, and in the best cell, with what was so."""
    density = np.array([prediction.density(REGION_KM) for prediction in found.predictions])
    top = np.array([float(prediction.best.probability) for prediction in found.predictions])
    return reliability(density, found.errors_km <= REGION_KM), reliability(top, found.right)


def print_calibration(sure: Reliability, top: Reliability) -> None:
    """Print the reliability diagrams as tables."""
    for label, found in ((f"within {REGION_KM} km", sure), ("in the best cell", top)):
        print(f"| probability {label} | was so | crops |\n|---|---|---|")
        for said, was, count in zip(found.said, found.was, found.count, strict=True):
            print(f"| {said:.3f} | {was:.3f} | {count:,} |")
        print(f"\nExpected calibration error: {found.error:.3f}.\n")


def print_disturbances(model: GeoModel, world: WorldMap, crops: Crops) -> None:
    """Print how far the answer moves when the tile is turned, hazy, blurred, or partly hidden."""
    tiles = list(crops.tiles(world, "as they are"))
    plain = [model.predict(tile) for tile in tiles]
    heats = [model.explain(tile).fuse() for tile in tiles]
    shown = list(zip(tiles, heats, strict=True))
    answers: dict[str, list[GeoPrediction]] = {"as they are": plain}
    for heading in (15, 45):
        turned = crops.tiles(world, f"turned by {heading}", heading)
        answers[f"turned by {heading} degrees"] = [model.predict(tile) for tile in turned]
    for label, change in CHANGES.items():
        answers[label] = [model.predict(changed(tile, change)) for tile in tiles]
    answers["hottest 30 % kept (Grad-CAM, all layers)"] = [
        model.evidence(tile, heat, 0.3) for tile, heat in shown
    ]
    answers["coldest 30 % kept"] = [model.evidence(tile, 1 - heat, 0.3) for tile, heat in shown]
    # The control: as much, in patches of the same kind, but chosen without looking at this tile.
    others = zip(tiles, [*heats[1:], heats[0]], strict=True)
    answers["another tile's hottest 30 % kept"] = [
        model.evidence(tile, heat, 0.3) for tile, heat in others
    ]

    print(f"| {len(crops)} tiles, 1,500 km | moved: median km | 90 % move at most | {HEADINGS} |")
    print("|---|---|---|" + "---|" * len(RADII_KM))
    for label, predictions in answers.items():
        pairs = zip(plain, predictions, strict=True)
        moved = [b.distance_to(a.best.latitude, a.best.longitude) for a, b in pairs]
        errors = Found.of(crops, predictions).errors_km
        shares = " | ".join(f"{(errors <= radius).mean():.1%}" for radius in RADII_KM)
        print(f"| {label} | {middle(moved)} | {np.quantile(moved, 0.9):,.0f} | {shares} |")
    print()


def changed(tile: Photo, change: Callable[[Image.Image], Image.Image]) -> Photo:
    """Return the same tile after a change of its pixels."""
    return replace(tile, pixels=np.asarray(change(tile.to_pil())))


def hazy(image: Image.Image) -> Image.Image:
    """Lay a veil of light grey over a third of the contrast."""
    return Image.blend(image, Image.new("RGB", image.size, (225, 230, 235)), 0.33)


def blurred(image: Image.Image) -> Image.Image:
    """Blur with a standard deviation of 1 % of the width: 15 km of 1,500."""
    return image.filter(ImageFilter.GaussianBlur(image.width / 100))


def grey(image: Image.Image) -> Image.Image:
    """Take the colours away."""
    return image.convert("L").convert("RGB")


CHANGES = {"under haze (a third)": hazy, "blurred (15 km)": blurred, "without colours": grey}


def print_worst(found: Found, land: Land) -> None:
    """Print the crops that the model is farthest off from."""
    places = found.crops.latitudes, found.crops.longitudes
    continents = land.continents(*places)
    print("| farthest off | continent | width | answer | p | km |\n|---|---|---|---|---|---|")
    for i in np.argsort(-found.errors_km)[:15].tolist():
        latitude, longitude = (float(x[i]) for x in places)
        best = found.predictions[i].best
        print(
            f"| {latitude:.1f}, {longitude:.1f}: {place_name(latitude, longitude)} "
            f"| {continents[i]} | {found.crops.widths[i]:,.0f} | {best.place} "
            f"| {best.probability:.2f} | {found.errors_km[i]:,.0f} |"
        )
    print()


if __name__ == "__main__":
    main()
