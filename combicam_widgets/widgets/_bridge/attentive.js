// anywidget gives a model two seconds to begin. One that needs longer, on a slow or busy computer,
// is shown all the same, but from then on nothing that Python says gets through to it
// (anywidget 0.11, `await runtime?.ready` in `_handle_comm_msg`). This makes it listen again.

/** To be called by a widget's `initialize`; gives whether anything Python said was missed. */
export async function listenAgain({ model }) {
  const itself = await model.widget_manager.get_model(model.get("ident"));
  try {
    await itself._handle_comm_msg({ content: { data: { method: "is anybody there?" } } });
    return false;
  } catch {
    const hear = heardByAny(itself);
    itself.comm.on_msg((message) => hear.call(itself, message));
    itself.comm.send({ method: "request_state" }, itself.callbacks());
    return true;
  }
}

/** How any widget's model hears Python, not only anywidget's. */
function heardByAny(model) {
  let kind = Object.getPrototypeOf(model);
  while (!Object.hasOwn(kind, "_handle_comm_msg")) kind = Object.getPrototypeOf(kind);
  return Object.getPrototypeOf(kind)._handle_comm_msg;
}

/** The same, not waited for: what it asks waits for the end of it. */
export function initialize(context) {
  listenAgain(context);
}
