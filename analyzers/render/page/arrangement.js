// The parts that are shown with their sizes, and who reads whom: what `layered` is given, group by
// group, the innermost first.

const CARD = { letter: 7.5, small: 6.6, least: 132, most: 292, height: 48, pill: 28 };
const FRAME = { side: 16, top: 30, bottom: 0 };

const cardLabel = (part) => part.layer.label;

// Width and height of a part that stands for itself.
function extent(part, outline) {
  if (isPill(part))
    return {
      w: Math.max(64, 24 + CARD.letter * Math.min(34, cardLabel(part).length)),
      h: CARD.pill,
    };
  const [title, note] = cardText(part, outline);
  const fold = part.isGroup ? 34 : 0;
  const w = Math.max(title.length * CARD.letter, note.length * CARD.small) + 30 + fold;
  return { w: Math.min(CARD.most, Math.max(CARD.least, w)), h: CARD.height };
}

const isPill = (part) =>
  !part.isGroup && (part.layer.family === "input" || part.layer.family === "merge");

function cardText(part, outline) {
  if (part.isGroup) {
    const inside = many(part.count, "layer");
    return [
      outline.heading(part),
      part.params ? `${inside}, ${short(part.params)} params` : inside,
    ];
  }
  const learned = part.params ? `  ${short(part.params)}` : "";
  return [cut(cardLabel(part), 34), cutFront(outline.nameIn(part), 38 - learned.length) + learned];
}

// The edges of each open group, between its parts and its ports: who reads what, `value` by value.
function wiring(outline) {
  const levels = new Map();
  const add = (group, from, to, value) => {
    if (!levels.has(group)) levels.set(group, { keys: new Set(), edges: [] });
    const level = levels.get(group);
    const key = `${from ? from.serial : "in"} ${to ? to.serial : "out"} ${value.serial}`;
    if (level.keys.has(key)) return;
    level.keys.add(key);
    level.edges.push({ from, to, value });
  };
  for (const [from, to] of outline.edges) {
    const [up, down] = [from.trail, to.trail];
    let common = 0;
    while (up[common + 1] === down[common + 1]) common += 1;
    if (!up.slice(0, common + 1).every((group) => group.open)) continue;
    add(up[common], up[common + 1], down[common + 1], from);
    for (let i = common + 1; i < up.length - 1 && up[i].open; i += 1)
      add(up[i], up[i + 1], null, from);
    for (let i = common + 1; i < down.length - 1 && down[i].open; i += 1)
      add(down[i], null, down[i + 1], from);
  }
  return levels;
}

// A group laid out: its parts with what stands in them, its ways, and its ports by value.
function arranged(group, levels, outline) {
  const edges = (levels.get(group) || { edges: [] }).edges;
  const ports = { in: new Map(), out: new Map() };
  const nodes = [];
  const at = new Map();
  const port = (kind, value) => {
    if (ports[kind].has(value)) return;
    ports[kind].set(value, nodes.length);
    nodes.push({ w: 2, h: 0, port: kind });
  };
  for (const { from, value } of edges) if (!from) port("in", value);
  for (const child of group.children) {
    at.set(child, nodes.length);
    const inner = child.isGroup && child.open ? arranged(child, levels, outline) : null;
    const size = inner
      ? {
          w: Math.max(inner.w, 96 + heading(child, outline).length * CARD.letter) + 2 * FRAME.side,
          h: inner.h + FRAME.top + FRAME.bottom,
        }
      : extent(child, outline);
    nodes.push({ ...size, part: child, inner });
  }
  for (const { to, value } of edges) if (!to) port("out", value);
  const joined = edges.map(({ from, to, value }) => ({
    from: from ? at.get(from) : ports.in.get(value),
    to: to ? at.get(to) : ports.out.get(value),
    fromX: from ? portX(nodes[at.get(from)], "out", value) : 0,
    toX: to ? portX(nodes[at.get(to)], "in", value) : 0,
    value,
  }));
  const { w, h } = layered(nodes, joined);
  spreadArrivals(nodes, joined);
  return { group, w, h, nodes, edges: joined, ports };
}

const heading = (group, outline) =>
  `${outline.heading(group)}  ${group.kind === "block" ? cutFront(outline.nameIn(group), 30) : ""}`;

// How far from a part's middle a value enters or leaves it.
function portX(node, kind, value) {
  if (!node.inner) return 0;
  const { ports, nodes, w } = node.inner;
  return nodes[ports[kind].get(value)].x - w / 2;
}

// Several values arrive side by side, in the order in which they come.
function spreadArrivals(nodes, edges) {
  const into = new Map();
  for (const edge of edges) {
    if (nodes[edge.to].port || nodes[edge.to].inner) continue;
    if (!into.has(edge.to)) into.set(edge.to, []);
    into.get(edge.to).push(edge);
  }
  for (const [to, arriving] of into) {
    const from = (edge) =>
      edge.lanes.length ? edge.lanes.at(-1).x : nodes[edge.from].x + edge.fromX;
    arriving.sort((a, b) => from(a) - from(b));
    const step = Math.min(14, (nodes[to].w - 24) / arriving.length);
    // One that comes straight from above stays straight.
    const straight = arriving.findIndex((edge) => Math.abs(from(edge) - nodes[to].x) < 1);
    const middle = straight < 0 ? (arriving.length - 1) / 2 : straight;
    arriving.forEach((edge, i) => (edge.toX = (i - middle) * step));
  }
}
