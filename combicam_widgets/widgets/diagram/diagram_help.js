// The help: what hands can do, in pictures, and what the words mean.

import { make } from "../../shown/dom.js";

/** The words of the explorer, with what they mean. */
export const TERMS = {
  layer: "a part of the network, with a map of where it saw evidence",
  stage: "consecutive layers whose maps have the same size",
  map: "where in the photo this layer saw evidence: bright is much",
  weight: "how much a layer counts in the fusion: 0 (off) to 2; 1 is normal",
  share: "how much of the heatmap comes from a layer; all shares make 100 %",
  solo: "one layer on, all others off; once more: all on",
  preview: "the map of one layer alone, while you point at it; nothing is changed",
  vote: "where the model points when it sees only what this layer found",
  stride: "pixels of the photo per step of the map",
  fusion: "the maps of all layers that are on, made one by the rule: the heatmap",
  method: "how one layer's map is made: gradcam weighs whole channels, hirescam and layercam each pixel",
  rule: "how the maps become one: sum is Combi-CAM; max lets the hottest win, product asks all to agree; layercam fuses as that method's authors do, whatever the method of the maps",
  normalise: "minmax or max: each map is stretched before the rule, so that all count alike",
  evidence: "the hottest part of the photo, all that the model gets to see; see Keep",
  cell: "a patch of the Earth: the model says how probable each is",
  target: "the cell that is explained: the most probable one, or the one you click",
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
const GESTURES = {
  "On a layer": [
    ["click", ["Enter"], "layer on or off"],
    ["click", ["Shift", "click"], "solo: this layer alone; once more: all"],
    ["stage", [], "a click on a stage's size: the whole stage on or off"],
    ["drag", ["↑", "↓"], "weight, by dragging sideways or with + and −"],
    ["wheel", ["Ctrl", "wheel"], "weight; on a focused tile without Ctrl"],
    ["hover", ["←", "→"], "preview: the map of this layer alone, while you stay"],
    ["double", ["i"], "card: all about this layer"],
    ["touch", [], "tap, drag and double-tap do the same; a long touch opens the card"],
    [null, ["Home", "End"], "first and last layer"],
    [null, ["Ctrl", "Z"], "undo what was done to weights, method or rule; with Shift, or Ctrl Y: redo"],
    [null, ["Esc"], "close a card, or take a drag back"],
  ],
  "On the photo": [
    ["hover", [], "the heat there, and the layers it comes from"],
    [null, ["Keep", "Outline"], "how much counts as evidence, and its border"],
    [null, ["Compare"], "this fusion beside the next ones, and the difference"],
    ["drag", ["Draw a box"], "how much heat lies inside; arrow keys move it"],
  ],
  "On the map": [
    ["click", [], "target: what speaks for this place? (from above: look there)"],
    ["click", ["Back…"], "the model's own answer again"],
    ["click", ["why not?"], "contrast: why here rather than there"],
    ["hover", ["Votes"], "where each layer alone points; its tile is ringed"],
    [null, ["Rings"], "how much probability lies how near"],
    [null, ["The rest"], "what the model says without the evidence"],
    [null, ["Guess first"], "you say where, before the model does"],
  ],
};
const WORDS = [
  "layer", "stage", "weight", "share", "solo", "preview", "method", "rule", "normalise", "fusion",
  "evidence", "cell", "target", "vote",
];

/** The help: gestures in pictures, and the words. */
export function makeHelp() {
  const row = ([sign, keys, text]) => {
    const picture = make("td");
    if (sign) picture.innerHTML = SIGNS[sign]; // drawn above, nothing from outside
    const caps = keys.map((key) => make("kbd", "", {}, [key]));
    return make("tr", "", {}, [picture, make("td", "", {}, caps), make("td", "", {}, [text])]);
  };
  const parts = Object.entries(GESTURES).map(([where, rows]) =>
    make("table", "", {}, [make("caption", "", {}, [where]), make("tbody", "", {}, rows.map(row))]),
  );
  const terms = WORDS.flatMap((word) => [
    make("dt", "", {}, [word]),
    make("dd", "", {}, [TERMS[word]]),
  ]);
  return make("div", "ccw-help-body", {}, [...parts, make("dl", "ccw-facts", {}, terms)]);
}
