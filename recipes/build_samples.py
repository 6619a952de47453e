"""Build the sample photos of the package from a folder of larger ones.

    python recipes/build_samples.py SOURCE_FOLDER [TARGET_FOLDER]

SOURCE_FOLDER holds `animals/*.webp`, `monuments/*.webp` and `credits.csv` with the columns
file, place, latitude, longitude, author, licence, source. Written are one WebP photo of at most
640 pixels per row, in sRGB and without metadata, and the `credits.csv` of the package. The same
source and the same version of Pillow give the same bytes.
"""

import argparse
import csv
import io
import re
from pathlib import Path

from PIL import Image, ImageCms

from combicam_widgets.images import load_image

LONGER_SIDE = 640
QUALITY = 78
TARGET = Path(__file__).parent.parent / "combicam_widgets" / "samples"

# The file's word is not always the animal's name.
RENAMED = {"dragon": "komodo_dragon"}
CAPITALISED = {"komodo_dragon": "Komodo dragon"}

# Name in the source -> SPDX identifier (or plain words) and address of the text.
LICENCES = {
    "Public Domain": ("Public domain", "https://creativecommons.org/publicdomain/mark/1.0/"),
    "CC0-1.0": ("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    "CC-BY-SA 4.0": ("CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
}
COLUMNS = [
    "name",
    "kind",
    "title",
    "place",
    "latitude",
    "longitude",
    "author",
    "licence",
    "licence_url",
    "source",
    "changes",
]


def snake_case(stem: str) -> str:
    """Turn "castillodeSanMarcos" into "castillo_de_san_marcos"."""
    particles = re.sub(r"(?<=[a-z])(de|des|du|of)(?=[A-Z])", r"_\1", stem)
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", particles).lower()
    return RENAMED.get(name, name)


def resized(path: Path) -> Image.Image:
    """Return the photo upright, in sRGB, with a longer side of at most 640 pixels."""
    image = load_image(path).to_pil()
    with Image.open(path) as opened:
        profile = opened.info.get("icc_profile")
    if profile:
        # For an RGB profile this always gives an image: nothing is done in place.
        image = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        )
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
    image.info.clear()
    return image


def credit(row: dict[str, str]) -> dict[str, str]:
    """Return a row of the package's credits for a row of the source's."""
    folder, _, file = row["file"].partition("/")
    name = snake_case(Path(file).stem)
    licence, licence_url = LICENCES[row["licence"]]
    return {
        **{column: row[column] for column in ("latitude", "longitude", "author", "source")},
        "name": name,
        "kind": {"animals": "animal", "monuments": "monument"}[folder],
        "title": row["place"] or CAPITALISED.get(name, name.replace("_", " ").capitalize()),
        "place": row["place"],
        "licence": licence,
        "licence_url": licence_url,
        "changes": f"resized to {LONGER_SIDE} px",
    }


def main() -> None:
    """Read the source folder, write the target folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path, help="folder with credits.csv and the photos")
    parser.add_argument("target", type=Path, nargs="?", default=TARGET, help="default: %(default)s")
    arguments = parser.parse_args()

    with (arguments.source / "credits.csv").open(encoding="utf-8", newline="") as file:
        given = list(csv.DictReader(file))
    credits_ = sorted(
        ((credit(row), arguments.source / row["file"]) for row in given),
        key=lambda pair: (pair[0]["kind"], pair[0]["name"]),
    )
    for old in arguments.target.glob("*.webp"):
        old.unlink()
    total = 0
    for row, path in credits_:
        photo = arguments.target / f"{row['name']}.webp"
        resized(path).save(photo, "WEBP", quality=QUALITY, method=6)
        total += photo.stat().st_size
    with (arguments.target / "credits.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row, _ in credits_)
    print(f"{len(credits_)} photos, {total / 1e6:.2f} MB, in {arguments.target}")


if __name__ == "__main__":
    main()
