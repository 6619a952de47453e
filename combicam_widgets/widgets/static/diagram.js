// The architecture diagram: state in, DOM out. What computes is pure and exported for the tests.

const HIGHEST_WEIGHT = 2;
const STEP = 0.1;

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

/** "12 %", "< 1 %", "–" for nothing. */
export function percent(share) {
  if (!(share > 0)) return "–";
  return share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
}

function make(tag, className, attributes = {}, children = []) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// JupyterLab takes arrow keys and Enter for itself, except on elements that carry this attribute.
const KEYS_ARE_OURS = { "data-lm-suppress-shortcuts": "true" };

function makeTile(layer, number, actions) {
  const heat = make("img", "ccw-heat", { src: layer.picture, alt: "" });
  const badge = make("span", "ccw-number", { "aria-hidden": "true" }, [String(number)]);
  const off = make("span", "ccw-off", { "aria-hidden": "true" }, ["off"]);
  const name = { type: "button", "aria-label": `Layer ${layer.name}`, ...KEYS_ARE_OURS };
  const toggle = make("button", "ccw-toggle", name, [
    make("img", "ccw-photo", { alt: "" }),
    heat,
    badge,
    off,
  ]);
  if (layer.silent) toggle.append(make("span", "ccw-silent", {}, ["no evidence"]));
  toggle.addEventListener("click", (event) =>
    event.shiftKey ? actions.solo(layer.name) : actions.toggle([layer.name]),
  );
  const bar = make("div", "ccw-bar");
  const share = make("div", "ccw-share", { role: "img" }, [
    make("div", "ccw-track", {}, [bar]),
    make("span", "ccw-percent"),
  ]);
  const weight = make("input", "ccw-weight", {
    type: "range",
    min: 0,
    max: HIGHEST_WEIGHT,
    step: STEP,
    "aria-label": `Weight of layer ${layer.name}`,
    ...KEYS_ARE_OURS,
  });
  weight.addEventListener("input", () => actions.weigh(layer.name, Number(weight.value)));
  const tile = make("div", "ccw-tile", {}, [toggle, share, weight]);

  function update(weights, shares) {
    const w = weights[layer.name] ?? 0;
    const s = shares[layer.name] ?? 0;
    tile.classList.toggle("ccw-is-off", !(w > 0));
    toggle.setAttribute("aria-pressed", String(w > 0));
    toggle.title =
      `${layer.name}: ${layer.detail}\nweight ${w.toFixed(1)}, ${percent(s)} of the heatmap\n` +
      "click: on or off; shift-click: this layer alone";
    bar.style.width = `${100 * s}%`;
    share.lastChild.textContent = percent(s);
    share.setAttribute("aria-label", `${percent(s)} of the heatmap comes from layer ${layer.name}`);
    weight.value = w;
    weight.title = `weight ${w.toFixed(1)}`;
    weight.setAttribute("aria-valuetext", w > 0 ? w.toFixed(1) : "off");
  }
  return { tile, update };
}

function makeStage(stage, firstNumber, actions) {
  const names = stage.layers.map((layer) => layer.name);
  const name = { type: "button", "aria-label": `Stage ${stage.label}`, ...KEYS_ARE_OURS };
  const heading = make("button", "ccw-stage-label", name, [stage.label]);
  heading.title = `${names.length} layers with maps of ${stage.label}\nclick: the whole stage on or off`;
  heading.addEventListener("click", () => actions.toggle(names));
  const tiles = stage.layers.map((layer, i) => makeTile(layer, firstNumber + i, actions));
  const column = make("div", "ccw-stage", { role: "group", "aria-label": `Stage ${stage.label}` }, [
    heading,
    make("div", "ccw-tiles", {}, tiles.map((each) => each.tile)),
  ]);
  return { column, tiles };
}

function render({ model, el }) {
  const stages = make("div", "ccw-stages");
  const root = make("div", "ccw-diagram", { role: "group", "aria-label": "Architecture diagram" }, [stages]);
  let tiles = [];

  function weigh(weights) {
    model.set("weights", weights);
    model.save_changes();
  }
  const actions = {
    toggle: (names) => weigh(toggled(model.get("weights"), names)),
    solo: (name) => weigh(solo(model.get("weights"), name)),
    weigh: (name, value) => weigh({ ...model.get("weights"), [name]: value }),
  };

  function update() {
    for (const tile of tiles) tile.update(model.get("weights"), model.get("shares"));
  }
  function showPhoto() {
    for (const image of root.querySelectorAll(".ccw-photo")) image.src = model.get("photo");
  }
  function rebuild() {
    const focused = root.querySelector(":focus")?.getAttribute("aria-label");
    const columns = [];
    tiles = [];
    for (const stage of model.get("stages")) {
      const made = makeStage(stage, tiles.length + 1, actions);
      columns.push(made.column);
      tiles.push(...made.tiles);
    }
    stages.replaceChildren(...columns);
    stages.style.setProperty("--layers", tiles.length);
    showPhoto();
    update();
    if (focused) root.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  const listeners = { "change:stages": rebuild, "change:photo": showPhoto };
  listeners["change:weights"] = listeners["change:shares"] = update;
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  rebuild();
  el.append(root);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
  };
}

export default { render };
