// Numbers as people say them, like Python's `words.py`.

/** "81 %", "less than 1 %". */
export function percent(fraction) {
  return fraction > 0 && fraction < 0.01 ? "less than 1 %" : `${Math.round(100 * fraction)} %`;
}
