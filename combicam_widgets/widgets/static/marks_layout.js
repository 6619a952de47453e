// Where flags and votes go on the world map: pure functions, without a page. Coordinates are
// pixels in the map's window.

const TOUCHING = 20;
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

/** Group points ({x, y}) that would touch: lists of their indices, the first one's place counts. */
export function clusters(points, reach = TOUCHING) {
  const groups = [];
  points.forEach(({ x, y }, i) => {
    const near = groups.find(([first]) => {
      return Math.hypot(points[first].x - x, points[first].y - y) < reach;
    });
    if (near) near.push(i);
    else groups.push([i]);
  });
  return groups;
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
