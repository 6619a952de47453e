// Any two columns against each other.

import { make } from "../../shown/dom.js";
import { axisOf } from "./axes.js";
import { colors, plane, scale, square, stamps } from "./plane.js";
import { valueOf } from "./table.js";

const MARGIN = { left: 14, right: 12, top: 10, bottom: 22 };
const LETTER = 5.8; // pixels, about
const LINE = 16;

function axisMenu(table, name, choose) {
  const select = make("select", "", { "aria-label": name });
  for (const column of table.columns) select.append(make("option", "", { value: column.name }, [column.label]));
  select.addEventListener("change", () => choose(select.value));
  return select;
}

/** The scatter; `store` is the gallery's state, `pick(row)` hears of clicks. */
export function scatter(table, store, pick) {
  const known = new Map();
  const ink = stamps();
  const memory = { shown: [], rest: [] };
  const axes = () => ["x", "y"].map((which) => {
    const column = table.named.get(store.get(which));
    if (column && !known.has(column)) known.set(column, axisOf(column));
    return known.get(column);
  });
  const left = (y) => MARGIN.left + LETTER * y.longest;
  const view = plane({
    columns: axes,
    rows: () => memory.shown,
    marked: () => store.get("selected"),
    picked: pick,
    hint(row) {
      const place = table.roles.get("place");
      const named = place ? [valueOf(place, row)] : [];
      return [...named, ...axes().map(({ column }) => `${column.label} ${valueOf(column, row)}`)].join(" · ");
    },
    brushed(box, done) {
      const [x, y] = axes();
      const of = (axis, range) => ({ [axis.column.name]: axis.condition(range) });
      store.set({ brush: box && { ...of(x, box[0]), ...of(y, box[x === y ? 0 : 1]) } }, done);
    },
    snapped: (box) => axes().map((axis, i) => axis.range(axis.condition(box[i])) ?? box[i]),
    scales(width, height) {
      const [x, y] = axes();
      return {
        x: scale(x.ends, [left(y), width - MARGIN.right], x.log),
        y: scale(y.ends, [height - MARGIN.bottom, MARGIN.top], y.log),
      };
    },
    paint(context, scales, width, height) {
      const color = colors(view.element);
      context.font = "11px system-ui, sans-serif";
      context.lineWidth = 1;
      const [x, y] = axes();
      const start = left(y);
      const [wide, high] = [width - start - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
      context.textAlign = "center";
      for (const [value, text] of x.ticks((LETTER * (x.longest + 2)) / wide)) {
        const at = Math.round(scales.x.at(value)) + 0.5;
        rule(context, color, [at, MARGIN.top, at, height - MARGIN.bottom]);
        context.fillText(text, at, height - 7);
      }
      context.textAlign = "right";
      for (const [value, text] of y.ticks(LINE / high)) {
        const at = Math.round(scales.y.at(value)) + 0.5;
        rule(context, color, [start, at, width - MARGIN.right, at]);
        context.fillText(text, start - 5, at + 4);
      }
      const density = ink.begin(context);
      const sized = (rows, sizes) => square(Math.round(sizes[rows.length > 3000 ? 0 : rows.length > 500 ? 1 : 2] * density));
      ink.stamp(memory.rest, [x, y], scales, color.faint, sized(memory.rest, [2, 3, 3]));
      ink.stamp(memory.shown, [x, y], scales, color.answer, sized(memory.shown, [2, 3, 4]));
      ink.draw(context);
    },
  });
  const choose = (axis) => store.set({ ...axis, brush: null }, true);
  const menus = { x: axisMenu(table, "Across", (x) => choose({ x })), y: axisMenu(table, "Up", (y) => choose({ y })) };
  const logs = make("span", "ccw-gallery-against");
  const element = make("section", "ccw-gallery-scatter", { "aria-label": "Scatter" }, [
    make("div", "ccw-gallery-axes", {}, [
      menus.y,
      make("span", "ccw-gallery-against", { "aria-hidden": "true" }, ["against"]),
      menus.x,
      logs,
    ]),
    view.element,
  ]);
  return {
    element,
    /** Show which rows are filtered, and which of them are shown. */
    show(rest, shown) {
      const [x, y] = axes();
      element.hidden = !x || !y;
      if (element.hidden) return;
      [menus.x.value, menus.y.value] = [x.column.name, y.column.name];
      const logarithmic = { both: "both logarithmic", x: "logarithmic", y: "the first logarithmic" };
      const which = x.log ? (y.log ? "both" : "x") : y.log ? "y" : "";
      logs.textContent = logarithmic[which] ?? "";
      Object.assign(memory, { rest, shown });
      const brush = store.get("brush") ?? {};
      const ranges = [x, y].map((axis) => axis.range(brush[axis.column.name]));
      view.setBrush(ranges.every(Boolean) ? ranges : null);
      view.setName(`${y.column.label} against ${x.column.label}, ${shown.length} photos`);
      view.repaint();
    },
    showMark: view.showMark,
    repaint: view.repaint,
  };
}

function rule(context, color, [x1, y1, x2, y2]) {
  context.strokeStyle = color.line;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.fillStyle = color.quiet;
}
