// Gestures on a tile: pointer, wheel and keys, turned into what they ask for.

import { dragged, neighbour, stepped, stepsOfKey } from "./diagram.js";

const DRAG_STARTS = 5; // pixels; less is a click with an unsteady hand
const WHEEL_TURN = 40; // pixels of wheel per step, so that touch pads do not race

/**
 * Listen to a tile. `actions` has: weight(), toggle(), solo(), takeBack() of the last of these,
 * open(opener), newGesture(), weigh(weight, kind, gesture), move(where), enter(), leave().
 */
export function listen(tile, actions) {
  const escape = listenToPointer(tile.toggle, actions);
  listenToKeys(tile, actions, escape);
  listenToWheel(tile.element, actions);
  tile.weight.addEventListener("input", () => actions.weigh(Number(tile.weight.value), "slider"));
  tile.card.addEventListener("click", () => actions.open(tile.toggle));
  tile.element.addEventListener("pointerenter", (event) => {
    if (event.pointerType !== "touch") actions.enter();
  });
  tile.element.addEventListener("pointerleave", actions.leave);
  tile.toggle.addEventListener("focus", () => {
    if (tile.toggle.matches(":focus-visible")) actions.enter();
  });
  tile.toggle.addEventListener("blur", actions.leave);
}

function listenToPointer(toggle, actions) {
  let press = null;
  let clickIsOver = false; // the click that ends a drag asks for nothing

  toggle.addEventListener("pointerdown", (event) => {
    clickIsOver = false;
    if (event.button !== 0 || !event.isPrimary) return;
    press = { id: event.pointerId, x: event.clientX, weight: actions.weight(), gesture: null };
    toggle.setPointerCapture(event.pointerId);
    toggle.focus({ preventScroll: true }); // with Shift, JupyterLab keeps the browser from it
  });
  toggle.addEventListener("pointermove", (event) => {
    if (event.pointerId !== press?.id) return;
    const pixels = event.clientX - press.x;
    if (!press.gesture) {
      if (Math.abs(pixels) < DRAG_STARTS) return;
      press.gesture = actions.newGesture();
      clickIsOver = true;
      toggle.classList.add("ccw-is-dragged");
    }
    actions.weigh(dragged(press.weight, pixels), "drag", press.gesture);
  });
  const release = (event) => {
    if (event.pointerId !== press?.id) return;
    press = null;
    toggle.classList.remove("ccw-is-dragged");
    const box = toggle.getBoundingClientRect();
    if (event.clientY < box.top || event.clientY > box.bottom) clickIsOver = true;
  };
  toggle.addEventListener("pointerup", release);
  toggle.addEventListener("pointercancel", release);

  toggle.addEventListener("click", (event) => {
    if (clickIsOver && event.detail > 0) return;
    if (event.shiftKey) actions.solo();
    else if (event.detail < 2) actions.toggle();
    else if (event.detail === 2) {
      actions.takeBack();
      actions.open(toggle);
    }
  });
  toggle.addEventListener("contextmenu", (event) => {
    // The right mouse button keeps its menu; the menu key and a long touch open the card.
    if (event.button === 2 || event.ctrlKey) return;
    event.preventDefault();
    event.stopPropagation(); // or JupyterLab shows its own menu
    actions.open(toggle);
  });

  return function escape() {
    if (!press?.gesture) return false;
    actions.weigh(press.weight, "drag", press.gesture);
    press = null;
    toggle.classList.remove("ccw-is-dragged");
    return true;
  };
}

function listenToKeys(tile, actions, escape) {
  tile.toggle.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (!act(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  function act({ key, shiftKey }) {
    const steps = stepsOfKey(key);
    if (steps) actions.weigh(stepped(actions.weight(), steps), "keys");
    else if (key === "i") actions.open(tile.toggle);
    else if (key === "Enter" && shiftKey) actions.solo();
    else if (key === "Escape") return escape();
    else return actions.move((index, count) => neighbour(index, key, count));
    return true;
  }
}

function listenToWheel(element, actions) {
  let turned = 0;
  const turn = (event) => {
    if (!(event.ctrlKey || event.altKey || element.matches(":focus-within"))) return;
    if (event.deltaY === 0) return;
    event.preventDefault();
    turned += event.deltaMode === 0 ? event.deltaY : WHEEL_TURN * Math.sign(event.deltaY);
    if (Math.abs(turned) < WHEEL_TURN) return;
    actions.weigh(stepped(actions.weight(), -Math.sign(turned)), "wheel");
    turned = 0;
  };
  element.addEventListener("wheel", turn, { passive: false });
}
