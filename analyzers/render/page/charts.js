// The charts of a net: which there are.

function chartsOf(outline, choose) {
  const layers = outline.leaf.filter((part) => part.layer.op !== "input");
  const labels = layers.map((part) => part.layer.name);
  const part = (i) => layers[i];
  const by = (field, title, word) => {
    const values = layers.map((one) => one[field]);
    const most = indexOfMost(values);
    const total = outline.content.totals[field];
    if (!total) return null;
    const rest = `most in ${labels[most]}: ${count(values[most])}, ${share(values[most], total)} of all`;
    const full = (value) => `${count(value)} ${word}  ${share(value, total)}`;
    return new Chart(
      {
        title,
        rest,
        full,
        labels,
        part,
        style: "bars",
        unit: short,
        series: [{ name: word, values }],
      },
      choose,
    );
  };
  const found = [
    by("params", "Parameters", "parameters"),
    by("macs", "Multiply-adds", "multiply-adds"),
  ];
  found.push(
    workChart(outline, layers, labels, choose),
    memoryChart(outline, "train", choose),
    memoryChart(outline, "infer", choose),
    signalChart(outline, layers, labels, choose),
  );
  return found.filter(Boolean);
}

function workChart(outline, layers, labels, choose) {
  const { work, memory } = outline.content;
  const of = (i) => layers.map((part) => work[part.index][i]);
  const [flops, forward, flopsBack, backward] = [0, 1, 2, 3].map(of);
  const all = forward.map((size, i) => size + backward[i]);
  const most = indexOfMost(all);
  return new Chart(
    {
      title: `Bytes moved in a training step, batch ${count(memory.train.batch)}`,
      rest: `most in ${labels[most]}: ${bytes(all[most])}`,
      told: (i) =>
        flops[i] ? `; ${plain((flops[i] + flopsBack[i]) / all[i])} operations a byte` : "",
      labels,
      style: "bars",
      binary: true,
      unit: bytes,
      full: bytes,
      part: (i) => layers[i],
      series: [
        { name: "forward", values: forward },
        { name: "backward", values: backward },
      ],
    },
    choose,
  );
}

function memoryChart(outline, mode, choose) {
  const { batch, bytes: values, layers, phases, always } = outline.content.memory[mode];
  if (!values.length) return null;
  const name = (i) => (layers[i] < 0 ? "sum of gradients" : outline.leaf[layers[i]].layer.name);
  const phaseOf = phases.flatMap(([phase, length]) => Array(length).fill(phase));
  const peak = indexOfMost(values);
  const fixed = Object.entries(always).filter(([, size]) => size);
  const beside = fixed.map(([what, size]) => `${bytes(size)} ${what}`).join(", ");
  const rest = `peak ${bytes(values[peak])} at ${name(peak)}, ${phaseOf[peak]}${beside ? `; always there: ${beside}` : ""}`;
  return new Chart(
    {
      title:
        mode === "train"
          ? `Memory over a training step, batch ${count(batch)}`
          : "Memory over inference, batch 1",
      rest,
      first: "step",
      binary: true,
      style: "area",
      unit: bytes,
      full: (value) => `${bytes(value)} of activations in use`,
      labels: values.map((_, i) => `${name(i)}${mode === "train" ? `, ${phaseOf[i]}` : ""}`),
      part: (i) => outline.leaf[layers[i]],
      bands: mode === "train" ? phases : [],
      note: { at: peak, text: bytes(values[peak]) },
      series: [{ name: "bytes in use", values }],
    },
    choose,
  );
}

// How the signal travels: per layer {variance, gradient}, null where it is not known.
function signalChart(outline, layers, labels, choose) {
  const travel = layers.map((part) => outline.content.signal[part.index]);
  const series = [
    ["variance", "variance"],
    ["gradient", "gradient, mean square"],
  ].map(([field, name]) => ({
    name,
    values: travel.map((one) => one[field]),
  }));
  const unknown = series.flatMap(({ values }) => values).filter((value) => value === null).length;
  if (unknown === 2 * layers.length) return null;
  const gaps = unknown ? "; where a line is broken it is not known" : "";
  return new Chart(
    {
      title: "Signal by depth, at initialisation",
      rest: `a net begins well where both stay near one level from its first layer to its last${gaps}`,
      labels,
      series,
      style: "lines",
      unit: plain,
      full: plain,
      part: (i) => layers[i],
    },
    choose,
  );
}
