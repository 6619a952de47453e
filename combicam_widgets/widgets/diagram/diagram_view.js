// The architecture diagram on the page: joins state, tiles, gestures and dialogs.

import { initialize } from "../_bridge/attentive.js";
import { allOff, density, gestureNames, historyOfKey, solo, toggled, weightText } from "./diagram.js";
import { make } from "../../shown/dom.js";
import { makeButton, makeStage, makeTile } from "./diagram_tiles.js";
import { listen } from "./diagram_gestures.js";
import { makeCard, openDialog } from "./diagram_dialogs.js";
import { makeHelp } from "./diagram_help.js";
import { fusedBy, INPUTS } from "../fused.js";

const PREVIEW_AFTER = 120; // milliseconds of staying on a tile
const PREVIEW_ENDS_AFTER = 40; // long enough to reach the next tile
const DOUBLE_CLICK = 350; // milliseconds within which a second click may follow

/** A function that does some work in the next frame, once, however often it is called. */
function oncePerFrame(work) {
  let asked = null;
  const flush = () => {
    if (asked === null) return;
    cancelAnimationFrame(asked);
    asked = null;
    work();
  };
  const ask = () => (asked ??= requestAnimationFrame(flush));
  return Object.assign(ask, { flush });
}

function makeHead(ask, help) {
  const button = (name, text, title, onClick) => {
    const made = makeButton("ccw-tool", name, { title }, [text]);
    made.addEventListener("click", () => onClick(made));
    return made;
  };
  const count = make("span", "ccw-count");
  const undo = button("Undo", "↶", "Undo the last change (Ctrl+Z)", () => ask("undo"));
  const redo = button("Redo", "↷", "Redo the last change (Ctrl+Shift+Z)", () => ask("redo"));
  const question = button("Help", "?", "Help: all gestures", help);
  const hint = "click: on or off · drag: weight · rest on it: preview · double-click: card";
  const head = make("div", "ccw-head", {}, [
    count,
    make("span", "ccw-hint", { "aria-hidden": "true" }, [hint]),
    undo,
    redo,
    question,
  ]);
  return { head, count, undo, redo, question };
}

// Whether a card is being opened by hand: then only the view where the hand is shows it.
let openedByHand = false;

/** Shows a diagram of a model; gives what takes it away. */
export function showDiagram({ model, el }) {
  const stages = make("div", "ccw-stages");
  const scroller = make("div", "ccw-scroll", {}, [stages]);
  const spoken = make("span", "ccw-spoken", { "aria-live": "polite" });
  const { head, count, undo, redo, question } = makeHead(askHistory, showHelp);
  const about = { role: "group", "aria-label": "Architecture diagram" };
  const root = make("div", "ccw-diagram", about, [head, scroller, spoken]);
  const newName = gestureNames(Math.random().toString(36).slice(2));
  const fused = fusedBy(model);
  const sharesNow = () => fused.shares() ?? model.get("given_shares");
  const save = oncePerFrame(() => model.save_changes());
  const draw = oncePerFrame(update);
  let tiles = [];
  let current = ""; // the layer that Tab reaches
  let clicked = null; // what the last click changed, for when it turns out to be a double-click
  let card = null;
  let help = null;

  function change(weights, gesture) {
    stopPreview();
    model.set("gesture", gesture);
    model.set("weights", weights);
    save();
  }
  // Python refuses weights that are all 0, and says so: not before it is clear that the click is
  // no half of a double-click, which asks for the card.
  let refusal;
  function click(weights, name) {
    clicked = { name, weights: model.get("weights"), gesture: newName(performance.now()) };
    clearTimeout(refusal);
    if (allOff(weights)) refusal = setTimeout(() => change(weights, ""), DOUBLE_CLICK);
    else change(weights, clicked.gesture);
  }
  function takeBack(name) {
    clearTimeout(refusal);
    if (clicked?.name === name) change(clicked.weights, clicked.gesture);
  }
  function askHistory(step) {
    stopPreview();
    save.flush();
    if (model.get(`can_${step}`)) model.send({ do: step });
  }

  // A preview begins when one stays, and lasts until one has left.
  let previewTimer;
  function previewLater(name) {
    clearTimeout(previewTimer);
    previewTimer = setTimeout(() => preview(name), name ? PREVIEW_AFTER : PREVIEW_ENDS_AFTER);
  }
  function preview(name) {
    model.set("preview", name);
    save();
  }
  function stopPreview() {
    clearTimeout(previewTimer);
    if (model.get("preview")) preview("");
  }

  function reach(name) {
    current = name;
    for (const tile of tiles) tile.reach(tile.layer.name === name);
  }
  const actionsOf = (tile, index) => {
    const { name } = tile.layer;
    return {
      weight: () => model.get("weights")[name] ?? 0,
      toggle: () => click(toggled(model.get("weights"), [name]), name),
      solo: () => click(solo(model.get("weights"), name), name),
      takeBack: () => takeBack(name),
      newGesture: () => newName(performance.now()),
      weigh(weight, kind, gesture = newName(performance.now(), kind, name)) {
        tile.showValue();
        if (kind !== "slider") spoken.textContent = `${name}: weight ${weightText(weight)}`;
        change({ ...model.get("weights"), [name]: weight }, gesture);
      },
      open: (opener) => open(name, opener),
      enter: () => previewLater(name),
      leave: () => previewLater(""),
      move(where) {
        const next = where(index, tiles.length);
        tiles[next]?.toggle.focus();
        return next >= 0;
      },
    };
  };

  let opener = null;
  function open(name, from) {
    stopPreview();
    [opener, openedByHand] = [from, true];
    model.set("opened", name);
    [opener, openedByHand] = [null, false];
    save();
  }
  function showOpened() {
    const name = model.get("opened");
    const tile = tiles.find((each) => each.layer.name === name);
    if (card && card.tile.layer.name === name) return;
    const old = card;
    card = null;
    old?.dialog.shut();
    if (!tile || (openedByHand && !opener)) return;
    help?.shut();
    const { body, update: updateCard } = makeCard(name);
    const shown = { tile, update: updateCard };
    card = shown;
    updateOpened();
    shown.dialog = openDialog({
      host: root,
      className: "ccw-card",
      title: `Layer ${tiles.indexOf(tile) + 1}: ${name}`,
      body,
      anchor: tile.element,
      opener,
      closed() {
        if (card !== shown) return;
        card = null;
        if (model.get("opened") !== name) return;
        model.set("opened", "");
        save();
      },
    });
  }
  function updateOpened() {
    if (!card) return;
    const { layer } = card.tile;
    const [weights, shares] = [model.get("weights"), sharesNow()];
    const now = [weights[layer.name] ?? 0, shares[layer.name] ?? 0, model.get("card")];
    card.update(layer, model.get("photo"), ...now);
  }
  /** The card stays open while its tile is replaced. */
  function moveCard() {
    const tile = tiles.find((each) => each.layer.name === card?.tile.layer.name);
    if (!tile) return;
    card.tile = tile;
    card.dialog.moveTo(tile.element, tile.toggle);
  }
  function showHelp(from) {
    if (help) return help.shut();
    card?.dialog.shut();
    help = openDialog({
      host: root,
      className: "ccw-help",
      title: "What hands can do here, and what the words mean",
      body: makeHelp(),
      anchor: question,
      opener: from,
      closed: () => (help = null),
    });
  }

  function update() {
    const [weights, shares] = [model.get("weights"), sharesNow()];
    for (const tile of tiles) tile.update(weights[tile.layer.name] ?? 0, shares[tile.layer.name] ?? 0);
    const on = tiles.filter((tile) => weights[tile.layer.name] > 0).length;
    count.textContent = `${tiles.length} layers, ${on === tiles.length ? "all" : on} on`;
    undo.disabled = !model.get("can_undo");
    redo.disabled = !model.get("can_redo");
    const [highlit, previewed] = [model.get("highlight"), model.get("preview")];
    for (const { element, toggle, layer } of tiles) {
      element.classList.toggle("ccw-is-previewed", layer.name === previewed);
      element.classList.toggle("ccw-is-highlit", layer.name === highlit);
      if (layer.name === highlit) toggle.setAttribute("aria-current", "true");
      else toggle.removeAttribute("aria-current");
    }
    updateOpened();
  }
  function showHighlight() {
    const box = tiles.find((tile) => tile.layer.name === model.get("highlight"))?.element.getBoundingClientRect();
    const room = scroller.getBoundingClientRect();
    if (box && box.top < room.top) scroller.scrollTop -= room.top - box.top + 8;
    if (box && box.bottom > room.bottom) scroller.scrollTop += box.bottom - room.bottom + 8;
    draw();
  }
  function showPhoto() {
    const photo = model.get("photo");
    for (const image of root.querySelectorAll(".ccw-photo")) {
      image.hidden = !photo;
      if (photo) image.src = photo;
    }
    draw();
  }
  function rebuild() {
    const focused = scroller.querySelector(":focus")?.getAttribute("aria-label");
    tiles = [];
    const columns = model.get("stages").map((stage) => {
      const made = stage.layers.map((layer, i) => makeTile(layer, tiles.length + i + 1));
      tiles.push(...made);
      const names = stage.layers.map((layer) => layer.name);
      return makeStage(stage, made, () => click(toggled(model.get("weights"), names)));
    });
    tiles.forEach((tile, index) => {
      listen(tile, actionsOf(tile, index));
      tile.element.addEventListener("focusin", () => reach(tile.layer.name));
    });
    const names = tiles.map((tile) => tile.layer.name);
    reach(names.includes(current) ? current : names[0]);
    stages.replaceChildren(...columns);
    moveCard();
    root.dataset.density = density(tiles.length);
    stages.style.setProperty("--layers", tiles.length);
    stages.style.setProperty("--stages", columns.length);
    showPhoto();
    draw.flush();
    if (focused) scroller.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
  }

  root.addEventListener("keydown", (event) => {
    const step = historyOfKey(event);
    if (step) askHistory(step);
    else if (event.key === "Escape" && (card || help)) (help ?? card.dialog).shut();
    else if (event.key === "?" && !help) showHelp(event.target);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  const listeners = { stages: rebuild, photo: showPhoto, highlight: showHighlight, opened: showOpened };
  for (const name of [...INPUTS, "given_shares", "preview", "card", "can_undo", "can_redo"]) {
    listeners[name] = draw;
  }
  for (const [name, listener] of Object.entries(listeners)) model.on(`change:${name}`, listener);
  el.append(root);
  rebuild();
  showOpened();
  return () => {
    for (const [name, listener] of Object.entries(listeners)) model.off(`change:${name}`, listener);
    stopPreview();
    clearTimeout(refusal);
    save.flush();
    help?.shut();
    // Another view may still show the card: only this one's is taken away.
    const shown = card;
    card = null;
    shown?.dialog.shut();
  };
}

export default { initialize, render: showDiagram };
