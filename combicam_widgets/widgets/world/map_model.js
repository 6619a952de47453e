// The model of the map around: ipyleaflet's.

import { modelOf } from "../_bridge/model_of.js";

/** The model of the Leaflet map. */
export const worldOf = (model) => modelOf(model, "map");

/**
 * Keeps out of what is saved where somebody has moved the map to, which may be where the photo was
 * taken, and the address of the page: like `LeafletMap` in Python.
 */
export async function keepPrivate(model) {
  const world = await worldOf(model);
  const all = world.get_state;
  world.get_state = function (...options) {
    const state = { ...all.apply(this, options), ...model.get("kept") };
    for (const name of model.get("private")) delete state[name];
    return state;
  };
}
