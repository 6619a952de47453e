// Tiles of layers and columns of stages: state in, DOM out.

import { make } from "../../shown/dom.js";
import { ofHeatmap, percent, weightText } from "./diagram.js";

// JupyterLab takes arrow keys and Enter for itself, except on elements that carry this attribute;
// a parent that carries it does not count for all of its shortcuts.
const KEYS_ARE_OURS = { "data-lm-suppress-shortcuts": "true" };

/** A button with a name that a screen reader reads. */
export function makeButton(className, name, attributes = {}, children = []) {
  const about = { type: "button", "aria-label": name, ...KEYS_ARE_OURS, ...attributes };
  return make("button", className, about, children);
}

const HIDDEN = { "aria-hidden": "true" };

/** The tile of a layer; `update` shows a weight and a share, `showValue` a weight that changes. */
export function makeTile(layer, number) {
  const picture = (name, source) => make("img", name, { alt: "", draggable: "false", ...source });
  const badge = make("span", "ccw-badge", HIDDEN);
  const toggle = makeButton("ccw-toggle", `Layer ${layer.name}`, {}, [
    picture("ccw-photo"),
    picture("ccw-heat", { src: layer.picture }),
    badge,
  ]);
  if (layer.silent) toggle.append(make("span", "ccw-silent", {}, ["no evidence"]));
  const card = makeButton(
    "ccw-number",
    `Card of layer ${layer.name}`,
    { tabindex: -1, title: `layer ${number}: open its card, all about it` },
    [String(number)],
  );
  const bar = make("div", "ccw-bar");
  const share = make("div", "ccw-share", { role: "img" }, [
    make("span", "ccw-percent"),
    make("div", "ccw-track", {}, [bar]),
  ]);
  const weight = make("input", "ccw-weight", {
    type: "range",
    min: 0,
    max: 2,
    step: 0.1,
    "aria-label": `Weight of layer ${layer.name}`,
    ...KEYS_ARE_OURS,
  });
  const element = make("div", "ccw-tile", {}, [
    make("div", "ccw-frame", {}, [toggle]),
    make("div", "ccw-foot", {}, [card, share]),
    weight,
  ]);
  let shown = "";
  let calm;

  function update(w, s) {
    if (shown === `${w} ${s}`) return;
    shown = `${w} ${s}`;
    const text = weightText(w);
    element.classList.toggle("ccw-is-off", !(w > 0));
    element.classList.toggle("ccw-is-plain", w === 1);
    badge.textContent = text;
    toggle.setAttribute("aria-pressed", String(w > 0));
    toggle.title =
      `Layer ${number}: ${layer.name}\n${layer.detail}\nweight ${text}, ${ofHeatmap(s)}\n` +
      "click: on or off · shift-click: solo · drag: weight · double-click: card";
    bar.style.width = `${100 * s}%`;
    share.firstChild.textContent = percent(s);
    share.setAttribute("aria-label", `${ofHeatmap(s)} comes from layer ${layer.name}`);
    share.title = `share: ${ofHeatmap(s)} comes from this layer`;
    weight.value = w;
    weight.style.setProperty("--fill", `${Math.min(100, 50 * w)}%`);
    weight.title = `weight ${text}: how much this layer counts in the fusion; 1 is normal, 0 is off`;
    weight.setAttribute("aria-valuetext", text);
  }
  function showValue() {
    element.classList.add("ccw-is-changing");
    clearTimeout(calm);
    calm = setTimeout(() => element.classList.remove("ccw-is-changing"), 900);
  }
  function reach(reachable) {
    toggle.tabIndex = weight.tabIndex = reachable ? 0 : -1;
  }
  reach(false);
  return { layer, element, toggle, card, weight, update, showValue, reach };
}

/** The column of a stage, around its tiles. */
export function makeStage(stage, tiles, onClick) {
  const count = stage.layers.length;
  const text = stage.label.replace(" x ", "×");
  const heading = makeButton("ccw-stage-label", `Stage ${stage.label}`, {}, [text]);
  heading.title =
    `stage: ${count === 1 ? "one layer" : `${count} consecutive layers`} with maps of ${stage.label}\n` +
    "click: the whole stage on or off";
  heading.addEventListener("click", onClick);
  return make("div", "ccw-stage", { role: "group", "aria-label": `Stage ${stage.label}` }, [
    heading,
    make("div", "ccw-tiles", {}, tiles.map((tile) => tile.element)),
  ]);
}
