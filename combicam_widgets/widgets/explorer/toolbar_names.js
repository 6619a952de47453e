// Names and tooltips for the toolbar, where ipywidgets has none: it writes the names of sliders
// beside them, but does not say so, shows no tooltips on menus, and tells nobody but the eye which
// buttons are pressed.

import { keepInView } from "./in_view.js";

const MENUS = {
  Model: "What is explained: a network, and the cells it tells apart",
  Photo: "What the model is asked about",
  Place: "What the model is asked about: a piece of the Earth, seen from above",
  Method: "CAM method: how activations and gradients of one layer become its map",
  Score: "Which number of the model is explained: its gradients say what raises it",
  Rule: "Fusion rule: how the maps of all layers become one heatmap; sum is Combi-CAM",
  Normalise: "What is done to each map before the rule: minmax and max make all count alike",
  Colours: "Colour map of the heat: all grow lighter with it, whatever colours one sees",
};

/** Name what is in the toolbar of the explorer around an element, as soon as it is there; gives
 * what ends that. `dressPhotos` is called with the menu of photos. */
export function nameToolbar(el, dressPhotos) {
  const openedMore = () => explorer.querySelector(".ccw-opens.mod-active");
  // Esc closes what More has opened, from within.
  const leaveMore = (event) => {
    const more = openedMore();
    if (event.key !== "Escape" || !more || !event.target.closest(".ccw-controls")) return;
    event.preventDefault();
    event.stopPropagation();
    more.click();
    more.focus();
  };
  // What has the focus is seen: tiles over which the opened rows lie are uncovered.
  const uncover = ({ target }) => {
    const rows = explorer.querySelector(".ccw-further");
    if (!openedMore() || !target.closest(".ccw-diagram") || !rows) return;
    if (getComputedStyle(rows).position === "absolute") openedMore().click();
  };
  const press = (button) => {
    const pressed = String(button.classList.contains("mod-active"));
    const says = button.classList.contains("ccw-opens") ? "aria-expanded" : "aria-pressed";
    if (button.getAttribute(says) !== pressed) button.setAttribute(says, pressed);
  };
  const pressing = new MutationObserver((changes) => changes.forEach(({ target }) => press(target)));
  let explorer = null;
  let stopKeeping = () => {};
  const name = () => {
    if (!explorer) {
      explorer = el.closest(".ccw-explorer");
      if (explorer) {
        arrival.observe(explorer); // which grows whenever a widget arrives
        stopKeeping = keepInView(explorer);
        explorer.addEventListener("keydown", leaveMore);
        explorer.addEventListener("focusin", uncover);
      }
    }
    for (const slider of explorer?.querySelectorAll(".widget-slider") ?? []) {
      const label = slider.querySelector(".widget-label")?.textContent;
      if (!label) continue;
      slider.querySelector('[role="slider"]')?.setAttribute("aria-label", label);
      slider.querySelector(".widget-readout")?.setAttribute("aria-label", `${label}, as a number`);
    }
    for (const button of explorer?.querySelectorAll(".widget-toggle-button") ?? []) {
      press(button);
      pressing.observe(button, { attributeFilter: ["class"] }); // again is as good as once
    }
    for (const menu of explorer?.querySelectorAll(".ccw-toolbar > .widget-dropdown") ?? []) {
      if (menu.classList.contains("ccw-photos")) dressPhotos(menu.querySelector("select"));
      menu.title = MENUS[menu.querySelector(".widget-label")?.textContent] ?? "";
    }
  };
  // Widgets arrive on the page one after the other: this one too.
  const arrival = new ResizeObserver(name);
  arrival.observe(el);
  return () => {
    arrival.disconnect();
    pressing.disconnect();
    stopKeeping();
    explorer?.removeEventListener("keydown", leaveMore);
    explorer?.removeEventListener("focusin", uncover);
  };
}
