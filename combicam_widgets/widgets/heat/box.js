// A box over a photo: drawn by dragging, moved by dragging or with the arrow keys.
// Boxes are [left, top, right, bottom] in fractions of the photo.

import { initialize } from "../_bridge/attentive.js";

const STEP = 0.02;
const SMALLEST = 0.01;

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

/** The box between two points, or null if it is too small to be meant. */
export function between([x0, y0], [x1, y1]) {
  const [left, right] = [x0, x1].map((x) => clamp(x, 0, 1)).sort((a, b) => a - b);
  const [top, bottom] = [y0, y1].map((y) => clamp(y, 0, 1)).sort((a, b) => a - b);
  return right - left < SMALLEST || bottom - top < SMALLEST ? null : [left, top, right, bottom];
}

/** The box moved, as far as the photo allows. */
export function moved([left, top, right, bottom], dx, dy) {
  const x = clamp(dx, -left, 1 - right);
  const y = clamp(dy, -top, 1 - bottom);
  return [left + x, top + y, right + x, bottom + y];
}

/** The box with its lower right corner moved. */
export function resized([left, top, right, bottom], dx, dy) {
  return [
    left, top, clamp(right + dx, left + SMALLEST, 1), clamp(bottom + dy, top + SMALLEST, 1),
  ];
}

export function contains(box, [x, y]) {
  return box !== null && box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3];
}

const ARROWS = {
  ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
};

function render({ model, el }) {
  const mark = document.createElement("div");
  mark.className = "ccw-drawn-box";
  mark.tabIndex = 0;
  mark.setAttribute("role", "group");
  mark.setAttribute(
    "aria-label", "Box of what should matter: arrow keys move it, with Shift they resize it",
  );
  let overlay = null;
  let figure = null;
  let box = null; // as it is seen: while it is dragged, not yet the model's

  // The heat lies exactly over the photo.
  const photo = () => figure?.querySelector(".layer-above .imagelayer image");

  function place() {
    mark.hidden = box === null || !photo();
    if (mark.hidden) return;
    const on = photo().getBoundingClientRect();
    const from = overlay.getBoundingClientRect();
    mark.style.left = `${on.left - from.left + box[0] * on.width}px`;
    mark.style.top = `${on.top - from.top + box[1] * on.height}px`;
    mark.style.width = `${(box[2] - box[0]) * on.width}px`;
    mark.style.height = `${(box[3] - box[1]) * on.height}px`;
  }
  function show() {
    box = model.get("box");
    figure?.classList.toggle("ccw-drawing", model.get("drawing"));
    place();
  }
  function keep(changed) {
    box = changed;
    place();
    model.set("box", changed);
    model.save_changes();
  }

  function start(event) {
    if (!model.get("drawing") || event.button !== 0 || !photo()) return;
    const on = photo().getBoundingClientRect();
    const at = (e) => [(e.clientX - on.left) / on.width, (e.clientY - on.top) / on.height];
    const first = at(event);
    if (!contains([0, 0, 1, 1], first)) return;
    event.preventDefault();
    const old = box;
    const change = contains(old, first)
      ? ([x, y]) => moved(old, x - first[0], y - first[1])
      : (point) => between(first, point) ?? old;
    const drag = (e) => {
      box = change(at(e));
      place();
    };
    const end = (e) => {
      stop();
      drag(e);
      if (box !== old) keep(box);
    };
    const leave = () => {
      stop();
      show();
    };
    const stop = () => {
      window.removeEventListener("pointermove", drag);
      window.removeEventListener("pointerup", end);
      window.removeEventListener("pointercancel", leave);
    };
    window.addEventListener("pointermove", drag);
    window.addEventListener("pointerup", end);
    window.addEventListener("pointercancel", leave);
  }
  mark.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    event.stopPropagation();
    keep((event.shiftKey ? resized : moved)(box, ...ARROWS[event.key]));
  });

  // The figure may come after this, and is drawn anew when its size changes.
  const drawn = new MutationObserver(place);
  const attached = new ResizeObserver(() => {
    overlay = el.closest(".ccw-overlay");
    figure = overlay?.querySelector(".ccw-photo-figure") ?? null;
    if (!figure) return;
    attached.disconnect();
    drawn.observe(figure, { subtree: true, childList: true, attributeFilter: ["width", "height"] });
    figure.addEventListener("pointerdown", start, true);
    overlay.append(mark);
    show();
  });
  attached.observe(el);
  model.on("change:box", show);
  model.on("change:drawing", show);
  return () => {
    attached.disconnect();
    drawn.disconnect();
    figure?.removeEventListener("pointerdown", start, true);
    mark.remove();
    model.off("change:box", show);
    model.off("change:drawing", show);
  };
}

export default { initialize, render };
