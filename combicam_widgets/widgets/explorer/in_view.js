// An explorer that was just run is seen from its top, and the cell below it, as far as there is room.
// Shift + Enter brings that cell to the middle of the window, or to where it was before the explorer
// had its size: half of the explorer is then above, or below.

const SETTLING = 3000; // milliseconds within which output and notebook have found their places
const BY_HAND = ["wheel", "pointerdown", "keydown", "touchstart"];

/** How far to scroll a room, given where an explorer begins in it and where the next cell ends. */
export function wayIntoView(top, end, height) {
  return top < 0 ? top : Math.max(0, Math.min(top, end - height));
}

/** Keeps an explorer in view until all is settled, or somebody moves; gives what ends that. */
export function keepInView(explorer) {
  const room = explorer.closest(".jp-WindowedPanel-outer");
  if (!room) return () => {};
  const look = () => {
    const next = explorer.closest(".jp-Cell")?.nextElementSibling;
    // Only where somebody runs the notebook cell by cell.
    if (!next?.classList.contains("jp-mod-active")) return;
    const { top, height } = room.getBoundingClientRect();
    const end = next.getBoundingClientRect().bottom - top;
    const way = wayIntoView(explorer.getBoundingClientRect().top - top, end, height);
    if (Math.abs(way) >= 1) room.scrollTop += way;
  };
  const grown = new ResizeObserver(look);
  grown.observe(explorer);
  room.addEventListener("scroll", look);
  const stop = () => {
    clearTimeout(settled);
    grown.disconnect();
    room.removeEventListener("scroll", look);
    for (const event of BY_HAND) window.removeEventListener(event, stop, true);
  };
  const settled = setTimeout(stop, SETTLING);
  for (const event of BY_HAND) window.addEventListener(event, stop, true);
  return stop;
}
