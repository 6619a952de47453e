"""Measure candidates on the shipped models' photos, and write `docs/study.md` about it.

    python recipes/study.py measure    # an hour or two on one core; goes on where it was stopped
    python recipes/study.py write      # from the values in docs/study, in a minute

Every value of every photo is kept in `docs/study/*.csv.gz`, so that the page can be written again
without measuring, and so that others can compute what they miss.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

import study_page
import study_photos
from torch import set_num_threads

import combicam_widgets as ccw
from combicam_widgets import evaluation
from combicam_widgets.evaluation.photos import worth_or_equal

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "recipes" / ".cache" / "study"
VALUES = ROOT / "docs" / "study"

FILLS = (*evaluation.CHOOSING, "noise")
"""Three that worth is measured with, and one that took no part in choosing anything."""

SEED = 1
"""Of what is drawn for judging: ties, shuffled patches, noise. Choosing draws with another."""

ROUNDS = ({"atlas": 60, "naturalist": 16}, {"atlas": 120, "naturalist": 48}, {"atlas": 300})
"""How many photos are measured, one round after the other."""

FEW = {"atlas": 60, "naturalist": 12}
"""Photos for what is slow: ROAD, what explains again, and the layers one by one."""


def main() -> None:
    """Measure, or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("measure", "write"))
    what = parser.parse_args().what
    if what == "write":
        study_page.write(ROOT / "docs", VALUES)
        return
    set_num_threads(1)
    VALUES.mkdir(exist_ok=True)
    # Some of everything first, so that there is something to be seen early.
    for counts in ROUNDS:
        for name, count in counts.items():
            model = ccw.load_model(name)
            judged = photos_of(name, "judged", count)
            measure(model, "candidates", judged, candidates(model))
            if count == ROUNDS[0][name]:
                few = photos_of(name, "judged", FEW[name])
                layers = {each.name: each for each in evaluation.single_layers(model.layers)}
                measure(model, "layers", few, layers, measures=("worth",), fills=FILLS[:3])
                measure(model, "slow", few, rivals(model), measures=SLOW, fills=FILLS[:3])
                forget(model, few)
    model = ccw.load_model("naturalist")
    measure(model, "chosen on", photos_of("naturalist", "chosen on"), candidates(model))


def photos_of(name: str, part: str, count: int | None = None) -> dict[str, ccw.Photo]:
    """Load the first photos of a part for a model; default: all."""
    photos = study_photos.tiles if name == "atlas" else study_photos.samples
    return dict(islice(photos(part).items(), count))


SLOW = ("saco", "area_gain", "road", "complexity", "adcc", "coherency", "max_sensitivity")


def candidates(model: ccw.GeoModel) -> dict[str, evaluation.Candidate | Callable[..., object]]:
    """Name all candidates of the study for a model; the controls come by themselves."""
    fused = [
        *(evaluation.fused("gradcam", rule) for rule in ("mean", "max", "layercam", "product")),
        evaluation.fused("gradcam", "winsor"),
        evaluation.fused("gradcam++", "sum"),
        evaluation.fused("xgradcam", "sum"),
        *(evaluation.fused("hirescam", rule) for rule in ("sum", "mean", "max")),
        *(evaluation.fused("layercam", rule) for rule in ("sum", "mean", "layercam")),
        evaluation.last_layer(model.layers),
        evaluation.last_layer(model.layers, "hirescam"),
        evaluation.stages(model.architecture),
        learnt(model),
    ]
    return {
        "Combi-CAM": evaluation.COMBI_CAM,
        "by worth": worth_or_equal,
        "by worth, blur alone": by_blur,
        **{each.name: each for each in fused},
    }


def rivals(model: ccw.GeoModel) -> dict[str, evaluation.Candidate | Callable[..., object]]:
    """Name the few candidates for the slow measures."""
    every = candidates(model)
    few = ("Combi-CAM", "by worth", "learnt", "hirescam, mean", "last layer, gradcam")
    return {name: every[name] for name in few}


def by_blur(model: ccw.GeoModel, photo: ccw.Photo, maps: object) -> object:
    """Weigh by the worth with one fill alone, to see what it is worth with the others."""
    try:
        return evaluation.by_worth(model, photo, maps, fills=("blur",))
    except evaluation.NothingWorth:
        return evaluation.fused("hirescam", "mean")


def learnt(model: ccw.GeoModel) -> evaluation.Candidate:
    """Learn one set of weights from the photos that nothing is judged on; remembered."""
    file = CACHE / f"{model.name}-learnt.csv"
    if not file.exists():
        photos = photos_of(model.name, "chosen on")
        found = evaluation.learn_weights(
            model, photos.values(), progress=said(f"{model.name} learns")
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{name},{w!r}\n" for name, w in found.weights.items()))
    lines = (line.split(",") for line in file.read_text().split())
    weights = {name: float(weight) for name, weight in lines}
    return evaluation.Candidate("learnt", "hirescam", "mean", weights)


def measure(
    model: ccw.GeoModel,
    part: str,
    photos: Mapping[str, ccw.Photo],
    tried: Mapping[str, object],
    measures: tuple[str, ...] = ("insertion", "deletion", "worth", "drop", "gain"),
    fills: tuple[str, ...] = FILLS,
    steps: int = 5,
) -> None:
    """Run one study, going on where it was stopped, and keep its values."""
    found = evaluation.study(
        model,
        photos,
        tried,
        measures,
        fills=fills,
        steps=steps,
        seed=SEED,
        out=CACHE / f"{model.name}-{part.replace(' ', '-')}",
        progress=said(f"{model.name}, {part}"),
    )
    rows = tuple(replace(row, value=float(f"{row.value:.5g}")) for row in found.rows)
    replace(found, rows=rows).to_csv(VALUES / f"{model.name}-{part.replace(' ', '-')}.csv.gz")


def forget(model: ccw.GeoModel, photos: Mapping[str, ccw.Photo]) -> None:
    """Re-draw the weights from the top down, and keep how heatmaps correlate with those before."""
    file = VALUES / f"{model.name}-forgets.csv"
    if file.exists():
        return
    tried = [
        evaluation.COMBI_CAM,
        evaluation.fused("hirescam", "mean"),
        evaluation.last_layer(model.layers),
        *evaluation.single_layers(model.layers),
        *(
            replace(x, name=f"{x.name}, gradcam")
            for x in evaluation.single_layers(model.layers, "gradcam")
        ),
    ]
    lines = ["photo,candidate,step,correlation,entropy_rise"]
    tell = said(f"{model.name} forgets")
    few = dict(islice(photos.items(), 12))
    for done, (label, photo) in enumerate(few.items(), 1):
        found = evaluation.randomisation(model, photo, tried, seed=SEED)
        for name, correlations in found.correlations.items():
            rise = found.entropy_rise[name]
            lines += [
                f'"{label}","{name}",{step},{value:.4f},{rise:.4f}'
                for step, value in zip(found.steps, correlations, strict=True)
            ]
        tell(done, len(few))
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")


def said(what: str) -> Callable[[int, int], None]:
    """Tell how far it is, at most every ten seconds."""
    last = [0.0]

    def tell(done: int, total: int) -> None:
        if done == total or time.monotonic() > last[0] + 10:
            last[0] = time.monotonic()
            print(f"{what}: {done} of {total}", flush=True)

    return tell


if __name__ == "__main__":
    main()
