// The votes of layers at one place of the world map: numbers that open under the mouse and the focus.

import { make } from "../../shown/dom.js";
import { named, runs } from "./marks_layout.js";

// JupyterLab takes arrow keys for itself, except on elements that carry this attribute.
const KEYS_ARE_OURS = { "data-lm-suppress-shortcuts": "true" };

function chip(run, text) {
  const [first, last] = [run[0], run.at(-1)];
  const element = make("span", `ccw-vote${first.on ? "" : " ccw-vote-off"}`, {}, [text]);
  if (first.on) {
    element.style.background =
      first === last ? first.color : `linear-gradient(90deg, ${first.color}, ${last.color})`;
    element.style.color = first.ink;
    if (first.ink !== last.ink) element.classList.add("ccw-vote-wide");
  }
  return element;
}

/** Make one marker for votes at one place; it opens under the mouse and the focus. */
export function marker(votes, hover) {
  const chips = votes.map((vote) => {
    const one = chip([vote], vote.number);
    one.dataset.layer = vote.layer;
    one.title = vote.title;
    one.addEventListener("mouseenter", () => hover(vote.layer));
    return one;
  });
  const short = runs(votes).map((run) =>
    chip(run, run.length > 1 ? `${run[0].number}–${run.at(-1).number}` : run[0].number),
  );
  const [{ title }] = votes;
  const name = votes.length > 1 ? `layers ${named(votes)} point about here; ${title}` : title;
  const attributes = { tabindex: 0, role: "img", "aria-label": name, ...KEYS_ARE_OURS };
  const element = make("div", "ccw-votes", attributes, [
    make("div", "ccw-votes-short", {}, short),
    make("div", "ccw-votes-all", {}, chips),
  ]);
  let at = 0;
  element.addEventListener("mouseleave", () => hover(null));
  element.addEventListener("focus", () => hover(votes[at].layer));
  element.addEventListener("blur", () => hover(null));
  element.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    at = (at + step + votes.length) % votes.length;
    hover(votes[at].layer);
  });
  return element;
}
