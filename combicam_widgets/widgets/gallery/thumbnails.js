// Small pictures on the page: asked for when they are seen, kept, and given up when there are many.

const KEPT = 800;
const DELAY = 150; // milliseconds after the last scrolling before anything is asked for

/** Pictures of one table. `ask(rows)` asks for them, all others that were asked for are given up. */
export function thumbnails(ask) {
  const kept = new Map();
  const listeners = new Set();
  const wanted = new Map(); // by who sees them: the same gallery may be on the page twice
  let timer = null;

  const seen = () => new Set([...wanted.values()].flat());

  function request() {
    timer = null;
    const missing = [...seen()].filter((row) => !kept.has(row));
    if (missing.length) ask(missing);
  }

  function forget(row) {
    const { url } = kept.get(row);
    if (url?.startsWith("blob:")) URL.revokeObjectURL(url);
    kept.delete(row);
  }

  return {
    /** What there is of a row: `url`, `problem`; nothing if it has not come. */
    get: (row) => kept.get(row),
    /** Say which rows somebody sees now; none: they are gone. */
    want(who, rows) {
      if (rows.length) wanted.set(who, rows);
      else wanted.delete(who);
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(request, DELAY);
    },
    arrived(row, url, problem) {
      if (kept.has(row)) forget(row);
      kept.set(row, { url, problem });
      for (const listener of listeners) listener(row);
      if (kept.size <= KEPT) return;
      const now = seen();
      for (const old of kept.keys()) {
        if (kept.size <= KEPT) break;
        if (!now.has(old)) forget(old);
      }
    },
    /** Forget all. */
    drop() {
      for (const row of [...kept.keys()]) forget(row);
    },
    /** Forget all, and ask anew for what is seen: it is to look different. */
    clear() {
      this.drop();
      timer ??= setTimeout(request, DELAY);
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
