// Curves over the epochs of a training.

const percent = (share) => `${(100 * share).toFixed(2)}\u00a0%`;

// 0.0012 rather than 1.2e-3.
const short4 = (number) =>
  number === 0 || (Math.abs(number) >= 1e-4 && Math.abs(number) < 1e5)
    ? String(Number(number.toPrecision(3)))
    : plain(number);

// A loss: four places, fewer where it is large.
function four(number) {
  const size = Math.abs(number);
  if (size >= 1e6 || (size < 0.001 && size > 0)) return plain(number);
  return size >= 1000 ? count(Number(number.toFixed(1))) : number.toFixed(4);
}

// Round numbers from the lowest to the highest.
function between(low, high, wanted = 4) {
  const span = high - low || Math.abs(high) || 1;
  const step = 10 ** Math.floor(Math.log10(span / wanted));
  const nice = [1, 2, 5, 10].map((factor) => factor * step).find((size) => span / size <= wanted);
  const found = [];
  for (let n = Math.ceil(low / nice - 1e-9); n <= high / nice + 1e-9; n += 1)
    found.push(Number((n * nice).toPrecision(12)));
  return found;
}

const MOST_TICKS = 6;

// 1, 2, 5, 10 within the range, or 1, 3, 10, or powers of ten, so many as can be read.
function powers(low, high) {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const inside = (tick) => tick >= low * 0.999 && tick <= high * 1.001;
  const all = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  for (const factors of [[1, 2, 5], [1, 3], [1]]) {
    const found = all.flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)));
    const shown = found.filter(inside);
    if (shown.length <= MOST_TICKS) return shown;
  }
  const step = Math.ceil(all.length / MOST_TICKS);
  return all.filter((_, i) => i % step === 0).map((power) => Number(`1e${power}`)).filter(inside);
}

// Options beside those of a chart: numbers of the epochs, best (its index or -1), fromZero, log, and
// canLog: whether the scale may be changed.
class Curves extends Chart {
  constructor(options) {
    super(
      {
        style: "curves",
        by: "epoch",
        first: "epoch",
        part: () => null,
        full: options.unit,
        tick: options.unit === percent ? (share) => `${Number((100 * share).toPrecision(4))} %` : short4,
        labels: options.numbers.map((number) => `epoch ${count(number)}`),
        ...options,
      },
      () => null,
    );
    if (this.canLog && this.known.every((value) => value > 0)) this.addSwitch();
    else this.log = false;
  }

  get known() {
    return this.series.flatMap(({ values }) => values).filter((value) => value !== null);
  }

  addSwitch() {
    const made = button("Log scale", () => this.turn(), {
      class: "switch",
      "aria-pressed": String(Boolean(this.log)),
    });
    this.turn = () => {
      this.log = !this.log;
      made.setAttribute("aria-pressed", String(this.log));
      this.draw(this.width);
    };
    this.figure.querySelector("header").append(made);
  }

  scaleUp() {
    const { known } = this;
    const { top } = CHART;
    let low = known.reduce((least, value) => Math.min(least, value), Infinity);
    let high = known.reduce((most, value) => Math.max(most, value), -Infinity);
    if (!known.length) [low, high] = [0, 1];
    if (this.log) {
      if (low === high) [low, high] = [low / 2, high * 2];
      const [from, to] = [Math.log10(low) - 0.02, Math.log10(high) + 0.02];
      this.y = (value) => top + this.inner.h * (1 - (Math.log10(value) - from) / (to - from));
      this.ticks = powers(low, high);
      return;
    }
    if (this.fromZero && low >= 0) low = 0;
    if (low === high) [low, high] = [low - Math.abs(low) / 10 - 1e-6, high + Math.abs(high) / 10 + 1e-6];
    this.ticks = between(low, high);
    const gap = this.ticks.length > 1 ? this.ticks[1] - this.ticks[0] : 0;
    if (gap) {
      low = Math.floor(low / gap + 1e-9) * gap;
      high = Math.min(this.ceiling ?? Infinity, Math.ceil(high / gap - 1e-9) * gap);
      this.ticks = between(low, high, 5);
    }
    this.y = (value) => top + this.inner.h * (1 - (value - low) / (high - low));
  }

  curves(svg) {
    this.along(svg);
    this.markBest(svg);
    this.series.forEach(({ values }, n) => {
      let path = "";
      let joined = false;
      values.forEach((value, i) => {
        const here = value !== null;
        if (here) path += `${joined ? "L" : "M"}${round(this.x(i))} ${round(this.y(value))}`;
        joined = here;
        if (here && this.length < 3)
          svg.append(
            shape("circle", {
              cx: round(this.x(i)),
              cy: round(this.y(value)),
              r: 3,
              class: `dot dot-${n}`,
            }),
          );
      });
      svg.append(shape("path", { d: path, class: `curve curve-${n}` }));
    });
  }

  // The numbers of the epochs, as many as there is room for.
  along(svg) {
    const wanted = Math.max(2, Math.min(8, Math.floor(this.inner.w / 56)));
    const [first, last] = [this.numbers[0], this.numbers.at(-1)];
    for (const tick of between(first, last, wanted).filter(Number.isInteger)) {
      const i = this.numbers.indexOf(tick);
      if (i < 0) continue;
      svg.append(
        shape(
          "text",
          { x: round(this.x(i)), y: CHART.height - 5, class: "tick middle" },
          count(tick),
        ),
      );
    }
  }

  markBest(svg) {
    if (this.best < 0) return;
    const x = round(this.x(this.best));
    const late = this.best > this.length / 2;
    svg.append(
      shape("line", { x1: x, x2: x, y1: CHART.top - 8, y2: CHART.height - CHART.bottom, class: "band" }),
      shape(
        "text",
        { x: x + (late ? -5 : 5), y: CHART.top - 8, class: late ? "tick end" : "tick" },
        "best epoch",
      ),
    );
  }
}

const STEEP = 30;

function curvesOf(content) {
  const { epochs } = content;
  if (!epochs.length) return [];
  const numbers = epochs.map((epoch) => epoch.number);
  const best = epochs.findLastIndex((epoch) => epoch.best);
  const of = (name) => epochs.map((epoch) => epoch[name]);
  const held = (name) => epochs.map((epoch) => epoch.held_out[name] ?? null);
  const told = (values) => values.some((value) => value !== null);
  const at = (values, unit) =>
    best >= 0 && values[best] !== null ? `${unit(values[best])} at epoch ${count(numbers[best])}, the best` : "";
  const found = [];
  const add = (title, series, options) => {
    const shown = series.filter(({ values }) => told(values));
    if (shown.length) found.push(new Curves({ title, series: shown, numbers, best, ...options }));
  };
  const losses = [
    { name: "training", values: of("loss") },
    { name: "held out", values: held("loss") },
  ];
  const all = losses.flatMap(({ values }) => values).filter((value) => value !== null);
  const judged = told(losses[1].values) ? losses[1].values : losses[0].values;
  add("Loss", losses, {
    rest: at(judged, four),
    unit: four,
    fromZero: true,
    canLog: true,
    log: Math.max(...all) > STEEP * Math.min(...all),
  });
  const scores = { accuracy: "Accuracy", r2: "R²" };
  for (const [name, title] of Object.entries(scores)) {
    const unit = name === "r2" ? four : percent;
    add(`${title} on what was held out`, [{ name, values: held(name) }], {
      rest: at(held(name), unit),
      unit,
      ceiling: 1,
    });
  }
  add("Learning rate", [{ name: "learning rate", values: of("lr") }], {
    rest: "of the epoch's last update",
    unit: short4,
    fromZero: true,
    canLog: true,
  });
  add("Length of the gradient", [{ name: "length", values: of("gradient_norm") }], {
    rest: "mean over the epoch's updates, before clipping and penalties",
    unit: short4,
    fromZero: true,
    canLog: true,
  });
  return found;
}
