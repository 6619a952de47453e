"""Made-up tables of many photos, and a collection without a model."""

import numpy as np
import pandas as pd

from combicam_widgets.geo import great_circle_km

LAYERS = ("blocks.1", "blocks.5", "blocks.15")
PLACES = (
    "near Málaga, Spain",
    "Ōsaka, Japan",
    "near <b>Nowhere</b> & Co",
    "Paris, France",
    "Zürich",
)


def frame(rows, seed=0):
    """A table as `explain_many` gives it; every 97th photo could not be read."""
    rng = np.random.default_rng(seed)
    latitude, longitude = rng.uniform(-55, 70, rows), rng.uniform(-180, 180, rows)
    true_latitude = np.clip(latitude + rng.normal(0, 8, rows), -85, 85)
    true_longitude = (longitude + rng.normal(0, 12, rows) + 180) % 360 - 180
    shares = rng.dirichlet(np.ones(len(LAYERS)), rows).astype(np.float32)
    table = pd.DataFrame(
        {
            "photo": [f"photo_{i:05d}.jpg" for i in range(rows)],
            "cell": rng.integers(0, 885, rows),
            "place": rng.choice(PLACES, rows),
            "latitude": latitude,
            "longitude": longitude,
            "true_latitude": true_latitude,
            "true_longitude": true_longitude,
            "distance": great_circle_km(latitude, longitude, true_latitude, true_longitude),
            "probability": rng.beta(1, 3, rows).astype(np.float32),
            "worth": rng.normal(0.3, 0.2, rows).round(2),
            **{f"share {layer}": shares[:, i] for i, layer in enumerate(LAYERS)},
            "error": pd.Series([None] * rows, dtype=object),
        }
    )
    failed = table.index % 97 == 96
    numbers = [name for name in table if table[name].dtype.kind == "f"]
    table["cell"] = table["cell"].astype("Int64")
    table.loc[failed, [*numbers, "cell"]] = np.nan
    table.loc[failed, "place"] = None
    table.loc[failed, "error"] = "The file is cut off <after> 12 bytes"
    return table


class Collection:
    """As many photos as a table has rows, made when they are asked for."""

    def __init__(self, rows, seed=0):
        self._table = frame(rows, seed)
        self.asked = []

    def __len__(self):
        return len(self._table)

    def table(self):
        return self._table

    def photo(self, row):
        if self._table["error"].notna()[row]:
            raise ValueError(f"cannot read photo {row}")
        self.asked.append(row)
        y, x = np.mgrid[:90, :120]
        return np.stack([(x * 2 + row) % 256, (y * 2 + 3 * row) % 256, 0 * x + 90], axis=-1).astype(
            np.uint8
        )

    def heatmap(self, row):
        y, x = np.mgrid[:9, :12]
        return np.exp(-((x - row % 12) ** 2 + (y - row % 9) ** 2) / 6).astype(np.float32)
