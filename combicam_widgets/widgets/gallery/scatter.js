// Any two columns of numbers against each other.

import { make } from "../../shown/dom.js";
import { colors, plane, scale, square, stamps } from "./plane.js";
import { valueOf } from "./table.js";

const MARGIN = { left: 44, right: 12, top: 10, bottom: 22 };
const SKEWED = 40;
const MOST_TICKS = 6;

/** The ends of a column's values, and whether a logarithm shows them better. */
export function spread(column) {
  const known = column.values.filter(Number.isFinite).sort();
  if (!known.length) return { ends: [0, 1], log: false };
  const [low, high] = [known[0], known.at(-1)];
  const middle = known[known.length >> 1];
  const log = low >= 0 && high >= 100 && high > SKEWED * Math.max(low, 1) && (high >= 1000 || high > SKEWED * middle);
  const room = low === high ? 1 : (high - low) * 0.02;
  return { ends: log ? [low, high * 1.1] : [low - room, high + room], log };
}

/** About `count` round values between two ends. */
export function ticks([low, high], log, count = 6) {
  if (log) {
    const round = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((tens) => [1, 2, 5].map((digit) => digit * 10 ** tens));
    const inside = [0, ...round].filter((value) => value >= low && value <= high);
    const tens = inside.filter((value) => /^1?0*$/.test(String(value)));
    if (inside.length <= MOST_TICKS && inside.length > 1) return inside;
    if (tens.length > 1) return tens;
  }
  const rough = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(i * step);
  return found;
}

function axisMenu(table, name, choose) {
  const select = make("select", "", { "aria-label": name });
  for (const column of table.columns.filter((each) => !each.words)) {
    select.append(make("option", "", { value: column.name }, [column.label]));
  }
  select.addEventListener("change", () => choose(select.value));
  return select;
}

/** The scatter; `store` is the gallery's state, `pick(row)` hears of clicks. */
export function scatter(table, store, pick) {
  const spreads = new Map();
  const ink = stamps();
  const memory = { shown: [], rest: [] };
  const columns = () => [table.named.get(store.get("x")), table.named.get(store.get("y"))];
  const spreadOf = (column) => {
    if (!spreads.has(column)) spreads.set(column, spread(column));
    return spreads.get(column);
  };
  const view = plane({
    columns,
    rows: () => memory.shown,
    marked: () => store.get("selected"),
    picked: pick,
    hint(row) {
      const place = table.roles.get("place");
      const named = place ? [valueOf(place, row)] : [];
      return [...named, ...columns().map((column) => `${column.label} ${valueOf(column, row)}`)].join(" · ");
    },
    brushed(box, done) {
      const [x, y] = columns();
      store.set({ brush: box && { [x.name]: box[0], [y.name]: box[x === y ? 0 : 1] } }, done);
    },
    scales(width, height) {
      const [x, y] = columns().map(spreadOf);
      return {
        x: scale(x.ends, [MARGIN.left, width - MARGIN.right], x.log),
        y: scale(y.ends, [height - MARGIN.bottom, MARGIN.top], y.log),
      };
    },
    paint(context, scales, width, height) {
      const color = colors(view.element);
      context.font = "11px system-ui, sans-serif";
      context.lineWidth = 1;
      const [x, y] = columns().map(spreadOf);
      for (const value of ticks(x.ends, x.log)) {
        const at = Math.round(scales.x.at(value)) + 0.5;
        rule(context, color, [at, MARGIN.top, at, height - MARGIN.bottom]);
        context.textAlign = "center";
        context.fillText(tickText(value), at, height - 7);
      }
      for (const value of ticks(y.ends, y.log)) {
        const at = Math.round(scales.y.at(value)) + 0.5;
        rule(context, color, [MARGIN.left, at, width - MARGIN.right, at]);
        context.textAlign = "right";
        context.fillText(tickText(value), MARGIN.left - 5, at + 4);
      }
      const density = ink.begin(context);
      const size = memory.shown.length > 3000 ? 2 : memory.shown.length > 500 ? 3 : 4;
      ink.stamp(memory.rest, columns(), scales, color.faint, square(Math.round((memory.rest.length > 3000 ? 2 : 3) * density)));
      ink.stamp(memory.shown, columns(), scales, color.answer, square(Math.round(size * density)));
      ink.draw(context);
    },
  });
  const menus = { x: axisMenu(table, "Across", (x) => choose({ x })), y: axisMenu(table, "Up", (y) => choose({ y })) };
  const choose = (axis) => store.set({ ...axis, brush: null }, true);
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
      const [x, y] = columns();
      if (!x || !y) {
        element.hidden = true;
        return;
      }
      [menus.x.value, menus.y.value] = [x.name, y.name];
      const logarithmic = { both: "both logarithmic", x: "logarithmic", y: "the first logarithmic" };
      const which = spreadOf(x).log ? (spreadOf(y).log ? "both" : "x") : spreadOf(y).log ? "y" : "";
      logs.textContent = logarithmic[which] ?? "";
      Object.assign(memory, { rest, shown });
      const brush = store.get("brush");
      view.setBrush(brush?.[x.name] && brush[y.name] ? [brush[x.name], brush[y.name]] : null);
      view.setName(`${y.label} against ${x.label}, ${shown.length} photos`);
      view.repaint();
    },
    showMark: view.showMark,
    repaint: view.repaint,
  };
}

/** A round value, without zeros that say nothing. */
function tickText(value) {
  return Number(value.toPrecision(6)).toLocaleString("en-US", { maximumFractionDigits: 6 }).replace("-", "−");
}

function rule(context, color, [x1, y1, x2, y2]) {
  context.strokeStyle = color.line;
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.fillStyle = color.quiet;
}
