// The card of a layer: a dialog beside the diagram, which stays usable.

import { ofHeatmap, placed, weightText } from "./diagram.js";
import { TERMS } from "./diagram_help.js";
import { make } from "../../shown/dom.js";
import { makeButton } from "./diagram_tiles.js";

/**
 * Open a dialog beside an element; Escape closes it and gives the focus back to the opener.
 * Its `closed` is called once, however it closes.
 */
export function openDialog({ host, className, title, body, anchor, opener, closed }) {
  const id = `ccw-${Math.random().toString(36).slice(2)}`;
  const close = makeButton("ccw-close", "Close", {}, ["×"]);
  const head = make("div", "ccw-dialog-head", {}, [make("h2", "", { id }, [title]), close]);
  const about = { role: "dialog", "aria-modal": "false", "aria-labelledby": id };
  // A popover is drawn above everything: no output area cuts it off.
  const element = make("div", `ccw-dialog ${className}`, { ...about, popover: "manual" }, [head, body]);
  host.append(element);
  element.showPopover?.();

  function place() {
    const seen = host.getBoundingClientRect();
    const gone = seen.bottom < 0 || seen.top > innerHeight || !anchor.isConnected;
    element.style.visibility = gone ? "hidden" : "visible";
    const size = { width: element.offsetWidth, height: element.offsetHeight };
    const room = { width: innerWidth, height: innerHeight };
    const { left, top } = placed(anchor.getBoundingClientRect(), size, room);
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
  }
  const resized = new ResizeObserver(place);
  resized.observe(element);
  addEventListener("scroll", place, { capture: true, passive: true });
  addEventListener("resize", place);
  place();

  let open = true;
  function shut() {
    if (!open) return;
    open = false;
    resized.disconnect();
    removeEventListener("scroll", place, { capture: true });
    removeEventListener("resize", place);
    const hadFocus = element.contains(document.activeElement);
    element.remove();
    if (hadFocus && opener?.isConnected) opener.focus({ preventScroll: true });
    closed();
  }
  function moveTo(otherAnchor, otherOpener) {
    anchor = otherAnchor;
    if (opener) opener = otherOpener;
    place();
  }
  close.addEventListener("click", shut);
  if (opener) close.focus({ preventScroll: true });
  return { shut, moveTo };
}

/** What a card holds; `update` shows the state of now. */
export function makeCard(name) {
  const photo = make("img", "ccw-card-photo", { alt: "" });
  const heat = make("img", "ccw-heat", { alt: `Map of layer ${name}` });
  const facts = make("dl", "ccw-facts");
  const body = make("div", "ccw-card-body", {}, [make("div", "ccw-card-map", {}, [photo, heat]), facts]);
  let shown = "";

  function show(image, source) {
    if (source && image.getAttribute("src") !== source) image.src = source;
  }
  function update(layer, tilePhoto, weight, share, card) {
    // Until Python has answered, the tile's own pictures stand in.
    const answer = card.name === name ? card : {};
    show(photo, answer.photo ?? tilePhoto);
    show(heat, answer.picture ?? layer.picture);
    const vote = answer.vote ?? "asking the model …";
    const rows = [
      ...(answer.facts ?? [["layer", layer.detail]]),
      ["weight", weightText(weight)],
      ["share", ofHeatmap(share)],
    ];
    // Without words, nobody asks where layers point.
    if (vote) rows.push(["vote", layer.silent ? "none: there is no positive evidence" : vote]);
    const text = JSON.stringify(rows);
    if (text === shown) return;
    shown = text;
    facts.replaceChildren(
      ...rows.flatMap(([term, value]) => [
        make("dt", "", { title: TERMS[term] ?? "" }, [term]),
        make("dd", "", {}, [value]),
      ]),
    );
  }
  return { body, update };
}
