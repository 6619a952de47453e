"""Explain many photos: into a folder that grows batch by batch, or in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from combicam_widgets import cam, files
from combicam_widgets.evaluation.candidates import COMBI_CAM
from combicam_widgets.evaluation.fills import CHOOSING, Fill
from combicam_widgets.evaluation.photos import HIGHER_IS_BETTER, Plan, resolved_candidates
from combicam_widgets.evaluation.studies import Candidates
from combicam_widgets.images import Photo
from combicam_widgets.many import storing
from combicam_widgets.many.collection import Many, collected, table_columns
from combicam_widgets.many.columns import row_of
from combicam_widgets.many.schema import schema
from combicam_widgets.many.task import ALONE, ExplainPhotos, methods_needed
from combicam_widgets.models import GeoModel, load_model
from combicam_widgets.running import Given, Photos, Progress, batches, listed, run, shown
from combicam_widgets.whole import whole

_BATCH = 16
"""Photos that are read, worked on and written together: what a crash may cost."""


def explain_many(
    model: GeoModel | str,
    photos: Photos,
    *,
    methods: Sequence[str] | None = None,
    candidates: Candidates = (COMBI_CAM.name,),
    measures: Sequence[str] = (),
    fills: Sequence[Fill] = CHOOSING,
    steps: int = 10,
    seed: int = 0,
    positions: bool | None = None,
    batch: int = _BATCH,
    out: str | Path | None = None,
    client: Any = None,  # noqa: ANN401 - distributed is an extra
    progress: Progress = None,
) -> Many:
    """Explain many photos: their answers, layer maps, shares, and what these are worth.

    Parameters
    ----------
    model : GeoModel or str
        Or the name of one, for `load_model`. It works where it is: on a GPU after
        ``model.to("cuda")``.
    photos
        A folder, a glob, a CSV file with a column ``path`` and perhaps ``latitude`` and
        ``longitude``, a mapping from names, an iterable of whatever `load_image` takes, or a torch
        ``Dataset`` of pictures. A generator is never held as a whole.
    methods : sequence of str, optional
        CAM methods whose maps are kept; those that the candidates need always are.
    candidates : sequence of str or Candidate, or mapping
        Ways to make a heatmap, as for `evaluation.study`; functions must give a `Candidate`. The
        first is the one that the shares are of.
    measures : sequence of str
        What is measured of each candidate, as for `evaluation.study` ("worth", "insertion", ...),
        as mean over the fills; and "layer worth", of each layer alone. Each takes many passes.
    fills, steps, seed
        As for `evaluation.study`.
    positions : bool, optional
        Whether the positions stored in photos are the truth that distances are measured to. They
        are then written into ``out``, and so told to whoever gets the folder. Default: those of a
        CSV file only. False: no truth at all.
    batch : int
        Photos that are read, explained (those of one size together) and written at a time, and
        that a Dask worker gets at a time. More is faster on a GPU.
    client : distributed.Client, optional
        A Dask cluster to work on; needs the extra ``dask``. The results are those of one machine,
        bit for bit if that has such processors and torch works in one thread there, too.
    out : path, optional
        A folder for the results; needs the extra ``many``. What is there already is not worked
        out again, but for photos that had an error. Default: everything stays in memory.
    progress : callable or bool, optional
        Called as ``progress(done, total)`` after each batch; what it raises stops the run. Or
        whether to draw a bar; default: in notebooks and terminals.

    Returns
    -------
    Many
        A photo that cannot be read or explained has a row that says why.

    Raises
    ------
    TypeError, ValueError, OSError
        The argument that is wrong; or ``out`` holds the results of another model or other
        settings, of which nothing is changed.
    RuntimeError
        Another run is at work in ``out``.
    ImportError
        An extra is missing; the message says which.
    KeyboardInterrupt, or what ``progress`` raises
        What is done stays in ``out``, and the same call goes on.
    """
    geo = load_model(model) if isinstance(model, str) else model
    if not isinstance(geo, GeoModel):
        raise TypeError(f"model must be a GeoModel or the name of one, not {type(geo).__name__}.")
    size = whole(batch)
    if size is None or size < 1:
        raise ValueError(f"batch must be a number of photos, at least 1, not {batch!r}.")
    task = _task(geo, methods, candidates, measures, fills, steps, seed, positions)
    given, total = listed(photos)
    facts = _facts(geo, task)
    if out is None:
        return _explained(geo, given, total, task, size, facts, None, client, progress)
    folder = files.source(out)
    storing.made(folder, facts)
    with storing.locked(folder):
        return _explained(geo, given, total, task, size, facts, folder, client, progress)


def _explained(
    model: GeoModel,
    given: Iterable[Given],
    total: int | None,
    task: ExplainPhotos,
    size: int,
    facts: dict[str, Any],
    folder: Path | None,
    client: Any,  # noqa: ANN401 - distributed is an extra
    progress: Progress,
) -> Many:
    columns = table_columns(facts)
    store = storing.Memory() if folder is None else storing.Folder(folder, columns)
    tour = _Tour(given, total, store.rows())
    places = cache(model.cells.name)
    if isinstance(store, storing.Folder):
        store.sweep()
        store.describe(schema(facts, columns))
        if total is not None:
            store.remember(tour.places)
    work = run(model, _tried(model, tour.batches(size)), task, client)
    try:
        with shown(progress, total) as tell:
            tell(tour.done)
            for each in work:
                rows = [
                    row_of(x, list(columns), "" if x.error else places(int(x.values["cell"])))
                    for x in each.result
                ]
                store.keep(each.result, rows)
                tour.done += len(rows)
                tell(tour.done)
            tell(tour.done)  # a bar without batches is full, too
    except BaseException as stopped:
        with contextlib.suppress(OSError):  # the disk may be full
            _finish(store, tour)
        if folder is not None:
            stopped.add_note(f"{tour.done} photos are done, in {folder}; the same call goes on.")
        raise
    finally:
        work.close()
    _finish(store, tour)
    return collected(facts, store, list(tour.places), tour.photos, folder, model)


def _finish(store: storing.Store, tour: _Tour) -> None:
    """Write the whole table, and which photos there are."""
    if isinstance(store, storing.Folder):
        store.remember(tour.places)
        store.finish(list(tour.places))


class _Tour:
    """Goes through photos once, and leaves out those that are done.

    Attributes
    ----------
    places : dict from name to str
        All photos in order, and where their files are; of a generator, those that came so far.
    photos : dict from name to Given
        Those that can be read again.
    done : int
    """

    def __init__(
        self, given: Iterable[Given], total: int | None, rows: Mapping[str, storing.Row]
    ) -> None:
        self._given, self._rows, self._streamed = given, rows, total is None
        self.places: dict[str, str] = {}
        self.photos: dict[str, Given] = {}
        self.done = 0
        if not self._streamed:
            for each in given:
                self._meet(each)

    def batches(self, size: int) -> Iterator[tuple[Given, ...]]:
        """Give the batches that are to be worked on: always the same photos together."""
        rest = not self._streamed and not all(map(self._is_done, self.photos.values()))
        for batch in batches(self._given, size):
            if self._streamed:
                for each in batch:
                    self._meet(each)
            left = tuple(each for each in batch if not self._is_done(each))
            for each in batch if rest else ():
                if each.is_told_when_read and each not in left:
                    _readable(each)  # so that those that come later are told from it
            self.done += len(batch) - len(left)
            if left:
                yield left

    def _meet(self, given: Given) -> None:
        self.places[given.name] = given.path
        if given.path or not self._streamed:  # what a generator gave is not held
            self.photos[given.name] = given

    def _is_done(self, given: Given) -> bool:
        """Whether there is a row that says what would come out again."""
        row = self._rows.get(given.name)
        return row is not None and given.would_say(row["error"])


def _tried(model: GeoModel, rest: Iterator[tuple[Given, ...]]) -> Iterator[tuple[Given, ...]]:
    """Ask the model about the first photo that can be read, so that what is wrong with it is said.

    A network that takes one size only is fitted by that, too, before it goes to other machines.
    """
    asked = False
    for batch in rest:
        for given in batch if not asked else ():
            photo = _readable(given)
            if photo is not None:
                model.predict(photo)
                asked = True
                break
        yield batch


def _readable(given: Given) -> Photo | None:
    try:
        return given.load()
    except Exception:  # noqa: BLE001  (its row will say so)
        return None


def _task(
    model: GeoModel,
    methods: Sequence[str] | None,
    candidates: Candidates,
    measures: Sequence[str],
    fills: Sequence[Fill],
    steps: int,
    seed: int,
    positions: bool | None,  # noqa: FBT001
) -> ExplainPhotos:
    for argument, value in {"methods": methods, "measures": measures, "fills": fills}.items():
        if isinstance(value, str):
            raise TypeError(f"{argument} must be a sequence, such as [{value!r}], not a str.")
    known = [*HIGHER_IS_BETTER, ALONE]
    if unknown := [measure for measure in measures if measure not in known]:
        raise ValueError(f"Unknown measure {unknown[0]!r}; the measures are {', '.join(known)}.")
    if unknown := [method for method in methods or () if method not in cam.method_names()]:
        raise ValueError(
            f"Unknown CAM method {unknown[0]!r}; the methods are {', '.join(cam.method_names())}."
        )
    if slow := [method for method in methods or () if method in cam.SLOW_METHODS]:
        raise ValueError(
            f"The method {slow[0]!r} takes a pass for each channel, too many for many photos."
        )
    resolved = resolved_candidates(candidates, model.layers)
    if not resolved or not fills:
        raise ValueError("candidates and fills must each hold at least one.")
    if positions is not None and not isinstance(positions, bool):
        raise TypeError(f"positions must be True, False or None, not {positions!r:.60}.")
    wanted = tuple(measure for measure in measures if measure != ALONE)
    plan = Plan(resolved, wanted, tuple(fills), steps, seed)
    alone = ALONE in measures
    return ExplainPhotos(plan, methods_needed(plan, alone=alone, given=methods), alone, positions)


def _facts(model: GeoModel, task: ExplainPhotos) -> dict[str, Any]:
    """Tell what must be the same for results to belong together."""
    return {
        "model": model.name,
        **model.fingerprint(),
        "layers": list(model.layers),
        "version": version("combicam_widgets"),
        "methods": list(task.methods),
        **task.plan.facts(),
        "layer_worth": task.alone,
        "positions": task.positions,
    }
