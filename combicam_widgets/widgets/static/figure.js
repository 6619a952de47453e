// Plotly's figure widget, drawn by a module that all figures share.

import { listenAgain } from "./attentive.js";
import { moduleNamed } from "./modules.js";

const FROM_PYTHON = [
  "addTraces", "deleteTraces", "moveTraces", "restyle", "relayout", "update", "animate",
  "removeLayoutProps", "removeTraceProps",
].map((what) => `_py2js_${what}`);

/** Keep what Python says until somebody listens; the function returned says it all again. */
export function remembering(model) {
  const heard = [];
  const listeners = FROM_PYTHON.map((name) => {
    const listen = () => model.get(name) !== null && heard.push([name, model.get(name)]);
    model.on(`change:${name}`, listen);
    return [`change:${name}`, listen];
  });
  return () => {
    for (const [event, listen] of listeners) model.off(event, listen);
    for (const [name, value] of heard) {
      model.set(name, value);
      model.set(name, null);
    }
  };
}

export default () => {
  let ready;
  return {
    // Not waited for: no model may take longer than two seconds, see attentive.js.
    initialize({ model }) {
      listenAgain({ model });
      const sayAgain = remembering(model);
      ready = moduleNamed(model.get("module")).module.then((plotly) => {
        const widget = plotly.default();
        widget.initialize({ model });
        sayAgain();
        return widget;
      });
    },
    async render(context) {
      return (await ready).render(context);
    },
  };
};
