"""Many photos that were explained: their table, their maps, and the photos themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from combicam_widgets import cam, files
from combicam_widgets.evaluation.candidates import Candidate
from combicam_widgets.images import Photo
from combicam_widgets.many import layers as by_layer
from combicam_widgets.many import storing
from combicam_widgets.many.columns import TEXT, WHOLE, columns
from combicam_widgets.models import GeoModel
from combicam_widgets.running import Given
from combicam_widgets.whole import whole

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


@dataclass(frozen=True, eq=False, repr=False)
class Many:
    """Many photos, explained: the photos that are done, in the given order.

    Attributes
    ----------
    facts : mapping
        What all photos have in common: model, layers, candidates, measures; as in ``many.json``.
    names : tuple of str
        The photos' names, in order.
    asked : int
        How many photos were given; more than `len` if the run was stopped.
    folder : Path or None
        Where the results are, if they are in a folder.
    model : GeoModel or None
        What explained them, if that was in this session.
    """

    facts: Mapping[str, Any]
    names: tuple[str, ...]
    asked: int
    folder: Path | None
    model: GeoModel | None
    _store: storing.Store
    _photos: Mapping[str, Given]
    _rows: Mapping[str, storing.Row]

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that are explained, in forward order."""
        return tuple(self.facts["layers"])

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of the candidates; the first is the one that shares and heatmaps are of."""
        return tuple(self.facts["candidates"])

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """The columns of the table, in order: kind, and what it means."""
        return table_columns(self.facts)

    def __len__(self) -> int:
        return len(self.names)

    def table(self) -> pd.DataFrame:
        """Give one row per photo, in the given order, as a pandas frame.

        What the columns mean is in `columns`, and in ``docs/many.md``. Nothing is known of a photo
        whose ``error`` is not empty.
        """
        pd = storing.pandas()
        table: dict[str, Any] = {}
        for name, (kind, _) in self.columns.items():
            values = [self._rows[photo][name] for photo in self.names]
            if kind == TEXT:
                table[name] = [value or "" for value in values]
            else:
                table[name] = pd.array(values, dtype="Int64" if kind == WHOLE else "float64")
        return pd.DataFrame(table)

    def photo(self, i: int) -> Photo:
        """Read a photo again.

        Raises
        ------
        LookupError
            It was no file but only in memory, in a run before this one.
        OSError, ValueError
            It cannot be read, or no longer.
        """
        name = self._name(i)
        if name not in self._photos:
            raise LookupError(
                f"The photo {name!r} is not in {self.folder}, and was no file when it was "
                "explained: give explain_many() the same photos again."
            )
        return self._photos[name].load()

    def maps(self, i: int) -> cam.LayerMaps:
        """Give the layer maps of a photo, of the first candidate's method.

        They were kept as float16, so they are right to three digits.

        Raises
        ------
        LookupError
            There are none, as the row's ``error`` says.
        """
        packed, candidates = self._store.packed(self._name(i))
        maps = packed.unpacked(self.layers)
        return maps.with_method(next(iter(candidates.values())).method)

    def heatmap(
        self,
        i: int,
        candidate: str | None = None,
        size: tuple[int, int] | None = None,
        *,
        smooth: bool = False,
    ) -> npt.NDArray[np.float32]:
        """Fuse the heatmap of a photo.

        Parameters
        ----------
        i : int
        candidate : str, optional
            One of `candidates`; default: the first.
        size : (h, w), optional
            Default: that of what the network saw, so that it is quick; it lies over the whole
            photo.
        smooth : bool
            For pictures, not for numbers; see `LayerMaps.fuse`.

        Returns
        -------
        (h, w) float32 array in [0, 1]

        Raises
        ------
        LookupError
            There are no maps, as the row's ``error`` says.
        """
        packed, candidates = self._store.packed(self._name(i))
        chosen = self.candidates[0] if candidate is None else candidate
        if chosen not in candidates:
            raise ValueError(
                f"There is no candidate {chosen!r}; there is {', '.join(self.candidates)}."
            )
        maps = packed.unpacked(self.layers)
        return candidates[chosen].heatmap(maps, size or packed.view, smooth=smooth)

    def drawn(self, i: int) -> npt.NDArray[np.float32]:
        """Fuse the heatmap of a photo for a picture of it: without kinks, not for numbers."""
        return self.heatmap(i, smooth=True)

    def candidate(self, i: int, name: str | None = None) -> Candidate:
        """Tell how a heatmap of a photo is made; by worth, that differs from photo to photo."""
        _, candidates = self._store.packed(self._name(i))
        return candidates[self.candidates[0] if name is None else name]

    def layer_statistics(self, by: by_layer.By = None, most: int = 12) -> pd.DataFrame:
        """Tell which layers carry the answers, over all photos or in groups of them.

        Photos with errors are left out.

        Parameters
        ----------
        by : str or callable, optional
            "region": the country of the answer; "error": how far the answer is from the truth;
            "class": what was seen or, if the model names nothing, the place; any column of the
            table; or a function of the table that gives a group for each row. Default: all
            photos together.
        most : int
            Groups, the largest; the others are put together.

        Returns
        -------
        pandas.DataFrame
            One row per group and layer, in forward order: ``photos``, how many; ``share``, the mean
            of the layer's share in the first candidate's heatmap, with its 95 % interval ``low`` to
            ``high`` (bootstrap over photos); ``carried``, the part of the photos in which no layer
            has a larger share; and ``worth``, the mean worth of its map alone, if "layer worth"
            was measured.

        Raises
        ------
        ValueError
            There is nothing to group by, or no photo without an error.
        """
        return by_layer.layer_statistics(self.table(), self.layers, by, most)

    def layer_figure(
        self, by: by_layer.By = None, what: str = "share", most: int = 12
    ) -> go.Figure:
        """Draw `layer_statistics`: a row per group, a column per layer.

        Parameters
        ----------
        by, most
            As there.
        what : {"share", "carried", "worth"}
        """
        return by_layer.figure(self.layer_statistics(by, most), what)

    def learnt_weights(self) -> Candidate:
        """Learn one set of weights for the model from the worth of each layer alone.

        They are those of `evaluation.learn_weights`. "layer worth" must have been measured.
        Judge them on other photos.
        """
        return by_layer.learnt_weights(self.table(), self.layers)

    def to_parquet(self, path: str | Path) -> None:
        """Write the table to a ".parquet" file."""
        file = files.destination(path, (".parquet", ".pq"))
        rows = [self._rows[name] for name in self.names]
        files.write(file, storing.parquet(rows, self.columns))

    def _name(self, i: int) -> str:
        index = whole(i)
        if index is None:
            raise TypeError(f"i must be the number of a photo, not {i!r:.60}.")
        if not -len(self) <= index < len(self):
            raise IndexError(f"i must be 0 to {len(self) - 1}, the number of a photo, not {i}.")
        return self.names[index]

    def __repr__(self) -> str:
        failed = sum(bool(self._rows[name]["error"]) for name in self.names)
        done = f"{len(self)} photos" if len(self) == self.asked else f"{len(self)} of {self.asked}"
        return f"Many({self.facts['model']}: {done}, {failed} with errors)"


def table_columns(facts: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """List the columns of a table, from what a folder says about itself."""
    return columns(
        facts["layers"], facts["measures"], list(facts["candidates"]), alone=facts["layer_worth"]
    )


def collected(
    facts: Mapping[str, Any],
    store: storing.Store,
    order: Sequence[str],
    photos: Mapping[str, Given],
    folder: Path | None = None,
    model: GeoModel | None = None,
) -> Many:
    """Put what a store holds into the order in which it was given."""
    rows = store.rows()
    names = tuple(name for name in order if name in rows)
    return Many(facts, names, len(order), folder, model, store, photos, rows)


def read_many(folder: str | Path) -> Many:
    """Read what `explain_many` has put into a folder so far, also while it is still running.

    Neither the model nor torch weights are needed. The photos are read again from where they lay.

    Raises
    ------
    OSError
        There is no such folder, or nothing of the kind in it.
    ValueError
        Something in it is damaged; the message says what to do.
    ImportError
        pyarrow or zarr are missing: the extra ``many``.
    """
    where = files.source(folder)
    facts = storing.opened(where)
    store = storing.Folder(where, table_columns(facts))
    places = storing.remembered(where)
    if places is None:
        places = dict.fromkeys(store.rows(), "")
    photos = {name: Given(name, Path(path)) for name, path in places.items() if path}
    return collected(facts, store, list(places), photos, where)
