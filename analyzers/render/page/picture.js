// The drawing of the net, and moving about in it: folding, choosing, size, keyboard.

const CARD = { letter: 7.5, small: 6.6, least: 132, most: 292, height: 48, pill: 28 };
const FRAME = { side: 16, top: 30, bottom: 0 };
const MARGIN = 28;
const SCALES = { least: 0.15, most: 2.5 };

const cardLabel = (part) => part.layer.label;

// Width and height of a part that stands for itself.
function extent(part, outline) {
  if (isPill(part)) return { w: Math.max(64, 24 + CARD.letter * Math.min(34, cardLabel(part).length)), h: CARD.pill };
  const [title, note] = cardText(part, outline);
  const fold = part.isGroup ? 34 : 0;
  const w = Math.max(title.length * CARD.letter, note.length * CARD.small) + 30 + fold;
  return { w: Math.min(CARD.most, Math.max(CARD.least, w)), h: CARD.height };
}

const isPill = (part) => !part.isGroup && (part.layer.family === "input" || part.layer.family === "merge");

function cardText(part, outline) {
  if (part.isGroup) {
    const inside = many(part.count, "layer");
    return [outline.heading(part), part.params ? `${inside}, ${short(part.params)} params` : inside];
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
    for (let i = common + 1; i < up.length - 1 && up[i].open; i += 1) add(up[i], up[i + 1], null, from);
    for (let i = common + 1; i < down.length - 1 && down[i].open; i += 1) add(down[i], null, down[i + 1], from);
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
      ? { w: Math.max(inner.w, 96 + heading(child, outline).length * CARD.letter) + 2 * FRAME.side, h: inner.h + FRAME.top + FRAME.bottom }
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

const heading = (group, outline) => `${outline.heading(group)}  ${group.kind === "block" ? cutFront(outline.nameIn(group), 30) : ""}`;

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
    const from = (edge) => (edge.lanes.length ? edge.lanes.at(-1).x : nodes[edge.from].x + edge.fromX);
    arriving.sort((a, b) => from(a) - from(b));
    const step = Math.min(14, (nodes[to].w - 24) / arriving.length);
    // One that comes straight from above stays straight.
    const straight = arriving.findIndex((edge) => Math.abs(from(edge) - nodes[to].x) < 1);
    const middle = straight < 0 ? (arriving.length - 1) / 2 : straight;
    arriving.forEach((edge, i) => (edge.toX = (i - middle) * step));
  }
}

// Whether ways leave to the right and none to the left: the size then stands on the left.
function leansRight(leaving, nodes) {
  const aside = leaving.map((edge) => {
    const next = edge.lanes.length ? edge.lanes[0].x : nodes[edge.to].x + edge.toX;
    return next - nodes[edge.from].x - edge.fromX;
  });
  return aside.some((x) => x > 20) && aside.every((x) => x > -20);
}

const round = (number) => Math.round(number * 10) / 10;

function way(points) {
  let [x, y] = points[0];
  let path = `M${round(x)} ${round(y)}`;
  for (const [toX, toY] of points.slice(1)) {
    if (Math.abs(toX - x) < 0.5) {
      path += `V${round(toY)}`;
      y = toY;
      continue;
    }
    const bend = (toY - y) / 2;
    path += `C${round(x)} ${round(y + bend)} ${round(toX)} ${round(toY - bend)} ${round(toX)} ${round(toY)}`;
    [x, y] = [toX, toY];
  }
  return path;
}

class Picture {
  // chosen(part): called when a part is chosen.
  constructor(outline, room, chosen) {
    this.outline = outline;
    this.room = room;
    this.chosen = chosen;
    this.selected = null;
    this.scale = 1;
    this.marks = new Map();
    this.frames = shape("g", { "aria-hidden": "true" });
    this.ways = shape("g", { class: "ways", "aria-hidden": "true" });
    this.cards = shape("g", { role: "presentation" });
    const arrow = shape("path", { d: "M0 0L7 3.5L0 7z", class: "arrow" });
    const marker = { id: "arrow", markerWidth: 7, markerHeight: 7, refX: 6, refY: 3.5, orient: "auto", markerUnits: "userSpaceOnUse" };
    this.svg = shape(
      "svg",
      { role: "tree", "aria-label": "Layers of the net, from input to output" },
      shape("defs", {}, shape("marker", marker, arrow)),
      this.frames, this.ways, this.cards,
    );
    room.append(this.svg);
    this.listen();
    this.draw();
  }

  draw() {
    this.marks.clear();
    for (const layer of [this.frames, this.ways, this.cards]) layer.replaceChildren();
    const levels = wiring(this.outline);
    const whole = arranged(this.outline.root, levels, this.outline);
    this.put(whole, MARGIN, MARGIN);
    for (const part of this.outline.shown()) this.cards.append(this.marks.get(part).mark);
    this.size = [whole.w + 2 * MARGIN, whole.h + 2 * MARGIN];
    this.svg.setAttribute("viewBox", `0 0 ${round(this.size[0])} ${round(this.size[1])}`);
    this.scaled(this.scale);
    this.room.style.setProperty("--drawn", `${Math.ceil(this.size[1])}px`);
    this.mark();
  }

  // A laid-out group with its upper left corner at x, y.
  put(level, x, y) {
    for (const node of level.nodes) {
      if (!node.part) continue;
      const place = { x: x + node.x - node.w / 2, y: y + node.y, w: node.w, h: node.h };
      const mark = node.inner ? this.frameOf(node, place) : this.cardOf(node.part, place);
      this.marks.set(node.part, { mark, ...place });
      if (node.inner) this.put(node.inner, place.x + (node.w - node.inner.w) / 2, place.y + FRAME.top);
    }
    for (const edge of level.edges) this.wayOf(edge, level, x, y);
  }

  wayOf(edge, level, x, y) {
    const [from, to] = [level.nodes[edge.from], level.nodes[edge.to]];
    const start = [x + from.x + edge.fromX, y + from.y + from.h];
    const end = [x + to.x + edge.toX, y + to.y];
    const points = [start];
    for (const lane of edge.lanes) points.push([x + lane.x, y + lane.top], [x + lane.x, y + lane.bottom]);
    points.push(end);
    const path = shape("path", { d: way(points), "marker-end": to.port ? undefined : "url(#arrow)" });
    path.ends = [from.part, to.part];
    this.ways.append(path);
    if (from.part && !from.inner && !from.labelled) {
      from.labelled = true;
      const toLeft = leansRight(level.edges.filter((other) => other.from === edge.from), level.nodes);
      const label = { x: round(start[0] + (toLeft ? -8 : 8)), y: round(start[1] + 16), class: `size on-${level.group.depth ? level.group.depth % 2 : "ground"} ${toLeft ? "end" : ""}` };
      this.ways.append(shape("text", label, sizes(edge.value.layer.output)));
    }
  }

  // ------------------------------------------------------------------------------- the parts

  item(part, kind) {
    const mark = shape("g", {
      role: "treeitem",
      class: `part ${kind}`,
      tabindex: -1,
      "aria-label": this.outline.told(part),
      "aria-level": part.depth,
      "aria-selected": "false",
      "aria-expanded": part.isGroup ? String(part.open) : undefined,
      "data-name": part.isGroup ? part.name : part.layer.name,
    });
    mark.standsFor = part;
    return mark;
  }

  cardOf(part, { x, y, w, h }) {
    const family = part.isGroup ? "block" : part.layer.family;
    const mark = this.item(part, `${isPill(part) ? "pill" : "card"} of-${family}`);
    const at = { x: round(x), y: round(y), width: round(w), height: h };
    if (part.kind === "stack") {
      for (const off of [8, 4]) mark.append(shape("rect", { ...at, x: at.x + off, y: at.y + off, rx: 9, class: "behind" }));
    }
    mark.append(shape("rect", { ...at, rx: isPill(part) ? 14 : 9, class: "box" }));
    if (isPill(part)) {
      mark.append(shape("text", { x: round(x + w / 2), y: round(y + 18.5), class: "title middle" }, cut(cardLabel(part), 34)));
      return mark;
    }
    mark.append(shape("rect", { x: at.x + 9, y: at.y + 11, width: 3, height: h - 22, rx: 1.5, class: "family" }));
    const [title, note] = cardText(part, this.outline);
    const learned = part.params ? short(part.params) : "";
    mark.append(shape("text", { x: at.x + 20, y: at.y + 20, class: "title" }, title));
    if (part.isGroup) {
      mark.append(shape("text", { x: at.x + 20, y: at.y + 37, class: "note" }, note));
      mark.append(this.knob(part, at.x + at.width - 20, at.y + h / 2));
    } else {
      mark.append(shape("text", { x: at.x + 20, y: at.y + 37, class: "note" }, note.slice(0, note.length - (learned && learned.length + 2))));
      mark.append(shape("text", { x: at.x + at.width - 11, y: at.y + 37, class: "note end" }, learned));
    }
    if (part.worry) mark.append(shape("circle", { cx: at.x + at.width - 4, cy: at.y + 4, r: 5, class: "worry" }));
    return mark;
  }

  frameOf(node, { x, y, w, h }) {
    const { part } = node;
    const mark = this.item(part, "frame");
    this.frames.append(shape("rect", { x: round(x), y: round(y), width: round(w), height: round(h), rx: 12, class: `ground depth-${part.depth % 2}` }));
    mark.append(shape("rect", { x: round(x), y: round(y), width: round(w), height: 30, rx: 12, class: "handle" }));
    const title = shape("text", { x: round(x + 14), y: round(y + 20), class: "title" }, this.outline.heading(part));
    if (part.kind === "block") title.append(shape("tspan", { class: "note", dx: 8 }, cutFront(this.outline.nameIn(part), 30)));
    mark.append(title, this.knob(part, x + w - 18, y + 16));
    return mark;
  }

  knob(part, x, y) {
    const turn = part.open ? "M-4 2L0 -2L4 2" : "M-4 -2L0 2L4 -2";
    const knob = shape("g", { class: "knob", transform: `translate(${round(x)} ${round(y)})` },
      shape("circle", { r: 10 }), shape("path", { d: turn }));
    knob.standsFor = part;
    return knob;
  }

  // --------------------------------------------------------------------------------- folding

  fold(part, open = !part.open) {
    const before = this.marks.get(part);
    const top = before.y * this.scale - this.room.scrollTop;
    const middle = (before.x + before.w / 2) * this.scale - this.room.scrollLeft;
    part.open = open;
    this.draw();
    const now = this.marks.get(part);
    this.room.scrollTop = now.y * this.scale - top;
    this.room.scrollLeft = (now.x + now.w / 2) * this.scale - middle;
    this.focus(part);
    say(`${this.outline.heading(part)} ${open ? "unfolded" : "folded"}`);
  }

  foldAll(open) {
    for (const group of this.outline.groups) group.open = open;
    this.draw();
    this.fitWidth();
    this.room.scrollTop = 0;
    say(open ? "All blocks unfolded" : "All blocks folded");
  }

  // -------------------------------------------------------------------------------- choosing

  choose(part, { focus = true } = {}) {
    if (part && this.outline.reveal(part)) this.draw();
    this.selected = part;
    this.mark();
    if (part) this.show(part);
    if (part && focus) this.focus(part);
    this.chosen(part);
  }

  mark() {
    const face = this.selected && this.selected.face;
    for (const [part, { mark }] of this.marks) {
      mark.setAttribute("aria-selected", String(part === face));
      mark.setAttribute("tabindex", -1);
    }
    for (const path of this.ways.children) {
      if (path.ends) path.classList.toggle("near", Boolean(face) && path.ends.includes(face));
    }
    const first = face && this.marks.get(face) ? face : this.outline.root.children[0];
    if (first) this.marks.get(first).mark.setAttribute("tabindex", 0);
  }

  focus(part) {
    for (const { mark } of this.marks.values()) mark.setAttribute("tabindex", -1);
    const { mark } = this.marks.get(part.face);
    mark.setAttribute("tabindex", 0);
    mark.focus({ preventScroll: true });
    this.show(part);
  }

  // Scrolls no more than is needed for the part to be seen.
  show(part) {
    const { x, y, w, h } = this.marks.get(part.face);
    const seen = (start, length, from, room) => {
      const [low, high] = [start * this.scale - 24, (start + length) * this.scale + 40];
      if (low < from) return low;
      return high > from + room ? Math.min(low, high - room) : from;
    };
    this.room.scrollTop = seen(y + this.offset[1], Math.min(h, 120), this.room.scrollTop, this.room.clientHeight);
    this.room.scrollLeft = seen(x + this.offset[0], w, this.room.scrollLeft, this.room.clientWidth);
  }

  // On a narrow screen the details cover its lower part: the chosen one is brought above them.
  aboveSheet(part) {
    if (!matchMedia("(max-width: 920px)").matches) return;
    const { top, bottom } = this.marks.get(part.face).mark.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight * 0.4) window.scrollBy(0, top - innerHeight * 0.16);
  }

  find(parts) {
    const faces = new Set(parts.map((part) => part.face));
    for (const [part, { mark }] of this.marks) mark.classList.toggle("found", faces.has(part));
    this.svg.classList.toggle("searching", faces.size > 0);
  }

  // ------------------------------------------------------------------------------------ size

  // The drawing's left edge is moved where it is narrower than the room.
  get offset() {
    return [Math.max(0, this.room.clientWidth / this.scale - this.size[0]) / 2, 0];
  }

  scaled(scale, at = null) {
    const next = Math.min(SCALES.most, Math.max(SCALES.least, scale));
    const [x, y] = at || [this.room.clientWidth / 2, this.room.clientHeight / 2];
    const [left, top] = [(this.room.scrollLeft + x) / this.scale, (this.room.scrollTop + y) / this.scale];
    this.scale = next;
    this.svg.setAttribute("width", round(this.size[0] * next));
    this.svg.setAttribute("height", round(this.size[1] * next));
    this.room.scrollLeft = left * next - x;
    this.room.scrollTop = top * next - y;
    byId("scale").textContent = `${Math.round(100 * next)} %`;
  }

  fitWidth() {
    this.scaled(Math.max(0.4, Math.min(1, this.room.clientWidth / this.size[0])));
    this.room.scrollLeft = (this.room.scrollWidth - this.room.clientWidth) / 2;
  }

  fitWhole() {
    const [w, h] = this.size;
    this.scaled(Math.min(1, this.room.clientWidth / w, (this.room.clientHeight - 4) / h));
  }

  // --------------------------------------------------------------------------------- listening

  listen() {
    this.svg.addEventListener("click", (event) => {
      if (this.dragged) return;
      const knob = event.target.closest(".knob");
      if (knob) {
        this.fold(knob.standsFor);
        return;
      }
      const mark = event.target.closest(".part");
      if (mark) this.choose(mark.standsFor);
    });
    this.svg.addEventListener("dblclick", (event) => {
      const mark = event.target.closest(".part");
      if (mark && mark.standsFor.isGroup && !event.target.closest(".knob")) this.fold(mark.standsFor);
    });
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.room.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = this.room.getBoundingClientRect();
      this.scaled(this.scale * Math.exp(-event.deltaY * 0.004), [event.clientX - box.left, event.clientY - box.top]);
    }, { passive: false });
    this.listenToDrags();
    this.listenToPinches();
  }

  listenToDrags() {
    let start = null;
    this.room.addEventListener("pointerdown", (event) => {
      this.dragged = false;
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      start = [event.clientX, event.clientY, this.room.scrollLeft, this.room.scrollTop];
    });
    window.addEventListener("pointermove", (event) => {
      if (!start || !event.buttons) return;
      const [x, y] = [event.clientX - start[0], event.clientY - start[1]];
      if (Math.hypot(x, y) < 5 && !this.dragged) return;
      this.dragged = true;
      this.room.classList.add("dragging");
      this.room.scrollLeft = start[2] - x;
      this.room.scrollTop = start[3] - y;
    });
    window.addEventListener("pointerup", () => {
      start = null;
      this.room.classList.remove("dragging");
    });
  }

  listenToPinches() {
    let begun = null;
    const apart = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    this.room.addEventListener("touchstart", ({ touches }) => {
      begun = touches.length === 2 ? [apart(touches), this.scale] : null;
    }, { passive: true });
    this.room.addEventListener("touchmove", (event) => {
      if (!begun || event.touches.length !== 2) return;
      event.preventDefault();
      const box = this.room.getBoundingClientRect();
      const [a, b] = event.touches;
      const at = [(a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top];
      this.scaled((begun[1] * apart(event.touches)) / begun[0], at);
    }, { passive: false });
  }

  // The keys of a tree (ARIA authoring practices): up and down go through all that is shown, right
  // unfolds and goes in, left goes out and folds.
  key(event) {
    const mark = event.target.closest(".part");
    if (!mark || event.ctrlKey || event.metaKey || event.altKey) return;
    const part = mark.standsFor;
    const all = [...this.outline.shown()];
    const here = all.indexOf(part);
    const moves = {
      ArrowDown: () => all[here + 1],
      ArrowUp: () => all[here - 1],
      Home: () => all[0],
      End: () => all.at(-1),
      ArrowRight: () => this.inward(part),
      ArrowLeft: () => this.outward(part),
    };
    if (moves[event.key]) {
      event.preventDefault();
      const next = moves[event.key]();
      if (next) this.focus(next);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose(part);
      if (part.isGroup && event.key === "Enter") this.fold(part);
    }
  }

  inward(part) {
    if (!part.isGroup) return null;
    if (part.open) return part.children[0];
    this.fold(part, true);
    return null;
  }

  outward(part) {
    if (part.isGroup && part.open) {
      this.fold(part, false);
      return null;
    }
    return part.parent === this.outline.root ? null : part.parent;
  }
}
