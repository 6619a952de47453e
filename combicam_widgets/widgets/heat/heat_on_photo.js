// The heat that the page has fused, over a photo: what the picture is called, what is said in it, and
// where the heat comes from at the place that somebody points at. Knows no Plotly.

import { make } from "../../shown/dom.js";
import { fusedBy, SEEN } from "../fused.js";
import { onDrawn, onPhoto } from "./over_photo.js";
import { hottest, picture } from "./painting.js";
import { described, NO_EVIDENCE, pointedAt } from "./words.js";

const LOOKS = ["palette", "opacity", "keep", "photo", "label", "words", "name"];
const STEP = 1 / 40; // of the photo, for the keys that point
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const onIt = (part) => Math.min(1 - STEP / 2, Math.max(0, part));

/**
 * Keeps heat and words over a photo; gives what takes them off again.
 *
 * `model` says how it looks; `line` is where it is said what somebody points at; `inside` is what
 * `onceIn` gives; `canvas` paints: `ready(about)` says whether the photo of these maps is there,
 * `paint(source)` lays a picture over it, `watch(draw)` calls back when it must be laid anew, until
 * `forget(draw)`. `fusionNow()` gives the model of a fusion, or null.
 */
export async function heatOnPhoto(model, line, inside, canvas, fusionNow) {
  const { overlay, figure, place, at } = inside;
  const note = make("div", "ccw-note");
  const words = make("div", "ccw-note ccw-note-middle");
  const value = make("div", "ccw-note ccw-note-value", { "aria-hidden": "true" });
  const layer = make("div", "ccw-notes", {}, [note, words, value]);
  overlay.append(layer);
  figure.setAttribute("role", "img");
  figure.tabIndex = 0; // the arrow keys point, too
  figure.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab's own arrow keys

  let fusion = null;
  let fused = null;
  let frame = null;
  let pointer = null; // where somebody points, in fractions of the photo

  const visible = () => model.get("palette")?.byteLength > 0;

  /** What is seen of what the page makes: heat, what is painted of it, and what it is; or null. */
  function seen() {
    const heat = fused?.heat();
    if (!heat || !visible()) return null;
    const name = fusion.get("preview");
    const alone = name ? fused.alone(name) : null;
    const number = fusion.get("names").indexOf(name) + 1;
    if (!alone) return { heat, drawn: fused.drawn(), label: model.get("label") };
    return { heat: alone, drawn: fused.drawnAlone(name), label: `layer ${number} (${name}) alone` };
  }
  function paint(now) {
    // The photo of these maps may not be here yet.
    if (!now || !canvas.ready(fusion.get("about"))) return;
    const colors = model.get("palette");
    const keep = model.get("keep");
    const mask = keep === null ? null : hottest(fused.heat().values, keep);
    const palette = new Uint8Array(colors.buffer, colors.byteOffset, colors.byteLength);
    canvas.paint(picture(now.drawn, palette, model.get("opacity"), mask));
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
    canvas.watch(draw);
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
    fusion = await fusionNow();
    fused = fusion && fusedBy(fusion);
    listen("on");
    drawSoon();
  }
  function move(event) {
    const point = at(event);
    line.setAttribute("aria-live", "off");
    pointer = onPhoto(point) && !figure.classList.contains("ccw-drawing") ? point : null;
    drawSoon();
  }
  function leave() {
    pointer = null;
    drawSoon();
  }
  function key(event) {
    const step = ARROWS[event.key];
    if (!step || event.target !== figure) return;
    event.preventDefault();
    event.stopPropagation();
    pointer = pointer ? pointer.map((part, axis) => onIt(part + STEP * step[axis])) : [0.5, 0.5];
    line.setAttribute("aria-live", "polite"); // who points by keys may not see it
    drawSoon();
  }
  function click(event) {
    const point = at(event);
    if (onPhoto(point) && !figure.classList.contains("ccw-drawing")) model.send({ clicked: point });
  }
  const pointed = { pointermove: move, pointerdown: move, pointerleave: leave, click };
  Object.assign(pointed, { keydown: key, blur: leave });
  for (const [event, hear] of Object.entries(pointed)) figure.addEventListener(event, hear);
  for (const name of LOOKS) model.on(`change:${name}`, drawSoon);
  model.on("change:fusion", follow);
  const stopWatching = onDrawn(figure, drawSoon);
  await follow();
  return () => {
    stopWatching();
    cancelAnimationFrame(frame);
    listen("off");
    canvas.forget(draw);
    for (const [event, hear] of Object.entries(pointed)) figure.removeEventListener(event, hear);
    for (const name of LOOKS) model.off(`change:${name}`, drawSoon);
    model.off("change:fusion", follow);
    layer.remove();
  };
}
