// What pictures of heat show, in words: for those who do not see them, and where somebody points.

import { percent } from "../../shown/words.js";

const TOP = 3; // how many of the layers that heat comes from are named
const POINT = "Point at the photo to see which layers heat it.";

export const NO_EVIDENCE = "no positive evidence";

/** Where the hottest pixel is, [row, column]; null without heat. */
function hottestOf({ shape, values }) {
  let best = -1;
  for (let i = 0; i < values.length; i++) if (values[i] > (values[best] ?? 0)) best = i;
  return best < 0 ? null : [Math.floor(best / shape[1]), best % shape[1]];
}

/** What a picture of heat shows; `label` says what heat it is, `keep` how much is outlined. */
export function described(name, heat, label, keep) {
  const photo = name || "a photo";
  const what = label ? `${label}. ` : "";
  const hottest = hottestOf(heat);
  if (!hottest) return `${what}Heatmap over ${photo}: ${NO_EVIDENCE}`;
  const [down, across] = hottest.map((at, i) => percent((at + 0.5) / heat.shape[i]));
  const outlined = keep === null ? "" : `; the hottest ${percent(keep)} outlined`;
  return `${what}Heatmap over ${photo}, hottest ${across} from the left and ${down} from the top${outlined}`;
}

/** From which layers the heat at a place comes; `read` is what a fusion's `read` gives, or null. */
export function pointedAt(read, names) {
  if (!read) return POINT;
  const percents = Math.round(100 * read.heat);
  const heat = `Heat ${percents} %`;
  if (!read.parts) return `${heat}. This rule does not divide a pixel's heat among layers.`;
  const said = read.parts
    .map((part, i) => ({ part, i }))
    .filter(({ part }) => percents && part > 0)
    .sort((a, b) => b.part - a.part || a.i - b.i)
    .slice(0, TOP)
    .map(({ part, i }) => `layer ${i + 1} (${names[i]}) ${percent(part)}`);
  return `${heat}: ${said.join(", ") || "no layer highlights this place"}.`;
}

/** How much of each of a row of pixels lies between two fractions of the row. */
function covered(pixels, start, stop) {
  const edge = (i) => Math.min(Math.max(i, start * pixels), stop * pixels);
  return Array.from({ length: pixels }, (_, i) => edge(i + 1) - edge(i));
}

/** How much of the heat lies in a box, against how much chance would put there. */
export function boxSentence(heat, [left, top, right, bottom]) {
  const hottest = hottestOf(heat);
  if (!hottest) return "There is no heat to lie inside the box.";
  const [height, width] = heat.shape;
  const [rows, columns] = [covered(height, top, bottom), covered(width, left, right)];
  let [inside, total] = [0, 0];
  for (let i = 0; i < heat.values.length; i++) {
    total += heat.values[i];
    inside += rows[Math.floor(i / width)] * columns[i % width] * heat.values[i];
  }
  const [y, x] = hottest.map((at, i) => (at + 0.5) / heat.shape[i]);
  const hit = left <= x && x <= right && top <= y && y <= bottom ? "inside" : "outside";
  const share = percent(Math.min(1, inside / total));
  return (
    `${share[0].toUpperCase()}${share.slice(1)} of the heat lies inside the box, ` +
    `which is ${percent((right - left) * (bottom - top))} of the photo. The hottest point is ${hit}.`
  );
}

/** What the panel of a difference, values from -1 to 1, is called, and what is said in it. */
export function differenceWords(values) {
  let [low, high] = [0, 0];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const [less, more] = [low, high].map((value) => Math.round(100 * value) + 0);
  return {
    name: `Difference: from ${less} to ${more} points of a hundred hotter now`,
    words: less || more ? "" : "no difference",
  };
}
