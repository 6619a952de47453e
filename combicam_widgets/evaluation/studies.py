"""Studies: many photos x candidates x measures, every value kept."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from combicam_widgets import files
from combicam_widgets.cam import Registered
from combicam_widgets.evaluation.asking import Progress
from combicam_widgets.evaluation.candidates import COMBI_CAM, Candidate
from combicam_widgets.evaluation.fills import CHOOSING, Fill
from combicam_widgets.evaluation.photos import (
    BY_FILL,
    HIGHER_IS_BETTER,
    HowToExplain,
    Model,
    Plan,
    Row,
    measure_photo,
    named_candidate,
    resolved_candidates,
)
from combicam_widgets.images import ImageSource, Photo
from combicam_widgets.models import GeoModel
from combicam_widgets.running import Given, batches, run

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Candidates: TypeAlias = Sequence[str | Candidate] | Mapping[str, str | Candidate | HowToExplain]

_FORMAT = "combicam_widgets.Study/1"


_COLUMNS = ["model", "photo", "candidate", "measure", "fill", "value", "error"]

_NO_TABLE = (KeyError, ValueError, TypeError, EOFError, csv.Error, gzip.BadGzipFile, zlib.error)
"""What reading a file raises that is no table of a study, or was cut off."""


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """All values of a study, and what they say.

    Attributes
    ----------
    rows : tuple of Row
        One per photo, candidate, measure and fill; and those that say why there is no value.
    reference : str
        Name of the candidate that others are compared with unless told.
    model : str
        Name of the model.
    """

    rows: tuple[Row, ...]
    reference: str
    model: str = ""

    @property
    def photos(self) -> tuple[str, ...]:
        """Names of the photos, in order; also of those that failed."""
        return tuple(dict.fromkeys(row.photo for row in self.rows))

    @property
    def candidates(self) -> tuple[str, ...]:
        """Names of the candidates and controls that have values, in order."""
        return tuple(dict.fromkeys(row.candidate for row in self.rows if not row.error))

    @property
    def errors(self) -> tuple[Row, ...]:
        """The rows that say why there is no value."""
        return tuple(row for row in self.rows if row.error)

    def without(self, photos: Iterable[str]) -> Study:
        """Leave photos out, such as those on which something was chosen."""
        left_out = set(photos)
        return replace(self, rows=tuple(r for r in self.rows if r.photo not in left_out))

    def values(self, measure: str, fill: str = "") -> dict[str, npt.NDArray[np.float64]]:
        """Give the values of one measure: candidate -> (P,) array over `photos`, NaN for none.

        Parameters
        ----------
        measure : str
        fill : str
            Default, for measures that depend on it: the mean over all fills.
        """
        photos = {name: index for index, name in enumerate(self.photos)}
        found = [row for row in self.rows if row.measure == measure and fill in ("", row.fill)]
        if not found:
            self._reference(self.reference)  # says so if there is nothing at all
            there = dict.fromkeys(f"{r.measure} {r.fill}" for r in self.rows if not r.error)
            raise ValueError(
                f"Nothing was measured as {measure!r} with the fill {fill!r}; there is "
                f"{', '.join(there)}."
            )
        sums: dict[str, npt.NDArray[np.float64]] = {}
        counts: dict[str, npt.NDArray[np.float64]] = {}
        for row in found:
            for store, what in ((sums, row.value), (counts, 1.0)):
                store.setdefault(row.candidate, np.zeros(len(photos)))[photos[row.photo]] += what
        with np.errstate(invalid="ignore"):
            return {name: total / counts[name] for name, total in sums.items()}

    def table(self) -> pd.DataFrame:
        """Give all rows as a pandas frame: model, photo, candidate, measure, fill, value, error."""
        frame = _pandas().DataFrame([asdict(row) for row in self.rows])
        frame.insert(0, "model", self.model)
        return frame

    def compare(
        self,
        reference: str | None = None,
        measures: Sequence[str] | None = None,
        *,
        draws: int = 5000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Compare every candidate with one, photo by photo.

        Parameters
        ----------
        reference : str, optional
            Name of a candidate; default: `reference`.
        measures : sequence of str, optional
            Default: all that there are.
        draws, seed : int
            For the bootstrap over photos.

        Returns
        -------
        pandas.DataFrame
            One row per measure, fill and candidate: ``mean``; ``difference`` to the reference with
            its 95 % interval ``low`` to ``high`` (bootstrap over photos); ``won``, the share of
            photos on which it is better, ties counting half; ``p`` (Wilcoxon, two-sided) and
            ``p_holm``, corrected over the candidates of that measure and fill; ``photos``, how
            many have both values.
        """
        from combicam_widgets.evaluation.statistics import comparison  # noqa: PLC0415

        chosen = self._reference(reference)
        kinds = dict.fromkeys((r.measure, r.fill) for r in self.rows if not r.error)
        rows = []
        for measure, fill in kinds:
            if measures is not None and measure not in measures:
                continue
            values = self.values(measure, fill)
            if chosen in values:
                better = HIGHER_IS_BETTER[measure]
                for candidate, found in comparison(values, chosen, better, draws, seed).items():
                    named = {"measure": measure, "fill": fill, "candidate": candidate}
                    rows.append({**named, **asdict(found)})
        return _pandas().DataFrame(rows)

    def agreement(self) -> pd.DataFrame:
        """Tell how far measures agree: Spearman over the candidates, mean over photos.

        Every measure is turned so that higher is better; 1 where two rank the candidates alike.
        """
        from combicam_widgets.evaluation.statistics import agreement  # noqa: PLC0415

        kinds = dict.fromkeys((r.measure, r.fill) for r in self.rows if not r.error)
        turned = {
            f"{measure} {fill}".strip(): {
                name: x if HIGHER_IS_BETTER[measure] else -x
                for name, x in self.values(measure, fill).items()
            }
            for measure, fill in kinds
        }
        return _pandas().DataFrame(agreement(turned), index=list(turned), columns=list(turned))

    def figure(
        self, kind: str = "differences", measure: str = "worth", fill: str = ""
    ) -> go.Figure:
        """Draw the study.

        Parameters
        ----------
        kind : {"differences", "ranks", "layers"}
            - ``differences``: a dot per photo and candidate, its difference to the reference, with
              mean and 95 % interval.
            - ``ranks``: mean rank of each candidate, and the critical difference (Nemenyi, 5 %).
            - ``layers``: candidates that are called "only ...", in order: which layers carry the
              answer.
        measure : str
        fill : str
            Default: the mean over the fills.
        """
        from combicam_widgets.evaluation import figures  # noqa: PLC0415

        values = self.values(measure, fill)
        words = f"{measure}, {fill or 'mean over fills'}" if measure in BY_FILL else measure
        if kind == "differences":
            return figures.differences(values, self._reference(None), words)
        if kind == "ranks":
            return figures.ranks(values, HIGHER_IS_BETTER[measure], words)
        if kind == "layers":
            alone = {n[len("only ") :]: x for n, x in values.items() if n.startswith("only ")}
            if not alone:
                raise ValueError(
                    "No layer was measured alone: give the study evaluation.single_layers(...)."
                )
            return figures.layers(alone, words)
        raise ValueError(f"kind must be 'differences', 'ranks' or 'layers', not {kind!r}.")

    def to_csv(self, path: str | Path) -> None:
        """Write all rows to a ".csv" or ".txt" file, or to a compressed ".gz"; see `from_csv`."""
        file = files.destination(path, (".csv", ".txt", ".gz"))
        packed = Path(path).suffix.lower() == ".gz"  # a link may lead to a file of another name
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        for row in self.rows:
            value = "" if np.isnan(row.value) else repr(row.value)
            writer.writerow(
                [self.model, row.photo, row.candidate, row.measure, row.fill, value, row.error]
            )
        content = text.getvalue().encode("utf-8")
        # No time stands in what is written.
        files.write(file, gzip.compress(content, mtime=0) if packed else content)

    @classmethod
    def from_csv(cls, path: str | Path, reference: str = COMBI_CAM.name) -> Study:
        """Read what `to_csv` wrote. ValueError if the file is something else."""
        try:
            table = csv.DictReader(io.StringIO(_text(files.source(path)), newline=""))
            found = list(table)
            if not set(_COLUMNS) <= set(table.fieldnames or ()):
                raise ValueError("columns are missing")
            if any(None in line or None in line.values() for line in found):
                raise ValueError("a row has too many values, or too few")
            rows = tuple(
                Row(
                    photo=line["photo"],
                    candidate=line["candidate"],
                    measure=line["measure"],
                    fill=line["fill"],
                    value=float(line["value"] or "nan"),
                    error=line["error"],
                )
                for line in found
            )
        except _NO_TABLE as error:
            raise ValueError(
                f"{path} does not hold a study saved by this package, or is cut off: save or copy "
                "it again."
            ) from error
        return cls(rows, reference, found[0]["model"] if found else "")

    @classmethod
    def from_folder(cls, folder: str | Path, reference: str = COMBI_CAM.name) -> Study:
        """Read what `study` has put into ``out`` so far, also while it is still running."""
        where = files.source(folder)
        about = where / "study.json"
        try:
            model = json.loads(files.content(about))["model"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{folder} holds no study: there is no study.json in it.") from error
        measured = sorted(where.glob("[0-9]*.json"))
        return cls(tuple(row for file in measured for row in _rows(file)), reference, model)

    def to_parquet(self, path: str | Path) -> None:
        """Write the table to a ".parquet" file; needs the extra ``study``."""
        file = files.destination(path, (".parquet", ".pq"))
        files.write(file, self.table().to_parquet(index=False))

    def _reference(self, name: str | None) -> str:
        chosen = self.reference if name is None else name
        if not self.candidates:
            why = f": {self.errors[0].error}" if self.errors else ""
            raise ValueError(f"The study of {len(self.photos)} photos has no values{why}.")
        if chosen not in self.candidates:
            raise ValueError(
                f"The study has no candidate {chosen!r}; it has {', '.join(self.candidates)}."
            )
        return chosen

    def __repr__(self) -> str:
        failed = len({row.photo for row in self.errors if not row.candidate})
        return (
            f"Study({self.model}: {len(self.photos)} photos, {failed} of them failed, "
            f"{len(self.candidates)} candidates, {len(self.rows)} rows)"
        )


def study(
    model: Model,
    photos: Mapping[str, Photo | Tensor | ImageSource] | Sequence[Photo | Tensor | ImageSource],
    candidates: Candidates = ("Combi-CAM", "last layer", "hirescam, mean", "by worth"),
    measures: Sequence[str] = ("insertion", "deletion", "worth", "drop", "gain"),
    *,
    reference: str = COMBI_CAM.name,
    fills: Sequence[Fill] = CHOOSING,
    steps: int = 10,
    seed: int = 0,
    out: str | Path | None = None,
    client: Any = None,  # noqa: ANN401 - distributed is an extra
    progress: Progress | None = None,
) -> Study:
    """Measure candidates on photos; the four controls are always measured beside them.

    Parameters
    ----------
    model : GeoModel or nn.Module
    photos : mapping from name to photo, or sequence
        Photos, or whatever `load_image` reads; for a module tensors (1, K, h, w). A photo that
        cannot be read gets a row that says why.
    candidates : sequence of str or Candidate, or mapping
        Names as in `named_candidate`; in a mapping from names also functions
        ``(model, photo, maps) -> Candidate or heatmap``. The reference is added if it is missing.
    measures : sequence of str
        Of `HIGHER_IS_BETTER`.
    reference : str
        Name of the candidate that others are compared with.
    fills : sequence of str or callable
        What stands where the photo is taken away; see `fills.filled`.
    steps, seed : int
        Steps of insertion and deletion; seed of everything that is drawn, the same for each photo.
    out : path, optional
        Folder that gets one file per photo as soon as it is measured. Photos that are there
        already are not measured again: a study that was stopped goes on.
    client : distributed.Client, optional
        A Dask cluster to work on, with the same results; needs the extra ``dask``. Functions among
        the candidates and fills are then to be in a module that the workers have, too.
    progress : callable, optional
        Called as ``progress(done, total)`` after each photo; what it raises stops the study, and
        what is finished stays in ``out``.

    Returns
    -------
    Study

    Raises
    ------
    TypeError, ValueError
        The argument that is wrong, or ``out`` holds another study.
    """
    named = _named_photos(photos)
    plan = _plan(model, candidates, measures, reference, fills, steps, seed)
    name = model.name if isinstance(model, GeoModel) else type(model).__name__
    folder = None if out is None else _folder(files.source(out), {"model": name, **plan.facts()})
    places = {} if folder is None else {n: folder / f"{i:05}.json" for i, n in enumerate(named, 1)}
    found = {label: _read(file, label) for label, file in places.items()}
    rows = {label: each for label, each in found.items() if each is not None}
    left = [Given(label, photo) for label, photo in named.items() if label not in rows]
    for count in range(1, len(rows) + 1):
        if progress is not None:
            progress(count, len(named))
    work = run(model, batches(left, 1), _MeasurePhotos(plan), client)
    with closing(work):
        for batch in work:
            (label,) = (given.name for given in batch.photos)
            rows[label] = batch.result
            if label in places:
                _write(places[label], [asdict(row) for row in batch.result])
            if progress is not None:
                progress(len(rows), len(named))
    return Study(tuple(row for label in named for row in rows[label]), reference, name)


@dataclass(frozen=True)
class _MeasurePhotos:
    """The task of a study: one photo at a time."""

    plan: Plan

    def prepare(
        self,
        model: Model,  # noqa: ARG002
        batch: Sequence[Given],
    ) -> tuple[str, Photo | Tensor | ImageSource]:
        """Read a photo; one that cannot be read is left to `measure_photo`, which says so."""
        (given,) = batch
        if not isinstance(given.source, Tensor):
            with contextlib.suppress(OSError, ValueError, TypeError):
                return given.name, given.load()
        return given.name, given.source

    def work(self, model: Model, prepared: tuple[str, Photo | Tensor | ImageSource]) -> list[Row]:
        """Measure the photo."""
        return measure_photo(model, *prepared, self.plan)

    def registered(self) -> Registered:
        """Tell what the candidates need that is not built in."""
        return self.plan.registered()

    def failed(self, batch: Sequence[Given], error: str) -> list[Row]:
        """Say why there is no value."""
        return [Row(given.name, "", "", "", np.nan, error) for given in batch]


def _plan(
    model: Model,
    candidates: Candidates,
    measures: Sequence[str],
    reference: str,
    fills: Sequence[Fill],
    steps: int,
    seed: int,
) -> Plan:
    for argument, value in {"measures": measures, "fills": fills}.items():
        if isinstance(value, str):
            raise TypeError(f"{argument} must be a sequence, such as [{value!r}], not a str.")
    layers = model.layers if isinstance(model, GeoModel) else ()
    resolved = resolved_candidates(candidates, layers)
    if reference not in resolved:
        resolved = {reference: named_candidate(reference, layers), **resolved}
    if unknown := [measure for measure in measures if measure not in HIGHER_IS_BETTER]:
        raise ValueError(
            f"Unknown measure {unknown[0]!r}; the measures are {', '.join(HIGHER_IS_BETTER)}."
        )
    if not measures or not fills:
        raise ValueError("measures and fills must each hold at least one.")
    return Plan(resolved, tuple(measures), tuple(fills), steps, seed)


def _named_photos(photos: Any) -> dict[str, Any]:  # noqa: ANN401
    """Name photos that come without names: by their own, or by number; no name twice."""
    if isinstance(photos, Mapping):
        return {str(name): photo for name, photo in photos.items()}
    if isinstance(photos, (str, bytes, Photo, Tensor)) or not isinstance(photos, Iterable):
        raise TypeError("photos must be a mapping or a sequence of photos.")
    named: dict[str, Any] = {}
    for number, photo in enumerate(photos, 1):
        own = photo.name if isinstance(photo, Photo) else ""
        if isinstance(photo, (str, os.PathLike)):
            own = Path(photo).name
        label = own if own and own not in named else f"{own} {number}".strip()
        named[label] = photo
    return named


def _text(path: Path) -> str:
    """Read a text file, through gzip if its name says so; ValueError if it is far too large."""
    content = files.content(path)
    if path.suffix.lower() == ".gz":
        with gzip.open(io.BytesIO(content)) as packed:
            content = packed.read(files.MOST + 1)
        if len(content) > files.MOST:
            raise ValueError("it holds more than it should")
    return content.decode("utf-8")


def _folder(folder: Path, facts: Mapping[str, Any]) -> Path:
    """Make the folder of a study, or check that what it holds is this one."""
    if folder.is_file():
        raise NotADirectoryError(f"{str(folder)!r} is a file: give a folder")
    folder.mkdir(parents=True, exist_ok=True)
    about = folder / "study.json"
    said = {"format": _FORMAT, **json.loads(json.dumps(facts))}
    if not about.exists():
        _write(about, said)
    elif (there := _parsed(about)) != said:
        differ = [key for key in said if there.get(key) != said[key]]
        raise ValueError(
            f"{folder} holds another study ({', '.join(differ)} differ): give an empty folder."
        )
    return folder


def _read(file: Path, photo: str) -> list[Row] | None:
    """Read the rows of a photo that was measured before; None if it was not."""
    if not file.exists():
        return None
    rows = _rows(file)
    if any(row.photo != photo for row in rows):
        raise ValueError(
            f"{file} holds the photo {rows[0].photo!r} and not {photo!r}: give the photos in the "
            "same order, or an empty folder."
        )
    return rows


def _rows(file: Path) -> list[Row]:
    return [
        Row(**{**row, "value": np.nan if row["value"] is None else row["value"]})
        for row in _parsed(file)
    ]


def _parsed(file: Path) -> Any:  # noqa: ANN401
    """Parse JSON; says which file is damaged, and what to do."""
    try:
        return json.loads(files.content(file))
    except ValueError as error:
        raise ValueError(
            f"{file} is cut short or damaged: delete it, and what is missing is measured again."
        ) from error


def _write(file: Path, content: object) -> None:
    """Write JSON so that a file is there whole or not at all."""
    if isinstance(content, list):
        content = [
            {**row, "value": None if np.isnan(row["value"]) else row["value"]} for row in content
        ]
    files.write(file, json.dumps(content).encode())


def _pandas() -> Any:  # noqa: ANN401
    try:
        import pandas as pd  # noqa: PLC0415
    except ImportError as error:
        raise ImportError("Tables need pandas: pip install 'combicam_widgets[study]'.") from error
    return pd
