// A table of photos as columns: sorted, filtered and put into words. Pure; `columns.py` does the same.

const ARRAYS = { f8: Float64Array, f4: Float32Array, i4: Int32Array };

/** A table of what Python wrote: heads of columns, and their values as bytes. */
export function read(heads, rows, buffers) {
  const columns = heads.map((head, i) => {
    const view = buffers[i];
    const bytes = view.buffer ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : view;
    return { ...head, values: new ARRAYS[head.type](bytes) };
  });
  const named = new Map(columns.map((column) => [column.name, column]));
  const roles = new Map(columns.map((column) => [column.role, column]).reverse());
  return { rows, columns, named, roles };
}

/** A text as it is searched: small letters without their accents. */
export function folded(text) {
  return text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
}

/** What to sort by, taken apart: a column, and whether the largest comes first. */
export function direction(table, sortBy) {
  const descending = sortBy.startsWith("-") && !table.named.has(sortBy);
  return { column: table.named.get(descending ? sortBy.slice(1) : sortBy), descending };
}

/** Whether nothing is known of a row. */
export function isMissing(column, row) {
  return column.words ? column.values[row] < 0 : Number.isNaN(column.values[row]);
}

/** All rows in order; equal ones as they were given, those of which nothing is known at the end. */
export function ordered(table, sortBy) {
  const order = Uint32Array.from({ length: table.rows }, (_, row) => row);
  const { column, descending } = direction(table, sortBy);
  if (!column) return order;
  const sign = descending ? -1 : 1;
  const values = column.values;
  return order.sort((a, b) => {
    const [missingA, missingB] = [isMissing(column, a), isMissing(column, b)];
    if (missingA || missingB) return Number(missingA) - Number(missingB) || a - b;
    if (values[a] === values[b]) return a - b;
    return values[a] < values[b] ? -sign : sign;
  });
}

/** Whether a condition holds, as a function of the row. */
function holds(column, condition) {
  const { values, words } = column;
  if (typeof condition === "boolean") {
    const known = (row) => !isMissing(column, row) && (!words || words[values[row]] !== "");
    return (row) => known(row) === condition;
  }
  if (!words) {
    const [low, high] = [condition[0] ?? -Infinity, condition[1] ?? Infinity];
    return (row) => values[row] >= low && values[row] <= high;
  }
  const part = typeof condition === "string" ? folded(condition) : null;
  const meant = words.map((word) => (part === null ? condition.includes(word) : folded(word).includes(part)));
  return (row) => values[row] >= 0 && meant[values[row]];
}

/** Which rows meet all conditions and hold all words: 1 or 0 for each. */
export function matching(table, filters, search = "") {
  const rows = new Uint8Array(table.rows).fill(1);
  const keep = (test) => {
    for (let row = 0; row < rows.length; row++) if (rows[row] && !test(row)) rows[row] = 0;
  };
  for (const [name, condition] of Object.entries(filters ?? {})) {
    const column = table.named.get(name);
    if (column) keep(holds(column, condition));
  }
  for (const word of folded(search).split(/\s+/).filter(Boolean)) {
    const tests = table.columns.filter((column) => column.words).map((column) => holds(column, word));
    keep((row) => tests.some((test) => test(row)));
  }
  return rows;
}

/** The rows of an order for which all masks are 1. */
export function chosen(order, ...masks) {
  return order.filter((row) => masks.every((mask) => mask[row]));
}

/** A number as people write it: "1,340", "0.34", "0.0012". */
export function written(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString("en-US").replace("-", "−");
  const digits = size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : Math.min(6, 1 - Math.floor(Math.log10(size)));
  return value.toFixed(digits).replace("-", "−");
}

/** What a row says in a column, "–" for nothing. */
export function valueOf(column, row) {
  if (isMissing(column, row)) return "–";
  if (column.words) return column.words[column.values[row]] || "–";
  const value = column.values[row];
  if (column.role === "probability" || column.role === "share") return percentage(value);
  if (column.role === "distance") return `${written(value)} km`;
  return written(value);
}

function percentage(value) {
  return value > 0 && value < 0.01 ? "< 1 %" : `${Math.round(100 * value)} %`;
}

/** A condition in words. */
export function conditionInWords(column, condition) {
  const name = column.label;
  if (typeof condition === "boolean") return `${name}: ${condition ? "any" : "none"}`;
  if (typeof condition === "string") return `${name} contains “${condition}”`;
  if (column.words) {
    const few = condition.length && condition.length <= 3;
    return `${name} is ${few ? condition.join(" or ") : `one of ${condition.length}`}`;
  }
  const [low, high] = condition;
  if (low === null && high === null) return `${name}: any`;
  if (high === null) return `${name} at least ${written(low)}`;
  if (low === null) return `${name} at most ${written(high)}`;
  return `${name} ${written(low)} to ${written(high)}`;
}

/** What is shown and why, in one sentence. */
export function sentence(table, state, count) {
  const reasons = Object.entries(state.filters ?? {})
    .filter(([name]) => table.named.has(name))
    .map(([name, condition]) => conditionInWords(table.named.get(name), condition));
  if (state.search.trim()) reasons.unshift(`“${state.search.trim()}” found`);
  const brushed = Object.entries(state.brush ?? {})
    .filter(([name]) => table.named.has(name))
    .map(([name, box]) => conditionInWords(table.named.get(name), box));
  if (brushed.length) reasons.push(`brushed: ${brushed.join(" and ")}`);
  const all = table.rows.toLocaleString("en-US");
  const photos = table.rows === 1 ? "photo" : "photos";
  const some = count.toLocaleString("en-US");
  const what = reasons.length ? `${some} of ${all} ${photos}: ${reasons.join("; ")}` : `All ${all} ${photos}`;
  const { column, descending } = direction(table, state.sort_by);
  const largest = column?.words ? (descending ? "from Z to A" : "from A to Z") : descending ? "largest first" : "smallest first";
  return `${what}${column ? `. Sorted by ${column.label}, ${largest}` : ""}.`;
}

/** A row in words, for those who do not see it. */
export function rowInWords(table, row) {
  const said = (role, before = "", after = "") => {
    const column = table.roles.get(role);
    if (!column || isMissing(column, row) || valueOf(column, row) === "–") return [];
    return [`${before}${valueOf(column, row)}${after}`];
  };
  const failed = said("error", "failed: ");
  const parts = failed.length
    ? [...said("photo"), ...failed]
    : [
        ...said("photo"),
        ...said("seen", "sees "),
        ...said("place"),
        ...said("probability"),
        ...said("distance", "", " from the truth"),
        ...said("worth", "worth "),
        ...said("carrier", "carried by "),
      ];
  return parts.length ? parts.join(", ") : `photo ${row + 1}`;
}
