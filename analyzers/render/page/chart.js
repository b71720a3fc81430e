// Charts that are read with the pointer, with arrow keys, or as a table.

const CHART = { height: 160, left: 58, right: 10, top: 22, bottom: 20 };

// Round numbers up to the largest: 0, 500 K, 1 M.
function ticks(most, wanted = 4) {
  const step = 10 ** Math.floor(Math.log10(most / wanted));
  const nice = [1, 2, 5, 10].map((factor) => factor * step).find((size) => most / size <= wanted);
  return Array.from({ length: Math.floor(most / nice) + 1 }, (_, i) => i * nice);
}

function binaryTicks(most) {
  const unit = 1024 ** Math.floor(Math.log2(Math.max(1, most)) / 10);
  return ticks(most / unit).map((tick) => tick * unit);
}

const indexOfMost = (values) =>
  values.reduce((most, value, i) => (value > values[most] ? i : most), 0);

// series: [{name, values}], values of null where there is none.
// Options: title, says, unit(number), style "bars" | "area" | "lines", labels[i], part(i), bands,
// rest: what stands in the readout while nothing is pointed at.
class Chart {
  constructor(options, choose) {
    Object.assign(this, options);
    this.choose = choose;
    this.at = -1;
    this.length = this.labels.length;
    this.readout = element("p", { class: "readout" }, this.rest);
    this.plot = element("div", {
      class: "plot",
      role: "slider",
      tabindex: 0,
      "aria-label": `${this.title}, by ${this.by || "step"}`,
      "aria-valuemin": 1,
      "aria-valuemax": this.length,
      "aria-valuenow": 1,
      "aria-valuetext": this.rest,
    });
    const head = element("header", {}, element("h3", {}, this.title), this.legend());
    this.figure = element(
      "figure",
      { class: "chart" },
      head,
      this.readout,
      this.plot,
      this.table(),
    );
    this.listen();
  }

  legend() {
    if (this.series.length < 2) return null;
    const names = this.series.map(({ name }, i) => element("span", { class: `key-${i}` }, name));
    return element("p", { class: `legend ${this.style}`, "aria-hidden": "true" }, ...names);
  }

  // The same numbers for those who do not see the chart; made when it is opened.
  table() {
    const details = element("details", { class: "numbers" }, element("summary", {}, "As a table"));
    details.addEventListener("toggle", () => {
      if (details.childElementCount > 1) return;
      const head = element(
        "tr",
        {},
        element("th", { scope: "col" }, this.first || "layer"),
        ...this.series.map(({ name }) => element("th", { scope: "col" }, name)),
      );
      const rows = this.labels.map((label, i) =>
        element(
          "tr",
          {},
          element("th", { scope: "row" }, label),
          ...this.series.map(({ values }) =>
            element("td", {}, values[i] === null ? "not known" : this.unit(values[i])),
          ),
        ),
      );
      const table = element(
        "table",
        {},
        element("caption", { class: "unseen" }, this.title),
        element("thead", {}, head),
        element("tbody", {}, ...rows),
      );
      details.append(
        element(
          "div",
          {
            class: "scroll",
            tabindex: 0,
            role: "region",
            "aria-label": `${this.title} as a table`,
          },
          table,
        ),
      );
    });
    return details;
  }

  get most() {
    const [first, ...others] = this.series;
    const stacked = first.values.map((value, i) =>
      others.reduce((sum, { values }) => sum + values[i], value),
    );
    return stacked.reduce((most, value) => Math.max(most, value), 0) || 1;
  }

  draw(width) {
    const { left, right, top, bottom, height } = CHART;
    this.width = width;
    this.inner = { w: width - left - right, h: height - top - bottom };
    const svg = shape("svg", { width, height, "aria-hidden": "true" });
    this.scaleUp();
    for (const tick of this.ticks) {
      const y = round(this.y(tick));
      svg.append(
        shape("line", { x1: left, x2: width - right, y1: y, y2: y, class: "grid" }),
        shape(
          "text",
          { x: left - 8, y: y + 3.5, class: "tick end" },
          (this.tick || this.unit)(tick).replace(/\.0+(?= )/, ""),
        ),
      );
    }
    this.drawBands(svg);
    this[this.style](svg);
    this.cursor = shape("line", { y1: top, y2: height - bottom, class: "cursor" });
    svg.append(this.cursor);
    if (this.note) this.drawNote(svg);
    this.plot.replaceChildren(svg);
    this.point(this.at);
  }

  scaleUp() {
    const { top } = CHART;
    if (this.style !== "lines") {
      const { most } = this;
      this.ticks = (this.binary ? binaryTicks : ticks)(most);
      this.y = (value) => top + this.inner.h * (1 - value / most);
      return;
    }
    const known = this.series.flatMap(({ values }) => values).filter((value) => value > 0);
    const logs = known.map(Math.log10);
    let low = Math.floor(logs.reduce((least, log) => Math.min(least, log), 0));
    let high = Math.ceil(logs.reduce((most, log) => Math.max(most, log), 0));
    if (low === high) [low, high] = [low - 1, high + 1];
    const step = Math.max(1, Math.ceil((high - low) / 4));
    this.ticks = [];
    for (let power = Math.ceil(low / step) * step; power <= high; power += step) {
      this.ticks.push(10 ** power);
    }
    this.y = (value) => top + this.inner.h * (1 - (Math.log10(value) - low) / (high - low));
  }

  x(i) {
    return CHART.left + (this.inner.w * (i + 0.5)) / this.length;
  }

  // Several series stand on each other.
  bars(svg) {
    const step = this.inner.w / this.length;
    const w = Math.min(28, Math.max(1, step > 6 ? step - 2 : step - 0.4));
    for (let i = 0; i < this.length; i += 1) {
      let below = 0;
      this.series.forEach(({ values }, n) => {
        if (!values[i]) return;
        const base = this.y(below);
        below += values[i];
        const h = Math.max(1, base - this.y(below));
        const bar = {
          x: round(this.x(i) - w / 2),
          y: round(base - h),
          width: round(w),
          height: round(h),
        };
        svg.append(shape("rect", { ...bar, rx: w > 5 ? 1.5 : 0, class: `mark mark-${n}` }));
      });
    }
  }

  area(svg) {
    const base = CHART.height - CHART.bottom;
    const step = this.inner.w / this.length;
    let path = `M${CHART.left} ${base}`;
    this.series[0].values.forEach((value, i) => {
      path += `V${round(this.y(value))}H${round(CHART.left + step * (i + 1))}`;
    });
    svg.append(shape("path", { d: `${path}V${base}z`, class: "mark area" }));
  }

  lines(svg) {
    this.series.forEach(({ values }, n) => {
      let path = "";
      let joined = false;
      values.forEach((value, i) => {
        if (value > 0) path += `${joined ? "L" : "M"}${round(this.x(i))} ${round(this.y(value))}`;
        joined = value > 0;
      });
      svg.append(shape("path", { d: path, class: `curve curve-${n}` }));
    });
  }

  drawBands(svg) {
    let from = 0;
    const base = CHART.height - CHART.bottom;
    for (const [name, length] of this.bands || []) {
      const x = CHART.left + (this.inner.w * from) / this.length;
      const w = (this.inner.w * length) / this.length;
      if (from)
        svg.append(
          shape("line", { x1: round(x), x2: round(x), y1: CHART.top - 6, y2: base, class: "band" }),
        );
      if (w > 44)
        svg.append(
          shape("text", { x: round(x + w / 2), y: CHART.height - 5, class: "tick middle" }, name),
        );
      from += length;
    }
  }

  drawNote(svg) {
    const { at, text } = this.note;
    const [x, y] = [this.x(at), this.y(this.series[0].values[at])];
    const room = text.length * 3.6;
    const middle = Math.min(this.width - CHART.right - room, Math.max(CHART.left + room, x));
    svg.append(
      shape("circle", { cx: round(x), cy: round(y), r: 3.5, class: "peak" }),
      shape("text", { x: round(middle), y: round(y - 9), class: "peak middle" }, text),
    );
  }

  point(i) {
    this.at = i;
    const on = i >= 0;
    this.cursor.classList.toggle("on", on);
    if (on) {
      this.cursor.setAttribute("x1", round(this.x(i)));
      this.cursor.setAttribute("x2", round(this.x(i)));
    }
    const said = on ? this.said(i) : this.rest;
    this.readout.textContent = said;
    this.plot.setAttribute("aria-valuenow", Math.max(1, i + 1));
    this.plot.setAttribute("aria-valuetext", said);
  }

  said(i) {
    const told = this.series
      .filter(({ values }) => values[i] !== null)
      .map(({ name, values }) =>
        this.series.length > 1 ? `${name} ${this.unit(values[i])}` : this.full(values[i]),
      );
    return `${this.labels[i]}: ${told.join(", ") || "not known"}${this.told ? this.told(i) : ""}`;
  }

  listen() {
    const index = (event) => {
      const box = this.plot.getBoundingClientRect();
      const part = (event.clientX - box.left - CHART.left) / this.inner.w;
      return Math.min(this.length - 1, Math.max(0, Math.floor(part * this.length)));
    };
    this.plot.addEventListener("pointermove", (event) => this.point(index(event)));
    this.plot.addEventListener("pointerleave", () => this.point(-1));
    this.plot.addEventListener("blur", () => this.point(-1));
    this.plot.addEventListener("click", (event) => this.pick(index(event)));
    this.plot.addEventListener("keydown", (event) => {
      const moves = {
        ArrowRight: this.at + 1,
        ArrowUp: this.at + 1,
        ArrowLeft: this.at - 1,
        ArrowDown: this.at - 1,
        Home: 0,
        End: this.length - 1,
      };
      if (event.key in moves) {
        event.preventDefault();
        this.point(Math.min(this.length - 1, Math.max(0, moves[event.key])));
      } else if (event.key === "Enter" && this.at >= 0) this.pick(this.at);
    });
  }

  pick(i) {
    const part = this.part(i);
    if (part) this.choose(part);
  }
}
