// The page put together.

const MATCHES = 12;

class Search {
  constructor(outline, picture, choose) {
    Object.assign(this, { outline, picture, choose });
    this.field = byId("search");
    this.list = byId("matches");
    this.found = [];
    this.at = -1;
    this.field.addEventListener("input", () => this.look());
    this.field.addEventListener("focus", () => this.look());
    this.field.addEventListener("blur", () => this.close());
    this.field.addEventListener("keydown", (event) => this.key(event));
  }

  look() {
    const words = this.field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const all = [...this.outline.groups, ...this.outline.leaf];
    const text = (part) =>
      (part.isGroup
        ? `${part.name} ${part.title}`
        : `${part.layer.name} ${part.layer.label} ${sizes(part.layer.output)}`
      ).toLowerCase();
    this.found = words.length
      ? all.filter((part) => words.every((word) => text(part).includes(word)))
      : [];
    this.found.sort((a, b) => a.isGroup - b.isGroup);
    this.at = -1;
    this.picture.find(this.found);
    this.list.replaceChildren(...this.rows(words));
    this.list.hidden = !words.length;
    this.field.setAttribute("aria-expanded", String(words.length > 0));
    this.field.removeAttribute("aria-activedescendant");
    if (words.length) say(`${many(this.found.length, "match", "matches")}`);
  }

  rows(words) {
    const rows = this.found.slice(0, MATCHES).map((part, i) => {
      const [name, says] = part.isGroup
        ? [part.name, this.outline.heading(part)]
        : [part.layer.name, part.layer.label];
      const row = element(
        "li",
        { role: "option", id: `match-${i}`, "aria-selected": "false" },
        element("span", { class: "mono" }, name),
        element("span", { class: "muted" }, cut(says, 44)),
      );
      row.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        this.take(part);
      });
      return row;
    });
    const rest = this.found.length - rows.length;
    const note =
      rest > 0 ? `${count(rest)} more` : words.length && !rows.length ? "nothing is called so" : "";
    if (note)
      rows.push(
        element(
          "li",
          { role: "option", "aria-disabled": "true", "aria-selected": "false", class: "muted" },
          note,
        ),
      );
    return rows;
  }

  key(event) {
    const shown = Math.min(MATCHES, this.found.length);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!shown) return;
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.at = this.at < 0 && step < 0 ? shown - 1 : (this.at + step + shown) % shown;
      this.activate();
    } else if (event.key === "Enter" && this.found.length)
      this.take(this.found[Math.max(0, this.at)]);
    else if (event.key === "Escape") {
      this.field.value = "";
      this.look();
      this.field.blur();
    }
  }

  activate() {
    [...this.list.children].forEach((row, i) =>
      row.setAttribute("aria-selected", String(i === this.at)),
    );
    this.field.setAttribute("aria-activedescendant", `match-${this.at}`);
  }

  take(part) {
    this.close();
    this.picture.find([]);
    this.choose(part);
  }

  close() {
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
  }
}

function head(content) {
  byId("title").textContent = content.title;
  byId("subtitle").textContent = content.source;
  const { totals } = content;
  const tiles = [
    ["parameters", short(totals.params), count(totals.params), content.conventions.params],
    ...trainable(content),
    ["multiply-adds", short(totals.macs), count(totals.macs), content.conventions.macs],
    ["neurons", short(totals.neurons), count(totals.neurons), content.conventions.neurons],
    ["depth", count(totals.depth), many(totals.depth, "weighted layer"), content.conventions.depth],
    [
      "inference",
      bytes(totals.inference),
      `${count(totals.inference)} bytes, batch 1`,
      content.conventions.memory,
    ],
    [
      "training step",
      bytes(totals.training),
      `${count(totals.training)} bytes, batch ${count(content.memory.train.batch)}`,
      content.conventions.memory,
    ],
  ];
  byId("totals").append(
    ...tiles.map(([name, value, exact, convention]) =>
      element(
        "div",
        { title: convention },
        element("dt", {}, name),
        element("dd", {}, value, exact === value ? null : element("small", {}, exact)),
      ),
    ),
  );
  if (content.documentation) {
    byId("documentation").textContent = content.documentation;
    byId("documentation").hidden = false;
  }
  const tail = `${content.digest.slice(0, 16)}`;
  byId("footer").append(
    element("p", {}, "Made by nnspec. The page asks nothing of any network."),
    element("p", { class: "mono" }, `graph ${tail}`),
  );
}

function below(outline, listing, choose) {
  byId("layers").append(...listing.table());
  byId("text").append(...textOf(outline.content));
  const room = byId("charts");
  const charts = chartsOf(outline, choose);
  room.append(...charts.map((chart) => chart.figure));
  const draw = () =>
    charts.forEach((chart) => chart.draw(Math.max(220, Math.floor(chart.plot.clientWidth))));
  draw();
  let width = room.clientWidth;
  new ResizeObserver(() => {
    if (room.clientWidth === width) return;
    width = room.clientWidth;
    draw();
  }).observe(room);
}

function start() {
  const content = JSON.parse(byId("content").textContent);
  const outline = new Outline(content);
  content.concerns.forEach((layers, i) => {
    for (const layer of layers) {
      const part = outline.leaf[layer];
      part.findings = [...(part.findings || []), i];
      for (const one of part.trail) one.worry = true;
    }
  });
  head(content);
  theme();
  const listing = new Listing(outline, (part) => choose(part));
  const picture = new Picture(outline, byId("graph"), (part) => {
    panel.show(part);
    listing.mark(part);
    markLine(part);
    if (part) picture.aboveSheet(part);
    if (part) say(`${part.isGroup ? part.name : part.layer.name} chosen`);
  });
  new Hands(picture);
  const choose = (part) => {
    const before = picture.selected;
    picture.choose(part);
    if (part) byId("workbench").scrollIntoView({ block: "nearest" });
    else if (before) picture.focus(before);
  };
  const panel = new Panel(outline, byId("panel"), choose, (part) => {
    picture.fold(part);
    panel.show(part);
  });
  const search = new Search(outline, picture, choose);
  picture.fitWidth();
  byId("fold").addEventListener("click", () => picture.foldAll(false));
  byId("unfold").addEventListener("click", () => picture.foldAll(true));
  byId("larger").addEventListener("click", () => picture.scaled(picture.scale * 1.25));
  byId("smaller").addEventListener("click", () => picture.scaled(picture.scale / 1.25));
  byId("fit").addEventListener("click", () => picture.fitWhole());
  if (!outline.groups.length) for (const id of ["fold", "unfold"]) byId(id).disabled = true;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea");
    if (event.key === "/" && !typing) {
      event.preventDefault();
      search.field.focus();
      search.field.select();
    } else if (event.key === "Escape" && !typing && picture.selected) choose(null);
  });
  requestAnimationFrame(() =>
    setTimeout(() => {
      performance.mark("drawn");
      below(outline, listing, choose);
      performance.mark("whole");
    }),
  );
}

start();
