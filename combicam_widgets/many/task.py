"""What is worked out for each of many photos: its answer, its maps, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from combicam_widgets import cam
from combicam_widgets.evaluation.asking import question
from combicam_widgets.evaluation.candidates import Candidate
from combicam_widgets.evaluation.photos import Plan, measured, methods_of
from combicam_widgets.evaluation.revealing import Heatmap
from combicam_widgets.evaluation.weighing import METHOD, layer_worth
from combicam_widgets.images import Photo
from combicam_widgets.models import GeoModel
from combicam_widgets.running import Given, reason

ALONE = "layer worth"
"""The measure that asks what the map of each layer alone is worth."""

_AT_ONCE_ON_CPU = 8
"""Photos in one pass on a CPU: more are no faster there, and need more memory."""


@dataclass(frozen=True, eq=False)
class Packed:
    """The layer maps of one photo as they are kept: half as large, and nothing rounds to zero.

    Attributes
    ----------
    view, size : (h, w)
        Of what the network saw, and of the photo, in pixels.
    maps : mapping from CAM method to tuple of (h_l, w_l) float16 arrays
        In forward order; each divided by its scale, so in [0, 1].
    scales : (M, L) float32 array
        What they are multiplied by: the largest value of each map, 0 for silent ones.
    importances : (L,) float32 array
    probabilities : (C,) float32 array
    target : int
    """

    view: tuple[int, int]
    size: tuple[int, int]
    maps: Mapping[str, tuple[npt.NDArray[np.float16], ...]]
    scales: npt.NDArray[np.float32]
    importances: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    target: int

    @classmethod
    def of(cls, maps: cam.LayerMaps, size: tuple[int, int]) -> Packed:
        """Pack layer maps, whose size is that of the view."""
        scales = np.array([[x.max() for x in each] for each in maps.methods.values()], np.float32)
        packed = {
            method: tuple(
                np.divide(x, scale, out=np.zeros_like(x), where=scale > 0).astype(np.float16)
                for x, scale in zip(each, row, strict=True)
            )
            for (method, each), row in zip(maps.methods.items(), scales, strict=True)
        }
        return cls(
            view=maps.size,
            size=size,
            maps=packed,
            scales=scales,
            importances=maps.importances,
            probabilities=maps.probabilities,
            target=maps.target,
        )

    def unpacked(self, names: Sequence[str], size: tuple[int, int] | None = None) -> cam.LayerMaps:
        """Give the layer maps back, float32; default size: that of the photo."""
        methods = {
            method: tuple(x.astype(np.float32) * scale for x, scale in zip(each, row, strict=True))
            for (method, each), row in zip(self.maps.items(), self.scales, strict=True)
        }
        return cam.LayerMaps(
            names=tuple(names),
            methods=methods,
            method=next(iter(methods)),
            size=size or self.size,
            target=self.target,
            score="log_probability",
            probabilities=self.probabilities.copy(),
            importances=self.importances.copy(),
        )


@dataclass(frozen=True, eq=False)
class Explained:
    """One photo of many: what came of it.

    Attributes
    ----------
    name : str
    error : str
        What went wrong; "" if nothing did.
    values : mapping from str to float or str
        The columns of its row that the worker knows; see `collection.columns`.
    candidates : mapping from name to Candidate
        How its heatmaps are made: the same for all photos, but for those by worth.
    packed : Packed or None
        None if there are no maps.
    """

    name: str
    error: str = ""
    values: Mapping[str, float | str] = field(default_factory=dict)
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    packed: Packed | None = None


@dataclass(frozen=True, eq=False)
class Read:
    """A photo that was read, and what the network will see of it."""

    given: Given
    error: str = ""
    view: Tensor | None = None
    size: tuple[int, int] = (0, 0)
    position: tuple[float, float] | None = None
    photo: Photo | None = None


@dataclass(frozen=True)
class ExplainPhotos:
    """The task of `explain_many`.

    Attributes
    ----------
    plan : Plan
        Candidates and measures; ``ALONE`` is not among those.
    methods : tuple of str
        CAM methods whose maps are kept.
    alone : bool
        Whether each layer alone is measured.
    positions : bool or None
        Whether positions stored in photos count as the truth; None: those of a table only.
    """

    plan: Plan
    methods: tuple[str, ...]
    alone: bool
    positions: bool | None

    def prepare(self, model: GeoModel, batch: Sequence[Given]) -> list[Read]:
        """Read and transform photos; what cannot be read says why."""
        return [self._read(model, given) for given in batch]

    def work(self, model: GeoModel, prepared: Sequence[Read]) -> list[Explained]:
        """Explain photos, those of one size in one pass."""
        found: dict[str, Explained] = {}
        sizes: dict[tuple[int, ...], list[Read]] = {}
        for read in prepared:
            if read.view is None:
                found[read.given.name] = Explained(read.given.name, read.error)
            else:
                sizes.setdefault(tuple(read.view.shape), []).append(read)
        for alike in sizes.values():
            for some in _passes(model, alike):
                found |= {each.name: each for each in self._explained(model, some)}
        return [found[read.given.name] for read in prepared]

    def registered(self) -> cam.Registered:
        """Tell what the candidates and methods need that is not built in."""
        return self.plan.registered(self.methods)

    def failed(self, batch: Sequence[Given], error: str) -> list[Explained]:
        """Say of photos that nothing can be worked out, and why."""
        return [Explained(given.name, error) for given in batch]

    def _read(self, model: GeoModel, given: Given) -> Read:
        try:
            photo = given.load()
            view = model.transformed(photo)
        except Exception as error:  # noqa: BLE001  (data sets and transforms may raise anything)
            return Read(given, given.error or reason(error))
        stored = photo.position if self.positions else None
        kept = photo if self.plan.measures or self.alone or _functions(self.plan) else None
        position = None if self.positions is False else given.position or stored
        return Read(given, "", view, (photo.height, photo.width), position, kept)

    def _explained(self, model: GeoModel, some: Sequence[Read]) -> Iterator[Explained]:
        try:
            views = torch.cat([read.view for read in some if read.view is not None])
            maps, seen = model.explain_views(views, self.methods)
        except Exception:  # noqa: BLE001  (whatever it is, it shall not take the others along)
            for read in some:
                yield self._alone(model, read)
            return
        for read, each, words in zip(some, maps, seen, strict=True):
            yield self._one(model, read, each, words)

    def _alone(self, model: GeoModel, read: Read) -> Explained:
        """Explain one photo by itself, since something went wrong in its batch."""
        try:
            photo = read.photo or read.given.load()
            maps = model.explain(photo, methods=self.methods)
            height, width = model.view(photo).shape[2:]
            maps = replace(maps, size=(height, width))
        except Exception as error:  # noqa: BLE001  (its row says what)
            return Explained(read.given.name, reason(error))
        return self._one(model, read, maps, "")

    def _one(self, model: GeoModel, read: Read, maps: cam.LayerMaps, seen: str) -> Explained:
        try:
            return self._row(model, read, maps, seen)
        except Exception as error:  # noqa: BLE001  (a user's rule or function may raise anything)
            return Explained(read.given.name, reason(error))

    def _row(self, model: GeoModel, read: Read, maps: cam.LayerMaps, seen: str) -> Explained:
        best = model.prediction_of(maps).best
        packed = Packed.of(maps, read.size)
        maps = packed.unpacked(maps.names, maps.size)  # what is kept is what is measured
        values: dict[str, float | str] = {
            "cell": best.index,
            "latitude": best.latitude,
            "longitude": best.longitude,
            "probability": best.probability,
            "seen": seen or (model.seen(read.given.load()) if _names_alone(model) else ""),
        }
        if read.position is not None:
            values["true_latitude"], values["true_longitude"] = read.position
            values["distance_km"] = model.prediction_of(maps).distance_to(*read.position)
        made = {label: self._made(model, read, maps, label) for label in self.plan.candidates}
        main = next(iter(made.values()))
        shares = maps.with_method(main.method).shares(main.weights, main.rule)
        values |= {f"share: {name}": share for name, share in shares.items()}
        if read.photo is not None:
            values |= self._measures(model, read.photo, maps, made)
        return Explained(read.given.name, "", values, made, packed)

    def _made(self, model: GeoModel, read: Read, maps: cam.LayerMaps, label: str) -> Candidate:
        how = self.plan.candidates[label]
        found = how if isinstance(how, Candidate) else how(model, _photo(read), maps)
        if not isinstance(found, Candidate):
            raise TypeError(
                f"The candidate {label!r} must give a Candidate here, not {type(found).__name__}: "
                "heatmaps that are not made of the layer maps are for evaluation.study()."
            )
        return found

    def _measures(
        self,
        model: GeoModel,
        photo: Photo,
        maps: cam.LayerMaps,
        made: Mapping[str, Candidate],
    ) -> dict[str, float]:
        values: dict[str, float] = {}
        if self.plan.measures:
            asks = question(model, photo, maps.target)
            size = (asks.batch.shape[2], asks.batch.shape[3])
            heatmaps: dict[str, Heatmap] = {n: c.heatmap(maps, size) for n, c in made.items()}
            found: dict[str, list[float]] = {}
            for row in measured(model, "", asks, heatmaps, made, self.plan):
                key = row.measure
                if row.candidate != next(iter(made)):
                    key += f": {row.candidate}"
                found.setdefault(key, []).append(row.value)
            values |= {key: float(np.mean(each)) for key, each in found.items()}
        if self.alone:
            of = maps.with_method(METHOD)
            worths = layer_worth(model, photo, of, fills=self.plan.fills, seed=self.plan.seed)
            values |= {f"alone: {n}": float(w) for n, w in zip(of.names, worths, strict=True)}
        return values


def methods_needed(plan: Plan, *, alone: bool, given: Sequence[str] | None) -> tuple[str, ...]:
    """List the CAM methods whose maps are kept: those asked for, and those that are needed."""
    needed = [*(given or ()), *methods_of(plan.candidates.values()), *([METHOD] if alone else [])]
    return tuple(dict.fromkeys(needed))


def _functions(plan: Plan) -> bool:
    return not all(isinstance(each, Candidate) for each in plan.candidates.values())


def _photo(read: Read) -> Photo:
    return read.given.load() if read.photo is None else read.photo


def _names_alone(model: GeoModel) -> bool:
    """Whether a model names things, but not in the pass that explains."""
    kind = type(model)
    return kind.seen is not GeoModel.seen and kind.explain_views is GeoModel.explain_views


def _passes(model: GeoModel, alike: list[Read]) -> Iterator[list[Read]]:
    parameter: Any = next(model.network.parameters(), None)
    on_cpu = parameter is None or parameter.device.type == "cpu"
    at_once = _AT_ONCE_ON_CPU if on_cpu else len(alike)
    for first in range(0, len(alike), at_once):
        yield alike[first : first + at_once]
