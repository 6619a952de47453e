// Search, sorting and filters above the photos.

import { make } from "../../shown/dom.js";
import { direction } from "./table.js";

const LISTED = 60; // texts that are offered in a menu; more are looked for

function labelled(text, control) {
  return make("label", "ccw-gallery-control", {}, [make("span", "", {}, [text]), control]);
}

/** A menu of columns, the shares of layers apart. */
function columnMenu(columns, first, attributes = {}) {
  const option = (column) => make("option", "", { value: column.name }, [column.label]);
  const ofLayers = { share: "shares of layers", alone: "layers alone" };
  const others = columns.filter((column) => !(column.role in ofLayers));
  const menu = make("select", "", attributes, [make("option", "", { value: "" }, [first]), ...others.map(option)]);
  for (const [role, label] of Object.entries(ofLayers)) {
    const some = columns.filter((column) => column.role === role);
    if (some.length) menu.append(make("optgroup", "", { label }, some.map(option)));
  }
  return menu;
}

/** Where a number is written; empty for none. */
function numberField(name, change) {
  const field = make("input", "", { type: "number", step: "any", "aria-label": name, placeholder: "any" });
  field.addEventListener("change", change);
  return field;
}

const read = (field) => (field.value === "" || !Number.isFinite(field.valueAsNumber) ? null : field.valueAsNumber);

/** The texts of a column as options, as people order them, each with how often it is there. */
function options(column) {
  const counts = new Map();
  for (const rank of column.values) counts.set(rank, (counts.get(rank) ?? 0) + 1);
  return column.words
    .map((word, rank) => ({ word, rank }))
    .sort((a, b) => a.word.localeCompare(b.word, "en", { numeric: true }))
    .map(({ word, rank }) => make("option", "", { value: rank }, [`${word || "(empty)"} (${counts.get(rank)})`]));
}

/** What edits the condition on one column: `show(condition)`, and `change(condition)` is called. */
function editor(column, change) {
  if (!column.words) {
    const act = () => {
      const [low, high] = [read(least), read(most)];
      change(low !== null && high !== null && low > high ? [high, low] : [low, high]);
    };
    const [least, most] = ["least", "most"].map((which) => numberField(`${column.label}, ${which}`, act));
    return {
      parts: [least, make("span", "", { "aria-hidden": "true" }, ["to"]), most],
      show(condition) {
        const [low, high] = Array.isArray(condition) ? condition : [null, null];
        [least.value, most.value] = [low ?? "", high ?? ""];
      },
    };
  }
  if (column.words.length <= LISTED) {
    const menu = make("select", "", { "aria-label": column.label }, [
      make("option", "", { value: "some" }, ["any"]),
      make("option", "", { value: "none" }, ["none"]),
      ...options(column),
      make("option", "", { value: "other", hidden: "" }, ["several"]),
    ]);
    menu.addEventListener("change", () => {
      const fixed = { some: true, none: false }[menu.value];
      change(fixed === undefined ? [column.words[Number(menu.value)]] : fixed);
    });
    return {
      parts: [menu],
      show(condition) {
        const [word] = Array.isArray(condition) && condition.length === 1 ? condition : [];
        const at = column.words.indexOf(word);
        menu.value = typeof condition === "boolean" ? (condition ? "some" : "none") : at < 0 ? "other" : at;
      },
    };
  }
  const field = make("input", "", { type: "search", "aria-label": `${column.label} contains`, placeholder: "contains" });
  field.addEventListener("input", () => change(field.value));
  return {
    parts: [field],
    show(condition) {
      field.value = typeof condition === "string" ? condition : "";
    },
  };
}

/** The condition that a new filter begins with: it holds for every row of which something is known. */
const begun = (column) => (column.words && column.words.length > LISTED ? "" : column.words ? true : [null, null]);

/** The controls; `store` is the gallery's state, `heated` whether heat can be switched. */
export function controls(table, store, heated) {
  const search = make("input", "", { type: "search", placeholder: "place, name, …" });
  search.addEventListener("input", () => store.set({ search: search.value }, true));

  const sortMenu = columnMenu(table.columns, "as given");
  const turn = make("button", "ccw-gallery-turn", { type: "button" });
  const sortBy = (name, descending) => store.set({ sort_by: name && descending ? `-${name}` : name }, true);
  sortMenu.addEventListener("change", () => sortBy(sortMenu.value, false));
  turn.addEventListener("click", () => {
    const { column, descending } = direction(table, store.get("sort_by"));
    if (column) sortBy(column.name, !descending);
  });

  const heat = make("input", "", { type: "checkbox" });
  heat.addEventListener("change", () => store.set({ heat: heat.checked }, true));

  const add = columnMenu(table.columns, "Add a filter…", { "aria-label": "Add a filter" });
  add.addEventListener("change", () => {
    const column = table.named.get(add.value);
    add.value = "";
    if (!column) return;
    store.set({ filters: { [column.name]: begun(column), ...store.get("filters") } }, true);
    filters.get(column.name)?.box.querySelector("input, select")?.focus();
  });

  const clear = make("button", "", { type: "button" }, ["Show all"]);
  clear.addEventListener("click", () => store.set({ filters: {}, search: "", brush: null }, true));

  const kept = "Keep the brush as a filter";
  const keep = make("button", "", { type: "button", "aria-label": kept, title: kept }, ["Keep brush"]);
  keep.addEventListener("click", () => {
    store.set({ filters: { ...store.get("filters"), ...store.get("brush") }, brush: null }, true);
  });

  const filters = new Map();
  const list = make("div", "ccw-gallery-filters", { role: "group", "aria-label": "Filters" });

  function without(name) {
    const { [name]: _gone, ...rest } = store.get("filters");
    return rest;
  }

  function makeFilter(column) {
    const edited = editor(column, (condition) => {
      store.set({ filters: { ...store.get("filters"), [column.name]: condition } }, true);
    });
    const remove = make("button", "", { type: "button", "aria-label": `Take away the filter on ${column.label}` }, ["×"]);
    remove.addEventListener("click", () => {
      store.set({ filters: without(column.name) }, true);
      add.focus();
    });
    const box = make("div", "ccw-gallery-filter", { role: "group", "aria-label": column.label }, [
      make("span", "", {}, [column.label]),
      ...edited.parts,
      remove,
    ]);
    return { box, show: edited.show };
  }

  const element = make("div", "ccw-gallery-controls", {}, [
    labelled("Search", search),
    make("div", "ccw-gallery-control", {}, [labelled("Sort by", sortMenu), turn]),
    add,
    ...(heated ? [labelled("Heat", heat)] : []),
    list,
  ]);

  return {
    element,
    buttons: [clear, keep],
    show() {
      keep.disabled = !store.get("brush");
      const sought = store.get("search");
      if (search.value.trim() !== sought.trim()) search.value = sought;
      const { column, descending } = direction(table, store.get("sort_by"));
      sortMenu.value = column?.name ?? "";
      turn.disabled = !column;
      turn.textContent = descending ? "↓" : "↑";
      const order = column?.words ? ["from A to Z", "from Z to A"] : ["smallest first", "largest first"];
      turn.title = column ? `${order[Number(descending)]}; click for ${order[Number(!descending)]}` : "Choose a column first";
      turn.setAttribute("aria-label", turn.title);
      heat.checked = store.get("heat");
      const conditions = store.get("filters") ?? {};
      for (const [name, filter] of filters) {
        if (name in conditions) continue;
        filter.box.remove();
        filters.delete(name);
      }
      for (const [name, condition] of Object.entries(conditions)) {
        const column = table.named.get(name);
        if (!column) continue;
        if (!filters.has(name)) {
          filters.set(name, makeFilter(column));
          list.append(filters.get(name).box);
        }
        const filter = filters.get(name);
        if (!filter.box.contains(document.activeElement)) filter.show(condition);
      }
      list.hidden = filters.size === 0;
      clear.disabled = !filters.size && !store.get("search") && !store.get("brush");
    },
  };
}
