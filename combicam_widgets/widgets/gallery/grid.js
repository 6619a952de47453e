// The photos side by side. Only those that are seen are in the page, however many there are.

import { make } from "../../shown/dom.js";
import { direction, isMissing, rowInWords, valueOf } from "./table.js";

const TILE = 136; // pixels, at the least, with what is between
const ROW = 162;
const AHEAD = 1; // rows above and below those that are seen

/** How many photos stand side by side. */
export function across(width) {
  return Math.max(1, Math.floor(width / TILE));
}

/** The rows of the grid that are drawn: those seen, some more, and the one with the focus. */
export function drawn(top, height, count, focused) {
  const first = Math.max(0, Math.floor(top / ROW) - AHEAD);
  const last = Math.min(count - 1, Math.floor((top + height) / ROW) + AHEAD);
  const rows = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
  return focused >= 0 && focused < count && !rows.includes(focused) ? [...rows, focused] : rows;
}

/** Where a key leads from one position to another; nothing for other keys. */
export function step(key, at, wide, count, page) {
  const to = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at - wide < 0 ? at : at - wide,
    ArrowDown: at + wide >= count ? at : at + wide,
    PageUp: at - wide * page < 0 ? at % wide : at - wide * page,
    PageDown: at + wide * page >= count ? count - 1 : at + wide * page,
    Home: 0,
    End: count - 1,
  }[key];
  return to === undefined ? undefined : Math.min(count - 1, Math.max(0, to));
}

/** The grid; `pick(row)` hears of what is selected, `open(row)` of what is to be opened. */
export function grid(table, store, pictures, pick, open) {
  const inside = make("div", "ccw-gallery-inside", { role: "presentation" });
  const element = make("div", "ccw-gallery-grid", { role: "grid", "aria-label": "Photos" }, [inside]);
  const lines = new Map(); // by their place, the lines that are in the page
  const positions = new Int32Array(table.rows); // of each row in the order, -1 for none
  let [order, wide] = [[], 1];

  const lineCount = () => Math.ceil(order.length / wide);
  const current = () => {
    const at = positions[store.get("selected") ?? -1];
    return at === undefined || at < 0 ? 0 : at;
  };

  function makeTile() {
    const image = make("img", "", { alt: "", draggable: "false" });
    const problem = make("span", "ccw-gallery-problem");
    const name = make("span", "ccw-gallery-name");
    const place = make("span", "ccw-gallery-place");
    const facts = make("span", "ccw-gallery-facts");
    const picture = make("span", "ccw-gallery-picture", {}, [image, problem]);
    const cell = make("div", "ccw-gallery-tile", { role: "gridcell" }, [picture, name, place, facts]);
    return { cell, image, problem, name, place, facts, row: -1 };
  }

  function showPicture(tile) {
    const known = pictures.get(tile.row);
    const problem = said("error", tile.row) || known?.problem || "";
    tile.image.hidden = !known?.url;
    if (known?.url && tile.image.src !== known.url) tile.image.src = known.url;
    tile.problem.hidden = !problem;
    tile.problem.textContent = problem ? `⚠ ${problem}` : "";
    tile.cell.classList.toggle("ccw-gallery-failed", Boolean(problem));
    tile.cell.classList.toggle("ccw-gallery-waiting", !known && !problem);
  }

  function showTile(tile, at) {
    const row = order[at];
    tile.cell.hidden = row === undefined;
    if (row === undefined) {
      tile.row = -1;
      return;
    }
    const selected = store.get("selected") === row;
    tile.cell.setAttribute("aria-colindex", (at % wide) + 1);
    tile.cell.setAttribute("aria-selected", selected);
    tile.cell.tabIndex = at === current() ? 0 : -1;
    tile.row = row;
    tile.cell.setAttribute("aria-label", `${rowInWords(table, row)}, ${at + 1} of ${order.length}`);
    tile.name.textContent = said("photo", row) || `photo ${row + 1}`;
    tile.place.textContent = said("place", row);
    tile.facts.textContent = factsOf(row);
    tile.cell.title = rowInWords(table, row);
    showPicture(tile);
  }

  function said(role, row) {
    const column = table.roles.get(role);
    return column && !isMissing(column, row) ? valueOf(column, row).replace(/^–$/, "") : "";
  }

  function factsOf(row) {
    const sorted = direction(table, store.get("sort_by")).column;
    const usual = ["probability", "distance"].map((role) => table.roles.get(role));
    const extra = sorted && !usual.includes(sorted) && !["place", "photo", "error"].includes(sorted.role) ? [sorted] : [];
    const first = usual.slice(0, extra.length ? 1 : 2).filter((each) => each && !isMissing(each, row));
    return [...first.map((each) => valueOf(each, row)), ...extra.map((each) => `${each.label} ${valueOf(each, row)}`)].join(" · ");
  }

  function makeLine() {
    const line = make("div", "ccw-gallery-line", { role: "row" });
    const tiles = Array.from({ length: wide }, makeTile);
    line.append(...tiles.map((tile) => tile.cell));
    return { line, tiles };
  }

  /** Put the lines that are seen into the page, and take the others out. */
  function draw(afresh = true) {
    const focused = Math.floor(current() / wide);
    const places = drawn(element.scrollTop, element.clientHeight, lineCount(), focused);
    const kept = new Set(places);
    const free = [];
    for (const [place, line] of lines) {
      if (kept.has(place)) continue;
      lines.delete(place);
      free.push(line);
    }
    for (const place of places) {
      const known = lines.get(place);
      if (known && !afresh) continue;
      const line = known ?? free.pop() ?? makeLine();
      lines.set(place, line);
      line.line.style.transform = `translateY(${place * ROW}px)`;
      line.line.setAttribute("aria-rowindex", place + 1);
      line.tiles.forEach((tile, i) => showTile(tile, place * wide + i));
      if (!line.line.isConnected) inside.append(line.line);
    }
    for (const line of free) line.line.remove();
    pictures.want(element, places.flatMap((place) => [...order.slice(place * wide, (place + 1) * wide)]));
  }

  function layOut() {
    wide = across(inside.clientWidth || TILE);
    for (const { line } of lines.values()) line.remove();
    lines.clear();
    element.style.setProperty("--ccw-gallery-across", wide);
    element.setAttribute("aria-colcount", wide);
    measure();
    draw();
  }

  function measure() {
    inside.style.height = `${lineCount() * ROW}px`;
    element.setAttribute("aria-rowcount", lineCount());
  }

  function tileOf(target) {
    const cell = target.closest?.(".ccw-gallery-tile");
    for (const { tiles } of lines.values()) {
      const tile = tiles.find((each) => each.cell === cell);
      if (tile) return tile;
    }
    return null;
  }

  function reveal(at) {
    const top = Math.floor(at / wide) * ROW;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + ROW > element.scrollTop + element.clientHeight) element.scrollTop = top + ROW - element.clientHeight;
  }

  function focus(at) {
    reveal(at);
    draw();
    lines.get(Math.floor(at / wide))?.tiles[at % wide]?.cell.focus({ preventScroll: true });
  }

  element.addEventListener("scroll", () => draw(false), { passive: true });
  element.addEventListener("click", (event) => {
    const tile = tileOf(event.target);
    if (!tile) return;
    pick(tile.row);
    open(tile.row);
  });
  element.addEventListener("keydown", (event) => {
    const tile = tileOf(event.target);
    if (!tile || event.altKey || event.ctrlKey || event.metaKey) return;
    const at = positions[tile.row];
    const page = Math.max(1, Math.floor(element.clientHeight / ROW));
    const to = step(event.key, at, wide, order.length, page);
    if (to !== undefined) {
      pick(order[to]);
      focus(to);
    } else if (event.key === "Enter" || event.key === " ") open(tile.row);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const stop = pictures.listen((row) => {
    for (const { tiles } of lines.values()) for (const tile of tiles) if (tile.row === row) showPicture(tile);
  });
  new ResizeObserver(() => {
    if (lines.size === 0 || across(inside.clientWidth) !== wide) layOut();
    else draw(false);
  }).observe(element);

  return {
    element,
    stop() {
      pictures.want(element, []);
      stop();
    },
    /** Show rows in an order; at the top if it is another one. */
    show(rows) {
      const another = rows.length !== order.length || rows.some((row, i) => row !== order[i]);
      order = rows;
      positions.fill(-1);
      rows.forEach((row, i) => {
        positions[row] = i;
      });
      measure();
      if (another) element.scrollTop = 0;
      draw();
    },
    redraw: () => draw(),
    /** Bring a row into view. */
    reveal(row) {
      const at = positions[row];
      if (at < 0) return;
      reveal(at);
      draw();
    },
  };
}
