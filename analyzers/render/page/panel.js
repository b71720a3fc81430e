// What is known of the chosen part: its derivation, weights, findings, neighbours.

class Panel {
  constructor(outline, room, choose, fold) {
    this.outline = outline;
    this.room = room;
    this.choose = choose;
    this.fold = fold;
    this.show(null);
  }

  show(part) {
    const about = part ? (part.isGroup ? this.group(part) : this.leaf(part)) : this.whole();
    this.room.replaceChildren(...about.filter(Boolean));
    this.room.scrollTop = 0;
    this.room.classList.toggle("chosen", Boolean(part));
  }

  head(kicker, title, part) {
    const close = part
      ? button("×", () => this.choose(null), {
          class: "close quiet",
          "aria-label": "Close the details",
        })
      : null;
    return element(
      "header",
      {},
      element("p", { class: "kicker" }, kicker),
      element("h2", {}, title),
      close,
    );
  }

  whole() {
    const { content } = this.outline;
    return [
      this.head("The whole net", content.title),
      element(
        "p",
        { class: "hint" },
        "Choose a layer to see where each of its numbers comes from.",
      ),
      this.facts([
        [
          "parameters",
          content.formula.length > 160 ? count(content.totals.params) : content.formula,
        ],
        ...this.outline.inputs.map(({ layer }) => [
          layer.name,
          sizes(layer.output) + (layer.integer ? " whole numbers" : ""),
        ]),
        ...content.outputs.map(([label, from]) => [label, sizes(content.layers[from].output)]),
        ...Object.entries(content.lets).map(([name, value]) => [`let ${name}`, value]),
        ...Object.entries(content.unseen).map(([name, axes]) => [
          `unseen of ${name}`,
          axes.map((axis) => cut(axis.join(", "), 60) || "none").join(" × "),
        ]),
      ]),
      this.findings(
        content.findings.map((_, i) => i),
        "Findings",
      ) || this.wellMade(),
      this.heaviest(),
      this.keys(),
    ];
  }

  wellMade() {
    return element(
      "section",
      {},
      element("h3", {}, "Findings"),
      element("p", { class: "muted" }, "None: nnspec check has nothing to say."),
    );
  }

  heaviest() {
    const MOST = 5;
    const { totals } = this.outline.content;
    const layers = this.outline.leaf
      .filter((part) => part.params)
      .sort((a, b) => b.params - a.params)
      .slice(0, MOST);
    if (layers.length < 2) return null;
    const rows = layers.map((part) =>
      element(
        "li",
        {},
        button(part.layer.name, () => this.choose(part), { class: "link" }),
        element(
          "span",
          { class: "muted" },
          `${short(part.params)}, ${share(part.params, totals.params)}`,
        ),
      ),
    );
    return element(
      "section",
      {},
      element("h3", {}, "Most parameters"),
      element("ul", { class: "links apart" }, ...rows),
    );
  }

  keys() {
    const keys = [
      ["/", "search"],
      ["↑ ↓", "go from layer to layer"],
      ["→ ←", "unfold and fold"],
      ["Enter", "details; unfold a block"],
      ["Esc", "close"],
      ["Ctrl + wheel", "size; drag moves"],
    ];
    const rows = keys.flatMap(([key, says]) => [
      element("dt", {}, element("kbd", {}, key)),
      element("dd", {}, says),
    ]);
    return element(
      "details",
      { class: "keys" },
      element("summary", {}, "Keys"),
      element("dl", {}, ...rows),
    );
  }

  group(part) {
    const { totals } = this.outline.content;
    const out = part.last.layer.output;
    return [
      this.head(
        part.kind === "portion" ? "part of the net" : part.kind,
        this.outline.heading(part),
        part,
      ),
      element("p", { class: "mono" }, part.name),
      this.facts([
        ["use", part.use],
        ["layers", count(part.count)],
        ["output", sizes(out)],
        ["parameters", `${count(part.params)}  ${share(part.params, totals.params)}`],
        ["multiply-adds", `${count(part.macs)}  ${share(part.macs, totals.macs)}`],
      ]),
      button(part.open ? "Fold" : "Unfold", () => this.fold(part), { class: "action" }),
      this.links("Holds", part.children),
    ];
  }

  leaf(part) {
    if (part.kind === "output") {
      const from = this.outline.leaf[part.from];
      return [
        this.head("output", part.layer.name, part),
        this.facts([["shape", sizes(part.layer.output)]]),
        this.links("Reads", [from]),
      ];
    }
    const { layer } = part;
    const [says, source] = this.outline.content.operators[layer.op] || [
      "Where a batch enters.",
      "",
    ];
    const edges = this.outline.edges;
    return [
      this.head(
        layer.role ? `${layer.role} layer` : layer.op === "input" ? "input" : "layer",
        layer.name,
        part,
      ),
      element("p", { class: "mono" }, layer.label),
      element(
        "p",
        { class: "flow" },
        layer.input ? `${sizes(layer.input)} → ${sizes(layer.output)}` : sizes(layer.output),
      ),
      this.findings(part.findings || [], "Findings"),
      element("p", { class: "says" }, says),
      this.derivation(layer),
      this.work(part),
      layer.shares ? element("p", {}, `Its weights are those of ${layer.shares}.`) : null,
      this.weights(layer.weights || []),
      this.facts([
        ["as written", layer.written],
        ["stands in", `${layer.place[0]}, line ${layer.place[1]}`],
        ["source", source],
      ]),
      this.links(
        "Reads",
        edges.filter(([, to]) => to === part).map(([from]) => from),
      ),
      this.links(
        "Is read by",
        edges.filter(([from]) => from === part).map(([, to]) => to),
      ),
    ];
  }

  facts(rows) {
    const told = rows.filter(([, value]) => value);
    return element(
      "dl",
      { class: "facts" },
      ...told.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]),
    );
  }

  derivation(layer) {
    if (!(layer.lines || []).length) return null;
    const steps = layer.lines.flatMap(([fact, derivation]) => {
      const sides = derivation.split(" = ");
      const last = sides.length > 1 ? element("strong", {}, grouped(sides.at(-1))) : null;
      const working = last ? `${sides.slice(0, -1).join(" = ")} = ` : derivation;
      return [element("dt", {}, fact), element("dd", {}, working, last)];
    });
    return element(
      "section",
      {},
      element("h3", {}, "Where its numbers come from"),
      element("dl", { class: "derivation" }, ...steps),
    );
  }

  // What it does in a training step, over the whole batch.
  work(part) {
    const [flops, moved, flopsBack, movedBack] = this.outline.content.work[part.index] || [];
    if (!moved) return null;
    const said = (operations, size) =>
      `${operations ? `${short(operations)} operations, ` : ""}${bytes(size)} moved`;
    const { batch } = this.outline.content.memory.train;
    return element(
      "section",
      {},
      element("h3", {}, `In a training step, batch ${count(batch)}`),
      this.facts([
        ["forward", said(flops, moved)],
        ["backward", movedBack ? said(flopsBack, movedBack) : ""],
        [
          "intensity",
          flops ? `${plain((flops + flopsBack) / (moved + movedBack))} operations a byte` : "",
        ],
      ]),
    );
  }

  weights(rows) {
    if (!rows.length) return null;
    const head = element(
      "tr",
      {},
      ...["array", "shape", "numbers"].map((name) => element("th", { scope: "col" }, name)),
    );
    const body = rows.map(([name, dimensions, size]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, name),
        element("td", {}, sizes(dimensions)),
        element("td", {}, count(size)),
      ),
    );
    return element(
      "section",
      {},
      element("h3", {}, "Weights"),
      element(
        "table",
        { class: "weights" },
        element("thead", {}, head),
        element("tbody", {}, ...body),
      ),
    );
  }

  findings(which, title) {
    if (!which.length) return null;
    const { findings, concerns } = this.outline.content;
    const rows = which.map((i) => {
      const found = findings[i];
      const layer = this.outline.leaf[concerns[i][0]];
      return element(
        "li",
        { class: found.severity },
        element("p", {}, element("code", {}, found.code), ` ${found.message}`),
        found.help ? element("p", { class: "help" }, found.help) : null,
        layer ? button(layer.layer.name, () => this.choose(layer), { class: "link" }) : null,
      );
    });
    return element(
      "section",
      {},
      element("h3", {}, title),
      element("ul", { class: "findings" }, ...rows),
    );
  }

  links(title, parts) {
    if (!parts.length) return null;
    const MOST = 24;
    const rows = parts.slice(0, MOST).map((part) => {
      const name = part.isGroup ? part.name : part.layer.name;
      return element(
        "li",
        {},
        button(name, () => this.choose(part), { class: "link" }),
        element(
          "span",
          { class: "muted" },
          part.isGroup
            ? ` ${part.use || this.outline.heading(part)}`
            : ` ${cut(part.layer.label, 40)}`,
        ),
      );
    });
    if (parts.length > MOST)
      rows.push(element("li", { class: "muted" }, `and ${count(parts.length - MOST)} more`));
    return element(
      "section",
      {},
      element("h3", {}, title),
      element("ul", { class: "links" }, ...rows),
    );
  }
}
