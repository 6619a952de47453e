// Fusion of layer maps, as in Python's `cam/fusion.py`: pure functions, usable without this page.
//
// A map is { shape: [h, w], values } with h * w numbers >= 0 in reading order (any array type); a
// heatmap looks the same. Weights are one number >= 0 per map; 0 leaves a map out.

/** Contrast, relative to the largest value, below which a map holds nothing but rounding. */
const FLAT = 1e-5;
/** Where Winsor-CAM clips the importances. */
const WINSOR_QUANTILE = 0.9;

export const NORMALIZATIONS = [null, "minmax", "max"];

function range(values) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return [low, high];
}

/** Each value changed; a loop, since `from` takes ten times as long. */
function changed({ shape, values: before }, change) {
  const values = new Float64Array(before.length);
  for (let i = 0; i < values.length; i++) values[i] = change(before[i]);
  return { shape, values };
}

/** Stretch to [0, 1]; all zeros where max = min to rounding. */
function minmax(map) {
  const [low, high] = range(map.values);
  if (!(high - low > FLAT * Math.max(high, -low))) return changed(map, () => 0);
  return changed(map, (value) => (value - low) / (high - low));
}

/** Divide by the maximum; all zeros if there is nothing positive. */
function byMaximum(map) {
  const [, high] = range(map.values);
  return changed(map, high > 0 ? (value) => value / high : () => 0);
}

/** What is done to a map before the rule: null (nothing), "minmax" or "max". */
export function normalise(map, how) {
  if (!NORMALIZATIONS.includes(how)) throw new RangeError(`Unknown normalisation ${how}.`);
  return { minmax, max: byMaximum }[how]?.(map) ?? map;
}

/** Of each fine point: its left neighbour, and how far it lies towards the right one. */
function neighbours(fine, coarse) {
  const [left, part] = [new Int32Array(fine), new Float64Array(fine)];
  const steps = Math.max(fine - 1, 1);
  for (let i = 0; i < fine; i++) {
    // Whole numbers: a fine point on a coarse one takes its value exactly, zero stays zero.
    const rest = (i * (coarse - 1)) % steps;
    left[i] = (i * (coarse - 1) - rest) / steps;
    part[i] = rest / steps;
  }
  return { left, part };
}

/** Resize a map to [H, W], bilinear with corners aligned, and add it to what is there. */
function addUpsampled(total, { shape: [h, w], values }, [H, W]) {
  const columns = neighbours(W, w);
  const rows = neighbours(H, h);
  const wide = (y) => {
    const row = new Float64Array(W);
    for (let x = 0; x < W; x++) {
      const at = y * w + columns.left[x];
      const part = columns.part[x];
      row[x] = part ? values[at] * (1 - part) + values[at + 1] * part : values[at];
    }
    return row;
  };
  let [y, above, below] = [-1, null, null]; // the two coarse rows around a fine one
  for (let Y = 0, i = 0; Y < H; Y++) {
    if (rows.left[Y] !== y) {
      above = rows.left[Y] === y + 1 && below ? below : wide(rows.left[Y]);
      y = rows.left[Y];
      below = y + 1 < h ? wide(y + 1) : null;
    }
    const part = rows.part[Y];
    if (part) for (let x = 0; x < W; x++) total[i++] += above[x] * (1 - part) + below[x] * part;
    else for (let x = 0; x < W; x++) total[i++] += above[x];
  }
}

/** Of each fine point: the four coarse points around it, and the parts that Keys' cubic gives them. */
function around(fine, coarse) {
  const { left, part } = neighbours(fine, coarse);
  return Array.from(left, (at, i) => {
    const t = part[i];
    const before = [(-t + 2 * t ** 2 - t ** 3) / 2, (2 - 5 * t ** 2 + 3 * t ** 3) / 2];
    const after = [(t + 4 * t ** 2 - 3 * t ** 3) / 2, (t ** 3 - t ** 2) / 2];
    const places = [-1, 0, 1, 2].map((step) => Math.min(Math.max(at + step, 0), coarse - 1));
    return [...places, ...before, ...after];
  });
}

/** Resize a map to [H, W] without kinks, and add it to what is there: for looking at. */
function addSmoothed(total, { shape: [h, w], values }, [H, W]) {
  const [low, high] = range(values);
  const [wide, columns, rows] = [new Float64Array(h * W), around(W, w), around(H, h)];
  for (let X = 0; X < W; X++) {
    const [a, b, c, d, A, B, C, D] = columns[X];
    for (let y = 0, at = 0; y < h; y++, at += w) {
      wide[y * W + X] = A * values[at + a] + B * values[at + b] + C * values[at + c] + D * values[at + d];
    }
  }
  for (let Y = 0, i = 0; Y < H; Y++) {
    const [a, b, c, d, A, B, C, D] = rows[Y];
    for (let X = 0; X < W; X++) {
      const value = A * wide[a * W + X] + B * wide[b * W + X] + C * wide[c * W + X] + D * wide[d * W + X];
      total[i++] += value < low ? low : value > high ? high : value;
    }
  }
}

/** Resize a map to [H, W]: bilinear, corners aligned; for looking at, smooth as in Python. */
export function upsample(map, size, smooth = false) {
  const values = new Float64Array(size[0] * size[1]);
  (smooth ? addSmoothed : addUpsampled)(values, map, size);
  return { shape: [...size], values };
}

/** The layers that are on, their weights adding up to 1. */
function stacked(maps, weights, size, normalize, importances, smooth = false) {
  if (weights.length !== maps.length) {
    throw new RangeError(`${maps.length} weights are needed, one per layer, not ${weights.length}.`);
  }
  if (!Array.from(weights).every((weight) => weight >= 0 && weight < Infinity)) {
    throw new RangeError("Weights must be finite and not negative; 0 switches a layer off.");
  }
  const largest = Math.max(...weights);
  if (!(largest > 0)) {
    throw new RangeError("All layers are off; switch at least one on (a weight above 0).");
  }
  const total = Array.from(weights).reduce((sum, weight) => sum + weight / largest, 0);
  const layers = maps.map((map, index) => ({
    index,
    map,
    weight: Math.fround(weights[index] / largest / total),
    importance: importances?.[index] ?? 1,
  }));
  const on = layers.filter((layer) => layer.weight > 0);
  return { size, smooth, layers: on.map((each) => ({ ...each, map: normalise(each.map, normalize) })) };
}

const stretched = (stack, stretch) => ({
  ...stack,
  layers: stack.layers.map((layer) => ({ ...layer, map: stretch(layer.map) })),
});

/** Add up the weighted maps: at the coarse size, then one upsampling per resolution. */
function weightedSum({ size, smooth, layers }) {
  const coarse = new Map();
  for (const { map, weight } of layers) {
    const key = String(map.shape);
    if (!coarse.has(key)) {
      coarse.set(key, { shape: map.shape, values: new Float64Array(map.values.length) });
    }
    const { values } = coarse.get(key);
    for (let i = 0; i < values.length; i++) values[i] += weight * map.values[i];
  }
  const values = new Float64Array(size[0] * size[1]);
  for (const map of coarse.values()) (smooth ? addSmoothed : addUpsampled)(values, map, size);
  return values;
}

/** How much each coarse point counts in the mean of the fine ones; sums to 1. */
function partsOfMean(fine, coarse) {
  const parts = new Float64Array(coarse);
  const { left, part } = neighbours(fine, coarse);
  for (let i = 0; i < fine; i++) {
    parts[left[i]] += (1 - part[i]) / fine;
    if (part[i]) parts[left[i] + 1] += part[i] / fine;
  }
  return parts;
}

/** Mean of a map resized to [H, W], without resizing it. */
function meanOf({ shape: [h, w], values }, [H, W]) {
  const [rows, columns] = [partsOfMean(H, h), partsOfMean(W, w)];
  let sum = 0;
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) sum += rows[y] * columns[x] * values[y * w + x];
  }
  return sum;
}

const weightedMeans = ({ size, layers }) =>
  layers.map(({ map, weight }) => weight * meanOf(map, size));

const weighted = ({ size, smooth, layers }) =>
  layers.map(({ map, weight }) => changed(upsample(map, size, smooth), (value) => weight * value).values);

function largest({ size, smooth, layers }) {
  const heat = new Float64Array(size[0] * size[1]);
  for (const { map, weight } of layers) {
    const { values } = upsample(map, size, smooth);
    for (let i = 0; i < heat.length; i++) heat[i] = Math.max(heat[i], weight * values[i]);
  }
  return heat;
}

/** Heat in the pixels where a layer is the largest; layers that tie have equal parts of it. */
function won(stack) {
  const maps = weighted(stack);
  const heat = largest(stack);
  const sums = maps.map(() => 0);
  for (let i = 0; i < heat.length; i++) {
    const ties = maps.filter((values) => values[i] === heat[i]).length;
    maps.forEach((values, m) => {
      if (values[i] === heat[i]) sums[m] += heat[i] / ties;
    });
  }
  return sums;
}

function product({ size, smooth, layers }) {
  const total = new Float64Array(size[0] * size[1]);
  for (const { map, weight } of layers) {
    const { values } = upsample(map, size, smooth);
    for (let i = 0; i < total.length; i++) total[i] += weight * Math.log(values[i]);
  }
  return total.map(Math.exp);
}

const saturated = (map) => changed(byMaximum(map), (value) => Math.tanh(2 * value));

/** Quantile of some numbers, linear between neighbours as numpy's. */
function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const left = Math.floor(at);
  const right = Math.min(left + 1, sorted.length - 1);
  return sorted[left] + (at - left) * (sorted[right] - sorted[left]);
}

/** Factors of Winsor-CAM: zero stays zero, the rest, clipped at a quantile, goes to [0.1, 1]. */
export function winsorized(importances, q = WINSOR_QUANTILE) {
  const positive = importances.filter((value) => value > 0);
  if (!positive.length) return importances.map(() => 1);
  const cap = quantile(positive, q);
  const clipped = positive.map((value) => Math.min(value, cap));
  const parts = [...minmax({ shape: [1, clipped.length], values: clipped }).values];
  return importances.map((value) => (value > 0 ? 0.1 + 0.9 * parts.shift() : 0));
}

/** Stretch each map, and multiply the weights by the factors. */
function winsorStack(stack) {
  const factors = winsorized(stack.layers.map((layer) => layer.importance));
  const { layers, ...rest } = stretched(stack, minmax);
  return { ...rest, layers: layers.map((layer, i) => ({ ...layer, weight: layer.weight * factors[i] })) };
}

/**
 * How maps become one (`combine`), what each brings in (`contribute`, on any common scale), and for
 * rules that divide a pixel's heat among layers, what they do to the maps before they add them or
 * take the largest (`adding`, `largest`).
 */
const RULES = {
  sum: { combine: weightedSum, contribute: weightedMeans, adding: (stack) => stack },
  mean: {
    combine: (stack) => weightedSum(stretched(stack, minmax)),
    contribute: (stack) => weightedMeans(stretched(stack, minmax)),
    adding: (stack) => stretched(stack, minmax),
  },
  max: {
    combine: (stack) => largest(stretched(stack, minmax)),
    contribute: (stack) => won(stretched(stack, minmax)),
    largest: (stack) => stretched(stack, minmax),
  },
  layercam: {
    combine: (stack) => largest(stretched(stack, saturated)),
    contribute: (stack) => won(stretched(stack, saturated)),
    largest: (stack) => stretched(stack, saturated),
  },
  product: {
    combine: (stack) => product(stretched(stack, minmax)),
    contribute: (stack) => {
      const hot = product(stretched(stack, minmax)).some((value) => value > 0);
      return stack.layers.map(({ weight }) => (hot ? weight : 0));
    },
  },
  winsor: {
    combine: (stack) => weightedSum(winsorStack(stack)),
    contribute: (stack) => weightedMeans(winsorStack(stack)),
    adding: winsorStack,
  },
};

export const RULE_NAMES = Object.keys(RULES);

function ruleOf(name) {
  if (!Object.hasOwn(RULES, name)) {
    throw new RangeError(`Unknown fusion rule ${name}; the rules are ${RULE_NAMES.join(", ")}.`);
  }
  return RULES[name];
}

/**
 * Fuse maps into one heatmap of size [H, W], values in [0, 1]; all zeros where nothing stands out.
 * With `smooth`, for pictures, not for numbers: without kinks where small maps are made large.
 */
export function fuse(maps, weights, size, rule = "sum", normalize = null, importances = null, smooth = false) {
  const stack = stacked(maps, weights, size, normalize, importances, smooth);
  return minmax({ shape: [...size], values: ruleOf(rule).combine(stack) });
}

/** Each layer's share of the fused map; they sum to 1, or are all 0 without positive evidence. */
export function shares(maps, weights, size, rule = "sum", normalize = null, importances = null) {
  const stack = stacked(maps, weights, size, normalize, importances);
  const parts = ruleOf(rule).contribute(stack);
  const total = parts.reduce((sum, part) => sum + part, 0);
  const result = maps.map(() => 0);
  if (total > 0) stack.layers.forEach(({ index }, i) => (result[index] = parts[i] / total));
  return result;
}

/** A map's value at a pixel [row, column] of a size [H, W] that it is resized to. */
function valueAt({ shape: [h, w], values }, [H, W], [row, column]) {
  const [rows, columns] = [neighbours(H, h), neighbours(W, w)];
  const [above, down] = [rows.left[row], rows.part[row]];
  const [left, right] = [columns.left[column], columns.part[column]];
  const across = (y) => {
    const at = y * w + left;
    return right ? values[at] * (1 - right) + values[at + 1] * right : values[at];
  };
  return down ? across(above) * (1 - down) + across(above + 1) * down : across(above);
}

/**
 * Each layer's part of the heat at a pixel; they sum to 1, or are all 0 where no layer highlights
 * it. Null for rules that do not divide a pixel's heat among layers.
 */
export function contributions(
  maps, weights, size, pixel, rule = "sum", normalize = null, importances = null,
) {
  const { adding, largest: winning } = ruleOf(rule);
  if (!(adding ?? winning)) return null;
  const stack = (adding ?? winning)(stacked(maps, weights, size, normalize, importances));
  const values = stack.layers.map(({ map, weight }) => weight * valueAt(map, size, pixel));
  const most = Math.max(...values);
  const parts = adding ? values : values.map((value) => Number(value > 0 && value === most));
  const total = parts.reduce((sum, part) => sum + part, 0);
  const result = maps.map(() => 0);
  if (total > 0) stack.layers.forEach(({ index }, i) => (result[index] = parts[i] / total));
  return result;
}
