"""Print how the naturalist does on the sample photos, for its model card.

    python recipes/evaluate_naturalist.py

Animals are measured against the native ranges in `tests/models/animal_ranges.csv`, monuments
against their position. Takes about ten seconds; the output is Markdown.
"""

import argparse
import csv
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

import combicam_widgets as ccw
from combicam_widgets.geo import GeoPrediction
from combicam_widgets.models import Naturalist
from combicam_widgets.samples import sample_info

RANGES = Path(__file__).parent.parent / "tests" / "models" / "animal_ranges.csv"
NEAR_KM = 1500
RADII_KM = (200, 750, 2500)

Circle = tuple[float, float, float]


def read_ranges() -> dict[str, list[Circle]]:
    """Read the circles (latitude, longitude, radius in km) of each animal's native range."""
    ranges = defaultdict(list)
    for row in csv.DictReader(RANGES.read_text(encoding="utf-8").splitlines()):
        circle = (float(row["latitude"]), float(row["longitude"]), float(row["radius_km"]))
        ranges[row["sample"]].append(circle)
    return ranges


def distance_to_range(prediction: GeoPrediction, circles: list[Circle]) -> float:
    """Kilometres from the best cell's centre to the nearest circle, 0 inside one."""
    return min(
        max(0.0, prediction.distance_to(latitude, longitude) - radius_km)
        for latitude, longitude, radius_km in circles
    )


def print_animals(model: Naturalist) -> None:
    """Print one row per animal."""
    print("| photo | best concept | best cell | p | km to the native range |")
    print("|---|---|---|---|---|")
    near = 0
    ranges = read_ranges()
    for name, circles in ranges.items():
        photo = ccw.sample(name)
        prediction = model.predict(photo)
        best, km = prediction.best, distance_to_range(prediction, circles)
        near += km <= NEAR_KM
        print(
            f"| {photo.name} | {model.seen(photo)} | {best.place} | {best.probability:.2f} "
            f"| {km:.0f} |"
        )
    print(f"\n{near} of {len(ranges)} within {NEAR_KM:,} km.\n")


def print_monuments(model: Naturalist) -> None:
    """Print how far off the monuments are, and how far one fixed answer would be."""
    infos = [sample_info(name) for name in ccw.list_samples()]
    monuments = [(info, info.position) for info in infos if info.position is not None]
    bests = [model.predict(ccw.sample(info.name)).best for info, _ in monuments]
    (usual, _count), *_ = often = Counter(best.index for best in bests).most_common(5)
    to_cells = np.array([model.cells.distances_km(*position) for _, position in monuments])
    distances = to_cells[np.arange(len(bests)), [best.index for best in bests]]

    print(
        f"| {len(bests)} monuments | median km | "
        + " | ".join(f"within {radius:,} km" for radius in RADII_KM)
        + " |"
    )
    print("|---|---|" + "---|" * len(RADII_KM))
    always = f'always "{model.cells.name(usual)}"'
    for label, km in (("naturalist", distances), (always, to_cells[:, usual])):
        shares = " | ".join(f"{np.mean(km <= radius):.0%}" for radius in RADII_KM)
        print(f"| {label} | {np.median(km):,.0f} | {shares} |")

    answers = ", ".join(f"{model.cells.name(index)} ({n})" for index, n in often)
    print(f"\nMost frequent answers: {answers}.\n")
    worst = ", ".join(
        f"{monuments[i][0].title} ({distances[i]:,.0f} km)" for i in np.argsort(-distances)[:5]
    )
    print(f"Farthest off: {worst}.")


def main() -> None:
    """Print the tables."""
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    model = Naturalist()
    print_animals(model)
    print_monuments(model)


if __name__ == "__main__":
    main()
