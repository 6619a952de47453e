// Countries on the world map, from near: land with fine coasts and borders, and names where there is room.

import { draw } from "./svg.js";

const NEAR = 2.2; // the zoom from which they are shown
const LETTER = 6.2; // pixels

/** What a message brings: `[{ name, place, rings }]`, places and rings in degrees. */
export function unpacked({ countries, lengths }, [buffer]) {
  const points = new Int16Array(buffer.buffer, buffer.byteOffset, buffer.byteLength / 2);
  let [point, ring] = [0, 0];
  return countries.map(([name, latitude, longitude, count]) => {
    const rings = Array.from({ length: count }, () => {
      const one = Array.from({ length: lengths[ring] }, (_, i) => [
        points[2 * (point + i)] / 100,
        points[2 * (point + i) + 1] / 100,
      ]);
      point += lengths[ring];
      ring += 1;
      return one;
    });
    return { name, place: [latitude, longitude], rings };
  });
}

function extentOf(ring) {
  const [ys, xs] = [0, 1].map((axis) => ring.map((place) => place[axis]));
  return [Math.min(...ys), Math.min(...xs), Math.max(...ys), Math.max(...xs)];
}

/** The layer of one view of the map; returns what draws it and what takes it away. */
export function countriesOn(map, model) {
  const pane = map.getPane("ccw-countries") ?? map.createPane("ccw-countries");
  const svg = draw("svg", "ccw-countries", { "aria-hidden": "true" });
  pane.append(svg);
  const container = map.getContainer();
  let known = null;
  let asked = false;

  function take(message, buffers) {
    if (!message.countries) return;
    known = unpacked(message, buffers).map((country) => ({
      ...country,
      extents: country.rings.map(extentOf),
    }));
    redraw();
  }
  function redraw() {
    const near = map.getZoom() >= NEAR;
    if (near && !asked) {
      asked = true;
      model.send({ borders: true });
    }
    container.classList.toggle("ccw-near", near && known !== null);
    svg.replaceChildren();
    if (!near || !known || !container.offsetWidth) return;
    const corner = map.containerPointToLayerPoint([0, 0]);
    svg.style.transform = `translate(${Math.round(corner.x)}px, ${Math.round(corner.y)}px)`;
    const seen = map.getBounds().pad(0.5);
    const names = [];
    for (const turn of [-360, 0, 360]) {
      for (const { name, place, rings, extents } of known) {
        let d = "";
        let widest = 0;
        rings.forEach((ring, i) => {
          const [south, west, north, east] = extents[i];
          if (!seen.intersects([[south, west + turn], [north, east + turn]])) return;
          const drawn = ring.map(([y, x]) => map.latLngToContainerPoint([y, x + turn]));
          d += `M${drawn.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L")}Z`;
          const xs = drawn.map(({ x }) => x);
          widest = Math.max(widest, Math.max(...xs) - Math.min(...xs));
        });
        if (!d) continue;
        svg.append(draw("path", "ccw-country", { d }));
        if (widest > LETTER * name.length + 8) {
          const { x, y } = map.latLngToContainerPoint([place[0], place[1] + turn]);
          const text = draw("text", "ccw-country-name", { x, y });
          text.textContent = name;
          names.push(text);
        }
      }
    }
    svg.append(...names); // over all land
  }
  model.on("msg:custom", take);
  return {
    redraw,
    remove() {
      model.off("msg:custom", take);
      svg.remove();
    },
  };
}
