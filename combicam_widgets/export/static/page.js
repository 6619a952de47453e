// The page: what all of its photos share, and what changes it.

import { NORMALIZATIONS, RULE_NAMES } from "../../shown/fusion.js";
import { mount } from "./sheet.js";

/** @type {(id: string) => any} */
const find = (id) => document.getElementById(id);
const data = JSON.parse(find("data").textContent);
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const palettes = new Map(Object.entries(data.palettes).map(([name, rgba]) => [name, bytesOf(rgba)]));
const [{ rule, normalize }] = data.sheets;
const saved = { rule, normalize };
let look = { ...saved, colormap: data.colormap, opacity: data.opacity };
look = lookWith({});

function lookWith(change) {
  const next = { ...look, ...change };
  return { ...next, palette: palettes.get(next.colormap) };
}

/** The weights of a preset, 0 or 1. */
function preset(name, { names, stages }, now) {
  let end = 0;
  const lasts = stages.map((count) => names[(end += count) - 1]);
  const on = {
    "last layer": (layer) => layer === lasts.at(-1),
    "one per stage": (layer) => lasts.includes(layer),
    all: () => true,
    invert: (layer) => !(now[layer] > 0),
  }[name];
  return Object.fromEntries(names.map((layer) => [layer, Number(on(layer))]));
}

function take(change) {
  look = lookWith(change);
  for (const sheet of sheets) sheet.follow(look, "colormap" in change);
  for (const id of ["rule", "normalize", "colormap", "opacity"]) find(id).value = look[id] ?? "none";
  find("opacity").setAttribute("aria-valuetext", `${Math.round(100 * look.opacity)} %`);
}

function offer(id, names) {
  find(id).replaceChildren(...names.map((name) => new Option(name, name)));
}

/** The notebook's components know its dark theme by this. */
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const tell = () => (document.body.dataset.jpThemeLight = String(!dark.matches));
  dark.addEventListener("change", tell);
  tell();
}

function listen() {
  for (const id of ["rule", "colormap"]) {
    find(id).addEventListener("change", ({ target }) => take({ [id]: target.value }));
  }
  find("normalize").addEventListener("change", ({ target }) =>
    take({ normalize: target.value === "none" ? null : target.value }),
  );
  find("opacity").addEventListener("input", ({ target }) => take({ opacity: Number(target.value) }));
  for (const button of document.querySelectorAll("[data-preset]")) {
    button.addEventListener("click", () =>
      sheets.forEach((sheet, i) =>
        sheet.use(preset(button.getAttribute("data-preset"), data.sheets[i], sheet.weights())),
      ),
    );
  }
  find("reset").addEventListener("click", () => {
    for (const sheet of sheets) sheet.use();
    take(saved);
  });
  find("print").addEventListener("click", () => print());
}

followTheme();
offer("rule", RULE_NAMES);
offer("normalize", NORMALIZATIONS.map((name) => name ?? "none"));
offer("colormap", [...palettes.keys()]);
const sections = [...document.querySelectorAll(".sheet")];
const sheets = await Promise.all(sections.map((section, i) => mount(section, data.sheets[i], look)));
listen();
take({});
