// What an axis of the scatter shows: numbers, or texts side by side, and what is written beside it.

const SKEWED = 40;
const MOST_TICKS = 6;
const SPREAD = 0.28; // how far the points of one text lie apart, of the way to the next
const REACH = 0.4;

/** The ends of a column's numbers, and whether a logarithm shows them better. */
export function spread(column) {
  const known = column.values.filter(Number.isFinite).sort();
  if (!known.length) return { ends: [0, 1], log: false };
  const [low, high] = [known[0], known.at(-1)];
  const middle = known[known.length >> 1];
  const log = low >= 0 && high >= 100 && high > SKEWED * Math.max(low, 1) && (high >= 1000 || high > SKEWED * middle);
  const room = low === high ? 1 : (high - low) * 0.02;
  return { ends: log ? [low, high * 1.1] : [low - room, high + room], log };
}

/** About `count` round values between two ends. */
export function ticks(ends, log, count = MOST_TICKS) {
  const [low, high] = ends;
  if (log) {
    const round = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((tens) => [1, 2, 5].map((digit) => digit * 10 ** tens));
    const inside = [0, ...round].filter((value) => value >= low && value <= high);
    const tens = inside.filter((value) => /^1?0*$/.test(String(value)));
    if (inside.length <= MOST_TICKS && inside.length > 1) return inside;
    if (tens.length > 1) return tens;
  }
  const rough = (high - low) / count || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(i * step);
  return found;
}

/** A range with bounds that people can read: outwards, to a hundredth of its length or, `log`, of each. */
export function readable([low, high], log = false) {
  const power = (value) => 10 ** Math.floor(Math.log10(value / 100));
  const unit = (value) => power((log ? Math.max(value, 0) : high - low) || 1);
  const clean = (value) => Number(value.toPrecision(12)) + 0;
  return [clean(Math.floor(low / unit(low)) * unit(low)), clean(Math.ceil(high / unit(high)) * unit(high))];
}

/** A round value, without zeros that say nothing. */
function tickText(value) {
  return Number(value.toPrecision(6)).toLocaleString("en-US", { maximumFractionDigits: 6 }).replace("-", "−");
}

function short(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text || "(empty)";
}

/**
 * An axis: `values` to be drawn, their `ends`, whether it is `log`; `ticks(room)` are values and
 * what is written there, as many as fit when each takes `room` of the whole; `condition(range)` is
 * what a brush means, `range(condition)` the reverse, or nothing.
 */
export function axisOf(column) {
  return column.words ? ofTexts(column) : ofNumbers(column);
}

function ofNumbers(column) {
  const { ends, log } = spread(column);
  return {
    column,
    values: column.values,
    ends,
    log,
    longest: 6,
    ticks: (_room) => ticks(ends, log).map((value) => [value, tickText(value)]),
    condition: (range) => readable(range, log),
    range: (condition) => (condition?.every?.(Number.isFinite) ? condition : null),
  };
}

function ofTexts(column) {
  const compare = (a, b) => column.words[a].localeCompare(column.words[b], "en", { numeric: true });
  const order = column.words.map((_, rank) => rank).sort(compare);
  const position = new Int32Array(order.length);
  order.forEach((rank, i) => {
    position[rank] = i;
  });
  // The same for a row each time, and different for its neighbours: by the golden section.
  const apart = (row) => (((row * 0.618034) % 1) - 0.5) * 2 * SPREAD;
  const values = Float64Array.from(column.values, (rank, row) => (rank < 0 ? Number.NaN : position[rank] + apart(row)));
  return {
    column,
    values,
    ends: [-0.5, Math.max(order.length, 1) - 0.5],
    log: false,
    longest: Math.min(16, Math.max(4, ...column.words.map((word) => word.length))),
    ticks(room) {
      const step = Math.max(1, Math.ceil(order.length * room));
      return order.flatMap((rank, i) => (i % step ? [] : [[i, short(column.words[rank], 16)]]));
    },
    condition: ([low, high]) =>
      order.filter((_, i) => i + SPREAD >= low && i - SPREAD <= high).map((rank) => column.words[rank]),
    range(condition) {
      if (!Array.isArray(condition)) return null;
      const at = condition.map((word) => position[column.words.indexOf(word)]).sort((a, b) => a - b);
      const together = at.length > 0 && at.at(-1) - at[0] === at.length - 1;
      return together ? [at[0] - REACH, at.at(-1) + REACH] : null;
    },
  };
}
