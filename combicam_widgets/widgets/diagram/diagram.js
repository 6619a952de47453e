// What the architecture diagram computes: pure functions, without a page.

const HIGHEST_WEIGHT = 2;
const STEP = 0.1;
const PIXELS_PER_STEP = 8;

/** Switch layers off if all of them are on, else switch on those that are off. */
export function toggled(weights, names) {
  const allOn = names.every((name) => weights[name] > 0);
  const changed = names.map((name) => [name, allOn ? 0 : weights[name] || 1]);
  return { ...weights, ...Object.fromEntries(changed) };
}

/** Leave one layer on; if it is the only one already, switch all on. */
export function solo(weights, name) {
  const alone = Object.keys(weights).every((other) => weights[other] > 0 === (other === name));
  return Object.fromEntries(
    Object.keys(weights).map((other) => [other, Number(alone || other === name)]),
  );
}

/** Whether these weights leave nothing on. */
export function allOff(weights) {
  return Object.values(weights).every((weight) => !(weight > 0));
}

/** "12 %", "< 1 %", "–" for nothing. */
export function percent(share) {
  if (!(share > 0)) return "–";
  return share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
}

/** "12 % of the heatmap", "nothing of the heatmap". */
export function ofHeatmap(share) {
  return `${share > 0 ? percent(share) : "nothing"} of the heatmap`;
}

/** "off", "1.3"; more digits only where Python has set them. */
export function weightText(weight) {
  if (!(weight > 0)) return "off";
  if (weight < 0.001) return "< 0.001";
  if (weight < 0.1) return String(Number(weight.toPrecision(2)));
  const text = weight.toFixed(2);
  return text.endsWith("0") ? text.slice(0, -1) : text;
}

/** A weight some steps of 0.1 away, at least 0 and at most 2 (or as high as it is already). */
export function stepped(weight, steps) {
  if (steps === 0) return weight;
  const wanted = Math.round(weight / STEP + steps) * STEP;
  const bounded = Math.min(Math.max(wanted, 0), Math.max(HIGHEST_WEIGHT, weight));
  return Number(bounded.toFixed(2));
}

/** The weight after a drag from one by so many pixels. */
export function dragged(weight, pixels) {
  return stepped(weight, Math.round(pixels / PIXELS_PER_STEP));
}

/** By how many steps a key changes the weight; 0 if it does not. */
export function stepsOfKey(key) {
  return { ArrowUp: 1, "+": 1, "=": 1, PageUp: 5, ArrowDown: -1, "-": -1, PageDown: -5 }[key] ?? 0;
}

/** Which of so many layers a key moves to from one; -1 if it moves to none. */
export function neighbour(index, key, count) {
  const places = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: count - 1 };
  const place = places[key];
  return place === undefined ? -1 : Math.min(Math.max(place, 0), count - 1);
}

/** "undo" or "redo" for the usual keys, else "". */
export function historyOfKey({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  if (!(ctrlKey || metaKey) || altKey) return "";
  if (key.toLowerCase() === "z") return shiftKey ? "redo" : "undo";
  return key.toLowerCase() === "y" && !shiftKey ? "redo" : "";
}

/** How closely tiles are set: "roomy", "close" or "dense". */
export function density(count) {
  if (count <= 24) return "roomy";
  return count <= 80 ? "close" : "dense";
}

/**
 * Names for runs of changes that are undone in one step: the name stays while kind and layer stay
 * and pauses are shorter than a second. Without a kind the name is always a new one.
 */
export function gestureNames(prefix) {
  let count = 0;
  let last = {};
  return (now, kind, layer) => {
    const goesOn = kind && kind === last.kind && layer === last.layer && now - last.now < 1000;
    if (!goesOn) count += 1;
    last = { kind, layer, now };
    return `${prefix}-${count}`;
  };
}

/** Where a box of some size goes beside another in a window: below it, else above, in full view. */
export function placed(anchor, size, window) {
  const gap = 6;
  const within = (start, length, room) => Math.max(gap, Math.min(start, room - length - gap));
  const below = anchor.bottom + gap;
  const fitsBelow = below + size.height + gap <= window.height;
  const above = anchor.top - gap - size.height;
  const top = fitsBelow || above < gap ? below : above;
  return {
    left: within(anchor.left, size.width, window.width),
    top: within(top, size.height, window.height),
  };
}
