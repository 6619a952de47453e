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

const dialog = document.getElementById("photo");
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

function open(row) {
  const facts = table.columns
    .filter((column) => !isMissing(column, row))
    .flatMap((column) => [make("dt", "", {}, [column.label]), make("dd", "", {}, [valueOf(column, row)])]);
  const close = make("button", "", { type: "button" }, ["Close"]);
  close.addEventListener("click", () => dialog.close());
  const { url, problem, credit } = data.pictures[row];
  const picture = url ? make("img", "", { src: url, alt: "The photo with its heat" }) : make("p", "", {}, [problem]);
  const thanks = credit ? [make("p", "", {}, [`Photo: ${credit}`])] : [];
  dialog.replaceChildren(picture, ...thanks, make("dl", "", {}, facts), close);
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
