// Heat and shares, made in the page from the state of a `Fusion`; see fusion.py.

import { contributions, fuse, RULE_NAMES, shares } from "../shown/fusion.js";

/** What heat and shares follow from. */
export const INPUTS = ["maps", "weights", "rule", "normalize"];

/** What is seen follows from. */
export const SEEN = [...INPUTS, "given", "about", "preview"];

function mapsOf(model) {
  const bytes = model.get("maps");
  let at = 0;
  return model.get("shapes").map((shape) => {
    const values = new Float64Array(shape[0] * shape[1]);
    for (let i = 0; i < values.length; i++, at += 4) values[i] = bytes.getFloat32(at, true);
    return { shape, values };
  });
}

/** The heat that Python has fused, coarse, where the page cannot; null without it. */
function given(model) {
  const bytes = model.get("given");
  if (!bytes?.byteLength) return null;
  const values = Array.from({ length: bytes.byteLength }, (_, i) => bytes.getUint8(i) / 100);
  return { shape: model.get("given_shape"), values };
}

/**
 * Reads a fusion's state; works everything out once. `heat()` is the heatmap, `alone(name)` that of
 * one layer; `drawn()` and `drawnAlone(name)` are what is painted of them; `shares()` has each
 * layer's share by name. All give null where the page cannot tell: without maps, with a rule of
 * somebody's own, and while all layers are off. `read(x, y)` has the heat at a place of the photo,
 * from 0 to 1, and each layer's part of it, or null parts.
 */
export function fusedBy(model) {
  if (!known.has(model)) known.set(model, reading(model));
  return known.get(model);
}

const known = new WeakMap(); // what reads a model: all that ask for it share its work

function reading(model) {
  let bytes = null;
  let maps = [];
  let kept = { recipe: [] };

  const canFuse = () => model.get("maps")?.byteLength > 0 && RULE_NAMES.includes(model.get("rule"));
  function latest() {
    if (model.get("maps") !== bytes) {
      bytes = model.get("maps");
      maps = mapsOf(model);
    }
    const recipe = [bytes, ...INPUTS.slice(1).map((name) => model.get(name))];
    if (!recipe.every((value, i) => value === kept.recipe[i])) kept = { recipe };
    return kept;
  }
  function work(how, weightOf) {
    const weights = model.get("names").map(weightOf);
    if (!weights.some((weight) => weight > 0)) return null;
    const [size, rule] = [model.get("size"), model.get("rule")];
    return how(maps, weights, size, rule, model.get("normalize"), model.get("importances"));
  }
  const weight = (name) => model.get("weights")[name] ?? 0;
  function alone(name, smooth) {
    if (!canFuse() || !model.get("names").includes(name)) return null;
    latest();
    const index = model.get("names").indexOf(name);
    return fuse([maps[index]], [1], model.get("size"), "sum", null, null, smooth);
  }
  return {
    heat() {
      if (!canFuse()) return null;
      const now = latest();
      return (now.heat ??= work(fuse, weight));
    },
    drawn() {
      if (!canFuse()) return null;
      const now = latest();
      return (now.drawn ??= work((...recipe) => fuse(...recipe, true), weight));
    },
    alone: (name) => alone(name, false),
    drawnAlone: (name) => alone(name, true),
    read(x, y) {
      const { shape, values } = this.heat() ?? given(model) ?? {};
      if (!shape) return null;
      const [row, column] = [y, x].map((part, i) => Math.min(Math.floor(part * shape[i]), shape[i] - 1));
      const at = (maps, weights, size, ...how) => contributions(maps, weights, size, [row, column], ...how);
      return {
        heat: values[row * shape[1] + column],
        parts: canFuse() ? work(at, weight) : null,
      };
    },
    shares() {
      if (!canFuse()) return null;
      const now = latest();
      const parts = (now.shares ??= work(shares, weight));
      return parts && Object.fromEntries(model.get("names").map((name, i) => [name, parts[i]]));
    },
  };
}
