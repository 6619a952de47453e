// The card of a layer and the help: dialogs beside the diagram, which stays usable.

import { percent, placed, weightText } from "./diagram.js";
import { make, makeButton } from "./diagram_tiles.js";

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
  close.addEventListener("click", shut);
  if (opener) close.focus({ preventScroll: true });
  return { shut };
}

/** What a card holds; `update` shows the state of now. */
export function makeCard(layer) {
  const photo = make("img", "ccw-card-photo", { alt: "" });
  const heat = make("img", "ccw-heat", { alt: `Map of layer ${layer.name}` });
  const facts = make("dl", "ccw-facts");
  const body = make("div", "ccw-card-body", {}, [make("div", "ccw-card-map", {}, [photo, heat]), facts]);
  let shown = "";

  function show(image, source) {
    if (source && image.getAttribute("src") !== source) image.src = source;
  }
  function update(tilePhoto, weight, share, card) {
    // Until Python has answered, the tile's own pictures stand in.
    const answer = card.name === layer.name ? card : {};
    show(photo, answer.photo ?? tilePhoto);
    show(heat, answer.picture ?? layer.picture);
    const vote = answer.vote ?? "asking the model …";
    const rows = [
      ...(answer.facts ?? [["layer", layer.detail]]),
      ["weight", weightText(weight)],
      ["share", `${percent(share)} of the heatmap`],
      ["vote", layer.silent ? "none: there is no positive evidence" : vote],
    ];
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

const TERMS = {
  layer: "a part of the network, with a map of where it saw evidence",
  stage: "consecutive layers whose maps have the same size",
  map: "where in the photo this layer saw evidence: bright is much",
  weight: "how much a layer counts in the fusion: 0 (off) to 2; 1 is normal",
  share: "how much of the heatmap comes from a layer; all shares make 100 %",
  solo: "one layer on, all others off; once more: all on",
  preview: "the map of one layer alone, while you point at it; nothing is changed",
  vote: "where the model points when it sees only what this layer found",
  stride: "pixels of the photo per step of the map",
};

// A tile and a pointer, with a sign of what the hand does.
const ICON = (sign) =>
  `<svg viewBox="0 0 44 26" width="44" height="26" aria-hidden="true"><rect x="3" y="3" width="22" height="17" rx="3"/>${sign}</svg>`;
const POINTER = '<path class="ccw-ink" d="M14 9v13l3-3 2 5 2.4-1-2-5h4.2z"/>';
const MOUSE = '<rect x="30" y="3" width="11" height="17" rx="5.5"/><path d="M35.5 6v4"/>';
const SIGNS = {
  click: ICON(`<path d="M14 6V3M10 8 8 6M18 8l2-2"/>${POINTER}`),
  stage: ICON('<path class="ccw-ink" d="M3 3h22v5H3z"/>'),
  drag: ICON(`${POINTER}<path d="M29 12h12M32 9l-3 3 3 3M38 9l3 3-3 3"/>`),
  wheel: ICON(MOUSE),
  hover: ICON(POINTER),
  double: ICON(`<path d="M14 6V3M10 8 8 6M18 8l2-2"/>${POINTER}<text x="29" y="15">2×</text>`),
  touch: ICON('<circle cx="14" cy="12" r="5"/><circle class="ccw-ink" cx="14" cy="12" r="2"/>'),
};
const GESTURES = [
  ["click", ["Enter"], "layer on or off"],
  ["click", ["Shift", "click"], "solo: this layer alone; once more: all"],
  ["stage", [], "a click on a stage's size: the whole stage on or off"],
  ["drag", ["↑", "↓"], "weight, by dragging sideways or with + and −"],
  ["wheel", ["Ctrl", "wheel"], "weight; on a focused tile without Ctrl"],
  ["hover", ["←", "→"], "preview: the map of this layer alone, while you stay"],
  ["double", ["i"], "card: all about this layer"],
  ["touch", [], "tap, drag and double-tap do the same; a long touch opens the card"],
  [null, ["Home", "End"], "first and last layer"],
  [null, ["Ctrl", "Z"], "undo; with Shift, or Ctrl Y: redo"],
  [null, ["Esc"], "close a card, or take a drag back"],
];

/** The help: gestures in pictures, and the words. */
export function makeHelp() {
  const row = ([sign, keys, text]) => {
    const picture = make("td");
    if (sign) picture.innerHTML = SIGNS[sign]; // drawn above, nothing from outside
    const caps = keys.map((key) => make("kbd", "", {}, [key]));
    return make("tr", "", {}, [picture, make("td", "", {}, caps), make("td", "", {}, [text])]);
  };
  const words = ["layer", "stage", "weight", "share", "solo", "preview", "vote"];
  return make("div", "ccw-help-body", {}, [
    make("table", "", {}, [make("tbody", "", {}, GESTURES.map(row))]),
    make("dl", "ccw-facts", {}, words.flatMap((word) => [
      make("dt", "", {}, [word]),
      make("dd", "", {}, [TERMS[word]]),
    ])),
  ]);
}
