// A widget's state without Jupyter: what the notebook's own components ask of a model.

/**
 * Holds values. `saved(names)` is told what a component has set since it was last told, as Python
 * would be; `sent(message)` hears what it would send there. `put(name, value)` is Python's side.
 */
export function plainModel(values, { saved = (_names) => {}, sent = (_message) => {} } = {}) {
  const state = { ...values };
  const listeners = new Map();
  const changed = new Set();
  const each = (events, act) => events.split(" ").forEach(act);
  const of = (event) => listeners.get(event) ?? listeners.set(event, new Set()).get(event);
  function put(name, value) {
    changed.delete(name);
    if (state[name] === value) return;
    state[name] = value;
    for (const listener of [...of(`change:${name}`)]) listener();
  }
  return {
    get: (name) => state[name],
    put,
    set(name, value) {
      if (state[name] === value) return;
      put(name, value);
      changed.add(name);
    },
    on: (events, listener) => each(events, (event) => of(event).add(listener)),
    off: (events, listener) => each(events, (event) => of(event).delete(listener)),
    save_changes() {
      const names = [...changed];
      changed.clear();
      if (names.length) saved(names);
    },
    send: sent,
  };
}
