// The photo of an overlay, as Plotly has drawn it, and what lies over it.

/** The heat lies exactly over the photo. */
const HEAT = ".layer-above .imagelayer image";
const SHORTEST_BAR = 160; // as in Python

/**
 * How to find one's way on a photo: `photo()` is its rectangle, or null; `place(mark, box)` puts an
 * element of the overlay on a box of the photo and `at(event)` is where a pointer is, both in
 * fractions of the photo.
 */
export function wayOn(overlay, figure, photo) {
  return {
    overlay,
    figure,
    photo,
    place(mark, [left, top, right, bottom]) {
      const on = photo();
      if (!on) return;
      const from = overlay.getBoundingClientRect();
      mark.style.left = `${on.left - from.left + left * on.width}px`;
      mark.style.top = `${on.top - from.top + top * on.height}px`;
      mark.style.width = `${(right - left) * on.width}px`;
      mark.style.height = `${(bottom - top) * on.height}px`;
    },
    at(event) {
      const on = photo();
      return on && [(event.clientX - on.left) / on.width, (event.clientY - on.top) / on.height];
    },
  };
}

/**
 * Waits until an element is in an overlay, with a figure: widgets arrive on the page one after the
 * other. Then calls back with what `wayOn` gives. Gives what stops the waiting.
 */
export function onceIn(element, found) {
  const attached = new ResizeObserver(() => {
    const overlay = element.closest(".ccw-overlay");
    const figure = overlay?.querySelector(".ccw-photo-figure");
    if (!figure) return;
    attached.disconnect();
    found(wayOn(overlay, figure, () => figure.querySelector(HEAT)?.getBoundingClientRect() ?? null));
  });
  attached.observe(element);
  return () => attached.disconnect();
}

/**
 * Scale what Plotly has drawn to the room of the figure. Plotly itself knows one size, the same in
 * all views; where heatmaps are compared there is no room for its colour bar.
 */
function fit(figure) {
  const drawn = figure.querySelector(".plot-container");
  const layout = figure._fullLayout;
  if (!drawn || !layout || !figure.clientWidth) return;
  const { width, height, margin, xaxis, yaxis } = layout;
  const sides = [xaxis, yaxis].map(({ range }) => Math.abs(range[1] - range[0]));
  const most = Math.min((width - margin.r) / sides[0], height / sides[1]);
  const [across, down] = sides.map((side) => most * side); // the photo stands beside the bar
  const bar = figure.parentElement.childElementCount > 1 ? 0 : margin.r;
  const tall = bar ? Math.max(down, SHORTEST_BAR) : down;
  const scale = Math.min(figure.clientWidth / (across + bar), figure.clientHeight / tall);
  const left = (figure.clientWidth - scale * (across + bar)) / 2 - scale * (width - margin.r - across);
  const top = (figure.clientHeight - scale * height) / 2;
  const transform = `translate(${left}px, ${top}px) scale(${scale})`;
  if (drawn.style.transform !== transform) drawn.style.transform = transform;
}

/** Calls back whenever a figure was drawn anew or has another size; gives what ends that. */
export function onDrawn(figure, act) {
  const again = () => {
    fit(figure);
    act();
  };
  const drawn = new MutationObserver(again);
  drawn.observe(figure, { subtree: true, childList: true, attributeFilter: ["width", "height"] });
  const resized = new ResizeObserver(again);
  resized.observe(figure);
  return () => {
    drawn.disconnect();
    resized.disconnect();
  };
}

/** Whether a point, in fractions of the photo, lies on it. */
export const onPhoto = (point) => point !== null && point.every((part) => part >= 0 && part < 1);
