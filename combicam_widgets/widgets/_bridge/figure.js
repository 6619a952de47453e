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
  const graphs = new Map(); // by element: what draws it anew
  return {
    // Not waited for: no model may take longer than two seconds, see attentive.js.
    initialize({ model }) {
      // What was missed comes as a whole state, which Plotly's views do not look at by themselves.
      listenAgain({ model }).then((missed) => {
        if (missed) model.on("change:_widget_layout", () => graphs.forEach((again) => again()));
      });
      const repaintAll = (message) => {
        model.get("_widget_layout").images[message.image].source = message.source;
        for (const graph of graphs.keys()) repaint(graph, message);
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
      const widget = await ready;
      let remove = await widget.render(context);
      graphs.set(context.el, async () => {
        remove();
        remove = await widget.render(context);
      });
      return () => {
        graphs.delete(context.el);
        remove();
      };
    },
  };
};
