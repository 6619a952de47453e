// A gallery in a file: everything is in it, and a photo opens larger.

import { make } from "../../shown/dom.js";
import { mount } from "./mounted.js";
import { isMissing, read, valueOf } from "./table.js";

function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

function storeOf(state) {
  const listeners = new Set();
  return {
    get: (name) => state[name],
    set(values) {
      Object.assign(state, values);
      for (const listener of listeners) listener();
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const data = JSON.parse(document.getElementById("data").textContent);
const table = read(data.table, data.rows, data.values.map(bytesOf));
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => {
  document.body.dataset.jpThemeLight = String(!dark.matches);
};
follow();
dark.addEventListener("change", follow);

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("photo"));
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

const OF_LAYERS = new Set(["share", "alone"]);

/** What a row says in some columns. */
function facts(columns, row) {
  const known = columns.filter((column) => !isMissing(column, row));
  const said = known.flatMap((column) => [make("dt", "", {}, [column.label]), make("dd", "", {}, [valueOf(column, row)])]);
  return make("dl", "", {}, said);
}

function open(row) {
  const close = make("button", "", { type: "button" }, ["Close"]);
  close.addEventListener("click", () => dialog.close());
  const { url, problem, credit } = data.pictures[row];
  const picture = url ? make("img", "", { src: url, alt: "The photo with its heat" }) : make("p", "", {}, [problem]);
  const thanks = credit ? [make("p", "", {}, [`Photo: ${credit}`])] : [];
  const layers = table.columns.filter((column) => OF_LAYERS.has(column.role));
  const others = table.columns.filter((column) => !OF_LAYERS.has(column.role));
  const more = layers.length ? [make("details", "", {}, [make("summary", "", {}, ["Layers"]), facts(layers, row)])] : [];
  dialog.replaceChildren(close, picture, ...thanks, facts(others, row), ...more);
  dialog.showModal();
}

mount(document.getElementById("gallery"), {
  table,
  land: data.land,
  store: storeOf(data.state),
  pictures: { get: (row) => data.pictures[row], want() {}, clear() {}, listen: () => () => {} },
  open,
  heated: false,
});
