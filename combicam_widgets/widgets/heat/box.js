// A box over a photo: drawn by dragging, moved by dragging or with the arrow keys.
// Boxes are [left, top, right, bottom] in fractions of the photo.

import { make } from "../../shown/dom.js";
import { initialize } from "../_bridge/attentive.js";
import { modelOf } from "../_bridge/model_of.js";
import { fusedBy, SEEN } from "../fused.js";
import { onceIn, onDrawn } from "./over_photo.js";
import { boxSentence } from "./words.js";

const STEP = 0.02;
const SMALLEST = 0.01;

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

/** The box between two points, or null if it is too small to be meant. */
export function between([x0, y0], [x1, y1]) {
  const [left, right] = [x0, x1].map((x) => clamp(x, 0, 1)).sort((a, b) => a - b);
  const [top, bottom] = [y0, y1].map((y) => clamp(y, 0, 1)).sort((a, b) => a - b);
  return right - left < SMALLEST || bottom - top < SMALLEST ? null : [left, top, right, bottom];
}

/** The box moved, as far as the photo allows. */
export function moved([left, top, right, bottom], dx, dy) {
  const x = clamp(dx, -left, 1 - right);
  const y = clamp(dy, -top, 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

/** The box with its lower right corner moved. */
export function resized([left, top, right, bottom], dx, dy) {
  return [
    left, top, clamp(right + dx, left + SMALLEST, 1), clamp(bottom + dy, top + SMALLEST, 1),
  ];
}

export function contains(box, [x, y]) {
  return box !== null && box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3];
}

const ARROWS = {
  ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
};

/** Says beside the box how much of the heat that the page makes lies in it; gives what ends that. */
async function describe(model, words) {
  const fusion = model.get("fusion") ? await modelOf(model, "fusion") : null;
  const fused = fusion && fusedBy(fusion);
  const say = () => {
    const heat = model.get("box") && model.get("described") ? fused?.heat() : null;
    const text = heat ? boxSentence(heat, model.get("box")) : "";
    if (words.textContent !== text) words.textContent = text;
    words.hidden = !text;
  };
  const listened = [
    ...SEEN.map((name) => [fusion, `change:${name}`]),
    ...["box", "described"].map((name) => [model, `change:${name}`]),
  ];
  for (const [from, event] of listened) from?.on(event, say);
  say();
  return () => {
    for (const [from, event] of listened) from?.off(event, say);
  };
}

function render({ model, el }) {
  const words = make("div", "ccw-box-words", { role: "status" });
  el.append(words);
  const mark = make("div", "ccw-drawn-box", {
    role: "group",
    "aria-label": "Box of what should matter: arrow keys move it, with Shift they resize it",
  });
  mark.tabIndex = 0;
  let inside = null; // the overlay, once this is in it
  let box = null; // as it is seen: while it is dragged, not yet the model's

  function place() {
    mark.hidden = box === null || !inside?.photo();
    if (!mark.hidden) inside.place(mark, box);
  }
  function show() {
    box = model.get("box");
    inside?.figure.classList.toggle("ccw-drawing", model.get("drawing"));
    place();
  }
  function keep(changed) {
    box = changed;
    place();
    model.set("box", changed);
    model.save_changes();
  }

  function start(event) {
    if (!model.get("drawing") || event.button !== 0 || !inside.photo()) return;
    const first = inside.at(event);
    if (!contains([0, 0, 1, 1], first)) return;
    event.preventDefault();
    const old = box;
    const change = contains(old, first)
      ? ([x, y]) => moved(old, x - first[0], y - first[1])
      : (point) => between(first, point) ?? old;
    const drag = (e) => {
      box = change(inside.at(e));
      place();
    };
    const end = (e) => {
      stop();
      drag(e);
      if (box !== old) keep(box);
    };
    const leave = () => {
      stop();
      show();
    };
    const stop = () => {
      window.removeEventListener("pointermove", drag);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", leave);
    };
    window.addEventListener("pointermove", drag);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", leave);
  }
  mark.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    event.stopPropagation();
    keep((event.shiftKey ? resized : moved)(box, ...ARROWS[event.key]));
  });

  let stopWatching = () => {};
  const stopWaiting = onceIn(el, (found) => {
    inside = found;
    stopWatching = onDrawn(inside.figure, place);
    inside.figure.addEventListener("pointerdown", start, true);
    inside.overlay.append(mark);
    show();
  });
  const stopDescribing = describe(model, words);
  model.on("change:box", show);
  model.on("change:drawing", show);
  return () => {
    stopWaiting();
    stopWatching();
    stopDescribing.then((stop) => stop());
    inside?.figure.removeEventListener("pointerdown", start, true);
    mark.remove();
    model.off("change:box", show);
    model.off("change:drawing", show);
  };
}

export default { initialize, render };
