// What Python tells the live page and no saved notebook: by message, see discreet.py.

import { listenAgain } from "./attentive.js";

/**
 * Asks for what Python tells beside the state, and calls back when it changes. `told(name)` gives
 * it, or nothing if it does not belong to the state that is here.
 */
export function confided({ model }, changed) {
  let heard = { telling: 0, told: {} };
  const hear = (message) => {
    if (!message.told) return;
    heard = message;
    changed();
  };
  const ask = () => model.send({ ask: "what is not in the state" });
  model.on("msg:custom", hear);
  model.on("change:telling", changed);
  ask();
  listenAgain({ model }).then((missed) => missed && ask());
  return {
    told: (name) => (heard.telling === model.get("telling") ? heard.told[name] : undefined),
    stop() {
      model.off("msg:custom", hear);
      model.off("change:telling", changed);
    },
  };
}
