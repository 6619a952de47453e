// The map of all answers and all truths, with a line from each answer to its truth.

import { make } from "../../shown/dom.js";
import { readable } from "./axes.js";
import { colors, cross, plane, scale, square, stamps } from "./plane.js";
import { rowInWords } from "./table.js";

const WORLD = { west: -180, east: 180, south: -58, north: 84 };
const LINES = 1500;
const CLOSEST = 4; // degrees across, at the least

/** The short way from one longitude to another, which may lead beyond 180 degrees. */
export function shortWay(from, to) {
  return from + ((((to - from + 180) % 360) + 360) % 360) - 180;
}

/** Every n-th of some rows, so that at most `most` are left; and n. */
export function sparse(rows, most) {
  const step = Math.max(1, Math.ceil(rows.length / most));
  return [step === 1 ? rows : rows.filter((_, i) => i % step === 0), step];
}

/** A view with the same shape as the window, around some places; the whole world around none. */
export function around(longitudes, latitudes, shape) {
  if (!longitudes.length) return { ...WORLD };
  const ends = (values) => [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  let [west, east] = ends(longitudes);
  let [south, north] = ends(latitudes);
  const wide = Math.min(360, Math.max((east - west) * 1.15, (north - south) * 1.15 * shape, CLOSEST));
  [west, east] = [(west + east - wide) / 2, (west + east + wide) / 2];
  [south, north] = [(south + north - wide / shape) / 2, (south + north + wide / shape) / 2];
  return wide >= 359 ? { ...WORLD } : { west, east, south, north };
}

/** The land as a path in degrees: longitude to the right, latitude downwards. */
function landPath(land) {
  const path = new Path2D();
  for (const polygon of land) {
    for (const ring of polygon) {
      ring.forEach(([x, y], i) => (i ? path.lineTo(x, -y) : path.moveTo(x, -y)));
      path.closePath();
    }
  }
  return path;
}

function symbol(kind) {
  return make("span", `ccw-gallery-symbol ccw-gallery-symbol-${kind}`, { "aria-hidden": "true" });
}

/** The map, or nothing for a table without places. */
export function answers(table, land, store, pick) {
  const of = (role) => table.roles.get(role);
  const columns = [of("longitude"), of("latitude")];
  if (columns.some((column) => !column || column.words)) return null;
  const truths = [of("true_longitude"), of("true_latitude")];
  const hasTruths = truths.every((column) => column && !column.words);
  const path = landPath(land);
  const ink = stamps();
  const memory = { shown: [], rest: [], window: { ...WORLD } };
  const view = plane({
    columns: () => columns,
    others: hasTruths ? truths : null,
    rows: () => memory.shown,
    marked: () => store.get("selected"),
    picked: pick,
    hint: (row) => rowInWords(table, row),
    brushed(box, done) {
      const [x, y] = columns;
      store.set({ brush: box && { [x.name]: readable(box[0]), [y.name]: readable(box[1]) } }, done);
    },
    moved(dx, dy) {
      const { west, east, south, north } = memory.window;
      const { clientWidth, clientHeight } = view.element;
      const [across, up] = [(dx / clientWidth) * (east - west), (dy / clientHeight) * (north - south)];
      memory.window = { west: west - across, east: east - across, south: south + up, north: north + up };
      view.repaint();
    },
    scales(width, height) {
      const { west, east, south, north } = memory.window;
      return { x: scale([west, east], [0, width]), y: scale([south, north], [height, 0]) };
    },
    paint(context, scales, width, height) {
      const color = colors(view.element);
      context.drawImage(landscape(context, scales, color, width), 0, 0, width, height);
      if (hasTruths) paintLines(context, scales, color);
      const many = memory.shown.length;
      const density = ink.begin(context);
      const sized = (few, some, most) => Math.round((many > 3000 ? most : many > 500 ? some : few) * density);
      ink.stamp(memory.rest, columns, scales, color.faint, square(Math.round((memory.rest.length > 3000 ? 2 : 3) * density)));
      if (hasTruths) ink.stamp(memory.shown, truths, scales, color.truth, cross(sized(7, 5, 3), sized(2, 1, 1)));
      ink.stamp(memory.shown, columns, scales, color.answer, square(sized(5, 3, 2)));
      ink.draw(context);
    },
  });

  /** The land as a picture; the same one as long as nothing about it has changed. */
  function landscape(context, scales, color, width) {
    const { canvas } = context;
    const key = JSON.stringify([memory.window, canvas.width, canvas.height, color.land]);
    if (memory.land?.key === key) return memory.land.picture;
    const picture = document.createElement("canvas");
    [picture.width, picture.height] = [canvas.width, canvas.height];
    const inside = picture.getContext("2d");
    const density = canvas.width / width;
    const [left, right] = [scales.x.at(0), scales.x.at(1)];
    const [top, bottom] = [scales.y.at(0), scales.y.at(-1)];
    inside.setTransform((right - left) * density, 0, 0, (bottom - top) * density, left * density, top * density);
    inside.fillStyle = color.land;
    inside.fill(path);
    memory.land = { key, picture };
    return picture;
  }

  function paintLines(context, scales, color) {
    const [lines, step] = sparse(memory.shown, LINES);
    words.textContent = step > 1 ? `line from an answer to its truth (one in ${step})` : "line from an answer to its truth";
    context.strokeStyle = color.quiet;
    context.lineWidth = 1;
    context.globalAlpha = Math.max(0.12, Math.min(0.8, 60 / Math.max(lines.length, 1)));
    context.beginPath();
    for (const row of lines) {
      const [lon, lat, trueLon, trueLat] = [...columns, ...truths].map((column) => column.values[row]);
      if (!Number.isFinite(lon + lat + trueLon + trueLat)) continue;
      const end = shortWay(lon, trueLon);
      for (const turn of end === trueLon ? [0] : [0, trueLon - end]) {
        context.moveTo(scales.x.at(lon + turn), scales.y.at(lat));
        context.lineTo(scales.x.at(end + turn), scales.y.at(trueLat));
      }
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  function zoom(factor) {
    const { west, east, south, north } = memory.window;
    const wide = Math.max(CLOSEST, (east - west) * factor);
    const real = wide / (east - west);
    const [x, y] = [(west + east) / 2, (south + north) / 2];
    const grown = {
      west: x + (west - x) * real,
      east: x + (east - x) * real,
      south: y + (south - y) * real,
      north: y + (north - y) * real,
    };
    memory.window = wide >= 359 ? { ...WORLD } : grown;
    view.repaint();
  }

  function fit() {
    const known = (row, pair) => pair.every((column) => Number.isFinite(column.values[row]));
    const places = [columns, ...(hasTruths ? [truths] : [])].flatMap((pair) =>
      Array.from(memory.shown).filter((row) => known(row, pair)).map((row) => pair.map((column) => column.values[row])));
    const shape = (WORLD.east - WORLD.west) / (WORLD.north - WORLD.south);
    memory.window = around(places.map(([x]) => x), places.map(([, y]) => y), shape);
    view.repaint();
  }

  const button = (text, name, act) => {
    const made = make("button", "", { type: "button", "aria-label": name, title: name }, [text]);
    made.addEventListener("click", act);
    return made;
  };
  const words = make("span", "");
  const legend = [make("span", "", {}, [symbol("answer"), "answer"])];
  if (hasTruths) {
    legend.push(make("span", "", {}, [symbol("truth"), "truth"]), make("span", "", {}, [symbol("line"), words]));
  }
  legend.push(make("span", "", {}, ["drag: brush", " · ", "with Shift: move"]));
  const element = make("section", "ccw-gallery-map", { "aria-label": "Map of the answers" }, [
    make("div", "ccw-gallery-window", {}, [
      view.element,
      make("div", "ccw-gallery-zoom", {}, [
        button("+", "Zoom in", () => zoom(0.6)),
        button("−", "Zoom out", () => zoom(1 / 0.6)),
        button("fit", "Zoom to what is shown", fit),
        button("all", "Whole world", () => zoom(1000)),
      ]),
    ]),
    make("div", "ccw-gallery-legend", {}, legend),
  ]);
  return {
    element,
    /** Show which rows are filtered, and which of them are shown. */
    show(rest, shown) {
      Object.assign(memory, { rest, shown });
      const brush = store.get("brush");
      const [x, y] = columns;
      view.setBrush(brush?.[x.name] && brush[y.name] ? [brush[x.name], brush[y.name]] : null);
      view.setName(`Map, ${shown.length} answers${hasTruths ? " and where the photos were taken" : ""}`);
      view.repaint();
    },
    showMark: view.showMark,
    repaint: view.repaint,
  };
}
