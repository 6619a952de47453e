// Where flags and votes go on the world map: pure functions, without a page. Coordinates are
// pixels in the map's window.

const WIDEST = 150;
const GAPS = [11, 30, 52, 76];
const SIDES = {
  up: [0, -1], down: [0, 1], right: [1, 0], left: [-1, 0],
  ne: [1, -1], nw: [-1, -1], se: [1, 1], sw: [-1, 1],
};

function common(a, b) {
  const wide = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const high = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  return Math.max(0, wide) * Math.max(0, high);
}

/** Move a box into a view. */
export function inside(box, view) {
  return {
    ...box,
    x: Math.min(Math.max(box.x, view.x), view.x + view.w - box.w),
    y: Math.min(Math.max(box.y, view.y), view.y + view.h - box.h),
  };
}

/** Pick for each item, in turn, the box of its candidates that covers least, the first of equals. */
export function choose(candidates, taken) {
  const costs = candidates.map((box) => taken.reduce((sum, other) => sum + common(box, other), 0));
  const best = costs.indexOf(Math.min(...costs));
  return { box: candidates[best], cost: costs[best] };
}

/** Find room for flags ({x, y, w, h, side}: anchor and size) within a view, beside what is taken. */
export function planted(flags, view, taken) {
  // No flag covers another's anchor either.
  const busy = [...taken, ...flags.map(({ x, y }) => ({ x: x - 3, y: y - 3, w: 6, h: 6 }))];
  return flags.map(({ x, y, w, h, side }) => {
    const order = [side, ...Object.keys(SIDES).filter((other) => other !== side)];
    const candidates = GAPS.flatMap((gap) =>
      order.map((name) => {
        const [right, down] = SIDES[name];
        const box = {
          x: x - w / 2 + right * (w / 2 + gap),
          y: y - h / 2 + down * (h / 2 + gap),
          w,
          h,
        };
        return inside(box, view);
      }),
    );
    const { box } = choose(candidates, busy);
    busy.push(box);
    return box;
  });
}

/** Shorten a list of votes: [[3], [5, 6, 7, 8, 9]]; a run has neighbours that are alike. */
export function runs(votes) {
  const found = [];
  for (const vote of votes) {
    const last = found.at(-1)?.at(-1);
    if (last && vote.layer === last.layer + 1 && vote.on === last.on) found.at(-1).push(vote);
    else found.push([vote]);
  }
  // A run of two is shorter without a dash.
  return found.flatMap((run) => (run.length === 2 ? run.map((vote) => [vote]) : [run]));
}

/** Name votes as people do: "3, 5–9". */
export function named(votes) {
  return runs(votes)
    .map((run) => (run.length > 1 ? `${run[0].number}–${run.at(-1).number}` : run[0].number))
    .join(", ");
}

/** Diagonal of the box around the largest piece of a line. */
export function extent(pieces) {
  return Math.max(
    0,
    ...pieces.map((piece) => {
      const x = piece.map((point) => point.x);
      const y = piece.map((point) => point.y);
      return Math.hypot(Math.max(...x) - Math.min(...x), Math.max(...y) - Math.min(...y));
    }),
  );
}

/** About how much room a marker takes; the first vote's place is its middle. */
function room(group, votes, points) {
  const [{ x, y }] = group.map((i) => points[i]);
  const inOrder = [...group].sort((a, b) => a - b).map((i) => votes[i]);
  const lengths = runs(inOrder).map((run) => named(run).length);
  const wide = 2 + lengths.reduce((sum, length) => sum + Math.max(18, 10 + 6 * length), 0);
  const w = Math.min(wide, WIDEST);
  const h = 2 + 18 * Math.ceil(wide / WIDEST);
  return { x: x - w / 2, y: y - h / 2, w, h };
}

/** Group votes, shown at points ({x, y}), whose markers would touch: lists of their indices. */
export function clusters(votes, points) {
  const groups = votes.map((_, i) => [i]);
  for (let i = 0; i < groups.length; i += 1) {
    const here = room(groups[i], votes, points);
    const j = groups.findIndex((other, k) => k < i && common(here, room(other, votes, points)) > 0);
    if (j < 0) continue;
    // The larger group stays where it is; its marker has grown, so look again from the start.
    const [more, fewer] = groups[j].length < groups[i].length ? [i, j] : [j, i];
    groups[j] = [...groups[more], ...groups[fewer]];
    groups.splice(i, 1);
    i = -1;
  }
  return groups;
}
