// A photo with a picture laid over it, a label in the corner, and a legend beside it.

import { initialize } from "../_bridge/attentive.js";

function make(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

function render({ model, el }) {
  const root = make("div", "ccw-panel", el);
  root.setAttribute("role", "img");
  const stack = make("div", "ccw-panel-stack", make("div", "ccw-panel-room", root));
  const images = { photo: make("img", "", stack), picture: make("img", "", stack) };
  for (const image of Object.values(images)) image.alt = "";
  const label = make("span", "ccw-panel-label", stack);
  const words = make("span", "ccw-panel-words", stack);
  const legend = make("div", "ccw-panel-legend", root);
  const title = make("div", "", legend);
  const bar = make("div", "ccw-panel-bar", legend);
  const ticks = make("div", "ccw-panel-ticks", bar);

  function show() {
    for (const [name, image] of Object.entries(images)) {
      const source = model.get(name);
      if (image.getAttribute("src") !== source) image.setAttribute("src", source);
    }
    const [width, height] = model.get("size");
    stack.style.width = `${width}px`;
    stack.style.height = `${height}px`;
    root.setAttribute("aria-label", model.get("name"));
    label.textContent = model.get("label");
    words.textContent = model.get("words");
    words.hidden = !model.get("words");
    const [heading, ...texts] = model.get("legend");
    legend.hidden = heading === undefined;
    if (legend.hidden) return;
    title.textContent = heading;
    bar.style.background = `linear-gradient(to top, ${model.get("colors").join(", ")})`;
    ticks.replaceChildren();
    for (const text of texts) make("span", "", ticks).textContent = text;
  }
  show();
  model.on("change", show);
  return () => model.off("change", show);
}

export default { initialize, render };
