// The drawing of the net: parts, ways, folding, choosing, size.

const MARGIN = 28;
const SCALES = { least: 0.15, most: 2.5 };

// Whether ways leave to the right and none to the left: the size then stands on the left.
function leansRight(leaving, nodes) {
  const aside = leaving.map((edge) => {
    const next = edge.lanes.length ? edge.lanes[0].x : nodes[edge.to].x + edge.toX;
    return next - nodes[edge.from].x - edge.fromX;
  });
  return aside.some((x) => x > 20) && aside.every((x) => x > -20);
}

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
    const marker = {
      id: "arrow",
      markerWidth: 7,
      markerHeight: 7,
      refX: 6,
      refY: 3.5,
      orient: "auto",
      markerUnits: "userSpaceOnUse",
    };
    this.svg = shape(
      "svg",
      { role: "tree", "aria-label": "Layers of the net, from input to output" },
      shape("defs", {}, shape("marker", marker, arrow)),
      this.frames,
      this.ways,
      this.cards,
    );
    room.append(this.svg);
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
      if (node.inner)
        this.put(node.inner, place.x + (node.w - node.inner.w) / 2, place.y + FRAME.top);
    }
    for (const edge of level.edges) this.wayOf(edge, level, x, y);
  }

  wayOf(edge, level, x, y) {
    const [from, to] = [level.nodes[edge.from], level.nodes[edge.to]];
    const start = [x + from.x + edge.fromX, y + from.y + from.h];
    const end = [x + to.x + edge.toX, y + to.y];
    const points = [start];
    for (const lane of edge.lanes)
      points.push([x + lane.x, y + lane.top], [x + lane.x, y + lane.bottom]);
    points.push(end);
    const path = shape("path", {
      d: way(points),
      "marker-end": to.port ? undefined : "url(#arrow)",
    });
    path.ends = [from.part, to.part];
    this.ways.append(path);
    if (from.part && !from.inner && !from.labelled) {
      from.labelled = true;
      const toLeft = leansRight(
        level.edges.filter((other) => other.from === edge.from),
        level.nodes,
      );
      const label = {
        x: round(start[0] + (toLeft ? -8 : 8)),
        y: round(start[1] + 16),
        class: `size on-${level.group.depth ? level.group.depth % 2 : "ground"} ${toLeft ? "end" : ""}`,
      };
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
      for (const off of [8, 4])
        mark.append(shape("rect", { ...at, x: at.x + off, y: at.y + off, rx: 9, class: "behind" }));
    }
    mark.append(shape("rect", { ...at, rx: isPill(part) ? 14 : 9, class: "box" }));
    if (isPill(part)) {
      mark.append(
        shape(
          "text",
          { x: round(x + w / 2), y: round(y + 18.5), class: "title middle" },
          cut(cardLabel(part), 34),
        ),
      );
      return mark;
    }
    mark.append(
      shape("rect", {
        x: at.x + 9,
        y: at.y + 11,
        width: 3,
        height: h - 22,
        rx: 1.5,
        class: "family",
      }),
    );
    const [title, note] = cardText(part, this.outline);
    const learned = part.params ? short(part.params) : "";
    mark.append(shape("text", { x: at.x + 20, y: at.y + 20, class: "title" }, title));
    if (part.isGroup) {
      mark.append(shape("text", { x: at.x + 20, y: at.y + 37, class: "note" }, note));
      mark.append(this.knob(part, at.x + at.width - 20, at.y + h / 2));
    } else {
      mark.append(
        shape(
          "text",
          { x: at.x + 20, y: at.y + 37, class: "note" },
          note.slice(0, note.length - (learned && learned.length + 2)),
        ),
      );
      mark.append(
        shape("text", { x: at.x + at.width - 11, y: at.y + 37, class: "note end" }, learned),
      );
    }
    if (part.worry)
      mark.append(shape("circle", { cx: at.x + at.width - 4, cy: at.y + 4, r: 5, class: "worry" }));
    return mark;
  }

  frameOf(node, { x, y, w, h }) {
    const { part } = node;
    const mark = this.item(part, "frame");
    this.frames.append(
      shape("rect", {
        x: round(x),
        y: round(y),
        width: round(w),
        height: round(h),
        rx: 12,
        class: `ground depth-${part.depth % 2}`,
      }),
    );
    mark.append(
      shape("rect", {
        x: round(x),
        y: round(y),
        width: round(w),
        height: 30,
        rx: 12,
        class: "handle",
      }),
    );
    const title = shape(
      "text",
      { x: round(x + 14), y: round(y + 20), class: "title" },
      this.outline.heading(part),
    );
    if (part.kind === "block")
      title.append(
        shape("tspan", { class: "note", dx: 8 }, cutFront(this.outline.nameIn(part), 30)),
      );
    mark.append(title, this.knob(part, x + w - 18, y + 16));
    return mark;
  }

  knob(part, x, y) {
    const turn = part.open ? "M-4 2L0 -2L4 2" : "M-4 -2L0 2L4 -2";
    const knob = shape(
      "g",
      { class: "knob", transform: `translate(${round(x)} ${round(y)})` },
      shape("circle", { r: 10 }),
      shape("path", { d: turn }),
    );
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
    this.room.scrollTop = seen(
      y + this.offset[1],
      Math.min(h, 120),
      this.room.scrollTop,
      this.room.clientHeight,
    );
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
    const [left, top] = [
      (this.room.scrollLeft + x) / this.scale,
      (this.room.scrollTop + y) / this.scale,
    ];
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
}
