"""Write `docs/study.md` and its pictures from the values that were measured."""

import csv
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

import numpy as np
import study_photos
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import combicam_widgets as ccw
from combicam_widgets import evaluation
from combicam_widgets.evaluation import Study
from combicam_widgets.evaluation.photos import CONTROLS, HIGHER_IS_BETTER, worth_or_equal
from combicam_widgets.evaluation.statistics import Comparison, comparison, interval, mean_ranks

Floats = NDArray[np.float64]

MODELS = ("naturalist", "atlas")
FILLS = ("blur", "mean colour", "shuffled", "noise")

GOALS = {
    ("atlas", "blur"): 0.33,
    ("atlas", "mean colour"): 0.30,
    ("atlas", "shuffled"): 0.07,
    ("naturalist", "blur"): 0.20,
    ("naturalist", "mean colour"): 0.18,
    ("naturalist", "shuffled"): 0.08,
}
"""What was wanted of the fusion by worth against Combi-CAM, set before anything was measured."""

WON = 0.75
"""Share of the photos on which it was to be better with the blur."""

ALIKE = 0.3
"""Correlation with a network that knows nothing, above which a layer's map fails the test."""

PHOTOS = {"naturalist": "photos", "atlas": "tiles"}

_SIDE = 190

_SHOWN = 3
"""Photos on which the fusion by worth is best, and as many on which it is worst."""


def write(docs: Path, values: Path) -> None:
    """Write the page and its pictures into ``docs``."""
    found = {name: _read(values, name) for name in MODELS}
    lines = [*_head(found)]
    for name in MODELS:
        lines += _model(docs, values, name, found[name])
    lines += _conclusions(found)
    (docs / "study.md").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _read(values: Path, name: str) -> dict[str, Study]:
    """Read the studies of a model by part; parts that were not measured yet are missing."""
    return {
        file.name[len(name) + 1 : -len(".csv.gz")]: Study.from_csv(file)
        for file in sorted(values.glob(f"{name}-*.csv.gz"))
    }


def _head(found: Mapping[str, Mapping[str, Study]]) -> Iterator[str]:
    photos = {name: len(found[name]["candidates"].photos) for name in MODELS}
    yield f"""# Study: which heatmap carries the answer?

Written by `python recipes/study.py write` from the values in `docs/study/`, which
`python recipes/study.py measure` made; both by `make study`. What the measures mean, and where
each can mislead, stands in [evaluation.md](evaluation.md).

**What was measured.** {photos["naturalist"]} sample photos with `naturalist` and
{photos["atlas"]} tiles of the Blue Marble with `atlas` (1,500 km wide, each km2 of land equally
likely, Antarctica included, fixed seed). Every heatmap explains the model's own best answer.
*Worth* is (insertion - deletion) / p in five steps of area: about 0 for a random order of pixels,
higher is better. It was measured with four fills: blur, mean colour, shuffled patches and noise.
The first three are those that the fusion *by worth* chooses with, on the same photo but with
other draws; **noise took no part in choosing anything**, and neither did ROAD, further below.

**Photos that something was chosen or learnt on** are not counted:
{len(study_photos.CHOSEN_ON)} sample photos ({", ".join(study_photos.CHOSEN_ON)}) and
{study_photos.CHOSEN_TILES} tiles of another seed. How the samples among them fare is told below,
for comparison.

**Candidates.** "method, rule" over all layers with equal weights; *Combi-CAM* is "gradcam, sum".
*stages, gradcam, product*: the last layers of the stages multiplied, as RefineCAM does. *by worth*:
`evaluation.by_worth`; *not tried*: only the squares of worth, without trying others; *blur alone*:
the same with worth measured with the blur only, so that mean colour and shuffled are new to it.
*learnt*: one set of weights from the photos that are not counted, no extra pass.

Differences are paired, photo by photo; the number behind +- is half of the 95 % interval
(bootstrap over photos, 5,000 draws); the share of photos won stands behind it. **Bold**:
significant at 5 % after Holm's correction over all candidates (Wilcoxon). Masked photos were asked
about in bfloat16, maps were made in float32: on single photos this moves worth by about 0.002
(atlas) and 0.015 (naturalist), either way.

{_unfinished(photos)}## Was it good enough?
""".replace("+-", "\N{PLUS-MINUS SIGN}")
    yield from _goals(found)


def _goals(found: Mapping[str, Mapping[str, Study]]) -> Iterator[str]:
    """Say of each figure that was wanted what came of it, and how many were missed."""
    told = [
        "| fusion by worth minus Combi-CAM | fill | wanted | measured | |",
        "|---|---|---|---|---|",
    ]
    missed = []
    for name in MODELS:
        for fill in FILLS:
            each = _compared(found[name]["candidates"], "worth", fill)["by worth"]
            wanted = GOALS.get((name, fill))
            asked = [
                (
                    "> 0 (interval)" if wanted is None else f"≥ +{wanted:.2f}",
                    _signed(each),
                    each.low > 0 if wanted is None else each.difference >= wanted,
                )
            ]
            if fill == FILLS[0]:
                asked.append((f"won on ≥ {WON:.0%}", f"{each.won:.0%}", each.won >= WON))
            for goal, measured, met in asked:
                said = "met" if met else "**missed**"
                told.append(f"| {name} | {fill} | {goal} | {measured} | {said} |")
                if not met:
                    missed.append(f"{name} with {fill}, {measured} where {goal} was wanted")
    total = len(told) - 2
    met_of = f"{total - len(missed)} of {total}"
    yield f"{met_of} figures are met. Missed: {'; '.join(missed) or 'none'}.\n"
    yield from told
    yield ""


def _unfinished(photos: Mapping[str, int]) -> str:
    """Say what is still to be measured."""
    planned = {
        "naturalist": len(ccw.list_samples()) - len(study_photos.CHOSEN_ON),
        "atlas": study_photos.JUDGED_TILES,
    }
    if all(photos[name] >= count for name, count in planned.items()):
        return ""
    told = " and ".join(f"{photos[n]} of {count} for {n}" for n, count in planned.items())
    return f"**Not finished**: {told} are measured; `make study` goes on where it was stopped.\n\n"


def _model(docs: Path, values: Path, name: str, parts: Mapping[str, Study]) -> Iterator[str]:
    study = parts["candidates"]
    yield f"## {name}: {len(study.photos)} {PHOTOS[name]}\n"
    yield f"![Paired differences in worth]({_differences(docs, name, study)})\n"
    yield from _worth_table(study)
    yield from _measures_table(study)
    if "slow" in parts:
        yield from _slow_table(name, parts["slow"])
    yield from _agreement(study)
    if "layers" in parts:
        yield from _layers(docs, values, name, parts["layers"])
    if "chosen-on" in parts:
        yield from _chosen_on(parts["chosen-on"])
    yield from _pictures(docs, name, study)


def _worth_table(study: Study) -> Iterator[str]:
    """Rank all candidates by worth, with every fill."""
    ranks, critical = mean_ranks(study.values("worth"), higher_is_better=True)
    compared = {fill: _compared(study, "worth", fill) for fill in FILLS}
    yield f"""### Worth, with each fill

First line: Combi-CAM's own worth. Below it the difference to it, candidates in order of their
mean rank over photos (worth, mean over the four fills; ranks that differ by less than
{critical:.1f} cannot be told apart, Nemenyi 5 %).
"""
    yield f"| candidate | rank | {' | '.join(FILLS)} |"
    yield "|---|---|" + "---|" * len(FILLS)
    own = [study.values("worth", fill)["Combi-CAM"].mean() for fill in FILLS]
    cells = " | ".join(f"{x:.3f}" for x in own)
    yield f"| Combi-CAM itself | {ranks['Combi-CAM']:.1f} | {cells} |"
    for candidate in sorted(ranks, key=lambda each: ranks[each]):
        if candidate != "Combi-CAM":
            cells = " | ".join(_cell(compared[fill][candidate]) for fill in FILLS)
            yield f"| {_named(candidate)} | {ranks[candidate]:.1f} | {cells} |"
    yield ""


def _measures_table(study: Study) -> Iterator[str]:
    measures = ("insertion", "deletion", "drop", "gain")
    yield "### Other measures, mean over the four fills\n"
    arrows = [f"{m}, {'higher' if HIGHER_IS_BETTER[m] else 'lower'}" for m in measures]
    yield f"| candidate | {' | '.join(arrows)} |"
    yield "|---|" + "---|" * len(measures)
    means = {m: {c: np.nanmean(x) for c, x in study.values(m).items()} for m in measures}
    for candidate in study.candidates:
        cells = " | ".join(f"{means[m][candidate]:.3f}" for m in measures)
        yield f"| {_named(candidate)} | {cells} |"
    yield ""


def _slow_table(name: str, study: Study) -> Iterator[str]:
    measures = ("road", "saco", "area_gain", "adcc", "coherency", "complexity", "max_sensitivity")
    yield f"### Measures that take longer: {len(study.photos)} {PHOTOS[name]}\n"
    arrows = [f"{m}, {'higher' if HIGHER_IS_BETTER[m] else 'lower'}" for m in measures]
    yield f"| candidate | {' | '.join(arrows)} |"
    yield "|---|" + "---|" * len(measures)
    stored = {measure: study.values(measure) for measure in measures}
    for candidate in study.candidates:
        cells = []
        for measure in measures:
            if candidate not in stored[measure]:
                cells.append("n/a")
                continue
            mean = float(np.nanmean(stored[measure][candidate]))
            cells.append(f"{mean:.3f}")
            if candidate == "by worth" and measure == "road":
                each = _compared(study, "road", "")["by worth"]
                cells[-1] += f" (difference {_signed(each)}, won {each.won:.0%})"
        yield f"| {_named(candidate)} | {' | '.join(cells)} |"
    yield ""


def _agreement(study: Study) -> Iterator[str]:
    frame = study.agreement()
    kinds = [f"worth {fill}" for fill in FILLS] + ["drop blur", "gain blur"]
    yield "### Do the measures agree?\n"
    yield "Spearman over the candidates, mean over photos; turned so that higher is better.\n"
    yield f"| | {' | '.join(kinds)} |"
    yield "|---|" + "---|" * len(kinds)
    for row in kinds:
        yield f"| {row} | " + " | ".join(f"{frame.loc[row, kind]:.2f}" for kind in kinds) + " |"
    yield ""


def _layers(docs: Path, values: Path, name: str, study: Study) -> Iterator[str]:
    worth = {
        candidate[len("only ") :]: x
        for candidate, x in study.values("worth").items()
        if candidate.startswith("only ")
    }
    forgets = _forgets(values / f"{name}-forgets.csv")
    yield f"### Layer by layer: {len(study.photos)} {PHOTOS[name]}\n"
    yield """Worth of each layer's map alone (HiResCAM, mean over three fills), and the rank
correlation of its map with itself after all weights were re-drawn (12 of them). Near 0 is right; a
layer whose map stays alike would show the photo and not what the network knows. 0 exactly: the map
was silent afterwards.
"""
    yield from _read_layers(worth, forgets)
    yield f"![Worth of each layer]({_layer_picture(docs, name, worth)})\n"
    yield "| layer | worth | correlation once all is forgotten: HiResCAM | Grad-CAM |"
    yield "|---|---|---|---|"
    for layer, x in worth.items():
        low, high = interval(x)
        cells = [_kept(forgets, f"only {layer}{suffix}") for suffix in ("", ", gradcam")]
        yield f"| {layer} | {np.mean(x):.3f} ± {(high - low) / 2:.3f} | {' | '.join(cells)} |"
    for candidate in ("Combi-CAM", "hirescam, mean", "last layer, gradcam"):
        yield f"| *{candidate}* | | {_kept(forgets, candidate)} | |"
    yield ""


def _read_layers(worth: Mapping[str, Floats], forgets: Mapping[str, list[float]]) -> Iterator[str]:
    """Say which layers carry the answer, and which fail the randomisation test."""
    carry = [layer for layer, x in worth.items() if interval(x)[0] > 0]
    most = max(worth, key=lambda layer: worth[layer].mean())
    which = "Every layer" if len(carry) == len(worth) else ", ".join(carry) or "No layer"
    yield f"{which} carries something of the answer (interval above 0); most does {most}."
    kept = {
        f"{layer}, {method}": float(np.mean(forgets[name]))
        for layer in worth
        for method, name in (
            ("HiResCAM", f"only {layer}"),
            ("Grad-CAM", f"only {layer}, gradcam"),
        )
        if name in forgets
    }
    if kept:
        highest = max(kept, key=lambda each: kept[each])
        failed = [each for each, value in kept.items() if value > ALIKE]
        yield (
            f"The randomisation test (mean correlation above {ALIKE:g}) "
            + (f"is failed by {'; '.join(failed)}." if failed else "is failed by no layer;")
            + f" the highest is {kept[highest]:+.2f} ({highest}).\n"
        )
    else:
        yield ""


def _chosen_on(study: Study) -> Iterator[str]:
    cells = [f"{fill} {_cell(_compared(study, 'worth', fill)['by worth'])}" for fill in FILLS]
    yield f"""### The photos that something was chosen on

For comparison, and in no figure above: the fusion by worth against Combi-CAM on the
{len(study.photos)} photos that were looked at: {"; ".join(cells)}.
"""


def _conclusions(found: Mapping[str, Mapping[str, Study]]) -> Iterator[str]:
    """Say what follows; every number and every judgement is computed."""
    compared = {
        (name, fill): _compared(found[name]["candidates"], "worth", fill)
        for name in MODELS
        for fill in FILLS
    }

    def against(candidate: str, name: str) -> str:
        cells = [f"{fill} {_cell(compared[name, fill][candidate])}" for fill in FILLS]
        return "; ".join(cells)

    yield "## What follows\n"
    for candidate, what in {
        "hirescam, mean": "without any extra pass",
        "learnt": "without any extra pass when it is used",
        "by worth": "with the passes that trying takes",
    }.items():
        if candidate not in compared[MODELS[0], FILLS[0]]:
            continue
        better = sum(each[candidate].low > 0 for each in compared.values())
        worse = sum(each[candidate].high < 0 for each in compared.values())
        yield (
            f"- **{candidate}**, {what}, is above Combi-CAM (interval) in {better} of "
            f"{len(compared)} pairs of model and fill, and below it in {worse}."
        )
        for name in MODELS:
            yield f"  - {name}: {against(candidate, name)}."
    losers = [
        candidate
        for candidate in found["atlas"]["candidates"].candidates
        if candidate not in ("Combi-CAM", *CONTROLS)
        and all(each[candidate].difference < 0 for each in compared.values())
    ]
    yield f"- Below Combi-CAM with every fill on both models: {'; '.join(losers) or 'none'}."
    for name in MODELS:
        ranks, _ = mean_ranks(found[name]["candidates"].values("worth"), higher_is_better=True)
        control = min((c for c in ranks if c in CONTROLS), key=lambda c: ranks[c])
        behind = [c for c in ranks if c not in CONTROLS and ranks[c] > ranks[control]]
        yield (
            f"- {name}: ranked behind a control that knows nothing (*{control}*): "
            f"{'; '.join(behind) or 'none'}."
        )
    blur_alone = "by worth, blur alone"
    if blur_alone in compared[MODELS[0], FILLS[0]]:
        cells = [_signed(compared["atlas", fill][blur_alone]) for fill in FILLS]
        told = ", ".join(f"{fill} {cell}" for fill, cell in zip(FILLS, cells, strict=True))
        yield f"""- **One fill is not enough.** Weights chosen with the blur alone win most with the
  blur and lose much of it with fills that they did not see
  (atlas: {told})."""
    yield """- **For the default**: HiResCAM with the rule `mean` explains better at the same cost,
  and *by worth* is the best that was found, for some seconds a photo. Combi-CAM stays what the
  explorer opens with all the same: it is the method that this project is about and that others are
  compared with; the score below the sentence says how good it is on each photo.
- **Drop and gain reward warmth.** The lowest drop belongs to maps that are warm nearly everywhere,
  not to those that carry the answer; `area_gain` can reward scattered dots (see the uniform control
  of atlas), which leave the layout visible.
- **Shuffled patches on tiles** are the weakest figure of all. Picking otherwise among what
  `by_worth` tries does not mend it: on the tiles that are not counted whatever gained there lost
  more with the blur ([evaluation.md](evaluation.md) has the numbers). Other weights would have to
  be tried, such as worth measured with patches of several sizes.
"""


def _compared(study: Study, measure: str, fill: str) -> dict[str, Comparison]:
    better = HIGHER_IS_BETTER[measure]
    return comparison(study.values(measure, fill), "Combi-CAM", better)


def _cell(each: Comparison) -> str:
    text = f"{_signed(each)}, {each.won:.0%}"
    return f"**{text}**" if each.p_holm < 0.05 else text


def _signed(each: Comparison) -> str:
    text = f"{each.difference:+.3f} ± {(each.high - each.low) / 2:.3f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _named(candidate: str) -> str:
    return f"*{candidate}* (control)" if candidate in CONTROLS else candidate


def _forgets(file: Path) -> dict[str, list[float]]:
    """Read the last correlations of each candidate, one per photo."""
    last: dict[tuple[str, str], float] = {}
    if file.exists():
        with file.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                last[row["candidate"], row["photo"]] = float(row["correlation"])
    found: dict[str, list[float]] = {}
    for (candidate, _), value in last.items():
        found.setdefault(candidate, []).append(value)
    return found


def _kept(forgets: Mapping[str, list[float]], candidate: str) -> str:
    if candidate not in forgets:
        return "n/a"
    low, high = interval(np.array(forgets[candidate]))
    text = f"{np.mean(forgets[candidate]):+.2f} ± {(high - low) / 2:.2f}"
    return text.replace("-", "\N{MINUS SIGN}")


def _differences(docs: Path, name: str, study: Study) -> str:
    """Draw paired differences of worth, mean over the fills: an SVG."""
    values = study.values("worth")
    paired = {c: x - values["Combi-CAM"] for c, x in values.items() if c != "Combi-CAM"}
    ordered = sorted(paired, key=lambda c: -paired[c].mean())
    left, width, row = 190, 560, 22
    low, high = -1.0, 1.0
    height = row * len(ordered) + 50

    def at(x: float) -> float:
        return left + width * (min(max(x, low), high) - low) / (high - low)

    svg = [
        *_svg(left + width + 20, height, f"{name}: worth minus that of Combi-CAM, a dot per photo"),
        f'<path d="M{at(0)} 5V{height - 42}" stroke="#555" stroke-dasharray="3 3"/>',
    ]
    random = np.random.default_rng(0)
    for number, candidate in enumerate(ordered):
        y = 18 + row * number
        svg.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{escape(candidate)}</text>')
        svg += [
            _dot(at(x), y + dy)
            for x, dy in zip(
                paired[candidate], random.uniform(-6, 6, len(paired[candidate])), strict=True
            )
        ]
        lower, upper = interval(paired[candidate])
        svg.append(_bar(at(lower), y, at(upper), y))
        svg.append(f'<circle cx="{at(paired[candidate].mean()):.1f}" cy="{y}" r="4"/>')
    svg += [
        f'<text x="{at(tick)}" y="{height - 26}" text-anchor="middle">{tick:g}</text>'
        for tick in (-1, -0.5, 0, 0.5, 1)
    ]
    svg.append(
        f'<text x="{left + width / 2}" y="{height - 6}" text-anchor="middle">worth (mean over the '
        "four fills) minus Combi-CAM's; beyond ±1 drawn at ±1</text></svg>"
    )
    file = f"study-{name}.svg"
    (docs / file).write_text("\n".join([*svg, ""]), encoding="utf-8")
    return file


def _svg(width: int, height: int, title: str) -> list[str]:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]


def _dot(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="#0072b2" fill-opacity="0.3"/>'


def _bar(x: float, y: float, to_x: float, to_y: float) -> str:
    ends = f"M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"
    return f'<path d="{ends}" stroke="black" stroke-width="3"/>'


def _layer_picture(docs: Path, name: str, worth: Mapping[str, Floats]) -> str:
    """Draw what each layer alone is worth: an SVG."""
    left, width, height, top = 50, 700, 230, 10
    step = width / len(worth)
    ceiling = 1.0

    def at(x: float) -> float:
        return top + height * (1 - (min(max(x, -0.3), ceiling) + 0.3) / (ceiling + 0.3))

    svg = [
        *_svg(left + width + 10, height + 60, f"{name}: worth of each layer alone"),
        f'<path d="M{left} {at(0):.1f}H{left + width}" stroke="#555" stroke-dasharray="3 3"/>',
    ]
    svg += [
        f'<text x="{left - 6}" y="{at(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in (0, 0.5, 1)
    ]
    random = np.random.default_rng(0)
    for number, (layer, x) in enumerate(worth.items()):
        middle = left + step * (number + 0.5)
        svg += [
            _dot(middle + dx, at(v))
            for v, dx in zip(x, random.uniform(-step / 4, step / 4, len(x)), strict=True)
        ]
        low, high = interval(x)
        svg.append(_bar(middle, at(low), middle, at(high)))
        svg.append(f'<circle cx="{middle:.1f}" cy="{at(float(x.mean())):.1f}" r="4"/>')
        svg.append(
            f'<text x="{middle:.1f}" y="{height + 28}" text-anchor="end" '
            f'transform="rotate(-30 {middle:.1f} {height + 28})">{escape(layer)}</text>'
        )
    file = f"study-{name}-layers.svg"
    (docs / file).write_text("\n".join([*svg, "</svg>", ""]), encoding="utf-8")
    return file


def _pictures(docs: Path, name: str, study: Study) -> Iterator[str]:
    """Show the photos on which the fusion by worth gains most, and those on which it loses most."""
    values = study.values("worth")
    gained = values["by worth"] - values["Combi-CAM"]
    order = np.argsort(-np.nan_to_num(gained))
    chosen = [study.photos[i] for i in (*order[:_SHOWN], *order[-_SHOWN:])]
    photos = (study_photos.samples if name == "naturalist" else study_photos.tiles)("judged")
    model = ccw.load_model(name)
    columns = []
    for photo_name in chosen:
        photo = photos[photo_name]
        maps = model.explain(photo)
        best = worth_or_equal(model, photo, maps)
        at = study.photos.index(photo_name)
        columns.append(
            _column(
                photo,
                photo_name,
                {
                    f"Combi-CAM {values['Combi-CAM'][at]:.2f}": evaluation.COMBI_CAM.heatmap(maps),
                    f"by worth {values['by worth'][at]:.2f}": best.heatmap(maps),
                },
            )
        )
    sheet = Image.new(
        "RGB", (sum(c.width + 6 for c in columns[:_SHOWN]), 2 * columns[0].height), "white"
    )
    for number, column in enumerate(columns):
        sheet.paste(
            column, (number % _SHOWN * (column.width + 6), number // _SHOWN * column.height)
        )
    file = f"study-{name}.webp"
    sheet.save(docs / file, quality=80)
    yield "### The best and the worst\n"
    yield f"![Photos with both heatmaps]({file})\n"
    yield (
        f"Upper half: the {_SHOWN} photos on which the fusion by worth gains most over Combi-CAM; "
        f"lower half: the {_SHOWN} on which it loses most. Numbers: worth, mean over the fills."
    )
    if name == "naturalist":
        credit = "; ".join(f"{n}: {photos[n].credit}" for n in dict.fromkeys(chosen))
        yield f"\n<details><summary>Photos</summary>{escape(credit)}</details>"
    yield ""


def _column(photo: ccw.Photo, label: str, heatmaps: Mapping[str, Floats]) -> Image.Image:
    """Put a photo and its heatmaps below each other, each with a line of text."""
    font = ImageFont.load_default(13)
    line = 20
    picture = Image.new("RGB", (_SIDE, (1 + len(heatmaps)) * (_SIDE + line)), "white")
    draw = ImageDraw.Draw(picture)
    grey = photo.to_pil().convert("L").convert("RGB")
    pieces = {label.replace("_", " "): photo.to_pil()}
    for text, heat in heatmaps.items():
        level = Image.fromarray(np.uint8(255 * heat.clip(0, 1))).resize(photo.to_pil().size)
        colour = Image.merge("RGB", [Image.new("L", level.size, v) for v in (230, 97, 0)])
        pieces[text] = Image.composite(colour, grey, level.point(lambda v: int(0.75 * v)))
    for number, (text, piece) in enumerate(pieces.items()):
        top = number * (_SIDE + line)
        draw.text((2, top + 2), text, "black", font)
        small = piece.copy()
        small.thumbnail((_SIDE, _SIDE))
        picture.paste(small, (0, top + line))
    return picture
