// The net as a tree: groups that fold, and leaves (layers, inputs, outputs) in the net's order.

let parts = 0;

class Part {
  constructor(parent, fields) {
    this.serial = parts++;
    this.parent = parent;
    this.children = [];
    this.open = false;
    this.depth = parent ? parent.depth + 1 : 0;
    Object.assign(this, fields);
  }

  get isGroup() {
    return this.kind === "block" || this.kind === "stack" || this.kind === "portion";
  }

  // From the root down to this part.
  get trail() {
    const found = [];
    for (let part = this; part; part = part.parent) found.unshift(part);
    return found;
  }

  get shown() {
    for (let part = this.parent; part; part = part.parent) if (!part.open) return false;
    return true;
  }

  // What stands for this part in the drawing: itself, or the outermost folded group around it.
  get face() {
    return this.trail.find((part) => part.isGroup && !part.open) || this;
  }

  get leaves() {
    return this.isGroup ? this.children.flatMap((child) => child.leaves) : [this];
  }
}

class Outline {
  constructor(content) {
    this.content = content;
    this.root = new Part(null, { kind: "net", open: true });
    this.leaf = [];
    this.groups = [];
    for (const piece of content.outline) this.root.children.push(this.grown(piece, this.root));
    this.inputs = this.leaf.filter((part) => part.layer.op === "input");
    if (this.inputs.length > 1)
      for (const { layer } of this.inputs) layer.label = `input ${layer.name}`;
    this.edges = content.edges.map(([from, to]) => [this.leaf[from], this.leaf[to]]);
    const alone = content.outputs.length === 1;
    for (const [label, from] of content.outputs) {
      const of = content.layers[from];
      const said = alone ? "output" : `output ${label}`;
      const layer = { name: label, label: said, op: "output", family: "input", output: of.output };
      const made = new Part(this.root, { kind: "output", layer, from });
      this.root.children.push(made);
      this.edges.push([this.leaf[from], made]);
    }
    this.unfoldSome();
  }

  grown(piece, parent) {
    if (typeof piece === "number") {
      const layer = this.content.layers[piece];
      const made = new Part(parent, { kind: "layer", index: piece, layer, params: 0, macs: 0 });
      made.params = layer.params || 0;
      made.macs = layer.macs || 0;
      this.leaf[piece] = made;
      return made;
    }
    const made = new Part(parent, {
      kind: piece.kind,
      name: piece.name,
      title: piece.title,
      use: piece.use,
    });
    made.children = piece.parts.map((inner) => this.grown(inner, made));
    for (const sum of ["params", "macs"]) {
      made[sum] = made.children.reduce((total, child) => total + child[sum], 0);
    }
    made.count = made.leaves.length;
    made.last = made.leaves.at(-1);
    this.groups.push(made);
    return made;
  }

  // A first view that one screen holds: groups are opened level by level while it does.
  unfoldSome() {
    const ENOUGH = 14;
    let level = this.root.children.filter((part) => part.isGroup);
    let total = this.root.children.length;
    while (level.length) {
      total += level.reduce((sum, group) => sum + group.children.length - 1, 0);
      if (total > ENOUGH) return;
      for (const group of level) group.open = true;
      level = level.flatMap((group) => group.children).filter((part) => part.isGroup);
    }
  }

  // All that is drawn, in reading order, open groups before what they hold.
  *shown(part = this.root) {
    for (const child of part.children) {
      yield child;
      if (child.isGroup && child.open) yield* this.shown(child);
    }
  }

  reveal(part) {
    let changed = false;
    for (const group of part.trail.slice(1, -1)) {
      changed = changed || !group.open;
      group.open = true;
    }
    return changed;
  }

  heading(group) {
    if (group.kind === "portion") return many(group.count, "layer");
    return group.kind === "stack" ? `${group.title} ×${group.children.length}` : group.title;
  }

  // The name without those of the blocks around it, which stand above it.
  nameIn(part) {
    const name = part.isGroup ? part.name : part.layer.name;
    const around = part.trail
      .slice(0, -1)
      .filter((group) => group.kind === "block")
      .at(-1);
    return around && name.startsWith(`${around.name}.`) ? name.slice(around.name.length + 1) : name;
  }

  // What screen readers are told.
  told(part) {
    if (part.isGroup) {
      const inside = `${many(part.count, "layer")}, ${many(part.params, "parameter")}`;
      return `${this.heading(part)}, ${part.name}, ${inside}`;
    }
    const { name, label, output } = part.layer;
    const learned = part.params ? `, ${many(part.params, "parameter")}` : "";
    const before = part.kind === "output" ? "" : `${name}: `;
    return `${before}${label}, ${output.join(" by ") || "1"}${learned}`;
  }
}
