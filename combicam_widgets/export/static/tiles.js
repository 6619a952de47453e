// Tiles of all layers, by stage: state in, DOM out, as in the notebook's diagram.

import { make } from "../../shown/dom.js";

const HIGHEST_WEIGHT = 2;
const STEP = 0.1;

/** Switch layers off if all of them are on, else switch on those that are off. */
export function toggled(weights, names) {
  const allOn = names.every((name) => weights.get(name) > 0);
  return new Map([
    ...weights,
    ...names.map((name) => [name, allOn ? 0 : weights.get(name) || 1]),
  ]);
}

/** Leave one layer on; if it is the only one already, switch all on. */
export function solo(weights, name) {
  const layers = [...weights.keys()];
  const alone = layers.every((other) => weights.get(other) > 0 === (other === name));
  return new Map(layers.map((other) => [other, Number(alone || other === name)]));
}

/** "12 %", "< 1 %", "–" for nothing. */
export function percent(share) {
  if (!(share > 0)) return "–";
  return share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
}

function makeTile(layer, number, actions) {
  const heat = make("img", "tile-heat", { alt: "" });
  const toggle = make("button", "toggle", { type: "button", "aria-label": `Layer ${layer.name}` }, [
    make("img", "tile-photo", { alt: "", src: layer.photo }),
    heat,
    make("span", "number", { "aria-hidden": "true" }, [String(number)]),
    make("span", "off-mark", { "aria-hidden": "true" }, ["off"]),
  ]);
  if (layer.silent) toggle.append(make("span", "silent", {}, ["no evidence"]));
  toggle.addEventListener("click", (event) =>
    event.shiftKey ? actions.solo(layer.name) : actions.toggle([layer.name]),
  );
  const bar = make("div", "bar");
  const part = make("span", "percent");
  const share = make("div", "share", { role: "img" }, [make("div", "track", {}, [bar]), part]);
  const weight = make("input", "weight", {
    type: "range",
    min: 0,
    max: HIGHEST_WEIGHT,
    step: STEP,
    "aria-label": `Weight of layer ${layer.name}`,
  });
  weight.addEventListener("input", () => actions.weigh(layer.name, Number(weight.value)));
  const tile = make("div", "tile", {}, [toggle, share, weight]);

  function update(w, s) {
    tile.classList.toggle("is-off", !(w > 0));
    toggle.setAttribute("aria-pressed", String(w > 0));
    toggle.title =
      `${layer.name}: ${layer.detail}\nweight ${w.toFixed(1)}, ${percent(s)} of the heatmap\n` +
      "click: on or off; shift-click: this layer alone";
    bar.style.width = `${100 * s}%`;
    part.textContent = percent(s);
    share.setAttribute("aria-label", `${percent(s)} of the heatmap comes from layer ${layer.name}`);
    weight.max = Math.max(HIGHEST_WEIGHT, w);
    // The slider's steps are coarse; a weight set in Python stays as it is until it is moved.
    weight.value = w;
    weight.title = `weight ${w.toFixed(1)}`;
    weight.setAttribute("aria-valuetext", w > 0 ? w.toFixed(1) : "off");
  }
  return { tile, update, paint: (picture) => (heat.src = picture) };
}

function makeStage(stage, first, actions) {
  const names = stage.layers.map((layer) => layer.name);
  const label = { type: "button", "aria-label": `Stage ${stage.label}` };
  const heading = make("button", "stage-label", label, [stage.label]);
  heading.title = `${names.length} layers with maps of ${stage.label}\nclick: the whole stage on or off`;
  heading.addEventListener("click", () => actions.toggle(names));
  const tiles = stage.layers.map((layer, i) => makeTile(layer, first + i, actions));
  const group = { role: "group", "aria-label": `Layers of stage ${stage.label}` };
  const row = make("div", "tiles", {}, tiles.map(({ tile }) => tile));
  return { column: make("div", "stage", group, [heading, row]), tiles };
}

/**
 * Make the tiles.
 *
 * stages: [{ label, layers: [{ name, detail, photo, silent }] }]; actions: { toggle(names),
 * solo(name), weigh(name, value) }. Returns { element, update(weights, shares), paint(pictures) },
 * all arrays in the order of the layers.
 */
export function makeTiles(stages, actions) {
  const columns = [];
  const tiles = [];
  for (const stage of stages) {
    const made = makeStage(stage, tiles.length + 1, actions);
    columns.push(made.column);
    tiles.push(...made.tiles);
  }
  const element = make("div", "stages", {}, columns);
  element.style.setProperty("--layers", tiles.length);
  return {
    element,
    update: (weights, shares) => tiles.forEach((tile, i) => tile.update(weights[i], shares[i])),
    paint: (pictures) => tiles.forEach((tile, i) => tile.paint(pictures[i])),
  };
}
