// A photo with a picture laid over it, a label in the corner, and a legend beside it.

import { make as made } from "../../shown/dom.js";
import { initialize } from "../_bridge/attentive.js";
import { modelOf } from "../_bridge/model_of.js";
import { fusedBy, SEEN } from "../fused.js";
import { paintedDifference, png } from "./painting.js";
import { differenceWords } from "./words.js";

function make(tag, className, parent) {
  const element = made(tag, className);
  parent.append(element);
  return element;
}

/** What the page paints of heat minus what is pinned of it, coarse; null where it paints none. */
function difference(model, fused) {
  const pinned = model.get("pinned");
  const heat = pinned?.byteLength ? fused?.drawn() : null;
  if (!heat) return null;
  const every = model.get("every");
  const [rows, columns] = heat.shape.map((side) => Math.ceil(side / every));
  const values = Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / columns) * every, (i % columns) * every];
    return heat.values[row * heat.shape[1] + column] - pinned.getUint8(i) / 255;
  });
  return { shape: [rows, columns], values: values.map((x) => (Math.abs(x) < 1 / 255 ? 0 : x)) };
}

function render({ model, el }) {
  const root = make("div", "ccw-panel", el);
  root.setAttribute("role", "img");
  const stack = make("div", "ccw-panel-stack", make("div", "ccw-panel-room", root));
  const images = { photo: make("img", "", stack), picture: make("img", "", stack) };
  for (const image of Object.values(images)) image.alt = "";
  const label = make("span", "ccw-panel-label", stack);
  const words = make("span", "ccw-panel-words", stack);
  const legend = make("div", "ccw-panel-legend", root);
  const title = make("div", "", legend);
  const bar = make("div", "ccw-panel-bar", legend);
  const ticks = make("div", "ccw-panel-ticks", bar);

  let fusion = null;
  let fused = null;
  let gone = false;

  /** What Python gives, or what follows from the heat that the page makes. */
  function given() {
    const state = Object.fromEntries(["photo", "picture", "name", "words"].map((n) => [n, model.get(n)]));
    const now = difference(model, fused);
    if (!now) return state;
    const { buffer, byteOffset, byteLength } = model.get("palette");
    const palette = new Uint8Array(buffer, byteOffset, byteLength);
    const picture = png(now.shape, paintedDifference(now, palette, model.get("opacity")));
    return { ...state, picture, ...differenceWords(now.values) };
  }
  function show() {
    const state = given();
    for (const [name, image] of Object.entries(images)) {
      const source = state[name];
      if (image.getAttribute("src") !== source) image.setAttribute("src", source);
    }
    const [width, height] = model.get("size");
    stack.style.aspectRatio = `${width} / ${height}`;
    stack.style.width = `min(100cqw, ${width / height} * 100cqh)`;
    root.setAttribute("aria-label", state.name);
    label.textContent = model.get("label");
    words.textContent = state.words;
    words.hidden = !state.words;
    const [heading, ...texts] = model.get("legend");
    legend.hidden = heading === undefined;
    if (legend.hidden) return;
    title.textContent = heading;
    bar.style.background = `linear-gradient(to top, ${model.get("colors").join(", ")})`;
    ticks.replaceChildren();
    for (const text of texts) make("span", "", ticks).textContent = text;
  }
  async function follow() {
    fusion = model.get("fusion") ? await modelOf(model, "fusion") : null;
    if (!fusion || gone) return;
    fused = fusedBy(fusion);
    for (const name of SEEN) fusion.on(`change:${name}`, show);
    show();
  }
  show();
  follow();
  model.on("change", show);
  return () => {
    gone = true;
    model.off("change", show);
    for (const name of SEEN) fusion?.off(`change:${name}`, show);
  };
}

export default { initialize, render };
