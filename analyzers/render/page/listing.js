// The table of layers.

const ROWS = 2000;

class Listing {
  constructor(outline, choose) {
    this.outline = outline;
    this.choose = choose;
    this.layers = outline.leaf.filter((part) => part.layer.op !== "input");
    this.rows = new Map();
    this.body = element("tbody");
    const total = outline.content.totals;
    this.columns = [
      ["layer", (part) => part.layer.name, "text"],
      ["operators", (part) => part.layer.label, "text"],
      [
        "output",
        (part) => sizes(part.layer.output),
        "number",
        (part) => part.layer.output.reduce((a, b) => a * b, 1),
      ],
      [
        "parameters",
        (part) =>
          part.params
            ? count(part.params)
            : part.layer.shares
              ? `those of ${part.layer.shares}`
              : "·",
        "number",
        (part) => part.params,
      ],
      ["share", (part) => share(part.params, total.params), "number", (part) => part.params],
      [
        "multiply-adds",
        (part) => (part.macs ? count(part.macs) : "·"),
        "number",
        (part) => part.macs,
      ],
    ];
    this.order = null;
  }

  table() {
    this.heads = this.columns.map((column, i) =>
      element(
        "th",
        { scope: "col", class: column[2] },
        button(column[0], () => this.sort(i), { class: "sort" }),
      ),
    );
    this.fill();
    const table = element(
      "table",
      { class: "layers" },
      element("caption", { class: "unseen" }, "All layers; a heading sorts by its column"),
      element("thead", {}, element("tr", {}, ...this.heads)),
      this.body,
    );
    const rest = this.layers.length - ROWS;
    const more =
      rest > 0
        ? element("p", { class: "muted" }, `and ${count(rest)} more: nnspec summary lists them all`)
        : null;
    return [table, more].filter(Boolean);
  }

  fill() {
    const rows = this.layers.slice(0, ROWS).map((part) => this.row(part));
    this.body.replaceChildren(...rows);
  }

  row(part) {
    if (this.rows.has(part)) return this.rows.get(part);
    const [first, ...others] = this.columns;
    const row = element(
      "tr",
      { class: `of-${part.layer.family}` },
      element(
        "th",
        { scope: "row" },
        button(first[1](part), () => this.choose(part), { class: "link" }),
      ),
      ...others.map(([name, text, kind]) => {
        const cell = element("td", { class: kind }, text(part));
        if (name === "share" && part.params) {
          const meter = shape(
            "svg",
            { class: "meter", width: 48, height: 6, "aria-hidden": "true" },
            shape("rect", {
              width: round(Math.max(1, (48 * part.params) / this.outline.content.totals.params)),
              height: 6,
              rx: 2,
            }),
          );
          cell.append(meter);
        }
        return cell;
      }),
    );
    this.rows.set(part, row);
    return row;
  }

  // First the largest, then the smallest, then as in the net.
  sort(i) {
    const number = this.columns[i][2] === "number";
    const ways = number ? ["descending", "ascending", null] : ["ascending", "descending", null];
    const before = this.order && this.order[0] === i ? ways.indexOf(this.order[1]) : -1;
    const way = ways[before + 1] || null;
    this.order = way && [i, way];
    const value = this.columns[i][3] || this.columns[i][1];
    const sign = way === "descending" ? -1 : 1;
    const compared = (a, b) =>
      number ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true });
    this.layers.sort((a, b) => (way ? sign * compared(a, b) : 0) || a.index - b.index);
    this.heads.forEach((head, n) =>
      n === i && way ? head.setAttribute("aria-sort", way) : head.removeAttribute("aria-sort"),
    );
    this.fill();
  }

  mark(part) {
    for (const [other, row] of this.rows) row.classList.toggle("chosen", other === part);
  }
}
