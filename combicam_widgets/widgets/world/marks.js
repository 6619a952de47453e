// What lies over the world map: lines, votes and flags. State in, DOM out.

import { make } from "../../shown/dom.js";
import { initialize } from "../_bridge/attentive.js";
import { confided } from "../_bridge/discreet.js";
import { countriesOn } from "./countries.js";
import { keepPrivate, worldOf } from "./map_model.js";
import { choose, clusters, extent, inside, planted } from "./marks_layout.js";
import { draw } from "./svg.js";
import { watchTiles } from "./online.js";
import { marker } from "./vote_markers.js";

const SMALLEST_LINE = 8;
const SMALLEST_LABELLED = 56;
const PREFERRED = {
  photo: "up", evidence: "down", rest: "left", truth: "right", guess: "sw", target: "nw",
  contrast: "ne",
};

/** The overlay of one view of the map; returns what draws it and what takes it away. */
function overlay(map, model, tools) {
  const pane = map.getPane("ccw-over") ?? map.createPane("ccw-over");
  const svg = draw("svg", "ccw-lines", { "aria-hidden": "true" });
  const votes = make("div", "ccw-vote-markers", { role: "group", "aria-label": "Layer votes" });
  const labels = make("div", "ccw-labels", { "aria-hidden": "true" });
  const flags = make("div", "ccw-flags", { role: "group", "aria-label": "Places on the map" });
  const root = make("div", "ccw-over", {}, [svg, labels, votes, flags]);
  pane.append(root);
  map.getContainer().setAttribute("role", "region");
  map.getContainer().setAttribute("aria-label", "World map");

  const countries = countriesOn(map, model);
  const shownOf = (name) => [...model.get(name), ...(aside.told(name) ?? [])];
  const pixel = (place) => map.latLngToContainerPoint(place);
  const view = () => ({ x: 3, y: 3, w: map.getSize().x - 6, h: map.getSize().y - 6 });
  const move = (element, { x, y }) => {
    element.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  };
  const size = (element) => ({ w: element.offsetWidth, h: element.offsetHeight });
  const visible = ({ x, y }) => x >= 0 && y >= 0 && x <= map.getSize().x && y <= map.getSize().y;

  function controls() {
    const corner = map.getContainer().getBoundingClientRect();
    return [...map.getContainer().querySelectorAll(".leaflet-control")].map((control) => {
      const box = control.getBoundingClientRect();
      return { x: box.x - corner.x, y: box.y - corner.y, w: box.width, h: box.height };
    });
  }

  function drawLines() {
    svg.replaceChildren();
    const wanted = [];
    for (const { kind, pieces, label, spots } of [...model.get("rings"), ...shownOf("lines")]) {
      const drawn = pieces.map((piece) => piece.map(pixel));
      const wide = extent(drawn);
      if (wide < SMALLEST_LINE) continue;
      const d = drawn.map((piece) => `M${piece.map(({ x, y }) => `${x},${y}`).join("L")}`).join("");
      svg.append(draw("path", "ccw-halo", { d }), draw("path", `ccw-line ccw-line-${kind}`, { d }));
      if (label && wide >= SMALLEST_LABELLED) wanted.push({ kind, label, spots: spots.map(pixel) });
    }
    return wanted;
  }

  function hover(layer) {
    model.set("hovered", layer);
    model.save_changes();
  }

  let grouped = [];
  function drawVotes() {
    const all = model.get("votes");
    const places = all.map((vote) => pixel(vote.place));
    const groups = clusters(all, places).filter(([first]) => visible(places[first]));
    const now = groups.map((group) => [...group].sort((a, b) => a - b).map((i) => all[i]));
    if (JSON.stringify(now) !== JSON.stringify(grouped)) {
      // What the mouse or the focus was on is no longer there.
      if (model.get("hovered") !== null) hover(null);
      votes.replaceChildren(...now.map((group) => marker(group, hover)));
      grouped = now;
    }
    const { x: width, y: height } = map.getSize();
    const boxes = groups.map(([first], i) => {
      const { x, y } = places[first];
      const element = votes.children[i];
      const { w, h } = size(element);
      // An open marker is larger: near an edge it grows inwards.
      const aside = x < 80 ? "-9px" : x > width - 80 ? "calc(9px - 100%)" : "-50%";
      const upright = y < 50 ? "-9px" : y > height - 50 ? "calc(9px - 100%)" : "-50%";
      element.style.left = `${Math.round(x)}px`;
      element.style.top = `${Math.round(y)}px`;
      element.style.transform = `translate(${aside}, ${upright})`;
      return { x: x - w / 2, y: y - h / 2, w, h };
    });
    highlight();
    return boxes;
  }

  function highlight() {
    const layer = model.get("highlighted");
    for (const element of votes.children) {
      const one = layer === null ? null : element.querySelector(`[data-layer="${layer}"]`);
      for (const other of element.querySelectorAll(".ccw-vote")) {
        other.classList.toggle("ccw-highlighted", other === one);
      }
      element.classList.toggle("ccw-open", Boolean(one));
    }
  }

  function drawFlags(taken) {
    const shown = shownOf("flags");
    const { x: width, y: height } = map.getSize();
    const elements = shown.map(({ kind, text, title }) =>
      make("div", `ccw-flag ccw-flag-${kind}`, { role: "img", "aria-label": title }, [text]),
    );
    flags.replaceChildren(...elements);
    // What lies beyond the edge is flagged at the edge.
    const items = shown.map(({ kind, place }, i) => {
      const { x, y } = inside({ ...pixel(place), w: 0, h: 0 }, { x: 0, y: 0, w: width, h: height });
      return { x, y, ...size(elements[i]), side: PREFERRED[kind] };
    });
    const boxes = planted(items, view(), taken);
    boxes.forEach((box, i) => {
      move(elements[i], box);
      const { x, y } = items[i];
      const x2 = Math.min(Math.max(x, box.x + 6), box.x + box.w - 6);
      const y2 = Math.min(Math.max(y, box.y + 6), box.y + box.h - 6);
      const className = `ccw-stalk ccw-flag-${shown[i].kind}`;
      svg.append(draw("line", className, { x1: x, y1: y, x2, y2 }));
      const here = visible(pixel(shown[i].place));
      if (here) svg.append(draw("circle", className, { cx: x, cy: y, r: 3 }));
      elements[i].classList.toggle("ccw-beyond", !here);
    });
    return boxes;
  }

  function drawLabels(wanted, taken) {
    labels.replaceChildren();
    const { x, y, w: width, h: height } = view();
    for (const { kind, label, spots } of wanted) {
      const element = make("div", `ccw-label ccw-label-${kind}`, {}, [label]);
      labels.append(element);
      const { w, h } = size(element);
      const candidates = spots
        .map((spot) => ({ x: spot.x - w / 2, y: spot.y - h / 2, w, h }))
        .filter((box) => {
          return box.x >= x && box.y >= y && box.x + w <= x + width && box.y + h <= y + height;
        });
      const { box, cost } = candidates.length ? choose(candidates, taken) : {};
      if (!box || cost > 0) {
        element.remove();
      } else {
        taken.push(box);
        move(element, box);
      }
    }
  }

  function redraw() {
    if (!map.getContainer().offsetWidth) return; // not on the page now: nothing has a size
    move(root, map.containerPointToLayerPoint([0, 0]));
    countries.redraw();
    const wanted = drawLines();
    const taken = [...controls(), ...drawVotes()];
    taken.push(...drawFlags(taken));
    drawLabels(wanted, taken);
  }

  // Several changes, one drawing.
  let asked = 0;
  const redrawSoon = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(redraw);
  };
  const moved = "moveend zoomend viewreset resize";
  const changed = "change:flags change:lines change:rings change:votes";
  map.on(moved, redrawSoon);
  model.on(changed, redrawSoon);
  const aside = confided({ model }, redrawSoon);
  model.on("change:highlighted", highlight);
  // The map may come into view again, and the list of cells grow and shrink.
  const watch = new ResizeObserver(redrawSoon);
  // Leaflet hears of a new size when the window has one, not when a neighbour takes its room.
  const grown = new ResizeObserver(() => map.invalidateSize({ animate: false }));
  grown.observe(map.getContainer());
  watch.observe(map.getContainer());
  for (const control of map.getContainer().querySelectorAll(".leaflet-control")) {
    watch.observe(control);
  }
  tools(map);
  redrawSoon();
  return () => {
    watch.disconnect();
    grown.disconnect();
    map.off(moved, redrawSoon);
    model.off(changed, redrawSoon);
    aside.stop();
    model.off("change:highlighted", highlight);
    countries.remove();
    root.remove();
  };
}

// All land but ice, with the Pacific at the edges.
const WORLD = [[-57, -167], [77, 183]];

/** Keep the whole world in view while the map changes its size, until somebody moves it. */
function keepWhole(map) {
  let whole = true;
  let ours = false; // what moves the map is our own doing
  const fit = (animate) => {
    whole = ours = true;
    map.once("moveend", () => (ours = false));
    map.fitBounds(WORLD, { animate });
  };
  // A frame later: by then other views of this map, which follow a zoom at once, know their sizes.
  let asked = 0;
  const resized = () => {
    cancelAnimationFrame(asked);
    asked = requestAnimationFrame(() => whole && fit(false));
  };
  const moved = () => (whole &&= ours);
  map.on("resize", resized);
  map.on("dragstart zoomstart", moved);
  fit(false);
  return {
    fit: () => fit(!matchMedia("(prefers-reduced-motion: reduce)").matches),
    stop() {
      cancelAnimationFrame(asked);
      map.off("resize", resized);
      map.off("dragstart zoomstart", moved);
    },
  };
}

/** The Leaflet map that an element is a control of; null once the element is given up. */
async function mapAround(model, el, signal) {
  const world = await worldOf(model);
  while (!signal.aborted) {
    for (const view of await Promise.all(Object.values(world.views))) {
      if (view.obj?.getContainer().contains(el)) return view.obj;
    }
    await new Promise(requestAnimationFrame);
  }
  return null;
}

function button(label) {
  return make("button", "ccw-map-button", { type: "button", "aria-label": label }, [label]);
}

function render({ model, el }) {
  const hint = make("div", "ccw-click-hint", { role: "status", "aria-live": "polite" });
  const world = button("Whole world");
  const answer = button("Zoom to the answer");
  const back = button("Back to the model's own answer");
  back.addEventListener("click", () => {
    model.send({ chosen: null });
    world.focus(); // it is about to be gone
  });
  const offline = make("div", "ccw-click-hint ccw-offline", { role: "status" });
  el.classList.add("ccw-tools");
  el.append(make("div", "ccw-map-buttons", {}, [world, answer]), back, hint, offline);
  function update() {
    answer.hidden = model.get("answer").length === 0;
    back.hidden = !model.get("elsewhere");
    hint.textContent = model.get("hint");
  }
  update();
  model.on("change:answer change:elsewhere change:hint", update);

  const given = new AbortController();
  let remove = () => {};
  mapAround(model, el, given.signal).then((map) => {
    if (!map || given.signal.aborted) return;
    const view = keepWhole(map);
    const stopWatching = watchTiles(map, (come) => {
      map.getContainer().classList.toggle("ccw-tiles-come", come === true);
      offline.textContent = come === false ? "No internet: the online map cannot be fetched" : "";
    });
    const look = (message) => message.view === "world" && view.fit();
    model.on("msg:custom", look);
    const removeOverlay = overlay(map, model, () => {
      world.addEventListener("click", view.fit);
      answer.addEventListener("click", () => map.setView(model.get("answer"), 4.5));
    });
    remove = () => {
      model.off("msg:custom", look);
      view.stop();
      stopWatching();
      removeOverlay();
    };
  });
  return () => {
    given.abort();
    model.off("change:answer change:elsewhere change:hint", update);
    remove();
  };
}

function begin(context) {
  initialize(context);
  keepPrivate(context.model);
}

export default { initialize: begin, render };
