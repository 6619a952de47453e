"""Out of the notebook: figure, PNG, GeoJSON, or a page of what an explorer shows."""

from __future__ import annotations

from collections.abc import Sequence
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

    def _hand_out(self, photos: Sequence[Any]) -> list[export.Snapshot]:
        """Freeze what is shown, and other photos with the same settings, with further answers."""
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
        photos: Sequence[Any] = (),
        questions: Sequence[str] = (),
        include_position: bool = False,
    ) -> None:
        """Write one page in which layers can still be toggled, with no kernel and no internet.

        Sentence and map follow presets and single layers, whose answers are asked for here (a
        forward pass each); for other fusions they are greyed.

        Parameters
        ----------
        path : path-like
            Must end in ".html" or ".htm", if it has an ending.
        title : str, optional
            The heading. The default is the photo's name only if the photo has a credit: without
            one the name may be that of a file of yours.
        photos : sequence
            Further photos for the same page, each whatever `image` takes, with the present
            settings: one forward and one backward pass each.
        questions : sequence of str
            What is asked below each photo, with room for answers, and for the reader's name.
        include_position : bool
            Whether to mark a photo's own position, if it is known, and say how far away it is.

        Raises
        ------
        RuntimeError
            Somebody is to guess first.
        TypeError, ValueError, OSError
            See `export.to_html`; or a photo cannot be read.
        """
        export.to_html(
            self._hand_out(photos),
            path,
            title=title,
            questions=questions,
            include_position=include_position,
        )
