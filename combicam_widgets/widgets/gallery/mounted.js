// The whole gallery in an element: what is seen follows from the table and a few settings.

import { make } from "../../shown/dom.js";
import { answers } from "./answers.js";
import { controls } from "./controls.js";
import { grid } from "./grid.js";
import { scatter } from "./scatter.js";
import { chosen, matching, ordered, sentence } from "./table.js";

/**
 * Show a gallery. `store` has `get(name)`, `set(values, done)` and `listen(callback)`; `open(row)`
 * opens a photo, `close()` closes it again; `heated` says whether heat can be switched. Gives what takes it off again.
 */
export function mount(el, { table, land, store, pictures, open, close = () => {}, heated = true }) {
  const memory = {};
  const status = make("p", "ccw-gallery-status", { role: "status" });
  const words = make("span", "", { role: "status" });
  const away = make("button", "", { type: "button" }, ["Close the explorer"]);
  const doing = make("div", "ccw-gallery-doing", {}, [words, away]);
  away.addEventListener("click", () => close());
  const problem = make("p", "ccw-gallery-alert", { role: "alert" });
  const pick = (row) => store.set({ selected: row }, true);
  const parts = {
    controls: controls(table, store, heated),
    grid: grid(table, store, pictures, pick, open),
    map: answers(table, land, store, (row) => {
      pick(row);
      parts.grid.reveal(row);
    }),
    scatter: scatter(table, store, (row) => {
      pick(row);
      parts.grid.reveal(row);
    }),
  };
  const nothing = make("p", "ccw-gallery-nothing", {}, ["No photo meets all of this."]);
  const planes = [parts.map, parts.scatter].filter(Boolean);
  const side = make("div", "ccw-gallery-side", {}, planes.map((part) => part.element));
  const photos = make("div", "ccw-gallery-photos", {}, [parts.grid.element, nothing]);
  const body = make("div", "ccw-gallery-body", {}, [photos, side]);
  const root = make("section", "ccw-gallery", { "aria-label": "Gallery" }, [
    parts.controls.element,
    make("div", "ccw-gallery-told", {}, [...parts.controls.buttons, status]),
    doing,
    problem,
    body,
  ]);
  el.append(root);

  /** Whether any of these settings is another one than when it was last asked. */
  function changed(...names) {
    const key = names.join();
    const now = JSON.stringify(names.map((name) => store.get(name)));
    if (memory[key] === now) return false;
    memory[key] = now;
    return true;
  }

  function show() {
    const another = {
      order: changed("sort_by"),
      filtered: changed("filters", "search"),
      brushed: changed("brush"),
      axes: changed("x", "y"),
      selected: changed("selected"),
    };
    if (another.order) memory.ordered = ordered(table, store.get("sort_by"));
    if (another.filtered) memory.filtered = matching(table, store.get("filters"), store.get("search"));
    if (another.brushed) memory.within = matching(table, store.get("brush"));
    const rowsChanged = another.order || another.filtered || another.brushed;
    if (rowsChanged) {
      memory.shown = chosen(memory.ordered, memory.filtered, memory.within);
      memory.rest = store.get("brush") ? chosen(memory.ordered, memory.filtered) : [];
      parts.grid.show(memory.shown);
      nothing.hidden = memory.shown.length > 0;
    } else if (another.selected) parts.grid.redraw();
    if (rowsChanged || another.axes) {
      for (const part of planes) part.show(memory.rest, memory.shown);
    } else if (another.selected) for (const part of planes) part.showMark();
    parts.controls.show();
    const view = ["sort_by", "filters", "search", "brush"].map((name) => [name, store.get(name)]);
    status.textContent = sentence(table, Object.fromEntries(view), memory.shown.length);
    words.textContent = store.get("doing") ?? "";
    away.hidden = !store.get("exploring");
    doing.hidden = away.hidden && !words.textContent;
    problem.textContent = store.get("problem") ?? "";
    if (changed("heat", "colormap") && memory.looked) pictures.clear();
    memory.looked = true;
  }

  const stop = [store.listen(show), parts.grid.stop];
  const theme = new MutationObserver(() => planes.forEach((part) => part.repaint()));
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "class"] });
  show();
  return () => {
    theme.disconnect();
    for (const end of stop) end();
    root.remove();
  };
}
