// Where the parts of one level stand: ranks by the longest way from above (Sugiyama et al. 1981),
// crossings lessened by barycentres, columns by least squares under the distances that the boxes
// need. A part is centred on those it reads; a way that passes ranks by takes a straight lane
// beside what it passes and pulls at nothing, so a residual net is a straight trunk.

const GAP = { rank: 46, in: 24, out: 32, column: 26, lane: 16 };

// nodes: {id, w, h, port: "in" | "out" | undefined}, in topological order.
// edges: {from, to, fromX, toX}: indices of nodes, and where on them, counted from their middle.
// Gives every node x (its middle) and y (its top), every edge its lanes [{x, top, bottom}].
function layered(nodes, edges) {
  const ranks = ranked(nodes, edges);
  const rows = Array.from({ length: Math.max(0, ...ranks) + 1 }, () => []);
  nodes.forEach((node, i) => rows[ranks[i]].push(slot(node.w, i)));
  const chains = edges.map((edge) => chained(edge, ranks, rows));
  ordered(rows, chains);
  columns(nodes, edges, rows);
  lanes(nodes, edges, rows, chains);
  const height = rowsDown(nodes, edges, rows, ranks);
  edges.forEach((edge, i) => {
    edge.lanes = chains[i].inner.map(({ x, row }) => ({
      x,
      top: rows[row].top,
      bottom: rows[row].bottom,
    }));
  });
  return frame(nodes, edges, height);
}

const slot = (w, node) => ({ w, node, x: 0, weight: 1 });

function ranked(nodes, edges) {
  const into = nodes.map(() => []);
  const outOf = nodes.map(() => []);
  for (const edge of edges) {
    into[edge.to].push(edge.from);
    outOf[edge.from].push(edge.to);
  }
  const least = nodes.some((node) => node.port === "in") ? 1 : 0;
  const rank = [];
  nodes.forEach((node, i) => {
    const above = into[i].map((from) => rank[from] + 1);
    rank[i] = node.port === "in" ? 0 : Math.max(least, ...above);
  });
  // What is read far below only, and reads from above only, stands near its reader: the crops of U-Net.
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    const below = Math.min(...outOf[i].map((to) => rank[to] - 1));
    if (!nodes[i].port && Number.isFinite(below) && below - rank[i] > 3) rank[i] = below;
  }
  const last = Math.max(0, ...rank);
  nodes.forEach((node, i) => {
    if (node.port === "out") rank[i] = Math.max(rank[i], last);
  });
  return rank;
}

// The slots of an edge: its ends and, where it passes ranks, one in each.
function chained(edge, ranks, rows) {
  const inner = [];
  for (let row = ranks[edge.from] + 1; row < ranks[edge.to]; row += 1) {
    const passing = slot(0, -1);
    passing.row = row;
    passing.edge = edge;
    rows[row].push(passing);
    inner.push(passing);
  }
  const end = (node) => rows[ranks[node]].find((place) => place.node === node);
  return { inner, all: [end(edge.from), ...inner, end(edge.to)] };
}

const SWEEPS = 8;

function ordered(rows, chains) {
  const above = new Map();
  const below = new Map();
  const put = (map, key, value) =>
    map.has(key) ? map.get(key).push(value) : map.set(key, [value]);
  for (const { all } of chains) {
    for (let i = 1; i < all.length; i += 1) {
      put(below, all[i - 1], all[i]);
      put(above, all[i], all[i - 1]);
    }
  }
  const number = () => rows.forEach((row) => row.forEach((place, i) => (place.order = i)));
  const sort = (row, near) => {
    const centre = new Map();
    for (const place of row) {
      const found = near.get(place) || [];
      const sum = found.reduce((total, other) => total + other.order, 0);
      centre.set(place, found.length ? sum / found.length : place.order);
    }
    row.sort(
      (a, b) => centre.get(a) - centre.get(b) || (a.node < 0) - (b.node < 0) || a.order - b.order,
    );
    row.forEach((place, i) => (place.order = i));
  };
  const crossings = () => rows.reduce((sum, row) => sum + crossed(row, below), 0);
  number();
  if (rows.every((row) => row.length < 2)) return;
  let best = rows.map((row) => [...row]);
  let fewest = Infinity;
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep += 1) {
    if (sweep % 2 === 0) rows.forEach((row) => sort(row, above));
    else [...rows].reverse().forEach((row) => sort(row, below));
    const found = crossings();
    if (found < fewest) {
      fewest = found;
      best = rows.map((row) => [...row]);
    }
  }
  best.forEach((row, i) => rows[i].splice(0, rows[i].length, ...row));
  number();
}

function crossed(row, below) {
  const ends = row.flatMap((place) =>
    (below.get(place) || []).map((to) => to.order).sort((a, b) => a - b),
  );
  let found = 0;
  const most = Math.min(ends.length, 400);
  for (let i = 0; i < most; i += 1)
    for (let j = i + 1; j < most; j += 1) if (ends[i] > ends[j]) found += 1;
  return found;
}

// The middle of every node. Down, up, down: the last sweep centres parts on what they read.
function columns(nodes, edges, rows) {
  const above = nodes.map(() => []);
  const below = nodes.map(() => []);
  for (const edge of edges) {
    above[edge.to].push([edge.from, edge.fromX - edge.toX]);
    below[edge.from].push([edge.to, edge.toX - edge.fromX]);
  }
  const wanted = (place, near) => {
    const found = near[place.node];
    if (!found.length) return undefined;
    return found.reduce((sum, [other, shift]) => sum + nodes[other].x + shift, 0) / found.length;
  };
  for (const node of nodes) node.x = 0;
  const settle = (row, near) => {
    for (const place of row) {
      if (place.node < 0) {
        place.weight = 1e-6;
        place.wish = nodes[place.edge.from].x + place.edge.fromX;
      } else {
        const wish = wanted(place, near);
        place.weight = wish === undefined ? 1e-3 : 1;
        place.wish = wish === undefined ? nodes[place.node].x : wish;
      }
    }
    spaced(row);
    for (const place of row) if (place.node >= 0) nodes[place.node].x = place.x;
  };
  rows.forEach((row) => settle(row, above));
  [...rows].reverse().forEach((row) => settle(row, below));
  rows.forEach((row) => settle(row, above));
}

const distance = (a, b) => {
  const between = a.node < 0 || b.node < 0 ? GAP.lane : GAP.column;
  return (a.w + b.w) / 2 + between;
};

// Least squares to the wishes with the distances kept: pools of neighbours that would overlap.
function spaced(row) {
  const pools = [];
  let offset = 0;
  row.forEach((place, i) => {
    if (i) offset += distance(row[i - 1], place);
    place.offset = offset;
    let pool = { weight: place.weight, sum: place.weight * (place.wish - offset), places: [place] };
    while (pools.length && pools.at(-1).sum / pools.at(-1).weight > pool.sum / pool.weight) {
      const before = pools.pop();
      const places = before.places.concat(pool.places);
      pool = { weight: before.weight + pool.weight, sum: before.sum + pool.sum, places };
    }
    pools.push(pool);
  });
  for (const pool of pools)
    for (const place of pool.places) place.x = pool.sum / pool.weight + place.offset;
}

// Ways that pass ranks by: each straight down, as near to where it begins as what stands there allows.
function lanes(nodes, edges, rows, chains) {
  const long = chains.filter(({ inner }) => inner.length);
  const settled = new Set();
  const length = (chain) => chain.inner.length;
  for (const chain of [...long].sort((a, b) => length(a) - length(b))) {
    const [left, right] = bounds(chain, rows, nodes, settled);
    const { edge } = chain.inner[0];
    const wish = nodes[edge.from].x + edge.fromX;
    if (left <= right) {
      const near = Math.min(Math.max(wish, left), right);
      for (const place of chain.inner) place.x = near;
    }
    for (const place of chain.inner) settled.add(place);
  }
}

// How far left and right a lane may stand: behind all that stands before it in its rows.
function bounds(chain, rows, nodes, settled) {
  let [left, right] = [-Infinity, Infinity];
  for (const place of chain.inner) {
    for (const other of rows[place.row]) {
      if (other === place || (other.node < 0 && !settled.has(other))) continue;
      const x = other.node < 0 ? other.x : nodes[other.node].x;
      const room = other.w / 2 + GAP.lane;
      if (other.order < place.order) left = Math.max(left, x + room);
      else right = Math.min(right, x - room);
    }
  }
  return [left, right];
}

// The rows' tops and bottoms; ways that go far aside get more room to turn.
function rowsDown(nodes, edges, rows, ranks) {
  const aside = rows.map(() => 0);
  for (const edge of edges) {
    const reach = Math.abs(nodes[edge.to].x + edge.toX - nodes[edge.from].x - edge.fromX);
    aside[ranks[edge.from]] = Math.max(aside[ranks[edge.from]], reach);
    aside[ranks[edge.to] - 1] = Math.max(aside[ranks[edge.to] - 1], reach);
  }
  let y = 0;
  rows.forEach((row, i) => {
    row.top = y;
    const here = row.filter((place) => place.node >= 0);
    const height = Math.max(0, ...here.map((place) => nodes[place.node].h));
    for (const place of here) nodes[place.node].y = y + (height - nodes[place.node].h) / 2;
    row.bottom = y + height;
    y = row.bottom + gapBelow(row, rows[i + 1] || [], nodes) + Math.min(26, aside[i] * 0.06);
  });
  return rows.at(-1).bottom;
}

function gapBelow(row, next, nodes) {
  const holds = (kind) => (place) => place.node >= 0 && nodes[place.node].port === kind;
  if (row.some(holds("in"))) return GAP.in;
  return next.some(holds("out")) ? GAP.out : GAP.rank;
}

// Moves all so that the leftmost thing stands at 0.
function frame(nodes, edges, height) {
  let [left, right] = [Infinity, -Infinity];
  for (const node of nodes) {
    left = Math.min(left, node.x - node.w / 2);
    right = Math.max(right, node.x + node.w / 2);
  }
  for (const edge of edges) {
    for (const { x } of edge.lanes) {
      left = Math.min(left, x - 6);
      right = Math.max(right, x + 6);
    }
  }
  for (const node of nodes) node.x -= left;
  for (const edge of edges) for (const lane of edge.lanes) lane.x -= left;
  return { w: right - left, h: height };
}
