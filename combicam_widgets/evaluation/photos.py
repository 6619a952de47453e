"""What a study measures on one photo, and the rows that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from combicam_widgets import cam
from combicam_widgets.evaluation.asking import Question, question
from combicam_widgets.evaluation.candidates import COMBI_CAM, Candidate
from combicam_widgets.evaluation.controls import controls
from combicam_widgets.evaluation.explaining import adcc, explainer, explanation, max_sensitivity
from combicam_widgets.evaluation.fills import Fill, fill_name
from combicam_widgets.evaluation.imputing import road
from combicam_widgets.evaluation.masking import area_gain, masked, saco
from combicam_widgets.evaluation.revealing import Heatmap, resized, reveal
from combicam_widgets.evaluation.weighing import NothingWorth, by_worth
from combicam_widgets.images import ImageSource, Photo, load_image
from combicam_widgets.models import GeoModel
from combicam_widgets.running import reason

Model: TypeAlias = GeoModel | nn.Module

HowToExplain: TypeAlias = Callable[[Model, Photo | Tensor, cam.LayerMaps], "Candidate | Heatmap"]
"""A function from model, photo and layer maps to a candidate, or to a heatmap in [0, 1]."""

CONTROLS = ("random", "centre", "uniform", "edges")
"""Heatmaps that know nothing of the answer, which are always measured beside the candidates."""

BY_FILL = {
    "insertion": True,
    "deletion": False,
    "worth": True,
    "drop": False,
    "increase": True,
    "gain": True,
    "saco": True,
    "area_gain": True,
}
"""Measures that depend on the fill; whether higher is better."""

OVERALL = {
    "road": True,
    "complexity": False,
    "adcc": True,
    "coherency": True,
    "max_sensitivity": False,
}
"""Measures that do not; whether higher is better. The last three explain each photo again."""

HIGHER_IS_BETTER: Mapping[str, bool] = {**BY_FILL, **OVERALL}
"""All measures of a study; whether higher is better."""

_AGAIN = ("adcc", "coherency", "max_sensitivity")

ROAD_AREAS = (0.2, 0.5, 0.8)
"""Parts of the photo that a study removes for ROAD."""


@dataclass(frozen=True)
class Row:
    """One value of a study, or the reason why there is none.

    Attributes
    ----------
    photo : str
        Name of the photo.
    candidate : str
        Name of the candidate or control; "" if the whole photo failed.
    measure : str
        One of `HIGHER_IS_BETTER`; "" if there is no value.
    fill : str
        The fill; "" for measures that know none.
    value : float
        NaN if there is none.
    error : str
        Why there is no value; "" if there is one.
    """

    photo: str
    candidate: str
    measure: str
    fill: str
    value: float
    error: str = ""


@dataclass(frozen=True)
class Plan:
    """What is measured on each photo, whichever it is: with the model, all that a row depends on.

    Attributes
    ----------
    candidates : mapping from str to Candidate or function
    measures : tuple of str
    fills : tuple of str or functions
    steps : int
        Steps of insertion and deletion.
    seed : int
    """

    candidates: Mapping[str, Candidate | HowToExplain]
    measures: tuple[str, ...]
    fills: tuple[Fill, ...]
    steps: int
    seed: int

    def registered(self, methods: Iterable[str] = ()) -> cam.Registered:
        """Pick what people registered and the candidates need; and of further CAM methods."""
        made = [each for each in self.candidates.values() if isinstance(each, Candidate)]
        return cam.Registered.among(
            {*methods, *(each.method for each in made)}, {each.rule for each in made}
        )

    def facts(self) -> dict[str, Any]:
        """Give what must be the same for results to belong together, for JSON."""
        return {
            "candidates": {
                name: asdict(each) if isinstance(each, Candidate) else "a function"
                for name, each in self.candidates.items()
            },
            "measures": list(self.measures),
            "fills": [fill_name(fill) for fill in self.fills],
            "steps": self.steps,
            "seed": self.seed,
        }


def measure_photo(
    model: Model, name: str, photo: Photo | Tensor | ImageSource, plan: Plan
) -> list[Row]:
    """Measure all candidates and controls on one photo.

    Depends on its arguments only, so that photos can be measured in any order, anywhere.

    Returns
    -------
    list of Row
        If the photo cannot be read or explained, one row that says why; if a candidate fails, one
        row for it.
    """
    try:
        seen = photo if isinstance(photo, (Photo, Tensor)) else load_image(photo)
        maps = explanation(model, seen, methods=methods_of(plan.candidates.values()))
        asks = question(model, seen, maps.target)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        return [Row(name, "", "", "", np.nan, reason(error))]
    rows: list[Row] = []
    heatmaps: dict[str, npt.NDArray[np.float32]] = {}
    made: dict[str, Candidate] = {}
    size = (asks.batch.shape[2], asks.batch.shape[3])
    for label, how in plan.candidates.items():
        try:
            found = how if isinstance(how, Candidate) else how(model, seen, maps)
            if isinstance(found, Candidate):
                made[label] = found
                heatmaps[label] = found.heatmap(maps, size)
            else:
                heatmaps[label] = resized(found, asks.batch)
        except Exception as error:  # noqa: BLE001  (a user's function may raise anything: its row says what)
            rows.append(Row(name, label, "", "", np.nan, reason(error)))
    heatmaps.update(controls(asks.batch, plan.seed))
    try:
        rows += measured(model, name, asks, heatmaps, made, plan)
    except (ValueError, TypeError, RuntimeError) as error:
        return [Row(name, "", "", "", np.nan, reason(error))]
    return rows


def measured(
    model: Model,
    name: str,
    asks: Question,
    heatmaps: Mapping[str, Heatmap],
    made: Mapping[str, Candidate],
    plan: Plan,
) -> list[Row]:
    """Measure heatmaps of one photo: a row for each measure, fill and heatmap."""
    maps, wanted = list(heatmaps.values()), set(plan.measures)
    rows: list[Row] = []
    for fill in plan.fills:
        for measures, values in _BY_FILL:
            if wanted & set(measures):
                found = values(asks, maps, fill, plan)
                rows += _kept(name, heatmaps, found, wanted, fill_name(fill))
    if "road" in wanted:
        found = {
            "road": road(asks.ask, asks.batch, maps, areas=ROAD_AREAS, seed=plan.seed).combined
        }
        rows += _kept(name, heatmaps, found, wanted)
    if "complexity" in wanted:
        found = {"complexity": [heat.mean(dtype=np.float64) for heat in maps]}
        rows += _kept(name, heatmaps, found, wanted)
    for label, candidate in made.items() if wanted & set(_AGAIN) else ():
        explain = explainer(model, candidate, asks.target)
        again: dict[str, Sequence[float]] = {}
        if wanted & {"adcc", "coherency"}:
            parts = adcc(asks.ask, explain, asks.batch, seed=plan.seed)
            again |= {"adcc": [parts.value], "coherency": [parts.coherency]}
        if "max_sensitivity" in wanted:
            again["max_sensitivity"] = [max_sensitivity(explain, asks.batch, seed=plan.seed)]
        rows += _kept(name, [label], again, wanted)
    return rows


Values: TypeAlias = Mapping[str, Sequence[float] | npt.NDArray[np.float64]]


def _kept(
    photo: str, labels: Iterable[str], found: Values, wanted: set[str], fill: str = ""
) -> list[Row]:
    """Make rows of the measures that are wanted: one value for each label."""
    names = list(labels)
    return [
        Row(photo, label, measure, fill, float(value))
        for measure, values in found.items()
        if measure in wanted
        for label, value in zip(names, values, strict=True)
    ]


def _curves(asks: Question, maps: Sequence[Heatmap], fill: Fill, plan: Plan) -> Values:
    p, steps, seed = asks.probability, plan.steps, plan.seed
    found = reveal(asks.ask, asks.batch, maps, fill, steps=steps, seed=seed, probability=p)
    return {"insertion": found.insertion, "deletion": found.deletion, "worth": found.worth}


def _masked(asks: Question, maps: Sequence[Heatmap], fill: Fill, plan: Plan) -> Values:
    found = masked(asks.ask, asks.batch, maps, fill, seed=plan.seed)
    return {"drop": found.drop, "increase": found.increase, "gain": found.gain}


def _saco(asks: Question, maps: Sequence[Heatmap], fill: Fill, plan: Plan) -> Values:
    return {"saco": [saco(asks.ask, asks.batch, heat, fill, seed=plan.seed) for heat in maps]}


def _area_gain(asks: Question, maps: Sequence[Heatmap], fill: Fill, plan: Plan) -> Values:
    return {"area_gain": area_gain(asks.ask, asks.batch, maps, fill, seed=plan.seed)}


_BY_FILL: tuple[tuple[tuple[str, ...], Callable[..., Values]], ...] = (
    (("insertion", "deletion", "worth"), _curves),
    (("drop", "increase", "gain"), _masked),
    (("saco",), _saco),
    (("area_gain",), _area_gain),
)
"""What is measured together with one fill."""


def methods_of(candidates: Iterable[Candidate | HowToExplain]) -> list[str]:
    """List the CAM methods that candidates need; functions may look at all that are built in."""
    needed: dict[str, None] = {}
    for each in candidates:
        needed |= dict.fromkeys([each.method] if isinstance(each, Candidate) else cam.METHODS)
    # Slow methods are not made by a pass: their candidates have a row that says so.
    return [name for name in needed if name not in cam.SLOW_METHODS] or [cam.METHODS[0]]


def worth_or_equal(model: Model, photo: Photo | Tensor, maps: cam.LayerMaps) -> Candidate:
    """Weigh by worth, as a candidate of a study; all layers alike where none is worth anything."""
    try:
        return by_worth(model, photo, maps)
    except NothingWorth:
        return Candidate("by worth", "hirescam", "mean")


def resolved_candidates(
    candidates: Any,  # noqa: ANN401 - checked here
    layers: Sequence[str],
) -> dict[str, Candidate | HowToExplain]:
    """Find out what candidates are meant: by name, none of them twice, none called as a control.

    Parameters
    ----------
    candidates : sequence of str or Candidate, or mapping from names to these or functions
    layers : sequence of str
        The model's layers.

    Raises
    ------
    TypeError, ValueError
        Which one is wrong, and why.
    """
    resolved: dict[str, Candidate | HowToExplain] = {}
    for label, each in _by_name(candidates).items():
        if label in CONTROLS:
            raise ValueError(f"{label!r} is the name of a control; call the candidate otherwise.")
        if not isinstance(each, (str, Candidate)) and not callable(each):
            raise TypeError(f"The candidate {label!r} must be a name, a Candidate or a function.")
        resolved[label] = named_candidate(each, layers) if isinstance(each, str) else each
    return resolved


def _by_name(candidates: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give candidates by name, none of them twice."""
    if isinstance(candidates, Mapping):
        return dict(candidates)
    if isinstance(candidates, str) or not isinstance(candidates, Iterable):
        raise TypeError(f"candidates must be a sequence or a mapping, not {candidates!r}.")
    given: dict[str, Any] = {}
    for each in candidates:
        label = each.name if isinstance(each, Candidate) else each
        if not isinstance(label, str):
            raise TypeError(f"A candidate that is {each!r} needs a name: give a mapping.")
        if label in given:
            raise ValueError(f"Two candidates are called {label!r}.")
        given[label] = each
    return given


def named_candidate(name: str, layers: Sequence[str]) -> Candidate | HowToExplain:
    """Find the candidate that a name means.

    Parameters
    ----------
    name : str
        "Combi-CAM", "by worth", "last layer", a fusion rule ("sum": of Grad-CAM's maps), a CAM
        method ("hirescam": its mean over the layers), or both ("hirescam, max").
    layers : sequence of str
        The model's layers.

    Raises
    ------
    ValueError
        It means nothing.
    """
    if name == COMBI_CAM.name:
        return COMBI_CAM
    if name == "by worth":
        return worth_or_equal
    if name == "last layer":
        return Candidate(name, "gradcam", "sum", {layers[-1]: 1.0})
    quick = [each for each in cam.method_names() if each not in cam.SLOW_METHODS]
    method, comma, rule = (part.strip() for part in name.partition(","))
    if not comma:
        method, rule = (name, "mean") if name in quick and name != "layercam" else ("gradcam", name)
    if method in quick and rule in cam.rule_names():
        return Candidate(name, method, rule)
    raise ValueError(
        f"Unknown candidate {name!r}: give 'Combi-CAM', 'by worth', 'last layer', a rule "
        f"({', '.join(cam.rule_names())}) or 'method, rule' such as 'hirescam, mean'."
    )
