"""Measure candidates on the shipped models' photos, and write `docs/study.md` about it.

    python recipes/study.py measure    # an hour or two on one core; goes on where it was stopped
    python recipes/study.py write      # from the values in docs/study, in a minute

Every value of every photo is kept in `docs/study/*.csv.gz`, so that the page can be written again
without measuring, and so that others can compute what they miss.
"""

import argparse
import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import study_page
import study_photos
from numpy.typing import NDArray
from torch import Tensor, autocast, bfloat16, nn, set_num_threads
from torch.nn.utils.fusion import fuse_conv_bn_eval

import combicam_widgets as ccw
from combicam_widgets import cam, evaluation
from combicam_widgets.evaluation.weighing import best_of, weightings, worth_of_layers

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "recipes" / ".cache" / "study"
VALUES = ROOT / "docs" / "study"

FILLS = (*evaluation.CHOOSING, "noise")
"""Three that worth is measured with, and one that took no part in choosing anything."""

SEED = 1
"""Of what is drawn for judging: ties, shuffled patches, noise. Choosing draws with another."""

FEW = {"atlas": 60, "naturalist": 12}
"""Photos for what is slow: ROAD, what explains again, and the layers one by one."""

ORDER = (
    ("atlas", "candidates", FEW["atlas"]),
    ("naturalist", "candidates", None),
    *((name, part, FEW[name]) for part in ("layers", "slow") for name in FEW),
    *((name, "forgets", 12) for name in FEW),
    ("atlas", "candidates", None),
    ("naturalist", "chosen on", None),
)
"""Model, part of the study, and how many photos; None: all."""


def main() -> None:
    """Measure, or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("measure", "write"))
    what = parser.parse_args().what
    if what == "write":
        collect()
        study_page.write(ROOT / "docs", VALUES)
        return
    set_num_threads(1)
    VALUES.mkdir(exist_ok=True)
    models = {name: quick(ccw.load_model(name)) for name in FEW}
    # What is told first is measured first.
    for name, part, count in ORDER:
        model = models[name]
        photos = photos_of(name, "chosen on" if part == "chosen on" else "judged", count)
        if part == "layers":
            alone = {each.name: each for each in evaluation.single_layers(model.layers)}
            measure(model, part, photos, alone, measures=("worth",), fills=FILLS[:3])
        elif part == "slow":
            measure(model, part, photos, rivals(model), measures=SLOW, fills=FILLS[:3])
        elif part == "forgets":
            forget(model, photos)
        else:
            measure(model, part, photos, candidates(model))


def photos_of(name: str, part: str, count: int | None = None) -> dict[str, ccw.Photo]:
    """Load the first photos of a part for a model; default: all."""
    photos = study_photos.tiles if name == "atlas" else study_photos.samples
    return dict(islice(photos(part).items(), count))


BY_WORTH = ("by worth", "by worth, not tried", "by worth, blur alone")

SLOW = ("saco", "area_gain", "road", "complexity", "adcc", "coherency", "max_sensitivity")


def candidates(model: ccw.GeoModel) -> dict[str, evaluation.Candidate | Callable[..., object]]:
    """Name all candidates of the study for a model; the controls come by themselves."""
    by_worth = ByWorth()
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
        **{name: by_worth(name) for name in BY_WORTH},
        **{each.name: each for each in fused},
    }


def rivals(model: ccw.GeoModel) -> dict[str, evaluation.Candidate | Callable[..., object]]:
    """Name the few candidates for the slow measures."""
    every = candidates(model)
    few = ("Combi-CAM", "by worth", "learnt", "hirescam, mean", "last layer, gradcam")
    return {name: every[name] for name in few}


class ByWorth:
    """The fusion by worth, and the squares of worth that it starts from: measured once."""

    def __init__(self) -> None:
        self._photo: ccw.Photo | None = None
        self._found: dict[str, evaluation.Candidate] = {}

    def __call__(self, which: str) -> Callable[..., evaluation.Candidate]:
        """Make the candidate of that name."""

        def candidate(
            model: ccw.GeoModel, photo: ccw.Photo, maps: cam.LayerMaps
        ) -> evaluation.Candidate:
            if photo is not self._photo:
                self._photo, self._found = photo, self._measured(model, photo, maps)
            return self._found[which]

        return candidate

    @staticmethod
    def _measured(
        model: ccw.GeoModel, photo: ccw.Photo, maps: cam.LayerMaps
    ) -> dict[str, evaluation.Candidate]:
        of = maps.with_method("hirescam")
        asks = evaluation.question(model, photo, maps.target)
        found = worth_of_layers(asks, of, evaluation.CHOOSING)
        result = {}
        for which, rows in {"by worth": slice(None), "by worth, blur alone": slice(1)}.items():
            try:
                tried = weightings(maps.names, found[rows])
            except evaluation.NothingWorth:  # all layers alike
                tried = [evaluation.fused("hirescam", "mean")]
            result[f"{which}, not tried"] = tried[0]
            result[which] = best_of(asks, maps, tried, evaluation.CHOOSING[rows])
        return result


def quick(model: ccw.GeoModel) -> ccw.GeoModel:
    """Let a model answer about masked photos in bfloat16; maps are still made in float32.

    Batch norms become part of their convolutions, and the last linear layer and whatever comes
    after it stay in float32. On a CPU that multiplies bfloat16 this is three times as fast.
    """
    network = copy.deepcopy(model.network).eval()
    for module in network.modules():
        children = list(module.named_children())
        for (name, first), (after, second) in pairwise(children):
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(first, second))
                setattr(module, after, nn.Identity())
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Linear) or name == "gazetteer":
            network.set_submodule(name, InFloat32(module))
    asked = ccw.GeoModel(network, model.cells, model.transform, outputs=model.outputs)
    model = copy.copy(model)  # the one that others may have loaded stays as it is

    def probabilities(batch: Tensor) -> NDArray[np.float32]:
        with autocast("cpu", bfloat16):
            return asked.probabilities(batch)

    model.probabilities = probabilities
    return model


class InFloat32(nn.Module):
    """A module that works in float32, whatever is around it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Run the module."""
        with autocast("cpu", enabled=False):
            return self.module(x.float())


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
    """Run one study, going on where it was stopped."""
    folder = f"{model.name}-{part.replace(' ', '-')}"
    evaluation.study(
        model,
        photos,
        tried,
        measures,
        fills=fills,
        steps=steps,
        seed=SEED,
        out=CACHE / folder,
        progress=said(f"{model.name}, {part}"),
    )


def collect() -> None:
    """Put what is measured so far into `docs/study`; five digits of each value."""
    for folder in CACHE.glob("*/"):
        found = evaluation.Study.from_folder(folder)
        rows = tuple(replace(row, value=float(f"{row.value:.5g}")) for row in found.rows)
        replace(found, rows=rows).to_csv(VALUES / f"{folder.name}.csv.gz")


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
    for done, (label, photo) in enumerate(photos.items(), 1):
        found = evaluation.randomisation(model, photo, tried, seed=SEED)
        for name, correlations in found.correlations.items():
            rise = found.entropy_rise[name]
            lines += [
                f'"{label}","{name}",{step},{value:.4f},{rise:.4f}'
                for step, value in zip(found.steps, correlations, strict=True)
            ]
        tell(done, len(photos))
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
