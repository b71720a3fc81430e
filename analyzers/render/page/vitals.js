// What was seen of the layers after each epoch, where the training was watched: a row a layer, a
// column an epoch.

const VITALS = [
  ["dead", "Dead units", "share of a layer's rectified units that are 0 on every example", percent],
  ["saturated", "Saturated units", "share of sigmoids and tanhs whose slope is below 1 % of the largest", percent],
  ["gradient", "Gradient", "root mean square of the gradient of a layer's weights, on a log scale", plain],
  ["std", "Spread of the activations", "standard deviation of what a layer puts out, on a log scale", plain],
];

const COLUMNS = 60;

function vitalsOf(content) {
  const { layers, epochs } = content.vitals;
  return VITALS.map(([name, title, says, unit]) => {
    const rows = layers
      .map((layer) => [layer, epochs.map((epoch) => epoch.seen[layer]?.[name] ?? null)])
      .filter(([, values]) => values.some((value) => value !== null));
    return rows.length ? heat(title, says, rows, epochs.map(({ number }) => number), unit) : null;
  }).filter(Boolean);
}

// How deep a number is coloured, 0 to 1: shares as they are, others by their powers.
function depthOf(values, unit) {
  if (unit === percent) return (value) => value;
  const logs = values.filter((value) => value > 0).map(Math.log10);
  const [low, high] = [Math.min(...logs), Math.max(...logs)];
  return (value) => (value > 0 ? 0.08 + (0.92 * (Math.log10(value) - low)) / (high - low || 1) : 0);
}

function heat(title, says, rows, numbers, unit) {
  const every = Math.ceil(numbers.length / COLUMNS);
  const shown = numbers.map((_, i) => i).filter((i) => i % every === 0 || i === numbers.length - 1);
  const known = rows.flatMap(([, values]) => values).filter((value) => value !== null);
  const depth = depthOf(known, unit);
  const readout = element("p", { class: "readout" }, says);
  const body = rows.map(([layer, values]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, layer),
      ...shown.map((i) => {
        const value = values[i];
        const told = value === null ? "not known" : unit(value);
        const cell = element("td", { class: "warm" }, element("span", { class: "unseen" }, told));
        cell.style.setProperty("--depth", value === null ? 0 : depth(value).toFixed(3));
        cell.addEventListener("pointerenter", () => {
          readout.textContent = `${layer}, epoch ${count(numbers[i])}: ${told}`;
        });
        cell.addEventListener("pointerleave", () => {
          readout.textContent = says;
        });
        return cell;
      }),
      element("td", { class: "number" }, values.at(-1) === null ? "·" : unit(values.at(-1))),
    ),
  );
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "layer"),
    ...shown.map((i) =>
      element("th", { scope: "col" }, element("span", { class: "unseen" }, `epoch ${numbers[i]}`)),
    ),
    element("th", { scope: "col", class: "number" }, "in the end"),
  );
  const table = element(
    "table",
    { class: "heat" },
    element("caption", { class: "unseen" }, `${title} by layer and epoch`),
    element("thead", {}, head),
    element("tbody", {}, ...body),
  );
  const room = element(
    "div",
    { class: "scroll tall", tabindex: 0, role: "region", "aria-label": `${title} by layer and epoch` },
    table,
  );
  return element(
    "figure",
    { class: "chart" },
    element("header", {}, element("h3", {}, title)),
    readout,
    room,
  );
}
