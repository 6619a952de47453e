"""Out of the notebook: figure, PNG, GeoJSON, or a page of what an explorer shows."""

from __future__ import annotations

from os import PathLike
from typing import Any

import plotly.graph_objects as go

from combicam_widgets import export


class TakeAlong:
    """Ways to take along what is shown; the photo's own position stays out unless asked for.

    All raise RuntimeError while somebody is to guess first.
    """

    def _snapshot(self, *, votes: bool = False) -> export.Snapshot:
        """Freeze what is shown; with ``votes``, those of the layers too, whether shown or not."""
        raise NotImplementedError

    def figure(self, *, include_position: bool = False) -> go.Figure:
        """Draw photo, heat and map side by side, as a plain Plotly figure for papers."""
        return export.figure(self._snapshot(), include_position=include_position)

    def save(
        self, path: str | PathLike[str], dpi: float = 300, *, include_position: bool = False
    ) -> None:
        """Write the picture for a paper, drawn by matplotlib (extra ``paper``).

        ``path`` must end in ".pdf", ".svg" or ".png"; letters stay letters. The votes of the layers
        are on the map. What is pinned is drawn below, with the difference. An existing file is
        replaced once the new one is whole.
        """
        export.save(self._snapshot(votes=True), path, dpi, include_position=include_position)

    def save_png(
        self, path: str | PathLike[str], scale: float = 2, *, include_position: bool = False
    ) -> None:
        """Write the same to a picture file, ``scale`` times as large as on the page.

        ``path`` ends in ".png", ".jpg", ".jpeg" or ".webp". An existing file is replaced once the
        new one is whole.
        """
        export.save_png(self._snapshot(), path, scale, include_position=include_position)

    def to_geojson(
        self, path: str | PathLike[str] | None = None, *, include_position: bool = False
    ) -> dict[str, Any]:
        """Return cells, votes and evidence as a GeoJSON FeatureCollection; write it to a file too.

        ``path`` ends in ".geojson" or ".json". Default: nothing is written.
        """
        snapshot = self._snapshot(votes=True)
        return export.to_geojson(snapshot, path, include_position=include_position)

    def to_html(
        self,
        path: str | PathLike[str],
        *,
        title: str | None = None,
        include_position: bool = False,
    ) -> None:
        """Write one page in which layers can still be toggled, with no kernel and no internet.

        ``title`` is its heading. The default is the photo's name only if the photo has a credit:
        without one the name may be that of a file of yours.
        """
        snapshot = self._snapshot(votes=True)
        export.to_html(snapshot, path, title=title, include_position=include_position)
