// One photo of the page: the notebook's own diagram and heat, on a state that nobody else holds.

import { normalise, upsample } from "../../shown/fusion.js";
import { showDiagram } from "../../widgets/diagram/diagram_view.js";
import { fusedBy } from "../../widgets/fused.js";
import { heatOnPhoto } from "../../widgets/heat/heat_on_photo.js";
import { wayOn } from "../../widgets/heat/over_photo.js";
import { painted, png } from "../../widgets/heat/painting.js";
import { plainModel } from "./plain_model.js";

const [THUMBNAIL, CARD] = [96, 360];
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Undo Python's `packed`: all maps one after the other, as the notebook has them. */
function unpacked(maps) {
  const count = maps.reduce((sum, { shape }) => sum + shape[0] * shape[1], 0);
  const all = new DataView(new ArrayBuffer(4 * count));
  let at = 0;
  for (const { shape, values, range } of maps) {
    const view = new DataView(bytesOf(values).buffer);
    for (let i = 0; i < shape[0] * shape[1]; i++, at += 4) {
      const value = range
        ? range[0] + ((range[1] - range[0]) * view.getUint16(2 * i, true)) / 65535
        : view.getFloat32(4 * i, true);
      all.setFloat32(at, value, true);
    }
  }
  return all;
}

function sizeWithin(side, size) {
  const scale = Math.min(1, side / Math.max(...size));
  return size.map((length) => Math.max(1, Math.round(length * scale)));
}

function smaller(image, [height, width]) {
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  return canvas.toDataURL("image/jpeg", 0.85);
}

/** Weights that differ by a common factor alone are the same fusion. */
function proportions(weights) {
  const largest = Math.max(...weights);
  return weights.map((weight) => (weight / largest).toFixed(6)).join(" ");
}

/** What was changed, to be taken back: changes of one gesture in one step. */
function makePast(first) {
  const steps = [{ weights: first, gesture: "" }];
  let now = 0;
  return {
    push(weights, gesture) {
      if (gesture && gesture === steps[now].gesture) now -= 1;
      steps.splice(now + 1, Infinity, { weights, gesture });
      now += 1;
    },
    step(way) {
      now += way === "undo" ? -1 : 1;
      return steps[now].weights;
    },
    get now() {
      return steps[now].weights;
    },
    get can_undo() {
      return now > 0;
    },
    get can_redo() {
      return now < steps.length - 1;
    },
  };
}

/**
 * Show a photo in its section of the page. `look` gives what all photos share: rule, normalize,
 * opacity, palette. Gives `{ weights(), use(weights), follow(look, anew) }`.
 */
export async function mount(section, data, look) {
  const find = (selector) => section.querySelector(selector);
  const [photo, heat] = [find(".photograph"), find(".heat")];
  await photo.decode();
  const bytes = unpacked(data.maps);
  const shapes = data.maps.map(({ shape }) => shape);
  const zeros = new Float64Array(1);
  const saved = Object.fromEntries(data.names.map((name, i) => [name, data.weights[i]]));
  const past = makePast(saved);

  const model = plainModel(
    {
      ...{ names: data.names, maps: bytes, shapes, size: data.size, importances: data.importances },
      ...{ weights: saved, rule: look.rule, normalize: look.normalize, given_shares: {}, about: 0 },
      ...{ photo: smaller(photo, sizeWithin(THUMBNAIL, data.size)), stages: stages(look.palette) },
      ...{ preview: "", highlight: "", opened: "", gesture: "", card: {}, can_undo: false, can_redo: false },
    },
    { saved: taken, sent: ({ do: way }) => show(past.step(way)) },
  );
  const caption = plainModel({
    ...{ palette: new DataView(look.palette.buffer), opacity: look.opacity, keep: null },
    ...{ photo: data.name, label: "", words: "", name: "", fusion: "of this photo" },
  });
  const fused = fusedBy(model);

  function map(index) {
    let at = shapes.slice(0, index).reduce((sum, [h, w]) => sum + 4 * h * w, 0);
    const [h, w] = shapes[index];
    const values = Float64Array.from({ length: h * w }, () => bytes.getFloat32((at += 4) - 4, true));
    return { shape: [h, w], values };
  }
  function picture(index, side, palette) {
    const small = normalise(upsample(map(index), sizeWithin(side, data.size), true), "minmax");
    return png(small.shape, painted(small, palette, 1));
  }
  function stages(palette) {
    let index = -1;
    return data.stages.map((count) => {
      const layers = Array.from({ length: count }, () => {
        index += 1;
        const label = shapes[index].toReversed().join(" x ");
        return {
          name: data.names[index],
          detail: `map of ${label}`,
          picture: picture(index, THUMBNAIL, palette),
          silent: !map(index).values.some((value) => value > 0),
        };
      });
      return { label: shapes[index].toReversed().join(" x "), layers };
    });
  }
  function card(name) {
    const index = data.names.indexOf(name);
    if (index < 0) return {};
    const size = shapes[index].toReversed().join(" x ");
    return {
      name,
      facts: [["map", size]],
      vote: data.votes?.[index] ?? "",
      picture: picture(index, CARD, look.palette),
      photo: smaller(photo, sizeWithin(CARD, data.size)),
    };
  }

  /** What the page's own hands have changed. */
  function taken(names) {
    if (names.includes("opened")) model.put("card", card(model.get("opened")));
    if (!names.includes("weights")) return;
    const weights = model.get("weights");
    if (Object.values(weights).some((weight) => weight > 0)) {
      past.push(weights, model.get("gesture"));
      show(weights);
    } else {
      show(past.now);
      find(".problem").textContent = "At least one layer must stay on.";
    }
  }
  function show(weights) {
    model.put("weights", weights);
    for (const name of ["can_undo", "can_redo"]) model.put(name, past[name]);
    find(".problem").textContent = "";
    say();
  }
  /** Which of the stored answers belongs to what is shown; -1: nobody has asked. */
  function answer(weights) {
    const now = proportions(weights);
    const asSaved = model.get("rule") === data.rule && model.get("normalize") === data.normalize;
    return data.answers.findIndex((each) => (asSaved || each.alone) && proportions(each.weights) === now);
  }
  function say() {
    const weights = data.names.map((name) => model.get("weights")[name]);
    const hot = (fused.heat()?.values ?? zeros).some((value) => value > 0);
    const known = hot ? answer(weights) : -1;
    const on = weights.filter((weight) => weight > 0).length;
    section.classList.toggle("unasked", known < 0);
    if (known >= 0) find(".sentence").textContent = data.answers[known].sentence;
    for (const each of section.querySelectorAll(".answer")) {
      const mine = each.dataset.answers.split(" ").map(Number);
      each.classList.toggle("other", !mine.includes(Math.max(known, 0)));
    }
    for (const vote of section.querySelectorAll(".vote")) {
      vote.classList.toggle("off", !vote.dataset.layers.split(" ").some((i) => weights[i] > 0));
    }
    find(".state").textContent = [
      `${on} of ${weights.length} layers, ${data.method}, rule ${model.get("rule")}.`,
      hot ? "" : "The layers that are on hold no positive evidence for this place.",
      known < 0 ? "Evidence and sentence belong to the fusion as it was saved." : "",
    ].join(" ");
  }

  showDiagram({ model, el: find(".layers") });
  const figure = find(".ccw-photo-figure");
  const inside = wayOn(find(".ccw-overlay"), figure, () => heat.getBoundingClientRect());
  const canvas = {
    ready: () => true,
    paint: (source) => heat.src === source || (heat.src = source),
    watch: () => {},
    forget: () => {},
  };
  await heatOnPhoto(caption, find(".ccw-caption"), inside, canvas, async () => model);
  const { naturalWidth, naturalHeight } = photo;
  const { width, height } = find(".world").viewBox.baseVal;
  const { style } = find(".pictures");
  style.setProperty("--photo-aspect", Math.min(1.8, Math.max(0.55, naturalWidth / naturalHeight)));
  style.setProperty("--world-aspect", width / height);
  say();
  return {
    weights: () => model.get("weights"),
    use(weights = saved) {
      past.push(weights, "");
      show(weights);
    },
    follow(next, anew) {
      look = next;
      for (const name of ["rule", "normalize"]) model.put(name, next[name]);
      caption.put("opacity", next.opacity);
      if (anew) {
        caption.put("palette", new DataView(next.palette.buffer));
        model.put("stages", stages(next.palette));
      }
      paintBar(find(".bar"), next.palette);
      say();
    },
  };
}

function paintBar(canvas, palette) {
  const count = palette.length / 4;
  const pixels = painted({ shape: [1, count], values: Float64Array.from({ length: count }, (_, i) => i / (count - 1)) }, palette, 1);
  for (let i = 3; i < pixels.length; i += 4) pixels[i] = 255;
  canvas.width = count;
  canvas.getContext("2d").putImageData(new ImageData(pixels, count, 1), 0, 0);
}
