// The page: its state, what shows it, what changes it. The mathematics is in fusion.js.
import * as fusion from "../../shown/fusion.js";
import * as tiles from "./tiles.js";

const THUMBNAIL = 96;
const PROBE_STEPS = 40;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const find = (id) => document.getElementById(id);
const data = JSON.parse(find("data").textContent);
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const inside = (value) => Math.min(1, Math.max(0, value));

/** Undo Python's `packed`. */
function unpacked({ shape, values, range }) {
  const view = new DataView(bytesOf(values).buffer);
  const read = range
    ? (i) => range[0] + ((range[1] - range[0]) * view.getUint16(2 * i, true)) / 65535
    : (i) => view.getFloat32(4 * i, true);
  return { shape, values: Float64Array.from({ length: shape[0] * shape[1] }, (_, i) => read(i)) };
}

const maps = data.maps.map(unpacked);
const palettes = new Map(Object.entries(data.palettes).map(([name, rgb]) => [name, bytesOf(rgb)]));
const saved = {
  weights: new Map(data.names.map((name, i) => [name, data.weights[i]])),
  rule: data.rule,
  normalize: data.normalize,
};
let state = { ...saved, colormap: data.colormap, opacity: data.opacity, heat: null, shares: [] };
let point = null; // where the heat is read off: [x, y] in [0, 1]

/** Paint values in [0, 1] on a canvas, the more opaque the larger. */
function paint(canvas, { shape, values }, opacity = 1) {
  [canvas.height, canvas.width] = shape;
  const colors = palettes.get(state.colormap);
  const last = colors.length / 3 - 1;
  const image = new ImageData(shape[1], shape[0]);
  values.forEach((value, i) => {
    const color = 3 * Math.round(value * last);
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = colors[color + c];
    image.data[4 * i + 3] = Math.round(255 * opacity * value);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

function thumbnailSize() {
  const scale = Math.min(1, THUMBNAIL / Math.max(...data.size));
  return data.size.map((side) => Math.max(1, Math.round(side * scale)));
}

function smallPhoto() {
  const canvas = document.createElement("canvas");
  [canvas.height, canvas.width] = thumbnailSize();
  canvas.getContext("2d").drawImage(find("photo"), 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.85);
}

/** What `tiles.makeTiles` wants to know. */
function stages() {
  const photo = smallPhoto();
  let next = 0;
  return data.stages.map((count) => {
    const first = next;
    next += count;
    return {
      label: maps[first].shape.join(" x "),
      layers: maps.slice(first, next).map((map, i) => ({
        name: data.names[first + i],
        detail: `map of ${map.shape.join(" x ")}`,
        photo,
        silent: !map.values.some((value) => value > 0),
      })),
    };
  });
}

function paintTiles() {
  const canvas = document.createElement("canvas");
  const small = maps.map((map) => fusion.normalise(fusion.upsample(map, thumbnailSize()), "minmax"));
  diagram.paint(small.map((map) => paint(canvas, map).toDataURL()));
}

/** Take a change over, whole; what cannot be fused is refused, in words. */
function take(change) {
  const next = { ...state, ...change };
  const recipe = [[...next.weights.values()], data.size, next.rule, next.normalize, data.importances];
  try {
    next.heat = fusion.fuse(maps, ...recipe);
    next.shares = fusion.shares(maps, ...recipe);
    state = next;
    find("problem").textContent = "";
  } catch (error) {
    find("problem").textContent = error.message;
  }
  show();
}

function sameAsSaved() {
  const { weights, rule, normalize } = saved;
  const same = [...weights].every(([name, weight]) => state.weights.get(name) === weight);
  return same && state.rule === rule && state.normalize === normalize;
}

function show() {
  paint(find("heat"), state.heat, state.opacity);
  const weights = [...state.weights.values()];
  diagram.update(weights, state.shares);
  for (const id of ["rule", "normalize", "colormap", "opacity"]) {
    find(id).value = state[id] ?? "none";
  }
  find("opacity").setAttribute("aria-valuetext", `${Math.round(100 * state.opacity)} %`);
  for (const vote of document.querySelectorAll(".vote")) {
    vote.classList.toggle("off", !vote.dataset.layers.split(" ").some((i) => weights[i] > 0));
  }
  document.body.classList.toggle("changed", !sameAsSaved());
  find("state").textContent = [
    `${weights.filter((weight) => weight > 0).length} of ${weights.length} layers,`,
    `${data.method}, rule ${state.rule}.`,
    state.heat.values.some((value) => value > 0)
      ? ""
      : "The layers that are on hold no positive evidence for this place.",
    sameAsSaved() ? "" : "Evidence and sentence belong to the fusion as it was saved.",
  ].join(" ");
  probe();
}

/** Read the heat off at the point, if there is one. */
function probe() {
  find("cross").hidden = !point;
  if (!point) {
    find("value").textContent = "heat –";
    return;
  }
  const [row, column] = data.size.map((side, axis) =>
    Math.min(side - 1, Math.floor(point[1 - axis] * side)),
  );
  find("value").textContent = `heat ${state.heat.values[row * data.size[1] + column].toFixed(2)}`;
  find("cross").style.left = `${100 * point[0]}%`;
  find("cross").style.top = `${100 * point[1]}%`;
}

function pointAt(next) {
  point = next;
  probe();
}

/** The weights of a preset, 0 or 1. */
function preset(name) {
  let end = 0;
  const lasts = data.stages.map((count) => data.names[(end += count) - 1]);
  const on = {
    "last layer": (layer) => layer === lasts.at(-1),
    "one per stage": (layer) => lasts.includes(layer),
    all: () => true,
    invert: (layer) => !(state.weights.get(layer) > 0),
  }[name];
  return new Map(data.names.map((layer) => [layer, Number(on(layer))]));
}

function offer(id, names) {
  find(id).replaceChildren(...names.map((name) => new Option(name, name)));
}

function listen() {
  const overlay = find("overlay");
  overlay.addEventListener("pointermove", (event) => {
    const box = find("heat").getBoundingClientRect();
    pointAt([
      inside((event.clientX - box.left) / box.width),
      inside((event.clientY - box.top) / box.height),
    ]);
  });
  overlay.addEventListener("pointerleave", () => pointAt(null));
  overlay.addEventListener("blur", () => pointAt(null));
  overlay.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    pointAt(point ? point.map((at, axis) => inside(at + step[axis] / PROBE_STEPS)) : [0.5, 0.5]);
  });
  find("rule").addEventListener("change", (event) => take({ rule: event.target.value }));
  find("normalize").addEventListener("change", ({ target }) =>
    take({ normalize: target.value === "none" ? null : target.value }),
  );
  find("colormap").addEventListener("change", (event) => {
    state.colormap = event.target.value;
    paintBar();
    paintTiles();
    show();
  });
  find("opacity").addEventListener("input", (event) => {
    state.opacity = Number(event.target.value);
    show();
  });
  for (const button of document.querySelectorAll("[data-preset]")) {
    button.addEventListener("click", () => take({ weights: preset(button.dataset.preset) }));
  }
  find("reset").addEventListener("click", () => take(saved));
}

/** Make photo and map equally high, as far as there is room. */
function align() {
  const { naturalWidth, naturalHeight } = find("photo");
  const { width, height } = document.querySelector(".world").viewBox.baseVal;
  const { style } = find("pictures");
  style.setProperty("--photo-aspect", Math.min(1.8, Math.max(0.55, naturalWidth / naturalHeight)));
  style.setProperty("--world-aspect", width / height);
}

function paintBar() {
  const colors = palettes.get(state.colormap);
  const context = find("bar").getContext("2d");
  for (let i = 0; i < colors.length / 3; i++) {
    context.fillStyle = `rgb(${colors.subarray(3 * i, 3 * i + 3).join(" ")})`;
    context.fillRect(i, 0, 1, 1);
  }
}

offer("rule", fusion.RULE_NAMES);
offer("normalize", fusion.NORMALIZATIONS.map((name) => name ?? "none"));
offer("colormap", [...palettes.keys()]);
await find("photo").decode();
align();
const diagram = tiles.makeTiles(stages(), {
  toggle: (names) => take({ weights: tiles.toggled(state.weights, names) }),
  solo: (name) => take({ weights: tiles.solo(state.weights, name) }),
  weigh: (name, weight) => take({ weights: new Map([...state.weights, [name, weight]]) }),
});
find("diagram").append(diagram.element);
paintBar();
paintTiles();
listen();
take({});
