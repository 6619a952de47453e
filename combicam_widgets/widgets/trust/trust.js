// How much of the answer a heatmap carries: a scale, and on demand the curves behind it and what a
// network that knows nothing would show. State in, DOM out.

import { initialize } from "../_bridge/attentive.js";

const WIDTH = 300;
const LEGIBLE = 20; // pixels between the numbers on a scale
const views = new Map(); // how often a model is on the page: each view has a proxy of it of its own
const SVG = "http://www.w3.org/2000/svg";

/** The ends of a scale that shows 0, 1 and all values. */
export function ends(values) {
  return [Math.min(-0.25, ...values), Math.max(1, ...values)];
}

/** Where a value lies on a scale, in pixels. */
export function along(value, [low, high], length) {
  return ((value - low) / (high - low)) * length;
}

/** The points of a curve over areas from 0 to 1, as an SVG path. */
export function path(areas, values, top, width, height) {
  const points = areas.map((area, i) => {
    const y = height - Math.min(values[i] / top, 1.02) * height;
    return `${(area * width).toFixed(1)},${y.toFixed(1)}`;
  });
  return `M${points.join("L")}`;
}

/** The area between two curves, as a closed SVG path. */
export function between(areas, low, high, top, width, height) {
  const there = path(areas, high, top, width, height);
  const back = path([...areas].reverse(), [...low].reverse(), top, width, height);
  return `${there}${back.replace("M", "L")}Z`;
}

function html(tag, attributes = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function svg(tag, attributes = {}, children = []) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A shape for each kind, so that none is told by its colour alone. */
function shape(kind, x, y) {
  if (kind === "shown") return svg("path", { class: "ccw-trust-shown", d: `M${x},${y - 7}l7,7l-7,7l-7,-7Z` });
  return svg("circle", { class: "ccw-trust-reference", cx: x, cy: y, r: 5 });
}

function scale(marks) {
  const values = marks.flatMap((mark) => (mark.kind === "random" ? [mark.low, mark.high] : [mark.value]));
  const [low, high] = ends(values);
  const place = (value) => along(value, [low, high], WIDTH);
  const words = marks.map((mark) => `${mark.label} ${mark.text}`).join(", ");
  const figure = svg("svg", {
    class: "ccw-trust-scale",
    viewBox: `-8 0 ${WIDTH + 16} 34`,
    role: "img",
    "aria-label": `Worth: ${words}`,
  });
  figure.append(svg("line", { class: "ccw-trust-axis", x1: 0, x2: WIDTH, y1: 12, y2: 12 }));
  // On a long scale their numbers would lie over each other.
  const apart = (tick) => tick === 0 || place(tick) - place(0) >= LEGIBLE;
  for (const tick of [0, 0.5, 1].filter(apart)) {
    figure.append(
      svg("line", { class: "ccw-trust-axis", x1: place(tick), x2: place(tick), y1: 8, y2: 16 }),
      svg("text", { x: place(tick), y: 30, "text-anchor": "middle" }, [String(tick)]),
    );
  }
  for (const mark of [...marks].reverse()) {
    if (mark.kind === "random") {
      const start = place(mark.low);
      const width = Math.max(place(mark.high) - start, 2);
      figure.append(svg("rect", { class: "ccw-trust-random", x: start, width, y: 6, height: 12 }));
    } else {
      figure.append(shape(mark.kind, place(mark.value), 12));
    }
  }
  return figure;
}

function key(mark) {
  const picture = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  if (mark.kind === "random") {
    picture.append(svg("rect", { class: "ccw-trust-random", x: 1, y: 3, width: 14, height: 10 }));
  } else {
    picture.append(shape(mark.kind, 8, 8));
  }
  return html("li", { class: `ccw-trust-key ccw-trust-key-${mark.kind}` }, [
    picture,
    html("span", {}, [mark.label]),
    html("b", {}, [mark.text]),
  ]);
}

function plot(title, about, name, { areas, lines, band }) {
  const [width, height] = [180, 96];
  const highest = lines.flatMap((line) => line[name]).concat(band ? band[name].high : []);
  const top = Math.max(1, ...highest);
  const picture = svg("svg", {
    viewBox: `-34 -6 ${width + 44} ${height + 24}`,
    role: "img",
    "aria-label": `${title}: ${about}`,
  });
  const level = (share) => height - (share / top) * height;
  for (const share of [0, 1]) {
    picture.append(
      svg("line", { class: "ccw-trust-axis", x1: 0, x2: width, y1: level(share), y2: level(share) }),
      svg("text", { x: -4, y: level(share) + 4, "text-anchor": "end" }, [`${100 * share} %`]),
    );
  }
  if (band) {
    const { low, high } = band[name];
    picture.append(svg("path", { class: "ccw-trust-random", d: between(areas, low, high, top, width, height) }));
  }
  for (const line of [...lines].reverse()) {
    picture.append(svg("path", { class: `ccw-trust-line-${line.kind}`, d: path(areas, line[name], top, width, height) }));
  }
  for (const [x, anchor, words] of [[0, "start", "0 %"], [width, "end", "100 % of the photo"]]) {
    picture.append(svg("text", { x, y: height + 14, "text-anchor": anchor }, [words]));
  }
  return html("figure", {}, [html("figcaption", {}, [title]), picture]);
}

function charts(chart) {
  if (!chart.areas) return [html("p", {}, ["Being measured…"])];
  return [
    plot("Shown bit by bit, the hottest first", chart.insertion, "insertion", chart),
    plot("Taken away bit by bit, the hottest first", chart.deletion, "deletion", chart),
    html("p", {}, [chart.words]),
  ];
}

function portrait({ label, photo, heat }) {
  return html("figure", { class: "ccw-trust-portrait" }, [
    html("div", { class: "ccw-trust-picture", role: "img", "aria-label": `Heatmap of ${label}` }, [
      html("img", { src: photo, alt: "" }),
      html("img", { src: heat, alt: "" }),
    ]),
    html("figcaption", {}, [label]),
  ]);
}

function pair({ portraits, words }) {
  if (!portraits) return [html("p", {}, ["Being computed…"])];
  return [...portraits.map(portrait), html("p", {}, [words])];
}

/** Tell Python whether anybody sees the panel: else it is not worth measuring. */
function seenBy(model, change) {
  const count = (views.get(model.get("ident")) ?? 0) + change;
  views.set(model.get("ident"), count);
  if (model.get("seen") === count > 0) return;
  model.set("seen", count > 0);
  model.save_changes();
}

function render({ model, el }) {
  const verdict = html("p", { class: "ccw-trust-verdict", role: "status" });
  const marks = html("div", { class: "ccw-trust-marks" });
  const parts = [
    { trait: "measured", question: "How is that measured?", state: "chart", draw: charts },
    { trait: "untrained", question: "What would a network that knows nothing show?", state: "comparison", draw: pair },
  ].map(({ trait, question, state, draw }) => {
    const inside = html("div", { class: "ccw-trust-inside" });
    const details = html("details", {}, [html("summary", {}, [question]), inside]);
    const show = () => {
      details.open = model.get(trait);
      inside.replaceChildren(...(details.open ? draw(model.get(state)) : []));
    };
    details.addEventListener("toggle", () => {
      if (details.open === model.get(trait)) return;
      model.set(trait, details.open);
      model.save_changes();
    });
    return { details, show, events: `change:${trait} change:${state}` };
  });
  el.classList.add("ccw-trust");
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", "How much of the answer the heatmap carries");
  el.append(verdict, marks, ...parts.map((part) => part.details));

  function showMarks() {
    const given = model.get("marks");
    verdict.textContent = model.get("verdict");
    const keys = html("ul", { "aria-label": "Worth" }, given.map(key));
    marks.replaceChildren(...(given.length ? [scale(given), keys] : []));
    el.classList.toggle("ccw-trust-asking", model.get("asking"));
    for (const part of parts) part.details.hidden = !given.length;
  }
  const listeners = [
    { events: "change:marks change:verdict change:asking", show: showMarks },
    ...parts,
  ];
  seenBy(model, +1);
  for (const { events, show } of listeners) {
    show();
    model.on(events, show);
  }
  return () => {
    seenBy(model, -1);
    for (const { events, show } of listeners) model.off(events, show);
  };
}

export default { initialize, render };
