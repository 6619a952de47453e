// A plane of points: drawn on a canvas, pointed at, and brushed with the mouse or the keyboard.

import { make } from "../../shown/dom.js";

const NEAR = 9; // pixels
const DRAG = 4;

/** A scale from values to pixels and back; `log` is that of 1 + value. */
export function scale([low, high], [start, end], log = false) {
  const [to, from] = log ? [Math.log1p, Math.expm1] : [(v) => v, (v) => v];
  const [a, b] = [to(low), to(high)];
  const step = (end - start) / (b - a || 1);
  return { at: (value) => start + (to(value) - a) * step, value: (pixel) => from(a + (pixel - start) / step) };
}

const sorted = (a, b) => (a < b ? [a, b] : [b, a]);

/**
 * A plane. `host` gives what it shows: `columns()` of x and y, `scales(width, height)` of both,
 * `paint(context, scales, width, height)`, `rows()` that can be pointed at, `hint(row)` in words;
 * and hears `brushed(box or null, done)`, box being [[low, high], [low, high]] in values, and
 * `picked(row)`. `moved(dx, dy)`, if there is one, hears a drag with Shift, in pixels.
 */
export function plane(host) {
  const canvas = make("canvas", "", { "aria-hidden": "true" });
  const frame = make("div", "ccw-plane-brush", { "aria-hidden": "true" });
  const mark = make("div", "ccw-plane-mark", { "aria-hidden": "true" });
  const other = make("div", "ccw-plane-mark ccw-plane-mark-other", { "aria-hidden": "true" });
  const hint = make("div", "ccw-plane-hint", { "aria-hidden": "true" });
  const parts = [canvas, frame, mark, other, hint];
  const element = make("div", "ccw-plane", { role: "group", tabindex: "0" }, parts);
  let [width, height, scales, box, drag] = [0, 0, null, null, null];

  function repaint() {
    if (!width || !height) return;
    const context = canvas.getContext("2d");
    const density = canvas.width / width;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, height);
    scales = host.scales(width, height);
    host.paint(context, scales, width, height);
    showFrame();
    showMark();
  }

  function resize() {
    [width, height] = [element.clientWidth, element.clientHeight];
    const density = Math.min(window.devicePixelRatio || 1, 2);
    [canvas.width, canvas.height] = [Math.round(width * density), Math.round(height * density)];
    repaint();
  }

  function place(row, [x, y] = host.columns()) {
    const spot = [scales.x.at(x.values[row]), scales.y.at(y.values[row])];
    return spot.every(Number.isFinite) ? spot : null;
  }

  function showFrame() {
    frame.hidden = !box || !scales;
    if (frame.hidden) return;
    const [left, right] = sorted(...box[0].map(scales.x.at));
    const [top, bottom] = sorted(...box[1].map(scales.y.at));
    Object.assign(frame.style, {
      left: `${left}px`,
      top: `${top}px`,
      width: `${Math.max(right - left, 1)}px`,
      height: `${Math.max(bottom - top, 1)}px`,
    });
  }

  function showMark() {
    const row = host.marked();
    for (const [each, columns] of [[mark, host.columns()], [other, host.others]]) {
      const spot = row === null || !scales || !columns ? null : place(row, columns);
      each.hidden = !spot;
      if (spot) Object.assign(each.style, { left: `${spot[0]}px`, top: `${spot[1]}px` });
    }
  }

  /** The row that lies nearest, if one is near; the last one drawn of those that coincide. */
  function nearest(spot) {
    const [x, y] = spot;
    let [found, least] = [null, NEAR * NEAR];
    const [across, up] = host.columns().map((column) => column.values);
    for (const row of host.rows()) {
      const distance = (scales.x.at(across[row]) - x) ** 2 + (scales.y.at(up[row]) - y) ** 2;
      if (distance <= least) [found, least] = [row, distance];
    }
    return found;
  }

  function spotOf(event) {
    // While something is dragged, the plane may move: the sentence above it grows.
    const bounds = drag?.bounds ?? element.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  }

  function between(one, other) {
    return [
      sorted(scales.x.value(one[0]), scales.x.value(other[0])),
      sorted(scales.y.value(one[1]), scales.y.value(other[1])),
    ];
  }

  function corners() {
    return [
      [scales.x.at(box[0][0]), scales.y.at(box[1][0])],
      [scales.x.at(box[0][1]), scales.y.at(box[1][1])],
    ];
  }

  function brush(next, done) {
    box = next;
    showFrame();
    host.brushed(box, done);
  }

  function isInside(spot) {
    const place = [scales.x.value(spot[0]), scales.y.value(spot[1])];
    return box && box.every(([low, high], axis) => low <= place[axis] && place[axis] <= high);
  }

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !scales) return;
    const spot = spotOf(event);
    const kind = event.shiftKey && host.moved ? "move" : isInside(spot) ? "shift" : "draw";
    drag = { kind, from: spot, last: spot, corners: box && corners(), far: false, bounds: element.getBoundingClientRect() };
    element.setPointerCapture(event.pointerId);
    hint.hidden = true;
  });
  element.addEventListener("pointermove", (event) => {
    const spot = spotOf(event);
    if (!drag) return point(spot);
    const [dx, dy] = [spot[0] - drag.from[0], spot[1] - drag.from[1]];
    drag.far ||= Math.hypot(dx, dy) >= DRAG;
    if (!drag.far) return;
    if (drag.kind === "move") host.moved(spot[0] - drag.last[0], spot[1] - drag.last[1]);
    else if (drag.kind === "draw") brush(between(drag.from, spot), false);
    else brush(between(...drag.corners.map(([x, y]) => [x + dx, y + dy])), false);
    drag.last = spot;
  });
  element.addEventListener("pointerup", (event) => {
    const ended = drag;
    drag = null;
    if (!ended) return;
    if (ended.far) {
      if (ended.kind === "move") return;
      host.brushed(box, true);
      box = host.snapped?.(box) ?? box;
      showFrame();
      return;
    }
    const row = nearest(spotOf(event));
    if (row !== null) host.picked(row);
    else if (box) brush(null, true);
  });
  element.addEventListener("pointercancel", () => {
    drag = null;
  });
  element.addEventListener("pointerleave", () => {
    hint.hidden = true;
  });

  function point(spot) {
    if (!scales) return;
    const row = nearest(spot);
    hint.hidden = row === null;
    element.style.cursor = row === null ? "crosshair" : "pointer";
    if (row === null) return;
    hint.textContent = host.hint(row);
    const [x, y] = place(row);
    hint.style.transform = `translate(${x > width / 2 ? "calc(-100% - 8px)" : "8px"}, 8px)`;
    Object.assign(hint.style, { left: `${x}px`, top: `${Math.min(y, height - 40)}px` });
  }

  element.addEventListener("keydown", (event) => {
    if (event.target !== element || !scales) return;
    const next = afterKey(event);
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    brush(next, true);
  });

  /** The brush after a key: Enter begins one, arrows move it, with Shift they size it. */
  function afterKey(event) {
    if (event.key === "Escape" && box) return null;
    if (event.key === "Enter" && !box) {
      return between([width / 4, height / 4], [(3 * width) / 4, (3 * height) / 4]);
    }
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || !box) return undefined;
    const [one, other] = corners();
    const [dx, dy] = [(step[0] * width) / 25, (step[1] * height) / 25];
    const moved = (corner) => [corner[0] + dx, corner[1] + dy];
    return between(event.shiftKey ? one : moved(one), moved(other));
  }

  new ResizeObserver(resize).observe(element);
  frame.hidden = mark.hidden = other.hidden = hint.hidden = true;
  return {
    element,
    repaint,
    showMark,
    /** Show a brush that was made elsewhere; none if it is being made here. */
    setBrush(next) {
      if (drag?.far) return;
      box = next;
      showFrame();
    },
    setName(name) {
      const keys = "Enter begins a brush, arrow keys move it, with Shift they size it, Escape ends it.";
      element.setAttribute("aria-label", `${name}. ${keys}`);
    },
  };
}

/** A square of a size in pixels, as offsets from its middle. */
export function square(size) {
  const half = Math.floor(size / 2);
  return Array.from({ length: size * size }, (_, i) => [(i % size) - half, Math.floor(i / size) - half]);
}

/** A cross of a size in pixels, as offsets from its middle; `bold` is how wide its strokes are. */
export function cross(size, bold) {
  const half = Math.floor(size / 2);
  const found = [];
  for (let y = -half; y <= half; y++) {
    for (let i = 0; i < bold; i++) found.push([y + i, y], [i - y, y]);
  }
  return found;
}

/** Points drawn pixel by pixel: ten thousand of them as paths would take a tenth of a second. */
export function stamps() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  let [image, pixels, density] = [null, null, 1];
  return {
    /** Begin with an empty picture as large as that of another context. */
    begin(on) {
      const { width, height } = on.canvas;
      if (canvas.width !== width || canvas.height !== height || !image) {
        [canvas.width, canvas.height] = [width, height];
        image = context.createImageData(width, height);
        pixels = new Uint32Array(image.data.buffer);
      }
      pixels.fill(0);
      density = on.getTransform().a;
      return density;
    },
    /** Stamp a pattern, offsets in pixels of the screen, at the places of rows. */
    stamp(rows, columns, scales, color, pattern) {
      const [x, y] = columns;
      const { width, height } = canvas;
      const value = rgba(color);
      for (const row of rows) {
        const left = Math.round(scales.x.at(x.values[row]) * density);
        const top = Math.round(scales.y.at(y.values[row]) * density);
        if (left !== left || top !== top) continue;
        for (const [dx, dy] of pattern) {
          const [across, down] = [left + dx, top + dy];
          if (across >= 0 && across < width && down >= 0 && down < height) pixels[down * width + across] = value;
        }
      }
    },
    draw(on) {
      context.putImageData(image, 0, 0);
      on.save();
      on.setTransform(1, 0, 0, 1, 0, 0);
      on.drawImage(canvas, 0, 0);
      on.restore();
    },
  };
}

/** "#rrggbb" as a pixel of an opaque picture. */
function rgba(color) {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The colours that a plane is drawn with, from the style sheet. */
export function colors(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(`--ccw-gallery-${name}`).trim();
  return {
    ink: of("ink"),
    quiet: of("quiet"),
    faint: of("faint"),
    answer: of("answer"),
    truth: of("truth"),
    land: of("land"),
    line: of("line"),
  };
}
