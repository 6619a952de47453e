// Paints the heat that the page has fused over the photo; says what the picture is and where its
// heat comes from, for Plotly gives it no name.

import { initialize } from "../_bridge/attentive.js";
import { modelOf } from "../_bridge/model_of.js";
import { repaint } from "../_bridge/plotly_images.js";
import { fusedBy, INPUTS } from "../fused.js";
import { hottest, picture } from "./painting.js";

const HEAT = 1; // which image of the figure

/** Keeps the heat over the photo of a figure; gives what takes it off again. */
async function paintOver(model, figure) {
  if (!model.get("fusion")) return () => {};
  const fusion = await modelOf(model, "fusion");
  const fused = fusedBy(fusion);
  let frame = null;
  let watching = false; // whether Plotly tells when it has drawn

  function paint() {
    frame = null;
    if (!watching && figure.on) {
      watching = true;
      figure.on("plotly_afterplot", paint); // Plotly has drawn what Python last said
    }
    const image = figure._fullLayout?.images?.[HEAT];
    // The photo of these maps may not be here yet.
    if (image?.name !== `heat ${fusion.get("about")}`) return;
    const colors = model.get("palette");
    if (!colors?.byteLength) return;
    const name = fusion.get("preview");
    const seen = (name && fused.alone(name)) || fused.heat();
    if (!seen) return;
    const keep = model.get("keep");
    const mask = keep === null ? null : hottest(fused.heat().values, keep);
    const palette = new Uint8Array(colors.buffer, colors.byteOffset, colors.byteLength);
    const source = picture(seen, palette, model.get("opacity"), mask);
    if (image.source !== source) repaint(figure, { image: HEAT, source });
  }
  const paintSoon = () => (frame ??= requestAnimationFrame(paint));
  const listened = [
    ...[...INPUTS, "about", "preview"].map((name) => [fusion, `change:${name}`]),
    ...["palette", "opacity", "keep"].map((name) => [model, `change:${name}`]),
  ];
  for (const [from, event] of listened) from.on(event, paintSoon);
  const drawn = new MutationObserver(() => watching || paintSoon());
  drawn.observe(figure, { childList: true, attributes: true });
  paintSoon();
  return () => {
    drawn.disconnect();
    cancelAnimationFrame(frame);
    figure.removeListener?.("plotly_afterplot", paint); // gone already if Plotly is
    for (const [from, event] of listened) from.off(event, paintSoon);
  };
}

function render({ model, el }) {
  const line = document.createElement("div");
  line.className = "ccw-caption";
  el.append(line);
  let figure = null;
  let stopPainting = Promise.resolve(() => {});

  function show() {
    line.textContent = model.get("text");
    figure?.setAttribute("aria-label", model.get("name"));
  }
  // Widgets arrive on the page one after the other.
  const attached = new ResizeObserver(() => {
    figure = el.closest(".ccw-overlay")?.querySelector(".ccw-photo-figure") ?? null;
    if (!figure) return;
    attached.disconnect();
    figure.setAttribute("role", "img");
    stopPainting = paintOver(model, figure);
    show();
  });
  attached.observe(line);
  show();
  model.on("change:text", show);
  model.on("change:name", show);
  return () => {
    attached.disconnect();
    stopPainting.then((stop) => stop());
    model.off("change:text", show);
    model.off("change:name", show);
  };
}

export default { initialize, render };
