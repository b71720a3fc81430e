// What the net made of the held-out examples: which classes it took for which, and where it was most
// wrong.

const MATRIX = 32;
const FIRST = 18;

const className = (held, label) => held.classes?.[label] ?? String(label);

function confusionOf(held) {
  const found = [];
  if (held.confusion && held.confusion.length <= MATRIX) found.push(matrix(held));
  if (held.confused.length) found.push(pairs(held));
  return found;
}

function matrix(held) {
  const names = held.classes;
  const head = element(
    "tr",
    {},
    element("th", { scope: "col", class: "corner" }, "true \\ said"),
    ...names.map((name) => element("th", { scope: "col", title: name }, cut(name, 12))),
    element("th", { scope: "col" }, "found"),
  );
  const rows = held.confusion.map((counts, label) => {
    const whole = counts.reduce((sum, one) => sum + one, 0);
    const cells = counts.map((one, said) => {
      const right = said === label;
      const cell = element(
        "td",
        {
          class: one ? (right ? "right" : "wrong") : "none",
          title: one
            ? `${count(one)} of ${count(whole)} ${names[label]} taken for ${names[said]}`
            : undefined,
        },
        one ? count(one) : "·",
      );
      cell.style.setProperty("--depth", whole ? (one / whole).toFixed(3) : 0);
      return cell;
    });
    const share = whole ? percent(counts[label] / whole) : "·";
    return element(
      "tr",
      {},
      element("th", { scope: "row", title: names[label] }, cut(names[label], 18)),
      ...cells,
      element("td", { class: "number" }, share),
    );
  });
  const table = element(
    "table",
    { class: "matrix" },
    element("caption", { class: "unseen" }, "Held-out examples by their true class and what the net said"),
    element("thead", {}, head),
    element("tbody", {}, ...rows),
  );
  return element(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "Confusion matrix" },
    table,
  );
}

function pairs(held) {
  const rows = held.confused
    .slice(0, 10)
    .map(([label, said, number]) =>
      element(
        "li",
        {},
        element("span", {}, className(held, label)),
        element("span", { class: "muted" }, " taken for "),
        element("span", {}, className(held, said)),
        element("span", { class: "muted times" }, `${count(number)} ×`),
      ),
    );
  return element(
    "div",
    { class: "pairs" },
    element("h3", {}, "Most often confused"),
    element("ol", {}, ...rows),
  );
}

// ---------------------------------------------------------------------------------------- the worst

function worstOf(held) {
  const note = element(
    "p",
    { class: "muted note" },
    `The largest losses among ${many(held.looked_at, "held-out example")}, by the net that training left.`,
  );
  return [note, ...(held.pixels ? gallery(held) : [rows(held)])];
}

function gallery(held) {
  const cards = held.worst.map((one, i) => card(held, one, held.pixels[i])).filter(Boolean);
  const grid = element("ul", { class: "gallery" }, ...cards.slice(0, FIRST));
  const rest = cards.slice(FIRST);
  if (!rest.length) return [grid];
  const more = button(`Show ${count(rest.length)} more`, () => {
    grid.append(...rest);
    more.remove();
  });
  return [grid, more];
}

function card(held, one, pixels) {
  const [high, wide, deep] = held.image;
  const canvas = element("canvas", { width: wide, height: high, "aria-hidden": "true" });
  if (!paint(canvas, pixels, deep)) return null;
  const wrong = one.said !== undefined && one.said !== one.true;
  return element(
    "li",
    { class: wrong ? "wrong" : "" },
    canvas,
    element("p", { class: "verdict" }, ...verdict(held, one)),
    element("p", { class: "muted" }, `loss ${four(one.loss ?? Infinity)}`),
  );
}

function verdict(held, one) {
  if (one.true_values)
    return [
      element("span", {}, "said ", element("b", {}, one.said_values.map(known).join(", "))),
      element("span", {}, "is ", element("b", {}, one.true_values.map(known).join(", "))),
    ];
  if (one.true === undefined) return [`example ${count(one.example)}`];
  const share = (value) => (value === undefined || value === null ? "" : ` ${percent(value)}`);
  const said = one.said === null ? "nothing" : className(held, one.said);
  if (one.said === one.true)
    return [
      element("span", {}, "said ", element("b", {}, said), share(one.probability)),
      element("span", {}, "rightly"),
    ];
  return [
    element("span", {}, "said ", element("b", {}, said), share(one.probability)),
    element("span", {}, "is ", element("b", {}, className(held, one.true)), share(one.probability_of_true)),
  ];
}

const known = (value) => (value === null ? "?" : plain(value));

function paint(canvas, pixels, deep) {
  const bytes = Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0));
  const { width, height } = canvas;
  if (bytes.length !== width * height * deep) return false;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let channel = 0; channel < 3; channel += 1)
      image.data[4 * i + channel] = bytes[deep * i + (deep === 3 ? channel : 0)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return true;
}

function rows(held) {
  const labelled = held.worst.some((one) => one.true !== undefined);
  const judged = labelled || held.worst.some((one) => one.true_values);
  const share = (value) => (value === undefined || value === null ? "" : percent(value));
  const columns = [
    ["example", (one) => count(one.example), "number"],
    ["loss", (one) => (one.loss === null ? "no number" : four(one.loss)), "number"],
    ...(judged
      ? [
          ["is", (one) => (labelled ? className(held, one.true) : one.true_values.map(known).join(", "))],
          ["said", (one) => (labelled ? (one.said === null ? "nothing" : className(held, one.said)) : one.said_values.map(known).join(", "))],
        ]
      : []),
    ...(labelled ? [["probability", (one) => share(one.probability), "number"]] : []),
    ["input", (one, i) => inputOf(held, i), "mono"],
  ];
  return plainTable("Worst examples", columns, held.worst);
}

function inputOf(held, i) {
  const values = held.values?.[i] ?? [];
  const more = held.size > values.length ? ` … ${count(held.size)} numbers` : "";
  return values.map(known).join("  ") + more;
}

// columns: [heading, text(row, i), class].
function plainTable(title, columns, found, classOf = () => "") {
  const table = element(
    "table",
    { class: "layers even" },
    element("caption", { class: "unseen" }, title),
    element(
      "thead",
      {},
      element("tr", {}, ...columns.map(([name, , kind]) => element("th", { scope: "col", class: kind }, name))),
    ),
    element(
      "tbody",
      {},
      ...found.map((row, i) =>
        element(
          "tr",
          { class: classOf(row) || undefined },
          ...columns.map(([, text, kind]) => element("td", { class: kind }, text(row, i))),
        ),
      ),
    ),
  );
  return element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": title }, table);
}
