// The list of the most probable cells and the legend of the world map. State in, DOM out.

import { make } from "../../shown/dom.js";
import { initialize } from "../_bridge/attentive.js";
import { confided } from "../_bridge/discreet.js";

/** "20 % Hobart, south-eastern Australia": where there is little room, the city comes first. */
export function short(text) {
  return text.replace("less than 1 %", "< 1 %").replace(/ % (.+), near (.+)$/, " % $2, $1");
}

function makeRow({ index, text, share, role }, { choosable, comparable }, send) {
  const meter = make("span", "ccw-meter", { "aria-hidden": "true" });
  meter.style.setProperty("--share", share);
  const parts = [meter, make("span", "ccw-row-text", {}, [short(text)])];
  const compared = role.startsWith("rather");
  if (role && !(comparable && compared)) parts.push(make("span", `ccw-role ccw-role-${role.split(" ")[0]}`, {}, [role]));
  if (!choosable) return make("li", "ccw-row", { title: text }, parts);
  const name = `Explain this cell: ${text}${role ? ` (${role})` : ""}`;
  const button = make("button", "ccw-row", { type: "button", "aria-label": name }, parts);
  button.setAttribute("aria-pressed", String(role === "explained"));
  button.title = name;
  button.dataset.index = index;
  button.addEventListener("click", () => send({ chosen: index }));
  const item = make("li", "ccw-row-item", {}, [button]);
  if (comparable && role !== "explained") item.append(makeContrast(index, text, compared, send));
  return item;
}

/** The button that asks why the target rather than this cell, or takes the question back. */
function makeContrast(index, text, compared, send) {
  const contrast = make("button", "ccw-role ccw-role-rather ccw-why-not", { type: "button" }, [
    compared ? "rather than there" : "why not?",
  ]);
  contrast.setAttribute("aria-label", `Why not here: ${text}`);
  contrast.setAttribute("aria-pressed", String(compared));
  contrast.title = compared
    ? "compare no longer"
    : "contrast: show what speaks for the explained place rather than for this one";
  contrast.dataset.contrast = index;
  contrast.addEventListener("click", () => send({ contrasted: compared ? null : index }));
  return contrast;
}

function makeKey({ kind, text }) {
  return make("li", "ccw-key", {}, [
    make("span", `ccw-swatch ccw-swatch-${kind}`, { "aria-hidden": "true" }),
    make("span", "", {}, [text]),
  ]);
}

function render({ model, el }) {
  const list = make("ol", "ccw-top", { "aria-label": "Most probable cells" });
  const keys = make("ul", "ccw-keys", { "aria-label": "Legend", tabindex: 0 });
  const legend = make("details", "ccw-legend", {}, [make("summary", "", {}, ["Legend"]), keys]);
  el.classList.add("ccw-cells");
  el.append(list, legend);

  function showRows() {
    const { activeElement: reached } = document;
    const focused = reached instanceof HTMLElement && list.contains(reached) ? reached.dataset : {};
    const may = { choosable: model.get("choosable"), comparable: model.get("comparable") };
    const rows = model.get("rows").map((row) => makeRow(row, may, (said) => model.send(said)));
    list.replaceChildren(...rows);
    list.hidden = rows.length === 0;
    // What was chosen keeps the focus, so that a keyboard can go on from there.
    for (const [name, value] of Object.entries(focused)) {
      list.querySelector(`[data-${name}="${value}"]`)?.focus();
    }
  }
  function showKeys() {
    const shown = [...model.get("legend"), ...(aside.told("legend") ?? [])];
    keys.replaceChildren(...shown.map(makeKey));
    legend.hidden = shown.length === 0;
  }
  const aside = confided({ model }, showKeys);
  showRows();
  showKeys();
  model.on("change:rows", showRows);
  model.on("change:legend", showKeys);
  return () => {
    aside.stop();
    model.off("change:rows", showRows);
    model.off("change:legend", showKeys);
  };
}

export default { initialize, render };
