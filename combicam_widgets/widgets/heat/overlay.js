// Paints the heat that the page has fused over the photo; says what the picture is and where its
// heat comes from, for Plotly gives it no name.

import { make } from "../../shown/dom.js";
import { initialize } from "../_bridge/attentive.js";
import { modelOf } from "../_bridge/model_of.js";
import { repaint } from "../_bridge/plotly_images.js";
import { fusedBy, SEEN } from "../fused.js";
import { onceIn, onDrawn, onPhoto } from "./over_photo.js";
import { hottest, picture } from "./painting.js";
import { described, NO_EVIDENCE, pointedAt } from "./words.js";

const HEAT = 1; // which image of the figure
const LOOKS = ["palette", "opacity", "keep", "photo", "label", "words", "name", "fusion"];

/** Keeps heat and words over the photo of a figure; gives what takes them off again. */
async function show(model, line, { overlay, figure, photo, place, at }) {
  const note = make("div", "ccw-note");
  const words = make("div", "ccw-note ccw-note-middle");
  const value = make("div", "ccw-note ccw-note-value", { "aria-hidden": "true" });
  const layer = make("div", "ccw-notes", {}, [note, words, value]);
  overlay.append(layer);
  figure.setAttribute("role", "img");

  let fusion = null;
  let fused = null;
  let frame = null;
  let watching = false; // whether Plotly tells when it has drawn
  let pointer = null; // where somebody points, in fractions of the photo

  const visible = () => model.get("palette")?.byteLength > 0;

  /** What is seen of what the page makes: heat, and what it is; null where it makes none. */
  function seen() {
    const heat = fused?.heat();
    if (!heat || !visible()) return null;
    const name = fusion.get("preview");
    const alone = name ? fused.alone(name) : null;
    const number = fusion.get("names").indexOf(name) + 1;
    return alone ? { heat: alone, label: `layer ${number} (${name}) alone` } : { heat, label: model.get("label") };
  }
  function paint(now) {
    const image = figure._fullLayout?.images?.[HEAT];
    // The photo of these maps may not be here yet.
    if (!now || image?.name !== `heat ${fusion.get("about")}`) return;
    const colors = model.get("palette");
    const keep = model.get("keep");
    const mask = keep === null ? null : hottest(fused.heat().values, keep);
    const palette = new Uint8Array(colors.buffer, colors.byteOffset, colors.byteLength);
    const source = picture(now.heat, palette, model.get("opacity"), mask);
    if (image.source !== source) repaint(figure, { image: HEAT, source });
  }
  function say(now) {
    const evidence = now && now.heat.values.some((heat) => heat > 0);
    note.textContent = now ? now.label : model.get("label");
    words.textContent = now ? (evidence ? "" : NO_EVIDENCE) : model.get("words");
    for (const text of [note, words]) text.hidden = !text.textContent;
    const name = now && described(model.get("photo"), now.heat, now.label, model.get("keep"));
    figure.setAttribute("aria-label", name || model.get("name"));
    place(layer, [0, 0, 1, 1]);
  }
  function point() {
    const read = pointer && visible() && fused ? fused.read(...pointer) : null;
    line.textContent = visible() ? pointedAt(read, fusion?.get("names") ?? []) : "";
    value.hidden = !read;
    if (!read) return;
    value.textContent = `heat ${Math.round(100 * read.heat)} %`;
    value.style.left = `${100 * pointer[0]}%`;
    value.style.top = `${100 * pointer[1]}%`;
    value.classList.toggle("ccw-note-left", pointer[0] > 0.7);
  }
  function draw() {
    frame = null;
    if (!watching && figure.on) {
      watching = true;
      figure.on("plotly_afterplot", draw); // Plotly has drawn what Python last said
    }
    const now = seen();
    paint(now);
    say(now);
    point();
  }
  const drawSoon = () => (frame ??= requestAnimationFrame(draw));

  function listen(on) {
    for (const name of SEEN) fusion?.[on](`change:${name}`, drawSoon);
  }
  async function follow() {
    listen("off");
    fusion = model.get("fusion") ? await modelOf(model, "fusion") : null;
    fused = fusion && fusedBy(fusion);
    listen("on");
    drawSoon();
  }
  function move(event) {
    const point = at(event);
    pointer = onPhoto(point) && !figure.classList.contains("ccw-drawing") ? point : null;
    drawSoon();
  }
  function leave() {
    pointer = null;
    drawSoon();
  }
  function click(event) {
    const point = at(event);
    if (onPhoto(point) && !figure.classList.contains("ccw-drawing")) model.send({ clicked: point });
  }
  const pointed = { pointermove: move, pointerdown: move, pointerleave: leave, click };
  for (const [event, hear] of Object.entries(pointed)) figure.addEventListener(event, hear);
  for (const name of LOOKS) model.on(`change:${name}`, name === "fusion" ? follow : drawSoon);
  const stopWatching = onDrawn(figure, drawSoon);
  await follow();
  return () => {
    stopWatching();
    cancelAnimationFrame(frame);
    listen("off");
    figure.removeListener?.("plotly_afterplot", draw); // gone already if Plotly is
    for (const [event, hear] of Object.entries(pointed)) figure.removeEventListener(event, hear);
    for (const name of LOOKS) model.off(`change:${name}`, name === "fusion" ? follow : drawSoon);
    layer.remove();
  };
}

function render({ model, el }) {
  const line = make("div", "ccw-caption");
  el.append(line);
  let stopShowing = Promise.resolve(() => {});
  const stopWaiting = onceIn(line, (inside) => {
    stopShowing = show(model, line, inside);
  });
  return () => {
    stopWaiting();
    stopShowing.then((stop) => stop());
  };
}

export default { initialize, render };
