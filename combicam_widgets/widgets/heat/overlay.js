// The line under the photo with heat, and what that picture is called: Plotly gives it no name.

import { initialize } from "../_bridge/attentive.js";

function render({ model, el }) {
  const line = document.createElement("div");
  line.className = "ccw-caption";
  el.append(line);
  let figure = null;

  function show() {
    line.textContent = model.get("text");
    figure?.setAttribute("aria-label", model.get("name"));
  }
  // Widgets arrive on the page one after the other.
  const attached = new ResizeObserver(() => {
    figure = el.closest(".ccw-overlay")?.querySelector(".ccw-photo-figure") ?? null;
    if (!figure) return;
    attached.disconnect();
    figure.setAttribute("role", "img");
    show();
  });
  attached.observe(line);
  show();
  model.on("change:text", show);
  model.on("change:name", show);
  return () => {
    attached.disconnect();
    model.off("change:text", show);
    model.off("change:name", show);
  };
}

export default { initialize, render };
