// Plotly's figure widget, drawn by a module that all figures share.

import { listenAgain } from "./attentive.js";
import { moduleNamed } from "./modules.js";
import { repaint } from "./plotly_images.js";

const FROM_PYTHON = [
  "addTraces", "deleteTraces", "moveTraces", "restyle", "relayout", "update", "animate",
  "removeLayoutProps", "removeTraceProps",
].map((what) => `_py2js_${what}`);

/** Keep what Python says until somebody listens; the function returned says it all again. */
export function remembering(model, repaint) {
  const heard = [];
  const listeners = FROM_PYTHON.map((name) => {
    const listen = () => {
      const value = model.get(name);
      if (value === null) return;
      heard.push(() => {
        model.set(name, value);
        model.set(name, null);
      });
    };
    return [`change:${name}`, listen];
  });
  listeners.push(["msg:custom", (message) => heard.push(() => repaint(message))]);
  for (const [event, listen] of listeners) model.on(event, listen);
  return () => {
    for (const [event, listen] of listeners) model.off(event, listen);
    for (const again of heard) again();
  };
}

export default () => {
  let ready;
  const graphs = new Set();
  return {
    // Not waited for: no model may take longer than two seconds, see attentive.js.
    initialize({ model }) {
      listenAgain({ model });
      const repaintAll = (message) => {
        model.get("_widget_layout").images[message.image].source = message.source;
        for (const graph of graphs) repaint(graph, message);
      };
      const sayAgain = remembering(model, repaintAll);
      ready = moduleNamed(model.get("module")).module.then((plotly) => {
        const widget = plotly.default();
        widget.initialize({ model });
        sayAgain();
        model.on("msg:custom", repaintAll);
        return widget;
      });
    },
    async render(context) {
      const remove = await (await ready).render(context);
      graphs.add(context.el);
      return () => {
        graphs.delete(context.el);
        remove();
      };
    },
  };
};
