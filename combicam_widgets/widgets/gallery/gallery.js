// Many photos in a notebook: the table comes by message, once; then the page needs no kernel.

import { listenAgain } from "../_bridge/attentive.js";
import { make } from "../../shown/dom.js";
import { mount } from "./mounted.js";
import { read } from "./table.js";
import { thumbnails } from "./thumbnails.js";

const VIEW = ["sort_by", "filters", "search", "brush", "x", "y", "selected", "heat", "colormap", "doing", "exploring", "problem"];
const WAITING = "The photos come from the kernel: run the cell to see them.";
const known = new Map(); // by name of the model: what it was told; each view has a model object of its own

/** The state of a model, changed here first: a brush that is drawn is told when it is done. */
function storeOf(model) {
  const local = new Map();
  const listeners = new Set();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  model.on(VIEW.map((name) => `change:${name}`).join(" "), () => {
    local.clear();
    tell();
  });
  return {
    get: (name) => (local.has(name) ? local.get(name) : model.get(name)),
    set(values, done) {
      if (!done) {
        for (const [name, value] of Object.entries(values)) local.set(name, value);
        tell();
        return;
      }
      local.clear();
      for (const [name, value] of Object.entries(values)) model.set(name, value);
      model.save_changes();
      tell();
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function initialize({ model }) {
  const mine = { told: null, store: storeOf(model), pictures: null, changed: new Set() };
  known.set(model.get("ident"), mine);
  model.on("msg:custom", (message, buffers) => {
    if (message.edition !== model.get("edition")) return;
    if (message.table) {
      mine.told = { table: read(message.table, message.rows, buffers), land: message.land, edition: message.edition };
      mine.pictures?.drop();
      mine.pictures = thumbnails((want) => model.send({ want }));
      for (const listener of mine.changed) listener();
    } else if ("picture" in message && mine.pictures) {
      const { picture, heat, colormap, problem } = message;
      if (heat !== model.get("heat") || colormap !== model.get("colormap")) return;
      const [bytes] = buffers;
      const url = bytes.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) : "";
      mine.pictures.arrived(picture, url, problem);
    }
  });
  const ask = () => model.send({ ask: "the table" });
  model.on("change:edition", () => {
    if (mine.told?.edition !== model.get("edition")) ask();
  });
  ask();
  listenAgain({ model }).then((missed) => missed && ask());
  return () => known.delete(model.get("ident"));
}

/** Show the picture that was saved, until the table comes. Gives what takes it off again. */
function wait(model, el) {
  const still = model.get("still");
  const words = model.get("alone") || WAITING;
  el.append(make("p", "ccw-gallery-waits", {}, [words]));
  if (!still?.byteLength) return null;
  const url = URL.createObjectURL(new Blob([still], { type: "image/jpeg" }));
  el.append(make("img", "ccw-gallery-still", { src: url, alt: words }));
  return () => URL.revokeObjectURL(url);
}

function render({ model, el }) {
  const mine = known.get(model.get("ident"));
  let leave = null;
  function show() {
    leave?.();
    leave = null;
    el.replaceChildren();
    const { told, store, pictures } = mine;
    if (!told) {
      leave = wait(model, el);
      return;
    }
    if (!told.table.rows) {
      el.append(make("p", "ccw-gallery-waits", {}, ["There are no photos yet."]));
      return;
    }
    const act = { open: (row) => model.send({ open: row }), close: () => model.send({ close: true }) };
    leave = mount(el, { ...told, store, pictures, ...act });
  }
  show();
  mine.changed.add(show);
  return () => {
    mine.changed.delete(show);
    leave?.();
  };
}

export default { initialize, render };
